"""The costs, and the dot product, of as many examples."""

from __future__ import annotations

from ._timed import _Operation


class _Vectors(_Operation):
    sizes = (10, 16, 22)


class Dot(_Vectors):
    operation = "dot"


class BinaryCrossEntropy(_Vectors):
    operation = "binary_cross_entropy"


class BinaryCrossEntropyWithLogits(_Vectors):
    operation = "binary_cross_entropy_with_logits"


class SquaredError(_Vectors):
    operation = "squared_error"
