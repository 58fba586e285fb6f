"""Costs as means over m examples, and the dot product: reductions of one or two rows."""

from __future__ import annotations

import numpy as np
from numba import prange

from dlkernels._compiler.options import ALONE, START, entry, loops, scalar, twins
from dlkernels._compiler.pieces import Int, Number, Row, piece
from dlkernels._kernels.elementary import exp_nonpositive, log, log1p, log1p_unit
from dlkernels._kernels.room import carve, lines
from dlkernels._kernels.sums import (
    BLOCK,
    accumulate,
    add_row,
    clear,
    exact_share,
    merge_pairs,
    row_dot,
    total,
)

CROSS_ENTROPY, CROSS_ENTROPY_WITH_LOGITS, SQUARED_ERROR, DOT = range(4)

#: Numbers per iteration of a parallel loop.
CHUNK = 64 * BLOCK


@scalar
def logit_loss(scaled, y, softplus, zero, one):
    """(max(z, 0) - y z + log(1 + e^-|z|)) * share, from z * share and the last term.

    The first two terms are one product, (1 - y) z or -y z: no difference of large numbers.
    """
    return ((one if scaled > zero else zero) - y) * scaled + softplus


@scalar
def _probability_loss(y, log_a, log_not_a, share, zero, one, lowest):
    """-(y log a + (1 - y) log(1 - a)) * share; a term of weight 0 is 0 even if its log is -inf."""
    first = zero if (y == zero) & (log_a == lowest) else y * log_a
    second = zero if (y == one) & (log_not_a == lowest) else (one - y) * log_not_a
    return -(first + second) * share


@scalar
def _square(difference, share):
    """difference² * share, which doesn't overflow if the mean doesn't."""
    return difference * share * difference


@loops
def cross_entropy(a, y, share, losses):
    """losses[j] = -(y log a + (1 - y) log(1 - a)) * share."""
    zero, one = a.dtype.type(0), a.dtype.type(1)
    lowest = a.dtype.type(-np.inf)
    for j in range(a.shape[0]):
        losses[j] = _probability_loss(y[j], log(a[j]), log1p(-a[j]), share, zero, one, lowest)


@loops
def cross_entropy_with_logits(z, y, share, losses):
    """losses[j] = (max(z, 0) - y z + log(1 + e^-|z|)) * share.

    z is multiplied by share <= 1/m first: a mean that is finite is found even where a sum is not.
    """
    zero, one = z.dtype.type(0), z.dtype.type(1)
    for j in range(z.shape[0]):
        e = exp_nonpositive(-z[j] if z[j] > zero else z[j])
        losses[j] = logit_loss(z[j] * share, y[j], log1p_unit(e) * share, zero, one)


@loops
def squared_error(a, y, share, losses):
    """losses[j] = (a - y)² * share."""
    for j in range(a.shape[0]):
        losses[j] = _square(a[j] - y[j], share)


@piece
def chunk(code: Int, a: Row, y: Row, share: Number, sums: Row, i: Int, losses: Row):
    """Adds the losses of some examples, or their part of the dot product, to the i-th pair of sums.

    BLOCK losses at a time are written to `losses`.
    """
    n = a.shape[0]
    for start in range(0, n, BLOCK):
        stop = min(n, start + BLOCK)
        x, t = a[start:stop], y[start:stop]
        if code == DOT:
            accumulate(sums, i, row_dot(x, t))
            continue
        if code == CROSS_ENTROPY:
            cross_entropy(x, t, share, losses)
        elif code == CROSS_ENTROPY_WITH_LOGITS:
            cross_entropy_with_logits(x, t, share, losses)
        else:
            squared_error(x, t, share, losses)
        add_row(losses[: stop - start], sums, i)


@entry
def reduction_room(m, workers, like):
    """Numbers of scratch memory of `reduction`."""
    return lines(2 * max((m + CHUNK - 1) // CHUNK, 1)) + workers * BLOCK


@twins
def reduction(code, a, y, scratch, workers):
    """The mean cost, or a dot product, of the rows a and y, both (m,)."""
    m = a.shape[0]
    chunks = (m + CHUNK - 1) // CHUNK
    share = exact_share(m, a)
    sums, memory = carve(scratch, 2 * max(chunks, 1))
    clear(sums)
    for w in prange(workers):
        losses = memory[w * BLOCK : (w + 1) * BLOCK]
        for i in range(w * chunks // workers, (w + 1) * chunks // workers):
            stop = min(m, (i + 1) * CHUNK)
            chunk(code, a[i * CHUNK : stop], y[i * CHUNK : stop], share, sums, i, losses)
    merge_pairs(chunks, ALONE, sums)
    result = total(sums, START)
    return result if code == DOT else result / (a.dtype.type(m) * share)
