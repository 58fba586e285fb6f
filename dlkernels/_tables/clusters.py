"""Connect to a Dask cluster, or start one, and wait for what it computes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dlkernels._data.columns import DataError
from dlkernels._tables.local_cluster import local_cluster
from dlkernels.cli import CommandError
from dlkernels.extras import need
from dlkernels.text import printable

LOCAL = "local"
#: Seconds until an address has to answer, and until a cluster has to have a worker.
_ANSWER = 5
#: Seconds that a cluster may be without any worker before the command gives up.
_ALONE = 30


@contextlib.contextmanager
def connected(address: str, most_workers: int) -> Iterator[Any]:
    """Yield the client of the cluster at this address; of `local`, a cluster that ends with the block."""
    distributed = need("distributed", "--dask", "dask")
    with _quiet(), contextlib.ExitStack() as opened:
        if address == LOCAL:
            # Each worker is a process for one CPU, because reading texts holds Python's lock.
            workers = min(need("dask.system", "--dask", "dask").CPU_COUNT, most_workers)
            address = opened.enter_context(local_cluster(max(1, workers)))
        client = _client(distributed, address)
        opened.callback(_insistently, client.close)
        try:
            _need_workers(client, address)
            yield client
        except distributed.KilledWorker as error:
            raise CommandError(
                f"a worker has died {error.allowed_failures + 1} times at the same task, most likely for "
                "lack of memory; give each worker more, or let fewer share a machine"
            ) from None
        except (distributed.CancelledError, distributed.comm.CommClosedError):
            raise CommandError(f"--dask: the cluster at {printable(address)} has gone away") from None


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
            closing.join(_ALONE)
            return


def _client(distributed: Any, address: str) -> Any:
    # A client that nothing has answered tries on in the background, and complains in the end.
    try:
        asyncio.run(asyncio.wait_for(_answered(distributed, address), _ANSWER + 1))
    except (OSError, ValueError, TypeError) as error:  # CommClosedError is an OSError
        shown = printable(address)
        what = f"no scheduler of Dask answers at {shown}"
        if not isinstance(error, OSError):
            what = f"{shown!r} is no address of a scheduler"
        raise CommandError(
            f"--dask: {what}; say local, or an address such as tcp://host:8786, which `dask scheduler` prints"
        ) from None
    return distributed.Client(address, timeout=_ANSWER, set_as_default=False)


async def _answered(distributed: Any, address: str) -> None:
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
    import dlkernels

    ours = dlkernels.__version__

    def version() -> str:  # is sent as code, because it is defined within a function
        try:
            import dlkernels

            return dlkernels.__version__
        except ImportError:
            return ""

    for worker, theirs in client.run(version).items():
        if not theirs:
            raise CommandError(f"the worker {worker} has no dlkernels: install it there, too")
        if theirs != ours:
            raise CommandError(f"the worker {worker} has dlkernels {theirs}, but this is {ours}")


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


def each(
    client: Any,
    function: Callable[..., Any],
    arguments: Sequence[tuple[Any, ...]],
    advance: Callable[[int], None] = lambda done: None,
) -> Iterator[Any]:
    """Call a function for each of these arguments on the cluster; yield the results in their order."""
    if not arguments:
        return
    futures = client.map(function, *zip(*arguments, strict=True), pure=False)
    try:
        while futures:
            result = finished(client, futures[0]).result()
            del futures[0]  # so that the worker can forget the result
            advance(1)
            yield result
    finally:
        client.cancel(futures)


def finished(client: Any, future: Any) -> Any:
    """Wait for a future; give up if the cluster has lost all its workers."""
    distributed = need("distributed", "--dask", "dask")
    last = time.monotonic()
    while True:
        with contextlib.suppress(TimeoutError), client.as_current():
            distributed.wait([future], timeout=_ANSWER)
            return future
        now = time.monotonic()
        if client.scheduler_info()["workers"]:
            last = now
        elif now - last > _ALONE:
            raise CommandError("the cluster has lost all its workers")
