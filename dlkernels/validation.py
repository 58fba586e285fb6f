"""Checks for models: examples, labels, parameters and settings, refused in the words of this package.

Whoever writes a model on the functions of `dlkernels` may use them, as the models of this project do. Each
takes the name of the function, or of the class, that its messages begin with.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlkernels._inputs import arrays, values
from dlkernels._inputs.arrays import Array
from dlkernels._inputs.checks import activation_code
from dlkernels._inputs.shapes import X_TRANSPOSED, need_fit
from dlkernels._kernels import shapes

__all__ = ["activation", "count", "examples", "finite", "labelled_examples", "parameter", "real"]


def real(function: str, name: str, value: Any) -> float:
    """A real number as a Python float.

    Parameters
    ----------
    function : str
        What the message begins with.
    name : str
        Of the argument.
    value : float
        The number; an array counts if it holds exactly one.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If it is no real number.
    ValueError
        If it is an array of several numbers, or too large for a float.

    Examples
    --------
    >>> from dlkernels import validation
    >>> validation.real("f", "x", 2)
    2.0
    """
    return values.real(function, name, value)


def finite(function: str, name: str, value: Any) -> float:
    """A real number that is neither NaN nor infinite.

    Parameters
    ----------
    function : str
        What the message begins with.
    name : str
        Of the argument.
    value : float
        The number.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        As `real`; ValueError if it isn't finite.

    Examples
    --------
    >>> from dlkernels import validation
    >>> validation.finite("f", "x", float("nan"))
    Traceback (most recent call last):
    ValueError: f: x must be finite, not nan
    """
    return values.finite(function, name, value)


def count(function: str, name: str, value: Any, minimum: int = 0) -> int:
    """A whole number.

    Parameters
    ----------
    function : str
        What the message begins with.
    name : str
        Of the argument.
    value : int
        The number.
    minimum : int
        The least that it may be.

    Returns
    -------
    int

    Raises
    ------
    TypeError
        If it is no integer.
    ValueError
        If it is less than `minimum`, or larger than compiled code can count.

    Examples
    --------
    >>> from dlkernels import validation
    >>> validation.count("f", "n", 3)
    3
    """
    return values.count(function, name, value, minimum)


def activation(function: str, name: Any) -> str:
    """The name of an activation.

    Parameters
    ----------
    function : str
        What the message begins with.
    name : str
        Of the activation.

    Returns
    -------
    str

    Raises
    ------
    TypeError
        If it is no string.
    ValueError
        If there is no activation of this name; the message lists all.

    Examples
    --------
    >>> from dlkernels import validation
    >>> validation.activation("f", "tanh")
    'tanh'
    """
    activation_code(function, name)
    return str(name)


def labelled_examples(function: str, X: Any, Y: Any, dtype: Any = None) -> tuple[Array, Array]:
    """Examples as columns, and their labels.

    Parameters
    ----------
    function : str
        What the message begins with.
    X : array_like, shape (n_x, m)
        Examples; at least one.
    Y : array_like, shape (1, m)
        Labels, each 0 or 1.
    dtype : {None, "float32", "float64"}
        What both are converted to; by default what X is in.

    Returns
    -------
    X : ndarray, shape (n_x, m)
        In C or Fortran order.
    Y : ndarray, shape (1, m)

    Raises
    ------
    TypeError
        If an input is not real numbers of a supported dtype.
    ValueError
        If shapes don't match (the message names both), m is 0, or a label is neither 0 nor 1.

    Examples
    --------
    >>> from dlkernels import validation
    >>> X, Y = validation.labelled_examples("f", [[1, 2]], [[0, 1]])
    >>> Y
    array([[0., 1.]])
    """
    X_, Y_ = arrays.matrices(function, {"X": X, "Y": Y})
    need_fit(function, shapes.LABELLED, {"X": X_, "Y": Y_})
    wrong = Y_[(Y_ != 0) & (Y_ != 1)]
    if wrong.size:
        raise ValueError(
            f"{function}: Y must hold 0 and 1 only, but {wrong.size} labels are other: {wrong[0]}"
        )
    target = X_.dtype if dtype is None else np.dtype(dtype)
    return arrays.c_or_fortran_order(X_, target), arrays.c_order(Y_, target)


def examples(function: str, X: Any, n_x: int, dtype: Any) -> Array:
    """Examples for a model that was fitted with `n_x` features.

    Parameters
    ----------
    function : str
        What the message begins with.
    X : array_like, shape (n_x, m)
        Examples as columns.
    n_x : int
        How many features each must have.
    dtype : {"float32", "float64"}
        What they are converted to.

    Returns
    -------
    ndarray, shape (n_x, m)
        In C or Fortran order.

    Raises
    ------
    TypeError
        If X is not real numbers of a supported dtype.
    ValueError
        If X has another number of rows.

    Examples
    --------
    >>> from dlkernels import validation
    >>> validation.examples("f", [[1, 2]], 1, "float64")
    array([[1., 2.]])
    """
    X_ = arrays.matrices(function, {"X": X})[0]
    if X_.shape[0] != n_x:
        raise ValueError(
            f"{function}: the model was fitted with {n_x} rows of X but X has {X_.shape[0]} (X {X_.shape})"
            f"{X_TRANSPOSED if X_.shape[1] == n_x else ''}"
        )
    return arrays.c_or_fortran_order(X_, np.dtype(dtype))


def parameter(function: str, name: str, value: Any, like: Any) -> Any:
    """A copy of a parameter to start from.

    Parameters
    ----------
    function : str
        What the message begins with.
    name : str
        Of the parameter.
    value : array_like or float
        The parameter.
    like : ndarray or float
        What it must have the shape of, and is converted to the dtype of.

    Returns
    -------
    ndarray or float

    Raises
    ------
    TypeError
        If the parameter is not real numbers of a supported dtype.
    ValueError
        If it has another shape.

    Examples
    --------
    >>> import numpy as np
    >>> from dlkernels import validation
    >>> validation.parameter("f", "b", [[1]], np.zeros((1, 1)))
    array([[1.]])
    """
    if isinstance(like, float):
        return values.real(function, name, value)
    array = arrays.as_float(function, f"parameters[{name!r}]", value)
    if array.shape != like.shape:
        raise ValueError(
            f"{function}: parameters[{name!r}] must have shape {like.shape} but has shape {array.shape}"
        )
    return array.astype(like.dtype, order="C", copy=True)
