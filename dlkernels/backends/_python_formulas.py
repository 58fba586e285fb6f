"""Formulas of the activations and their derivatives, for one number. They return NaN and raise no error."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

LARGEST_EXPONENT = math.log(sys.float_info.max)


def sigmoid(z: float) -> float:
    if z >= 0:
        return 1.0 / (1.0 + math.exp(-z))
    e = math.exp(z)
    return e / (1.0 + e)


def exp(z: float) -> float:
    """e^z, infinite where it is too large for a float."""
    return math.inf if z > LARGEST_EXPONENT else math.exp(z)


def relu(z: float) -> float:
    return 0.0 if z <= 0 else z


# Infinity times 0 is NaN. Where a product has a limit, the largest finite number stands in for infinity.


def not_minus_infinity(z: float) -> float:
    return max(z, -sys.float_info.max)


def finite(z: float) -> float:
    return min(not_minus_infinity(z), sys.float_info.max)


def normal(z: float) -> float:
    """The normal distribution function, P(X <= z)."""
    return math.erfc(-z / math.sqrt(2)) / 2


def normal_density(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


#: g(z) by name; the second argument is the parameter of the activation.
FORWARD: dict[str, Callable[[float, float], float]] = {
    "identity": lambda z, _: z,
    "sigmoid": lambda z, _: sigmoid(z),
    "tanh": lambda z, _: math.tanh(z),
    "relu": lambda z, _: relu(z),
    "leaky_relu": lambda z, slope: slope * z if z < 0 else z,
    "elu": lambda z, alpha: z if z >= 0 else alpha * math.expm1(z),
    "silu": lambda z, _: not_minus_infinity(z) * sigmoid(z),
    "gelu": lambda z, _: not_minus_infinity(z) * normal(z),
    "softplus": lambda z, _: max(z, 0.0) + math.log1p(math.exp(-abs(z))),
}

#: dz by name (`catalogue.DERIVATIVES`). The arguments are da, a or z, and the parameter of the activation.
BACKWARD: dict[str, Callable[[float, float, float], float]] = {
    "identity": lambda da, z, _: da,
    "sigmoid": lambda da, a, _: da * (a * (1.0 - a)),
    "tanh": lambda da, a, _: da * ((1.0 - a) * (1.0 + a)),
    "relu": lambda da, z, _: 0.0 if z < 0 else da,
    "leaky_relu": lambda da, z, slope: slope * da if z < 0 else da,
    "elu": lambda da, z, alpha: da if z >= 0 else da * (alpha * math.exp(z)),
    "silu": lambda da, z, _: da * (sigmoid(z) * (1.0 + finite(z) * sigmoid(-z))),
    "gelu": lambda da, z, _: da * (normal(z) + finite(z) * normal_density(z)),
    "softplus": lambda da, z, _: da * sigmoid(z),
    "relu_from_A": lambda da, a, _: 0.0 if a <= 0 else da,
}
