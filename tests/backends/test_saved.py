"""What derivatives are computed from: A, Z or either. What a program passes is never silently wrong."""

from __future__ import annotations

import arrays
import numba
import numpy as np
import pytest

import dlkernels as dk
from dlkernels import backends
from dlkernels._calls import threads
from dlkernels.catalogue import ACTIVATIONS

FROM = {name: activation.derivative_from for name, activation in ACTIVATIONS.items()}
EITHER = [name for name in ACTIVATIONS if FROM[name] == "A or Z"]
Z_ONLY = [name for name in ACTIVATIONS if FROM[name] == "Z"]


@pytest.fixture(params=["python", "numpy", "numba", "numba, parallel", "njit"])
def functions(request):
    """`backward(name, dA, A, Z)` and `dense_backward`; A or Z may be None."""
    if request.param == "njit":
        yield compiled_backward, compiled_dense_backward
        return
    backend = backends.get(request.param.removesuffix(", parallel"))

    def backward(name, dA, A, Z):
        return getattr(backend, f"{name}_backward")(dA, A, Z=Z)

    with threads.always(True if request.param.endswith("parallel") else None):
        yield backward, backend.dense_backward


def compiled_backward(name, dA, A, Z):
    function = getattr(dk, f"{name}_backward")
    return numba.njit(lambda dA, A, Z: function(dA, A, Z=Z))(dA, A, Z)


@numba.njit
def _compiled_dense_backward(W_next, dZ_next, A, A_prev, activation, Z, negative_slope):
    return dk.dense_backward(W_next, dZ_next, A, A_prev, activation, Z=Z, negative_slope=negative_slope)


def compiled_dense_backward(W_next, dZ_next, A, A_prev, activation, *, Z=None, negative_slope=0.01):
    return _compiled_dense_backward(W_next, dZ_next, A, A_prev, activation, Z, negative_slope)


def layer(activation, m=7, dtype=np.float64):
    """W_next, dZ_next, A, A_prev of a layer, and its Z, some of whose units are dead."""
    random = np.random.RandomState(4)
    W_next, dZ_next, A_prev = (random.normal(size=shape).astype(dtype) for shape in ((2, 3), (2, m), (4, m)))
    Z = random.normal(size=(3, m)).astype(dtype)
    Z[1] = -np.abs(Z[1])
    return (W_next, dZ_next, getattr(dk, activation)(Z), A_prev), Z


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("m", [7, 700])
@pytest.mark.parametrize("activation", EITHER)
def test_from_A_as_from_Z(functions, activation, m, dtype):
    backward, dense_backward = functions
    (W_next, dZ_next, A, A_prev), Z = layer(activation, m, dtype)
    dA = W_next.T @ dZ_next
    assert np.array_equal(backward(activation, dA, A, None), backward(activation, dA, None, Z))
    for have, want in zip(
        dense_backward(W_next, dZ_next, A, A_prev, activation),
        dense_backward(W_next, dZ_next, A, A_prev, activation, Z=Z),
        strict=True,
    ):
        assert np.array_equal(have, want)


@pytest.mark.parametrize("m", [7, 700])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_with_both_a_program_need_not_know_which(functions, activation, m):
    backward, dense_backward = functions
    (W_next, dZ_next, A, A_prev), Z = layer(activation, m)
    dA = W_next.T @ dZ_next
    one = {"A": A, "Z": None} if FROM[activation] == "A" else {"A": None, "Z": Z}
    assert np.array_equal(backward(activation, dA, A, Z), backward(activation, dA, **one))
    dZ, dW, db = dense_backward(W_next, dZ_next, A, A_prev, activation, Z=Z)
    arrays.assert_close(dZ, backward(activation, dA, A, Z), np.float64)
    arrays.assert_close(dW, dZ @ A_prev.T / m, np.float64)
    arrays.assert_close(db, dZ.sum(axis=1, keepdims=True) / m, np.float64)


def test_at_zero(functions):
    backward, dense_backward = functions
    one, zero = np.ones((1, 3)), np.array([[-1.0, 0.0, 1.0]])
    for activation, from_A, from_Z in (
        ("relu", [0, 0, 1], [0, 1, 1]),
        ("leaky_relu", [0.01, 1, 1], [0.01, 1, 1]),
    ):
        A = getattr(dk, activation)(zero)
        assert backward(activation, one, A, None).tolist() == [from_A]
        assert backward(activation, one, None, zero).tolist() == [from_Z]
        assert backward(activation, one, A, zero).tolist() == [from_Z]
        assert dense_backward(np.ones((1, 1)), one, A, one, activation)[0].tolist() == [from_A]
        assert dense_backward(np.ones((1, 1)), one, A, one, activation, Z=zero)[0].tolist() == [from_Z]


def test_nan_and_infinity_from_A_of_relu(functions):
    """A selection, not a product: a dead unit gives 0, whatever arrives."""
    backward, _ = functions
    dA, A = np.array([np.inf, np.nan, np.inf, 1.0]), np.array([0.0, 0.0, 2.0, np.nan])
    assert backward("relu", dA, A, None).tolist() == [0, 0, np.inf, 1]


