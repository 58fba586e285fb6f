"""As `elementwise`: overloads of the functions of a dense layer and of the two models' gradients."""

# mypy: disable-error-code="no-untyped-def, misc"
from __future__ import annotations

import numpy as np
from numba import types

from dlkernels import dense, propagate
from dlkernels._compiler import internals
from dlkernels._compiler.options import ONE, inlined, shared
from dlkernels._kernels import dense_backward as backward_kernels
from dlkernels._kernels import dense_forward as forward_kernels
from dlkernels._kernels import dense_gradients as gradient_kernels
from dlkernels._kernels import direct, linked, shapes
from dlkernels._kernels.activations import derived_from_A, in_layer
from dlkernels._kernels.shallow import Network
from dlkernels._nopython.arguments import (
    NeedsOther,
    Refused,
    activation_of,
    arrays_of,
    as_matrix,
    as_matrix_or_transpose,
    as_row_or_column,
    flag_of,
    given,
    need_number,
    output_as,
    outputs_as,
    overlap_check,
    table_of,
)
from dlkernels._nopython.elementwise import overload_of
from dlkernels.catalogue import code_from_A, layer_parameter

_forward, _backward = direct.layer_forward.linked, direct.layer_backward.linked
_by_examples, _by_product = direct.layer_gradients.linked, direct.layer_product_gradients.linked
_forward_workspace, _backward_workspace = (
    forward_kernels.forward_workspace,
    backward_kernels.backward_workspace,
)
_examples_workspace = gradient_kernels.gradients_workspace
_product_workspace = gradient_kernels.product_gradients_workspace
_as_product = gradient_kernels.as_product
_forward_fits = shared(shapes.DENSE_FORWARD.fits())
_gradients_fit = shared(shapes.DENSE_GRADIENTS.fits())
_backward_fits = shared(shapes.DENSE_BACKWARD_WITH_Z.fits())


@inlined
def _gradients(dZ, A_prev, A_transposed, dW, db):
    """As `dlkernels.dense._gradients`."""
    (n, k), m = dW.shape, dZ.shape[1]
    if _as_product(n, k, m, dW):
        workspace = np.empty(_product_workspace(n, k, m, A_transposed, ONE, dW), dW.dtype)
        _by_product(dZ, A_prev, A_transposed, dW, db, workspace, ONE)
    else:
        workspace = np.empty(_examples_workspace(n, k, m, A_transposed, ONE, dW), dW.dtype)
        _by_examples(dZ, A_prev, A_transposed, dW, db, workspace, ONE)


@overload_of(dense.dense_forward)
def _dense_forward(W, A_prev, b, activation="identity", negative_slope=0.01, out=None, return_Z=False):
    f = "dense_forward"
    number = arrays_of(f, {"W": W, "A_prev": A_prev, "b": b})
    need_number(f, "negative_slope", negative_slope)
    code_of, need_apart = activation_of(f, activation), overlap_check(f, out)
    (W_view, W_T), (A_view, A_T), b_view = (
        as_matrix_or_transpose(number, W),
        as_matrix_or_transpose(number, A_prev),
        as_row_or_column(number, b),
    )
    keeps_Z = flag_of(f, "return_Z", return_Z)
    if keeps_Z:
        if isinstance(out, types.Array):  # for A; Z is new
            take_A, take_Z = output_as(f, number, 2, out), output_as(f, number, 2, None)
        else:
            take_A, take_Z = outputs_as(f, number, ("A", "Z"), out)
        take = shared(lambda out, shape: (take_A(out, shape), take_Z(out, shape)))
        result = shared(lambda taken: taken)
    else:
        take_A = output_as(f, number, 2, out)
        take, result = shared(lambda out, shape: (take_A(out, shape),)), shared(lambda taken: taken[0])

    def implementation(W, A_prev, b, activation="identity", negative_slope=0.01, out=None, return_Z=False):
        if not _forward_fits((W.shape, A_prev.shape, b.shape)):
            raise Refused(f, W.shape, A_prev.shape, b.shape)
        (n, k), m = W.shape, A_prev.shape[1]
        code, taken = code_of(activation), take(out, (n, m))
        W_, A_prev_, b_, A, Z = W_view(W), A_view(A_prev), b_view(b), table_of(taken[0]), table_of(taken[-1])
        need_apart((A, Z) if keeps_Z else (A,), (W_, A_prev_, b_))
        workspace = np.empty(_forward_workspace(n, k, m, A_T, ONE, A), number)
        slope = np.float64(negative_slope)
        _forward(W_, W_T, A_prev_, A_T, b_, code, slope, A, Z, keeps_Z, workspace, ONE)
        return result(taken)

    return implementation


