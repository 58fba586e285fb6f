"""The contract of the backends in both directions: nothing missing, nothing more."""

from __future__ import annotations

import ast
import inspect

import arrays
import pytest

from dlkernels import backends, optimizers
from dlkernels._calls.optimizer import Settings
from dlkernels._kernels import optimizers as kernels
from dlkernels.backends import _python_formulas, _python_networks
from dlkernels.catalogue import ACTIVATIONS, COSTS, OPTIMIZERS, OUTPUTS

RULES = ("SGD", "RMSprop", "Adam", "AdamW")


def public_functions(module):
    return {n for n, value in vars(module).items() if inspect.isfunction(value) and not n.startswith("_")}


def arguments_of(function):
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default) for p in parameters]


def test_names(backend):
    assert public_functions(backend) == set(backends.FUNCTIONS)
    assert len(set(backends.FUNCTIONS)) == len(backends.FUNCTIONS)


def test_oracle_has_the_same_names():
    naive = pytest.importorskip("naive")
    assert public_functions(naive) == set(arrays.FUNCTIONS)


@pytest.mark.parametrize("name", backends.FUNCTIONS)
def test_signature(backend, name):
    reference = arguments_of(getattr(backends.get("numba"), name))
    assert arguments_of(getattr(backend, name)) == reference


@pytest.mark.parametrize("name", backends.FUNCTIONS)
def test_documented(backend, name):
    assert inspect.getdoc(getattr(backend, name))


def test_signatures_are_those_promised():
    """A few spelled out: the test above would not notice a change made in all three."""
    numba = backends.get("numba")
    signatures = {name: str(inspect.signature(getattr(numba, name))) for name in backends.FUNCTIONS}
    bare = {name: ast.parse(f"def f{text}: ...").body[0].args for name, text in signatures.items()}
    names = {
        name: ([a.arg for a in args.posonlyargs + args.args], [a.arg for a in args.kwonlyargs])
        for name, args in bare.items()
    }
    slope = ["negative_slope"]
    network = ["W1", "b1", "W2", "b2", "X", "Y"]
    kinds = ["activations", "output"]
    parameters = {name: [a.parameter] if a.parameter else [] for name, a in ACTIVATIONS.items()}
    assert names == {
        **{name: (["Z", *parameters[name]], ["out"]) for name in ACTIVATIONS},
        **{f"{name}_backward": (["dA", "A", *parameters[name]], ["Z", "out"]) for name in ACTIVATIONS},
        "dense_forward": (["W", "A_prev", "b", "activation"], [*slope, "out", "return_Z"]),
        "dense_gradients": (["dZ", "A_prev"], ["out"]),
        "dense_backward": (["W_next", "dZ_next", "A", "A_prev", "activation"], ["Z", *slope, "out"]),
        **{name: ([cost.predicted, "Y"], []) for name, cost in COSTS.items()},
        "logistic_propagate": (["w", "b", "X", "Y"], ["out"]),
        "shallow_propagate": ([*network, "activation"], [*slope, "out"]),
        "logistic_descent": (["w", "b", "X", "Y", "learning_rate", "num_steps"], []),
        "shallow_descent": ([*network, "learning_rate", "num_steps", "activation"], slope),
        "gradient_descent": (["parameters", "gradients", "learning_rate"], []),
        "dot": (["a", "b"], []),
        "num_parameters": (["sizes"], []),
        "network_parameters": (["sizes", "seed"], ["scheme", "dtype"]),
        "network_views": (["theta", "sizes"], []),
        "network_forward": (["theta", "sizes", "X", *kinds], [*slope, "out"]),
        "network_propagate": (
            ["theta", "sizes", "X", "Y", *kinds],
            [*slope, "sample_weight", "l2", "out"],
        ),
        "train_epoch": (
            ["theta", "sizes", "optimizer", "X", "Y", *kinds],
            ["batch_size", "order", *slope, "sample_weight", "l2"],
        ),
    }


def test_the_activations_of_the_course_are_as_in_the_notes():
    """That the catalogue says so: the test above takes its word."""
    found = {name: (a.derivative_from, a.parameter, a.default) for name, a in ACTIVATIONS.items()}
    assert found["sigmoid"] == found["tanh"] == ("A", None, 0.0)
    assert found["relu"] == found["identity"] == ("A or Z", None, 0.0)
    assert found["leaky_relu"] == ("A or Z", "negative_slope", 0.01)


def test_defaults():
    defaults = {a.parameter: a.default for a in ACTIVATIONS.values() if a.parameter}
    defaults |= {"activations": "relu", "output": "sigmoid", "l2": 0.0}
    defaults |= {"scheme": "glorot_uniform", "dtype": "float64"}
    optional = {f"{name}_backward": ("A", "Z") for name in ACTIVATIONS} | {"dense_backward": ("Z",)}
    for name in backends.FUNCTIONS:
        for argument, _, default in arguments_of(getattr(backends.get("numba"), name)):
            if argument == "activation" and name != "dense_backward":
                assert default == ("identity" if name == "dense_forward" else "tanh")
            elif argument in defaults:
                assert default == defaults[argument]
            elif argument in ("out", "seed", "order", "sample_weight") or argument in optional.get(name, ()):
                assert default is None
            elif argument == "return_Z":
                assert default is False
            else:
                assert default is inspect.Parameter.empty


def test_outputs_and_rules():
    """By name, in the order of their codes, which compiled code has, too."""
    assert [(o.name, o.code) for o in OUTPUTS.values()] == [
        ("identity", 0), ("sigmoid", 1), ("softmax", 2), ("exp", 3)
    ]  # fmt: skip
    assert OPTIMIZERS == {"none": 0, "sgd": 1, "rmsprop": 2, "adam": 3, "adamw": 4}
    assert ["none", *optimizers.BY_NAME] == list(OPTIMIZERS)


def test_a_row_of_settings_is_what_kernels_read():
    indices = [getattr(kernels, name.upper()) for name in Settings._fields]
    assert indices == list(range(len(Settings._fields)))


def test_optimizers_are_as_in_pytorch():
    """Its names and defaults; but for betas, which are two arguments here, lr, and the flag epsilon_hat."""
    adam = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "epsilon_hat": False}
    rmsprop = {"learning_rate": 1e-2, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0}
    found = {name: arguments_of(getattr(optimizers, name)) for name in RULES}
    assert {name: {n: default for n, _, default in given} for name, given in found.items()} == {
        "SGD": {"learning_rate": 1e-3, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
        "RMSprop": rmsprop,
        "Adam": adam | {"weight_decay": 0.0},
        "AdamW": adam | {"weight_decay": 1e-2},
    }
    for first, *others in found.values():
        assert first[1] is inspect.Parameter.POSITIONAL_OR_KEYWORD
        assert {kind for _, kind, _ in others} == {inspect.Parameter.KEYWORD_ONLY}


def test_the_python_backend_has_no_numpy_arithmetic():
    """Of NumPy it uses arrays to hold results, nothing that computes."""
    assert "numpy" not in inspect.getsource(_python_formulas)
    for module in (backends.get("python"), _python_networks):
        used = {
            node.attr
            for node in ast.walk(ast.parse(inspect.getsource(module)))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np"
        }
        assert used <= {"array", "empty", "errstate", "float64", "zeros"}


def test_backends_are_got_by_name():
    for name in backends.NAMES:
        assert backends.get(name).__name__ == f"dlkernels.backends.{name}"
    with pytest.raises(ValueError, match="python, numpy, numba, not 'torch'"):
        backends.get("torch")
    with pytest.raises(TypeError, match="name must be a string, not int"):
        backends.get(3)
