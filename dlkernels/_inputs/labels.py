"""The words for examples and labels that no model learns from: what to pass in their place."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlkernels._inputs.arrays import Array


def need_columns(function: str, given: tuple[Any, Any], found: tuple[Array, Array]) -> None:
    """Raise an error if X and Y become m columns and a row of m labels once axes are exchanged or added.

    The message says all that is to be done at once. `found` are the arrays of what the user has given.
    """
    (X, Y), (X_, Y_) = given, found
    if X_.ndim == Y_.ndim == 2 and Y_.shape == (1, X_.shape[1]):
        return
    for labels, m in _as_a_row(Y, Y_):
        examples = _as_columns(X, X_, m)
        if examples:
            changed = " and ".join(each for each in (examples, labels) if each not in ("X", "Y"))
            raise ValueError(
                f"{function}: examples are columns of X and labels are one row Y, so pass {changed} "
                f"(X {X_.shape}, Y {Y_.shape})"
            )


def _as_a_row(Y: Any, Y_: Array) -> list[tuple[str, int]]:
    """What Y may be as a row of labels, and how many labels these are."""
    array = _array("Y", Y)
    if Y_.ndim == 1:
        return [(f"{array}.reshape(1, -1)", Y_.size)]
    if Y_.ndim != 2:
        return []
    found = []
    if 1 in Y_.shape:
        found.append(("Y" if Y_.shape[0] == 1 else f"{array}.T", Y_.size))
    of_class_1 = (f"{array}[1:2], the row of class 1", f"{array}[:, 1:2].T, the column of class 1")
    for axis, row in enumerate(of_class_1):
        if Y_.shape[axis] > 1 and _one_hot(Y_, axis):
            found.append((row, Y_.shape[1 - axis]))
    return found


def _one_hot(Y: Array, axis: int) -> bool:
    """Whether there is a single 1 along the axis, and otherwise 0."""
    return bool(((Y == 0) | (Y == 1)).all() and (Y.sum(axis=axis) == 1).all())


def _as_columns(X: Any, X_: Array, m: int) -> str:
    """What X may be as m examples in columns, or nothing."""
    array = _array("X", X)
    if X_.ndim == 1:
        return f"{array}.reshape(1, -1)" if X_.size == m else f"{array}.reshape(-1, 1)" if m == 1 else ""
    if X_.ndim != 2 or m not in X_.shape:
        return ""
    return "X" if X_.shape[1] == m else f"{array}.T"


def _array(name: str, value: Any) -> str:
    return name if isinstance(value, np.ndarray) else f"np.asarray({name})"


def need_0_and_1(function: str, Y: Any, Y_: Array) -> None:
    """Raise an error unless the labels, whose array is Y_, are 0 and 1."""
    wrong = (Y_ != 0) & (Y_ != 1)
    if not wrong.any():
        return
    first, (*others, last) = int(wrong.argmax()), np.unique(Y_)
    labels = f"{_array('Y', Y)} == {last:.15g}"
    if not np.isfinite(Y_).all():
        advice = "leave such examples out"
    elif len(others) < 2:
        advice = f"for two classes pass {labels}"
    elif (np.rint(Y_) == Y_).all():
        advice = f"a model tells two classes apart, so pass {labels} for one class against the rest"
    else:
        advice = f"numbers become labels by a limit, for instance {_array('Y', Y)} > {np.median(Y_):.3g}"
    raise ValueError(
        f"{function}: Y must hold 0 and 1 only, but {wrong.sum():,} of {wrong.size:,} labels are neither, "
        f"first {Y_[0, first]} (example {first}); {advice}"
    )