@overload_of(dense.dense_gradients)
def _dense_gradients(dZ, A_prev, out=None):
    f = "dense_gradients"
    number, need_apart = arrays_of(f, {"dZ": dZ, "A_prev": A_prev}), overlap_check(f, out)
    dZ_view, (A_view, A_T) = as_matrix(number, dZ), as_matrix_or_transpose(number, A_prev)
    take_dW, take_db = outputs_as(f, number, ("dW", "db"), out)

    def implementation(dZ, A_prev, out=None):
        if not _gradients_fit((dZ.shape, A_prev.shape)):
            raise Refused(f, dZ.shape, A_prev.shape)
        n, k = dZ.shape[0], A_prev.shape[0]
        dW, db = take_dW(out, (n, k)), take_db(out, (n, 1))
        dZ_, A_, dW_, db_ = dZ_view(dZ), A_view(A_prev), table_of(dW), table_of(db)
        need_apart((dW_, db_), (dZ_, A_))
        _gradients(dZ_, A_, A_T, dW_, db_)
        return dW, db

    return implementation


_code_from_A, _layer_parameter = shared(code_from_A), shared(layer_parameter)


@shared
def _need_formula(f, code, formula, parameter):
    if formula < 0:
        raise NeedsOther(f, code, parameter)


@overload_of(dense.dense_backward)
def _dense_backward(W_next, dZ_next, A, A_prev, activation, Z=None, negative_slope=0.01, out=None):
    f, with_Z = "dense_backward", given(Z)
    arrays = {"W_next": W_next, "dZ_next": dZ_next, "A": A, "A_prev": A_prev}
    number = arrays_of(f, arrays | ({"Z": Z} if with_Z else {}))
    need_number(f, "negative_slope", negative_slope)
    code_of, need_apart = activation_of(f, activation), overlap_check(f, out)
    (W_view, W_T), (dZ_view, dZ_T) = (
        as_matrix_or_transpose(number, W_next),
        as_matrix_or_transpose(number, dZ_next),
    )
    A_view, (A_prev_view, A_prev_T) = as_matrix(number, A), as_matrix_or_transpose(number, A_prev)
    Z_of, Z_view = shared(lambda A, Z: Z if with_Z else A), as_matrix(number, Z if with_Z else A)
    take_dZ, take_dW, take_db = outputs_as(f, number, ("dZ", "dW", "db"), out)

    def implementation(W_next, dZ_next, A, A_prev, activation, Z=None, negative_slope=0.01, out=None):
        given_Z = Z_of(A, Z)
        if not _backward_fits((W_next.shape, dZ_next.shape, A.shape, A_prev.shape, given_Z.shape)):
            raise Refused(f, W_next.shape, dZ_next.shape, A.shape, A_prev.shape, given_Z.shape)
        (k, n), m, n_prev = W_next.shape, dZ_next.shape[1], A_prev.shape[0]
        code, slope = code_of(activation), np.float64(negative_slope)
        parameter = _layer_parameter(code, slope)
        from_A = not with_Z or derived_from_A(code)
        formula = _code_from_A(code, parameter) if from_A else code
        _need_formula(f, code, formula, parameter)
        dZ, dW, db = take_dZ(out, (n, m)), take_dW(out, (n, n_prev)), take_db(out, (n, 1))
        W_, next_, A_, Z_, A_prev_ = (
            W_view(W_next), dZ_view(dZ_next), A_view(A), Z_view(given_Z), A_prev_view(A_prev)
        )  # fmt: skip
        dZ_, dW_, db_ = table_of(dZ), table_of(dW), table_of(db)
        need_apart((dZ_, dW_, db_), (W_, next_, A_, Z_, A_prev_))
        workspace = np.empty(_backward_workspace(n, k, m, dZ_T, ONE, dZ_), number)
        saved = A_ if from_A else Z_
        _backward(W_, W_T, next_, dZ_T, saved, formula, slope, dZ_, workspace, ONE)
        _gradients(dZ_, A_prev_, A_prev_T, dW_, db_)
        return dZ, dW, db

    return implementation


