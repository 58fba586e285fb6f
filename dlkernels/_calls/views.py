"""Arrays as kernels take them.

Numba types an array by its order, its number of axes and whether it is read-only, and compiles a kernel once
more for each type. Therefore kernels get arrays in C order only, and none that is marked as read-only. A
matrix in Fortran order is handed over as its transpose, which is in C order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlkernels._calls.threads import forced
from dlkernels._inputs.arrays import F32, F64, Array, as_kernels_take_them, native


def may_be_direct(a: Any, b: Any, c: Any) -> bool:
    """Whether a direct call can be tried: float arrays of one dtype, the first two of them matrices.

    No twin may have been chosen by hand, either. Arrays that pass have the machine's byte order. This
    function takes 0.6 to 0.7 us; a loop over any number of arrays took 1.1 us for three.
    """
    return (
        type(a) is type(b) is type(c) is np.ndarray
        and ((dtype := a.dtype) is F64 or dtype is F32)
        and b.dtype is c.dtype is dtype
        and a.ndim == b.ndim == 2
        and forced.get() is None
    )


def natives(out: Any, count: int) -> bool:
    """Whether this is a tuple of so many plain float arrays, in the machine's byte order."""
    return type(out) is tuple and len(out) == count and all(map(native, out))


def accepted_directly(*arguments: Any) -> bool:
    """Whether the arrays of a direct call are as kernels take them. The last one, a workspace, always is."""
    return as_kernels_take_them(*arguments[:-1])


class _Memory:
    """Lends the memory of a read-only array to a view that isn't marked as read-only."""

    def __init__(self, array: Array) -> None:
        self.array = array
        interface: dict[str, Any] = dict(array.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface


def unmarked(array: Array) -> Array:
    """The array, or for a read-only one a view that isn't marked as read-only. Kernels only read it."""
    return array if array.flags.writeable else np.asarray(_Memory(array))


def flat(array: Array) -> Array:
    """All numbers of an array that is in C order, as a vector that shares its memory."""
    return unmarked(array).ravel()


def in_c_order(matrix: Array) -> tuple[Array, bool]:
    """The matrix if it is in C order, else its transpose, which is; and whether it is the transpose."""
    flags = matrix.flags  # asked for once: each time takes 0.05 us
    transposed = not flags.c_contiguous
    rows = matrix.T if transposed else matrix
    return rows if flags.writeable else unmarked(rows), transposed


def same_memory(a: Array, b: Array) -> bool:
    """Whether two arrays in C order are the same memory.

    The caller has checked that they are the same memory or apart, so asking for any overlap is enough.
    """
    return a is b or np.may_share_memory(a, b)
