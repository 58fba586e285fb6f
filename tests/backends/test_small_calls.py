"""Small calls, and elementwise ones, have ways of their own; what those may not take goes the long way.

Numba tells arrays apart by dtype, axes, order and writeability, not by byte order and alignment.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
from processes import new_process

import dlkernels as dk
from dlkernels import backends
from dlkernels._calls import threads
from dlkernels.catalogue import ACTIVATIONS


def unaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)[1:]
    view = memory.view(array.dtype).reshape(array.shape)
    view[...] = array
    assert array.size == 0 or not view.flags.aligned
    return view


def swapped(array):
    return array.astype(array.dtype.newbyteorder())


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def strided(array):
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


ODD = [unaligned, swapped, read_only, strided, np.asfortranarray]


#: Columns of a matrix of three rows that is shared out among threads, and few enough to be asked first.
LARGE = 200_000


def dense_backward(activation, *arrays, **out):
    return dk.dense_backward(*arrays, activation, **out)


def dense_backward_with_Z(W_next, dZ_next, A, A_prev, Z, **out):
    return dk.dense_backward(W_next, dZ_next, A, A_prev, "gelu", Z=Z, **out)


def backward_of(activation):
    """The derivative as a function of dA and of what it is computed from."""
    function = getattr(dk, f"{activation}_backward")
    if ACTIVATIONS[activation].derivative_from == "Z":
        return lambda dA, Z, **out: function(dA, Z=Z, **out)
    return function


def logistic(*arrays, **out):
    return dk.logistic_propagate(arrays[0], 0.25, *arrays[1:], **out)[0]


def shallow(*arrays, **out):
    return dk.shallow_propagate(*arrays, "sigmoid", **out)[:4]


def calls(rng, dtype, m=4):
    """Each function with a way of its own, and its array arguments."""

    def normal(*shape):
        return rng.normal(size=shape).astype(dtype)

    Z, dA = normal(3, m), normal(3, m)
    yield from ((getattr(dk, name), (Z,)) for name in ACTIVATIONS)
    yield from ((backward_of(name), (dA, Z)) for name in ACTIVATIONS)
    yield dk.dense_forward, (normal(3, 2), normal(2, m), normal(3, 1))
    yield functools.partial(dk.dense_forward, return_Z=True), (normal(3, 2), normal(2, m), normal(3, 1))
    yield dk.dense_gradients, (dA, normal(2, m))
    yield functools.partial(dense_backward, "tanh"), (normal(2, 3), normal(2, m), Z, normal(5, m))
    yield dense_backward_with_Z, (normal(2, 3), normal(2, m), normal(3, m), normal(5, m), Z)
    Y = (normal(1, m) > 0).astype(dtype)
    yield logistic, (normal(3, 1), Z, Y)
    yield shallow, (normal(2, 3), normal(2, 1), normal(1, 2), normal(1, 1), Z, Y)


def bits(values):
    return [np.asarray(v).tobytes() for v in (values if isinstance(values, tuple) else (values,))]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("m", [4, LARGE])
def test_one_odd_argument(odd, dtype, m):
    for function, arguments in calls(np.random.default_rng(7), dtype, m):
        expected = function(*arguments)  # its kinds are compiled now
        with threads.always(False):
            assert bits(function(*arguments)) == bits(expected)
        for i, argument in enumerate(arguments):
            given = [*arguments]
            given[i] = odd(argument)
            before = given[i].copy()
            for got, wanted in zip(bits(function(*given)), bits(expected), strict=True):
                got, wanted = (np.frombuffer(b, dtype) for b in (got, wanted))
                np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(given[i], before)


@pytest.mark.parametrize("odd", [unaligned, swapped, read_only, strided])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("m", [4, LARGE])
def test_an_odd_out_is_refused_and_not_written(odd, dtype, m):
    for function, arguments in calls(np.random.default_rng(7), dtype, m):
        expected = function(*arguments)
        if isinstance(expected, tuple):
            function(*arguments, out=tuple(np.empty_like(array) for array in expected))
            for i in range(len(expected)):
                outs = [np.full_like(array, 7) for array in expected]
                outs[i] = odd(outs[i])
                if outs[i].flags.carray and outs[i].dtype.isnative:
                    continue  # the strides of a single number don't count
                with pytest.raises(ValueError, match=rf"out\[{i}\]"):
                    function(*arguments, out=tuple(outs))
                assert all((out == 7).all() for out in outs)
            continue
        function(*arguments, out=np.empty_like(expected))
        out = odd(np.full_like(expected, 7))
        with pytest.raises(ValueError, match="out"):
            function(*arguments, out=out)
        assert (out == 7).all()


def parameters_and_gradients(rng, dtype, count, m):
    shapes = [(3, m), (3, 1), (1, 3), (1, 1), (2, 2)][:count]
    return tuple([rng.normal(size=shape).astype(dtype) for shape in shapes] for _ in range(2))


def copies(arrays):
    return [array.copy() for array in arrays]


@pytest.mark.parametrize("count", [1, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("m", [4, LARGE])
def test_an_update_of_several_parameters(count, dtype, m):
    before, gradients = parameters_and_gradients(np.random.default_rng(7), dtype, count, m)
    expected = copies(before)
    with threads.always(False):
        dk.gradient_descent(expected, gradients, 0.25)
    for array, old, gradient in zip(expected, before, gradients, strict=True):
        np.testing.assert_array_equal(array, old - array.dtype.type(0.25) * gradient)
    given = copies(before)
    dk.gradient_descent(tuple(given), gradients, 0.25)
    assert bits(tuple(given)) == bits(tuple(expected))
    for i in range(count):
        for odd in ODD:
            given, odd_gradients = copies(before), copies(gradients)
            odd_gradients[i] = odd(gradients[i])
            dk.gradient_descent(given, odd_gradients, 0.25)
            assert bits(tuple(given)) == bits(tuple(expected))


@pytest.mark.parametrize("m", [4, LARGE])
def test_an_update_that_is_refused_changes_nothing(m):
    before, gradients = parameters_and_gradients(np.random.default_rng(7), "float64", 4, m)

    def refused(message, change):
        given, slopes = copies(before), copies(gradients)
        change(given, slopes)
        unchanged = copies(given), copies(slopes)
        with pytest.raises(ValueError, match=message):
            dk.gradient_descent(given, slopes, 0.25)
        assert [bits(tuple(a)) for a in (given, slopes)] == [bits(tuple(a)) for a in unchanged]

    def overlapping(into, i, memory, j):
        return lambda given, slopes: (given, slopes)[into].__setitem__(
            i, (given, slopes)[memory][j].ravel()[: before[i].size].reshape(before[i].shape)
        )

    refused(r"parameters\[1\] overlaps parameters\[0\]", overlapping(0, 1, 0, 0))
    refused(r"parameters\[3\] overlaps parameters\[2\]", overlapping(0, 3, 0, 2))
    refused(r"parameters\[0\] overlaps gradients\[3\]", overlapping(1, 3, 0, 0))
    refused(r"parameters\[3\] overlaps gradients\[0\]", overlapping(0, 3, 1, 0))
    refused(
        r"parameters\[2\] and gradients\[2\] must have the same shape",
        lambda given, slopes: slopes.__setitem__(2, np.zeros((3, 1))),
    )
    refused("4 parameters but 3 gradients", lambda given, slopes: slopes.pop())
    with pytest.raises(ValueError, match="learning_rate must be finite"):
        dk.gradient_descent(copies(before), gradients, float("nan"))


@pytest.mark.parametrize("m", [4, LARGE])
def test_elementwise_arrays_that_do_not_fit(m):
    Z, other = np.zeros((3, m)), np.full((m, 3), 7.0)
    for name in ACTIVATIONS:
        function, backward = getattr(dk, name), backward_of(name)
        with pytest.raises(ValueError, match="out has shape"):
            function(Z, out=other)
        with pytest.raises(ValueError, match="must have the same shape"):
            backward(Z, other)
        with pytest.raises(ValueError, match="out has shape"):
            backward(Z, Z, out=other)
        assert (other == 7).all()
        memory = np.linspace(-1, 1, 3 * m + 1)
        before, Z = memory.copy(), memory[1:].reshape(3, m)
        with pytest.raises(ValueError, match="out overlaps Z in memory"):
            function(Z, out=memory[:-1].reshape(3, m))
        with pytest.raises(ValueError, match="out overlaps dA in memory"):
            backward(Z, Z, out=memory[:-1].reshape(3, m))
        np.testing.assert_array_equal(memory, before)
        expected = backward(Z, Z)
        assert backward(Z, Z, out=Z) is Z
        np.testing.assert_array_equal(Z, expected)
        Z = np.zeros((3, m))


@pytest.mark.parametrize("name", backends.FUNCTIONS[:10])
def test_a_dtype_that_is_equal_but_another_object(name):
    """First in its process, with nothing compiled, it was refused in silence, and `out` left as it was."""
    code = """
