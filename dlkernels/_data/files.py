"""Read data sets from files. Every number is checked, and nothing is unpickled."""

from __future__ import annotations

import csv
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from dlkernels._data.columns import Array, DataError
from dlkernels.extras import need

_SPLIT = ("X_train", "Y_train", "X_test", "Y_test")


def readable(path: Path) -> None:
    """Refuse a file that can't be opened, in plain words instead of those of a format's library."""
    try:
        special = path.exists() and not path.is_file()  # opening a pipe would wait for its other end
        if not special:
            with path.open("rb"):
                pass
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if special:
        raise DataError(f"{path}: not a file")


# -- .npz --------------------------------------------------------------------------------------------


def read_npz(path: Path) -> dict[str, Any]:
    """Return the checked arrays by name: X and Y, or the four of `_SPLIT`.

    A tuple "feature_names" is added if the file has these names.
    """
    readable(path)
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: not a .npz file (write one with numpy.savez)")
    try:
        with np.load(path, allow_pickle=False) as archive:
            keys = _wanted(path, archive.files)
            arrays: dict[str, Any] = {key: _member(path, archive, key) for key in keys}
    except DataError:
        raise
    except Exception as error:  # a damaged file makes its readers raise almost anything
        raise DataError(f"{path}: damaged .npz file: {str(error) or type(error).__name__}") from None
    for suffix in ("",) if "X" in arrays else ("_train", "_test"):
        _check_pair(path, arrays, f"X{suffix}", f"Y{suffix}")
    train, test = arrays.get("X_train"), arrays.get("X_test")
    if train is not None and test is not None and train.shape[0] != test.shape[0]:
        raise DataError(
            f"{path}: X_train and X_test must have the same number of rows "
            f"(X_train {train.shape}, X_test {test.shape})"
        )
    if "feature_names" in arrays:
        arrays["feature_names"] = _names(path, arrays, arrays["X" if "X" in arrays else "X_train"].shape[0])
    return arrays


def _wanted(path: Path, files: list[str]) -> tuple[str, ...]:
    more = ("feature_names",) if "feature_names" in files else ()
    for keys in (("X", "Y"), _SPLIT):
        if set(keys) <= set(files):
            return keys + more
    raise DataError(
        f"{path}: expected the arrays X and Y, or {', '.join(_SPLIT)}, "
        f"but the file holds {', '.join(files[:8]) or 'nothing'}"
    )


def _member(path: Path, archive: Any, key: str) -> Array:
    try:
        array = archive[key]
    except ValueError as error:
        if "Object arrays" in str(error):
            raise DataError(
                f"{path}: {key} holds Python objects, which are never unpickled; "
                "save it as an array of numbers"
            ) from None
        raise DataError(f"{path}: {key} can't be read: {error}") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: {key} is no array")
    if key != "feature_names":
        return _numbers(path, key, array)
    return array


def _numbers(path: Path, key: str, array: Array) -> Array:
    if array.dtype.kind not in "iubf":
        raise DataError(f"{path}: {key} has dtype {array.dtype}; expected real numbers")
    array = array.astype(np.float64)
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        place = f"row {where[0]}, column {where[1]}" if len(where) == 2 else f"position {where}"
        raise DataError(f"{path}: {key} holds {array[where]:g} in {place} (counted from 0)")
    return array


def _check_pair(path: Path, arrays: dict[str, Any], x_name: str, y_name: str) -> None:
    X, Y = arrays[x_name], arrays[y_name]
    if X.ndim != 2:
        hint = {
            1: f"; for a single feature save {x_name}.reshape(1, -1)",
            4: f"; for images save images_to_columns({x_name})",
        }.get(X.ndim, "")
        raise DataError(f"{path}: {x_name} must have shape (n_x, m) but has shape {X.shape}{hint}")
    if X.shape[1] != Y.size and X.shape[0] == Y.size:
        raise DataError(
            f"{path}: {x_name} looks transposed: examples are columns, so it should be "
            f"{X.shape[::-1]} for {Y.size} labels but is {X.shape}; save {x_name}.T"
        )
    if Y.ndim != 2 or Y.shape != (1, X.shape[1]):
        hint = f"; save {y_name}.reshape(1, -1)" if Y.size == X.shape[1] else ""
        raise DataError(
            f"{path}: {y_name} must have shape (1, {X.shape[1]}) but has shape {Y.shape} "
            f"({x_name} {X.shape}){hint}"
        )
    if X.size == 0:
        raise DataError(f"{path}: {x_name} is empty (shape {X.shape})")
    _check_labels(path, y_name, Y)


def _check_labels(path: Path, name: str, Y: Array) -> None:
    wrong = np.flatnonzero((Y[0] != 0) & (Y[0] != 1))
    if wrong.size:
        raise DataError(
            f"{path}: {name} must hold 0 and 1 only, but column {wrong[0]} (counted from 0) "
            f"is {Y[0, wrong[0]]:g}"
        )


def _names(path: Path, arrays: dict[str, Any], n_x: int) -> tuple[str, ...]:
    names = arrays["feature_names"]
    if names.shape != (n_x,):
        raise DataError(f"{path}: feature_names must have shape ({n_x},) but has shape {names.shape}")
    return tuple(str(name) for name in names)


# -- .csv --------------------------------------------------------------------------------------------


