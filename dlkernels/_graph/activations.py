"""Make the activations of `dlkernels.graph`: a function of nodes for each entry of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from dlkernels import backends
from dlkernels._graph.nodes import Variable, constant, node_of
from dlkernels._inputs import values
from dlkernels.catalogue import ACTIVATIONS, Activation

_DOC = """`dlkernels.{name}` of a node, elementwise.

Parameters
----------
x : Variable or array_like
    Any shape.{parameter}

Returns
-------
Variable
    Of the shape of `x`. Its derivative is `dlkernels.{name}_backward`.

Examples
--------
>>> import dlkernels as dk
>>> from dlkernels import graph
>>> x = graph.variable([1.0, -2.0])
>>> graph.sum(graph.{name}(x)).backward()
>>> bool((x.grad == dk.{name}_backward([1.0, 1.0], dk.{name}(x.value), Z=x.value)).all())
True
"""

_PARAMETER = """
{name} : float
    As that of `dlkernels.{function}`."""


def functions(module: str) -> dict[str, Callable[..., Variable]]:
    """Return a function for each activation, by name. Each says that it belongs to the module `module`."""
    found = {}
    for activation in ACTIVATIONS.values():
        name = activation.name
        function = found[name] = _function(activation)
        function.__module__, function.__name__, function.__qualname__ = module, name, name
        parameter = activation.parameter
        function.__doc__ = _DOC.format(
            name=name,
            parameter="" if parameter is None else _PARAMETER.format(name=parameter, function=name),
        )
    return found


def _function(activation: Activation) -> Callable[..., Variable]:
    name, signature = activation.name, activation.signature("x")

    def function(*arguments: Any, **keywords: Any) -> Variable:
        given = signature.bind(*arguments, **keywords)
        given.apply_defaults()
        parameters = given.arguments
        x, kernels = constant(parameters.pop("x")), backends.get("numba")
        if activation.parameter is not None:
            parameters = {activation.parameter: values.real(f"graph.{name}", *parameters.popitem())}
        value = getattr(kernels, name)(x.value, **parameters)
        derivative = partial(getattr(kernels, f"{name}_backward"), A=value, Z=x.value, **parameters)
        return node_of(f"{name}({{0}})", value, (x, derivative))

    function.__signature__ = signature  # type: ignore[attr-defined]
    return function
