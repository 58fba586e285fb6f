"""check_gradients passes the gradients of every kernel, and catches each of them when it is corrupted."""

from __future__ import annotations

import collections
import re

import numpy as np
import pytest

import dlkernels as dk
from dlkernels import data
from dlkernels.catalogue import ACTIVATIONS

rng = np.random.default_rng(11)
RIGHT, WRONG = 1e-6, 1e-4


def _elementwise(name):
    Z, weights = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    function = getattr(dk, name)
    dZ = getattr(dk, f"{name}_backward")(weights, function(Z), Z=Z)
    return lambda p: float((function(p["Z"]) * weights).sum()), {"Z": Z}, {"Z": dZ}


def _layer(activation):
    """A layer between two others: dense_backward's dZ is checked through a bias that is added to Z."""
    W, b, X = rng.normal(size=(4, 3)), rng.normal(size=(4, 1)), rng.normal(size=(3, 6))
    W_next, dZ_next = rng.normal(size=(2, 4)), rng.normal(size=(2, 6))
    A, Z = dk.dense_forward(W, X, b, activation, return_Z=True)
    dZ, dW, db = dk.dense_backward(W_next, dZ_next, A, X, activation, Z=Z)

    def cost(p):
        A = getattr(dk, activation)(p["W"] @ X + p["b"] + p["Z"])
        return float((dZ_next * (W_next @ A)).sum()) / 6

    point = {"W": W, "b": b, "Z": np.zeros_like(Z)}
    return cost, point, {"W": dW, "b": db, "Z": dZ / 6}


def _gradients():
    W, b, X, weights = (rng.normal(size=shape) for shape in ((4, 3), (4, 1), (3, 6), (4, 6)))
    dW, db = dk.dense_gradients(weights, X)
    return (
        lambda p: float((weights * (p["W"] @ X + p["b"])).mean(axis=1).sum()),
        {"W": W, "b": b},
        {"W": dW, "b": db},
    )


def _logistic():
    X, Y, w, b = (
        rng.normal(size=(3, 8)),
        rng.integers(0, 2, (1, 8)).astype(float),
        rng.normal(size=(3, 1)),
        0.3,
    )
    dw, db, _ = dk.logistic_propagate(w, b, X, Y)
    return lambda p: dk.logistic_propagate(p["w"], p["b"], X, Y)[2], {"w": w, "b": b}, {"w": dw, "b": db}


def _shallow(activation):
    X, Y = rng.normal(size=(3, 8)), rng.integers(0, 2, (1, 8)).astype(float)
    names = ("W1", "b1", "W2", "b2")
    point = dict(zip(names, (rng.normal(size=s) for s in ((4, 3), (4, 1), (1, 4), (1, 1))), strict=True))
    *gradients, _ = dk.shallow_propagate(*point.values(), X, Y, activation)

    def cost(p):
        return dk.shallow_propagate(*(p[name] for name in names), X, Y, activation)[-1]

    return cost, point, dict(zip(names, gradients, strict=True))


CASES = {
    **{f"{name}_backward": _elementwise(name) for name in ACTIVATIONS},
    **{f"dense_backward {name}": _layer(name) for name in ACTIVATIONS},
    "dense_gradients": _gradients(),
    "logistic_propagate": _logistic(),
    **{f"shallow_propagate {name}": _shallow(name) for name in ACTIVATIONS},
}


@pytest.mark.parametrize("name", CASES)
def test_the_gradients_of_a_kernel_pass(name):
    found = dk.check_gradients(*CASES[name])
    assert found.relative_difference < RIGHT, str(found)


