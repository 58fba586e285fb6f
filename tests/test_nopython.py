"""The public functions inside compiled code of one's own: the same bits, the same refusals, cached."""

from __future__ import annotations

import os
import re
import sys

import arrays
import compiled
import numpy as np
import pytest
from numba import TypingError, njit, prange, vectorize
from processes import new_process

import dlkernels as dk
from models import ShallowNetwork

FLOATS = (np.float64, np.float32)
#: Rows, rows before and columns: less than a vector, tiles with a rest, tall, more than a tile of columns.
SHAPES = ((1, 1, 1), (3, 4, 5), (33, 17, 70), (2, 1100, 9), (70, 300, 250), (5, 3, 2000))


def same_bits(first, second):
    first, second = np.asarray(first), np.asarray(second)
    return first.shape == second.shape and first.dtype == second.dtype and first.tobytes() == second.tobytes()


def assert_same(name, given):
    """From Python and from compiled code, on copies of the same arguments."""
    expected = arrays.call(getattr(dk, name), name, given)
    found = arrays.call(compiled.FUNCTIONS[name], name, without_flags(given))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert same_bits(one, other), (name, np.shape(one))


def without_flags(given):
    return {key: value for key, value in given.items() if key != "return_Z"}


def test_every_function_but_those_that_update_in_place():
    assert set(compiled.FUNCTIONS) == set(arrays.FUNCTIONS) - set(arrays.UPDATED)


#: Those that are compiled once more, for float32 in Fortran order.
ALSO_FLOAT32 = (
    "sigmoid",
    "tanh_backward",
    "dense_backward",
    "dot",
    "logistic_propagate",
    "shallow_propagate",
)


@pytest.mark.parametrize(
    ("name", "dtype", "layout"),
    [(name, np.float64, arrays.c_order) for name in compiled.FUNCTIONS]
    + [(name, np.float32, arrays.fortran_order) for name in ALSO_FLOAT32],
)
@pytest.mark.slow
def test_same_bits(name, dtype, layout):
    rng = np.random.RandomState(1)
    for n, k, m in SHAPES:
        for activation in arrays.ACTIVATIONS if arrays.takes_activation(name) else ("tanh",):
            given = arrays.arguments(name, rng, n, k, m, dtype, activation, lambda r, *s: r.randn(*s))
            assert_same(name, {k: layout(v) if isinstance(v, np.ndarray) else v for k, v in given.items()})


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("identity", arrays.misaligned),
        ("relu_backward", arrays.strided),
        ("squared_error", arrays.strided),
        ("dense_gradients", arrays.misaligned),
        ("dense_gradients", arrays.strided),
        ("shallow_propagate", arrays.misaligned),
        ("shallow_propagate", arrays.read_only),
    ],
)
@pytest.mark.slow
def test_layouts(name, layout):
    given = arrays.arguments(name, np.random.RandomState(2), 9, 7, 30)
    assert_same(name, {k: layout(v) if isinstance(v, np.ndarray) else v for k, v in given.items()})


@pytest.mark.parametrize("dtype", [np.int64, bool, np.float64])
@pytest.mark.parametrize("name", ["sigmoid", "relu_backward", "dot"])
@pytest.mark.slow
def test_mixed_numbers(name, dtype):
    """float32 beside integers and booleans: float64, as from Python."""
    given = arrays.arguments(name, np.random.RandomState(3), 3, 4, 5, np.float32)
    first = next(key for key, value in given.items() if isinstance(value, np.ndarray))
    assert_same(name, given | {first: given[first].astype(dtype)})


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3, 4)])
@pytest.mark.parametrize("name", ["tanh", "tanh_backward"])
def test_any_number_of_axes(name, shape):
    values = [np.random.RandomState(4).uniform(-1, 1, shape) for _ in range(2)]
    given = {"Z": values[0]} if name == "tanh" else {"dA": values[0], "A": values[1]}
    assert_same(name, given)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", arrays.ACTIVATIONS)
