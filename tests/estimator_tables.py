"""Tables to train estimators on, an example a row, with features of about one size."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import sklearn
from sklearn import datasets
from sklearn.preprocessing import scale

#: The version of scikit-learn, as (1, 4).
SCIKIT_LEARN = tuple(map(int, sklearn.__version__.split(".")[:2]))
with_polars = pytest.mark.skipif(
    SCIKIT_LEARN < (1, 6), reason="scikit-learn before 1.6 finds no names in a frame of today's polars"
)


@functools.cache
def table(name):
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    X = X / 16 if name == "digits" else scale(X)
    return X, scale(y) if name == "diabetes" else y


@functools.cache
def several_labels():
    return datasets.make_multilabel_classification(200, random_state=0)


@functools.cache
def counts():
    X, y = table("diabetes")
    return X, np.exp(y).round()
