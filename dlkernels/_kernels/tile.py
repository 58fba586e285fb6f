"""A block of sums held in vector registers: the only module that knows of LLVM.

The inner loop of a product is fast if a block of the result stays in registers while the loop runs along
the summed axis, and LLVM's vectoriser doesn't get there by itself from scalar loops: it stops at 256 bits
and at indices that might be negative. A `Tile` is a small value, an array of SIMD vectors, that a kernel
creates, adds to in a loop of its own and writes out:

    tile = outer_zeros(C)                          tile = dot_zeros(C)
    for p in range(k):                             for p in range(0, m, lanes(C)):
        tile = outer_add(tile, a, i, b, j)             tile = dot_add(tile, a, i, stride, b, j, stride)
    outer_store(tile, C, i, stride)                dot_store(tile, out, i)

`outer_add`: `rows` numbers of a times `columns` numbers of b, the rank-1 update of a (rows, columns) block.
`dot_add`: `dot_rows` rows of a with `dot_columns` rows of b, `lanes` numbers of each pair at a time.

Positions are plain offsets from the first element of a C-ordered array; they are checked, like every index,
only when compiled with NUMBA_BOUNDSCHECK=1. Sums along
the loop are formed in its order with fused multiply-add, so the bits don't depend on the tile's size.
Without compilation the same functions work on small NumPy arrays.
"""

from __future__ import annotations

from typing import NamedTuple

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

from dlkernels._jit import loops

_CHECKED = bool(config.BOUNDSCHECK)


class Shape(NamedTuple):
    lanes: int
    rows: int
    vectors: int
    dot_rows: int
    dot_columns: int

    @property
    def columns(self) -> int:
        return self.lanes * self.vectors


def _shape(itemsize: int) -> Shape:
    """What fits the registers: 32 of 64 bytes, 16 of 32 bytes, or (elsewhere) 32 of 16 bytes."""
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return Shape(64 // itemsize, 8, 3, 4, 6)
    if features.get("avx2"):
        return Shape(32 // itemsize, 6, 2, 3, 4)
    return Shape(16 // itemsize, 6, 2, 3, 4)


_SHAPES = {types.float32: _shape(4), types.float64: _shape(8)}


def _shape_of(array) -> Shape:
    return _SHAPES[types.float32 if array.dtype == np.float32 else types.float64]


class TileType(types.Type):
    """`count` vectors of `lanes` numbers."""

    def __init__(self, dtype, count, lanes):
        self.dtype, self.count, self.lanes = dtype, count, lanes
        super().__init__(name=f"Tile({dtype}, {count}, {lanes})")


@register_model(TileType)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        number = manager.lookup(fe_type.dtype).get_value_type()
        vector = ir.VectorType(number, fe_type.lanes)
        super().__init__(manager, fe_type, ir.ArrayType(vector, fe_type.count))


# -- how big a tile is, as constants inside a kernel -------------------------------------------------


def _constant(of_shape):
    def function(array):
        return of_shape(_shape_of(array))

    @overload(function)
    def choose(array):
        number = of_shape(_SHAPES[array.dtype])
        return lambda array: number

    return function


lanes = _constant(lambda shape: shape.lanes)
rows = _constant(lambda shape: shape.rows)
columns = _constant(lambda shape: shape.columns)
dot_rows = _constant(lambda shape: shape.dot_rows)
dot_columns = _constant(lambda shape: shape.dot_columns)


# -- generating code -----------------------------------------------------------------------------------


class _Code:
    """The LLVM instructions that the operations below are made of."""

    def __init__(self, context, builder, dtype):
        self.context, self.builder, self.shape = context, builder, _SHAPES[dtype]
        self.number = context.get_value_type(dtype)
        self.vector = ir.VectorType(self.number, self.shape.lanes)
        self.align = self.number.get_abi_size(context.target_data)
        self.index = ir.IntType(64)
        self.fma_type = ir.FunctionType(self.vector, [self.vector] * 3)

    def data(self, array_type, array):
        return self.context.make_array(array_type)(self.context, self.builder, array).data

    def at(self, data, offset, stride=None, times=0):
        if stride is not None:
            offset = self.builder.add(offset, self.builder.mul(stride, self.index(times)))
        elif times:
            offset = self.builder.add(offset, self.index(times))
        return self.builder.gep(data, [offset])

    def load(self, pointer):
        vector = self.builder.load(self.builder.bitcast(pointer, self.vector.as_pointer()))
        vector.align = self.align
        return vector

    def store(self, vector, pointer):
        where = self.builder.bitcast(pointer, self.vector.as_pointer())
        self.builder.store(vector, where).align = self.align

    def spread(self, pointer):
        number = self.builder.load(pointer)
        undefined = ir.Constant(self.vector, ir.Undefined)
        one = self.builder.insert_element(undefined, number, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.shape.lanes), None)
        return self.builder.shuffle_vector(one, undefined, zeros)

    def fma(self, a, b, c):
        name = f"llvm.fma.v{self.shape.lanes}f{self.align * 8}"
        function = cgutils.get_or_insert_function(self.builder.module, self.fma_type, name)
        return self.builder.call(function, [a, b, c])

    def total(self, vector):
        """The sum of the lanes, halving the vector until one is left."""
        lanes = self.shape.lanes
        undefined = ir.Constant(self.vector, ir.Undefined)
        width = lanes // 2
        while width:
            order = [i + width if i < width else i for i in range(lanes)]
            mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), order)
            vector = self.builder.fadd(vector, self.builder.shuffle_vector(vector, undefined, mask))
            width //= 2
        return self.builder.extract_element(vector, ir.IntType(32)(0))


