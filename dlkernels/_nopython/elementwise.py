"""The elementwise functions, costs and dot product, for functions that users compile with Numba.

Importing this module registers an overload of each public function. The overloads run the same kernels on one
thread. Numba links the kernels into the code that calls them (`pieces`), so this code can be cached. An
argument of a wrong type raises a `TypingError` when the code is compiled. Shapes that don't fit raise the
same `ValueError` as a call from Python, before anything is computed.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"
from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
from numba import TypingError, types
from numba.extending import overload

from dlkernels import activations, costs, derivatives
from dlkernels._compiler.options import ONE, inlined, shared
from dlkernels._inputs.checks import needs_other
from dlkernels._kernels import activations as formulas
from dlkernels._kernels import costs as cost_kernels
from dlkernels._kernels import linked, shapes
from dlkernels._kernels.memory import apart, as_row
from dlkernels._nopython.arguments import (
    NeedsOther,
    OtherShape,
    Refused,
    arrays_of,
    as_vector,
    given,
    need_number,
    number_of,
    output_as,
    same_or_apart,
    unknown,
)
from dlkernels.catalogue import ACTIVATIONS, COSTS, DERIVATIVES, Activation, Cost, code_from_A


def overload_of(function: Callable[..., Any]) -> Any:
    return overload(function, prefer_literal=True)


_same_shape = shared(lambda shapes: shapes[0] == shapes[1])


def _shapes_check(function: str, fits: Any) -> Any:
    """A function that refuses two shapes that don't fit.

    It isn't inlined, because Numba 0.61 to 0.63 at least can't inline an error that is made of variables.
    """

    @shared
    def need_fit(first, second):
        if not fits((first, second)):
            raise Refused(function, first, second)

    return need_fit


# -- elementwise -----------------------------------------------------------------------------------------

_activate, _differentiate = linked.activate_row.linked, linked.differentiate_row.linked


def _elementwise(activation: Activation, Z: Any, out: Any) -> Any:
    """The implementation for Z, a number or an array. Its second argument is the activation's parameter."""
    function, code = activation.name, activation.code
    number = number_of(function, {"Z": Z})
    if not isinstance(Z, types.Array):
        if given(out):
            raise TypingError(f"{function}: out is for arrays, and Z is a number")
        formula = getattr(formulas, function)
        return inlined(lambda Z, parameter, out: formula(unknown(number(Z)), number(np.float64(parameter))))
    view, take = as_vector(number, Z), output_as(function, number, Z.ndim, out)
    overlaps = f"{function}: out overlaps Z in memory"

    @inlined
    def implementation(Z, parameter, out):
        result = take(out, Z.shape)
        z, target = view(Z), as_row(result)
        if not same_or_apart(z, target):
            raise ValueError(overlaps)
        _activate(code, np.float64(parameter), z, target)
        return result

    return implementation


_take_A, _take_Z = shared(lambda A, Z: A), shared(lambda A, Z: Z)


def _saved(activation: Activation, A: Any, Z: Any) -> tuple[Any, Any, int, bool]:
    """How the derivative is computed from what is given of A and Z.

    Returns a function of A and Z that returns the one that is used; the same for the other one, if both are
    given; the code of the formula; and whether the formula needs a positive parameter.
    """
    function, code = f"{activation.name}_backward", activation.code
    if given(Z) and activation.derivative_from != "A":
        return _take_Z, _take_A if given(A) else _take_Z, code, False
    formula = code_from_A(code, 1.0)
    if formula < 0 or not given(A):
        raise TypingError(needs_other(function, code, activation.default, given(A)))
    return _take_A, _take_Z if given(Z) else _take_A, formula, code_from_A(code, 0.0) < 0


def _like_dA(function: str, name: str) -> Any:
    """A function that refuses another shape than that of dA."""

    @shared
    def need_same(shape, other):
        if shape != other:
            raise OtherShape(function, name, shape, other)

    return need_same


def _parameter_check(function: str, code: int, positive: bool) -> Any:
    """A function that refuses a parameter which isn't positive, if A tells the derivative only then."""

    @shared
    def need_tell(parameter):
        if positive and not parameter > 0:
            raise NeedsOther(function, code, parameter)

    return need_tell


