"""Blocks of a table that lie on the workers of a Dask cluster, and rounds of sums over them.

Every task can be computed again from the collections of the user: nothing is scattered, no task is tied to a
worker, and theta is a part of the tasks of its round. So a worker may die at any time. The sums have the same
bits on any number of workers, because `dlkernels.blocks.Tree` adds blocks by their numbers.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import pickle
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from typing import Any

import dask
import distributed
from distributed import KilledWorker
from distributed.comm import CommClosedError

from dlkernels.blocks import Sums
from dlkernels.dask import _direct, _patience, _tasks
from dlkernels.dask._local import Local
from dlkernels.dask._rounds import LAST, Round, cuts, number_of_parts

#: The most bytes of arguments that are sent at once.
_PIECE = 4 << 20


def connect(client: Any, blocks: Sequence[_tasks.Raw]) -> Cluster | Local:
    """Blocks on the cluster of this client, or of the current one; in this process if there is none.

    Parameters
    ----------
    client : distributed.Client or None
    blocks : sequence of (X, y, sample_weight or None)
        Delayed objects, in the order of the blocks.
    """
    if not blocks:
        raise ValueError("there are no blocks")
    if client is None:
        client = _current_client()
    return Local(blocks) if client is None else Cluster(client, blocks)


def _current_client() -> Any:
    """Dask's configuration may name another scheduler than the client that exists."""
    if dask.config.get("scheduler", None) not in (None, "dask.distributed", "distributed"):
        return None
    try:
        return distributed.get_client()
    except ValueError:
        return None


