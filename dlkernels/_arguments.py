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
    return array.ravel() if array.flags.writeable else np.asarray(_Memory(array)).ravel()


def flat_matrix(matrix: Array) -> tuple[Array, bool]:
    """The numbers of a matrix as they lie in memory, and whether that is its transpose."""
    if matrix.flags.c_contiguous:
        return flat(matrix), False
    return flat(matrix.T), True


def same_memory(a: Array, b: Array) -> bool:
    """Whether two arrays in C order, known to be either the same memory or apart, are the former."""
    return a is b or np.may_share_memory(a, b)
