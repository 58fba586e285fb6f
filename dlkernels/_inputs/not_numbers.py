"""The words for an array of a dtype that no kernel takes: which entry is no number, and what to do."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np


def why(name: str, value: Any, array: np.ndarray[Any, Any]) -> str:
    """The message about `value`, an argument that became this array."""
    message = f"{name} has dtype {array.dtype}; expected float32, float64, integers or booleans"
    if array.dtype.kind not in "fOSU":
        return message
    if name == "Y" and (advice := _if_words(value, array)):
        return f"{message}; {advice}"
    place = next((place for place, entry in np.ndenumerate(array) if not _is_number(entry)), None)
    if place is None:
        return f"{message}; all its entries are numbers, so pass np.asarray({name}, float)"
    if not place:
        return f"{name} must be an array of numbers, not {reprlib.repr(value)}"
    entry = array[place].item() if isinstance(array[place], np.generic) else array[place]
    where = _place(name, value, place)
    return f"{message}; {where} is {reprlib.repr(entry)}: leave out what isn't numbers, or make it numbers"


def _is_number(entry: Any) -> bool:
    try:
        float(entry)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _place(name: str, value: Any, place: tuple[int, ...]) -> str:
    """The place of an entry; in a table, as of pandas, by the names of its row and column."""
    if len(place) != 2 or not hasattr(value, "columns"):
        return f"{name}[{', '.join(map(str, place))}]"
    row, column = place
    rows = list(value.index) if hasattr(value, "index") else range(len(value))
    return f"column {list(value.columns)[column]!r} of {name} in row {rows[row]!r}"


def _if_words(value: Any, array: np.ndarray[Any, Any]) -> str:
    """What to do with labels that are words: names of classes."""
    entries = array.ravel().tolist()
    if not all(isinstance(entry, str) for entry in entries) or len(set(entries)) < 2:
        return ""
    *_, last = sorted(set(entries))
    labels = "Y" if hasattr(value, "dtype") else "np.asarray(Y)"
    labels = f"{labels} == {last!r}" if array.ndim == 2 else f"np.reshape({labels} == {last!r}, (1, -1))"
    return f"labels are 0 and 1, so pass {labels}, which is 1 for {last!r} and 0 for the rest"
