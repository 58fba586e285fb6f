"""How many threads, in which threads, and what happens where parallel kernels can't be launched."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import threading

import numba
import numpy as np
import pytest

import dlkernels as dk
from dlkernels import _threads

needs_compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is launched")


@pytest.fixture(autouse=True)
def restored():
    before = _threads._requested
    yield
    _threads._requested = before


def in_thread(function):
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join()
    return result[0]


def test_a_number_holds_in_every_thread():
    dk.set_num_threads(1)
    assert dk.get_num_threads() == 1
    assert in_thread(dk.get_num_threads) == 1


def test_threads_restores_the_number_after_an_error():
    before = dk.get_num_threads()

    def fail():
        with dk.threads(1):
            assert dk.get_num_threads() == 1
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert dk.get_num_threads() == before


def test_interleaved_blocks_leave_the_number_as_it_was():
    """One thread's block ends while another's, begun later, is still open."""
    before = dk.get_num_threads()
    first, second = dk.threads(1), dk.threads(2)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert dk.get_num_threads() == 2
    second.__exit__(None, None, None)
    assert dk.get_num_threads() == before


@pytest.mark.parametrize("n", [0, -1, 10**6])
def test_impossible_numbers(n):
    with pytest.raises(ValueError, match=r"set_num_threads: n must be at (least|most)"):
        dk.set_num_threads(n)
    with pytest.raises(ValueError, match=r"threads: n must be at (least|most)"), dk.threads(n):
        pass


@pytest.mark.parametrize("n", [1.0, "2", None, True])
def test_no_numbers(n):
    with pytest.raises(TypeError, match="n must be an integer"):
        dk.set_num_threads(n)


@needs_compiled
@pytest.mark.skipif(_threads.maximum() == 1, reason="one thread only")
def test_a_launch_uses_that_many_threads_and_leaves_numba_as_it_was(monkeypatch):
    seen = []
    numba.set_num_threads(_threads.maximum())

    class Spy:
        @staticmethod
        def parallel():
            seen.append(numba.get_num_threads())

    _threads.twin(Spy, 1e9)()
    with dk.threads(1), _threads.always(True):
        _threads.twin(Spy, 1e9)()
    assert seen == [_threads.maximum(), 1]
    assert numba.get_num_threads() == _threads.maximum()


@needs_compiled
def test_little_work_stays_serial():
    class Spy:
        serial = staticmethod(lambda: "serial")
        parallel = staticmethod(lambda: "parallel")

    assert _threads.twin(Spy, 1_000)() == "serial"
    with dk.threads(1):
        assert _threads.twin(Spy, 1e9)() == "serial"


CONCURRENT = """
import threading, sys
import numpy as np
import dlkernels as dk
from dlkernels import _threads

assert _threads.layer() == sys.argv[1], _threads.layer()
X = np.random.default_rng(0).normal(size=(8, 50_000))
Y = (X[:1] > 0).astype(float)
w = np.full((8, 1), 0.1)
expected = dk.logistic_propagate(w, 0.0, X, Y)
wrong = []

def work():
    for _ in range(20):
        with _threads.always(True):
            dw, db, cost = dk.logistic_propagate(w, 0.0, X, Y)
        if (dw.tobytes(), db, cost) != (expected[0].tobytes(), *expected[1:]):
            wrong.append(cost)

workers = [threading.Thread(target=work) for _ in range(8)]
for worker in workers: worker.start()
for worker in workers: worker.join()
print("wrong", len(wrong))
"""

FORKED = """
import os, sys
import numpy as np
import dlkernels as dk
from dlkernels import _threads

Z = np.random.default_rng(0).normal(size=200_000)
with _threads.always(True):
    expected = dk.tanh(Z).tobytes()
assert _threads.layer() == sys.argv[1], _threads.layer()
for _ in range(3):
    child = os.fork()
    if child == 0:
        with _threads.always(True):
            os._exit(0 if dk.tanh(Z).tobytes() == expected else 1)
    print("status", os.waitpid(child, 0)[1])
