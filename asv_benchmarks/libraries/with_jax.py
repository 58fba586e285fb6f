"""JAX on the CPU: one jit around the whole work, and each call waits until the result is ready.

A matrix in Fortran order is given as its transpose, since JAX has no memory orders.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from asv_benchmarks.libraries import _jax_networks
from asv_benchmarks.works import ELEMENTWISE, LEARNING_RATE, NETWORKS, SHALLOW_FITS


def _ready(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    compiled = jax.jit(function)
    return lambda: jax.block_until_ready(compiled(*arguments))


def exact(name: str) -> Callable[[Any], Any]:
    """Return JAX's activation of this name. Its gelu is approximate by default, so ask for the exact one."""
    function = getattr(jax.nn, name)
    return partial(function, approximate=False) if name == "gelu" else function


def _elementwise(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    functions = {
        "sigmoid": jax.nn.sigmoid,
        "tanh": jnp.tanh,
        "relu": lambda z: jnp.maximum(z, 0),
        "leaky_relu": lambda z: jnp.where(z > 0, z, 0.01 * z),
        "sigmoid_backward": lambda da, a: da * a * (1 - a),
        "tanh_backward": lambda da, a: da * (1 - a * a),
        "relu_backward": lambda da, z: jnp.where(z > 0, da, 0),
        "leaky_relu_backward": lambda da, z: jnp.where(z > 0, da, 0.01 * da),
    }
    name = work.operation.removesuffix("_backward")
    if work.operation in functions:
        function = functions[work.operation]
    elif name == work.operation:
        function = exact(name)
    else:
        function = lambda da, z: jax.vjp(exact(name), z)[1](da)[0]  # noqa: E731
    given = (g["dA"], g["saved"]) if work.operation.endswith("_backward") else (g["Z"],)
    return [_ready(function, *given)]


def _dense(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    m = work.shape[-1]
    activate = jnp.tanh if work.activation == "tanh" else lambda z: jnp.maximum(z, 0)

    def gradients(dZ: Any, X: Any) -> Any:
        return dZ @ X.T / m, dZ.mean(axis=1, keepdims=True)

    def backward(W_next: Any, dZ_next: Any, saved: Any, X: Any) -> Any:
        dZ = W_next.T @ dZ_next
        dZ = dZ * (1 - saved * saved) if work.activation == "tanh" else jnp.where(saved > 0, dZ, 0)
        return dZ, *gradients(dZ, X)

    if work.operation == "dense_forward":
        W, b, X = g["W"], g["b"], g["X"]
        return [_ready(lambda W, b, X: activate(W @ X + b), W, b, X)]
    if work.operation == "dense_gradients":
        return [_ready(gradients, g["dZ"], g["X"])]
    return [_ready(backward, g["W_next"], g["dZ_next"], g["saved"], g["X"])]


def _losses(Z: Any, Y: Any) -> Any:
    return (jnp.maximum(Z, 0) - Y * Z + jnp.log1p(jnp.exp(-jnp.abs(Z)))).mean()


def _logistic(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    w, b, Y = g["w"][:, 0], g["b"], g["Y"][0]
    transposed = work.order == "F"
    X = g["X"].T if transposed else g["X"]

    def logits(w: Any, b: Any, X: Any) -> Any:
        return (X @ w if transposed else w @ X) + b

    def by_hand(w: Any, b: Any, X: Any, Y: Any) -> Any:
        z = logits(w, b, X)
        dz = (jax.nn.sigmoid(z) - Y) / Y.shape[0]
        return (dz @ X if transposed else X @ dz), dz.sum(), _losses(z, Y)

    by_autograd = jax.value_and_grad(lambda w, b, X, Y: _losses(logits(w, b, X), Y), argnums=(0, 1))
    return [_ready(by_hand, w, b, jnp.asarray(X), Y), _ready(by_autograd, w, b, jnp.asarray(X), Y)]


def _by_hand(parameters: Any, X: Any, Y: Any) -> Any:
    W1, b1, W2, b2 = parameters
    m = X.shape[1]
    A1 = jnp.tanh(W1 @ X + b1)
    Z2 = W2 @ A1 + b2
    dZ2 = (jax.nn.sigmoid(Z2) - Y) / m
    dZ1 = W2.T * dZ2 * (1 - A1 * A1)
    gradients = (dZ1 @ X.T, dZ1.sum(1, keepdims=True), dZ2 @ A1.T, dZ2.sum(1, keepdims=True))
    return _losses(Z2, Y), gradients


def _by_autograd(parameters: Any, X: Any, Y: Any) -> Any:
    def cost(parameters: Any) -> Any:
        W1, b1, W2, b2 = parameters
        return _losses(W2 @ jnp.tanh(W1 @ X + b1) + b2, Y)

    return jax.value_and_grad(cost)(parameters)


def _shallow(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    X, Y = jnp.asarray(g["X"]), jnp.asarray(g["Y"])
    parameters = tuple(jnp.asarray(g[key]) for key in ("W1", "b1", "W2", "b2"))
    if work.operation == "shallow_propagate":
        return [_ready(form, parameters, X, Y) for form in (_by_hand, _by_autograd)]

    def fit(form: Any) -> Callable[..., Any]:
        def run(parameters: Any, X: Any, Y: Any) -> Any:
            def step(_: Any, current: Any) -> Any:
                _, gradients = form(current, X, Y)
                return tuple(p - LEARNING_RATE * d for p, d in zip(current, gradients, strict=True))

            return jax.lax.fori_loop(0, work.steps, step, parameters)

        return run

    return [_ready(fit(form), parameters, X, Y) for form in (_by_hand, _by_autograd)]


def build(work: Any, given: dict[str, Any]) -> list[Callable[[], Any]]:
    jax.config.update("jax_enable_x64", True)
    # Otherwise JAX hands each call to another thread, which takes longer than a small work itself.
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    name = work.operation
    if name in NETWORKS:
        return _jax_networks.build(work, given)
    if name.removesuffix("_backward") in ELEMENTWISE:
        return _elementwise(work, {key: jnp.asarray(value) for key, value in given.items()})
    if name.startswith("dense"):
        return _dense(work, {key: jnp.asarray(value) for key, value in given.items()})
    if name == "logistic_propagate":
        return _logistic(work, given)
    return _shallow(work, given) if name in ("shallow_propagate", *SHALLOW_FITS) else []
