"""Data sets for the models, and functions that convert arrays to columns of examples.

Unless a docstring says otherwise, X has shape (n_x, m), one example a column, and Y has shape (1, m), with
labels 0 and 1. Only `digits` also has the numbers of ten classes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dlkernels._data import csv_files, h5_files, npz_files
from dlkernels._data.columns import Array, DataError, images_to_columns, rows_to_columns, train_test_split
from dlkernels._data.dataset import Dataset
from dlkernels._data.reading import naming, readable
from dlkernels._data.scaling import Standardizer, standardize
from dlkernels._inputs import values
from dlkernels.extras import need

__all__ = [
    "DataError",
    "Dataset",
    "Standardizer",
    "breast_cancer",
    "digits",
    "flower",
    "images_to_columns",
    "load",
    "load_csv",
    "load_h5",
    "load_npz",
    "rows_to_columns",
    "standardize",
    "train_test_split",
]

#: The data sets that `load` knows by name.
NAMES = ("flower", "breast_cancer", "digits")


def _petals(m: int, seed: int) -> tuple[Array, Array]:
    # The legacy generator and this order of draws must stay: the course's published results come from them.
    random = np.random.RandomState(seed)
    half = m // 2
    X, Y = np.zeros((2, m)), np.zeros((1, m))
    for j in range(2):
        columns = slice(j * half, (j + 1) * half)
        t = np.linspace(j * 3.12, (j + 1) * 3.12, half) + random.randn(half) * 0.2
        r = 4 * np.sin(4 * t) + random.randn(half) * 0.2
        X[0, columns], X[1, columns], Y[0, columns] = r * np.sin(t), r * np.cos(t), j
    return X, Y


def flower(m: int = 400, seed: int = 1) -> Dataset:
    """The flower of Andrew Ng's course: petals of two labels, which no straight line separates.

    Parameters
    ----------
    m : int
        The number of examples; it must be even.
    seed : int
        Seed of the random numbers, at most 2**32 - 2; 1 gives the course's points.

    Returns
    -------
    Dataset
        All m points are training examples, as in the course. The held-out examples are a second flower of
        m points, drawn with ``seed + 1``.

    Examples
    --------
    >>> from dlkernels.data import flower
    >>> data = flower()
    >>> data.X_train.shape, data.Y_train.shape, data.X_test.shape
    ((2, 400), (1, 400), (2, 400))
    """
    number = values.count("flower", "m", m, minimum=2)
    if number % 2:
        raise DataError(f"flower: m must be even, half of it for each label, not {number}")
    first = values.count("flower", "seed", seed, maximum=2**32 - 2)  # RandomState takes one more
    return Dataset(
        "flower",
        *_petals(number, first),
        *_petals(number, first + 1),
        ("x1", "x2"),
        f"generated with seed {first}, held-out examples with seed {first + 1}",
    )


def breast_cancer() -> Dataset:
    """Breast cancer Wisconsin: 30 measurements of 569 tumours, benign (label 1) or malignant (label 0).

    Returns
    -------
    Dataset
        A fifth of the examples of each label is held out (seed 0); features are standardised.

    Raises
    ------
    ImportError
        If scikit-learn, which contains the data, isn't installed; the message says how to install it.

    Examples
    --------
    >>> from dlkernels.data import breast_cancer
    >>> data = breast_cancer()
    >>> data.X_train.shape, data.X_test.shape
    ((30, 456), (30, 113))
    """
    source = need("sklearn.datasets", "the data set breast_cancer").load_breast_cancer()
    split = train_test_split(rows_to_columns(source.data), source.target.reshape(1, -1))
    names = tuple(str(name) for name in source.feature_names)
    text = "breast cancer Wisconsin (scikit-learn), a fifth held out"
    return Dataset("breast_cancer", *split, names, text).standardized()


def digits(positive: int | None = 0) -> Dataset:
    """Handwritten digits of 8 × 8 pixels: one digit (label 1) against all others (label 0), or all ten.

    Parameters
    ----------
    positive : int or None
        The digit with label 1, from 0 to 9. With None there are ten classes: each label is the digit itself.

    Returns
    -------
    Dataset
        A fifth of the examples of each label is held out (seed 0); features are standardised.

    Raises
    ------
    DataError
        If `positive` is no digit.
    ImportError
        If scikit-learn, which contains the data, isn't installed; the message says how to install it.

    Examples
    --------
    >>> from dlkernels.data import digits
    >>> data = digits(positive=8)
    >>> data.X_train.shape, int(data.Y_train.sum() + data.Y_test.sum())
    ((64, 1437), 174)
    >>> digits(positive=None).Y_train[0, :4]
    array([0., 1., 2., 3.])
    """
    digit = None if positive is None else values.count("digits", "positive", positive)
    if digit is not None and digit > 9:
        raise DataError(f"digits: positive must be a digit from 0 to 9, not {digit}")
    source = need("sklearn.datasets", "the data set digits").load_digits()
    labels = (source.target if digit is None else source.target == digit).reshape(1, -1)
    split = train_test_split(rows_to_columns(source.data), labels)
    names = tuple(f"pixel {row},{column}" for row in range(8) for column in range(8))
    what = "ten classes" if digit is None else f"{digit} against the rest"
    text = f"8 x 8 digits (scikit-learn), {what}, a fifth held out"
    return Dataset("digits", *split, names, text).standardized()


# -- data sets from files ----------------------------------------------------------------------------


def load_npz(path: str | os.PathLike[str], *, test_fraction: float = 0.2, seed: int = 0) -> Dataset:
    """Load examples from a NumPy archive.

    Parameters
    ----------
    path : str or path
        A .npz file with arrays X (n_x, m) and Y (1, m), or with X_train, Y_train, X_test and Y_test. An
        array `feature_names` of strings or bytes is optional. Python objects in the file are never unpickled.
    test_fraction, seed : float, int
        As in `train_test_split`. They are used for a file with X and Y only.

    Returns
    -------
    Dataset
        The values of the file in float64, not scaled.

    Raises
    ------
    DataError
        If the file can't be read, an array is missing or has the wrong shape, a number is not finite, or
        a label is neither 0 nor 1.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from dlkernels.data import load_npz
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "points.npz")
    ...     np.savez(path, X=np.arange(20.0).reshape(2, 10), Y=[[0, 1] * 5])
    ...     data = load_npz(path)
    >>> data.X_train.shape, data.X_test.shape
    ((2, 8), (2, 2))
    """
    file = Path(path)
    arrays = npz_files.read_npz(file)
    names = arrays.pop("feature_names", None)
    if "X" in arrays:
        with naming(file):
            split = train_test_split(arrays["X"], arrays["Y"], test_fraction, seed)
    else:
        split = arrays["X_train"], arrays["Y_train"], arrays["X_test"], arrays["Y_test"]
    if names is None:
        names = tuple(f"x{i + 1}" for i in range(split[0].shape[0]))
    return _from_files((file,), split, names)


def load_csv(
    path: str | os.PathLike[str], label: str, *, test_fraction: float = 0.2, seed: int = 0
) -> Dataset:
    """Load examples from a CSV file, one example a line.

    Parameters
    ----------
    path : str or path
        A .csv file in UTF-8. The first line names the columns, all others hold numbers. A first column
        without a name that counts the lines, as pandas writes it, is left out; the description says so.
    label : str
        The name of the column that holds the labels, 0 or 1. Spaces around names don't count.
    test_fraction, seed : float, int
        As in `train_test_split`.

    Returns
    -------
    Dataset
        The values of the file, not scaled.

    Raises
    ------
    DataError
        If the file can't be read, a line doesn't hold one finite number for each column, or a label is
        neither 0 nor 1. The message names the line, and the column if a single field is wrong.
    TypeError
        If `label` is no string.

    Examples
    --------
    >>> import os, tempfile
    >>> from dlkernels.data import load_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "people.csv")
    ...     with open(path, "w") as file:
    ...         _ = file.write("age,height,ill\\n" + "40,1.70,0\\n50,1.80,1\\n" * 5)
    ...     data = load_csv(path, label="ill")
    >>> data.feature_names, data.X_train.shape
    (('age', 'height'), (2, 8))
    """
    if not isinstance(label, str):
        raise TypeError(f"load_csv: label must be a string, the name of a column, not {type(label).__name__}")
    file = Path(path)
    table = csv_files.read_csv(file, label)
    with naming(file):
        split = train_test_split(
            rows_to_columns(table.rows), table.labels.reshape(1, -1), test_fraction, seed
        )
    return _from_files((file,), split, table.names, table.left_out)


def load_h5(path: str | os.PathLike[str], test_path: str | os.PathLike[str] | None = None) -> Dataset:
    """Load images from HDF5 files in the layout of Andrew Ng's course.

    Parameters
    ----------
    path : str or path
        A .h5 file with `train_set_x` (m, height, width, channels), numbers from 0 to 255 or booleans,
        `train_set_y` of 0 and 1, (m,), (1, m) or (m, 1), `test_set_x` and `test_set_y` likewise, and
        optionally `list_classes`, the names of the two classes. Bytes that were stored as int8, 200 as -56,
        are taken for bytes again; the description says so. If it holds the training or the held-out
        examples only, the others are taken from the file beside it that has "test" in its name instead of
        "train", or the reverse, as in the course's train_catvnoncat.h5 and test_catvnoncat.h5.
    test_path : str or path, optional
        The file of the held-out examples. Then only the training examples are taken from `path`.

    Returns
    -------
    Dataset
        Each image is a column, scaled to between 0 and 1 by `images_to_columns`.

    Raises
    ------
    DataError
        If a file can't be read, if a data set is missing or has the wrong shape or numbers, if the images of
        one part only are booleans, or if there isn't exactly one file beside `path` that can hold the other
        examples.
    ImportError
        If h5py isn't installed; the message says how to install it.

    Examples
    --------
    >>> import os, tempfile
    >>> import h5py, numpy as np
    >>> from dlkernels.data import load_h5
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "cats.h5")
    ...     with h5py.File(path, "w") as file:
    ...         for part, m in (("train", 6), ("test", 2)):
    ...             file[f"{part}_set_x"] = np.zeros((m, 64, 64, 3), np.uint8)
    ...             file[f"{part}_set_y"] = np.arange(m) % 2
    ...     data = load_h5(path)
    >>> data.X_train.shape, data.Y_train.shape
    ((12288, 6), (1, 6))
    """
    train, test = h5_files.read_h5(Path(path), None if test_path is None else Path(test_path))
    places = np.ndindex(*train.image_shape)
    names = tuple(f"pixel {row},{column},{channel}" for row, column, channel in places)
    classes = train.classes or test.classes
    return _from_files(
        tuple(dict.fromkeys((train.path, test.path))),
        (train.X, train.Y, test.X, test.Y),
        names,
        (f", {classes[1]} against {classes[0]}" if classes else "")
        + (", int8 taken for bytes" if train.signed or test.signed else ""),
    )


def _from_files(
    files: tuple[Path, ...], split: tuple[Array, Array, Array, Array], names: tuple[str, ...], more: str = ""
) -> Dataset:
    X_train, Y_train, X_test, Y_test = (np.asarray(array, np.float64) for array in split)
    source = f"from the file{'s' * (len(files) > 1)} {' and '.join(file.name for file in files)}{more}"
    return Dataset(files[0].stem, X_train, Y_train, X_test, Y_test, names, source, files=files)


#: What loads a file, by its ending.
_LOADERS: dict[str, Callable[..., Dataset]] = {
    ".npz": load_npz,
    ".csv": load_csv,
    ".h5": load_h5,
    ".hdf5": load_h5,
}


def load(
    name_or_path: str | os.PathLike[str],
    *,
    label: str | None = None,
    test_path: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Load a data set by its name, or from a file whose ending tells its format.

    Parameters
    ----------
    name_or_path : str or path
        "flower", "breast_cancer" or "digits", or a file that ends in .npz, .csv, .h5 or .hdf5.
    label : str, optional
        The name of the column of labels. A .csv file needs it; it is refused for anything else.
    test_path : str or path, optional
        As in `load_h5`; it is refused for anything but a .h5 file.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If there is no such data set, if `label` is missing, if an argument is refused, or where `load_npz`,
        `load_csv` or `load_h5` raises it.

    Examples
    --------
    >>> from dlkernels.data import load
    >>> load("flower").name
    'flower'
    """
    path, named = Path(name_or_path), name_or_path in NAMES
    loader = _LOADERS.get(path.suffix.lower())
    if not named:
        if loader is None:
            *endings, last = _LOADERS
            raise DataError(
                f"no data set is called {str(name_or_path)!r}: expected {', '.join(NAMES)}, "
                f"or a file that ends in {', '.join(endings)} or {last}"
            )
        readable(path)
    if test_path is not None and loader is not load_h5:
        raise DataError(f"{path}: a second file, of held-out examples, is for .h5 files only")
    if loader is load_csv:
        if label is None:
            raise DataError(f"{path}: a CSV file needs the name of its label column, as --label or label")
        return load_csv(path, label)
    if label is not None:
        raise DataError(f"{path}: a label column is for CSV files only")
    if named:
        return {"flower": flower, "breast_cancer": breast_cancer, "digits": digits}[str(name_or_path)]()
    return load_npz(path) if loader is load_npz else load_h5(path, test_path)
