"""What both models promise, on every backend."""

from __future__ import annotations

import naive
import numpy as np
import pytest

import dlkernels as dk
from dlkernels._calls import threads
from dlkernels.catalogue import ACTIVATIONS
from models import LogisticRegression, ShallowNetwork

MODELS = {
    "logistic": lambda **k: LogisticRegression(learning_rate=0.5, **k),
    "shallow": lambda **k: ShallowNetwork(3, seed=0, learning_rate=0.5, **k),
}


@pytest.fixture(params=MODELS)
def make(request):
    return MODELS[request.param]


def test_fit_learns_and_returns_self(make, backend, small):
    X, Y = small
    model = make(backend=backend, num_iterations=250)
    assert model.fit(X, Y) is model
    assert len(model.costs_) == 3  # before iterations 0, 100 and 200
    assert model.n_iter_ == 250
    assert model.costs_[-1] < model.costs_[0]
    A, labels = model.predict_proba(X), model.predict(X)
    assert A.shape == labels.shape == Y.shape
    assert labels.dtype.kind == "i"
    np.testing.assert_array_equal(labels, A > 0.5)
    assert model.score(X, Y) == np.mean(labels == Y)
    assert isinstance(model.score(X, Y), float)


def test_backends_agree(make, small):
    X, Y = small
    fitted = [make(backend=name, num_iterations=120).fit(X, Y) for name in ("python", "numpy", "numba")]
    for other in fitted[1:]:
        np.testing.assert_allclose(other.costs_, fitted[0].costs_, rtol=1e-12)
        for name, value in fitted[0].parameters_.items():
            np.testing.assert_allclose(other.parameters_[name], value, rtol=1e-9, atol=1e-12)