def _elementwise_backward(activation: Activation, dA: Any, A: Any, Z: Any, out: Any) -> Any:
    """The implementation for dA, A and Z, of which one may be None. Its fourth argument is the parameter."""
    function = f"{activation.name}_backward"
    passed = {name: value for name, value in (("dA", dA), ("A", A), ("Z", Z)) if given(value)}
    number, array = number_of(function, passed), isinstance(dA, types.Array)
    saved_of, other_of, code, positive = _saved(activation, A, Z)
    need_tell = _parameter_check(function, activation.code, positive)
    for name, saved in passed.items():
        if array != isinstance(saved, types.Array) or (array and dA.ndim != saved.ndim):
            raise TypingError(f"{function}: dA and {name} must have the same shape (dA {dA}, {name} {saved})")
    if not array:
        if given(out):
            raise TypingError(f"{function}: out is for arrays, and dA is a number")
        formula = getattr(formulas, f"times_{DERIVATIVES[code]}_slope")

        @inlined
        def of_numbers(dA, A, Z, parameter, out):
            need_tell(parameter)
            return formula(number(dA), unknown(number(saved_of(A, Z))), number(np.float64(parameter)))

        return of_numbers
    dA_view, saved_view = as_vector(number, dA), as_vector(number, A if saved_of is _take_A else Z)
    other_view = as_vector(number, A if other_of is _take_A else Z)
    take = output_as(function, number, dA.ndim, out)
    need_same, need_same_other = (
        _like_dA(function, "A" if of is _take_A else "Z") for of in (saved_of, other_of)
    )
    overlaps = f"{function}: out overlaps an input in memory"

    @inlined
    def implementation(dA, A, Z, parameter, out):
        saved, other = saved_of(A, Z), other_of(A, Z)
        need_same(dA.shape, saved.shape)
        need_same_other(dA.shape, other.shape)
        need_tell(parameter)
        result = take(out, dA.shape)
        gradient, kept, unused, target = dA_view(dA), saved_view(saved), other_view(other), as_row(result)
        if not (
            same_or_apart(gradient, target) and same_or_apart(kept, target) and same_or_apart(unused, target)
        ):
            raise ValueError(overlaps)
        if not apart(kept, target):
            kept = kept.copy()  # the kernel writes to target before it has read all of kept
        _differentiate(code, np.float64(parameter), gradient, kept, target)
        return result

    return implementation


def _with_names(function: Any, **names: str | None) -> Any:
    """The function with its arguments renamed, because Numba matches keyword arguments with these names."""
    code = function.__code__
    renamed = tuple(names.get(name) or name for name in code.co_varnames)
    return FunctionType(
        code.replace(co_varnames=renamed), function.__globals__, function.__name__, function.__defaults__,
        function.__closure__,
    )  # fmt: skip


def _register(activation: Activation) -> None:
    name, default = activation.name, activation.default

    def without(Z, out=None):
        implementation = _elementwise(activation, Z, out)
        return lambda Z, out=None: implementation(Z, 0.0, out)

    def with_parameter(Z, parameter=default, out=None):
        need_number(name, str(activation.parameter), parameter)
        implementation = _elementwise(activation, Z, out)
        return _with_names(
            lambda Z, parameter=default, out=None: implementation(Z, parameter, out),
            parameter=activation.parameter,
        )

    overloaded = without if activation.parameter is None else with_parameter
    overload_of(getattr(activations, name))(_with_names(overloaded, parameter=activation.parameter))


def _register_backward(activation: Activation) -> None:
    name, default = f"{activation.name}_backward", activation.default

    def without(dA, A=None, Z=None, out=None):
        implementation = _elementwise_backward(activation, dA, A, Z, out)
        return lambda dA, A=None, Z=None, out=None: implementation(dA, A, Z, 0.0, out)

    def with_parameter(dA, A=None, parameter=default, Z=None, out=None):
        need_number(name, str(activation.parameter), parameter)
        implementation = _elementwise_backward(activation, dA, A, Z, out)
        return _with_names(
            lambda dA, A=None, parameter=default, Z=None, out=None: implementation(dA, A, Z, parameter, out),
            parameter=activation.parameter,
        )

    overloaded = without if activation.parameter is None else with_parameter
    overload_of(getattr(derivatives, name))(_with_names(overloaded, parameter=activation.parameter))


for _activation in ACTIVATIONS.values():
    _register(_activation)
    _register_backward(_activation)


# -- costs -----------------------------------------------------------------------------------------------

_reduce, _reduction_workspace = linked.reduce_rows.linked, cost_kernels.reduction_workspace


def _reduction(function: str, code: int, names: tuple[str, str], fits: Any, first: Any, second: Any) -> Any:
    axes = 1 if function == "dot" else 2
    number = arrays_of(function, dict(zip(names, (first, second), strict=True)), axes)
    first_view, second_view = as_vector(number, first), as_vector(number, second)
    need_fit = _shapes_check(function, fits)

    @inlined
    def implementation(first, second):
        need_fit(first.shape, second.shape)
        a, y, result = first_view(first), second_view(second), np.empty(1, number)
        workspace = np.empty(_reduction_workspace(a.size, ONE, a), number)
        _reduce(code, a, y, result, workspace)
        return float(result[0])

    return implementation


def _register_cost(cost: Cost) -> None:
    fits, names = shared(shapes.COST[cost.predicted].fits()), (cost.predicted, "Y")

    def overloaded(predicted, Y):
        implementation = _reduction(cost.name, cost.code, names, fits, predicted, Y)
        return _with_names(lambda predicted, Y: implementation(predicted, Y), predicted=cost.predicted)

    overload_of(getattr(costs, cost.name))(_with_names(overloaded, predicted=cost.predicted))


for _cost in COSTS.values():
    _register_cost(_cost)


@overload_of(costs.dot)
def _dot(a, b):
    implementation = _reduction("dot", cost_kernels.DOT, ("a", "b"), _same_shape, a, b)
    return lambda a, b: implementation(a, b)
