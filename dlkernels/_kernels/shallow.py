"""A network with one hidden layer: cost, gradients and steps of gradient descent, each in one pass over X.

For m examples as columns of X, which is (n_x, m), n_h hidden units and their activation g:

    Z1 = W1 X + b1,   A1 = g(Z1),   z2 = W2 A1 + b2,   a2 = sigmoid(z2),   dz2 = a2 - y,
    dZ1 = W2ᵀ dz2 * g'(Z1),   and divided by m:   dW2 = dz2 A1ᵀ,   db2 = the sum of dz2,
    dW1 = dZ1 Xᵀ,   db1 = row sums of dZ1;   and a step:   W1 -= alpha dW1, and so on.

X is cut into tiles of columns. Z1, A1 and dZ1 exist for one tile at a time and stay in the second-level
cache; no array of length m is written to memory. Each slot owns some tiles, and gradients of its own.
`hidden_layer` is the heart of a pass: it takes a tile from Z1 to dZ1. `shallow_tall` is for few examples of
many features.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import prange

from dlkernels._compiler.options import FALSE, ONE, ZERO, entry, inlined, loops, shared, twins
from dlkernels._compiler.pieces import Flag, Int, Number, Real, Row, Table, piece
from dlkernels._kernels.activations import (
    Activation,
    activate,
    derived_from_A,
    need_activation,
    times_derivative,
)
from dlkernels._kernels.dense_gradients import SHORTEST, merge_into_dW
from dlkernels._kernels.gradient_descent import step
from dlkernels._kernels.gradient_sums import (
    MOST_PARTIAL_SUMS,
    Rows,
    add_gradient,
    gradient_workspace,
    units_across,
)
from dlkernels._kernels.logistic import Examples, tile_width
from dlkernels._kernels.matvec import add_row_dots, add_weighted_rows
from dlkernels._kernels.memory import as_row, carve, whole_lines
from dlkernels._kernels.micro_kernel import Left, Target, multiply_panel, panel_workspace
from dlkernels._kernels.output_unit import COST, DB, output_row
from dlkernels._kernels.packing import Matrix, pack_left, pack_transposed, padded_rows
from dlkernels._kernels.rows import clear, copy
from dlkernels._kernels.sharing import SLOTS, merge, share
from dlkernels._kernels.sums import add_row, merge_pairs, power_of_two_scale, total
from dlkernels._simd.tile import mr

#: With at most this many features, or at most this many hidden units, W1 X is formed row by row, because a
#: register tile of the packed product would be half empty. A step of 2-4-1 on 400 examples takes 3.97 us in
#: float64, and 4.54 with the packed product.
_FEW_FEATURES, _FEW_UNITS = 8, 4


class Network(NamedTuple):
    """The parameters W1 (n_h, n_x), b1 (n_h, 1), W2 (1, n_h) and b2 (1, 1), or their gradients."""

    W1: Table
    b1: Table
    W2: Table
    b2: Table


class Layers(NamedTuple):
    """The parameters in the form in which the passes over the examples need them.

    `packed` is W1 as `pack_left` packs it. `start` is b1, at which the sums of Z1 start, followed by zeros up
    to a whole micro-panel.
    """

    W1: Row
    packed: Row
    start: Row
    W2: Row
    b2: Row
    n_h: Int


class Tile(NamedTuple):
    """The intermediate results of a tile of examples: Z1 and A1 in rows of `length`, z2, and the losses."""

    Z1: Row
    A1: Row
    length: Int
    z2: Row
    losses: Row


@shared
def shallow_work(n_h: int, n_x: int, m: int, itemsize: int) -> float:
    """Estimated nanoseconds of a step, on one thread."""
    return (n_h * (0.045 * n_x + 0.8) + 0.6) * m * itemsize / 4


@loops
def _packs(n_h, n_x):
    return n_x > _FEW_FEATURES and n_h > _FEW_UNITS


@loops
def _plan(n_h, n_x, m, like):
    """The number of examples of a tile, of tiles, and of slots."""
    length = tile_width(2 * n_h + n_x, SHORTEST, m, like.itemsize)
    tiles = (m + length - 1) // length
    return length, tiles, max(1, min(SLOTS, tiles, MOST_PARTIAL_SUMS // max(1, n_h * n_x)))


@loops
def _worker_workspace(n_h, n_x, m, length, transposed, like):
    numbers = 2 * whole_lines(n_h * length) + 2 * whole_lines(length)
    numbers += gradient_workspace(units_across(n_h, n_x, m, like), n_h, length, like)
    if transposed:
        numbers += whole_lines(n_x * length)
    if _packs(n_h, n_x):
        panels, row_length = padded_rows(n_h, like) // mr(like), length if transposed else m
        numbers += whole_lines(panel_workspace(panels, n_x, row_length, FALSE, length, like))
    return numbers


@entry
def shallow_workspace(n_h, n_x, m, X_transposed, workers, like):
    """How many numbers of workspace `shallow_steps` needs."""
    length, _, slots = _plan(n_h, n_x, m, like)
    numbers = whole_lines(slots * n_h * (n_x + 1)) + whole_lines(slots * (2 + n_h) * 2)
    numbers += whole_lines(padded_rows(n_h, like) * n_x) + whole_lines(padded_rows(n_h, like))
    return numbers + workers * _worker_workspace(n_h, n_x, m, length, X_transposed, like)


@twins
def shallow_steps(
    network: Network, X: Table, X_transposed: Flag, Y: Table, activation: Activation, learning_rate: Real,
    steps: Int, gradients: Network, workspace: Row, workers: Int,
) -> Number:  # fmt: skip
    """Do `steps` steps of gradient descent; or compute only the gradients, if `steps` is 0.

    X is (n_x, m), or (m, n_x) if `X_transposed`; Y is (1, m). The gradients are overwritten, and the
    parameters are updated if there are steps. Returns the cost before the first step.
    """
    need_activation(activation.code)
    (n_h, n_x), m = network.W1.shape, Y.shape[1]
    W1, dW1 = as_row(network.W1), as_row(gradients.W1)
    matrix, labels = Matrix(as_row(X), X.shape[1], X_transposed), as_row(Y)
    _, _, slots = _plan(n_h, n_x, m, dW1)
    scale, count = power_of_two_scale(m, dW1), dW1.dtype.type(m)
    size, pairs, padded = n_h * (n_x + 1), 2 + n_h, padded_rows(n_h, dW1)
    parts, rest = carve(workspace, slots * size)
    sums, rest = carve(rest, slots * pairs * 2)
    packed, rest = carve(rest, padded * n_x)
    start, own = carve(rest, padded)
    layers = Layers(W1, packed, start, as_row(network.W2), as_row(network.b2), n_h)
    cost = dW1.dtype.type(0)
    for k in range(max(1, steps)):
        clear(sums)
        pack_parameters(network, packed, start)
        for worker in prange(workers):
            examples = Examples(matrix, labels, n_x, m, scale, k == 0)
            add_slots(worker, workers, layers, examples, activation, parts, sums, own)
        merge_slots(slots, m, parts, sums, count, gradients)
        average(gradients, parts[n_h * n_x : size], sums, count)
        if k == 0:
            cost = total(sums, COST) / (count * scale)
        if steps > 0:
            descend(network, gradients, dW1.dtype.type(learning_rate))
    return float(cost)


@loops
def pack_parameters(network, packed, start):
    """Fill in `packed` and `start` of `Layers`: W1 packed for the micro-kernel, and b1."""
    n_h, n_x = network.W1.shape
    pack_left(n_h, Matrix(as_row(network.W1), n_x, FALSE), ZERO, n_x, packed)
    clear(start)
    copy(as_row(network.b1), start[:n_h])


@loops
def merge_slots(slots, m, parts, sums, count, gradients):
    """Add up the sums of all slots. This finishes dW1; the other sums are left in the first slot."""
    n_h, n_x = gradients.W1.shape
    size, dW1 = n_h * (n_x + 1), as_row(gradients.W1)
    merge_into_dW(ZERO, ONE, slots, size, n_h, n_x, units_across(n_h, n_x, m, parts), parts, count, dW1)
    merge(slots, size, parts, n_h * n_x, size)
    merge_pairs(slots, 2 + n_h, sums)


@piece
def add_slots(
    worker: Int, workers: Int, layers: Layers, examples: Examples, activation: Activation, parts: Row,
    sums: Row, workspace: Row,
):  # fmt: skip
    """Do a worker's share of the slots: form the sums for dW1 and dW2 of each slot, and its pairs of sums.

    The pairs of sums are those of the cost, db2 and db1, in this order.
    """
    n_h, n_x, m = layers.n_h, examples.n, examples.m
    length, tiles, slots = _plan(n_h, n_x, m, parts)
    own = _worker_workspace(n_h, n_x, m, length, examples.X.transposed, parts)
    memory = workspace[worker * own : (worker + 1) * own]
    size, pairs = n_h * (n_x + 1), 2 + n_h
    first, last = share(worker, workers, slots)
    for s in range(first, last):
        part = parts[s * size : (s + 1) * size]
        clear(part)
        start, end = s * tiles // slots * length, min(m, (s + 1) * tiles // slots * length)
        pairs_here = sums[s * pairs * 2 : (s + 1) * pairs * 2]
        _add_examples(layers, examples, activation, start, end, length, part, pairs_here, memory)


@loops
def _add_examples(layers, examples, activation, first, last, length, part, sums, workspace):
    """Add the examples [first, last) to the sums of a slot, a tile of `length` examples at a time."""
    n_h, n_x, m, X = layers.n_h, examples.n, examples.m, examples.X
    Z1, rest = carve(workspace, n_h * length)
    A1, rest = carve(rest, n_h * length)
    z2, rest = carve(rest, length)
    losses, rest = carve(rest, length)
    across = units_across(n_h, n_x, m, part)
    block, rest = carve(rest, gradient_workspace(across, n_h, length, part))
    turned, panel = carve(rest, n_x * length if X.transposed else 0)
    tile, dZ1 = Tile(Z1, A1, length, z2, losses), Z1 if derived_from_A(activation.code) else A1
    dW1, dW2 = part[: n_h * n_x], part[n_h * n_x :]
    for j in range(first, last, length):
        width = min(length, last - j)
        if X.transposed:
            pack_transposed(X.numbers, n_x, j, width, ZERO, n_x, turned, ZERO, length)
            inputs = Rows(turned, 0, length, n_x)
        else:
            inputs = Rows(X.numbers, j, m, n_x)
        _multiply(layers, inputs, width, tile, panel)
        hidden_layer(
            layers, examples.Y[j : j + width], examples.scale, examples.with_cost, activation, tile, dW2, sums
        )
        add_gradient(
            Rows(dZ1, 0, length, n_h), inputs, width, dW1, n_h if across else n_x, across, block
        )  # fmt: skip


@inlined
def _multiply(layers, inputs, width, tile, panel):
    """Z1 = W1 X + b1 for a tile of examples; `panel` is the workspace of `multiply_panel`."""
    n_h, n_x, length = layers.n_h, inputs.count, tile.length
    if _packs(n_h, n_x):
        left = Left(layers.packed, n_x, 0, 0, n_h)
        right = Matrix(inputs.numbers, inputs.row_length, False)
        multiply_panel(left, right, inputs.at, Target(tile.Z1, 0, length, width, layers.start, True), panel)
    else:
        for h in range(n_h):
            z, bias = tile.Z1[h * length : h * length + width], layers.start[h]
            for c in range(width):
                z[c] = bias
            weights = layers.W1[h * n_x : (h + 1) * n_x]
            add_weighted_rows(weights, n_x, inputs.numbers, inputs.at, inputs.row_length, z, ZERO)


@piece
def hidden_layer(
    layers: Layers, y: Row, scale: Number, with_cost: Flag, activation: Activation, tile: Tile, dW2: Row,
    sums: Row,
):  # fmt: skip
    """A1 = g(Z1), z2 = W2 A1 + b2, dz2, dZ1 = W2ᵀ dz2 * g'(Z1), for a tile of examples.

    This also adds the tile to dW2 and to the pairs of sums of a slot. dZ1 is written over Z1 if g' is
    computed from A1, and over A1 otherwise.
    """
    n_h, Z1, A1, length, width = layers.n_h, tile.Z1, tile.A1, tile.length, y.shape[0]
    for h in range(n_h):
        a = A1[h * length : h * length + width]
        copy(Z1[h * length : h * length + width], a)
        activate(activation, a)
    row = tile.z2[:width]
    for c in range(width):
        row[c] = layers.b2[0]
    add_weighted_rows(layers.W2, n_h, A1, ZERO, length, row, ZERO)
    output_row(row, y, scale, with_cost, tile.losses, sums)
    add_row_dots(n_h, A1, ZERO, length, row, dW2, ZERO)
    saved, dZ1 = (A1, Z1) if derived_from_A(activation.code) else (Z1, A1)
    for h in range(n_h):
        d = dZ1[h * length : h * length + width]
        weight = layers.W2[h]
        for c in range(width):
            d[c] = weight * row[c]
        times_derivative(activation, saved[h * length : h * length + width], d)
        add_row(d, sums, 2 + h)


@loops
def average(gradients, dW2, sums, count):
    """Compute dW2, db1 and db2 from the merged sums."""
    for h in range(dW2.shape[0]):
        gradients.W2[0, h] = dW2[h] / count
        gradients.b1[h, 0] = total(sums, 2 + h) / count
    gradients.b2[0, 0] = total(sums, DB) / count


@loops
def descend(network, gradients, rate):
    """Do a step of gradient descent: each parameter -= rate * its gradient."""
    step(as_row(network.W1), as_row(gradients.W1), rate)
    step(as_row(network.b1), as_row(gradients.b1), rate)
    step(as_row(network.W2), as_row(gradients.W2), rate)
    step(as_row(network.b2), as_row(gradients.b2), rate)
