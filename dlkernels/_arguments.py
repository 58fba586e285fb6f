"""What compiled kernels are called with: flat, writeable views of the checked arrays.

Numba compiles a kernel anew for each kind of array it meets (order, read-only or not, number of axes).
Everything is therefore passed as one kind: flat, C-ordered, not marked read-only.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from dlkernels._arrays import F32, F64, Array


class _Memory:
    """Lends the memory of a read-only array to a view that isn't marked so; kernels only read it."""

    def __init__(self, array: Array) -> None:
        self.array = array
        interface: dict[str, Any] = dict(array.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface


class _Kept(threading.local):
    """The scratch memory of a thread, by the letters of the dtypes; it goes with the thread."""

    f, d = np.empty(0, F32), np.empty(0, F64)


_kept = _Kept()
#: Up to so many numbers are kept: 64 MB of float64.
_MOST_KEPT = 2**23
_LINE = 64


def scratch(size: int, dtype: np.dtype[Any]) -> Array:
    """An array for what a kernel computes on the way: `size` numbers or more, fewer only if that is too many.

    It is kept for this thread's next call. Large memory comes fresh from the system each time it is
    allocated: a product of 1000 x 1000 matrices took 2400 page faults, 6 of its 28 ms.
    """
    array: Array = getattr(_kept, dtype.char)
    if array.size >= size or size > _MOST_KEPT:
        return array
    memory = np.empty(size + _LINE // dtype.itemsize, dtype)
    first = -memory.ctypes.data % _LINE // dtype.itemsize
    array = memory[first : first + size]
    setattr(_kept, dtype.char, array)
    return array


def scratch_for(room: Callable[..., int]) -> Callable[..., Array]:
    """What lends a kernel its scratch memory, from a dtype and the arguments of its `room` but the last.

    How much it takes is remembered: working it out in Python takes 2 to 5 us, looking it up 0.1.
    """

    @functools.lru_cache(maxsize=1024)
    def numbers(dtype: np.dtype[Any], *shape: int) -> int:
        return room(*shape, np.empty(0, dtype))

    def lend(dtype: np.dtype[Any], *shape: int) -> Array:
        return scratch(numbers(dtype, *shape), dtype)

    return lend


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
