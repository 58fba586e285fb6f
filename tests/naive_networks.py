"""The oracle of networks of any depth: one example after the other, to 60 digits.

As `naive.py`, it imports nothing of the package. Outputs and losses are right for z of any size. A network is
a list of layers `(W, b)`, which is cut out of the vector theta = W1, b1, W2, b2, ... here once more.
Functions take and return flat lists or lists of rows. The formulas of the optimizers are PyTorch's.
"""

from __future__ import annotations

import itertools

from mpmath import mp, mpf
from naive import DERIVATIVE, PARAMETERS, G, _exact, _plain, _sigmoid


def _numbers(values):
    return [mpf(float(value)) for value in values]


def _layers(theta, sizes):
    """[(W, b), ...], where W is a list of rows and b a list."""
    theta, layers = iter(theta), []
    for before, units in itertools.pairwise(sizes):
        W = [[next(theta) for _ in range(before)] for _ in range(units)]
        layers.append((W, [next(theta) for _ in range(units)]))
    assert not list(theta)
    return layers


def _vector(layers):
    return [x for W, b in layers for x in (*(w for row in W for w in row), *b)]


def _names(activations, sizes):
    return [activations] * (len(sizes) - 2) if isinstance(activations, str) else list(activations)


def _parameter(name, slope):
    return slope if name == "leaky_relu" else mpf(PARAMETERS.get(name, (None, 0.0))[1])


def _softmax(z):
    return [1 / sum(mp.exp(other - one) for other in z) for one in z]


#: The output units, from all z of one example; and the loss of one example, from all z and all y.
#: -log a and -log(1 - a) stand as sums of exponentials, which are exact for z of any size.
OUTPUTS = {
    "identity": lambda z: list(z),
    "sigmoid": lambda z: [_sigmoid(x) for x in z],
    "softmax": _softmax,
    "exp": lambda z: [mp.exp(x) for x in z],
}
LOSSES = {
    "identity": lambda z, y: sum((p - q) ** 2 for p, q in zip(z, y, strict=True)) / 2,
    "sigmoid": lambda z, y: sum(
        q * mp.log(1 + mp.exp(-p)) + (1 - q) * mp.log(1 + mp.exp(p)) for p, q in zip(z, y, strict=True)
    ),
    "softmax": lambda z, y: sum(
        q * mp.log(sum(mp.exp(other - p) for other in z)) for p, q in zip(z, y, strict=True)
    ),
    "exp": lambda z, y: sum(mp.exp(p) - q * p for p, q in zip(z, y, strict=True)),
}


def _forward(layers, x, names, slope):
    """What every layer gets, and the z of every layer, for one example."""
    inputs, zs = [x], []
    for i, (W, b) in enumerate(layers):
        zs.append([mp.fdot(row, inputs[-1]) + c for row, c in zip(W, b, strict=True)])
        if i < len(names):
            inputs.append([G[names[i]](z, _parameter(names[i], slope)) for z in zs[-1]])
    return inputs, zs


def _add_example(gradients, layers, x, y, names, output, slope, share):
    """Add `share` times the gradient of one example's loss to `gradients`; returns `share` times the loss."""
    inputs, zs = _forward(layers, x, names, slope)
    dz = [share * (p - q) for p, q in zip(OUTPUTS[output](zs[-1]), y, strict=True)]
    for i in reversed(range(len(layers))):
        (W, _), (dW, db) = layers[i], gradients[i]
        for j, d in enumerate(dz):
            db[j] += d
            dW[j] = [old + d * a for old, a in zip(dW[j], inputs[i], strict=True)]
        if i:
            da = [mp.fdot(column, dz) for column in zip(*W, strict=True)]
            g, p = names[i - 1], _parameter(names[i - 1], slope)
            dz = [d * DERIVATIVE[g](z, p) for d, z in zip(da, zs[i - 1], strict=True)]
    return share * LOSSES[output](zs[-1], y)


def _targets(Y, sizes, output):
    """The columns of Y; class numbers become columns of one 1 and zeros."""
    columns = [list(column) for column in zip(*_exact(Y), strict=True)]
    if output == "softmax" and len(Y) == 1 and sizes[-1] > 1:
        return [[mpf(k == number) for k in range(sizes[-1])] for (number,) in columns]
    return columns


def _propagate(theta, sizes, examples, names, output, slope, l2):
    """(gradient, cost, sum of the weights) of examples (x, y, weight)."""
    layers = _layers(theta, sizes)
    gradients = [([[mpf(0)] * len(row) for row in W], [mpf(0)] * len(b)) for W, b in layers]
    total, cost = sum(weight for _, _, weight in examples), mpf(0)
    for x, y, weight in examples:
        cost += _add_example(gradients, layers, x, y, names, output, slope, weight / total)
    for (W, _), (dW, _) in zip(layers, gradients, strict=True):
        for row, slopes in zip(W, dW, strict=True):
            cost += l2 * sum(w * w for w in row) / 2
            slopes[:] = [d + l2 * w for d, w in zip(slopes, row, strict=True)]
    return _vector(gradients), cost, total


def _examples(X, Y, sizes, output, sample_weight):
    columns = [list(column) for column in zip(*_exact(X), strict=True)]
    targets = _targets(Y, sizes, output)
    weights = [mpf(1)] * len(columns) if sample_weight is None else _numbers(sample_weight)
    return list(zip(columns, targets, weights, strict=True))


