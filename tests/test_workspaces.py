"""Results go where the caller says, and a loop of one's own allocates no array after its first step."""

from __future__ import annotations

import operator
import os

import arrays
import numba
import numpy as np
import pytest
from processes import new_process

import dlkernels as dk
from dlkernels import backends
from dlkernels._calls import plans, threads, workspaces

compiled_only = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")

#: Functions that take a tuple (or, for one result, an array), and the shapes of their results.
RESULTS = ("dense_forward", "dense_gradients", "dense_backward", "logistic_propagate", "shallow_propagate")


def split(name, result):
    """The arrays and the numbers that a function returns."""
    found = [value for value in result if isinstance(value, np.ndarray)]
    return found, list(result)[len(found) :]


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


def as_out(name, given):
    return given[0] if name == "logistic_propagate" else tuple(given)


@pytest.mark.parametrize("activation", arrays.ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", backends.NAMES)
@pytest.mark.parametrize("name", RESULTS)
def test_results_are_written_to_out(name, backend, dtype, activation):
    function = getattr(backends.get(backend), name)
    rng = np.random.RandomState(1)
    for shape in ((3, 4, 5), (1, 1, 1), (7, 2, 300), (0, 3, 2), (2, 0, 3)):
        given = arrays.arguments(name, rng, *shape, dtype=np.dtype(dtype).type, activation=activation)
        wanted, numbers = split(name, function(**given))
        outs = [np.full_like(array, np.nan) for array in wanted]
        found, same = split(name, function(**given, out=as_out(name, outs)))
        assert [id(array) for array in found] == [id(array) for array in outs]
        for array, expected in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(array, expected)
        assert same == numbers


@pytest.mark.parametrize("backend", backends.NAMES)
def test_one_array_takes_a_alone_and_z_is_new(backend):
    given = arrays.arguments("dense_forward", np.random.RandomState(1), activation="relu")
    wanted = backends.get(backend).dense_forward(**given)
    out = np.full_like(wanted[0], np.nan)
    A, Z = backends.get(backend).dense_forward(**given, out=out)
    assert A is out
    np.testing.assert_array_equal(A, wanted[0])
    np.testing.assert_array_equal(Z, wanted[1])


@pytest.mark.parametrize("layout", [label for label, _ in arrays.LAYOUTS])
@pytest.mark.parametrize("backend", backends.NAMES)
@pytest.mark.parametrize("name", RESULTS)
def test_out_with_inputs_of_any_layout(name, backend, layout):
    """Whether they are taken as they are, or converted."""
    function = getattr(backends.get(backend), name)
    given = arrays.arguments(name, np.random.RandomState(2))
    change = dict(arrays.LAYOUTS)[layout]
    odd = {key: change(value) if isinstance(value, np.ndarray) else value for key, value in given.items()}
    wanted, _ = split(name, function(**odd))
    outs = [np.full_like(array, np.nan) for array in wanted]
    function(**odd, out=as_out(name, outs))
    for array, expected in zip(outs, wanted, strict=True):
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("backend", backends.NAMES)
@pytest.mark.parametrize("name", RESULTS)
def test_out_may_be_a_memory_map(name, backend, tmp_path):
    function = getattr(backends.get(backend), name)
    given = arrays.arguments(name, np.random.RandomState(2))
    wanted, _ = split(name, function(**given))
    outs = [np.memmap(tmp_path / str(i), a.dtype, "w+", shape=a.shape) for i, a in enumerate(wanted)]
    found, _ = split(name, function(**given, out=as_out(name, outs)))
    for array, out, expected in zip(found, outs, wanted, strict=True):
        assert array is out
        np.testing.assert_array_equal(array, expected)
        out._mmap.close()


@compiled_only
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("n", "k", "m"),
    [
        (4, 2, 400),
        (9, 30, 569),
        (70, 64, 1797),
        (130, 250, 300),
        (6, 1500, 33),
        (23, 600, 3900),
        (60, 201, 3000),
    ],
)
def test_no_bit_depends_on_what_the_workspace_held(n, k, m, dtype, order, monkeypatch):
    """Full of NaN and of exactly the size that is needed, behind which nothing is written; or larger."""
    rng = np.random.default_rng(4)

    def draw(*shape):
        return np.asarray(rng.normal(size=shape), dtype, order=order)

    W, X, b, W2, Y = draw(n, k), draw(k, m), draw(n, 1), draw(1, n), (draw(1, m) > 0).astype(dtype)
    w, D, b2 = draw(k, 1), draw(n, m), draw(1, 1)
    P = dk.sigmoid(np.ascontiguousarray(X[:1]))

    def everything():
        yield from dk.dense_forward(W, X, b, "relu", return_Z=True)
        yield from dk.dense_gradients(D, X)
        yield from dk.dense_backward(W2, Y, D, X, "tanh")
        yield from dk.logistic_propagate(w, 0.1, X, Y)
        yield from dk.shallow_propagate(W, b, W2, b2, X, Y)
        yield dk.binary_cross_entropy(P, Y)

    def bits():
        return [np.asarray(value).tobytes() for value in everything()]

    behind = []

    def full_of_nan(size, dtype):
        memory = np.full(size + 64, np.nan, dtype)
        behind.append(memory[size:])
        return memory[:size]

    def larger(size, dtype):
        return np.full(size + 1000, 7, dtype)

    expected = bits()
    for parallel in (False, True):
        for lend in (full_of_nan, larger):
            monkeypatch.setattr(plans, "workspace", lend)
            monkeypatch.setattr(workspaces, "_kept", workspaces._Kept())
            with threads.always(parallel):
                assert bits() == expected
    assert len(behind) > 8
    assert np.all(np.isnan(behind))


