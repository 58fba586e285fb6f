"""The compiled kernels on 1, 2, 4, ... threads."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from asv_benchmarks.clock import calls_that_fill

from ._timed import DTYPES, SAMPLE, prepared

_WORKS = {
    "tanh": (2**22,),
    "dense_forward": (1024, 1024, 1024),
    "dense_gradients": (1024, 1024, 1024),
    "logistic_propagate": (100, 2**16),
    "shallow_propagate": (30, 16, 2**16),
}


class Threads:
    """Time of a call on so many threads. Numbers of threads above the machine's CPUs are left out."""

    params = ((1, 2, 4, 8, 16, 32), tuple(_WORKS), DTYPES)
    param_names = ("threads", "operation", "dtype")
    version = "1"
    repeat = (3, 100, 0.3)
    rounds = 2
    warmup_time = 0.05
    timeout = 120

    def setup(self, threads: int, operation: str, dtype: str) -> None:
        import dlkernels as dk

        call = _prepared(operation, dtype)
        try:
            dk.set_num_threads(threads)
        except ValueError as error:  # the machine has fewer CPUs
            raise NotImplementedError(str(error)) from None
        calls = _calls(threads, operation, dtype)
        self.call, self.calls = call, calls
        self.timer = lambda: time.perf_counter() / calls

    def time_call(self, threads: int, operation: str, dtype: str) -> None:
        for _ in range(self.calls):
            self.call()


def _prepared(operation: str, dtype: str) -> Callable[[], Any]:
    from asv_benchmarks.works import Work

    return prepared(Work("dashboard", operation, _WORKS[operation]), "numba", dtype)


@functools.cache
def _calls(threads: int, operation: str, dtype: str) -> int:
    """Return the calls that fill a sample on so many threads, which `setup` has set."""
    return calls_that_fill(_prepared(operation, dtype), SAMPLE)
