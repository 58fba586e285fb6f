"""Tables to train estimators on, an example a row, with features of about one size."""

from __future__ import annotations

import functools

import numpy as np
from sklearn import datasets
from sklearn.preprocessing import scale


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
