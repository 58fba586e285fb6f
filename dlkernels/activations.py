"""Activations and their derivatives on arrays of any shape."""

from __future__ import annotations

from typing import Any

from numpy import empty, ndarray

from dlkernels import _checks, _codes, _threads, _values
from dlkernels._arguments import flat, same_memory
from dlkernels._arrays import F32, F64, Array, as_kernels_take_them
from dlkernels._jit import guarded, not_refused
from dlkernels._kernels import activations as _kernels
from dlkernels._threads import forced

#: Asked first, with the arrays as they were given: what is neither to be converted nor large is done by them.
#: The conditions stand where they are asked, since a call of a function would cost 0.05 of 0.8 us.
_small = guarded(_kernels.activation.serial, as_kernels_take_them)
_small_backward = guarded(_kernels.activation_backward.serial, as_kernels_take_them)

#: Estimated nanoseconds that a byte of numbers takes on one thread, by code; and for all derivatives.
_COST = (0.02, 0.1, 0.13, 0.02, 0.02)
_BACKWARD_COST = 0.035
#: Bytes below which the serial kernel is called at once.
_FEW = [int(_threads.NEVER_BELOW / cost) for cost in _COST]
_FEW_BACKWARD = int(_threads.NEVER_BELOW / _BACKWARD_COST)
_ANY = 2**62


def _apply(function: str, code: int, Z: Any, out: Any, negative_slope: float = 0.0) -> Array:
    if (
        type(Z) is ndarray
        and ((dtype := Z.dtype) is F32 or dtype is F64)
        and ((out is None and Z.nbytes <= _FEW[code]) or (type(out) is ndarray and out.dtype is dtype))
        and forced.get() is None
    ):
        target = empty(Z.shape, dtype) if out is None else out
        if _small(code, negative_slope, _FEW[code], Z, target):
            return target
    Z, out = _checks.elementwise(function, Z, out)
    kernel = _threads.twin(_kernels.activation, _COST[code] * Z.nbytes)
    not_refused(kernel(code, negative_slope, _ANY, flat(Z), flat(out)))
    return out


def _apply_backward(
    function: str, code: int, dA: Any, saved: Any, saved_name: str, out: Any, negative_slope: float = 0.0
) -> Array:
    if (
        type(dA) is type(saved) is ndarray
        and ((dtype := dA.dtype) is F32 or dtype is F64)
        and saved.dtype is dtype
        and ((out is None and dA.nbytes <= _FEW_BACKWARD) or (type(out) is ndarray and out.dtype is dtype))
        and forced.get() is None
    ):
        target = empty(dA.shape, dtype) if out is None else out
        if _small_backward(code, negative_slope, _FEW_BACKWARD, dA, saved, target):
            return target
    dA, saved, out = _checks.elementwise_backward(function, dA, saved, saved_name, out)
    if same_memory(saved, out):
        saved = saved.copy()  # the kernel overwrites out before it reads saved
    kernel = _threads.twin(_kernels.activation_backward, _BACKWARD_COST * out.nbytes)
    not_refused(kernel(code, negative_slope, _ANY, flat(dA), flat(saved), flat(out)))
    return out


def sigmoid(Z: Any, *, out: Array | None = None) -> Array:
    """Logistic sigmoid, 1 / (1 + e^-z), elementwise.

    Parameters
    ----------
    Z : array_like
        Pre-activations, any shape. float32 and float64 are computed in their own precision, integers and
        booleans in float64.
    out : ndarray, optional
        Takes the result: same shape and dtype, in C order. May be `Z` itself.

    Returns
    -------
    ndarray
        A = g(Z), between 0 and 1, shape of `Z`; `out` if it was given.

    Raises
    ------
    TypeError
        If `Z` is not real numbers of a supported dtype, or `out` is no array.
    ValueError
        If `out` has another shape, dtype or order, is read-only, or overlaps `Z` without being `Z`.

    See Also
    --------
    sigmoid_backward : its derivative, a (1 - a).

    Notes
    -----
    Computed as e^z / (1 + e^z) for z < 0, so that nothing overflows; at most 2 units in the last place
    off. The formula is that of Andrew Ng, "Neural Networks and Deep Learning", week 2.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.sigmoid([0.0, 2.0])
    array([0.5       , 0.88079708])
    """
    return _apply("sigmoid", _codes.SIGMOID, Z, out)