@pytest.mark.parametrize("m", [7, 700])
@pytest.mark.parametrize("activation", Z_ONLY)
def test_what_A_does_not_tell_is_an_error(functions, activation, m):
    backward, dense_backward = functions
    given, _ = layer(activation, m)
    with pytest.raises(
        (ValueError, numba.TypingError), match=f"derivative of {activation} can't be computed from A"
    ):
        backward(activation, given[2], given[2], None)
    with pytest.raises(
        ValueError, match=f"^dense_backward: the derivative of {activation} can't .*: pass Z="
    ):
        dense_backward(*given, activation)


@pytest.mark.parametrize("slope", [0.0, -0.5, np.nan])
def test_a_slope_that_A_does_not_tell(functions, slope):
    _, dense_backward = functions
    given, Z = layer("leaky_relu")
    message = f"the derivative of leaky_relu with negative_slope {slope} can't be computed from A: pass Z="
    with pytest.raises(ValueError, match=message):
        dense_backward(*given, "leaky_relu", negative_slope=slope)
    dense_backward(*given, "leaky_relu", Z=Z, negative_slope=slope)
    for backend in backends.NAMES:
        with pytest.raises(ValueError, match=message):
            backends.get(backend).leaky_relu_backward(Z, Z, slope)
    compiled = numba.njit(lambda dA, A, slope: dk.leaky_relu_backward(dA, A, slope))
    with pytest.raises(ValueError, match=message):
        compiled(Z, Z, slope)
    with pytest.raises(ValueError, match=message):
        compiled(1.0, 1.0, slope)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_what_Z_does_not_tell_is_an_error(functions, activation):
    backward, _ = functions
    with pytest.raises((ValueError, numba.TypingError), match=f"pass A, the result of {activation}"):
        backward(activation, np.ones(3), None, np.ones(3))


@pytest.mark.parametrize("activation", EITHER)
def test_neither(functions, activation):
    backward, _ = functions
    words = f"pass A, the result of {activation}, or Z=, its argument"
    with pytest.raises((ValueError, numba.TypingError), match=words):
        backward(activation, np.ones(3), None, None)


@pytest.mark.parametrize("m", [7, 700])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_both_are_checked(functions, activation, m):
    """Also the one that isn't used."""
    backward, dense_backward = functions
    (W_next, dZ_next, A, A_prev), Z = layer(activation, m)
    other = np.zeros((3, m + 1))
    for pair in ((A, other), (other, Z)):
        with pytest.raises(ValueError, match=r"dA and (A|Z) must have the same shape .*\(3, \d+\)"):
            backward(activation, A, *pair)
    with pytest.raises(ValueError, match=rf"dense_backward: \w+ has {m} columns but Z has {m + 1}"):
        dense_backward(W_next, dZ_next, A, A_prev, activation, Z=other)


@pytest.mark.parametrize("m", [7, 700])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_results_overlap_neither(activation, m):
    given, Z = layer(activation, m)
    for name, overlapping in (("A", given[2]), ("Z", Z)):
        for backend in backends.NAMES:
            before = overlapping.copy()
            out = (overlapping, np.empty((3, 4)), np.empty((3, 1)))
            with pytest.raises(ValueError, match=rf"out\[0\] \(dZ\) overlaps {name} in memory"):
                backends.get(backend).dense_backward(*given, activation, Z=Z, out=out)
            assert np.array_equal(overlapping, before)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_loop_of_the_readme_with_every_activation(activation):
    """By changing one word: the gradients are right, and training works."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2, 400))
    Y = (X[:1] * X[1:] > 0).astype(float)
    W1, b1, W2, b2 = rng.normal(size=(8, 2)), np.zeros((8, 1)), rng.normal(size=(1, 8)), np.zeros((1, 1))
    parameters = W1, b1, W2, b2

    def forward(W1, b1, W2, b2):
        A1, Z1 = dk.dense_forward(W1, X, b1, activation, return_Z=True)
        return A1, Z1, dk.dense_forward(W2, A1, b2, "sigmoid")

    def gradients():
        A1, Z1, A2 = forward(*parameters)
        dZ2 = A2 - Y
        _, dW1, db1 = dk.dense_backward(W2, dZ2, A1, X, activation, Z=Z1)
        return dW1, db1, *dk.dense_gradients(dZ2, A1)

    check = dk.check_gradients(
        lambda p: dk.binary_cross_entropy(forward(*p)[2], Y), list(parameters), list(gradients())
    )
    assert check.relative_difference < 1e-6
    before = dk.binary_cross_entropy(forward(*parameters)[2], Y)
    for _ in range(300):
        dk.gradient_descent(parameters, gradients(), 0.3)
    assert dk.binary_cross_entropy(forward(*parameters)[2], Y) < 0.9 * before


def test_a_tuple_of_results_needs_return_Z():
    given = np.ones((2, 3)), np.ones((3, 4)), np.ones((2, 1))
    for backend in backends.NAMES:
        with pytest.raises(TypeError, match=r"not tuple; a tuple \(A, Z\) needs return_Z=True"):
            backends.get(backend).dense_forward(*given, out=(np.empty((2, 4)), np.empty((2, 4))))
