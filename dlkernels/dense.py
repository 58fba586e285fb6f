"""A dense layer: its forward pass, its gradients, its backward pass."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from dlkernels._calls import threads
from dlkernels._calls.plans import Plan, plan, prepared
from dlkernels._calls.views import accepted_directly, in_c_order, may_be_direct, natives, unmarked
from dlkernels._calls.workspaces import kept
from dlkernels._compiler.options import guarded
from dlkernels._inputs import checks
from dlkernels._inputs.arrays import Array, native
from dlkernels._inputs.checks import CODES, FROM_A, FROM_Z
from dlkernels._kernels import dense_backward as backward_kernels
from dlkernels._kernels import dense_forward as forward_kernels
from dlkernels._kernels import dense_gradients as gradient_kernels
from dlkernels._kernels import direct
from dlkernels._kernels.direct import LARGE, NOT_SIMPLE
from dlkernels._kernels.product import product_work

#: Up to this estimated time, in nanoseconds, work is done on one thread, and gradients aren't formed as a
#: packed product.
_SERIAL_NANOSECONDS = min(threads.NEVER_BELOW, gradient_kernels.NO_PRODUCT_BELOW)
#: A direct call is tried up to this number of multiply-adds. For more work the time that it saves doesn't
#: matter. A direct call allocates its results before it compares shapes. So each number of a result counts as
#: 15 multiply-adds, lest wrong shapes allocate a huge array.
_DIRECT_MULTIPLY_ADDS = 2**24


#: The public functions try direct calls first, with the arrays as they were given.
_direct_forward = guarded(direct.forward, accepted_directly, NOT_SIMPLE)
_direct_gradients = guarded(direct.gradients, accepted_directly, NOT_SIMPLE)
_direct_backward = guarded(direct.backward, accepted_directly, NOT_SIMPLE)


def _forward_results(
    out: Any, return_Z: bool, n: int, m: int, dtype: np.dtype[Any]
) -> tuple[Array, Array] | None:
    """A and Z, where Z is A without `return_Z`. None if kernels can't write to `out` as it was given."""
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
        The slope of leaky ReLU for z < 0; other activations ignore it.
    out : ndarray, shape (n, m), or a tuple of two, optional
        Where to write A; with `return_Z`, a tuple of arrays for A and Z. Each array must have the common
        dtype, be in C order, and overlap neither an input nor the other. If `out` is one array in spite of
        `return_Z`, A is written to it, and Z to a new array.
    return_Z : bool
        Whether to return the pre-activation Z = W A_prev + b as well. The backward pass needs Z, unless
        the derivative of g is computed from A.

    Returns
    -------
    A : ndarray, shape (n, m)
        The array from `out` if `out` was given.
    Z : ndarray, shape (n, m)
        Only with `return_Z`. The array from `out` if `out` was given as a tuple.

    Raises
    ------
    TypeError
        If an input does not hold real numbers of a supported dtype, or `activation` is not a string.
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
        may_be_direct(W, A_prev, b)
        and type(activation) is str
        and (code := CODES.get(activation)) is not None
        and type(negative_slope) is float
    ):
        (n, k), m, dtype = W.shape, A_prev.shape[1], W.dtype
        if n * m * (k + 15) <= _DIRECT_MULTIPLY_ADDS and (
            results := _forward_results(out, return_Z, n, m, dtype)
        ):
            A, Z = results
            answer = _direct_forward(
                code, negative_slope, _SERIAL_NANOSECONDS, W, A_prev, b, A, Z, bool(return_Z), kept(dtype)
            )
            if answer == LARGE:
                _forward(W, A_prev, b, code, negative_slope, A, Z if return_Z else None)
            if answer != NOT_SIMPLE:
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
    """Call the kernel with checked arrays."""
    (n, k), m, dtype = W.shape, A_prev.shape[1], W.dtype
    (W, W_T), (A_prev, A_T) = in_c_order(W), in_c_order(A_prev)
    kernel, memory, workers = prepared(_forward_plan(dtype, n, k, m, A_T), dtype)
    kernel(
        W, W_T, A_prev, A_T, unmarked(b), code, negative_slope, A, A if Z is None else Z, Z is not None,
        memory, workers,
    )  # fmt: skip


def _gradients(dZ: Array, A_prev: Array, dW: Array, db: Array) -> None:
    """Call the kernel with checked arrays."""
    (n, m), k, dtype = dZ.shape, A_prev.shape[0], dZ.dtype
    A_prev, A_T = in_c_order(A_prev)
    kernel, memory, workers = prepared(_gradients_plan(dtype, n, k, m, A_T), dtype)
    kernel(unmarked(np.ascontiguousarray(dZ)), A_prev, A_T, dW, db, memory, workers)


