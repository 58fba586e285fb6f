"""The estimators on Dask's collections: the bits of one process, on any cluster, whatever happens to it."""

from __future__ import annotations

import functools
import threading
import time
import warnings

import dask
import dask.array as da
import joblib
import numpy as np
import pandas as pd
import pytest
from block_tables import CANCER, IRIS, ROWS, cut, parameters, same
from dask_blocks import have_workers, keys_are_gone, kill, local_cluster, our_keys, pids, process
from dask_tables import CASES, NETWORK, X, Y, alone, chunked, frame, with_nan, with_unknown_rows, y_of
from distributed import Client
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from dlkernels.blocks import block_gradient, combine
from dlkernels.dask import DaskLogisticRegression, DaskMLPClassifier
from dlkernels.estimators import LogisticRegression, MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::dask.array.PerformanceWarning"),  # tables of tests are small
    pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler"),  # as old versions of Dask say
]


@pytest.fixture(scope="module")
def client():
    """A cluster that tests make larger, and whose workers they kill."""
    with local_cluster(1) as client:
        yield client


# -- the same bits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 4])
def test_the_bits_are_those_of_one_process(client, workers):
    have_workers(client, workers)
    for name in CASES:
        assert same(of_case(name), of_case_alone(name)), name
    assert keys_are_gone(client)


def of_case(name):
    model, X, y = CASES[name]
    A, b, weights = chunked(X, y, np.linspace(0.5, 2, len(X)))
    return clone(model).fit(A, b, sample_weight=weights)


@functools.cache
def of_case_alone(name):
    """Fitted in this process: the same bits as from chunks."""
    model, X, y = CASES[name]
    with dask.config.set(scheduler="synchronous"):
        found = of_case(name)
    if getattr(model, "solver", "lbfgs") == "lbfgs":
        local = clone(model).to_local().fit_chunks(cut(X, y, np.linspace(0.5, 2, len(X))))
        assert same(found, local), name
        assert getattr(found, "loss_", None) == getattr(local, "loss_", None)
    return found


def test_the_threaded_scheduler_has_the_same_bits():
    with dask.config.set(scheduler="threads", num_workers=2):
        for name in CASES:
            assert same(of_case(name), of_case_alone(name)), name


def test_killed_workers_change_no_bit(client):
    """One is killed in the middle of a fit, and later another one."""
    have_workers(client, 2)
    model = DaskMLPClassifier(max_iter=40, batch_size=10, n_iter_no_change=1000, **NETWORK)
    collections = chunked(*IRIS)
    expected = alone(model, *collections)
    killed = []

    def strike():
        for _ in range(2):
            time.sleep(0.5)
            victim = pids(client)[0]
            kill(victim)
            killed.append(victim)

    thread = threading.Thread(target=strike)
    thread.start()
    found = clone(model).fit(*collections)
    assert thread.is_alive() or len(killed) == 2
    thread.join()
    assert len(killed) == 2
    assert same(found, expected)
    assert keys_are_gone(client)


