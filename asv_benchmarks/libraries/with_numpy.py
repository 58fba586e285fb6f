"""NumPy, in place wherever it can be.

Activations are in `_numpy_elementwise`. Both depend on nothing of dlkernels but the catalogue, and the
formulas of its numpy backend for activations that aren't written there, and for GELU without SciPy.

The dashboard's relative figures are times relative to these functions, over commits: a change here changes
them all. A test that knows the hash of both files says what to do then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from asv_benchmarks.libraries import _numpy_elementwise
from asv_benchmarks.libraries._numpy_elementwise import sigmoid
from asv_benchmarks.works import LEARNING_RATE, LOGISTIC_FITS, NETWORKS, SHALLOW_FITS, layers, saved_name
from dlkernels import backends
from dlkernels.catalogue import COSTS


def _elementwise(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    name, out = work.operation, g["out"]
    given = (g["dA"], g["saved"]) if name.endswith("_backward") else (g["Z"],)
    function = getattr(_numpy_elementwise, name, None)
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
    A = np.maximum(Z >= 0, E)  # E is at most 1
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


class _Network:
    """A network of any depth on batches of rows, with room for everything that a step writes.

    W of a layer is (n, n_prev), as it lies in theta, and A of a layer is (m, n).
    """

    def __init__(self, work: Any, theta: Any, most: int) -> None:
        self.theta, self.gradient = np.empty_like(theta), np.empty_like(theta)
        self.layers = layers(self.theta, work.sizes)
        self.gradients = layers(self.gradient, work.sizes)
        self.A = [np.empty((most, n), theta.dtype) for n in work.sizes]
        self.dZ = [np.empty_like(A) for A in self.A]
        self.ones = np.ones(most, theta.dtype)
        self.moments, self.scratch = np.empty((2, theta.size), theta.dtype), np.empty_like(theta)
        self.start(theta)

    def start(self, theta: Any) -> None:
        """Begin with these parameters, and with Adam's state before its first step."""
        self.theta[...], self.moments[...], self.steps = theta, 0, 0

    def forward(self, rows: Any) -> Any:
        """Return Z of the last layer, which the caller may overwrite."""
        A = rows
        for (W, b), room in zip(self.layers, self.A[1:], strict=True):
            Z = np.dot(A, W.T, out=room[: len(rows)])
            Z += b
            A = Z if room is self.A[-1] else np.maximum(Z, 0, out=Z)
        return A

    def predict(self, rows: Any) -> Any:
        Z = self.forward(rows)
        if Z.shape[1] == 1:
            return sigmoid(Z, Z)
        Z -= Z.max(axis=1, keepdims=True)
        np.exp(Z, out=Z)
        Z /= Z.sum(axis=1, keepdims=True)
        return Z

    def output(self, Z: Any, Y: Any) -> tuple[Any, Any]:
        """Return dZ = A - Y, which may lie in Z, and the cost."""
        if Z.shape[1] == 1:
            return _output(Z, Y[:, np.newaxis])
        true = np.arange(len(Y)), Y
        Z -= Z.max(axis=1, keepdims=True)
        cost = -Z[true].mean()
        np.exp(Z, out=Z)
        sums = Z.sum(axis=1, keepdims=True)
        Z /= sums
        Z[true] -= 1
        return Z, cost + np.log(sums).mean()

    def propagate(self, rows: Any, Y: Any) -> Any:
        """Write the gradient; return the cost."""
        m = len(rows)
        dZ, cost = self.output(self.forward(rows), Y)
        dZ /= m
        for i in reversed(range(len(self.layers))):
            A_prev = self.A[i][:m] if i else rows
            dW, db = self.gradients[i]
            np.dot(dZ.T, A_prev, out=dW)
            np.dot(self.ones[:m], dZ, out=db)
            if i:
                dZ = np.dot(dZ, self.layers[i][0], out=self.dZ[i][:m])
                dZ *= A_prev > 0
        return cost

    def update(self, rate: float, epsilon: float) -> None:
        """Take a step of Adam in PyTorch's order of operations."""
        self.steps += 1
        (mean, square), scratch = self.moments, self.scratch
        mean *= 0.9
        mean += np.multiply(self.gradient, 0.1, out=scratch)
        square *= 0.999
        np.multiply(self.gradient, self.gradient, out=scratch)
        scratch *= 0.001
        square += scratch
        np.sqrt(square, out=scratch)
        scratch /= (1 - 0.999**self.steps) ** 0.5
        scratch += epsilon
        np.divide(mean, scratch, out=scratch)
        scratch *= rate / (1 - 0.9**self.steps)
        self.theta -= scratch


def _network(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    rows, Y, m, random = g["X"].T, g["Y"][0], work.shape[-1], g["random"]
    batch = work.batch or m
    network = _Network(work, g["theta"], batch)

    def train_epoch() -> Any:
        order, total = random.permutation(m), 0.0
        for start in range(0, m, batch):
            chosen = order[start : start + batch]
            # Without mode="clip", take would write into a copy of `out` first.
            gathered = rows.take(chosen, axis=0, out=network.A[0][: len(chosen)], mode="clip")
            total += float(network.propagate(gathered, Y[chosen])) * len(chosen)
            network.update(g["learning_rate"], g["epsilon"])
        return total / m

    def propagate() -> Any:
        cost = network.propagate(rows, Y)
        return network.gradient, float(cost)

    def fit() -> Any:
        network.start(g["theta"])
        for _ in range(work.steps):
            train_epoch()
        return network.layers

    chosen = {"train_epoch": train_epoch, "network_forward": lambda: network.predict(rows).T, "Network": fit}
    return [chosen.get(work.operation, propagate)]


def build(work: Any, given: dict[str, Any]) -> list[Callable[[], Any]]:
    name = work.operation
    if name in ("dot", "gradient_descent", *COSTS):
        return _vectors(work, given)
    if len(work.shape) == 1:
        return _elementwise(work, given)
    if name.startswith("dense"):
        return _dense(work, given)
    if name in NETWORKS:
        return _network(work, given)
    return (_logistic if name in ("logistic_propagate", *LOGISTIC_FITS) else _shallow)(work, given)
