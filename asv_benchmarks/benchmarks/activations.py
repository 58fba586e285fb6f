"""The activations and their derivatives, a class for each. They write into an existing array (`out=`)."""

from __future__ import annotations

from dlkernels.catalogue import ACTIVATIONS

from ._timed import _classes, _Operation


class _Elementwise(_Operation):
    sizes = (10, 16, 22)
    peers = ("torch", "jax")


_NAMES = [*ACTIVATIONS, *(f"{name}_backward" for name in ACTIVATIONS)]
globals().update(_classes(__name__, _Elementwise, _NAMES))
