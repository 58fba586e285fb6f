"""Logistic regression: cost, gradients and steps of gradient descent, each in one pass over X.

For m examples as columns of X, which is (n, m):

    z = wᵀX + b,   a = sigmoid(z),   J = mean of the cross entropy,   dz = a - y,
    dw = X dzᵀ / m,   db = the sum of dz / m,   and a step:   w -= alpha dw,   b -= alpha db.

X is cut into tiles of columns that fit the second-level cache. The loop for z reads a tile from memory, and
the loop for dw finds it in the cache. Each of the two loops prefetches half of the next tile, so that memory
is never idle. Each slot owns some tiles, and a dw of its own. `matvec` has the two loops, `output_unit` the
step from z to dz. `logistic_tall` is for few examples of many features.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from dlkernels._compiler.options import ZERO, entry, inlined, loops, shared, twins
from dlkernels._compiler.pieces import Flag, Int, Number, Numbers, Real, Row, Table, piece
from dlkernels._kernels.gradient_descent import step
from dlkernels._kernels.matvec import add_row_dots, add_weighted_rows
from dlkernels._kernels.memory import as_row, carve, whole_lines
from dlkernels._kernels.output_unit import COST, DB, PAIRS, output_row
from dlkernels._kernels.packing import Matrix, pack_transposed
from dlkernels._kernels.rows import clear
from dlkernels._kernels.sharing import SLOTS, even_parts, merge, share
from dlkernels._kernels.sums import merge_pairs, power_of_two_scale, total

#: A tile of X has about _TILE_BYTES, so that two of them fill half of a 1 MB second-level cache. But a tile
#: never has more examples than LONGEST, nor rows of fewer bytes than ROW_BYTES. (On an Intel Xeon
#: 784 x 60,000 in float64 took 34.7 ms with rows of 1920 bytes, and takes 23.3.)
_TILE_BYTES, LONGEST, ROW_BYTES = 2**18, 960, 512
#: From this many features on, X in Fortran order is used as it is (100 x 200,000 in float32: 4.0 ms instead
#: of 21.6). Shorter examples don't fill a vector; they are transposed tile by tile (2 features: 0.44 ms, not
#: 0.81).
_LONG_EXAMPLE = 8


class Examples(NamedTuple):
    """X (n, m), labels Y (m,), and `scale`, by which losses are multiplied (`sums.power_of_two_scale`)."""

    X: Matrix
    Y: Row
    n: Int
    m: Int
    scale: Number
    with_cost: Flag


@shared
def logistic_work(n: int, m: int, itemsize: int) -> float:
    """Estimated nanoseconds of a step with n features and m examples, on one thread."""
    return (0.12 * n + 0.6) * m * itemsize / 4


@loops
def tile_width(numbers_per_example, fewest, m, itemsize):
    """How many examples a tile has: as many as fit the cache, but at least `fewest`; whole vectors."""
    fitting = _TILE_BYTES // (max(1, numbers_per_example) * itemsize)
    return min(even_parts(m, max(fewest, min(LONGEST, fitting)), 16), LONGEST)


@loops
def _width(n, m, like):
    return tile_width(n, ROW_BYTES // like.itemsize, m, like.itemsize)


@loops
def _slots(width, m):
    return min(SLOTS, (m + width - 1) // width)


@loops
def _spare_width(width):
    """The row length of a transposed tile.

    Rows are 16 numbers longer than the tile is wide, so that they don't collide in the sets of a cache.
    """
    return width + 16


@loops
def _worker_workspace(n, width, transposed):
    tile = n if n >= _LONG_EXAMPLE else n * _spare_width(width)
    return 2 * whole_lines(width) + (whole_lines(tile) if transposed else 0)


@entry
def logistic_workspace(n, m, X_transposed, workers, like):
    """How many numbers of workspace `logistic_steps` needs."""
    width = _width(n, m, like)
    slots, own = _slots(width, m), _worker_workspace(n, width, X_transposed)
    return whole_lines(slots * n) + whole_lines(slots * 4) + workers * own


@twins
def logistic_steps(
    w: Table, b: Real, X: Table, X_transposed: Flag, Y: Table, learning_rate: Real, steps: Int, dw: Table,
    workspace: Row, workers: Int,
) -> Numbers:  # fmt: skip
    """Do `steps` steps of gradient descent; or compute only the gradients, if `steps` is 0.

    X is (n, m), or (m, n) if `X_transposed`; Y is (1, m). dw (n, 1) is overwritten, and w (n, 1) is updated
    if there are steps. Returns the cost before the first step, the last db, and the last b.
    """
    n, m = dw.shape[0], Y.shape[1]
    weights, gradient = as_row(w), as_row(dw)
    matrix, labels = Matrix(as_row(X), X.shape[1], X_transposed), as_row(Y)
    slots, scale = _slots(_width(n, m, workspace), m), power_of_two_scale(m, workspace)
    count, rate = dw.dtype.type(m), dw.dtype.type(learning_rate)
    parts, rest = carve(workspace, slots * n)
    sums, own = carve(rest, slots * 4)
    cost, db, bias = dw.dtype.type(0), dw.dtype.type(0), dw.dtype.type(b)
    for k in range(max(1, steps)):
        clear(parts)
        clear(sums)
        for worker in prange(workers):
            examples = Examples(matrix, labels, n, m, scale, k == 0)
            add_slots(worker, workers, weights, bias, examples, parts, sums, own)
        db = average(slots, parts, sums, count, gradient)
        if k == 0:
            cost = total(sums, COST) / (count * scale)
        if steps > 0:
            step(weights, gradient, rate)
            bias -= rate * db
    return float(cost), float(db), float(bias)


@piece
def average(slots: Int, parts: Row, sums: Row, count: Number, dw: Row) -> Number:
    """Merge the slots and divide the sums by `count`: writes dw, returns db."""
    n = dw.shape[0]
    merge(slots, n, parts, ZERO, n)
    merge_pairs(slots, PAIRS, sums)
    for i in range(n):
        dw[i] = parts[i] / count
    return total(sums, DB) / count


@piece
def add_slots(
    worker: Int, workers: Int, w: Row, b: Number, examples: Examples, parts: Row, sums: Row, workspace: Row
):
    """Do a worker's share of the slots: add the examples of each slot to its dw (n,) and pairs of sums."""
    n, m = examples.n, examples.m
    width = _width(n, m, w)
    slots, own = _slots(width, m), _worker_workspace(n, width, examples.X.transposed)
    memory, tiles = workspace[worker * own : (worker + 1) * own], (m + width - 1) // width
    first, last = share(worker, workers, slots)
    for s in range(first, last):
        start, end = s * tiles // slots * width, min(m, (s + 1) * tiles // slots * width)
        part, pairs = parts[s * n : (s + 1) * n], sums[4 * s : 4 * s + 4]
        _add_examples(w, b, examples, start, end, width, part, pairs, memory)


