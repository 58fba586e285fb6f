"""How good the predictions of a network are, by its output."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ._training import Array


def predicted(output: str, A: Array) -> Array:
    """Return labels for the outputs sigmoid and softmax, the results A themselves for the others."""
    if output == "sigmoid":
        return (A > 0.5).astype(np.int64)
    return A.argmax(axis=0).reshape(1, -1) if output == "softmax" else A


def score(output: str, A: Array, Y: Array) -> float:
    """Return the accuracy for the outputs sigmoid and softmax, R² for identity, D² for exp."""
    if output in ("sigmoid", "softmax"):
        if output == "softmax" and len(Y) > 1:
            Y = Y.argmax(axis=0)
        return float(np.mean((predicted(output, A) == Y).all(axis=0)))
    return _explained(_squares if output == "identity" else _deviance, A, Y)


def _explained(loss: Callable[[Array, Array], Array], A: Array, Y: Array) -> float:
    """Return 1 - loss / (loss of the mean label), averaged over the rows.

    A row whose labels are all alike counts 1 if it is predicted exactly, else 0, as in scikit-learn.
    """
    A, Y = A.astype(np.float64), Y.astype(np.float64)
    left = loss(A, Y)
    base = loss(np.broadcast_to(Y.mean(axis=1, keepdims=True), Y.shape), Y)
    alike = np.ptp(Y, axis=1) == 0
    shares = np.where(alike, np.where(left == 0, 1.0, 0.0), 1 - left / np.where(alike, 1.0, base))
    return float(shares.mean())


def _squares(A: Array, Y: Array) -> Array:
    return np.asarray(((Y - A) ** 2).sum(axis=1))


def _deviance(A: Array, Y: Array) -> Array:
    """Half of the deviance of Poisson's distribution: the sum of y log(y / a) - y + a, 0 log 0 being 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(Y > 0, Y * np.log(Y / A), 0.0)
    return np.asarray((logs - Y + A).sum(axis=1))
