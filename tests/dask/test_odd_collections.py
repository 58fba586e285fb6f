"""Dask collections of odd forms; and predictions and scores that must be refused."""

from __future__ import annotations

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from block_tables import IRIS, ROWS, cut, same
from dask_tables import NETWORK, X, Y, chunked, frame, with_nan, with_unknown_rows
from sklearn.exceptions import NotFittedError

from dlkernels.dask import DaskLogisticRegression, DaskMLPClassifier, DaskMLPRegressor
from dlkernels.dask._collections import blocks_of
from dlkernels.estimators import LogisticRegression

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::dask.array.PerformanceWarning"),  # tables of tests are small
]


@pytest.fixture(autouse=True)
def in_this_process():
    with dask.config.set(scheduler="synchronous"):
        yield


# -- predictions without `fit`, and wrong ones -------------------------------------------------------------


def test_predictions_before_fit_and_of_other_features_are_refused_at_once():
    for model in (DaskLogisticRegression(), DaskMLPClassifier(), DaskMLPRegressor()):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            model.predict(X)
        with pytest.raises(NotFittedError, match="not fitted yet"):
            model.score(X, Y)
    model = DaskLogisticRegression().fit(X, Y)
    with pytest.raises(ValueError, match="X has 3 features, but LogisticRegression is expecting 4 features"):
        model.predict(X[:, :3])
    table, names = frame(*IRIS)
    model = DaskLogisticRegression().fit(table[names], table["label"])
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict_proba(table[names].rename(columns={"x0": "other"}))
    with pytest.raises(TypeError, match="X must hold numbers"):
        model.predict(table[names].assign(x0="a"))
    later = DaskLogisticRegression().fit(X, Y).predict(chunked(with_nan(IRIS[0]))[0])
    with pytest.raises(ValueError, match="block 2: Input X contains NaN"):
        later.compute()


def test_parameters_may_be_set_by_hand():
    fitted = DaskLogisticRegression().fit(X, Y)
    model = DaskLogisticRegression()
    model.coef_, model.intercept_, model.classes_ = fitted.coef_, fitted.intercept_, fitted.classes_
    assert np.array_equal(model.predict(X).compute(), fitted.predict(X).compute())
    assert model.score(X, Y) == fitted.score(X, Y)
    regressor = DaskMLPRegressor(hidden_layer_sizes=())
    regressor.coefs_, regressor.intercepts_ = [np.ones((4, 1))], [np.zeros(1)]
    assert np.allclose(regressor.predict(X).compute(), IRIS[0].sum(axis=1))


def test_the_plain_estimator_shares_memory_and_goes_on_where_training_was():
    model = DaskMLPClassifier(max_iter=3, batch_size=15, **NETWORK).fit(X, Y)
    local, other = model.to_local(), model.to_local()
    assert local._network()[0] is local._shared[0]
    before = local.predict_proba(IRIS[0])
    local.coefs_[0][...] = 0
    assert not np.array_equal(local.predict_proba(IRIS[0]), before)
    assert np.array_equal(model.predict_proba(IRIS[0]), before)
    other.partial_fit(*IRIS)
    assert other.t_ == model.t_ + 150
    anew = model._frozen().partial_fit(*IRIS)
    assert not np.array_equal(anew.coefs_[0], other.coefs_[0])
    # What is predicted later is what the model was when it was asked.
    later = model.predict_proba(X)
    model.coefs_[0][...] = 0
    assert np.array_equal(later.compute(), before)
    assert not hasattr(model._frozen(), "_optimizer")


WEIGHTS = da.ones(150, chunks=ROWS)
SEVERAL = np.stack([IRIS[1] == 0, IRIS[1] > 1], axis=1).astype(int)
SCORES = {
    "length": (X, with_unknown_rows(IRIS[1][:100]), None, "but y has 3"),
    "length of a block": (
        with_unknown_rows(IRIS[0]), da.from_array(IRIS[1], chunks=(50, 50, 25, 25)), None,
        r"block \d: .*inconsistent numbers of samples",
    ),
    "columns": (X, da.stack([Y, Y], axis=1), None, r"y has 2 column\(s\), but 1 are predicted"),
    "NaN": (X, da.where(Y > 1, np.nan, Y), None, r"block \d: Input y contains NaN"),
    "negative weights": (X, Y, -WEIGHTS, r"block \d: Negative values in data passed to `sample_weight`"),
    "no weights": (X, Y, 0 * WEIGHTS, "at least one non-zero"),
    "no rows": (X[:0], Y[:0], None, r"no examples to score, in 1 parts"),
    "no rows, unknown": (X[Y > 5], Y[Y > 5], None, r"no examples to score, in 4 parts"),
}  # fmt: skip


