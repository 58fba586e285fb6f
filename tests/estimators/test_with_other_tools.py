"""Estimators in the hands of scikit-learn's tools, of other libraries, and in other processes."""

from __future__ import annotations

import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas
import polars
import pytest
from estimator_tables import table, with_polars
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dlkernels.estimators import LogisticRegression, MLPClassifier, MLPRegressor

brief = pytest.mark.filterwarnings("ignore:.*(converge|reached)")
X, Y = table("wine")
NAMES = [f"column {i}" for i in range(X.shape[1])]
WORDS = np.array(["red", "white", "rosé"])[Y]
MODELS = {
    "logistic": LogisticRegression(),
    "classifier": MLPClassifier((8,), max_iter=5, random_state=0),
    "regressor": MLPRegressor(hidden_layer_sizes=(8,), max_iter=5, random_state=0),
}
every_model = pytest.mark.parametrize("name", MODELS)


def fitted(name):
    return clone(MODELS[name]).fit(X, Y if name == "regressor" else WORDS)


# -- tables ----------------------------------------------------------------------------------------------


@brief
@every_model
@pytest.mark.parametrize("frame", ["pandas", pytest.param("polars", marks=with_polars)])
def test_frames_give_their_names(name, frame):
    made = pandas.DataFrame(X, columns=NAMES) if frame == "pandas" else polars.DataFrame(X, schema=NAMES)
    labels = Y if name == "regressor" else WORDS
    series = pandas.Series(labels) if frame == "pandas" else polars.Series(labels).to_numpy()
    model = clone(MODELS[name]).fit(made, series)
    assert list(model.feature_names_in_) == NAMES
    assert np.array_equal(model.predict(made), fitted(name).predict(X))
    with pytest.warns(UserWarning, match="valid feature names"):
        model.predict(X)
    model.fit(X[:, 1:].copy(), Y if name == "regressor" else np.unique(WORDS, return_inverse=True)[1])
    assert not hasattr(model, "feature_names_in_")
    assert model.n_features_in_ == len(NAMES) - 1


@brief
@every_model
def test_tables_are_read_as_they_lie(name, tmp_path):
    """Fortran order, strides, a read-only memory map and float32 give the same predictions."""
    expected = fitted(name).predict(X)
    np.save(tmp_path / "X.npy", X)
    wide = np.zeros((len(X), 2 * X.shape[1]))
    wide[:, ::2] = X
    tables = [np.asfortranarray(X), np.load(tmp_path / "X.npy", mmap_mode="r"), wide[:, ::2], X.tolist()]
    for given in tables:
        model = clone(MODELS[name]).fit(given, Y if name == "regressor" else WORDS)
        found = model.predict(given)
        if name == "regressor":
            np.testing.assert_allclose(found, expected, atol=1e-12)
        else:
            assert np.array_equal(found, expected)


@brief
@every_model
def test_one_row_is_predicted_as_in_the_table(name):
    model = fitted(name)
    rows = [model.predict(X[i : i + 1])[0] for i in range(5)]
    if name == "regressor":
        np.testing.assert_allclose(rows, model.predict(X)[:5], atol=1e-12)
    else:
        assert rows == list(model.predict(X)[:5])
    with pytest.raises(ValueError, match="14 features"):
        model.predict(np.ones((1, 14)))
    with pytest.raises(ValueError, match="NaN"):
        model.predict(np.full((1, 13), np.nan))
    with pytest.raises(ValueError, match="1D array"):
        model.predict(X[0])


@brief
def test_predictions_of_a_pipeline_may_be_frames():
    model = make_pipeline(StandardScaler(), clone(MODELS["classifier"])).set_output(transform="pandas")
    model.fit(pandas.DataFrame(X, columns=NAMES), WORDS)
    assert list(model[-1].feature_names_in_) == NAMES


# -- tools -----------------------------------------------------------------------------------------------


@brief
@every_model
def test_clones_learn_the_same(name):
    labels = Y if name == "regressor" else WORDS
    a, b = fitted(name), clone(fitted(name)).fit(X, labels)
    assert np.array_equal(a.predict(X), b.predict(X))
    assert a.get_params() == b.get_params()


