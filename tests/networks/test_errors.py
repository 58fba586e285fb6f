"""Errors of networks: their types and words, the same on three backends, before anything is written."""

from __future__ import annotations

import arrays
import network_cases as cases
import numpy as np
import pytest

import dlkernels as dk
from dlkernels import backends, optimizers

FORWARD, PROPAGATE, EPOCH = "network_forward", "network_propagate", "train_epoch"
SIZES, M = (4, 5, 3), 6


def base(name, target="classes"):
    """Good arguments; those of an epoch with an optimizer that has made a step."""
    network = cases.network(SIZES, M, target)
    given = network.given() | {"activations": "tanh"}
    if name == FORWARD:
        del given["Y"]
        return given | {"out": np.full((3, M), np.nan)}
    if name == PROPAGATE:
        return given | {"sample_weight": np.arange(1.0, M + 1), "l2": 0.5, "out": np.full(43, np.nan)}
    adam = optimizers.Adam()
    adam.step(np.ones(43), np.ones(43))
    return given | {"optimizer": adam, "batch_size": 4, "order": np.arange(M), "sample_weight": np.ones(M)}


def snapshot(value):
    if isinstance(value, dict):
        return [(key, snapshot(item)) for key, item in value.items()]
    if isinstance(value, optimizers.Optimizer):
        return repr(value), snapshot(value.state)
    return np.array(value).tobytes() if isinstance(value, np.ndarray) else repr(value)


def error_of(backend, name, given):
    before = snapshot(given)
    with pytest.raises((TypeError, ValueError, IndexError)) as caught:
        getattr(backends.get(backend), name)(**given)
    assert snapshot(given) == before, "something was written"
    return type(caught.value), str(caught.value)


def assert_error(name, changed, kind, *words, target="classes"):
    given = base(name, target) | changed
    errors = {backend: error_of(backend, name, given) for backend in backends.NAMES}
    assert len(set(errors.values())) == 1, errors
    found, message = errors["numpy"]
    assert found is kind, message
    assert message.startswith(f"{name}: "), message
    for word in words:
        assert word in message, message


def zeros(*shape, dtype=np.float64):
    return np.zeros(shape, dtype)