@pytest.mark.parametrize("name", SCORES)
def test_scores_of_wrong_labels_and_weights_are_refused(name):
    A, b, weights, message = SCORES[name]
    regressor = DaskMLPRegressor(hidden_layer_sizes=(), solver="lbfgs")
    for model in (DaskLogisticRegression().fit(X, Y), regressor.fit(X, Y)):
        with pytest.raises(ValueError, match=message):
            model.score(A, b, sample_weight=weights)


def test_one_column_of_labels_is_no_score_of_several():
    labels = da.from_array(SEVERAL, chunks=(ROWS, 2))
    model = DaskMLPClassifier((), solver="lbfgs", max_iter=9).fit(X, labels)
    assert model.score(X, labels) == pytest.approx(model.to_local().score(IRIS[0], SEVERAL))
    for y in (Y, labels[:, :1]):
        with pytest.raises(ValueError, match=r"y has 1 column\(s\), but 2 are predicted"):
            model.score(X, y)


# -- collections of odd forms ------------------------------------------------------------------------------


def test_nullable_columns_and_frames_of_one_column():
    rounded = np.round(IRIS[0][:, :2] * 3)
    whole = pd.DataFrame({"a": rounded[:, 0], "b": rounded[:, 1] > 0})
    table = dd.from_pandas(whole.astype({"a": "Int64", "b": "boolean"}), npartitions=4)
    labels = dd.from_pandas(pd.DataFrame({"label": IRIS[1], "weight": 2.0}), npartitions=4)
    found = DaskLogisticRegression(max_iter=9).fit(
        table, labels[["label"]].astype("Int64"), sample_weight=labels["weight"]
    )
    expected = DaskLogisticRegression(max_iter=9).fit(
        dd.from_pandas(whole.astype(float), npartitions=4), labels["label"], sample_weight=labels["weight"]
    )
    assert same(found, expected)
    assert found.classes_.dtype.kind in "if"
    assert found.score(table, labels[["label"]]) == expected.score(table, labels["label"])
    assert np.array_equal(found.predict(table).compute(), expected.predict(table).compute())
    holes = whole.astype({"a": "Int64"})
    holes.loc[100, "a"] = pd.NA
    holes = dd.from_pandas(holes, npartitions=4)
    with pytest.raises(ValueError, match="block 2: Input X contains NaN"):
        DaskLogisticRegression().fit(holes, labels["label"])
    with pytest.raises(ValueError, match=r"sample_weight must have 1 axis but has shape \(unknown, 1\)"):
        DaskLogisticRegression().fit(table, labels["label"], sample_weight=labels[["weight"]])


