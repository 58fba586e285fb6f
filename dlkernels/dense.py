"""A dense layer: forward, gradients, backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlkernels import _checks, _threads
from dlkernels._arguments import flat, flat_matrix, scratch
from dlkernels._arrays import Array, as_kernels_take_them, native
from dlkernels._checks import CODES
from dlkernels._jit import guarded
from dlkernels._kernels import dense as _kernels
from dlkernels._kernels import small as _small
from dlkernels._kernels.pieces import addresses
from dlkernels._threads import forced

#: From this many nanoseconds of work on, the long way decides about threads.
_MOST = min(_threads.NEVER_BELOW, _kernels.AT_ONCE)
#: A matrix of more numbers, given or to be computed, means more work than that; results are allocated before
#: the shapes are compared, so theirs must be small, too.
_FEW = 2**16
_product_work = getattr(_kernels.product_work, "py_func", _kernels.product_work)
#: Asked first, with the arrays as they were given: what is neither to be converted nor large is done by them.
_small_forward = guarded(_small.forward, as_kernels_take_them)
_small_gradients = guarded(_small.gradients, as_kernels_take_them)
_small_backward = guarded(_small.backward, as_kernels_take_them)


#: What `dense` and `dense_gradients` call; small calls run these two by address as well.
_dense_pieces, _gradient_pieces = addresses(*_kernels.PIECES), addresses(*_kernels.GRADIENT_PIECES)
_small_dense_pieces = addresses(_small.whole_dense, *_kernels.PIECES)
_small_gradient_pieces = addresses(_small.whole_gradients, *_kernels.GRADIENT_PIECES)


def _simple(*matrices: Any) -> bool:
    """Whether all are small float matrices of the machine's byte order, and nobody chose a twin by hand."""
    return forced.get() is None and all(
        native(array) and array.ndim == 2 and array.size <= _FEW for array in matrices
    )


def _known(activation: Any, negative_slope: Any) -> bool:
    return type(activation) is str and activation in CODES and type(negative_slope) is float


def dense_forward(
    W: Any,
    A_prev: Any,
    b: Any,
    activation: str = "identity",
    *,
    negative_slope: float = 0.01,
    out: Array | None = None,
    return_Z: bool = False,
) -> Array | tuple[Array, Array]:
    """A = g(W A_prev + b), bias and activation fused into the product.

    Parameters
    ----------
    W : array_like, shape (n, n_prev)
        Weights, a row per unit.
    A_prev : array_like, shape (n_prev, m)
        Activations of the layer before, or X: examples are columns. C and Fortran order are equally good.
    b : array_like, shape (n, 1)
        Biases.
    activation : {"identity", "sigmoid", "tanh", "relu", "leaky_relu"}
        g, elementwise.
    negative_slope : float
        The slope of leaky ReLU for z < 0; the others ignore it.
    out : ndarray, shape (n, m), optional
        Takes A: of the common dtype, in C order, apart from the inputs.
    return_Z : bool
        Whether to return the pre-activation Z = W A_prev + b as well, which the backward pass of relu and
        leaky_relu needs.

    Returns
    -------
    A : ndarray, shape (n, m)
        `out` if it was given.
    Z : ndarray, shape (n, m)
        Only if `return_Z`.

    Raises
    ------
    TypeError
        If an input is not real numbers of a supported dtype, or `activation` is no string.
    ValueError
        If shapes don't match (the message names both), `activation` is unknown, or `out` doesn't fit.

    Notes
    -----
    Z[l] = W[l] A[l-1] + b[l], A[l] = g(Z[l]): Andrew Ng, "Neural Networks and Deep Learning", week 3.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.dense_forward([[1.0, 2.0]], [[1.0, 0.0], [0.0, 1.0]], [[-1.5]], "relu")
    array([[0. , 0.5]])
    """
    if (
        _simple(W, A_prev, b)
        and len(W) * A_prev.shape[1] <= _FEW
        and _known(activation, negative_slope)
        and not return_Z
    ):
        result = np.empty((len(W), A_prev.shape[1]), W.dtype) if out is None else out
        if (out is None or native(out)) and _small_forward(
            CODES[activation], negative_slope, _MOST, W, A_prev, b, result,
            *_small_dense_pieces(W.dtype),
        ):  # fmt: skip
            return result
    c = _checks.dense_forward(W, A_prev, b, activation, negative_slope, out)
    (n, k), m = c.W.shape, c.A_prev.shape[1]
    W_flat, W_transposed = flat_matrix(c.W)
    A_flat, A_transposed = flat_matrix(c.A_prev)
    Z = np.empty((n, m), c.W.dtype) if return_Z else c.out
    out_flat = flat(c.out)
    kernel = _threads.twin(_kernels.dense, _product_work(n, k, m, c.W.itemsize))
    kernel(
        _kernels.FORWARD_KEEPING_Z if return_Z else _kernels.FORWARD, W_flat, W_transposed,
        A_flat, A_transposed, flat(c.b), c.code, c.negative_slope, n, k, m,
        out_flat, Z.ravel() if return_Z else out_flat,
        scratch(_kernels.scratch_numbers(n, k, m, Z.itemsize), Z.dtype), *_dense_pieces(Z.dtype),
    )  # fmt: skip
    return (c.out, Z) if return_Z else c.out


