"""scikit-learn: an MLPClassifier with no hidden layer or one, which takes the steps of descents and fits."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from asv_benchmarks.works import LEARNING_RATE, LOGISTIC_FITS, SHALLOW_FITS


def build(work: Any, given: dict[str, Any]) -> list[Callable[[], Any]]:
    """Set it up for plain gradient descent: full batches, no momentum, no decay, given initial parameters."""
    if work.operation not in (*LOGISTIC_FITS, *SHALLOW_FITS):
        return []
    g, hidden = given, work.operation in SHALLOW_FITS
    rows, labels = np.ascontiguousarray(g["X"].T), g["Y"][0].astype(int)
    names = ("W1", "W2") if hidden else ("w",)
    bias = np.full((1, 1), g.get("b", 0.0), rows.dtype)
    biases = [g["b1"], g["b2"]] if hidden else [bias]
    model = MLPClassifier(
        hidden_layer_sizes=(work.shape[1],) if hidden else (), activation="tanh", solver="sgd", alpha=0.0,
        batch_size=len(rows), learning_rate_init=LEARNING_RATE, max_iter=work.steps, shuffle=False, tol=0.0,
        warm_start=True, momentum=0.0, nesterovs_momentum=False, n_iter_no_change=work.steps + 1,
    )  # fmt: skip

    def fit() -> Any:
        model.coefs_ = [np.ascontiguousarray(g[name] if name == "w" else g[name].T) for name in names]
        model.intercepts_ = [value[:, 0].copy() for value in biases]
        if hasattr(model, "_optimizer"):
            del model._optimizer  # it holds the parameters of the last fit
        model.fit(rows, labels)
        return [*(weights.T for weights in model.coefs_), *model.intercepts_]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.set_params(max_iter=1).fit(rows, labels)  # makes the attributes that `fit` sets
    model.set_params(max_iter=work.steps)

    def quiet() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return fit()

    return [quiet]
