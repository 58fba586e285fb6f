"""What compiled kernels are called with: flat, writeable views of the checked arrays.

Numba compiles a kernel anew for each kind of array it meets (order, read-only or not, number of axes).
Everything is therefore passed as one kind: flat, C-ordered, not marked read-only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dlkernels._calls.threads import NEVER_BELOW, forced, twin_and_workers
from dlkernels._compiler.options import Twins
from dlkernels._inputs.arrays import F32, F64, Array, as_kernels_take_them, native


def simple(a: Any, b: Any, c: Any) -> bool:
    """Whether these are arrays of one of our dtypes, the first two matrices, and nobody chose a twin by hand.

    The byte order is the machine's then. (A loop over any number of arrays took 1.1 us for three, this 0.6
    to 0.7.)
    """
    return (
        type(a) is type(b) is type(c) is np.ndarray
        and ((dtype := a.dtype) is F64 or dtype is F32)
        and b.dtype is c.dtype is dtype
        and a.ndim == b.ndim == 2
        and forced.get() is None
    )


def natives(out: Any, count: int) -> bool:
    """Whether this is a tuple of so many plain float arrays, of the machine's byte order."""
    return type(out) is tuple and len(out) == count and all(map(native, out))


def matrices(*arguments: Any) -> bool:
    """Whether arrays are as kernels take them; the last one is scratch memory."""
    return as_kernels_take_them(*arguments[:-1])


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


def kept(dtype: np.dtype[Any]) -> Array:
    """The scratch memory that this thread has; perhaps none."""
    memory: Array = getattr(_kept, dtype.char)
    return memory


def scratch(size: int, dtype: np.dtype[Any]) -> Array:
    """An array for what a kernel computes on the way: `size` numbers or more.

    It is kept for this thread's next call, unless it is too large. Large memory comes fresh from the system
    each time it is allocated: a product of 1000 x 1000 matrices took 2400 page faults, 6 of its 28 ms.
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


class Plan(NamedTuple):
    """How a kernel is called for arrays of one dtype and shape, to be worked out once: that takes 5 us.

    It needs `alone` numbers of scratch memory for one worker, and `share` for each other one.
    """

    twins: Twins
    work: float
    alone: int
    share: int


def plan(
    twins: Twins,
    work: float,
    room: Callable[..., int],
    dtype: np.dtype[Any],
    *shape: int,
) -> Plan:
    """The plan of a kernel whose scratch memory is what `room` says for `shape`, the workers and a dtype."""
    like = np.empty(0, dtype)
    alone = room(*shape, 1, like)
    return Plan(twins, work, alone, alone - room(*shape, 0, like))


def prepared(plan: Plan, dtype: np.dtype[Any]) -> tuple[Callable[..., Any], Array, int]:
    """The faster twin, and its last arguments: scratch memory, workers."""
    twins, work, alone, share = plan
    if work < NEVER_BELOW and not forced.get():  # what the calls below find, too, in 0.2 us more
        memory = kept(dtype)
        return twins.serial, memory if memory.size >= alone else scratch(alone, dtype), 1
    kernel, workers = twin_and_workers(twins, work)
    return kernel, scratch(alone + (workers - 1) * share, dtype), workers


def flat(array: Array) -> Array:
    """All numbers of a C-ordered array as a vector that shares its memory."""
    return array.ravel() if array.flags.writeable else np.asarray(_Memory(array)).ravel()


def in_c_order(matrix: Array) -> tuple[Array, bool]:
    """A matrix in C order, or the transpose of one in Fortran order; and whether it is that."""
    return (matrix, False) if matrix.flags.c_contiguous else (matrix.T, True)


def flat_matrix(matrix: Array) -> tuple[Array, bool]:
    """The numbers of a matrix as they lie in memory, and whether that is its transpose."""
    rows, transposed = in_c_order(matrix)
    return flat(rows), transposed


def same_memory(a: Array, b: Array) -> bool:
    """Whether two arrays in C order, known to be either the same memory or apart, are the former."""
    return a is b or np.may_share_memory(a, b)