#: (arguments that differ, error, words), for all three functions.
ALL = [
    ({"sizes": (4, 5, 4)}, ValueError, ["theta", "43", "(4, 5, 4)", "49"]),
    ({"sizes": (4,)}, ValueError, ["sizes", "2"]),
    ({"sizes": ()}, ValueError, ["sizes"]),
    ({"sizes": (4, 0, 3)}, ValueError, ["sizes[1]", "at least 1"]),
    ({"sizes": (4, -5, 3)}, ValueError, ["sizes[1]", "at least 1"]),
    ({"sizes": (4, 5.0, 3)}, TypeError, ["sizes[1]", "integer"]),
    ({"sizes": (4, True, 3)}, TypeError, ["sizes[1]", "integer"]),
    ({"sizes": 4}, TypeError, ["sizes", "int"]),
    ({"sizes": "453"}, TypeError, ["sizes", "str"]),
    ({"theta": zeros(42)}, ValueError, ["theta", "42", "43", "(4, 5, 3)"]),
    ({"theta": zeros(44)}, ValueError, ["theta", "44", "43"]),
    ({"theta": zeros(0)}, ValueError, ["theta", "43"]),
    ({"theta": zeros(43, 1)}, ValueError, ["theta", "(43, 1)"]),
    ({"theta": zeros(43).astype(complex)}, TypeError, ["theta", "complex128"]),
    ({"theta": np.array(["a"] * 43)}, TypeError, ["theta", "<U1"]),
    ({"X": zeros(5, M)}, ValueError, ["X has 5 rows", "4", "(5, 6)"]),
    ({"X": zeros(M, 4)}, ValueError, ["X", "(6, 4)", "examples are columns, so pass X.T"]),
    ({"X": zeros(4)}, ValueError, ["X must have 2 axes", "(4,)"]),
    ({"X": zeros(M, 2, 2)}, ValueError, ["X must have 2 axes", "(6, 2, 2)", "pass X.reshape(len(X), -1).T"]),
    ({"X": zeros(4, M).astype(complex)}, TypeError, ["X", "complex128"]),
    ({"X": np.full((4, M), "a")}, TypeError, ["X", "<U1"]),
    ({"X": [[1.0], [1.0, 2.0], [], []]}, ValueError, ["X is no array"]),
    ({"activations": "swish"}, ValueError, ["activations", "'swish'", "leaky_relu", "did you mean 'silu'?"]),
    ({"activations": "Leaky-ReLU"}, ValueError, ["activations", "did you mean 'leaky_relu'?"]),
    ({"activations": ("tanh", "relu")}, ValueError, ["activations", "1", "2"]),
    ({"activations": ()}, ValueError, ["activations", "1", "0"]),
    ({"activations": ("Tanh",)}, ValueError, ["activations[0]", "'Tanh'; did you mean 'tanh'?"]),
    ({"activations": "maxout"}, ValueError, ["gelu, softplus, not 'maxout'"]),
    ({"activations": (2,)}, TypeError, ["activations[0]", "int"]),
    ({"activations": None}, TypeError, ["activations", "NoneType"]),
    ({"output": "tanh"}, ValueError, ["output", "'tanh'", "softmax"]),
    ({"output": "linear"}, ValueError, ["output", "did you mean 'identity'?"]),
    ({"output": 1}, TypeError, ["output", "int"]),
    ({"negative_slope": "0.1"}, TypeError, ["negative_slope"]),
]  # fmt: skip
LABELLED = [
    ({"Y": zeros(2, M)}, ValueError, ["Y", "(3, 6)", "(1, 6)", "(2, 6)"]),
    ({"Y": zeros(1, 5)}, ValueError, ["Y", "(1, 5)", "(4, 6)"]),
    ({"Y": zeros(M)}, ValueError, ["Y must have 2 axes", "(6,)"]),
    ({"Y": zeros(M, 3)}, ValueError, ["Y", "(6, 3)"]),
    ({"Y": [[0, 1, 2, 3, 0, 1]]}, ValueError, ["Y", "0 to 2", "3"]),
    ({"Y": [[0, 1, 2, -1, 0, 1]]}, ValueError, ["Y", "0 to 2", "-1"]),
    ({"Y": [[0, 1, 2, 0.5, 0, 1]]}, ValueError, ["Y", "0 to 2", "0.5"]),
    ({"Y": [[0, 1, 2**40, 0, 0, 1]]}, ValueError, ["Y", "0 to 2", "1099511627776"]),
    ({"Y": [[0, 1, 2, np.nan, 0, 1]]}, ValueError, ["Y", "nan"]),
    ({"Y": np.full((3, M), np.inf)}, ValueError, ["Y", "inf"]),
    ({"Y": np.full((1, M), "a")}, TypeError, ["Y", "<U1"]),
    ({"X": zeros(4, 0), "Y": zeros(1, 0), "sample_weight": None}, ValueError, ["0 examples"]),
    ({"sample_weight": -np.ones(M)}, ValueError, ["sample_weight", "negative", "-1"]),
    ({"sample_weight": zeros(M)}, ValueError, ["sample_weight", "0"]),
    ({"sample_weight": np.array([1, 1, np.nan, 1, 1, 1])}, ValueError, ["sample_weight", "nan"]),
    ({"sample_weight": np.array([1, 1, np.inf, 1, 1, 1])}, ValueError, ["sample_weight", "inf"]),
    ({"sample_weight": np.full(M, 1e308)}, ValueError, ["sample_weight"]),
    ({"sample_weight": np.ones(5)}, ValueError, ["sample_weight", "(5,)", "6"]),
    ({"sample_weight": np.ones((M, 1))}, ValueError, ["sample_weight", "(6, 1)"]),
    ({"sample_weight": np.ones(M, complex)}, TypeError, ["sample_weight", "complex128"]),
    ({"l2": -1.0}, ValueError, ["l2"]),
    ({"l2": np.nan}, ValueError, ["l2"]),
    ({"l2": np.inf}, ValueError, ["l2"]),
    ({"l2": "1"}, TypeError, ["l2"]),
]  # fmt: skip
EPOCHS = [
    ({"order": [0, 1, M]}, ValueError, ["order", "0 to 5", "6"]),
    ({"order": [0, -1, 2]}, ValueError, ["order", "0 to 5", "-1"]),
    ({"order": np.array([0, 2**62])}, ValueError, ["order", "0 to 5"]),
    ({"order": np.array([0, 2**63], np.uint64)}, ValueError, ["order", "0 to 5"]),
    ({"order": [0.0, 1.0]}, TypeError, ["order", "float64"]),
    ({"order": np.ones(M, bool)}, TypeError, ["order", "bool"]),
    ({"order": []}, ValueError, ["order"]),
    ({"order": [[0, 1]]}, ValueError, ["order", "(1, 2)"]),
    ({"order": 3}, ValueError, ["order"]),
    ({"order": [1, 2], "sample_weight": np.array([1.0, 0, 0, 1, 1, 1])}, ValueError, ["sample_weight"]),
    ({"batch_size": 0}, ValueError, ["batch_size", "at least 1"]),
    ({"batch_size": -1}, ValueError, ["batch_size", "at least 1"]),
    ({"batch_size": 2.0}, TypeError, ["batch_size", "integer"]),
    ({"batch_size": None}, TypeError, ["batch_size", "integer"]),
    ({"optimizer": "adam"}, TypeError, ["optimizer", "str"]),
    ({"optimizer": None}, TypeError, ["optimizer", "NoneType"]),
    ({"optimizer": optimizers.Adam}, TypeError, ["optimizer", "class Adam"]),
    ({"theta": [0.0] * 43}, TypeError, ["theta is updated in place", "list"]),
    ({"theta": zeros(43, dtype=int)}, TypeError, ["theta is updated in place", "int64"]),
    ({"theta": arrays.read_only(zeros(43))}, ValueError, ["theta is updated in place"]),
    ({"theta": zeros(86)[::2]}, ValueError, ["theta is updated in place"]),
    ({"theta": zeros(43).astype(">f8")}, TypeError, ["theta", ">f8"]),
    ({"theta": zeros(43, dtype=np.float32)}, ValueError, ["theta", "float32", "float64"]),
]  # fmt: skip


