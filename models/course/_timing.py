"""Time several ways of computing the same result, in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from types import ModuleType
from typing import Any

from dlkernels import backends

from ._experiment import Timings

#: Seconds that a turn takes at least, and seconds that one of its samples should take.
_TURN, _SAMPLE = 0.006, 20e-6
#: The least number of samples in a turn, unless they take longer than `_LONG` seconds.
_SAMPLES = 20
#: Turns of each way, and fewer turns if the first turns of all ways take longer than `_LONG` seconds.
_ROUNDS, _FEW_ROUNDS, _LONG = 7, 3, 0.2
#: Seconds of pause before each turn, because the worker threads of a BLAS spin for a while after a call.
_PAUSE = 0.005


def in_turns(title: str, ways: Mapping[str, Callable[[], Any]]) -> Timings:
    """Return the seconds of a call of each way, in its best turn, without compiling.

    The first half of a turn doesn't count, because waking the threads of a BLAS made a dot product of 100,000
    numbers take 7 ms instead of 0.01. The best turn counts, because other work on the machine can only make a
    turn longer.
    """
    calls = {way: _calls_in_a_sample(call) for way, call in ways.items()}
    best: dict[str, float] = {}
    rounds, turn = _ROUNDS, 0
    start = time.perf_counter()
    while turn < rounds:
        for way, call in ways.items():
            time.sleep(_PAUSE)
            seconds = _turn(call, calls[way])
            best[way] = min(best.get(way, seconds), seconds)
        turn += 1
        if turn == 1 and time.perf_counter() - start > _LONG:
            rounds = _FEW_ROUNDS
    return Timings(title, best, rounds)


def on_backends(title: str, call: Callable[[ModuleType], Any]) -> Timings:
    """Time the same call on every backend."""
    return in_turns(title, {name: partial(call, backends.get(name)) for name in backends.NAMES})


def _calls_in_a_sample(call: Callable[[], Any]) -> int:
    call()  # compiles, and brings the data into the caches
    once = min(_seconds(call, 1) for _ in range(2))
    return max(1, round(_SAMPLE / max(once, 1e-7)))


def _turn(call: Callable[[], Any], calls: int) -> float:
    """Return the median of the second half of a turn's samples."""
    samples: list[float] = []
    start = time.perf_counter()
    while (
        not samples
        or (passed := time.perf_counter() - start) < _TURN
        or (len(samples) < _SAMPLES and passed < _LONG)
    ):
        samples.append(_seconds(call, calls))
    return statistics.median(samples[len(samples) // 2 :])


def _seconds(call: Callable[[], Any], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls
