"""Derivatives by nudging x a little, and a check of the kernels' gradients in the same way."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import dlkernels as dk
from dlkernels.catalogue import ACTIVATIONS

from ._experiment import REGRESSION, Check, Experiment, Formula, Result, Table
from ._numbers import number

NUDGE, SEED = 0.001, 1
#: The formula, the function, its derivative, and the x at which it is nudged.
FUNCTIONS: tuple[tuple[str, Callable[[float], float], Callable[[float], float], float], ...] = (
    ("3x", lambda x: 3 * x, lambda x: 3.0, 2),
    ("3x", lambda x: 3 * x, lambda x: 3.0, 5),
    ("x²", lambda x: x * x, lambda x: 2 * x, 2),
    ("x²", lambda x: x * x, lambda x: 2 * x, 5),
    ("x³", lambda x: x**3, lambda x: 3 * x**2, 2),
    ("log x", math.log, lambda x: 1 / x, 2),
    ("σ(x)", lambda x: 1 / (1 + math.exp(-x)), lambda x: math.exp(-x) / (1 + math.exp(-x)) ** 2, 2),
)
#: The relative difference of a right gradient stays below this in float64; a wrong gradient's is near 1.
LIMIT = 1e-6
#: The relative difference in the exercise of "Improving Deep Neural Networks", week 1.
PUBLISHED_DIFFERENCE = 2.9e-10


def _weighted_sum(g: Callable[[Any], Any], weights: Any) -> Callable[[Any], Any]:
    return lambda Z: (weights * g(Z)).sum()


def _cost_with(activation: str, X: Any, Y: Any) -> Callable[[Any], Any]:
    propagate: Any = dk.shallow_propagate
    return lambda parameters: propagate(*parameters, X, Y, activation)[-1]


def kernels(seed: int) -> dict[str, Any]:
    """Check the gradients of the kernels against central differences."""
    random = np.random.default_rng(seed)
    X, Y = random.normal(size=(3, 7)), (random.uniform(size=(1, 7)) > 0.5).astype(float)
    Z, R = random.normal(size=(4, 7)), random.normal(size=(4, 7))
    W1, b1 = random.normal(size=(4, 3)), random.normal(size=(4, 1))
    W2, b2 = random.normal(size=(1, 4)), random.normal(size=(1, 1))
    found = {}
    logistic: Any = dk.logistic_propagate
    shallow: Any = dk.shallow_propagate
    for name in ACTIVATIONS:
        g, back = getattr(dk, name), getattr(dk, f"{name}_backward")
        found[f"{name}_backward"] = dk.check_gradients(_weighted_sum(g, R), Z, back(R, g(Z), Z=Z))
    dW, db = dk.dense_gradients(R, X)
    found["dense_gradients"] = dk.check_gradients(
        lambda p: (R * dk.dense_forward(p[0], X, p[1])).sum() / 7, [W1, b1], [dW, db]
    )
    A1, dZ2 = dk.dense_forward(W1, X, b1, "tanh"), R[:1]
    _, dW, db = dk.dense_backward(W2, dZ2, A1, X, "tanh")
    found["dense_backward"] = dk.check_gradients(
        lambda p: (dZ2 * (W2 @ dk.dense_forward(p[0], X, p[1], "tanh"))).sum() / 7, [W1, b1], [dW, db]
    )
    *gradients, _ = logistic(W1[:1].T, 0.3, X, Y)
    found["logistic_propagate"] = dk.check_gradients(
        lambda p: logistic(*p, X, Y)[-1], [W1[:1].T, 0.3], gradients
    )
    for name in ACTIVATIONS:
        *gradients, _ = shallow(W1, b1, W2, b2, X, Y, name)
        found[f"shallow_propagate, {name}"] = dk.check_gradients(
            _cost_with(name, X, Y), [W1, b1, W2, b2], gradients
        )
    return found


def errors() -> dict[str, tuple[list[float], list[float]]]:
    """Return the errors of the slope of x³ at 2 with smaller and smaller nudges, to one side and to both."""
    nudges = [10.0**-k for k in range(1, 13)]
    one = [abs(((2 + e) ** 3 - 8) / e - 12) for e in nudges]
    both = [abs(((2 + e) ** 3 - (2 - e) ** 3) / (2 * e) - 12) for e in nudges]
    return {"one side": (nudges, one), "both sides": (nudges, both)}


def wrong_sign() -> Any:
    """Check the gradients that a wrong sign, dz = y - a, would give."""
    X, Y = np.array([[1.0, 2.0, -1.0]]), np.array([[1.0, 0.0, 1.0]])
    w = np.array([[0.5]])
    logistic: Any = dk.logistic_propagate
    dw, db, _ = logistic(w, 0.3, X, Y)
    return dk.check_gradients(lambda p: logistic(*p, X, Y)[-1], [w, 0.3], [-dw, -db])


def _slopes() -> tuple[Table, float]:
    """Return a table of the functions at x and x + NUDGE, and the error of the worst slope."""
    rows, off = [], []
    for formula, f, derivative, x in FUNCTIONS:
        nudged = (f(x + NUDGE) - f(x)) / NUDGE
        off.append(abs(nudged - derivative(x)))
        values = (f(x), f(x + NUDGE), nudged, derivative(x))
        rows.append((formula, number(x), *(number(value, 7) for value in values)))
    header = ("f", "x", "f(x)", f"f(x + {NUDGE:g})", "slope by nudging", "derivative")
    return Table(f"f at x and at x + {NUDGE:g}", header, tuple(rows)), max(off)


def _checks(found: Mapping[str, Any]) -> tuple[Check, ...]:
    checked, (one, both) = found["checked"], (error[2] for _, error in found["errors"].values())
    worst = max(checked, key=lambda name: checked[name].relative_difference)
    linear, reverse = found["linear"].relative_difference, found["reverse"].relative_difference
    return (
        Check(
            "Slopes by nudging are the derivatives to two decimal places",
            found["off"] < 10 * NUDGE,
            f"they differ by at most {number(found['off'], 2)}",
        ),
        Check(
            "Nudging by 0.001 both ways is closer than one way", both < one, f"{both:.1e} against {one:.1e}"
        ),
        Check(
            f"The gradients of all {len(checked)} are right",
            checked[worst].relative_difference < LIMIT,
            f"the largest relative difference is {checked[worst].relative_difference:.1e}, of {worst}",
        ),
        Check(
            f"J = θx at x = 2, θ = 4 gives the difference of the course's exercise, "
            f"{PUBLISHED_DIFFERENCE:.1e}",
            abs(linear - PUBLISHED_DIFFERENCE) < 0.06e-10,
            f"{linear:.3e}",
        ),
        Check(
            "The wrong sign, dz = y - a, is caught",
            reverse > 0.5,
            f"relative difference {number(reverse, 3)}",
        ),
    )


def run(seed: int = SEED) -> Result:
    slopes, off = _slopes()
    found = {
        "off": off,
        "errors": errors(),
        "checked": kernels(seed),
        "linear": dk.check_gradients(lambda theta: 2 * theta, 4.0, 2.0),
        "reverse": wrong_sign(),
    }
    (nudges, one), (_, both) = found["errors"].values()
    return Result(
        sections=(
            slopes,
            Table(
                "The slope of x³ at 2, which is 12: how far off, by the size of the nudge",
                ("nudge", *found["errors"]),
                tuple(tuple(f"{v:.1e}" for v in row) for row in zip(nudges, one, both, strict=True)),
            ),
            Table(
                "check_gradients: every kernel with a derivative against differences",
                ("kernel", "derivatives", "relative difference"),
                tuple(
                    (name, str(each.count), f"{each.relative_difference:.1e}")
                    for name, each in found["checked"].items()
                ),
            ),
        ),
        checks=_checks(found),
        lessons=(
            "A smaller nudge helps only for a while: below some size the rounding of f(x), divided by the "
            "nudge, is more than what is gained. check_gradients nudges by 1e-7 to both sides.",
            "Your own gradients: `dk.check_gradients(f, parameters, gradients)` says whether they are right, "
            "and which one is furthest off.",
        ),
        alternative=(
            "Two curves on logarithmic axes: the error of the slope of x³ at 2 against the size of the "
            "nudge. From one side it falls in proportion to the nudge, from both sides with its square, "
            "until rounding makes both rise again."
        ),
        values=found,
    )


def plot(result: Result) -> Any:
    from ._pictures import BLUE, ORANGE, figure, lines

    drawn, panel = figure(3.6)
    styles = {"one side": (ORANGE, "o"), "both sides": (BLUE, "s")}
    for side, (nudges, error) in result.values["errors"].items():
        colour, marker = styles[side]
        panel.plot(
            nudges,
            np.maximum(error, 1e-16),
            color=colour,
            marker=marker,
            label=f"nudged to {side}",
        )
    panel.set(
        xscale="log",
        yscale="log",
        xlabel="size of the nudge",
        ylabel="error of the slope",
        title="The slope of x³ at 2, by nudging",
    )
    panel.invert_xaxis()
    lines(panel)
    panel.legend(frameon=False)
    return drawn


EXPERIMENT = Experiment(
    name="nudging",
    title="A derivative by nudging",
    question="How much does f change when x changes by 0.001, and are the gradients of the kernels right?",
    part=REGRESSION,
    formulas=(
        Formula(
            r"\frac{df}{dx} \approx \frac{f(x + 0.001) - f(x)}{0.001}",
            "df/dx ≈ (f(x + 0.001) - f(x)) / 0.001",
        ),
        Formula(
            r"\frac{df}{dx} \approx \frac{f(x + \varepsilon) - f(x - \varepsilon)}{2 \varepsilon}",
            "df/dx ≈ (f(x + ε) - f(x - ε)) / 2ε",
        ),
        Formula(
            r"\frac{\lVert d\theta_{\text{approx}} - d\theta \rVert}"
            r"{\lVert d\theta_{\text{approx}} \rVert + \lVert d\theta \rVert}",
            "relative difference: ‖dθ_approx - dθ‖ / (‖dθ_approx‖ + ‖dθ‖)",
        ),
    ),
    run=run,
    plot=plot,
    slips=(
        "The course's exercise checks J = θx, whose slope is the same everywhere: a gradient that forgets "
        "to depend on θ passes there. Check on a function that bends, too.",
    ),
)
