"""What every timed benchmark does: an operation on each backend, and on dlkernels relative to NumPy."""

from __future__ import annotations

import functools
import importlib.util
import math
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

from asv_benchmarks.clock import calls_that_fill, fastest, seconds

#: dlkernels' own backends, then whatever else is installed.
BACKENDS = ("python", "numpy", "numba")
PEERS = tuple(name for name in ("torch", "jax", "sklearn") if importlib.util.find_spec(name))
DTYPES = ("float64", "float32")
#: Seconds that the timed calls of one sample fill, and seconds of one turn of a ratio.
SAMPLE, TURN = 2e-3, 4e-3
#: Turns of each of the two that a ratio compares.
PAIRS = 21
#: Floating-point operations that pure Python isn't asked for more of in one call: some tenths of a second.
MOST_FOR_PYTHON = 5_000_000
#: A change of `libraries/with_numpy.py` makes other figures of all that are relative to it: count up.
BASELINE = 1


def relative(ours: Callable[[], Any], baseline: Callable[[], Any], turn: float = TURN) -> float:
    """Our time by that of the baseline: the median of the ratios of two turns, one just after the other.

    Sequential times of the same code differ by up to half on a shared machine. Of 27 such ratios, measured
    twice in processes of their own, 25 were within 8 % and the worst within 22 %.
    """
    counts = [calls_that_fill(call, turn) for call in (ours, baseline)]
    ratios = []
    for pair in range(PAIRS):
        turns = [(ours, counts[0]), (baseline, counts[1])]
        times = [seconds(*which) for which in (turns if pair % 2 else turns[::-1])]
        ratios.append(times[0] / times[1] if pair % 2 else times[1] / times[0])
    return statistics.median(ratios)


def on_one_thread(backend: str) -> None:
    """Limit the library of a backend, NumPy's and scikit-learn's products, and the kernels, to one thread."""
    import threadpoolctl

    import dlkernels as dk

    dk.set_num_threads(1)
    library = importlib.import_module(backend if backend in PEERS else "numpy")
    if backend == "torch":
        library.set_num_threads(1)
    threadpoolctl.threadpool_limits(1)  # of what is loaded by now


@functools.cache
def prepared(work: Any, backend: str, dtype: str) -> Callable[[], Any]:
    """The operation as a function without arguments, called once already: whatever compiles has compiled.

    asv runs `setup` before every sample; the preparation is therefore kept.
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
    """An operation in three sizes: a subclass says which, and what shape an exponent stands for."""

    operation: str
    #: Exponents of two.
    sizes: tuple[int, ...]
    #: What a size counts.
    axis = "log2_n"
    steps = 0
    #: Other libraries that know the operation.
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

        return Work("dashboard", self.operation, self.shape(size), steps=self.steps)

    def setup(self, backend: str, size: int, dtype: str) -> None:
        # A sample is many calls, and its clock runs as many times slower: asv records the time of one.
        calls = _calls(self.work(size), backend, dtype)
        self.timer = lambda: time.perf_counter() / calls

    def time_call(self, backend: str, size: int, dtype: str) -> None:
        call = prepared(self.work(size), backend, dtype)
        for _ in range(_calls(self.work(size), backend, dtype)):
            call()

    def track_relative_time(self, backend: str, size: int, dtype: str) -> float:
        """Time by that of NumPy, in the form that doesn't change from commit to commit."""
        from asv_benchmarks import libraries
        from asv_benchmarks.works import arrays

        if backend == "python":
            return math.nan  # asv's word for a figure that is left out; `setup` doesn't know who it is for
        work = self.work(size)
        baselines = libraries.module("numpy").build(work, arrays(work, dtype))
        return relative(prepared(work, backend, dtype), baselines[0]) if baselines else math.nan

    track_relative_time.unit = "of NumPy's time"  # type: ignore[attr-defined]
    track_relative_time.version = f"1, baseline {BASELINE}"  # type: ignore[attr-defined]


def _classes(module: str, base: type[_Operation], operations: Iterable[str]) -> dict[str, type[_Operation]]:
    """A benchmark for each operation, by the name of its class: LeakyRelu for leaky_relu."""
    found = {}
    for operation in operations:
        name = "".join(word.capitalize() for word in operation.split("_"))
        found[name] = type(name, (base,), {"operation": operation, "__module__": module})
    return found
