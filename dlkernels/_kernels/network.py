"""A network of any depth: gradients, and whole epochs of training, batch by batch.

A step takes two phases, each a `prange` over workers:

1. The examples of the batch go through the network in tiles, forward and back (`network_tiles.through`).
2. The parameters are cut into blocks of units. A worker forms the gradient of a block, dW = dZ A_prevᵀ and
   the row sums of dZ, over all tiles, and updates these parameters at once, while the gradient is in cache.

No number belongs to two tasks, so there is nothing to merge.

The tiles of a large batch don't stay in cache until the second phase. So if the network is small, they are
shared out among slots, each with a gradient of its own, which is formed from a tile right after its way
through the network. The second phase adds up these gradients.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from dlkernels._compiler.options import ONE, ZERO, entry, loops, scalar, shared, twins
from dlkernels._compiler.pieces import Flag, Int, Ints, Number, Reals, Row, Table, piece
from dlkernels._kernels.activations import need_activation
from dlkernels._kernels.memory import as_row, carve, whole_lines
from dlkernels._kernels.network_tiles import (
    Examples,
    Net,
    Tile,
    differences,
    parameters_before,
    place,
    through,
    tile_numbers,
)
from dlkernels._kernels.optimizers import (
    L2,
    NONE,
    RULE,
    SLOPE,
    begin_step,
    rule_of,
    update_row,
)
from dlkernels._kernels.rows import clear, copy
from dlkernels._kernels.sharing import even_parts, share
from dlkernels._kernels.sums import row_dot
from dlkernels._kernels.tile_products import Panels, Sums, Tiles, add_outer, add_rows, padded
from dlkernels._simd.tile import mr

#: How many examples a tile has: two vectors in float32, so that a batch of 64 gives two threads a tile each.
#: Batches of more than _CHUNK examples have tiles of three times as many (30-16-1 x 100,000 in float32 takes
#: 8.6 to 11.2 ms, and 15.1 to 16.0 with tiles of 32).
_WIDTH = 32
#: How many examples go through the network before their gradients are formed: as many as _CHUNK_BYTES of
#: tiles hold; but a batch of up to _CHUNK at once, and of a larger batch at least _LEAST tiles. (784-10 in
#: float64 on two threads takes 0.91 to 0.93 of the time with 4 tiles, which have 5 MB, instead of 6.)
_CHUNK = 512
_CHUNK_BYTES = 2**20
_LEAST = 4
#: A batch of more than _CHUNK examples has slots if there are at most so many parameters.
_FEW_PARAMETERS = 2**14
_SLOTS = 16
#: How many bytes a tile of a slot has at most, if it is wider than _WIDTH: it stays in the second-level
#: cache. (784-10 x 60,000 in float64 on two threads takes 0.62 to 0.86 of the time that it takes without.)
_SLOT_BYTES = 2**18
#: How many multiply-adds a block of the gradient has, at least: enough for several us.
_BLOCK_WORK = 2**16


class Plan(NamedTuple):
    """How a batch is cut. A tile has `width` examples, a chunk `tiles` tiles, each `size` numbers.

    If there are slots, the chunk is the whole batch. Each slot has memory for one tile and, after it, for its
    gradient; `size` counts both.
    """

    width: Int
    tiles: Int
    size: Int
    blocks: Int
    slots: Int


@shared
def network_work(sizes, batch_size: int, itemsize: int) -> float:
    """Estimated nanoseconds of a step, on one thread."""
    work = 0.0
    for i in range(1, len(sizes)):
        work += sizes[i] * ((0.07 * sizes[i - 1] + 1.0) * batch_size + 2.0 * sizes[i - 1])
    return work * itemsize / 4


@loops
def _block_rows(n, k, examples, like):
    """How many units a block of the gradient has."""
    return even_parts(n, max(mr(like), _BLOCK_WORK // (max(1, k) * examples)), mr(like))


@loops
def _plan(sizes, batch_size, like):
    width, slots = min(padded(batch_size, like), _WIDTH), ZERO
    if batch_size > _CHUNK:
        width = 3 * _WIDTH
        if parameters_before(sizes, sizes.shape[0]) <= _FEW_PARAMETERS:
            if tile_numbers(sizes, width, like) * like.itemsize > _SLOT_BYTES:
                width = ONE * _WIDTH
            slots = min(_SLOTS, (batch_size + width - 1) // width)
    size, tiles = tile_numbers(sizes, width, like), (batch_size + width - 1) // width
    if slots > 0:
        size += whole_lines(parameters_before(sizes, sizes.shape[0]))
    elif batch_size > _CHUNK:
        tiles = min(tiles, max(_LEAST, _CHUNK_BYTES // (size * like.itemsize)))
    blocks = ZERO
    for layer in range(1, sizes.shape[0]):
        rows = _block_rows(sizes[layer], sizes[layer - 1], tiles * width, like)
        blocks += (sizes[layer] + rows - 1) // rows
    return Plan(width, tiles, size, blocks, slots)


@entry
def network_workspace(sizes, batch_size, X_transposed, workers, like):
    """How many numbers of workspace `network_epoch` needs."""
    plan = _plan(sizes, batch_size, like)
    places = plan.slots if plan.slots > 0 else plan.tiles
    return whole_lines(places) + whole_lines(plan.blocks) + places * plan.size


class Part(NamedTuple):
    """A chunk of a batch: the examples [first, end) of the epoch; whether it is the first, and the last."""

    first: Int
    end: Int
    fresh: Flag
    complete: Flag


@twins
def network_epoch(
    theta: Row, sizes: Ints, codes: Ints, X: Table, X_transposed: Flag, Y: Table, classes: Flag, weights: Row,
    order: Ints, batch_size: Int, settings: Reals, state: Row, gradient: Row, workspace: Row, workers: Int,
):  # fmt: skip
    """Train on all batches of an epoch; or, if the rule is NONE, compute the gradient of a single batch.

    theta is (P,): W1 (n_1, n_0), b1, W2 and so on, of n_0 ... n_L = sizes (L + 1,). codes (L,) are those of
    the hidden activations and of the output. X is (n_0, m), or (m, n_0) if `X_transposed`; Y (n_L, m), or
    (1, m) if it holds `classes`; weights (m,) or (0,). order (k,) are indices of examples; if it is (0,), all
    are taken as they stand. settings and state are those of `optimizers`. theta, settings and state change in
    place; gradient (P,) becomes that of the last batch. Returns the mean of the batches' costs before their
    updates.
    """
    for i in range(codes.shape[0] - 1):
        need_activation(codes[i])
    m, slope = Y.shape[1], theta.dtype.type(settings[SLOPE])
    count = order.shape[0] if order.shape[0] > 0 else m
    inputs, labels = as_row(X), as_row(Y)
    width, most, size, blocks, slots = _plan(sizes, batch_size, theta)
    costs, rest = carve(workspace, slots if slots > 0 else most)
    penalties, tiles = carve(rest, blocks)
    chunk = most * width
    mean, sum_of_weights = 0.0, 0.0
    for first in range(0, count, batch_size):
        after = min(count, first + batch_size)
        weight = _weight(weights, order, first, after)
        if weight == 0.0:
            continue
        if settings[RULE] != NONE:
            begin_step(settings)
        total, cost = theta.dtype.type(weight), 0.0
        for start in range(first, after, chunk):
            end = min(after, start + chunk)
            for worker in prange(workers):
                plan = Plan(width, most, size, blocks, slots)
                net = Net(theta, sizes, codes, slope)
                examples = Examples(inputs, X_transposed, m, labels, classes, weights, order)
                tiles_share(worker, workers, net, examples, plan, start, end, total, costs, tiles)
            for t in range(slots if slots > 0 else (end - start + width - 1) // width):
                cost += costs[t]
            for worker in prange(workers):
                plan = Plan(width, most, size, blocks, slots)
                net = Net(theta, sizes, codes, slope)
                part = Part(start, end, start == first, end == after)
                blocks_share(worker, workers, net, plan, part, settings, state, gradient, penalties, tiles)
        penalty = 0.0
        if settings[L2] > 0.0:
            for b in range(blocks):
                penalty += penalties[b]
        sum_of_weights += weight
        mean = _mean_with(mean, cost + 0.5 * settings[L2] * penalty, weight / sum_of_weights)
    return mean


@scalar
def _mean_with(mean, cost, share):
    """The mean of the costs so far and one more, which has this share of the weights.

    A sum of weights times costs might overflow. So may `(cost * weight) / sum`, which LLVM makes of this
    where it is allowed to reorder products.
    """
    return mean + (cost - mean) * share


@loops
def _weight(weights, order, first, after):
    """The sum of the weights of a batch."""
    if weights.shape[0] == 0:
        return float(after - first)
    weight = 0.0
    for i in range(first, after):
        weight += weights[order[i] if order.shape[0] > 0 else i]
    return weight


@piece
def tiles_share(
    worker: Int, workers: Int, net: Net, examples: Examples, plan: Plan, start: Int, end: Int, total: Number,
    costs: Row, tiles: Row,
):  # fmt: skip
    """Take a worker's share of the tiles of the examples [start, end) through the network."""
    count = (end - start + plan.width - 1) // plan.width
    if plan.slots > 0:
        first, last = share(worker, workers, plan.slots)
        for slot in range(first, last):
            memory = tiles[slot * plan.size : (slot + 1) * plan.size]
            costs[slot] = _slot(slot, count, net, examples, plan, start, end, total, memory)
        return
    first, last = share(worker, workers, count)
    for t in range(first, last):
        at = start + t * plan.width
        memory = tiles[t * plan.size : (t + 1) * plan.size]
        tile = Tile(at, min(plan.width, end - at), plan.width, total, memory)
        costs[t] = through(net, examples, tile)


