"""Cost and gradients of a network with one hidden layer in one pass over X.

The formulas, for m examples as columns of X, n_h hidden units and activation g:

    Z1 = W1 X + b1,   A1 = g(Z1),   z2 = W2 A1 + b2,   a2 = sigmoid(z2),   dz2 = a2 - y,
    dZ1 = W2ᵀ dz2 * g'(Z1),   and divided by m:   dW2 = dz2 A1ᵀ,   db2 = the sum of dz2,
    dW1 = dZ1 Xᵀ,   db1 = row sums of dZ1.

X is cut into tiles of columns. Z1, A1 and dZ1 exist for one tile at a time and stay in the second-level
cache; nothing of length m is written to memory. Each slot owns a fixed range of tiles and gradients of
its own.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from dlkernels._codes import SIGMOID, TANH
from dlkernels._jit import loops, twins
from dlkernels._kernels.activations import activate, copy, times_derivative
from dlkernels._kernels.dense import SLOTS
from dlkernels._kernels.descent import step
from dlkernels._kernels.logistic import COST, DB, add_row_dots, add_weighted_rows, output_row, tile_width
from dlkernels._kernels.matmul import (
    AS_IT_IS,
    START,
    add_gradient,
    merge,
    pack_left,
    pack_transposed,
    product,
    whole_strips,
)
from dlkernels._kernels.pieces import Flag, Int, Number, Real, Row, piece
from dlkernels._kernels.sums import add_row, clear, exact_share, merge_pairs, total

#: With at most this many features or hidden units, W1 X is formed row by row: a tile of the packed product
#: would be half empty. A step of 2-4-1 on 400 examples, float64: 3.97 us instead of 4.54 us.
NARROW_FEATURES, NARROW_UNITS = 8, 4


@loops
def _hidden_layer(W1, packed, start, code, slope, n_h, n_x, X, j, row_length, width, Z1, A1, length):
    """Z1 = W1 X + b1 and A1 = g(Z1) for one tile; rows of Z1 and A1 are `length` apart."""
    narrow = n_x <= NARROW_FEATURES or n_h <= NARROW_UNITS
    if not narrow:
        product(packed, START, n_h, n_x, X, row_length, AS_IT_IS, j, width, start, Z1, length, START)
    for h in range(n_h):
        z, a = Z1[h * length : h * length + width], A1[h * length : h * length + width]
        if narrow:
            bias = start[h]
            for c in range(width):
                z[c] = bias
            add_weighted_rows(W1[h * n_x : (h + 1) * n_x], n_x, X, j, row_length, z, START)
        copy(z, a)
        activate(code, slope, a)


@loops
def _hidden_gradient(W2, dz2, code, slope, n_h, width, saved, dZ1, length, sums):
    """dZ1 = W2ᵀ dz2 * g'(saved) for one tile, and its row sums added to those of the slot."""
    for h in range(n_h):
        d = dZ1[h * length : h * length + width]
        weight = W2[h]
        for c in range(width):
            d[c] = weight * dz2[c]
        times_derivative(code, slope, saved[h * length : h * length + width], d)
        add_row(d, sums, 2 + h)


@piece
def slot(
    W1: Row, packed: Row, start: Row, W2: Row, b2: Row, X: Row, transposed: Flag, n_h: Int, n_x: Int, m: Int,
    Y: Row, code: Int, slope: Real, first: Int, last: Int, length: Int, share: Number, with_cost: Flag,
    dW1: Row, dW2: Row, sums: Row,
):  # fmt: skip
    """The examples [first, last): adds to this slot's dW1, dW2 and sums (cost, db2, then db1)."""
    Z1, A1 = np.empty(n_h * length, X.dtype), np.empty(n_h * length, X.dtype)
    z2, losses = np.empty(length, X.dtype), np.empty(length, X.dtype)
    tile = np.empty(n_x * length if transposed else 0, X.dtype)
    # What the derivative doesn't need is overwritten by dZ1.
    keeps_A = (code == SIGMOID) | (code == TANH)
    saved, dZ1 = (A1, Z1) if keeps_A else (Z1, A1)
    for j in range(first, last, length):
        width = min(length, last - j)
        if transposed:
            pack_transposed(X, n_x, j, width, START, n_x, tile, START, length)
        inputs, at, row_length = (tile, START, length) if transposed else (X, j, m)
        _hidden_layer(W1, packed, start, code, slope, n_h, n_x, inputs, at, row_length, width, Z1, A1, length)
        row = z2[:width]
        for c in range(width):
            row[c] = b2[0]
        add_weighted_rows(W2, n_h, A1, START, length, row, START)
        output_row(row, Y[j : j + width], share, with_cost, losses, sums)
        add_row_dots(n_h, A1, START, length, row, dW2, START)
        _hidden_gradient(W2, row, code, slope, n_h, width, saved, dZ1, length, sums)
        add_gradient(dZ1, START, length, n_h, inputs, at, row_length, n_x, width, dW1, n_x)


call_slot = slot.call


@twins
def shallow(
    W1, b1, W2, b2, X, transposed, n_h, n_x, m, Y, code, negative_slope, learning_rate, steps,
    dW1, db1, dW2, db2, slot_at,
):  # fmt: skip
    """Runs steps of gradient descent, or with steps = 0 only computes the gradients.

    Returns the cost before the first step. The parameters W1 (n_h, n_x), b1 and W2 (n_h,), b2 (1,) are
    updated if there are steps, their gradients are overwritten; X (n_x, m), Y (m,).
    """
    length = tile_width(2 * n_h + n_x, m, X.itemsize)
    tiles = (m + length - 1) // length
    slots = max(1, min(SLOTS, tiles, 2**18 // max(1, n_h * n_x)))
    share = exact_share(m, X)
    count, rate = X.dtype.type(m), X.dtype.type(learning_rate)
    size, pairs = n_h * (n_x + 1), 2 + n_h
    parts, sums = np.empty(slots * size, X.dtype), np.empty(slots * pairs * 2, X.dtype)
    strips = whole_strips(n_h, X)
    packed, start = np.empty(strips * n_x, X.dtype), np.zeros(strips, X.dtype)
    cost = X.dtype.type(0)
    for k in range(max(1, steps)):
        clear(parts)
        clear(sums)
        pack_left(n_h, n_x, W1, AS_IT_IS, packed)
        copy(b1, start[:n_h])
        for s in prange(slots):
            part = parts[s * size : (s + 1) * size]
            call_slot(slot_at, (
                W1, packed, start, W2, b2, X, transposed, n_h, n_x, m, Y, code, negative_slope,
                s * tiles // slots * length, min(m, (s + 1) * tiles // slots * length), length, share, k == 0,
                part[: n_h * n_x], part[n_h * n_x :], sums[s * pairs * 2 : (s + 1) * pairs * 2],
            ))  # fmt: skip
        merge(slots, size, parts)
        merge_pairs(slots, pairs, sums)
        for i in range(n_h * n_x):
            dW1[i] = parts[i] / count
        for h in range(n_h):
            dW2[h] = parts[n_h * n_x + h] / count
            db1[h] = total(sums, 2 + h) / count
        db2[0] = total(sums, DB) / count
        if k == 0:
            cost = total(sums, COST) / (count * share)
        if steps > 0:
            step(W1, dW1, rate)
            step(b1, db1, rate)
            step(W2, dW2, rate)
            step(b2, db2, rate)
    return float(cost)
