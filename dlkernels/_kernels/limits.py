"""The limits of the hardware: loops that only copy or read memory, or only multiply and add in registers.

Benchmarks compare the kernels with these loops. `warmup` doesn't compile them.
"""

from __future__ import annotations

from numba import prange

from dlkernels._compiler.options import entry, twins
from dlkernels._compiler.pieces import Int, Row, piece
from dlkernels._kernels.sums import row_dot
from dlkernels._simd.tile import mr, nr, outer_add, outer_start, outer_store, outer_zeros

#: How many numbers a task takes.
CHUNK = 16384
#: Each of this many rank-1 updates has its own operands, which are then used again. All of them together fit
#: the first-level cache.
STEPS = 64


@twins
def copy(source, out):
    """out[j] = source[j]; both (n,)."""
    n = out.shape[0]
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        part, target = source[chunk * CHUNK : (chunk + 1) * CHUNK], out[chunk * CHUNK : (chunk + 1) * CHUNK]
        for j in range(target.shape[0]):
            target[j] = part[j]


@twins
def add(first, second, out):
    """out[j] = first[j] + second[j]; all (n,)."""
    n = out.shape[0]
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        start, stop = chunk * CHUNK, min(n, (chunk + 1) * CHUNK)
        a, b, target = first[start:stop], second[start:stop], out[start:stop]
        for j in range(target.shape[0]):
            target[j] = a[j] + b[j]


@twins
def read(source, sums):
    """sums[c] = the sum of squares of chunk c of `source` (n,)."""
    n = source.shape[0]
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        part = source[chunk * CHUNK : min(n, (chunk + 1) * CHUNK)]
        sums[chunk] = row_dot(part, part)


@entry
def tile_size(like):
    """The number of sums of a register tile."""
    return mr(like) * nr(like)


@twins
def multiply_add(a, b, out, updates, workers):
    """Let each worker make `updates` rank-1 updates of a tile; a is (STEPS * MR,), b (STEPS * NR,)."""
    size = tile_size(out)
    for worker in prange(workers):
        update_tile(a, b, out[worker * size : (worker + 1) * size], updates)


@piece
def update_tile(a: Row, b: Row, out: Row, updates: Int):
    """Do the work of one worker of `multiply_add`; out gets the sums of its tile."""
    sums = outer_start(outer_zeros(out), a, 0)
    for _ in range(updates // STEPS):
        for p in range(STEPS):
            sums = outer_add(sums, a, p * mr(out), b, p * nr(out))
    outer_store(sums, out, 0, nr(out))
