"""Moves from memory to memory by way of vector registers, for packing; and prefetching.

`transpose` transposes a square of `lanes` by `lanes` numbers, `transpose_part` its first rows and columns.
`interleave` transposes MR rows of `lanes` numbers. `copy_term` copies MR numbers that lie side by side.
`copy_panel_row` copies a row of a micro-panel, filled up with zeros. `prefetch` brings a cache line into the
first-level cache before it is used.

Each function has two versions, as in `tile`: NumPy code, which runs without compilation, and an intrinsic of
`vectors`.
"""

from __future__ import annotations

from dlkernels._simd import vectors
from dlkernels._simd.tile import checked, generated, inside, lanes, mr, nr


def transpose(a, i, a_stride, out, j, out_stride):
    """out[j + p * out_stride + r] = a[i + r * a_stride + p] for r, p < lanes."""
    a, out, width = a.reshape(-1), out.reshape(-1), lanes(a)
    for r in range(width):
        for p in range(width):
            out[j + p * out_stride + r] = a[i + r * a_stride + p]


def transpose_part(a, i, a_stride, out, j, out_stride, tall, wide):
    """As `transpose`, but only for r < tall and p < wide."""
    a, out = a.reshape(-1), out.reshape(-1)
    for r in range(min(tall, lanes(a))):
        for p in range(min(wide, lanes(a))):
            out[j + p * out_stride + r] = a[i + r * a_stride + p]


def interleave(a, i, stride, out, j):
    """out[j + p * rows + r] = a[i + r * stride + p] for r < rows, p < lanes; `rows` is MR."""
    a, out, height = a.reshape(-1), out.reshape(-1), mr(a)
    for r in range(height):
        out[j + r : j + r + lanes(a) * height : height] = a[i + r * stride : i + r * stride + lanes(a)]


def copy_term(a, i, out, j):
    """out[j + r] = a[i + r] for r < rows, where `rows` is MR.

    This is one load and one store. LLVM wouldn't make them of a loop, since it can't know that the two arrays
    don't overlap.
    """
    a, out, height = a.reshape(-1), out.reshape(-1), mr(a)
    out[j : j + height] = a[i : i + height]


def copy_panel_row(a, i, out, j, count):
    """out[j + c] = a[i + c] for c < count, and 0 from there to NR; count is at most NR."""
    a, out = a.reshape(-1), out.reshape(-1)
    out[j : j + nr(a)] = 0
    out[j : j + count] = a[i : i + count]


def prefetch(a, i):
    """Prefetch the cache line of a[i] into the first-level cache; i may lie outside the array."""


generated(prefetch)


@checked(transpose)
def _overload_transpose(a, i, a_stride, out, j, out_stride):
    def move(a, i, a_stride, out, j, out_stride):
        inside(a, i, a_stride, lanes(a), lanes(a))
        inside(out, j, out_stride, lanes(a), lanes(a))
        vectors.transpose(a, i, a_stride, out, j, out_stride)

    return move


@checked(transpose_part)
def _overload_transpose_part(a, i, a_stride, out, j, out_stride, tall, wide):
    def move(a, i, a_stride, out, j, out_stride, tall, wide):
        inside(a, i, a_stride, min(tall, lanes(a)), min(wide, lanes(a)))
        inside(out, j, out_stride, min(wide, lanes(a)), min(tall, lanes(a)))
        vectors.transpose_part(a, i, a_stride, out, j, out_stride, tall, wide)

    return move


@checked(interleave)
def _overload_interleave(a, i, stride, out, j):
    def move(a, i, stride, out, j):
        inside(a, i, stride, mr(a), lanes(a))
        inside(out, j, 0, 1, mr(a) * lanes(a))
        vectors.interleave(a, i, stride, out, j)

    return move


@checked(copy_term)
def _overload_copy_term(a, i, out, j):
    def move(a, i, out, j):
        inside(a, i, 0, 1, mr(a))
        inside(out, j, 0, 1, mr(a))
        vectors.copy_term(a, i, out, j)

    return move


@checked(copy_panel_row)
def _overload_copy_panel_row(a, i, out, j, count):
    def move(a, i, out, j, count):
        inside(a, i, 0, 1, min(count, nr(a)))
        inside(out, j, 0, 1, nr(a))
        vectors.copy_panel_row(a, i, out, j, count)

    return move
