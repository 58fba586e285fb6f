"""Makes the public activations of a backend from its formulas and the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlkernels._inputs import checks, values
from dlkernels._inputs.arrays import Array
from dlkernels.catalogue import ACTIVATIONS, DERIVATIVES, Activation

Forward = Callable[[str, Array, float, Array], Array]
Backward = Callable[[str, Array, Array, float, Array], Array]


def functions(module: str, activate: Forward, activate_backward: Backward) -> dict[str, Callable[..., Array]]:
    """Each activation and its derivative, by name, with the signature that all backends share.

    ``activate(name, Z, parameter, out)`` and ``activate_backward(name, dA, saved, parameter, out)`` get
    checked arrays, write the result to `out` and return `out`. The name of a derivative is one of the
    catalogue's `DERIVATIVES`, which says whether `saved` is A or Z.
    """
    found = {}
    for activation in ACTIVATIONS.values():
        found[activation.name] = _forward(activation, activate)
        found[f"{activation.name}_backward"] = _backward(activation, activate_backward)
    for name, function in found.items():
        function.__module__, function.__name__, function.__qualname__ = module, name, name
        function.__doc__ = f"As `dlkernels.{name}`."
    return found


def _forward(activation: Activation, activate: Forward) -> Callable[..., Array]:
    name, signature = activation.name, activation.signature("Z", out=True)

    def function(*arguments: Any, **keywords: Any) -> Array:
        given = signature.bind(*arguments, **keywords).arguments
        parameter = _parameter(name, activation, given)
        Z, out = checks.elementwise(name, given["Z"], given.get("out"))
        return activate(name, Z, parameter, out)

    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def _backward(activation: Activation, activate_backward: Backward) -> Callable[..., Array]:
    name, signature = activation.name, activation.backward_signature()

    def function(*arguments: Any, **keywords: Any) -> Array:
        given = signature.bind(*arguments, **keywords).arguments
        parameter = _parameter(f"{name}_backward", activation, given)
        c = checks.elementwise_backward(
            name, given["dA"], given.get("A"), given.get("Z"), parameter, given.get("out")
        )
        return activate_backward(DERIVATIVES[c.code], c.dA, c.saved, parameter, c.out)

    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def _parameter(function: str, activation: Activation, given: dict[str, Any]) -> float:
    name = activation.parameter
    return 0.0 if name is None else values.real(function, name, given.get(name, activation.default))
