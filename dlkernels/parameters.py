"""The parameters of a network of any depth, which are one vector."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlkernels._inputs import networks as checks
from dlkernels._inputs import values
from dlkernels._inputs.arrays import F32, F64, Array
from dlkernels.catalogue import SCHEMES


def num_parameters(sizes: Sequence[int]) -> int:
    """How many parameters a network has: its weights and biases.

    Parameters
    ----------
    sizes : tuple or list of int
        (n_0, n_1, ..., n_L): the numbers of features, of units of each hidden layer, and of outputs.

    Returns
    -------
    int
        The sum over layers of (n_prev + 1) n: the length of theta.

    Raises
    ------
    TypeError
        If `sizes` is no tuple or list of integers.
    ValueError
        If there are fewer than two sizes, or one is less than 1.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.num_parameters((4, 3, 1))
    19
    """
    return checks.count_parameters(checks.sizes_of("num_parameters", sizes))


def network_views(theta: Array, sizes: Sequence[int]) -> list[tuple[Array, Array]]:
    """The weights and biases of each layer, as views that share the memory of theta.

    Parameters
    ----------
    theta : ndarray, shape (num_parameters(sizes),)
        The parameters of a network, or a gradient, or an average that an optimizer keeps: float32 or float64,
        contiguous. It holds W1 (n_1, n_0) in C order, b1 (n_1, 1), W2, b2 and so on.
    sizes : tuple or list of int
        (n_0, n_1, ..., n_L): the numbers of features, of units of each hidden layer, and of outputs.

    Returns
    -------
    list of tuple
        (W, b) for each layer: W (n, n_prev) and b (n, 1). Who writes to one changes theta.

    Raises
    ------
    TypeError
        If `theta` is no array of float32 or float64, or `sizes` no tuple or list of integers.
    ValueError
        If `theta` isn't contiguous, or has not as many numbers as such a network has parameters.

    Examples
    --------
    >>> import numpy as np
    >>> import dlkernels as dk
    >>> theta = np.arange(9.0)
    >>> (W1, b1), (W2, b2) = dk.network_views(theta, (2, 2, 1))
    >>> W1
    array([[0., 1.],
           [2., 3.]])
    >>> b2[0, 0] = 100
    >>> theta
    array([  0.,   1.,   2.,   3.,   4.,   5.,   6.,   7., 100.])
    """
    theta, sizes = checks.shared_parameters("network_views", theta, sizes)
    layers, first = [], 0
    for n_in, n_out in itertools.pairwise(sizes):
        last = first + n_out * n_in
        layers.append((theta[first:last].reshape(n_out, n_in), theta[last : last + n_out].reshape(n_out, 1)))
        first = last + n_out
    return layers


def network_parameters(
    sizes: Sequence[int], seed: Any = None, *, scheme: str = "glorot_uniform", dtype: Any = "float64"
) -> Array:
    """Random weights and zero biases for a network to start from.

    Parameters
    ----------
    sizes : tuple or list of int
        (n_0, n_1, ..., n_L): the numbers of features, of units of each hidden layer, and of outputs.
    seed : int or numpy.random.Generator, optional
        What ``numpy.random.default_rng`` takes. The same seed gives the same weights; without one, they
        differ from call to call. NumPy's global generator is neither read nor changed.
    scheme : {"glorot_uniform", "glorot_normal", "he_uniform", "he_normal"}
        The distribution of the weights (see Notes). He's are meant for relu and its kin.
    dtype : {"float64", "float32"} or a dtype
        The dtype of theta. Weights are drawn in float64 and rounded to it.

    Returns
    -------
    theta : ndarray, shape (num_parameters(sizes),)
        W1 (n_1, n_0) in C order, b1, W2, b2 and so on. `network_views` gives them by layer.

    Raises
    ------
    TypeError
        If `sizes` is no tuple or list of integers, or `scheme` no string.
    ValueError
        If a size is less than 1, or there is no such scheme, or `dtype` is neither float32 nor float64.

    Notes
    -----
    Weights have mean 0 and variance 2 / (n_prev + n) in Glorot's schemes, 2 / n_prev in He's. Uniform ones
    lie between -sqrt(3 variance) and sqrt(3 variance). X. Glorot and Y. Bengio, "Understanding the difficulty
    of training deep feedforward neural networks" (2010); K. He et al., "Delving deep into rectifiers" (2015).

    Examples
    --------
    >>> import dlkernels as dk
    >>> theta = dk.network_parameters((4, 3, 1), seed=1)
    >>> theta.shape
    (19,)
    >>> (W1, b1), (W2, b2) = dk.network_views(theta, (4, 3, 1))
    >>> bool(abs(W1).max() <= (6 / (4 + 3)) ** 0.5)
    True
    """
    f = "network_parameters"
    sizes = checks.sizes_of(f, sizes)
    drawn = SCHEMES[values.name(f, "scheme", scheme, SCHEMES)]
    number = _float_dtype(f, dtype)
    try:
        generator = np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{f}: seed can't seed a generator: {error}") from None
    theta = np.zeros(checks.count_parameters(sizes), number)
    for W, _ in network_views(theta, sizes):
        n_out, n_in = W.shape
        variance = 2 / (n_in + n_out if drawn.counts_outputs else n_in)
        if drawn.uniform:
            limit = (3 * variance) ** 0.5
            W[...] = generator.uniform(-limit, limit, W.shape)
        else:
            W[...] = generator.normal(0.0, variance**0.5, W.shape)
    return theta


def _float_dtype(function: str, dtype: Any) -> np.dtype[Any]:
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if dtype is None or found not in (F32, F64):
        raise ValueError(f"{function}: dtype must be float32 or float64, not {dtype!r}")
    return F32 if found == F32 else F64