def read_csv(path: Path, label: str) -> tuple[tuple[str, ...], Array, Array]:
    """Return the feature names, the rows (m, n_x) and the labels (m,)."""
    readable(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = _header(path, next(reader, []), label)
            column = header.index(label)
            table = [
                _numbers_of(path, reader.line_num, row, header, column)
                for row in reader
                if any(field.strip() for field in row)
            ]
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text file in UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: {error}") from None
    if not table:
        raise DataError(f"{path}: no lines after the header")
    numbers = np.array(table)
    return (*header[:column], *header[column + 1 :]), np.delete(numbers, column, axis=1), numbers[:, column]


def _header(path: Path, row: list[str], label: str) -> tuple[str, ...]:
    header = tuple(name.strip() for name in row)
    if not any(header):
        raise DataError(f"{path}: line 1 must name the columns, but is empty")
    if all(_is_number(name) for name in header):
        raise DataError(f"{path}: line 1 must name the columns, but holds numbers")
    for position, name in enumerate(header):
        if name in header[:position]:
            raise DataError(f"{path}: line 1 names two columns {name!r}")
    if label not in header:
        shown = ", ".join(header[:8]) + (", ..." if len(header) > 8 else "")
        raise DataError(f"{path}: no column {label!r} for the labels; the columns are {shown}")
    if len(header) == 1:
        raise DataError(f"{path}: no column besides the labels {label!r}")
    return header


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers_of(path: Path, line: int, row: list[str], header: tuple[str, ...], label: int) -> list[float]:
    if len(row) != len(header):
        raise DataError(f"{path}: line {line} has {len(row)} fields but the header has {len(header)}")
    numbers = [_cell(path, line, name, text) for name, text in zip(header, row, strict=True)]
    if numbers[label] not in (0, 1):
        raise DataError(
            f"{path}: line {line}, column {header[label]!r}: labels must be 0 or 1, not {row[label].strip()}"
        )
    return numbers


def _cell(path: Path, line: int, name: str, text: str) -> float:
    if not _is_number(text) or "_" in text or not text.isascii():
        found = repr(text.strip()[:40]) if text.strip() else "nothing"
        raise DataError(f"{path}: line {line}, column {name!r}: expected a number, found {found}")
    number = float(text)
    if not math.isfinite(number):
        raise DataError(f"{path}: line {line}, column {name!r}: {text.strip()} is not finite")
    return number


# -- .h5 ---------------------------------------------------------------------------------------------


def read_h5(path: Path) -> tuple[dict[str, Array], dict[str, Array], tuple[str, ...]]:
    """Return images (m, h, w, c) and labels (1, m), each by "train" and "test", and the class names."""
    h5py = need("h5py", "an HDF5 file")
    readable(path)
    try:
        with h5py.File(path, "r") as file:
            images = {part: _dataset(path, h5py, file, f"{part}_set_x") for part in ("train", "test")}
            labels = {part: _dataset(path, h5py, file, f"{part}_set_y") for part in ("train", "test")}
            classes = _classes(h5py, file)
    except DataError:
        raise
    except Exception as error:  # a damaged file makes its readers raise almost anything
        reason = str(error) or type(error).__name__
        raise DataError(f"{path}: not an HDF5 file, or a damaged one: {reason}") from None
    for part in ("train", "test"):
        labels[part] = _image_labels(path, part, images[part], labels[part])
    if images["train"].shape[1:] != images["test"].shape[1:]:
        raise DataError(
            f"{path}: images must have one size "
            f"(train_set_x {images['train'].shape}, test_set_x {images['test'].shape})"
        )
    return images, labels, classes


def _classes(h5py: Any, file: Any) -> tuple[str, ...]:
    """Return the names of the two classes, or () if the file doesn't hold two strings."""
    member = file.get("list_classes")
    if not isinstance(member, h5py.Dataset) or member.shape != (2,) or member.dtype.kind not in "SUO":
        return ()
    return tuple(n.decode(errors="replace") if isinstance(n, bytes) else str(n) for n in member[()])


def _dataset(path: Path, h5py: Any, file: Any, key: str) -> Array:
    if not isinstance(file.get(key), h5py.Dataset):
        raise DataError(
            f"{path}: expected the data sets train_set_x, train_set_y, test_set_x and test_set_y, "
            f"but {key} is missing (the file holds {', '.join(list(file)[:8]) or 'nothing'})"
        )
    array = np.asarray(file[key][()])
    if array.dtype.kind == "u" and array.dtype.itemsize == 1:
        return array  # bytes take an eighth of the memory of float64
    return _numbers(path, key, array) if array.dtype.kind == "f" else _integers(path, key, array)


def _integers(path: Path, key: str, array: Array) -> Array:
    if array.dtype.kind not in "iub":
        raise DataError(f"{path}: {key} has dtype {array.dtype}; expected real numbers")
    return array


def _image_labels(path: Path, part: str, images: Array, labels: Array) -> Array:
    x_name, y_name = f"{part}_set_x", f"{part}_set_y"
    if images.ndim != 4 or images.size == 0:
        raise DataError(
            f"{path}: {x_name} must have shape (m, height, width, channels) but has shape {images.shape}"
        )
    if labels.shape not in ((images.shape[0],), (1, images.shape[0])):
        raise DataError(
            f"{path}: {y_name} must have shape ({images.shape[0]},) but has shape {labels.shape} "
            f"({x_name} {images.shape})"
        )
    row = labels.reshape(1, -1).astype(np.float64)
    _check_labels(path, y_name, row)
    return row