@pytest.mark.slow
def test_single_numbers(name, dtype):
    function, derivative = getattr(dk, name), getattr(dk, f"{name}_backward")

    @njit
    def one_by_one(z, d, a, dz):
        for i in range(z.size):
            a[i] = function(z[i])
            dz[i] = derivative(d[i], z[i], Z=z[i])

    rng = np.random.RandomState(5)
    special = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-300, 1e300, 89.0, -104.0, 710.0, -745.0]
    with np.errstate(over="ignore"):
        z = np.array([*(rng.randn(1000) * 10.0 ** rng.uniform(-3, 3, 1000)), *special]).astype(dtype)
    d = rng.randn(z.size).astype(dtype)
    a, dz = np.full_like(z, 7), np.full_like(z, 7)
    one_by_one(z, d, a, dz)
    assert same_bits(a, function(z))
    assert same_bits(dz, derivative(d, z, Z=z))


def test_constants():
    """LLVM isn't to compute what the processor rounds in another way."""
    numbers = [float(z) for z in 3 * np.random.RandomState(9).randn(60)]
    program = ", ".join(f"dk.sigmoid({z}), dk.tanh({z}), dk.tanh_backward(1.5, {z})" for z in numbers)
    names = {"dk": dk}
    exec(f"def constants(): return ({program})", names)
    found = np.array(njit(names["constants"])()).reshape(-1, 3).T
    Z = np.array(numbers)
    assert same_bits(found[0], dk.sigmoid(Z))
    assert same_bits(found[1], dk.tanh(Z))
    assert same_bits(found[2], dk.tanh_backward(np.full(60, 1.5), Z))


@pytest.mark.slow
def test_any_number_as_slope_and_bias():
    @njit
    def both(Z, slope, w, b, X, Y):
        return dk.leaky_relu(Z, slope), dk.logistic_propagate(w, b, X, Y)[2]

    Z, X = np.array([-1.0, 2.0]), np.ones((1, 3), np.float32)
    w, Y = np.zeros((1, 1), np.float32), np.zeros((1, 3), np.float32)
    for slope, b in ((np.float32(0.1), 2**60 + 2**36 + 1), (2, 0.5), (np.nan, np.float32(0.1))):
        A, cost = both(Z, slope, w, b, X, Y)
        assert same_bits(A, dk.leaky_relu(Z, slope))
        assert cost == dk.logistic_propagate(w, b, X, Y)[2]


def test_type_of_single_numbers():
    @njit
    def pair(z):
        return dk.sigmoid(z), dk.leaky_relu(z, 0.5)

    for number in (2.0, np.float64(2), 2, True):
        found = pair(number)
        assert found == (float(dk.sigmoid(float(number))), float(number))
    pair(np.float32(-2))
    results = pair.overloads[pair.signatures[-1]].signature.return_type
    assert str(results) == "UniTuple(float32 x 2)"
    assert pair(np.float32(-2)) == (float(dk.sigmoid(np.float32(-2))), -1.0)


def test_inside_vectorize():
    @vectorize
    def sharp(z):
        return dk.sigmoid(3.0 * z)

    z = np.linspace(-2, 2, 50)
    assert same_bits(sharp(z), dk.sigmoid(3.0 * z))


@pytest.mark.slow
@pytest.mark.parametrize("name", arrays.ACTIVATIONS)
def test_no_error_flags_inside_vectorize(name):
    """A ufunc warns, or raises, if a branch that isn't taken overflows or divides by 0 in its computation."""
    function = getattr(dk, name)
    ufunc = vectorize(["float32(float32)", "float64(float64)"])(lambda z: function(z))
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        for dtype, largest in ((np.float32, 3e38), (np.float64, 1e308)):
            for z in (0, 1, 266, 621, 1e15, 1e27, 1e29, 1e31, largest, np.inf):
                ufunc(np.array([z, -z] * 9, dtype))


