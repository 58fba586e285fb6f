"""Ten thousand mixed calls from four threads: right to the end, and no memory kept."""

from __future__ import annotations

import os
import threading

import numba
import numpy as np
import pytest
from processes import new_process

import dlkernels as dk

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="takes an hour without compilation"),
    pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads memory from /proc"),
]

CALLS, THREADS = 10_000, 4


def resident():
    """Bytes of memory that this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def one_call(random):
    """A call of a random function on a random shape; true if its result is right."""
    n, k, m = random.integers(1, 40), random.integers(1, 40), random.integers(1, 3000)
    dtype = random.choice([np.float32, np.float64])
    X = random.normal(size=(k, m)).astype(dtype)
    X = np.asfortranarray(X) if random.integers(2) else X
    Y = (X[:1] > 0).astype(dtype)
    W, b = random.normal(size=(n, k)).astype(dtype), np.zeros((n, 1), dtype)
    close = {"rtol": 2e-4, "atol": 2e-4} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-9}
    choice = random.integers(5)
    if choice == 0:
        return np.allclose(dk.dense_forward(W, X, b, "tanh"), np.tanh(W @ X), **close)
    if choice == 1:
        return np.allclose(dk.dense_gradients(X, X)[0], X @ X.T / m, **close)
    if choice == 2:
        w = np.zeros((k, 1), dtype)
        return np.allclose(dk.logistic_propagate(w, 0.0, X, Y)[0], X @ (0.5 - Y).T / m, **close)
    if choice == 3:
        parameters = (W, b, np.zeros((1, n), dtype), np.zeros((1, 1), dtype))
        return abs(dk.shallow_propagate(*parameters, X, Y)[4] - np.log(2)) < 1e-6
    return np.allclose(dk.relu(X), np.maximum(X, 0))


def rounds(calls, seed):
    wrong = []

    def work(number):
        random = np.random.default_rng((seed, number))
        for _ in range(calls // THREADS):
            if not one_call(random):
                wrong.append(number)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return wrong


#: In a process of its own: after all other tests this one holds gigabytes, and has threads of others.
SOAK = """
import sys
sys.path.insert(0, sys.argv[1])
from test_soak import CALLS, resident, rounds
wrong = rounds(CALLS // 4, 1)
before = resident()
wrong += rounds(3 * CALLS // 4, 2)
print(len(wrong), resident() - before)
"""


def test_mixed_calls_from_four_threads():
    """The first calls compile and fill the allocators' pools; the later ones must add next to nothing."""
    result = new_process(SOAK, None, os.path.dirname(__file__), timeout=600)
    assert result.returncode == 0, result.stderr
    wrong, more = map(int, result.stdout.split())
    assert wrong == 0
    assert more < 30e6
