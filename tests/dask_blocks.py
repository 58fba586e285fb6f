"""Functions on blocks and small clusters, for tests. Worker processes import this module by its name."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
import weakref

import dask
import dask.array as da
import numpy as np
import psutil
from distributed import Client, LocalCluster
from distributed.core import Status

import dlkernels as dk
from dlkernels.blocks import Sums, block_gradient, combine

FEATURES = 5
BLOCKS = 13
THETA = np.linspace(-1.0, 1.0, FEATURES + 1)


@contextlib.contextmanager
def local_cluster(workers, **options):
    """Worker processes of one thread each, and a client, which is the current one."""
    options = {"threads_per_worker": 1, "dashboard_address": ":0", **options}
    cluster = LocalCluster(n_workers=workers, **options)
    try:
        with Client(cluster) as client:
            yield client
    finally:
        _close(cluster)


def _close(cluster):
    """Close a cluster, though Dask may have missed the start of a worker.

    If a test kills a worker just after its start, Dask may report the worker's end but never its start
    (dask/distributed#5407). `close` then raises KeyError, after all processes have ended, and leaves the
    cluster half closed.
    """
    try:
        cluster.close()
    except KeyError as error:
        if "://" not in str(error):  # the address of the worker
            raise
        cluster.status = Status.closed
        cluster._loop_runner.stop()


def have_workers(client, number):
    """Wait for so many workers. Dask sometimes doesn't start a killed one again; then one is added."""
    client.cluster.scale(number)
    for _ in range(3):
        with contextlib.suppress(TimeoutError):
            client.wait_for_workers(number, timeout=30)
            return
        client.cluster.scale(len(client.cluster.worker_spec) + 1)
    raise AssertionError(f"there are no {number} workers")


#: Starts a cluster of one worker in a process of its own, says its address, and stays until it is killed.
ALONE = """
import sys, time
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0")
    print(cluster.scheduler_address, flush=True)
    time.sleep(600)
"""


#: A worker of this scheduler, of one thread, which nobody starts again.
WORKER = """
import asyncio, sys
from distributed import Worker
async def work():
    async with Worker(sys.argv[1], nthreads=1) as worker:
        await worker.finished()
asyncio.run(work())
"""


@contextlib.contextmanager
def process(code, *arguments):
    """A process with this code, that can import this module; killed at the end."""
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    started = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate(timeout=30)


def table(blocks=BLOCKS, rows=40, weights=True):
    """Delayed X, y and weights of each block, of arrays that the workers draw."""
    random = da.random.RandomState(0)
    X = random.normal(size=(blocks * rows, FEATURES), chunks=(rows, FEATURES))
    y = (X[:, 0] > 0.3).astype(np.int64)
    s = random.uniform(size=blocks * rows, chunks=rows)
    several = [collection.to_delayed().ravel() for collection in (X, y, *([s] if weights else []))]
    return [tuple(block) if weights else (*block, None) for block in zip(*several, strict=True)]


def expected(theta=THETA, blocks=None):
    """The sums in one process, without any engine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is a cluster, too
        rows = dask.compute(blocks or table(), scheduler="synchronous")[0]
    return combine(gradient(n, load(n, *raw), theta) for n, raw in enumerate(rows))


def same_bits(a, b):
    return a.gradient.tobytes() == b.gradient.tobytes() and (a.cost, a.weight) == (b.cost, b.weight)


def look(number, X, y, weights):
    return number, X.shape, y.shape, weights is None or weights.shape


def load(number, X, y, weights):
    return np.asfortranarray(X.T), y[None], weights


def gradient(number, block, theta):
    X, Y, weights = block
    return block_gradient(theta, (FEATURES, 1), X, Y, sample_weight=weights)


def slow_gradient(number, block, theta):
    time.sleep(0.1)
    return gradient(number, block, theta)


def failing(number, block):
    if number == 3:
        raise ValueError("block 3: X holds NaN")
    time.sleep(0.05)
    return Sums(np.zeros(1), 0.0, 0.0)


def the_theta(number, block, theta):
    return Sums(theta, 0.0, 1.0)


class OddError(Exception):
    """An error that can't be pickled."""

    def __init__(self):
        super().__init__("odd")
        self.lock = threading.Lock()


def raises_odd_error(number, block):
    raise OddError


def raises_os_error(number, block):
    raise FileNotFoundError("no such file: X.csv")


def no_sums(number, block):
    return 1.0


# -- what happens in a worker ----------------------------------------------------------------------------

_running = []


def threads_and_tasks(number, block):
    """The threads that kernels may use, and how many tasks of this process call this at once."""
    _running.append(number)
    time.sleep(0.02)
    found = np.zeros((BLOCKS, 2))
    found[number] = dk.get_num_threads(), len(_running)
    _running.remove(number)
    return Sums(found, 0.0, 1.0)


def processor_time(number, block):
    """The processor time of this thread, and that of the process's other threads, in large products."""
    sizes = (100, 64, 1)
    theta = dk.network_parameters(sizes, seed=0)
    X, Y = np.ones((100, 20_000)), np.ones((1, 20_000))
    block_gradient(theta, sizes, X, Y)
    process, thread = time.process_time(), time.thread_time()
    for _ in range(3):
        block_gradient(theta, sizes, X, Y)
    thread = time.thread_time() - thread
    return Sums(np.array([thread, time.process_time() - process - thread]), 0.0, 1.0)


def megabytes(number, X, y, weights):
    return np.full((30 << 20) // 8, float(number))


def first_number(number, block):
    return Sums(block[:1].copy(), 0.0, 1.0)


def too_large(number, X, y, weights):
    """More than any worker of the tests may have, written so that it is resident."""
    return np.ones((1 << 30) // 8)


_kept = []


def fill(bytes_):
    """Take memory that Dask doesn't manage, until this process has so much."""
    _kept.append(np.ones((bytes_ - psutil.Process().memory_info().rss) // 8))


class Counter:
    """Loads blocks in this process, and counts the calls and how many blocks are alive at once."""

    def __init__(self):
        self.lock = threading.Lock()
        self.calls = self.alive = self.most = 0

    def __call__(self, number, X, y, weights):
        block = Block(X, y, weights)
        with self.lock:
            self.calls += 1
            self.alive += 1
            self.most = max(self.most, self.alive)
        weakref.finalize(block, self.gone)
        return block

    def gone(self):
        with self.lock:
            self.alive -= 1


class Block:
    def __init__(self, X, y, weights):
        self.arrays = np.asfortranarray(X.T), y[None], weights


def gradient_of(number, block, theta):
    time.sleep(0.002)
    return gradient(number, block.arrays, theta)


# -- what is done to a cluster ---------------------------------------------------------------------------


def pids(client):
    return sorted(client.run(os.getpid).values())


def kill(*processes):
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def after(seconds, function, *arguments):
    """Call this in another thread after some seconds, while the block runs. The block has to last so long."""
    called = []
    timer = threading.Timer(seconds, lambda: called.append(function(*arguments)))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        assert called, "the block ended too early"


def our_keys(client):
    """The names of all keys of the package that the scheduler knows."""
    return client.run_on_scheduler(_our_keys)


def _our_keys(dask_scheduler):
    return [str(key) for key in dask_scheduler.tasks if "dlkernels" in str(key)]


def keys_are_gone(client, seconds=10):
    deadline = time.monotonic() + seconds
    while our_keys(client):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
