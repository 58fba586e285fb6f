"""A network with one hidden layer on few examples of many features.

This does the same as `shallow`, but the features are shared out, in two passes over X. Each slot owns some
features. In the first pass each slot sums up its features' part of Z1, and the slots are merged. In the
second pass each slot forms its columns of dW1.
"""

from __future__ import annotations

from numba import prange

from dlkernels._compiler.options import FALSE, ZERO, entry, loops, shared, twins
from dlkernels._compiler.pieces import Flag, Int, Number, Real, Row, Table, piece
from dlkernels._kernels.activations import Activation, derived_from_A, need_activation
from dlkernels._kernels.gradient_sums import Rows, add_gradient, gradient_workspace
from dlkernels._kernels.logistic_tall import features_per_slot
from dlkernels._kernels.logistic_tall import is_tall as has_many_features
from dlkernels._kernels.memory import as_row, carve, whole_lines
from dlkernels._kernels.micro_kernel import Left, Target, multiply_panel, panel_workspace
from dlkernels._kernels.output_unit import COST
from dlkernels._kernels.packing import Matrix, pack_left, padded_rows
from dlkernels._kernels.rows import clear, divide
from dlkernels._kernels.shallow import Layers, Network, Tile, average, descend, hidden_layer
from dlkernels._kernels.sharing import merge, share
from dlkernels._kernels.sums import power_of_two_scale, total
from dlkernels._simd.tile import mr

#: With more hidden units than this, the parts of Z1 of all slots would take too much memory.
_FEW_UNITS = 32


@shared
def is_tall(n_h: int, n_x: int, m: int) -> bool:
    """Whether the features are shared out (this module), rather than the examples (`shallow`)."""
    return has_many_features(n_x, m) and n_h <= _FEW_UNITS


@loops
def _plan(n_h, n_x, m, transposed, like):
    """The number of features of a slot, of slots, and of numbers of workspace that each worker needs."""
    depth = features_per_slot(n_x, transposed)
    padded, row_length = padded_rows(n_h, like), n_x if transposed else m
    panels = padded // mr(like)
    there = whole_lines(padded * depth) + panel_workspace(panels, depth, row_length, transposed, m, like)
    back = whole_lines(padded * m) + panel_workspace(panels, m, n_x, FALSE, depth, like)
    back = back if transposed else gradient_workspace(FALSE, n_h, m, like)
    own = whole_lines(padded) + whole_lines(max(there, back))
    return depth, (n_x + depth - 1) // depth, own


@entry
def shallow_tall_workspace(n_h, n_x, m, X_transposed, workers, like):
    """How many numbers of workspace `shallow_tall_steps` needs."""
    _, slots, own = _plan(n_h, n_x, m, X_transposed, like)
    parts = whole_lines(slots * n_h * m) + whole_lines(n_h * m)
    numbers = parts + whole_lines((2 + n_h) * 2) + 2 * whole_lines(m) + whole_lines(n_h)
    return numbers + workers * own


@twins
def shallow_tall_steps(
    network: Network, X: Table, X_transposed: Flag, Y: Table, activation: Activation, learning_rate: Real,
    steps: Int, gradients: Network, workspace: Row, workers: Int,
) -> Number:  # fmt: skip
    """As `shallow.shallow_steps`, for shapes that are tall (`is_tall`)."""
    need_activation(activation.code)
    (n_h, n_x), m = network.W1.shape, Y.shape[1]
    W1, b1, dW1 = as_row(network.W1), as_row(network.b1), as_row(gradients.W1)
    matrix, labels = Matrix(as_row(X), X.shape[1], X_transposed), as_row(Y)
    _, slots, _ = _plan(n_h, n_x, m, X_transposed, dW1)
    scale, count = power_of_two_scale(m, dW1), dW1.dtype.type(m)
    parts, rest = carve(workspace, slots * n_h * m)
    A1, rest = carve(rest, n_h * m)
    sums, rest = carve(rest, (2 + n_h) * 2)
    part, rest = carve(rest, n_h)
    z2, rest = carve(rest, m)
    losses, own = carve(rest, m)
    Z1 = parts[: n_h * m]
    tile, dZ1 = Tile(Z1, A1, m, z2, losses), Z1 if derived_from_A(activation.code) else A1
    layers = Layers(W1, own[:0], own[:0], as_row(network.W2), as_row(network.b2), n_h)
    cost = dW1.dtype.type(0)
    for k in range(max(1, steps)):
        clear(sums)
        clear(part)
        for worker in prange(workers):
            find_partial_Z1(worker, workers, W1, matrix, n_h, n_x, m, parts, own)
        finish_Z1(slots, b1, m, parts)
        hidden_layer(layers, labels, scale, k == 0, activation, tile, part, sums)
        for worker in prange(workers):
            find_partial_dW1(worker, workers, dZ1, matrix, n_h, n_x, m, count, dW1, own)
        average(gradients, part, sums, count)
        if k == 0:
            cost = total(sums, COST) / (count * scale)
        if steps > 0:
            descend(network, gradients, dW1.dtype.type(learning_rate))
    return float(cost)


