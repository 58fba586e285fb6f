"""Direct calls: for work of one thread, one compiled function checks the caller's arrays and does the work.

`dense_forward` of 4 units on 400 examples took 6.4 us, of which the product took 0.9. Checks in Python, views
of arrays, and handing over 14 arguments took the rest. The functions of this module check the shapes and the
memory of the arrays in compiled code instead. Each returns one of three answers, and has written nothing
unless the answer is DONE:

NOT_SIMPLE  An array doesn't fit or must be converted. The checks in Python convert it, or say what is wrong.
LARGE       All arrays fit. But the work should be shared out among threads, or is for another kernel
            (`is_tall`), or the workspace is too small.
DONE        The results are written.

All arrays must be matrices in C order and in the byte order of the machine. `most` is the most work that a
direct call does, in estimated nanoseconds, of what several threads could share.
"""

from __future__ import annotations

import math

from dlkernels._compiler.options import FALSE, ONE, ZERO, entry, loops, shared
from dlkernels._compiler.pieces import Piece
from dlkernels._kernels import dense_backward as _backward
from dlkernels._kernels import dense_forward as _forward
from dlkernels._kernels import dense_gradients as _gradients
from dlkernels._kernels import logistic as _logistic
from dlkernels._kernels import network_forward as _network_forward
from dlkernels._kernels import shallow as _shallow
from dlkernels._kernels import shapes
from dlkernels._kernels.activations import in_layer
from dlkernels._kernels.gradient_descent import step, update_work
from dlkernels._kernels.logistic_tall import is_tall
from dlkernels._kernels.memory import aligned, apart, as_row, usable
from dlkernels._kernels.network_tiles import parameters_before
from dlkernels._kernels.product import product_work, product_workspace
from dlkernels._kernels.shallow import Network
from dlkernels._kernels.shallow_tall import is_tall as shallow_is_tall
from dlkernels.catalogue import OUTPUTS

NOT_SIMPLE, DONE, LARGE = range(3)
#: What `network_fits` answers instead of NOT_SIMPLE, if all is right.
NUMBERS, CLASSES = range(1, 3)

#: The serial kernels as pieces, which are compiled once. Otherwise each function below would get a copy.
layer_forward, layer_backward = Piece(_forward.dense_forward.serial), Piece(_backward.dense_backward.serial)
layer_gradients = Piece(_gradients.gradients_by_examples.serial)
layer_product_gradients = Piece(_gradients.gradients_by_product.serial)
logistic_gradients = Piece(_logistic.logistic_steps.serial)
shallow_gradients = Piece(_shallow.shallow_steps.serial)
network_results = Piece(_network_forward.network_predict.serial)

_forward_fits = shared(shapes.DENSE_FORWARD.fits("A"))
_gradients_fit = shared(shapes.DENSE_GRADIENTS.fits("dW", "db"))
_backward_fits = shared(shapes.DENSE_BACKWARD.fits("dZ", "dW", "db"))
_logistic_fits = shared(shapes.LOGISTIC.fits("dw"))
_shallow_fits = shared(shapes.SHALLOW.fits("dW1", "db1", "dW2", "db2"))


@loops
def _layer_is_large(most, n, k, m, workspace):
    if product_work(n, k, m, workspace.itemsize) > most:
        return True
    return product_workspace(n, k, m, FALSE, FALSE, ONE, workspace) > workspace.size


@loops
def _gradients_are_large(most, n, k, m, workspace):
    if product_work(n, k, m, workspace.itemsize) > most:
        return True
    return _gradients.gradients_workspace(n, k, m, FALSE, ONE, workspace) > workspace.size


@entry
def forward(code, negative_slope, most, W, A_prev, b, A, Z, keeps_Z, workspace):
    """A = g(W A_prev + b), and Z if `keeps_Z`; otherwise the argument Z is A again."""
    if not _forward_fits((W.shape, A_prev.shape, b.shape, A.shape)) or Z.shape != A.shape:
        return NOT_SIMPLE
    if not usable((A,), (W, A_prev, b)) or (keeps_Z and not usable((Z,), (W, A_prev, b, A))):
        return NOT_SIMPLE
    if _layer_is_large(most, W.shape[0], W.shape[1], A_prev.shape[1], workspace):
        return LARGE
    layer_forward(W, FALSE, A_prev, FALSE, b, code, negative_slope, A, Z, keeps_Z, workspace, ONE)
    return DONE


