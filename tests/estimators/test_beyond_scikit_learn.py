"""What scikit-learn's estimators lack, or refuse."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from estimator_tables import several_labels, table
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import balanced_accuracy_score

import dlkernels as dk
from dlkernels.estimators import LogisticRegression, MLPClassifier, MLPRegressor
from dlkernels.estimators._problem import Problem

brief = pytest.mark.filterwarnings("ignore:.*(converge|reached)")
X, Y = table("wine")
TWO = table("breast_cancer")
NUMBERS = table("diabetes")


def weights(model):
    return [*model.coefs_, *model.intercepts_]


def equal_bits(a, b):
    return all(np.array_equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


# -- settings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "saga"},
        {"penalty": "l1"},
        {"l1_ratio": 0.5},
        {"dual": True},
        {"intercept_scaling": 2.0},
        {"n_jobs": -1},
    ],
    ids=str,
)
def test_a_setting_that_is_not_supported_is_refused_by_name(settings):
    (name,) = settings
    model = LogisticRegression(**settings)
    with pytest.raises(ValueError, match=f"LogisticRegression: {name}="):
        model.fit(X, Y)


def test_sparse_tables_are_refused_with_a_hint():
    from scipy.sparse import csr_array

    for model in (MLPClassifier(), LogisticRegression()):
        with pytest.raises(TypeError, match=r"shape \(178, 13\).* pipeline, .*sparse_threshold=0.*toarray"):
            model.fit(csr_array(X), Y)
        with pytest.raises(TypeError, match="chunk 0: X is a sparse table"):
            model.fit_chunks([(csr_array(X), Y)])


# -- activations -----------------------------------------------------------------------------------------


@brief
def test_each_layer_may_have_an_activation():
    model = MLPClassifier((8, 5), activation=("leaky_relu", "logistic"), max_iter=3, random_state=0).fit(X, Y)
    layers = zip(model.coefs_, model.intercepts_, strict=True)
    theta = np.concatenate([array.T.ravel() for layer in layers for array in layer])
    A = dk.network_forward(theta, (13, 8, 5, 3), X.T, ("leaky_relu", "sigmoid"), "softmax")
    np.testing.assert_array_equal(model.predict_proba(X), A.T)


@pytest.mark.parametrize("activation", ["swish", ("relu",), ("relu", "swish")])
def test_a_wrong_activation_is_an_error(activation):
    with pytest.raises(ValueError, match="activation"):
        MLPClassifier((8, 5), activation=activation).fit(X, Y)


# -- weights of classes and of examples ------------------------------------------------------------------


@brief
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_class_weights_are_weights_of_examples(solver):
    settings = {"solver": solver, "max_iter": 10, "random_state": 0, "batch_size": 50}
    a = MLPClassifier(class_weight={0: 2.0, 2: 0.5}, **settings).fit(X, Y)
    b = MLPClassifier(**settings).fit(X, Y, sample_weight=np.choose(Y, [2.0, 1.0, 0.5]))
    assert equal_bits(a, b)


@brief
def test_class_weights_are_weights_of_the_examples_that_stop_training():
    settings = {"max_iter": 20, "random_state": 0, "early_stopping": True}
    a = MLPClassifier(class_weight={0: 9.0, 2: 0.5}, **settings).fit(X, Y)
    b = MLPClassifier(**settings).fit(X, Y, sample_weight=np.choose(Y, [9.0, 1.0, 0.5]))
    assert equal_bits(a, b)
    assert a.validation_scores_ == b.validation_scores_


@brief
def test_balanced_weights_help_a_rare_class():
    rare = np.flatnonzero((TWO[1] == 1) | (np.arange(len(TWO[1])) % 20 == 0))
    few, labels = TWO[0][rare][:, :2], TWO[1][rare]
    settings = {"hidden_layer_sizes": (8,), "solver": "lbfgs", "max_iter": 100, "random_state": 0}
    plain = MLPClassifier(**settings).fit(few, labels).predict(few)
    balanced = MLPClassifier(class_weight="balanced", **settings).fit(few, labels).predict(few)
    scores = [balanced_accuracy_score(labels, found) for found in (plain, balanced)]
    assert scores[1] > scores[0]


@pytest.mark.parametrize("kind", [LogisticRegression, MLPClassifier])
def test_balanced_weights_count_weighted_examples(kind):
    """A weight of 2 is the example twice, also where classes are balanced."""
    settings = {"class_weight": "balanced", "max_iter": 1000}
    if kind is MLPClassifier:
        settings |= {"hidden_layer_sizes": (), "solver": "lbfgs", "alpha": 1.0, "random_state": 0}
    twice = np.where(np.arange(len(X)) < 40, 2, 1)
    a = kind(**settings).fit(X, Y, sample_weight=twice)
    b = kind(**settings).fit(np.repeat(X, twice, axis=0), np.repeat(Y, twice))
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), atol=1e-6)


def test_balanced_weights_need_all_examples():
    with pytest.raises(ValueError, match="class_weight='balanced' is not supported: partial_fit"):
        MLPClassifier(class_weight="balanced").partial_fit(X, Y, classes=[0, 1, 2])


@pytest.mark.parametrize("kind", [LogisticRegression, MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(
    ("first", "message"), [(0.0, "is 0 for all|at least one non-zero"), (-1.0, "at least 0")]
)
def test_weights_must_be_positive_somewhere(kind, first, message):
    weights = np.zeros(len(X))
    weights[0] = first
    with pytest.raises(ValueError, match=message):
        kind().fit(X, Y, sample_weight=weights)


# -- validation ------------------------------------------------------------------------------------------


@brief
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_the_best_weights_on_own_validation_data_are_kept(kind):
    X, y = TWO if kind is MLPClassifier else NUMBERS
    model = kind(max_iter=30, random_state=0, learning_rate_init=0.1, solver="sgd")
    model.fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    assert len(model.validation_scores_) == len(model.loss_curve_) == model.n_iter_ == 30
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.score(X[200:], y[200:]) == pytest.approx(model.best_validation_score_)
    assert model.validation_scores_[-1] < model.best_validation_score_  # otherwise there is nothing to keep


def test_own_validation_data_can_stop_training():
    labels = np.array(["no", "yes"])[TWO[1]]
    model = MLPClassifier(early_stopping=True, n_iter_no_change=3, tol=1e-3, random_state=0)
    model.fit(TWO[0][:400], labels[:400], X_val=TWO[0][400:], y_val=labels[400:])
    assert model.n_iter_ < 100
    assert model.best_loss_ is None
    assert model.t_ == 400 * model.n_iter_  # nothing is set aside


def test_validation_data_come_in_pairs_and_with_batches():
    with pytest.raises(ValueError, match="together"):
        MLPClassifier().fit(X, Y, X_val=X)
    with pytest.raises(ValueError, match="lbfgs"):
        MLPClassifier(solver="lbfgs").fit(X, Y, X_val=X, y_val=Y)


# -- partial_fit -----------------------------------------------------------------------------------------


@brief
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("data", [(X, Y), several_labels()], ids=["classes", "several labels"])
def test_batches_in_order_give_the_bits_of_a_fit(data, solver, early_stopping):
    X, y = data
    settings = {"solver": solver, "random_state": 0, "batch_size": 32, "shuffle": False}
    whole = MLPClassifier(max_iter=3, **settings).fit(X, y)
    parts = MLPClassifier(early_stopping=early_stopping, **settings)
    for _ in range(3):
        for first in range(0, len(X), 32):
            part = slice(first, first + 32)
            rest = min(32, len(X) - first)
            parts.set_params(batch_size=rest)
            parts.partial_fit(X[part], y[part], classes=np.arange(y.shape[1] if y.ndim > 1 else 3))
    assert equal_bits(whole, parts)
    assert np.array_equal(whole.predict(X), parts.predict(X))


def test_partial_fit_scores_own_validation_data():
    model = MLPClassifier(random_state=0)
    for _ in range(4):
        model.partial_fit(X, Y, classes=[0, 1, 2], X_val=X, y_val=Y)
    assert len(model.validation_scores_) == 4
    assert model.validation_scores_[-1] == model.score(X, Y)


# -- weights set by hand ---------------------------------------------------------------------------------


@brief
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_training_may_begin_with_own_weights(solver):
    first = MLPClassifier((8,), solver=solver, max_iter=5, random_state=0).fit(X, Y)
    model = MLPClassifier((8,), solver=solver, max_iter=1, random_state=0, warm_start=True)
    model.coefs_ = [coef.copy() for coef in first.coefs_]
    model.intercepts_ = [intercept.copy() for intercept in first.intercepts_]
    model.fit(X, Y)
    assert model.loss_ < (first.loss_curve_[0] if solver != "lbfgs" else first.loss_ + 1e-9)
    assert not equal_bits(model, first)


def test_predictions_follow_weights_that_are_changed():
    model = MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=500, tol=1e-2, random_state=0)
    model.fit(*NUMBERS)
    before = model.predict(NUMBERS[0])
    copied = pickle.loads(pickle.dumps(model))
    copied.intercepts_[-1] += 1.0
    np.testing.assert_allclose(copied.predict(NUMBERS[0]), before + 1.0)
    model.intercepts_[-1] += 1.0  # in place
    np.testing.assert_allclose(model.predict(NUMBERS[0]), before + 1.0)
    model.intercepts_[-1] = model.intercepts_[-1] + 1.0  # another array
    np.testing.assert_allclose(model.predict(NUMBERS[0]), before + 2.0)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(NUMBERS[0]), model.predict(NUMBERS[0]))


def test_weights_of_another_network_are_refused():
    model = MLPClassifier((8,), warm_start=True)
    model.coefs_, model.intercepts_ = [np.ones((13, 4)), np.ones((4, 3))], [np.ones(4), np.ones(3)]
    with pytest.raises(ValueError, match=r"\(13, 4, 3\) units, but .* need \(13, 8, 3\)"):
        model.fit(X, Y)
    model.intercepts_[0] = np.ones(5)
    with pytest.raises(ValueError, match=r"intercepts_\[0\] has shape \(5,\)"):
        model.fit(X, Y)


# -- numbers that become too large -----------------------------------------------------------------------


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_diverging_training_keeps_the_best_finite_weights(kind, early_stopping):
    model = kind(
        hidden_layer_sizes=(20,), activation="identity", solver="sgd", learning_rate_init=1e3, alpha=0.0,
        random_state=0, max_iter=50, early_stopping=early_stopping,
    )  # fmt: skip
    huge = TWO[0] * 1e3
    with pytest.warns(ConvergenceWarning, match=r"diverged: .* in epoch \d+\. The best finite weights"):
        model.fit(huge, TWO[1])
    assert model.n_iter_ < 50
    assert all(np.isfinite(array).all() for array in weights(model))
    model.set_params(learning_rate_init=1e-3).partial_fit(TWO[0], TWO[1])  # with a new optimizer
    assert all(np.isfinite(array).all() for array in weights(model))


@brief
def test_weights_of_the_lowest_loss_are_kept(monkeypatch):
    """The third epoch has the lowest loss, so its first weights are kept: the losses are theirs."""
    epoch, losses = Problem.epoch, []

    def diverging(self, theta, *rest):
        losses.append(epoch(self, theta, *rest))
        if len(losses) == 4:
            theta[0] = np.inf
        return losses[-1] + (10.0 if len(losses) == 4 else 0.0)

    settings = {"hidden_layer_sizes": (8,), "random_state": 0}
    expected = MLPClassifier(max_iter=2, **settings).fit(X, Y)
    monkeypatch.setattr(Problem, "epoch", diverging)
    with pytest.warns(ConvergenceWarning, match=r"in epoch 4\."):
        model = MLPClassifier(**settings).fit(X, Y)
    assert losses[:3] == sorted(losses[:3], reverse=True)
    assert equal_bits(model, expected)


def test_lbfgs_keeps_finite_weights():
    model = MLPRegressor(hidden_layer_sizes=(5,), solver="lbfgs", random_state=0)
    with pytest.warns(ConvergenceWarning, match="diverged|failed"):
        model.fit(NUMBERS[0] * 1e200, NUMBERS[1] * 1e200)
    assert all(np.isfinite(array).all() for array in weights(model))


@pytest.mark.parametrize("kind", ["two", "several"])
def test_probabilities_of_huge_logits_are_finite(kind):
    y = (Y > 0) if kind == "two" else Y
    models = [LogisticRegression().fit(X, y), MLPClassifier((), solver="lbfgs", random_state=0).fit(X, y)]
    for model in models:
        P, log_P = model.predict_proba(X * 1e6), model.predict_log_proba(X * 1e6)
        assert np.isfinite(P).all()
        np.testing.assert_allclose(P.sum(axis=1), 1.0)
        assert np.isfinite(log_P).all()
        assert log_P.min() < -1e5  # where the probability is 0


# -- reports ---------------------------------------------------------------------------------------------


@brief
def test_lines_are_printed_where_there_is_no_terminal(capsys):
    MLPClassifier(max_iter=2, verbose=True, early_stopping=True, random_state=0).fit(X, Y)
    LogisticRegression(verbose=1).fit(X, Y)
    printed = capsys.readouterr().out
    assert "Iteration 2, loss = " in printed
    assert "Validation score: " in printed
    assert "Iteration 10, loss = " in printed
    MLPClassifier(max_iter=2, random_state=0).fit(X, Y)
    assert not capsys.readouterr().out


@brief
def test_a_bar_is_shown_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    MLPClassifier(max_iter=2, verbose=True, random_state=0).fit(X, Y)
    shown = capsys.readouterr()
    assert "Iteration" not in shown.out
    assert "MLPClassifier" in shown.err


# -- what is refused, or taken as scikit-learn takes it ------------------------------------------------------


def test_labels_other_than_0_count_as_1():
    X, Y = several_labels()
    models = [MLPClassifier((5,), max_iter=3, random_state=0) for _ in range(2)]
    with pytest.warns(ConvergenceWarning):
        first, second = models[0].fit(X, Y).predict_proba(X), models[1].fit(X, 5 * Y).predict_proba(X)
    assert (first == second).all()


def test_sizes_of_layers_are_integers():
    with pytest.raises(TypeError, match=r"hidden_layer_sizes must be integers, got \[2.5\]"):
        MLPClassifier([2.5]).fit(*table("iris"))


@pytest.mark.parametrize(
    ("y_val", "message"),
    [
        ([0, 1, 2], r"y_val: `y` has shape \(3,\), but what is learnt are 5 labels"),
        (["a", "b", "c"], "y_val"),
    ],
    ids=["one column", "words"],
)
def test_validation_labels_must_be_like_the_labels(y_val, message):
    X, Y = several_labels()
    with pytest.raises(ValueError, match=message):
        MLPClassifier((5,), max_iter=3).fit(X, Y, X_val=X[:3], y_val=np.array(y_val))


@pytest.mark.parametrize("y_val", [[0, 7], [0.0, 0.5], ["a", "b"], [None, 1], [0, 10**30]], ids=str)
def test_an_unknown_class_of_validation_data_is_named(y_val):
    X, y = table("iris")
    with pytest.raises(ValueError, match=r"y_val(: .*(classes not in|[lL]abel type)| has missing)"):
        MLPClassifier((5,), max_iter=3).fit(X, y, X_val=X[:2], y_val=y_val)


def test_a_longer_word_is_another_class():
    """NumPy would cut it off at the length of the classes' names."""
    X, y = table("iris")
    with pytest.raises(ValueError, match=r"y_val: .*classes not in"):
        MLPClassifier((5,)).fit(X, np.array(["a", "b", "c"])[y], X_val=X[:2], y_val=["a", "bed"])


