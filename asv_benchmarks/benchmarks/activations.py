"""The elementwise functions and their derivatives, into memory that is there already."""

from __future__ import annotations

from ._timed import _Operation


class _Elementwise(_Operation):
    sizes = (10, 16, 22)
    peers = ("torch", "jax")


class Sigmoid(_Elementwise):
    operation = "sigmoid"


class Tanh(_Elementwise):
    operation = "tanh"


class Relu(_Elementwise):
    operation = "relu"


class LeakyRelu(_Elementwise):
    operation = "leaky_relu"


class Identity(_Elementwise):
    operation = "identity"
    peers = ()


class SigmoidBackward(_Elementwise):
    operation = "sigmoid_backward"


class TanhBackward(_Elementwise):
    operation = "tanh_backward"


class ReluBackward(_Elementwise):
    operation = "relu_backward"


class LeakyReluBackward(_Elementwise):
    operation = "leaky_relu_backward"


class IdentityBackward(_Elementwise):
    operation = "identity_backward"
    peers = ()