"""


MULTIPROCESSING = """
import multiprocessing, sys
import numpy as np
import dlkernels as dk
from dlkernels import _threads

Z = np.random.default_rng(0).normal(size=200_000)

def work(_):
    with _threads.always(True):
        return dk.tanh(Z).tobytes()

expected = work(0)
assert _threads.layer() == sys.argv[1], _threads.layer()
for _ in range(3):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print("wrong", sum(result != expected for result in pool.map(work, range(6))))
"""

THREADS_THAT_FORK = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import dlkernels as dk
from dlkernels import _threads

Z = np.random.default_rng(0).normal(size=200_000)
with _threads.always(True):
    expected = dk.tanh(Z).tobytes()
assert _threads.layer() == sys.argv[1], _threads.layer()

def work(_):
    with _threads.always(True):
        wrong = sum(dk.tanh(Z).tobytes() != expected for _ in range(5))
        child = os.fork()
        if child == 0:
            os._exit(0 if dk.tanh(Z).tobytes() == expected else 1)
        return wrong + os.waitpid(child, 0)[1]

with ThreadPoolExecutor(4) as pool:
    print("wrong", sum(pool.map(work, range(24))))
"""

JOBLIB = """
import sys
from joblib import Parallel, delayed
import numpy as np
import dlkernels as dk
from dlkernels import _threads

X = np.random.default_rng(0).normal(size=(8, 50_000))
Y = (X[:1] > 0).astype(float)

def work(_):
    with _threads.always(True):
        dw, db, cost = dk.logistic_propagate(np.full((8, 1), 0.1), 0.0, X, Y)
    return dw.tobytes(), db, cost

expected = work(0)
assert _threads.layer() == sys.argv[1], _threads.layer()
for backend in ("loky", "threading"):
    results = Parallel(n_jobs=2, backend=backend)(delayed(work)(i) for i in range(8))
    print(backend, "wrong", sum(result != expected for result in results))
"""

OTHERS_STARTED_THE_LAYER = """
import os, sys
import numba, numpy as np

@numba.njit(parallel=True)
def theirs(x):
    for i in numba.prange(x.size):
        x[i] += 1

if sys.argv[2] == "imported":
    import dlkernels
    dlkernels.tanh
theirs(np.ones(100_000))
assert numba.threading_layer() == sys.argv[1] or sys.argv[1] == "tbb", numba.threading_layer()
for _ in range(2):
    child = os.fork()
    if child == 0:
        import dlkernels as dk
        from dlkernels import _threads
        with _threads.always(True):
            os._exit(0 if dk.tanh(np.zeros(200_000)).sum() == 0 else 1)
    print("status", os.waitpid(child, 0)[1])
"""

BESIDE_OTHERS = """
import sys, threading
import numba, numpy as np
import dlkernels as dk
from dlkernels import _threads

@numba.njit(parallel=True, nogil=True)
def theirs(x):
    for i in numba.prange(x.size):
        x[i] += 1

_threads.layer()
theirs(np.ones(10))
done = threading.Event()

def loop():
    x = np.ones(100_000)
    while not done.is_set():
        theirs(x)

other = threading.Thread(target=loop)
other.start()
Z = np.ones(100_000)
with _threads.always(True):
    wrong = sum(not (dk.relu(Z) == 1).all() for _ in range(300))
done.set()
other.join()
print("wrong", wrong)
"""

#: Threads that the module `threading` doesn't know of.
UNCOUNTED = """
import _thread, sys, time
import numpy as np
import dlkernels as dk
from dlkernels import _threads

Z = np.random.default_rng(0).normal(size=1_000_000)
expected = dk.sigmoid(Z)
assert _threads.layer() == sys.argv[1], _threads.layer()
wrong = []

def work():
    wrong.append(sum(dk.sigmoid(Z).tobytes() != expected.tobytes() for _ in range(20)))

for _ in range(3): _thread.start_new_thread(work, ())
while len(wrong) < 3: time.sleep(0.01)
print("wrong", sum(wrong))
"""

