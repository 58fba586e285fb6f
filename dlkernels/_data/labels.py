"""Labels that are not 0 and 1: find the first, and say what to do with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from dlkernels._data.columns import Array, DataError

#: As many different values can be classes. More are a sign of another column.
_MANY_CLASSES = 20


def advice(values: Iterable[float] | Iterable[str]) -> str:
    """Say how labels with these values become 0 and 1."""
    distinct = sorted(set(values))  # type: ignore[type-var]
    shown = [repr(value).removesuffix(".0") for value in distinct[:3]]
    if len(distinct) == 1:
        return f"all labels are {shown[0]}, but it takes examples of two classes, 0 and 1"
    if len(distinct) == 2:
        return f"write 0 for {shown[0]} and 1 for {shown[1]}"
    if len(distinct) <= _MANY_CLASSES:
        return (
            f"there are {len(distinct)} labels ({', '.join(shown)}{', ...' if distinct[3:] else ''}) "
            "and models here tell two classes apart: write 1 for one of them and 0 for all others"
        )
    return f"there are {len(distinct)} different values, so these seem to be no labels"


def text_of(name: Any) -> str:
    """Return a name that may be stored as bytes."""
    return name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else str(name)


def need_labels(name: str, labels: Array) -> None:
    """Refuse an array that holds anything but 0 and 1, whatever its shape."""
    wrong = np.flatnonzero((labels != 0) & (labels != 1))
    if wrong.size:
        row = labels.ravel()
        raise DataError(
            f"{name} must hold 0 and 1 only, but label {wrong[0]} (counted from 0) is {row[wrong[0]]:g}; "
            f"{advice(row.tolist())}"
        )


def need_numbers(name: str, labels: Array) -> None:
    """Refuse labels that are words, such as "yes" and "no"."""
    if labels.dtype.kind in "US":
        words = [text_of(each) for each in labels.ravel().tolist()]
        raise DataError(
            f"{name} must hold the numbers 0 and 1 but has dtype {labels.dtype}; {advice(words)}, as numbers"
        )


def one_hot(name: str, labels: Array, m: int) -> str:
    """Return a hint if the labels are one-hot: a row or a column for each class. Otherwise return ""."""
    if labels.ndim != 2 or m not in labels.shape or 1 in labels.shape:
        return ""
    across = 0 if labels.shape[1] == m else 1  # the axis of classes
    if not np.isin(labels, (0, 1)).all() or not (labels.sum(axis=across) == 1).all():
        return ""
    index, line = ("[1:2]", "row") if across == 0 else ("[:, 1].reshape(1, -1)", "column")
    k = labels.shape[across]
    others = "" if k == 2 else f", or another {line}; all other classes get 0"
    return f"; {name} looks one-hot, a {line} for each of {k} classes: save {name}{index}{others}"
