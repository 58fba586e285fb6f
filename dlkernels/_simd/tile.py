"""A tile: a block of sums held in vector registers.

The inner loop of a product is fast if a block of the result stays in registers while the loop runs along
the summed axis. LLVM's vectoriser doesn't achieve this from scalar loops: it uses at most 256 bits, and gives
up on indices that might be negative. Therefore a tile is a value, a small array of SIMD vectors. A kernel
creates a tile, adds to it in a loop, and stores it:

    tile = outer_start(outer_zeros(C), bias, i)    tile = dot_zeros(C)
    for p in range(k):                             for p in range(0, m, lanes(C)):
        tile = outer_add(tile, a, i, b, j)             tile = dot_add(tile, a, i, stride, b, j, stride)
    outer_store(tile, C, i, stride)                dot_store(tile, out, i)

There are two forms of tiles. (`row_sums` has a third one, for the sum of a single row.)

outer  An MR by NR block of sums. `outer_add` is a rank-1 update: MR numbers of a times NR numbers of b. A
       tile from `outer_zeros_half` has half as many rows; one from `outer_vector` is one vector across, one
       from `outer_pair` two. `outer_add_first` updates the first columns only. `outer_add_rows` takes numbers
       of a that lie a stride apart. `outer_plus_part` and `outer_store_part` touch the first rows and columns
       of a block only. `outer_add_totals` adds up the columns.
dot    `dot_rows` by `dot_columns` dot products of rows of a with rows of b; each sum is spread over the lanes
       of a vector. `dot_add` takes `lanes` numbers of each row, `dot_add_first` fewer.

Positions are plain offsets from the first element of a C-ordered array. As with every index of compiled code,
they are checked only if it was compiled with NUMBA_BOUNDSCHECK=1. Each lane adds its products in the order of
the loop, by fused multiply-adds; so the bits of a sum of an outer tile don't depend on the size of the tile.

The functions here work on small NumPy arrays, for use without compilation. In compiled code the intrinsics of
`vectors`, which have the same names, take their place. `micro_kernel` of `_kernels` is the main user.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

from dlkernels._compiler import internals
from dlkernels._compiler.options import loops
from dlkernels._simd import registers, vectors

CHECKED = bool(internals.settings.BOUNDSCHECK)


def _shape_of(array) -> registers.Shape:
    return registers.SHAPES[types.float32 if array.dtype == np.float32 else types.float64]


def constant(of_shape):
    """A function of an array that returns a number of the shape of its tiles, as compiled code does too."""

    def function(array):
        return of_shape(_shape_of(array))

    @intrinsic
    def number(typing_context, array):
        return vectors.constant(array, of_shape(registers.SHAPES[array.dtype]))

    registers.generated(function, number)
    return function


lanes = constant(lambda shape: shape.lanes)
mr = constant(lambda shape: shape.rows)
half_mr = constant(lambda shape: shape.rows // 2)
nr = constant(lambda shape: shape.columns)
dot_rows = constant(lambda shape: shape.dot_rows)
dot_columns = constant(lambda shape: shape.dot_columns)


def outer_zeros(like):
    """A (rows, columns) block of zeros."""
    return np.zeros((mr(like), nr(like)), like.dtype)


def outer_zeros_half(like):
    """A (half_mr, columns) block of zeros."""
    return np.zeros((half_mr(like), nr(like)), like.dtype)


def outer_vector(tile):
    """A block of zeros with as many rows as `tile` has, one vector across."""
    return np.zeros((tile.shape[0], lanes(tile)), tile.dtype)


def outer_pair(tile):
    """A block of zeros with as many rows as `tile` has, two vectors across."""
    return np.zeros((tile.shape[0], 2 * lanes(tile)), tile.dtype)


def outer_rows(tile):
    """The number of rows of a block."""
    return tile.shape[0]


def outer_columns(tile):
    """The number of columns of a block."""
    return tile.shape[1]


def outer_start(tile, a, i):
    """A block of the form of `tile`, in which each number of row r is a[i + r]."""
    a = a.reshape(-1)
    return np.repeat(a[i : i + tile.shape[0], None], tile.shape[1], axis=1)


def outer_add(tile, a, i, b, j):
    """tile[r, c] += a[i + r] * b[j + c]."""
    a, b = a.reshape(-1), b.reshape(-1)
    return tile + np.outer(a[i : i + tile.shape[0]], b[j : j + tile.shape[1]])


def outer_add_first(tile, a, i, b, j, count):
    """As `outer_add`, but only for c < count. No number of b from b[j + count] on is read."""
    a, b = a.reshape(-1), b.reshape(-1)
    tile = tile.copy()
    tile[:, :count] += np.outer(a[i : i + tile.shape[0]], b[j : j + min(count, tile.shape[1])])
    return tile


def outer_add_rows(tile, a, i, stride, b, j):
    """tile[r, c] += a[i + r * stride] * b[j + c]."""
    a, b = a.reshape(-1), b.reshape(-1)
    factors = np.array([a[i + r * stride] for r in range(tile.shape[0])])
    return tile + np.outer(factors, b[j : j + tile.shape[1]])


def outer_load(tile, c, i, stride):
    """A block of the form of `tile`, with c[i + r * stride + s] in row r, column s."""
    c = c.reshape(-1)
    return np.array([c[i + r * stride : i + r * stride + tile.shape[1]] for r in range(tile.shape[0])])


def outer_store(tile, c, i, stride):
    """c[i + r * stride + s] = tile[r, s]."""
    c = c.reshape(-1)
    for r in range(tile.shape[0]):
        c[i + r * stride : i + r * stride + tile.shape[1]] = tile[r]


def outer_plus(tile, c, i, stride):
    """tile[r, s] + c[i + r * stride + s]."""
    return tile + outer_load(tile, c, i, stride)


def outer_plus_part(tile, c, i, stride, tall, wide):
    """As `outer_plus`, but c is added only for r < tall and s < wide."""
    block = tile.copy()
    c = c.reshape(-1)
    for r in range(min(tall, tile.shape[0])):
        block[r, :wide] += c[i + r * stride : i + r * stride + wide]
    return block


def outer_prefetch(tile, c, i, stride):
    """Prefetch the cache lines that `outer_plus` and `outer_store` will use into the first-level cache."""


def outer_store_part(tile, c, i, stride, tall, wide):
    """As `outer_store`, but only for r < tall and s < wide."""
    c = c.reshape(-1)
    for r in range(min(tall, tile.shape[0])):
        c[i + r * stride : i + r * stride + wide] = tile[r, :wide]


def outer_add_totals(tile, out, i, count):
    """out[i + r] += the sum of row r, but only for r < count."""
    rows = out.reshape(-1)[i : i + min(count, tile.shape[0])]
    rows += tile.sum(axis=1)[: rows.size]


def dot_zeros(like):
    """A (dot_rows, dot_columns) block of zeros; each is to be a sum that is spread over a vector's lanes."""
    return np.zeros((dot_rows(like), dot_columns(like), lanes(like)), like.dtype)


