"""Formulas of the activations and their derivatives, for whole arrays.

`NAME(Z, parameter, out)` writes g(Z) to `out`, which may be Z. `NAME_backward(dA, saved, parameter, out)`
writes dA * g'(z) to `out`, which may be dA or saved. The catalogue says whether saved is A or Z; where it can
be either, these formulas are for Z, and also right for A, but for relu, which has a formula for each.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from dlkernels._inputs.arrays import Array
from dlkernels.catalogue import ACTIVATIONS, DERIVATIVES


def identity(Z: Array, parameter: float, out: Array) -> None:
    if out is not Z:
        np.copyto(out, Z)


def sigmoid(Z: Array, parameter: float, out: Array) -> None:
    """1 / (1 + e^-z). Where e^-z overflows to infinity, the result is 0, as it should be."""
    np.negative(Z, out=out)
    np.exp(out, out=out)
    out += 1
    np.divide(1, out, out=out)


def tanh(Z: Array, parameter: float, out: Array) -> None:
    np.tanh(Z, out=out)


def relu(Z: Array, parameter: float, out: Array) -> None:
    np.maximum(Z, 0, out=out)


def leaky_relu(Z: Array, parameter: float, out: Array) -> None:
    slope = Z.dtype.type(parameter)
    if 0 < slope <= 1:
        np.maximum(Z, Z * slope, out=out)
    else:
        np.copyto(out, np.where(Z < 0, Z * slope, Z))


def elu(Z: Array, parameter: float, out: Array) -> None:
    np.copyto(out, np.where(Z >= 0, Z, Z.dtype.type(parameter) * np.expm1(np.minimum(Z, 0))))


# Infinity times 0 is NaN. Where a product has a limit, the largest finite number stands in for infinity.


def _not_minus_infinity(Z: Array) -> Array:
    return np.maximum(Z, np.finfo(Z.dtype).min)


def _finite(Z: Array) -> Array:
    return np.minimum(_not_minus_infinity(Z), np.finfo(Z.dtype).max)


def stable_sigmoid(Z: Array) -> Array:
    """1 / (1 + e^-z), without an overflow."""
    E = np.exp(-np.abs(Z))
    return np.where(Z >= 0, 1, E) / (1 + E)


def silu(Z: Array, parameter: float, out: Array) -> None:
    np.multiply(_not_minus_infinity(Z), stable_sigmoid(Z), out=out)


@functools.cache
def _erfc() -> Callable[[Array], Array]:
    """SciPy's erfc. SciPy isn't required: without it, erfc is computed one number at a time."""
    try:
        from scipy.special import erfc
    except ImportError:
        one_by_one = np.frompyfunc(math.erfc, 1, 1)
        return lambda X: np.asarray(one_by_one(X), np.float64)
    return erfc


def _normal(Z: Array) -> Array:
    """The normal distribution function, P(X <= z)."""
    return _erfc()(Z * -(0.5**0.5)).astype(Z.dtype, copy=False) / 2


def gelu(Z: Array, parameter: float, out: Array) -> None:
    np.multiply(_not_minus_infinity(Z), _normal(Z), out=out)


def softplus(Z: Array, parameter: float, out: Array) -> None:
    np.logaddexp(0, Z, out=out)


def identity_backward(dA: Array, Z: Array, parameter: float, out: Array) -> None:
    np.copyto(out, dA)


def sigmoid_backward(dA: Array, A: Array, parameter: float, out: Array) -> None:
    slope = 1 - A
    slope *= A
    np.multiply(dA, slope, out=out)


def tanh_backward(dA: Array, A: Array, parameter: float, out: Array) -> None:
    """1 - a² is computed as (1 - a)(1 + a), which loses no digits to cancellation where a is near 1 or -1."""
    slope = 1 - A
    slope *= 1 + A
    np.multiply(dA, slope, out=out)


def relu_backward(dA: Array, Z: Array, parameter: float, out: Array) -> None:
    """g'(0) = 1. dA is selected, not multiplied by 0 or 1, since infinity times 0 is NaN."""
    negative = Z < 0
    np.copyto(out, dA)
    np.copyto(out, 0, where=negative)


def relu_from_A_backward(dA: Array, A: Array, parameter: float, out: Array) -> None:
    dead = A <= 0
    np.copyto(out, dA)
    np.copyto(out, 0, where=dead)


def leaky_relu_backward(dA: Array, Z: Array, parameter: float, out: Array) -> None:
    np.copyto(out, np.where(Z < 0, dA * dA.dtype.type(parameter), dA))


def elu_backward(dA: Array, Z: Array, parameter: float, out: Array) -> None:
    slope = Z.dtype.type(parameter) * np.exp(np.minimum(Z, 0))
    np.copyto(out, np.where(Z >= 0, dA, dA * slope))


def silu_backward(dA: Array, Z: Array, parameter: float, out: Array) -> None:
    """s (1 + z (1 - s)) for s = 1 / (1 + e^-z); 1 - s is 1 / (1 + e^z)."""
    np.multiply(dA, stable_sigmoid(Z) * (1 + _finite(Z) * stable_sigmoid(-Z)), out=out)


def gelu_backward(dA: Array, Z: Array, parameter: float, out: Array) -> None:
    density = np.exp(-Z * Z / 2) / (2 * np.pi) ** 0.5
    np.multiply(dA, _normal(Z) + _finite(Z) * density, out=out)


def softplus_backward(dA: Array, Z: Array, parameter: float, out: Array) -> None:
    np.multiply(dA, stable_sigmoid(Z), out=out)


FORWARD: dict[str, Callable[[Array, float, Array], None]] = {name: globals()[name] for name in ACTIVATIONS}
BACKWARD: dict[str, Callable[[Array, Array, float, Array], None]] = {
    name: globals()[f"{name}_backward"] for name in DERIVATIVES
}
