"""Squared error against cross-entropy, which the course takes because its surface over (w, b) is one bowl."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import dlkernels as dk
from dlkernels import data

from .._convergence import warn_if_diverged
from ._experiment import REGRESSION, Check, Experiment, Formula, Result, Table
from ._numbers import number, percent
from ._timing import on_backends

#: The surfaces are drawn over weights and biases from -LIMIT to LIMIT, at POINTS values of each. SEGMENTS
#: random segments in this square test whether J is convex.
LIMIT, POINTS, SEGMENTS = 10.0, 41, 2000
#: Descent begins at the (w, b) of BAD_START, a model that is sure of its wrong predictions.
BAD_START, RATE, STEPS = (8.0, 0.0), 1.0, 200


def examples() -> tuple[Any, Any]:
    """Return one feature of real examples, the mean radius of tumours, and the labels, 1 for benign."""
    cancer = data.breast_cancer()
    return cancer.X_train[:1], cancer.Y_train


def cross_entropy(w: float, b: float, X: Any, Y: Any) -> float:
    return dk.binary_cross_entropy_with_logits(w * X + b, Y)


def squared(w: float, b: float, X: Any, Y: Any) -> float:
    return dk.squared_error(dk.sigmoid(w * X + b), Y)


COSTS = {"squared error": squared, "cross-entropy": cross_entropy}


def slope(cost: str, Z: Any, Y: Any) -> Any:
    """Return dz of each example."""
    A = dk.sigmoid(Z)
    return A - Y if cost == "cross-entropy" else 2 * (A - Y) * A * (1 - A)


def least_curvature(cost: str, w: float, b: float, X: Any, Y: Any) -> float:
    """Return the smaller eigenvalue of J's Hessian over (w, b): below 0 the surface bends downwards."""
    A = dk.sigmoid(w * X + b)
    bend = A * (1 - A)
    if cost == "squared error":
        bend = 2 * bend * (bend + (A - Y) * (1 - 2 * A))
    features = np.vstack([X, np.ones_like(X)])
    return float(np.linalg.eigvalsh(features * bend @ features.T / X.shape[1])[0])


def above_its_chord(cost: str, X: Any, Y: Any) -> int:
    """Count random segments with J in the middle above the mean of J at the ends. A convex J has none."""
    ends = np.random.default_rng(1).uniform(-LIMIT, LIMIT, (SEGMENTS, 2, 2))
    J: Any = COSTS[cost]
    found = 0
    for p, q in ends:
        middle = J(*(p + q) / 2, X, Y)
        found += middle > (J(*p, X, Y) + J(*q, X, Y)) / 2 + 1e-12
    return found


def descend(cost: str, X: Any, Y: Any, alpha: float, steps: int) -> tuple[float, float]:
    w, b = BAD_START
    for _ in range(steps):
        dZ = slope(cost, w * X + b, Y)
        w, b = w - alpha * float((X * dZ).mean()), b - alpha * float(dZ.mean())
    J: Any = COSTS[cost]
    seen = [(0, J(*BAD_START, X, Y)), (steps, J(w, b, X, Y))]
    warn_if_diverged("descend", seen, {"w": w, "b": b}, alpha)
    return w, b


def _measured(alpha: float, iterations: int) -> dict[str, Any]:
    X, Y = examples()
    grid = np.linspace(-LIMIT, LIMIT, POINTS)
    ends = {name: descend(name, X, Y, alpha, iterations) for name in COSTS}
    return {
        "descent": (alpha, iterations),
        "examples": (X, Y),
        "grid": grid,
        "surfaces": {
            name: np.array([[J(w, b, X, Y) for w in grid] for b in grid]) for name, J in COSTS.items()
        },
        "curvature": {
            name: min(least_curvature(name, w, b, X, Y) for w in grid for b in grid) for name in COSTS
        },
        "bent": {name: above_its_chord(name, X, Y) for name in COSTS},
        "slopes": {
            name: [float(slope(name, np.array([[z]]), np.array([[1.0]]))[0, 0]) for z in (0, -5, -10)]
            for name in COSTS
        },
        "ends": ends,
        "error": {name: cross_entropy(*ends[name], X, Y) for name in COSTS},
        "accuracy": {name: float(np.mean((w * X + b > 0) == Y)) for name, (w, b) in ends.items()},
    }


def _tables(found: Mapping[str, Any]) -> tuple[Table, ...]:
    curvature, bent, ends = found["curvature"], found["bent"], found["ends"]
    alpha, iterations = found["descent"]
    return (
        Table(
            f"The surfaces of J for {found['examples'][0].shape[1]} examples of one feature, "
            f"w and b from {-LIMIT:g} to {LIMIT:g}",
            (
                "",
                "least curvature (below 0: J bends downwards)",
                f"of {SEGMENTS:,} random pairs of points: how often J in the middle is higher than the mean "
                "of the two ends",
                "convex",
            ),
            tuple(
                (name, number(curvature[name], 3), f"{bent[name]:,}", "no" if bent[name] else "yes")
                for name in COSTS
            ),
        ),
        Table(
            "dz of an example with y = 1 that the unit gets wrong",
            ("", "z = 0", "z = -5", "z = -10"),
            tuple((name, *(number(value, 3) for value in found["slopes"][name])) for name in COSTS),
        ),
        Table(
            f"{iterations:,} steps of α = {alpha:g} from w = {BAD_START[0]:g}, b = {BAD_START[1]:g}, "
            "which is sure and wrong",
            ("descent on", "w", "b", "cross-entropy there", "accuracy"),
            tuple(
                (
                    name,
                    *(number(value, 4) for value in (*ends[name], found["error"][name])),
                    percent(found["accuracy"][name]),
                )
                for name in COSTS
            ),
        ),
    )


