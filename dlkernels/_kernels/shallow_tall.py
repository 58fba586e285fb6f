"""As `shallow`, for few examples of many features.

They are cut into slots of features: Z1 is added up from what each slot contributes, and each slot has its own
columns of dW1.
"""

from __future__ import annotations

from numba import prange

from dlkernels._compiler.options import AS_IT_IS, START, entry, loops, shared, twins
from dlkernels._compiler.pieces import Flag, Int, Number, Row, piece
from dlkernels._kernels.dense import divide
from dlkernels._kernels.gradients import add_gradient, add_gradient_room
from dlkernels._kernels.logistic import COST, feature_slots
from dlkernels._kernels.logistic import is_tall as logistic_is_tall
from dlkernels._kernels.matmul import merge, product, product_room
from dlkernels._kernels.packing import pack_left, whole_strips
from dlkernels._kernels.room import carve, lines
from dlkernels._kernels.shallow import descend, divide_sums, keeps_A, there_and_back
from dlkernels._kernels.sums import clear, exact_share, total
from dlkernels._simd.tile import rows

#: With more hidden units than this, the slots of `shallow_tall` would take much memory.
FEW_UNITS = 32


@shared
def is_tall(n_h: int, n_x: int, m: int) -> bool:
    """Whether features rather than examples are shared out."""
    return logistic_is_tall(n_x, m) and n_h <= FEW_UNITS


@loops
def _tall_plan(n_h, n_x, m, transposed, like):
    """Features of a slot, number of slots, numbers of scratch memory of each worker."""
    depth = feature_slots(n_x, transposed)
    strips, row_length = whole_strips(n_h, like), n_x if transposed else m
    down = strips // rows(like)
    there = lines(strips * depth) + product_room(down, depth, row_length, transposed, m, like)
    back = lines(strips * m) + product_room(down, m, n_x, AS_IT_IS, depth, like)
    own = lines(strips) + lines(max(there, back if transposed else add_gradient_room(AS_IT_IS, n_h, m, like)))
    return depth, (n_x + depth - 1) // depth, own


@piece
def partial_hidden(
    w: Int, workers: Int, W1: Row, X: Row, transposed: Flag, n_h: Int, n_x: Int, m: Int, parts: Row,
    memory: Row, ):  # fmt: skip
    """parts[s] (n_h, m) = what the features of slot s contribute to W1 X, for the slots of a worker."""
    length, slots, own = _tall_plan(n_h, n_x, m, transposed, X)
    strips = whole_strips(n_h, X)
    start, memory = carve(memory[w * own : (w + 1) * own], strips)
    clear(start)
    for s in range(w * slots // workers, (w + 1) * slots // workers):
        p, depth = s * length, min(length, n_x - s * length)
        left, panel = carve(memory, strips * depth)
        pack_left(n_h, n_x, W1, AS_IT_IS, p, depth, left)
        first, row_length = (p, n_x) if transposed else (p * m, m)
        product(
            left, START, n_h, depth, X[first:], row_length, transposed, START, m, start,
            parts[s * n_h * m : (s + 1) * n_h * m], m, START, panel,
        )  # fmt: skip


@loops
def _slot_of_dW1(
    dZ1, X, transposed, n_h, n_x, m, p, depth, count, target, memory
):  # fmt: skip
    """target = dZ1 Xᵀ / count for the features [p, p + depth)."""
    if transposed:
        strips = whole_strips(n_h, dZ1)
        start, memory = carve(memory, strips)
        left, panel = carve(memory, strips * m)
        clear(start)
        pack_left(n_h, m, dZ1, AS_IT_IS, START, m, left)
        product(
            left, START, n_h, m, X[p:], n_x, AS_IT_IS, START, depth, start, target, n_x, START, panel,
        )  # fmt: skip
    else:
        for h in range(n_h):
            clear(target[h * n_x : h * n_x + depth])
        add_gradient(
            dZ1, START, m, n_h, X, p * m, m, depth, m, target, n_x, AS_IT_IS, memory
        )  # fmt: skip
    for h in range(n_h):
        divide(target[h * n_x : h * n_x + depth], count)


@piece
def partial_dW1(
    w: Int, workers: Int, dZ1: Row, X: Row, transposed: Flag, n_h: Int, n_x: Int, m: Int, count: Number,
    dW1: Row, memory: Row, ):  # fmt: skip
    """dW1 = dZ1 Xᵀ / count for the features of a worker's slots, last ones first: they are still in cache."""
    length, slots, own = _tall_plan(n_h, n_x, m, transposed, X)
    memory = memory[w * own : (w + 1) * own]
    for s in range((w + 1) * slots // workers - 1, w * slots // workers - 1, -1):
        p, depth = s * length, min(length, n_x - s * length)
        _slot_of_dW1(dZ1, X, transposed, n_h, n_x, m, p, depth, count, dW1[p:], memory)


@entry
def shallow_tall_room(n_h, n_x, m, transposed, workers, like):
    """Numbers of scratch memory of `shallow_tall`."""
    _, slots, own = _tall_plan(n_h, n_x, m, transposed, like)
    parts = lines(slots * n_h * m) + lines(n_h * m)
    return parts + lines((2 + n_h) * 2) + 2 * lines(m) + lines(n_h) + workers * own


@twins
def shallow_tall(
    W1, b1, W2, b2, X, transposed, n_h, n_x, m, Y, code, negative_slope, learning_rate, steps,
    dW1, db1, dW2, db2, scratch, workers,
):  # fmt: skip
    """As `shallow` for many features, and few examples and hidden units (`is_tall`)."""
    _, slots, _ = _tall_plan(n_h, n_x, m, transposed, X)
    pairs, share = 2 + n_h, exact_share(m, X)
    count, rate = X.dtype.type(m), X.dtype.type(learning_rate)
    parts, memory = carve(scratch, slots * n_h * m)
    A1, memory = carve(memory, n_h * m)
    sums, memory = carve(memory, pairs * 2)
    part, memory = carve(memory, n_h)
    z2, memory = carve(memory, m)
    losses, memory = carve(memory, m)
    Z1 = parts[: n_h * m]
    dZ1 = Z1 if keeps_A(code) else A1
    cost = X.dtype.type(0)
    for k in range(max(1, steps)):
        clear(sums)
        clear(part)
        for w in prange(workers):
            partial_hidden(
                w, workers, W1, X, transposed, n_h, n_x, m, parts, memory
            )  # fmt: skip
        merge(slots, n_h * m, parts, START, n_h * m)
        for h in range(n_h):
            bias = b1[h]
            for j in range(m):
                Z1[h * m + j] += bias
        there_and_back(
            W2, b2, Y, code, negative_slope, n_h, Z1, A1, m, share, k == 0, z2, losses, part, sums
        )  # fmt: skip
        for w in prange(workers):
            partial_dW1(
                w, workers, dZ1, X, transposed, n_h, n_x, m, count, dW1, memory
            )  # fmt: skip
        divide_sums(n_h, part, sums, count, db1, dW2, db2)
        if k == 0:
            cost = total(sums, COST) / (count * share)
        if steps > 0:
            descend(rate, W1, dW1, b1, db1, W2, dW2, b2, db2)
    return float(cost)