# -- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("relu_backward", {"Z": np.zeros((5, 3))}),
        ("dense_forward", {"W": np.zeros((3, 6))}),
        ("dense_forward", {"b": np.zeros((1, 3))}),
        ("dense_gradients", {"dZ": np.zeros((3, 6))}),
        ("dense_gradients", {"dZ": np.zeros((3, 0)), "A_prev": np.zeros((4, 0))}),
        ("dense_backward", {"A": np.zeros((3, 6))}),
        ("binary_cross_entropy", {"A": np.zeros((2, 5))}),
        ("binary_cross_entropy_with_logits", {"Z": np.zeros((1, 4))}),
        ("squared_error", {"A": np.zeros((1, 0)), "Y": np.zeros((1, 0))}),
        ("dot", {"a": np.zeros(4)}),
        ("logistic_propagate", {"w": np.zeros((1, 4))}),
        ("logistic_propagate", {"X": np.zeros((4, 0)), "Y": np.zeros((1, 0))}),
        ("shallow_propagate", {"W2": np.zeros((2, 3))}),
        ("shallow_propagate", {"Y": np.zeros((1, 4))}),
    ],
)
@pytest.mark.slow
def test_same_words_for_shapes_that_do_not_fit(name, wrong):
    given = arrays.arguments(name, np.random.RandomState(0), 3, 4, 5) | wrong
    with pytest.raises(ValueError, match=f"^{name}: ") as expected:
        getattr(dk, name)(**given)
    with pytest.raises(ValueError, match=f"^{name}: ") as found:
        compiled.FUNCTIONS[name](**without_flags(given))
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("sigmoid", {"Z": np.zeros(3, np.complex128)}, "sigmoid: Z has dtype complex128"),
        ("sigmoid", {"Z": "text"}, "sigmoid: Z has type unicode_type"),
        ("dense_forward", {"b": np.zeros(3)}, "dense_forward: b must have 2 axes but has 1"),
        ("dense_forward", {"activation": 3}, "dense_forward: activation must be a string"),
        ("dot", {"b": np.zeros((5, 1))}, "dot: b must have 1 axis but has 2"),
        ("logistic_propagate", {"b": np.zeros(2)}, "logistic_propagate: b must be a real number"),
        ("relu_backward", {"Z": 1.0}, "dA and Z must have the same shape"),
    ],
)
def test_types_are_refused_when_compiling(name, wrong, words):
    given = arrays.arguments(name, np.random.RandomState(0), 3, 4, 5) | wrong
    with pytest.raises(TypingError, match=words):
        compiled.FUNCTIONS[name](**without_flags(given))


def test_unknown_activation():
    given = without_flags(arrays.arguments("dense_forward", np.random.RandomState(0)))
    words = f"dense_forward: activation must be one of {', '.join(arrays.ACTIVATIONS)}"
    with pytest.raises(ValueError, match=words):
        compiled.dense_forward(**given | {"activation": "swish"})

    @njit
    def written_down(W, X, b):
        return dk.dense_forward(W, X, b, "swish")

    with pytest.raises(ValueError, match=words):
        written_down(given["W"], given["A_prev"], given["b"])


# -- out -----------------------------------------------------------------------------------------------


def test_out():
    @njit
    def in_place(Z, dA):
        A = dk.tanh(Z, out=Z)
        return A, dk.tanh_backward(dA, A, out=A)

    Z, dA = np.random.RandomState(6).randn(2, 50)
    expected = dk.tanh_backward(dA, dk.tanh(Z))
    A, dZ = in_place(Z, dA)
    assert A.ctypes.data == dZ.ctypes.data == Z.ctypes.data
    assert same_bits(Z, expected)


def test_out_that_does_not_fit():
    @njit
    def into(Z, out):
        return dk.relu(Z, out=out)

    Z = np.linspace(-1, 1, 12)
    before = Z.copy()
    with pytest.raises(ValueError, match=r"relu: out has shape \(3,\) but the result has shape \(12,\)"):
        into(Z, np.zeros(3))
    with pytest.raises(ValueError, match="relu: out overlaps Z in memory"):
        into(Z[1:], Z[:-1])
    with pytest.raises(TypingError, match="relu: out has dtype float32 but the result has dtype float64"):
        into(Z, np.zeros(12, np.float32))
    with pytest.raises(TypingError, match="relu: out is read-only"):
        into(Z, arrays.read_only(Z))
    layout = r"relu: out must be aligned and in C order;.*allocate np\.empty\(shape, np\.float64\)"
    with pytest.raises(TypingError, match=rf"{layout} \(Numba's type of out, array\(float64, 1d, A\)"):
        into(Z, np.zeros(24)[::2])
    with pytest.raises(ValueError, match=layout):
        into(Z, arrays.misaligned(Z))
    assert same_bits(Z, before)


