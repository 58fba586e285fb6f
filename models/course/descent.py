"""Gradient descent over m examples with two loops, one, none, and compiled: same numbers, different times."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import dlkernels as dk
from dlkernels import data
from dlkernels.cli import CommandError
from dlkernels.reporting import duration

from .._convergence import warn_if_diverged
from .._report import factor
from . import _stages
from ._experiment import VECTORS, Experiment, Formula, Listing, Result, Table
from ._numbers import apart, difference, number, percent, same_numbers
from ._timing import in_turns, verdict

RATE, STEPS = 0.1, 10
WAYS: dict[str, Callable[..., Any]] = {
    "two loops": _stages.two_loops,
    "one loop": _stages.one_loop,
    "no loop (NumPy)": _stages.no_loop,
    "compiled (Numba)": dk.logistic_propagate,
}


def descend(
    propagate: Callable[..., Any], X: Any, Y: Any, alpha: float, iterations: int
) -> tuple[Any, float, list[float]]:
    """Take steps from zero; return w, b, and J before each step."""
    w, b, costs = np.zeros((X.shape[0], 1)), 0.0, []
    for step in range(iterations):
        try:
            dw, db, J = propagate(w, b, X, Y)
        except (ValueError, OverflowError) as error:  # the notes' log(1 - a) where a is 1, or e⁻ᶻ
            raise CommandError(
                f"after {step} of {iterations} steps of α = {alpha:g} the loops of the notes can't compute J "
                f"({error}): take a smaller --alpha, or fewer --iterations"
            ) from None
        costs.append(J)
        w, b = w - alpha * dw, b - alpha * db
    warn_if_diverged("descend", list(enumerate(costs)), {"w": w, "b": b}, alpha)
    return w, b, costs


def run(alpha: float = RATE, iterations: int = STEPS) -> Result:
    cancer = data.breast_cancer()
    X, Y = cancer.X_train, cancer.Y_train
    ends = {name: descend(way, X, Y, alpha, iterations) for name, way in WAYS.items()}
    first = next(iter(ends.values()))
    start = np.zeros((X.shape[0], 1))
    accuracy = {
        name: float(np.mean((end[0].T @ cancer.X_test + end[1] > 0) == cancer.Y_test))
        for name, end in ends.items()
    }
    timings = in_turns(
        f"One pass over {X.shape[1]} examples of {X.shape[0]} features",
        {name: partial(way, start, 0.0, X, Y) for name, way in WAYS.items()},
    )
    return Result(
        sections=(
            *(Listing(name, inspect.getsource(way).rstrip()) for name, way in list(WAYS.items())[:3]),
            Table(
                f"After {iterations:,} steps of α = {alpha:g} on breast cancer, {X.shape[1]} examples",
                ("", "last J", "w1", "b", "differs from two loops by", "accuracy, held out"),
                tuple(
                    (
                        name,
                        *(number(value, 8) for value in (end[2][-1], end[0][0, 0], end[1])),
                        difference(apart([end[:2], first[:2]])),
                        percent(accuracy[name]),
                    )
                    for name, end in ends.items()
                ),
            ),
            timings,
        ),
        checks=(
            same_numbers("All four arrive at the same w and b", [end[:2] for end in ends.values()], 1e-12),
            same_numbers("J is the same at every step", [np.array(end[2]) for end in ends.values()], 1e-12),
        ),
        lessons=(
            "Nothing but the way of writing has changed: the loop over features became a vector, the loop "
            "over examples a matrix. Compiled, the loops may stay.",
            f"Here {verdict(timings)}. Two loops take "
            f"{factor(timings.speed_up(timings.fastest)).rstrip('x')} times as long as {timings.fastest}.",
        ),
        alternative=(
            "Bars on a logarithmic scale, the time of one pass: "
            + ", ".join(f"{name} {duration(value)}" for name, value in timings.seconds.items())
            + "."
        ),
        values={"ends": ends, "timings": timings, "accuracy": accuracy},
    )


def plot(result: Result) -> Any:
    from ._pictures import LIBRARIES, bars, figure

    drawn, panel = figure(2.6)
    names = list(WAYS)
    backend_of = ("python", "python", "numpy", "numba")
    colours = {name: LIBRARIES[backend] for name, backend in zip(names, backend_of, strict=True)}
    timings = result.values["timings"]
    bars(panel, timings.seconds, colours)
    panel.set_title(timings.title)
    return drawn


EXPERIMENT = Experiment(
    name="descent",
    title="Three stages of gradient descent",
    question="What becomes of two for-loops over examples and features once they are vectorised?",
    part=VECTORS,
    formulas=(
        Formula(r"Z = w^{T} X + b, \quad A = \sigma(Z)", "Z = wᵀX + b,  A = σ(Z)"),
        Formula(r"dZ = A - Y", "dZ = A - Y"),
        Formula(
            r"dw = \frac{1}{m} X \, dZ^{T}, \quad db = \frac{1}{m} \sum_{i=1}^{m} dz^{(i)}",
            "dw = 1/m X dZᵀ,  db = 1/m Σᵢ dz⁽ⁱ⁾",
        ),
        Formula(
            r"w \coloneqq w - \alpha \, dw, \quad b \coloneqq b - \alpha \, db",
            "w := w - α dw,  b := b - α db",
        ),
    ),
    run=run,
    plot=plot,
    slips=(
        "Some students' notes count `for i in range(1, m)`, which leaves out the first example: in Python it "
        "is range(m).",
    ),
)