def test_scratch_is_aligned_kept_and_bounded():
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        first = workspaces.workspace(1000, dtype)
        assert first.size >= 1000
        assert first.dtype == dtype
        assert first.ctypes.data % 64 == 0
        assert workspaces.workspace(10, dtype) is first
        larger = workspaces.workspace(first.size + 1, dtype)
        assert larger.size > first.size
        most = workspaces._MOST_KEPT
        assert workspaces.workspace(most + 1, dtype).size > most
        assert workspaces.workspace(10, dtype) is larger  # that much isn't kept


@compiled_only
@pytest.mark.parametrize(("n", "k", "m"), [(5, 6, 7), (60, 40, 3000), (3, 1100, 5)])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", ["dense_forward keeping Z", *RESULTS])
def test_calls_that_need_no_conversion_are_checked_by_compiled_code(name, n, k, m, order, monkeypatch):
    """Those with scratch memory and threads to be provided, too: the third is shared out by features."""
    name, keeping_Z = name.split()[0], " " in name
    given = arrays.arguments(name, np.random.RandomState(0), n, k, m)
    if name == "dense_forward":
        given["return_Z"] = keeping_Z
    if order == "F" and name.endswith("propagate"):
        given["X"] = np.asfortranarray(given["X"])
    function = getattr(dk, name)
    with threads.always(False):
        wanted, numbers = split(name, as_tuple(function(**given)))
    with monkeypatch.context() as patch:
        patch.setattr(f"dlkernels._inputs.checks.{name.removesuffix('_propagate')}", None)
        patch.setattr(workspaces, "_kept", workspaces._Kept())
        found, same = split(name, as_tuple(function(**given)))
        assert [a.tobytes() for a in found] == [a.tobytes() for a in wanted]
        assert same == numbers
        outs = tuple(np.full_like(array, np.nan) for array in wanted)
        again, same = split(name, as_tuple(function(**given, out=outs if len(outs) > 1 else outs[0])))
        assert all(map(operator.is_, again, outs))
        assert [a.tobytes() for a in again] == [a.tobytes() for a in wanted]
        assert same == numbers


