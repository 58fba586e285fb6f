"""What compiled kernels are called with: flat, writeable views of the checked arrays.

Numba compiles a kernel anew for each kind of array it meets (order, read-only or not, number of axes).
Everything is therefore passed as one kind: flat, C-ordered, not marked read-only.
"""

from __future__ import annotations

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


def flat(array: Array) -> Array:
    """All numbers of a C-ordered array as a vector that shares its memory."""
    if not array.flags.writeable:
        array = np.asarray(_Memory(array))
    return array.reshape(-1)


def flat_matrix(matrix: Array) -> tuple[Array, bool]:
    """The numbers of a matrix as they lie in memory, and whether that is its transpose."""
    if matrix.flags.c_contiguous:
        return flat(matrix), False
    return flat(matrix.T), True


def same_start(a: Array, b: Array) -> bool:
    """Whether two arrays of one dtype and shape, in C order, are the same memory."""
    return bool(a.ctypes.data == b.ctypes.data) and a.size > 0
