"""Functions of a whole vector, such as the course's np.exp(v) and np.log(v), each as one compiled loop.

They are for comparison, as in ``dlkernels course elementwise``. NumPy's own functions take arrays of any
shape, and some of them are faster.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlkernels._calls.views import flat
from dlkernels._inputs import arrays
from dlkernels._inputs.arrays import Array
from dlkernels._kernels import vectorized as kernels

__all__ = ["absolute", "exp", "log", "positive_part", "reciprocal", "square"]


def _apply(name: str, v: Any) -> Array:
    vector = arrays.as_float(f"vectorized.{name}", "v", v)
    if vector.ndim != 1:
        raise ValueError(f"vectorized.{name}: v must have 1 axis but has shape {vector.shape}; use v.ravel()")
    vector = arrays.c_order(vector)
    u = np.empty_like(vector)
    getattr(kernels, name)(flat(vector), u)
    return u


def exp(v: Any) -> Array:
    """u[j] = e^v[j].

    Parameters
    ----------
    v : array_like, shape (n,)
        float32 and float64 keep their precision; integers and booleans are converted to float64.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    TypeError
        If `v` does not hold real numbers of a supported dtype.
    ValueError
        If `v` is not a vector.

    Examples
    --------
    >>> from dlkernels import vectorized
    >>> vectorized.exp([0.0, 1.0])
    array([1.        , 2.71828183])
    """
    return _apply("exp", v)


def log(v: Any) -> Array:
    """u[j] = ln v[j].

    Parameters
    ----------
    v : array_like, shape (n,)
        float32 and float64 keep their precision; integers and booleans are converted to float64.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    TypeError
        If `v` does not hold real numbers of a supported dtype.
    ValueError
        If `v` is not a vector.

    Examples
    --------
    >>> from dlkernels import vectorized
    >>> vectorized.log([1.0, 2.0])
    array([0.        , 0.69314718])
    """
    return _apply("log", v)


def absolute(v: Any) -> Array:
    """``u[j] = |v[j]|``.

    Parameters
    ----------
    v : array_like, shape (n,)
        float32 and float64 keep their precision; integers and booleans are converted to float64.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    TypeError
        If `v` does not hold real numbers of a supported dtype.
    ValueError
        If `v` is not a vector.

    Examples
    --------
    >>> from dlkernels import vectorized
    >>> vectorized.absolute([-1.0, 2.0])
    array([1., 2.])
    """
    return _apply("absolute", v)


def positive_part(v: Any) -> Array:
    """u[j] = max(v[j], 0).

    Parameters
    ----------
    v : array_like, shape (n,)
        float32 and float64 keep their precision; integers and booleans are converted to float64.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    TypeError
        If `v` does not hold real numbers of a supported dtype.
    ValueError
        If `v` is not a vector.

    Examples
    --------
    >>> from dlkernels import vectorized
    >>> vectorized.positive_part([-1.0, 2.0])
    array([0., 2.])
    """
    return _apply("positive_part", v)


def square(v: Any) -> Array:
    """u[j] = v[j]².

    Parameters
    ----------
    v : array_like, shape (n,)
        float32 and float64 keep their precision; integers and booleans are converted to float64.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    TypeError
        If `v` does not hold real numbers of a supported dtype.
    ValueError
        If `v` is not a vector.

    Examples
    --------
    >>> from dlkernels import vectorized
    >>> vectorized.square([-1.0, 2.0])
    array([1., 4.])
    """
    return _apply("square", v)


def reciprocal(v: Any) -> Array:
    """u[j] = 1 / v[j].

    Parameters
    ----------
    v : array_like, shape (n,)
        float32 and float64 keep their precision; integers and booleans are converted to float64.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    TypeError
        If `v` does not hold real numbers of a supported dtype.
    ValueError
        If `v` is not a vector.

    Examples
    --------
    >>> from dlkernels import vectorized
    >>> vectorized.reciprocal([-1.0, 2.0])
    array([-1. ,  0.5])
    """
    return _apply("reciprocal", v)
