"""What compiled kernels are called with: flat, writeable views of the checked arrays.

Numba compiles a kernel anew for each kind of array it meets (order, read-only or not, number of axes).
Everything is therefore passed as one kind: flat, C-ordered, not marked read-only.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from dlkernels._arrays import Array


class _Memory:
    """Lends the memory of a read-only array to a view that isn't marked so; kernels only read it."""

    def __init__(self, array: Array) -> None:
        self.array = array
        interface: dict[str, Any] = dict(array.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface


_kept = threading.local()
#: Numbers of a scratch array from which it is kept, and up to which.
_LEAST_KEPT, _MOST_KEPT = 2**15, 2**23


def scratch(size: int, dtype: np.dtype[Any]) -> Array:
    """An array for what a kernel computes on the way: at least `size` numbers if that is many, else none.

    It is kept for this thread's next call. Memory of this size comes fresh from the system each time it is
    allocated: a product of 1000 x 1000 matrices took 2400 page faults, 6 of its 28 ms.
    """
    if not _LEAST_KEPT <= size <= _MOST_KEPT:
        return np.empty(0, dtype)
    array: Array | None = getattr(_kept, dtype.char, None)
    if array is None or array.size < size:
        array = np.empty(size, dtype)
        setattr(_kept, dtype.char, array)
    return array


def flat(array: Array) -> Array:
    """All numbers of a C-ordered array as a vector that shares its memory."""
    return array.ravel() if array.flags.writeable else np.asarray(_Memory(array)).ravel()


def flat_matrix(matrix: Array) -> tuple[Array, bool]:
    """The numbers of a matrix as they lie in memory, and whether that is its transpose."""
    if matrix.flags.c_contiguous:
        return flat(matrix), False
    return flat(matrix.T), True


def same_memory(a: Array, b: Array) -> bool:
    """Whether two arrays in C order, known to be either the same memory or apart, are the former."""
    return a is b or np.may_share_memory(a, b)
