"""Networks of any depth in vectorised form: a product a layer, and formulas for whole matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dlkernels._calls.optimizer import STEP, Optimizer, Settings
from dlkernels._inputs import networks as checks
from dlkernels._inputs import parts
from dlkernels._inputs.arrays import Array
from dlkernels.backends import _numpy_formulas as formulas
from dlkernels.backends._batches import gradient_of_all, train
from dlkernels.catalogue import ACTIVATIONS, OPTIMIZERS, OUTPUTS, layer_parameter
from dlkernels.parameters import network_views

_quiet = np.errstate(all="ignore")
_OUTPUTS, _RULES = tuple(OUTPUTS), tuple(OPTIMIZERS)
_ACTIVATIONS = tuple(ACTIVATIONS.values())

# -- the four outputs, from z ----------------------------------------------------------------------------


def _softmax(Z: Array) -> Array:
    E = np.exp(Z - Z.max(axis=0))
    return E / E.sum(axis=0)


_ACTIVATE_OUTPUT: dict[str, Callable[[Array], Array]] = {
    "identity": lambda Z: Z,
    "sigmoid": formulas.stable_sigmoid,
    "softmax": _softmax,
    "exp": np.exp,
}

# Each loss takes Z, A, Y and the shares w of the examples, which are their weights over the sum of all. A
# product by w comes before a sum or a difference, which might be too large for a float.


def _half_squares(Z: Array, A: Array, Y: Array, w: Array) -> Array:
    """w (a - y)² / 2."""
    D = A - Y
    return D * w * D / 2


def _cross_entropies(Z: Array, A: Array, Y: Array, w: Array) -> Array:
    """w (max(z, 0) - y z + log(1 + e^-|z|)). The first two terms are one product, ([z > 0] - y) z."""
    return np.subtract(Z > 0, Y, dtype=Z.dtype) * (Z * w) + np.log1p(np.exp(-np.abs(Z))) * w


def _categorical_cross_entropies(Z: Array, A: Array, Y: Array, w: Array) -> Array:
    """-w y log a, and 0 where y is 0: log a = z - log(sum of e^z), with the maximum of z taken off all z.

    Then one of the terms is 1, and log1p takes the sum of the others.
    """
    top = Z.max(axis=0)
    E = np.exp(Z - top)
    np.put_along_axis(E, Z.argmax(axis=0, keepdims=True), 0, axis=0)
    logs = np.log1p(E.sum(axis=0))
    return np.where(Y == 0, 0, Y * ((top * w - Z * w) + logs * w))


def _poisson_losses(Z: Array, A: Array, Y: Array, w: Array) -> Array:
    """w (a - y z), where y z is 0 if y is."""
    return A * w - np.where(Y == 0, 0, Y * (Z * w))


_LOSSES: dict[str, Callable[[Array, Array, Array, Array], Array]] = {
    "identity": _half_squares,
    "sigmoid": _cross_entropies,
    "softmax": _categorical_cross_entropies,
    "exp": _poisson_losses,
}

# -- forward and backward --------------------------------------------------------------------------------


class _Pass(NamedTuple):
    """The input of each layer, Z of each layer, and the last A."""

    inputs: list[Array]
    Z: list[Array]
    A: Array


def _activated(code: int, slope: float, Z: Array) -> Array:
    A = np.empty_like(Z)
    formulas.FORWARD[_ACTIVATIONS[code].name](Z, layer_parameter(code, slope), A)
    return A


def _forward(n: checks.Network, X: Array) -> _Pass:
    """Z = W A_prev + b and A = g(Z), layer by layer."""
    inputs, Zs, A = [], [], X
    for (W, b), code in zip(network_views(n.theta, n.sizes), n.codes, strict=True):
        inputs.append(A)
        Z = W @ A + b
        Zs.append(Z)
        if len(Zs) < len(n.codes):
            A = _activated(code, n.slope, Z)
    return _Pass(inputs, Zs, _ACTIVATE_OUTPUT[_OUTPUTS[n.codes[-1]]](Zs[-1]))


def _times_slope(code: int, slope: float, dA: Array, A: Array, Z: Array) -> Array:
    """dZ = dA * g'(z)."""
    g = _ACTIVATIONS[code]
    dZ = np.empty_like(dA)
    formulas.BACKWARD[g.name](dA, A if g.derivative_from == "A" else Z, layer_parameter(code, slope), dZ)
    return dZ


