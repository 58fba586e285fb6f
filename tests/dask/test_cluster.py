"""Sums over blocks on the workers of a cluster: the same bits whatever happens, or a clear error."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import dask
import numpy as np
import pytest
from dask_blocks import (
    ALONE,
    BLOCKS,
    FEATURES,
    THETA,
    WORKER,
    after,
    expected,
    failing,
    fill,
    first_number,
    gradient,
    have_workers,
    keys_are_gone,
    kill,
    load,
    local_cluster,
    look,
    megabytes,
    no_sums,
    pids,
    process,
    processor_time,
    raises_odd_error,
    raises_os_error,
    same_bits,
    slow_gradient,
    table,
    the_theta,
    threads_and_tasks,
    too_large,
)
from distributed import Client

from dlkernels.dask import _patience, _rounds
from dlkernels.dask._cluster import Cluster, connect
from dlkernels.dask._patience import ClusterError

#: What a worker may have, in bytes, and how much makes it pause; it is killed when it has 95 % of the limit.
LIMIT, PAUSES = 1000 << 20, 875 << 20


@pytest.fixture(scope="module")
def client():
    """A cluster that tests make larger, and whose workers they kill."""
    with local_cluster(1, threads_per_worker=2) as client:
        yield client


def loaded(client, blocks=None):
    cluster = connect(client, blocks or table())
    assert isinstance(cluster, Cluster)
    cluster.load(load)
    return cluster


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_bits_do_not_depend_on_the_number_of_workers(client, workers):
    have_workers(client, workers)
    blocks = table()
    with connect(None, blocks) as cluster:
        assert cluster.look(look) == [(n, (40, FEATURES), (40,), (40,)) for n in range(BLOCKS)]
        cluster.load(load)
        for theta in (THETA, -THETA):
            assert same_bits(cluster.sums(gradient, theta), expected(theta, blocks))
        assert len(cluster._parts) == workers
        assert len(cluster.last_rounds) == 2
        assert all(0 < each.kernel_seconds < each.seconds for each in cluster.last_rounds)
    assert keys_are_gone(client)


def test_killed_workers_lose_nothing(client):
    """One dies in a round, and its part is computed again; then another one, and one between rounds."""
    have_workers(client, 2)
    with loaded(client) as cluster:
        for worker in (0, 1):
            before = pids(client)
            with after(0.25, kill, before[worker]):
                assert same_bits(cluster.sums(slow_gradient, THETA), expected())
            have_workers(client, 2)
            assert pids(client) != before
            assert cluster._holders  # the next round is direct again
        kill(pids(client)[0])
        assert same_bits(cluster.sums(gradient, THETA), expected())
    assert keys_are_gone(client)


def test_two_threads_with_one_client(client):
    found = {}

    def fit(sign):
        with loaded(client) as cluster:
            found[sign] = [cluster.sums(gradient, sign * THETA) for _ in range(5)]

    threads = [threading.Thread(target=fit, args=(sign,)) for sign in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for sign in (1, -1):
        assert len(found[sign]) == 5
        assert all(same_bits(sums, expected(sign * THETA)) for sums in found[sign])


def test_the_error_of_a_block_reaches_the_caller(client):
    with loaded(client) as cluster, pytest.raises(ValueError, match="block 3: X holds NaN"):
        cluster.sums(failing)
    assert keys_are_gone(client)
    for function, kind, message in (
        (no_sums, TypeError, r"returned float for block \d+"),
        (raises_os_error, FileNotFoundError, "no such file: X.csv"),
        (raises_odd_error, Exception, "odd"),
    ):
        with loaded(client) as cluster, pytest.raises(kind, match=message):
            cluster.sums(function)


def test_a_scheduler_that_does_not_answer_is_an_error(client, monkeypatch):
    """It may die at any time: between the tasks of `load`, and in a direct round."""

    async def lost(*_):
        raise OSError("nobody is there")

    async def silent(*_):
        await asyncio.sleep(60)

    for answer, message in ((lost, "nobody is there"), (silent, "doesn't answer")):
        with monkeypatch.context() as patched, patience(0.2):
            patched.setattr(client, "run_on_scheduler", answer)
            cluster = connect(client, table())
            with pytest.raises(ClusterError, match=message):
                cluster.load(load)
        assert keys_are_gone(client)
    cluster = loaded(client)
    with monkeypatch.context() as patched, patience(0.2):
        patched.setattr(client, "run_on_scheduler", silent)
        patched.setattr(_patience, "PERIOD", 0.1)
        with pytest.raises(ClusterError, match="doesn't answer"):
            cluster.sums(slow_gradient, THETA)
    assert keys_are_gone(client)


@pytest.mark.parametrize("direct", [True, False])
def test_a_large_theta_brings_no_warning(client, direct):
    """Dask warns of graphs of more than 10 MB, and warnings are errors in the tests."""
    theta = np.arange(1.5e6)
    with loaded(client) as cluster:
        if not direct:
            cluster._holders = None
        assert np.array_equal(cluster.sums(the_theta, theta).gradient, BLOCKS * theta)
    assert keys_are_gone(client)


def test_direct_rounds_keep_the_scheduler_awake(client, monkeypatch):
    """A scheduler with an idle timeout ends when no task has changed its state for so long."""
    monkeypatch.setattr(_patience, "PERIOD", 0.1)
    with loaded(client) as cluster:
        cluster.sums(gradient, THETA)
        before = client.run_on_scheduler(transitions)
        cluster.sums(slow_gradient, THETA)  # a long round, and short ones
        between = client.run_on_scheduler(transitions)
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline:
            cluster.sums(gradient, THETA)
        assert before < between < client.run_on_scheduler(transitions)
        assert cluster._holders


def transitions(dask_scheduler):
    return dask_scheduler.transition_counter


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_cancels_what_runs(client):
    with loaded(client) as cluster:
        with pytest.raises(KeyboardInterrupt), after(0.2, signal.raise_signal, signal.SIGINT):
            cluster.sums(slow_gradient, THETA)
        assert keys_are_gone(client)
        with pytest.raises(ValueError, match="call `load` first"):
            cluster.sums(gradient, THETA)


def test_kernels_use_their_workers_share_of_threads(client, monkeypatch):
    """Each worker has two threads, and more than one part; so two tasks would run at once."""
    monkeypatch.setattr(_rounds, "OF_MEMORY", 1e-12)
    with loaded(client) as cluster:
        assert len(cluster._parts) == BLOCKS
        found = cluster.sums(threads_and_tasks).gradient
    assert found.tolist() == [[2, 1]] * BLOCKS


def test_an_asynchronous_client_is_refused():
    class Asynchronous:
        asynchronous = True

    with pytest.raises(ValueError, match="must not be asynchronous"):
        connect(Asynchronous(), table())
    with pytest.raises(ValueError, match="no blocks"):
        connect(None, [])


def test_the_configured_scheduler_comes_before_the_current_client(client):
    with dask.config.set(scheduler="synchronous"):
        assert not isinstance(connect(None, table()), Cluster)
    assert isinstance(connect(None, table()), Cluster)


def patience(seconds):
    return dask.config.set({"dlkernels.patience": seconds})


def test_no_workers_are_left():
    """Kernels use one thread, before the only worker hangs in a direct round, and Dask gives it up."""
    with local_cluster(0) as client, process(WORKER, client.scheduler.address) as worker:
        cluster = loaded(client)
        own, others = cluster.sums(processor_time).gradient
        assert others < 0.2 * own
        with (
            patience(1),
            pytest.raises(ClusterError, match="no workers for 1 seconds"),
            after(0.2, hang, worker, client),
        ):
            cluster.sums(slow_gradient, THETA)
        assert keys_are_gone(client)


def hang(worker, client):
    worker.send_signal(signal.SIGSTOP)
    client.run_on_scheduler(give_up_workers)


async def give_up_workers(dask_scheduler):
    """What Dask does with workers that it has not heard of for its setting `worker-ttl`."""
    for worker in list(dask_scheduler.workers):
        await dask_scheduler.remove_worker(worker, stimulus_id="worker-ttl")


def test_a_killed_scheduler():
    with process(ALONE) as alone, Client(alone.stdout.readline().strip()) as client:
        cluster = loaded(client)
        with (
            pytest.raises(ClusterError, match="connection to the Dask scheduler is lost"),
            after(0.2, alone.kill),
        ):
            cluster.sums(slow_gradient, THETA)
        with pytest.raises(ValueError, match="call `load` first"):
            cluster.sums(gradient, THETA)
        with pytest.raises(ClusterError, match="the client is"):
            cluster.look(look)


def test_a_cluster_without_the_package_is_refused(client):
    """Before a worker is sent a function that it can't load, which would end it."""
    worker = {"workers": [min(client.nthreads())]}
    before = client.run(os.getpid, **worker)
    client.run(hide_package, **worker)
    try:
        with pytest.raises(ClusterError, match=r"the worker tcp.* has no dlkernels: install it there, too"):
            connect(None, table()).look(look)
        client.run(other_version, **worker)
        with pytest.raises(ClusterError, match=r"the worker tcp.* has dlkernels 0.0.0, but this is"):
            connect(None, table()).look(look)
    finally:
        client.run(show_package, **worker)
    assert client.run(os.getpid, **worker) == before


