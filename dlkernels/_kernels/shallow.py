"""Cost and gradients of a network with one hidden layer in one pass over X.

The formulas, for m examples as columns of X, n_h hidden units and activation g:

    Z1 = W1 X + b1,   A1 = g(Z1),   z2 = W2 A1 + b2,   a2 = sigmoid(z2),   dz2 = a2 - y,
    dZ1 = W2ᵀ dz2 * g'(Z1),   and divided by m:   dW2 = dz2 A1ᵀ,   db2 = the sum of dz2,
    dW1 = dZ1 Xᵀ,   db1 = row sums of dZ1.

X is cut into tiles of columns. Z1, A1 and dZ1 exist for one tile at a time and stay in the second-level
cache; nothing of length m is written to memory. Each slot owns a fixed range of tiles and gradients of
its own. `shallow_tall` does the same for few examples of many features.
"""

from __future__ import annotations

from numba import prange

from dlkernels._compiler.options import ALONE, AS_IT_IS, START, entry, inlined, loops, shared, twins
from dlkernels._compiler.pieces import Flag, Int, Number, Real, Row, piece
from dlkernels._kernels.activations import activate, copy, times_derivative
from dlkernels._kernels.dense import SLOTS
from dlkernels._kernels.descent import step
from dlkernels._kernels.gradients import (
    PARTS,
    SHORTEST,
    add_gradient,
    add_gradient_room,
    finish,
    units_across,
)
from dlkernels._kernels.logistic import (
    COST,
    DB,
    add_row_dots,
    add_weighted_rows,
    output_row,
    tile_width,
)
from dlkernels._kernels.matmul import merge, product, product_room
from dlkernels._kernels.packing import pack_left, pack_transposed, whole_strips
from dlkernels._kernels.room import carve, lines
from dlkernels._kernels.sums import add_row, clear, exact_share, merge_pairs, total
from dlkernels._simd.tile import rows
from dlkernels.catalogue import SIGMOID, TANH

#: With at most this many features or hidden units, W1 X is formed row by row: a tile of the packed product
#: would be half empty. A step of 2-4-1 on 400 examples, float64: 3.97 us instead of 4.54 us.
NARROW_FEATURES, NARROW_UNITS = 8, 4


@shared
def work(n_h: int, n_x: int, m: int, itemsize: int) -> float:
    """Estimated nanoseconds of a step, on one thread."""
    return (n_h * (0.045 * n_x + 0.8) + 0.6) * m * itemsize / 4


@loops
def _packs(n_h, n_x):
    return n_x > NARROW_FEATURES and n_h > NARROW_UNITS


@inlined
def _products(W1, packed, start, n_h, n_x, X, j, row_length, width, Z1, length, panel):
    """Z1 = W1 X + b1 for one tile; rows of Z1 are `length` apart; panel is the room of `product`."""
    if _packs(n_h, n_x):
        product(
            packed, START, n_h, n_x, X, row_length, AS_IT_IS, j, width, start, Z1, length, START, panel,
        )  # fmt: skip
        return
    for h in range(n_h):
        z, bias = Z1[h * length : h * length + width], start[h]
        for c in range(width):
            z[c] = bias
        add_weighted_rows(W1[h * n_x : (h + 1) * n_x], n_x, X, j, row_length, z, START)


@loops
def keeps_A(code):
    """Whether the derivative is found from A1 and not from Z1; dZ1 takes the place of the other."""
    return (code == SIGMOID) | (code == TANH)


