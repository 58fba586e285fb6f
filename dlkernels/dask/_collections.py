"""Dask's arrays and dataframes, cut into the blocks that estimators learn from."""

from __future__ import annotations

import math
from typing import Any

import dask
import dask.array as da
import numpy as np

#: X, y and weights of a block, as Delayed objects; or None without weights.
Raw = tuple[Any, Any, Any]


def is_frame(value: Any) -> bool:
    """Whether it is a Dask dataframe or series. A program that has some has imported dask.dataframe."""
    return (
        dask.is_dask_collection(value) and hasattr(value, "npartitions") and hasattr(value, "to_dask_array")
    )


def is_collection(value: Any) -> bool:
    """Whether it is a Dask array, dataframe or series."""
    return isinstance(value, da.Array) or is_frame(value)


def blocks_of(X: Any, y: Any, sample_weight: Any = None) -> list[Raw]:
    """The blocks of rows of X, with the labels and weights of their rows."""
    X = whole_rows("X", X)
    _need_numbers(X)
    blocks = [X]
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        blocks.append(None if value is None else _cut_as(X, name, value))
    columns = [[None] * _number(X) if part is None else _delayed(part) for part in blocks]
    return list(zip(*columns, strict=True))


def whole_rows(name: str, value: Any) -> Any:
    """A table whose blocks hold whole rows."""
    if not is_collection(value):
        raise TypeError(
            f"{name} must be a Dask array or dataframe, not {type(value).__name__}; what is in memory can be "
            "fitted by the estimators of dlkernels.estimators"
        )
    if value.ndim != 2 and name == "X":
        raise ValueError(f"X must have 2 axes but has shape {_shape(value)}")
    if isinstance(value, da.Array) and value.ndim == 2 and value.numblocks[1] > 1:
        return value.rechunk({1: -1})
    return value


def _need_numbers(X: Any) -> None:
    """Refuse columns of a dataframe that hold no numbers."""
    if not is_frame(X):
        return
    wrong = [f"{name!r} ({dtype})" for name, dtype in X.dtypes.items() if not _is_number(dtype)]
    if wrong:
        raise TypeError(
            f"X must hold numbers, but {', '.join(wrong[:10])}{' and others' if len(wrong) > 10 else ''} "
            "don't; encode them first, for instance with X.categorize() and dask.dataframe.get_dummies(X)"
        )


def _is_number(dtype: Any) -> bool:
    return getattr(dtype, "kind", "O") in "biuf" and not hasattr(dtype, "categories")


def _cut_as(X: Any, name: str, value: Any) -> Any:
    """Labels or weights, cut into blocks of the same rows as X."""
    value = whole_rows(name, value)
    if value.ndim > 2 or (name == "sample_weight" and value.ndim > 1):
        raise ValueError(f"{name} must have 1 axis but has shape {_shape(value)}")
    here, there = _lengths(X), _lengths(value)
    if here is not None and there is not None:
        if sum(here) != sum(there):
            raise ValueError(f"X has {sum(here)} rows but {name} has {sum(there)}")
        if here != there:
            return value.rechunk({0: here})
    if _number(X) != _number(value):
        raise ValueError(
            f"X has {_number(X)} blocks but {name} has {_number(value)}, and the lengths of some aren't "
            "known; cut both in the same way"
        )
    return value


def _lengths(value: Any) -> tuple[int, ...] | None:
    """The lengths of the blocks, if they are known."""
    if is_frame(value) or any(math.isnan(length) for length in value.chunks[0]):
        return None
    return tuple(value.chunks[0])


def _number(value: Any) -> int:
    return int(value.npartitions) if is_frame(value) else int(value.numblocks[0])


def _shape(value: Any) -> str:
    return str(tuple("unknown" if isinstance(n, float) and math.isnan(n) else n for n in value.shape))


def _delayed(value: Any) -> list[Any]:
    return list(np.ravel(value.to_delayed()))