@entry
def gradients(most, dZ, A_prev, dW, db, workspace):
    """dW = dZ A_prevᵀ / m, and db = the row sums of dZ / m."""
    if not _gradients_fit((dZ.shape, A_prev.shape, dW.shape, db.shape)):
        return NOT_SIMPLE
    if not usable((dW, db), (dZ, A_prev)):
        return NOT_SIMPLE
    if _gradients_are_large(most, dZ.shape[0], A_prev.shape[0], dZ.shape[1], workspace):
        return LARGE
    layer_gradients(dZ, A_prev, FALSE, dW, db, workspace, ONE)
    return DONE


@entry
def backward(code, negative_slope, most, W_next, dZ_next, saved, other, A_prev, dZ, dW, db, workspace):
    """dZ = W_nextᵀ dZ_next * g'(Z), then dW and db; g' is computed from `saved`, which is A or Z.

    `other` is the other one, if the caller has both, or `saved` again.
    """
    given = (W_next.shape, dZ_next.shape, saved.shape, A_prev.shape)
    if not _backward_fits(given + (dZ.shape, dW.shape, db.shape)):  # noqa: RUF005
        return NOT_SIMPLE
    if other.shape != saved.shape or not usable((dZ, dW, db), (W_next, dZ_next, saved, other, A_prev)):
        return NOT_SIMPLE
    (n, m), k = dZ.shape, W_next.shape[0]
    if _layer_is_large(most, n, k, m, workspace):
        return LARGE
    if _gradients_are_large(most, n, A_prev.shape[0], m, workspace):
        return LARGE
    layer_backward(W_next, FALSE, dZ_next, FALSE, saved, code, negative_slope, dZ, workspace, ONE)
    layer_gradients(dZ, A_prev, FALSE, dW, db, workspace, ONE)
    return DONE


@entry
def logistic(most, w, b, X, X_transposed, Y, dw, workspace):
    """The gradient dw; returns the answer, the cost and db. If `X_transposed`, X is given as (m, n)."""
    n, m = (X.shape[1], X.shape[0]) if X_transposed else X.shape
    if not _logistic_fits(((n, m), w.shape, Y.shape, dw.shape)) or not usable((dw,), (w, X, Y)):
        return NOT_SIMPLE, 0.0, 0.0
    if is_tall(n, m) or _logistic.logistic_work(n, m, X.itemsize) > most:
        return LARGE, 0.0, 0.0
    if _logistic.logistic_workspace(n, m, X_transposed, ONE, workspace) > workspace.size:
        return LARGE, 0.0, 0.0
    cost, db, _ = logistic_gradients(w, b, X, X_transposed, Y, 0.0, ZERO, dw, workspace, ONE)
    return DONE, cost, db


@entry
def shallow(code, negative_slope, most, W1, b1, W2, b2, X, X_transposed, Y, dW1, db1, dW2, db2, workspace):
    """The four gradients; returns the answer and the cost. If `X_transposed`, X is given as (m, n_x)."""
    n_x, m = (X.shape[1], X.shape[0]) if X_transposed else X.shape
    given = (W1.shape, (n_x, m), b1.shape, W2.shape, b2.shape, Y.shape)
    if not _shallow_fits(given + (dW1.shape, db1.shape, dW2.shape, db2.shape)):  # noqa: RUF005
        return NOT_SIMPLE, 0.0
    if not usable((dW1, db1, dW2, db2), (W1, b1, W2, b2, X, Y)):
        return NOT_SIMPLE, 0.0
    n_h = W1.shape[0]
    if shallow_is_tall(n_h, n_x, m) or _shallow.shallow_work(n_h, n_x, m, workspace.itemsize) > most:
        return LARGE, 0.0
    if _shallow.shallow_workspace(n_h, n_x, m, X_transposed, ONE, workspace) > workspace.size:
        return LARGE, 0.0
    cost = shallow_gradients(
        Network(W1, b1, W2, b2), X, X_transposed, Y, in_layer(code, negative_slope), 0.0, ZERO,
        Network(dW1, db1, dW2, db2), workspace, ONE,
    )  # fmt: skip
    return DONE, cost


@entry
def update(rate, most, a, b, c, d, da, db, dc, dd):
    """a -= rate * da, and the same for b, c and d."""
    parameters, slopes, count = (a, b, c, d), (da, db, dc, dd), 0
    for i in range(4):
        if parameters[i].shape != slopes[i].shape:
            return NOT_SIMPLE
        for j in range(4):
            if not apart(parameters[i], slopes[j]) or (j < i and not apart(parameters[i], parameters[j])):
                return NOT_SIMPLE
        if not (aligned(parameters[i]) and aligned(slopes[i])):
            return NOT_SIMPLE
        count += parameters[i].size
    if update_work(count, a.itemsize) > most:
        return LARGE
    for i in range(4):
        size = parameters[i].size
        step(parameters[i].reshape(size), slopes[i].reshape(size), a.dtype.type(rate))
    return DONE


