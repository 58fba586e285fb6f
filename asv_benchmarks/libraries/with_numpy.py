"""NumPy, in place wherever it can be.

It depends on nothing of dlkernels but the catalogue, and the formulas of its numpy backend for activations
that aren't written here.

The dashboard's relative figures are times relative to these functions, over commits: a change here changes
them all. A test that knows this file's hash says what to do then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from asv_benchmarks.works import LEARNING_RATE, LOGISTIC_FITS, SHALLOW_FITS, saved_name
from dlkernels import backends
from dlkernels.catalogue import COSTS


def sigmoid(Z: Any, out: Any) -> Any:
    np.negative(Z, out)
    np.exp(out, out)
    out += 1
    return np.reciprocal(out, out)


def leaky_relu(Z: Any, out: Any) -> Any:
    np.multiply(Z, 0.01, out)
    return np.maximum(Z, out, out=out)


def relu(Z: Any, out: Any) -> Any:
    return np.maximum(Z, 0, out=out)


def sigmoid_backward(dA: Any, A: Any, out: Any) -> Any:
    np.subtract(1, A, out)
    out *= A
    out *= dA
    return out


def tanh_backward(dA: Any, A: Any, out: Any) -> Any:
    np.multiply(A, A, out)
    np.subtract(1, out, out)
    out *= dA
    return out


def relu_backward(dA: Any, Z: Any, out: Any) -> Any:
    return np.multiply(dA, Z > 0, out)


def leaky_relu_backward(dA: Any, Z: Any, out: Any) -> Any:
    return np.multiply(dA, np.where(Z > 0, Z.dtype.type(1), Z.dtype.type(0.01)), out)


def tanh(Z: Any, out: Any) -> Any:
    return np.tanh(Z, out)


def identity(Z: Any, out: Any) -> Any:
    np.copyto(out, Z)
    return out


def identity_backward(dA: Any, Z: Any, out: Any) -> Any:
    np.copyto(out, dA)
    return out


def _elementwise(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    name, out = work.operation, g["out"]
    given = (g["dA"], g["saved"]) if name.endswith("_backward") else (g["Z"],)
    function = globals().get(name)
    if function is None:
        ours = partial(getattr(backends.get("numpy"), name), out=out)
        if name.endswith("_backward"):
            return [partial(ours, g["dA"], **{saved_name(name): g["saved"]})]
        return [partial(ours, g["Z"])]
    return [lambda: function(*given, out)]


def _vectors(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    """Functions of vectors that aren't elementwise."""

    def dot() -> Any:
        return float(g["a"] @ g["b"])

    def binary_cross_entropy() -> Any:
        A, Y = g["A"], g["Y"]
        return -float((Y * np.log(A) + (1 - Y) * np.log1p(-A)).mean())

    def binary_cross_entropy_with_logits() -> Any:
        return float(_losses(g["Z"], g["Y"], np.exp(-np.abs(g["Z"]))))

    def squared_error() -> Any:
        difference = g["A"] - g["Y"]
        return float((difference @ difference.T)[0, 0]) / difference.shape[1]

    def gradient_descent() -> Any:
        for parameter, gradient in zip(g["parameters"], g["gradients"], strict=True):
            parameter -= LEARNING_RATE * gradient
        return g["parameters"]

    return [locals()[work.operation]]


def _dense(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    W, b, X, m = g["W"], g["b"], g["X"], work.shape[-1]

    def forward() -> Any:
        Z = W @ X
        Z += b
        return np.tanh(Z, Z) if work.activation == "tanh" else np.maximum(Z, 0, out=Z)

    def gradients(dZ: Any) -> Any:
        dW = dZ @ X.T
        dW /= m
        return dW, dZ.mean(axis=1, keepdims=True)

    def backward() -> Any:
        dZ = g["W_next"].T @ g["dZ_next"]
        saved = g["saved"]
        if work.activation == "tanh":
            slope = saved * saved
            np.subtract(1, slope, slope)
            dZ *= slope
        else:
            dZ *= saved > 0
        return dZ, *gradients(dZ)

    chosen = {"dense_forward": forward, "dense_backward": backward}
    return [chosen.get(work.operation, lambda: gradients(g["dZ"]))]


def _losses(Z: Any, Y: Any, E: Any) -> Any:
    return (np.log1p(E) + np.maximum(Z, 0) - Y * Z).mean()


def _output(Z: Any, Y: Any) -> tuple[Any, Any]:
    """dz = a - y, in place of Z, and the cost, from one e^-|z|."""
    E = np.exp(-np.abs(Z))
    cost = _losses(Z, Y, E)
    A = np.where(Z >= 0, 1, E)
    A /= 1 + E
    A -= Y
    return A, cost


def _logistic(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    X, Y = g["X"], g["Y"]

    def step(w: Any, b: Any) -> Any:
        dZ, cost = _output(w.T @ X + b, Y)
        return X @ dZ.T / X.shape[1], dZ.mean(), cost

    def fit() -> Any:
        w, b = g["w"].copy(), g["b"]
        for _ in range(work.steps):
            dw, db, _ = step(w, b)
            dw *= LEARNING_RATE
            w -= dw
            b -= LEARNING_RATE * float(db)
        return w, b

    return [fit if work.operation in LOGISTIC_FITS else lambda: step(g["w"], g["b"])]


def _gradients(W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any) -> Any:
    m = X.shape[1]
    A1 = W1 @ X
    A1 += b1
    np.tanh(A1, A1)
    dZ2, cost = _output(W2 @ A1 + b2, Y)
    dZ2 /= m
    dW2, db2 = dZ2 @ A1.T, dZ2.sum(axis=1, keepdims=True)
    A1 *= A1
    np.subtract(1, A1, A1)
    A1 *= W2.T @ dZ2
    return (A1 @ X.T, A1.sum(axis=1, keepdims=True), dW2, db2), cost


def _shallow(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    X, Y, parameters = g["X"], g["Y"], [g[key] for key in ("W1", "b1", "W2", "b2")]

    def fit() -> Any:
        updated = [p.copy() for p in parameters]
        for _ in range(work.steps):
            gradients, _ = _gradients(*updated, X, Y)
            for parameter, gradient in zip(updated, gradients, strict=True):
                gradient *= LEARNING_RATE
                parameter -= gradient
        return updated

    return [fit if work.operation in SHALLOW_FITS else lambda: _gradients(*parameters, X, Y)]


def build(work: Any, given: dict[str, Any]) -> list[Callable[[], Any]]:
    name = work.operation
    if name in ("dot", "gradient_descent", *COSTS):
        return _vectors(work, given)
    if len(work.shape) == 1:
        return _elementwise(work, given)
    if name.startswith("dense"):
        return _dense(work, given)
    return (_logistic if name in ("logistic_propagate", *LOGISTIC_FITS) else _shallow)(work, given)
