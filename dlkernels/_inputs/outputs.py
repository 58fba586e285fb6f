"""Checks of outputs: arrays for results, and arrays that are updated in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlkernels._inputs.arrays import F32, F64, Array


def _is_plain(array: Any) -> bool:
    """Whether results may be written to this object. A subclass may index and multiply in its own way."""
    return type(array) in (np.ndarray, np.memmap)


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
    """Return `out` if a result of this shape and dtype may be written to it, else raise an error.

    `out` must be in C order: other layouts would need a second set of kernels, or a hidden copy.
    """
    if not (_is_plain(out) and out.shape == shape and out.dtype == dtype and out.flags.carray):
        _refuse(function, out, shape, dtype, name)
    for other, value in inputs:
        if type(value) is float:  # a number has no memory to share
            continue
        array = np.asarray(value)  # also an object that is no array may lend its memory to `out`
        if not (in_place and _same_memory(array, out)) and overlap(array, out):
            raise ValueError(f"{function}: {name} overlaps {other} in memory")
    return out


def _refuse(function: str, out: Any, shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> None:
    """Raise an error that says what is wrong with an output."""
    if not _is_plain(out):
        raise TypeError(f"{function}: {name} must be a plain NumPy array, not {type(out).__name__}")
    if out.shape != shape:
        raise ValueError(f"{function}: {name} has shape {out.shape} but the result has shape {shape}")
    if out.dtype != dtype:
        raise ValueError(f"{function}: {name} has dtype {out.dtype} but the result has dtype {dtype}")
    if not out.flags.writeable:
        raise ValueError(f"{function}: {name} is read-only")
    raise ValueError(layout_refused(function, name, shape, dtype))


def layout_refused(function: str, name: str, shape: object, dtype: object) -> str:
    """The words of the error for an output that lies otherwise in memory, and what to allocate for it."""
    return (
        f"{function}: {name} must be aligned and in C order; columns such as A[:, :n] of a larger array, and "
        f"transposes, aren't: allocate np.empty({shape}, np.{dtype})"
    )


def results(
    function: str,
    shapes: Mapping[str, tuple[int, ...]],
    dtype: np.dtype[Any],
    inputs: Sequence[tuple[str, Any]],
    out: Any,
) -> tuple[Array, ...]:
    """The arrays of the tuple `out`, checked for results of these names and shapes; new ones if None."""
    if out is None:
        return tuple(np.empty(shape, dtype) for shape in shapes.values())
    names = ", ".join(shapes)
    if type(out) is not tuple:
        raise TypeError(f"{function}: out must be a tuple ({names}), not {type(out).__name__}")
    if len(out) != len(shapes):
        raise ValueError(f"{function}: out must hold {len(shapes)} arrays ({names}), not {len(out)}")
    taken = list(inputs)
    for i, ((name, shape), array) in enumerate(zip(shapes.items(), out, strict=True)):
        position = f"out[{i}] ({name})"
        check_out(function, array, shape, dtype, taken, in_place=False, name=position)
        taken.append((position, array))
    return out


def updatable(function: str, named: Sequence[tuple[str, Any]]) -> None:
    """Check arrays to update in place: they must be float, in C order and writeable, and share no memory."""
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
                f"{function}: {name} is updated in place and must be writeable, aligned and in C order: "
                f'make it {name} = np.array({name}, order="C")'
            )
        for other_name, other in named[:position]:
            if overlap(array, other):
                raise ValueError(f"{function}: {name} overlaps {other_name} in memory")


def need_apart(function: str, updated: Sequence[tuple[str, Any]], read: Sequence[tuple[str, Any]]) -> None:
    """Check that no array to update shares memory with an array that is read after the first write."""
    for name, array in updated:
        for other_name, other in read:
            if overlap(array, np.asarray(other)):
                raise ValueError(f"{function}: {name} overlaps {other_name} in memory")