#: Forks while another thread imports, starts the layer, compiles.
FORK_AT_FIRST_USE = """
import os, signal, sys, threading, time
import numpy as np
import dlkernels as dk

Z = np.zeros(1_000_000)
if sys.argv[2] == "imported":
    dk.sigmoid, dk.dot
first = threading.Thread(target=lambda: dk.sigmoid(Z))
first.start()
statuses = set()
for _ in range(4):
    child = os.fork()
    if child == 0:
        signal.alarm(90)
        os._exit(0 if dk.sigmoid(Z)[0] == 0.5 and dk.dot(Z, Z) == 0 else 1)
    statuses.add(os.waitpid(child, 0)[1])
first.join()
print("statuses", *statuses)
"""

PROGRAMS = {
    "uncounted threads": (UNCOUNTED, "wrong 0\n"),
    "fork at first use": (FORK_AT_FIRST_USE, "statuses 0\n"),
    "fork at first use, import before it": (FORK_AT_FIRST_USE, "statuses 0\n"),
    "concurrent": (CONCURRENT, "wrong 0\n"),
    "fork": (FORKED, "status 0\n" * 3),
    "multiprocessing": (MULTIPROCESSING, "wrong 0\n" * 3),
    "threads that fork": (THREADS_THAT_FORK, "wrong 0\n"),
    "layer started by others, import after it: fork": (OTHERS_STARTED_THE_LAYER, "status 0\n" * 2),
    "layer started by others, import before it: fork": (OTHERS_STARTED_THE_LAYER, "status 0\n" * 2),
    "beside others": (BESIDE_OTHERS, "wrong 0\n"),
    "joblib": (JOBLIB, "loky wrong 0\nthreading wrong 0\n"),
}


def new_process(code, environment=None, *arguments, timeout=120):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=timeout,
        check=False,
    )


def available(name):
    """Whether Numba was built with this layer, and what it loads is installed."""
    module = {"omp": "omppool", "tbb": "tbbpool", "workqueue": "workqueue"}[name]
    if importlib.util.find_spec(f"numba.np.ufunc.{module}") is None:
        return False
    return name != "tbb" or any(True for _ in importlib.metadata.distributions(name="tbb"))


@needs_compiled
@pytest.mark.parametrize("layer", ["tbb", "omp", "workqueue"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_concurrent_launches_and_forks(name, layer):
    program, expected = PROGRAMS[name]
    if "fork" in program and not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    if not available(layer):
        pytest.skip(f"{layer} is not available here")
    order = "imported" if "before" in name else "not imported"
    # Before our import Numba doesn't find tbb, and takes omp unless tbb is asked for by name.
    wanted = "default" if layer == "tbb" and "after" in name else layer
    result = new_process(program, {**os.environ, "NUMBA_THREADING_LAYER": wanted}, layer, order)
    assert (result.returncode, result.stdout) == (0, expected), result.stderr


def test_show_config(capsys):
    dk.show_config()
    printed = capsys.readouterr().out
    for word in ("dlkernels", "numba", "numpy", "SIMD", "threads", "threading layer", "kernel cache"):
        assert word in printed


OUT_OF_MEMORY = """
import resource
import numpy as np
import dlkernels as dk
from dlkernels import _threads

n, m = 60_000, 1000  # a tile of X takes 60 MB
X, w, Y = (np.zeros(shape, np.float32, order="F") for shape in ((n, m), (n, 1), (1, m)))
for parallel in (False, True):
    with _threads.always(parallel):
        expected = dk.logistic_propagate(w, 0.0, X, Y)[2]
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 20_000_000, -1))
for parallel in (False, True):
    with _threads.always(parallel):
        try:
            dk.logistic_propagate(w, 0.0, X, Y)
        except MemoryError:
            print("MemoryError")
resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
if dk.logistic_propagate(w, 0.0, X, Y)[2] == expected:
    print("right")
"""

WHY = """
import importlib.metadata, sys
state = sys.argv[1]
if state == "tbb is not installed":
    def files(name):
        raise importlib.metadata.PackageNotFoundError(name)
    importlib.metadata.files = files
if state == "started before dlkernels was imported":
    import numba
    numba.njit(parallel=True)(lambda x: x + 1)(__import__("numpy").zeros(3))
import dlkernels as dk
dk.show_config()
"""


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        ("default", "the first of tbb, omp, workqueue"),
        ("default", "tbb is not installed"),
        ("default", "started before dlkernels was imported"),
        ("workqueue", "NUMBA_THREADING_LAYER is workqueue"),
    ],
)
def test_show_config_says_why_this_layer(layer, why):
    if not available("tbb"):
        pytest.skip("tbb is not available here")
    result = new_process(WHY, {**os.environ, "NUMBA_THREADING_LAYER": layer}, why)
    assert result.returncode == 0, result.stderr
    assert why in result.stdout