@piece
def there_and_back(
    W2: Row, b2: Row, y: Row, code: Int, slope: Real, n_h: Int, Z1: Row, A1: Row, length: Int, share: Number,
    with_cost: Flag, z2: Row, losses: Row, dW2: Row, sums: Row,
):  # fmt: skip
    """From Z1 to dZ1: A1 = g(Z1), z2, dz2, dZ1 = W2ᵀ dz2 * g'; adds to dW2 and to the sums of a slot."""
    width = y.shape[0]
    for h in range(n_h):
        a = A1[h * length : h * length + width]
        copy(Z1[h * length : h * length + width], a)
        activate(code, slope, a)
    row = z2[:width]
    for c in range(width):
        row[c] = b2[0]
    add_weighted_rows(W2, n_h, A1, START, length, row, START)
    output_row(row, y, share, with_cost, losses, sums)
    add_row_dots(n_h, A1, START, length, row, dW2, START)
    saved, dZ1 = (A1, Z1) if keeps_A(code) else (Z1, A1)
    for h in range(n_h):
        d = dZ1[h * length : h * length + width]
        weight = W2[h]
        for c in range(width):
            d[c] = weight * row[c]
        times_derivative(code, slope, saved[h * length : h * length + width], d)
        add_row(d, sums, 2 + h)


@loops
def _tile_room(n_h, n_x, m, length, transposed, like):
    """Numbers of scratch memory of `slot`."""
    numbers = 2 * lines(n_h * length) + 2 * lines(length)
    numbers += add_gradient_room(units_across(n_h, n_x, m, like), n_h, length, like)
    if transposed:
        numbers += lines(n_x * length)
    if _packs(n_h, n_x):
        strips, row_length = whole_strips(n_h, like) // rows(like), length if transposed else m
        numbers += lines(product_room(strips, n_x, row_length, AS_IT_IS, length, like))
    return numbers


@piece
def slot(
    W1: Row, packed: Row, start: Row, W2: Row, b2: Row, X: Row, transposed: Flag, n_h: Int, n_x: Int, m: Int,
    Y: Row, code: Int, slope: Real, first: Int, last: Int, length: Int, share: Number, with_cost: Flag,
    dW1: Row, dW2: Row, sums: Row, memory: Row, ):  # fmt: skip
    """The examples [first, last): adds to this slot's dW1, dW2 and sums (cost, db2, then db1).

    memory has `_tile_room` numbers.
    """
    Z1, memory = carve(memory, n_h * length)
    A1, memory = carve(memory, n_h * length)
    z2, memory = carve(memory, length)
    losses, memory = carve(memory, length)
    across = units_across(n_h, n_x, m, X)
    block, memory = carve(memory, add_gradient_room(across, n_h, length, X))
    tile, panel = carve(memory, n_x * length if transposed else 0)
    dZ1 = Z1 if keeps_A(code) else A1
    for j in range(first, last, length):
        width = min(length, last - j)
        if transposed:
            pack_transposed(X, n_x, j, width, START, n_x, tile, START, length)
        inputs, at, row_length = (tile, START, length) if transposed else (X, j, m)
        _products(
            W1, packed, start, n_h, n_x, inputs, at, row_length, width, Z1, length, panel,
        )  # fmt: skip
        there_and_back(
            W2, b2, Y[j : j + width], code, slope, n_h, Z1, A1, length, share, with_cost, z2, losses, dW2,
            sums,
        )  # fmt: skip
        add_gradient(
            dZ1, START, length, n_h, inputs, at, row_length, n_x, width, dW1, n_h if across else n_x,
            across, block,
        )  # fmt: skip


