"""Sums along axis 1 are at least as accurate as NumPy's, whatever their length."""

from __future__ import annotations

import os
import platform

import numba
import numpy as np
import pytest
from processes import new_process

import dlkernels as dk
from dlkernels._compiler.key import processor_features
from dlkernels._kernels import sums

compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="vectors are summed in compiled code")

#: Around every vector, block and panel, and NumPy's own blocks of 128.
LENGTHS = [2, 3, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 96, 127, 128, 129, 160, 200]
LENGTHS += [
    239,
    240,
    241,
    255,
    256,
    257,
    300,
    400,
    511,
    512,
    513,
    700,
    959,
    1000,
    1023,
    1024,
    1025,
    3000,
    10000,
]


def root_mean_square(errors):
    return float(np.sqrt(np.mean(np.square(errors))))


def errors_of_rows(m, dtype, draw):
    """Root mean square errors of many row sums of m numbers, divided by m: ours and NumPy's."""
    rows = max(2000, 1_000_000 // max(m, 500))
    dZ = draw(rows, m).astype(dtype)
    exact = dZ.astype(np.longdouble).sum(axis=1) / m
    db = dk.dense_gradients(dZ, np.ones((1, m), dtype))[1][:, 0]
    numpys = dZ.sum(axis=1) / dtype.type(m)
    return root_mean_square(db - exact), root_mean_square(numpys - exact)


@compiled
@pytest.mark.parametrize("kind", ["signed", "positive"])
def test_row_sums(kind, dtype, rng):
    draw = rng.normal if kind == "signed" else rng.uniform
    sizes = [errors_of_rows(m, dtype, lambda n, m: draw(size=(n, m))) for m in LENGTHS]
    ratios = [ours / numpys for ours, numpys in sizes if numpys > 0]
    # Where both sum equally well, 2000 rows leave a twentieth to chance (400 rows left more than a tenth).
    assert max(ratios) < 1.1, dict(zip(LENGTHS, ratios, strict=False))
    assert np.exp(np.mean(np.log(ratios))) < 0.95


#: Prints the number of lanes, and our root mean square error of many sums, divided by NumPy's.
SHORT_VECTORS = """
import numpy as np
from numba import float64
from dlkernels._kernels import sums
from dlkernels._simd import registers

X = np.random.default_rng(0).normal(size=(2000, 256))
pairs = np.zeros((2000, 2))
for x, pair in zip(X, pairs):
    sums.add_row(x, pair, 0)
exact = X.astype(np.longdouble).sum(axis=1)
ours, numpys = (np.linalg.norm(found - exact) for found in (pairs.sum(axis=1), X.sum(axis=1)))
print(registers.SHAPES[float64].lanes, ours / numpys)
"""


@compiled
@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or not processor_features().get("fma"),
    reason="this machine has no vectors of 128 bits with fused multiply-adds, or no others",
)
def test_row_sums_with_vectors_of_128_bits():
    """As on arm64. Only rows of which one accumulator would have to add many numbers tell the difference."""
    settings = {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": "+fma"}
    done = new_process(SHORT_VECTORS, {**os.environ, **settings})
    assert done.returncode == 0, done.stderr
    lanes, ratio = done.stdout.split()
    assert (int(lanes), float(ratio) < 1.1) == (2, True), ratio


@compiled
@pytest.mark.parametrize("m", [7, 33, 255, 500, 1000, 1025, 10000])
def test_means(m, dtype, rng):
    """The mean of squares: also the losses' strips and the scaling by a power of two."""
    rows = max(300, 200_000 // max(m, 500))
    A, Y = rng.uniform(size=(2, rows, m)).astype(dtype)
    terms = np.square((A - Y).astype(dtype))
    exact = np.square((A - Y).astype(np.longdouble)).mean(axis=1)
    ours = [dk.squared_error(A[i : i + 1], Y[i : i + 1]) for i in range(rows)]
    numpys = terms.mean(axis=1)
    assert root_mean_square(np.subtract(ours, exact)) < 1.15 * root_mean_square(numpys - exact)


def test_long_sums_lose_nothing(dtype):
    """Ten thousand blocks of a number that isn't representable: plain addition loses many digits."""
    block_sum = np.full(64, 0.1, dtype).sum()
    pairs = np.zeros(2, dtype)
    repeats = 100 if numba.config.DISABLE_JIT else 10_000
    for _ in range(repeats):
        sums.accumulate(pairs, 0, block_sum)
    exact = float(block_sum) * repeats
    assert abs(float(sums.total(pairs, 0)) - exact) <= np.spacing(dtype.type(exact))


def test_an_infinite_sum_stays_infinite(dtype):
    pairs = np.zeros(2, dtype)
    for value in (1.0, np.inf, 2.0):
        sums.accumulate(pairs, 0, dtype.type(value))
    assert sums.total(pairs, 0) == np.inf
