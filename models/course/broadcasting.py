"""Broadcasting and axes: a (3, 4) table over its (1, 4) column sums, and the bias of a layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlkernels import backends

from ._experiment import VECTORS, Check, Experiment, Formula, Result, Table
from ._numbers import number, numbers, same_numbers, shape
from ._timing import in_turns, on_backends

#: The lecture's table: calories from carbohydrate, protein and fat in 100 g.
FOODS, SOURCES = ("apples", "beef", "eggs", "potatoes"), ("carbohydrate", "protein", "fat")
A = np.array([[56.0, 0.0, 4.4, 68.0], [1.2, 104.0, 52.0, 8.0], [1.8, 135.0, 99.0, 0.9]])
#: Pairs of shapes whose sum is tried.
PAIRS = (
    ((3, 4), (1, 4)), ((3, 4), (3, 1)), ((3, 4), ()), ((3, 1), (1, 4)),
    ((3, 4), (4,)), ((3, 4), (3,)), ((3, 4), (4, 1)),
)  # fmt: skip


def attempt(left: tuple[int, ...], right: tuple[int, ...]) -> str:
    """Return the shape of the sum, or NumPy's error message."""
    try:
        return str((np.ones(left) + np.ones(right)).shape)
    except ValueError as error:
        return str(error).strip()


def percentages_by_loops() -> Any:
    P = np.zeros_like(A)
    for j in range(A.shape[1]):
        total = 0.0
        for i in range(A.shape[0]):
            total += A[i, j]
        for i in range(A.shape[0]):
            P[i, j] = 100 * A[i, j] / total
    return P


def add_bias_by_loops(Z: Any, b: Any) -> Any:
    result = np.empty_like(Z)
    for i in range(Z.shape[0]):
        for j in range(Z.shape[1]):
            result[i, j] = Z[i, j] + b[i, 0]
    return result


def _tables(P: Any) -> tuple[Table, ...]:
    foods = ("", *FOODS)
    sums = {
        "axis=0": ("down each column", A.sum(axis=0)),
        "axis=0, keepdims=True": ("the same, still a row", A.sum(axis=0, keepdims=True)),
        "axis=1": ("along each row", A.sum(axis=1)),
        "axis=1, keepdims=True": ("the same, a column", A.sum(axis=1, keepdims=True)),
    }
    return (
        Table(
            "A: calories in 100 g",
            foods,
            tuple((name, *(number(v, 4) for v in row)) for name, row in zip(SOURCES, A, strict=True)),
        ),
        Table(
            "A.sum(...)",
            ("", "goes", "shape", "sums"),
            tuple((name, words, shape(total), numbers(total, 4)) for name, (words, total) in sums.items()),
        ),
        Table(
            "100 * A / A.sum(axis=0, keepdims=True), the share of each source: (3, 4) over (1, 4)",
            foods,
            tuple((name, *(f"{v:.1f} %" for v in row)) for name, row in zip(SOURCES, P, strict=True)),
        ),
        Table(
            "What fits on what",
            ("left + right", "result"),
            tuple((f"{left} + {right}", attempt(left, right)) for left, right in PAIRS),
        ),
    )


def run() -> Result:
    P = 100 * A / A.sum(axis=0, keepdims=True)
    random = np.random.default_rng(1)
    W, X, b = random.normal(size=(4, 3)), random.normal(size=(3, 2000)), random.normal(size=(4, 1))
    Z = W @ X
    layers = [backends.get(name).dense_forward(W, X, b) for name in backends.NAMES]
    return Result(
        sections=(
            *_tables(P),
            in_turns(
                f"Z + b, {shape(Z)} and {shape(b)}",
                {"two loops": lambda: add_bias_by_loops(Z, b), "broadcasting": lambda: Z + b},
            ),
            on_backends(
                "W X + b in a dense layer of the same size", lambda backend: backend.dense_forward(W, X, b)
            ),
        ),
        checks=(
            same_numbers(
                "The shares by loops and by broadcasting are equal", [percentages_by_loops(), P], 1e-12
            ),
            Check("Each column of the shares adds to 100 %", bool(np.allclose(P.sum(axis=0), 100))),
            same_numbers(
                "Z + b by loops, by broadcasting and inside the dense layer of each backend is the same",
                [add_bias_by_loops(Z, b), Z + b, *layers],
                1e-12,
            ),
            Check(
                "A (3, 4) table and its row sums without keepdims, (3,), don't fit",
                "could not be broadcast" in attempt((3, 4), (3,)),
            ),
        ),
        lessons=(
            "axis=0 goes down the columns, axis=1 along the rows; keepdims=True keeps the result "
            "two-dimensional, so that it fits back on the table it came from.",
            "A square table would be divided by row sums of shape (n,) without complaint, and wrongly: "
            "they count as a row. Hence (n, 1) and (1, n) all through the course, and here.",
        ),
        alternative="A bar for each food, split into the shares of its calories: "
        + "; ".join(
            f"{food} " + ", ".join(f"{P[i, j]:.0f} % {source}" for i, source in enumerate(SOURCES))
            for j, food in enumerate(FOODS)
        )
        + ".",
        values={"percentages": P, "attempts": {pair: attempt(*pair) for pair in PAIRS}},
    )


def plot(result: Result) -> Any:
    from ._pictures import BLUE, GREEN, ON_COLOUR, ORANGE, figure

    drawn, panel = figure(3.2)
    P = result.values["percentages"]
    left = np.zeros(len(FOODS))
    for source, colour, ink, row in zip(
        SOURCES, (ORANGE, BLUE, GREEN), ("black", "white", "black"), P, strict=True
    ):
        panel.barh(FOODS, row, left=left, color=colour, label=source, height=0.65, edgecolor="white")
        for place, (start, width) in enumerate(zip(left, row, strict=True)):
            if width > 9:
                panel.text(
                    start + width / 2, place, f"{width:.0f} %", ha="center", va="center", color=ink,
                    gid=f"{ON_COLOUR}-{source}-{place}",
                )  # fmt: skip
        left = left + row
    panel.invert_yaxis()
    panel.set(xlim=(0, 100), xlabel="% of the calories", title="A divided by its column sums")
    panel.tick_params(axis="y", length=0)
    panel.legend(frameon=False, ncols=3, loc="upper center", bbox_to_anchor=(0.45, -0.2))
    return drawn


EXPERIMENT = Experiment(
    name="broadcasting",
    title="Broadcasting and axes",
    question="How can a (3, 4) table be divided by a (1, 4) row, and a (4, 1) bias be added to (4, m)?",
    part=VECTORS,
    formulas=(
        Formula(r"P_{ij} = 100 \, \frac{A_{ij}}{\sum_{k} A_{kj}}", "Pᵢⱼ = 100 Aᵢⱼ / Σₖ Aₖⱼ"),
        Formula(
            r"(m, n) \circ (1, n) \to (m, n), \quad (m, n) \circ (m, 1) \to (m, n), "
            r"\quad \circ \in \{+, -, *, /\}",
            "(m, n) ∘ (1, n) → (m, n),  (m, n) ∘ (m, 1) → (m, n),  ∘ any of + - * /",
        ),
    ),
    run=run,
    plot=plot,
    slips=(
        "Some students' notes give the b of logistic regression the shape (1, m). It is one number; "
        "broadcasting makes the row.",
    ),
)