def dot_add(tile, a, i, a_stride, b, j, b_stride):
    """tile[r, c, l] += a[i + r * a_stride + l] * b[j + c * b_stride + l]."""
    a, b = a.reshape(-1), b.reshape(-1)
    width = tile.shape[2]
    left = np.array([a[i + r * a_stride : i + r * a_stride + width] for r in range(tile.shape[0])])
    right = np.array([b[j + c * b_stride : j + c * b_stride + width] for c in range(tile.shape[1])])
    return tile + left[:, None, :] * right[None, :, :]


def dot_add_first(tile, a, i, a_stride, b, j, b_stride, count):
    """As `dot_add`, but only for l < count."""
    a, b = a.reshape(-1), b.reshape(-1)
    tile = tile.copy()
    for r in range(tile.shape[0]):
        for c in range(tile.shape[1]):
            left, right = a[i + r * a_stride :], b[j + c * b_stride :]
            tile[r, c, :count] += left[:count] * right[:count]
    return tile


def dot_store(tile, out, i):
    """out[i + r * dot_columns + c] = the sum over the lanes of tile[r, c]."""
    out.reshape(-1)[i : i + tile.shape[0] * tile.shape[1]] = tile.sum(axis=2).reshape(-1)


@loops
def inside(array, first, stride, times, count):
    """Raise IndexError unless `times` pieces of `count` numbers, `stride` apart, lie inside the array."""
    last = first + stride * max(0, times - 1)
    if min(first, last) < 0 or max(first, last) + count > array.size:
        raise IndexError("a tile reaches beyond its array")


def generated(function):
    """Let compiled code that calls the function use the intrinsic of the same name in `vectors`."""
    registers.generated(function, getattr(vectors, function.__name__))


for _function in (
    outer_zeros, outer_zeros_half, outer_vector, outer_pair, outer_rows, outer_columns, outer_prefetch,
    dot_zeros,
):  # fmt: skip
    generated(_function)


def checked(function):
    """As `generated`; but if bounds are checked, the decorated function is an overload that checks them."""
    if CHECKED:
        return overload(function)
    generated(function)
    return lambda choose: choose


