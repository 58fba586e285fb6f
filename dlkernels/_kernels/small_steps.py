"""What a small step of gradient descent runs; see `small`.

`shallow_propagate` of 2-4-1 on one example took 21 us, of which the checks were 14, and takes 6; the update
of its four parameters took 28 and takes 5.
"""

from __future__ import annotations

from dlkernels._compiler.options import ALONE, START, entry, loops
from dlkernels._compiler.pieces import Piece
from dlkernels._kernels import shallow as _shallow
from dlkernels._kernels.activations import aligned, apart
from dlkernels._kernels.descent import step
from dlkernels._kernels.descent import work as update_work
from dlkernels._kernels.logistic import is_tall as logistic_is_tall
from dlkernels._kernels.logistic import logistic_wide, wide_room
from dlkernels._kernels.logistic import work as logistic_work
from dlkernels._kernels.shallow import shallow_room
from dlkernels._kernels.shallow import work as shallow_work
from dlkernels._kernels.shallow_tall import is_tall as shallow_is_tall
from dlkernels._kernels.small import DONE, LARGE, NOT_SIMPLE, apart_from

whole_logistic, whole_shallow = Piece(logistic_wide.serial), Piece(_shallow.shallow.serial)


@entry
def logistic(most, w, b, X, transposed, Y, dw, scratch):
    """dw; returns the answer, the cost and db. X is its transpose if it is `transposed`."""
    n, m = (X.shape[1], X.shape[0]) if transposed else X.shape
    if w.shape != (n, 1) or Y.shape != (1, m) or dw.shape != (n, 1) or m == 0:
        return NOT_SIMPLE, 0.0, 0.0
    if not apart_from(dw, w, X, Y):
        return NOT_SIMPLE, 0.0, 0.0
    if not (aligned(w) and aligned(X) and aligned(Y) and aligned(dw)):
        return NOT_SIMPLE, 0.0, 0.0
    if logistic_is_tall(n, m) or logistic_work(n, m, X.itemsize) > most:
        return LARGE, 0.0, 0.0
    if wide_room(n, m, transposed, ALONE, scratch) > scratch.size:
        return LARGE, 0.0, 0.0
    cost, db, _ = whole_logistic(
        w.reshape(n), b, X.reshape(n * m), transposed, n, m, Y.reshape(m), 0.0, START, dw.reshape(n), scratch,
        ALONE,
    )  # fmt: skip
    return DONE, cost, db


@loops
def _apart_from_parameters(out, W1, b1, W2, b2, X, Y):
    return apart_from(out, W1, b1, W2) and apart_from(out, b2, X, Y)


@loops
def _shallow_is_large(most, n_h, n_x, m, transposed, scratch):
    if shallow_is_tall(n_h, n_x, m) or shallow_work(n_h, n_x, m, scratch.itemsize) > most:
        return True
    return shallow_room(n_h, n_x, m, transposed, ALONE, scratch) > scratch.size


@entry
def shallow(code, slope, most, W1, b1, W2, b2, X, transposed, Y, dW1, db1, dW2, db2, scratch):
    """The gradients; returns the answer and the cost. X is its transpose if it is `transposed`."""
    n_x, m = (X.shape[1], X.shape[0]) if transposed else X.shape
    n_h = W1.shape[0]
    if W1.shape[1] != n_x or b1.shape != (n_h, 1) or W2.shape != (1, n_h) or b2.shape != (1, 1):
        return NOT_SIMPLE, 0.0
    if Y.shape != (1, m) or m == 0:
        return NOT_SIMPLE, 0.0
    if dW1.shape != W1.shape or db1.shape != b1.shape or dW2.shape != W2.shape or db2.shape != b2.shape:
        return NOT_SIMPLE, 0.0
    for out in (dW1, db1, dW2, db2):
        if not (_apart_from_parameters(out, W1, b1, W2, b2, X, Y) and aligned(out)):
            return NOT_SIMPLE, 0.0
    if not (apart_from(dW1, db1, dW2, db2) and apart(db1, dW2) and apart(db1, db2) and apart(dW2, db2)):
        return NOT_SIMPLE, 0.0
    for given in (W1, b1, W2, b2, X, Y):
        if not aligned(given):
            return NOT_SIMPLE, 0.0
    if _shallow_is_large(most, n_h, n_x, m, transposed, scratch):
        return LARGE, 0.0
    cost = whole_shallow(
        W1.reshape(n_h * n_x), b1.reshape(n_h), W2.reshape(n_h), b2.reshape(1), X.reshape(n_x * m),
        transposed, n_h, n_x, m, Y.reshape(m), code, slope, 0.0, START, dW1.reshape(n_h * n_x),
        db1.reshape(n_h), dW2.reshape(n_h), db2.reshape(1), scratch, ALONE,
    )  # fmt: skip
    return DONE, cost


@entry
def update(rate, most, a, b, c, d, da, db, dc, dd):
    """a -= rate * da, and so for b, c and d."""
    parameters, gradients, count = (a, b, c, d), (da, db, dc, dd), 0
    for i in range(4):
        if parameters[i].shape != gradients[i].shape:
            return NOT_SIMPLE
        if not (aligned(parameters[i]) and aligned(gradients[i])):
            return NOT_SIMPLE
        for j in range(4):
            if not apart(parameters[i], gradients[j]) or (j < i and not apart(parameters[i], parameters[j])):
                return NOT_SIMPLE
        count += parameters[i].size
    if update_work(count, a.itemsize) > most:
        return LARGE
    for i in range(4):
        size = parameters[i].size
        step(parameters[i].reshape(size), gradients[i].reshape(size), a.dtype.type(rate))
    return DONE
