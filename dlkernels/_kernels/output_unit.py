"""The output unit of both models: a = sigmoid(z), with the cross entropy as the cost; so dz = a - y."""

from __future__ import annotations

import numpy as np

from dlkernels._compiler.pieces import Flag, Number, Row, piece
from dlkernels._elementary.exponentials import exp_nonpositive
from dlkernels._elementary.logarithms import log1p_unit
from dlkernels._kernels.costs import logit_loss
from dlkernels._kernels.sums import add_row
from dlkernels._simd.registers import widest_vectors

#: The index of the pair of sums (`sums.accumulate`) that holds the cost, that of db, and the number of pairs.
COST, DB, PAIRS = map(np.int64, range(3))


@piece
def output_row(z: Row, y: Row, scale: Number, with_cost: Flag, losses: Row, sums: Row):
    """z[j] <- dz[j] = sigmoid(z[j]) - y[j]; adds dz to db, and the losses times `scale` to the cost.

    The losses are computed from z, not from a rounded probability (`costs.logit_loss`). e^-|z| is computed
    once, for the loss and the sigmoid.
    """
    widest_vectors()
    zero, one = z.dtype.type(0), z.dtype.type(1)
    if with_cost:
        for j in range(z.shape[0]):
            x = z[j]
            e = exp_nonpositive(-x if x > zero else x)
            losses[j] = logit_loss(x * scale, y[j], log1p_unit(e) * scale, zero, one)
            z[j] = (one if x >= zero else e) / (one + e) - y[j]
        add_row(losses[: z.shape[0]], sums, COST)
    else:
        for j in range(z.shape[0]):
            x = z[j]
            e = exp_nonpositive(-x if x > zero else x)
            z[j] = (one if x >= zero else e) / (one + e) - y[j]
    add_row(z, sums, DB)
