"""Derivatives of the activations, on arrays of any shape."""

from __future__ import annotations

from typing import Any

from dlkernels._calls.elementwise import apply_backward
from dlkernels._inputs import values
from dlkernels._inputs.arrays import Array


def sigmoid_backward(dA: Any, A: Any, *, out: Array | None = None) -> Array:
    """dZ = dA * a (1 - a), from the saved activation A = sigmoid(Z).

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    A : array_like
        The result of `sigmoid`, same shape.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA` or `A`.

    Returns
    -------
    ndarray
        dZ, in the shape of `dA`. It is `out` if `out` was given.

    Raises
    ------
    TypeError
        If an input does not hold real numbers of a supported dtype, or `out` is not an array.
    ValueError
        If the shapes differ, or `out` doesn't fit, or overlaps an input and is not that input itself.

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
        The result of `tanh`, same shape.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA` or `A`.

    Returns
    -------
    ndarray
        dZ, in the shape of `dA`. It is `out` if `out` was given.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `sigmoid_backward`.

    Notes
    -----
    1 - a² is computed as (1 - a)(1 + a), which loses no digits to cancellation where tanh saturates.

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
        The argument of `relu`, same shape.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA` or `Z`.

    Returns
    -------
    ndarray
        dZ, in the shape of `dA`. It is `out` if `out` was given.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `sigmoid_backward`.

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
        The argument of `leaky_relu`, same shape.
    negative_slope : float
        The slope for z < 0.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA` or `Z`.

    Returns
    -------
    ndarray
        dZ, in the shape of `dA`. It is `out` if `out` was given.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `sigmoid_backward`, and if `negative_slope` is not a real number.

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
        The argument of `identity`, same shape; only its shape matters.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA` or `Z`.

    Returns
    -------
    ndarray
        A copy of `dA`. It is `out` if `out` was given.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `sigmoid_backward`.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.identity_backward([3.0], [1.0])
    array([3.])
    """
    return apply_backward("identity", dA, Z, out)


def elu_backward(dA: Any, Z: Any, alpha: float = 1.0, *, out: Array | None = None) -> Array:
    """dZ = dA where z >= 0, else dA * alpha e^z, from the saved pre-activation Z.

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    Z : array_like
        The argument of `elu`, same shape.
    alpha : float
        The parameter of `elu`.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA` or `Z`.

    Returns
    -------
    ndarray
        dZ, in the shape of `dA`. It is `out` if `out` was given.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `sigmoid_backward`, and if `alpha` is not a real number.

    Notes
    -----
    g'(0) = 1, whatever alpha is. The error of the slope g'(z) is at most 2 units in the last place.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.elu_backward([1.0, 1.0, 1.0], [-1.0, 0.0, 2.0])
    array([0.36787944, 1.        , 1.        ])
    """
    alpha = values.real("elu_backward", "alpha", alpha)
    return apply_backward("elu", dA, Z, out, alpha)


def silu_backward(dA: Any, Z: Any, *, out: Array | None = None) -> Array:
    """dZ = dA * s (1 + z (1 - s)) for s = 1 / (1 + e^-z), from the saved pre-activation Z.

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    Z : array_like
        The argument of `silu`, same shape.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA` or `Z`.

    Returns
    -------
    ndarray
        dZ, in the shape of `dA`. It is `out` if `out` was given.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `sigmoid_backward`.

    Notes
    -----
    The error of the slope g'(z) is at most 4 units in the last place, also near z = -1.278, where it is 0.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.silu_backward([1.0, 1.0, 1.0], [-1.0, 0.0, 2.0])
    array([0.07232949, 0.5       , 1.09078425])
    """
    return apply_backward("silu", dA, Z, out)


def gelu_backward(dA: Any, Z: Any, *, out: Array | None = None) -> Array:
    """dZ = dA * (Phi(z) + z phi(z)), from the saved pre-activation Z.

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    Z : array_like
        The argument of `gelu`, same shape.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA` or `Z`.

    Returns
    -------
    ndarray
        dZ, in the shape of `dA`. It is `out` if `out` was given.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `sigmoid_backward`.

    Notes
    -----
    Phi and phi are the distribution function and the density of the normal distribution. The error of
    the slope g'(z) is at most 4 units in the last place, also near z = -0.752, where the slope is 0.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.gelu_backward([1.0, 1.0, 1.0], [-1.0, 0.0, 2.0])
    array([-0.08331547,  0.5       ,  1.0852318 ])
    """
    return apply_backward("gelu", dA, Z, out)


def softplus_backward(dA: Any, Z: Any, *, out: Array | None = None) -> Array:
    """dZ = dA / (1 + e^-z), from the saved pre-activation Z.

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    Z : array_like
        The argument of `softplus`, same shape.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA` or `Z`.

    Returns
    -------
    ndarray
        dZ, in the shape of `dA`. It is `out` if `out` was given.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `sigmoid_backward`.

    Notes
    -----
    The slope g'(z) is sigmoid(z). Its error is at most 2 units in the last place.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.softplus_backward([1.0, 1.0, 1.0], [-1.0, 0.0, 2.0])
    array([0.26894142, 0.5       , 0.88079708])
    """
    return apply_backward("softplus", dA, Z, out)
