"""The three backends agree to rounding, whatever the shapes, dtypes and layouts."""

from __future__ import annotations

import arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlkernels import backends
from dlkernels.catalogue import COSTS

LAYOUTS = [layout for _, layout in arrays.LAYOUTS]
DTYPES = (np.float32, np.float64, np.int32, np.bool_)


@st.composite
def problems(draw, name):
    """Arguments; those that are not updated each in a dtype and a layout of its own."""
    rng = np.random.RandomState(draw(st.integers(0, 2**32 - 1)))
    n, k, m = (draw(st.integers(1, 9)) for _ in range(3))
    size = draw(st.sampled_from([1 / 16, 1, 4]))
    activation = draw(st.sampled_from(arrays.ACTIVATIONS))
    dtype = draw(st.sampled_from(DTYPES[:2]))
    plain = arrays.arguments(
        name, rng, n, k, m, dtype, activation, draw=lambda rng, *shape: size * arrays.grid(rng, *shape)
    )
    mixed = draw(st.booleans()) and name not in arrays.UPDATED
    arguments = {}
    for key, value in plain.items():
        if isinstance(value, np.ndarray) and key not in arrays.UPDATED.get(name, ()):
            if mixed:
                value = value.astype(draw(st.sampled_from(DTYPES)))
            value = draw(st.sampled_from(LAYOUTS))(value)
        arguments[key] = value
    return arguments


@pytest.mark.parametrize("name", arrays.FUNCTIONS)
def test_agreement(name):
    @given(problems(name))
    def check(arguments):
        results = []
        for backend in backends.NAMES:
            fresh = {
                key: arrays.copied({key: value})[key] if key in arrays.UPDATED.get(name, ()) else value
                for key, value in arguments.items()
            }
            results.append(arrays.call(getattr(backends.get(backend), name), name, fresh))
        dtype = arrays.float_dtype(*arrays.flat_inputs(arguments))
        scale, slack = arrays.magnitude(name, arguments), arrays.slack(name, arguments, dtype)
        for other in results[1:]:
            for expected, actual in zip(results[0], other, strict=True):
                assert type(actual) is type(expected)
                if isinstance(actual, np.ndarray):
                    assert (
                        (actual.dtype, actual.shape)
                        == (expected.dtype, expected.shape)
                        == (
                            dtype,
                            expected.shape,
                        )
                    )
                arrays.assert_agree(actual, expected, dtype, scale, slack=slack)

    check()


SPECIAL = (-np.inf, -1e308, -1e30, -800.0, -1.0, -1e-300, -5e-324, -0.0)
SPECIAL = (*SPECIAL, *(-x for x in SPECIAL), np.nan)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [n for n in arrays.FUNCTIONS if arrays.takes_out(n)])
def test_special_values(name, dtype):
    """Every special value, and every pair of them: NaN and infinity in the same places."""
    with np.errstate(all="ignore"):
        values = np.array(SPECIAL).astype(dtype)
    saved = values
    saved_name = arrays.saved_name(name.removesuffix("_backward"))
    if name not in arrays.ACTIVATIONS and saved_name == "A":
        # An activation lies between -1 and 1; beyond, the order of the factors decides what overflows.
        saved = values[~(np.abs(values) > 1)]
    first, second = np.meshgrid(values, saved)
    given_ = {"Z": first} if name in arrays.ACTIVATIONS else {"dA": first, saved_name: second}
    results = [getattr(backends.get(backend), name)(**given_) for backend in backends.NAMES]
    for result in results[1:]:
        arrays.assert_agree(result, results[0], dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [*COSTS, "dot"])
def test_special_costs(name, dtype):
    """One special value and one special label at a time."""
    with np.errstate(all="ignore"):
        values = np.array((*SPECIAL, 0.5, 2.0)).astype(dtype)
    functions = [getattr(backends.get(backend), name) for backend in backends.NAMES]
    for value in values:
        for label in values:
            pair = (np.array([value]), np.array([label]))
            given_ = pair if name == "dot" else tuple(a.reshape(1, 1) for a in pair)
            results = [function(*given_) for function in functions]
            if dtype is np.float32:  # in Python floats what overflows float32 doesn't
                with np.errstate(all="ignore"):
                    results = [float(np.float32(result)) for result in results]
            # y log a + (1 - y) log(1 - a) cancels for a large y
            scale = 1.0 + min(abs(float(label)), 1e300) if np.isfinite(label) else 1.0
            for result, backend in zip(results[1:], backends.NAMES[1:], strict=True):
                if not np.isfinite(results[0]) and not np.isnan(results[0]) and dtype is np.float32:
                    assert not np.isfinite(result), (backend, value, label)
                else:
                    arrays.assert_agree(result, results[0], dtype, scale)
