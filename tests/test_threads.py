"""How many threads, in which threads, and what happens where parallel kernels can't be launched."""

from __future__ import annotations

import gc
import os
import platform
import sys
import threading

import numba
import numpy as np
import pytest
from processes import available, new_process

import dlkernels as dk
from dlkernels import _warmup
from dlkernels._calls import cpus
from dlkernels._calls import threads as _threads

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
    dk.set_num_threads(_threads.maximum())

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


def test_show_config(capsys):
    dk.show_config()
    printed = capsys.readouterr().out
    for word in ("dlkernels", "numba", "numpy", "SIMD", "threads", "threading layer", "kernel cache"):
        assert word in printed


OUT_OF_MEMORY = """
import resource
import numpy as np
import dlkernels as dk
from dlkernels._calls import threads as _threads

n, m = 60_000, 1000  # a tile of X, transposed, takes 60 MB
X, W1, Y, one = (np.zeros(shape, np.float32, order="F") for shape in ((n, m), (1, n), (1, m), (1, 1)))

def cost():
    return dk.shallow_propagate(W1, one, one, one, X, Y)[4]

for parallel in (False, True):
    with _threads.always(parallel):
        expected = cost()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 20_000_000, -1))
for parallel in (False, True):
    with _threads.always(parallel):
        try:
            cost()
        except MemoryError:
            print("MemoryError")
resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
if cost() == expected:
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
def test_python_calls_no_function_that_has_no_entry():
    """Those are called through a function that is compiled around them: for tests only."""
    code = """
import numpy as np
import dlkernels as dk
from dlkernels._compiler import options
from dlkernels._kernels.rows import clear

def refuse(self, *arguments):
    raise AssertionError

options._Inner.__call__ = refuse
try:
    clear(np.ones(8))
except AssertionError:
    dk.warmup(["float32"])
    print("done")
"""
    result = new_process(code, timeout=900)
    assert result.stdout.strip() == "done", result.stderr


def test_warming_up_leaves_the_garbage_collector_as_it_was(monkeypatch):
    during, before = [], gc.get_threshold()
    call = lambda: during.append(gc.get_threshold()[0])  # noqa: E731
    monkeypatch.setattr(_warmup, "_first_calls", lambda dtype: [call])
    _warmup.warmup_alone("float64")
    assert (during, gc.get_threshold()) == (3 * [50_000], before)
    dk.warmup(["float64"])
    assert during[3:] == 3 * [before[0]]


@needs_compiled
def test_after_warmup_nothing_is_left_to_compile():
    """In a process of its own: every public function, once, on small and on large input.

    What is read from disk counts, too: other tests may have left there what the warm-up leaves out.
    """
    code = """
import itertools
import numpy as np
import dlkernels as dk
from dlkernels._calls import threads as _threads
from numba.core.dispatcher import Dispatcher

dk.warmup(["float64"])
missing, compile = [], Dispatcher.compile

def record(self, signature):
    known = len(self.overloads)
    result = compile(self, signature)
    if len(self.overloads) > known:
        missing.append(self.__name__)
    return result

Dispatcher.compile = record
for parallel in (None, False, True):
    with _threads.always(parallel):
        for m, order, writeable in itertools.product((3, 2000), "CF", (False, True)):
            X = np.asarray(np.ones((3, m)), order=order)
            Y, W = np.ones((1, m)), np.ones((2, 3))
            X.flags.writeable = writeable
            for name in dk.catalogue.ACTIVATIONS:
                getattr(dk, name)(X)
                getattr(dk, name + "_backward")(X, X, Z=X)
            A = dk.dense_forward(W, X, np.ones((2, 1)), "relu", return_Z=True)[0]
            dk.dense_forward(W, X, np.ones((2, 1)), "relu")
            dk.dense_gradients(A, X)
            dk.dense_gradients(np.ones((64, m)), np.asarray(np.ones((600, m)), order=order))
            dk.dense_backward(np.ones((1, 2)), Y, A, X, "relu")
            dk.dense_backward(np.ones((1, 2)), Y, A, X, "gelu", Z=A)
            dk.binary_cross_entropy(Y, Y), dk.binary_cross_entropy_with_logits(Y, Y)
            dk.squared_error(Y, Y), dk.dot(Y[0], Y[0])
            w, W1, b1 = np.ones((3, 1)), np.ones((2, 3)), np.ones((2, 1))
            W2, b2 = np.ones((1, 2)), np.ones((1, 1))
            dk.logistic_propagate(w, 0.0, X, Y), dk.shallow_propagate(W1, b1, W2, b2, X, Y)
            dk.logistic_descent(w, 0, X, Y, 0.1, 2), dk.shallow_descent(W1, b1, W2, b2, X, Y, 0.1, 2)
            dk.gradient_descent([w], [w * 2], 0.1), dk.gradient_descent([w[:, 0]], [w[:, 0] * 2], 0.1)
        dk.logistic_propagate(np.ones((1025, 1)), 0, np.ones((1025, 4)), np.ones((1, 4)))
        dk.logistic_descent(np.ones((1025, 1)), 0, np.ones((1025, 4)), np.ones((1, 4)), 0.1, 1)
print(missing)
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


#: Prints whether subnormal results are the same in parallel: first where the threads were started in a mode
#: that flushes such numbers to zero, then where the caller has left this mode.
FLUSHED = """
import sys
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
import dlkernels as dk
from dlkernels._calls import threads as _threads

@intrinsic
def load_mode(context, word):
    def generate(context, builder, signature, values):
        number, place = ir.IntType(32), ir.IntType(8).as_pointer()
        memory = builder.alloca(number)
        builder.store(values[0], memory)
        kind = ir.FunctionType(ir.VoidType(), [place])
        load = ir.Function(builder.module, kind, "llvm.x86.sse.ldmxcsr")
        builder.call(load, [builder.bitcast(memory, place)])
        return context.get_dummy_value()
    return types.none(types.uint32), generate

@njit
def set_mode(word):
    load_mode(np.uint32(word))

Z = np.full(1_000_000, 1e-310)

def same():
    with _threads.always(False):
        expected = dk.relu(Z).tobytes()
    with _threads.always(True):
        return dk.relu(Z).tobytes() == expected

assert dk.relu(Z[:9]).tobytes() != bytes(72)
set_mode(0x9FC0)  # flushes to zero, and takes subnormal numbers for zeros
assert dk.relu(Z[:9]).tobytes() == bytes(72)
started = same()
assert _threads.layer() == sys.argv[1]
set_mode(0x1F80)  # as programs start
print(started, same())
"""


@pytest.mark.slow
@needs_compiled
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the mode is set as on x86-64")
@pytest.mark.skipif(cpus.usable() == 1, reason="no threads are started")
@pytest.mark.parametrize("layer", ["tbb", "omp", "workqueue"])
def test_threads_flush_subnormal_numbers_as_they_did_when_started(layer):
    """Those of tbb take the caller's mode. The guide promises the same bits with this exception."""
    if not available(layer):
        pytest.skip(f"{layer} is not available here")
    result = new_process(FLUSHED, {**os.environ, "NUMBA_THREADING_LAYER": layer}, layer)
    assert result.stdout == f"True {layer == 'tbb'}\n", result.stderr
