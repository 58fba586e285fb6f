"""What the compiled loops must not do, and should: seen in their LLVM code."""

from __future__ import annotations

import re

import numba
import numpy as np
import pytest
from numba import TypingError

from dlkernels._compiler import options
from dlkernels._compiler.options import loops
from dlkernels._compiler.pieces import Row, piece
from dlkernels._simd.registers import widest_vectors

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="needs the compiler")


@piece
def double(x: Row):
    for i in range(x.shape[0]):
        x[i] += x[i]


@loops
def halves(x):
    return x[: x.size // 2], x[x.size // 2 :]


@loops
def front(x):
    return x[:1]


def double_rows(X, rows):
    for i in range(rows):
        double(X[i * (X.size // rows) : (i + 1) * (X.size // rows)])


def counted(function, *arguments):
    """How often a compiled function counts references."""
    function(*arguments)
    code = function.inspect_llvm(function.signatures[0])
    body = re.search(rf"^define [^\n]*{function.__name__}.*?^}}", code, re.M | re.S)
    return len(re.findall(r"call .*NRT_(?:incref|decref)", body[0]))


def test_rows_of_loops_are_not_counted():
    X = np.ones(12)
    assert counted(numba.njit(double_rows), X, 3) > 0  # what Numba does by itself
    assert counted(numba.njit(**options.LOOPS)(double_rows), X, 3) == 0  # `entry`, but not from the cache
    assert np.array_equal(X, np.full(12, 4.0))


def test_loops_return_no_arrays():
    for function in (halves, front):
        with pytest.raises(TypingError):
            numba.njit(lambda x, function=function: function(x)[0])(np.ones(4))


def test_loops_cannot_allocate():
    """Nor can they if what calls them first could."""

    @loops
    def allocating(n):
        return np.ones(n).sum()

    with pytest.raises(TypingError):
        numba.njit(lambda n: allocating(n))(3)


def test_widest_vectors():
    @numba.njit
    def wide(x):
        widest_vectors()
        for i in range(x.shape[0]):
            x[i] += x[i]

    x = np.ones(100, np.float32)
    wide(x)
    assert np.all(x == 2)
    code = wide.inspect_llvm(wide.signatures[0])
    groups = re.findall(r"^define [^\n]*wide[^\n]*#(\d+)", code, re.M)
    assert any(re.search(rf'^attributes #{g} = .*"prefer-vector-width"="512"', code, re.M) for g in groups)
