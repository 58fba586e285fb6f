"""Time several ways of computing the same result, in turns, until it is clear which is fastest."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

from dlkernels import backends
from dlkernels.reporting import duration

from .._report import CLOSE, listed
from ._experiment import Timings

#: Seconds that a turn takes at least, and seconds that one of its samples should take.
_TURN, _SAMPLE = 0.006, 20e-6
#: The least number of samples in a turn, unless they take longer than `_LONG` seconds.
_SAMPLES, _LONG = 20, 0.2
#: Turns of each way at least, and fewer of a way whose turn takes longer than `_SLOW` seconds.
_ROUNDS, _FEW_ROUNDS, _SLOW = 7, 3, 0.05
#: Seconds for further turns, which ways get as long as it isn't clear which is fastest.
_BOUND = 2.0
#: Seconds of pause before each turn, because the worker threads of a BLAS spin for a while after a call.
_PAUSE = 0.005
#: A turn counts as it is if the calling thread had the processor for this share of it, or more.
_UNDISTURBED = 2 / 3
#: A way works in one thread if the CPU time of all threads is at most so many times that of the calling one.
_ALONE = 1.2


def in_turns(title: str, ways: Mapping[str, Callable[[], Any]]) -> Timings:
    """Return the seconds of a call of each way, turn by turn, without compiling.

    The first half of a turn doesn't count, because waking the threads of a BLAS made a dot product of 100,000
    numbers take 7 ms instead of 0.01. The best turn counts, because other work on the machine can only make a
    turn longer. It can do so in every turn of one way, and not in those of another. Therefore ways get
    further turns until it is clear which is fastest, or until the time for that is over.
    """
    calls = {way: _calls_in_a_sample(call) for way, call in ways.items()}
    turns: dict[str, list[_Turn]] = {way: [] for way in ways}
    least = dict.fromkeys(ways, _ROUNDS)
    waiting, end = list(ways), None
    while waiting:
        for way in waiting:
            time.sleep(_PAUSE)
            start = time.perf_counter()
            turns[way].append(_turn(ways[way], calls[way]))
            if time.perf_counter() - start > _SLOW:
                least[way] = _FEW_ROUNDS
        waiting = [way for way in ways if len(turns[way]) < least[way]]
        if not waiting:
            end = end or time.perf_counter() + _BOUND
            waiting = _unclear(_timings(title, turns)) if time.perf_counter() < end else []
    return _timings(title, turns)


def _timings(title: str, turns: Mapping[str, Sequence[_Turn]]) -> Timings:
    """Keep the turns that count. A way with too few of them is disturbed, and all of its turns are kept."""
    counted = {way: tuple(turn.seconds for turn in each if turn.counts) for way, each in turns.items()}
    disturbed = frozenset(way for way, seconds in counted.items() if len(seconds) < _FEW_ROUNDS)
    all_of_them = {way: tuple(turn.seconds for turn in turns[way]) for way in disturbed}
    return Timings(title, counted | all_of_them, disturbed)


def on_backends(title: str, call: Callable[[ModuleType], Any]) -> Timings:
    """Time the same call on every backend."""
    return in_turns(title, {name: partial(call, backends.get(name)) for name in backends.NAMES})


# -- which way is faster ---------------------------------------------------------------------------------


def is_faster(timings: Timings, way: str, other: str) -> bool:
    """Whether `way` took less time than `other`, by so much that it isn't too close to call."""
    least = CLOSE * _noise(timings.turns[other])
    return other not in timings.disturbed and _lead(timings, way, other) > least


def leaders(timings: Timings) -> list[str]:
    """Return the way that took the least time, and those that may take less for all that was measured."""
    return [way for way in timings.seconds if not is_faster(timings, timings.fastest, way)]


def equally_fast(timings: Timings) -> list[str]:
    """Return the way that took the least time, and those as fast; none if the run doesn't tell."""
    return [] if _unclear(timings) else leaders(timings)


