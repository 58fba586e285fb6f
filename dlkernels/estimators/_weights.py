"""A network's parameters as scikit-learn has them, `coefs_` and `intercepts_`, and as the vector theta.

`coefs_[l]` (n_in, n_out) is the transpose of W (n_out, n_in), so that both forms can share one memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import dlkernels as dk
from dlkernels.estimators._base import Array, as_parameters


def drawn(sizes: tuple[int, ...], activations: tuple[str, ...], random: Any, dtype: Any) -> Array:
    """Weights and biases from Glorot's uniform distribution, drawn in scikit-learn's order.

    scikit-learn takes a smaller range where the activation is sigmoid. There is one of `activations` for each
    layer, the output too.
    """
    theta = np.empty(dk.num_parameters(sizes), dtype)
    for (W, b), activation in zip(dk.network_views(theta, sizes), activations, strict=True):
        n_out, n_in = W.shape
        bound = np.sqrt((2.0 if activation == "sigmoid" else 6.0) / (n_in + n_out))
        W[...] = random.uniform(-bound, bound, (n_in, n_out)).T
        b[:, 0] = random.uniform(-bound, bound, n_out)
    return theta


def views(theta: Array, sizes: tuple[int, ...]) -> tuple[list[Array], list[Array]]:
    """`coefs_` and `intercepts_` that share theta's memory."""
    layers = dk.network_views(theta, sizes)
    return [W.T for W, _ in layers], [b[:, 0] for _, b in layers]


def packed(coefs: Sequence[Any], intercepts: Sequence[Any]) -> tuple[Array, tuple[int, ...]]:
    """A new theta from `coefs_` and `intercepts_`, which may have been set by hand; and the sizes."""
    if len(coefs) != len(intercepts):
        raise ValueError(f"there are {len(coefs)} coefs_, but {len(intercepts)} intercepts_")
    layers = [np.asarray(array) for pair in zip(coefs, intercepts, strict=True) for array in pair]
    if any(array.ndim == 0 for array in layers):
        raise ValueError("coefs_ and intercepts_ must be arrays, but one is a single number")
    sizes = (*[W.shape[0] for W in layers[::2]], len(layers[-1]))
    for layer, (W, b) in enumerate(zip(layers[::2], layers[1::2], strict=True)):
        if W.shape != sizes[layer : layer + 2] or b.shape != sizes[layer + 1 : layer + 2]:
            raise ValueError(
                f"coefs_[{layer}] has shape {W.shape} and intercepts_[{layer}] has shape {b.shape}, but they "
                f"stand between {sizes[layer]} and {sizes[layer + 1]} units"
            )
    theta = np.concatenate([array.T.ravel() for array in layers])
    return as_parameters(theta, "coefs_ and intercepts_"), sizes
