"""What runs in a worker: functions on blocks, several blocks as one key, and the worker's share of threads.

These functions are pure: Dask may call them again, on another worker, after a worker has died.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from dask.sizeof import sizeof
from distributed import get_worker

import dlkernels
from dlkernels.blocks import Sums, Tree

#: A raw block: X, y and the weights or None, as Dask's collections give them, or as Delayed objects.
Raw = tuple[Any, Any, Any]

#: Where the block of a number is, for messages.
place = "block {}".format

#: One task at a time runs kernels in a process, because the number of threads holds for the whole process.
_ONE_AT_A_TIME = threading.Lock()


class Part:
    """Blocks that Dask keeps, moves and spills as one thing."""

    def __init__(self, numbers: list[int], blocks: list[Any]) -> None:
        self.numbers = numbers
        self.blocks = blocks

    def __sizeof__(self) -> int:
        """What Dask takes for the size of this part when it decides what to spill and where to compute."""
        return object.__sizeof__(self) + sum(map(size_of, self.blocks))


def size_of(block: Any) -> int:
    """The bytes of a block: its `nbytes` if it has that, else what Dask's `sizeof` finds."""
    number = getattr(block, "nbytes", None)
    return int(sizeof(block) if number is None else number)


class PartSums(NamedTuple):
    """What a round returns for a part."""

    nodes: dict[tuple[int, int], Sums]  # those of `Tree`
    seconds: float  # in the function, without the time that the task waited for another one
    worker: str


def raw_block(X: Any, y: Any, sample_weight: Any) -> Raw:
    return X, y, sample_weight


def look(function: Callable[..., Any], number: int, raw: Raw) -> Any:
    return function(number, *raw)


def load(function: Callable[..., Any], number: int, raw: Raw) -> Part:
    return Part([number], [function(number, *raw)])


def join(parts: list[Part]) -> Part:
    numbers = [number for part in parts for number in part.numbers]
    return Part(numbers, [block for part in parts for block in part.blocks])


def nothing() -> None:
    """Keeps a scheduler awake."""


def part_sums(function: Callable[..., Sums], arguments: tuple[Any, ...], part: Part) -> PartSums:
    """`sums_of_part` as a task."""
    worker = get_worker()
    return sums_of_part(function, arguments, part, worker.state.nthreads, worker.address)


def part_sums_of_pieces(function: Callable[..., Sums], part: Part, pieces: list[bytes]) -> PartSums:
    """As `part_sums`, for arguments that were pickled and sent in pieces."""
    return part_sums(function, pickle.loads(b"".join(pieces)), part)


def sums_of_part(
    function: Callable[..., Sums], arguments: tuple[Any, ...], part: Part, threads: int | None, worker: str
) -> PartSums:
    """Call the function with each block, and add what it returns as far as the tree allows."""
    with kernels_turn(threads):
        start = time.perf_counter()
        tree = Tree()
        for number, block in zip(part.numbers, part.blocks, strict=True):
            tree.add(number, _checked(number, function(number, block, *arguments)))
        return PartSums(tree.nodes, time.perf_counter() - start, worker)


class LocalRound(NamedTuple):
    """Loads a block and computes its sums, in a process that may be the client's or a pool's."""

    load: Callable[..., Any]
    function: Callable[..., Sums]
    arguments: tuple[Any, ...]
    client: int  # the client's process

    def __call__(self, number: int, X: Any, y: Any, sample_weight: Any) -> PartSums:
        part = load(self.load, number, (X, y, sample_weight))
        return sums_of_part(self.function, self.arguments, part, threads_for(self.client), "")


def merge(parts: list[PartSums]) -> PartSums:
    tree = merged(part.nodes for part in parts)
    return PartSums(tree.nodes, sum(part.seconds for part in parts), "")


def merged(several: Iterable[dict[tuple[int, int], Sums]]) -> Tree:
    """The tree of all these nodes."""
    tree = Tree()
    for nodes in several:
        for (level, index), sums in nodes.items():
            tree.add(index, sums, level)
    return tree


def _checked(number: int, sums: Any) -> Sums:
    if not isinstance(sums, Sums):
        raise TypeError(
            f"the function must return a Sums, but returned {type(sums).__name__} for block {number}"
        )
    return sums


@contextlib.contextmanager
def kernels_turn(threads: int | None) -> Iterator[None]:
    """Wait until no other task of this process runs kernels. Then use so many threads, or as many as set."""
    with _ONE_AT_A_TIME:
        allowed = dlkernels.get_num_threads()
        with dlkernels.threads(allowed if threads is None else min(threads, allowed)):
            yield


def workers_turn(client: int) -> AbstractContextManager[None]:
    """Wait for this task's turn, and use as many threads as it may. `client` is the client's process."""
    return kernels_turn(threads_for(client))


def threads_for(client: int) -> int | None:
    """The threads that a task may use, or None for as many as are set. `client` is the client's process."""
    try:
        return int(get_worker().state.nthreads)  # the default of the kernels is all CPUs of the machine
    except ValueError:  # there is no worker
        # Dask's multiprocessing scheduler has as many processes as there are CPUs.
        return None if os.getpid() == client else 1