def test_two_fits_at_once_have_the_bits_of_each_alone(client):
    found = {}

    def fit(name):
        model, X, y = CASES[name]
        with Client(client.scheduler.address, set_as_default=False) as mine:
            found[name] = clone(model).fit(*chunked(X, y), client=mine)

    threads = [threading.Thread(target=fit, args=(name,)) for name in ("two classes", "lbfgs")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in found:
        model, X, y = CASES[name]
        assert same(found[name], alone(model, *chunked(X, y)))
    assert len(found) == 2
    assert keys_are_gone(client)


FIT = """
import sys
import dask.array as da
from distributed import Client
from dlkernels.dask import DaskMLPClassifier
with Client(sys.argv[1]) as client:
    X = da.random.RandomState(0).normal(size=(400, 5), chunks=(40, 5))
    print("begins", flush=True)
    model = DaskMLPClassifier((8,), max_iter=10**6, n_iter_no_change=10**6)
    model.fit(X, (X[:, 0] > 0).astype(int), client=client)
"""


def test_a_client_that_goes_away_leaves_nothing(client):
    with process(FIT, client.scheduler.address) as started:
        assert started.stdout.readline() == "begins\n"
        deadline = time.monotonic() + 30
        while not any("part" in key for key in our_keys(client)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert keys_are_gone(client, 20)
    assert same(
        DaskLogisticRegression().fit(*chunked(*IRIS)), alone(DaskLogisticRegression(), *chunked(*IRIS))
    )


def fit_in_a_task(number):
    A, b = chunked(*IRIS)
    model = DaskLogisticRegression(max_iter=9).fit(A, b)
    return parameters(model), model.score(A, b)


class OfArrays(DaskLogisticRegression):
    """For a search, which cuts arrays in memory into folds."""

    def fit(self, X, y):
        return super().fit(*chunked(X, y))


def test_fit_in_tasks_that_take_all_threads(client):
    """They wait for other tasks, to which their workers give the threads meanwhile."""
    expected = fit_in_a_task(0)
    for future in client.map(fit_in_a_task, range(sum(client.nthreads().values()) + 1)):
        found = future.result(timeout=60)
        assert all(map(np.array_equal, found[0], expected[0]))
        assert found[1] == expected[1]
    # scikit-learn's search asks the class of an estimator, which has to be that of a module.
    search = GridSearchCV(OfArrays(max_iter=9), {"C": [0.01, 1.0]}, cv=2)
    with warnings.catch_warnings(), joblib.parallel_backend("dask"):
        warnings.simplefilter("ignore", UserWarning)  # joblib's, of the size of its messages
        search.fit(*IRIS)
    assert search.best_params_ == {"C": 1.0}
    assert keys_are_gone(client)


def test_the_gradient_is_that_of_combined_blocks():
    """One step from zero goes along the gradient: the coefficients are a multiple of it."""
    X, y = CANCER
    with dask.config.set(scheduler="synchronous"):
        model = DaskLogisticRegression(penalty=None, max_iter=1).fit(*chunked(X, y))
    blocks = [block_gradient(np.zeros(31), (30, 1), A.T, b.reshape(1, -1)) for A, b in cut(X, y)]
    step = model.coef_[0] / combine(blocks).gradient[:-1]
    assert np.ptp(step) < 1e-12 * abs(step[0])


def test_a_batch_has_rows_of_every_block():
    """With as many rows in each block, a step is one on the rows that the blocks' batches have together."""
    X, y = IRIS[0][:120], IRIS[1][:120]
    settings = {"solver": "sgd", "shuffle": False, "max_iter": 1, **NETWORK}
    with dask.config.set(scheduler="synchronous"):
        found = DaskMLPClassifier(batch_size=10, **settings).fit(*chunked(X, y))
    order = np.arange(120).reshape(3, 4, 10).transpose(1, 0, 2).ravel()  # blocks, batches, rows
    local = MLPClassifier(batch_size=30, **settings).fit(X[order], y[order])
    assert found.t_ == local.t_ == 120
    assert found.loss_ == pytest.approx(local.loss_, rel=1e-12)
    for a, b in zip(parameters(found), parameters(local), strict=True):
        assert np.allclose(a, b, rtol=1e-9, atol=1e-12)


# -- what collections may be -------------------------------------------------------------------------------


@pytest.fixture
def in_this_process():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.mark.usefixtures("in_this_process")
def test_collections_of_every_form_give_the_same_model():
    X, y = CANCER
    model = DaskLogisticRegression(max_iter=9)
    expected = clone(model).fit(*chunked(X, y))
    table, names = frame(X, y)
    columns = da.from_array(X, chunks=(ROWS, 7))
    for A, b in (
        (columns, y_of(y)),  # columns in several chunks
        (da.from_array(X, chunks=(ROWS, 30)), da.from_array(y, chunks=17)),  # labels cut otherwise
        (da.from_array(X, chunks=(ROWS, 30)), da.from_array(y.reshape(-1, 1), chunks=(ROWS, 1))),
        (with_unknown_rows(X), with_unknown_rows(y)),
        (da.from_array(np.asfortranarray(X), chunks=(ROWS, 30)), y_of(y)),
    ):
        assert same(clone(model).fit(A, b), expected)
    found = clone(model).fit(table[names], table["label"])
    assert list(found.feature_names_in_) == names
    assert np.allclose(found.coef_, expected.coef_, rtol=1e-6)
    assert found.score(table[names], table["label"]) == expected.score(*chunked(X, y))


@pytest.mark.usefixtures("in_this_process")
def test_blocks_may_be_empty_and_lack_classes():
    X, y = IRIS  # sorted: a block has one class, or two
    keep = np.ones(150, bool)
    keep[40:80] = False  # the second block
    A, b = (
        da.from_array(array, chunks=(ROWS, *array.shape[1:]))[da.from_array(keep, chunks=ROWS)]
        for array in IRIS
    )
    found = DaskLogisticRegression().fit(A, b)
    whole = LogisticRegression().fit(X[keep], y[keep])
    assert np.allclose(found.coef_, whole.coef_, atol=1e-5)
    assert found.predict(A).compute().shape == (110,)
    assert found.score(A, b) == whole.score(X[keep], y[keep])


@pytest.mark.usefixtures("in_this_process")
def test_categories_may_be_labels_but_no_features():
    X, y = IRIS
    table, names = frame(
        X, pd.Categorical(np.array(["a", "b", "c"])[y], categories=["c", "b", "a", "unused"])
    )
    model = DaskLogisticRegression().fit(table[names], table["label"])
    assert list(model.classes_) == ["a", "b", "c"]
    with pytest.raises(TypeError, match=r"X must hold numbers, but 'label' \(category\) don't"):
        DaskLogisticRegression().fit(table, table["label"])
    assert list(model.predict(table[names]).compute()[:2]) == ["a", "a"]


WRONG = {
    "memory": (IRIS[0], Y, TypeError, "X must be a Dask array or dataframe, not ndarray"),
    "labels in memory": (X, IRIS[1], TypeError, "y must be a Dask array or dataframe, not ndarray"),
    "rows": (X, Y[:100], ValueError, "X has 150 rows but y has 100"),
    "axes": (X[:, 0], Y, ValueError, r"X must have 2 axes but has shape \(150,\)"),
    "NaN": (chunked(with_nan(IRIS[0]))[0], Y, ValueError, "block 2: Input X contains NaN"),
    "labels": (X, Y + 0.5, ValueError, r"block \d: Unknown label type"),
    "one class": (X, Y * 0, ValueError, "only one class"),
    "unknown rows": (
        with_unknown_rows(IRIS[0]), Y[:80], ValueError, "X has 4 blocks but y has 2, and the lengths of some"
    ),
    "unknown rows of other lengths": (
        with_unknown_rows(IRIS[0]), da.from_array(IRIS[1], chunks=(50, 50, 25, 25)), ValueError,
        r"block \d: .*inconsistent numbers of samples",
    ),
    "sparse": (X.map_blocks(sparse.csr_matrix), Y, TypeError, r"block \d: X is a sparse table"),
}  # fmt: skip


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("name", WRONG)
def test_wrong_collections_are_refused_and_the_estimator_stays_as_it_was(name):
    A, b, kind, message = WRONG[name]
    model = DaskLogisticRegression().fit(X, Y)
    before = vars(model).copy()
    with pytest.raises(kind, match=message):
        model.fit(A, b)
    assert vars(model) == before


def test_an_error_of_a_worker_reaches_the_caller(client):
    with pytest.raises(ValueError, match="block 2: Input X contains NaN"):
        DaskLogisticRegression().fit(*WRONG["NaN"][:2])
    assert keys_are_gone(client)


@pytest.mark.usefixtures("in_this_process")
def test_what_dask_estimators_cannot_do_is_refused_by_name():
    with pytest.raises(ValueError, match="early_stopping=True is not supported"):
        DaskMLPClassifier(early_stopping=True).fit(X, Y)
    with pytest.raises(ValueError, match="solver='saga' is not supported"):
        DaskLogisticRegression(solver="saga").fit(X, Y)
    with pytest.raises(ValueError, match="Negative values"):
        DaskLogisticRegression().fit(X, Y, sample_weight=-da.ones(150, chunks=ROWS))
    for method in ("partial_fit", "fit_chunks"):
        assert not hasattr(DaskMLPClassifier(), method)


# -- predictions -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("name", CASES)
def test_predictions_are_lazy_and_those_of_the_plain_estimator(name):
    model, X, y = CASES[name]
    collections = chunked(X, y)
    fitted = clone(model).fit(*collections)
    local = fitted.to_local()
    assert type(local) in (LogisticRegression, MLPClassifier, MLPRegressor)
    assert local.get_params() == fitted.get_params()
    table, _ = frame(X, np.zeros(len(X)))
    methods = ["predict", "predict_proba", "predict_log_proba", "decision_function"]
    for method in [method for method in methods if hasattr(local, method)]:
        expected = getattr(local, method)(X)
        for collection in (collections[0], da.from_array(X, chunks=(ROWS, 2))):
            lazy = getattr(fitted, method)(collection)
            assert isinstance(lazy, da.Array)
            assert lazy.shape == expected.shape
            assert lazy.dtype == expected.dtype
            assert np.array_equal(lazy.compute(), expected)
        assert np.array_equal(getattr(fitted, method)(X), expected)
    lazy = fitted.predict(table.drop(columns="label"))
    assert lazy.dtype == local.predict(X).dtype
    weights = np.linspace(0, 1, len(X))
    assert fitted.score(*collections) == pytest.approx(local.score(X, y), rel=1e-12)
    score = fitted.score(*collections, sample_weight=da.from_array(weights, chunks=ROWS))
    assert score == pytest.approx(local.score(X, y, weights), rel=1e-12)
    assert fitted.score(X, y) == local.score(X, y)


def test_predictions_are_computed_on_the_cluster(client):
    model, X, y = CASES["three classes"]
    A, b = chunked(X, y)
    fitted = alone(model, A, b)
    assert list(fitted.predict(A).compute()) == list(fitted.to_local().predict(X))
    assert fitted.score(A, b) == fitted.to_local().score(X, y)


def test_a_file_holds_the_plain_estimator(tmp_path):
    pytest.importorskip("safetensors")
    from dlkernels.estimators import load

    with dask.config.set(scheduler="synchronous"):
        fitted = DaskLogisticRegression().fit(X, Y)
    fitted.save(tmp_path / "model.safetensors")
    assert np.array_equal(load(tmp_path / "model.safetensors").predict(IRIS[0]), fitted.predict(IRIS[0]))
    assert np.array_equal(fitted.predictor()(IRIS[0]), fitted.predict_proba(IRIS[0]))


@pytest.mark.filterwarnings("default::dask.array.PerformanceWarning")
def test_small_blocks_on_a_cluster_get_a_warning(client):
    with pytest.warns(da.PerformanceWarning, match=r"150 rows in 4 block\(s\) is too small") as found:
        DaskLogisticRegression().fit(X, Y)
    assert found[0].filename == __file__