@loops
def _slot(slot, count, net, examples, plan, start, end, total, memory):
    """Take the tiles of a slot through the network, and add up their gradients. Returns their cost."""
    numbers = tile_numbers(net.sizes, plan.width, memory)
    gradient, cost = memory[numbers:], memory.dtype.type(0)
    first, last = share(slot, plan.slots, count)
    if first == last:
        clear(gradient)
    for t in range(first, last):
        at = start + t * plan.width
        stop = min(at + plan.width, end)
        tile = Tile(at, stop - at, plan.width, total, memory[:numbers])
        cost += through(net, examples, tile)
        begin, part = ZERO, Part(at, stop, t == first, t == last - 1)
        for layer in range(1, net.sizes.shape[0]):
            n, k = net.sizes[layer], net.sizes[layer - 1]
            _form(net, plan, part, layer, ZERO, n, begin, gradient, memory)
            begin += n * (k + 1)
    return cost


@loops
def _merge(net, plan, layer, first, last, begin, gradient, tiles):
    """The gradient of units [first, last) of a layer from those of all slots."""
    n, k, numbers = net.sizes[layer], net.sizes[layer - 1], tile_numbers(net.sizes, plan.width, tiles)
    W, b = begin + first * k, begin + n * k + first
    copy(tiles[numbers + W : numbers + begin + last * k], gradient[W : begin + last * k])
    copy(tiles[numbers + b : numbers + begin + n * k + last], gradient[b : begin + n * k + last])
    for slot in range(1, plan.slots):
        at = slot * plan.size + numbers
        for j in range(W, begin + last * k):
            gradient[j] += tiles[at + j]
        for j in range(b, begin + n * k + last):
            gradient[j] += tiles[at + j]


