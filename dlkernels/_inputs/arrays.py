"""Arrays: what is accepted, what is copied, and what a refusal says.

Float arrays of any layout come in; aligned float32 or float64 arrays of one dtype in native byte order,
in C or Fortran order, go on. Messages name the function, the arguments and both shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

F32 = np.dtype(np.float32)
F64 = np.dtype(np.float64)


def as_float(function: str, argument: str, value: Any) -> Array:
    """`value` as a float32 or float64 array of any layout, without a copy where it is one already."""
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
    if dtype.kind == "f" and dtype.newbyteorder("=") in (F64, F32):
        return array.astype(dtype.newbyteorder("="), copy=False)
    if dtype.kind in "iub":
        return array.astype(F64)
    raise TypeError(
        f"{function}: {argument} has dtype {dtype}; expected float32, float64, integers or booleans"
    )


def native(array: Any) -> bool:
    """Whether this is a plain array of floats in the machine's byte order."""
    return type(array) is np.ndarray and ((dtype := array.dtype) is F64 or dtype is F32)


def as_kernels_take_them(*arguments: Any) -> bool:
    """Whether all arrays among the arguments are of one float dtype, in C order, aligned and writeable.

    And whether all have one axis, or all two: each number of axes is compiled for itself.
    """
    arrays = [argument for argument in arguments if isinstance(argument, np.ndarray)]
    first = arrays[0]
    return (
        first.dtype in (F32, F64)
        and first.ndim in (1, 2)
        # Equal, not identical: the result of `newbyteorder` is another object.
        and all(a.dtype == first.dtype and a.ndim == first.ndim and a.flags.carray for a in arrays)
    )


def _matrices_as_they_are(values: Sequence[Any]) -> bool:
    """Whether all are float matrices of one dtype, writeable, in C or Fortran order; 0.15 us a matrix."""
    dtype = getattr(values[0], "dtype", None)
    if dtype is not F32 and dtype is not F64:
        return False
    for value in values:
        if type(value) is not np.ndarray or value.dtype is not dtype or value.ndim != 2:
            return False
        flags = value.flags
        if not (flags.carray or flags.farray):
            return False
    return True


def _is_plain(array: Any) -> bool:
    """Whether results may be written to this: a subclass may have indices and products of its own."""
    return type(array) in (np.ndarray, np.memmap)


def c_order(array: Array, dtype: np.dtype[Any] | None = None) -> Array:
    """`array` in `dtype`, aligned and in C order, copied only if it must be."""
    flags = array.flags
    if (dtype is None or array.dtype == dtype) and flags.c_contiguous and flags.aligned:
        return array
    with np.errstate(over="ignore"):  # a float64 may be infinite as a float32
        return array.astype(dtype or array.dtype, order="C")


def c_or_fortran_order(array: Array, dtype: np.dtype[Any]) -> Array:
    """As `c_order`, but a matrix in Fortran order stays in it."""
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        return c_order(array.T, dtype).T
    return c_order(array, dtype)


def common(arrays: Sequence[Array]) -> np.dtype[Any]:
    """float32 if all are, else float64: what `numpy.result_type` says of these two."""
    return F32 if all(array.dtype == F32 for array in arrays) else F64


def matrices(function: str, names: Sequence[str], values: Sequence[Any]) -> list[Array]:
    """Arrays with two axes, of one dtype, each in C or Fortran order."""
    if _matrices_as_they_are(values):
        return list(values)
    arrays = [as_float(function, name, value) for name, value in zip(names, values, strict=True)]
    for name, array in zip(names, arrays, strict=True):
        if array.ndim != 2:
            raise ValueError(
                f"{function}: {name} must have 2 axes but has shape {array.shape}{_hint(name, array)}"
            )
    dtype = common(arrays)
    return [c_or_fortran_order(array, dtype) for array in arrays]


def _hint(name: str, array: Array) -> str:
    if array.ndim != 1:
        return ""
    if name == "Y":
        return "; labels are a row: Y.reshape(1, -1)"
    if name in ("w", "b", "b1", "b2"):
        return f"; it is a column: {name}.reshape(-1, 1)"
    return f"; examples are columns: {name}.reshape(-1, 1) for one example, {name}.reshape(1, -1) for one row"


#: The hint where X would fit as X.T.
X_TRANSPOSED = "; X looks transposed: examples are columns, so pass X.T"


def need_equal(function: str, a_name: str, a: Array, a_axis: int, b_name: str, b: Array, b_axis: int) -> None:
    """Two axes that a formula pairs must have the same length."""
    if a.shape[a_axis] != b.shape[b_axis]:
        axis = ("rows", "columns")
        raise ValueError(
            f"{function}: {a_name} has {a.shape[a_axis]} {axis[a_axis]} but {b_name} has "
            f"{b.shape[b_axis]} {axis[b_axis]} ({a_name} {a.shape}, {b_name} {b.shape})"
            f"{X_TRANSPOSED if b_name == 'X' and a.shape[a_axis] == b.shape[1 - b_axis] else ''}"
        )


