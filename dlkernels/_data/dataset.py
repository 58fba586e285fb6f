"""The training and held-out examples of a data set."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from dlkernels._data.columns import Array
from dlkernels._data.scaling import Standardizer
from dlkernels.text import printable


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Training examples and held-out examples, as float64 columns.

    Control characters in texts are written out, as ``\\x1b``: texts of a file may be shown anywhere.

    Attributes
    ----------
    name : str
    X_train, X_test : ndarray, shape (n_x, m)
    Y_train, Y_test : ndarray, shape (1, m)
        Labels: 0 and 1, or class numbers.
    feature_names : tuple of str
        One for each row of X.
    description : str
        One line that says where the examples come from.
    scaler : Standardizer or None
        What has scaled the examples, to scale new ones alike; None if the examples are as they were.
    files : tuple of Path
        The files that the examples were read from.
    """

    name: str
    X_train: Array
    Y_train: Array
    X_test: Array
    Y_test: Array
    feature_names: tuple[str, ...]
    description: str
    scaler: Standardizer | None = None
    files: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        safe = {
            "name": printable(self.name),
            "feature_names": tuple(printable(str(name)) for name in self.feature_names),
            "description": printable(self.description),
        }
        for field, text in safe.items():
            object.__setattr__(self, field, text)  # the class is frozen

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}, X_train {self.X_train.shape}, X_test {self.X_test.shape}: "
            f"{self.description})"
        )

    def standardized(self) -> Dataset:
        """Return the same examples, scaled by a `Standardizer` that is fitted to the training examples.

        Returns
        -------
        Dataset
            Its `scaler` scales new examples in the same way. A data set that has a scaler already is returned
            as it is.

        Examples
        --------
        >>> from dlkernels.data import flower
        >>> scaled = flower().standardized()
        >>> round(float(scaled.X_train.std()), 6)
        1.0
        >>> scaled.scaler.inverse_transform(scaled.X_train).shape
        (2, 400)
        """
        if self.scaler is not None:
            return self
        scaler = Standardizer()
        return dataclasses.replace(
            self,
            X_train=scaler.fit_transform(self.X_train),
            X_test=scaler.transform(self.X_test),
            description=f"{self.description}, standardised",
            scaler=scaler,
        )
