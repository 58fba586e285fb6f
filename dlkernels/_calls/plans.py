"""How a kernel is called for arrays of one shape: which twin may pay, and how large its workspace is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dlkernels._calls.threads import NEVER_BELOW, forced, twin_and_workers
from dlkernels._calls.workspaces import kept, workspace
from dlkernels._compiler.options import Twins
from dlkernels._inputs.arrays import Array


class Plan(NamedTuple):
    """Everything that is the same for all calls with one dtype and shape.

    Computing a plan takes 5 us, so callers keep it. `work` is the estimated time in nanoseconds. The
    workspace has `alone` numbers for one worker, and `share` more for each further worker.
    """

    twins: Twins
    work: float
    alone: int
    share: int


def plan(
    twins: Twins, work: float, workspace_size: Callable[..., int], dtype: np.dtype[Any], *shape: Any
) -> Plan:
    """Make the plan of a kernel; `workspace_size` takes the shape, the number of workers and an array."""
    like = np.empty(0, dtype)
    alone = workspace_size(*shape, 1, like)
    return Plan(twins, work, alone, alone - workspace_size(*shape, 0, like))


def prepared(plan: Plan, dtype: np.dtype[Any]) -> tuple[Callable[..., Any], Array, int]:
    """The faster twin, and its last two arguments: a workspace, and the number of workers."""
    twins, work, alone, share = plan
    if work < NEVER_BELOW and not forced.get():  # the general way below finds the same, in 0.2 us more
        memory = kept(dtype)
        return twins.serial, memory if memory.size >= alone else workspace(alone, dtype), 1
    kernel, workers = twin_and_workers(twins, work)
    return kernel, workspace(alone + (workers - 1) * share, dtype), workers
