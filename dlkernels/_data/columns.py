"""Convert arrays to the layout of this package, one example a column; scale them and split them."""

from __future__ import annotations

from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from dlkernels._inputs import arrays, values
from dlkernels.validation import labelled_examples

Array: TypeAlias = NDArray[Any]


class DataError(ValueError):
    """Raised for data that can't be used as they are; the message says what was found and expected."""


def _finite(function: str, name: str, value: Any) -> Array:
    array = arrays.as_float(function, name, value)
    if not np.isfinite(array).all():
        raise DataError(f"{function}: {name} holds NaN or infinity")
    return array


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


def images_to_columns(images: Any, scale: float = 1 / 255) -> Array:
    """Convert images to examples as columns: each column is one image, read row by row.

    Parameters
    ----------
    images : array_like, shape (m, height, width, channels)
        The m images.
    scale : float
        The factor by which each number is multiplied. The default maps bytes to numbers from 0 to 1.

    Returns
    -------
    ndarray, shape (height * width * channels, m)

    Raises
    ------
    DataError
        If `images` doesn't have 4 axes, or if `scale` is the default but the numbers seem to be scaled to
        between 0 and 1 already.
    TypeError
        If `images` holds anything but real numbers.

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
    if scale == 1 / 255 and np.asarray(images).dtype.kind == "f" and array.size and 0 < array.max() <= 1:
        raise DataError(
            f"images_to_columns: images hold numbers up to {array.max():g} and seem to be scaled already; "
            "use scale=1, or bytes from 0 to 255"
        )
    m, *sizes = array.shape
    return np.ascontiguousarray(array.reshape(m, int(np.prod(sizes))).T) * array.dtype.type(scale)


@overload
def standardize(X_train: Any, X_test: None = None) -> Array: ...
@overload
def standardize(X_train: Any, X_test: Any) -> tuple[Array, Array]: ...
def standardize(X_train: Any, X_test: Any = None) -> Any:
    """Shift and scale each feature to mean 0 and standard deviation 1 over the training examples.

    Parameters
    ----------
    X_train : array_like, shape (n_x, m)
        Training examples as columns. Only they determine the means and standard deviations.
    X_test : array_like, shape (n_x, m_test), optional
        Held-out examples, scaled in the same way.

    Returns
    -------
    X_train : ndarray
        The scaled training examples. A feature that is the same in all of them becomes 0.
    X_test : ndarray
        The scaled held-out examples, returned only if `X_test` was given.

    Raises
    ------
    DataError
        If shapes don't match, there are no training examples, or a number isn't finite.
    TypeError
        If an input holds anything but real numbers.

    Examples
    --------
    >>> from dlkernels.data import standardize
    >>> standardize([[1.0, 3.0], [7.0, 7.0]], [[5.0], [8.0]])
    (array([[-1.,  1.],
           [ 0.,  0.]]), array([[3.],
           [1.]]))
    """
    f = "standardize"
    train = _finite(f, "X_train", X_train)
    if train.ndim != 2 or train.shape[1] == 0:
        raise DataError(
            f"{f}: X_train must have shape (n_x, m) with at least 1 example but has shape {train.shape}"
        )
    # Rounding may give a constant feature a deviation of 1e-17 instead of 0: compare its extremes instead.
    constant = (train.max(axis=1) == train.min(axis=1))[:, np.newaxis]
    # Divide each feature by its largest magnitude first: squares of 1e200 or 1e-200 would be infinite or 0.
    size = np.where(constant, 1, np.abs(train).max(axis=1, keepdims=True))
    shift = np.where(constant, train[:, :1], (train / size).mean(axis=1, keepdims=True))
    deviation = np.where(constant, 1, (train / size).std(axis=1, keepdims=True))
    scaled = ((train / size - shift) / deviation).astype(train.dtype)
    if X_test is None:
        return scaled
    test = _finite(f, "X_test", X_test)
    if test.ndim != 2 or test.shape[0] != train.shape[0]:
        raise DataError(
            f"{f}: X_test must have {train.shape[0]} rows, as X_train has "
            f"(X_train {train.shape}, X_test {test.shape})"
        )
    with np.errstate(over="ignore"):
        return scaled, ((test / size - shift) / deviation).astype(test.dtype)


def train_test_split(
    X: Any, Y: Any, test_fraction: float = 0.2, seed: int = 0
) -> tuple[Array, Array, Array, Array]:
    """Hold out a share of the examples of each label.

    Parameters
    ----------
    X : array_like, shape (n_x, m)
        Examples as columns.
    Y : array_like, shape (1, m)
        Labels, 0 or 1.
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
        If shapes don't match (the message names both) or a label is neither 0 nor 1.

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
    X_, Y_ = labelled_examples(f, X, Y, allow_nan=True)
    random = np.random.default_rng(values.count(f, "seed", seed))
    held_out = np.zeros(Y_.shape[1], bool)
    for label in (0, 1):
        columns = np.flatnonzero(Y_[0] == label)
        size = min(int(fraction * columns.size + 0.5), max(columns.size - 1, 0))
        held_out[random.permutation(columns)[:size]] = True
    if not held_out.any():
        raise DataError(
            f"{f}: {Y_.shape[1]} examples are too few to hold out {fraction:g} of each label (X {X_.shape})"
        )
    kept = ~held_out
    return X_[:, kept], Y_[:, kept], X_[:, held_out], Y_[:, held_out]
