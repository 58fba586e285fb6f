"""Derivatives of the activations, on arrays of any shape."""

from __future__ import annotations

from typing import Any

from dlkernels._calls.elementwise import apply_backward
from dlkernels._inputs import values
from dlkernels._inputs.arrays import Array


def sigmoid_backward(dA: Any, A: Any = None, *, Z: Any = None, out: Array | None = None) -> Array:
    """dZ = dA * a (1 - a), from the activation A = sigmoid(Z).

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    A : array_like
        The result of `sigmoid`, same shape.
    Z : array_like, optional
        Not used. All derivatives accept it, so that a program can call any of them in one way.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA`, `A` or `Z`.

    Returns
    -------
    ndarray
        dZ, in the shape of `dA`. It is `out` if `out` was given.

    Raises
    ------
    TypeError
        If an input does not hold real numbers of a supported dtype, or `out` is not an array.
    ValueError
        If the shapes differ, `out` doesn't fit, or overlaps an input and is not that input itself, or the
        derivative can't be computed from what was given of A and Z.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.sigmoid_backward([1.0, 1.0], dk.sigmoid([0.0, 2.0]))
    array([0.25      , 0.10499359])
    """
    return apply_backward("sigmoid", dA, A, Z, out)


def tanh_backward(dA: Any, A: Any = None, *, Z: Any = None, out: Array | None = None) -> Array:
    """dZ = dA * (1 - a²), from the activation A = tanh(Z).

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    A : array_like
        The result of `tanh`, same shape.
    Z : array_like, optional
        Not used. All derivatives accept it, so that a program can call any of them in one way.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA`, `A` or `Z`.

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
    return apply_backward("tanh", dA, A, Z, out)


def relu_backward(dA: Any, A: Any = None, *, Z: Any = None, out: Array | None = None) -> Array:
    """dZ = 0 where z < 0, else dA.

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    A : array_like, optional
        The result of `relu`, same shape.
    Z : array_like, optional
        The argument of `relu`, same shape. One of A and Z must be given; Z is used if both are.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA`, `A` or `Z`.

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
    At z = 0 ReLU has no derivative. The table in the lecture takes 1 (z >= 0), the programming exercise 0, as
    PyTorch does. This function takes 1 from Z, and 0 where only A is given, because A is 0 for all z <= 0.

    Examples
    --------
    >>> import dlkernels as dk
    >>> Z = [-2.0, 0.0, 2.0]
    >>> dk.relu_backward([1.0, 1.0, 1.0], dk.relu(Z))
    array([0., 0., 1.])
    >>> dk.relu_backward([1.0, 1.0, 1.0], Z=Z)
    array([0., 1., 1.])
    """
    return apply_backward("relu", dA, A, Z, out)


def leaky_relu_backward(
    dA: Any, A: Any = None, negative_slope: float = 0.01, *, Z: Any = None, out: Array | None = None
) -> Array:
    """dZ = negative_slope * dA where z < 0, else dA.

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    A : array_like, optional
        The result of `leaky_relu`, same shape.
    negative_slope : float
        The slope for z < 0.
    Z : array_like, optional
        The argument of `leaky_relu`, same shape. One of A and Z must be given; Z is used if both are.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA`, `A` or `Z`.

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
    At z = 0 leaky ReLU has no derivative. g'(0) = 1 here, as in the table of the lecture; PyTorch takes
    negative_slope. A tells the derivative only if `negative_slope` is positive; otherwise Z must be given.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.leaky_relu_backward([1.0, 1.0, 1.0], Z=[-2.0, 0.0, 2.0])
    array([0.01, 1.  , 1.  ])
    """
    slope = values.real("leaky_relu_backward", "negative_slope", negative_slope)
    return apply_backward("leaky_relu", dA, A, Z, out, slope)


def identity_backward(dA: Any, A: Any = None, *, Z: Any = None, out: Array | None = None) -> Array:
    """dZ = dA: the derivative of the identity is 1.

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    A : array_like, optional
        The result of `identity`, same shape; only its shape matters.
    Z : array_like, optional
        The argument of `identity`, same shape. One of A and Z must be given; Z is used if both are.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA`, `A` or `Z`.

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
    return apply_backward("identity", dA, A, Z, out)


def elu_backward(
    dA: Any, A: Any = None, alpha: float = 1.0, *, Z: Any = None, out: Array | None = None
) -> Array:
    """dZ = dA where z >= 0, else dA * alpha e^z, from the pre-activation Z.

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    A : array_like, optional
        Not used. All derivatives accept it, so that a program can call any of them in one way.
    alpha : float
        The parameter of `elu`.
    Z : array_like
        The argument of `elu`, same shape. It must be given, because A doesn't tell the derivative.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA`, `A` or `Z`.

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
    >>> dk.elu_backward([1.0, 1.0, 1.0], Z=[-1.0, 0.0, 2.0])
    array([0.36787944, 1.        , 1.        ])
    """
    alpha = values.real("elu_backward", "alpha", alpha)
    return apply_backward("elu", dA, A, Z, out, alpha)


def silu_backward(dA: Any, A: Any = None, *, Z: Any = None, out: Array | None = None) -> Array:
    """dZ = dA * s (1 + z (1 - s)) for s = 1 / (1 + e^-z), from the pre-activation Z.

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    A : array_like, optional
        Not used. All derivatives accept it, so that a program can call any of them in one way.
    Z : array_like
        The argument of `silu`, same shape. It must be given, because A doesn't tell the derivative.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA`, `A` or `Z`.

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
    >>> dk.silu_backward([1.0, 1.0, 1.0], Z=[-1.0, 0.0, 2.0])
    array([0.07232949, 0.5       , 1.09078425])
    """
    return apply_backward("silu", dA, A, Z, out)


def gelu_backward(dA: Any, A: Any = None, *, Z: Any = None, out: Array | None = None) -> Array:
    """dZ = dA * (Phi(z) + z phi(z)), from the pre-activation Z.

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    A : array_like, optional
        Not used. All derivatives accept it, so that a program can call any of them in one way.
    Z : array_like
        The argument of `gelu`, same shape. It must be given, because A doesn't tell the derivative.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA`, `A` or `Z`.

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
    >>> dk.gelu_backward([1.0, 1.0, 1.0], Z=[-1.0, 0.0, 2.0])
    array([-0.08331547,  0.5       ,  1.0852318 ])
    """
    return apply_backward("gelu", dA, A, Z, out)


def softplus_backward(dA: Any, A: Any = None, *, Z: Any = None, out: Array | None = None) -> Array:
    """dZ = dA / (1 + e^-z), from the pre-activation Z.

    Parameters
    ----------
    dA : array_like
        Derivative of the cost with respect to A, any shape.
    A : array_like, optional
        Not used. All derivatives accept it, so that a program can call any of them in one way.
    Z : array_like
        The argument of `softplus`, same shape. It must be given, because A doesn't tell the derivative.
    out : ndarray, optional
        Where to write the result: an array of its shape and dtype, in C order. May be `dA`, `A` or `Z`.

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
    >>> dk.softplus_backward([1.0, 1.0, 1.0], Z=[-1.0, 0.0, 2.0])
    array([0.26894142, 0.5       , 0.88079708])
    """
    return apply_backward("softplus", dA, A, Z, out)
