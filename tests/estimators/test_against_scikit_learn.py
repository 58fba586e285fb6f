"""The same draws, losses and weights as scikit-learn: an independent oracle for the whole of training."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.linear_model
import sklearn.neural_network
from estimator_tables import SCIKIT_LEARN, counts, several_labels, table

from dlkernels import estimators

#: The last is about how the first versions of scikit-learn call the last ones of SciPy.
pytestmark = pytest.mark.filterwarnings("ignore:.*(converge|reached|disp. and .iprint)")
weighted = pytest.mark.skipif(SCIKIT_LEARN < (1, 7), reason="scikit-learn before 1.7 has no weights here")


def pair(kind, settings):
    module = sklearn.linear_model if kind == "LogisticRegression" else sklearn.neural_network
    return getattr(estimators, kind)(**settings), getattr(module, kind)(**settings)


def results(model, X):
    """Everything that a fit and a prediction give, as arrays."""
    weights = [*model.coefs_, *model.intercepts_]
    found = {f"weights {i}": array for i, array in enumerate(weights)}
    for name in ("loss_", "loss_curve_", "validation_scores_", "best_loss_", "best_validation_score_"):
        if getattr(model, name, None) is not None:
            found[name] = getattr(model, name)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_"):
        found[name] = getattr(model, name)
    found["prediction"] = model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)
    return found


def need_agreement(ours, theirs, X, tolerance=1e-6):
    a, b = results(ours, X), results(theirs, X)
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(a[name], b[name], atol=tolerance, rtol=tolerance, err_msg=name)
    assert ours.out_activation_ == theirs.out_activation_
    assert np.array_equal(ours.predict(X), theirs.predict(X)) or isinstance(ours, estimators.MLPRegressor)


CLASSES, TWO, NUMBERS = table("wine"), table("breast_cancer"), table("diabetes")
TWO = TWO[0][:300], TWO[1][:300]
BOTH = NUMBERS[0], np.stack([NUMBERS[1], -NUMBERS[1]], axis=1)
CASES = {
    "softmax": ("MLPClassifier", CLASSES, {"batch_size": 50}),
    "sigmoid, two layers": ("MLPClassifier", TWO, {"activation": "tanh", "hidden_layer_sizes": (8, 5)}),
    "stopped early": ("MLPClassifier", TWO, {"activation": "logistic", "early_stopping": True, "alpha": 0.1}),
    "several classes stopped early": ("MLPClassifier", CLASSES, {"early_stopping": True, "tol": 1e-2}),
    "several labels": ("MLPClassifier", several_labels(), {"early_stopping": True, "batch_size": 30}),
    "numbers": ("MLPRegressor", NUMBERS, {"alpha": 1.0, "batch_size": 50, "early_stopping": True}),
    "two numbers": ("MLPRegressor", BOTH, {"alpha": 1.0, "batch_size": 100}),
    "not shuffled": ("MLPRegressor", NUMBERS, {"shuffle": False, "activation": "identity"}),
    "stopped by the loss": ("MLPRegressor", NUMBERS, {"tol": 0.05, "n_iter_no_change": 2}),
}


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("case", CASES)
def test_training_goes_the_same_way(case, solver):
    kind, (X, y), settings = CASES[case]
    ours, theirs = pair(kind, {"solver": solver, "max_iter": 50, "random_state": 3, **settings})
    need_agreement(ours.fit(X, y), theirs.fit(X, y), X)


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("schedule", ["invscaling", "adaptive"])
def test_learning_rates_change_in_the_same_way(schedule, nesterov):
    """The velocity must stay as it is when the rate changes."""
    settings = {"learning_rate": schedule, "learning_rate_init": 0.05, "power_t": 0.3, "tol": 1e-2}
    settings |= {"n_iter_no_change": 2, "nesterovs_momentum": nesterov}
    ours, theirs = pair("MLPClassifier", {"solver": "sgd", "max_iter": 50, "random_state": 3, **settings})
    ours, theirs = ours.fit(*TWO), theirs.fit(*TWO)
    need_agreement(ours, theirs, TWO[0])
    assert ours._optimizer.learning_rate == pytest.approx(theirs._optimizer.learning_rate)
    assert ours._optimizer.learning_rate < 0.02


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_learning_rate_may_fall_to_nothing(dtype):
    """The velocity moves on. scikit-learn overflows where (t_ + 1)**power_t does, here at 1501**97."""
    X, y = TWO[0].astype(dtype), TWO[1]
    settings = {"solver": "sgd", "learning_rate": "invscaling", "max_iter": 5, "random_state": 3}
    ours, theirs = pair("MLPClassifier", {"power_t": 90, "learning_rate_init": 0.05, **settings})
    need_agreement(ours.fit(X, y), theirs.fit(X, y), X, 1e-6 if dtype == np.float64 else 1e-4)
    first = ours.loss_curve_
    for power in (97, 1e3, 1e300):
        assert ours.set_params(power_t=power).fit(X, y).loss_curve_ == first
    assert first[-1] < first[1] < first[0]


@weighted
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_weights_count_in_the_same_way(kind, solver):
    X, y = TWO if kind == "MLPClassifier" else NUMBERS
    weights = np.random.default_rng(0).random(len(X))
    settings = {"batch_size": 64, "alpha": 0.5, "early_stopping": True, "max_iter": 50, "random_state": 3}
    ours, theirs = pair(kind, {"solver": solver, **settings})
    need_agreement(ours.fit(X, y, sample_weight=weights), theirs.fit(X, y, sample_weight=weights), X)


@weighted
def test_counts_are_learnt_in_the_same_way():
    X, y = counts()
    ours, theirs = pair("MLPRegressor", {"loss": "poisson", "max_iter": 50, "random_state": 3})
    need_agreement(ours.fit(X, y), theirs.fit(X, y), X)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_goes_the_same_way(solver):
    ours, theirs = pair("MLPClassifier", {"solver": solver, "random_state": 3, "batch_size": 16})
    X, y = CLASSES
    for first in (0, 60, 120) * 5:
        part = slice(first, first + 60)
        for model in (ours, theirs):
            model.partial_fit(X[part], y[part], classes=[0, 1, 2])
    need_agreement(ours, theirs, X)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_a_warm_start_goes_the_same_way(solver):
    settings = {"solver": solver, "random_state": 3, "warm_start": True, "max_iter": 8}
    ours, theirs = pair("MLPRegressor", settings)
    for model in (ours, theirs):
        model.fit(*NUMBERS).fit(*NUMBERS)
    need_agreement(ours, theirs, NUMBERS[0])


@pytest.mark.parametrize("activation", ["logistic", "relu"])
def test_a_network_without_hidden_layers_begins_as_scikit_learns(activation):
    settings = {"hidden_layer_sizes": (), "activation": activation, "max_iter": 3, "random_state": 3}
    ours, theirs = pair("MLPClassifier", settings)
    need_agreement(ours.fit(*CLASSES), theirs.fit(*CLASSES), CLASSES[0])


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_lbfgs_finds_the_same_minimum(activation):
    settings = {"solver": "lbfgs", "activation": activation, "max_iter": 30, "random_state": 3, "alpha": 0.1}
    ours, theirs = pair("MLPClassifier", {**settings, "hidden_layer_sizes": (10,)})
    need_agreement(ours.fit(*CLASSES), theirs.fit(*CLASSES), CLASSES[0])


SETTINGS = [
    {},
    {"fit_intercept": False},
    {"class_weight": "balanced"},
    {"C": 0.1},
    {"C": np.inf, "tol": 0.01},
]
tables = pytest.mark.parametrize("name", ["breast_cancer", "wine", "digits"])


@tables
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_logistic_regression_has_the_same_coefficients(name, settings):
    X, y = table(name)
    ours, theirs = pair("LogisticRegression", {"max_iter": 200, **settings})
    ours.fit(X, y)
    theirs.fit(X, y)
    for attribute in ("coef_", "intercept_", "n_iter_"):
        np.testing.assert_allclose(getattr(ours, attribute), getattr(theirs, attribute), atol=1e-6)
    for method in ("decision_function", "predict_proba"):
        np.testing.assert_allclose(getattr(ours, method)(X), getattr(theirs, method)(X), atol=1e-6)


@tables
def test_float32_stays_float32(name):
    """Roundings of float32 change the way to the minimum, so the search must come close to it."""
    X, y = table(name)
    X = X.astype("float32")
    ours, theirs = pair("LogisticRegression", {"max_iter": 500, "C": 0.1, "tol": 1e-5})
    probabilities = ours.fit(X, y).predict_proba(X)
    np.testing.assert_allclose(probabilities, theirs.fit(X, y).predict_proba(X), atol=2e-3)
    assert ours.coef_.dtype == ours.intercept_.dtype == probabilities.dtype == np.float32


def test_logistic_regression_with_weights_has_the_same_coefficients():
    X, y = table("wine")
    weights = np.random.default_rng(0).random(len(X))
    ours, theirs = pair("LogisticRegression", {"class_weight": {0: 2.0}})
    ours.fit(X, y, sample_weight=weights)
    theirs.fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
