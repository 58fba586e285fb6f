"""Steps of gradient descent: logistic regression on 30 features, a network of 16 units on 30 features.

A size is a number of examples, given by its exponent of two.
"""

from __future__ import annotations

from ._timed import _Operation


class _Logistic(_Operation):
    sizes = (8, 12, 16)
    axis = "log2_m"

    def shape(self, size: int) -> tuple[int, ...]:
        return (30, 2**size)


class _Shallow(_Operation):
    sizes = (8, 12, 16)
    axis = "log2_m"

    def shape(self, size: int) -> tuple[int, ...]:
        return (30, 16, 2**size)


class LogisticPropagate(_Logistic):
    operation = "logistic_propagate"
    peers = ("torch", "jax")


class ShallowPropagate(_Shallow):
    operation = "shallow_propagate"
    peers = ("torch", "jax")


class LogisticDescent(_Logistic):
    """Ten steps."""

    operation = "logistic_descent"
    steps = 10
    peers = ("sklearn",)


class ShallowDescent(_Shallow):
    """Ten steps."""

    operation = "shallow_descent"
    steps = 10
    peers = ("torch", "jax", "sklearn")


class LogisticRegressionFit(_Logistic):
    """`LogisticRegression.fit`, ten iterations."""

    operation = "LogisticRegression"
    steps = 10
    peers = ("sklearn",)


class ShallowNetworkFit(_Shallow):
    """`ShallowNetwork.fit`, ten iterations."""

    operation = "ShallowNetwork"
    steps = 10
    peers = ("torch", "jax", "sklearn")


class GradientDescent(_Operation):
    """One update of one array."""

    operation = "gradient_descent"
    sizes = (10, 16, 22)