def test_costs_are_those_before_the_steps(make, backend, small):
    """One long run and a run of single steps see the same costs."""
    X, Y = small
    long = make(backend=backend, num_iterations=101).fit(X, Y)
    model, parameters = make(backend=backend, num_iterations=1), None
    for step in range(101):
        model.fit(X, Y, parameters=parameters)
        parameters = model.parameters_
        if step in (0, 100):
            assert model.costs_ == [pytest.approx(long.costs_[step // 100], rel=1e-12)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_on_any_number_of_threads(make, dtype):
    """And on the serial twins, and run after run; 6000 examples are seven slots."""
    random = np.random.default_rng(9)
    X = random.normal(size=(5, 6000)).astype(dtype)
    Y = (X[:1] > X[1:2] ** 2 - 0.5).astype(dtype)

    def fitted():
        model = make(backend="numba", num_iterations=205).fit(X, Y)
        values = [np.asarray(value) for _, value in sorted(model.parameters_.items())]
        return b"".join(value.tobytes() for value in [*values, np.array(model.costs_)])

    with threads.always(False):
        expected = fitted()
    for n in (1, 2, 3, 8):
        with dk.threads(n), threads.always(True):
            assert fitted() == expected
            assert fitted() == expected
        with dk.threads(n):
            assert fitted() == expected


def test_threshold_is_strict(backend):
    model = LogisticRegression(num_iterations=0, backend=backend).fit([[1.0]], [[1]])
    assert model.predict_proba([[1.0]])[0, 0] == 0.5
    assert model.predict([[1.0]])[0, 0] == 0
    assert model.predict([[1.0]], threshold=0.49)[0, 0] == 1


def test_callers_arrays_are_left_alone(make, backend, small):
    X, Y = small
    start = make(backend=backend, num_iterations=1).fit(X, Y).parameters_
    before = {name: np.array(value) for name, value in start.items()}
    X_before, Y_before = X.copy(), Y.copy()
    make(backend=backend, num_iterations=5).fit(X, Y, parameters=start)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(Y, Y_before)
    for name, value in start.items():
        np.testing.assert_array_equal(value, before[name])


def test_continued_training_is_the_same_as_one_run(make, backend, small):
    X, Y = small
    whole = make(backend=backend, num_iterations=200).fit(X, Y)
    half = make(backend=backend, num_iterations=100).fit(X, Y)
    half.fit(X, Y, parameters=half.parameters_)
    for name, value in whole.parameters_.items():
        np.testing.assert_array_equal(half.parameters_[name], value)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(make, backend, dtype, small):
    X, Y = small
    by_data = make(backend=backend, num_iterations=3).fit(X.astype(dtype), Y)
    by_setting = make(backend=backend, num_iterations=3, dtype=dtype).fit(X, Y)
    for model in (by_data, by_setting):
        arrays = [value for value in model.parameters_.values() if isinstance(value, np.ndarray)]
        assert {str(array.dtype) for array in arrays} == {dtype}
        assert model.predict_proba(X).dtype == dtype


def test_fortran_order_gives_the_same(make, small):
    X, Y = small
    c = make(num_iterations=50).fit(X, Y)
    f = make(num_iterations=50).fit(np.asfortranarray(X), Y)
    for name, value in c.parameters_.items():
        np.testing.assert_allclose(f.parameters_[name], value, rtol=1e-12, atol=1e-15)


def test_callback_sees_each_cost_and_can_stop(make, backend, small):
    seen = []

    def callback(iteration, cost):
        seen.append((iteration, cost))
        return iteration >= 100

    model = make(backend=backend, num_iterations=1000).fit(*small, callback=callback)
    assert seen == list(zip([0, 100], model.costs_, strict=True))
    assert model.n_iter_ == 200


def test_seed_reproduces_the_course(small):
    model = ShallowNetwork(2, seed=7, num_iterations=0, init_scale=0.5).fit(*small)
    random = np.random.RandomState(7)
    np.testing.assert_array_equal(model.parameters_["W1"], random.randn(2, 3) * 0.5)
    np.testing.assert_array_equal(model.parameters_["W2"], random.randn(1, 2) * 0.5)
    assert not model.parameters_["b1"].any()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation_is_used(activation, backend, small):
    X, Y = small
    kwargs = {"seed": 1, "init_scale": 1.0, "num_iterations": 20, "activation": activation}
    model = ShallowNetwork(5, backend=backend, **kwargs).fit(X, Y)
    p = model.parameters_
    Z1 = p["W1"] @ X + p["b1"]
    A1 = np.reshape(getattr(naive, activation)(Z1.ravel()), Z1.shape)
    np.testing.assert_allclose(model.predict_proba(X), 1 / (1 + np.exp(-(p["W2"] @ A1 + p["b2"]))), rtol=1e-9)


def test_repr_shows_every_setting(make):
    model = make(num_iterations=7)
    shown = repr(model)
    assert shown.startswith(type(model).__name__)
    copy = eval(shown, {type(model).__name__: type(model)})
    assert vars(copy) == vars(model)


def test_errors(make, small):
    X, Y = small
    model = make(num_iterations=10)
    with pytest.raises(RuntimeError, match=r"\.predict: this model is not fitted yet"):
        model.predict(X)
    with pytest.raises(RuntimeError, match=r"\.predict_proba: this model is not fitted yet"):
        model.predict_proba(X)
    with pytest.raises(ValueError, match=r"Y.*\(1, 40\).*\(1, 39\)"):
        model.fit(X, Y[:, :39])
    with pytest.raises(ValueError, match="0 examples"):
        model.fit(X[:, :0], Y[:, :0])
    with pytest.raises(ValueError, match="parameters must hold"):
        model.fit(X, Y, parameters={"v": 1})
    assert not hasattr(model, "parameters_")
    model.fit(X, Y)
    wrong = dict(model.parameters_)
    first = next(iter(wrong))
    wrong[first] = np.zeros((9, 9))
    with pytest.raises(ValueError, match=rf"{first}.*\(9, 9\)"):
        model.fit(X, Y, parameters=wrong)
    with pytest.raises(ValueError, match="X has 2 features, a row each, but the model was fitted with 3"):
        model.predict(X[:2])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"learning_rate": 0}, "learning_rate must be positive"),
        ({"learning_rate": float("nan")}, "learning_rate must be finite"),
        ({"num_iterations": -1}, "num_iterations must be at least 0"),
        ({"num_iterations": 1.5}, "num_iterations must be an integer"),
        ({"backend": "cuda"}, "^[A-Za-z]+: backend must be one of python, numpy, numba, not 'cuda'$"),
        ({"backend": None}, "^[A-Za-z]+: backend must be a string, not NoneType$"),
        ({"dtype": "float16"}, "dtype must be"),
    ],
)
def test_bad_settings(kwargs, message):
    for model in (LogisticRegression, ShallowNetwork):
        with pytest.raises((ValueError, TypeError), match=message):
            model(**kwargs)


def test_bad_settings_of_the_network():
    with pytest.raises(ValueError, match="hidden_units must be at least 1"):
        ShallowNetwork(0)
    with pytest.raises(ValueError, match="activation must be one of"):
        ShallowNetwork(activation="swish")
    with pytest.raises(TypeError, match="seed must be an integer"):
        ShallowNetwork(seed=1.5)


class Extended(LogisticRegression):
    def __init__(self, *, extra=1, unkept=2, **others):
        super().__init__(**others)
        self.extra = extra


class Noted:
    """A class beside the models, without settings."""


class Twice(Noted, Extended):
    def __init__(self, *args, **others):
        super().__init__(*args, **others)


def test_repr_of_subclasses():
    expected = "extra=3, learning_rate=0.01, num_iterations=7, backend='numpy', dtype=None)"
    for model in (Extended, Twice):
        made = model(extra=3, num_iterations=7, backend="numpy")
        assert repr(made) == f"{model.__name__}({expected}"
