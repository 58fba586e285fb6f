"""The compiled kernels on more and more threads."""

from __future__ import annotations

import os
import time
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
    """Time of a call on so many threads; more than the machine has CPUs are left out."""

    params = ((1, 2, 4, 8, 16, 32), tuple(_WORKS), DTYPES)
    param_names = ("threads", "operation", "dtype")
    version = "1"
    repeat = (3, 100, 0.3)
    rounds = 2
    warmup_time = 0.05
    timeout = 120

    def setup(self, threads: int, operation: str, dtype: str) -> None:
        if threads > len(
            os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
        ):
            raise NotImplementedError
        import dlkernels as dk
        from asv_benchmarks.works import Work

        self.call: Any = prepared(Work("dashboard", operation, _WORKS[operation]), "numba", dtype)
        dk.set_num_threads(threads)
        self.call()
        self.calls = calls = calls_that_fill(self.call, SAMPLE)
        self.timer = lambda: time.perf_counter() / calls

    def time_call(self, threads: int, operation: str, dtype: str) -> None:
        for _ in range(self.calls):
            self.call()