def _operation(tile_count, result, arguments, generate):
    """Signature and code of one operation; its first array or tile decides the dtype."""
    dtype = next(a.dtype for a in arguments if isinstance(a, types.Array | TileType))
    if dtype not in _SHAPES:
        return None
    shape = _SHAPES[dtype]
    tile = TileType(dtype, tile_count(shape), shape.lanes)
    typed = [types.int64 if isinstance(a, types.Integer) else a for a in arguments]
    signature = (tile if result is TileType else types.void)(*typed)

    def codegen(context, builder, signature, values):
        code = _Code(context, builder, dtype)
        values = [
            code.data(kind, value) if isinstance(kind, types.Array) else value
            for kind, value in zip(signature.args, values, strict=True)
        ]
        value = generate(code, *values)
        return context.get_dummy_value() if value is None else value

    return signature, codegen


def _outer_count(shape):
    return shape.rows * shape.vectors


def _dot_count(shape):
    return shape.dot_rows * shape.dot_columns


def _zeros(count, like):
    def generate(code, data):
        return ir.Constant(ir.ArrayType(code.vector, count(code.shape)), None)

    return _operation(count, TileType, (like,), generate)


@intrinsic
def _outer_zeros(typing_context, like):
    return _zeros(_outer_count, like)


@intrinsic
def _dot_zeros(typing_context, like):
    return _zeros(_dot_count, like)


@intrinsic
def _outer_add(typing_context, tile, a, i, b, j):
    def generate(code, tile, a, i, b, j):
        vectors = code.shape.vectors
        loaded = [code.load(code.at(b, j, times=v * code.shape.lanes)) for v in range(vectors)]
        for r in range(code.shape.rows):
            factor = code.spread(code.at(a, i, times=r))
            for v in range(vectors):
                position = r * vectors + v
                sums = code.builder.extract_value(tile, position)
                tile = code.builder.insert_value(tile, code.fma(factor, loaded[v], sums), position)
        return tile

    return _operation(_outer_count, TileType, (tile, a, i, b, j), generate)


@intrinsic
def _outer_load(typing_context, c, i, stride):
    def generate(code, c, i, stride):
        vectors = code.shape.vectors
        tile = ir.Constant(ir.ArrayType(code.vector, _outer_count(code.shape)), ir.Undefined)
        for r in range(code.shape.rows):
            row = code.at(c, i, stride, r)
            for v in range(vectors):
                part = code.load(code.builder.gep(row, [code.index(v * code.shape.lanes)]))
                tile = code.builder.insert_value(tile, part, r * vectors + v)
        return tile

    return _operation(_outer_count, TileType, (c, i, stride), generate)


@intrinsic
def _outer_store(typing_context, tile, c, i, stride):
    def generate(code, tile, c, i, stride):
        vectors = code.shape.vectors
        for r in range(code.shape.rows):
            row = code.at(c, i, stride, r)
            for v in range(vectors):
                part = code.builder.extract_value(tile, r * vectors + v)
                code.store(part, code.builder.gep(row, [code.index(v * code.shape.lanes)]))

    return _operation(_outer_count, None, (tile, c, i, stride), generate)


@intrinsic
def _dot_add(typing_context, tile, a, i, a_stride, b, j, b_stride):
    def generate(code, tile, a, i, a_stride, b, j, b_stride):
        across = code.shape.dot_columns
        loaded = [code.load(code.at(b, j, b_stride, c)) for c in range(across)]
        for r in range(code.shape.dot_rows):
            factor = code.load(code.at(a, i, a_stride, r))
            for c in range(across):
                position = r * across + c
                sums = code.builder.extract_value(tile, position)
                tile = code.builder.insert_value(tile, code.fma(factor, loaded[c], sums), position)
        return tile

    return _operation(_dot_count, TileType, (tile, a, i, a_stride, b, j, b_stride), generate)


