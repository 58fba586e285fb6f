"""Small tables as Dask collections, and models to fit on them."""

from __future__ import annotations

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from dlkernels.dask import DaskLogisticRegression, DaskMLPClassifier, DaskMLPRegressor


def scaled(load):
    X, y = load(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


IRIS, CANCER, DIABETES = scaled(load_iris), scaled(load_breast_cancer), scaled(load_diabetes)
NUMBERS = (DIABETES[1] - DIABETES[1].mean()) / DIABETES[1].std()
ROWS = 40
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
    "counts": (DaskMLPRegressor("poisson", max_iter=3, **NETWORK), DIABETES[0], np.round(np.exp(NUMBERS))),
}


def chunked(*arrays, rows=ROWS):
    return [da.from_array(array, chunks=(rows, *array.shape[1:])) for array in arrays]


def alone(model, *collections):
    """Fitted in this process, without the cluster."""
    with dask.config.set(scheduler="synchronous"):
        return clone(model).fit(*collections[:2], sample_weight=(*collections, None)[2])


def parameters(model):
    return [model.coef_, model.intercept_] if hasattr(model, "coef_") else [*model.coefs_, *model.intercepts_]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(parameters(a), parameters(b), strict=True))


def cut(*arrays):
    return [tuple(array[i : i + ROWS] for array in arrays) for i in range(0, len(arrays[0]), ROWS)]


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
