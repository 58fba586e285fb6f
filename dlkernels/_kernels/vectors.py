"""The instructions behind `tile`: with `pieces` and `bits` the only modules that know of LLVM.

An intrinsic here does what the function of its name in `tile` does, and checks nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model


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


#: Vectors that a sum of a row is spread over.
SUM_VECTORS = 4

SHAPES = {types.float32: _shape(4), types.float64: _shape(8)}


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


class _Code:
    """The LLVM instructions that the operations below are made of."""

    def __init__(self, context, builder, dtype):
        self.context, self.builder, self.shape = context, builder, SHAPES[dtype]
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

    def load_first(self, count, pointer):
        """The first `count` numbers, which may be none or more than there are lanes, then zeros."""
        lanes = self.shape.lanes
        order = ir.Constant(ir.VectorType(self.index, lanes), list(range(lanes)))
        mask = self.builder.icmp_signed("<", order, self._splat(count))
        where = self.builder.bitcast(pointer, self.vector.as_pointer())
        zeros = ir.Constant(self.vector, None)
        kind = ir.FunctionType(self.vector, [where.type, ir.IntType(32), mask.type, self.vector])
        name = f"llvm.masked.load.v{lanes}f{self.align * 8}.p0"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, [where, ir.IntType(32)(self.align), mask, zeros])

    def store(self, vector, pointer):
        where = self.builder.bitcast(pointer, vector.type.as_pointer())
        self.builder.store(vector, where).align = self.align

    def spread(self, pointer):
        return self._splat(self.builder.load(pointer))

    def _splat(self, number):
        undefined = ir.Constant(ir.VectorType(number.type, self.shape.lanes), ir.Undefined)
        one = self.builder.insert_element(undefined, number, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.shape.lanes), None)
        return self.builder.shuffle_vector(one, undefined, zeros)

    def fma(self, a, b, c):
        name = f"llvm.fma.v{self.shape.lanes}f{self.align * 8}"
        function = cgutils.get_or_insert_function(self.builder.module, self.fma_type, name)
        return self.builder.call(function, [a, b, c])

    def shuffle(self, a, b, order):
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), list(order))
        return self.builder.shuffle_vector(a, b, mask)

    def totals(self, vectors):
        """The sums of the lanes of each vector, in order, as vectors of `lanes` numbers.

        Each round adds neighbouring lanes of two vectors into one: 69 instructions for 24 vectors of 16
        lanes, where adding up one vector after the other takes 216.
        """
        lanes = self.shape.lanes
        undefined = ir.Constant(self.vector, ir.Undefined)
        for _ in range(lanes.bit_length() - 1):
            vectors = vectors + [undefined] * (len(vectors) % 2)
            vectors = [
                self.builder.fadd(
                    self.shuffle(a, b, range(0, 2 * lanes, 2)), self.shuffle(a, b, range(1, 2 * lanes, 2))
                )
                for a, b in zip(vectors[::2], vectors[1::2], strict=True)
            ]
        return vectors

    def total(self, vector):
        """The sum of the lanes, halving the vector until one is left."""
        lanes = self.shape.lanes
        undefined = ir.Constant(self.vector, ir.Undefined)
        width = lanes // 2
        while width:
            order = [i + width if i < width else i for i in range(lanes)]
            vector = self.builder.fadd(vector, self.shuffle(vector, undefined, order))
            width //= 2
        return self.builder.extract_element(vector, ir.IntType(32)(0))


def _operation(tile_count, result, arguments, generate):
    """Signature and code of one operation; its first array or tile decides the dtype.

    `result` is TileType for a tile, "number" for one of the dtype, None for nothing.
    """
    dtype = next(a.dtype for a in arguments if isinstance(a, types.Array | TileType))
    if dtype not in SHAPES:
        return None
    shape = SHAPES[dtype]
    tile = TileType(dtype, tile_count(shape), shape.lanes)
    typed = [types.int64 if isinstance(a, types.Integer) else a for a in arguments]
    signature = {TileType: tile, "number": dtype, None: types.void}[result](*typed)

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


def _half_outer_count(shape):
    return shape.rows // 2 * shape.vectors


def _dot_count(shape):
    return shape.dot_rows * shape.dot_columns


def _sum_count(shape):
    return SUM_VECTORS


def _zeros(count, like):
    def generate(code, data):
        return ir.Constant(ir.ArrayType(code.vector, count(code.shape)), None)

    return _operation(count, TileType, (like,), generate)


@intrinsic
def outer_zeros(typing_context, like):
    return _zeros(_outer_count, like)


@intrinsic
def outer_zeros_half(typing_context, like):
    return _zeros(_half_outer_count, like)


@intrinsic
def outer_rows(typing_context, tile):
    rows = tile.count // SHAPES[tile.dtype].vectors
    return types.int64(tile), lambda context, builder, signature, values: ir.IntType(64)(rows)


def _outer(tile, result, arguments, generate):
    """As `_operation`, for a tile of as many rows as this one; `generate` is given their number first."""
    rows = tile.count // SHAPES[tile.dtype].vectors

    def with_rows(code, *values):
        return generate(code, rows, *values)

    return _operation(lambda shape: tile.count, result, arguments, with_rows)


@intrinsic
def outer_start(typing_context, tile, a, i):
    def generate(code, rows, tile, a, i):
        vectors = code.shape.vectors
        for r in range(rows):
            number = code.spread(code.at(a, i, times=r))
            for v in range(vectors):
                tile = code.builder.insert_value(tile, number, r * vectors + v)
        return tile

    return _outer(tile, TileType, (tile, a, i), generate)


@intrinsic
def outer_add(typing_context, tile, a, i, b, j):
    def generate(code, rows, tile, a, i, b, j):
        vectors = code.shape.vectors
        loaded = [code.load(code.at(b, j, times=v * code.shape.lanes)) for v in range(vectors)]
        for r in range(rows):
            factor = code.spread(code.at(a, i, times=r))
            for v in range(vectors):
                position = r * vectors + v
                sums = code.builder.extract_value(tile, position)
                tile = code.builder.insert_value(tile, code.fma(factor, loaded[v], sums), position)
        return tile

    return _outer(tile, TileType, (tile, a, i, b, j), generate)


@intrinsic
def outer_load(typing_context, tile, c, i, stride):
    def generate(code, rows, tile, c, i, stride):
        vectors = code.shape.vectors
        for r in range(rows):
            row = code.at(c, i, stride, r)
            for v in range(vectors):
                part = code.load(code.builder.gep(row, [code.index(v * code.shape.lanes)]))
                tile = code.builder.insert_value(tile, part, r * vectors + v)
        return tile

    return _outer(tile, TileType, (tile, c, i, stride), generate)


@intrinsic
def outer_store(typing_context, tile, c, i, stride):
    def generate(code, rows, tile, c, i, stride):
        vectors = code.shape.vectors
        for r in range(rows):
            row = code.at(c, i, stride, r)
            for v in range(vectors):
                part = code.builder.extract_value(tile, r * vectors + v)
                code.store(part, code.builder.gep(row, [code.index(v * code.shape.lanes)]))

    return _outer(tile, None, (tile, c, i, stride), generate)


@intrinsic
def dot_zeros(typing_context, like):
    return _zeros(_dot_count, like)


def _dot_add(code, load, tile, a, i, a_stride, b, j, b_stride):
    across = code.shape.dot_columns
    loaded = [load(code.at(b, j, b_stride, c)) for c in range(across)]
    for r in range(code.shape.dot_rows):
        factor = load(code.at(a, i, a_stride, r))
        for c in range(across):
            position = r * across + c
            sums = code.builder.extract_value(tile, position)
            tile = code.builder.insert_value(tile, code.fma(factor, loaded[c], sums), position)
    return tile


@intrinsic
def dot_add(typing_context, tile, a, i, a_stride, b, j, b_stride):
    def generate(code, *values):
        return _dot_add(code, code.load, *values)

    return _operation(_dot_count, TileType, (tile, a, i, a_stride, b, j, b_stride), generate)


@intrinsic
def dot_add_first(typing_context, tile, a, i, a_stride, b, j, b_stride, count):
    def generate(code, *values):
        *operands, count = values
        return _dot_add(code, lambda pointer: code.load_first(count, pointer), *operands)

    return _operation(_dot_count, TileType, (tile, a, i, a_stride, b, j, b_stride, count), generate)


@intrinsic
def dot_store(typing_context, tile, out, i):
    def generate(code, tile, out, i):
        count, lanes = _dot_count(code.shape), code.shape.lanes
        totals = code.totals([code.builder.extract_value(tile, position) for position in range(count)])
        for v, vector in enumerate(totals):
            some = code.shuffle(vector, vector, range(min(lanes, count - v * lanes)))
            code.store(some, code.at(out, i, times=v * lanes))

    return _operation(_dot_count, None, (tile, out, i), generate)


@intrinsic
def sum_zeros(typing_context, like):
    return _zeros(_sum_count, like)


@intrinsic
def sum_add(typing_context, tile, a, i, count):
    def generate(code, tile, a, i, count):
        for v in range(SUM_VECTORS):
            first = v * code.shape.lanes
            there = code.builder.sub(count, code.index(first))
            numbers = code.load_first(there, code.at(a, i, times=first))
            sums = code.builder.fadd(code.builder.extract_value(tile, v), numbers)
            tile = code.builder.insert_value(tile, sums, v)
        return tile

    return _operation(_sum_count, TileType, (tile, a, i, count), generate)


@intrinsic
def sum_add_product(typing_context, tile, a, i, b, j, count):
    def generate(code, tile, a, i, b, j, count):
        for v in range(SUM_VECTORS):
            first = v * code.shape.lanes
            there = code.builder.sub(count, code.index(first))
            left = code.load_first(there, code.at(a, i, times=first))
            right = code.load_first(there, code.at(b, j, times=first))
            sums = code.fma(left, right, code.builder.extract_value(tile, v))
            tile = code.builder.insert_value(tile, sums, v)
        return tile

    return _operation(_sum_count, TileType, (tile, a, i, b, j, count), generate)


@intrinsic
def sum_total(typing_context, tile):
    def generate(code, tile):
        sums = [code.builder.extract_value(tile, v) for v in range(SUM_VECTORS)]
        while len(sums) > 1:
            sums = [code.builder.fadd(a, b) for a, b in zip(sums[::2], sums[1::2], strict=True)]
        return code.total(sums[0])

    return _operation(_sum_count, "number", (tile,), generate)
