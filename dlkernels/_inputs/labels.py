"""Examples and labels that no model learns from: what they look like, and what to do.

Callers say with which verb: an argument is passed, an array of a file is saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dlkernels._inputs.arrays import Array

#: As many different values can be classes. More are a sign of numbers that aren't labels.
_MANY_CLASSES = 20


# -- shapes ----------------------------------------------------------------------------------------------


def need_columns(function: str, X: Any, Y: Any, X_: Array, Y_: Array) -> None:
    """Raise an error if X and Y would fit once axes are exchanged or added.

    One message says everything to be done. X_ and Y_ are the arrays of X and Y.
    """
    if message := as_columns("pass", _array("X", X), X_, _array("Y", Y), Y_):
        raise ValueError(f"{function}: {message} (X {X_.shape}, Y {Y_.shape})")


def as_columns(verb: str, x_name: str, X: Array, y_name: str, Y: Array) -> str:
    """Say what to pass or save so that X becomes m columns, and Y a row of m labels.

    It is empty if they are that already, or if no exchange of axes makes them that.
    """
    if X.ndim == Y.ndim == 2 and Y.shape == (1, X.shape[1]):
        return ""
    for row, m in _rows(y_name, Y):
        if examples := _columns(x_name, X, m):
            changed = [each for each in (examples, row) if each not in (x_name, y_name)]
            return f"examples are columns and labels are one row, so {verb} {' and '.join(changed)}"
    return ""


def as_a_row(verb: str, name: str, Y: Array, m: int) -> str:
    """The hint what to pass or save so that Y becomes a row of m labels, or nothing if no change does it."""
    return next((f"; labels are one row: {verb} {row}" for row, count in _rows(name, Y) if count == m), "")


def _rows(name: str, Y: Array) -> list[tuple[str, int]]:
    """What Y may be as a row of labels, and how many labels these are."""
    if Y.ndim == 1:
        return [(f"{name}.reshape(1, -1)", Y.size)]
    if Y.ndim != 2:
        return []
    found = []
    if 1 in Y.shape:
        found.append((name if Y.shape[0] == 1 else f"{name}.T", Y.size))
    of_class_1 = (f"{name}[1:2], the row of class 1", f"{name}[:, 1:2].T, the column of class 1")
    for axis, row in enumerate(of_class_1):
        if Y.shape[axis] > 1 and _one_hot(Y, axis):
            found.append((row, Y.shape[1 - axis]))
    return found


def _one_hot(Y: Array, axis: int) -> bool:
    """Whether there is a single 1 along the axis, and otherwise 0."""
    return bool(((Y == 0) | (Y == 1)).all() and (Y.sum(axis=axis) == 1).all())


def _columns(name: str, X: Array, m: int) -> str:
    """What X may be as m examples in columns, or nothing."""
    if X.ndim == 1:
        return f"{name}.reshape(1, -1)" if X.size == m else f"{name}.reshape(-1, 1)" if m == 1 else ""
    if X.ndim != 2 or m not in X.shape:
        return ""
    return name if X.shape[1] == m else f"{name}.T"


def _array(name: str, value: Any) -> str:
    return name if isinstance(value, np.ndarray) else f"np.asarray({name})"


# -- values ----------------------------------------------------------------------------------------------


class Words(NamedTuple):
    """How a caller says that two classes, one of several, and numbers above a limit become 0 and 1.

    The least, the greatest and the median label stand in place of {first}, {last} and {median}.
    """

    two: str
    several: str
    limit: str


def need_0_and_1(function: str, Y: Any, Y_: Array, hint: str = "") -> None:
    """Raise an error, which ends with the hint, unless the labels, whose array is Y_, are 0 and 1."""
    name = _array("Y", Y)
    words = Words(
        f"for two classes pass {name} == {{last}}",
        f"pass {name} == {{last}} for one class against the rest",
        f"for instance {name} > {{median:.3g}}",
    )
    if message := not_0_and_1("Y", Y_, words):
        raise ValueError(f"{function}: {message}{hint}")


def classes(Y: Array) -> int:
    """How many classes there are if Y holds their numbers: 0, 1, 2 and so on without gaps; else 0."""
    if not (
        Y.size and np.isfinite(Y).all() and Y.min() >= 0 and Y.max() < Y.size and (np.floor(Y) == Y).all()
    ):
        return 0
    count = int(Y.max()) + 1
    return count if np.unique(Y).size == count else 0


def not_0_and_1(name: str, labels: Array, words: Words) -> str:
    """The message about labels that aren't 0 and 1, whatever their shape. It is empty if all are."""
    wrong = (labels != 0) & (labels != 1)
    if not wrong.any():
        return ""
    first = int(wrong.argmax())
    finite = np.isfinite(labels).all()
    return (
        f"{name} must hold 0 and 1 only, but {wrong.sum():,} of {wrong.size:,} labels are neither, first "
        f"{labels.flat[first]} (example {first}); "
        f"{advice(labels.ravel().tolist(), words) if finite else 'leave such examples out'}"
    )


def advice(labels: Sequence[Any], words: Words) -> str:
    """Say how labels with these values, numbers or names of classes, become 0 and 1."""
    distinct = sorted(set(labels))
    count, named = len(distinct), isinstance(distinct[0], str)
    first, last = (repr(label).removesuffix(".0") for label in (distinct[0], distinct[-1]))
    if count == 1:
        return f"all labels are {first}, but it takes examples of two classes, 0 and 1"
    if count == 2:
        return words.two.format(first=first, last=last)
    if count <= _MANY_CLASSES and (named or all(label == round(label) for label in distinct)):
        shown = ", ".join(repr(label).removesuffix(".0") for label in distinct[:3])
        return (
            f"there are {count} labels ({shown}{', ...' if distinct[3:] else ''}) and a model tells two "
            f"classes apart, so {words.several.format(first=first, last=last)}"
        )
    no_labels = f"there are {count} different values, so these seem to be no labels"
    if named:
        return no_labels
    return f"{no_labels}; numbers become labels by a limit, {words.limit.format(median=np.median(labels))}"
