"""A network of three layers, 30-16-8-1, on rows of a table: predictions, gradients, epochs and fits.

A size is a number of examples, given by its exponent of two.
"""

from __future__ import annotations

from ._timed import _Operation


class _Network(_Operation):
    sizes = (8, 12, 16)
    axis = "log2_m"
    order = "F"

    def shape(self, size: int) -> tuple[int, ...]:
        return (30, 16, 8, 1, 2**size)


class NetworkForward(_Network):
    operation = "network_forward"
    peers = ("torch", "jax", "sklearn")


class NetworkPropagate(_Network):
    operation = "network_propagate"


class TrainEpoch(_Network):
    """An epoch of Adam in batches of 32, in an order that is drawn within it."""

    operation = "train_epoch"
    batch = 32
    peers = ("torch", "jax", "sklearn")


class NetworkFit(_Network):
    """`Network.fit`, two epochs of Adam in batches of 32."""

    operation = "Network"
    steps = 2
    batch = 32
    peers = ("sklearn",)