def _propagate(
    n: checks.Network, X: Array, Y: Array, weights: Array, l2: float, gradient: Array
) -> tuple[float, float]:
    """Write the gradient; return the cost and the sum of the weights."""
    total = weights.sum()
    w = weights / total
    layers, gradients = network_views(n.theta, n.sizes), network_views(gradient, n.sizes)
    done, output = _forward(n, X), _OUTPUTS[n.codes[-1]]
    cost = float(_LOSSES[output](done.Z[-1], done.A, Y, w).sum())
    dZ = (done.A - Y) * w
    for i in reversed(range(len(layers))):
        (W, _), (dW, db) = layers[i], gradients[i]
        dW[...] = dZ @ done.inputs[i].T + l2 * W
        db[...] = dZ.sum(axis=1, keepdims=True)
        cost += 0.5 * l2 * float((W * W).sum())
        if i > 0:
            dZ = _times_slope(n.codes[i - 1], n.slope, W.T @ dZ, done.inputs[i], done.Z[i - 1])
    return cost, float(total)


# -- optimizers ------------------------------------------------------------------------------------------


def _sgd(theta: Array, g: Array, v: Array, _: Array, s: Settings) -> None:
    g = g + s.weight_decay * theta
    if v.size:
        v[...] = s.decay1 * v + g
        g = g + s.decay1 * v if s.nesterov else v
    theta -= s.learning_rate * g


def _rmsprop(theta: Array, g: Array, v: Array, squares: Array, s: Settings) -> None:
    g = g + s.weight_decay * theta
    squares[...] = s.decay2 * squares + (1 - s.decay2) * g * g
    v[...] = s.decay1 * v + g / (np.sqrt(squares) + s.eps)
    theta -= s.learning_rate * v


def _adam(theta: Array, g: Array, mean: Array, squares: Array, s: Settings) -> None:
    mean[...] = s.decay1 * mean + (1 - s.decay1) * g
    squares[...] = s.decay2 * squares + (1 - s.decay2) * g * g
    correction = (1 - s.decay2**s.step) ** 0.5
    root = np.sqrt(squares) / correction + (s.eps / correction if s.epsilon_hat else s.eps)
    theta -= s.learning_rate / (1 - s.decay1**s.step) * mean / root


def _adam_with_decay(theta: Array, g: Array, mean: Array, squares: Array, s: Settings) -> None:
    _adam(theta, g + s.weight_decay * theta, mean, squares, s)


def _adamw(theta: Array, g: Array, mean: Array, squares: Array, s: Settings) -> None:
    theta *= 1 - s.learning_rate * s.weight_decay
    _adam(theta, g, mean, squares, s)


_UPDATES = {"sgd": _sgd, "rmsprop": _rmsprop, "adam": _adam_with_decay, "adamw": _adamw}


def _update(theta: Array, gradient: Array, settings: Array, state: Array) -> None:
    """One step; the two halves of the state are averages, or what was left of the last direction."""
    settings[STEP] += 1
    first, second = state.reshape(2, -1)
    s = Settings(*settings.tolist())
    _UPDATES[_RULES[int(s.rule)]](theta, gradient, first, second, s)


# -- public functions ------------------------------------------------------------------------------------


@_quiet
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
    """A of the last layer, (n_L, m): Z = W A_prev + b, A = g(Z) in each layer, A_0 = X (n_0, m)."""
    c = checks.forward(theta, sizes, X, activations, output, negative_slope, out)
    dtype = c.network.theta.dtype
    for part in parts.segments(c.X, dtype):
        c.out[:, part] = _forward(c.network, parts.columns(c.X, part, dtype)).A
    return c.out


@_quiet
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
    """(gradient, cost): dZ_L = A_L - Y, dW = dZ A_prevᵀ / m, dZ_prev = Wᵀ dZ * g'(Z_prev)."""
    c = checks.propagate(theta, sizes, X, Y, activations, output, negative_slope, sample_weight, l2, out)
    return c.gradient, gradient_of_all(c, _propagate)


@_quiet
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
    """A step of the optimizer for each batch of columns of X; returns the mean cost before the steps."""
    c = checks.epoch(
        theta, sizes, optimizer, X, Y, activations, output, batch_size, order, negative_slope, sample_weight,
        l2,
    )  # fmt: skip
    return train(c, _propagate, _update)
