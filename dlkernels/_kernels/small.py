"""What a small call runs: one compiled function from the arrays as they were given to the result.

A call of `dense_forward` for 4 units and 400 examples took 6.4 us, 0.9 of them in the product: the rest were
checks in Python, views, and the passing of 14 arguments. These functions look at the shapes themselves and
answer one of three, having written nothing but where it is done: for what isn't simple the long way says what
is wrong, or converts; for what is large there are only scratch memory and threads to be provided. Arrays are
matrices in C order and in the byte order of the machine.
"""

from __future__ import annotations

from dlkernels._compiler.options import ALONE, AS_IT_IS, START, entry, loops
from dlkernels._compiler.pieces import Piece
from dlkernels._kernels.activations import aligned, apart
from dlkernels._kernels.dense import BACKWARD, FORWARD_KEEPING_Z, dense, dense_room, product_work
from dlkernels._kernels.gradients import dense_gradients, gradients_room

whole_dense, whole_gradients = Piece(dense.serial), Piece(dense_gradients.serial)
TRANSPOSED = AS_IT_IS | True
#: What is answered. The first is what a `guarded` function answers for other kinds of arguments.
NOT_SIMPLE, DONE, LARGE = range(3)
#: Forward and backward take the same scratch memory.
A_LAYER = START


@entry
def forward(kind, code, slope, most, W, A_prev, b, out, Z, scratch):
    """out = g(W A_prev + b), if it takes at most `most` nanoseconds and the scratch memory that is there.

    kind is FORWARD, and Z is out again, or FORWARD_KEEPING_Z.
    """
    n, k, m = W.shape[0], W.shape[1], A_prev.shape[1]
    if A_prev.shape[0] != k or b.shape != (n, 1) or out.shape != (n, m):
        return NOT_SIMPLE
    if not (apart(out, W) and apart(out, A_prev) and apart(out, b)):
        return NOT_SIMPLE
    if not (aligned(W) and aligned(A_prev) and aligned(b) and aligned(out)):
        return NOT_SIMPLE
    if kind == FORWARD_KEEPING_Z and not (Z.shape == out.shape and apart(Z, out) and aligned(Z)):
        return NOT_SIMPLE
    if kind == FORWARD_KEEPING_Z and not apart_from(Z, W, A_prev, b):
        return NOT_SIMPLE
    if _layer_is_large(most, n, k, m, scratch):
        return LARGE
    whole_dense(
        kind, W.reshape(n * k), AS_IT_IS, A_prev.reshape(k * m), AS_IT_IS, b.reshape(n), code, slope,
        n, k, m, out.reshape(n * m), Z.reshape(n * m), scratch, 1,
    )  # fmt: skip
    return DONE


@loops
def _layer_is_large(most, n, k, m, scratch):
    if product_work(n, k, m, scratch.itemsize) > most:
        return True
    return dense_room(A_LAYER, n, k, m, AS_IT_IS, ALONE, scratch) > scratch.size


@loops
def _gradients_fit(dZ, A_prev, dW, db):
    """Whether `gradients` is for these arrays."""
    n, m, k = dZ.shape[0], dZ.shape[1], A_prev.shape[0]
    if A_prev.shape[1] != m or m == 0 or dW.shape != (n, k) or db.shape != (n, 1):
        return False
    if not (apart(dW, dZ) and apart(dW, A_prev) and apart(db, dZ) and apart(db, A_prev) and apart(db, dW)):
        return False
    return aligned(dZ) and aligned(A_prev) and aligned(dW) and aligned(db)


@loops
def _gradients_are_large(most, n, k, m, scratch):
    if product_work(n, k, m, scratch.itemsize) > most:
        return True
    return gradients_room(n, k, m, AS_IT_IS, ALONE, scratch) > scratch.size


@loops
def _gradients(dZ, A_prev, dW, db, scratch):
    n, m, k = dZ.shape[0], dZ.shape[1], A_prev.shape[0]
    whole_gradients(
        dZ.reshape(n * m), A_prev.reshape(k * m), AS_IT_IS, n, k, m, dW.reshape(n * k), db.reshape(n),
        scratch, 1,
    )  # fmt: skip
    return DONE


@entry
def gradients(most, dZ, A_prev, dW, db, scratch):
    """dW = dZ A_prevᵀ / m and db = the row sums of dZ / m, on the same conditions."""
    if not _gradients_fit(dZ, A_prev, dW, db):
        return NOT_SIMPLE
    if _gradients_are_large(most, dZ.shape[0], A_prev.shape[0], dZ.shape[1], scratch):
        return LARGE
    return _gradients(dZ, A_prev, dW, db, scratch)


@loops
def apart_from(out, a, b, c):
    return apart(out, a) and apart(out, b) and apart(out, c)


@entry
def backward(code, slope, most, W_next, dZ_next, saved, A_prev, dZ, dW, db, scratch):
    """dZ = W_nextᵀ dZ_next * g'(saved), dW and db, on the same conditions for each of the two products."""
    k, n, m = W_next.shape[0], W_next.shape[1], dZ_next.shape[1]
    if dZ_next.shape[0] != k or saved.shape != (n, m) or dZ.shape != (n, m):
        return NOT_SIMPLE
    if not (aligned(W_next) and aligned(dZ_next) and aligned(saved)):
        return NOT_SIMPLE
    if not (apart_from(dZ, W_next, dZ_next, saved) and apart_from(dW, W_next, dZ_next, saved)):
        return NOT_SIMPLE
    if not (apart_from(db, W_next, dZ_next, saved) and apart(dZ, A_prev)):
        return NOT_SIMPLE
    if not _gradients_fit(dZ, A_prev, dW, db):
        return NOT_SIMPLE
    if _layer_is_large(most, n, k, m, scratch) or _gradients_are_large(most, n, A_prev.shape[0], m, scratch):
        return LARGE
    result = dZ.reshape(n * m)
    whole_dense(
        BACKWARD, W_next.reshape(k * n), TRANSPOSED, dZ_next.reshape(k * m), AS_IT_IS, saved.reshape(n * m),
        code, slope, n, k, m, result, result, scratch, 1,
    )  # fmt: skip
    return _gradients(dZ, A_prev, dW, db, scratch)
