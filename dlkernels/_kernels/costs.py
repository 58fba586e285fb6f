"""Costs, which are means over m examples, and the dot product: reductions of one or two rows.

Each loss is multiplied by a power of two of about 1/m before it is added up. So a finite mean is found even
where the sum of the losses overflows (`sums.power_of_two_scale`).
"""

from __future__ import annotations

import numpy as np
from numba import prange

from dlkernels._compiler.options import ONE, ZERO, entry, loops, scalar, twins
from dlkernels._compiler.pieces import Int, Number, Row, piece
from dlkernels._elementary.exponentials import exp_nonpositive
from dlkernels._elementary.logarithms import log, log1p, log1p_unit
from dlkernels._kernels.memory import carve, whole_lines
from dlkernels._kernels.rows import clear
from dlkernels._kernels.sharing import share
from dlkernels._kernels.sums import (
    BLOCK,
    accumulate,
    add_row,
    merge_pairs,
    power_of_two_scale,
    row_dot,
    total,
)
from dlkernels.catalogue import COSTS

CROSS_ENTROPY = COSTS["binary_cross_entropy"].code
CROSS_ENTROPY_WITH_LOGITS = COSTS["binary_cross_entropy_with_logits"].code
SQUARED_ERROR = COSTS["squared_error"].code
#: The code of the dot product, which isn't a cost but is computed by the same kernel.
DOT = len(COSTS)

#: How many numbers a task reduces.
_CHUNK = 64 * BLOCK


# -- formulas --------------------------------------------------------------------------------------------


@scalar
def logit_loss(scaled, y, softplus, zero, one):
    """(max(z, 0) - y z + log(1 + e^-|z|)) * scale.

    `scaled` is z * scale, `softplus` is the last term times scale. The first two terms are computed as one
    product, (1 - y) z or -y z, instead of a difference of large numbers.
    """
    return ((one if scaled > zero else zero) - y) * scaled + softplus


@scalar
def _probability_loss(y, log_a, log_not_a, scale, zero, one, lowest):
    """-(y log a + (1 - y) log(1 - a)) * scale; a term whose weight is 0 is 0, even if its log is -inf."""
    first = zero if (y == zero) & (log_a == lowest) else y * log_a
    second = zero if (y == one) & (log_not_a == lowest) else (one - y) * log_not_a
    return -(first + second) * scale


@scalar
def _square(difference, scale):
    """difference² * scale, in an order that doesn't overflow unless the mean does."""
    return difference * scale * difference


# -- loops -----------------------------------------------------------------------------------------------


@loops
def cross_entropy(a, y, scale, losses):
    """losses[j] = -(y log a + (1 - y) log(1 - a)) * scale."""
    zero, one = a.dtype.type(0), a.dtype.type(1)
    lowest = a.dtype.type(-np.inf)
    for j in range(a.shape[0]):
        losses[j] = _probability_loss(y[j], log(a[j]), log1p(-a[j]), scale, zero, one, lowest)


@loops
def cross_entropy_with_logits(z, y, scale, losses):
    """losses[j] = (max(z, 0) - y z + log(1 + e^-|z|)) * scale."""
    zero, one = z.dtype.type(0), z.dtype.type(1)
    for j in range(z.shape[0]):
        e = exp_nonpositive(-z[j] if z[j] > zero else z[j])
        losses[j] = logit_loss(z[j] * scale, y[j], log1p_unit(e) * scale, zero, one)


@loops
def squared_error(a, y, scale, losses):
    """losses[j] = (a - y)² * scale."""
    for j in range(a.shape[0]):
        losses[j] = _square(a[j] - y[j], scale)


@piece
def chunk(code: Int, a: Row, y: Row, scale: Number, sums: Row, i: Int, losses: Row):
    """Add the losses of some examples, or their part of the dot product, to the i-th pair of sums.

    The losses are computed into `losses`, BLOCK at a time, and added up from there.
    """
    n = a.shape[0]
    for start in range(0, n, BLOCK):
        stop = min(n, start + BLOCK)
        x, t = a[start:stop], y[start:stop]
        if code == DOT:
            accumulate(sums, i, row_dot(x, t))
            continue
        if code == CROSS_ENTROPY:
            cross_entropy(x, t, scale, losses)
        elif code == CROSS_ENTROPY_WITH_LOGITS:
            cross_entropy_with_logits(x, t, scale, losses)
        elif code == SQUARED_ERROR:
            squared_error(x, t, scale, losses)
        add_row(losses[: stop - start], sums, i)


@loops
def _chunks(m):
    return (m + _CHUNK - 1) // _CHUNK


@entry
def reduction_workspace(m, workers, like):
    """How many numbers of workspace `reduction` needs."""
    return whole_lines(2 * max(_chunks(m), 1)) + workers * BLOCK


@loops
def _need_cost(code):
    """Refuse a code that stands for no cost; see `activations.need_activation`."""
    if code < 0 or code > DOT:
        raise ValueError("no cost has this code")


@twins
def reduction(code, a, y, workspace, workers):
    """The mean cost of the rows a and y, or their dot product if the code is DOT; both are (m,)."""
    _need_cost(code)
    m = a.shape[0]
    chunks, scale = _chunks(m), power_of_two_scale(m, a)
    sums, memory = carve(workspace, 2 * max(chunks, 1))
    clear(sums)
    for worker in prange(workers):
        losses = memory[worker * BLOCK : (worker + 1) * BLOCK]
        first, last = share(worker, workers, chunks)
        for i in range(first, last):
            stop = min(m, (i + 1) * _CHUNK)
            chunk(code, a[i * _CHUNK : stop], y[i * _CHUNK : stop], scale, sums, i, losses)
    merge_pairs(chunks, ONE, sums)
    result = total(sums, ZERO)
    return result if code == DOT else result / (a.dtype.type(m) * scale)