def in_order(function):
    """Overload an operation that contains floating-point additions, as a function without fastmath.

    Kernels are compiled with permission to reorder sums. Numba would give the same permission to these
    additions if it generated them as a part of the kernel.
    """
    return overload(function, jit_options={"fastmath": False})


@checked(outer_start)
def _overload_outer_start(tile, a, i):
    def start(tile, a, i):
        inside(a, i, 0, 1, vectors.outer_rows(tile))
        return vectors.outer_start(tile, a, i)

    return start


@checked(outer_add)
def _overload_outer_add(tile, a, i, b, j):
    def add(tile, a, i, b, j):
        inside(a, i, 0, 1, vectors.outer_rows(tile))
        inside(b, j, 0, 1, vectors.outer_columns(tile))
        return vectors.outer_add(tile, a, i, b, j)

    return add


@checked(outer_add_first)
def _overload_outer_add_first(tile, a, i, b, j, count):
    def add(tile, a, i, b, j, count):
        inside(a, i, 0, 1, vectors.outer_rows(tile))
        inside(b, j, 0, 1, min(count, vectors.outer_columns(tile)))
        return vectors.outer_add_first(tile, a, i, b, j, count)

    return add


@checked(outer_add_rows)
def _overload_outer_add_rows(tile, a, i, stride, b, j):
    def add(tile, a, i, stride, b, j):
        inside(a, i, stride, vectors.outer_rows(tile), 1)
        inside(b, j, 0, 1, vectors.outer_columns(tile))
        return vectors.outer_add_rows(tile, a, i, stride, b, j)

    return add


@checked(outer_load)
def _overload_outer_load(tile, c, i, stride):
    def load(tile, c, i, stride):
        inside(c, i, stride, vectors.outer_rows(tile), vectors.outer_columns(tile))
        return vectors.outer_load(tile, c, i, stride)

    return load


@checked(outer_store)
def _overload_outer_store(tile, c, i, stride):
    def store(tile, c, i, stride):
        inside(c, i, stride, vectors.outer_rows(tile), vectors.outer_columns(tile))
        vectors.outer_store(tile, c, i, stride)

    return store


@in_order(outer_plus)
def _overload_outer_plus(tile, c, i, stride):
    def plus(tile, c, i, stride):
        if CHECKED:
            inside(c, i, stride, vectors.outer_rows(tile), vectors.outer_columns(tile))
        return vectors.outer_plus(tile, c, i, stride)

    return plus


@in_order(outer_plus_part)
def _overload_outer_plus_part(tile, c, i, stride, tall, wide):
    def plus(tile, c, i, stride, tall, wide):
        if CHECKED:
            inside(c, i, stride, tall, wide)
        return vectors.outer_plus_part(tile, c, i, stride, tall, wide)

    return plus


@checked(outer_store_part)
def _overload_outer_store_part(tile, c, i, stride, tall, wide):
    def store(tile, c, i, stride, tall, wide):
        inside(c, i, stride, tall, wide)
        vectors.outer_store_part(tile, c, i, stride, tall, wide)

    return store


@in_order(outer_add_totals)
def _overload_outer_add_totals(tile, out, i, count):
    def add(tile, out, i, count):
        if CHECKED:
            inside(out, i, 0, 1, max(0, min(count, vectors.outer_rows(tile))))
        vectors.outer_add_totals(tile, out, i, count)

    return add


@checked(dot_add)
def _overload_dot_add(tile, a, i, a_stride, b, j, b_stride):
    def add(tile, a, i, a_stride, b, j, b_stride):
        inside(a, i, a_stride, dot_rows(a), lanes(a))
        inside(b, j, b_stride, dot_columns(b), lanes(b))
        return vectors.dot_add(tile, a, i, a_stride, b, j, b_stride)

    return add


@checked(dot_add_first)
def _overload_dot_add_first(tile, a, i, a_stride, b, j, b_stride, count):
    def add(tile, a, i, a_stride, b, j, b_stride, count):
        inside(a, i, a_stride, dot_rows(a), min(count, lanes(a)))
        inside(b, j, b_stride, dot_columns(b), min(count, lanes(b)))
        return vectors.dot_add_first(tile, a, i, a_stride, b, j, b_stride, count)

    return add


@in_order(dot_store)
def _overload_dot_store(tile, out, i):
    def store(tile, out, i):
        if CHECKED:
            inside(out, i, 0, 1, dot_rows(out) * dot_columns(out))
        vectors.dot_store(tile, out, i)

    return store
