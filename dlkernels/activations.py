"""Activations on arrays of any shape. Their derivatives are in `derivatives`."""

from __future__ import annotations

from typing import Any

from dlkernels._calls.elementwise import apply
from dlkernels._inputs import values
from dlkernels._inputs.arrays import Array


def sigmoid(Z: Any, *, out: Array | None = None) -> Array:
    """Logistic sigmoid, 1 / (1 + e^-z), elementwise.

    Parameters
    ----------
    Z : array_like
        Pre-activations, any shape. A is computed in the precision of float32 and float64 arrays, and in
        float64 for integers and booleans.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `Z` itself.

    Returns
    -------
    ndarray
        A = g(Z), between 0 and 1, in the shape of `Z`. It is `out` if `out` was given.

    Raises
    ------
    TypeError
        If `Z` does not hold real numbers of a supported dtype, or `out` is not an array.
    ValueError
        If `out` has another shape, dtype or order, is read-only, or overlaps `Z` and is not `Z` itself.

    See Also
    --------
    sigmoid_backward : its derivative, a (1 - a).

    Notes
    -----
    For z < 0 the formula is computed as e^z / (1 + e^z), so that nothing overflows. The error is at most 2
    units in the last place. Source: Andrew Ng, "Neural Networks and Deep Learning", week 2.

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
        Where to write the result: an array of its shape and dtype, in C order. May be `Z` itself.

    Returns
    -------
    ndarray
        A = tanh(Z), between -1 and 1, in the shape of `Z`. It is `out` if `out` was given.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `sigmoid`.

    Notes
    -----
    The error is at most 2 units in the last place (2.1 in float64 on a machine without fused multiply-adds).
    The function is exactly odd: tanh(-z) = -tanh(z). Source: the same course, week 3.

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
        Where to write the result: an array of its shape and dtype, in C order. May be `Z` itself.

    Returns
    -------
    ndarray
        A, in the shape of `Z`. It is `out` if `out` was given.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `sigmoid`.

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
        Where to write the result: an array of its shape and dtype, in C order. May be `Z` itself.

    Returns
    -------
    ndarray
        A = Z. It is `out` if `out` was given.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `sigmoid`.

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
        Where to write the result: an array of its shape and dtype, in C order. May be `Z` itself.

    Returns
    -------
    ndarray
        A, in the shape of `Z`. It is `out` if `out` was given.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `sigmoid`, and if `negative_slope` is not a real number.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.leaky_relu([-1.0, 0.0, 2.0])
    array([-0.01,  0.  ,  2.  ])
    """
    slope = values.real("leaky_relu", "negative_slope", negative_slope)
    return apply("leaky_relu", Z, out, slope)


def elu(Z: Any, alpha: float = 1.0, *, out: Array | None = None) -> Array:
    """Exponential linear unit, z for z >= 0 and alpha (e^z - 1) below, elementwise.

    Parameters
    ----------
    Z : array_like
        Pre-activations, any shape.
    alpha : float
        The function tends to -alpha for z towards -infinity.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `Z` itself.

    Returns
    -------
    ndarray
        A, in the shape of `Z`. It is `out` if `out` was given.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `sigmoid`, and if `alpha` is not a real number.

    Notes
    -----
    The error is at most 2 units in the last place. In a layer, alpha is always 1. Source: D.-A. Clevert, T.
    Unterthiner and S. Hochreiter, "Fast and Accurate Deep Network Learning by Exponential Linear Units
    (ELUs)", 2015.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.elu([-1.0, 0.0, 2.0])
    array([-0.63212056,  0.        ,  2.        ])
    """
    alpha = values.real("elu", "alpha", alpha)
    return apply("elu", Z, out, alpha)


def silu(Z: Any, *, out: Array | None = None) -> Array:
    """Sigmoid linear unit, also called swish, z / (1 + e^-z), elementwise.

    Parameters
    ----------
    Z : array_like
        Pre-activations, any shape.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `Z` itself.

    Returns
    -------
    ndarray
        A, at least -0.2785, in the shape of `Z`. It is `out` if `out` was given.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `sigmoid`.

    Notes
    -----
    The error is at most 3 units in the last place, also where the result is almost 0. silu(-infinity) is the
    limit, 0.
    Source: S. Elfwing, E. Uchibe and K. Doya, "Sigmoid-Weighted Linear Units for Neural Network Function
    Approximation in Reinforcement Learning", 2018.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.silu([-1.0, 0.0, 2.0])
    array([-0.26894142,  0.        ,  1.76159416])
    """
    return apply("silu", Z, out)


def gelu(Z: Any, *, out: Array | None = None) -> Array:
    """Gaussian error linear unit, z Phi(z) = z (1 + erf(z / sqrt(2))) / 2, elementwise.

    Parameters
    ----------
    Z : array_like
        Pre-activations, any shape.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `Z` itself.

    Returns
    -------
    ndarray
        A, at least -0.17, in the shape of `Z`. It is `out` if `out` was given.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `sigmoid`.

    Notes
    -----
    Phi(z) is the probability that a normally distributed number is at most z. This is the exact function, not
    the approximation by tanh. The error is at most 4 units in the last place, also where the result is almost
    0. gelu(-infinity) is the limit, 0. Source: D. Hendrycks and K. Gimpel, "Gaussian Error Linear Units
    (GELUs)", 2016.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.gelu([-1.0, 0.0, 2.0])
    array([-0.15865525,  0.        ,  1.95449974])
    """
    return apply("gelu", Z, out)


def softplus(Z: Any, *, out: Array | None = None) -> Array:
    """Softplus, log(1 + e^z), elementwise.

    Parameters
    ----------
    Z : array_like
        Pre-activations, any shape.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `Z` itself.

    Returns
    -------
    ndarray
        A, above 0, in the shape of `Z`. It is `out` if `out` was given.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `sigmoid`.

    Notes
    -----
    The formula is computed as ``max(z, 0) + log(1 + e^-|z|)``, so that nothing overflows. The error is at
    most 2 units in the last place.
    Source: C. Dugas and others, "Incorporating Second-Order Functional Knowledge for Better Option Pricing",
    2000.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.softplus([-1.0, 0.0, 2.0])
    array([0.31326169, 0.69314718, 2.12692801])
    """
    return apply("softplus", Z, out)
