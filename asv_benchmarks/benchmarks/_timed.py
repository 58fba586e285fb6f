"""The base class of the benchmarks that time an operation on each backend, and of its relative times."""

from __future__ import annotations

import functools
import importlib.util
import math
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

from asv_benchmarks.clock import calls_that_fill, fastest, seconds

#: dlkernels' own backends, then the other libraries that are installed.
BACKENDS = ("python", "numpy", "numba")
PEERS = tuple(name for name in ("torch", "jax", "sklearn") if importlib.util.find_spec(name))
DTYPES = ("float64", "float32")
#: The seconds that the calls of one sample fill, and the seconds of one turn of a ratio.
SAMPLE, TURN = 2e-3, 4e-3
#: The number of turns of each of the two functions that a ratio compares.
PAIRS = 21
#: The most floating-point operations for the python backend in one call: they take some tenths of a second.
MOST_FOR_PYTHON = 5_000_000
#: The version of `libraries/with_numpy.py`. Count it up when a change there changes times, because all
#: relative times are relative to these functions.
BASELINE = 2


def relative(ours: Callable[[], Any], baseline: Callable[[], Any], turn: float = TURN) -> float:
    """Return our time divided by the baseline's: the median of the ratios of two turns in succession.

    Times of the same code in sequence differ by up to half on a shared machine. Of 27 such ratios, each
    measured twice in processes of their own, 25 agreed within 8 % and the worst within 22 %.
    """
    counts = [calls_that_fill(call, turn) for call in (ours, baseline)]
    ratios = []
    for pair in range(PAIRS):
        turns = [(ours, counts[0]), (baseline, counts[1])]
        times = [seconds(*which) for which in (turns if pair % 2 else turns[::-1])]
        ratios.append(times[0] / times[1] if pair % 2 else times[1] / times[0])
    return statistics.median(ratios)


def on_one_thread(backend: str) -> None:
    """Limit the kernels, the BLAS of NumPy and scikit-learn, and a backend's own library to one thread."""
    import threadpoolctl

    import dlkernels as dk

    dk.set_num_threads(1)
    library = importlib.import_module(backend if backend in PEERS else "numpy")
    if backend == "torch":
        library.set_num_threads(1)
    threadpoolctl.threadpool_limits(1)  # limits the libraries that are loaded by now


@functools.cache
def prepared(work: Any, backend: str, dtype: str) -> Callable[[], Any]:
    """Return the operation as a function without arguments, called once already so that it is compiled.

    The result is cached, because asv runs `setup` before every sample.
    """
    from asv_benchmarks import libraries
    from asv_benchmarks.works import arrays

    if backend == "python" and work.flops() > MOST_FOR_PYTHON:
        raise NotImplementedError(f"{work.title} takes Python too long")
    on_one_thread(backend)
    given = arrays(work, dtype)
    if backend in BACKENDS:
        forms = libraries.module(libraries.OURS).build(work, given, backend)
    else:
        forms = libraries.module(backend).build(work, given)
    if not forms:
        raise NotImplementedError(f"{backend} has no {work.operation}")
    for form in forms:
        form()
    return fastest(forms, SAMPLE)


@functools.cache
def _calls(work: Any, backend: str, dtype: str) -> int:
    return calls_that_fill(prepared(work, backend, dtype), SAMPLE)


class _Operation:
    """The benchmarks of one operation. A subclass names the operation, its sizes and their shapes."""

    operation: str
    #: Exponents of two.
    sizes: tuple[int, ...]
    #: The name of the parameter for the size.
    axis = "log2_n"
    #: The memory order of X, the steps of a fit, and the examples in a batch of an epoch.
    order = "C"
    steps = 0
    batch = 0
    #: The other libraries that have the operation.
    peers: tuple[str, ...] = ()
    version = "1"
    # At least 3 samples, for at most 0.3 s, in each of two processes.
    repeat = (3, 100, 0.3)
    rounds = 2
    warmup_time = 0.05
    timeout = 120

    def __init_subclass__(cls) -> None:
        if hasattr(cls, "operation"):
            backends = (*BACKENDS, *(name for name in cls.peers if name in PEERS))
            cls.params = (backends, cls.sizes, DTYPES)  # type: ignore[attr-defined]
            cls.param_names = ("backend", cls.axis, "dtype")  # type: ignore[attr-defined]

    def shape(self, size: int) -> tuple[int, ...]:
        return (2**size,)

    def work(self, size: int) -> Any:
        from asv_benchmarks.works import Work

        return Work(
            "dashboard", self.operation, self.shape(size), self.order, steps=self.steps, batch=self.batch
        )

    def setup(self, backend: str, size: int, dtype: str) -> None:
        # A sample is many calls. Its clock runs so many times slower that asv records the time of one call.
        calls = _calls(self.work(size), backend, dtype)
        self.timer = lambda: time.perf_counter() / calls

    def time_call(self, backend: str, size: int, dtype: str) -> None:
        call = prepared(self.work(size), backend, dtype)
        for _ in range(_calls(self.work(size), backend, dtype)):
            call()

    def track_relative_time(self, backend: str, size: int, dtype: str) -> float:
        """Return the relative time, which asv_benchmarks/README.md explains."""
        from asv_benchmarks import libraries
        from asv_benchmarks.works import arrays

        if backend == "python":
            return math.nan  # asv leaves NaN out; `setup` can't skip, since `time_call` shares it
        work = self.work(size)
        baselines = libraries.module("numpy").build(work, arrays(work, dtype))
        return relative(prepared(work, backend, dtype), baselines[0]) if baselines else math.nan

    track_relative_time.unit = "of plain NumPy's time"  # type: ignore[attr-defined]
    track_relative_time.version = f"1, baseline {BASELINE}"  # type: ignore[attr-defined]


def _classes(module: str, base: type[_Operation], operations: Iterable[str]) -> dict[str, type[_Operation]]:
    """Make a benchmark class for each operation; return them by class name: LeakyRelu for leaky_relu."""
    found = {}
    for operation in operations:
        name = "".join(word.capitalize() for word in operation.split("_"))
        found[name] = type(name, (base,), {"operation": operation, "__module__": module})
    return found
