"""The operations of `tile` and `moves` as LLVM code, made of the instructions of `registers`.

An intrinsic here does the same as the function of the same name in `tile` or `moves`, which documents it. The
intrinsic checks no bounds.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from dlkernels._simd.registers import SUM_VECTORS, TileType, operation


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

    return operation(form, TileType, (like,), generate)


@intrinsic
def outer_zeros(typing_context, like):
    return _zeros(_outer, like)


@intrinsic
def outer_zeros_half(typing_context, like):
    return _zeros(_half_outer, like)


@intrinsic
def outer_vector(typing_context, tile):
    return _zeros(lambda shape: (tile.rows, 1), tile)


@intrinsic
def outer_pair(typing_context, tile):
    return _zeros(lambda shape: (tile.rows, 2), tile)


def constant(like, number):
    """The definition of an intrinsic that returns a constant integer; its only argument is of type `like`."""
    return types.int64(like), lambda context, builder, signature, values: ir.IntType(64)(number)


@intrinsic
def outer_rows(typing_context, tile):
    return constant(tile, tile.rows)


@intrinsic
def outer_columns(typing_context, tile):
    return constant(tile, tile.vectors * tile.lanes)


def _on_block(tile, result, arguments, generate):
    """As `operation`, for a tile of the same form as `tile`; `generate` gets the places of the tile, too.

    There is a place for each vector of the tile: its index in the tile, its row, and its first column.
    """
    places = [
        (r * tile.vectors + v, r, v * tile.lanes) for r in range(tile.rows) for v in range(tile.vectors)
    ]

    def with_places(code, *values):
        return generate(code, places, *values)

    return operation(lambda shape: (tile.rows, tile.vectors), result, arguments, with_places)


@intrinsic
def outer_start(typing_context, tile, a, i):
    def generate(code, places, tile, a, i):
        for place, r, _ in places:
            tile = code.builder.insert_value(tile, code.spread(code.at(a, i, times=r)), place)
        return tile

    return _on_block(tile, TileType, (tile, a, i), generate)


def _rank_1(code, places, tile, factor, load):
    """The rank-1 update tile[r, columns from first on] += factor(r) * load(first), for each place."""
    loaded = {first: load(first) for _, r, first in places if r == 0}
    factors = {r: factor(r) for _, r, first in places if first == 0}
    for place, r, first in places:
        sums = code.fma(factors[r], loaded[first], code.builder.extract_value(tile, place))
        tile = code.builder.insert_value(tile, sums, place)
    return tile


@intrinsic
def outer_add(typing_context, tile, a, i, b, j):
    def generate(code, places, tile, a, i, b, j):
        return _rank_1(
            code, places, tile,
            lambda r: code.spread(code.at(a, i, times=r)),
            lambda first: code.load(code.at(b, j, times=first)),
        )  # fmt: skip

    return _on_block(tile, TileType, (tile, a, i, b, j), generate)


@intrinsic
def outer_add_first(typing_context, tile, a, i, b, j, count):
    def generate(code, places, tile, a, i, b, j, count):
        return _rank_1(
            code, places, tile,
            lambda r: code.spread(code.at(a, i, times=r)),
            lambda first: code.load_first(
                code.builder.sub(count, code.index(first)), code.at(b, j, times=first)
            ),
        )  # fmt: skip

    return _on_block(tile, TileType, (tile, a, i, b, j, count), generate)


@intrinsic
def outer_add_rows(typing_context, tile, a, i, stride, b, j):
    def generate(code, places, tile, a, i, stride, b, j):
        return _rank_1(
            code, places, tile,
            lambda r: code.spread(code.at(a, i, stride, r)),
            lambda first: code.load(code.at(b, j, times=first)),
        )  # fmt: skip

    return _on_block(tile, TileType, (tile, a, i, stride, b, j), generate)


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
        for place, r, first in places:
            mask = code.first_if(r, tall, code.builder.sub(wide, code.index(first)))
            part = code.load_where(mask, code.at(code.at(c, i, stride, r), code.index(first)))
            part = code.builder.fadd(part, code.builder.extract_value(tile, place))
            tile = code.builder.insert_value(tile, part, place)
        return tile

    return _on_block(tile, TileType, (tile, c, i, stride, tall, wide), generate)


@intrinsic
def outer_prefetch(typing_context, tile, c, i, stride):
    def generate(code, places, tile, c, i, stride):
        for _, r, first in places:
            code.prefetch(code.at(code.at(c, i, stride, r), code.index(first)))
        for r in range(tile_rows):
            code.prefetch(code.at(code.at(c, i, stride, r), code.index(last)))

    tile_rows, last = tile.rows, tile.vectors * tile.lanes - 1
    return _on_block(tile, None, (tile, c, i, stride), generate)


@intrinsic
def outer_store_part(typing_context, tile, c, i, stride, tall, wide):
    def generate(code, places, tile, c, i, stride, tall, wide):
        vectors = [code.builder.extract_value(tile, place) for place, _, _ in places]
        code.store_part(vectors, across, tall, wide, c, i, stride)

    across = tile.vectors
    return _on_block(tile, None, (tile, c, i, stride, tall, wide), generate)


@intrinsic
def outer_add_totals(typing_context, tile, out, i, count):
    def generate(code, places, tile, out, i, count):
        rows = [None] * tall
        for place, r, _ in places:
            part = code.builder.extract_value(tile, place)
            rows[r] = part if rows[r] is None else code.builder.fadd(rows[r], part)
        fewer = code.builder.icmp_signed("<", count, code.index(tall))
        count = code.builder.select(fewer, count, code.index(tall))
        for v, sums in enumerate(code.totals(rows)):
            first = v * code.shape.lanes
            left, where = code.builder.sub(count, code.index(first)), code.at(out, i, times=first)
            code.store_first(left, code.builder.fadd(sums, code.load_first(left, where)), where)

    tall = tile.rows
    return _on_block(tile, None, (tile, out, i, count), generate)


@intrinsic
def transpose(typing_context, a, i, a_stride, out, j, out_stride):
    def generate(code, a, i, a_stride, out, j, out_stride):
        lanes = code.shape.lanes
        columns = code.transposed([code.load(code.at(a, i, a_stride, r)) for r in range(lanes)])
        for p, column in enumerate(columns):
            code.store(column, code.at(out, j, out_stride, p))

    return operation(_sums, None, (a, i, a_stride, out, j, out_stride), generate)


@intrinsic
def transpose_part(typing_context, a, i, a_stride, out, j, out_stride, tall, wide):
    def generate(code, a, i, a_stride, out, j, out_stride, tall, wide):
        order = range(code.shape.lanes)
        rows = [code.load_where(code.first_if(r, tall, wide), code.at(a, i, a_stride, r)) for r in order]
        code.store_part(code.transposed(rows), 1, wide, tall, out, j, out_stride)

    return operation(_sums, None, (a, i, a_stride, out, j, out_stride, tall, wide), generate)


@intrinsic
def interleave(typing_context, a, i, stride, out, j):
    def generate(code, a, i, stride, out, j):
        lanes, rows = code.shape.lanes, code.shape.rows
        if rows & (rows - 1):  # MR is 6 without AVX-512, and `interleaved` needs a power of two
            for p in range(lanes):
                for r in range(rows):
                    number = code.builder.load(code.at(code.at(a, i, stride, r), code.index(p)))
                    code.builder.store(number, code.at(out, j, times=p * rows + r))
            return
        vectors = code.interleaved([code.load(code.at(a, i, stride, r)) for r in range(rows)])
        for v, vector in enumerate(vectors):
            code.store(vector, code.at(out, j, times=v * lanes))

    return operation(_sums, None, (a, i, stride, out, j), generate)


@intrinsic
def copy_term(typing_context, a, i, out, j):
    def generate(code, a, i, out, j):
        numbers = code.load(code.at(a, i), ir.VectorType(code.number, code.shape.rows))
        code.store(numbers, code.at(out, j))

    return operation(_sums, None, (a, i, out, j), generate)


@intrinsic
def copy_panel_row(typing_context, a, i, out, j, count):
    def generate(code, a, i, out, j, count):
        for first in range(0, code.shape.columns, code.shape.lanes):
            left = code.builder.sub(count, code.index(first))
            code.store(code.load_first(left, code.at(a, i, times=first)), code.at(out, j, times=first))

    return operation(_sums, None, (a, i, out, j, count), generate)


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

    return operation(_dots, TileType, (tile, a, i, a_stride, b, j, b_stride), generate)


@intrinsic
def dot_add_first(typing_context, tile, a, i, a_stride, b, j, b_stride, count):
    def generate(code, *values):
        *operands, count = values
        return _dot_add(code, lambda pointer: code.load_first(count, pointer), *operands)

    return operation(_dots, TileType, (tile, a, i, a_stride, b, j, b_stride, count), generate)


@intrinsic
def dot_store(typing_context, tile, out, i):
    def generate(code, tile, out, i):
        count, lanes = code.shape.dot_rows * code.shape.dot_columns, code.shape.lanes
        totals = code.totals([code.builder.extract_value(tile, position) for position in range(count)])
        for v, vector in enumerate(totals):
            some = code.shuffle(vector, vector, range(min(lanes, count - v * lanes)))
            code.store(some, code.at(out, i, times=v * lanes))

    return operation(_dots, None, (tile, out, i), generate)


@intrinsic
def prefetch(typing_context, a, i):
    def generate(code, a, i):
        code.prefetch(code.at(a, i))

    return operation(_sums, None, (a, i), generate)


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

    return operation(_sums, TileType, (tile, a, i, count), generate)


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

    return operation(_sums, TileType, (tile, a, i, b, j, count), generate)


@intrinsic
def sum_total(typing_context, tile):
    def generate(code, tile):
        sums = [code.builder.extract_value(tile, v) for v in range(SUM_VECTORS)]
        while len(sums) > 1:
            sums = [code.builder.fadd(a, b) for a, b in zip(sums[::2], sums[1::2], strict=True)]
        return code.total(sums[0])

    return operation(_sums, "number", (tile,), generate)