def _if_transposed(name: str, array: Array, other: str, like: Array) -> str:
    """A hint where one array would fit the other's transpose, or be its own."""
    if other != "X" or name not in ("Y", "w"):
        return ""
    rows, columns = like.shape
    if array.shape == ((1, rows) if name == "Y" else (columns, 1)):
        return X_TRANSPOSED
    if name == "Y" and array.shape == (columns, 1):
        return "; labels are a row: pass Y.T"
    if name == "Y" and array.shape == (rows, 1):
        return "; X and Y look transposed: examples are columns, so pass X.T and Y.T"
    return ""


def need_shape(
    function: str, name: str, array: Array, shape: tuple[int, ...], other: str, like: Array
) -> None:
    if array.shape != shape:
        raise ValueError(
            f"{function}: {name} must have shape {shape} but has shape {array.shape} "
            f"({name} {array.shape}, {other} {like.shape}){_if_transposed(name, array, other, like)}"
        )


def need_examples(function: str, name: str, array: Array) -> None:
    if array.shape[1] == 0:
        raise ValueError(f"{function}: the mean over 0 examples is undefined ({name} {array.shape})")


def _same_memory(a: Array, b: Array) -> bool:
    return (
        a.ctypes.data == b.ctypes.data
        and a.shape == b.shape
        and a.strides == b.strides
        and a.dtype == b.dtype
    )


def overlap(a: Array, b: Array) -> bool:
    if not np.may_share_memory(a, b):
        return False
    try:
        # An exact answer can take exponentially long; a doubtful case counts as an overlap.
        return bool(np.shares_memory(a, b, max_work=100_000))  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True


def check_out(
    function: str,
    out: Any,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    inputs: Sequence[tuple[str, Any]],
    in_place: bool,
    name: str = "out",
) -> Array:
    """`out` itself, if it may take a result of this shape and dtype.

    In C order only: other layouts would need a second set of kernels, or a hidden copy.
    """
    if not (_is_plain(out) and out.shape == shape and out.dtype == dtype and out.flags.carray):
        _refuse(function, out, shape, dtype, name)
    for other, value in inputs:
        if type(value) is float:  # has no memory to share
            continue
        array = np.asarray(value)  # what lends its memory need not be an array
        if not (in_place and _same_memory(array, out)) and overlap(array, out):
            raise ValueError(f"{function}: {name} overlaps {other} in memory")
    return out


def _refuse(function: str, out: Any, shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> None:
    """Say what is wrong with an output."""
    if not _is_plain(out):
        raise TypeError(f"{function}: {name} must be a plain NumPy array, not {type(out).__name__}")
    if out.shape != shape:
        raise ValueError(f"{function}: {name} has shape {out.shape} but the result has shape {shape}")
    if out.dtype != dtype:
        raise ValueError(f"{function}: {name} has dtype {out.dtype} but the result has dtype {dtype}")
    if not out.flags.writeable:
        raise ValueError(f"{function}: {name} is read-only")
    raise ValueError(f"{function}: {name} must be aligned and in C order (strides {out.strides})")


def results(
    function: str,
    named: Sequence[tuple[str, tuple[int, ...]]],
    dtype: np.dtype[Any],
    inputs: Sequence[str],
    values: tuple[Any, ...],
    out: Any,
) -> tuple[Array, ...]:
    """The arrays of the tuple `out`, if they may take results of these names and shapes; else new ones."""
    if out is None:
        return tuple(np.empty(shape, dtype) for _, shape in named)
    names = ", ".join(name for name, _ in named)
    if type(out) is not tuple:
        raise TypeError(f"{function}: out must be a tuple ({names}), not {type(out).__name__}")
    if len(out) != len(named):
        raise ValueError(f"{function}: out must hold {len(named)} arrays ({names}), not {len(out)}")
    taken = list(zip(inputs, values, strict=True))
    for i, ((name, shape), array) in enumerate(zip(named, out, strict=True)):
        position = f"out[{i}] ({name})"
        check_out(function, array, shape, dtype, taken, in_place=False, name=position)
        taken.append((position, array))
    return out


def updatable(function: str, named: Sequence[tuple[str, Any]]) -> None:
    """Arrays that are updated in place: float, C order, writeable, no two sharing memory."""
    for position, (name, array) in enumerate(named):
        if not _is_plain(array):
            raise TypeError(
                f"{function}: {name} is updated in place and must be a plain NumPy array, "
                f"not {type(array).__name__}"
            )
        if array.dtype not in (F64, F32):
            raise TypeError(
                f"{function}: {name} is updated in place and must be float32 or float64, not {array.dtype}"
            )
        if not array.flags.carray:
            raise ValueError(
                f"{function}: {name} is updated in place and must be writeable, aligned and in C order"
            )
        for other_name, other in named[:position]:
            if overlap(array, other):
                raise ValueError(f"{function}: {name} overlaps {other_name} in memory")


def need_apart(function: str, updated: Sequence[tuple[str, Any]], read: Sequence[tuple[str, Any]]) -> None:
    """What is updated must not share memory with what is read after the first write."""
    for name, array in updated:
        for other_name, other in read:
            if overlap(array, np.asarray(other)):
                raise ValueError(f"{function}: {name} overlaps {other_name} in memory")
