"""The catalogue of activations, costs, outputs and optimizers: everything about them that isn't a formula.

The three backends, the functions for compiled code, the graph, the benchmarks and the tests go through these
tables. What is written by hand, under the name of the activation or cost, is the formula of each backend,
the public function with its documentation, and the oracle of the tests. (`_kernels/README.md` lists the
places.)

    >>> from dlkernels import catalogue
    >>> catalogue.ACTIVATIONS["leaky_relu"].parameter
    'negative_slope'
    >>> [cost.name for cost in catalogue.COSTS.values() if cost.predicted == "Z"]
    ['binary_cross_entropy_with_logits']
"""

from __future__ import annotations

from collections.abc import Iterable

# Dataclasses, with `typing` and `inspect`, would make `import dlkernels` take 21 ms instead of 14.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import inspect
    from typing import TypeVar

    Entry = TypeVar("Entry", "Activation", "Cost", "Output")


class Activation:
    """An activation g.

    Attributes
    ----------
    name : str
        The name of the public function; its derivative is called ``NAME_backward``.
    derivative_from : {"A", "Z", "A or Z"}
        Whether the derivative is computed from the activation a = g(z), from the pre-activation z, or from
        the one that the caller has.
    nanoseconds, backward_nanoseconds : float
        Estimated time that g and its derivative take for a byte of numbers, on one thread. These times decide
        how many numbers are worth a second thread.
    parameter : str, optional
        The name of the parameter of g, if g has one.
    default : float
        The value of the parameter if the caller gives none.
    code : int
        The number that stands for it in compiled code.
    """

    code: int

    def __init__(
        self,
        name: str,
        derivative_from: str,
        nanoseconds: float,
        backward_nanoseconds: float,
        parameter: str | None = None,
        default: float = 0.0,
    ) -> None:
        self.name, self.derivative_from = name, derivative_from
        self.nanoseconds, self.backward_nanoseconds = nanoseconds, backward_nanoseconds
        self.parameter, self.default = parameter, default

    def signature(self, array: str, out: bool = False) -> inspect.Signature:
        """The signature of g: this array, the parameter of g, and with `out` also ``*, out=None``."""
        return _signature((array,), self, ("out",) if out else ())

    def backward_signature(self) -> inspect.Signature:
        """The signature of the derivative: ``dA, A=None``, the parameter of g, ``*, Z=None, out=None``."""
        return _signature(("dA", "A"), self, ("Z", "out"))


def _signature(
    arrays: tuple[str, ...], activation: Activation, keywords: tuple[str, ...]
) -> inspect.Signature:
    """The first array must be given; other arrays and the keywords are None by default."""
    from inspect import Parameter, Signature

    positional, keyword = Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY
    parameters = [Parameter(arrays[0], positional, annotation="Any")]
    parameters += [Parameter(name, positional, default=None, annotation="Any") for name in arrays[1:]]
    if activation.parameter is not None:
        default = activation.default
        parameters.append(Parameter(activation.parameter, positional, default=default, annotation="float"))
    kinds = {"Z": "Any", "out": "Array | None"}
    parameters += [Parameter(name, keyword, default=None, annotation=kinds[name]) for name in keywords]
    return Signature(parameters)


class Cost:
    """A cost: the mean of a loss over the examples.

    Attributes
    ----------
    name : str
        The name of the public function.
    predicted : {"A", "Z"}
        What the first argument holds: probabilities or predictions A, or pre-activations Z.
    nanoseconds : float
        Estimated time for a byte of the first argument, on one thread.
    code : int
        The number that stands for it in compiled code.
    """

    code: int

    def __init__(self, name: str, predicted: str, nanoseconds: float) -> None:
        self.name, self.predicted, self.nanoseconds = name, predicted, nanoseconds


class Output:
    """The output unit of a network, with the cost that belongs to it: its dZ is A - Y.

    Attributes
    ----------
    name : str
        The name of the output.
    takes_classes : bool
        Whether Y may also be one row of class numbers, from 0 on.
    not_negative : bool
        Whether no number in Y may be negative.
    code : int
        The number that stands for it in compiled code.
    """

    code: int

    def __init__(self, name: str, *, takes_classes: bool = False, not_negative: bool = False) -> None:
        self.name, self.takes_classes, self.not_negative = name, takes_classes, not_negative


class Scheme:
    """How the first weights of a layer with n_in inputs and n_out units are drawn.

    Attributes
    ----------
    uniform : bool
        Whether weights are drawn from a uniform distribution; otherwise from a normal one.
    counts_outputs : bool
        Whether their variance is 2 / (n_in + n_out); otherwise it is 2 / n_in.
    """

    def __init__(self, *, uniform: bool, counts_outputs: bool) -> None:
        self.uniform, self.counts_outputs = uniform, counts_outputs