@piece
def slots_of_worker(
    w: Int, workers: Int, W1: Row, packed: Row, start: Row, W2: Row, b2: Row, X: Row, transposed: Flag,
    n_h: Int, n_x: Int, m: Int, Y: Row, code: Int, slope: Real, share: Number, with_cost: Flag, parts: Row,
    sums: Row, memory: Row, ):  # fmt: skip
    """The slots of one of the workers; memory is that of all of them."""
    length, tiles, slots = _plan(n_h, n_x, m, X)
    size, pairs, own = n_h * (n_x + 1), 2 + n_h, _tile_room(n_h, n_x, m, length, transposed, X)
    for s in range(w * slots // workers, (w + 1) * slots // workers):
        part = parts[s * size : (s + 1) * size]
        clear(part)
        slot(
            W1, packed, start, W2, b2, X, transposed, n_h, n_x, m, Y, code, slope,
            s * tiles // slots * length, min(m, (s + 1) * tiles // slots * length), length, share, with_cost,
            part[: n_h * n_x], part[n_h * n_x :], sums[s * pairs * 2 : (s + 1) * pairs * 2],
            memory[w * own : (w + 1) * own],
        )  # fmt: skip


@loops
def divide_sums(n_h, part, sums, count, db1, dW2, db2):
    """The gradients but dW1 from what the slots added up."""
    for h in range(n_h):
        dW2[h] = part[h] / count
        db1[h] = total(sums, 2 + h) / count
    db2[0] = total(sums, DB) / count


@loops
def descend(rate, W1, dW1, b1, db1, W2, dW2, b2, db2):
    step(W1, dW1, rate)
    step(b1, db1, rate)
    step(W2, dW2, rate)
    step(b2, db2, rate)


@loops
def _plan(n_h, n_x, m, like):
    """Examples of a tile, number of tiles, number of slots."""
    length = tile_width(2 * n_h + n_x, SHORTEST, m, like.itemsize)
    tiles = (m + length - 1) // length
    return length, tiles, max(1, min(SLOTS, tiles, PARTS // max(1, n_h * n_x)))


@entry
def shallow_room(n_h, n_x, m, transposed, workers, like):
    """Numbers of scratch memory of `shallow`."""
    length, _, slots = _plan(n_h, n_x, m, like)
    numbers = lines(slots * n_h * (n_x + 1)) + lines(slots * (2 + n_h) * 2)
    numbers += lines(whole_strips(n_h, like) * n_x) + lines(whole_strips(n_h, like))
    return numbers + workers * _tile_room(n_h, n_x, m, length, transposed, like)


@twins
def shallow(
    W1: Row, b1: Row, W2: Row, b2: Row, X: Row, transposed: Flag, n_h: Int, n_x: Int, m: Int, Y: Row,
    code: Int, negative_slope: Real, learning_rate: Real, steps: Int, dW1: Row, db1: Row, dW2: Row, db2: Row,
    scratch: Row, workers: Int, ) -> Number:  # fmt: skip
    """Runs steps of gradient descent, or with steps = 0 only computes the gradients.

    Returns the cost before the first step. The parameters W1 (n_h, n_x), b1 and W2 (n_h,), b2 (1,) are
    updated if there are steps, their gradients are overwritten; X (n_x, m), Y (m,).
    """
    _, _, slots = _plan(n_h, n_x, m, X)
    share = exact_share(m, X)
    count, rate = X.dtype.type(m), X.dtype.type(learning_rate)
    size, pairs = n_h * (n_x + 1), 2 + n_h
    strips = whole_strips(n_h, X)
    parts, memory = carve(scratch, slots * size)
    sums, memory = carve(memory, slots * pairs * 2)
    packed, memory = carve(memory, strips * n_x)
    start, memory = carve(memory, strips)
    clear(start)
    cost = X.dtype.type(0)
    for k in range(max(1, steps)):
        clear(sums)
        pack_left(n_h, n_x, W1, AS_IT_IS, START, n_x, packed)
        copy(b1, start[:n_h])
        for w in prange(workers):
            slots_of_worker(
                w, workers, W1, packed, start, W2, b2, X, transposed, n_h, n_x, m, Y, code, negative_slope,
                share, k == 0, parts, sums, memory,
            )  # fmt: skip
        finish(
            START, ALONE, slots, size, n_h, n_x, units_across(n_h, n_x, m, X), parts, count, dW1
        )  # fmt: skip
        merge(slots, size, parts, n_h * n_x, size)
        merge_pairs(slots, pairs, sums)
        divide_sums(n_h, parts[n_h * n_x : size], sums, count, db1, dW2, db2)
        if k == 0:
            cost = total(sums, COST) / (count * share)
        if steps > 0:
            descend(rate, W1, dW1, b1, db1, W2, dW2, b2, db2)
    return float(cost)