@loops
def _add_examples(w, b, examples, first, last, width, dw, sums, workspace):
    """Add the examples [first, last) to dw (n,), the cost and db, a tile of `width` examples at a time."""
    X, n, m = examples.X.numbers, examples.n, examples.m
    z, rest = carve(workspace, width)
    losses, tile = carve(rest, width)
    transposed = examples.X.transposed
    direct = transposed and n >= _LONG_EXAMPLE
    spare = _spare_width(width)
    part = tile[: n if direct else 0]
    for j in range(first, last, width):
        count = min(width, last - j)
        row, y = z[:count], examples.Y[j : j + count]
        for c in range(count):
            row[c] = b
        ahead = ZERO if j + width >= last else width * n if direct else width
        if direct:
            _add_direct_tile(w, examples, j, y, row, losses, part, dw, sums, ahead)
            continue
        if transposed:
            pack_transposed(X, n, j, count, ZERO, n, tile, ZERO, spare)
            ahead = ZERO
        inputs, at, row_length = (tile, ZERO, spare) if transposed else (X, j, m)
        add_weighted_rows(w, n, inputs, at, row_length, row, ahead)
        output_row(row, y, examples.scale, examples.with_cost, losses, sums)
        add_row_dots(n, inputs, at, row_length, row, dw, ahead)


@inlined
def _add_direct_tile(w, examples, j, y, z, losses, part, dw, sums, ahead):
    """Add a tile of X in Fortran order.

    An example is a row in memory here. So dot products of rows give z, and a weighted sum of rows gives dw;
    in C order it is the other way round.
    """
    X, n, count = examples.X.numbers, examples.n, z.shape[0]
    add_row_dots(count, X, j * n, n, w, z, ahead)
    output_row(z, y, examples.scale, examples.with_cost, losses, sums)
    clear(part)
    add_weighted_rows(z, count, X, j * n, n, part, ahead)
    for i in range(n):
        dw[i] += part[i]
