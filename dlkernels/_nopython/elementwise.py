"""The public functions inside functions that others compile with Numba: the same kernels on one thread.

Importing this registers an implementation of each for Numba. The kernels are linked into the code that calls
them (`pieces`), which can therefore be cached. Types are refused as a `TypingError` when that code is
compiled; shapes as the `ValueError` that Python would get, before anything is computed.
"""

# mypy: disable-error-code="no-untyped-def, misc"
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import TypingError, types
from numba.extending import overload

from dlkernels import activations, catalogue, costs
from dlkernels._compiler.options import ALONE, inlined
from dlkernels._inputs.checks import CODES
from dlkernels._kernels import costs as cost_kernels
from dlkernels._kernels import whole
from dlkernels._kernels.activations import apart
from dlkernels._nopython.arguments import (
    Refused,
    arrays_of,
    given,
    input_as,
    need_number,
    number_of,
    output_as,
    row_of,
    same_or_apart,
    unknown,
)


def available(function: Callable[..., Any]) -> Any:
    return overload(function, prefer_literal=True)


# -- elementwise ---------------------------------------------------------------------------------------

_activated, _derived = whole.activated, whole.derived
_activate, _derive = whole.activate_row.linked, whole.derive_row.linked


def _elementwise(function: str, code: int, Z: Any, out: Any) -> Any:
    """The implementation for Z, a number or an array, with `negative_slope` as second argument."""
    number = number_of(function, {"Z": Z})
    if not isinstance(Z, types.Array):
        if given(out):
            raise TypingError(f"{function}: out is for arrays, and Z is a number")
        return inlined(
            lambda Z, slope, out: _activated(code, number(np.float64(slope)), unknown(number(Z)), number(0))
        )
    row, take = input_as(number, Z).row, output_as(function, number, Z.ndim, out)
    overlaps = f"{function}: out overlaps Z in memory"

    @inlined
    def implementation(Z, slope, out):
        result = take(out, Z.shape)
        z, target = row(Z), row_of(result)
        if not same_or_apart(z, target):
            raise ValueError(overlaps)
        _activate(code, np.float64(slope), z, target)
        return result

    return implementation


def _elementwise_backward(function: str, code: int, name: str, dA: Any, saved: Any, out: Any) -> Any:
    """The implementation for dA and what was saved, `name`, with `negative_slope` as third argument."""
    number = number_of(function, {"dA": dA, name: saved})
    array = isinstance(dA, types.Array)
    if array != isinstance(saved, types.Array) or (array and dA.ndim != saved.ndim):
        raise TypingError(f"{function}: dA and {name} must have the same shape (dA {dA}, {name} {saved})")
    if not array:
        if given(out):
            raise TypingError(f"{function}: out is for arrays, and dA is a number")
        return inlined(
            lambda dA, saved, slope, out: _derived(
                code, number(np.float64(slope)), number(dA), unknown(number(saved)), number(0), number(1)
            )
        )
    dA_row, saved_row = input_as(number, dA).row, input_as(number, saved).row
    take = output_as(function, number, dA.ndim, out)
    overlaps = f"{function}: out overlaps an input in memory"

    @inlined
    def implementation(dA, saved, slope, out):
        if dA.shape != saved.shape:
            raise Refused(function, dA.shape, saved.shape)
        result = take(out, dA.shape)
        gradient, kept, target = dA_row(dA), saved_row(saved), row_of(result)
        if not (same_or_apart(gradient, target) and same_or_apart(kept, target)):
            raise ValueError(overlaps)
        if not apart(kept, target):
            kept = kept.copy()  # target is overwritten before it is read
        _derive(code, np.float64(slope), gradient, kept, target)
        return result

    return implementation


def _register(function: Any, code: int) -> None:
    @available(function)
    def overloaded(Z, out=None):
        implementation = _elementwise(function.__name__, code, Z, out)
        return lambda Z, out=None: implementation(Z, 0.0, out)


def _register_backward(function: Any, code: int) -> None:
    name = function.__name__
    if catalogue.ACTIVATIONS[code] in catalogue.SAVES_A:

        @available(function)
        def overloaded(dA, A, out=None):
            implementation = _elementwise_backward(name, code, "A", dA, A, out)
            return lambda dA, A, out=None: implementation(dA, A, 0.0, out)

    else:

        @available(function)
        def overloaded(dA, Z, out=None):
            implementation = _elementwise_backward(name, code, "Z", dA, Z, out)
            return lambda dA, Z, out=None: implementation(dA, Z, 0.0, out)


for _name in ("identity", "sigmoid", "tanh", "relu"):
    _register(getattr(activations, _name), CODES[_name])
    _register_backward(getattr(activations, f"{_name}_backward"), CODES[_name])


@available(activations.leaky_relu)
def _leaky_relu(Z, negative_slope=0.01, out=None):
    need_number("leaky_relu", "negative_slope", negative_slope)
    implementation = _elementwise("leaky_relu", catalogue.LEAKY_RELU, Z, out)
    return lambda Z, negative_slope=0.01, out=None: implementation(Z, negative_slope, out)


@available(activations.leaky_relu_backward)
def _leaky_relu_backward(dA, Z, negative_slope=0.01, out=None):
    need_number("leaky_relu_backward", "negative_slope", negative_slope)
    implementation = _elementwise_backward("leaky_relu_backward", catalogue.LEAKY_RELU, "Z", dA, Z, out)
    return lambda dA, Z, negative_slope=0.01, out=None: implementation(dA, Z, negative_slope, out)


# -- costs ---------------------------------------------------------------------------------------------

_reduce, _reduction_room = whole.reduce_rows.linked, cost_kernels.reduction_room


def _reduction(function: str, code: int, axes: int, names: tuple[str, str], first: Any, second: Any) -> Any:
    number = arrays_of(function, dict(zip(names, (first, second), strict=True)), axes)
    first_row, second_row = input_as(number, first).row, input_as(number, second).row

    @inlined
    def implementation(first, second):
        fits = first.shape == second.shape
        if axes == 2:
            fits = fits and first.shape[0] == 1 and first.size > 0
        if not fits:
            raise Refused(function, first.shape, second.shape)
        a, y, result = first_row(first), second_row(second), np.empty(1, number)
        scratch = np.empty(_reduction_room(a.size, ALONE, a), number)
        _reduce(code, a, y, result, scratch)
        return float(result[0])

    return implementation


@available(costs.binary_cross_entropy)
def _binary_cross_entropy(A, Y):
    implementation = _reduction("binary_cross_entropy", cost_kernels.CROSS_ENTROPY, 2, ("A", "Y"), A, Y)
    return lambda A, Y: implementation(A, Y)


@available(costs.binary_cross_entropy_with_logits)
def _binary_cross_entropy_with_logits(Z, Y):
    implementation = _reduction(
        "binary_cross_entropy_with_logits", cost_kernels.CROSS_ENTROPY_WITH_LOGITS, 2, ("Z", "Y"), Z, Y
    )
    return lambda Z, Y: implementation(Z, Y)


@available(costs.squared_error)
def _squared_error(A, Y):
    implementation = _reduction("squared_error", cost_kernels.SQUARED_ERROR, 2, ("A", "Y"), A, Y)
    return lambda A, Y: implementation(A, Y)


@available(costs.dot)
def _dot(a, b):
    implementation = _reduction("dot", cost_kernels.DOT, 1, ("a", "b"), a, b)
    return lambda a, b: implementation(a, b)
