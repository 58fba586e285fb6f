"""What models refuse, and what their messages say to do."""

from __future__ import annotations

import re
import tracemalloc
import warnings

import numpy as np
import pytest

from dlkernels import data, validation
from dlkernels.models import LogisticRegression, ShallowNetwork

RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(3, 6))
Y = np.array([[0, 1, 0, 1, 1, 0]])
WORDS = np.array(["no", "yes"])[Y]


class Table:
    """What models see of a table of pandas: an array, and the names of its rows and columns."""

    def __init__(self, entries, index, columns):
        self.entries, self.index, self.columns = entries, index, columns

    def __len__(self):
        return len(self.entries)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.entries, dtype)


def fit(X, Y, **settings):
    return LogisticRegression(backend="numpy", num_iterations=1, **settings).fit(X, Y)


def refused(X, Y, message, error=ValueError, **settings):
    with pytest.raises(error, match=re.escape(message)) as caught:
        fit(X, Y, **settings)
    assert str(caught.value).startswith("LogisticRegression.fit: ")


# -- NaN, infinity, and numbers that are too large ------------------------------------------------------


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(3, 6), (50, 3000)])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_not_finite_is_named_by_every_method(bad, shape, order, dtype):
    examples = np.array(RANDOM.normal(size=shape), dtype, order=order)
    labels = examples[:1] > 0
    model = fit(examples, labels)
    before = vars(model).copy()
    examples[2, 4], examples[1, 5] = np.inf, bad
    message = (
        f"must hold finite numbers, but 2 of {examples.size:,} are NaN or infinite, first X[1, 5] = {bad} "
    )
    message = re.escape(message + "(feature 1, example 5); leave such examples out")
    for method, given in (
        ("fit", (examples, labels)), ("score", (examples, labels)),
        ("predict", (examples,)), ("predict_proba", (examples,)),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=rf"^LogisticRegression\.{method}: X {message}"):
            getattr(model, method)(*given)
    assert vars(model) == before
    with pytest.raises(ValueError, match=message):
        ShallowNetwork(backend="numpy").fit(examples, labels)