@needs_compiled
@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by RLIMIT_AS")
def test_running_out_of_memory_is_a_memory_error():
    done = new_process(OUT_OF_MEMORY, dict(os.environ))
    assert (done.returncode, done.stdout) == (0, "MemoryError\nMemoryError\nright\n"), done.stderr


def test_warmup_refuses_other_dtypes():
    with pytest.raises(ValueError, match="float16"):
        dk.warmup(["float16"])
    with pytest.raises(TypeError, match="sequence"):
        dk.warmup("float32")


@needs_compiled
def test_after_warmup_nothing_is_left_to_compile():
    """In a process of its own: every public function, once, on small and on large input."""
    code = """
import numpy as np
import dlkernels as dk
from dlkernels import _threads
from numba.core import event

dk.warmup(["float64"])
with event.install_recorder("numba:compile") as recorder:
    for parallel in (False, True):
        with _threads.always(parallel):
            for m in (3, 2000):
                for order in "CF":
                    X = np.asarray(np.ones((3, m)), order=order)
                    Y, W = np.ones((1, m)), np.ones((2, 3))
                    X.flags.writeable = False
                    for name in ("sigmoid", "tanh", "relu", "leaky_relu", "identity"):
                        getattr(dk, name)(X)
                        getattr(dk, name + "_backward")(X, X)
                    A = dk.dense_forward(W, X, np.ones((2, 1)), "relu", return_Z=True)[0]
                    dk.dense_gradients(A, X)
                    dk.dense_backward(np.ones((1, 2)), Y, A, X, "relu")
                    dk.binary_cross_entropy(Y, Y), dk.binary_cross_entropy_with_logits(Y, Y)
                    dk.squared_error(Y, Y), dk.dot(Y[0], Y[0])
                    w, W1, b1 = np.ones((3, 1)), np.ones((2, 3)), np.ones((2, 1))
                    W2, b2 = np.ones((1, 2)), np.ones((1, 1))
                    dk.logistic_propagate(w, 0, X, Y), dk.shallow_propagate(W1, b1, W2, b2, X, Y)
                    dk.logistic_descent(w, 0, X, Y, 0.1, 2), dk.shallow_descent(W1, b1, W2, b2, X, Y, 0.1, 2)
                    dk.gradient_descent([w], [w * 2], 0.1)
    with _threads.always(parallel):
        dk.logistic_propagate(np.ones((1025, 1)), 0, np.ones((1025, 4)), np.ones((1, 4)))
        dk.logistic_descent(np.ones((1025, 1)), 0, np.ones((1025, 4)), np.ones((1, 4)), 0.1, 1)
print([e.data["dispatcher"].__name__ for _, e in recorder.buffer if e.is_start])
"""
    result = new_process(code, timeout=900)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


def test_numba_num_threads_1():
    code = "import dlkernels as dk; print(dk.get_num_threads(), dk.sigmoid([0.0] * 300_000)[-1])"
    result = new_process(code, {**os.environ, "NUMBA_NUM_THREADS": "1"})
    assert result.stdout == "1 0.5\n"


def test_results_do_not_depend_on_threads_by_name():
    """The public way of saying it, without the private switch."""
    Z = np.random.default_rng(3).normal(size=1_000_000)
    with dk.threads(1):
        one = dk.sigmoid(Z)
    np.testing.assert_array_equal(dk.sigmoid(Z), one)
