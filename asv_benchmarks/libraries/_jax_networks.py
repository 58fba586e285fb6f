"""Networks of any depth in JAX: a whole epoch in one jit, from gather to update, with donated buffers.

Rows are examples. A step gathers its batch, or the epoch gathers all batches first. The parameters are one
vector, or a leaf for each array. The gradient is written out, or JAX finds it. Which of them is fastest
depends on the sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from asv_benchmarks.works import layers


def _forward(parameters: Any, rows: Any) -> list[Any]:
    """Return X, A of the hidden layers, and Z of the last; W is (n, n_prev)."""
    found = [rows]
    for W, b in parameters[:-1]:
        found.append(jnp.maximum(found[-1] @ W.T + b, 0))
    W, b = parameters[-1]
    return [*found, found[-1] @ W.T + b]


def _predict(parameters: Any, rows: Any) -> Any:
    Z = _forward(parameters, rows)[-1]
    return (jax.nn.sigmoid(Z) if Z.shape[1] == 1 else jax.nn.softmax(Z)).T


def _output(Z: Any, Y: Any) -> tuple[Any, Any]:
    """Return the cost and dZ."""
    m = Z.shape[0]
    if Z.shape[1] == 1:
        z = Z[:, 0]
        E = jnp.exp(-jnp.abs(z))
        cost = (jnp.log1p(E) + jnp.maximum(z, 0) - Y * z).mean()
        return cost, ((jnp.where(z >= 0, 1, E) / (1 + E) - Y) / m)[:, None]
    top = Z.max(axis=1, keepdims=True)
    E = jnp.exp(Z - top)
    sums = E.sum(axis=1, keepdims=True)
    true = Y[:, None] == jnp.arange(Z.shape[1], dtype=Y.dtype)
    cost = (jnp.log(sums[:, 0]) + top[:, 0] - jnp.where(true, Z, 0).sum(axis=1)).mean()
    return cost, (E / sums - true.astype(Z.dtype)) / m


def _by_hand(parameters: Any, X: Any, Y: Any) -> Any:
    A = _forward(parameters, X)
    cost, dZ = _output(A[-1], Y)
    gradients = []
    for i in reversed(range(len(parameters))):
        gradients.append((dZ.T @ A[i], dZ.sum(axis=0)))
        if i:
            dZ = jnp.where(A[i] > 0, dZ @ parameters[i][0], 0)
    return cost, gradients[::-1]


def _by_autograd(parameters: Any, X: Any, Y: Any) -> Any:
    def cost(parameters: Any) -> Any:
        Z = _forward(parameters, X)[-1]
        if Z.shape[1] == 1:
            return (jax.nn.softplus(Z[:, 0]) - Y * Z[:, 0]).mean()
        return -jnp.take_along_axis(jax.nn.log_softmax(Z), Y[:, None], axis=1).mean()

    return jax.value_and_grad(cost)(parameters)


def _adam(work: Any, g: dict[str, Any], differentiate: Any, flat: bool) -> Callable[..., Any]:
    """Return one step: parameters, moments, the step count and a batch to the next of them, and the cost."""
    rate, epsilon = g["learning_rate"], g["epsilon"]

    def step(carry: Any, X: Any, Y: Any) -> Any:
        parameters, mean, square, t = carry
        cost, gradients = differentiate(layers(parameters, work.sizes) if flat else parameters, X, Y)
        if flat:
            gradients = jnp.concatenate([array.ravel() for pair in gradients for array in pair])
        t = t + 1
        power = t.astype(X.dtype)
        step_size = rate / (1 - jnp.asarray(0.9, X.dtype) ** power)
        root = jnp.sqrt(1 - jnp.asarray(0.999, X.dtype) ** power)
        mean = jax.tree.map(lambda v, d: 0.9 * v + 0.1 * d, mean, gradients)
        square = jax.tree.map(lambda v, d: 0.999 * v + 0.001 * d * d, square, gradients)
        parameters = jax.tree.map(
            lambda p, v, s: p - step_size * v / (jnp.sqrt(s) / root + epsilon), parameters, mean, square
        )
        return (parameters, mean, square, t), cost * X.shape[0]

    return step


def _epoch(work: Any, step: Callable[..., Any], gather_once: bool) -> Callable[..., Any]:
    m, batch = work.shape[-1], min(work.batch, work.shape[-1])
    whole = m // batch * batch

    def epoch(*given: Any) -> Any:
        *state, X, Y, order = given
        carry, total = tuple(state), jnp.zeros((), X.dtype)

        def take(chosen: Any) -> tuple[Any, Any]:
            return tuple(array.at[chosen].get(mode="promise_in_bounds") for array in (X, Y))  # type: ignore[return-value]

        def batches(array: Any) -> Any:
            return array[:whole].reshape(-1, batch, *array.shape[1:])

        if gather_once:
            everything = take(order)
            first, last = tuple(map(batches, everything)), tuple(array[whole:] for array in everything)
            carry, costs = jax.lax.scan(lambda c, xs: step(c, *xs), carry, first)
        else:
            last = take(order[whole:])
            carry, costs = jax.lax.scan(lambda c, i: step(c, *take(i)), carry, batches(order))
        if whole < m:
            carry, total = step(carry, *last)
        return (*carry, (costs.sum() + total) / m)

    return jax.jit(epoch, donate_argnums=(0, 1, 2, 3))


def _form(work: Any, g: dict[str, Any], differentiate: Any, flat: bool, once: bool) -> Callable[[], Any]:
    theta = g["theta"] if flat else layers(g["theta"], work.sizes)
    parameters = jax.tree.map(lambda array: jnp.array(array, copy=True), theta)
    zeros = [jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)]
    state = [parameters, *zeros, jnp.zeros((), jnp.int32)]
    X, Y, random, m = jnp.array(g["X"].T), _labels(g), g["random"], work.shape[-1]
    epoch = _epoch(work, _adam(work, g, differentiate, flat), once)

    def train_epoch() -> Any:
        *state[:], cost = epoch(*state, X, Y, random.permutation(m).astype(np.int32))
        return float(cost)

    return train_epoch


def _labels(g: dict[str, Any]) -> Any:
    Y = g["Y"][0]
    return jnp.array(Y if Y.dtype == g["X"].dtype else Y.astype(np.int32))


#: How the gradient is found, whether the parameters are one vector, and whether the epoch gathers all batches
#: first. Each was the fastest at some size: vectors for small networks, leaves for large ones.
_FORMS = (
    (_by_hand, True, False),
    (_by_hand, True, True),
    (_by_hand, False, False),
    (_by_hand, False, True),
    (_by_autograd, False, False),
    (_by_autograd, False, True),
)


def build(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    if work.operation == "network_forward":
        parameters = jax.tree.map(jnp.array, layers(g["theta"], work.sizes))
        rows, predict = jnp.array(g["X"].T), jax.jit(_predict)
        return [lambda: jax.block_until_ready(predict(parameters, rows))]
    if work.operation != "train_epoch":
        return []
    return [_form(work, g, *form) for form in _FORMS]
