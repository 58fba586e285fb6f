"""Array arguments: which are accepted, which are copied, and what the error messages say.

Callers may pass float arrays of any layout. Kernels get aligned float32 or float64 arrays of one dtype, in
native byte order and in C or Fortran order. Messages name the function, the arguments and both shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dlkernels._inputs import not_numbers

Array: TypeAlias = NDArray[Any]

F32 = np.dtype(np.float32)
F64 = np.dtype(np.float64)


def as_float(function: str, argument: str, value: Any) -> Array:
    """`value` as a float32 or float64 array of any layout. It is not copied if it is one already."""
    array = as_real(function, argument, value)
    dtype = array.dtype
    if dtype.kind == "f":
        return array.astype(dtype.newbyteorder("="), copy=False)
    return array.astype(F64)


def as_real(function: str, argument: str, value: Any) -> Array:
    """`value` as an array of real numbers: floats, integers or booleans of any layout and byte order."""
    if type(value) is np.ndarray and value.dtype in (F64, F32):
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{function}: {argument} is a masked array, and its mask would be ignored; "
            f"fill it first, for instance with {argument}.filled(0)"
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{function}: {argument} is no array: {error}") from None
    except TypeError as error:
        raise TypeError(f"{function}: {argument} is no array: {error}") from None
    dtype = array.dtype
    if dtype.kind in "iub" or (dtype.kind == "f" and dtype.newbyteorder("=") in (F64, F32)):
        return array
    raise TypeError(f"{function}: {not_numbers.why(argument, value, array)}")


def native(array: Any) -> bool:
    """Whether this is a plain array of floats in the machine's byte order."""
    return type(array) is np.ndarray and ((dtype := array.dtype) is F64 or dtype is F32)


def as_kernels_take_them(*arguments: Any) -> bool:
    """Whether all arrays among the arguments are of one float dtype, in C order, aligned and writeable.

    All arrays must also have one axis, or all two: Numba compiles a kernel again for each number of axes.
    """
    arrays = [argument for argument in arguments if isinstance(argument, np.ndarray)]
    first = arrays[0]
    return (
        first.dtype in (F32, F64)
        and first.ndim in (1, 2)
        # Dtypes are compared by value: the result of `newbyteorder` is equal to F64, but another object.
        and all(a.dtype == first.dtype and a.ndim == first.ndim and a.flags.carray for a in arrays)
    )


def _matrices_as_they_are(values: Sequence[Any]) -> bool:
    """Whether all are writeable float matrices of one dtype in C or Fortran order. Takes 0.15 us a matrix."""
    dtype = getattr(values[0], "dtype", None)
    if dtype is not F32 and dtype is not F64:
        return False
    for value in values:
        if type(value) is not np.ndarray or value.dtype is not dtype or value.ndim != 2:
            return False
        flags = value.flags
        # `flags.farray` won't do: NumPy sets it for every array that is not in C order.
        if not (flags.carray or (flags.f_contiguous and flags.behaved)):
            return False
    return True


def c_order(array: Array, dtype: np.dtype[Any] | None = None) -> Array:
    """`array` in `dtype`, aligned and in C order, copied only if it must be."""
    flags = array.flags
    if (dtype is None or array.dtype == dtype) and flags.c_contiguous and flags.aligned:
        return array
    with np.errstate(over="ignore"):  # a large float64 becomes infinite as a float32
        return array.astype(dtype or array.dtype, order="C")


def c_or_fortran_order(array: Array, dtype: np.dtype[Any]) -> Array:
    """As `c_order`, but a matrix in Fortran order stays in it."""
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        return c_order(array.T, dtype).T
    return c_order(array, dtype)


def common(arrays: Sequence[Array]) -> np.dtype[Any]:
    """float32 if all arrays are float32, else float64, as `numpy.result_type` says for these two dtypes."""
    return F32 if all(array.dtype == F32 for array in arrays) else F64


def matrices(function: str, given: Mapping[str, Any]) -> list[Array]:
    """The values, which are given by their names, as float arrays with two axes in any layout."""
    if _matrices_as_they_are(tuple(given.values())):
        return list(given.values())
    arrays = [as_float(function, name, value) for name, value in given.items()]
    for name, array in zip(given, arrays, strict=True):
        need_matrix(function, name, array)
    return arrays


def need_matrix(function: str, name: str, array: Array) -> None:
    """Raise an error unless the array has two axes."""
    if array.ndim != 2:
        raise ValueError(
            f"{function}: {name} must have 2 axes but has shape {array.shape}{_hint(name, array)}"
        )


def alike(arrays: list[Array]) -> list[Array]:
    """The matrices in one dtype, each in C or Fortran order. They are copied only if they must be."""
    if _matrices_as_they_are(arrays):
        return arrays
    dtype = common(arrays)
    return [c_or_fortran_order(array, dtype) for array in arrays]


def _hint(name: str, array: Array) -> str:
    if array.ndim > 2 and name == "X":
        return "; examples are columns: if they lie along the first axis, pass X.reshape(len(X), -1).T"
    if array.ndim != 1:
        return ""
    if name == "Y":
        return "; labels are a row: Y.reshape(1, -1)"
    if name in ("w", "b", "b1", "b2"):
        return f"; it is a column: {name}.reshape(-1, 1)"
    return f"; examples are columns: {name}.reshape(-1, 1) for one example, {name}.reshape(1, -1) for one row"