def _by_name(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The entries by name, each with its position as its code."""
    named = {}
    for code, entry in enumerate(entries):
        entry.code, named[entry.name] = code, entry
    return named


ACTIVATIONS = _by_name(
    (
        Activation("identity", "A or Z", 0.03, 0.045),
        Activation("sigmoid", "A", 0.1, 0.045),
        Activation("tanh", "A", 0.09, 0.045),
        Activation("relu", "A or Z", 0.03, 0.045),
        Activation("leaky_relu", "A or Z", 0.03, 0.045, "negative_slope", 0.01),
        Activation("elu", "Z", 0.075, 0.09, "alpha", 1.0),
        Activation("silu", "Z", 0.11, 0.15),
        Activation("gelu", "Z", 0.2, 0.2),
        Activation("softplus", "Z", 0.15, 0.1),
    )
)

#: The names of the derivatives' formulas, by code. The code of an activation is also that of its derivative's
#: formula. For relu that formula is for z, and the last one is for a, which is 0 for each z < 0.
DERIVATIVES = (*ACTIVATIONS, "relu_from_A")

#: For each of these codes: whether the parameter is the slope of leaky ReLU; the parameter's default.
_SLOPED = (*(activation.parameter == "negative_slope" for activation in ACTIVATIONS.values()), False)
_DEFAULTS = (*(activation.default for activation in ACTIVATIONS.values()), 0.0)
#: For each activation's code: the same if a can tell the derivative, else -1. (The formula of relu for a has
#: a code of its own.)
_FROM_A = tuple(
    -1 if activation.derivative_from == "Z" else activation.code for activation in ACTIVATIONS.values()
)
_RELU, _RELU_FROM_A = ACTIVATIONS["relu"].code, DERIVATIVES.index("relu_from_A")


def layer_parameter(code: int, negative_slope: float) -> float:
    """Return the parameter of an activation in a layer, where only the slope of leaky ReLU can be chosen.

    Parameters
    ----------
    code : int
        The code of the activation.
    negative_slope : float
        The slope of leaky ReLU for z < 0.

    Returns
    -------
    float
        `negative_slope` for leaky ReLU; for any other activation the default of its parameter.

    Examples
    --------
    >>> from dlkernels.catalogue import ACTIVATIONS, layer_parameter
    >>> layer_parameter(ACTIVATIONS["leaky_relu"].code, 0.2)
    0.2
    """
    return negative_slope if _SLOPED[code] else _DEFAULTS[code]


def code_from_A(code: int, parameter: float) -> int:
    """Return the code of the formula that computes the derivative of an activation from its result A.

    Parameters
    ----------
    code : int
        The code of the activation.
    parameter : float
        The parameter of the activation.

    Returns
    -------
    int
        The position of the formula in `DERIVATIVES`; -1 if A can't tell the derivative. For leaky ReLU it can
        only if the slope is positive.

    Examples
    --------
    >>> from dlkernels.catalogue import ACTIVATIONS, DERIVATIVES, code_from_A
    >>> DERIVATIVES[code_from_A(ACTIVATIONS["relu"].code, 0.0)]
    'relu_from_A'
    >>> code_from_A(ACTIVATIONS["gelu"].code, 0.0)
    -1
    """
    if code == _RELU:
        return _RELU_FROM_A
    if _SLOPED[code] and not parameter > 0:
        return -1
    return _FROM_A[code]


COSTS = _by_name(
    (
        Cost("binary_cross_entropy", "A", 0.25),
        Cost("binary_cross_entropy_with_logits", "Z", 0.125),
        Cost("squared_error", "A", 0.0375),
    )
)

OUTPUTS = _by_name(
    (
        Output("identity"),
        Output("sigmoid"),
        Output("softmax", takes_classes=True),
        Output("exp", not_negative=True),
    )
)

#: The rules by which compiled code updates parameters, with their codes. By the first it doesn't.
OPTIMIZERS = {"none": 0, "sgd": 1, "rmsprop": 2, "adam": 3, "adamw": 4}

#: How first weights are drawn; `parameters.network_parameters` names the sources.
SCHEMES = {
    "glorot_uniform": Scheme(uniform=True, counts_outputs=True),
    "glorot_normal": Scheme(uniform=False, counts_outputs=True),
    "he_uniform": Scheme(uniform=True, counts_outputs=False),
    "he_normal": Scheme(uniform=False, counts_outputs=False),
}
