"""How long a cluster may do nothing at all for us, and the errors that say why it did nothing."""

from __future__ import annotations

import asyncio
import time
from typing import Any, NamedTuple

from distributed import KilledWorker
from distributed.comm import CommClosedError

#: After so many seconds in which no worker has had a task, waiting ends with an error. Nothing is wrong with
#: a task that takes longer.
PATIENCE = 25.0

#: The seconds between two looks at the cluster.
PERIOD = 1.0


class ClusterError(RuntimeError):
    """The cluster can't finish the work: its workers or its scheduler are gone, or their memory is full."""


class PausedError(ClusterError):
    """Some workers have paused, with tasks that others could do."""


class State(NamedTuple):
    """What the scheduler knows of its workers."""

    addresses: set[str]
    paused: int
    busy: bool  # some worker has tasks and takes or executes them
    spilled: int  # bytes


def _state_of(dask_scheduler: Any) -> State:
    """Runs on the scheduler, which passes itself by this name."""
    workers = list(dask_scheduler.workers.values())
    paused = [worker.status.name == "paused" for worker in workers]
    # A paused worker finishes what it executes and takes nothing new.
    busy = [w.executing if p else w.processing for w, p in zip(workers, paused, strict=True)]
    return State(set(dask_scheduler.workers), sum(paused), any(busy), sum(w.memory.spilled for w in workers))


async def state(client: Any) -> State:
    """Ask the scheduler, on the client's event loop."""
    asked = client.run_on_scheduler(_state_of)
    try:
        found: State = await asyncio.wait_for(asked, PATIENCE)
    except TimeoutError:
        raise scheduler_is_gone("it doesn't answer") from None
    return found


class Watch:
    """Notices when nothing happens."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._spilled = -1

    def check(self, state: State) -> None:
        """Raise ClusterError if no worker has had a task for `PATIENCE` seconds and nothing was spilled."""
        if state.busy or state.spilled != self._spilled:
            self._spilled = state.spilled
            self._since = time.monotonic()
        elif time.monotonic() - self._since > PATIENCE:
            raise _error(state)


def _error(state: State) -> ClusterError:
    waited = f"for {PATIENCE:g} seconds"
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
    """A ClusterError for what Dask raises about itself. Other errors stay as they are."""
    if isinstance(error, KilledWorker):
        return ClusterError(
            f"Dask workers died again and again, the last one while it computed {error.task!r}. Most often "
            "their memory was too small: use more workers, more memory for each, or smaller blocks. The logs "
            "of the workers say more"
        )
    if isinstance(error, CommClosedError) or getattr(error, "reason", "") == "scheduler-connection-lost":
        return scheduler_is_gone(error)
    return ClusterError(
        f"Dask cancelled the computation ({error}). Data that was given to the cluster by `scatter` is lost "
        "with its worker, because nobody can compute it again"
    )