class Cluster:
    """Blocks on the workers of a cluster. Used as a context manager, it releases them at the end."""

    def __init__(self, client: Any, blocks: Sequence[_tasks.Raw]) -> None:
        if not hasattr(client, "asynchronous"):
            raise TypeError(
                f"the client must be a distributed.Client, not {type(client).__name__}; "
                "Client('tcp://host:8786') makes one of an address"
            )
        if client.asynchronous:
            raise ValueError(
                "the client must not be asynchronous: make it by Client(..., asynchronous=False)"
            )
        self.last_rounds: collections.deque[Round] = collections.deque(maxlen=LAST)
        self._client = client
        self._blocks = list(blocks)
        self._names = uuid.uuid4().hex  # several fits may use a cluster, and a client, at once
        self._submitted = 0
        # Futures. They are attributes, because the traceback of an error would keep local variables alive.
        self._raw: list[Any] = []
        self._loaded: list[Any] = []
        self._parts: list[Any] = []
        self._holders: _direct.Holders | None = None
        self._pieces: list[Any] = []
        self._pending: list[Any] = []
        self._waiting = False
        self._last_task = time.monotonic()
        self._away = contextlib.ExitStack()

    def __enter__(self) -> Cluster:
        """If this is a task, its worker gives the thread to other tasks meanwhile, perhaps to ours."""
        with contextlib.suppress(ValueError):  # there is no worker
            distributed.get_worker()
            self._away.enter_context(distributed.worker_client())
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._away.close()

    def look(self, function: Callable[..., Any]) -> list[Any]:
        """Call `function(number, X, y, sample_weight)` for each block. Return the results, in block order.

        The blocks stay on the workers, as they are, until `load`.
        """
        self._sync(_patience.need_package, self._client)
        task = functools.partial(_tasks.look, function)
        return self._results(lambda: self._map("look", task, self._numbers(), self._raw_blocks()))

    def load(self, function: Callable[..., Any]) -> None:
        """Keep what `function(number, X, y, sample_weight)` returns for each block, instead of the blocks.

        Dask has to know how large that is: by its `nbytes`, or because it is an array or a tuple of arrays.
        """

        def submit_blocks() -> list[Any]:
            task = functools.partial(_tasks.load, function)
            self._loaded = self._map("load", task, self._numbers(), self._raw_blocks())
            self._raw = []  # the scheduler releases each as soon as it is loaded
            return self._map("size", _tasks.size_of, self._loaded)

        def submit_parts() -> list[Any]:
            blocks_of_parts = [self._loaded[blocks.start : blocks.stop] for blocks in ranges]
            self._parts = self._map("part", _tasks.join, blocks_of_parts)
            self._loaded = []
            return self._map("size", _tasks.size_of, self._parts)

        sizes = self._results(submit_blocks)
        state = self._sync(_patience.state, self._client)
        ranges = cuts(sizes, number_of_parts(sizes, max(len(state.addresses), 1), state.memory))
        self._results(submit_parts)
        self._sync(self._find_parts)

    def sums(self, function: Callable[..., Sums], *arguments: Any) -> Sums:
        """One round: the sum of what `function(number, block, *arguments)` returns, over all blocks."""
        if not self._parts:
            raise ValueError("sums: call `load` first")
        start = time.perf_counter()
        results = self._asked(function, arguments)
        if results is None:
            results = self._results(lambda: self._submit_sums(function, arguments), tries=2)
            self._sync(self._find_parts)
        total = _tasks.merged(part.nodes for part in results).total()
        kernels: dict[str, float] = collections.defaultdict(float)
        for part in results:
            kernels[part.worker] += part.seconds
        self.last_rounds.append(Round(time.perf_counter() - start, max(kernels.values())))
        return total

    def close(self) -> None:
        """Release everything on the workers. What hasn't begun isn't computed any more."""
        self._waiting = False
        _release([*self._pending, *self._pieces, *self._parts, *self._loaded, *self._raw])
        self._pending, self._pieces, self._parts, self._loaded, self._raw = [], [], [], [], []
        self._holders = None

    def _submit_sums(self, function: Callable[..., Sums], arguments: tuple[Any, ...]) -> list[Any]:
        """The tasks of a round. Arguments that are as large as a large theta get tasks of their own.

        Dask warns of a graph of more than 10 MB, because most often data of the user is in it.
        """
        pickled = pickle.dumps(arguments)
        if len(pickled) <= _PIECE:
            # `Client.map` would make a large keyword argument a key of its own, with a name others may use.
            return self._map("sums", functools.partial(_tasks.part_sums, function, arguments), self._parts)
        name, submit = self._name("piece"), self._client.submit
        starts = range(0, len(pickled), _PIECE)
        self._pieces = [submit(bytes, pickled[i : i + _PIECE], key=(name, i)) for i in starts]
        task = functools.partial(_tasks.part_sums_of_pieces, function)
        return self._map("sums", task, self._parts, [self._pieces] * len(self._parts))

    def _numbers(self) -> range:
        return range(len(self._blocks))

    def _raw_blocks(self) -> list[Any]:
        if not self._raw:
            name = self._name("raw")
            # X, y and weights become one key, which lies on one worker.
            call = dask.delayed(_tasks.raw_block, pure=False)
            blocks = [call(*raw, dask_key_name=f"{name}-{i}") for i, raw in enumerate(self._blocks)]
            self._raw = self._client.compute(blocks)
        return self._raw

    def _map(self, kind: str, function: Callable[..., Any], *several: Any) -> list[Any]:
        name = self._name(kind)
        keys = [(name, k) for k in range(len(several[0]))]
        return list(self._client.map(function, *several, key=keys))

    def _name(self, kind: str) -> str:
        self._submitted += 1
        return f"dlkernels-{kind}-{self._names}-{self._submitted}"

    def _asked(
        self, function: Callable[..., Sums], arguments: tuple[Any, ...]
    ) -> list[_tasks.PartSums] | None:
        """A round without tasks (`_direct`), or None if that wasn't possible."""
        if self._holders is None:
            return None
        answers = self._sync(self._answers, self._holders, function, arguments)
        found = None if answers is None else _direct.joined(self._holders, answers)
        if found is None:
            self._holders = None
        return found

    async def _answers(self, holders: _direct.Holders, *call: Any) -> dict[str, Any] | None:
        """What each worker answers, on the client's event loop; None if one of them is lost meanwhile."""
        run = self._client.run(_direct.held_sums, holders, *call, workers=list(holders), on_error="return")
        answers = asyncio.ensure_future(run)
        try:
            self._stay_awake()
            while not (await asyncio.wait([answers], timeout=_patience.PERIOD))[0]:
                self._stay_awake()
                if not set(holders) <= (await _patience.state(self._client)).addresses:
                    return None
            return None if answers.exception() else dict(answers.result())
        finally:
            answers.cancel()

    def _stay_awake(self) -> None:
        """Submit a task now and then: a scheduler with an idle timeout ends when it sees none for long."""
        if time.monotonic() - self._last_task > _patience.PERIOD:
            self._last_task = time.monotonic()
            _release(self._pending)
            self._pending = [self._client.submit(_tasks.nothing, key=self._name("nothing"))]

    async def _find_parts(self) -> None:
        """Which workers have the parts. On the client's event loop."""
        keys = [part.key for part in self._parts]
        self._holders = _direct.holders_of(keys, await _patience.reply(self._client.who_has(self._parts)))

    def _results(self, submit: Callable[[], list[Any]], tries: int = 1) -> list[Any]:
        """Submit tasks, wait, and return their results. Or raise the error of one, or of the cluster.

        With several tries, tasks that wait on a worker that has paused are submitted again, for the others.
        """
        self._waiting = True
        found = list(self._sync(self._on_loop, submit, tries))
        self._last_task = time.monotonic()
        return found

    def _sync(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call this on the client's event loop. If there is an error, release everything."""
        try:
            if self._client.status != "running":
                raise _patience.scheduler_is_gone(f"the client is {self._client.status}")
            return self._client.sync(function, *arguments)
        except BaseException as error:  # Ctrl-C too, which interrupts this thread while the loop's goes on
            self.close()
            if isinstance(error, KilledWorker | CancelledError | CommClosedError):
                raise _patience.explained(error) from error
            raise

    async def _on_loop(self, submit: Callable[[], list[Any]], tries: int) -> list[Any]:
        """On the client's event loop, where the release of the last round travels with this round's tasks.

        Sent on its own, it would delay them: a client sends at most one message in 10 ms.
        """
        while True:
            self._pending = []
            self._pending = submit()
            if not self._waiting:  # Ctrl-C came before there was anything to release
                self.close()
                return []
            try:
                return await self._finished(self._pending)
            except _patience.PausedError:
                tries -= 1
                if not tries:
                    raise

    async def _finished(self, futures: list[Any]) -> list[Any]:
        """The results of the tasks. In the end, none of them goes on."""
        results = asyncio.ensure_future(self._client.gather(futures, asynchronous=True))
        watch = _patience.Watch()
        try:
            while not (await asyncio.wait([results], timeout=_patience.PERIOD))[0]:
                watch.check(await _patience.state(self._client))
            return list(results.result())
        finally:
            if not results.done():
                # When its futures are released, `gather` ends by itself, and prints nothing.
                _release(futures)
                await asyncio.wait([results], timeout=_patience.PERIOD)
                results.cancel()


def _release(futures: list[Any]) -> None:
    """Tell the scheduler that nobody wants these any more. It forgets those that haven't begun."""
    for future in futures:
        future.release()
