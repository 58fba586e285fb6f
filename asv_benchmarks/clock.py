"""How long a call takes, over many calls in a row."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def seconds(call: Callable[[], Any], calls: int) -> float:
    """Seconds a call."""
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


def estimate(call: Callable[[], Any], duration: float) -> float:
    """Seconds a call, from as many calls as take at least a quarter of a duration."""
    call()  # the first one after something else is slow: counted, it once made turns of 4 calls
    calls = 1
    while (each := min(seconds(call, calls) for _ in range(3))) * calls < duration / 4:
        calls *= 4
    return each


def fastest(forms: list[Callable[[], Any]], duration: float) -> Callable[[], Any]:
    """The formulation that takes the least time."""
    return min(forms, key=lambda form: estimate(form, duration)) if len(forms) > 1 else forms[0]


def calls_that_fill(call: Callable[[], Any], duration: float) -> int:
    """How many calls take about so many seconds."""
    return max(1, round(duration / estimate(call, duration)))
