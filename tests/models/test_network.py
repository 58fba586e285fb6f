"""Networks of any depth: what they learn, which output labels ask for, and fits that don't end."""

from __future__ import annotations

import pickle
import re
import signal
import threading
import tracemalloc
import warnings

import numpy as np
import pytest
from sklearn.metrics import d2_tweedie_score, r2_score

import dlkernels as dk
from dlkernels import backends, data, optimizers
from dlkernels._calls.threads import always
from dlkernels.models import ConvergenceWarning, Network

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(2, 60))
#: Labels for each output.
Y = {
    "sigmoid": (X[:1] > X[1:]).astype(float),
    "softmax": (X[:1] > 0) + 1 * (X[1:] > 0.5),
    "identity": np.stack([X[0] - X[1], X[0] ** 2]),
    "exp": RANDOM.poisson(np.exp(X[:1])),
}


def network(**settings):
    return Network((5, 4), **{"seed": 1, "num_epochs": 3, "batch_size": 16, **settings})


def state(model):
    """What a model learned, as bytes."""
    return pickle.dumps((model.theta_.tobytes(), model.optimizer_.state, model.costs_, model.n_iter_))


def by_hand(settings, labels, epochs, **more):
    """The parameters and costs of a loop around `train_epoch`, as a user may write it."""
    classes = settings["output"] == "softmax"
    sizes = (2, 5, 4, int(labels.max()) + 1 if classes else len(labels))
    theta, rule = dk.network_parameters(sizes, 1), optimizers.Adam(1e-3)
    module, random = dk.backends.get(settings["backend"]), np.random.Generator(np.random.PCG64(1).jumped())
    costs = [
        module.train_epoch(
            theta, sizes, rule, X, labels, "relu", settings["output"], batch_size=16,
            order=random.permutation(60), **more,
        )
        for _ in range(epochs)
    ]  # fmt: skip
    return theta, costs


# -- what it computes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", Y)
def test_fit_is_a_loop_around_train_epoch(output, backend):
    model = network(backend=backend, output=output)
    assert model.fit(X, Y[output]) is model
    theta, costs = by_hand({"output": output, "backend": backend}, Y[output], 3)
    np.testing.assert_array_equal(model.theta_, theta)
    assert model.costs_ == costs
    assert model.n_iter_ == 3
    assert model.output_ == output
    assert model.optimizer_.state["step"] == 3 * 4
    assert model.sizes_ == (2, 5, 4, {"softmax": 3, "identity": 2}.get(output, 1))
    A = dk.backends.get(backend).network_forward(theta, model.sizes_, X, "relu", output)
    np.testing.assert_array_equal(model.predict_proba(X), A)


