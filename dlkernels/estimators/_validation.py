"""Examples that an estimator doesn't learn from, but is scored by after each epoch."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

import dlkernels as dk
from dlkernels.estimators._base import Array
from dlkernels.estimators._maps import by_parts, gathered, is_large_map
from dlkernels.estimators._problem import Problem


class Validation(NamedTuple):
    """Examples as columns, labels in the form of `Problem.Y`, and weights."""

    X: Array
    Y: Array
    weights: Array | None

    def score(self, theta: Array, problem: Problem) -> float:
        """The accuracy, or R² of a regression; NaN if a prediction is not finite."""

        def outputs_of(rows: Array) -> Array:
            return dk.network_forward(theta, problem.sizes, rows.T, problem.activations, problem.output).T

        A = (by_parts(outputs_of, self.X.T) if is_large_map(self.X.T) else outputs_of(self.X.T)).T
        if not np.isfinite(A).all():
            return math.nan
        if problem.output in ("identity", "exp"):
            return float(r2_score(self.Y.T, A.T, sample_weight=self.weights))
        right = (
            A.argmax(axis=0) == self.Y[0]
            if problem.output == "softmax"
            else ((A > 0.5) == self.Y).all(axis=0)
        )
        return float(np.average(right, weights=self.weights))


def split(problem: Problem, fraction: float, stratified: bool, random: Any) -> tuple[Array, Validation]:
    """The numbers of the examples to learn from, and the others; drawn as scikit-learn draws them."""
    train, held = train_test_split(
        np.arange(problem.X.shape[1]),
        random_state=random,
        test_size=fraction,
        stratify=problem.Y.T.astype(bool) if stratified else None,
    )
    if len(held) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
        )
    weights = None if problem.weights is None else problem.weights[held]
    if weights is not None and not weights.any():
        raise ValueError(
            "The weight of all examples that were set aside for validation is 0, so they give no score. "
            "Take another random_state, or pass X_val and y_val"
        )
    return train, Validation(gathered(problem.X.T, held).T, np.ascontiguousarray(problem.Y[:, held]), weights)
