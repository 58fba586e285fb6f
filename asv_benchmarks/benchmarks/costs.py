"""The costs and the dot product of vectors, a class for each."""

from __future__ import annotations

from dlkernels.catalogue import COSTS

from ._timed import _classes, _Operation


class _Vectors(_Operation):
    sizes = (10, 16, 22)


globals().update(_classes(__name__, _Vectors, [*COSTS, "dot"]))
