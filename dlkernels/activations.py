"""Activations and their derivatives on arrays of any shape."""

from __future__ import annotations

from typing import Any

from dlkernels._calls.elementwise import apply, apply_backward
from dlkernels._inputs import values
from dlkernels._inputs.arrays import Array


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
    return apply("sigmoid", Z, out)


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
    At most 2 units in the last place off (2.1 in float64 on a machine without fused multiply-adds), and
    exactly odd. Source: the same course, week 3.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.tanh([-1.0, 0.0, 1.0])
    array([-0.76159416,  0.        ,  0.76159416])
    """
    return apply("tanh", Z, out)


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
    return apply("relu", Z, out)


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
    return apply("identity", Z, out)


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
    slope = values.real("leaky_relu", "negative_slope", negative_slope)
    return apply("leaky_relu", Z, out, slope)


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
    return apply_backward("sigmoid", dA, A, out)


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
    return apply_backward("tanh", dA, A, out)


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
    return apply_backward("relu", dA, Z, out)


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
    slope = values.real("leaky_relu_backward", "negative_slope", negative_slope)
    return apply_backward("leaky_relu", dA, Z, out, slope)


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
    return apply_backward("identity", dA, Z, out)
