"""How blocks are shared out among parts, and when waiting for a cluster ends."""

from __future__ import annotations

import itertools
import os
import time
from types import SimpleNamespace

import dask
import pytest

from dlkernels.dask import _patience
from dlkernels.dask._patience import ClusterError, State, Watch
from dlkernels.dask._rounds import cuts, number_of_parts
from dlkernels.dask._tasks import Part, size_of, threads_for


@pytest.mark.parametrize("blocks", [1, 2, 3, 7, 40, 100, 1000, 1023])
@pytest.mark.parametrize("parts", [1, 2, 3, 4, 16])
def test_parts_are_consecutive_and_about_equal(blocks, parts):
    parts = min(blocks, parts)
    ranges = cuts([5] * blocks, parts)
    assert list(itertools.chain(*ranges)) == list(range(blocks))
    assert len(ranges) == parts
    assert max(map(len, ranges)) <= blocks / parts * 9 / 8 + 1


def test_parts_are_balanced_by_bytes():
    assert cuts([100, 1, 1, 1, 1], 2) == [range(1), range(1, 5)]
    assert cuts([1, 1, 1, 1, 100], 2) == [range(4), range(4, 5)]
    assert list(itertools.chain(*cuts([0] * 9, 4))) == list(range(9))


def test_cuts_lie_where_few_nodes_are_sent():
    """A cut at 250 and 750 would leave 9 nodes in a part."""
    for blocks in cuts([5] * 1000, 4):
        assert nodes(blocks) <= 5


def test_many_blocks_are_cut_quickly():
    start = time.perf_counter()
    cuts([5] * 20_000, 400)
    assert time.perf_counter() - start < 0.3  # 1.7 s if each cut looks at all blocks


def nodes(blocks):
    """How many sums of 2**level blocks the blocks of a part make."""
    count, start = 0, blocks.start
    while start < blocks.stop:
        size = start & -start or 1 << 20
        while start + size > blocks.stop:
            size //= 2
        count, start = count + 1, start + size
    return count


def test_a_part_takes_a_fifth_of_a_workers_memory_at_most():
    assert number_of_parts([10] * 100, 4, 0) == 4
    assert number_of_parts([10] * 100, 4, 10_000) == 4
    assert number_of_parts([10] * 100, 4, 1000) == 8
    assert number_of_parts([10] * 100, 4, 1) == 100
    assert number_of_parts([10] * 3, 4, 0) == 3


def test_the_size_of_a_part_is_that_of_its_blocks():
    class Block:
        nbytes = 1000

    assert size_of(Block()) == 1000
    assert Part([0, 1], [Block(), bytes(500)]).__sizeof__() in range(1500, 1800)


def test_a_task_that_only_waits_is_no_life():
    """It may be the one in which `fit` was called, and that waits for the others."""
    worker = SimpleNamespace(
        status=SimpleNamespace(name="running"), processing={"fit"}, long_running={"fit"}, executing={},
        memory=SimpleNamespace(spilled=0), memory_limit=7,
    )  # fmt: skip
    scheduler = SimpleNamespace(workers={"a": worker})
    assert _patience.state_of(scheduler) == State({"a"}, 0, False, 0, 7)
    worker.processing.add("another")
    assert _patience.state_of(scheduler).busy


def test_a_process_of_a_pool_takes_one_thread():
    assert threads_for(os.getpid()) is None
    assert threads_for(-1) == 1


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            State(set(), 0, False, 0),
            r"no workers for 0.5 seconds \(dask.config has this limit as 'dlkernels.patience'\)",
        ),
        (
            State({*"abc"}, 2, False, 0),
            "2 of 3 Dask workers have paused, because their memory is nearly full",
        ),
        (State({*"abc"}, 0, False, 0), "none of the 3 Dask workers has taken a task"),
    ],
)
def test_waiting_ends_when_nothing_happens(monkeypatch, state, message):
    clock = [0.0]
    monkeypatch.setattr(_patience.time, "monotonic", lambda: clock[0])
    with dask.config.set({"dlkernels.patience": "500 ms"}):
        wait(clock, state, message)


def wait(clock, state, message):
    watch = Watch()
    for seconds, busy, spilled in (
        (0, False, 0),
        (1, True, 0),
        (1.4, False, 0),
        (2, False, 7),
        (2.4, False, 7),
    ):
        clock[0] = seconds
        watch.check(state._replace(busy=busy, spilled=spilled))
    clock[0] = 2.6
    with pytest.raises(ClusterError, match=message):  # which names the setting
        watch.check(state._replace(spilled=7))
