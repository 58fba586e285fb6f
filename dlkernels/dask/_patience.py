"""How long a cluster may do nothing at all for us, and the errors that say why it did nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, NamedTuple

import dask
from dask.utils import parse_timedelta
from distributed import KilledWorker
from distributed.comm import CommClosedError

#: Dask's configuration has under this key how long no worker may have a task, until waiting ends with an
#: error. Nothing is wrong with a task that takes longer.
KEY = "dlkernels.patience"
_DEFAULT = "25 s"

#: The seconds between two looks at the cluster.
PERIOD = 1.0


class ClusterError(RuntimeError):
    """The cluster can't finish the work: its workers or its scheduler are gone, or their memory is full."""


class PausedError(ClusterError):
    """Some workers have paused, with tasks that others could do."""


def patience() -> float:
    """The seconds that Dask's configuration gives."""
    return float(parse_timedelta(dask.config.get(KEY, _DEFAULT), "s"))


class State(NamedTuple):
    """What the scheduler knows of its workers."""

    addresses: set[str]
    paused: int
    busy: bool  # some worker has tasks and takes or executes them
    spilled: int  # bytes
    memory: int = 0  # the limit of the smallest worker, in bytes; 0 if none has a limit


def state_of(dask_scheduler: Any) -> State:
    """Runs on the scheduler, which passes itself by this name."""
    workers = list(dask_scheduler.workers.values())
    paused = [worker.status.name == "paused" for worker in workers]
    # A paused worker finishes what it executes and takes nothing new. A task that has left its thread to
    # others only waits: it may be the one in which `fit` was called.
    tasks = [w.executing if p else w.processing for w, p in zip(workers, paused, strict=True)]
    busy = any(set(each) - set(w.long_running) for w, each in zip(workers, tasks, strict=True))
    return State(
        set(dask_scheduler.workers),
        sum(paused),
        busy,
        sum(w.memory.spilled for w in workers),
        min((w.memory_limit for w in workers if w.memory_limit), default=0),
    )


async def state(client: Any) -> State:
    """Ask the scheduler, on the client's event loop."""
    found: State = await reply(client.run_on_scheduler(state_of))
    return found


async def reply(asked: Awaitable[Any]) -> Any:
    """What the scheduler answers, if it is there and answers in time."""
    try:
        return await asyncio.wait_for(asked, patience())
    except TimeoutError:
        raise scheduler_is_gone("it doesn't answer") from None
    except OSError as error:  # also CommClosedError
        raise scheduler_is_gone(error) from error


async def need_package(client: Any) -> None:
    """Refuse a cluster that lacks this package. Its workers would end when they are sent our functions."""

    def version() -> str:  # is sent as code, because it is defined within a function
        try:
            import dlkernels

            return str(dlkernels.__version__)
        except ImportError:
            return ""

    found = {"the scheduler": await reply(client.run_on_scheduler(version))}
    for worker, theirs in (await reply(client.run(version, on_error="return"))).items():
        if isinstance(theirs, str):  # not the error of a worker that has just died
            found[f"the worker {worker}"] = theirs
    ours = version()
    for where, theirs in found.items():
        if not theirs:
            raise ClusterError(f"{where} has no dlkernels: install it there, too")
        if theirs != ours:
            raise ClusterError(f"{where} has dlkernels {theirs}, but this is {ours}")


class Watch:
    """Notices when nothing happens."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._spilled = -1

    def check(self, state: State) -> None:
        """Raise ClusterError if no worker has had a task for too long, and nothing was spilled."""
        if state.busy or state.spilled != self._spilled:
            self._spilled = state.spilled
            self._since = time.monotonic()
        elif time.monotonic() - self._since > patience():
            raise _error(state)


def _error(state: State) -> ClusterError:
    waited = f"for {patience():g} seconds (dask.config has this limit as {KEY!r})"
    workers = len(state.addresses)
    if not workers:
        return ClusterError(f"the Dask cluster has had no workers {waited}")
    if state.paused:
        kind = PausedError if state.paused < workers else ClusterError
        return kind(
            f"{state.paused} of {workers} Dask workers have paused, because their memory is nearly "
            f"full, and no task has run {waited}: use more workers, more memory for each, or smaller blocks"
        )
    return ClusterError(f"none of the {workers} Dask workers has taken a task {waited}")


def scheduler_is_gone(error: BaseException | str) -> ClusterError:
    return ClusterError(f"the connection to the Dask scheduler is lost ({error})")


def explained(error: BaseException) -> BaseException:
    """A ClusterError for what Dask raises about itself."""
    if isinstance(error, KilledWorker):
        return ClusterError(
            f"Dask workers died again and again, the last one while it computed {error.task!r}. Most often "
            "their memory was too small: use more workers, more memory for each, or smaller blocks. The logs "
            "of the workers say more"
        )
    if isinstance(error, CommClosedError) or getattr(error, "reason", "") == "scheduler-connection-lost":
        return scheduler_is_gone(error)
    return ClusterError(
        f"Dask cancelled the computation ({error}). It may have been cancelled elsewhere; or data is lost "
        "that was persisted on another cluster, or given by `scatter` to a worker that is gone"
    )
