"""Connect to a Dask cluster, or start one, and wait for what it computes."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import distributed
from dask.system import CPU_COUNT
from distributed import CancelledError, KilledWorker
from distributed.comm import CommClosedError

from dlkernels._data.columns import DataError
from dlkernels._tables.local_cluster import local_cluster
from dlkernels.cli import CommandError
from dlkernels.dask import ClusterError, _patience
from dlkernels.text import printable

LOCAL = "local"
#: Seconds until an address has to answer, and until a cluster has to have a worker.
_ANSWER = 5
#: Seconds until the client is left as it is, if it doesn't close.
_CLOSING = 30


@contextlib.contextmanager
def connected(address: str, most_workers: int) -> Iterator[Any]:
    """Yield the client of the cluster at this address; of `local`, a cluster that ends with the block."""
    with _quiet(), contextlib.ExitStack() as opened:
        if address == LOCAL:
            # Each worker is a process for one CPU, because some of the reading holds Python's lock.
            workers = min(CPU_COUNT, most_workers)
            address = opened.enter_context(local_cluster(max(1, workers)))
        client = _client(address)
        opened.callback(_insistently, client.close)
        try:
            _need_workers(client, address)
            yield client
        except (ClusterError, KilledWorker, CancelledError, CommClosedError) as error:
            why = error if isinstance(error, ClusterError) else _patience.explained(error)
            raise CommandError(f"--dask: {why}") from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the logs of Dask and asyncio from the terminal: a fault is reported once, as by other commands."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _insistently(close: Callable[[], Any]) -> None:
    """Close something to the end, though Ctrl-C may be pressed again; see `cli._insistent_interrupts`."""
    closing = threading.Thread(target=close, daemon=True)
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            if closing.ident is None:
                closing.start()
            closing.join(_CLOSING)
            return


def _client(address: str) -> Any:
    # A client that nothing has answered tries on in the background, and complains in the end.
    try:
        asyncio.run(asyncio.wait_for(_answered(address), _ANSWER + 1))
    except (OSError, ValueError, TypeError) as error:  # CommClosedError is an OSError
        shown = printable(address)
        what = f"no scheduler of Dask answers at {shown}"
        if not isinstance(error, OSError):
            what = f"{shown!r} is no address of a scheduler"
        raise CommandError(
            f"--dask: {what}; say local, or an address such as tcp://host:8786, which `dask scheduler` prints"
        ) from None
    return distributed.Client(address, timeout=_ANSWER, set_as_default=False)


async def _answered(address: str) -> None:
    """Wait until a scheduler has answered."""
    arguments = distributed.Security().get_connection_args("client")
    comm = await distributed.core.connect(address, timeout=_ANSWER, **arguments)
    await comm.close()


def _need_workers(client: Any, address: str) -> None:
    """Refuse a cluster without workers, or with workers that can't compute this."""
    try:
        client.wait_for_workers(1, timeout=_ANSWER)
    except TimeoutError:
        raise CommandError(f"--dask: the cluster at {printable(address)} has no workers") from None
    client.sync(_patience.need_package, client)


def need_files(client: Any, files: Sequence[Path], folder: Path) -> None:
    """Refuse workers that can't read the table by the same path."""
    first = str(files[0].resolve())

    def seen() -> bool:
        import os

        return os.access(first, os.R_OK)

    for worker, found in client.run(seen).items():
        if not found:
            raise DataError(
                f"{folder}: the worker {worker} can't read {first}; every worker has to find the table "
                "by this path, for instance in a shared folder"
            )


def results(
    client: Any, futures: Iterable[Any], advance: Callable[[int], None] = lambda done: None
) -> Iterator[Any]:
    """Yield the results in their order, and forget each. Give up if the cluster does nothing any more."""
    waiting = collections.deque(futures)
    watch = _patience.Watch()
    try:
        while waiting:
            try:
                with client.as_current():
                    distributed.wait(waiting[0], timeout=_patience.PERIOD)
            except TimeoutError:
                watch.check(client.sync(_patience.state, client))
                continue
            result = waiting.popleft().result()
            advance(1)
            yield result
    finally:
        client.cancel(list(waiting))