def _backward(
    W_next: Array, dZ_next: Array, saved: Array, A_prev: Array, code: int, negative_slope: float, dZ: Array,
    dW: Array, db: Array,
) -> None:  # fmt: skip
    """Call the kernels for dZ and for the gradients, with checked arrays."""
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
        Derivatives of the losses of the m examples with respect to Z.
    A_prev : array_like, shape (n_prev, m)
        The inputs of the layer.
    out : tuple of ndarray, optional
        Arrays (dW, db) to write to. Each must have the common dtype, be in C order, and overlap neither an
        input nor the other.

    Returns
    -------
    dW : ndarray, shape (n, n_prev)
    db : ndarray, shape (n, 1)
        The arrays from `out` if `out` was given.

    Raises
    ------
    TypeError
        If an input does not hold real numbers of a supported dtype.
    ValueError
        If the numbers of examples differ or are 0, or `out` doesn't fit.

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
    if (
        may_be_direct(dZ, A_prev, A_prev)
        and len(dZ) * max(1, len(A_prev)) * (dZ.shape[1] + 15) <= _DIRECT_MULTIPLY_ADDS
    ):
        n, dtype = len(dZ), dZ.dtype
        results = (np.empty((n, len(A_prev)), dtype), np.empty((n, 1), dtype)) if out is None else out
        if out is None or natives(out, 2):
            answer = _direct_gradients(_SERIAL_NANOSECONDS, dZ, A_prev, *results, kept(dtype))
            if answer == LARGE:
                _gradients(dZ, A_prev, *results)
            if answer != NOT_SIMPLE:
                return results
    c = checks.dense_gradients(dZ, A_prev, out)
    _gradients(*c)
    return c.dW, c.db


def dense_backward(
    W_next: Any,
    dZ_next: Any,
    A: Any,
    A_prev: Any,
    activation: str,
    *,
    Z: Any = None,
    negative_slope: float = 0.01,
    out: tuple[Array, Array, Array] | None = None,
) -> tuple[Array, Array, Array]:
    """dZ = W_nextᵀ dZ_next * g'(Z), and the gradients dW and db that follow from it.

    Parameters
    ----------
    W_next : array_like, shape (n_next, n)
        Weights of the layer after this one.
    dZ_next : array_like, shape (n_next, m)
        Derivatives of the losses with respect to Z of the layer after this one.
    A : array_like, shape (n, m)
        The activation of this layer, as `dense_forward` returned it.
    A_prev : array_like, shape (n_prev, m)
        The inputs of this layer.
    activation : str
        The name of g, the activation of this layer, in `dlkernels.catalogue.ACTIVATIONS`.
    Z : array_like, shape (n, m), optional
        The pre-activation of this layer (``dense_forward(..., return_Z=True)``). elu, silu, gelu and softplus
        need it, because A doesn't tell their derivatives, and so does leaky_relu unless `negative_slope` is
        positive. relu and leaky_relu use it if it is given; sigmoid and tanh never do.
    negative_slope : float
        The slope of leaky ReLU for z < 0.
    out : tuple of ndarray, optional
        Arrays (dZ, dW, db) to write to. Each must have the common dtype, be in C order, and overlap neither
        an input nor another of them.

    Returns
    -------
    dZ : ndarray, shape (n, m)
    dW : ndarray, shape (n, n_prev)
    db : ndarray, shape (n, 1)
        The arrays from `out` if `out` was given.

    Raises
    ------
    TypeError
        If an input does not hold real numbers of a supported dtype, or `activation` is not a string.
    ValueError
        If shapes don't match (the message names both), m is 0, `activation` is unknown or needs Z, or `out`
        doesn't fit.

    Notes
    -----
    dZ[l] = W[l+1]ᵀ dZ[l+1] * g'(Z[l]): the same course, week 3. At z = 0 relu has no derivative: the table in
    the lecture takes 1, the programming exercise 0. Here g'(0) is 1 from Z, and 0 where only A is given,
    because A is 0 for all z <= 0. leaky_relu takes g'(0) = 1 from Z and from A.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dZ, dW, db = dk.dense_backward([[2.0]], [[1.0, -1.0]], [[3.0, 0.0]], [[1.0, 1.0]], "relu")
    >>> dZ
    array([[2., 0.]])
    >>> dW
    array([[1.]])
    """
    if (
        may_be_direct(W_next, dZ_next, dZ_next)
        and may_be_direct(A, A_prev, dZ_next)
        and (Z is None or may_be_direct(A, Z, A))
        and len(A) * max(1, A.shape[1]) * (max(len(W_next), len(A_prev)) + 15) <= _DIRECT_MULTIPLY_ADDS
        and type(activation) is str
        and (code := CODES.get(activation)) is not None
        and type(negative_slope) is float
        and negative_slope > 0  # the checks find what else leaky ReLU needs
    ):
        (n, m), dtype = A.shape, A.dtype
        if Z is None or FROM_Z[code] < 0:
            saved, other, formula = A, A if Z is None else Z, FROM_A[code]
        else:
            saved, other, formula = Z, A, FROM_Z[code]
        if out is None:
            results = np.empty((n, m), dtype), np.empty((n, len(A_prev)), dtype), np.empty((n, 1), dtype)
        else:
            results = out
        if formula >= 0 and (out is None or natives(out, 3)):
            answer = _direct_backward(
                formula, negative_slope, _SERIAL_NANOSECONDS, W_next, dZ_next, saved, other,
                A_prev, *results, kept(dtype),
            )  # fmt: skip
            if answer == LARGE:
                _backward(W_next, dZ_next, saved, A_prev, formula, negative_slope, *results)
            if answer != NOT_SIMPLE:
                return results
    c = checks.dense_backward(W_next, dZ_next, A, A_prev, activation, Z, negative_slope, out)
    _backward(c.W_next, c.dZ_next, c.saved, c.A_prev, c.code, c.parameter, c.dZ, c.dW, c.db)
    return c.dZ, c.dW, c.db
