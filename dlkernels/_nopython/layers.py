"""As `_nopython`: a dense layer and the two models' gradients."""

# mypy: disable-error-code="no-untyped-def, misc"
from __future__ import annotations

import numpy as np
from numba import types

from dlkernels import dense, propagate
from dlkernels._compiler import internals
from dlkernels._compiler.options import ALONE, inlined, shared
from dlkernels._kernels import dense as _dense
from dlkernels._kernels import gradients, small, whole
from dlkernels._nopython.arguments import (
    Refused,
    activation_of,
    apart_if,
    arrays_of,
    flag_of,
    input_as,
    need_number,
    output_as,
    outputs_as,
    row_of,
)
from dlkernels._nopython.elementwise import available

_dense_linked, _gradients_linked = small.whole_dense.linked, small.whole_gradients.linked
_as_product, _kind_gradients = gradients.as_product, _dense.GRADIENTS
_dense_room, _gradients_room = _dense.dense_room, gradients.gradients_room


@inlined
def _run_dense(kind, L, L_transposed, R, R_transposed, other, code, slope, n, k, m, out, Z):
    scratch = np.empty(_dense_room(kind, n, k, m, R_transposed, ALONE, out), out.dtype)
    _dense_linked(
        kind, L, L_transposed, R, R_transposed, other, code, slope, n, k, m, out, Z, scratch, ALONE
    )  # fmt: skip


@inlined
def _run_gradients(dZ, A_prev, transposed, n, k, m, dW, db):
    """As `dlkernels.dense._gradients`."""
    if _as_product(n, k, m, dW):
        _run_dense(_kind_gradients, dZ, False, A_prev, not transposed, dW, 0, float(m), n, m, k, dW, db)
        return
    scratch = np.empty(_gradients_room(n, k, m, transposed, ALONE, dW), dW.dtype)
    _gradients_linked(dZ, A_prev, transposed, n, k, m, dW, db, scratch, ALONE)


@available(dense.dense_forward)
def _dense_forward(W, A_prev, b, activation="identity", negative_slope=0.01, out=None, return_Z=False):
    f = "dense_forward"
    number = arrays_of(f, {"W": W, "A_prev": A_prev, "b": b})
    need_number(f, "negative_slope", negative_slope)
    code_of, need_apart = activation_of(f, activation), apart_if(f, out)
    (W_row, W_T), (A_row, A_T) = input_as(number, W, True), input_as(number, A_prev, True)
    b_row = input_as(number, b, True).row
    if flag_of(f, "return_Z", return_Z):
        kind = _dense.FORWARD_KEEPING_Z
        if isinstance(out, types.Array):  # takes A
            take_A, take_Z = output_as(f, number, 2, out), output_as(f, number, 2, None)
        else:
            take_A, take_Z = outputs_as(f, number, ("A", "Z"), out)
        take = shared(lambda out, shape: (take_A(out, shape), take_Z(out, shape)))
        rows, result = (
            shared(lambda taken: (row_of(taken[0]), row_of(taken[1]))),
            shared(lambda taken: taken),
        )
    else:
        kind, take_A = _dense.FORWARD, output_as(f, number, 2, out)
        take = shared(lambda out, shape: (take_A(out, shape),))
        rows, result = shared(lambda taken: (row_of(taken[0]),)), shared(lambda taken: taken[0])

    def implementation(W, A_prev, b, activation="identity", negative_slope=0.01, out=None, return_Z=False):
        (n, k), m = W.shape, A_prev.shape[1]
        if A_prev.shape[0] != k or b.shape != (n, 1):
            raise Refused(f, W.shape, A_prev.shape, b.shape)
        code, taken = code_of(activation), take(out, (n, m))
        W_, A_, b_, written = W_row(W), A_row(A_prev), b_row(b), rows(taken)
        need_apart(written, (W_, A_, b_))
        slope = np.float64(negative_slope)
        _run_dense(kind, W_, W_T, A_, A_T, b_, code, slope, n, k, m, written[0], written[-1])
        return result(taken)

    return implementation


@available(dense.dense_gradients)
def _dense_gradients(dZ, A_prev, out=None):
    f = "dense_gradients"
    number, need_apart = arrays_of(f, {"dZ": dZ, "A_prev": A_prev}), apart_if(f, out)
    dZ_row, (A_row, A_T) = input_as(number, dZ).row, input_as(number, A_prev, True)
    take_dW, take_db = outputs_as(f, number, ("dW", "db"), out)

    def implementation(dZ, A_prev, out=None):
        (n, m), k = dZ.shape, A_prev.shape[0]
        if A_prev.shape[1] != m or m == 0:
            raise Refused(f, dZ.shape, A_prev.shape)
        dW, db = take_dW(out, (n, k)), take_db(out, (n, 1))
        dZ_, A_, dW_, db_ = dZ_row(dZ), A_row(A_prev), row_of(dW), row_of(db)
        need_apart((dW_, db_), (dZ_, A_))
        _run_gradients(dZ_, A_, A_T, n, k, m, dW_, db_)
        return dW, db

    return implementation


