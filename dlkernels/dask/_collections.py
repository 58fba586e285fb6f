"""Dask's arrays and dataframes, cut into the blocks that estimators learn from."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import dask
import dask.array as da
import numpy as np

from dlkernels.dask._tasks import Raw


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
    X = features(X)
    blocks = [X]
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        blocks.append(None if value is None else _cut_as(X, name, value))
    columns = [[None] * _number(X) if part is None else _delayed(part) for part in blocks]
    return list(zip(*columns, strict=True))


def features(X: Any) -> Any:
    """The table X, of numbers, whose blocks hold whole rows."""
    X = _whole_rows("X", X)
    if X.ndim != 2:
        raise ValueError(f"X must have 2 axes but has shape {_shape(X)}")
    _need_numbers(X)
    return X


def columns(value: Any) -> int | None:
    """How many columns a table has, or None if that isn't known; 1 if it has one axis."""
    if value.ndim == 1:
        return 1
    return int(value.shape[1]) if isinstance(value.shape[1], Integral) else None


def _whole_rows(name: str, value: Any) -> Any:
    """A table or vector whose blocks hold whole rows."""
    if not is_collection(value):
        raise TypeError(
            f"{name} must be a Dask array or dataframe, not {type(value).__name__}; what is in memory can be "
            "fitted by the estimators of dlkernels.estimators"
        )
    if isinstance(value, da.Array) and value.ndim == 2 and value.numblocks[1] > 1:
        return value.rechunk({1: -1})
    return value


def _need_numbers(X: Any) -> None:
    """Refuse columns of a dataframe that hold no numbers."""
    if not is_frame(X):
        return
    wrong = [f"{column!r} ({dtype})" for column, dtype in X.dtypes.items() if not _is_number(dtype)]
    if wrong:
        raise TypeError(
            f"X must hold numbers, but {', '.join(wrong[:10])}{' and others' if len(wrong) > 10 else ''} "
            "don't; encode them first, for instance with X.categorize() and dask.dataframe.get_dummies(X)"
        )


def _is_number(dtype: Any) -> bool:
    return getattr(dtype, "kind", "O") in "biuf" and not hasattr(dtype, "categories")


def _cut_as(X: Any, name: str, value: Any) -> Any:
    """Labels or weights, cut into blocks of the same rows as X."""
    value = _whole_rows(name, value)
    allowed = "1 axis" if name == "sample_weight" else "1 or 2 axes"
    if value.ndim not in ((1,) if name == "sample_weight" else (1, 2)):
        raise ValueError(f"{name} must have {allowed} but has shape {_shape(value)}")
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
    lengths = [str(n) if isinstance(n, Integral) else "unknown" for n in value.shape]
    return f"({', '.join(lengths)}{',' if len(lengths) == 1 else ''})"


def _delayed(value: Any) -> list[Any]:
    """The blocks as Delayed objects.

    Dask would optimise X and y apart. It would join the small partitions of y and not those of X, and would
    read twice what both come from.
    """
    return list(np.ravel(value.to_delayed(optimize_graph=False)))
