"""Logistic regression on few examples of many features.

This does the same as `logistic`, but the features are shared out, in two passes over X. Each slot owns some
features, few enough for its part of X to stay in the second-level cache. In the first pass each slot sums up
its features' part of z, and the slots are merged. In the second pass each slot forms its part of dw.
"""

from __future__ import annotations

from numba import prange

from dlkernels._compiler.options import ZERO, entry, loops, shared, twins
from dlkernels._compiler.pieces import Flag, Int, Number, Numbers, Real, Row, Table, piece
from dlkernels._kernels.gradient_descent import step
from dlkernels._kernels.logistic import LONGEST
from dlkernels._kernels.matvec import add_row_dots, add_weighted_rows
from dlkernels._kernels.memory import as_row, carve, whole_lines
from dlkernels._kernels.output_unit import COST, DB, output_row
from dlkernels._kernels.packing import Matrix
from dlkernels._kernels.rows import clear
from dlkernels._kernels.sharing import SLOTS, TASKS, even_parts, merge, share
from dlkernels._kernels.sums import power_of_two_scale, total

#: With more features than this, and at most `logistic.LONGEST` examples, the features are shared out.
_MANY_FEATURES = 1024


@shared
def is_tall(n: int, m: int) -> bool:
    """Whether the features are shared out (this module), rather than the examples (`logistic`)."""
    return n > _MANY_FEATURES and m <= LONGEST


@loops
def features_per_slot(n, transposed):
    """How many features a slot has.

    In Fortran order a slot reads this many consecutive numbers of each example. There slots have more
    features: 12,288 x 209 took 209 us with 256 features a slot, and takes 170 with 768.
    """
    most = min(1024, n // TASKS) if transposed else 256
    return even_parts(n, max(256, most, (n + SLOTS - 1) // SLOTS), 16)


@entry
def logistic_tall_workspace(n, m, X_transposed, workers, like):
    """How many numbers of workspace `logistic_tall_steps` needs."""
    depth = features_per_slot(n, X_transposed)
    return whole_lines((n + depth - 1) // depth * m) + whole_lines(m) + 4


@twins
def logistic_tall_steps(
    w: Table, b: Real, X: Table, X_transposed: Flag, Y: Table, learning_rate: Real, steps: Int, dw: Table,
    workspace: Row, workers: Int,
) -> Numbers:  # fmt: skip
    """As `logistic.logistic_steps`, for at most `logistic.LONGEST` examples."""
    n, m = dw.shape[0], Y.shape[1]
    weights, gradient, labels = as_row(w), as_row(dw), as_row(Y)
    matrix = Matrix(as_row(X), X.shape[1], X_transposed)
    depth = features_per_slot(n, X_transposed)
    slots, scale = (n + depth - 1) // depth, power_of_two_scale(m, dw)
    count, rate = dw.dtype.type(m), dw.dtype.type(learning_rate)
    parts, rest = carve(workspace, slots * m)
    losses, rest = carve(rest, m)
    sums, z = rest[:4], parts[:m]
    cost, db, bias = dw.dtype.type(0), dw.dtype.type(0), dw.dtype.type(b)
    for k in range(max(1, steps)):
        clear(parts)
        clear(sums)
        for worker in prange(workers):
            add_partial_z(worker, workers, weights, matrix, n, m, parts)
        finish_z(slots, bias, parts, z)
        output_row(z, labels, scale, k == 0, losses, sums)
        for worker in prange(workers):
            find_partial_dw(worker, workers, matrix, n, m, z, count, gradient)
        db = total(sums, DB) / count
        if k == 0:
            cost = total(sums, COST) / (count * scale)
        if steps > 0:
            step(weights, gradient, rate)
            bias -= rate * db
    return float(cost), float(db), float(bias)


@piece
def add_partial_z(worker: Int, workers: Int, w: Row, X: Matrix, n: Int, m: Int, parts: Row):
    """parts[s, j] += sum over the features i of slot s of w[i] * X[i, j], for a worker's slots."""
    length = features_per_slot(n, X.transposed)
    first, last = share(worker, workers, (n + length - 1) // length)
    for s in range(first, last):
        p, z = s * length, parts[s * m : (s + 1) * m]
        depth = min(length, n - p)
        if X.transposed:
            add_row_dots(m, X.numbers, p, n, w[p : p + depth], z, ZERO)
        else:
            add_weighted_rows(w[p : p + depth], depth, X.numbers, p * m, m, z, ZERO)


@piece
def finish_z(slots: Int, b: Number, parts: Row, z: Row):
    """z = wᵀX + b, from the sums of all slots; z is the memory of the first slot."""
    m = z.shape[0]
    merge(slots, m, parts, ZERO, m)
    for j in range(m):
        z[j] += b


@piece
def find_partial_dw(worker: Int, workers: Int, X: Matrix, n: Int, m: Int, dz: Row, count: Number, dw: Row):
    """dw[i] = sum over j of X[i, j] dz[j] / count, for the features of a worker's slots."""
    length = features_per_slot(n, X.transposed)
    first, last = share(worker, workers, (n + length - 1) // length)
    # The last slots come first, because their part of X is still in the cache from the pass before.
    for s in range(last - 1, first - 1, -1):
        p = s * length
        depth = min(length, n - p)
        part = dw[p : p + depth]
        clear(part)
        if X.transposed:
            add_weighted_rows(dz, m, X.numbers, p, n, part, ZERO)
        else:
            add_row_dots(depth, X.numbers, p * m, m, dz, part, ZERO)
        for i in range(depth):
            part[i] /= count
