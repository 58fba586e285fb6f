"""np.exp(v), np.log(v) and the like on a whole vector, against a Python loop and a compiled loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from dlkernels import vectorized as compiled
from dlkernels.reporting import duration

from .._report import factor
from ._experiment import VECTORS, Check, Experiment, Formula, Result, Table, Timings
from ._numbers import difference
from ._timing import in_turns, is_close, is_faster

N = 100_000
WAYS = ("python", "numpy", "numba")


class _Function(NamedTuple):
    """One function, written in three ways."""

    python: Callable[[float], float]
    numpy: Callable[[Any], Any]
    compiled: Callable[[Any], Any]


FUNCTIONS = {
    "np.exp(v)": _Function(math.exp, np.exp, compiled.exp),
    "np.log(v)": _Function(math.log, np.log, compiled.log),
    "np.abs(v)": _Function(abs, np.abs, compiled.absolute),
    "np.maximum(v, 0)": _Function(lambda x: max(x, 0.0), lambda v: np.maximum(v, 0), compiled.positive_part),
    "v**2": _Function(lambda x: x**2, lambda v: v**2, compiled.square),
    "1/v": _Function(lambda x: 1 / x, lambda v: 1 / v, compiled.reciprocal),
}


def with_loop(function: Callable[[float], float], v: Any) -> Any:
    """Fill a vector u of zeros number by number, as the notes begin."""
    u = np.zeros(len(v))
    for i in range(len(v)):
        u[i] = function(v[i])
    return u


def compared(name: str, v: Any) -> tuple[Timings, float]:
    """Return the times of the three ways, and the largest relative difference between their results."""
    function = FUNCTIONS[name]
    ways: dict[str, Callable[[], Any]] = {
        "python": lambda: with_loop(function.python, v),
        "numpy": lambda: function.numpy(v),
        "numba": lambda: function.compiled(v),
    }
    results = np.stack([way() for way in ways.values()])
    size = np.maximum(np.abs(results).max(axis=0), np.finfo(float).tiny)
    return in_turns(name, ways), float(np.max(np.ptp(results, axis=0) / size))


def against_numpy(timings: Mapping[str, Timings]) -> str:
    """Say for which functions a compiled loop took less time than NumPy's, and for which it took more."""
    less = [name for name, each in timings.items() if is_faster(each, "numba", "numpy")]
    more = [name for name, each in timings.items() if is_faster(each, "numpy", "numba")]
    close = [name for name, each in timings.items() if is_close(each, "numba", "numpy")]
    found = {
        "took less time for": less,
        "took more time for": more,
        "is too close to call for": close,
        "may have taken less or more time, because other programs disturbed the timing, for": [
            name for name in timings if name not in (*less, *more, *close)
        ],
    }
    parts = (f"{words} {', '.join(names)}" for words, names in found.items() if names)
    return f"Here a compiled loop of our own, against NumPy's, {'; '.join(parts)}."


def run() -> Result:
    v = np.random.default_rng(1).normal(size=N) * 3
    positive = np.abs(v) + 0.01  # every number has a logarithm and an inverse
    found = {name: compared(name, positive if name in ("np.log(v)", "1/v") else v) for name in FUNCTIONS}
    timings = {name: each for name, (each, _) in found.items()}
    seconds = {name: each.seconds for name, each in timings.items()}
    worst = max(found, key=lambda name: found[name][1])
    rows = tuple(
        (
            name,
            *(duration(each.seconds[way]) for way in WAYS),
            *(factor(each.speed_up(way)) for way in WAYS[1:]),
            difference(off),
        )
        for name, (each, off) in found.items()
    )
    return Result(
        sections=(
            Table(
                f"A vector of {N:,} numbers: a loop of Python, NumPy's function, and a compiled loop",
                ("", *WAYS, "numpy over python", "numba over python", "largest relative difference"),
                rows,
            ),
        ),
        checks=(
            Check(
                "The three ways agree to rounding",
                found[worst][1] < 1e-14,
                f"largest relative difference {difference(found[worst][1])}, of {worst}",
            ),
        ),
        lessons=(
            "Before you write a loop, look for NumPy's function: it is a loop, too, but a compiled one.",
            against_numpy(timings),
        ),
        alternative=(
            f"Bars on a logarithmic scale: the times of {', '.join(FUNCTIONS)} for {N:,} numbers, with a "
            "loop of Python, with NumPy and with a compiled loop. The loop of Python takes from "
            f"{factor(min(each['python'] / each['numpy'] for each in seconds.values()))} to "
            f"{factor(max(each['python'] / each['numpy'] for each in seconds.values()))} the time of NumPy."
        ),
        values={
            "seconds": seconds,
            "differences": {name: off for name, (_, off) in found.items()},
        },
    )


def plot(result: Result) -> Any:
    from ._pictures import LIBRARIES, figure, lines, time_axis

    drawn, panel = figure(4.6)
    seconds = result.values["seconds"]
    for i, way in enumerate(WAYS):
        panel.barh(
            [row + (i - 1) * 0.26 for row in range(len(seconds))], [each[way] for each in seconds.values()],
            height=0.26, color=LIBRARIES[way], label=way,
        )  # fmt: skip
    panel.set_yticks(range(len(seconds)), list(seconds))
    panel.invert_yaxis()
    panel.set_xscale("log")
    panel.set_xlim(
        left=10.0 ** np.floor(np.log10(min(min(each.values()) for each in seconds.values())) - 0.1)
    )
    panel.set(xlabel="time, logarithmic scale", title=f"A function of {N:,} numbers")
    time_axis(panel.xaxis)
    lines(panel)
    panel.tick_params(axis="y", length=0)
    panel.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.4, -0.14), ncols=3)
    return drawn


EXPERIMENT = Experiment(
    name="elementwise",
    title="Functions of a whole vector",
    question="Why write u = np.exp(v) and no loop over the numbers of v?",
    part=VECTORS,
    formulas=(
        Formula(r"u_i = e^{v_i}, \quad \log v_i, \quad |v_i|", "uᵢ = e^vᵢ,  log vᵢ,  |vᵢ|"),
        Formula(r"u_i = \max(v_i, 0), \quad v_i^2, \quad \frac{1}{v_i}", "uᵢ = max(vᵢ, 0),  vᵢ²,  1/vᵢ"),
    ),
    run=run,
    plot=plot,
)