@pytest.mark.parametrize("shape", [(3, 6), (50, 3000)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_numbers_are_finite_though_their_sum_is_not(dtype, shape):
    examples = np.full(shape, np.finfo(dtype).max, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LogisticRegression(num_iterations=0, backend="numpy").fit(examples, examples[:1] > 0)
        assert model.predict_proba(examples).shape == (1, shape[1])


def test_numbers_that_the_models_dtype_cannot_hold():
    large = X.copy()
    large[1, 2] = -1e39
    message = "numbers that fit into float32, but 1 of 18 are above 3.4e+38 in size, first X[1, 2] = -1e+39"
    refused(large, Y, message, dtype="float32")
    refused(large, Y, "scale the features, or take dtype='float64'", dtype="float32")
    model = fit(X.astype(np.float32), Y)
    with pytest.raises(ValueError, match=r"predict: X must hold numbers that fit into float32"):
        model.predict(large)


def test_parameters_to_start_from_are_finite():
    for w, b in (([[1], [np.nan], [1]], 0.0), ([[1], [1], [1]], np.inf)):
        with pytest.raises(ValueError, match="finite"):
            LogisticRegression(backend="numpy").fit(X, Y, parameters={"w": w, "b": b})
    with pytest.raises(ValueError, match=r"parameters\['w'\] must hold numbers that fit into float32"):
        fit(X.astype(np.float32), Y).fit(
            X.astype(np.float32), Y, parameters={"w": [[1e39], [1], [1]], "b": 0.0}
        )


def test_a_bias_that_the_models_dtype_cannot_hold():
    given = {"w": np.zeros((3, 1)), "b": -1e39}
    model = fit(X, Y, dtype="float32")
    before = vars(model).copy()
    message = r"^LogisticRegression\.fit: parameters\['b'\] is too large for float32: -1e\+39$"
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y, parameters=given)
    assert vars(model) == before
    fit(X, Y, dtype="float64").fit(X, Y, parameters=given)
    for b in (1e39, np.inf):  # as after a fit that diverged
        model.parameters_["b"] = b
        assert model.predict(X).all()


def test_the_check_of_many_numbers_takes_no_memory():
    many = np.ones((100, 10_000))
    validation.examples("f", many, 100, "float64")
    tracemalloc.start()
    validation.examples("f", many, 100, "float64")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < many.size / 4  # a truth value of each number would take four times as much


def test_data_with_gaps_can_be_split():
    """Gaps are filled in from the training examples, therefore after the split."""
    gaps = np.arange(20.0).reshape(1, 20)
    gaps[0, 3] = np.nan
    parts = data.train_test_split(gaps, [[0, 1] * 10])
    assert sum(int(np.isnan(part).sum()) for part in parts) == 1


# -- examples as rows, and labels that are no row --------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "labels", "advice"),
    [
        (X.T, Y, "X.T"),
        (X.T, Y.T, "X.T and Y.T"),
        (X.T, Y[0], "X.T and Y.reshape(1, -1)"),
        (X, Y.T, "Y.T"),
        (X, Y[0], "Y.reshape(1, -1)"),
        (X[0], Y[0], "X.reshape(1, -1) and Y.reshape(1, -1)"),
        (X[0], Y, "X.reshape(1, -1)"),
        (X[:, 0], Y[0, :1], "X.reshape(-1, 1) and Y.reshape(1, -1)"),
        (X.T.tolist(), Y[0].tolist(), "np.asarray(X).T and np.asarray(Y).reshape(1, -1)"),
        (X, np.eye(2)[:, Y[0]], "Y[1:2], the row of class 1"),
        (X.T, np.eye(2)[Y[0]], "X.T and Y[:, 1:2].T, the column of class 1"),
        (X, np.eye(3)[[0, 1, 2, 0, 1, 2]], "Y[:, 1:2].T, the column of class 1"),
    ],
)
def test_all_that_is_to_be_done_to_shapes_is_said_at_once(given, labels, advice):
    shapes = f"(X {np.shape(given)}, Y {np.shape(labels)})"
    refused(given, labels, f"so pass {advice} {shapes}")
    names = {"np": np, "X": given, "Y": labels}
    followed = {"X": given, "Y": labels}
    for expression in advice.partition(", the")[0].split(" and "):
        followed["X" if "X" in expression else "Y"] = eval(expression, names)
    assert fit(**followed).n_iter_ == 1


def test_shapes_that_no_exchange_mends():
    refused(X, Y[:, :5], "Y must have shape (1, 6) but has shape (1, 5) (Y (1, 5), X (3, 6))")
    refused(X, Y[0, :5], "Y must have 2 axes but has shape (5,)")
    refused(X, np.ones((2, 6)), "Y must have shape (1, 6) but has shape (2, 6)")
    refused(X[:, :0], Y[:, :0], "0 examples")


def test_another_number_of_features_than_fit_had():
    """The Standardizer says it in the same words."""
    message = "X has {} features, a row each, but the {} was fitted with 3 (X {})"
    for given, hint in ((X.T, "; X looks transposed: examples are columns, so pass X.T"), (X[:2], "")):
        for what, call in (
            ("model", fit(X, Y).predict),
            ("Standardizer", data.Standardizer().fit(X).transform),
        ):
            with pytest.raises(ValueError, match="features") as caught:
                call(given)
            said = str(caught.value).partition(": ")[2]
            assert said == message.format(len(given), what, given.shape) + hint


# -- labels that aren't 0 and 1 ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (2 * Y - 1, "3 of 6 labels are neither, first -1.0 (example 0); for two classes pass Y == 1"),
        (Y + 1, "for two classes pass Y == 2"),
        ((Y + 1).tolist(), "for two classes pass np.asarray(Y) == 2"),
        (0 * Y + 2, "6 of 6 labels are neither, first 2.0 (example 0); all labels are 2, but it"),
        (np.arange(6).reshape(1, 6), "a model tells two classes apart, so pass Y == 5 for one class against"),
        (Y / 4 + X[:1] ** 2, "numbers become labels by a limit, for instance Y > "),
        (np.where(Y, np.nan, 0), "first nan (example 1); leave such examples out"),
    ],
)
def test_labels_that_are_other_numbers(labels, message):
    refused(X, labels, f"Y must hold 0 and 1 only, but {message}" if message[0] in "36" else message)


