"""Inputs that are refused: the message says why, and the estimator stays as it was."""

from __future__ import annotations

import pickle

import numpy as np
import pandas
import polars
import pytest
from estimator_tables import counts, several_labels, table
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from dlkernels.estimators import LogisticRegression, MLPClassifier, MLPRegressor, logistic_regression
from dlkernels.estimators._problem import Problem

brief = pytest.mark.filterwarnings("ignore:.*(converge|reached)")
X, Y = table("wine")
NUMBERS = X[:, 0]
LABELS = several_labels()
FEW = {"max_iter": 3, "random_state": 0}
MODELS = {
    "logistic": (LogisticRegression(), X, Y),
    "classifier": (MLPClassifier((4,), **FEW), X, Y),
    "labels": (MLPClassifier((4,), **FEW), *LABELS),
    "regressor": (MLPRegressor(hidden_layer_sizes=(4,), **FEW), X, NUMBERS),
    "counts": (MLPRegressor("poisson", (4,), alpha=0.0, **FEW), *counts()),
}


def fitted(name):
    model, X, y = MODELS[name]
    return clone(model).fit(X, y)


def changed(array, value):
    array = np.array(array, float)
    array.flat[0] = value
    return array


# -- an error changes nothing ----------------------------------------------------------------------------

#: Beside what is wrong, most tables have another number of features or other labels.
NARROW, WORDS = X[:, :5], np.array(["a", "b", "c"])[Y]
NETWORKS, CLASSIFIERS = ("classifier", "regressor"), ("logistic", "classifier")
ONES = np.ones(len(X))
BAD = [
    (MODELS, "fit", {"X": changed(NARROW, np.nan), "y": Y}, {}, "NaN"),
    (MODELS, "fit", {"X": NARROW, "y": changed(Y, np.inf)}, {}, "infinity"),
    (MODELS, "fit", {"X": NARROW, "y": WORDS[:5]}, {}, "inconsistent"),
    (MODELS, "fit", {"X": X[:, :0], "y": Y}, {}, "0 feature"),
    (MODELS, "fit", {"X": NARROW, "y": Y, "sample_weight": -ONES}, {}, "weight"),
    (MODELS, "fit", {"X": NARROW, "y": Y, "sample_weight": 1e-320 * ONES}, {}, "sample_weight adds up"),
    (CLASSIFIERS, "fit", {"X": NARROW, "y": WORDS}, {"class_weight": {"x": 1.0}}, "class_weight"),
    (CLASSIFIERS, "fit", {"X": NARROW, "y": NUMBERS}, {}, "Unknown label type"),
    (["logistic"], "fit", {"X": NARROW, "y": ONES}, {}, "only one"),
    (["logistic"], "fit", {"X": NARROW, "y": WORDS}, {"C": 1e-320}, r"1 / \(C sum\(sample_weight\)\) is"),
    (["logistic"], "fit", {"X": NARROW, "y": WORDS}, {"warm_start": True}, "coef_ has shape"),
    (NETWORKS, "fit", {"X": NARROW, "y": Y}, {"activation": ("relu", "relu")}, "activation"),
    (NETWORKS, "fit", {"X": NARROW, "y": Y, "X_val": X, "y_val": Y}, {}, "13 features"),
    (NETWORKS, "fit", {"X": NARROW, "y": Y, "X_val": X}, {}, "together"),
    (NETWORKS, "fit", {"X": NARROW[:9], "y": Y[:9]}, {"early_stopping": True}, "validation set|at least"),
    (NETWORKS, "fit", {"X": X, "y": Y}, {"hidden_layer_sizes": 5, "warm_start": True}, "units"),
    (NETWORKS, "fit", {"X": NARROW, "y": Y}, {"random_state": 2**40}, "Seed|random_state"),
    (
        NETWORKS,
        "fit",
        {"X": NARROW, "y": Y, "sample_weight": 1e-300 * ONES},
        {"alpha": 1e15},
        r"alpha / sum\(sample_weight\) is",
    ),
    (NETWORKS, "partial_fit", {"X": NARROW, "y": Y}, {}, "5 features"),
    (["classifier"], "fit", {"X": NARROW, "y": WORDS, "X_val": NARROW, "y_val": Y}, {}, "y_val"),
    (["classifier"], "fit", {"X": X, "y": WORDS}, {"warm_start": True}, "same classes"),
    (["classifier"], "partial_fit", {"X": X, "y": WORDS}, {}, "classes not in"),
    (["classifier"], "partial_fit", {"X": X, "y": Y, "classes": [1, 2]}, {}, "not the same"),
    (["classifier"], "partial_fit", {"X": X, "y": np.eye(3)[Y]}, {}, r"\(178, 3\), .* are classes"),
    (["labels"], "partial_fit", {"X": LABELS[0], "y": LABELS[1][:, 0]}, {}, "5 labels, a column for each"),
    (["labels"], "partial_fit", {"X": LABELS[0], "y": LABELS[1][:, :2]}, {}, "units"),
    (["regressor"], "partial_fit", {"X": X, "y": X[:, :2]}, {}, "units"),
    (["regressor"], "partial_fit", {"X": X, "y": Y, "X_val": X, "y_val": X}, {}, "y_val"),
    (
        ["regressor"],
        "fit",
        {"X": X[:9], "y": Y[:9]},
        {"early_stopping": True, "warm_start": True, "solver": "sgd"},
        "validation set",
    ),
    (["counts"], "fit", {"X": NARROW, "y": NUMBERS}, {}, "counts"),
]


