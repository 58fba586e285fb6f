"""np.exp(v), np.log(v) and the like on a whole vector, against a loop, against a compiled loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dlkernels._kernels import elementwise as compiled
from models._report import duration, factor
from models.course._experiment import VECTORS, Check, Experiment, Formula, Result, Table
from models.course._timing import in_turns

N = 100_000


class _Function(NamedTuple):
    """One function three ways; `kernel` writes into its second argument."""

    python: Callable[[float], float]
    numpy: Callable[[Any], Any]
    kernel: Any


FUNCTIONS = {
    "np.exp(v)": _Function(math.exp, np.exp, compiled.exp),
    "np.log(v)": _Function(math.log, np.log, compiled.log),
    "np.abs(v)": _Function(abs, np.abs, compiled.absolute),
    "np.maximum(v, 0)": _Function(lambda x: max(x, 0.0), lambda v: np.maximum(v, 0), compiled.positive_part),
    "v**2": _Function(lambda x: x**2, lambda v: v**2, compiled.square),
    "1/v": _Function(lambda x: 1 / x, lambda v: 1 / v, compiled.reciprocal),
}


def with_loop(function: Callable[[float], float], v: Any) -> Any:
    """u of zeros, then number by number, as the notes begin."""
    u = np.zeros(len(v))
    for i in range(len(v)):
        u[i] = function(v[i])
    return u


def with_kernel(kernel: Any, v: Any) -> Any:
    u = np.empty_like(v)
    kernel(v, u)
    return u


def run() -> Result:
    v = np.random.default_rng(1).normal(size=N) * 3
    rows, seconds, differences = [], {}, {}
    for name, function in FUNCTIONS.items():
        given = np.abs(v) + 0.01 if name in ("np.log(v)", "1/v") else v
        ways: dict[str, Callable[[], Any]] = {
            "python": lambda f=function.python, x=given: with_loop(f, x),
            "numpy": lambda f=function.numpy, x=given: f(x),
            "numba": lambda f=function.kernel, x=given: with_kernel(f, x),
        }
        results = [way() for way in ways.values()]
        differences[name] = float(
            np.max(np.ptp(np.stack(results), axis=0) / np.maximum(np.abs(results[1]), 1e-300))
        )
        timings = in_turns(name, ways)
        seconds[name] = timings.seconds
        rows.append(
            (
                name,
                *(duration(value) for value in timings.seconds.values()),
                factor(timings.speed_up("numpy")),
                factor(timings.speed_up("numba")),
                f"{differences[name]:.1e}",
            )
        )
    worst = max(differences, key=lambda name: differences[name])
    fastest = {name: min(("numpy", "numba"), key=lambda way: each[way]) for name, each in seconds.items()}
    ahead = [name for name, way in fastest.items() if way == "numba"]
    return Result(
        sections=(
            Table(
                f"A vector of {N:,} numbers: a loop of Python, NumPy's function, and a compiled loop",
                (
                    "",
                    "python",
                    "numpy",
                    "numba",
                    "numpy over python",
                    "numba over python",
                    "relative difference",
                ),
                tuple(rows),
            ),
        ),
        checks=(
            Check(
                "The three ways agree to rounding",
                differences[worst] < 1e-14,
                f"largest relative difference {differences[worst]:.1e}, of {worst}",
            ),
        ),
        lessons=(
            "Before you write a loop, look for NumPy's function: it is one, but compiled.",
            f"Here the compiled loop took less time than NumPy for {', '.join(ahead) or 'none of them'}.",
        ),
        alternative=(
            "Bars on a logarithmic scale: the time of "
            + ", ".join(FUNCTIONS)
            + f" on {N:,} numbers with a loop of Python, with NumPy and with a compiled loop. The loop of Python is longest each time."
            if all(max(each, key=lambda way: each[way]) == "python" for each in seconds.values())
            else f"Bars on a logarithmic scale: the times of six functions of {N:,} numbers, three ways."
        ),
        values={"seconds": seconds, "differences": differences},
    )


def plot(result: Result) -> Any:
    from models.course._pictures import COLOURS, figure, lines, time_axis

    drawn, panel = figure(4.6)
    seconds = result.values["seconds"]
    for i, way in enumerate(("python", "numpy", "numba")):
        panel.barh(
            [row + (i - 1) * 0.26 for row in range(len(seconds))], [each[way] for each in seconds.values()],
            height=0.26, color=COLOURS[way], label=way,
        )  # fmt: skip
    panel.set_yticks(range(len(seconds)), list(seconds))
    panel.invert_yaxis()
    panel.set_xscale("log")
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