@pytest.mark.parametrize(
    ("labels", "advice"),
    [
        (WORDS, "Y == 'yes'"),
        (WORDS.astype(object), "Y == 'yes'"),
        (WORDS.tolist(), "np.asarray(Y) == 'yes'"),
        (WORDS[0], "np.reshape(Y == 'yes', (1, -1))"),
        (np.array([list("abcabc")]), "Y == 'c'"),
    ],
)
def test_labels_that_are_words(labels, advice):
    refused(X, labels, f"labels are 0 and 1, so pass {advice}, which is 1 for ", error=TypeError)
    assert fit(X, eval(advice, {"np": np, "Y": labels})).n_iter_ == 1


def test_truth_values_are_labels():
    expected = fit(X, Y)
    for labels in (Y == 1, (Y == 1).tolist(), Table((Y == 1).tolist(), [0], range(6))):
        np.testing.assert_array_equal(fit(X, labels).parameters_["w"], expected.parameters_["w"])


# -- entries that are no numbers --------------------------------------------------------------------------


def test_an_entry_that_is_no_number_is_named():
    mixed = X.astype(object)
    mixed[1, 2] = "tall"
    refused(mixed, Y, "X has dtype object; expected float32, float64, integers or boo", error=TypeError)
    refused(mixed, Y, "X[1, 2] is 'tall': leave out what isn't numbers", error=TypeError)
    refused([[1, "b"]], [[0, 1]], "X[0, 1] is 'b'", error=TypeError)
    refused([[None, 1.0]], [[0, 1]], "X[0, 0] is None", error=TypeError)
    refused(Y, mixed, "Y[1, 2] is 'tall'", error=TypeError)


def test_a_table_names_its_columns():
    rows = [[1.0, "m"], [2.0, "f"]]
    table = Table(np.array(rows, object), ["ann", "bob"], ["age", "sex"])
    refused(table, [0, 1], "column 'sex' of X in row 'ann' is 'm'", error=TypeError)
    turned = Table(np.array(rows, object).T, ["age", "sex"], ["ann", "bob"])
    refused(turned, [[0, 1]], "column 'ann' of X in row 'sex' is 'm'", error=TypeError)
    numbers = Table(X, ["age", "height", "weight"], range(6))
    np.testing.assert_array_equal(fit(numbers, Y).parameters_["w"], fit(X, Y).parameters_["w"])


@pytest.mark.parametrize("given", [X.astype(object), X.astype(str), X.astype(np.float16)])
def test_numbers_of_another_dtype(given):
    refused(given, Y, "all its entries are numbers, so pass np.asarray(X, float)", error=TypeError)
    assert fit(np.asarray(given, float), Y).n_iter_ == 1


@pytest.mark.parametrize("threshold", [-0.1, 1.1, 2, np.inf])
def test_a_threshold_is_a_probability(threshold):
    model = fit(X, Y)
    with pytest.raises(ValueError, match=r"^LogisticRegression\.predict: threshold must be "):
        model.predict(X, threshold)
    assert model.predict(X, 0).all()
    assert not model.predict(X, 1).any()


@pytest.mark.parametrize(
    ("given", "shown"), [(None, "None"), ("abc", "'abc'"), (b"a", "b'a'"), ({}, "{}"), ({1, 2}, "{1, 2}")]
)
def test_what_is_no_array_at_all(given, shown):
    message = f"X must be an array of numbers, not {shown}"
    refused(given, Y, message, error=TypeError)
    for call in (data.rows_to_columns, data.Standardizer().fit):
        with pytest.raises(TypeError, match=re.escape(message)):
            call(given)


@pytest.mark.parametrize("make", [LogisticRegression, ShallowNetwork])
def test_examples_without_features(make):
    message = r"fit: X has no features: it must have a row for each \(X \(0, 6\), Y \(1, 6\)\)$"
    with pytest.raises(ValueError, match=message):
        make(backend="numpy").fit(X[:0], Y)


@pytest.mark.parametrize(("scale", "dtype"), [(1e39, "float32"), (1e308, "float64"), (-1e308, "float64")])
def test_initial_weights_are_finite(scale, dtype):
    model = ShallowNetwork(init_scale=scale, dtype=dtype, backend="numpy", seed=1)
    message = f"ShallowNetwork: init_scale {scale} is too large: initial weights must fit into {dtype}"
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(X, Y)
    assert not hasattr(model, "parameters_")
