"""Arrays as kernels take them.

Numba compiles a kernel once more for each kind of array that it meets: another order, another number of axes,
or one that is read-only. Therefore all arrays are handed over as one kind: in C order, and not marked as
read-only. A matrix in Fortran order is handed over as its transpose.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlkernels._calls.threads import forced
from dlkernels._inputs.arrays import F32, F64, Array, as_kernels_take_them, native


def simple(a: Any, b: Any, c: Any) -> bool:
    """Whether these are arrays of one of our dtypes, the first two matrices, and nobody chose a twin by hand.

    The byte order is the machine's then. A loop over any number of arrays takes 1.1 us for three, this takes
    0.6 to 0.7.
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


def matrices(*arguments: Any) -> bool:
    """Whether the arrays of a direct call are as kernels take them; the last one is its workspace."""
    return as_kernels_take_them(*arguments[:-1])


class _Memory:
    """Lends the memory of a read-only array to a view that isn't marked as read-only."""

    def __init__(self, array: Array) -> None:
        self.array = array
        interface: dict[str, Any] = dict(array.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface


def unmarked(array: Array) -> Array:
    """An array, or if it is read-only a view of its memory that isn't marked so. Kernels only read it."""
    return array if array.flags.writeable else np.asarray(_Memory(array))


def flat(array: Array) -> Array:
    """All numbers of an array in C order as a vector that shares its memory."""
    return unmarked(array).ravel()


def in_c_order(matrix: Array) -> tuple[Array, bool]:
    """A matrix in C order, or the transpose of one in Fortran order; and whether it is the transpose."""
    rows, transposed = (matrix, False) if matrix.flags.c_contiguous else (matrix.T, True)
    return unmarked(rows), transposed


def same_memory(a: Array, b: Array) -> bool:
    """Of two arrays in C order that are the same memory or share none: whether they are the same."""
    return a is b or np.may_share_memory(a, b)