def network_forward(theta, sizes, X, activations="relu", output="sigmoid", negative_slope=0.01):
    """A_L, rows of outputs."""
    layers, names = _layers(_numbers(theta), sizes), _names(activations, sizes)
    columns = zip(*_exact(X), strict=True)
    results = [OUTPUTS[output](_forward(layers, list(x), names, mpf(negative_slope))[1][-1]) for x in columns]
    return _plain(zip(*results, strict=True))


def network_propagate(
    theta, sizes, X, Y, activations="relu", output="sigmoid", negative_slope=0.01, sample_weight=None, l2=0.0
):
    """(gradient, cost)."""
    examples = _examples(X, Y, sizes, output, sample_weight)
    names = _names(activations, sizes)
    gradient, cost, _ = _propagate(
        _numbers(theta), sizes, examples, names, output, mpf(negative_slope), mpf(l2)
    )
    return [float(x) for x in gradient], float(cost)


def train_epoch(
    theta, sizes, step, X, Y, activations="relu", output="sigmoid", *, batch_size, order=None,
    negative_slope=0.01, sample_weight=None, l2=0.0,
):  # fmt: skip
    """(theta after the epoch, mean cost); `step(theta, gradient)` is the optimizer, see `optimizer`."""
    examples, names = _examples(X, Y, sizes, output, sample_weight), _names(activations, sizes)
    taken = [examples[i] for i in order] if order is not None else examples
    theta, costs, weights = _numbers(theta), mpf(0), mpf(0)
    for start in range(0, len(taken), batch_size):
        batch = taken[start : start + batch_size]
        if not any(weight for _, _, weight in batch):
            continue
        gradient, cost, total = _propagate(theta, sizes, batch, names, output, mpf(negative_slope), mpf(l2))
        costs, weights = costs + total * cost, weights + total
        theta = step(theta, gradient)
    return [float(x) for x in theta], float(costs / weights)


# -- optimizers --------------------------------------------------------------------------------------


def _sgd(theta, g, state, learning_rate=1e-3, momentum=0.0, nesterov=False, weight_decay=0.0):
    g = [d + mpf(weight_decay) * p for d, p in zip(g, theta, strict=True)]
    if momentum:
        old, mu = state.get("momentum_buffer"), mpf(momentum)
        buffer = g if old is None else [mu * v + d for v, d in zip(old, g, strict=True)]
        state["momentum_buffer"] = buffer
        g = [d + mu * v for d, v in zip(g, buffer, strict=True)] if nesterov else buffer
    return [p - mpf(learning_rate) * d for p, d in zip(theta, g, strict=True)]


def _rmsprop(theta, g, state, learning_rate=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0):
    g = [d + mpf(weight_decay) * p for d, p in zip(g, theta, strict=True)]
    zeros = [mpf(0)] * len(g)
    state["square_avg"] = [
        mpf(alpha) * v + (1 - mpf(alpha)) * d**2
        for v, d in zip(state.get("square_avg", zeros), g, strict=True)
    ]
    g = [d / (mp.sqrt(v) + mpf(eps)) for d, v in zip(g, state["square_avg"], strict=True)]
    if momentum:
        old = state.get("momentum_buffer", zeros)
        g = state["momentum_buffer"] = [mpf(momentum) * v + d for v, d in zip(old, g, strict=True)]
    return [p - mpf(learning_rate) * d for p, d in zip(theta, g, strict=True)]


def _adam(
    theta, g, state, learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, epsilon_hat=False
):
    g = [d + mpf(weight_decay) * p for d, p in zip(g, theta, strict=True)]
    t, beta1, beta2, zeros = state["step"], mpf(beta1), mpf(beta2), [mpf(0)] * len(g)
    first, second = state.get("exp_avg", zeros), state.get("exp_avg_sq", zeros)
    first = state["exp_avg"] = [beta1 * v + (1 - beta1) * d for v, d in zip(first, g, strict=True)]
    second = state["exp_avg_sq"] = [beta2 * v + (1 - beta2) * d**2 for v, d in zip(second, g, strict=True)]
    if epsilon_hat:  # Kingma and Ba, section 2
        rate = mpf(learning_rate) * mp.sqrt(1 - beta2**t) / (1 - beta1**t)
        return [p - rate * m / (mp.sqrt(v) + mpf(eps)) for p, m, v in zip(theta, first, second, strict=True)]
    return [
        p - mpf(learning_rate) * (m / (1 - beta1**t)) / (mp.sqrt(v / (1 - beta2**t)) + mpf(eps))
        for p, m, v in zip(theta, first, second, strict=True)
    ]


def _adamw(theta, g, state, learning_rate=1e-3, weight_decay=1e-2, **settings):
    theta = [(1 - mpf(learning_rate) * mpf(weight_decay)) * p for p in theta]
    return _adam(theta, g, state, learning_rate, **settings)


RULES = {"SGD": _sgd, "RMSprop": _rmsprop, "Adam": _adam, "AdamW": _adamw}


def optimizer(name, **settings):
    """A function `step(theta, gradient)` that returns the new theta, and its state, a dictionary."""
    state = {"step": 0}

    def step(theta, gradient):
        state["step"] += 1
        return RULES[name](theta, gradient, state, **settings)

    return step, state
