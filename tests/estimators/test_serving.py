"""Fitted estimators that serve predictions: as a bare function, in threads, after forks, in containers."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading

import joblib
import numba
import numpy as np
import pandas
import polars
import pytest
from estimator_tables import counts, several_labels, table
from processes import obedient, read_only
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import dlkernels
from dlkernels._inputs import networks as checks
from dlkernels.estimators import LogisticRegression, MLPClassifier, MLPRegressor
from dlkernels.estimators._problem import Problem

pytestmark = pytest.mark.filterwarnings("ignore:.*(converge|reached)")
X, Y = table("wine")
N = X.shape[1]
WORDS = np.array(["red", "white", "rosé"])[Y]
FEW = {"max_iter": 3, "random_state": 0}
CASES = {
    "two classes": (LogisticRegression(), X, Y > 0),
    "three classes": (LogisticRegression(), X, Y),
    "network of two classes": (MLPClassifier((16,), **FEW), X, Y > 0),
    "network of three classes": (MLPClassifier((8, 5), ("gelu", "tanh"), **FEW), X, Y),
    "network of one class": (MLPClassifier((3,), **FEW), X, np.zeros(len(X))),
    "linear network": (MLPClassifier((), **FEW), X, Y),
    "several labels": (MLPClassifier((6,), **FEW), *several_labels()),
    "one number": (MLPRegressor(hidden_layer_sizes=(7,), **FEW), X, Y),
    "several numbers": (MLPRegressor(hidden_layer_sizes=(7, 4), **FEW), X, X[:, :3]),
    "counts": (MLPRegressor("poisson", (5,), alpha=0, **FEW), *counts()),
}
every_case = pytest.mark.parametrize("case", CASES)


def fitted(case, dtype=np.float64):
    model, rows, labels = CASES[case]
    rows = np.ascontiguousarray(rows, dtype)
    return clone(model).fit(rows, labels), rows


def expected(model, rows):
    return getattr(model, "predict_proba", model.predict)(rows)


def same_bits(a, b):
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def together(function, count=8):
    """Call a function in several threads at once; return the results."""
    results, barrier = [], threading.Barrier(count)

    def work():
        barrier.wait()
        results.append(function())

    workers = [threading.Thread(target=work) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == count
    return results


# -- a bare function -------------------------------------------------------------------------------------


@every_case
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_predictor_gives_the_bits_of_the_estimator(case, dtype):
    model, rows = fitted(case, dtype)
    predict = model.predictor()
    assert same_bits(predict(rows), expected(model, rows))
    assert predict(rows).dtype == dtype
    for i in range(3):
        assert same_bits(predict(rows[i]), expected(model, rows[i : i + 1])[0])
    assert same_bits(pickle.loads(pickle.dumps(predict))(rows), predict(rows))


@every_case
def test_a_predictor_takes_tables_as_they_lie(case):
    model, rows = fitted(case)
    predict, wide = model.predictor(), np.zeros((len(rows), 2 * rows.shape[1]))
    wide[:, ::2] = rows
    moved = np.frombuffer(b"x" + rows.tobytes(), np.uint8)[1:].view(np.float64).reshape(rows.shape)
    assert not moved.flags.aligned
    read_only_rows = np.frombuffer(rows.tobytes()).reshape(rows.shape)
    given = [np.asfortranarray(rows), wide[:, ::2], rows.tolist(), rows.astype(">f8"), moved, read_only_rows]
    for each in given:
        np.testing.assert_allclose(predict(each), expected(model, rows), rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(predict(each[0]), expected(model, rows[:1])[0], rtol=1e-12, atol=1e-15)
    single = rows.astype(np.float32)
    np.testing.assert_allclose(predict(single), expected(model, single), rtol=1e-12, atol=1e-15)
    whole = np.ones((2, rows.shape[1]), int)
    assert same_bits(predict(whole), expected(model, whole))
    assert predict(rows[:0]).shape == (0, *expected(model, rows).shape[1:])


@pytest.mark.parametrize("case", ["two classes", "network of three classes", "several numbers"])
def test_what_a_predictor_can_not_take_is_an_error(case):
    model, rows = fitted(case)
    predict = model.predictor()
    shapes = [(), (0,), (N - 1,), (N + 1,), (1, N - 1), (N, 1), (N, 2), (1, 1, N), (0, 0)]
    for shape in shapes:
        with pytest.raises(ValueError, match=rf"predictor: X must have shape \({N},\) or \(m, {N}\)"):
            predict(np.ones(shape))
    wrong = [rows[0].astype(complex), rows[0].astype(str), rows[0].astype(object), np.ma.array(rows[0])]
    for given in [*wrong, rows.astype(np.float16), rows.astype("M8[s]")]:
        with pytest.raises(TypeError, match="X"):
            predict(given)
    for given in (None, "x", {}, [[1.0], [1.0, 2.0]]):
        with pytest.raises(ValueError):  # noqa: PT011  (NumPy's or ours)
            predict(given)


def test_a_predictor_refuses_columns_in_another_order():
    names = [f"column {i}" for i in range(N)]
    frame = pandas.DataFrame(X, columns=names)
    model = LogisticRegression(max_iter=5).fit(frame, Y)
    predict, backwards = pickle.loads(pickle.dumps(model.predictor())), frame[names[::-1]]
    assert same_bits(predict(frame), model.predict_proba(frame))
    assert same_bits(predict(frame.iloc[0]), predict(X[0]))
    for given in (backwards, backwards.iloc[0], polars.DataFrame(X, schema=names[::-1])):
        message = r"predictor: X has the columns \['column 12', .*, but fit learnt from \['column 0', .*"
        with pytest.raises(ValueError, match=message):
            predict(given)
    unnamed = LogisticRegression(max_iter=5).fit(X, Y).predictor()
    assert same_bits(unnamed(backwards), unnamed(backwards.to_numpy()))
    assert same_bits(predict(pandas.DataFrame(X)), predict(X))


def test_nan_and_infinity_go_through():
    predict = fitted("one number")[0].predictor()
    assert np.isnan(predict(np.full(N, np.nan)))
    assert not np.isfinite(predict(np.full((2, N), np.inf))).any()


def test_a_predictor_keeps_its_parameters():
    for case in ("two classes", "network of two classes"):
        model, rows = fitted(case)
        predict = model.predictor()
        before = predict(rows)
        for array in (model.coef_,) if case == "two classes" else (*model.coefs_, *model.intercepts_):
            array[...] = 7.0
        assert not same_bits(expected(model, rows), before)
        model.fit(rows, Y == 1)
        assert same_bits(predict(rows), before)


def test_before_fit_there_is_no_predictor():
    for model in (LogisticRegression(), MLPClassifier(), MLPRegressor()):
        with pytest.raises(NotFittedError):
            model.predictor()


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is called directly")
def test_a_predictor_goes_the_short_way(monkeypatch):
    """Also after a pickle, whose arrays have a dtype that equals float64 but isn't the same object."""
    for dtype in (np.float64, np.float32):
        model, rows = fitted("network of two classes", dtype)
        loaded = pickle.loads(pickle.dumps(model))
        before = expected(model, rows[:1])
        with monkeypatch.context() as patch:
            patch.setattr(checks, "forward", None)
            patch.setattr("dlkernels.estimators._base.checked", None)
            for predict in (model.predictor(), pickle.loads(pickle.dumps(model.predictor()))):
                assert same_bits(predict(rows[0]), before[0])
                assert same_bits(predict(pickle.loads(pickle.dumps(rows[0]))), before[0])
                assert same_bits(predict(pickle.loads(pickle.dumps(rows[:1]))), before)
            for each in (model, loaded):
                assert same_bits(each.predict_proba(pickle.loads(pickle.dumps(rows[:1]))), before)


