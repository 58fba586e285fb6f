"""Networks of any depth in plain loops: over batches, examples, layers, units, and the inputs of a unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlkernels._calls.optimizer import STEP, Optimizer, Settings
from dlkernels._inputs import networks as checks
from dlkernels._inputs import parts
from dlkernels._inputs.arrays import Array
from dlkernels.backends import _python_formulas as formulas
from dlkernels.backends._batches import gradient_of_all, train
from dlkernels.catalogue import ACTIVATIONS, OPTIMIZERS, OUTPUTS, layer_parameter
from dlkernels.parameters import network_views

Vector = list[float]
Matrix = list[list[float]]

_OUTPUTS, _RULES = tuple(OUTPUTS), tuple(OPTIMIZERS)
_ACTIVATIONS = tuple(ACTIVATIONS.values())

# -- the four outputs of one example, from z -------------------------------------------------------------


def _softmax(z: Vector) -> Vector:
    top = max(z)
    e = [formulas.exp(number - top) for number in z]
    total = sum(e)
    return [number / total for number in e]


_ACTIVATE_OUTPUT: dict[str, Callable[[Vector], Vector]] = {
    "identity": lambda z: list(z),
    "sigmoid": lambda z: [formulas.sigmoid(number) for number in z],
    "softmax": _softmax,
    "exp": lambda z: [formulas.exp(number) for number in z],
}


def _log_of_sum(z: Vector, top: float) -> float:
    """The log of the sum of e^(z - top), where top is the largest z. One of the terms is 1."""
    others = [formulas.exp(number - top) for number in z]
    others.remove(max(others))
    return math.log1p(sum(others))


def _loss(output: str, z: Vector, a: Vector, y: Vector, w: float) -> float:
    """The loss of an example times w, its weight over the sum of all weights."""
    loss, top = 0.0, max(z)
    log_of_sum = _log_of_sum(z, top) if output == "softmax" else 0.0
    for i in range(len(z)):
        if output == "identity":
            loss += (a[i] - y[i]) * w * (a[i] - y[i]) / 2
        elif output == "sigmoid":
            # max(z, 0) - y z is computed as one product, which avoids the difference of two large numbers.
            loss += ((1.0 if z[i] > 0 else 0.0) - y[i]) * (z[i] * w)
            loss += math.log1p(math.exp(-abs(z[i]))) * w
        elif output == "softmax":
            # Where y is 0, -y log a is 0, even if log a is -inf.
            loss += y[i] * ((top * w - z[i] * w) + log_of_sum * w) if y[i] != 0 else 0.0
        else:
            loss += a[i] * w - (y[i] * (z[i] * w) if y[i] != 0 else 0.0)
    return loss


# -- forward and backward --------------------------------------------------------------------------------


def _layers(theta: Array, sizes: tuple[int, ...]) -> list[tuple[Matrix, Vector]]:
    """The rows of W and the numbers of b of each layer."""
    return [(W.tolist(), b.reshape(-1).tolist()) for W, b in network_views(theta, sizes)]


def _forward(
    layers: list[tuple[Matrix, Vector]], codes: tuple[int, ...], slope: float, x: Vector
) -> tuple[list[Vector], list[Vector]]:
    """Z of all layers and A of all layers of one example, where the first A is x."""
    zs, activations = [], [x]
    for (W, b), code in zip(layers, codes, strict=True):
        a_prev, z = activations[-1], []
        for i in range(len(b)):
            total = 0.0
            for k in range(len(a_prev)):
                total += W[i][k] * a_prev[k]
            z.append(total + b[i])
        zs.append(z)
        if len(zs) < len(layers):
            g, parameter = formulas.FORWARD[_ACTIVATIONS[code].name], layer_parameter(code, slope)
            activations.append([g(number, parameter) for number in z])
        else:
            activations.append(_ACTIVATE_OUTPUT[_OUTPUTS[code]](z))
    return zs, activations


def _propagate(
    n: checks.Network, X: Array, Y: Array, weights: Array, l2: float, gradient: Array
) -> tuple[float, float]:
    """Write the gradient; return the cost and the sum of the weights."""
    layers = _layers(n.theta, n.sizes)
    gradients = _layers(np.zeros(n.theta.size), n.sizes)
    total, cost = sum(weights.tolist()), 0.0
    for x, y, weight in zip(X.T.tolist(), Y.T.tolist(), weights.tolist(), strict=True):
        w = weight / total
        zs, activations = _forward(layers, n.codes, n.slope, x)
        cost += _loss(_OUTPUTS[n.codes[-1]], zs[-1], activations[-1], y, w)
        dz = [(activations[-1][i] - y[i]) * w for i in range(len(y))]
        for layer in reversed(range(len(layers))):
            a_prev, (dW, db) = activations[layer], gradients[layer]
            for i in range(len(dz)):
                db[i] += dz[i]
                for k in range(len(a_prev)):
                    dW[i][k] += dz[i] * a_prev[k]
            if layer > 0:
                dz = _dz_before(n, layer, layers[layer][0], dz, a_prev, zs[layer - 1])
    for (W, _), (dW, _) in zip(layers, gradients, strict=True):
        for i in range(len(W)):
            for k in range(len(W[i])):
                dW[i][k] += l2 * W[i][k]
                cost += 0.5 * l2 * W[i][k] * W[i][k]
    for (dW, db), (dW_array, db_array) in zip(gradients, network_views(gradient, n.sizes), strict=True):
        _store(dW_array, dW)
        _store(db_array.reshape(-1), db)
    return cost, total


def _dz_before(
    n: checks.Network, layer: int, W: Matrix, dz: Vector, a_prev: Vector, z_prev: Vector
) -> Vector:
    """dZ of the layer before: Wᵀ dz * g'(z)."""
    code, found = n.codes[layer - 1], []
    g, g_backward = _ACTIVATIONS[code], formulas.BACKWARD[_ACTIVATIONS[code].name]
    saved, parameter = a_prev if g.derivative_from == "A" else z_prev, layer_parameter(code, n.slope)
    for k in range(len(a_prev)):
        da = 0.0
        for i in range(len(dz)):
            da += W[i][k] * dz[i]
        found.append(g_backward(da, saved[k], parameter))
    return found


