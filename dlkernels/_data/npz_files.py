"""Read examples from NumPy archives. Every number is checked, and nothing is unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlkernels._data import labels
from dlkernels._data.columns import Array, DataError
from dlkernels._data.reading import reading
from dlkernels._inputs.arrays import F64, c_or_fortran_order
from dlkernels._inputs.finite import not_finite
from dlkernels._inputs.labels import as_columns

_SPLIT = ("X_train", "Y_train", "X_test", "Y_test")
#: How a zip archive begins, one without members included.
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def read_npz(path: Path) -> dict[str, Any]:
    """Return the checked arrays by name: X and Y, or the four of `_SPLIT`.

    A tuple "feature_names" is added if the file has these names.
    """
    with reading(path, "a .npz file"):
        with path.open("rb") as file:
            # Not with zipfile.is_zipfile, which would swallow the exception of a time limit.
            if file.read(4) not in _ZIP:
                raise DataError("not a .npz file (write one with numpy.savez)")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                keys = _wanted(archive.files)
                arrays: dict[str, Any] = {key: _member(archive, key) for key in keys}
        _check(arrays)
    return arrays


def _check(arrays: dict[str, Any]) -> None:
    for suffix in ("",) if "X" in arrays else ("_train", "_test"):
        _check_pair(arrays, f"X{suffix}", f"Y{suffix}")
    train, test = arrays.get("X_train"), arrays.get("X_test")
    if train is not None and test is not None and train.shape[0] != test.shape[0]:
        raise DataError(
            f"X_train and X_test must have the same number of rows, one for each feature "
            f"(X_train {train.shape}, X_test {test.shape})"
        )
    if "feature_names" in arrays:
        n_x = arrays["X" if "X" in arrays else "X_train"].shape[0]
        arrays["feature_names"] = _names(arrays["feature_names"], n_x)


def _wanted(files: list[str]) -> tuple[str, ...]:
    more = ("feature_names",) if "feature_names" in files else ()
    for keys in (("X", "Y"), _SPLIT):
        if set(keys) <= set(files):
            return keys + more
    raise DataError(
        f"expected the arrays X and Y, or {', '.join(_SPLIT)}, "
        f"but the file holds {', '.join(files[:8]) or 'nothing'}"
    )


def _member(archive: Any, key: str) -> Array:
    try:
        array = archive[key]
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise
        remedy = (
            f"as text: {key}.astype(str)" if key == "feature_names" else f"as numbers: {key}.astype(float)"
        )
        raise DataError(f"{key} holds Python objects, which are never unpickled; save it {remedy}") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{key} is no array")
    return array if key == "feature_names" else numbers(key, array)


def numbers(key: str, array: Array) -> Array:
    """Return an array of finite real numbers in float64."""
    if key.startswith("Y"):
        labels.need_numbers(key, array)
    if array.dtype.kind not in "iubf":
        raise DataError(f"{key} has dtype {array.dtype}; expected real numbers{_as_numbers(key, array)}")
    converted = c_or_fortran_order(array, F64)
    if message := not_finite(key, array, converted):
        raise DataError(message)
    return converted


def _as_numbers(key: str, array: Array) -> str:
    if array.dtype.names:
        return f"; numpy.lib.recfunctions.structured_to_unstructured({key}) makes them of its fields"
    if array.dtype.kind in "mM":
        return f"; dates become numbers, of days for instance: ({key} - {key}.min()) / np.timedelta64(1, 'D')"
    return f"; save numbers, {key}.astype(float)" if array.dtype.kind in "US" else ""


def _check_pair(arrays: dict[str, Any], x_name: str, y_name: str) -> None:
    X, Y = arrays[x_name], arrays[y_name]
    shapes = f"({x_name} {X.shape}, {y_name} {Y.shape})"
    if message := as_columns("save", x_name, X, y_name, Y):
        raise DataError(f"{message} {shapes}")
    if X.ndim != 2:
        hint = {
            1: f"; for a single feature save {x_name}.reshape(1, -1)",
            4: f"; for images save images_to_columns({x_name})",
        }.get(X.ndim, "")
        raise DataError(f"{x_name} must have shape (n_x, m) but has shape {X.shape}{hint}")
    if Y.shape != (1, X.shape[1]):
        raise DataError(f"{y_name} must have shape (1, {X.shape[1]}) but has shape {Y.shape} {shapes}")
    if X.size == 0:
        raise DataError(f"{x_name} is empty (shape {X.shape})")
    labels.need_labels(y_name, Y)


def _names(names: Array, n_x: int) -> tuple[str, ...]:
    if names.dtype.kind not in "USiuf":
        raise DataError(f"feature_names has dtype {names.dtype}; save it as text: feature_names.astype(str)")
    if names.shape != (n_x,):
        raise DataError(
            f"feature_names must have shape ({n_x},), a name for each row of X, but has shape {names.shape}"
        )
    return tuple(labels.text_of(name) for name in names.tolist())
