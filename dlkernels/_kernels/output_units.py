"""The output units of networks, each with the cost that belongs to it, so that dZ = A - Y always.

    identity   a = z                  loss = 1/2 sum (a - y)²
    sigmoid    a = 1 / (1 + e^-z)     loss = the sum of the cross entropies, from z
    softmax    a = e^z / sum e^z      loss = -sum y log a = sum y (log sum e^z - z)
    exp        a = e^z                loss = sum (a - y z), that of Poisson's distribution without its log(y!)

Sums are over the units of one example. Rows of a tile are units, columns are examples. Each example has a
factor, its share in the mean: 1/m, or its weight divided by the sum of the weights. dZ and the loss are
multiplied by it.
"""

from __future__ import annotations

from typing import NamedTuple

from dlkernels._compiler.options import ZERO, loops, scalar
from dlkernels._compiler.pieces import Flag, Int, Row, piece
from dlkernels._elementary.exponentials import exp, exp_nonpositive, sigmoid
from dlkernels._elementary.logarithms import log, log1p_unit
from dlkernels._kernels.costs import logit_loss
from dlkernels._kernels.rows import clear, copy
from dlkernels._simd.registers import widest_vectors
from dlkernels.catalogue import OUTPUTS

IDENTITY, SIGMOID = OUTPUTS["identity"].code, OUTPUTS["sigmoid"].code
SOFTMAX, EXP = OUTPUTS["softmax"].code, OUTPUTS["exp"].code


class Outputs(NamedTuple):
    """Z (n, count) of a tile, in rows of `length` numbers, of which the first begins at numbers[at].

    The output units overwrite it, by A or by dZ.
    """

    numbers: Row
    at: Int
    length: Int
    n: Int


class Labels(NamedTuple):
    """Y of a tile: rows of `length` numbers, one for each unit; or one row of `classes`, class numbers."""

    numbers: Row
    length: Int
    classes: Flag


@scalar
def _half_square(d, factor, half):
    """d² / 2 times the factor, in an order that doesn't overflow unless the result does."""
    return d * factor * d * half


@scalar
def _poisson_loss(a, y, z, factor, zero):
    """(a - y z) times the factor; the second term is 0 for y = 0, even if z is infinite."""
    return a * factor - (zero if y == zero else y * (z * factor))


@loops
def _largest_of_each(out, count, largest):
    copy(out.numbers[out.at : out.at + count], largest)
    for i in range(1, out.n):
        row = out.numbers[out.at + i * out.length : out.at + i * out.length + count]
        for c in range(count):
            # A NaN is taken, because no comparison with it is true. The next number replaces it again, but
            # the sum of e^(z - largest) keeps it.
            largest[c] = largest[c] if largest[c] >= row[c] else row[c]


@loops
def _softmax(out, count, largest, total):
    """Z becomes e^(z - the largest z of the example); total is the sum of these numbers."""
    _largest_of_each(out, count, largest)
    clear(total)
    for i in range(out.n):
        row = out.numbers[out.at + i * out.length : out.at + i * out.length + count]
        for c in range(count):
            e = exp_nonpositive(row[c] - largest[c])
            row[c] = e
            total[c] += e


@piece
def output_activations(code: Int, out: Outputs, count: Int, scratch: Row):
    """A from Z, in place, for `count` examples. The scratch has 2 `length` numbers."""
    widest_vectors()
    if code == SOFTMAX:
        largest, total = scratch[:count], scratch[out.length : out.length + count]
        _softmax(out, count, largest, total)
        for i in range(out.n):
            row = out.numbers[out.at + i * out.length : out.at + i * out.length + count]
            for c in range(count):
                row[c] /= total[c]
        return
    for i in range(out.n):
        row = out.numbers[out.at + i * out.length : out.at + i * out.length + count]
        if code == SIGMOID:
            for c in range(count):
                row[c] = sigmoid(row[c])
        elif code == EXP:
            for c in range(count):
                row[c] = exp(row[c])


@piece
def output_differences(code: Int, out: Outputs, Y: Labels, factors: Row, losses: Row, scratch: Row):
    """dZ = (A - Y) times the factors, over Z; losses[c] = the loss of example c times its factor.

    The scratch has 2 `length` numbers.
    """
    widest_vectors()
    count = factors.shape[0]
    zero, one, half = losses.dtype.type(0), losses.dtype.type(1), losses.dtype.type(0.5)
    clear(losses)
    if code == SOFTMAX:
        _softmax_differences(out, Y, factors, losses, scratch)
        return
    for i in range(out.n):
        row = out.numbers[out.at + i * out.length : out.at + i * out.length + count]
        y = Y.numbers[i * Y.length : i * Y.length + count]
        if code == IDENTITY:
            for c in range(count):
                d = row[c] - y[c]
                row[c] = d * factors[c]
                losses[c] += _half_square(d, factors[c], half)
        elif code == SIGMOID:
            for c in range(count):
                z = row[c]
                e = exp_nonpositive(-z if z > zero else z)
                losses[c] += logit_loss(z * factors[c], y[c], log1p_unit(e) * factors[c], zero, one)
                row[c] = ((one if z >= zero else e) / (one + e) - y[c]) * factors[c]
        elif code == EXP:
            for c in range(count):
                z = row[c]
                a = exp(z)
                losses[c] += _poisson_loss(a, y[c], z, factors[c], zero)
                row[c] = (a - y[c]) * factors[c]


@loops
def _softmax_differences(out, Y, factors, losses, scratch):
    """`output_differences` for softmax.

    A loss is the sum of y (largest z + log of the sum - z). The differences to the largest z come first, so
    that nothing cancels and only a true infinity is infinite.
    """
    count, zero, one = factors.shape[0], factors.dtype.type(0), factors.dtype.type(1)
    largest, total = scratch[:count], scratch[out.length : out.length + count]
    _largest_of_each(out, count, largest)
    clear(total)
    for i in range(out.n):
        row = out.numbers[out.at + i * out.length : out.at + i * out.length + count]
        start, unit = (ZERO if Y.classes else i * Y.length), factors.dtype.type(i)
        labels = Y.numbers[start : start + count]
        for c in range(count):
            y = _label(labels[c], unit, Y.classes, zero, one)
            d = row[c] - largest[c]
            e = exp_nonpositive(d)
            # 0 where y is 0, even if z is -inf.
            losses[c] -= zero if y == zero else y * (d * factors[c])
            total[c] += e
            row[c] = e
    logarithms = largest
    for c in range(count):
        logarithms[c] = log(total[c]) * factors[c]
        total[c] = one / total[c]
    for i in range(out.n):
        row = out.numbers[out.at + i * out.length : out.at + i * out.length + count]
        start, unit = (ZERO if Y.classes else i * Y.length), factors.dtype.type(i)
        labels = Y.numbers[start : start + count]
        for c in range(count):
            y = _label(labels[c], unit, Y.classes, zero, one)
            losses[c] += y * logarithms[c]
            row[c] = (row[c] * total[c] - y) * factors[c]


@scalar
def _label(label, unit, classes, zero, one):
    """What Y says of a unit: 1 for its own class number and 0 for others, or the number that is given."""
    return (one if label == unit else zero) if classes else label
