"""Kernels of neural-network basics as explicit loops, compiled with Numba.

Examples are columns: X is (n_x, m), labels Y are (1, m), a layer's W is (n, n_prev) and its b (n, 1), as in
Andrew Ng's course "Neural Networks and Deep Learning". `dlkernels.backends` holds the same functions in
pure Python and in NumPy, for comparison.
"""

from __future__ import annotations

from dlkernels import backends
from dlkernels._info import show_config
from dlkernels._threads import get_num_threads, set_num_threads, threads
from dlkernels._warmup import warmup
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

__version__ = "0.1.0"

__all__ = [
    "backends",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "dense_backward",
    "dense_forward",
    "dense_gradients",
    "dot",
    "get_num_threads",
    "gradient_descent",
    "identity",
    "identity_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "logistic_descent",
    "logistic_propagate",
    "relu",
    "relu_backward",
    "set_num_threads",
    "shallow_descent",
    "shallow_propagate",
    "show_config",
    "sigmoid",
    "sigmoid_backward",
    "squared_error",
    "tanh",
    "tanh_backward",
    "threads",
    "warmup",
]
