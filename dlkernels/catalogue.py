"""The catalogue of activations and costs: everything about them that isn't a formula.

The three backends, the functions for compiled code, the graph, the benchmarks and the tests go through these
tables. What they call by the name of an activation or a cost is written by hand, once each: the formula of
each backend, the public function with its documentation, and the oracle of the tests.

    >>> from dlkernels import catalogue
    >>> catalogue.ACTIVATIONS["leaky_relu"].parameter
    'negative_slope'
    >>> [cost.name for cost in catalogue.COSTS.values() if cost.predicted == "Z"]
    ['binary_cross_entropy_with_logits']
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterable
from inspect import Parameter
from typing import TypeVar


@dataclasses.dataclass(frozen=True)
class Activation:
    """An activation g.

    Attributes
    ----------
    name : str
        That of its function; the derivative is called ``NAME_backward``.
    derivative_from : {"A", "Z"}
        What its derivative is found from: the activation a = g(z), or z.
    nanoseconds, backward_nanoseconds : float
        Estimated time that g and its derivative take for a byte of numbers, on one thread. They decide how
        many numbers are worth a second thread.
    parameter : str, optional
        The name of its parameter, if it has one.
    default : float
        The value of the parameter unless it is given.
    code : int
        What stands for it in compiled code.
    """

    name: str
    derivative_from: str
    nanoseconds: float
    backward_nanoseconds: float
    parameter: str | None = None
    default: float = 0.0
    code: int = -1

    def signature(self, *arrays: str, out: bool = False) -> inspect.Signature:
        """That of a function of this activation: arrays, then its parameter, and perhaps ``*, out=None``."""
        positional, keyword = Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY
        parameters = [Parameter(name, positional, annotation="Any") for name in arrays]
        if self.parameter is not None:
            default = self.default
            parameters.append(Parameter(self.parameter, positional, default=default, annotation="float"))
        if out:
            parameters.append(Parameter("out", keyword, default=None, annotation="Array | None"))
        return inspect.Signature(parameters)


@dataclasses.dataclass(frozen=True)
class Cost:
    """A cost: the mean of a loss over the examples.

    Attributes
    ----------
    name : str
        That of its function.
    predicted : {"A", "Z"}
        Its first argument: probabilities or predictions A, or pre-activations Z.
    nanoseconds : float
        Estimated time for a float32, on one thread.
    code : int
        What stands for it in compiled code.
    """

    name: str
    predicted: str
    nanoseconds: float
    code: int = -1


_Entry = TypeVar("_Entry", Activation, Cost)


def _by_name(entries: Iterable[_Entry]) -> dict[str, _Entry]:
    """The entries, each with its position as its code."""
    numbered = (dataclasses.replace(entry, code=code) for code, entry in enumerate(entries))
    return {entry.name: entry for entry in numbered}


ACTIVATIONS = _by_name(
    (
        Activation("identity", "Z", 0.03, 0.045),
        Activation("sigmoid", "A", 0.1, 0.045),
        Activation("tanh", "A", 0.09, 0.045),
        Activation("relu", "Z", 0.03, 0.045),
        Activation("leaky_relu", "Z", 0.03, 0.045, "negative_slope", 0.01),
        Activation("elu", "Z", 0.075, 0.09, "alpha", 1.0),
        Activation("silu", "Z", 0.11, 0.15),
        Activation("gelu", "Z", 0.2, 0.2),
        Activation("softplus", "Z", 0.15, 0.1),
    )
)

#: By code: whether the parameter is the slope of leaky ReLU, and the parameter unless it is given.
_SLOPED = tuple(activation.parameter == "negative_slope" for activation in ACTIVATIONS.values())
_DEFAULTS = tuple(activation.default for activation in ACTIVATIONS.values())


def layer_parameter(code: int, negative_slope: float) -> float:
    """The parameter of an activation inside a layer, where only the slope of leaky ReLU can be chosen.

    Parameters
    ----------
    code : int
        That of the activation.
    negative_slope : float
        The slope of leaky ReLU for z < 0.

    Returns
    -------
    float
        `negative_slope` for leaky ReLU, the default of its parameter for another activation.

    Examples
    --------
    >>> from dlkernels.catalogue import ACTIVATIONS, layer_parameter
    >>> layer_parameter(ACTIVATIONS["leaky_relu"].code, 0.2)
    0.2
    """
    return negative_slope if _SLOPED[code] else _DEFAULTS[code]


COSTS = _by_name(
    (
        Cost("binary_cross_entropy", "A", 1.0),
        Cost("binary_cross_entropy_with_logits", "Z", 0.5),
        Cost("squared_error", "A", 0.15),
    )
)
