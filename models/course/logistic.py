"""Logistic regression on three examples, every step of the way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlkernels import backends, data

from .. import LogisticRegression
from ._experiment import REGRESSION, Check, Experiment, Formula, Result, Table
from ._numbers import as_published, number, numbers, same_numbers
from ._timing import on_backends

#: The example of the course's exercise, and the results that it publishes.
W, B = np.array([[1.0], [2.0]]), 2.0
X, Y = np.array([[1.0, 2.0, -1.0], [3.0, 4.0, -3.2]]), np.array([[1.0, 0.0, 1.0]])
PUBLISHED_DW, PUBLISHED_DB, PUBLISHED_J = (0.99845601, 2.39507239), 0.00145557813678, 5.801545319394553
RATE, STEPS = 0.009, 100
PUBLISHED_W, PUBLISHED_B = (0.19033591, 0.12259159), 1.9253598300845747


def by_hand() -> tuple[list[tuple[float, ...]], tuple[float, float, float, float]]:
    """Return x1, x2, y, z, a, L and dz of each example, and dw1, dw2, db and J."""
    rows: list[tuple[float, ...]] = []
    J = dw1 = dw2 = db = 0.0
    m = int(X.shape[1])
    for i in range(m):
        x1, x2, y = float(X[0, i]), float(X[1, i]), float(Y[0, i])
        z = float(W[0, 0]) * x1 + float(W[1, 0]) * x2 + B
        a = 1 / (1 + math.exp(-z))
        loss = -(y * math.log(a) + (1 - y) * math.log(1 - a))
        dz = a - y
        J += loss
        dw1 += x1 * dz
        dw2 += x2 * dz
        db += dz
        rows.append((x1, x2, y, z, a, loss, dz))
    return rows, (dw1 / m, dw2 / m, db / m, J / m)


def descend(alpha: float, steps: int, sign: float = 1.0) -> tuple[Any, float, list[float]]:
    """Repeat w := w - α dw, b := b - α db; return w, b, and J before each step. A sign of -1 goes uphill."""
    w, b, costs = W.copy(), B, []
    for _ in range(steps):
        dw, db, J = backends.get("numpy").logistic_propagate(w, b, X, Y)
        costs.append(J)
        w = w - alpha * sign * dw
        b = b - alpha * sign * db
    return w, b, costs


def _gradients(found: Mapping[str, Any]) -> Table:
    dw1, dw2, db, J = found["gradients"]
    results = [("loops by hand", numbers([dw1, dw2]), number(db), number(J, 8))]
    results += [(name, numbers(g[0]), number(g[1]), number(g[2], 8)) for name, g in found["found"].items()]
    results.append(
        ("the course's exercise", numbers(PUBLISHED_DW), number(PUBLISHED_DB), number(PUBLISHED_J, 8))
    )
    return Table("Their means: the gradients and J", ("", "dw1, dw2", "db", "J"), tuple(results))


def _descended(found: Mapping[str, Any]) -> Table:
    w, b = found["descended"]
    fitted = found["fitted"]
    return Table(
        f"After {len(found['costs']):,} steps of gradient descent, learning rate {found['alpha']:g}",
        ("", "w1, w2", "b"),
        (
            ("w := w - α dw", numbers(w), number(b, 8)),
            ("LogisticRegression", numbers(fitted["w"]), number(fitted["b"], 8)),
            (f"the exercise ({STEPS} steps of {RATE:g})", numbers(PUBLISHED_W), number(PUBLISHED_B, 8)),
        ),
    )


def _checks(found: Mapping[str, Any]) -> tuple[Check, ...]:
    dw1, dw2, db, J = found["gradients"]
    fitted, uphill = found["fitted"], found["uphill"]
    return (
        as_published("dw is that of the course's exercise", np.array([dw1, dw2]), PUBLISHED_DW, 8),
        as_published("db is that of the course's exercise", db, PUBLISHED_DB, 10),
        as_published("J is that of the course's exercise", J, PUBLISHED_J, 10),
        same_numbers(
            "Every backend gives them", [(np.array([[dw1], [dw2]]), db, J), *found["found"].values()], 1e-12
        ),
        as_published(f"w after {STEPS} steps is that of the course's exercise", fitted["w"], PUBLISHED_W, 8),
        as_published(f"b after {STEPS} steps is that of the course's exercise", fitted["b"], PUBLISHED_B, 8),
        same_numbers(
            "models.LogisticRegression arrives where the loop does",
            [found["descended"], (fitted["w"], fitted["b"])],
            1e-12,
        ),
        Check(
            "With dz = y - a, the wrong way round, J rises",
            uphill[1] > uphill[0],
            f"from {number(uphill[0])} to {number(uphill[1])} in one step",
        ),
    )


def run(alpha: float = RATE, iterations: int = STEPS) -> Result:
    rows, gradients = by_hand()
    w, b, costs = descend(alpha, iterations)
    model = LogisticRegression(learning_rate=alpha, num_iterations=iterations).fit(
        X, Y, parameters={"w": W, "b": B}
    )
    found = {
        "alpha": alpha,
        "rows": rows,
        "gradients": gradients,
        "found": {name: backends.get(name).logistic_propagate(W, B, X, Y) for name in backends.NAMES},
        "descended": (w, b),
        "costs": costs,
        "fitted": model.parameters_,
        "uphill": descend(alpha, 2, sign=-1.0)[2],
    }
    cancer = data.breast_cancer()
    start = np.zeros((cancer.X_train.shape[0], 1))
    return Result(
        sections=(
            Table(
                f"Three examples with w = ({numbers(W)}) and b = {number(B)}",
                ("", "x1", "x2", "y", "z", "a", "L", "dz = a - y"),
                tuple((f"example {i + 1}", *(number(v) for v in row)) for i, row in enumerate(rows)),
            ),
            _gradients(found),
            _descended(found),
            on_backends(
                f"dw, db and J of {cancer.X_train.shape[1]} examples of {cancer.X_train.shape[0]} features",
                lambda backend: backend.logistic_propagate(start, 0.0, cancer.X_train, cancer.Y_train),
            ),
        ),
        checks=_checks(found),
        lessons=(
            "dz = a - y is all that the chain rule leaves of the loss and the sigmoid; dw is x times dz and "
            "db is dz, and over m examples both are means, as J is.",
        ),
        alternative=(
            f"Above: the sigmoid curve with the three examples on it; arrows show dz, from the label to a. "
            f"Below: J goes from {number(costs[0], 3)} to {number(costs[-1], 3)} in {iterations:,} steps."
        ),
        values=found,
    )


def plot(result: Result) -> Any:
    from ._pictures import BLUE, CLASSES, figure, lines

    drawn, (above, below) = figure(5.6, rows=2)
    z = np.linspace(-8, 14, 300)
    above.plot(z, backends.get("numpy").sigmoid(z), color=BLUE, linewidth=1.8)
    for i, (_, _, y, at, a, _, _) in enumerate(result.values["rows"]):
        above.annotate(
            "", (at, a), (at, y), arrowprops={"arrowstyle": "->", "color": CLASSES[0], "linewidth": 1.4}
        )
        above.plot(at, y, "s", color=CLASSES[0], markersize=7)
        above.plot(at, a, "o", color="black", markersize=6)
        above.annotate(
            f"example {i + 1}", (at, 0.5), xytext=(-6, 0), textcoords="offset points", rotation=90,
            ha="right", va="center", fontsize=9,
        )  # fmt: skip
    above.plot([], [], "s", color=CLASSES[0], label="label y")
    above.plot([], [], "o", color="black", label="a = σ(z)")
    above.legend(frameon=False, loc="center", bbox_to_anchor=(0.56, 0.3), fontsize=9)
    above.set(xlabel="z = wᵀx + b", ylabel="a", title="What the unit says of each example")
    costs = result.values["costs"]
    below.plot(range(len(costs)), costs, color=BLUE, linewidth=1.8)
    below.set(xlabel="step", ylabel="J", title=f"The cost while it learns, α = {result.values['alpha']:g}")
    for panel in (above, below):
        lines(panel)
    return drawn


EXPERIMENT = Experiment(
    name="logistic",
    title="Logistic regression by hand",
    question="Which way do w and b have to move so that three examples are told apart better?",
    part=REGRESSION,
    formulas=(
        Formula(
            r"z = w^{T} x + b, \quad a = \sigma(z) = \frac{1}{1 + e^{-z}}",
            "z = wᵀx + b,  a = σ(z) = 1 / (1 + e⁻ᶻ)",
        ),
        Formula(r"L(a, y) = -(y \log a + (1 - y) \log(1 - a))", "L(a, y) = -(y log a + (1 - y) log(1 - a))"),
        Formula(
            r"\text{of one example: } dz = a - y, \quad dw = x \, dz, \quad db = dz",
            "of one example: dz = a - y,  dw = x dz,  db = dz",
        ),
        Formula(
            r"\text{over } m \text{ examples: } dw = \frac{1}{m} \sum_{i=1}^{m} x^{(i)} dz^{(i)}, "
            r"\quad db = \frac{1}{m} \sum_{i=1}^{m} dz^{(i)}",
            "over m examples: dw = 1/m Σᵢ x⁽ⁱ⁾ dz⁽ⁱ⁾,  db = 1/m Σᵢ dz⁽ⁱ⁾",
        ),
        Formula(
            r"J(w, b) = \frac{1}{m} \sum_{i=1}^{m} L(a^{(i)}, y^{(i)})", "J(w, b) = 1/m Σᵢ L(a⁽ⁱ⁾, y⁽ⁱ⁾)"
        ),
        Formula(
            r"w \coloneqq w - \alpha \, dw, \quad b \coloneqq b - \alpha \, db",
            "w := w - α dw,  b := b - α db",
        ),
    ),
    run=run,
    plot=plot,
    slips=(
        "Some students' notes end the derivation with dz = y - a. It is a - y: the other sign climbs.",
        "Some students' notes give w the shape (n_x, m). It is (n_x, 1): one weight for each feature.",
    ),
)
