"""What several ways of computing the same thing cost, measured in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from types import ModuleType
from typing import Any

from dlkernels import backends
from models.course._experiment import Timings

#: Seconds of one turn of a way, unless a single call takes longer.
_TURN = 0.004
#: Turns of each way; the median counts. Fewer where one turn of all takes longer than `_LONG` seconds.
_ROUNDS, _FEW_ROUNDS, _LONG = 7, 3, 0.2
#: Pause before each turn: the worker threads of a BLAS go on spinning for a while after its last call.
_PAUSE = 0.005


def in_turns(title: str, ways: Mapping[str, Callable[[], Any]]) -> Timings:
    """Median seconds of a call of each way, compiled before; what else the machine does meets all alike."""
    calls = {}
    total = 0.0
    for way, call in ways.items():
        call()  # compiles, and brings the data into the caches
        once = min(_seconds(call, 1) for _ in range(2))  # the first one after another way is slow
        calls[way] = max(1, round(_TURN / max(once, 1e-7)))
        total += once * calls[way]
    rounds = _ROUNDS if total < _LONG else _FEW_ROUNDS
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, call in ways.items():
            time.sleep(_PAUSE)
            taken[way].append(_seconds(call, calls[way]))
    return Timings(title, {way: statistics.median(each) for way, each in taken.items()}, rounds)


def on_backends(title: str, call: Callable[[ModuleType], Any]) -> Timings:
    """The same call on every backend."""
    return in_turns(title, {name: partial(call, backends.get(name)) for name in backends.NAMES})


def _seconds(call: Callable[[], Any], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls
