"""The training and held-out examples of a data set."""

from __future__ import annotations

import dataclasses

from dlkernels._data.columns import Array, standardize


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Training examples and held-out examples, as float64 columns.

    Attributes
    ----------
    name : str
    X_train, X_test : ndarray, shape (n_x, m)
    Y_train, Y_test : ndarray, shape (1, m)
    feature_names : tuple of str
        One for each row of X.
    description : str
        One line that says where the examples come from.
    """

    name: str
    X_train: Array
    Y_train: Array
    X_test: Array
    Y_test: Array
    feature_names: tuple[str, ...]
    description: str

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}, X_train {self.X_train.shape}, X_test {self.X_test.shape}: "
            f"{self.description})"
        )

    def standardized(self) -> Dataset:
        """Return the same examples, scaled by `standardize`.

        Returns
        -------
        Dataset

        Examples
        --------
        >>> from dlkernels.data import flower
        >>> round(float(flower().standardized().X_train.std()), 6)
        1.0
        """
        X_train, X_test = standardize(self.X_train, self.X_test)
        return dataclasses.replace(
            self, X_train=X_train, X_test=X_test, description=f"{self.description}, standardised"
        )


# -- data sets by name -------------------------------------------------------------------------------
