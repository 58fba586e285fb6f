"""How arrays lie in memory, and how a kernel uses its workspace.

A kernel can't allocate memory (`_compiler.options.LOOPS`). It keeps intermediate results in its workspace, an
array that the caller passes in and keeps for the next call. Beside each kernel stands a function whose name
ends in `_workspace`; it returns how many numbers the workspace must have. A kernel writes each number of its
workspace before it reads it.
"""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic

from dlkernels._compiler import internals
from dlkernels._compiler.options import inlined, loops


def as_row(array):
    """All numbers of a contiguous array, in the order of memory, as a vector that shares this memory.

    For an array in C order `reshape` gives the same vector, but in compiled code it calls a C function, which
    takes 5 ns. The vector is writable even if the array is read-only, because kernels are compiled for
    writable arrays only; they never write to their inputs.
    """
    return array.reshape(-1)


@intrinsic
def _as_row(typing_context, array):
    row = types.Array(array.dtype, 1, "C")

    def generate(context, builder, signature, values):
        return internals.array_over(context, builder, array, values[0], row)

    return row(array), generate


internals.define_call(as_row, internals.definition_of(_as_row), "as_row")


@loops
def whole_lines(n):
    """n rounded up to a multiple of 16: whole cache lines of 64 bytes (float32), pairs of them (float64)."""
    return (n + 15) // 16 * 16


@inlined
def carve(workspace, size):
    """The first `size` numbers of a workspace, and the rest of it, which begins on the next cache line."""
    return workspace[:size], workspace[whole_lines(size) :]


@loops
def aligned(a):
    """Whether the address of an array is a multiple of its itemsize; Numba doesn't check this."""
    return a.ctypes.data % a.itemsize == 0


@loops
def apart(a, b):
    """Whether two arrays in C order share no memory."""
    first, second = a.ctypes.data, b.ctypes.data
    return first + a.nbytes <= second or second + b.nbytes <= first


@loops
def overlap(a, b):
    """1 if two arrays are the same memory, 0 if they share none.

    -1 if they overlap in part, differ in shape, or aren't aligned.
    """
    if a.shape != b.shape or not (aligned(a) and aligned(b)):
        return -1
    if a.ctypes.data == b.ctypes.data:
        return 1
    return 0 if apart(a, b) else -1


@inlined
def usable(written, read):
    """For arrays in C order: whether all are aligned, and no written one shares memory with another."""
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
