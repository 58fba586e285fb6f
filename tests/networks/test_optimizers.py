"""Optimizers as objects: how they are copied, how settings may change, and what a gradient may be."""

from __future__ import annotations

import copy
import pickle

import arrays
import numpy as np
import pytest

from dlkernels import optimizers


def step(optimizer, gradient=(1.0, -2.0)):
    theta = np.zeros(2)
    optimizer.step(theta, np.array(gradient))
    return theta


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_goes_its_own_way(copied):
    first, expected = optimizers.Adam(0.1), optimizers.Adam(0.1)
    step(first)
    step(expected)
    second = copied(first)
    second.learning_rate = 100.0
    step(second, (5.0, 7.0))
    assert first.state["step"].tolist() == [1]
    assert np.array_equal(step(first), step(expected))


def test_what_optimizers_have_in_common_is_no_optimizer():
    with pytest.raises(TypeError, match=r"^Optimizer: .* for instance Adam\(1e-3\)"):
        optimizers.Optimizer()


def test_a_setting_may_be_an_array_that_changes():
    rate = np.array(0.5)
    sgd = optimizers.SGD(rate)
    assert step(sgd).tolist() == [-0.5, 1]
    rate *= 2
    assert step(sgd).tolist() == [-1, 2]


@pytest.mark.parametrize(
    ("name", "bad", "kind"),
    [
        ("learning_rate", np.array([0.1, 0.2]), ValueError),
        ("learning_rate", True, TypeError),
        ("nesterov", 0, TypeError),
    ],
)
def test_a_setting_that_equals_the_last_one_only_by_name(name, bad, kind):
    sgd = optimizers.SGD(1.0)
    setattr(sgd, name, bad)
    with pytest.raises(kind, match=f"SGD.step: {name}"):
        step(sgd)
    assert set(sgd.state) == {"step"}


@pytest.mark.parametrize(
    "label", ["read-only", "strided", "negative", "byte-swapped", "misaligned", "subclass"]
)
def test_layouts_of_a_gradient(label):
    gradient = np.array([1.0, -2.0, 3.0])
    expected, theta = np.zeros(3), np.zeros(3)
    optimizers.Adam().step(expected, gradient)
    optimizers.Adam().step(theta, dict(arrays.LAYOUTS)[label](gradient))
    assert np.array_equal(theta, expected)