@pytest.mark.slow
def test_outs_of_a_step():
    @njit
    def step(W, X, b, Y, outs):
        A, Z = dk.dense_forward(W, X, b, "relu", out=outs[0], return_Z=True)
        dk.dense_gradients(A, X, out=outs[1])
        dk.dense_backward(W, A, A, X, "relu", Z=Z, out=outs[2])
        dk.logistic_propagate(b, 0.5, X, Y, out=outs[3])
        return dk.shallow_propagate(W, b, b.T.copy(), b[:1], X, Y, out=outs[4])

    rng = np.random.RandomState(7)
    W, X, b = rng.randn(3, 3), rng.randn(3, 8), rng.randn(3, 1)
    Y = np.ones((1, 8))

    def new(*shape):
        return np.full(shape, np.nan)

    outs = (
        (new(3, 8), new(3, 8)),
        (new(3, 3), new(3, 1)),
        (new(3, 8), new(3, 3), new(3, 1)),
        new(3, 1),
        (new(3, 3), new(3, 1), new(1, 3), new(1, 1)),
    )
    returned = step(W, X, b, Y, outs)
    A, Z = dk.dense_forward(W, X, b, "relu", return_Z=True)
    expected = (
        (A, Z),
        dk.dense_gradients(A, X),
        dk.dense_backward(W, A, A, X, "relu", Z=Z),
        (dk.logistic_propagate(b, 0.5, X, Y)[0],),
        dk.shallow_propagate(W, b, b.T.copy(), b[:1], X, Y)[:4],
    )
    for found, wanted in zip(outs, expected, strict=True):
        found = found if isinstance(found, tuple) else (found,)
        assert all(same_bits(one, other) for one, other in zip(found, wanted, strict=True))
    assert [array.ctypes.data for array in returned[:4]] == [array.ctypes.data for array in outs[4]]

    with pytest.raises(
        ValueError, match=r"out\[0\] \(dW\) has shape \(2, 2\) but the result has shape \(3, 3\)"
    ):
        step(W, X, b, Y, (outs[0], (new(2, 2), new(3, 1)), *outs[2:]))
    with pytest.raises(ValueError, match="dense_gradients: out overlaps an input in memory"):
        step(W, W, b, Y[:, :3], ((new(3, 3), new(3, 3)), (W, new(3, 1)), *outs[2:]))
    twice = new(3, 8)
    with pytest.raises(ValueError, match="dense_forward: the arrays of out overlap in memory"):
        step(W, X, b, Y, ((twice, twice), *outs[1:]))


# -- in larger programs --------------------------------------------------------------------------------


@pytest.mark.slow
def test_outer_parallel_loop():
    """A parallel loop of the caller's: the kernels inside are serial."""

    @njit(parallel=True)
    def propagate_all(w, X, b, dw, costs, Y):
        for i in prange(len(w)):
            dw[i], _, costs[i] = dk.logistic_propagate(w[i], b[i], X, Y)

    rng = np.random.RandomState(8)
    w, X, b = rng.randn(20, 6, 1), rng.randn(6, 500), rng.randn(20)
    Y = (rng.uniform(size=(1, 500)) > 0.5).astype(float)
    dw, costs = np.empty((20, 6, 1)), np.empty(20)
    propagate_all(w, X, b, dw, costs, Y)
    for i in range(20):
        expected, _, cost = dk.logistic_propagate(w[i], b[i], X, Y)
        assert same_bits(dw[i], expected)
        assert costs[i] == cost


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.slow
def test_first_use_in_two_threads(order):
    """One thread compiles a function that uses dlkernels, the other calls it from Python: neither waits."""
    code = """
import threading
import numpy as np
from numba import njit
import dlkernels as dk

@njit
def compiled(z):
    return dk.tanh(z)

together = threading.Barrier(2)

def compile():
    together.wait()
    print(f"{compiled(0.0)}\\n", end="")  # in one piece, beside the other thread's

def call():
    together.wait()
    print(f"{dk.sigmoid(np.zeros(1))[0]}\\n", end="")

threads = [threading.Thread(target=(compile, call)[i], daemon=True) for i in (%d, %d)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(100)
"""
    done = new_process(code % order)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == ["0.0", "0.5"]


