"""Check the examples, labels, parameters and settings of a model, with the error messages of this package.

The models of this project use these functions, and your own may, too. Each function takes the name of the
function or class that it checks for, and its messages begin with this name.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from dlkernels._inputs import arrays, labels, values
from dlkernels._inputs import network_examples as networks
from dlkernels._inputs.arrays import Array
from dlkernels._inputs.checks import activation_code
from dlkernels._inputs.finite import finite as finite_array
from dlkernels._inputs.network_examples import NetworkExamples
from dlkernels._inputs.networks import activation_codes
from dlkernels._inputs.shapes import need_fit, other_features
from dlkernels._kernels import shapes

__all__ = [
    "NetworkExamples",
    "activation",
    "activations",
    "count",
    "examples",
    "finite",
    "labelled_examples",
    "network_examples",
    "parameter",
    "real",
]


def real(function: str, name: str, value: Any) -> float:
    """Return a real number as a Python float.

    Parameters
    ----------
    function : str
        The name with which the message begins.
    name : str
        The name of the argument.
    value : float
        The number, or an array that holds exactly one.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If `value` is no real number.
    ValueError
        If `value` is an array of several numbers, or too large for a float.

    Examples
    --------
    >>> from dlkernels import validation
    >>> validation.real("f", "x", 2)
    2.0
    """
    return values.real(function, name, value)


def finite(function: str, name: str, value: Any) -> float:
    """Return a real number as a Python float if it is neither NaN nor infinite.

    Parameters
    ----------
    function : str
        The name with which the message begins.
    name : str
        The name of the argument.
    value : float
        The number.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        As `real`; ValueError also if `value` isn't finite.

    Examples
    --------
    >>> from dlkernels import validation
    >>> validation.finite("f", "x", float("nan"))
    Traceback (most recent call last):
    ValueError: f: x must be finite, not nan
    """
    return values.finite(function, name, value)


def count(function: str, name: str, value: Any, minimum: int = 0) -> int:
    """Return a whole number as a Python int.

    Parameters
    ----------
    function : str
        The name with which the message begins.
    name : str
        The name of the argument.
    value : int
        The number.
    minimum : int
        The smallest number allowed.

    Returns
    -------
    int

    Raises
    ------
    TypeError
        If `value` is no integer.
    ValueError
        If `value` is less than `minimum`, or more than 2**63 - 1, the largest integer of compiled code.

    Examples
    --------
    >>> from dlkernels import validation
    >>> validation.count("f", "n", 3)
    3
    """
    return values.count(function, name, value, minimum)


def activation(function: str, name: Any) -> str:
    """Return the name of an activation if there is such an activation.

    Parameters
    ----------
    function : str
        The name with which the message begins.
    name : str
        The name of the activation.

    Returns
    -------
    str

    Raises
    ------
    TypeError
        If `name` is no string.
    ValueError
        If there is no activation of this name; the message lists all names.

    Examples
    --------
    >>> from dlkernels import validation
    >>> validation.activation("f", "tanh")
    'tanh'
    """
    activation_code(function, name)
    return str(name)


def activations(function: str, names: Any, hidden: int) -> None:
    """Check the names of the activations of a network's hidden layers.

    Parameters
    ----------
    function : str
        The name with which the message begins.
    names : str or tuple of str
        One name for all hidden layers, or one for each.
    hidden : int
        The number of hidden layers.

    Raises
    ------
    TypeError
        If a name is no string.
    ValueError
        If there is no activation of this name, or there are more or fewer names than layers.

    Examples
    --------
    >>> from dlkernels import validation
    >>> validation.activations("f", ("relu", "tanh"), hidden=2)
    """
    activation_codes(function, names, hidden)


def labelled_examples(
    function: str, X: Any, Y: Any, dtype: Any = None, *, allow_nan: bool = False, classes: bool = False
) -> tuple[Array, Array]:
    """Return examples as columns, and their labels, as arrays that kernels take.

    Parameters
    ----------
    function : str
        The name with which the message begins.
    X : array_like, shape (n_x, m)
        Examples; at least one, of at least one feature.
    Y : array_like, shape (1, m)
        Labels, each 0 or 1.
    dtype : {None, "float32", "float64"}
        The dtype of both results; by default that of X.
    allow_nan : bool
        Whether X may hold NaN and infinity.
    classes : bool
        Whether labels may also be the numbers of more than two classes: 0, 1, 2 and so on without gaps.

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
        If shapes don't match (the message names both), n_x or m is 0, a label is neither 0 nor 1 (nor, with
        `classes`, the number of a class), or, unless `allow_nan`, a number in X is NaN, infinite or too large
        for the dtype. Messages say what to pass instead.

    Examples
    --------
    >>> from dlkernels import validation
    >>> X, Y = validation.labelled_examples("f", [[1, 2]], [[0, 1]])
    >>> Y
    array([[0., 1.]])
    """
    X_, Y_ = (arrays.as_float(function, name, value) for name, value in (("X", X), ("Y", Y)))
    labels.need_columns(function, X, Y, X_, Y_)
    arrays.matrices(function, {"X": X_, "Y": Y_})
    need_fit(function, shapes.LABELLED, {"X": X_, "Y": Y_})
    if not X_.shape[0]:
        raise ValueError(
            f"{function}: X has no features: it must have a row for each (X {X_.shape}, Y {Y_.shape})"
        )
    if not (classes and labels.classes(Y_)):
        labels.need_0_and_1(function, Y, Y_)
    target = X_.dtype if dtype is None else np.dtype(dtype)
    convert = arrays.c_or_fortran_order if allow_nan else partial(finite_array, function, "X")
    return convert(X_, target), arrays.c_order(Y_, target)


def network_examples(
    function: str,
    X: Any,
    Y: Any,
    sample_weight: Any = None,
    *,
    output: str | None = None,
    units: int | None = None,
    dtype: Any = None,
) -> NetworkExamples:
    """Return examples, labels and weights for a network, and the output that the labels ask for.

    Parameters
    ----------
    function : str
        The name with which the message begins.
    X : array_like, shape (n_0, m)
        Examples; at least one, of at least one feature. They may be of any real dtype.
    Y : array_like, shape (n_L, m)
        Labels. For the output "sigmoid" they are 0 or 1, for "exp" not negative. For "softmax" they may also
        be one row (1, m) of class numbers.
    sample_weight : array_like, shape (1, m) or (m,), optional
        Weights, not negative and not all 0.
    output : {"identity", "sigmoid", "softmax", "exp"}, optional
        By default it is "sigmoid" for one row of 0 and 1, and "softmax" for one row that holds the numbers of
        more classes, 0, 1, 2 and so on without gaps. For other labels it must be given.
    units : int, optional
        The number n_L of the network's outputs, if it is known. By default the labels decide on it.
    dtype : {None, "float32", "float64"}
        The dtype of the network's parameters. By default it is that of X if that is float32 or float64, else
        float64.

    Returns
    -------
    NetworkExamples
        X as it was given, as an array of any real dtype; Y and `sample_weight` in the dtype of the
        parameters; `output`, `units` and `dtype`.

    Raises
    ------
    TypeError
        If an input is not real numbers.
    ValueError
        If shapes don't match (the message names both), n_0 or m is 0, labels don't fit to the output, the
        output is left open, a weight is negative or all are 0, or a number is NaN, infinite or too large for
        the dtype.

    Examples
    --------
    >>> from dlkernels import validation
    >>> found = validation.network_examples("f", [[1, 2, 3]], [[0, 1, 2]])
    >>> found.output, found.units
    ('softmax', 3)
    """
    return networks.network_examples(function, X, Y, sample_weight, output, units, dtype)


def examples(function: str, X: Any, n_x: int, dtype: Any, *, convert: bool = True) -> Array:
    """Return examples as an array for a model that was fitted with `n_x` features.

    Parameters
    ----------
    function : str
        The name with which the message begins.
    X : array_like, shape (n_x, m)
        Examples as columns.
    n_x : int
        The number of features that each must have.
    dtype : {"float32", "float64"}
        The dtype to compute in.
    convert : bool
        Whether the result has that dtype. If not, it is X as it is, of any real dtype and layout.

    Returns
    -------
    ndarray, shape (n_x, m)
        In C or Fortran order, if it is converted.

    Raises
    ------
    TypeError
        If X is not real numbers of a supported dtype.
    ValueError
        If X has another number of rows than `n_x`, or holds NaN, infinity or a number that is too large for
        the dtype.

    Examples
    --------
    >>> from dlkernels import validation
    >>> validation.examples("f", [[1, 2]], 1, "float64")
    array([[1., 2.]])
    """
    X_ = arrays.as_real(function, "X", X)
    arrays.need_matrix(function, "X", X_)
    if message := other_features("model", X_, n_x):
        raise ValueError(f"{function}: {message}")
    if convert:
        return finite_array(function, "X", X_, np.dtype(dtype))
    networks.need_finite(function, X_, np.dtype(dtype))
    return X_


def parameter(function: str, name: str | None, value: Any, like: Any, dtype: Any = "float64") -> Any:
    """Return a copy of a parameter for training to start from.

    Parameters
    ----------
    function : str
        The name with which the message begins.
    name : str or None
        The name of the parameter among the argument `parameters`; None if that argument is the parameter.
    value : array_like or float
        The parameter.
    like : ndarray or float
        An array whose shape the parameter must have and whose dtype the copy gets, or a float if the
        parameter must be a single number.
    dtype : {"float32", "float64"}
        The dtype that a single number is used in.

    Returns
    -------
    ndarray or float

    Raises
    ------
    TypeError
        If the parameter is not real numbers of a supported dtype.
    ValueError
        If the parameter has another shape than `like`, isn't finite, or is too large for its dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from dlkernels import validation
    >>> validation.parameter("f", "b", [[1]], np.zeros((1, 1)))
    array([[1.]])
    """
    shown = "parameters" if name is None else f"parameters[{name!r}]"
    if isinstance(like, float):
        return values.fits(function, shown, values.finite(function, shown, value), np.dtype(dtype))
    array = arrays.as_float(function, shown, value)
    if array.shape != like.shape:
        raise ValueError(f"{function}: {shown} must have shape {like.shape} but has shape {array.shape}")
    return finite_array(function, shown, array, like.dtype).copy(order="C")
