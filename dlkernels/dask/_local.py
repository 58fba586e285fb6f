"""The interface of `Cluster` without a cluster: Dask's scheduler in this process, block by block."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import dask

from dlkernels.blocks import Sums
from dlkernels.dask import _tasks

#: So many sums are added in one task: few are in memory at once, and few tasks are added to the graph.
_TOGETHER = 8


class Local:
    """Computes each block from its graph in each pass, and keeps none, so that they may exceed the memory.

    What the user has persisted isn't computed again. Dask's configuration chooses the scheduler: threads, if
    it says nothing.
    """

    def __init__(self, blocks: Sequence[_tasks.Raw]) -> None:
        self._blocks = list(blocks)
        self._load: Callable[..., Any] | None = None

    def __enter__(self) -> Local:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def look(self, function: Callable[..., Any]) -> list[Any]:
        call = dask.delayed(function, pure=False, traverse=False)
        return list(dask.compute(*[call(number, *raw) for number, raw in enumerate(self._blocks)]))

    def load(self, function: Callable[..., Any]) -> None:
        self._load = function

    def sums(self, function: Callable[..., Sums], *arguments: Any) -> Sums:
        if self._load is None:
            raise ValueError("sums: call `load` first")
        of_block = _tasks.LocalRound(self._load, function, arguments, os.getpid())
        call = dask.delayed(of_block, pure=False, traverse=False)
        merge = dask.delayed(_tasks.merge, pure=False)
        nodes = [call(number, *raw) for number, raw in enumerate(self._blocks)]
        while len(nodes) > 1:
            nodes = [merge(nodes[i : i + _TOGETHER]) for i in range(0, len(nodes), _TOGETHER)]
        (result,) = dask.compute(nodes[0])
        return _tasks.merged([result.nodes]).total()

    def close(self) -> None:
        self._load = None
