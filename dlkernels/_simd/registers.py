"""Vector registers for Numba: the type of a tile, and the LLVM instructions that `vectors` is made of.

`SHAPES` decides the size of a tile by the vector registers of this machine. `TileType` is Numba's type of a
tile. `Code` emits LLVM instructions, and `operation` makes the definition of an intrinsic out of them.
"""

from __future__ import annotations

from typing import NamedTuple

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from dlkernels._compiler import internals
from dlkernels._compiler.key import processor_features


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
    """The largest tile that fits the vector registers.

    With AVX-512 there are 32 registers of 64 bytes, with AVX2 16 of 32 bytes, elsewhere 32 of 16 bytes.
    """
    features = processor_features()
    if features.get("avx512f"):
        return Shape(64 // itemsize, 8, 3, 4, 6)
    if features.get("avx2"):
        return Shape(32 // itemsize, 6, 2, 3, 4)
    return Shape(16 // itemsize, 6, 2, 3, 4)


#: Over how many vectors the sum of a row is spread.
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


def _zipped(count, step):
    """The first halves of two rows of `count` numbers, `step` numbers of each row in turn: (place, row).

    For 4 numbers, one at a time, these are a0 b0 a1 b1.
    """
    return [(g + i, row) for g in range(0, count // 2, step) for row in (0, 1) for i in range(step)]


def _reversed_bits(i, count):
    """The number whose bits are those of i in reverse, for i < count, a power of two."""
    reverse = 0
    while count > 1:
        reverse, i, count = 2 * reverse + i % 2, i // 2, count // 2
    return reverse


class Code:
    """Emits the LLVM instructions that the operations of `vectors` are made of."""

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

    def load(self, pointer, kind=None):
        vector = self.builder.load(self.builder.bitcast(pointer, (kind or self.vector).as_pointer()))
        vector.align = self.align
        return vector

    def first(self, count):
        """A mask of the first `count` lanes; `count` may be negative, or larger than the number of lanes."""
        lanes = self.shape.lanes
        order = ir.Constant(ir.VectorType(self.index, lanes), list(range(lanes)))
        return self.builder.icmp_signed("<", order, self._splat(count))

    def first_if(self, r, count, used):
        """A mask of the first `used` lanes if r is less than `count`; otherwise an empty mask."""
        inside = self.builder.icmp_signed("<", self.index(r), count)
        return self.first(self.builder.select(inside, used, self.index(0)))

    def load_where(self, mask, pointer):
        """A vector from memory: its numbers where the mask is set, zeros elsewhere."""
        where = self.builder.bitcast(pointer, self.vector.as_pointer())
        kind = ir.FunctionType(self.vector, [where.type, ir.IntType(32), mask.type, self.vector])
        name = f"llvm.masked.load.v{self.shape.lanes}f{self.align * 8}.p0"
        function = internals.declared(self.builder, kind, name)
        return self.builder.call(
            function, [where, ir.IntType(32)(self.align), mask, ir.Constant(self.vector, None)]
        )

    def store_first(self, count, vector, pointer):
        """Store the first `count` lanes; `count` may be negative, or larger than the number of lanes.

        The lanes are stored half by half, as the bits of `count` say. A masked store takes 12 cycles on AMD's
        processors without AVX-512, and a tile has up to 24 of them.
        """
        width = self.shape.lanes // 2
        all_lanes = self.builder.icmp_signed(">=", count, self.index(2 * width))
        with self.builder.if_else(all_lanes) as (then, otherwise):
            with then:
                self.store(vector, pointer)
            with otherwise, self.builder.if_then(self.builder.icmp_signed(">", count, self.index(0))):
                while width:
                    low, high = (self.shuffle(vector, vector, range(i, i + width)) for i in (0, width))
                    bit = self.builder.and_(count, self.index(width))
                    is_set = self.builder.icmp_signed("!=", bit, self.index(0))
                    with self.builder.if_then(is_set):
                        self.store(low, pointer)
                    vector, pointer = self.builder.select(is_set, high, low), self.at(pointer, bit)
                    width //= 2

    def store_part(self, vectors, across, tall, wide, data, corner, stride):
        """Store the first `tall` rows and `wide` columns of a block, whose rows have `across` vectors each.

        The block goes to the stack first, so that one loop stores all of its rows.
        """
        height = self.index(len(vectors) // across)
        block = internals.on_stack(self.builder, self.vector, len(vectors))
        for place, vector in enumerate(vectors):
            self.builder.store(vector, self.at(block, self.index(place)))
        used = self.builder.select(self.builder.icmp_signed("<", tall, height), tall, height)
        with internals.counted(self.builder, used) as row:
            place = self.builder.mul(row.index, self.index(across))
            start = self.builder.add(corner, self.builder.mul(row.index, stride))
            for v in range(across):
                first = v * self.shape.lanes
                vector = self.builder.load(self.at(block, place, times=v))
                left = self.builder.sub(wide, self.index(first))
                self.store_first(left, vector, self.at(data, start, times=first))

    def load_first(self, count, pointer):
        return self.load_where(self.first(count), pointer)

    def interleaved(self, vectors):
        """The first lanes of all vectors, then the second lanes, and so on.

        The number of vectors must be a power of two.

        Each of the log2(n) rounds zips the first half of the vectors with the second.
        """
        lanes, half = self.shape.lanes, len(vectors) // 2
        low = [i // 2 + i % 2 * lanes for i in range(lanes)]
        high = [i + lanes // 2 for i in low]
        for _ in range(half.bit_length()):
            pairs = list(zip(vectors[:half], vectors[half:], strict=True))
            vectors = [self.shuffle(a, b, order) for a, b in pairs for order in (low, high)]
        return vectors

    def transposed(self, vectors):
        """A square block, transposed: vector p of the result holds number p of each vector.

        Processors move numbers within 128 bits by one kind of instruction, and whole parts of 128 bits by
        another. So squares of 128 bits are transposed first, and then exchanged as wholes. `interleaved`
        gives the same, but takes twice as many instructions with AVX2.

        A square of four rows a, b, c, d is zipped twice: first a with b and c with d, to a0 b0 a1 b1, a2 b2
        a3 b3, c0 d0 c1 d1, c2 d2 c3 d3; then the first with the third and the second with the fourth, two
        numbers at a time, to a0 b0 c0 d0 (column 0) and so on. Each round leaves column p at the place whose
        bits are those of p in reverse.
        """
        lanes = self.shape.lanes
        square = min(lanes, 16 // self.align)
        vectors, step = list(vectors), 1
        while step < square:
            low = [at + g + row * lanes for at in range(0, lanes, square) for g, row in _zipped(square, step)]
            high = [i + square // 2 for i in low]
            self._shuffle_pairs(vectors, step, low, high)
            step *= 2
        order = [at + _reversed_bits(i, square) for at in range(0, lanes, square) for i in range(square)]
        vectors, step = [vectors[i] for i in order], lanes // 2
        while step >= square:
            low = [i if not i & step else i - step + lanes for i in range(lanes)]
            high = [i + step for i in low]
            self._shuffle_pairs(vectors, step, low, high)
            step //= 2
        return vectors

    def _shuffle_pairs(self, vectors, step, low, high):
        """Replace each two vectors that lie `step` apart by two shuffles of them."""
        for i in range(len(vectors)):
            if not i & step:
                a, b = vectors[i], vectors[i + step]
                vectors[i], vectors[i + step] = self.shuffle(a, b, low), self.shuffle(a, b, high)

    def prefetch(self, pointer):
        """Prefetch into the first-level cache.

        This was as fast as prefetching into the second-level cache, or faster, wherever it was tried.
        """
        kind = ir.FunctionType(ir.VoidType(), [pointer.type] + [ir.IntType(32)] * 3)
        function = internals.declared(self.builder, kind, "llvm.prefetch.p0")
        reading, locality, data = 0, 3, 1
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
        """a b + c; rounded once where the processor can do that.

        Elsewhere the intrinsic `llvm.fma` would call a function of the C library for each number: products of
        384 x 384 numbers ran at 0.8 GFLOP/s without AVX, instead of 30.
        """
        name = f"llvm.fmuladd.v{self.shape.lanes}f{self.align * 8}"
        function = internals.declared(self.builder, self.fma_type, name)
        return self.builder.call(function, [a, b, c])

    def shuffle(self, a, b, order):
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), list(order))
        return self.builder.shuffle_vector(a, b, mask)

    def totals(self, vectors):
        """The sum of the lanes of each vector; the sums fill vectors of `lanes` numbers, in order.

        Each round makes one vector of two, by adding neighbouring lanes. For 24 vectors of 16 lanes this
        takes 69 instructions; adding up one vector after the other takes 216.
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
        """The sum of the lanes: each round adds the upper half of the vector to the lower half."""
        lanes = self.shape.lanes
        undefined = ir.Constant(self.vector, ir.Undefined)
        width = lanes // 2
        while width:
            order = [i + width if i < width else i for i in range(lanes)]
            vector = self.builder.fadd(vector, self.shuffle(vector, undefined, order))
            width //= 2
        return self.builder.extract_element(vector, ir.IntType(32)(0))


def generated(function, operation):
    """Let compiled code that calls a Python function get the instructions of an intrinsic in its place.

    An `overload` that calls the intrinsic would do the same, but Numba would compile it as a function of its
    own for each kind of tile and array: sixty such functions took 2 of the 40 s of compiling.
    """
    internals.define_call(function, internals.definition_of(operation), function.__name__)


def widest_vectors():
    """Let LLVM use the widest vectors of the machine in the compiled function that calls this.

    For Intel's processors LLVM vectorises loops with half of AVX-512's width unless it is told otherwise:
    sigmoid of 100,000 numbers took 50 and 135 us there (float32, float64), and takes 41 and 103 with whole
    vectors. relu, which isn't bound by arithmetic, gains nothing.
    """


@intrinsic
def _widest_vectors(typing_context):
    def generate(context, builder, signature, values):
        internals.widen_vectors(builder.function, 512)
        return context.get_dummy_value()

    return types.void(), generate


generated(widest_vectors, _widest_vectors)


def operation(form, result, arguments, generate):
    """The definition of an intrinsic: its signature, and the function that generates its code.

    The first array or tile among `arguments` decides the dtype. `form(shape)` gives the number of rows and of
    vectors across of the tile that the operation works on. `result` is TileType if the operation returns a
    tile, "number" if it returns a number of the dtype, None if it returns nothing. `generate` emits the
    instructions; it gets the addresses of arrays in place of the arrays.
    """
    dtype = next(a.dtype for a in arguments if isinstance(a, types.Array | TileType))
    if dtype not in SHAPES:
        return None
    shape = SHAPES[dtype]
    tile = TileType(dtype, *form(shape), shape.lanes)
    typed = [types.int64 if isinstance(a, types.Integer) else a for a in arguments]
    signature = {TileType: tile, "number": dtype, None: types.void}[result](*typed)

    def codegen(context, builder, signature, values):
        code = Code(context, builder, dtype)
        values = [
            code.data(kind, value) if isinstance(kind, types.Array) else value
            for kind, value in zip(signature.args, values, strict=True)
        ]
        value = generate(code, *values)
        return context.get_dummy_value() if value is None else value

    return signature, codegen