def _checks(found: Mapping[str, Any]) -> tuple[Check, ...]:
    curvature, bent, error = found["curvature"], found["bent"], found["error"]
    claims = {
        "Cross-entropy is convex, it bends downwards nowhere": "cross-entropy",
        "Squared error is not": "squared error",
    }
    convexity = tuple(
        Check(
            claim,
            (curvature[name] > -1e-12 and bent[name] == 0) == (name == "cross-entropy"),
            f"least curvature {number(curvature[name], 3)}, J in the middle higher for {bent[name]:,} of "
            f"{SEGMENTS:,} pairs",
        )
        for claim, name in claims.items()
    )
    return (
        *convexity,
        Check(
            "From the bad start, descent on cross-entropy gets further",
            error["cross-entropy"] < error["squared error"],
            f"{number(error['cross-entropy'], 4)} against {number(error['squared error'], 4)}",
        ),
    )


def run(alpha: float = RATE, iterations: int = STEPS) -> Result:
    found = _measured(alpha, iterations)
    Z, labels = np.random.default_rng(2).normal(size=(1, 100_000)), np.ones((1, 100_000))
    return Result(
        sections=(
            *_tables(found),
            on_backends(
                "Cross-entropy of 100,000 examples",
                lambda backend: backend.binary_cross_entropy_with_logits(Z, labels),
            ),
            on_backends(
                "Squared error of 100,000 examples", lambda backend: backend.squared_error(Z, labels)
            ),
        ),
        checks=_checks(found),
        lessons=(
            "Where the unit is sure and wrong, cross-entropy has the steepest slope, dz near ±1. Squared "
            "error multiplies by a (1 - a), which is nearly 0 there: a plateau, on which gradient descent "
            "hardly moves.",
        ),
        alternative=(
            "Two surfaces of J over w and b. Squared error, left, has a high and a low plateau and a steep "
            "slope between; cross-entropy, right, is a single bowl. Below, J along the line b = 0: squared "
            "error levels off where w is large, cross-entropy keeps rising."
        ),
        values=found,
    )


def plot(result: Result) -> Any:
    from matplotlib.figure import Figure

    from ._pictures import BLUE, GREY, ORANGE, lines

    drawn = Figure(figsize=(5.2, 5.6), layout="constrained")
    cells = drawn.add_gridspec(2, 2, height_ratios=(3, 2))
    grid = result.values["grid"]
    w, b = np.meshgrid(grid, grid)
    colours = {"squared error": ORANGE, "cross-entropy": BLUE}
    for column, (name, surface) in enumerate(result.values["surfaces"].items()):
        above: Any = drawn.add_subplot(cells[0, column], projection="3d")
        above.plot_surface(
            w, b, surface, cmap="viridis", linewidth=0, rcount=POINTS, ccount=POINTS, antialiased=False,
            rasterized=True,
        )  # fmt: skip
        above.set_title(name, fontsize=11)
        above.set_xlabel("w", labelpad=-6)
        above.set_ylabel("b", labelpad=-6)
        above.tick_params(labelsize=8, pad=-2)
        above.view_init(elev=30, azim=150)
        above.set_box_aspect((1, 1, 0.85), zoom=1.12)
        above.set(xticks=(-10, 0, 10), yticks=(-10, 0, 10))
        below = drawn.add_subplot(cells[1, column])
        below.plot(grid, surface[np.argmin(np.abs(grid))], color=colours[name], linewidth=2)
        below.set(xlabel="w, at b = 0", ylabel="J" if column == 0 else None)
        below.set_ylim(bottom=0)
        below.spines[["top", "right"]].set_visible(False)
        below.tick_params(labelsize=9, labelcolor=GREY)
        lines(below)
    return drawn


EXPERIMENT = Experiment(
    name="costs",
    title="Squared error against cross-entropy",
    question="Why does logistic regression not take the squared error (a - y)² as its loss?",
    part=REGRESSION,
    formulas=(
        Formula(
            r"J_{\text{squared}} = \frac{1}{m} \sum_{i=1}^{m} (a^{(i)} - y^{(i)})^2",
            "squared error: J = 1/m Σᵢ (a⁽ⁱ⁾ - y⁽ⁱ⁾)²",
        ),
        Formula(
            r"J_{\text{entropy}} = -\frac{1}{m} \sum_{i=1}^{m} \left( y^{(i)} \log a^{(i)} "
            r"+ (1 - y^{(i)}) \log(1 - a^{(i)}) \right)",
            "cross-entropy: J = -1/m Σᵢ (y⁽ⁱ⁾ log a⁽ⁱ⁾ + (1 - y⁽ⁱ⁾) log(1 - a⁽ⁱ⁾))",
        ),
        Formula(
            r"J\left(\frac{p + q}{2}\right) \le \frac{J(p) + J(q)}{2}",
            "convex: J((p + q)/2) ≤ (J(p) + J(q))/2 for any two points p and q",
        ),
    ),
    run=run,
    plot=plot,
    slips=(
        "Some students' notes set J equal to a squared difference and to cross-entropy in one line. They are "
        "two costs; logistic regression takes the second.",
    ),
)
