"""Several threads and forked processes that call kernels, on every threading layer."""

from __future__ import annotations

import os

import numba
import pytest
from processes import available, new_process

pytestmark = pytest.mark.slow

needs_compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is launched")

CONCURRENT = """
import threading, sys
import numpy as np
import dlkernels as dk
from dlkernels._calls import threads as _threads

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
from dlkernels._calls import threads as _threads

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
from dlkernels._calls import threads as _threads

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
from dlkernels._calls import threads as _threads

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
from dlkernels._calls import threads as _threads

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
        from dlkernels._calls import threads as _threads
        with _threads.always(True):
            os._exit(0 if dk.tanh(np.zeros(200_000)).sum() == 0 else 1)
    print("status", os.waitpid(child, 0)[1])
"""

BESIDE_OTHERS = """
import sys, threading
import numba, numpy as np
import dlkernels as dk
from dlkernels._calls import threads as _threads

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
from dlkernels._calls import threads as _threads

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

#: Trains with a network's functions and with the model, from a seed.
TRAINING = """
import hashlib, os, sys, threading
import numpy as np
import dlkernels as dk
from dlkernels._calls import threads as _threads

sizes, m = (20, 64, 3), 3000
random = np.random.default_rng(0)
X, Y = random.normal(size=(20, m)), random.integers(3, size=(1, m))

def trained(seed, parallel):
    theta, rule = dk.network_parameters(sizes, seed), dk.optimizers.Adam()
    orders, names = np.random.default_rng(seed), ("relu", "softmax")
    with _threads.always(parallel):
        costs = [
            dk.train_epoch(theta, sizes, rule, X, Y, *names, batch_size=500, order=orders.permutation(m))
            for _ in range(3)
        ]
        results = dk.network_forward(theta, sizes, X, *names)
        gradient, cost = dk.network_propagate(theta, sizes, X, Y, *names)
        model = dk.models.Network((64,), batch_size=500, num_epochs=2, seed=seed).fit(X, Y)
    arrays = (theta, *rule.state.values(), results, gradient, model.theta_)
    numbers = np.array([*costs, cost, *model.costs_])
    return hashlib.sha256(b"".join(array.tobytes() for array in (*arrays, numbers))).hexdigest()
"""

CONCURRENT_TRAINING = """
expected = [trained(seed, False) for seed in range(4)]
assert _threads.layer() == sys.argv[1], _threads.layer()
wrong = []

def work(seed):
    for parallel in (True, None) * 3:
        if trained(seed, parallel) != expected[seed]:
            wrong.append((seed, parallel))

workers = [threading.Thread(target=work, args=[seed]) for seed in (*range(4), *range(4))]
for worker in workers: worker.start()
for worker in workers: worker.join()
print("wrong", *wrong)
"""

#: A child trains before its parent does, two after it.
FORKED_TRAINING = """
def in_child(parallel):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, trained(1, parallel).encode())
        os._exit(0)
    print("status", os.waitpid(child, 0)[1])
    return os.read(read, 64).decode()

found = [in_child(True), trained(1, True), in_child(True), in_child(None)]
found += [trained(1, None), trained(1, False)]
assert _threads.layer() == sys.argv[1], _threads.layer()
print("different", len(set(found)))
"""

JOBLIB_SHARES = """
import os, sys
from joblib import Parallel, cpu_count, delayed

def threads():
    import dlkernels as dk
    return dk.get_num_threads()