@brief
@pytest.mark.parametrize(
    ("name", "method", "given", "settings", "message"),
    [(name, *case) for names, *case in BAD for name in names],
)
def test_an_error_leaves_the_estimator_as_it_was(name, method, given, settings, message):
    model = fitted(name).set_params(**settings)
    before = pickle.dumps(vars(model))
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(**given)
    assert pickle.dumps(vars(model)) == before
    new = clone(model)
    if not settings.get("warm_start") and method == "fit":
        with pytest.raises(ValueError, match=message):
            new.fit(**given)
        assert vars(new) == new.get_params()


NAMES = ["a", "b", None, "b"]
MISSING = {
    "list": NAMES,
    "objects": np.array(NAMES, object),
    "NaN": np.array(["a", "b", np.nan, "b"], object),
    "polars": polars.Series(NAMES),
    "pandas": pandas.Series(NAMES),
    "nullable strings": pandas.Series(NAMES, dtype="string"),
    "nullable numbers": pandas.Series([1, 2, None, 2], dtype="Int64"),
    "frame": pandas.DataFrame({"y": NAMES}),
}


@pytest.mark.parametrize("name", MISSING)
def test_the_first_missing_label_is_named(name):
    y, message = MISSING[name], r"y has missing values, the first in row 2 \(rows are counted from 0\)"
    for model in (LogisticRegression(), MLPClassifier(**FEW), MLPRegressor(**FEW)):
        with pytest.raises(ValueError, match=f"^{message}"):
            model.fit(X[:4], y)
        with pytest.raises(ValueError, match=f"^chunk 0: {message}"):
            model.fit_chunks([(X[:4], y)])


def test_a_first_partial_fit_that_fails_leaves_no_classes():
    model = MLPClassifier()
    for y, classes in ((NUMBERS, [0, 1, 2]), (Y, [0, 1]), (Y[:5], [0, 1, 2])):
        with pytest.raises(ValueError, match=r"label type|not in|inconsistent"):
            model.partial_fit(X, y, classes=classes)
        assert vars(model) == model.get_params()


@brief
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("name", ["logistic", "classifier", "searched"])
def test_a_fit_that_is_interrupted_leaves_the_last_one(name, warm_start, monkeypatch):
    """Such as by a limit of time. Batches that go on from weights change these where they lie."""

    def fail(*_, **__):
        raise MemoryError

    model = fitted("classifier" if name == "searched" else name).set_params(warm_start=warm_start)
    if name == "searched":
        model.set_params(solver="lbfgs")
    before = pickle.dumps(vars(model))
    monkeypatch.setattr(Problem, "epoch", fail)
    monkeypatch.setattr(Problem, "cost_and_gradient", fail)
    monkeypatch.setattr(logistic_regression, "lbfgs", fail)
    with pytest.raises(MemoryError):
        model.fit(X, Y) if warm_start else model.fit(NARROW, WORDS)
    assert (pickle.dumps(vars(model)) == before) == (name != "classifier" or not warm_start)


# -- numbers that are too large or too small -------------------------------------------------------------


@pytest.mark.parametrize("sizes", [10**18, 2**63, 10**30, (10**10, 10**10), (8, 10**15), np.int64(2**62)])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_layers_too_large_for_memory_are_named(kind, sizes):
    with pytest.raises(MemoryError, match=r"^MLP\w+: there is not enough memory for .*hidden_layer_sizes is"):
        kind(hidden_layer_sizes=sizes).fit(X, Y)


@brief
def test_other_huge_integers_mean_no_limit():
    huge = 10**30
    X, y = table("iris")
    model = LogisticRegression(max_iter=huge).fit(X, y)
    assert np.array_equal(model.coef_, LogisticRegression(max_iter=1000).fit(X, y).coef_)
    for solver in ("sgd", "adam", "lbfgs"):
        settings = {"solver": solver, "tol": 0.5, "random_state": 0, "hidden_layer_sizes": (3,)}
        limits = {"max_iter": huge, "max_fun": huge, "n_iter_no_change": 3}
        expected = MLPClassifier(max_iter=1000, n_iter_no_change=3, **settings).fit(X, y)
        assert np.array_equal(MLPClassifier(**limits, **settings).fit(X, y).coefs_[0], expected.coefs_[0])
    with pytest.warns(UserWarning, match="clipped"):
        MLPClassifier((3,), batch_size=huge, n_iter_no_change=huge, max_iter=2).fit(X, y)


@pytest.mark.parametrize("scale", [1e-320, 1e308])
@pytest.mark.parametrize("name", MODELS)
def test_weights_whose_sum_is_no_divisor_are_named(name, scale):
    model, X, y = MODELS[name]
    with pytest.raises(ValueError, match=r"sample_weight adds up to"):
        clone(model).fit(X, y, sample_weight=np.full(len(y), scale))