def is_close(timings: Timings, way: str, other: str) -> bool:
    """Whether the two took times so near that neither counts as faster."""
    return max(_lead(timings, way, other), _lead(timings, other, way)) <= CLOSE


def verdict(timings: Timings) -> str:
    """Say which way took the least time, between which it is too close to call, or that nobody can tell."""
    ahead, unclear = leaders(timings), _unclear(timings)
    times = [duration(timings.seconds[way]) for way in ahead]
    if len(ahead) == 1:
        return f"{timings.fastest} took the least time, {times[0]}"
    found = f"whether {listed(ahead, 'or')} takes the least time, {listed(times)}"
    if not unclear:
        return f"it is too close to call {found}"
    return (
        f"this run doesn't tell {found}, because other programs disturbed the timing of "
        f"{listed(unclear[1:])}: run it again"
    )


def _unclear(timings: Timings) -> list[str]:
    """Return the fastest way and those that may be faster without what disturbed them, if there are any."""
    fastest = timings.fastest
    rivals = [way for way in leaders(timings) if way != fastest and not is_close(timings, fastest, way)]
    return [fastest, *rivals] if rivals else []


def _lead(timings: Timings, way: str, other: str) -> float:
    """Return how many times longer the best turn of `other` took than that of `way`."""
    return timings.seconds[other] / timings.seconds[way]


def _noise(turns: Sequence[float]) -> float:
    """Return by what factor the best turn may still be too long.

    The factor is bad / best, where a quarter of the turns at most are worse than `bad`, raised to a power: 2
    for 7 turns, less for more, because few turns say little. Without the power, 8 of 60
    simulated runs on a loaded machine named the wrong way after 7 turns; with it, none.
    """
    bad = sorted(turns)[math.ceil(0.75 * (len(turns) - 1))]
    return (bad / min(turns)) ** (1 + 7 / len(turns))


# -- one turn --------------------------------------------------------------------------------------------


def _calls_in_a_sample(call: Callable[[], Any]) -> int:
    call()  # compiles, and brings the data into the caches
    once = min(_sample(call, 1)[0] for _ in range(2))
    return max(1, round(_SAMPLE / max(once, 1e-7)))


class _Turn(NamedTuple):
    """The seconds of a call in a turn, and whether they count.

    They don't if they hold time spent waiting for other programs.
    """

    seconds: float
    counts: bool


def _turn(call: Callable[[], Any], calls: int) -> _Turn:
    """Take samples for a turn, and return the median of the second half of them.

    If other programs had the processor meanwhile, a way that works in one thread counts by its CPU time. A
    way of several threads doesn't count then: its threads wait for each other (np.dot took 16 ms instead of
    0.1).
    """
    samples: list[tuple[float, float, float]] = []
    start = time.perf_counter()
    while (
        not samples
        or (passed := time.perf_counter() - start) < _TURN
        or (len(samples) < _SAMPLES and passed < _LONG)
    ):
        samples.append(_sample(call, calls))
    half = samples[len(samples) // 2 :]
    passed, own, process = (sum(each) for each in zip(*half, strict=True))
    median = statistics.median(seconds for seconds, _, _ in half) / calls
    # Windows counts CPU time in steps of 16 ms.
    if own >= _UNDISTURBED * passed or sys.platform == "win32":
        return _Turn(median, True)
    return _Turn(own / len(half) / calls, True) if process <= _ALONE * own else _Turn(median, False)


def _sample(call: Callable[[], Any], calls: int) -> tuple[float, float, float]:
    """Return the seconds that so many calls took: on the clock, of this thread and of all threads."""
    clocks = (time.perf_counter, time.thread_time, time.process_time)
    process, own, start = (clock() for clock in reversed(clocks))
    for _ in range(calls):
        call()
    end = [clock() for clock in clocks]
    return end[0] - start, end[1] - own, end[2] - process