def _store(array: Array, numbers: Vector | Matrix) -> None:
    """Round numbers to the dtype of an array and write them to it."""
    with np.errstate(all="ignore"):  # a number that is too large for float32 becomes infinite
        array[...] = np.array(numbers, np.float64)


# -- optimizers, for one parameter -----------------------------------------------------------------------

#: theta and the two numbers that are kept for it.
_Updated = tuple[float, float, float]


def _ratio(a: float, b: float) -> float:
    """a / b, where a division by 0 raises no error."""
    if b == 0:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a)
    return a / b


def _sgd(theta: float, g: float, v: float, unused: float, s: Settings) -> _Updated:
    g += s.weight_decay * theta
    v = s.decay1 * v + g
    return theta - s.learning_rate * (g + s.decay1 * v if s.nesterov else v), v, unused


def _rmsprop(theta: float, g: float, v: float, square: float, s: Settings) -> _Updated:
    g += s.weight_decay * theta
    square = s.decay2 * square + (1 - s.decay2) * g * g
    v = s.decay1 * v + _ratio(g, math.sqrt(square) + s.eps)
    return theta - s.learning_rate * v, v, square


def _adam(theta: float, g: float, mean: float, square: float, s: Settings) -> _Updated:
    mean = s.decay1 * mean + (1 - s.decay1) * g
    square = s.decay2 * square + (1 - s.decay2) * g * g
    correction = math.sqrt(1 - s.decay2**s.step)
    root = math.sqrt(square) / correction + (s.eps / correction if s.epsilon_hat else s.eps)
    return theta - s.learning_rate / (1 - s.decay1**s.step) * _ratio(mean, root), mean, square


def _adam_with_decay(theta: float, g: float, mean: float, square: float, s: Settings) -> _Updated:
    return _adam(theta, g + s.weight_decay * theta, mean, square, s)


def _adamw(theta: float, g: float, mean: float, square: float, s: Settings) -> _Updated:
    return _adam(theta * (1 - s.learning_rate * s.weight_decay), g, mean, square, s)


_UPDATES: dict[str, Callable[..., _Updated]] = {
    "sgd": _sgd,
    "rmsprop": _rmsprop,
    "adam": _adam_with_decay,
    "adamw": _adamw,
}


def _update(theta: Array, gradient: Array, settings: Array, state: Array) -> None:
    settings[STEP] += 1
    first, second = state.reshape(2, -1)
    s = Settings(*settings.tolist())
    update = _UPDATES[_RULES[int(s.rule)]]
    kept = [half.tolist() or [0.0] * theta.size for half in (first, second)]
    updated = [update(*four, s) for four in zip(theta.tolist(), gradient.tolist(), *kept, strict=True)]
    numbers = [list(column) for column in zip(*updated, strict=True)]
    _store(theta, numbers[0])
    if state.size:
        _store(first, numbers[1])
        _store(second, numbers[2])


# -- public functions ------------------------------------------------------------------------------------


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
    n, dtype = c.network, c.network.theta.dtype
    layers = _layers(n.theta, n.sizes)
    for part in parts.segments(c.X, dtype):
        results = []
        for x in parts.columns(c.X, part, dtype).T.tolist():
            results.append(_forward(layers, n.codes, n.slope, x)[1][-1])
        _store(c.out[:, part].T, results)
    return c.out


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
