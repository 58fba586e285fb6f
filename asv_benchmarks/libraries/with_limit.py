"""What the hardware can do: a plain copy or read of the same bytes, or multiply-adds in registers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from dlkernels._calls import threads as _threads  # noqa: F401  (loads tbb, so that the threads are those of dlkernels)
from dlkernels._simd import tile

#: Numbers per iteration of the parallel loops.
CHUNK = 16384


@numba.njit(parallel=True)
def _copy(source, out):
    n = out.shape[0]
    for chunk in numba.prange((n + CHUNK - 1) // CHUNK):
        part, target = source[chunk * CHUNK : (chunk + 1) * CHUNK], out[chunk * CHUNK : (chunk + 1) * CHUNK]
        for j in range(target.shape[0]):
            target[j] = part[j]


@numba.njit(parallel=True)
def _add(first, second, out):
    n = out.shape[0]
    for chunk in numba.prange((n + CHUNK - 1) // CHUNK):
        here = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
        a, b, target = first[here], second[here], out[here]
        for j in range(target.shape[0]):
            target[j] = a[j] + b[j]


@numba.njit(parallel=True, fastmath=True)
def _read(source, sums):
    n = source.shape[0]
    for chunk in numba.prange((n + CHUNK - 1) // CHUNK):
        part = source[chunk * CHUNK : (chunk + 1) * CHUNK]
        total = part.dtype.type(0)
        for j in range(part.shape[0]):
            total += part[j]
        sums[chunk] = total


@numba.njit(parallel=True)
def _multiply_add(a, b, out, threads, updates):
    """`updates` rank-1 updates of a register tile a thread, from operands in the first-level cache."""
    steps = a.shape[0] // tile.rows(out)
    size = tile.rows(out) * tile.columns(out)
    for t in numba.prange(threads):
        sums = tile.outer_start(tile.outer_zeros(out), a, 0)
        for _ in range(updates // steps):
            for p in range(steps):
                sums = tile.outer_add(sums, a, p * tile.rows(out), b, p * tile.columns(out))
        tile.outer_store(sums, out[t * size : (t + 1) * size], 0, tile.columns(out))


def _largest_rate(work: Any, dtype: Any) -> Callable[[], Any]:
    like = np.zeros(1, dtype)
    size, steps = tile.rows(like) * tile.columns(like), 64
    a, b = np.ones(steps * tile.rows(like), dtype), np.ones(steps * tile.columns(like), dtype)
    threads = numba.get_num_threads()
    out = np.empty(threads * size, dtype)
    updates = max(steps, round(work.flops() / (2 * size * threads)) // steps * steps)
    return lambda: _multiply_add(a, b, out, threads, updates)


def build(work: Any, given: dict[str, Any]) -> list[Callable[[], Any]]:
    if work.limit == "copy":
        Z, out = given["Z"], given["out"]
        if work.operation.endswith("_backward"):
            return [lambda: _add(given["dA"], given["saved"], out)]
        return [lambda: _copy(Z, out)]
    if work.limit == "read":
        X = given["X"].reshape(-1, order=work.order)
        sums = np.empty(X.size // CHUNK + 1, X.dtype)
        return [lambda: _read(X, sums)]
    if work.limit == "fma":
        return [_largest_rate(work, given["X"].dtype)]
    return []