@pytest.mark.parametrize("kind", [LogisticRegression, MLPClassifier])
def test_weights_of_classes_that_there_are_not_are_named(kind):
    message = r"The classes, \['b'\], are not in class_weight\. It has \['no'\], which are no classes of y"
    model = kind(class_weight={"a": 5, "no": 1})
    with pytest.raises(ValueError, match=message):
        model.fit(X[:4], list("abab"))
    with pytest.raises(ValueError, match=message):
        model.fit_chunks([(X[:4], list("abab"))])


def test_a_class_without_weight_gets_none():
    X, y = table("iris")
    model = LogisticRegression(class_weight="balanced").fit(X, y, sample_weight=(y > 0).astype(float))
    assert np.isfinite(model.coef_).all()
    assert model.score(X[y > 0], y[y > 0]) > 0.9


def test_examples_set_aside_need_weight():
    X, y = table("iris")
    weights = np.zeros(len(y))
    weights[:1] = 1
    with pytest.raises(ValueError, match="weight of all examples that were set aside for validation is 0"):
        MLPClassifier((5,), early_stopping=True, random_state=1).fit(X, y, sample_weight=weights)


def test_another_solver_begins_anew():
    X, y = table("iris")
    model = MLPClassifier((5,), random_state=0).partial_fit(X, y, classes=[0, 1, 2])
    model.set_params(solver="sgd", learning_rate="invscaling").partial_fit(X, y)
    assert type(model._optimizer) is dk.optimizers.SGD


@pytest.mark.parametrize("change", ["complex", "scalar", "fewer"])
def test_weights_that_are_no_arrays_of_numbers_are_refused(change):
    X, y = table("iris")
    model = MLPClassifier((5,), random_state=0).partial_fit(X, y, classes=[0, 1, 2])
    coefs = list(model.coefs_)
    coefs[0] = {"complex": coefs[0] * 1j, "scalar": 1.0, "fewer": coefs[0]}[change]
    model.coefs_ = coefs[:1] if change == "fewer" else coefs
    with pytest.raises(ValueError, match="coefs_"):
        model.predict(X)