import sys, numpy as np, dlkernels as dk
v = np.linspace(0.1, 0.9, 50).astype(np.dtype("f8").newbyteorder("="))
assert v.dtype is not np.dtype("f8") and v.dtype == np.float64
given = (v, v) if sys.argv[1].endswith("_backward") else (v,)
expected = getattr(dk.backends.get("numpy"), sys.argv[1])(*given)
out = np.full_like(v, np.nan)
np.testing.assert_allclose(getattr(dk, sys.argv[1])(*given), expected, rtol=1e-14)
np.testing.assert_allclose(getattr(dk, sys.argv[1])(*given, out=out), expected, rtol=1e-14)
"""
    done = new_process(code, None, name)
    assert done.returncode == 0, done.stderr


def test_no_large_result_is_allocated_before_the_shapes_are_compared():
    """The first two would ask for 2^80 numbers."""
    many = 2**40
    with pytest.raises(ValueError, match="mean over 0 examples"):
        dk.dense_gradients(np.zeros((many, 0)), np.zeros((many, 0)))
    with pytest.raises(ValueError, match="mean over 0 examples"):
        dk.dense_backward(
            np.zeros((0, many)), np.zeros((0, 0)), np.zeros((many, 0)), np.zeros((many, 0)), "relu"
        )
    with pytest.raises(ValueError, match="mean over 0 examples"):
        # Of no inputs, either: db alone would have 2^44 numbers.
        dk.dense_backward(
            np.zeros((0, 16 * many)), np.zeros((0, 0)), np.zeros((16 * many, 0)), np.zeros((0, 0)), "relu"
        )
    with pytest.raises(ValueError, match="b must have shape"):
        dk.dense_forward(np.zeros((many, 0)), np.zeros((0, many)), np.zeros((0, 1)))


def test_no_gradients_are_allocated_like_parameters_that_do_not_fit():
    huge, X, Y = np.broadcast_to(1.0, (2**20, 2**25)), np.ones((3, 4)), np.ones((1, 4))
    with pytest.raises(ValueError, match="logistic_propagate: w "):
        dk.logistic_propagate(huge, 0.0, X, Y)
    good = [np.ones((2, 3)), np.ones((2, 1)), np.ones((1, 2)), np.ones((1, 1))]
    for i, name in enumerate(("W1", "b1", "W2", "b2")):
        parameters = [*good[:i], huge, *good[i + 1 :]]
        with pytest.raises(ValueError, match=f"shallow_propagate: .*{name}"):
            dk.shallow_propagate(*parameters, X, Y)


@pytest.mark.parametrize("m", [4, LARGE])
def test_dense_arrays_that_do_not_fit_are_not_written(m):
    def full(*shape):
        return np.full(shape, 7.0)

    with pytest.raises(ValueError, match="W has 2 columns but A_prev has 1 rows"):
        dk.dense_forward(full(3, 2), full(1, m), full(3, 1))
    with pytest.raises(ValueError, match="b must have shape"):
        dk.dense_forward(full(3, 2), full(2, m), full(2, 1))
    with pytest.raises(ValueError, match=rf"W1 has 2 columns but X has {m} rows.*so pass X\.T"):
        dk.shallow_propagate(full(3, 2), full(3, 1), full(1, 3), full(1, 1), full(m, 2), full(1, m))
    A_prev, dZ, dW, db = full(2, m), full(3, m), full(3, 2), full(3, 1)
    Z = full(3, m)
    for out, W, message in [
        ((dZ, full(m, 3)), full(3, 2), r"out\[1\] \(Z\) has shape"),
        ((dZ, dZ), full(3, 2), r"out\[1\] \(Z\) overlaps out\[0\]"),
        ((dZ, Z), Z.ravel()[-6:].reshape(3, 2), r"out\[1\] \(Z\) overlaps W"),
        ((Z, dZ), Z.ravel()[-6:].reshape(3, 2), r"out\[0\] \(A\) overlaps W"),
    ]:
        with pytest.raises(ValueError, match=message):
            dk.dense_forward(W, A_prev, full(3, 1), out=out, return_Z=True)
        assert all((array == 7).all() for array in (W, A_prev, *out))
    for out, message in [
        ((dZ, full(3, 3), db), r"out\[1\] \(dW\) has shape \(3, 3\)"),
        ((dZ, dW, full(1, 3)), r"out\[2\] \(db\) has shape \(1, 3\)"),
        ((dZ, A_prev.ravel()[:6].reshape(3, 2), db), r"out\[1\] \(dW\) overlaps A_prev"),
        ((dZ, dW, dZ.ravel()[:3].reshape(3, 1)), r"out\[2\] \(db\) overlaps out\[0\]"),
        ((dZ, dW, dW.ravel()[:3].reshape(3, 1)), r"out\[2\] \(db\) overlaps out\[1\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            dk.dense_backward(full(2, 3), full(2, m), full(3, m), A_prev, "tanh", out=out)
        assert all((array == 7).all() for array in (A_prev, *out))
    with pytest.raises(ValueError, match=r"out\[0\] \(dW\) has shape \(3, 3\)"):
        dk.dense_gradients(dZ, A_prev, out=(full(3, 3), db))
    with pytest.raises(ValueError, match=r"out\[0\] \(dW\) overlaps dZ"):
        dk.dense_gradients(dZ, A_prev, out=(dZ.ravel()[1:7].reshape(3, 2), db))
    assert (dZ == 7).all()
    assert (db == 7).all()


#: Examples of no units and no inputs, of which there may be 2^55; a loop over them would take years.
NOTHING = """
import numpy as np, dlkernels as dk
from dlkernels._calls import threads
many = np.zeros((0, 2**55))
for parallel in (None, False, True):
    with threads.always(parallel):
        A = dk.dense_forward(np.zeros((0, 0)), many, np.zeros((0, 1)))
        gradients = dk.dense_gradients(many, many)
        dZ, *others = dk.dense_backward(np.zeros((0, 0)), many, many, many, "relu")
    shapes = [array.shape for array in (A, dZ, *gradients, *others)]
    print(shapes == [many.shape] * 2 + [(0, 0), (0, 1)] * 2)
"""


def test_no_time_is_spent_on_examples_of_nothing():
    """In a process of its own, which can be ended."""
    result = new_process(NOTHING, None, timeout=300)
    assert result.stdout.split() == ["True"] * 3, result.stderr


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("n", [4, 180])
def test_dense_forward_writes_over_no_input(position, shift, n):
    """180 x 180 x 180 is shared out among threads."""
    memory = np.linspace(0.1, 0.9, n * n + 1)
    given = [np.full((n, n), 0.5), np.full((n, n), 0.5), np.full((n, 1), 0.5)]
    given[position] = memory[: given[position].size].reshape(given[position].shape)
    out = memory[shift : shift + n * n].reshape(n, n)
    before = memory.copy()
    with pytest.raises(ValueError, match=f"out overlaps {('W', 'A_prev', 'b')[position]} in memory"):
        dk.dense_forward(*given, out=out)
    np.testing.assert_array_equal(memory, before)
