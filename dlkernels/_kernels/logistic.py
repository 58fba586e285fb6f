"""Cost and gradients of logistic regression in one pass over X.

The formulas, for m examples as columns of X:

    z = wᵀX + b,  a = sigmoid(z),  J = mean of the cross entropy,  dz = a - y,
    dw = X dzᵀ / m,   db = the sum of dz / m.

X is cut into tiles of columns small enough for the second-level cache: a tile is read from memory for z
and found in the cache for dw. Meanwhile the next tile is asked for, half of it in each of the two loops, so
that memory is never idle. Each slot owns a fixed range of tiles and a dw of its own.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from dlkernels._compiler.options import START, entry, inlined, loops, shared, twins
from dlkernels._compiler.pieces import Flag, Int, Number, Numbers, Real, Row, piece
from dlkernels._kernels.costs import logit_loss
from dlkernels._kernels.dense import SLOTS, TASKS
from dlkernels._kernels.descent import step
from dlkernels._kernels.elementary import exp_nonpositive, log1p_unit
from dlkernels._kernels.matmul import merge
from dlkernels._kernels.packing import pack_transposed
from dlkernels._kernels.room import carve, even_parts, lines
from dlkernels._kernels.sums import add_row, clear, exact_share, merge_pairs, row_dot, total
from dlkernels._simd.moves import prefetch
from dlkernels._simd.registers import widest_vectors
from dlkernels._simd.tile import lanes

#: Two tiles of X fill half of a 1 MB second-level cache, but have never more examples than this, nor shorter
#: rows. (784 x 60,000 in float64 took 34.7 ms on an Intel Xeon with rows of 1920 bytes, and takes 23.3.)
TILE_BYTES, LONGEST, ROW_BYTES = 2**18, 960, 512
#: From this many features on, X in Fortran order is used as it is: 100 x 200,000 float32 in 4.0 ms instead of
#: 21.6. Shorter examples don't fill a vector and are transposed tile by tile (2 features: 0.44 ms, not 0.81).
LONG_EXAMPLE = 8
#: With more features than this and at most LONGEST examples, the features are shared out instead.
TALL = 1024
#: Which pair of a slot's sums is which, and how many there are; no literals (`_jit.START`).
COST, DB, PAIRS = map(np.int64, range(3))


@shared
def work(n: int, m: int, itemsize: int) -> float:
    """Estimated nanoseconds of a step with n features and m examples, on one thread."""
    return (0.12 * n + 0.6) * m * itemsize / 4


@loops
def output_row(z, y, share, with_cost, losses, sums):
    """z[j] <- dz[j] = sigmoid(z[j]) - y[j]; adds to db, and losses scaled by share to the cost.

    The cost needs no log of a rounded probability (`costs.logit_loss`); e^-|z| serves it and the sigmoid.
    """
    widest_vectors()
    zero, one = z.dtype.type(0), z.dtype.type(1)
    if with_cost:
        for j in range(z.shape[0]):
            x = z[j]
            e = exp_nonpositive(-x if x > zero else x)
            losses[j] = logit_loss(x * share, y[j], log1p_unit(e) * share, zero, one)
            z[j] = (one if x >= zero else e) / (one + e) - y[j]
        add_row(losses[: z.shape[0]], sums, COST)
    else:
        for j in range(z.shape[0]):
            x = z[j]
            e = exp_nonpositive(-x if x > zero else x)
            z[j] = (one if x >= zero else e) / (one + e) - y[j]
    add_row(z, sums, DB)


@loops
def _ask_for_two_rows(X, at, row_length, width):
    for j in range(0, width, lanes(X)):
        prefetch(X, at + j)
        prefetch(X, at + row_length + j)


@loops
def add_weighted_rows(w, n, X, first, row_length, z, ahead):
    """z[j] += sum over i of w[i] * X[first + i * row_length + j]; four rows a sweep over z.

    Asks for half of the rows that lie `ahead` numbers further on, unless that is 0.
    """
    widest_vectors()
    width = z.shape[0]
    whole = n // 4 * 4
    for i in range(0, whole, 4):
        w0, w1, w2, w3 = w[i], w[i + 1], w[i + 2], w[i + 3]
        at = first + i * row_length
        x0 = X[at : at + width]
        x1 = X[at + row_length : at + row_length + width]
        x2 = X[at + 2 * row_length : at + 2 * row_length + width]
        x3 = X[at + 3 * row_length : at + 3 * row_length + width]
        if ahead > 0:
            _ask_for_two_rows(X, at + ahead, row_length, width)
        for j in range(width):
            z[j] += (w0 * x0[j] + w1 * x1[j]) + (w2 * x2[j] + w3 * x3[j])
    for i in range(whole, n):
        wi = w[i]
        x = X[first + i * row_length : first + i * row_length + width]
        for j in range(width):
            z[j] += wi * x[j]


@loops
def add_row_dots(n, X, first, row_length, dz, dw, ahead):
    """dw[i] += sum over j of X[first + i * row_length + j] * dz[j]; four rows a sweep over dz.

    Asks for the rows `ahead` that `add_weighted_rows` doesn't ask for.
    """
    widest_vectors()
    width = dz.shape[0]
    zero = dz.dtype.type(0)
    whole = n // 4 * 4
    for i in range(0, whole, 4):
        at = first + i * row_length
        x0 = X[at : at + width]
        x1 = X[at + row_length : at + row_length + width]
        x2 = X[at + 2 * row_length : at + 2 * row_length + width]
        x3 = X[at + 3 * row_length : at + 3 * row_length + width]
        s0, s1, s2, s3 = zero, zero, zero, zero
        if ahead > 0:
            _ask_for_two_rows(X, at + 2 * row_length + ahead, row_length, width)
        for j in range(width):
            d = dz[j]
            s0 += x0[j] * d
            s1 += x1[j] * d
            s2 += x2[j] * d
            s3 += x3[j] * d
        dw[i] += s0
        dw[i + 1] += s1
        dw[i + 2] += s2
        dw[i + 3] += s3
    for i in range(whole, n):
        dw[i] += row_dot(X[first + i * row_length : first + i * row_length + width], dz)


@loops
def tile_width(floats_per_example, fewest, m, itemsize):
    """Examples per tile, so that what a tile touches fits the cache; whole vectors."""
    fitting = TILE_BYTES // (max(1, floats_per_example) * itemsize)
    return min(even_parts(m, max(fewest, min(LONGEST, fitting)), 16), LONGEST)


@inlined
def _direct_tile(w, X, n, j, y, share, with_cost, z, losses, part, dw, sums, ahead):
    """A tile of X in Fortran order, whose examples are rows in memory: the two products change roles."""
    count = z.shape[0]
    add_row_dots(count, X, j * n, n, w, z, ahead)
    output_row(z, y, share, with_cost, losses, sums)
    clear(part)
    add_weighted_rows(z, count, X, j * n, n, part, ahead)
    for i in range(n):
        dw[i] += part[i]


@loops
def _spare_width(width):
    """Between the columns of a transposed tile: odd in units of a cache's way, so that they don't collide."""
    return width + 16


@loops
def _tile_room(n, width, transposed):
    """Numbers of scratch memory of `slot`."""
    across = n if n >= LONG_EXAMPLE else n * _spare_width(width)
    return 2 * lines(width) + (lines(across) if transposed else 0)


@piece
def slot(
    w: Row, b: Number, X: Row, transposed: Flag, n: Int, m: Int, Y: Row, first: Int, last: Int, width: Int,
    share: Number, with_cost: Flag, dw: Row, sums: Row, memory: Row,
):  # fmt: skip
    """The examples [first, last): adds to this slot's dw (n,), cost and db.

    memory has `_tile_room` numbers.
    """
    z, memory = carve(memory, width)
    losses, tile = carve(memory, width)
    direct = transposed and n >= LONG_EXAMPLE
    spare = _spare_width(width)
    part = tile[: n if direct else 0]
    for j in range(first, last, width):
        count = min(width, last - j)
        row = z[:count]
        for c in range(count):
            row[c] = b
        ahead = START if j + width >= last else width * n if direct else width
        if direct:
            _direct_tile(w, X, n, j, Y[j : j + count], share, with_cost, row, losses, part, dw, sums, ahead)
            continue
        if transposed:
            pack_transposed(X, n, j, count, START, n, tile, START, spare)
            ahead = START
        inputs, at, row_length = (tile, START, spare) if transposed else (X, j, m)
        add_weighted_rows(w, n, inputs, at, row_length, row, ahead)
        output_row(row, Y[j : j + count], share, with_cost, losses, sums)
        add_row_dots(n, inputs, at, row_length, row, dw, ahead)


@loops
def _wide_slots(width, m):
    return min(SLOTS, (m + width - 1) // width)


@entry
def wide_room(n, m, transposed, workers, like):
    """Numbers of scratch memory of `logistic_wide`."""
    width = tile_width(n, ROW_BYTES // like.itemsize, m, like.itemsize)
    slots = _wide_slots(width, m)
    return lines(slots * n) + lines(slots * 4) + workers * _tile_room(n, width, transposed)


@twins
def logistic_wide(
    w: Row, b: Real, X: Row, transposed: Flag, n: Int, m: Int, Y: Row, learning_rate: Real, steps: Int,
    dw: Row, scratch: Row, workers: Int, ) -> Numbers:  # fmt: skip
    """Runs steps of gradient descent, or with steps = 0 only computes the gradients.

    Returns the cost before the first step, and the last db and b. w (n,) is updated if there are steps,
    dw (n,) is overwritten; b a number, X (n, m), Y (m,).
    """
    width = tile_width(n, ROW_BYTES // dw.itemsize, m, dw.itemsize)
    tiles, slots, own = (m + width - 1) // width, _wide_slots(width, m), _tile_room(n, width, transposed)
    share = exact_share(m, dw)
    count, rate = dw.dtype.type(m), dw.dtype.type(learning_rate)
    parts, memory = carve(scratch, slots * n)
    sums, memory = carve(memory, slots * 4)
    cost, db, bias = dw.dtype.type(0), dw.dtype.type(0), dw.dtype.type(b)
    for k in range(max(1, steps)):
        clear(parts)
        clear(sums)
        for worker in prange(workers):
            mine = memory[worker * own : (worker + 1) * own]
            for s in range(worker * slots // workers, (worker + 1) * slots // workers):
                slot(
                    w, bias, X, transposed, n, m, Y, s * tiles // slots * width,
                    min(m, (s + 1) * tiles // slots * width), width, share, k == 0,
                    parts[s * n : (s + 1) * n], sums[4 * s : 4 * s + 4], mine,
                )  # fmt: skip
        merge(slots, n, parts, START, n)
        merge_pairs(slots, PAIRS, sums)
        for i in range(n):
            dw[i] = parts[i] / count
        db = total(sums, DB) / count
        if k == 0:
            cost = total(sums, COST) / (count * share)
        if steps > 0:
            step(w, dw, rate)
            bias -= rate * db
    return float(cost), float(db), float(bias)


@shared
def is_tall(n: int, m: int) -> bool:
    """Whether features rather than examples are shared out."""
    return n > TALL and m <= LONGEST


@loops
def feature_slots(n, transposed):
    """How many features a slot has: few, for its part of X to stay in the second-level cache.

    More in Fortran order, where it reads pieces of so many numbers: 12,288 x 209, 256 at a time 209 us, 768
    170 us.
    """
    most = min(1024, n // TASKS) if transposed else 256
    return even_parts(n, max(256, most, (n + SLOTS - 1) // SLOTS), 16)


@piece
def partial_z(w: Row, X: Row, transposed: Flag, n: Int, m: Int, p: Int, depth: Int, z: Row):
    """z[j] += the part of wᵀX that the features [p, p + depth) contribute."""
    if transposed:
        add_row_dots(m, X, p, n, w[p : p + depth], z, START)
    else:
        add_weighted_rows(w[p : p + depth], depth, X, p * m, m, z, START)


@piece
def partial_dw(
    X: Row, transposed: Flag, n: Int, m: Int, p: Int, depth: Int, dz: Row, count: Number, dw: Row
):  # fmt: skip
    """dw[i] = sum over j of X[i, j] dz[j] / count for the features [p, p + depth)."""
    part = dw[p : p + depth]
    clear(part)
    if transposed:
        add_weighted_rows(dz, m, X, p, n, part, START)
    else:
        add_row_dots(depth, X, p * m, m, dz, part, START)
    for i in range(depth):
        part[i] /= count


@entry
def tall_room(n, m, transposed, workers, like):
    """Numbers of scratch memory of `logistic_tall`."""
    depth = feature_slots(n, transposed)
    return lines((n + depth - 1) // depth * m) + lines(m) + 4


@twins
def logistic_tall(
    w, b, X, transposed, n, m, Y, learning_rate, steps, dw, scratch, workers
):  # fmt: skip
    """As `logistic_wide` for many features and at most LONGEST examples: slots of features, two passes."""
    depth = feature_slots(n, transposed)
    slots = (n + depth - 1) // depth
    share = exact_share(m, dw)
    count, rate = dw.dtype.type(m), dw.dtype.type(learning_rate)
    parts, memory = carve(scratch, slots * m)
    losses, memory = carve(memory, m)
    sums, z = memory[:4], parts[:m]
    cost, db, bias = dw.dtype.type(0), dw.dtype.type(0), dw.dtype.type(b)
    for k in range(max(1, steps)):
        clear(parts)
        clear(sums)
        for worker in prange(workers):
            for s in range(worker * slots // workers, (worker + 1) * slots // workers):
                partial_z(
                    w, X, transposed, n, m, s * depth, min(depth, n - s * depth), parts[s * m : (s + 1) * m]
                )  # fmt: skip
        merge(slots, m, parts, START, m)
        for j in range(m):
            z[j] += bias
        output_row(z, Y, share, k == 0, losses, sums)
        for worker in prange(workers):
            # The last ones first: they are still in cache.
            for s in range((worker + 1) * slots // workers - 1, worker * slots // workers - 1, -1):
                partial_dw(
                    X, transposed, n, m, s * depth, min(depth, n - s * depth), z, count, dw
                )  # fmt: skip
        db = total(sums, DB) / count
        if k == 0:
            cost = total(sums, COST) / (count * share)
        if steps > 0:
            step(w, dw, rate)
            bias -= rate * db
    return float(cost), float(db), float(bias)