def named(rows, *names):
    return [pytest.param(name, *row, id=f"{name} {i}") for name in names for i, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("name", "changed", "kind", "words"),
    named(ALL, FORWARD, PROPAGATE, EPOCH) + named(LABELLED, PROPAGATE, EPOCH) + named(EPOCHS, EPOCH),
)
def test_refused(name, changed, kind, words):
    assert_error(name, changed, kind, *words)


@pytest.mark.parametrize("name", [PROPAGATE, EPOCH])
def test_labels_of_poisson_are_not_negative(name):
    Y = np.ones((3, M))
    Y[1, 2] = -0.5
    assert_error(name, {"Y": Y, "output": "exp"}, ValueError, "Y", "negative", "-0.5")


@pytest.mark.parametrize("name", [PROPAGATE, EPOCH])
@pytest.mark.parametrize("output", ["identity", "sigmoid", "exp"])
def test_only_softmax_takes_class_numbers(name, output):
    assert_error(name, {"Y": zeros(1, M), "output": output}, ValueError, "Y", "(3, 6)", "(1, 6)")


@pytest.mark.parametrize("name", [PROPAGATE, EPOCH])
def test_what_is_too_large_for_the_dtype_of_theta(name):
    """Finite as a float64, infinite as a float32."""
    optimizer = {"optimizer": optimizers.SGD()} if name == EPOCH else {"out": None}
    given = {"theta": zeros(43, dtype=np.float32)} | optimizer
    assert_error(name, given | {"sample_weight": np.full(M, 1e39)}, ValueError, "sample_weight")
    Y = np.full((3, M), 1e39)
    assert_error(name, given | {"Y": Y, "output": "identity"}, ValueError, "Y")


def test_an_optimizer_updates_one_theta():
    """Of another size or dtype it is refused, with all else unchanged."""
    adam = optimizers.Adam()
    adam.step(np.ones(42), np.ones(42))
    assert_error(EPOCH, {"optimizer": adam}, ValueError, "theta", "43", "42")


