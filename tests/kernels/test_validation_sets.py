"""The correctly rounded values that NumPy ships for its own tests, hard cases among them."""

from __future__ import annotations

import csv
from importlib.resources import files

import numpy as np
import pytest

from dlkernels._compiler.options import loops
from dlkernels._elementary import exponentials, logarithms


def validation_set(name, dtype):
    """Inputs and correctly rounded outputs of one function in one format."""
    integer = np.uint32 if dtype == np.float32 else np.uint64
    path = files("numpy._core.tests") / "data" / f"umath-validation-set-{name}.csv"
    if not path.is_file():
        pytest.skip("this NumPy comes without its validation sets")
    with path.open() as file:
        rows = [row for row in csv.reader(file) if row and row[0] == f"np.{dtype}"]
    x, y = (np.array([int(row[i], 16) for row in rows], integer).view(dtype) for i in (1, 2))
    return x, y


#: Ours, by the name of NumPy's; those of the exponential function take what is not positive alone.
FUNCTIONS = {
    "tanh": exponentials.tanh,
    "exp": exponentials.exp_nonpositive,
    "expm1": exponentials.expm1_nonpositive,
    "log": logarithms.log,
    "log1p": logarithms.log1p,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_within_two_units_in_the_last_place(name, dtype):
    function = FUNCTIONS[name]

    @loops
    def run(values):
        for i in range(values.shape[0]):
            values[i] = function(values[i])

    x, expected = validation_set(name, dtype)
    if name in ("exp", "expm1"):  # what the kernels need: e^-|x|
        expected, x = expected[x <= 0], x[x <= 0]
    assert x.size > 50
    got = x.copy()
    run(got)
    special = ~np.isfinite(expected)
    np.testing.assert_array_equal(got[special], expected[special])
    tiny = np.finfo(dtype).tiny
    normal = ~special & (np.abs(expected) >= tiny)
    error = np.abs(got[normal].astype(np.longdouble) - expected[normal])
    worst = (error / np.spacing(np.abs(expected[normal]))).max()
    assert worst <= 2
    # Below the normal numbers the error is measured in the smallest of them.
    subnormal = ~special & (np.abs(expected) < tiny)
    assert (np.abs(got[subnormal] - expected[subnormal]) <= 2 * np.finfo(dtype).smallest_subnormal).all()