@piece
def blocks_share(
    worker: Int, workers: Int, net: Net, plan: Plan, part: Part, settings: Reals, state: Row, gradient: Row,
    penalties: Row, tiles: Row,
):  # fmt: skip
    """Form a worker's share of the blocks of the gradient, and update the parameters if it is complete.

    A block belongs to the worker in whose share of the parameters its middle lies, since its work grows with
    its parameters. (Equal numbers of blocks gave one of two workers all 784 inputs of 784-100-100-10.)
    """
    low, high = share(worker, workers, net.theta.shape[0])
    block, begin = ZERO, ZERO
    for layer in range(1, net.sizes.shape[0]):
        n, k = net.sizes[layer], net.sizes[layer - 1]
        rows = _block_rows(n, k, plan.tiles * plan.width, gradient)
        for i in range(0, n, rows):
            stop = min(n, i + rows)
            if low <= begin + (i + stop) * k // 2 < high:
                if plan.slots > 0:
                    _merge(net, plan, layer, i, stop, begin, gradient, tiles)
                else:
                    _form(net, plan, part, layer, i, stop, begin, gradient, tiles)
                if part.complete:
                    penalties[block] = _finish(net, k, i, stop, n, begin, settings, state, gradient)
            block += 1
        begin += n * (k + 1)


@loops
def _form(net, plan, part, layer, first, last, begin, gradient, tiles):
    """The gradient of units [first, last) of a layer, whose parameters begin at `begin`."""
    n, k, width = net.sizes[layer], net.sizes[layer - 1], plan.width
    D_at = differences(net, width, layer, tiles)
    _, _, A_at = place(net.sizes, width, layer - 1, tiles)
    count = part.end - part.first
    parts = (count + width - 1) // width
    examples = Sums(parts, width, count - (parts - 1) * width)
    D, A = Tiles(tiles, D_at, width, plan.size), Panels(tiles, A_at, width, plan.size)
    add_outer(D, first, last, A, k, examples, gradient[begin : begin + n * k], part.fresh)
    add_rows(D, first, last, examples, gradient[begin + n * k : begin + n * (k + 1)], part.fresh)


@loops
def _finish(net, k, first, last, n, begin, settings, state, gradient):
    """Add the penalty to the gradient of some units, and update their parameters. Returns the sum of W²."""
    theta, penalty = net.theta, gradient.dtype.type(0)
    W_first, W_last = begin + first * k, begin + last * k
    l2 = gradient.dtype.type(settings[L2])
    if settings[L2] > 0.0:
        W, dW = theta[W_first:W_last], gradient[W_first:W_last]
        penalty = row_dot(W, W)
        for j in range(W.shape[0]):
            dW[j] += l2 * W[j]
    if settings[RULE] != NONE:
        rule, size = rule_of(settings, gradient), theta.shape[0] if state.shape[0] > 0 else ZERO
        if first == 0 and last == n:  # the biases follow the weights
            _update(rule, theta, gradient, state, size, begin, begin + n * (k + 1))
        else:
            _update(rule, theta, gradient, state, size, W_first, W_last)
            b_first, b_last = begin + n * k + first, begin + n * k + last
            _update(rule, theta, gradient, state, size, b_first, b_last)
    return penalty


@loops
def _update(rule, theta, gradient, state, size, first, last):
    if size > 0:
        v, s = state[first:last], state[size + first : size + last]
    else:
        v, s = state, state
    update_row(rule, theta[first:last], gradient[first:last], v, s)