# -- networks of any depth -------------------------------------------------------------------------------

_SOFTMAX, _EXP = OUTPUTS["softmax"].code, OUTPUTS["exp"].code


@loops
def count_parameters(sizes):
    """The number of a network's parameters."""
    return parameters_before(sizes, sizes.shape[0])


@shared
def predict_work(sizes, m: int, itemsize: int) -> float:
    """Estimated nanoseconds, on one thread, of the work that threads can share.

    Up to WIDTH examples are one tile, which one worker does, so there is none. Otherwise it is a third of the
    products of a step, and the time in which the weights are read once.
    """
    work = 0.0
    if m <= _network_forward.WIDTH:
        return work
    for i in range(1, len(sizes)):
        work += sizes[i] * ((0.07 * sizes[i - 1] + 1.0) * m / 3 + 0.06 * sizes[i - 1])
    return work * itemsize / 4


@entry
def network_forward(most, theta, sizes, codes, negative_slope, X, X_transposed, A, workspace):
    """A of the last layer. If `X_transposed`, X is given as (m, n_0)."""
    n, m = (X.shape[1], X.shape[0]) if X_transposed else X.shape
    if n != sizes[0] or theta.shape[0] != count_parameters(sizes) or A.shape != (sizes[-1], m):
        return NOT_SIMPLE
    if not (aligned(theta) and usable((A,), (X,)) and apart(A, theta)):
        return NOT_SIMPLE
    if predict_work(sizes, m, X.itemsize) > most:
        return LARGE
    if _network_forward.predict_workspace(sizes, m, X_transposed, ONE, workspace) > workspace.size:
        return LARGE
    network_results(theta, sizes, codes, negative_slope, X, X_transposed, A, workspace, ONE)
    return DONE


@entry
def network_fits(theta, sizes, codes, X, X_transposed, Y, weights, order):
    """Check the arguments of gradients and epochs, so that the kernel can take them as they are.

    The answer is NOT_SIMPLE if something must be converted or refused; otherwise CLASSES if Y (1, m) holds
    class numbers, else NUMBERS.
    """
    n, m = (X.shape[1], X.shape[0]) if X_transposed else X.shape
    output, units = codes[-1], sizes[-1]
    classes = output == _SOFTMAX and units > 1 and Y.shape[0] == 1
    if m == 0 or n != sizes[0] or theta.shape[0] != count_parameters(sizes):
        return NOT_SIMPLE
    if Y.shape != (1 if classes else units, m):
        return NOT_SIMPLE
    if not (aligned(theta) and aligned(X) and aligned(Y) and aligned(weights) and aligned(order)):
        return NOT_SIMPLE
    if not (apart(theta, X) and apart(theta, Y) and apart(theta, weights) and apart(theta, order)):
        return NOT_SIMPLE
    if _wrong_labels(as_row(Y), units if classes else 0, output == _EXP) + _wrong_indices(order, m) > 0:
        return NOT_SIMPLE
    if weights.shape[0] > 0 and not _weights_have_a_sum(weights, order):
        return NOT_SIMPLE
    return CLASSES if classes else NUMBERS


@loops
def _wrong_labels(y, classes, not_negative):
    """How many labels aren't class numbers, if there are `classes`; else how many can't be labels."""
    zero, count = y.dtype.type(0), 0
    if classes > 0:
        end = y.dtype.type(classes)
        for j in range(y.shape[0]):
            count += 0 if zero <= y[j] < end and math.floor(y[j]) == y[j] else 1
    elif not_negative:
        for j in range(y.shape[0]):
            count += 0 if y[j] >= zero and y[j] - y[j] == zero else 1
    else:
        for j in range(y.shape[0]):
            count += 0 if y[j] - y[j] == zero else 1
    return count


@loops
def _wrong_indices(order, m):
    """How many indices are not those of one of m examples."""
    count = 0
    for i in range(order.shape[0]):
        count += 0 if 0 <= order[i] < m else 1
    return count


@loops
def _weights_have_a_sum(weights, order):
    """Whether all weights are finite and not negative, and the sum over the epoch is finite and not 0."""
    zero, negative, total = weights.dtype.type(0), 0, 0.0
    for j in range(weights.shape[0]):
        negative += 0 if weights[j] >= zero and weights[j] - weights[j] == zero else 1
    if negative > 0:
        return False
    if order.shape[0] == 0:
        for j in range(weights.shape[0]):
            total += weights[j]
    else:
        for i in range(order.shape[0]):
            total += weights[order[i]]
    rounded = weights.dtype.type(total)
    return total > 0.0 and rounded - rounded == zero