def test_a_worker_that_dies_before_it_is_asked_is_no_error(client):
    """The scheduler has not noticed yet."""
    have_workers(client, 2)
    for victim in pids(client):
        kill(victim)
        with connect(None, table()) as cluster:
            assert len(cluster.look(look)) == BLOCKS


def hide_package():
    import sys

    sys.modules["dlkernels of the tests"] = sys.modules.pop("dlkernels")
    sys.modules["dlkernels"] = None


def other_version():
    import sys
    import types

    sys.modules["dlkernels"] = types.SimpleNamespace(__version__="0.0.0")


def show_package():
    import sys

    sys.modules["dlkernels"] = sys.modules.pop("dlkernels of the tests")


def for_ever(cluster):
    while True:
        cluster.sums(gradient, THETA)


def forgive_no_failure(dask_scheduler):
    dask_scheduler.allowed_failures = 0


@pytest.mark.slow
def test_memory(tmp_path):
    """Parts are spilled when they don't fit. Blocks that never fit, and a paused worker, are errors."""
    with local_cluster(1, memory_limit=LIMIT, local_directory=tmp_path) as client:
        with connect(client, table(24)) as cluster:
            cluster.load(megabytes)  # 720 MB
            assert len(cluster._parts) >= 4
            for _ in range(2):
                assert cluster.sums(first_number).gradient == [sum(range(24))]
        assert keys_are_gone(client)
        client.run_on_scheduler(forgive_no_failure)
        with pytest.raises(ClusterError, match="died again and again"):
            connect(client, table(2)).load(too_large)
        have_workers(client, 1)
        cluster = loaded(client)
        client.run(fill, PAUSES)
        with patience(2), pytest.raises(ClusterError, match="1 of 1 Dask workers have paused"):
            for_ever(cluster)


@pytest.mark.slow
def test_a_worker_that_pauses_in_a_round(monkeypatch, tmp_path):
    """Tasks that wait there are given to the other one."""
    monkeypatch.setattr(_rounds, "OF_MEMORY", 1e-12)
    options = {"memory_limit": LIMIT, "local_directory": tmp_path}
    with local_cluster(2, **options) as client, patience(2), loaded(client) as cluster:
        with after(0.2, fill_one, client):
            assert same_bits(cluster.sums(slow_gradient, THETA), expected())
        deadline = time.monotonic() + 10
        while client.run_on_scheduler(_patience.state_of).paused != 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert same_bits(cluster.sums(gradient, THETA), expected())


def fill_one(client):
    client.run(fill, PAUSES, workers=[min(client.nthreads())])
