"""Pieces of kernels: compiled once for each dtype, called by address from serial and parallel loops."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numba import prange
from numba.core.errors import TypingError

from dlkernels._compiler.options import loops, twins
from dlkernels._compiler.pieces import Flag, Int, Number, Numbers, Real, Row, piece

compiled_only = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="needs the compiler")


@piece
def fill(x: Row, first: Int, factor: Number, offset: Real, twice: Flag):
    """x[j] = factor * (first + j) + offset, doubled if `twice`."""
    for j in range(x.shape[0]):
        x[j] = factor * x.dtype.type(first + j) + x.dtype.type(offset)
        if twice:
            x[j] += x[j]


@piece
def first(x: Row, offset: Real) -> Number:
    return x[0] + x.dtype.type(offset)


@piece
def ends(x: Row) -> Numbers:
    return x[0], x[1], x[-1]


@piece
def wrongly_annotated(x: Row) -> Numbers:
    return x[0]


@piece
def fail(x: Row, at: Int):
    """Raises ZeroDivisionError at one place."""
    if x.shape[0] > at:
        raise ZeroDivisionError
    x[0] = 1


call_fill, call_fail, call_first, call_ends = fill.call, fail.call, first.call, ends.call


@loops
def returned(x, first_at, ends_at):
    a, b, c = call_ends(ends_at, (x,))
    return call_first(first_at, (x, 0.5)), a, b, c


@twins
def filled(x, width, factor, offset, twice, fill_at):
    for s in prange((x.shape[0] + width - 1) // width):
        part = x[s * width : min(x.shape[0], (s + 1) * width)]
        call_fill(fill_at, (part, s * width, factor, offset, twice))


@loops
def failed(x, at, fail_at):
    call_fail(fail_at, (x, at))


@pytest.mark.parametrize("twin", ["serial", "parallel"])
@pytest.mark.parametrize("twice", [False, True])
def test_every_argument_arrives(twin, twice, dtype):
    x = np.empty(1001, dtype)
    getattr(filled, twin)(x, 64, dtype.type(0.5), 2.0, twice, fill.at(x.dtype))
    expected = np.arange(1001, dtype=dtype) * dtype.type(0.5) + 2
    np.testing.assert_array_equal(x, expected * 2 if twice else expected)


def test_what_a_piece_returns_arrives(dtype):
    x = np.array([1, 2, 3, 4], dtype)
    assert returned(x, first.at(x.dtype), ends.at(x.dtype)) == (1.5, 1.0, 2.0, 4.0)


@compiled_only
def test_a_piece_that_returns_something_else_is_refused(dtype):
    with pytest.raises(TypingError, match="isn't what the annotations say"):
        wrongly_annotated.at(np.dtype(dtype))


def test_an_error_in_a_piece_is_raised_by_the_kernel():
    x = np.zeros(3)
    with pytest.raises(ZeroDivisionError):
        failed(x, 2, fail.at(x.dtype))
    failed(x, 3, fail.at(x.dtype))
    assert x[0] == 1


@compiled_only
def test_a_dtype_has_one_address_and_another_dtype_another():
    single, double = np.dtype(np.float32), np.dtype(np.float64)
    assert fill.at(single) == fill.at(single)
    assert fill.at(single) != fill.at(double)


@compiled_only
@pytest.mark.parametrize("arguments", ["(x, at, at)", "(x,)", "(x, 1.5)", "(at, x)"])
def test_other_arguments_than_were_written_down_do_not_compile(arguments):
    scope = {"call_fail": call_fail}
    exec(f"def wrong(x, at, fail_at):\n    call_fail(fail_at, {arguments})", scope)
    with pytest.raises(TypingError, match="fail takes"):
        loops(scope["wrong"])(np.zeros(3), 1, fail.at(np.dtype(np.float64)))
