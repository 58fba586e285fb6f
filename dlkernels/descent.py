"""Gradient descent: one update of parameters, and runs of many steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlkernels._calls import threads
from dlkernels._calls.views import flat
from dlkernels._compiler.options import guarded
from dlkernels._inputs import checks
from dlkernels._inputs.arrays import F32, F64, Array, as_kernels_take_them, native
from dlkernels._kernels import direct
from dlkernels._kernels import gradient_descent as kernels
from dlkernels._kernels.direct import LARGE, NOT_SIMPLE
from dlkernels.propagate import logistic_steps, shallow_steps


def _matrices(rate: Any, most: Any, *arrays: Any) -> bool:
    return as_kernels_take_them(*arrays) and arrays[0].ndim == 2


#: The direct call is tried first. It takes up to four parameters and their gradients.
_direct_update = guarded(direct.update, _matrices, NOT_SIMPLE)
_nothing = {F32: np.empty((0, 0), F32), F64: np.empty((0, 0), F64)}


def _update(parameters: Sequence[Array], gradients: Sequence[Array], rate: float) -> None:
    for array, slope in zip(parameters, gradients, strict=True):
        work = kernels.update_work(array.size, array.itemsize)
        threads.twin(kernels.update, work)(flat(array), flat(slope), rate)


def gradient_descent(parameters: Sequence[Array], gradients: Sequence[Any], learning_rate: float) -> None:
    """Update parameters in place: subtract learning_rate times its gradient from each.

    Parameters
    ----------
    parameters : list or tuple of ndarray
        The arrays to update in place: float32 or float64, writeable and in C order, no two sharing memory.
    gradients : list or tuple of array_like
        One gradient for each parameter, in its shape. It is converted to the dtype of the parameter.
    learning_rate : float
        The step length alpha, finite.

    Raises
    ------
    TypeError
        If a parameter is not a float array, or a gradient does not hold real numbers.
    ValueError
        If there are more or fewer gradients than parameters, their shapes differ, or a parameter can't be
        updated in place. Then no parameter is updated.

    Notes
    -----
    w := w - alpha dw, b := b - alpha db: Andrew Ng, "Neural Networks and Deep Learning", week 2.

    Examples
    --------
    >>> import numpy as np
    >>> import dlkernels as dk
    >>> W = np.array([[1.0, 2.0]])
    >>> dk.gradient_descent([W], [[[2.0, -2.0]]], 0.5)
    >>> W
    array([[0., 3.]])
    """
    if (
        type(parameters) in (list, tuple)
        and type(gradients) in (list, tuple)
        and 0 < len(parameters) == len(gradients) <= 4
        and all(map(native, parameters))
        and all(map(native, gradients))
        and type(learning_rate) is float
        and math.isfinite(learning_rate)
        and threads.forced.get() is None
    ):
        rest = (_nothing[parameters[0].dtype],) * (4 - len(parameters))
        answer = _direct_update(learning_rate, threads.NEVER_BELOW, *parameters, *rest, *gradients, *rest)
        if answer == LARGE:
            _update(parameters, gradients, learning_rate)
        if answer != NOT_SIMPLE:
            return
    _update(*checks.gradient_descent(parameters, gradients, learning_rate))


def logistic_descent(
    w: Array, b: float, X: Any, Y: Any, learning_rate: float, num_steps: int
) -> tuple[float, float]:
    """Run steps of gradient descent on logistic regression without returning to Python in between.

    Parameters
    ----------
    w : ndarray, shape (n_x, 1)
        Weights, which are updated in place: of the common dtype, writeable and in C order.
    b : float
        Bias.
    X : array_like, shape (n_x, m)
        Examples as columns.
    Y : array_like, shape (1, m)
        Labels.
    learning_rate : float
        The step length alpha, finite.
    num_steps : int
        How many steps, at least 1.

    Returns
    -------
    b : float
        The bias after the last step.
    cost : float
        The cost before the first step.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `logistic_propagate`, and if `w` can't be updated in place. Then `w` is
        unchanged.

    See Also
    --------
    logistic_propagate : the gradients of one step.

    Examples
    --------
    >>> import numpy as np
    >>> import dlkernels as dk
    >>> w, X, Y = np.array([[1.0], [2.0]]), [[1.0, 2.0, -1.0], [3.0, 4.0, -3.2]], [[1, 0, 1]]
    >>> b, cost = dk.logistic_descent(w, 2.0, X, Y, 0.009, 100)
    >>> w
    array([[0.19033591],
           [0.12259159]])
    >>> round(b, 8)
    1.92535983
    """
    c, rate, steps = checks.logistic_descent(w, b, X, Y, learning_rate, num_steps)
    _, cost, b = logistic_steps(c, rate, steps)
    return b, cost


def shallow_descent(
    W1: Array,
    b1: Array,
    W2: Array,
    b2: Array,
    X: Any,
    Y: Any,
    learning_rate: float,
    num_steps: int,
    activation: str = "tanh",
    *,
    negative_slope: float = 0.01,
) -> float:
    """Run steps of gradient descent on a two-layer network without returning to Python in between.

    Parameters
    ----------
    W1, b1, W2, b2 : ndarray
        Parameters of shapes (n_h, n_x), (n_h, 1), (1, n_h) and (1, 1), which are updated in place: of the
        common dtype, writeable and in C order, no two sharing memory.
    X : array_like, shape (n_x, m)
        Examples as columns.
    Y : array_like, shape (1, m)
        Labels.
    learning_rate : float
        The step length alpha, finite.
    num_steps : int
        How many steps, at least 1.
    activation : str
        The name of g, the activation of the hidden layer, in `dlkernels.catalogue.ACTIVATIONS`.
    negative_slope : float
        The slope of leaky ReLU for z < 0.

    Returns
    -------
    float
        The cost before the first step.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `shallow_propagate`, and if a parameter can't be updated in place. Then no
        parameter is updated.

    See Also
    --------
    shallow_propagate : the gradients of one step.

    Examples
    --------
    >>> import numpy as np
    >>> import dlkernels as dk
    >>> W1, b1 = np.array([[0.1], [-0.1]]), np.zeros((2, 1))
    >>> W2, b2 = np.array([[0.1, -0.1]]), np.zeros((1, 1))
    >>> first = dk.shallow_descent(W1, b1, W2, b2, [[-1.0, 1.0]], [[0, 1]], 1.0, 50)
    >>> last = dk.shallow_descent(W1, b1, W2, b2, [[-1.0, 1.0]], [[0, 1]], 1.0, 1)
    >>> round(first, 3), last < 0.1
    (0.683, True)
    """
    c, rate, steps = checks.shallow_descent(
        W1, b1, W2, b2, X, Y, learning_rate, num_steps, activation, negative_slope
    )
    return shallow_steps(c, rate, steps)