found = Parallel(n_jobs=2, backend="loky")(delayed(threads)() for _ in range(2))
print(set(found) == {max(1, cpu_count() // 2)})
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
    "training in several threads": (TRAINING + CONCURRENT_TRAINING, "wrong\n"),
    "training in forks": (TRAINING + FORKED_TRAINING, "status 0\n" * 3 + "different 1\n"),
    "joblib": (JOBLIB, "loky wrong 0\nthreading wrong 0\n"),
}


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


@needs_compiled
def test_training_has_the_same_bits_with_any_numba_num_threads():
    program = TRAINING + "print(trained(1, None), trained(1, True), _threads.maximum())"
    found = set()
    for count in ("1", "2", "3"):
        done = new_process(program, {**os.environ, "NUMBA_NUM_THREADS": count})
        *digests, maximum = done.stdout.split()
        assert maximum == count, done.stderr
        found |= set(digests)
    assert len(found) == 1


def test_a_joblib_worker_gets_its_share_of_the_cpus():
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_NUM_THREADS"}
    result = new_process(JOBLIB_SHARES, environment)
    assert (result.returncode, result.stdout) == (0, "True\n"), result.stderr


FORKED_WHILE_PIECES_LOAD = """
import os, threading, time
import numpy as np
from dlkernels._kernels.limits import multiply_add, read
from llvmlite.binding import ffi

def first_calls():
    # The first calls of kernels that each call a piece.
    for dtype in ("float32", "float64"):
        ones, sums = np.ones(8192, dtype), np.empty(8192, dtype)
        multiply_add.serial(ones, ones, sums, 64, 1)
        read.serial(ones, sums)

thread = threading.Thread(target=first_calls)
thread.start()
forks = stuck = 0
while thread.is_alive():
    time.sleep(0.002)
    pid = os.fork()
    if pid == 0:
        lock = getattr(ffi.lib._lock, "_lock", ffi.lib._lock)
        os._exit(0 if lock.acquire(timeout=0.5) else 1)
    stuck += os.waitpid(pid, 0)[1] != 0
    forks += 1
thread.join()
print("stuck", stuck, "some" if forks else "none")
"""


@needs_compiled
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_no_child_inherits_the_lock_of_llvm(tmp_path):
    """Which a fork finds held while the address of a piece is looked up: 5 of 9 children hung."""
    done = new_process(FORKED_WHILE_PIECES_LOAD, os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "stuck 0 some\n"


#: Two threads get to the compiled modules at once, in different ways.
TWO_WAYS_IN = """
import threading
import dlkernels as dk

def run(statement):
    exec(statement, {"dk": dk})
    print("done")

statements = ("import dlkernels.dense", "dk.sigmoid([0.0])")
threads = [threading.Thread(target=run, args=(statement,)) for statement in statements]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""

#: Eight threads import the models at once.
MODELS_AT_ONCE = """
from concurrent.futures import ThreadPoolExecutor
import dlkernels as dk

def first(i):
    if i % 2:
        from dlkernels.models import LogisticRegression
    else:
        LogisticRegression = dk.models.LogisticRegression
    return LogisticRegression

with ThreadPoolExecutor(8) as pool:
    print(len(set(pool.map(first, range(8)))))
"""


@needs_compiled
@pytest.mark.parametrize(
    ("program", "expected"),
    [(TWO_WAYS_IN, "done\ndone\n"), (MODELS_AT_ONCE, "1\n")],
    ids=["kernels", "models"],
)
def test_threads_that_import_at_once(program, expected):
    """The first two waited for each other, and the others met a package without names."""
    for _ in range(3):
        done = new_process(program, timeout=60)
        assert (done.returncode, done.stdout) == (0, expected), done.stderr


#: Forks while another thread's first call imports numpy.ma, which takes it a second here.
FORK_DURING_AN_IMPORT = """
import os, signal, sys, threading, time
import dlkernels as dk
dk.sigmoid
importing = threading.Event()

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy.ma.core":
            importing.set()
            time.sleep(1)

sys.meta_path.insert(0, Slow())
thread = threading.Thread(target=lambda: dk.sigmoid([0.0]))
thread.start()
importing.wait(10)
child = os.fork()
if child == 0:
    signal.alarm(30)
    os._exit(0 if dk.sigmoid([0.0])[0] == 0.5 else 1)
print(os.waitpid(child, 0)[1])
thread.join()
"""


@needs_compiled
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_fork_during_the_import_of_a_first_call():
    """The child would wait for ever for the end of the import."""
    done = new_process(FORK_DURING_AN_IMPORT)
    assert done.stdout == "0\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_fork_where_numba_cannot_be_imported():
    """The hook tried to import it for ever."""
    program = """
import os, sys
sys.modules["numba"] = None
import dlkernels
child = os.fork()
if child == 0:
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""
    done = new_process(program, timeout=30)
    assert done.stdout == "0\n", done.stderr
