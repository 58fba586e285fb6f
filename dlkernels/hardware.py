"""The limits of this machine, for comparison with kernels: moving memory, and multiplying and adding.

Each function does a given amount of work and nothing else, on as many threads as the kernels use. Compare its
time with that of a kernel that moves as many bytes, or adds up as many products.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlkernels._calls import threads
from dlkernels._calls.views import flat
from dlkernels._inputs import arrays, outputs, values
from dlkernels._inputs.arrays import Array
from dlkernels._kernels import limits

__all__ = ["add", "copy", "multiply_add", "read"]

#: An amount of work, in nanoseconds, that is large enough to be shared out among threads in any case.
_MUCH = 1e9


def _vector(function: str, name: str, array: Any) -> Array:
    found = arrays.as_float(f"hardware.{function}", name, array)
    if found.ndim != 1:
        raise ValueError(f"hardware.{function}: {name} must have 1 axis but has shape {found.shape}")
    return arrays.c_order(found)


def copy(source: Any, out: Array) -> None:
    """Copy a vector.

    Parameters
    ----------
    source : array_like, shape (n,)
        The vector to read.
    out : ndarray, shape (n,)
        The array to write to: of the same dtype, in C order, without an overlap with `source`.

    Raises
    ------
    TypeError, ValueError
        If an array is not a vector of float32 or float64, or `out` doesn't fit.

    Examples
    --------
    >>> import numpy as np
    >>> from dlkernels import hardware
    >>> out = np.empty(3)
    >>> hardware.copy([1.0, 2.0, 3.0], out)
    >>> out
    array([1., 2., 3.])
    """
    vector = _vector("copy", "source", source)
    outputs.check_out("hardware.copy", out, vector.shape, vector.dtype, (("source", source),), in_place=False)
    threads.twin(limits.copy, _MUCH)(flat(vector), out)


def add(first: Any, second: Any, out: Array) -> None:
    """Add two vectors. For each number that is written, two are read.

    Parameters
    ----------
    first, second : array_like, shape (n,)
        The vectors to read.
    out : ndarray, shape (n,)
        The array to write to: of the common dtype, in C order, without an overlap with either.

    Raises
    ------
    TypeError, ValueError
        If an array is not a vector of float32 or float64, the lengths differ, or `out` doesn't fit.

    Examples
    --------
    >>> import numpy as np
    >>> from dlkernels import hardware
    >>> out = np.empty(2)
    >>> hardware.add([1.0, 2.0], [3.0, 4.0], out)
    >>> out
    array([4., 6.])
    """
    found = [_vector("add", name, array) for name, array in (("first", first), ("second", second))]
    if found[0].shape != found[1].shape:
        raise ValueError(
            f"hardware.add: first and second must have the same length "
            f"(first {found[0].shape}, second {found[1].shape})"
        )
    dtype, given = arrays.common(found), (("first", first), ("second", second))
    outputs.check_out("hardware.add", out, found[0].shape, dtype, given, in_place=False)
    threads.twin(limits.add, _MUCH)(*(flat(arrays.c_order(array, dtype)) for array in found), out)


def read(source: Any) -> float:
    """Read a vector, and return the sum of its squares.

    Parameters
    ----------
    source : array_like, shape (n,)
        The vector to read.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If `source` is not a vector of float32 or float64.

    Examples
    --------
    >>> from dlkernels import hardware
    >>> hardware.read([1.0, 2.0, 3.0])
    14.0
    """
    vector = _vector("read", "source", source)
    sums = np.empty(vector.size // limits.CHUNK + 1, vector.dtype)
    sums[-1] = 0
    threads.twin(limits.read, _MUCH)(flat(vector), sums)
    return float(sums.sum())


def multiply_add(dtype: Any, flops: float) -> None:
    """Multiply and add in vector registers, from operands that lie in the first-level cache.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        The dtype of the numbers.
    flops : float
        How many multiplications and additions all threads do together. Each thread does at least one round.

    Raises
    ------
    TypeError, ValueError
        If `dtype` is another dtype, or `flops` is not a positive number.

    Examples
    --------
    >>> from dlkernels import hardware
    >>> hardware.multiply_add("float32", 1e6)
    """
    kind = np.dtype(dtype)
    if kind not in (arrays.F32, arrays.F64):
        raise ValueError(f"hardware.multiply_add: dtype must be float32 or float64, not {kind}")
    if values.finite("hardware.multiply_add", "flops", flops) <= 0:
        raise ValueError(f"hardware.multiply_add: flops must be positive, not {flops}")
    kernel, workers = threads.twin_and_workers(limits.multiply_add, _MUCH)
    like = np.zeros(1, kind)
    size = limits.tile_size(like)
    # Both operands are this array. They need STEPS times the height, or the width, of a tile of `size` sums.
    operands = np.ones(limits.STEPS * size, kind)
    updates = max(limits.STEPS, round(flops / (2 * size * workers)))
    kernel(operands, operands, np.empty(workers * size, kind), updates, workers)