def tanh(Z: Any, *, out: Array | None = None) -> Array:
    """Hyperbolic tangent, (e^z - e^-z) / (e^z + e^-z), elementwise.

    Parameters
    ----------
    Z : array_like
        Pre-activations, any shape.
    out : ndarray, optional
        Takes the result: same shape and dtype, in C order. May be `Z` itself.

    Returns
    -------
    ndarray
        A = tanh(Z), between -1 and 1, shape of `Z`; `out` if it was given.

    Raises
    ------
    TypeError, ValueError
        As `sigmoid`.

    Notes
    -----
    At most 2 units in the last place off, and exactly odd. Source: the same course, week 3.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.tanh([-1.0, 0.0, 1.0])
    array([-0.76159416,  0.        ,  0.76159416])
    """
    return _apply("tanh", _codes.TANH, Z, out)


def relu(Z: Any, *, out: Array | None = None) -> Array:
    """Rectified linear unit, max(0, z), elementwise; NaN stays NaN.

    Parameters
    ----------
    Z : array_like
        Pre-activations, any shape.
    out : ndarray, optional
        Takes the result: same shape and dtype, in C order. May be `Z` itself.

    Returns
    -------
    ndarray
        A, shape of `Z`; `out` if it was given.

    Raises
    ------
    TypeError, ValueError
        As `sigmoid`.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.relu([-1.0, 0.0, 2.0])
    array([0., 0., 2.])
    """
    return _apply("relu", _codes.RELU, Z, out)


def identity(Z: Any, *, out: Array | None = None) -> Array:
    """The identity as an activation: a copy of Z.

    Parameters
    ----------
    Z : array_like
        Pre-activations, any shape.
    out : ndarray, optional
        Takes the result: same shape and dtype, in C order. May be `Z` itself.

    Returns
    -------
    ndarray
        A = Z; `out` if it was given.

    Raises
    ------
    TypeError, ValueError
        As `sigmoid`.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.identity([1, 2])
    array([1., 2.])
    """
    return _apply("identity", _codes.IDENTITY, Z, out)


def leaky_relu(Z: Any, negative_slope: float = 0.01, *, out: Array | None = None) -> Array:
    """Leaky ReLU, z for z >= 0 and negative_slope * z below, elementwise.

    Parameters
    ----------
    Z : array_like
        Pre-activations, any shape.
    negative_slope : float
        The slope for z < 0.
    out : ndarray, optional
        Takes the result: same shape and dtype, in C order. May be `Z` itself.

    Returns
    -------
    ndarray
        A, shape of `Z`; `out` if it was given.

    Raises
    ------
    TypeError, ValueError
        As `sigmoid`; `negative_slope` must be a real number.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.leaky_relu([-1.0, 0.0, 2.0])
    array([-0.01,  0.  ,  2.  ])
    """
    slope = _values.real("leaky_relu", "negative_slope", negative_slope)
    return _apply("leaky_relu", _codes.LEAKY_RELU, Z, out, slope)


def sigmoid_backward(dA: Any, A: Any, *, out: Array | None = None) -> Array:
    """dZ = dA * a (1 - a), from the saved activation A = sigmoid(Z).

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    A : array_like
        What `sigmoid` returned, same shape.
    out : ndarray, optional
        Takes the result: same shape and dtype, in C order. May be `dA` or `A`.

    Returns
    -------
    ndarray
        dZ, shape of `dA`; `out` if it was given.

    Raises
    ------
    TypeError
        If an input is not real numbers of a supported dtype, or `out` is no array.
    ValueError
        If the shapes differ, or `out` doesn't fit or overlaps an input without being it.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.sigmoid_backward([1.0, 1.0], dk.sigmoid([0.0, 2.0]))
    array([0.25      , 0.10499359])
    """
    return _apply_backward("sigmoid_backward", _codes.SIGMOID, dA, A, "A", out)


