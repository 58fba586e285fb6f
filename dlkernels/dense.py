"""A dense layer: forward, gradients, backward."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from dlkernels._calls import threads
from dlkernels._calls.plans import Plan, plan, prepared
from dlkernels._calls.views import in_c_order, matrices, natives, simple, unmarked
from dlkernels._calls.workspaces import kept
from dlkernels._compiler.options import guarded
from dlkernels._inputs import checks
from dlkernels._inputs.arrays import Array, native
from dlkernels._inputs.checks import CODES
from dlkernels._kernels import dense_backward as backward_kernels
from dlkernels._kernels import dense_forward as forward_kernels
from dlkernels._kernels import dense_gradients as gradient_kernels
from dlkernels._kernels import direct
from dlkernels._kernels.product import product_work

#: Up to so many nanoseconds of work nothing is shared out among threads, nor formed as a packed product.
_MOST = min(threads.NEVER_BELOW, gradient_kernels.AT_ONCE)
#: With more multiply-adds than these, counting 15 for each result, a direct call isn't tried: what it saves
#: no longer counts. Results are allocated before the shapes are compared, so they must be few, too.
_FEW = 2**24


#: Direct calls are tried first, with the arrays as they were given.
_direct_forward = guarded(direct.forward, matrices)
_direct_gradients = guarded(direct.gradients, matrices)
_direct_backward = guarded(direct.backward, matrices)


def _forward_results(
    out: Any, return_Z: bool, n: int, m: int, dtype: np.dtype[Any]
) -> tuple[Array, Array] | None:
    """A and Z, which is A if it isn't wanted; nothing if `out` is none for kernels to write to."""
    if type(out) is tuple:
        return out if return_Z and natives(out, 2) else None
    if out is not None and not native(out):
        return None
    A = np.empty((n, m), dtype) if out is None else out
    return A, np.empty((n, m), dtype) if return_Z else A


def dense_forward(
    W: Any,
    A_prev: Any,
    b: Any,
    activation: str = "identity",
    *,
    negative_slope: float = 0.01,
    out: Array | tuple[Array, Array] | None = None,
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
    activation : str
        The name of g in `dlkernels.catalogue.ACTIVATIONS`.
    negative_slope : float
        The slope of leaky ReLU for z < 0; the others ignore it.
    out : ndarray, shape (n, m), or a tuple of two, optional
        Takes A, or with `return_Z` (A, Z): of the common dtype, in C order, apart from the inputs and from
        each other. With `return_Z` a single array takes A, and Z is new.
    return_Z : bool
        Whether to return the pre-activation Z = W A_prev + b as well. The backward pass needs it, unless it
        finds the derivative of g from A.

    Returns
    -------
    A : ndarray, shape (n, m)
        `out` if it was given.
    Z : ndarray, shape (n, m)
        Only if `return_Z`; that of `out` if it was given.

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
        simple(W, A_prev, b)
        and type(activation) is str
        and (code := CODES.get(activation)) is not None
        and type(negative_slope) is float
    ):
        (n, k), m, dtype = W.shape, A_prev.shape[1], W.dtype
        if n * m * (k + 15) <= _FEW and (results := _forward_results(out, return_Z, n, m, dtype)):
            A, Z = results
            answer = _direct_forward(
                code, negative_slope, _MOST, W, A_prev, b, A, Z, bool(return_Z), kept(dtype)
            )
            if answer == direct.LARGE:
                _forward(W, A_prev, b, code, negative_slope, A, Z if return_Z else None)
            if answer != direct.NOT_SIMPLE:
                return results if return_Z else A
    c = checks.dense_forward(W, A_prev, b, activation, negative_slope, out, return_Z)
    _forward(c.W, c.A_prev, c.b, c.code, c.parameter, c.A, c.Z)
    return c.A if c.Z is None else (c.A, c.Z)