@intrinsic
def _dot_store(typing_context, tile, out, i):
    def generate(code, tile, out, i):
        for position in range(_dot_count(code.shape)):
            total = code.total(code.builder.extract_value(tile, position))
            code.builder.store(total, code.at(out, i, times=position))

    return _operation(_dot_count, None, (tile, out, i), generate)


# -- what kernels call: the same on NumPy arrays, for runs without compilation --------------------------


def outer_zeros(like):
    """A (rows, columns) block of zeros, of the dtype of the array `like`."""
    return np.zeros((rows(like), columns(like)), like.dtype)


def outer_add(tile, a, i, b, j):
    """tile[r, c] += a[i + r] * b[j + c]."""
    a, b = a.reshape(-1), b.reshape(-1)
    return tile + np.outer(a[i : i + tile.shape[0]], b[j : j + tile.shape[1]])


def outer_load(c, i, stride):
    """The block c[i + r * stride + s], r < rows, s < columns."""
    c = c.reshape(-1)
    return np.array([c[i + r * stride : i + r * stride + columns(c)] for r in range(rows(c))])


def outer_store(tile, c, i, stride):
    """c[i + r * stride + s] = tile[r, s]."""
    c = c.reshape(-1)
    for r in range(tile.shape[0]):
        c[i + r * stride : i + r * stride + tile.shape[1]] = tile[r]


def dot_zeros(like):
    """(dot_rows, dot_columns) sums, each spread over the lanes of a vector."""
    return np.zeros((dot_rows(like), dot_columns(like), lanes(like)), like.dtype)


def dot_add(tile, a, i, a_stride, b, j, b_stride):
    """tile[r, c, l] += a[i + r * a_stride + l] * b[j + c * b_stride + l]."""
    a, b = a.reshape(-1), b.reshape(-1)
    width = tile.shape[2]
    left = np.array([a[i + r * a_stride : i + r * a_stride + width] for r in range(tile.shape[0])])
    right = np.array([b[j + c * b_stride : j + c * b_stride + width] for c in range(tile.shape[1])])
    return tile + left[:, None, :] * right[None, :, :]


def dot_store(tile, out, i):
    """out[i + r * dot_columns + c] = the sum over the lanes of tile[r, c]."""
    out.reshape(-1)[i : i + tile.shape[0] * tile.shape[1]] = tile.sum(axis=2).reshape(-1)


@loops
def _inside(array, first, stride, times, count):
    """Raise IndexError unless `times` pieces of `count` numbers, `stride` apart, lie inside the array."""
    if first < 0 or stride < 0 or first + stride * (times - 1) + count > array.size:
        raise IndexError("a tile reaches beyond its array")


@overload(outer_zeros)
def _overload_outer_zeros(like):
    return lambda like: _outer_zeros(like)


@overload(outer_add)
def _overload_outer_add(tile, a, i, b, j):
    def add(tile, a, i, b, j):
        if _CHECKED:
            _inside(a, i, 0, 1, rows(a))
            _inside(b, j, 0, 1, columns(b))
        return _outer_add(tile, a, i, b, j)

    return add


@overload(outer_load)
def _overload_outer_load(c, i, stride):
    def load(c, i, stride):
        if _CHECKED:
            _inside(c, i, stride, rows(c), columns(c))
        return _outer_load(c, i, stride)

    return load


@overload(outer_store)
def _overload_outer_store(tile, c, i, stride):
    def store(tile, c, i, stride):
        if _CHECKED:
            _inside(c, i, stride, rows(c), columns(c))
        _outer_store(tile, c, i, stride)

    return store


@overload(dot_zeros)
def _overload_dot_zeros(like):
    return lambda like: _dot_zeros(like)


@overload(dot_add)
def _overload_dot_add(tile, a, i, a_stride, b, j, b_stride):
    def add(tile, a, i, a_stride, b, j, b_stride):
        if _CHECKED:
            _inside(a, i, a_stride, dot_rows(a), lanes(a))
            _inside(b, j, b_stride, dot_columns(b), lanes(b))
        return _dot_add(tile, a, i, a_stride, b, j, b_stride)

    return add


@overload(dot_store)
def _overload_dot_store(tile, out, i):
    def store(tile, out, i):
        if _CHECKED:
            _inside(out, i, 0, 1, dot_rows(out) * dot_columns(out))
        _dot_store(tile, out, i)

    return store
