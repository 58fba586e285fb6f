"""scikit-learn: an MLPClassifier, which takes the steps of descents and fits, and trains epochs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from asv_benchmarks.works import LEARNING_RATE, LOGISTIC_FITS, NETWORKS, SHALLOW_FITS, layers


def _quiet(fit: Callable[[], Any]) -> Callable[[], Any]:
    """The fit, without the warning that it took as many steps as it was allowed."""

    def quiet() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return fit()

    return quiet


def _network(work: Any, g: dict[str, Any]) -> list[Callable[[], Any]]:
    """`partial_fit`, an epoch of Adam; `fit`; `predict_proba`. All check and convert as they always do."""
    rows, labels, m = np.ascontiguousarray(g["X"].T), g["Y"][0].astype(int), work.shape[-1]
    model = MLPClassifier(
        hidden_layer_sizes=work.sizes[1:-1], activation="relu", solver="adam", alpha=0.0, batch_size=1,
        learning_rate_init=g["learning_rate"], epsilon=g["epsilon"], random_state=1,
    )  # fmt: skip
    classes = np.arange(max(2, work.sizes[-1]))
    model.partial_fit(rows[:1], labels[:1], classes=classes)  # makes the attributes that follow

    def start() -> None:
        network = [(W.T.copy(), b.copy()) for W, b in layers(g["theta"], work.sizes)]
        model.coefs_, model.intercepts_ = (list(arrays) for arrays in zip(*network, strict=True))
        if hasattr(model, "_optimizer"):
            del model._optimizer  # it holds the parameters of the last fit

    start()
    # It shuffles with this older generator only, and draws from it anew in each epoch.
    random = g["random"] if isinstance(g["random"], np.random.RandomState) else np.random.RandomState(1)
    model.set_params(batch_size=min(work.batch or m, m), random_state=random)

    def train_epoch() -> Any:
        return model.partial_fit(rows, labels).loss_

    def network_forward() -> Any:
        chances = model.predict_proba(rows).T
        return chances[1:] if work.output == "sigmoid" else chances

    def fit() -> Any:
        start()
        model.set_params(max_iter=work.steps, warm_start=True, tol=0.0, n_iter_no_change=work.steps + 1)
        model.fit(rows, labels)
        return [*(weights.T for weights in model.coefs_), *model.intercepts_]

    forms = {"train_epoch": [train_epoch], "network_forward": [network_forward], "Network": [_quiet(fit)]}
    return forms.get(work.operation, [])


def build(work: Any, given: dict[str, Any]) -> list[Callable[[], Any]]:
    """Set it up for epochs of Adam, or for plain gradient descent: full batches, no momentum, no decay.

    Both start from the given parameters.
    """
    if work.operation in NETWORKS:
        return _network(work, given)
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

    return [_quiet(fit)]
