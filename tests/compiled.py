"""Each public function, called from a function that Numba compiles; by name, with the same arguments.

`activation` is a variable in all of them. Keyword arguments are passed on as they are.
"""

from __future__ import annotations

from numba import njit

import dlkernels as dk
from dlkernels.catalogue import ACTIVATIONS, COSTS


def _elementwise(name):
    function = getattr(dk, name)
    return njit(lambda Z: function(Z))


def _cost(name, predicted):
    function = getattr(dk, name)
    if predicted == "A":
        return njit(lambda A, Y: function(A, Y))
    return njit(lambda Z, Y: function(Z, Y))


def _elementwise_backward(name, derivative_from):
    function = getattr(dk, name)
    if derivative_from == "A":
        return njit(lambda dA, A: function(dA, A))
    return njit(lambda dA, Z: function(dA, Z=Z))


@njit
def dense_forward(W, A_prev, b, activation):
    return dk.dense_forward(W, A_prev, b, activation, return_Z=True)


@njit
def dense_gradients(dZ, A_prev):
    return dk.dense_gradients(dZ, A_prev)


@njit
def dense_backward(W_next, dZ_next, A, A_prev, activation, Z=None):
    return dk.dense_backward(W_next, dZ_next, A, A_prev, activation, Z=Z)


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
FUNCTIONS.update({name: _cost(name, cost.predicted) for name, cost in COSTS.items()})