@functools.lru_cache(maxsize=1024)
def _forward_plan(dtype: np.dtype[Any], n: int, k: int, m: int, A_transposed: bool) -> Plan:
    work = product_work(n, k, m, dtype.itemsize)
    kernel, size = forward_kernels.dense_forward, forward_kernels.forward_workspace
    return plan(kernel, work, size, dtype, n, k, m, A_transposed)


@functools.lru_cache(maxsize=1024)
def _backward_plan(dtype: np.dtype[Any], n: int, k: int, m: int, dZ_transposed: bool) -> Plan:
    work = product_work(n, k, m, dtype.itemsize)
    kernel, size = backward_kernels.dense_backward, backward_kernels.backward_workspace
    return plan(kernel, work, size, dtype, n, k, m, dZ_transposed)


@functools.lru_cache(maxsize=1024)
def _gradients_plan(dtype: np.dtype[Any], n: int, k: int, m: int, A_transposed: bool) -> Plan:
    work = product_work(n, k, m, dtype.itemsize)
    if gradient_kernels.as_product(n, k, m, np.empty(0, dtype)):
        kernel, size = gradient_kernels.gradients_by_product, gradient_kernels.product_gradients_workspace
    else:
        kernel, size = gradient_kernels.gradients_by_examples, gradient_kernels.gradients_workspace
    return plan(kernel, work, size, dtype, n, k, m, A_transposed)


def _forward(
    W: Array, A_prev: Array, b: Array, code: int, negative_slope: float, A: Array, Z: Array | None
) -> None:
    """The kernel, for checked arrays."""
    (n, k), m, dtype = W.shape, A_prev.shape[1], W.dtype
    (W, W_T), (A_prev, A_T) = in_c_order(W), in_c_order(A_prev)
    kernel, memory, workers = prepared(_forward_plan(dtype, n, k, m, A_T), dtype)
    kernel(
        W, W_T, A_prev, A_T, unmarked(b), code, negative_slope, A, A if Z is None else Z, Z is not None,
        memory, workers,
    )  # fmt: skip


def _gradients(dZ: Array, A_prev: Array, dW: Array, db: Array) -> None:
    """The kernel, for checked arrays."""
    (n, m), k, dtype = dZ.shape, A_prev.shape[0], dZ.dtype
    A_prev, A_T = in_c_order(A_prev)
    kernel, memory, workers = prepared(_gradients_plan(dtype, n, k, m, A_T), dtype)
    kernel(unmarked(np.ascontiguousarray(dZ)), A_prev, A_T, dW, db, memory, workers)


def _backward(
    W_next: Array, dZ_next: Array, saved: Array, A_prev: Array, code: int, negative_slope: float, dZ: Array,
    dW: Array, db: Array,
) -> None:  # fmt: skip
    """Both kernels, for checked arrays."""
    (n, m), k, dtype = dZ.shape, W_next.shape[0], dZ.dtype
    (W_next, W_T), (dZ_next, dZ_T) = in_c_order(W_next), in_c_order(dZ_next)
    kernel, memory, workers = prepared(_backward_plan(dtype, n, k, m, dZ_T), dtype)
    kernel(
        W_next, W_T, dZ_next, dZ_T, unmarked(np.ascontiguousarray(saved)), code, negative_slope, dZ, memory,
        workers,
    )  # fmt: skip
    _gradients(dZ, A_prev, dW, db)


