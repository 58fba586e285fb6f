"""Write the values of a graph's nodes as text."""

from __future__ import annotations

import numpy as np

from dlkernels._inputs.arrays import Array


def text(value: Array) -> str:
    """Write a number, up to 4 numbers, or the shape of a larger array."""
    if value.ndim > 0 and 1 < value.size <= 4:
        return np.array2string(value, precision=4, separator=", ").replace("\n", "")
    return short_text(value)


def short_text(value: Array) -> str:
    """Write a single number, or the shape of an array."""
    return f"{value.item():.6g}" if value.size == 1 else f"{value.shape}"