@brief
@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
def test_a_grid_search_may_use_threads_and_processes(backend):
    grid = {"mlpclassifier__alpha": [1e-4, 1.0], "mlpclassifier__activation": ["relu", ("tanh",)]}
    model = make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=20, random_state=0))
    alone = GridSearchCV(model, grid, cv=3).fit(X, WORDS)
    with joblib.parallel_backend(backend, n_jobs=2):
        search = GridSearchCV(model, grid, cv=3).fit(X, WORDS)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    assert search.best_params_ == alone.best_params_


@brief
def test_probabilities_can_be_calibrated():
    network = MLPClassifier((8,), solver="lbfgs", random_state=0)
    assert CalibratedClassifierCV(network, cv=3).fit(X, WORDS).score(X, WORDS) > 0.95
    assert CalibratedClassifierCV(LogisticRegression(), cv=3).fit(X, WORDS).score(X, WORDS) > 0.95


@brief
def test_weights_and_validation_data_are_routed():
    """By their names in the signature of `fit`; a zero weight is no example."""
    weights = np.where(np.arange(len(X)) < 100, 1.0, 0.0)
    with config_context(enable_metadata_routing=True):
        network = MLPClassifier((8,), max_iter=5, random_state=0)
        network.set_fit_request(sample_weight=True, X_val=True, y_val=True)
        model = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), network)
        model.fit(X, WORDS, sample_weight=weights, X_val=X, y_val=WORDS)
    assert len(model[-1].validation_scores_) == 5
    assert not np.array_equal(model.predict_proba(X), fitted("classifier").predict_proba(X))


# -- other processes -------------------------------------------------------------------------------------

LOAD = """
import pickle, sys, joblib, numpy
models = pickle.load(open(sys.argv[1], "rb"))
expected, table = joblib.load(sys.argv[2]), numpy.load(sys.argv[3])
for name, model in models.items():
    assert numpy.array_equal(model.predict(table), expected[name])
"""


@brief
def test_pickles_load_in_another_process(tmp_path):
    models = {name: fitted(name) for name in MODELS}
    files = [str(tmp_path / name) for name in ("models.pickle", "models.joblib", "table.npy")]
    (tmp_path / "models.pickle").write_bytes(pickle.dumps(models))
    joblib.dump({name: model.predict(X) for name, model in models.items()}, files[1])
    np.save(files[2], X)
    done = subprocess.run([sys.executable, "-c", LOAD, *files], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@brief
def test_training_goes_on_after_a_pickle():
    a = MLPClassifier((8,), random_state=0).partial_fit(X, Y, classes=[0, 1, 2])
    b = pickle.loads(pickle.dumps(a))
    for model in (a, b):
        model.partial_fit(X, Y)
    assert np.array_equal(a.predict_proba(X), b.predict_proba(X))


def test_import_of_dlkernels_leaves_scikit_learn_alone():
    code = "import sys, dlkernels; dlkernels.sigmoid; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["False"], done.stderr


def test_without_scikit_learn_the_error_names_the_extra():
    code = "import sys; sys.modules['sklearn'] = None; import dlkernels.estimators"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert 'python -m pip install "dlkernels[sklearn]"' in done.stderr


# -- accuracy --------------------------------------------------------------------------------------------


@pytest.mark.slow
@brief
@pytest.mark.parametrize("name", ["breast_cancer", "wine", "digits", "diabetes"])
def test_five_folds_score_as_with_scikit_learn(name):
    import sklearn.linear_model
    import sklearn.neural_network

    X, y = table(name)
    if name == "diabetes":
        settings = {"hidden_layer_sizes": (20,), "max_iter": 100, "alpha": 1.0, "random_state": 0}
        pairs = [(MLPRegressor(**settings), sklearn.neural_network.MLPRegressor(**settings))]
    else:
        settings = {"max_iter": 40, "random_state": 0}
        pairs = [
            (LogisticRegression(), sklearn.linear_model.LogisticRegression()),
            (MLPClassifier(**settings), sklearn.neural_network.MLPClassifier(**settings)),
        ]
    for ours, theirs in pairs:
        a, b = (cross_val_score(model, X, y, cv=5).mean() for model in (ours, theirs))
        assert abs(a - b) <= 0.005
        assert a > (0.3 if name == "diabetes" else 0.9)
