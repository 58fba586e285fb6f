"""Small tables as Dask collections, and models to fit on them."""

from __future__ import annotations

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
from block_tables import CANCER, COUNTS, DIABETES, IRIS, NUMBERS, ROWS
from sklearn.base import clone

from dlkernels.dask import DaskLogisticRegression, DaskMLPClassifier, DaskMLPRegressor

NETWORK = {"hidden_layer_sizes": (8,), "random_state": 0}
CASES = {
    "two classes": (DaskLogisticRegression(class_weight="balanced", max_iter=9), *CANCER),
    "three classes": (DaskLogisticRegression(max_iter=9), IRIS[0], np.array(["a", "b", "c"])[IRIS[1]]),
    "lbfgs": (DaskMLPClassifier(solver="lbfgs", max_iter=6, **NETWORK), *IRIS),
    "adam": (DaskMLPClassifier(max_iter=4, batch_size=15, **NETWORK), *IRIS),
    "sgd": (DaskMLPRegressor(solver="sgd", max_iter=4, batch_size=15, **NETWORK), DIABETES[0], NUMBERS),
    "two outputs": (
        DaskMLPRegressor(solver="lbfgs", max_iter=6, **NETWORK),
        DIABETES[0],
        np.stack([NUMBERS, NUMBERS**2], axis=1),
    ),
    "counts": (DaskMLPRegressor("poisson", max_iter=3, **NETWORK), DIABETES[0], COUNTS),
}


def chunked(*arrays, rows=ROWS):
    return [da.from_array(array, chunks=(rows, *array.shape[1:])) for array in arrays]


def alone(model, *collections):
    """Fitted in this process, without the cluster."""
    with dask.config.set(scheduler="synchronous"):
        return clone(model).fit(*collections[:2], sample_weight=(*collections, None)[2])


def frame(X, y, blocks=4):
    names = [f"x{i}" for i in range(X.shape[1])]
    return dd.from_pandas(pd.DataFrame(X, columns=names).assign(label=y), npartitions=blocks), names


def y_of(y):
    return da.from_array(y, chunks=ROWS)


def with_unknown_rows(array):
    whole = da.from_array(array, chunks=(ROWS, *array.shape[1:]))
    return whole[da.ones(len(array), dtype=bool, chunks=ROWS)]


def with_nan(X):
    X = X.copy()
    X[100, 1] = np.nan
    return X


X, Y = (da.from_array(array, chunks=(ROWS, *array.shape[1:])) for array in IRIS)