def dense_gradients(dZ: Any, A_prev: Any, *, out: tuple[Array, Array] | None = None) -> tuple[Array, Array]:
    """dW = dZ A_prevᵀ / m and db = the sums of dZ along axis 1, over m.

    Parameters
    ----------
    dZ : array_like, shape (n, m)
        Derivatives of the m examples' losses with respect to Z.
    A_prev : array_like, shape (n_prev, m)
        What the layer was given.
    out : tuple of ndarray, optional
        (dW, db) to write to: of the common dtype, in C order, apart from the inputs and from each other.

    Returns
    -------
    dW : ndarray, shape (n, n_prev)
    db : ndarray, shape (n, 1)
        Those of `out` if it was given.

    Raises
    ------
    TypeError
        If an input is not real numbers of a supported dtype.
    ValueError
        If the numbers of examples differ, there is none, or `out` doesn't fit.

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
    if simple(dZ, A_prev, A_prev) and len(dZ) * max(1, len(A_prev)) * (dZ.shape[1] + 15) <= _FEW:
        n, dtype = len(dZ), dZ.dtype
        results = (np.empty((n, len(A_prev)), dtype), np.empty((n, 1), dtype)) if out is None else out
        if out is None or natives(out, 2):
            answer = _direct_gradients(_MOST, dZ, A_prev, *results, kept(dtype))
            if answer == direct.LARGE:
                _gradients(dZ, A_prev, *results)
            if answer != direct.NOT_SIMPLE:
                return results
    c = checks.dense_gradients(dZ, A_prev, out)
    _gradients(*c)
    return c.dW, c.db


def dense_backward(
    W_next: Any,
    dZ_next: Any,
    saved: Any,
    A_prev: Any,
    activation: str,
    *,
    negative_slope: float = 0.01,
    out: tuple[Array, Array, Array] | None = None,
) -> tuple[Array, Array, Array]:
    """dZ = W_nextᵀ dZ_next * g'(saved), and the gradients dW and db that follow from it.

    Parameters
    ----------
    W_next : array_like, shape (n_next, n)
        Weights of the layer after this one.
    dZ_next : array_like, shape (n_next, m)
        Its derivatives with respect to Z.
    saved : array_like, shape (n, m)
        What the derivative of g is found from: A of this layer for sigmoid and tanh, Z for all others
        (`derivative_from` in `dlkernels.catalogue.ACTIVATIONS`).
    A_prev : array_like, shape (n_prev, m)
        What this layer was given.
    activation : str
        The name of g of this layer in `dlkernels.catalogue.ACTIVATIONS`. relu and leaky_relu take g'(0) = 1,
        as the course does.
    negative_slope : float
        The slope of leaky ReLU for z < 0.
    out : tuple of ndarray, optional
        (dZ, dW, db) to write to: of the common dtype, in C order, apart from the inputs and from each other.

    Returns
    -------
    dZ : ndarray, shape (n, m)
    dW : ndarray, shape (n, n_prev)
    db : ndarray, shape (n, 1)
        Those of `out` if it was given.

    Raises
    ------
    TypeError
        If an input is not real numbers of a supported dtype, or `activation` is no string.
    ValueError
        If shapes don't match (the message names both), m is 0, `activation` is unknown, or `out` doesn't fit.

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
        simple(W_next, dZ_next, dZ_next)
        and simple(saved, A_prev, dZ_next)
        and len(saved) * max(1, saved.shape[1]) * (max(len(W_next), len(A_prev)) + 15) <= _FEW
        and type(activation) is str
        and (code := CODES.get(activation)) is not None
        and type(negative_slope) is float
    ):
        (n, m), dtype = saved.shape, saved.dtype
        if out is None:
            results = np.empty((n, m), dtype), np.empty((n, len(A_prev)), dtype), np.empty((n, 1), dtype)
        else:
            results = out
        if out is None or natives(out, 3):
            answer = _direct_backward(
                code, negative_slope, _MOST, W_next, dZ_next, saved, A_prev, *results,
                kept(dtype),
            )  # fmt: skip
            if answer == direct.LARGE:
                _backward(W_next, dZ_next, saved, A_prev, code, negative_slope, *results)
            if answer != direct.NOT_SIMPLE:
                return results
    c = checks.dense_backward(W_next, dZ_next, saved, A_prev, activation, negative_slope, out)
    _backward(c.W_next, c.dZ_next, c.saved, c.A_prev, c.code, c.parameter, c.dZ, c.dW, c.db)
    return c.dZ, c.dW, c.db
