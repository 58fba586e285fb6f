"""Compiled loops: the public functions of `dlkernels` themselves."""

from __future__ import annotations

from dlkernels._nopython import layers  # noqa: F401  (makes them callable from compiled code)
from dlkernels.activations import (
    identity,
    identity_backward,
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from dlkernels.costs import binary_cross_entropy, binary_cross_entropy_with_logits, dot, squared_error
from dlkernels.dense import dense_backward, dense_forward, dense_gradients
from dlkernels.descent import gradient_descent, logistic_descent, shallow_descent
from dlkernels.propagate import logistic_propagate, shallow_propagate

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "dense_backward",
    "dense_forward",
    "dense_gradients",
    "dot",
    "gradient_descent",
    "identity",
    "identity_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "logistic_descent",
    "logistic_propagate",
    "relu",
    "relu_backward",
    "shallow_descent",
    "shallow_propagate",
    "sigmoid",
    "sigmoid_backward",
    "squared_error",
    "tanh",
    "tanh_backward",
]
