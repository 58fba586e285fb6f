"""Each public function, called from a function that Numba compiles; by name, with the same arguments.

`activation` is a variable in all of them. Keyword arguments are passed on as they are.
"""

from __future__ import annotations

from numba import njit

import dlkernels as dk
from dlkernels.catalogue import ACTIVATIONS


def _elementwise(name):
    function = getattr(dk, name)
    return njit(lambda Z: function(Z))


def _elementwise_backward(name, derivative_from):
    function = getattr(dk, name)
    if derivative_from == "A":
        return njit(lambda dA, A: function(dA, A))
    return njit(lambda dA, Z: function(dA, Z))


@njit
def dense_forward(W, A_prev, b, activation):
    return dk.dense_forward(W, A_prev, b, activation, return_Z=True)


@njit
def dense_gradients(dZ, A_prev):
    return dk.dense_gradients(dZ, A_prev)


@njit
def dense_backward(W_next, dZ_next, saved, A_prev, activation):
    return dk.dense_backward(W_next, dZ_next, saved, A_prev, activation)


@njit
def binary_cross_entropy(A, Y):
    return dk.binary_cross_entropy(A, Y)


@njit
def binary_cross_entropy_with_logits(Z, Y):
    return dk.binary_cross_entropy_with_logits(Z, Y)


@njit
def squared_error(A, Y):
    return dk.squared_error(A, Y)


@njit
def dot(a, b):
    return dk.dot(a, b)


@njit
def logistic_propagate(w, b, X, Y):
    return dk.logistic_propagate(w, b, X, Y)


@njit
def shallow_propagate(W1, b1, W2, b2, X, Y, activation):
    return dk.shallow_propagate(W1, b1, W2, b2, X, Y, activation)


FUNCTIONS = {name: function for name, function in globals().items() if hasattr(function, "py_func")}
for _name, _activation in ACTIVATIONS.items():
    FUNCTIONS[_name] = _elementwise(_name)
    FUNCTIONS[f"{_name}_backward"] = _elementwise_backward(f"{_name}_backward", _activation.derivative_from)
