"""Sums over blocks without a cluster: Dask's scheduler in this process."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import dask
import pytest
from dask_blocks import (
    BLOCKS,
    THETA,
    Counter,
    expected,
    failing,
    gradient,
    gradient_of,
    load,
    look,
    no_sums,
    same_bits,
    table,
    threads_and_tasks,
)

from dlkernels.dask._cluster import connect
from dlkernels.dask._local import Local


@pytest.fixture(scope="module")
def pool():
    """Two processes; Dask would start new ones for each pass."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture(params=["synchronous", "threads", pytest.param("processes", marks=pytest.mark.slow)])
def scheduler(request):
    settings = {"scheduler": request.param, "num_workers": 4 if request.param == "threads" else 2}
    if request.param == "processes":
        settings["pool"] = request.getfixturevalue("pool")
    with dask.config.set(settings):
        yield request.param


def loaded(blocks, function=load):
    local = connect(None, blocks)
    assert isinstance(local, Local)
    local.load(function)
    return local


def test_the_bits_are_those_of_one_process(scheduler):
    local = loaded(table())
    assert [number for number, *_ in local.look(look)] == list(range(BLOCKS))
    assert same_bits(local.sums(gradient, THETA), expected())


def test_one_task_at_a_time_runs_kernels(scheduler):
    found = loaded(table()).sums(threads_and_tasks).gradient
    assert found.tolist() == [[1 if scheduler == "processes" else 8, 1]] * BLOCKS


def test_errors_reach_the_caller(scheduler):
    with pytest.raises(ValueError, match="block 3: X holds NaN"):
        loaded(table()).sums(failing)
    with pytest.raises(TypeError, match=r"returned float for block \d+"):
        loaded(table()).sums(no_sums)
    with pytest.raises(ValueError, match="call `load` first"):
        connect(None, table()).sums(gradient, THETA)


@pytest.mark.parametrize("workers", [1, 4])
def test_few_blocks_are_in_memory_at_once(workers):
    """Every pass loads each block again."""
    counter = Counter()
    blocks = table(60)
    with dask.config.set(scheduler="threads", num_workers=workers):
        local = loaded(blocks, counter)
        for _ in range(2):
            assert same_bits(local.sums(gradient_of, THETA), expected(THETA, blocks))
    assert counter.calls == 120
    assert counter.most <= workers + 2