@available(dense.dense_backward)
def _dense_backward(W_next, dZ_next, saved, A_prev, activation, negative_slope=0.01, out=None):
    f = "dense_backward"
    number = arrays_of(f, {"W_next": W_next, "dZ_next": dZ_next, "saved": saved, "A_prev": A_prev})
    need_number(f, "negative_slope", negative_slope)
    code_of, need_apart, kind = activation_of(f, activation), apart_if(f, out), _dense.BACKWARD
    W_row, W_T = input_as(number, W_next, True)
    next_row, next_T = input_as(number, dZ_next, True)
    saved_row, (A_row, A_T) = input_as(number, saved).row, input_as(number, A_prev, True)
    take_dZ, take_dW, take_db = outputs_as(f, number, ("dZ", "dW", "db"), out)
    W_transposed = not W_T

    def implementation(W_next, dZ_next, saved, A_prev, activation, negative_slope=0.01, out=None):
        (k, n), m, n_prev = W_next.shape, dZ_next.shape[1], A_prev.shape[0]
        if dZ_next.shape[0] != k or saved.shape != (n, m) or A_prev.shape[1] != m or m == 0:
            raise Refused(f, W_next.shape, dZ_next.shape, saved.shape, A_prev.shape)
        code = code_of(activation)
        dZ, dW, db = take_dZ(out, (n, m)), take_dW(out, (n, n_prev)), take_db(out, (n, 1))
        W_, next_, saved_, A_ = W_row(W_next), next_row(dZ_next), saved_row(saved), A_row(A_prev)
        dZ_, dW_, db_ = row_of(dZ), row_of(dW), row_of(db)
        need_apart((dZ_, dW_, db_), (W_, next_, saved_, A_))
        slope = np.float64(negative_slope)
        _run_dense(kind, W_, W_transposed, next_, next_T, saved_, code, slope, n, k, m, dZ_, dZ_)
        _run_gradients(dZ_, A_, A_T, n, n_prev, m, dW_, db_)
        return dZ, dW, db

    return implementation


# -- the models' gradients -----------------------------------------------------------------------------

_logistic, _shallow = whole.logistic.linked, whole.shallow.linked
_logistic_room, _shallow_room = whole.logistic_room, whole.shallow_room


@available(propagate.logistic_propagate)
def _logistic_propagate(w, b, X, Y, out=None):
    f = "logistic_propagate"
    number, need_apart = arrays_of(f, {"w": w, "X": X, "Y": Y}), apart_if(f, out)
    need_number(f, "b", b)
    w_row, (X_row, X_T), Y_row = (
        input_as(number, w, True).row,
        input_as(number, X, True),
        input_as(number, Y).row,
    )
    take = output_as(f, number, 2, out)

    def implementation(w, b, X, Y, out=None):
        n, m = X.shape
        if w.shape != (n, 1) or Y.shape != (1, m) or m == 0:
            raise Refused(f, w.shape, X.shape, Y.shape)
        dw, result = take(out, (n, 1)), np.empty(2, number)
        w_, X_, Y_, dw_ = w_row(w), X_row(X), Y_row(Y), row_of(dw)
        need_apart((dw_,), (w_, X_, Y_))
        scratch = np.empty(_logistic_room(n, m, X_T, dw_), number)
        _logistic(w_, number(np.float64(b)), X_, X_T, n, m, Y_, dw_, result, scratch)
        return dw, float(result[0]), float(result[1])

    return implementation


@available(propagate.shallow_propagate)
def _shallow_propagate(W1, b1, W2, b2, X, Y, activation="tanh", negative_slope=0.01, out=None):
    f = "shallow_propagate"
    number = arrays_of(f, {"W1": W1, "b1": b1, "W2": W2, "b2": b2, "X": X, "Y": Y})
    need_number(f, "negative_slope", negative_slope)
    code_of, need_apart = activation_of(f, activation), apart_if(f, out)
    W1_row, b1_row = input_as(number, W1).row, input_as(number, b1, True).row
    W2_row, b2_row = input_as(number, W2, True).row, input_as(number, b2, True).row
    (X_row, X_T), Y_row = input_as(number, X, True), input_as(number, Y, True).row
    take_dW1, take_db1, take_dW2, take_db2 = outputs_as(f, number, ("dW1", "db1", "dW2", "db2"), out)

    def implementation(W1, b1, W2, b2, X, Y, activation="tanh", negative_slope=0.01, out=None):
        (n_x, m), n_h = X.shape, W1.shape[0]
        fits = W1.shape[1] == n_x and b1.shape == (n_h, 1) and W2.shape == (1, n_h) and b2.shape == (1, 1)
        if not fits or Y.shape != (1, m) or m == 0:
            raise Refused(f, W1.shape, b1.shape, W2.shape, b2.shape, X.shape, Y.shape)
        code, result = code_of(activation), np.empty(1, number)
        dW1, db1 = take_dW1(out, (n_h, n_x)), take_db1(out, (n_h, 1))
        dW2, db2 = take_dW2(out, (1, n_h)), take_db2(out, (1, 1))
        W1_, b1_, W2_, b2_, X_, Y_ = W1_row(W1), b1_row(b1), W2_row(W2), b2_row(b2), X_row(X), Y_row(Y)
        dW1_, db1_, dW2_, db2_ = row_of(dW1), row_of(db1), row_of(dW2), row_of(db2)
        need_apart((dW1_, db1_, dW2_, db2_), (W1_, b1_, W2_, b2_, X_, Y_))
        scratch = np.empty(_shallow_room(n_h, n_x, m, X_T, dW1_), number)
        _shallow(
            W1_, b1_, W2_, b2_, X_, X_T, n_h, n_x, m, Y_, code, np.float64(negative_slope), dW1_, db1_, dW2_,
            db2_, result, scratch,
        )  # fmt: skip
        return dW1, db1, dW2, db2, float(result[0])

    return implementation


# The first `dk.sigmoid` in a function imports this module, while Numba compiles that function.
internals.find_new_implementations()