@pytest.mark.slow
def test_options_of_the_caller_are_not_those_of_the_kernels(tmp_path):
    """A function that is to be inlined leaves no kernel in the cache that is to be inlined as well."""
    code = """
import sys
import numpy as np
from numba import njit
import dlkernels as dk

v = np.ones(3)
if sys.argv[1] == "first":
    print(njit(forceinline=True)(lambda v: dk.dot(v, v))(v))
else:
    print(njit(lambda v: dk.squared_error(v.reshape(1, 3), 3 * v.reshape(1, 3)))(v))
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    for which, expected in (("first", "3.0"), ("second", "4.0")):
        done = new_process(code, environment, which)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == expected


@pytest.mark.slow
def test_model_in_one_function():
    """The network of `models`, trained by a compiled function of one's own."""

    @njit
    def fit(W1, b1, W2, b2, X, Y, rate, steps):
        for _ in range(steps):
            dW1, db1, dW2, db2, cost = dk.shallow_propagate(W1, b1, W2, b2, X, Y, "tanh")
            W1 -= rate * dW1
            b1 -= rate * db1
            W2 -= rate * dW2
            b2 -= rate * db2
        return cost

    flower = dk.data.flower()
    X, Y = flower.X_train, flower.Y_train
    model = ShallowNetwork(4, seed=3, learning_rate=1.2, num_iterations=200, backend="numpy").fit(X, Y)
    random = np.random.RandomState(3)
    W1, b1 = random.randn(4, 2) * 0.01, np.zeros((4, 1))
    W2, b2 = random.randn(1, 4) * 0.01, np.zeros((1, 1))
    fit(W1, b1, W2, b2, X, Y, 1.2, 200)
    for found, expected in zip((W1, b1, W2, b2), model.parameters_.values(), strict=True):
        assert np.allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_kernels_are_not_inlined():
    """Their copies in the caller's code are to give the bits that they give by themselves."""
    function = njit(lambda v: dk.dot(v, v))
    assert function(np.ones(3)) == 3
    code = function.inspect_llvm(function.signatures[0])
    for kernel in ("reduce_rows", "chunk"):
        groups = re.findall(rf"^define .*dlkernels.*{kernel}.* #(\d+)", code, re.M)
        assert groups, kernel
        for group in groups:
            assert re.search(rf"^attributes #{group} = .*\bnoinline\b", code, re.M), kernel


PROGRAM = """
import sys
import numpy as np
from numba import njit
import dlkernels as dk

@njit(cache=True)
def step(W, X, b, Y):
    A = dk.dense_forward(W, X, b, "sigmoid")
    dW, db = dk.dense_gradients(A - Y, X)
    return dW, dk.sigmoid(0.25), dk.binary_cross_entropy(A, Y)

def run():
    W, X, b, Y = np.ones((1, 3)), np.arange(12.0).reshape(3, 4) / 12, np.zeros((1, 1)), np.ones((1, 4))
    dW, a, cost = step(W, X, b, Y)
    print(dW.tobytes().hex(), a.hex(), cost.hex(), sum(step.stats.cache_hits.values()))
    try:
        step(W, X[:2], b, Y)
    except ValueError as error:
        print(error)
"""


@pytest.mark.slow
def test_cached_in_a_file_of_one_s_own(tmp_path):
    """A second process loads the machine code. The first use of dlkernels' functions is inside it."""
    (tmp_path / "mine.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    outputs = []
    for _ in range(2):
        done = new_process("import mine; mine.run()", environment)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout.splitlines())
    (first, refusal), (second, refusal_again) = outputs
    assert first.split()[:-1] == second.split()[:-1]
    assert (first.split()[-1], second.split()[-1]) == ("0", "1")
    assert refusal == refusal_again
    assert refusal.startswith("dense_forward: W has 3 columns but A_prev has 2 rows")
