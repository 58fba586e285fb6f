"""Memory maps: tables in files, of which a process need not hold more than a part.

The pages of a file that a process has read count as its memory until the system takes them, or the process
gives them back.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.utils import check_array

from dlkernels._inputs.arrays import Array

#: The most bytes that are read before pages are given back.
_PART = 2**26
#: A row that is read at random may cost so many bytes of memory: Linux maps whole large pages of a file.
_LARGE_PAGE = 2**21


def mapping_of(X: Any) -> mmap.mmap | None:
    """The map of the file that X shows, or None if X is in memory or holds changes that no file has."""
    while isinstance(X, np.ndarray):
        if isinstance(X, np.memmap) and X._mmap is not None:  # type: ignore[attr-defined]
            return None if X.mode == "c" else X._mmap  # type: ignore[attr-defined]
        X = X.base
    return None


def drop_pages(mapping: mmap.mmap | None) -> None:
    """Let the process forget the pages that it has read. What was written to them goes to the file."""
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def is_large_map(X: Any) -> bool:
    """Whether X is a memory map that is read in parts."""
    return (
        isinstance(X, np.ndarray)
        and X.ndim == 2
        and len(X) * _row_bytes(X) > _PART
        and mapping_of(X) is not None
    )


def _row_bytes(X: Array) -> int:
    """How many bytes of the file are read for a row, also if X shows only some columns of it."""
    return max(1, abs(X.strides[0]), X.itemsize * X.shape[1])


def parts_of(X: Array) -> Iterator[slice]:
    """Rows of a memory map that are read at a time."""
    step = max(1, _PART // _row_bytes(X))
    for first in range(0, len(X), step):
        yield slice(first, min(len(X), first + step))


def rows_at_random(X: Array) -> int:
    """How many rows of a memory map may be read in any order before its pages are given back."""
    return 4 * _PART // max(_LARGE_PAGE, _row_bytes(X))


def gathered(X: Array, rows: Array) -> Array:
    """Some rows of a table, in this order; those of a memory map are read in the order of the file."""
    if not is_large_map(X):
        return X[rows]
    order = np.argsort(rows)
    in_order, found, mapping = rows[order], np.empty((len(rows), X.shape[1]), X.dtype), mapping_of(X)
    for part in parts_of(X):
        first, last = np.searchsorted(in_order, [part.start, part.stop])
        found[order[first:last]] = X[in_order[first:last]]
        drop_pages(mapping)
    return found


def by_parts(function: Callable[[Array], Array], X: Array) -> Array:
    """What a function returns for the rows of a memory map."""
    found, mapping = [], mapping_of(X)
    for part in parts_of(X):
        found.append(function(X[part]))
        drop_pages(mapping)
    return np.concatenate(found)


def need_finite(X: Array) -> None:
    """Refuse a memory map of what is no number, isn't finite, or isn't read by kernels."""
    if X.dtype.kind == "f" and X.itemsize not in (4, 8):
        raise ValueError(
            f"X is a memory map of {X.dtype}, which would be converted in memory as a whole; write it as "
            "float32, or convert it in parts for fit_chunks"
        )
    mapping = mapping_of(X)
    for part in parts_of(X):
        check_array(X[part], dtype="numeric", input_name="X")
        drop_pages(mapping)
