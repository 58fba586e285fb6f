"""Train models on a table, and score them on rows that they haven't seen."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold

from dlkernels._data.columns import Array
from dlkernels._tables.choice import Choice
from dlkernels._tables.scores import score
from dlkernels.estimators import LogisticRegression, MLPClassifier, MLPRegressor, _preparation
from dlkernels.estimators._stochastic import InterruptedWarning

#: The penalty of networks. With scikit-learn's 1e-4 they learn small tables by heart: R² on diabetes is 0.21
#: then, and 0.48 with 0.3; on five other tables the score is as good or better (two times five folds).
_ALPHA = 0.3
#: The rows that a step sees. scikit-learn's 200 need more epochs on small tables.
_BATCH = 32


class Settings(NamedTuple):
    """What the options of `dlkernels train` say."""

    hidden: tuple[int, ...]
    folds: int
    seed: int
    max_iter: int
    impute: bool


class Scores(NamedTuple):
    """What folds have given, each held out once from training on the others.

    Attributes
    ----------
    model, constant : list of dict
        For each fold the scores by name, of the model and of the best constant guess.
    predicted : ndarray
        The prediction for each row by the model that hasn't seen it.
    seconds : list of float
        How long each training took. The first may have compiled kernels.
    """

    model: list[dict[str, float]]
    constant: list[dict[str, float]]
    predicted: Array
    seconds: list[float]


def pipeline_of(choice: Choice, task: str, settings: Settings, rows: int) -> Any:
    """The model for a task on a table of so many rows, behind the preparation of its columns; untrained."""
    preparation = _preparation.unfitted(choice.numbers, choice.texts, settings.impute)
    # A batch can't be larger than what a fold leaves for training; "auto" takes all then.
    batch_size = _BATCH if rows - -(-rows // settings.folds) >= _BATCH else "auto"
    return _preparation.pipeline_of(preparation, model_of(task, settings, batch_size=batch_size))


def model_of(task: str, settings: Settings, **how: Any) -> Any:
    """The model for a task, untrained. `how` says how networks are trained."""
    shared: dict[str, Any] = {"max_iter": settings.max_iter, "random_state": settings.seed}
    if not settings.hidden:
        if task == "classification":
            return LogisticRegression(**shared)
        # As strong a penalty as LogisticRegression's and Ridge's: sum(W²) / 2.
        return MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=1.0, **shared)
    network = MLPClassifier if task == "classification" else MLPRegressor
    return network(hidden_layer_sizes=settings.hidden, alpha=_ALPHA, **how, **shared)


def fitted(pipeline: Any, X: Any, y: Array) -> Any:
    """A new pipeline, trained on these rows. Numbers to be learnt are standardised, too."""
    pipeline = clone(pipeline)
    if is_classifier(pipeline):
        return pipeline.fit(X, y)
    mean, scale = y.mean(), y.std() or 1.0
    pipeline.fit(X, (y - mean) / scale)
    predict_numbers(pipeline["model"], mean, scale)
    return pipeline


def predict_numbers(network: Any, mean: float, scale: float) -> None:
    """Let a network that has learnt standardised numbers predict the numbers themselves.

    Its last layer takes over their scale.
    """
    network.coefs_[-1][...] *= scale
    network.intercepts_[-1][...] = network.intercepts_[-1] * scale + mean


def cross_validate(
    pipeline: Any, X: Any, y: Array, settings: Settings, advance: Callable[[int], None]
) -> Scores:
    """Hold out each fold once, with everything, the preparation too, learnt from the others."""
    classes = is_classifier(pipeline)
    splitter = (StratifiedKFold if classes else KFold)(
        settings.folds, shuffle=True, random_state=settings.seed
    )
    scores = Scores([], [], np.empty_like(y), [])
    for train, test in splitter.split(X, y):
        start = time.perf_counter()
        model = fitted(pipeline, X.iloc[train], y[train])
        scores.seconds.append(time.perf_counter() - start)
        scores.predicted[test] = model.predict(X.iloc[test])
        constant = DummyClassifier() if classes else DummyRegressor()
        guessed = constant.fit(X.iloc[train], y[train]).predict(X.iloc[test])
        scores.model.append(score(y[test], scores.predicted[test], classes))
        scores.constant.append(score(y[test], guessed, classes))
        advance(1)
    return scores


@contextlib.contextmanager
def collecting(unfinished: list[str]) -> Iterator[None]:
    """Collect what warnings say of trainings that haven't converged.

    An estimator takes Ctrl-C for the end of its training. Here it ends the command.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        warnings.simplefilter("error", InterruptedWarning)
        try:
            yield
        except InterruptedWarning:
            raise KeyboardInterrupt from None
    for each in caught:
        if issubclass(each.category, ConvergenceWarning):
            unfinished.append(str(each.message))
        else:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