# -- threads and forks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["three classes", "network of two classes", "several numbers"])
def test_threads_may_share_an_estimator(case):
    """One row on one thread, and a table that is large enough for several."""
    model, rows = fitted(case)
    large = np.tile(rows, (200, 1))
    predict = model.predictor()
    for given in (rows[:1], large):
        alone = expected(model, given), model.predict(given)

        def several(given=given):
            return [(expected(model, given), predict(given), model.predict(given)) for _ in range(5)]

        for results in together(several):
            for answer, bare, labels in results:
                assert same_bits(answer, alone[0])
                assert same_bits(bare, alone[0])
                assert same_bits(labels, alone[1])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_threads_may_fit_clones(solver):
    model = MLPClassifier((8,), solver=solver, **FEW)
    alone = clone(model).fit(X, Y).predict_proba(X)
    assert all(same_bits(P, alone) for P in together(lambda: clone(model).fit(X, Y).predict_proba(X)))


FORK = """
import multiprocessing
import numpy as np
from dlkernels.estimators import LogisticRegression, MLPClassifier

X = np.random.default_rng(0).normal(size=(20_000, 13))
y = X[:, 0] * X[:, 1] > 0
models = [MLPClassifier((16,), max_iter=2, batch_size=10_000, random_state=0), LogisticRegression()]
models = [model.fit(X, y) for model in models]

def bits(_):
    answers = [answer for model in models for answer in (model.predict_proba(X), model.predictor()(X[0]))]
    return b"".join(answer.tobytes() for answer in answers)

expected = bits(0)  # a large table, so that the parent has started threads
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(sum(found != expected for found in pool.map(bits, range(4))))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_predicts():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "0\n", done.stderr


# -- Ctrl-C ----------------------------------------------------------------------------------------------


def interrupts(monkeypatch, owner, name, call=3, before=lambda *arguments: None):
    """Let somebody press Ctrl-C while this function is called for the `call`-th time."""
    function, calls = getattr(owner, name), []

    def interrupted(*arguments, **named):
        result = function(*arguments, **named)
        calls.append(name)
        if len(calls) == call:
            before(*arguments)
            signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(owner, name, interrupted)
    return calls


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="there are no such signals")
def test_ctrl_c_ends_training_by_batches_as_in_scikit_learn(ctrl_c):
    """At any moment of training, the weights that were learnt so far are kept, with a warning."""
    model = MLPClassifier((8,), solver="adam", max_iter=10**6, n_iter_no_change=np.inf, random_state=0)
    first = clone(model).set_params(max_iter=1).fit(X, Y)
    timer = threading.Timer(0.2, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT])
    timer.start()
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, Y)
    assert model.n_iter_ > 1
    assert model.loss_curve_[0] == first.loss_
    assert model.loss_ < first.loss_
    assert model.score(X, Y) > first.score(X, Y)
    model.partial_fit(X, Y)
    model.max_iter = 1
    assert same_bits(model.fit(X, Y).predict_proba(X), first.predict_proba(X))


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_ctrl_c_in_an_epoch_that_diverges_keeps_finite_weights(solver, early_stopping, monkeypatch, ctrl_c):
    model = MLPClassifier((8,), solver=solver, early_stopping=early_stopping, **FEW)
    spoil = lambda problem, theta, *rest: theta.fill(np.nan)  # noqa: E731
    interrupts(monkeypatch, Problem, "epoch", call=2, before=spoil)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, Y)
    assert np.isfinite(model.predict_proba(X)).all()
    assert model.n_iter_ == 1


SEARCHES = {
    "network": (MLPClassifier((8,), solver="lbfgs", random_state=0), Problem, "cost_and_gradient"),
    "two classes": (LogisticRegression(), dlkernels, "logistic_propagate"),
    "weights": (LogisticRegression(class_weight="balanced"), dlkernels, "network_propagate"),
}


@pytest.mark.parametrize("case", SEARCHES)
@pytest.mark.parametrize("warm_start", [False, True])
def test_ctrl_c_in_a_search_leaves_the_estimator_as_it_was(case, warm_start, monkeypatch, ctrl_c):
    """Ctrl-C reaches the caller, as in scikit-learn. There, the next prediction would mix two fits."""
    model, owner, name = SEARCHES[case]
    model, other = clone(model).set_params(warm_start=warm_start), WORDS if case == "network" else Y > 0
    with monkeypatch.context() as patch:
        calls = interrupts(patch, owner, name)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y > 0)
        assert len(calls) == 3
        assert vars(model) == vars(clone(model))
    model.fit(X, Y == 0)
    before = model.predict_proba(X)
    with monkeypatch.context() as patch:
        interrupts(patch, owner, name)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y == 1 if warm_start else other)
    assert same_bits(model.predict_proba(X), before)
    assert list(model.classes_) == [False, True]
    fresh = clone(model).fit(X, Y == 0) if not warm_start else None
    model.fit(X, Y == 0)
    assert fresh is None or same_bits(model.predict_proba(X), fresh.predict_proba(X))


def test_a_fit_that_is_refused_leaves_the_estimator_as_it_was():
    for model in (LogisticRegression(), MLPClassifier((4,), **FEW)):
        model.fit(X, Y)
        before = model.predict_proba(X)
        for rows, labels in ((X[:, :3], WORDS[:-1]), (X, np.where(Y, np.nan, 1.0)), (X[:, 1:] * np.nan, Y)):
            with pytest.raises(ValueError):  # noqa: PT011  (scikit-learn's)
                model.fit(rows, labels)
        assert same_bits(model.predict_proba(X), before)
    model = MLPClassifier((4,), **FEW)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(X * np.nan, Y, classes=[0, 1])
    model.partial_fit(X, Y, classes=[0, 1, 2])


# -- containers ------------------------------------------------------------------------------------------

#: What a container's image is built with: one prediction.
BUILD = """
import sys
import joblib
import numpy as np

