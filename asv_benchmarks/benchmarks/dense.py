"""A dense layer with equal numbers of units, inputs and examples."""

from __future__ import annotations

from ._timed import _Operation


class _Dense(_Operation):
    sizes = (4, 7, 10)
    axis = "log2_side"
    peers = ("torch", "jax")

    def shape(self, size: int) -> tuple[int, ...]:
        return (2**size,) * 3


class DenseForward(_Dense):
    operation = "dense_forward"


class DenseGradients(_Dense):
    operation = "dense_gradients"


class DenseBackward(_Dense):
    operation = "dense_backward"
