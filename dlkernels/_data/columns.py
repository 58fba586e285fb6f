"""Convert arrays to the layout of this package, one example a column, and split them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dlkernels._inputs import arrays, values
from dlkernels._inputs.finite import not_finite
from dlkernels.text import printable
from dlkernels.validation import labelled_examples

Array: TypeAlias = NDArray[Any]


class DataError(ValueError):
    """Raised for data that can't be used as they are; the message says what was found and expected."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


def rows_to_columns(X: Any) -> Array:
    """Convert examples as rows, the layout of scikit-learn and CSV files, to examples as columns.

    Parameters
    ----------
    X : array_like, shape (m, n_x)
        One example a row.

    Returns
    -------
    ndarray, shape (n_x, m)
        A copy in C order.

    Raises
    ------
    DataError
        If X doesn't have 2 axes.
    TypeError
        If X holds anything but real numbers.

    Examples
    --------
    >>> from dlkernels.data import rows_to_columns
    >>> rows_to_columns([[1, 2], [3, 4], [5, 6]])
    array([[1., 3., 5.],
           [2., 4., 6.]])
    """
    array = arrays.as_float("rows_to_columns", "X", X)
    if array.ndim != 2:
        hint = {
            1: "; for one example use X.reshape(1, -1), for one feature X.reshape(-1, 1)",
            4: "; for images use images_to_columns",
        }.get(array.ndim, "")
        raise DataError(f"rows_to_columns: X must have shape (m, n_x) but has shape {array.shape}{hint}")
    return np.array(array.T, order="C")


def images_to_columns(images: Any, scale: float | None = None) -> Array:
    """Convert images to examples as columns: each column is one image, read row by row.

    Parameters
    ----------
    images : array_like, shape (m, height, width, channels)
        The m images.
    scale : float, optional
        The factor by which each number is multiplied. By default it is 1/255, which maps numbers from 0 to
        255 to numbers from 0 to 1; it is 1 for booleans.

    Returns
    -------
    ndarray, shape (height * width * channels, m)

    Raises
    ------
    DataError
        If `images` doesn't have 4 axes, if a number is NaN or infinite, or is so once it is scaled, or if no
        `scale` is given and the numbers are of dtype int8, lie outside 0 to 255, or seem to be scaled to
        between 0 and 1 already.
    TypeError
        If `images` holds anything but real numbers, or `scale` is no real number.
    ValueError
        If `scale` isn't finite, or too large for the dtype of the images.

    Notes
    -----
    The result is ``images.reshape(m, -1).T * scale``. The tempting ``images.reshape(-1, m)`` has the right
    shape, too, but each of its columns mixes numbers of many images: a model trains on them without complaint
    and learns little.

    Examples
    --------
    >>> import numpy as np
    >>> from dlkernels.data import images_to_columns
    >>> images = np.array([0, 51, 102, 255]).reshape(2, 1, 2, 1)
    >>> images_to_columns(images)
    array([[0. , 0.4],
           [0.2, 1. ]])
    """
    array = arrays.as_float("images_to_columns", "images", images)
    if array.ndim != 4:
        hint = {
            2: "; rows of numbers go through rows_to_columns",
            3: "; for grey images use images[..., np.newaxis], for one image images[np.newaxis]",
        }.get(array.ndim, "")
        raise DataError(
            f"images_to_columns: images must have shape (m, height, width, channels) "
            f"but has shape {array.shape}{hint}"
        )
    if scale is None:
        scale = image_scale(
            "images_to_columns: images",
            np.asarray(images),
            "; or give a scale: scale=1 takes them as they are",
        )
    f, dtype = "images_to_columns", array.dtype
    factor = dtype.type(values.fits(f, "scale", values.finite(f, "scale", scale), dtype))
    m, *sizes = array.shape
    with np.errstate(over="ignore", invalid="ignore"):
        columns = np.ascontiguousarray(array.reshape(m, int(np.prod(sizes))).T) * factor
    if not_finite("columns", columns, columns):
        too_large = f"scale {scale} is too large: images times scale must fit into {dtype}"
        raise DataError(f"{f}: {not_finite('images', array, array) or too_large}")
    return columns


def image_scale(name: str, images: Array, otherwise: str = "") -> float:
    """Return the factor that maps the numbers of images to numbers from 0 to 1.

    The messages begin with `name` and end with `otherwise`, what the reader could do instead.
    """
    if images.dtype.kind == "b" or not images.size:
        return 1.0
    low, high = images.min(), images.max()
    if images.dtype == np.int8:
        raise DataError(
            f"{name} have dtype int8, which can't hold numbers from 0 to 255; bytes that were taken for int8 "
            "become right by .view(np.uint8), bytes from which 128 was subtracted by .view(np.uint8) ^ 128"
            f"{otherwise}"
        )
    if low < 0 or high > 255:
        raise DataError(
            f"{name} hold numbers from {low:g} to {high:g}; expected numbers from 0 to 255, best of dtype "
            f"uint8{otherwise}"
        )
    if images.dtype.kind == "f" and 0 < high <= 1:
        raise DataError(
            f"{name} hold numbers up to {high:g} and seem to be scaled already; make bytes of them, as "
            f"np.rint(255 * images).astype(np.uint8) does{otherwise}"
        )
    return 1 / 255


def train_test_split(
    X: Any, Y: Any, test_fraction: float = 0.2, seed: int = 0
) -> tuple[Array, Array, Array, Array]:
    """Hold out a share of the examples of each label.

    Parameters
    ----------
    X : array_like, shape (n_x, m)
        Examples as columns.
    Y : array_like, shape (1, m)
        Labels: 0 or 1, or the numbers 0, 1, 2, ... of more classes, without gaps.
    test_fraction : float
        The share to hold out, between 0 and 1. At least one example of each label stays for training.
    seed : int
        The same seed gives the same split.

    Returns
    -------
    X_train, Y_train, X_test, Y_test : ndarray
        The two parts of X and Y; examples keep their order.

    Raises
    ------
    DataError
        If there are too few examples to hold one out, or `test_fraction` is not between 0 and 1.
    ValueError
        If shapes don't match (the message names both) or labels are neither 0 and 1 nor class numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from dlkernels.data import train_test_split
    >>> X, Y = np.arange(10.0).reshape(1, 10), np.array([[0, 1] * 5])
    >>> X_train, Y_train, X_test, Y_test = train_test_split(X, Y)
    >>> X_train.shape, Y_test
    ((1, 8), array([[0., 1.]]))
    """
    f = "train_test_split"
    fraction = values.finite(f, "test_fraction", test_fraction)
    if not 0 < fraction < 1:
        raise DataError(f"{f}: test_fraction must be between 0 and 1, not {test_fraction}")
    X_, Y_ = labelled_examples(f, X, Y, allow_nan=True, classes=True)
    random = np.random.default_rng(values.count(f, "seed", seed))
    held_out = np.zeros(Y_.shape[1], bool)
    for label in range(int(Y_.max()) + 1):
        columns = np.flatnonzero(Y_[0] == label)
        size = min(int(fraction * columns.size + 0.5), max(columns.size - 1, 0))
        held_out[random.permutation(columns)[:size]] = True
    if not held_out.any():
        raise DataError(
            f"{f}: {Y_.shape[1]} examples are too few to hold out {fraction:g} of each label (X {X_.shape})"
        )
    kept = ~held_out
    return X_[:, kept], Y_[:, kept], X_[:, held_out], Y_[:, held_out]
