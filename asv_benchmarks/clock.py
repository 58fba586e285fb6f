"""Measure the time of a call, over many calls in a row."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def seconds(call: Callable[[], Any], calls: int) -> float:
    """Return the mean time of a call in seconds."""
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


def estimate(call: Callable[[], Any], duration: float) -> float:
    """Estimate the seconds of a call, from a series of calls that takes at least a quarter of a duration."""
    call()  # not counted: the first call after other work is slow, and once made turns of only 4 calls
    calls = 1
    while (each := min(seconds(call, calls) for _ in range(3))) * calls < duration / 4:
        calls *= 4
    return each


def fastest(forms: list[Callable[[], Any]], duration: float) -> Callable[[], Any]:
    """Return the formulation that takes the least time."""
    return min(forms, key=lambda form: estimate(form, duration)) if len(forms) > 1 else forms[0]


def calls_that_fill(call: Callable[[], Any], duration: float) -> int:
    """Return the number of calls that take about so many seconds."""
    return max(1, round(duration / estimate(call, duration)))