def _gradients(dZ: Array, A_prev: Array) -> tuple[Array, Array]:
    (n, m), k, dtype = dZ.shape, A_prev.shape[0], dZ.dtype
    dW, db = np.empty((n, k), dtype), np.empty((n, 1), dtype)
    dZ_flat, dW_flat, db_flat = flat(np.ascontiguousarray(dZ)), dW.ravel(), db.ravel()
    A_flat, transposed = flat_matrix(A_prev)
    work = _product_work(n, k, m, dtype.itemsize)
    if _kernels.gradients_as_product(n, k, m, dW_flat):
        room = np.empty(2 * n, dtype)
        _threads.twin(_kernels.dense, work)(
            _kernels.GRADIENTS, dZ_flat, False, A_flat, not transposed, room, 0, float(m), n, m, k,
            dW_flat, db_flat, scratch(_kernels.scratch_numbers(n, m, k, dtype.itemsize), dtype),
            *_dense_pieces(dtype),
        )  # fmt: skip
    else:
        _threads.twin(_kernels.dense_gradients, work)(
            dZ_flat, A_flat, transposed, n, k, m, dW_flat, db_flat, *_gradient_pieces(dtype)
        )
    return dW, db


def dense_gradients(dZ: Any, A_prev: Any) -> tuple[Array, Array]:
    """dW = dZ A_prevᵀ / m and db = the sums of dZ along axis 1, over m.

    Parameters
    ----------
    dZ : array_like, shape (n, m)
        Derivatives of the m examples' losses with respect to Z.
    A_prev : array_like, shape (n_prev, m)
        What the layer was given.

    Returns
    -------
    dW : ndarray, shape (n, n_prev)
    db : ndarray, shape (n, 1)

    Raises
    ------
    TypeError
        If an input is not real numbers of a supported dtype.
    ValueError
        If the numbers of examples differ, or there is none.

    Notes
    -----
    dW[l] = 1/m dZ[l] A[l-1]ᵀ, db[l] = 1/m np.sum(dZ[l], axis=1, keepdims=True): the same course, week 3.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dW, db = dk.dense_gradients([[1.0, 3.0]], [[1.0, 1.0], [0.0, 2.0]])
    >>> dW
    array([[2., 3.]])
    >>> db
    array([[2.]])
    """
    if _simple(dZ, A_prev) and len(dZ) * max(1, len(A_prev)) <= _FEW:
        n, dtype = len(dZ), dZ.dtype
        dW, db = np.empty((n, len(A_prev)), dtype), np.empty((n, 1), dtype)
        if _small_gradients(_MOST, dZ, A_prev, dW, db, *_small_gradient_pieces(dtype)):
            return dW, db
    return _gradients(*_checks.dense_gradients(dZ, A_prev))


def dense_backward(
    W_next: Any,
    dZ_next: Any,
    saved: Any,
    A_prev: Any,
    activation: str,
    *,
    negative_slope: float = 0.01,
) -> tuple[Array, Array, Array]:
    """dZ = W_nextᵀ dZ_next * g'(saved), and the gradients dW and db that follow from it.

    Parameters
    ----------
    W_next : array_like, shape (n_next, n)
        Weights of the layer after this one.
    dZ_next : array_like, shape (n_next, m)
        Its derivatives with respect to Z.
    saved : array_like, shape (n, m)
        A of this layer for sigmoid and tanh, Z of it for identity, relu and leaky_relu.
    A_prev : array_like, shape (n_prev, m)
        What this layer was given.
    activation : {"identity", "sigmoid", "tanh", "relu", "leaky_relu"}
        g of this layer. relu and leaky_relu take g'(0) = 1, as the course does.
    negative_slope : float
        The slope of leaky ReLU for z < 0.

    Returns
    -------
    dZ : ndarray, shape (n, m)
    dW : ndarray, shape (n, n_prev)
    db : ndarray, shape (n, 1)

    Raises
    ------
    TypeError
        If an input is not real numbers of a supported dtype, or `activation` is no string.
    ValueError
        If shapes don't match (the message names both), m is 0, or `activation` is unknown.

    Notes
    -----
    dZ[l] = W[l+1]ᵀ dZ[l+1] * g'(Z[l]): the same course, week 3.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dZ, dW, db = dk.dense_backward([[2.0]], [[1.0, -1.0]], [[3.0, -3.0]], [[1.0, 1.0]], "relu")
    >>> dZ
    array([[2., 0.]])
    >>> dW
    array([[1.]])
    """
    if (
        _simple(W_next, dZ_next, saved, A_prev)
        and len(saved) * max(1, len(A_prev)) <= _FEW
        and _known(activation, negative_slope)
    ):
        (n, m), dtype = saved.shape, saved.dtype
        dZ, dW, db = np.empty((n, m), dtype), np.empty((n, len(A_prev)), dtype), np.empty((n, 1), dtype)
        if _small_backward(
            CODES[activation], negative_slope, _MOST, W_next, dZ_next, saved, A_prev, dZ, dW, db,
            *_small_dense_pieces(dtype), *_small_gradient_pieces(dtype),
        ):  # fmt: skip
            return dZ, dW, db
    c = _checks.dense_backward(W_next, dZ_next, saved, A_prev, activation, negative_slope)
    (k, n), m = c.W_next.shape, c.dZ_next.shape[1]
    dZ = np.empty((n, m), c.W_next.dtype)
    out = dZ.ravel()
    W_flat, W_transposed = flat_matrix(c.W_next)
    dZ_flat, dZ_transposed = flat_matrix(c.dZ_next)
    kernel = _threads.twin(_kernels.dense, _product_work(n, k, m, dZ.itemsize))
    kernel(
        _kernels.BACKWARD, W_flat, not W_transposed, dZ_flat, dZ_transposed,
        flat(np.ascontiguousarray(c.saved)), c.code, c.negative_slope, n, k, m, out, out,
        scratch(_kernels.scratch_numbers(n, k, m, dZ.itemsize), dZ.dtype), *_dense_pieces(dZ.dtype),
    )  # fmt: skip
    return (dZ, *_gradients(dZ, c.A_prev))