#: A program of its own: Numba counts allocations only where NUMBA_NRT_STATS is set when it starts. It counts
#: one for each array that is passed to compiled code, too, which are counted here and taken away; NumPy is
#: given functions that count.
COUNTING = """
import ctypes, sys, tracemalloc
import numba
import numpy as np
from numpy._core import _multiarray_umath
from numba.core.runtime import rtsys
import dlkernels as dk
from dlkernels._calls import threads

class Allocator(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("ctx", "malloc", "calloc", "realloc", "free")]

class Handler(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * 127), ("version", ctypes.c_uint8), ("allocator", Allocator)]

size = ctypes.c_size_t
ctypes.pythonapi.PyCapsule_New.restype = ctypes.py_object
ctypes.pythonapi.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
ctypes.pythonapi.PyCapsule_GetPointer.restype = ctypes.c_void_p
ctypes.pythonapi.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
api = ctypes.cast(
    ctypes.pythonapi.PyCapsule_GetPointer(_multiarray_umath._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p)
)
set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(api[304])
get_handler = ctypes.PYFUNCTYPE(ctypes.py_object)(api[305])
name = b"mem_handler"
theirs = Handler.from_address(ctypes.pythonapi.PyCapsule_GetPointer(get_handler(), name))
ours = Handler(b"counting", 1)
allocated = 0

def counted(original, *kinds):
    kind = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, *kinds)
    function = kind(original)
    def call(*given):
        global allocated
        allocated += 1
        return function(*given)
    return kind(call)

kept = [
    counted(theirs.allocator.malloc, size),
    counted(theirs.allocator.calloc, size, size),
    counted(theirs.allocator.realloc, ctypes.c_void_p, size),
]
ours.allocator.ctx, ours.allocator.free = theirs.allocator.ctx, theirs.allocator.free
ours.allocator.malloc, ours.allocator.calloc, ours.allocator.realloc = (
    ctypes.cast(function, ctypes.c_void_p).value for function in kept
)
set_handler(ctypes.pythonapi.PyCapsule_New(ctypes.addressof(ours), name, None))

before = allocated
_ = np.empty(3), np.zeros(3)
assert allocated == before + 2, "NumPy's arrays aren't counted"
assert numba.njit(lambda: np.zeros(3))()[0] == 0
assert rtsys.get_allocation_stats().alloc > 0, "Numba's arrays aren't counted"

parallel = {"serial": False, "parallel": True, "by size": None}[sys.argv[1]]
rng = np.random.default_rng(0)

def steps(n, k, m, dtype, order):
    def draw(*shape):
        return (rng.normal(size=shape) / 10).astype(dtype)

    X, Y = np.asarray(draw(k, m), order=order), (draw(1, m) > 0).astype(dtype)
    W1, b1, W2, b2 = draw(n, k), draw(n, 1), draw(1, n), draw(1, 1)
    w, D = draw(k, 1), draw(n, m)
    A, Z, dZ = np.empty_like(D), np.empty_like(D), np.empty_like(D)
    dW1, db1, dW2, db2 = (np.empty_like(p) for p in (W1, b1, W2, b2))
    dw, A2, dZ2 = np.empty_like(w), np.empty_like(Y), np.empty_like(Y)

    def two_layers():
        dk.dense_forward(W1, X, b1, "relu", out=(A, Z), return_Z=True)
        dk.dense_forward(W2, A, b2, "sigmoid", out=A2)
        cost = dk.binary_cross_entropy(A2, Y)
        np.subtract(A2, Y, out=dZ2)
        dk.dense_gradients(dZ2, A, out=(dW2, db2))
        dk.dense_backward(W2, dZ2, A, X, "relu", Z=Z, out=(dZ, dW1, db1))
        dk.gradient_descent((W1, b1, W2, b2), (dW1, db1, dW2, db2), 0.1)
        return cost

    def one_pass():
        *_, cost = dk.shallow_propagate(W1, b1, W2, b2, X, Y, out=(dW1, db1, dW2, db2))
        dk.gradient_descent((W1, b1, W2, b2), (dW1, db1, dW2, db2), 0.1)
        return cost

    yield "dense_forward", lambda: dk.dense_forward(W1, X, b1, "tanh", out=A)
    yield "dense_gradients", lambda: dk.dense_gradients(D, X, out=(dW1, db1))
    yield "dense_backward", lambda: dk.dense_backward(W2, Y, D, X, "tanh", out=(dZ, dW1, db1))
    yield "logistic_propagate", lambda: dk.logistic_propagate(w, 0.0, X, Y, out=dw)
    yield "shallow_propagate", lambda: dk.shallow_propagate(W1, b1, W2, b2, X, Y, out=(dW1, db1, dW2, db2))
    yield "two layers", two_layers
    yield "one pass", one_pass

def networks(sizes, m, dtype, order):
    X = np.asarray(rng.normal(size=(sizes[0], m)).astype(dtype), order=order)
    classes = rng.integers(sizes[-1], size=(1, m)).astype(dtype)
    labels = (np.arange(sizes[-1])[:, np.newaxis] == classes).astype(dtype)
    weights, indices = rng.uniform(size=m).astype(dtype), rng.permutation(m)
    theta, rule = dk.network_parameters(sizes, 0, dtype=dtype), dk.optimizers.Adam()
    gradient, A = np.empty_like(theta), np.empty((sizes[-1], m), dtype)
    yield "network_forward", lambda: dk.network_forward(theta, sizes, X, out=A)
    for output, Y in (("sigmoid", labels), ("softmax", classes)):
        names = "relu", output
        for more in ({}, {"sample_weight": weights, "l2": 0.1}):
            yield "network_propagate", lambda: dk.network_propagate(
                theta, sizes, X, Y, *names, **more, out=gradient
            )
            for taken in (None, indices):
                yield "train_epoch", lambda: dk.train_epoch(
                    theta, sizes, rule, X, Y, *names, **more, batch_size=32, order=taken
                )

def check(count, steps, *given):
    for name, step in steps(*given):
        with threads.always(parallel):
            step()
            numpys, numbas = allocated, rtsys.get_allocation_stats().alloc
            for _ in range(count):
                step()
            numpys = allocated - numpys
            numbas = rtsys.get_allocation_stats().alloc - numbas
            tracemalloc.start()
            step()
            peak = tracemalloc.get_traced_memory()[1]  # also of lists and the like
            tracemalloc.stop()
        # A gradient is computed by a row of 12 settings.
        wanted = count * (name == "network_propagate"), 0
        assert (numpys, numbas) == wanted, (name, *given, numpys, numbas)
        assert peak < 4096, (name, *given, peak)

for order in ("C", "F"):
    check(100, steps, 4, 2, 400, "float64", order)
    check(100, steps, 9, 30, 569, "float32", order)
    for shape in ((70, 64, 1797), (6, 1500, 33), (130, 250, 300)):
        check(5, steps, *shape, "float32", order)
    # A twin that is chosen by hand is called in the way that checks and converts all arguments.
    for count in (1, threads.maximum()) if parallel is None else ():
        with dk.threads(count):
            check(20, networks, (30, 16, 3), 569, "float64", order)
            check(5, networks, (64, 100, 10), 1797, "float32", order)
print("counted")
"""


@compiled_only
@pytest.mark.parametrize("twin", ["serial", "parallel", "by size"])
def test_no_array_is_allocated_after_the_first_step(twin):
    done = new_process(COUNTING, os.environ | {"NUMBA_NRT_STATS": "1"}, twin, timeout=600)
    assert done.stdout == "counted\n", done.stderr