def tanh_backward(dA: Any, A: Any, *, out: Array | None = None) -> Array:
    """dZ = dA * (1 - a²), from the saved activation A = tanh(Z).

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    A : array_like
        What `tanh` returned, same shape.
    out : ndarray, optional
        Takes the result: same shape and dtype, in C order. May be `dA` or `A`.

    Returns
    -------
    ndarray
        dZ, shape of `dA`; `out` if it was given.

    Raises
    ------
    TypeError, ValueError
        As `sigmoid_backward`.

    Notes
    -----
    1 - a² is computed as (1 - a)(1 + a), which doesn't cancel where tanh saturates.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.tanh_backward([1.0, 1.0], [0.0, 0.5])
    array([1.  , 0.75])
    """
    return _apply_backward("tanh_backward", _codes.TANH, dA, A, "A", out)


def relu_backward(dA: Any, Z: Any, *, out: Array | None = None) -> Array:
    """dZ = dA where z >= 0, else 0, from the saved pre-activation Z.

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    Z : array_like
        What `relu` was given, same shape.
    out : ndarray, optional
        Takes the result: same shape and dtype, in C order. May be `dA` or `Z`.

    Returns
    -------
    ndarray
        dZ, shape of `dA`; `out` if it was given.

    Raises
    ------
    TypeError, ValueError
        As `sigmoid_backward`.

    Notes
    -----
    The derivative at the kink is g'(0) = 1, as in the table of the course (z >= 0); PyTorch takes 0.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.relu_backward([1.0, 1.0, 1.0], [-2.0, 0.0, 2.0])
    array([0., 1., 1.])
    """
    return _apply_backward("relu_backward", _codes.RELU, dA, Z, "Z", out)


def leaky_relu_backward(dA: Any, Z: Any, negative_slope: float = 0.01, *, out: Array | None = None) -> Array:
    """dZ = dA where z >= 0, else negative_slope * dA, from the saved pre-activation Z.

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    Z : array_like
        What `leaky_relu` was given, same shape.
    negative_slope : float
        The slope for z < 0.
    out : ndarray, optional
        Takes the result: same shape and dtype, in C order. May be `dA` or `Z`.

    Returns
    -------
    ndarray
        dZ, shape of `dA`; `out` if it was given.

    Raises
    ------
    TypeError, ValueError
        As `sigmoid_backward`; `negative_slope` must be a real number.

    Notes
    -----
    The derivative at the kink is g'(0) = 1, as in the table of the course; PyTorch takes negative_slope.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.leaky_relu_backward([1.0, 1.0, 1.0], [-2.0, 0.0, 2.0])
    array([0.01, 1.  , 1.  ])
    """
    slope = _values.real("leaky_relu_backward", "negative_slope", negative_slope)
    return _apply_backward("leaky_relu_backward", _codes.LEAKY_RELU, dA, Z, "Z", out, slope)


def identity_backward(dA: Any, Z: Any, *, out: Array | None = None) -> Array:
    """dZ = dA: the derivative of the identity is 1.

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    Z : array_like
        What `identity` was given, same shape; only its shape matters.
    out : ndarray, optional
        Takes the result: same shape and dtype, in C order. May be `dA` or `Z`.

    Returns
    -------
    ndarray
        A copy of `dA`; `out` if it was given.

    Raises
    ------
    TypeError, ValueError
        As `sigmoid_backward`.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.identity_backward([3.0], [1.0])
    array([3.])
    """
    return _apply_backward("identity_backward", _codes.IDENTITY, dA, Z, "Z", out)