# -- the models' gradients -------------------------------------------------------------------------------

_logistic, _logistic_workspace = linked.logistic.linked, linked.logistic_workspace
_shallow, _shallow_workspace = linked.shallow.linked, linked.shallow_workspace
_logistic_fits, _shallow_fits = shared(shapes.LOGISTIC.fits()), shared(shapes.SHALLOW.fits())


@overload_of(propagate.logistic_propagate)
def _logistic_propagate(w, b, X, Y, out=None):
    f = "logistic_propagate"
    number, need_apart = arrays_of(f, {"w": w, "X": X, "Y": Y}), overlap_check(f, out)
    need_number(f, "b", b)
    w_view, (X_view, X_T), Y_view = (
        as_row_or_column(number, w),
        as_matrix_or_transpose(number, X),
        as_row_or_column(number, Y),
    )
    take = output_as(f, number, 2, out)

    def implementation(w, b, X, Y, out=None):
        if not _logistic_fits((X.shape, w.shape, Y.shape)):
            raise Refused(f, w.shape, X.shape, Y.shape)
        n, m = X.shape
        dw, result = take(out, (n, 1)), np.empty(2, number)
        w_, X_, Y_, dw_ = w_view(w), X_view(X), Y_view(Y), table_of(dw)
        need_apart((dw_,), (w_, X_, Y_))
        workspace = np.empty(_logistic_workspace(n, m, X_T, dw_), number)
        _logistic(w_, np.float64(b), X_, X_T, Y_, dw_, result, workspace)
        return dw, float(result[0]), float(result[1])

    return implementation


@overload_of(propagate.shallow_propagate)
def _shallow_propagate(W1, b1, W2, b2, X, Y, activation="tanh", negative_slope=0.01, out=None):
    f = "shallow_propagate"
    number = arrays_of(f, {"W1": W1, "b1": b1, "W2": W2, "b2": b2, "X": X, "Y": Y})
    need_number(f, "negative_slope", negative_slope)
    code_of, need_apart = activation_of(f, activation), overlap_check(f, out)
    W1_view, b1_view, W2_view, b2_view = (
        as_matrix(number, W1),
        as_row_or_column(number, b1),
        as_row_or_column(number, W2),
        as_row_or_column(number, b2),
    )
    (X_view, X_T), Y_view = as_matrix_or_transpose(number, X), as_row_or_column(number, Y)
    take_dW1, take_db1, take_dW2, take_db2 = outputs_as(f, number, ("dW1", "db1", "dW2", "db2"), out)

    def implementation(W1, b1, W2, b2, X, Y, activation="tanh", negative_slope=0.01, out=None):
        if not _shallow_fits((W1.shape, X.shape, b1.shape, W2.shape, b2.shape, Y.shape)):
            raise Refused(f, W1.shape, b1.shape, W2.shape, b2.shape, X.shape, Y.shape)
        (n_x, m), n_h = X.shape, W1.shape[0]
        g, result = in_layer(code_of(activation), np.float64(negative_slope)), np.empty(1, number)
        dW1, db1 = take_dW1(out, (n_h, n_x)), take_db1(out, (n_h, 1))
        dW2, db2 = take_dW2(out, (1, n_h)), take_db2(out, (1, 1))
        network = Network(W1_view(W1), b1_view(b1), W2_view(W2), b2_view(b2))
        gradients = Network(table_of(dW1), table_of(db1), table_of(dW2), table_of(db2))
        X_, Y_ = X_view(X), Y_view(Y)
        need_apart(
            (gradients.W1, gradients.b1, gradients.W2, gradients.b2),
            (network.W1, network.b1, network.W2, network.b2, X_, Y_),
        )
        workspace = np.empty(_shallow_workspace(n_h, n_x, m, X_T, gradients.W1), number)
        _shallow(network, X_, X_T, Y_, g, gradients, result, workspace)
        return dW1, db1, dW2, db2, float(result[0])

    return implementation


# The first use of `dk.sigmoid` in a function imports this module while Numba is compiling that function.
internals.find_new_implementations()