model, rows = joblib.load(sys.argv[1]), np.load(sys.argv[2])
model.predict(rows[:1])
"""
#: What its processes do. Prints how much of it only compiling needs, and the bits.
SERVE = """
import hashlib, sys
import joblib
import llvmlite.binding as llvm
import numpy as np
from numba.core import event

parsed, parse = [], llvm.parse_bitcode
llvm.parse_bitcode = lambda code: parsed.append(len(code)) or parse(code)
with event.install_recorder("numba:compile") as recorder:
    model, rows = joblib.load(sys.argv[1]), np.load(sys.argv[2])
    P = np.concatenate([model.predict_proba(rows[:20]), model.predictor()(rows[20:])])
print(len(recorder.buffer) + len(parsed) + ("numba.np.arraymath" in sys.modules))
print(hashlib.sha256(P.tobytes()).hexdigest())
"""


def files_below(folder):
    """All paths, and when the files among them were changed."""
    return {path: path.is_dir() or path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.slow
@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
@pytest.mark.skipif(sys.platform != "linux", reason="permissions are tested on Linux")
def test_a_container_built_with_one_prediction_compiles_nothing(tmp_path):
    """As the guide says: the cache is filled when the image is built, and can't be written to afterwards."""
    model, rows = fitted("network of three classes")
    files = [str(tmp_path / "app" / name) for name in ("model.joblib", "rows.npy")]
    (tmp_path / "app").mkdir()
    joblib.dump(model, files[0])
    np.save(files[1], rows)

    def process(code, home, *launcher):
        env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "HOME": str(tmp_path / home)}
        env.pop("XDG_CACHE_HOME", None)
        command = [*launcher, sys.executable, "-c", code, *files]
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    process(BUILD, "builder")
    before = files_below(tmp_path)
    with read_only(tmp_path):
        assert process(SERVE, "missing", *obedient())[0] == "0"
    assert files_below(tmp_path) == before
    for file in (tmp_path / "cache").rglob("direct.network_forward*"):
        file.unlink()  # the control: one kernel is compiled anew
    assert process(SERVE, "builder")[0] != "0"
