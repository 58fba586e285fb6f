"""The dot product of a million numbers: a for-loop, NumPy, and a compiled loop."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from dlkernels import backends

from .._report import factor
from ._experiment import VECTORS, Check, Experiment, Formula, Result, Table
from ._numbers import difference, number, same_numbers
from ._timing import in_turns, verdict

N = 1_000_000
#: Further lengths at which the backends are timed.
LENGTHS = (10, 1000, 100_000)


def for_loop(a: Any, b: Any) -> Any:
    """Compute the dot product with the notes' loop, in which a + is corrected to *."""
    c = 0
    for i in range(len(a)):
        c += a[i] * b[i]
    return c


def adding_loop(a: Any, b: Any) -> Any:
    """Add where a dot product multiplies: the loop that some notes time by mistake."""
    c = 0
    for i in range(len(a)):
        c += a[i] + b[i]
    return c


def run() -> Result:
    random = np.random.default_rng(1)
    a, b = random.random(N), random.random(N)
    exact = math.fsum((a * b).tolist())
    loop = float(for_loop(a, b))
    values = {name: backends.get(name).dot(a, b) for name in backends.NAMES}
    added = float(adding_loop(a, b))
    timings = in_turns(
        f"A dot product of {N:,} numbers",
        {"for-loop of the notes": partial(for_loop, a, b)}
        | {name: partial(backends.get(name).dot, a, b) for name in backends.NAMES},
    )
    by_length = {
        n: in_turns(
            f"{n:,}", {name: partial(backends.get(name).dot, a[:n], b[:n]) for name in backends.NAMES}
        ).seconds
        for n in LENGTHS
    } | {N: {name: timings.seconds[name] for name in backends.NAMES}}
    return Result(
        sections=(
            Table(
                "The same number",
                ("", "c", "differs from the exact sum by"),
                tuple(
                    (name, number(value, 17), difference(abs(value - exact)))
                    for name, value in {"for-loop of the notes": loop, **values}.items()
                ),
            ),
            timings,
        ),
        checks=(
            same_numbers("All four agree to rounding", [loop, *values.values()], 1e-6),
            Check(
                "A loop that adds, c += a[i] + b[i], computes something else",
                abs(added - exact) > 1,
                f"{number(added)} instead of {number(exact)}",
            ),
        ),
        lessons=(
            f"Here, for {N:,} numbers, {verdict(timings)}. The notes' loop takes "
            f"{factor(timings.speed_up(timings.fastest)).rstrip('x')} times as long as {timings.fastest}.",
            "A loop isn't slow because it is a loop: numba runs one, too. It is slow because Python finds "
            "out anew at each number what it is and what * means for it.",
        ),
        alternative=(
            "Three lines on logarithmic axes: the time of a dot product on python, numpy and numba for "
            f"lengths from {LENGTHS[0]} to {N:,}. At {N:,} numbers python takes "
            f"{number(by_length[N]['python'] / by_length[N]['numba'], 2)} times as long as numba."
        ),
        values={"values": values, "loop": loop, "exact": exact, "added": added, "by_length": by_length},
    )


def plot(result: Result) -> Any:
    from ._pictures import LIBRARIES, figure, lines, time_axis

    drawn, panel = figure(3.6)
    by_length = result.values["by_length"]
    markers = {"python": "o", "numpy": "s", "numba": "^"}
    for name in backends.NAMES:
        panel.plot(
            list(by_length),
            [each[name] for each in by_length.values()],
            color=LIBRARIES[name],
            marker=markers[name],
            label=name,
        )
    panel.set(
        xscale="log",
        yscale="log",
        xlabel="numbers in a and b",
        ylabel="time",
        title="Time of one dot product",
    )
    time_axis(panel.yaxis)
    panel.set_xticks(list(by_length), [f"{n:,}" for n in by_length])
    panel.xaxis.minorticks_off()
    lines(panel)
    panel.legend(frameon=False)
    return drawn


EXPERIMENT = Experiment(
    name="dot",
    title="The dot product",
    question=f"What does a for-loop over {N:,} numbers cost, and what does np.dot?",
    part=VECTORS,
    formulas=(Formula(r"c = a^{T} b = \sum_{i=1}^{n} a_i b_i", "c = aᵀb = Σᵢ aᵢ bᵢ"),),
    run=run,
    plot=plot,
    slips=(
        "Some students' notes time c += a[i] + b[i], which adds where a dot product multiplies: another "
        "number comes out.",
    ),
)