@piece
def find_partial_Z1(
    worker: Int, workers: Int, W1: Row, X: Matrix, n_h: Int, n_x: Int, m: Int, parts: Row, workspace: Row
):
    """parts[s] = W1[:, features of s] X[features of s], which is (n_h, m), for a worker's slots s."""
    length, slots, own = _plan(n_h, n_x, m, X.transposed, W1)
    padded = padded_rows(n_h, W1)
    start, rest = carve(workspace[worker * own : (worker + 1) * own], padded)
    clear(start)
    first, last = share(worker, workers, slots)
    for s in range(first, last):
        p = s * length
        depth = min(length, n_x - p)
        left, panel = carve(rest, padded * depth)
        pack_left(n_h, Matrix(W1, n_x, FALSE), p, depth, left)
        features = X.numbers[p if X.transposed else p * m :]
        target = Target(parts[s * n_h * m : (s + 1) * n_h * m], 0, m, m, start, True)
        right = Matrix(features, X.row_length, X.transposed)
        multiply_panel(Left(left, depth, 0, 0, n_h), right, ZERO, target, panel)


@piece
def finish_Z1(slots: Int, b1: Row, m: Int, parts: Row):
    """Z1 = W1 X + b1, from the sums of all slots; Z1 is the memory of the first slot."""
    n_h = b1.shape[0]
    merge(slots, n_h * m, parts, ZERO, n_h * m)
    for h in range(n_h):
        bias = b1[h]
        for j in range(m):
            parts[h * m + j] += bias


@piece
def find_partial_dW1(
    worker: Int, workers: Int, dZ1: Row, X: Matrix, n_h: Int, n_x: Int, m: Int, count: Number, dW1: Row,
    workspace: Row,
):  # fmt: skip
    """dW1 = dZ1 Xᵀ / count, for the features of a worker's slots."""
    length, slots, own = _plan(n_h, n_x, m, X.transposed, dZ1)
    memory = workspace[worker * own : (worker + 1) * own]
    first, last = share(worker, workers, slots)
    # The last slots come first, because their part of X is still in the cache from the pass before.
    for s in range(last - 1, first - 1, -1):
        p = s * length
        depth, target = min(length, n_x - p), dW1[p:]
        if X.transposed:
            padded = padded_rows(n_h, dZ1)
            start, rest = carve(memory, padded)
            left, panel = carve(rest, padded * m)
            clear(start)
            pack_left(n_h, Matrix(dZ1, m, FALSE), ZERO, m, left)
            right = Matrix(X.numbers[p:], n_x, False)
            multiply_panel(
                Left(left, m, 0, 0, n_h), right, ZERO, Target(target, 0, n_x, depth, start, True), panel
            )
        else:
            for h in range(n_h):
                clear(target[h * n_x : h * n_x + depth])
            features = Rows(X.numbers, p * m, m, depth)
            add_gradient(Rows(dZ1, 0, m, n_h), features, m, target, n_x, FALSE, memory)
        for h in range(n_h):
            divide(target[h * n_x : h * n_x + depth], count)
