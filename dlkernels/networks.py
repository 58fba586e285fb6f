"""Networks of any depth: results, gradients, and whole epochs of training in one compiled call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlkernels._calls import networks as calls
from dlkernels._calls.optimizer import Optimizer
from dlkernels._inputs import networks as checks
from dlkernels._inputs.arrays import Array


def network_forward(
    theta: Any,
    sizes: Sequence[int],
    X: Any,
    activations: str | Sequence[str] = "relu",
    output: str = "sigmoid",
    *,
    negative_slope: float = 0.01,
    out: Array | None = None,
) -> Array:
    """The results of a network of any depth for all examples.

    Parameters
    ----------
    theta : array_like, shape (num_parameters(sizes),)
        The parameters: W1 (n_1, n_0) in C order, b1, W2, b2 and so on (`network_views`). All is computed in
        its dtype, float32 or float64.
    sizes : tuple or list of int
        (n_0, n_1, ..., n_L): the numbers of features, of units of each hidden layer, and of outputs.
    X : array_like, shape (n_0, m)
        Examples as columns, in C or Fortran order. If they have another dtype than theta or another layout, a
        few megabytes of them are converted at a time.
    activations : str or tuple of str
        The name of g, the activation of all hidden layers, in `dlkernels.catalogue.ACTIVATIONS`; or a tuple
        with a name for each hidden layer.
    output : {"sigmoid", "identity", "softmax", "exp"}
        The activation of the last layer. softmax is taken over the rows of a column.
    negative_slope : float
        The slope of leaky ReLU for z < 0.
    out : ndarray, shape (n_L, m), optional
        Where to write the result: an array of theta's dtype, in C order, that overlaps no input.

    Returns
    -------
    A : ndarray, shape (n_L, m)
        It is `out` if `out` was given.

    Raises
    ------
    TypeError
        If an input does not hold real numbers of a supported dtype, or a name is not a string.
    ValueError
        If shapes don't match `sizes`, a name is unknown, or `out` doesn't fit.

    Notes
    -----
    A[0] = X, Z[l] = W[l] A[l-1] + b[l], A[l] = g(Z[l]): Andrew Ng, "Neural Networks and Deep Learning", week
    4.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.network_forward([1.0, -1.0, 0.0, 2.0, 0.5], (2, 1, 1), [[3.0, 0.0], [1.0, 1.0]], output="identity")
    array([[4.5, 0.5]])
    """
    A = calls.predict_directly(theta, sizes, X, activations, output, negative_slope, out)
    if A is None:
        c = checks.forward(theta, sizes, X, activations, output, negative_slope, out)
        calls.predict(c)
        return c.out
    return A


def network_propagate(
    theta: Any,
    sizes: Sequence[int],
    X: Any,
    Y: Any,
    activations: str | Sequence[str] = "relu",
    output: str = "sigmoid",
    *,
    negative_slope: float = 0.01,
    sample_weight: Any = None,
    l2: float = 0.0,
    out: Array | None = None,
) -> tuple[Array, float]:
    """Gradient and cost of a network of any depth.

    Parameters
    ----------
    theta : array_like, shape (num_parameters(sizes),)
        The parameters: W1 (n_1, n_0) in C order, b1, W2, b2 and so on (`network_views`). All is computed in
        its dtype, float32 or float64.
    sizes : tuple or list of int
        (n_0, n_1, ..., n_L): the numbers of features, of units of each hidden layer, and of outputs.
    X : array_like, shape (n_0, m)
        Examples as columns, in C or Fortran order.
    Y : array_like, shape (n_L, m)
        Labels: for "sigmoid" usually 0 or 1, several rows being several labels of an example; for "softmax"
        probabilities of the classes, or a row (1, m) of class numbers from 0 to n_L - 1; for "exp" counts, or
        other numbers that aren't negative. Probabilities must sum to 1 in each column, which isn't checked:
        otherwise the result is not the gradient of the cost.
    activations : str or tuple of str
        The name of g, the activation of all hidden layers, in `dlkernels.catalogue.ACTIVATIONS`; or a tuple
        with a name for each hidden layer. relu and leaky_relu take g'(0) = 1, as the lecture's table does.
    output : {"sigmoid", "identity", "softmax", "exp"}
        The activation of the last layer, and with it the cost (see Notes).
    negative_slope : float
        The slope of leaky ReLU for z < 0.
    sample_weight : array_like, shape (1, m) or (m,), optional
        The weights of the examples: not negative, and not all 0. A weight of 2 counts an example twice.
    l2 : float
        The factor of the penalty, 1/2 sum(W²) over all weights. Biases are not penalised.
    out : ndarray, shape (num_parameters(sizes),), optional
        Where to write the gradient: an array of theta's dtype that overlaps no input.

    Returns
    -------
    gradient : ndarray, shape (num_parameters(sizes),)
        The derivatives of the cost, laid out as theta. It is `out` if `out` was given.
    cost : float
        The mean of the examples' losses, weighted if there are weights, plus the penalty.

    Raises
    ------
    TypeError
        If an input does not hold real numbers of a supported dtype, or a name is not a string.
    ValueError
        If shapes don't match `sizes`, m is 0, a name is unknown, a label or a weight is not as said above or
        not finite, or `out` doesn't fit.

    Notes
    -----
    J = sum(s_i loss_i) / sum(s_i) + l2/2 sum(W²), with the weights s. The loss is 1/2 sum((a - y)²) for
    "identity", the sum of the cross entropies for "sigmoid", -sum(y log a) for "softmax", and the Poisson
    loss sum(a - y z) for "exp". All are computed from z, and nothing is clipped. For each of them
    dZ[L] = A[L] - Y; then dW[l] = 1/m dZ[l] A[l-1]ᵀ, db[l] = 1/m np.sum(dZ[l]) and
    dZ[l-1] = W[l]ᵀ dZ[l] * g'(Z[l-1]): Andrew Ng, "Neural Networks and Deep Learning", week 4.

    Examples
    --------
    >>> import dlkernels as dk
    >>> theta = dk.network_parameters((2, 3, 3), seed=0)
    >>> X, Y = [[1.0, 2.0, -1.0], [3.0, 4.0, -3.2]], [[0, 2, 1]]
    >>> gradient, cost = dk.network_propagate(theta, (2, 3, 3), X, Y, "tanh", "softmax")
    >>> gradient.shape
    (21,)
    >>> bool(dk.network_propagate(theta - gradient, (2, 3, 3), X, Y, "tanh", "softmax")[1] < cost)
    True
    """
    given = (theta, sizes, X, Y, activations, output, None, negative_slope, sample_weight, l2)
    if ready := calls.ready(*given):
        gradient = checks.gradient_for(theta, theta, X, Y, sample_weight, out)
        return gradient, calls.propagate_directly(ready[0], negative_slope, l2, gradient)
    c = checks.propagate(theta, sizes, X, Y, activations, output, negative_slope, sample_weight, l2, out)
    return c.gradient, calls.propagate(c)


def train_epoch(
    theta: Array,
    sizes: Sequence[int],
    optimizer: Optimizer,
    X: Any,
    Y: Any,
    activations: str | Sequence[str] = "relu",
    output: str = "sigmoid",
    *,
    batch_size: int,
    order: Any = None,
    negative_slope: float = 0.01,
    sample_weight: Any = None,
    l2: float = 0.0,
) -> float:
    """Update a network's parameters by each batch of an epoch, without returning to Python in between.

    Parameters
    ----------
    theta : ndarray, shape (num_parameters(sizes),)
        The parameters, which are updated in place: float32 or float64, contiguous and writeable. All is
        computed in their dtype.
    sizes : tuple or list of int
        (n_0, n_1, ..., n_L): the numbers of features, of units of each hidden layer, and of outputs.
    optimizer : SGD, RMSprop, Adam or AdamW
        One of `dlkernels.optimizers`. Its state changes with each batch. In a function that you compile with
        Numba, pass what its `arrays` returns instead.
    X : array_like, shape (n_0, m)
        Examples as columns, in C or Fortran order; also a memory map larger than memory. A batch's examples
        are gathered when its turn comes. If X has another dtype than theta or another layout, a few megabytes
        of it are converted at a time.
    Y : array_like, shape (n_L, m), or (1, m) class numbers
        As for `network_propagate`. If it has another dtype than theta, each call converts it.
    activations : str or tuple of str
    output : {"sigmoid", "identity", "softmax", "exp"}
        As for `network_propagate`.
    batch_size : int
        How many examples a batch has. The last one has what is left.
    order : array_like of int, shape (k,), optional
        The indices of the epoch's examples, in the order in which they are taken, usually
        ``generator.permutation(m)``. Some may be missing or come twice. Without it, all are taken as they
        stand.
    negative_slope : float
        The slope of leaky ReLU for z < 0.
    sample_weight : array_like, shape (1, m) or (m,), optional
        The weights of the examples: not negative, and not all 0. A batch whose weights are all 0 changes
        nothing.
    l2 : float
        The factor of the penalty, 1/2 sum(W²).

    Returns
    -------
    float
        The mean of the batches' costs, each of which is computed before the update by this batch. A batch
        counts by its number of examples, or by the sum of their weights. The mean is NaN or infinity if
        something has become too large.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `network_propagate`; also if theta can't be updated in place, an index is out of
        range, `batch_size` is less than 1, or a setting of the optimizer is wrong. Then neither theta nor the
        optimizer is changed.

    Notes
    -----
    The results have the same bits on any number of threads. A training that goes on from saved parameters,
    state and order has the bits of one that was not interrupted.

    Examples
    --------
    >>> import numpy as np
    >>> import dlkernels as dk
    >>> generator = np.random.default_rng(0)
    >>> X = generator.standard_normal((2, 200))
    >>> Y = X[:1] * X[1:] > 0  # the signs are equal
    >>> theta, optimizer = dk.network_parameters((2, 16, 1), seed=0), dk.optimizers.Adam(0.01)
    >>> for epoch in range(100):
    ...     order = generator.permutation(200)
    ...     cost = dk.train_epoch(theta, (2, 16, 1), optimizer, X, Y, batch_size=20, order=order)
    >>> bool(cost < 0.15)
    True
    """
    if type(batch_size) is int and batch_size > 0 and isinstance(optimizer, Optimizer):
        given = (theta, sizes, X, Y, activations, output, order, negative_slope, sample_weight, l2)
        if ready := calls.ready(*given):
            settings, state = optimizer.arrays_for("train_epoch", theta, "optimizer.")
            return calls.train_directly(*ready, batch_size, negative_slope, l2, settings, state)
    return calls.train(
        checks.epoch(
            theta, sizes, optimizer, X, Y, activations, output, batch_size, order, negative_slope,
            sample_weight, l2,
        )
    )  # fmt: skip