@pytest.mark.parametrize("activations", ["tanh", ("relu", "tanh")])
@pytest.mark.parametrize("output", Y)
def test_backends_agree(output, activations):
    weights = RANDOM.uniform(0, 2, 60)
    settings = {"output": output, "activations": activations, "l2": 0.01}
    fitted = [network(backend=b, **settings).fit(X, Y[output], sample_weight=weights) for b in backends.NAMES]
    for other in fitted[1:]:
        np.testing.assert_allclose(other.costs_, fitted[0].costs_, rtol=1e-12)
        np.testing.assert_allclose(other.theta_, fitted[0].theta_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_it_learns(output, backend):
    model = network(backend=backend, learning_rate=0.03, num_epochs=30).fit(X, Y[output])
    assert model.output_ == output  # the labels decided on it
    assert model.costs_[-1] < 0.3 * model.costs_[0]
    labels = model.predict(X)
    assert labels.shape == (1, 60)
    assert labels.dtype.kind == "i"
    assert model.score(X, Y[output]) == np.mean(labels == Y[output]) > 0.9


def test_ten_digits_are_told_apart():
    """By the default settings, on the backend that needs no compiler."""
    digits = data.digits(positive=None)
    model = Network(backend="numpy", seed=1).fit(digits.X_train, digits.Y_train)
    assert model.sizes_ == (64, 128, 64, 10)
    assert model.score(digits.X_test, digits.Y_test) > 0.97


def test_digits_are_split_by_class():
    digits = data.digits(positive=None)
    assert "ten classes" in digits.description
    held_out = np.bincount(digits.Y_test[0].astype(int))
    every = held_out + np.bincount(digits.Y_train[0].astype(int))
    assert every.sum() == 1797
    np.testing.assert_array_equal(held_out, np.floor(every / 5 + 0.5))


def test_rows_of_classes_are_the_same_as_their_numbers(backend):
    rows = (np.arange(3)[:, np.newaxis] == Y["softmax"]).astype(float)
    numbers = network(backend=backend).fit(X, Y["softmax"])
    model = network(backend=backend, output="softmax").fit(X, rows)
    np.testing.assert_allclose(model.theta_, numbers.theta_, rtol=1e-12)
    assert model.score(X, rows) == numbers.score(X, Y["softmax"])
    np.testing.assert_array_equal(model.predict(X), numbers.predict(X))


def test_scores_of_numbers_are_those_of_scikit_learn():
    model = network(backend="numpy", output="identity", num_epochs=30).fit(X, Y["identity"])
    A = model.predict(X)
    np.testing.assert_array_equal(A, model.predict_proba(X))
    assert model.score(X, Y["identity"]) == pytest.approx(r2_score(Y["identity"].T, A.T))
    model = network(backend="numpy", output="exp", num_epochs=30).fit(X, Y["exp"])
    expected = d2_tweedie_score(Y["exp"][0], model.predict(X)[0], power=1)
    assert model.score(X, Y["exp"]) == pytest.approx(expected)
    assert model.score(X, 0 * Y["exp"] + 1) == 0  # all alike, and not predicted exactly


def test_several_labels_of_an_example_count_together():
    labels = np.concatenate([Y["sigmoid"], X[:1] > 0])
    model = network(backend="numpy", output="sigmoid").fit(X, labels)
    found = model.predict(X)
    assert found.shape == labels.shape
    assert model.score(X, labels) == np.mean((found == labels).all(axis=0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_on_any_number_of_threads(dtype):
    random = np.random.default_rng(9)
    many = random.normal(size=(20, 3000)).astype(dtype)
    labels = (many[:1] > 0) + 1 * (many[1:2] > 0)

    def fitted():
        return state(
            Network((40, 30), backend="numba", batch_size=500, num_epochs=2, seed=0).fit(many, labels)
        )

    with always(False):
        expected = fitted()
    for n in (1, 2, 3, 8):
        with dk.threads(n), always(True):
            assert fitted() == expected
        with dk.threads(n):
            assert fitted() == expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(backend, dtype):
    for model in (
        network(backend=backend).fit(X.astype(dtype), Y["softmax"]),
        network(backend=backend, dtype=dtype).fit(X, Y["softmax"]),
    ):
        assert model.theta_.dtype == model.predict_proba(X).dtype == dtype


@pytest.mark.parametrize("given", [np.uint8, np.int16, bool, ">f4"])
def test_examples_of_any_real_dtype(backend, given):
    numbers = np.abs(10 * X).astype(given)
    model = network(backend=backend).fit(numbers, Y["softmax"])
    expected = network(backend=backend).fit(numbers.astype(float), Y["softmax"])
    assert model.theta_.dtype == np.float64
    np.testing.assert_allclose(model.theta_, expected.theta_, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(numbers), expected.predict(numbers.astype(float)))


@pytest.mark.parametrize("given", [np.uint8, np.float32])
def test_examples_are_never_converted_as_a_whole(given, backend):
    many = np.ones((100, 200_000), given)
    model = Network((2,), num_epochs=0, backend="numpy", dtype="float64").fit(many[:, :2], [[0, 1]])
    model.backend = "numpy" if backend == "python" else backend  # Python would take a minute
    model.predict(many[:, :5])
    tracemalloc.start()
    model.predict_proba(many)
    model.fit(many, many[:1] > 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * many.size / 4


def test_a_weight_of_2_is_the_example_twice(backend):
    weights = np.ones(60)
    weights[:10] = 2
    settings = {"backend": backend, "batch_size": 70, "num_epochs": 4}
    model = network(**settings).fit(X, Y["softmax"], sample_weight=weights)
    twice = network(**settings).fit(*(np.concatenate([a, a[:, :10]], axis=1) for a in (X, Y["softmax"])))
    np.testing.assert_allclose(model.theta_, twice.theta_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.costs_, twice.costs_, rtol=1e-12)


def test_parameters_are_views_in_a_copy_too():
    model = network(backend="numpy").fit(X, Y["softmax"])
    for each in (model, pickle.loads(pickle.dumps(model))):
        assert [(W.shape, b.shape) for W, b in each.parameters_] == [
            ((5, 2), (5, 1)), ((4, 5), (4, 1)), ((3, 4), (3, 1))
        ]  # fmt: skip
        each.parameters_[1][0][2, 3] = 7
        assert (each.theta_ == 7).sum() == 1
        np.testing.assert_array_equal(each.predict_proba(X), model.predict_proba(X))


# -- optimizers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam", "adamw"])
def test_an_optimizer_by_its_name_or_by_itself(name, backend):
    rules = {"sgd": optimizers.SGD, "rmsprop": optimizers.RMSprop, "adam": optimizers.Adam}
    rule = rules.get(name, optimizers.AdamW)(0.02)
    model = network(backend=backend, optimizer=name, learning_rate=0.02).fit(X, Y["softmax"])
    other = network(backend=backend, optimizer=rule).fit(X, Y["softmax"])
    assert type(model.optimizer_) is type(rule)
    assert state(model) == state(other)
    assert rule.state["step"] == 0  # `fit` takes a copy
    assert network(optimizer=rule, backend=backend, num_epochs=0).fit(X, Y["softmax"]).optimizer_ is not rule


def test_an_optimizer_goes_on_from_its_state(backend):
    first = network(backend=backend).fit(X, Y["softmax"])
    second = network(backend=backend, optimizer=first.optimizer_)
    second.fit(X, Y["softmax"], parameters=first.theta_)
    assert second.optimizer_.state["step"] == 24
    assert first.optimizer_.state["step"] == 12
    restarted = network(backend=backend).fit(X, Y["softmax"], parameters=first.theta_)
    assert not np.array_equal(restarted.theta_, second.theta_)


def test_callers_arrays_are_left_alone(backend):
    given = [X.copy(), Y["softmax"].copy(), np.ones(60), dk.network_parameters((2, 5, 4, 3), 7)]
    before = [each.copy() for each in given]
    examples, labels, weights, theta = given
    network(backend=backend).fit(examples, labels, sample_weight=weights, parameters=theta)
    for each, old in zip(given, before, strict=True):
        np.testing.assert_array_equal(each, old)


# -- which output, and what is refused --------------------------------------------------------------------

WORDS = np.array(["ant", "bee", "cow"])[Y["softmax"]]


@pytest.mark.parametrize(
    ("labels", "output", "message"),
    [
        (np.eye(3)[:, Y["softmax"][0]], None, "Y has 3 rows, so choose the output: 'softmax' if each row"),
        (Y["softmax"] + 1, None, "Y holds 3 different whole numbers from 1 to 3, but classes are numbered f"),
        (Y["softmax"] * 1000, None, "from 0 to 2000, but classes are numbered from 0 without gaps"),
        (-Y["softmax"], None, "from -2 to 0, but"),
        (X[:1], None, "Y holds numbers that are no classes, such as 2.0"),
        (Y["softmax"] - 1, "softmax", "Y must hold class numbers from 0 to 1, but "),
        (X[:1], "softmax", "Y must hold class numbers from 0 to "),
        (Y["softmax"], "sigmoid", "Y must hold 0 and 1 only, but "),
        (Y["softmax"], "sigmoid", '; for class numbers pass output="softmax"'),
        (X, "sigmoid", "Y must hold 0 and 1 only, but "),
        (X[:1], "exp", "Y must hold numbers that are not negative, but "),
        (np.where(Y["sigmoid"], np.nan, 0), None, "Y must hold finite numbers, but "),
        (Y["sigmoid"][:, :7], None, "Y has 7 columns but X has 60 (Y (1, 7), X (2, 60))"),
        (Y["identity"][:, :7], "identity", "Y has 7 columns but X has 60 (Y (2, 7), X (2, 60))"),
        (Y["sigmoid"][0], None, "labels are one row, so pass Y.reshape(1, -1) (X (2, 60), Y (60,))"),
        (Y["sigmoid"].T, None, "labels are one row, so pass Y.T (X (2, 60), Y (60, 1))"),
        (np.zeros((2, 30, 2)), None, "Y must have 2 axes but has shape (2, 30, 2)"),
    ],
)
def test_labels_that_do_not_fit(labels, output, message):
    model = network(backend="numpy", output=output)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        model.fit(X, labels)
    assert str(caught.value).startswith("Network.fit: ")
    assert not hasattr(model, "theta_")


def test_images_and_rows():
    images = np.ones((60, 4, 5))
    with pytest.raises(ValueError, match=re.escape("pass X.reshape(len(X), -1).T")):
        network().fit(images, Y["softmax"])
    model = network(backend="numpy").fit(images.reshape(len(images), -1).T, Y["softmax"])
    with pytest.raises(ValueError, match=re.escape("pass X.reshape(len(X), -1).T")):
        model.predict(images)
    with pytest.raises(ValueError, match=r"so pass X\.T"):
        network().fit(X.T, Y["softmax"])
    with pytest.raises(ValueError, match=r"so pass X\.T"):
        network(backend="numpy").fit(X, Y["softmax"]).predict(X.T)


def test_rows_of_examples_and_of_labels():
    message = "Y has 3 columns but X has 2 (Y (60, 3), X (60, 2)); examples are columns, so pass X.T and Y.T"
    with pytest.raises(ValueError, match=re.escape(message)):
        network(output="softmax").fit(X.T, np.eye(3)[Y["softmax"][0]])


@pytest.mark.parametrize("labels", [WORDS, WORDS.tolist(), Y["softmax"] * 1000, Y["softmax"] + 1])
def test_the_advice_makes_class_numbers_of_labels(labels):
    model = network(backend="numpy")
    with pytest.raises((TypeError, ValueError)) as caught:
        model.fit(X, labels)
    advice = re.search(r"pass (?:the numbers of their classes: )?(np\..*?-1\))", str(caught.value)).group(1)
    model.fit(X, eval(advice, {"np": np, "Y": labels}))
    np.testing.assert_array_equal(model.theta_, network(backend="numpy").fit(X, Y["softmax"]).theta_)


def test_a_class_without_examples():
    model = network(backend="numpy", output="softmax").fit(X, 2 * Y["sigmoid"])
    assert model.sizes_[-1] == 3
    with pytest.raises(ValueError, match=r"^Network\.score: Y must hold class numbers from 0 to 2, but "):
        model.score(X, 3 * Y["sigmoid"])
    two = network(backend="numpy", output="softmax").fit(X, 0 * Y["sigmoid"])
    assert two.sizes_[-1] == 2


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_not_finite_is_named_by_every_method(bad, dtype):
    model = network(backend="numpy", dtype=dtype).fit(X, Y["softmax"])
    before = state(model)
    examples = X.copy()
    examples[1, 5] = bad
    for method, given in (
        ("fit", (Y["softmax"],)), ("score", (Y["softmax"],)), ("predict", ()), ("predict_proba", ()),
    ):  # fmt: skip
        message = rf"^Network\.{method}: X must hold finite numbers, but 1 of 120 .*X\[1, 5\] = {bad}"
        with pytest.raises(ValueError, match=message):
            getattr(model, method)(examples, *given)
    assert state(model) == before
    with pytest.raises(ValueError, match="numbers that fit into float32"):
        network(dtype="float32").fit(1e39 * X, Y["softmax"])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(7), "sample_weight must have shape (1, 60) or (60,) but has shape (7,)"),
        (-np.ones(60), "sample_weight must hold numbers that are not negative"),
        (np.zeros(60), "sample_weight is 0 for all examples"),
    ],
)
def test_weights_that_are_refused(weights, message):
    with pytest.raises(ValueError, match=rf"^Network\.fit: {re.escape(message)}"):
        network().fit(X, Y["softmax"], sample_weight=weights)


def test_other_errors():
    model = network(backend="numpy")
    for method, given in (("predict", ()), ("predict_proba", ()), ("score", (Y["softmax"],))):
        with pytest.raises(
            RuntimeError, match=rf"^Network\.{method}: this model is not fitted yet; call fit"
        ):
            getattr(model, method)(X, *given)
    assert not hasattr(model, "parameters_")
    with pytest.raises(ValueError, match=r"parameters must have shape \(54,\) but has shape \(53,\)"):
        model.fit(X, Y["softmax"], parameters=np.zeros(53))
    with pytest.raises(ValueError, match=r"the mean over 0 examples is undefined \(X \(2, 0\), Y \(1, 0\)\)"):
        model.fit(X[:, :0], Y["softmax"][:, :0])
    with pytest.raises(ValueError, match=r"X has no features, a row for each \(X \(0, 60\), Y \(1, 60\)\)"):
        model.fit(X[:0], Y["softmax"])
    model.fit(X, Y["softmax"])
    with pytest.raises(ValueError, match="X has 1 features, a row each, but the model was fitted with 2"):
        model.predict(X[:1])
    with pytest.raises(ValueError, match="Y has 2 rows but the network has 3 outputs"):
        model.score(X, X)
    assert model.predict(X[:, :0]).shape == (1, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_layers": 4}, "hidden_layers must be a tuple of integers, not int"),
        ({"hidden_layers": (4, 0)}, r"hidden_layers\[1\] must be at least 1"),
        ({"activations": "swish"}, "activations must be one of"),
        ({"activations": ("relu",)}, "one for each of 2 hidden layers, not 1 names"),
        ({"output": "linear"}, "output must be None or one of identity, sigmoid, softmax, exp, not 'linear'"),
        ({"optimizer": "lbfgs"}, r"one of sgd, rmsprop, adam, adamw, or made by .* not 'lbfgs'"),
        ({"optimizer": optimizers.Adam}, r"as Adam\(1e-3\) is, not <class"),
        ({"learning_rate": 0}, "learning_rate must be positive"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"num_epochs": -1}, "num_epochs must be at least 0"),
        ({"l2": -1}, "l2 must be at least 0"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"backend": "cuda"}, "backend must be one of python, numpy, numba, not 'cuda'"),
        ({"dtype": "float16"}, "dtype must be"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        Network(**settings)
    assert str(caught.value).startswith("Network: ")


def test_repr_shows_every_setting():
    shown = repr(Network((3, 2), activations=("relu", "tanh"), optimizer=optimizers.SGD(0.1, momentum=0.9)))
    assert repr(eval(shown, {"Network": Network, "SGD": optimizers.SGD})) == shown
    assert "optimizer=SGD(learning_rate=0.1, momentum=0.9" in shown


# -- a fit that diverges, that somebody watches, or that doesn't end --------------------------------------


def test_the_callback_sees_the_model_as_it_is(backend):
    model, seen = network(backend=backend, num_epochs=9), []

    def look(epoch, cost):
        seen.append((epoch, cost, state(model), model.score(X, Y["softmax"])))
        return epoch == 2

    model.fit(X, Y["softmax"], callback=look)
    assert [epoch for epoch, *_ in seen] == [0, 1, 2]
    assert [cost for _, cost, *_ in seen] == model.costs_
    for epoch, _, held, score in seen:
        same = network(backend=backend, num_epochs=epoch + 1).fit(X, Y["softmax"])
        assert held == state(same)
        assert score == same.score(X, Y["softmax"])


@pytest.mark.parametrize("fits", [1, 2])
@pytest.mark.parametrize("epoch", [0, 2])
def test_an_interrupted_epoch_leaves_no_trace(backend, fits, epoch, monkeypatch):
    """Interrupted within the epoch, after parameters and the optimizer's state have changed."""
    model = network(backend=backend, num_epochs=3)
    if fits == 2:
        model.fit(X, Y["sigmoid"])
    before = pickle.dumps(vars(model))
    module, calls = dk.backends.get(backend), []
    train = module.train_epoch

    def interrupted(*arguments, **options):
        cost = train(*arguments, **options)
        calls.append(cost)
        if len(calls) > epoch:
            raise KeyboardInterrupt
        return cost

    monkeypatch.setattr(module, "train_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y["softmax"])
    monkeypatch.undo()
    if epoch:
        assert state(model) == state(network(backend=backend, num_epochs=epoch).fit(X, Y["softmax"]))
    else:
        assert pickle.dumps(vars(model)) == before


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="there are no such signals")
@pytest.mark.parametrize("fast", ["numpy", "numba"])
def test_ctrl_c_leaves_a_network_that_agrees_with_itself(fast, ctrl_c):
    model = network(backend=fast, num_epochs=100_000)
    timer = threading.Timer(0.2, signal.pthread_kill, [threading.main_thread().ident, signal.SIGINT])

    def start(epoch, cost):  # once the kernels are compiled
        if epoch == 0:
            timer.start()

    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y["softmax"], callback=start)
    assert 0 < model.n_iter_ == len(model.costs_)
    assert state(model) == state(network(backend=fast, num_epochs=model.n_iter_).fit(X, Y["softmax"]))
    # The interrupted model can be trained on, and can start anew.
    onwards = network(backend=fast, optimizer=model.optimizer_).fit(X, Y["softmax"], parameters=model.theta_)
    assert onwards.optimizer_.state["step"] == model.optimizer_.state["step"] + 3 * 4
    model.num_epochs = 3
    assert state(model.fit(X, Y["softmax"])) == state(network(backend=fast).fit(X, Y["softmax"]))


@pytest.mark.parametrize(
    ("rate", "what"),
    [(3.0, r"the cost rose above [\d.]+, where it began, by epoch \d+, and was [\d.e+]+ in epoch 19"),
     (1e300, r"the cost was (nan|inf) in epoch \d+")],
)  # fmt: skip
def test_a_fit_that_diverges_is_said_once(rate, what, backend):
    settings = {"output": "identity", "num_epochs": 20, "activations": "tanh"}
    model = network(backend=backend, optimizer=optimizers.SGD(rate), **settings)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, Y["identity"] * 10)
    (warning,) = caught
    assert warning.filename == __file__  # the line that called `fit`
    advice = "Scale the features and Y"
    assert re.match(rf"Network\.fit diverged: {what}\. {advice} ", str(warning.message))
    assert str(warning.message).endswith(f"take a learning_rate below {rate:g}")


def test_a_cost_that_wavers_at_its_minimum_is_not_said(backend):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = network(backend=backend, learning_rate=0.01, num_epochs=40).fit(X, Y["sigmoid"])
        model.fit(X, Y["sigmoid"], parameters=model.theta_)
        network(backend=backend, num_epochs=0).fit(X, Y["sigmoid"])
