"""Standardised tables for tests of learning from blocks, and how they are cut and compared."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

ROWS = 40


def scaled(load):
    X, y = load(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


IRIS, CANCER, DIABETES = scaled(load_iris), scaled(load_breast_cancer), scaled(load_diabetes)
NUMBERS = (DIABETES[1] - DIABETES[1].mean()) / DIABETES[1].std()
COUNTS = np.round(np.exp(NUMBERS))


def cut(*arrays, size=ROWS):
    """The chunks of a table."""
    return [tuple(array[i : i + size] for array in arrays) for i in range(0, len(arrays[0]), size)]


def parameters(model):
    return [model.coef_, model.intercept_] if hasattr(model, "coef_") else [*model.coefs_, *model.intercepts_]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(parameters(a), parameters(b), strict=True))