@pytest.mark.parametrize(
    ("rule", "setting", "bad", "kind"),
    [
        ("SGD", "learning_rate", -1.0, ValueError), ("SGD", "learning_rate", np.nan, ValueError),
        ("SGD", "learning_rate", "1", TypeError), ("SGD", "momentum", -0.1, ValueError),
        ("SGD", "nesterov", True, ValueError), ("SGD", "weight_decay", -1.0, ValueError),
        ("RMSprop", "alpha", -0.1, ValueError), ("RMSprop", "eps", -1.0, ValueError),
        ("RMSprop", "momentum", -0.5, ValueError), ("RMSprop", "learning_rate", np.inf, ValueError),
        ("Adam", "beta1", 1.0, ValueError), ("Adam", "beta2", 1.5, ValueError),
        ("Adam", "eps", -1e-8, ValueError),
        ("AdamW", "beta1", -0.1, ValueError), ("AdamW", "weight_decay", None, TypeError),
    ],
)  # fmt: skip
def test_settings(rule, setting, bad, kind):
    """When the optimizer is made, and when one that was changed is used."""
    with pytest.raises(kind, match=f"{rule}: .*{setting}"):
        getattr(optimizers, rule)(**{setting: bad})
    optimizer = getattr(optimizers, rule)()
    setattr(optimizer, setting, bad)
    theta = np.ones(3)
    with pytest.raises(kind, match=setting):
        optimizer.step(theta, np.ones(3))
    assert theta.tolist() == [1, 1, 1]
    assert_error(EPOCH, {"optimizer": optimizer}, kind, setting)


def test_a_step_is_refused():
    adam, theta = optimizers.Adam(), np.ones(3)
    for given, kind, words in (
        ((theta, np.ones(4)), ValueError, r"gradient.*\(4,\).*|theta.*\(3,\)"),
        ((theta, np.ones((3, 1))), ValueError, "gradient"),
        (([1.0], np.ones(1)), TypeError, "theta"),
        ((np.ones(3, int), np.ones(3)), TypeError, "theta"),
        ((arrays.read_only(theta), np.ones(3)), ValueError, "theta"),
        ((np.ones(6)[::2], np.ones(3)), ValueError, "theta"),
        ((np.ones((3, 1)), np.ones((3, 1))), ValueError, "theta"),
        ((theta, np.ones(3, complex)), TypeError, "gradient"),
        ((theta, theta), ValueError, "overlap"),
    ):
        with pytest.raises(kind, match=words):
            adam.step(*given)
    assert theta.tolist() == [1, 1, 1]
    assert set(adam.state) == {"step"}
    assert adam.state["step"].tolist() == [0]


def test_more_parameters_than_an_int64_counts():
    """2**64 + 65533 parameters are not 65533."""
    sizes, theta, X = (1, 2**32 + 65534, 2**32 - 65537, 1), np.zeros(65533), np.ones((1, 2))
    adam = optimizers.Adam()
    assert dk.num_parameters(sizes) == 2**64 + theta.size
    for name, more in (
        (FORWARD, {}),
        (PROPAGATE, {"Y": X}),
        (EPOCH, {"Y": X, "optimizer": adam, "batch_size": 1}),
    ):
        with pytest.raises(ValueError, match=f"{name}: theta has 65533 numbers but sizes"):
            getattr(dk, name)(theta=theta, sizes=sizes, X=X, **more)
    assert set(adam.state) == {"step"}


def test_no_memory_for_a_result_that_theta_does_not_fit():
    with pytest.raises(ValueError, match="network_forward: theta has 2 numbers but sizes"):
        dk.network_forward(np.zeros(2), (1, 2**50), np.zeros((1, 8)))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"step": np.array([1]), "exp_avg": np.zeros(3)}, "exp_avg_sq"),
        ({"exp_avg": np.zeros(3), "exp_avg_sq": np.zeros(3)}, "step"),
        ({"step": np.array([-1]), "exp_avg": np.zeros(3), "exp_avg_sq": np.zeros(3)}, "step"),
        ({"step": np.array([1]), "exp_avg": np.zeros(3), "exp_avg_sq": np.zeros(4)}, "exp_avg"),
        ({"step": np.array([1]), "exp_avg": np.zeros(3), "exp_avg_sq": np.zeros(3, np.float32)}, "exp_avg"),
        ({"step": np.array([1]), "square_avg": np.zeros(3)}, "square_avg"),
        ({"step": np.array([1]), "exp_avg": np.zeros(3), "exp_avg_sq": np.ma.zeros(3)}, "masked"),
        ({"step": np.array([1]), "exp_avg": [[0], [0, 1]], "exp_avg_sq": np.zeros(2)}, "state: exp_avg"),
        ({"step": np.array([1]), "exp_avg": np.zeros((3, 1)), "exp_avg_sq": np.zeros((3, 1))}, "exp_avg"),
    ],
)
def test_a_wrong_state_is_refused(state, words):
    adam = optimizers.Adam()
    theta = np.zeros(3)
    adam.step(theta, np.ones(3))
    before = snapshot(adam.state)
    with pytest.raises((TypeError, ValueError), match=words):
        adam.state = state
    assert snapshot(adam.state) == before


