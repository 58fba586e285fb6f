"""Memory: how arrays lie in it, and the workspace that a kernel is given.

A kernel can't allocate memory (`_compiler.options.LOOPS`). What it computes on the way goes into its
workspace, one array that the caller keeps for its next call. Beside each kernel stands a function whose name
ends in `_workspace`, which says how many numbers that array must have. Kernels write each number of it before
they read it.
"""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic

from dlkernels._compiler import internals
from dlkernels._compiler.options import inlined, loops


def as_row(array):
    """All numbers of a contiguous array, in C or Fortran order, as a vector that shares its memory.

    `reshape` gives the same, by way of a function in C that takes 5 ns. The vector isn't read-only, whatever
    the array is: kernels are compiled for one kind of arrays, and only read their inputs.
    """
    return array.reshape(-1)


@intrinsic
def _as_row(typing_context, array):
    row = types.Array(array.dtype, 1, "C")

    def generate(context, builder, signature, values):
        return internals.array_over(context, builder, array, values[0], row)

    return row(array), generate


internals.call_means(as_row, internals.definition_of(_as_row), "as_row")


@loops
def whole_lines(n):
    """n rounded up to whole cache lines of 64 bytes, in float32; of two lines, in float64."""
    return (n + 15) // 16 * 16


@inlined
def carve(workspace, size):
    """The first `size` numbers of a workspace, and the rest of it, which begins on a cache line."""
    return workspace[:size], workspace[whole_lines(size) :]


@loops
def aligned(a):
    """Whether the address of an array is a multiple of the size of its numbers. Numba doesn't check it."""
    return a.ctypes.data % a.itemsize == 0


@loops
def apart(a, b):
    """Whether two arrays in C order share no memory."""
    first, second = a.ctypes.data, b.ctypes.data
    return first + a.nbytes <= second or second + b.nbytes <= first


@loops
def fit(a, b):
    """1 if two aligned arrays of one shape are the same memory, 0 if they share none; -1 otherwise."""
    if a.shape != b.shape or not (aligned(a) and aligned(b)):
        return -1
    if a.ctypes.data == b.ctypes.data:
        return 1
    return 0 if apart(a, b) else -1


@inlined
def usable(written, read):
    """Whether arrays in C order are aligned, and those that are written share no memory with any other."""
    good = True
    for i in range(len(written)):
        good = good and aligned(written[i])
        for given in read:
            good = good and apart(written[i], given)
        for j in range(i):
            good = good and apart(written[i], written[j])
    for given in read:
        good = good and aligned(given)
    return good
