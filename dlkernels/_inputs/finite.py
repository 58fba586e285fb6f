"""Models take finite numbers only. If one isn't finite, the message says which, and what to do.

Kernels pass NaN on.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlkernels._inputs import arrays
from dlkernels._inputs.arrays import Array

#: The number of entries up to which `numpy.isfinite` takes less time than a sum.
_FEW = 2**16


def finite(function: str, name: str, array: Array, dtype: np.dtype[Any]) -> Array:
    """`array` in `dtype`, in C or Fortran order, if all its numbers are finite in both."""
    converted = arrays.c_or_fortran_order(array, dtype)
    if message := not_finite(name, array, converted):
        raise ValueError(f"{function}: {message}")
    return converted


def not_finite(name: str, array: Array, converted: Array) -> str:
    """The message about the first number that isn't finite, in the array or only once it is converted.

    It is empty if all numbers are finite.
    """
    if all_finite(converted):
        return ""
    bad, dtype = ~np.isfinite(array), converted.dtype
    too_large = not bad.any()
    if too_large:
        bad = ~np.isfinite(converted)
    place = tuple(map(int, np.unravel_index(bad.argmax(), bad.shape)))
    # Without `!s` Python would format a longdouble as a double, which may be infinite.
    entry = f"{name}[{', '.join(map(str, place))}] = {array[place]!s}"
    if name.startswith("X") and len(place) == 2:
        entry += f" (feature {place[0]}, example {place[1]})"
    need = f"numbers that fit into {dtype}" if too_large else "finite numbers"
    what = f"are above {np.finfo(dtype).max:.2g} in size" if too_large else "are NaN or infinite"
    advice = _advice(name, dtype, too_large)
    return f"{name} must hold {need}, but {bad.sum():,} of {bad.size:,} {what}, first {entry}{advice}"


def _advice(name: str, dtype: np.dtype[Any], too_large: bool) -> str:
    if name.startswith("parameters"):
        return ""
    if not name.startswith("X"):
        return "; leave such examples out"
    if too_large:
        return "; scale the features" + ("" if dtype == arrays.F64 else ", or take dtype='float64'")
    return "; leave such examples out, or fill in numbers, for instance the mean of the feature"


def all_finite(array: Array) -> bool:
    if array.size > _FEW:
        # A finite sum says so in half the time, and takes no memory. That of large numbers may be infinite.
        with np.errstate(over="ignore", invalid="ignore"):
            if math.isfinite(np.add.reduce(array, axis=None)):
                return True
    return np.count_nonzero(np.isfinite(array)) == array.size  # `all` takes twice as long for a few