@pytest.mark.parametrize("name", [FORWARD, PROPAGATE])
def test_out(name):
    shape = base(name)["out"].shape
    for bad, kind, word in (
        (np.zeros((*shape, 1)), ValueError, "out has shape"),
        (np.zeros(tuple(n + 1 for n in shape)), ValueError, "out has shape"),
        (np.zeros(shape, np.float32), ValueError, "float32"),
        (arrays.read_only(np.zeros(shape)), ValueError, "out is read-only"),
        (arrays.strided(np.zeros(shape)), ValueError, "out must be aligned and in C order"),
        (np.zeros(shape).tolist(), TypeError, "plain NumPy array, not list"),
    ):
        assert_error(name, {"out": bad}, kind, word)


@pytest.mark.parametrize("output", ["identity", "sigmoid", "exp"])
@pytest.mark.parametrize("name", [PROPAGATE, EPOCH])
def test_class_numbers_belong_to_softmax(name, output):
    for Y, hint in (
        (np.array([[0, 1, 2, 0, 0, 1]]), '; for class numbers pass output="softmax"'),
        (np.array([[0, 1, 3, 0, 0, 1]]), ""),
        (np.array([[0, 1, 0.5, 0, 0, 1]]), ""),
    ):
        words = f"Y must have shape (3, 6) but has shape (1, 6) (Y (1, 6), X (4, 6)){hint}"
        given = base(name) | {"Y": Y, "output": output}
        for backend in backends.NAMES:
            assert error_of(backend, name, given) == (ValueError, f"{name}: {words}")


def test_out_overlaps_an_input():
    for key in ("theta", "X", "Y", "sample_weight"):
        value = base(PROPAGATE)[key]
        memory = np.ones(value.size + 42)
        part = memory[: value.size].reshape(value.shape)
        assert_error(
            PROPAGATE, {key: part, "out": memory[value.size - 1 :]}, ValueError, f"out overlaps {key}"
        )
    memory = np.ones(43 + 17)
    given = {"theta": memory[:43], "out": memory[42:].reshape(3, M)}
    assert_error(FORWARD, given, ValueError, "out overlaps theta")


def test_theta_overlaps_what_an_epoch_reads():
    for key in ("X", "Y", "sample_weight"):
        value = base(EPOCH)[key]
        memory = np.ones(value.size + 42)
        part = memory[: value.size].reshape(value.shape)
        assert_error(
            EPOCH, {key: part, "theta": memory[value.size - 1 :]}, ValueError, f"theta overlaps {key}"
        )


@pytest.mark.parametrize(
    ("theta", "sizes", "kind", "words"),
    [
        (zeros(8).tolist(), (3, 2), TypeError, "theta"),
        (zeros(9), (3, 2), ValueError, "theta"),
        (zeros(8, dtype=int), (3, 2), TypeError, "int64"),
        (zeros(16)[::2], (3, 2), ValueError, "contiguous"),
        (zeros(8), (3,), ValueError, "sizes"),
    ],
)
def test_views_are_refused(theta, sizes, kind, words):
    with pytest.raises(kind, match=f"network_views: .*{words}"):
        dk.network_views(theta, sizes)


def test_parameters_are_refused():
    for given, kind, words in (
        ({"sizes": (3, 0)}, ValueError, r"sizes\[1\]"),
        ({"sizes": (3, 2), "scheme": "xavier"}, ValueError, "scheme.*'xavier'"),
        ({"sizes": (3, 2), "scheme": 1}, TypeError, "scheme"),
        ({"sizes": (3, 2), "dtype": "int64"}, ValueError, "dtype"),
        ({"sizes": (3, 2), "dtype": None}, ValueError, "dtype"),
        ({"sizes": (3, 2), "seed": "one"}, TypeError, "seed"),
        ({"sizes": (3, 2), "seed": -1}, ValueError, "seed"),
    ):
        with pytest.raises(kind, match=f"network_parameters: .*{words}"):
            dk.network_parameters(**given)
    with pytest.raises(ValueError, match="num_parameters: sizes"):
        dk.num_parameters((3,))
