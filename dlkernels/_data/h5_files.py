"""Read images from HDF5 files in the layout of Andrew Ng's course: one file, or one for each part."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dlkernels._data import labels
from dlkernels._data.columns import Array, DataError, image_scale, images_to_columns
from dlkernels._data.npz_files import numbers
from dlkernels._data.reading import naming, reading
from dlkernels._inputs.labels import as_a_row
from dlkernels.extras import need
from dlkernels.faults import reason

PARTS = ("train", "test")


class Part(NamedTuple):
    """The examples of one part: the file they are from, columns, labels (1, m), an image's shape, classes.

    `dtype` is that of the images in the file, and `scale` the factor by which they were multiplied. `signed`
    says that the file has bytes as int8, from -128 to 127, which were taken for 0 to 255 again.
    """

    path: Path
    X: Array
    Y: Array
    image_shape: tuple[int, ...]
    classes: tuple[str, ...]
    dtype: np.dtype[Any]
    scale: float
    signed: bool


def read_h5(path: Path, test_path: Path | None = None) -> tuple[Part, Part]:
    """Return the training and the held-out part.

    If `path` holds one of them and no `test_path` is given, the other is in the file beside it.
    """
    h5py = need("h5py", "an HDF5 file")
    paths = _both(h5py, path) if test_path is None else {"train": path, "test": test_path}
    train, test = (_part(h5py, paths[part], part) for part in PARTS)
    where = "" if test.path == path else f" in {test.path}"
    if train.image_shape != test.image_shape:
        raise DataError(
            f"{path}: images must have one size (height, width, channels) but train has {train.image_shape} "
            f"and test has {test.image_shape}{where}"
        )
    if train.scale != test.scale:
        raise DataError(
            f"{path}: images must be scaled alike but train has dtype {train.dtype} and test has {test.dtype}"
            f"{where}; booleans stay 0 and 1, but other numbers are divided by 255, so save both as one dtype"
        )
    if train.classes and test.classes and train.classes != test.classes:
        raise DataError(
            f"{path}: classes must agree but train has {train.classes} and test has {test.classes}{where}"
        )
    return train, test


def _both(h5py: Any, path: Path) -> dict[str, Path]:
    """Return the paths of both parts."""
    with reading(path, "an HDF5 file"), h5py.File(path, "r") as file:
        held = [part for part in PARTS if f"{part}_set_x" in file or f"{part}_set_y" in file]
        for part in held or PARTS[:1]:
            if f"{part}_set_x" not in file:
                raise DataError(_missing(f"{part}_set_x", file))
    if len(held) == 2:
        return dict.fromkeys(PARTS, path)
    other = PARTS[1 - PARTS.index(held[0])]
    with naming(path):
        return {held[0]: path, other: _sibling(path, held[0], other)}


def _sibling(path: Path, part: str, other: str) -> Path:
    """Return the file whose name has `other` where that of `path` has `part`, in letters of either case."""
    name = path.name.lower()
    wanted = {name[: at.start()] + other + name[at.end() :] for at in re.finditer(part, name)}
    beside = path.absolute().parent
    try:
        found = sorted(each.name for each in beside.iterdir() if each.name.lower() in wanted)
    except OSError as error:
        raise DataError(f"no file beside it can be found: {reason(error)}") from None
    if len(found) == 1:
        return path.with_name(found[0])
    looked = (
        f"{' or '.join(sorted(wanted))} was looked for in {beside}" if wanted else f"its name has no {part!r}"
    )
    number = f"{len(found)} files can hold" if found else "no file beside it holds"
    raise DataError(
        f"it holds {part}_set_x but not {other}_set_x, and {number} that ({looked}"
        f"{', found ' + ', '.join(found) if found else ''}); give both files, as load_h5(TRAIN, TEST) or as "
        "--data TRAIN --test-data TEST"
    )


def _part(h5py: Any, path: Path, part: str) -> Part:
    x_name, y_name = f"{part}_set_x", f"{part}_set_y"
    with reading(path, "an HDF5 file"):
        with h5py.File(path, "r") as file:
            images, Y = (_dataset(h5py, file, key) for key in (x_name, y_name))
            classes = _classes(h5py, file)
        if images.ndim != 4 or images.size == 0:
            raise DataError(
                f"{x_name} must have shape (m, height, width, channels) but has shape {images.shape}"
                f"{f'; save {x_name}[..., np.newaxis] for grey images' if images.ndim == 3 else ''}"
            )
        Y = _labels(x_name, y_name, images, Y)
        dtype = images.dtype
        signed = dtype == np.int8
        if signed:  # writers that know no unsigned bytes, as those in Java, store 200 as -56
            images = images.view(np.uint8)
        scale = image_scale(f"{x_name}: images", images)
        X = images_to_columns(images, scale).astype(np.float64, copy=False)
    return Part(path, X, Y, tuple(int(size) for size in images.shape[1:]), classes, dtype, scale, signed)


def _missing(key: str, file: Any) -> str:
    return (
        "expected the data sets train_set_x, train_set_y, test_set_x and test_set_y, or those of one part in "
        f"each of two files, but {key} is missing (the file holds {_held(file)})"
    )


def _held(group: Any) -> str:
    return ", ".join(map(labels.text_of, list(group)[:8])) or "nothing"


def _member(file: Any, key: str) -> Any:
    """Return what the file holds by this name, or None. `file.get` would take a lack of memory for None."""
    if key in file:
        return file[key]
    return None


def _dataset(h5py: Any, file: Any, key: str) -> Array:
    member = _member(file, key)
    if member is None:
        raise DataError(_missing(key, file))
    if not isinstance(member, h5py.Dataset):
        held = f" (which holds {_held(member)})" if isinstance(member, h5py.Group) else ""
        raise DataError(f"{key} must be a data set but is a {type(member).__name__.lower()}{held}")
    try:
        array = np.asarray(member[()])
    except OSError as error:
        if "filter" in str(error) and member.chunks:
            # zlib fails in the same words for want of memory, of which it needs 4 chunks beside the array.
            # NumPy raises a MemoryError if there isn't so much.
            np.empty(member.size + 4 * int(np.prod(member.chunks)), member.dtype)
        raise
    if key.endswith("_y"):
        labels.need_numbers(key, array)
    if array.dtype.kind in "iub":
        return array  # bytes take an eighth of the memory of float64
    return numbers(key, array)


def _classes(h5py: Any, file: Any) -> tuple[str, ...]:
    """Return the names of the two classes, or () if the file doesn't hold two strings."""
    member = _member(file, "list_classes")
    if not isinstance(member, h5py.Dataset) or member.shape != (2,) or member.dtype.kind not in "SUO":
        return ()
    return tuple(labels.text_of(name) for name in member[()].tolist())


def _labels(x_name: str, y_name: str, images: Array, Y: Array) -> Array:
    """Return the labels in shape (1, m). Files have them as (m,), (1, m) or (m, 1)."""
    m = images.shape[0]
    if Y.shape not in ((m,), (1, m), (m, 1)):
        raise DataError(
            f"{y_name} must have shape ({m},), a label for each image, but has shape {Y.shape} "
            f"({x_name} {images.shape}){as_a_row('save', y_name, Y, m)}"
        )
    labels.need_labels(y_name, Y)
    return Y.reshape(1, -1).astype(np.float64)
