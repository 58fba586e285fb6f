"""Labels of files that are not 0 and 1: refuse them, and say what to write in their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlkernels._data.columns import Array, DataError
from dlkernels._inputs import labels as _labels

_WRITE = _labels.Words(
    "write 0 for {first} and 1 for {last}",
    "write 1 for one of them and 0 for all others",
    "for instance write 1 above {median:.3g} and else 0",
)


def advice(labels: Sequence[float] | Sequence[str]) -> str:
    """Say how labels with these values become 0 and 1."""
    return _labels.advice(labels, _WRITE)


def text_of(name: Any) -> str:
    """Return a name that may be stored as bytes."""
    return name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else str(name)


def need_labels(name: str, labels: Array) -> None:
    """Refuse an array that holds anything but 0 and 1, whatever its shape."""
    if message := _labels.not_0_and_1(name, labels, _WRITE):
        raise DataError(message)


def need_numbers(name: str, labels: Array) -> None:
    """Refuse labels that are words, such as "yes" and "no"."""
    entries = labels.ravel().tolist() if labels.dtype.kind in "USO" else []
    if entries and all(isinstance(each, str | bytes) for each in entries):  # HDF5 has some as objects
        words = [text_of(each) for each in entries]
        raise DataError(
            f"{name} must hold the numbers 0 and 1 but has dtype {labels.dtype}; {advice(words)}, as numbers"
        )
