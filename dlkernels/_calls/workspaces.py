"""The workspace of each thread: memory for what kernels compute on the way, kept from call to call."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from dlkernels._inputs.arrays import F32, F64, Array


class _Kept(threading.local):
    """The workspaces of one thread, by the characters of their dtypes. They are freed with the thread."""

    f, d = np.empty(0, F32), np.empty(0, F64)


_kept = _Kept()
#: The largest workspace that is kept, in numbers: 64 MB of float64.
_MOST_KEPT = 2**23
_LINE = 64


def kept(dtype: np.dtype[Any]) -> Array:
    """The workspace that is kept for this thread; it may be too small, or empty."""
    memory: Array = getattr(_kept, dtype.char)
    return memory


def workspace(size: int, dtype: np.dtype[Any]) -> Array:
    """An array of at least `size` numbers, which begins on a cache line.

    It is kept for this thread's next call, unless it is too large. If it weren't, the operating system would
    map the memory anew at each call: for a product of 1000 x 1000 matrices this caused 2400 page faults,
    which took 6 of its 28 ms.
    """
    array = kept(dtype)
    if array.size >= size:
        return array
    memory = np.empty(size + _LINE // dtype.itemsize, dtype)
    first = -memory.ctypes.data % _LINE // dtype.itemsize
    array = memory[first : first + size]
    if size <= _MOST_KEPT:
        setattr(_kept, dtype.char, array)
    return array
