"""Training that diverges, that somebody watches, and that ends before its time."""

from __future__ import annotations

import pickle
import re
import signal
import threading
import warnings
from fractions import Fraction

import numpy as np
import pytest

from dlkernels.models import ConvergenceWarning, LogisticRegression, ShallowNetwork

MODELS = {
    "logistic": lambda **k: LogisticRegression(**{"learning_rate": 0.5, **k}),
    "shallow": lambda **k: ShallowNetwork(3, seed=0, **{"learning_rate": 0.5, **k}),
}


@pytest.fixture(params=MODELS)
def make(request):
    return MODELS[request.param]


@pytest.fixture
def people():
    """Heights and weights as they are measured, which gradient descent can't do with."""
    random = np.random.default_rng(0)
    X = np.stack([random.normal(170, 10, 200), random.normal(70, 15, 200)])
    return X, X[1:] / (X[:1] / 100) ** 2 > 25


def state(model):
    """What a model learned, as bytes."""
    return pickle.dumps((model.parameters_, model.costs_, model.n_iter_))


def quietly(model, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model.fit(*args, **kwargs)


def with_costs(monkeypatch, costs):
    """A model whose cost before each call of the backend is the next of these."""
    left = iter(costs)
    monkeypatch.setattr(LogisticRegression, "_descend", lambda *_: next(left))
    return LogisticRegression(num_iterations=100 * (len(costs) - 1))


# -- divergence -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("iterations", [2, 50, 1000])
def test_a_cost_that_rose_is_said_once(backend, iterations, people):
    model = LogisticRegression(learning_rate=0.125, num_iterations=iterations, backend=backend)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(*people)
    (warning,) = caught
    assert warning.filename == __file__  # the line that called `fit`
    assert re.fullmatch(
        r"LogisticRegression\.fit diverged: the cost rose above 0\.693147, where it began, by iteration "
        rf"{min(iterations - 1, 100)}, and was [\d.]+ before iteration {iterations - 1}\. Scale the features "
        r"\(dlkernels\.data\.Standardizer\), or take a learning_rate below 0\.125",
        str(warning.message),
    )
    assert model.n_iter_ == iterations
    assert len(model.costs_) == -(-iterations // 100)


@pytest.mark.parametrize("rate", [Fraction(1, 10), np.array([0.1]), np.float32(0.1)])
def test_the_warning_shows_every_kind_of_learning_rate(rate):
    with pytest.warns(ConvergenceWarning, match=r"learning_rate below 0\.1$"):
        LogisticRegression(learning_rate=rate, backend="numpy").fit([[150.0, 160, 170, 180]], [[0, 1, 0, 1]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cost_that_is_not_finite_is_said(backend, dtype, people):
    model = LogisticRegression(learning_rate=1e308, num_iterations=300, backend=backend, dtype=dtype)
    with pytest.warns(ConvergenceWarning, match=r"diverged: the cost was (nan|inf) before iteration 100\."):
        model.fit(*people)
    assert not np.isfinite(model.parameters_["w"]).all()


def test_parameters_that_are_not_finite_are_said_though_every_cost_is(backend, people):
    model = LogisticRegression(learning_rate=1e308, num_iterations=1, backend=backend)
    with pytest.warns(ConvergenceWarning, match="the parameters hold NaN or infinity after the last step"):
        model.fit(*people)
    assert np.isfinite(model.costs_).all()


def test_features_that_are_too_large_to_square(backend, people):
    X, Y = people
    with pytest.warns(ConvergenceWarning, match="the cost was nan"):
        LogisticRegression(backend=backend, num_iterations=200).fit(X * 5e305, Y)


def test_a_network_warns_too(backend, small):
    X, Y = small
    with pytest.warns(ConvergenceWarning, match=r"^ShallowNetwork\.fit diverged: the cost rose above"):
        ShallowNetwork(learning_rate=1e6, num_iterations=20, seed=0, backend=backend).fit(X, Y)


def test_the_last_steps_cost_counts(monkeypatch):
    with pytest.warns(ConvergenceWarning, match="by iteration 299, and was 0.8 before iteration 299"):
        with_costs(monkeypatch, [0.7, 0.5, 0.4, 0.8]).fit([[1.0]], [[1]])


@pytest.mark.parametrize(
    "costs", [[0.7, 9.0, 0.9, 0.6], [0.7, 0.7, 0.7, 0.7 * (1 + 1e-6)], [0.0, 0.0, 0.0, 0.0], [0.7, 0.9, 0.7]]
)
def test_a_cost_that_ends_where_it_began_or_below_is_not_said(monkeypatch, costs):
    quietly(with_costs(monkeypatch, costs), [[1.0]], [[1]])


@pytest.mark.parametrize("iterations", [0, 1, 100])
def test_training_that_works_is_quiet(make, backend, iterations, small):
    model = quietly(make(backend=backend, num_iterations=iterations), *small)
    quietly(model, *small, parameters=model.parameters_)


def test_training_at_the_minimum_is_quiet(backend):
    X, Y = np.array([[-1.0, 1.0, -1.0, 1.0]]), [[0, 1, 1, 0]]
    model = LogisticRegression(backend=backend, num_iterations=300)
    for _ in range(3):
        quietly(model, X, Y, parameters=vars(model).get("parameters_"))


def test_one_step_taken_by_itself_changes_no_bit(make, backend, small):
    X, Y = small
    whole, parts = make(backend=backend, num_iterations=150), make(backend=backend, num_iterations=75)
    whole.fit(X, Y)
    parts.fit(X, Y)
    parts.fit(X, Y, parameters=parts.parameters_)
    assert pickle.dumps(whole.parameters_) == pickle.dumps(parts.parameters_)


# -- the callback sees the model that is being trained ---------------------------------------------------


@pytest.mark.parametrize("fits", [1, 2])
def test_the_callback_sees_the_model_as_it_is(make, backend, fits, small):
    X, Y = small
    model = make(backend=backend, num_iterations=250)
    if fits == 2:
        model.fit(X, 1 - Y)
    seen = []

    def look(iteration, cost):
        assert model.costs_[-1] == cost
        seen.append((iteration, model.n_iter_, model.score(X, Y), model.predict_proba(X), state(model)))

    model.fit(X, Y, callback=look)
    assert [(iteration, done) for iteration, done, *_ in seen] == [(0, 100), (100, 200), (200, 250)]
    for _, done, score, probabilities, held in seen:
        same = make(backend=backend, num_iterations=done).fit(X, Y)
        assert held == state(same)
        assert score == same.score(X, Y)
        np.testing.assert_array_equal(probabilities, same.predict_proba(X))


def test_parameters_that_the_callback_keeps_are_left_alone(make, backend, small):
    kept = []
    model = make(backend=backend, num_iterations=300)
    model.fit(*small, callback=lambda *_: kept.append((model.parameters_, pickle.dumps(model.parameters_))))
    assert len(kept) == 3
    assert all(pickle.dumps(parameters) == before for parameters, before in kept)


@pytest.mark.parametrize("result", [np.zeros(2), np.array([[True, True]])])
def test_a_callback_that_returns_an_array(result, people):
    model = LogisticRegression(num_iterations=300, backend="numpy", learning_rate=1e-6)
    message = r"^LogisticRegression\.fit: callback must return a truth value, not ndarray: The truth value"
    with pytest.raises(TypeError, match=message):
        model.fit(*people, callback=lambda iteration, cost: result)
    assert (model.n_iter_, len(model.costs_)) == (100, 1)  # the last run that was complete


@pytest.mark.parametrize("result", [True, np.True_, 1, np.array([1.0]), "yes"])
def test_a_callback_may_return_any_truth_value(result, people):
    model = LogisticRegression(num_iterations=300, backend="numpy", learning_rate=1e-6)
    assert model.fit(*people, callback=lambda iteration, cost: result).n_iter_ == 100


class OverTime(ValueError):
    """As time limits of other libraries raise it from the handler of a signal."""


def test_what_somebody_else_raises_meanwhile_stays_what_it_is(people):
    class Interrupted:
        def __bool__(self):
            raise OverTime

    with pytest.raises(OverTime):
        LogisticRegression(num_iterations=300, backend="numpy", learning_rate=1e-6).fit(
            *people, callback=lambda iteration, cost: Interrupted()
        )


# -- a fit that doesn't end -------------------------------------------------------------------------------


class Interruption(BaseException):
    pass


@pytest.mark.parametrize("fits", [1, 2])
@pytest.mark.parametrize("at", [0, 100])
def test_after_an_error_of_the_callback_the_model_holds_the_last_whole_run(make, backend, fits, at, small):
    X, Y = small
    model = make(backend=backend, num_iterations=300)
    if fits == 2:
        model.fit(X, 1 - Y)

    def fail(iteration, cost):
        if iteration == at:
            raise Interruption

    with pytest.raises(Interruption):
        model.fit(X, Y, callback=fail)
    assert state(model) == state(make(backend=backend, num_iterations=at + 100).fit(X, Y))


@pytest.mark.parametrize("fits", [1, 2])
@pytest.mark.parametrize("call", [0, 1, 2])
def test_an_interrupted_run_of_steps_leaves_no_trace(make, backend, fits, call, small, monkeypatch):
    """200 iterations are three calls of the backend: 100 steps, 99 steps, and the last one."""
    X, Y = small
    model = make(backend=backend, num_iterations=200)
    if fits == 2:
        model.fit(X, 1 - Y)
    expected = pickle.dumps(vars(model))
    if call > 0:
        whole_run = make(backend=backend, num_iterations=100).fit(X, Y)
        expected = pickle.dumps(vars(whole_run) | {"num_iterations": 200})
    descend, calls = type(model)._descend, []

    def interrupted(self, *arguments):
        calls.append(arguments[-1])
        cost = descend(self, *arguments)
        if len(calls) > call:
            raise KeyboardInterrupt
        return cost

    monkeypatch.setattr(type(model), "_descend", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert calls == [100, 99, 1][: call + 1]
    assert pickle.dumps(vars(model)) == expected


@pytest.mark.parametrize("fits", [1, 2])
@pytest.mark.parametrize("run", [0, 1, 2])
def test_a_run_that_the_model_doesnt_hold_yet_leaves_no_cost(make, fits, run, small, monkeypatch):
    """Interrupted after its cost was recorded, and before the model holds its parameters."""
    X, Y = small
    model = make(num_iterations=300)
    if fits == 2:
        model.fit(X, 1 - Y)
    expected = pickle.dumps(vars(model))
    if run > 0:
        expected = pickle.dumps(vars(make(num_iterations=100 * run).fit(X, Y)) | {"num_iterations": 300})
    hold, held = type(model)._hold, []

    def interrupted(self, *arguments):
        if len(held) == run:
            raise KeyboardInterrupt
        held.append(arguments)
        hold(self, *arguments)

    monkeypatch.setattr(type(model), "_hold", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert pickle.dumps(vars(model)) == expected


def test_a_long_fit_copies_no_costs(monkeypatch):
    """A copy at each run took a good part of the time of a million runs."""
    model, lists = with_costs(monkeypatch, [0.5] * 5), []
    model.fit([[1.0]], [[1]], callback=lambda *_: lists.append(model.costs_))
    assert len(lists) == 4
    assert all(each is model.costs_ for each in lists)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="there are no such signals")
@pytest.mark.parametrize("fast", ["numpy", "numba"])
def test_ctrl_c_leaves_a_model_that_agrees_with_itself(make, fast, small, ctrl_c):
    model = make(backend=fast, num_iterations=10**6)
    timer = threading.Timer(0.2, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT])

    def start(iteration, cost):  # once the kernels are compiled
        if iteration == 0:
            timer.start()

    with pytest.raises(KeyboardInterrupt):
        model.fit(*small, callback=start)
    assert 0 < model.n_iter_ == 100 * len(model.costs_)
    again = make(backend=fast, num_iterations=model.n_iter_).fit(*small)
    assert pickle.dumps(model.parameters_) == pickle.dumps(again.parameters_)
    assert model.costs_ == again.costs_
