"""Every function at the lengths where vectors, tiles and panels begin and end, compiled against NumPy."""

from __future__ import annotations

import arrays
import numpy as np
import pytest

from dlkernels import backends

ours, plain = backends.get("numba"), backends.get("numpy")

#: Around vectors (8, 16), tiles (32 and 48 columns), panels (240), the longest tile of a fused pass (960),
#: and what is summed at once (256, 1024).
LENGTHS = [1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 239, 240, 241, 255, 256, 257]
LENGTHS += [479, 481, 959, 960, 961, 1023, 1024, 1025]


def positive(rng, *shape):
    """Numbers whose sums don't cancel, so that one number too few is seen in float32, too."""
    return rng.uniform(0.2, 1.0, shape) / (1 + max(shape)) ** 0.5


def check(name, dtype, order="C", **shape):
    given = arrays.arguments(name, np.random.RandomState(7), dtype=dtype, draw=positive, **shape)
    if "Y" in given:
        given["Y"] *= 0.25  # no a - y is negative
    updated = arrays.UPDATED.get(name, ())
    results = []
    for backend in (ours, plain):
        fresh = {
            key: arrays.copied({key: value})[key] if key in updated
            # What is updated must be in C order.
            else np.array(value, order=order) if isinstance(value, np.ndarray)
            else value
            for key, value in given.items()
        }  # fmt: skip
        results.append(arrays.call(getattr(backend, name), name, fresh))
    for actual, expected in zip(*results, strict=True):
        arrays.assert_close(actual, expected, dtype)


@pytest.mark.parametrize("name", arrays.FUNCTIONS)
def test_examples(name, dtype):
    for m in LENGTHS:
        check(name, dtype, m=m)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("axis", ["n", "k"])
@pytest.mark.parametrize(
    "name", [n for n in arrays.FUNCTIONS if n.startswith(("dense", "shallow", "logistic"))]
)
def test_units_and_features(name, axis, order, dtype):
    for length in LENGTHS:
        check(name, dtype, order, **{axis: length}, m=33)


@pytest.mark.parametrize("name", [n for n in arrays.FUNCTIONS if arrays.takes_out(n)])
def test_no_examples(name, dtype):
    check(name, dtype, m=0)