@pytest.mark.parametrize(
    ("name", "which"), [(name, which) for name, (_, _, gradients) in CASES.items() for which in gradients]
)
def test_a_corrupted_gradient_is_caught_and_named(name, which):
    f, point, gradients = CASES[name]
    wrong = np.array(gradients[which], dtype=float)
    index = tuple(n // 2 for n in wrong.shape)
    wrong[index] = -wrong[index] + 0.1
    found = dk.check_gradients(f, point, gradients | {which: float(wrong) if wrong.ndim == 0 else wrong})
    assert found.relative_difference > WRONG, str(found)
    assert found.worst == (f"{which}[{', '.join(map(str, index))}]" if index else which)
    assert found.given == pytest.approx(float(wrong[index]))


def test_a_large_parameter_is_checked_along_directions():
    W = rng.normal(size=(60, 40))
    calls = []

    def f(p):
        calls.append(1)
        return float(np.sin(p["W"]).sum())

    right = dk.check_gradients(f, {"W": W}, {"W": np.cos(W)})
    assert right.relative_difference < RIGHT
    assert len(calls) == 100
    wrong = np.cos(W)
    wrong[7, 7] += 1.0
    found = dk.check_gradients(f, {"W": W}, {"W": wrong})
    assert found.relative_difference > WRONG
    assert "random direction" in found.worst


@pytest.mark.parametrize("size", [2000, 200_000])
def test_right_gradients_of_a_large_parameter_pass(size):
    """Directions of length 1 moved each number so little that rounding made a difference of 2e-5."""
    p = np.random.default_rng(2).normal(size=size)
    assert dk.check_gradients(lambda p: float((p**2).sum()), p, 2 * p).relative_difference < 1e-6


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_very_small_and_very_large_gradients(scale):
    f = lambda p: float(scale * p.sum())  # noqa: E731
    assert dk.check_gradients(f, np.ones(2), [scale, scale]).relative_difference < 1e-6
    assert dk.check_gradients(f, np.ones(2), [-5 * scale, 7 * scale]).relative_difference > 0.1


def test_keys_that_look_the_same_are_two_parameters():
    found = dk.check_gradients(lambda p: p[1] * 2 + p["1"], {1: 1.0, "1": 2.0}, {1: 99.0, "1": 1.0})
    assert found.count == 2
    assert found.relative_difference > 0.1


def test_infinite_values_do_not_warn():
    found = dk.check_gradients(lambda p: np.inf if p > 1 else 0.0, 1.0, np.inf)
    assert not found.relative_difference < 1e-5


def test_the_published_example():
    """J = theta x at x = 2, theta = 4: the course's difference is 2.9e-10; and one that isn't linear."""
    found = dk.check_gradients(lambda theta: 2 * theta, 4.0, 2.0)
    assert found.relative_difference < 1e-8
    assert found.count == 1
    assert dk.check_gradients(lambda theta: theta**3, 4.0, 47.0).relative_difference > 1e-3


def test_parameters_come_back_in_the_form_in_which_they_were_given():
    seen = []

    def f(p):
        seen.append(p)
        return 0.0

    dk.check_gradients(f, {"w": np.zeros((2, 1)), "b": 0.5}, {"w": np.zeros((2, 1)), "b": 0.0})
    assert set(seen[0]) == {"w", "b"}
    assert isinstance(seen[0]["b"], float)
    seen.clear()
    dk.check_gradients(f, [np.zeros(2), 1.0], [np.zeros(2), 0.0])
    assert isinstance(seen[0], list)
    assert isinstance(seen[0][1], float)
    seen.clear()
    dk.check_gradients(f, np.array(2.0), 0.0)
    assert isinstance(seen[0], np.ndarray)
    seen.clear()
    pair = collections.namedtuple("pair", "w b")
    dk.check_gradients(f, pair(np.zeros(2), 1.0), pair(np.zeros(2), 0.0))
    assert isinstance(seen[0].w, np.ndarray)
    seen.clear()
    dk.check_gradients(f, collections.OrderedDict(w=1.0), {"w": 0.0})
    assert isinstance(seen[0], collections.OrderedDict)
    assert dk.check_gradients(f, np.ones((2, 2)), [[0.0, 0], [0, 0]]).count == 4
    seen.clear()
    dk.check_gradients(f, [1, 2], [0, 0])
    assert isinstance(seen[0], np.ndarray)
    assert seen[0].dtype == np.float64


def test_single_precision_is_nudged_in_double():
    w = np.ones(3, np.float32)
    found = dk.check_gradients(lambda p: float((p**2).sum()), w, 2 * w)
    assert found.relative_difference < 1e-8
    np.testing.assert_array_equal(w, 1)


def test_what_f_changes_is_its_own():
    point = {"a": np.ones(2)}

    def f(p):
        value = float((p["a"] ** 2).sum())
        p["a"][:] = 99
        return value

    assert dk.check_gradients(f, point, {"a": 2 * np.ones(2)}).relative_difference < 1e-8
    np.testing.assert_array_equal(point["a"], 1)


def test_the_text_says_whether_the_gradients_are_right():
    """The limits are the course's: right below 1e-7, wrong above 1e-5."""
    slope = lambda off: dk.check_gradients(lambda theta: theta**3, 2.0, 12 * (1 + off))  # noqa: E731
    right, near, wrong = slope(0), slope(1e-6), slope(1e-3)
    assert re.fullmatch(
        r"right: relative difference \d\.?\d*e-\d\d, below 1e-7, over 1 derivative\.\n"
        r"Furthest apart: parameter, given 12, approximated 1[12]\.?\d*\.",
        str(right),
    )
    assert str(near).startswith("look again: relative difference 5e-07, between 1e-7 and 1e-5, over 1 deriv")
    assert "where derivatives are tiny: check at larger weights" in str(near)
    assert str(wrong).startswith("wrong: relative difference 0.0005, where rounding gives at most 1e-5, over")
    assert "over 1 derivative.\n" in str(wrong)
    assert [each.verdict for each in (right, near, wrong)] == ["right", "look again", "wrong"]


def test_tiny_derivatives_are_not_called_wrong():
    """Weights of 0.01, as the course begins with: nearly all that is compared is rounding."""
    flower = data.flower()
    X, Y = flower.X_train, flower.Y_train
    random, verdicts = np.random.default_rng(1), []
    for scale in (0.01, 1):
        p = [scale * random.normal(size=(4, 2)), np.zeros((4, 1))]
        p += [scale * random.normal(size=(1, 4)), np.zeros((1, 1))]
        *gradients, _ = dk.shallow_propagate(*p, X, Y)
        cost = lambda p: dk.shallow_propagate(*p, X, Y)[-1]  # noqa: E731
        verdicts.append(dk.check_gradients(cost, p, gradients).verdict)
        m = X.shape[1]
        slip = [gradients[0] * m / (m - 1), *gradients[1:]]
        assert dk.check_gradients(cost, p, slip).verdict == "wrong"
    assert verdicts[0] != "wrong"
    assert verdicts[1] == "right"


def test_nan_is_not_passed_over():
    found = dk.check_gradients(lambda p: float(p.sum()), np.ones(3), [1.0, np.nan, 1.0])
    assert np.isnan(found.relative_difference)
    assert found.worst == "parameter[1]"
    assert str(found).startswith("wrong: relative difference nan, where")


def test_nothing_to_check():
    nothing = dk.check_gradients(lambda p: 1.0, {}, {})
    assert nothing.count == 0
    assert str(nothing) == "nothing to compare: the parameters hold no numbers"
    assert nothing.verdict == "nothing to compare"
    assert dk.check_gradients(lambda p: 1.0, np.ones(3), np.zeros(3)).relative_difference == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((1, 2.0, 3.0), TypeError, "f must be callable"),
        ((lambda p: p, np.ones(3), np.ones(3)), TypeError, r"one number.*\(3,\)"),
        ((lambda p: "x", 1.0, 1.0), TypeError, "one number"),
        ((lambda p: 1.0, np.ones(3), np.ones((3, 1))), ValueError, r"\(3,\).*\(3, 1\)"),
        ((lambda p: 1.0, {"W": 1.0}, {"V": 1.0}), ValueError, "parameters are W, but the gradients V"),
        ((lambda p: 1.0, {"W": 1.0}, [1.0]), ValueError, "parameters are W, but the gradients no mapping"),
        ((lambda p: 1.0, [np.ones(2)], [np.ones(2), 1.0]), ValueError, "parameters: 1, but gradients: 2"),
        ((lambda p: 1.0, 1e10, 1.0), ValueError, "doesn't change parameter"),
        ((lambda p: 1.0, "text", 1.0), TypeError, "parameters.*real numbers"),
        ((lambda p: 1.0, 1.0, 1.0, 0.0), ValueError, "epsilon must be positive"),
        ((lambda p: 1.0, 1.0, 1.0, float("nan")), ValueError, "epsilon"),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        dk.check_gradients(*arguments)