@brief
def test_a_batch_of_tiny_weights_is_left_out():
    """Some weights that are all but 0, such as exp(-700), harm nobody."""
    X, y = table("iris")
    weights = np.ones(len(y))
    weights[:50] = 1e-320
    settings = {
        "hidden_layer_sizes": (3,),
        "batch_size": 25,
        "shuffle": False,
        "random_state": 0,
        "max_iter": 20,
    }
    a = MLPClassifier(**settings).fit(X, y, sample_weight=weights)
    b = MLPClassifier(**settings).fit(X, y, sample_weight=np.where(weights == 1, 1.0, 0.0))
    assert np.array_equal(a.coefs_[0], b.coefs_[0])


# -- parameters that were set by hand --------------------------------------------------------------------


@brief
@pytest.mark.parametrize("name", ["logistic", "classifier", "regressor", "counts"])
def test_parameters_may_be_set_by_hand_without_a_fit(name):
    model, rows, _ = MODELS[name]
    model, by_hand = fitted(name), clone(model)
    for attribute in ("coef_", "intercept_", "coefs_", "intercepts_", "classes_"):
        if hasattr(model, attribute):
            setattr(by_hand, attribute, getattr(model, attribute))
    for method in ("decision_function", "predict_proba", "predict_log_proba", "predict"):
        if hasattr(model, method):
            for part in (rows, np.vstack([rows] * 40)):
                assert np.array_equal(getattr(by_hand, method)(part), getattr(model, method)(part))
    for part in (np.ones((1, 14)), np.ones((1000, 14))):
        with pytest.raises(ValueError, match=r"X has 14 features, but .* is expecting"):
            by_hand.predict(part)


def test_coefficients_by_hand_may_be_lists_of_integers():
    model = LogisticRegression()
    model.coef_, model.intercept_, model.classes_ = [[1, -1]], 0, np.array(["no", "yes"])
    assert list(model.predict([[2, 1], [1, 2]])) == ["yes", "no"]
    model.intercept_ = [0, 0]
    with pytest.raises(ValueError, match=r"coef_ has shape \(1, 2\) and intercept_ \(2,\)"):
        model.predict([[2, 1]])
    model.coef_, model.intercept_ = np.eye(2) * 1j, 0
    with pytest.raises(ValueError, match="coef_ and intercept_ must be arrays of real numbers"):
        model.predict([[2, 1]])
    model.coef_ = np.eye(3)
    with pytest.raises(ValueError, match="coef_ has 3 rows, but classes_ has 2 classes"):
        model.predict([[2, 1, 0]])


@brief
def test_parameters_by_hand_must_fit_the_classes():
    model = fitted("classifier")
    model.classes_ = np.arange(4)
    with pytest.raises(ValueError, match=r"have 3 outputs, but classes_ \[0 1 2 3\] needs 4"):
        model.predict(X)


@pytest.mark.parametrize("kind", [LogisticRegression, MLPClassifier, MLPRegressor])
def test_what_is_not_fitted_says_so(kind):
    model = kind()
    for method in ("decision_function", "predict_proba", "predict_log_proba", "predict"):
        if hasattr(model, method):
            with pytest.raises(NotFittedError):
                getattr(model, method)(X)
    model.coef_ = model.coefs_ = [np.ones((13, 1))]
    with pytest.raises(NotFittedError):
        model.predict(X)


# -- tables and labels that hold no numbers --------------------------------------------------------------


@brief
@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize("name", MODELS)
def test_tables_without_numbers_are_refused_in_predictions(name):
    """As in scikit-learn, whose `fit` takes strings of digits."""
    model, rows, _ = fitted(name), *MODELS[name][1:]
    words = rows.astype(str)
    for given in (words, words.astype("S"), words.tolist()):
        with pytest.raises(ValueError, match="bytes/strings"):
            model.predict(given)
    days = (10 * rows).astype(int)
    for dtype in ("M8[D]", "m8[s]"):
        for given in (days.astype(dtype), polars.DataFrame(words), pandas.DataFrame(days.astype(dtype))):
            with pytest.raises(TypeError, match="X must hold numbers, not "):
                model.predict(given)
    for given in (rows.astype(object), rows.astype(np.longdouble), rows.astype(">f8")):
        assert np.array_equal(model.predict(given), model.predict(rows))
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="infinity"):
        model.predict(np.full(rows.shape, np.longdouble("1e400")))


@pytest.mark.parametrize("dtype", ["U5", "S5", "M8[D]", "m8[s]", [("a", "f8")]], ids=str)
def test_a_regression_learns_numbers(dtype):
    with pytest.raises(ValueError, match="y must be an array of numbers, not "):
        MLPRegressor().fit(X, Y.astype(dtype))


def test_a_regression_takes_no_sparse_labels():
    with pytest.raises(ValueError, match="y must be an array of numbers, not csr_array"):
        MLPRegressor().fit(X, csr_array(np.eye(3)[Y]))
