"""Every benchmark of the dashboard runs, on every backend, and measures what its name says."""

from __future__ import annotations

import importlib
import inspect
import itertools
import math
import os
import pkgutil
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("asv_benchmarks", reason="the benchmarks lie beside the package, in the repository only")

import dlkernels as dk
from asv_benchmarks import benchmarks, clock
from asv_benchmarks.benchmarks import _timed, start
from asv_benchmarks.benchmarks.threads import Threads
from dlkernels import backends

_BENCHMARK = re.compile("(time|timeraw|track)_")


def _classes():
    for module in pkgutil.iter_modules(benchmarks.__path__, f"{benchmarks.__name__}."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if inspect.isclass(value) and not name.startswith("_"):
                yield value


CLASSES = list(_classes())
TIMED = [cls for cls in CLASSES if issubclass(cls, _timed._Operation)]


def _cases():
    """Each benchmark: on each of its first parameters, with the first of the others."""
    for cls in CLASSES:
        for name in filter(_BENCHMARK.match, dir(cls)):
            params = getattr(cls, "params", ())
            if params and not isinstance(params[0], tuple):
                params = (params,)
            firsts = params[0][:3] if params else [None]
            for first in firsts:
                rest = () if first is None else (first, *(values[0] for values in params[1:]))
                yield pytest.param(cls, name, rest, id=f"{cls.__name__}.{name}{rest}")


@pytest.fixture(autouse=True)
def short_and_alone(monkeypatch):
    monkeypatch.setattr(_timed, "SAMPLE", 1e-5)
    monkeypatch.setattr(_timed, "TURN", 1e-5)
    before = dk.get_num_threads()
    yield
    _timed.prepared.cache_clear()
    _timed._calls.cache_clear()
    dk.set_num_threads(before)


@pytest.mark.parametrize(("cls", "name", "parameters"), list(_cases()))
@pytest.mark.slow
def test_it_runs(cls, name, parameters):
    benchmark = cls()
    function = getattr(benchmark, name)
    if name.startswith("timeraw_"):
        program = function(*parameters)
        if name == "timeraw_warmup":  # with the cache of the tests: with an empty one it takes minutes
            assert program.startswith(start._EMPTY_CACHE)
            program = program.removeprefix(start._EMPTY_CACHE)
        subprocess.run([sys.executable, "-c", program], check=True)
        return
    try:
        if hasattr(benchmark, "setup"):
            benchmark.setup(*parameters)
    except NotImplementedError:  # asv leaves it out, if that is raised here and nowhere else
        assert cls is Threads
        assert parameters[0] > (os.cpu_count() or 1)
        return
    value = function(*parameters)
    if name == "track_relative_time" and parameters[0] == "python":
        assert math.isnan(value)
    elif name.startswith("track_"):
        assert math.isfinite(value)
        assert value >= 0
    else:
        assert value is None


#: What only counts, draws or views parameters.
UNTIMED = {"num_parameters", "network_parameters", "network_views"}


def test_every_public_function_and_model_is_timed():
    timed = {cls.operation for cls in TIMED}
    assert timed | UNTIMED == {*backends.FUNCTIONS, "LogisticRegression", "ShallowNetwork", "Network"}
    assert not timed & UNTIMED


def test_all_three_backends_are_asked_for_every_operation_in_both_dtypes():
    for cls in TIMED:
        assert cls.params[0][:3] == ("python", "numpy", "numba")
        assert set(cls.params[2]) == {"float32", "float64"}
        assert cls.time_call.__name__ == "time_call"


def test_python_runs_at_least_the_smallest_size_of_every_operation():
    for cls in TIMED:
        assert cls().work(cls.sizes[0]).flops() <= _timed.MOST_FOR_PYTHON


def test_nothing_compiles_while_it_is_timed():
    """`setup` has called it: a second call finds the kernels compiled."""
    from numba.core import event

    compiled = []

    class Listener(event.Listener):
        def on_start(self, started):
            compiled.append(started)

        def on_end(self, ended):
            pass

    for cls, dtype in itertools.product(TIMED, ("float32", "float64")):
        benchmark = cls()
        benchmark.setup("numba", cls.sizes[0], dtype)
        with event.install_listener("numba:compile", Listener()):
            benchmark.time_call("numba", cls.sizes[0], dtype)
    assert compiled == []


def test_the_clock_counts_one_call(monkeypatch):
    """A sample of many calls reads as the time of one."""
    monkeypatch.setattr(_timed, "SAMPLE", 5e-3)
    cls = next(cls for cls in TIMED if cls.operation == "tanh")
    benchmark = cls()
    benchmark.setup("numba", 10, "float64")
    work = benchmark.work(10)
    calls = _timed._calls(work, "numba", "float64")
    assert calls > 20
    recorded, each = [], []
    for _ in range(5):  # the shortest of each: other work on the machine only adds
        start = benchmark.timer()
        benchmark.time_call("numba", 10, "float64")
        recorded.append(benchmark.timer() - start)
        each.append(_timed.seconds(_timed.prepared(work, "numba", "float64"), calls))
    assert min(recorded) == pytest.approx(min(each), rel=0.9)


def test_numpy_multiplies_on_one_thread():
    """asv imports NumPy before the suite, which made a variable of the environment too late."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    work = next(cls for cls in TIMED if cls.operation == "dense_forward")().work(4)
    with threadpoolctl.threadpool_limits(2):
        _timed.prepared(work, "numpy", "float64")
        pools = threadpoolctl.threadpool_info()
    assert {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"} == {1}


def test_a_slow_first_call_does_not_shorten_the_turns(monkeypatch):
    """It once did: turns of 4 calls measured how cold the caches were."""
    now, durations = 0, itertools.chain([2_000_000], itertools.repeat(1_000))

    def call():
        nonlocal now
        now += next(durations)

    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=lambda: now / 1e9))
    assert clock.calls_that_fill(call, 2e-3) == 2000


def test_a_relative_time_is_ours_by_theirs(monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(_timed, "calls_that_fill", lambda call, duration: 1)
    monkeypatch.setattr(_timed, "seconds", lambda call, calls: call() * (1 + next(clock) // 2 % 3))
    assert _timed.relative(lambda: 3.0, lambda: 2.0) == 1.5


def test_errors_are_found(monkeypatch):
    from asv_benchmarks.benchmarks.accuracy import Accuracy

    accuracy = Accuracy()
    accuracy.setup("numba", "tanh", "float64")
    assert 0.4 < accuracy.track_worst_error("numba", "tanh", "float64") <= 2
    numba = backends.get("numba")
    tanh = numba.tanh
    monkeypatch.setattr(numba, "tanh", lambda z: tanh(z) * (1 + 8 * np.finfo(z.dtype).eps))
    assert accuracy.track_worst_error("numba", "tanh", "float64") > 4


def test_the_peak_is_that_of_the_call():
    from asv_benchmarks.benchmarks.memory import _CLEAR, Memory

    if not _CLEAR.exists():
        pytest.skip("Linux alone says how much memory a process has used at most")
    m, layer = 2**18, 16 * 2**18 * 8
    numpy = Memory().track_peak("numpy", "shallow_propagate", 18)
    assert numpy > layer, "NumPy writes the hidden layer to memory"
    assert Memory().track_peak("numba", "shallow_propagate", 18) < m, "and the fused pass nothing of size m"


#: Of with_numpy.py and _numpy_elementwise.py in `libraries`, which relative times are relative to.
_BASELINE_HASHES: dict[int, str] = {1: "81cecc2b85c6e507", 2: "9a16f5d2b3941db2"}


def test_the_baseline_is_the_one_that_figures_are_relative_to():
    """What to do if you change it.

    If what is timed changes: count `_timed.BASELINE` up, add the new hash here, and store new relative times
    (`gate --update`), or take those that it changes out of the file. Otherwise replace the hash.
    """
    import hashlib

    from asv_benchmarks.libraries import _numpy_elementwise, with_numpy

    source = inspect.getsource(with_numpy) + inspect.getsource(_numpy_elementwise)
    assert hashlib.sha256(source.encode()).hexdigest()[:16] == _BASELINE_HASHES[_timed.BASELINE]


def test_asv_accepts_the_suite(tmp_path, monkeypatch):
    pytest.importorskip("asv")
    from asv_benchmarks.pages.figures import CONFIGURATION

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "asv",
            "check",
            "--config",
            str(CONFIGURATION),
            "-E",
            f"existing:{sys.executable}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No problems found" in done.stdout