ODD = {
    "three axes": (X, Y[:, None, None], ValueError, r"y must have 1 or 2 axes but has shape \(150, 1, 1\)"),
    "texts": (da.full((150, 4), "a", chunks=(ROWS, 4)), Y, ValueError, r"block \d: could not convert"),
    "objects": (
        X.map_blocks(lambda x: np.full(x.shape, {}, object), dtype=object), Y, TypeError, r"block \d: float"
    ),
    "no columns": (X[:, :0], Y, ValueError, r"block \d: Found array with 0 feature\(s\)"),
    "no rows": (X[:0], Y[:0], ValueError, r"no examples to learn from, in 1 parts"),
    "wrong meta": (
        da.from_delayed(dask.delayed(IRIS[0][0]), (150, 4), dtype=float), Y.rechunk(150), ValueError,
        "block 0: Expected 2D array",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_collections_are_refused(name):
    A, b, kind, message = ODD[name]
    with pytest.raises(kind, match=message):
        DaskLogisticRegression().fit(A, b)


def test_what_dask_believes_of_a_collection_may_be_wrong():
    """Its numbers of rows and columns, and its dtype; what counts is what the blocks hold."""
    A = da.from_delayed(dask.delayed(IRIS[0]), (7, 9), dtype="int8")
    b = da.from_delayed(dask.delayed(IRIS[1]), (7,), dtype="float32")
    model = DaskLogisticRegression(max_iter=9).fit(A, b)
    assert same(model, DaskLogisticRegression(max_iter=9).fit(X.rechunk(150), Y.rechunk(150)))
    numbers = X.astype(object)
    assert same(DaskLogisticRegression().fit(numbers, Y), DaskLogisticRegression().fit(X, Y))


def test_x_and_y_of_one_folder_of_files_have_the_same_blocks(tmp_path):
    """Dask joins small partitions, of y alone, when it optimises a dataframe. And files are read once."""
    pytest.importorskip("pyarrow")
    names = ["a", "b", "c", "d"]
    for number, (rows, labels) in enumerate(cut(*IRIS)):
        table = pd.DataFrame(rows, columns=names).assign(label=labels, weight=1.5, other="text")
        table.to_parquet(tmp_path / f"{number}.parquet")
    read = dd.read_parquet(tmp_path)
    for table in (read, read[read.a > 0]):
        A, b = table[names], table["label"]
        assert A.npartitions == b.npartitions == 4
        found = DaskLogisticRegression().fit(A, b)
        rows, labels = A.compute(), b.compute()
        assert found.score(A, b) == found.to_local().score(rows, labels)
        assert np.allclose(found.coef_, LogisticRegression().fit(rows, labels).coef_, atol=1e-5)
    weighted = DaskLogisticRegression().fit(read[names], read["label"], sample_weight=read["weight"])
    assert weighted.coef_.shape == (3, 4)
    (A, b, _), *_ = blocks_of(read[names], read["label"])
    assert set(A.__dask_graph__()) & set(b.__dask_graph__())


def test_an_address_is_no_client():
    with pytest.raises(TypeError, match=r"must be a distributed.Client, not str; Client\('tcp"):
        DaskLogisticRegression().fit(X, Y, client="tcp://127.0.0.1:1")


def test_labels_that_change_between_computations_are_refused():
    """Dask computes the blocks again for each pass, here with another label."""
    calls = []

    def labels():
        calls.append(1)
        return np.array(["a", "b"] * 20 if len(calls) < 2 else ["a", "c"] * 20)

    y = da.from_delayed(dask.delayed(labels, pure=False)(), (40,), "U1")
    with pytest.raises(ValueError, match="block 0: y has labels that weren't there"):
        DaskLogisticRegression().fit(X[:40], y)


def test_missing_labels_are_named():
    table, names = frame(*IRIS)
    text = table["label"].astype(str).where(table["label"] > 0)
    with pytest.raises(ValueError, match=r"block \d: y has missing values"):
        DaskLogisticRegression().fit(table[names], text)


def test_columns_are_those_of_the_blocks_where_dask_expects_another_order():
    """By arithmetic with means and deviations, Dask sorts the names that it expects, and not the columns."""
    names = ["b", "d", "a", "c"]
    whole = pd.DataFrame(IRIS[0], columns=names)
    table, labels = dd.from_pandas(whole, npartitions=3), dd.from_pandas(pd.Series(IRIS[1]), npartitions=3)
    expected = table.map_partitions(pd.DataFrame.copy, meta=whole[:0][sorted(names)], enforce_metadata=False)
    assert list(expected.columns) == sorted(names)
    for given in (expected, (table - table.mean()) / table.std()):
        model = DaskLogisticRegression(max_iter=9).fit(given, labels)
        rows = given.compute()
        assert list(model.feature_names_in_) == list(rows.columns)
        assert np.array_equal(model.predict(given).compute(), model.to_local().predict(rows))
        assert model.score(given, labels) == model.to_local().score(rows, IRIS[1])
    model = DaskLogisticRegression(max_iter=9).fit(table, labels)
    with pytest.raises(ValueError, match=r"block \d: The feature names should match"):
        model.predict(table[sorted(names)]).compute()
    with pytest.raises(ValueError, match=r"block \d: The feature names should match"):
        model.score(table[sorted(names)], labels)
