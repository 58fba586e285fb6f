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
    """`rows` times `vectors` vectors of `lanes` numbers."""

    def __init__(self, dtype, rows, vectors, lanes):
        self.dtype, self.rows, self.vectors, self.lanes = dtype, rows, vectors, lanes
        super().__init__(name=f"Tile({dtype}, {rows}, {vectors}, {lanes})")


@register_model(TileType)
class _TileModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        number = manager.lookup(fe_type.dtype).get_value_type()
        vector = ir.VectorType(number, fe_type.lanes)
        super().__init__(manager, fe_type, ir.ArrayType(vector, fe_type.rows * fe_type.vectors))


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

    def first(self, count):
        """A mask of the first `count` lanes: none or all of them if that is below 0 or more than there are."""
        lanes = self.shape.lanes
        order = ir.Constant(ir.VectorType(self.index, lanes), list(range(lanes)))
        return self.builder.icmp_signed("<", order, self._splat(count))

    def load_where(self, mask, pointer):
        """The numbers where the mask is set, zeros elsewhere."""
        where = self.builder.bitcast(pointer, self.vector.as_pointer())
        kind = ir.FunctionType(self.vector, [where.type, ir.IntType(32), mask.type, self.vector])
        name = f"llvm.masked.load.v{self.shape.lanes}f{self.align * 8}.p0"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(
            function, [where, ir.IntType(32)(self.align), mask, ir.Constant(self.vector, None)]
        )

    def store_where(self, mask, vector, pointer):
        where = self.builder.bitcast(pointer, self.vector.as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [self.vector, where.type, ir.IntType(32), mask.type])
        name = f"llvm.masked.store.v{self.shape.lanes}f{self.align * 8}.p0"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        self.builder.call(function, [vector, where, ir.IntType(32)(self.align), mask])

    def load_first(self, count, pointer):
        return self.load_where(self.first(count), pointer)

    def interleaved(self, vectors):
        """The first lanes of all vectors, then the second lanes, and so on; a power of two of vectors.

        Each of the log2(n) rounds zips the first half of the vectors with the second.
        """
        lanes, half = self.shape.lanes, len(vectors) // 2
        low = [i // 2 + i % 2 * lanes for i in range(lanes)]
        high = [i + lanes // 2 for i in low]
        for _ in range(half.bit_length()):
            pairs = list(zip(vectors[:half], vectors[half:], strict=True))
            vectors = [self.shuffle(a, b, order) for a, b in pairs for order in (low, high)]
        return vectors

    def prefetch(self, pointer, level):
        """Into the cache of this level."""
        kind = ir.FunctionType(ir.VoidType(), [pointer.type] + [ir.IntType(32)] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        reading, locality, data = 0, 4 - level, 1
        self.builder.call(function, [pointer, *map(ir.IntType(32), (reading, locality, data))])

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


def _operation(form, result, arguments, generate):
    """Signature and code of one operation; its first array or tile decides the dtype.

    `form` gives rows and vectors of its tile for a Shape.

    `result` is TileType for a tile, "number" for one of the dtype, None for nothing.
    """
    dtype = next(a.dtype for a in arguments if isinstance(a, types.Array | TileType))
    if dtype not in SHAPES:
        return None
    shape = SHAPES[dtype]
    tile = TileType(dtype, *form(shape), shape.lanes)
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


def _outer(shape):
    return shape.rows, shape.vectors


def _half_outer(shape):
    return shape.rows // 2, shape.vectors


def _dots(shape):
    return shape.dot_rows, shape.dot_columns


def _sums(shape):
    return 1, SUM_VECTORS


def _zeros(form, like):
    def generate(code, *data):
        rows, vectors = form(code.shape)
        return ir.Constant(ir.ArrayType(code.vector, rows * vectors), None)

    return _operation(form, TileType, (like,), generate)


@intrinsic
def outer_zeros(typing_context, like):
    return _zeros(_outer, like)


@intrinsic
def outer_zeros_half(typing_context, like):
    return _zeros(_half_outer, like)


@intrinsic
def outer_narrower(typing_context, tile):
    return _zeros(lambda shape: (tile.rows, max(1, tile.vectors - 1)), tile)


def _number(tile, number):
    return types.int64(tile), lambda context, builder, signature, values: ir.IntType(64)(number)


@intrinsic
def outer_rows(typing_context, tile):
    return _number(tile, tile.rows)


@intrinsic
def outer_columns(typing_context, tile):
    return _number(tile, tile.vectors * tile.lanes)


def _on_block(tile, result, arguments, generate):
    """As `_operation`, for a tile of this one's form, with `generate` given its places and the code.

    A place is the number of a vector in the tile, its row, and the first column of it.
    """
    places = [
        (r * tile.vectors + v, r, v * tile.lanes) for r in range(tile.rows) for v in range(tile.vectors)
    ]

    def with_places(code, *values):
        return generate(code, places, *values)

    return _operation(lambda shape: (tile.rows, tile.vectors), result, arguments, with_places)


@intrinsic
def outer_start(typing_context, tile, a, i):
    def generate(code, places, tile, a, i):
        for place, r, _ in places:
            tile = code.builder.insert_value(tile, code.spread(code.at(a, i, times=r)), place)
        return tile

    return _on_block(tile, TileType, (tile, a, i), generate)


@intrinsic
def outer_add(typing_context, tile, a, i, b, j):
    def generate(code, places, tile, a, i, b, j):
        loaded = {first: code.load(code.at(b, j, times=first)) for _, r, first in places if r == 0}
        factors = {r: code.spread(code.at(a, i, times=r)) for _, r, first in places if first == 0}
        for place, r, first in places:
            sums = code.fma(factors[r], loaded[first], code.builder.extract_value(tile, place))
            tile = code.builder.insert_value(tile, sums, place)
        return tile

    return _on_block(tile, TileType, (tile, a, i, b, j), generate)


@intrinsic
def outer_load(typing_context, tile, c, i, stride):
    def generate(code, places, tile, c, i, stride):
        for place, r, first in places:
            part = code.load(code.at(code.at(c, i, stride, r), code.index(first)))
            tile = code.builder.insert_value(tile, part, place)
        return tile

    return _on_block(tile, TileType, (tile, c, i, stride), generate)


@intrinsic
def outer_store(typing_context, tile, c, i, stride):
    def generate(code, places, tile, c, i, stride):
        for place, r, first in places:
            part = code.builder.extract_value(tile, place)
            code.store(part, code.at(code.at(c, i, stride, r), code.index(first)))

    return _on_block(tile, None, (tile, c, i, stride), generate)


def _masks(code, places, tall, wide):
    """For each place of a block, which lanes belong to its first `tall` rows and `wide` columns."""
    for place, r, first in places:
        used = code.builder.select(
            code.builder.icmp_signed("<", code.index(r), tall), wide, code.index(0)
        )
        yield place, r, first, code.first(code.builder.sub(used, code.index(first)))


@intrinsic
def outer_plus(typing_context, tile, c, i, stride):
    def generate(code, places, tile, c, i, stride):
        for place, r, first in places:
            part = code.load(code.at(code.at(c, i, stride, r), code.index(first)))
            part = code.builder.fadd(part, code.builder.extract_value(tile, place))
            tile = code.builder.insert_value(tile, part, place)
        return tile

    return _on_block(tile, TileType, (tile, c, i, stride), generate)


@intrinsic
def outer_plus_part(typing_context, tile, c, i, stride, tall, wide):
    def generate(code, places, tile, c, i, stride, tall, wide):
        for place, r, first, mask in _masks(code, places, tall, wide):
            part = code.load_where(mask, code.at(code.at(c, i, stride, r), code.index(first)))
            part = code.builder.fadd(part, code.builder.extract_value(tile, place))
            tile = code.builder.insert_value(tile, part, place)
        return tile

    return _on_block(tile, TileType, (tile, c, i, stride, tall, wide), generate)


@intrinsic
def outer_prefetch(typing_context, tile, c, i, stride):
    def generate(code, places, tile, c, i, stride):
        for _, r, first in places:
            code.prefetch(code.at(code.at(c, i, stride, r), code.index(first)), level=1)
        for r in range(tile_rows):
            code.prefetch(code.at(code.at(c, i, stride, r), code.index(last)), level=1)

    tile_rows, last = tile.rows, tile.vectors * tile.lanes - 1
    return _on_block(tile, None, (tile, c, i, stride), generate)


@intrinsic
def outer_store_part(typing_context, tile, c, i, stride, tall, wide):
    def generate(code, places, tile, c, i, stride, tall, wide):
        for place, r, first, mask in _masks(code, places, tall, wide):
            part = code.builder.extract_value(tile, place)
            code.store_where(mask, part, code.at(code.at(c, i, stride, r), code.index(first)))

    return _on_block(tile, None, (tile, c, i, stride, tall, wide), generate)


@intrinsic
def transpose(typing_context, a, i, a_stride, out, j, out_stride):
    def generate(code, a, i, a_stride, out, j, out_stride):
        lanes = code.shape.lanes
        columns = code.interleaved([code.load(code.at(a, i, a_stride, r)) for r in range(lanes)])
        for p, column in enumerate(columns):
            code.store(column, code.at(out, j, out_stride, p))

    return _operation(_sums, None, (a, i, a_stride, out, j, out_stride), generate)


@intrinsic
def interleave(typing_context, a, i, stride, out, j):
    def generate(code, a, i, stride, out, j):
        lanes, rows = code.shape.lanes, code.shape.rows
        if rows & (rows - 1):  # 6 rows of the smaller machines
            for p in range(lanes):
                for r in range(rows):
                    number = code.builder.load(code.at(code.at(a, i, stride, r), code.index(p)))
                    code.builder.store(number, code.at(out, j, times=p * rows + r))
            return
        vectors = code.interleaved([code.load(code.at(a, i, stride, r)) for r in range(rows)])
        for v, vector in enumerate(vectors):
            code.store(vector, code.at(out, j, times=v * lanes))

    return _operation(_sums, None, (a, i, stride, out, j), generate)


@intrinsic
def dot_zeros(typing_context, like):
    return _zeros(_dots, like)


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

    return _operation(_dots, TileType, (tile, a, i, a_stride, b, j, b_stride), generate)


@intrinsic
def dot_add_first(typing_context, tile, a, i, a_stride, b, j, b_stride, count):
    def generate(code, *values):
        *operands, count = values
        return _dot_add(code, lambda pointer: code.load_first(count, pointer), *operands)

    return _operation(_dots, TileType, (tile, a, i, a_stride, b, j, b_stride, count), generate)


@intrinsic
def dot_store(typing_context, tile, out, i):
    def generate(code, tile, out, i):
        count, lanes = code.shape.dot_rows * code.shape.dot_columns, code.shape.lanes
        totals = code.totals([code.builder.extract_value(tile, position) for position in range(count)])
        for v, vector in enumerate(totals):
            some = code.shuffle(vector, vector, range(min(lanes, count - v * lanes)))
            code.store(some, code.at(out, i, times=v * lanes))

    return _operation(_dots, None, (tile, out, i), generate)


@intrinsic
def prefetch(typing_context, a, i):
    def generate(code, a, i):
        code.prefetch(code.at(a, i), level=2)

    return _operation(_sums, None, (a, i), generate)


@intrinsic
def sum_zeros(typing_context, like):
    return _zeros(_sums, like)


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

    return _operation(_sums, TileType, (tile, a, i, count), generate)


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

    return _operation(_sums, TileType, (tile, a, i, b, j, count), generate)


@intrinsic
def sum_total(typing_context, tile):
    def generate(code, tile):
        sums = [code.builder.extract_value(tile, v) for v in range(SUM_VECTORS)]
        while len(sums) > 1:
            sums = [code.builder.fadd(a, b) for a, b in zip(sums[::2], sums[1::2], strict=True)]
        return code.total(sums[0])

    return _operation(_sums, "number", (tile,), generate)
