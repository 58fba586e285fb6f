"""The checks of networks of any depth, which all backends share.

A network's parameters are one vector theta: W1 (n_1, n_0) in C order, b1, W2, b2 and so on. Its dtype is that
of all computing. Examples X may be of any real dtype and layout. They are converted a batch or a few
megabytes at a time, because a table in a file may be larger than memory.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any, NamedTuple

import numpy as np

from dlkernels._inputs import arrays, finite, outputs, shapes, values
from dlkernels._inputs.arrays import F32, F64, Array
from dlkernels._inputs.checks import activation_code
from dlkernels.catalogue import OUTPUTS, Output

_OUTPUTS = tuple(OUTPUTS.values())

#: Errors that compiled code raises as well.
FEW_SIZES = "sizes must have at least 2 entries, of features and of outputs"
EMPTY_ORDER = "order is empty, and the mean over 0 examples is undefined"
#: The hint for class numbers, where another output was chosen.
FOR_CLASSES = '; for class numbers pass output="softmax"'


class Network(NamedTuple):
    """A network's parameters, its sizes, the codes of its hidden activations and of its output.

    `slope` is that of leaky ReLU.
    """

    theta: Array
    sizes: tuple[int, ...]
    codes: tuple[int, ...]
    slope: float


class Examples(NamedTuple):
    """Examples as they were given, with labels and weights in theta's dtype.

    Y is (n_L, m), or (1, m) if it holds `classes`. Without weights, `weights` has no entries.
    """

    X: Array
    Y: Array
    classes: bool
    weights: Array


# -- parameters ------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1024)
def count_parameters(sizes: tuple[int, ...]) -> int:
    """How many parameters a network has: weights and biases of all layers."""
    return sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(sizes))


def sizes_of(function: str, sizes: Any) -> tuple[int, ...]:
    """The sizes of a network: features, hidden units, outputs."""
    if not isinstance(sizes, tuple | list):
        raise TypeError(f"{function}: sizes must be a tuple of integers, not {type(sizes).__name__}")
    if len(sizes) < 2:
        raise ValueError(f"{function}: {FEW_SIZES}, not {sizes!r}")
    return tuple([values.count(function, f"sizes[{i}]", size, 1) for i, size in enumerate(sizes)])


def _need_length(function: str, name: str, array: Array, sizes: tuple[int, ...]) -> None:
    if array.ndim != 1:
        raise ValueError(
            f"{function}: {name} must have 1 axis but has shape {array.shape}; use {name}.ravel()"
        )
    if array.size != (count := count_parameters(sizes)):
        raise ValueError(
            f"{function}: {name} has {array.size} numbers but sizes {sizes} need {count} "
            f"({name} {array.shape})"
        )


def shared_parameters(function: str, theta: Any, sizes: Any) -> tuple[Array, tuple[int, ...]]:
    """Parameters of which views can be made, and the sizes."""
    if not isinstance(theta, np.ndarray):
        raise TypeError(
            f"{function}: theta must be a NumPy array, whose memory the views share, "
            f"not {type(theta).__name__}"
        )
    if theta.dtype not in (F64, F32):
        raise TypeError(f"{function}: theta must be float32 or float64, not {theta.dtype}")
    sizes_ = sizes_of(function, sizes)
    _need_length(function, "theta", theta, sizes_)
    if not theta.flags.c_contiguous:
        raise ValueError(f"{function}: theta must be contiguous: make it theta = np.array(theta)")
    return theta, sizes_


def activation_codes(function: str, activations: Any, hidden: int) -> tuple[int, ...]:
    """The codes of the activations of the hidden layers."""
    if isinstance(activations, str):
        return (activation_code(function, activations, "activations"),) * hidden
    if not isinstance(activations, tuple | list):
        kind = type(activations).__name__
        raise TypeError(f"{function}: activations must be a string or a tuple of strings, not {kind}")
    if len(activations) != hidden:
        raise ValueError(
            f"{function}: activations must be one name, or one for each of {hidden} hidden layers, not "
            f"{len(activations)} names"
        )
    return tuple([activation_code(function, g, f"activations[{i}]") for i, g in enumerate(activations)])


def layers(
    function: str, sizes: Any, activations: Any, output: Any
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The sizes of a network, and the codes of its hidden activations and of its output."""
    sizes_ = sizes_of(function, sizes)
    codes = activation_codes(function, activations, len(sizes_) - 2)
    return sizes_, (*codes, OUTPUTS[values.name(function, "output", output, OUTPUTS)].code)


def network(
    function: str, theta: Any, sizes: Any, activations: Any, output: Any, negative_slope: Any,
    *, updated: bool = False,
) -> Network:  # fmt: skip
    """A network; if its parameters are to be `updated`, they are the caller's array itself."""
    sizes_, codes = layers(function, sizes, activations, output)
    if updated:
        outputs.updatable(function, (("theta", theta),))
    array = arrays.as_float(function, "theta", theta)
    _need_length(function, "theta", array, sizes_)
    slope = values.real(function, "negative_slope", negative_slope)
    return Network(theta if updated else arrays.c_order(array), sizes_, codes, slope)


# -- examples --------------------------------------------------------------------------------------------


def features(function: str, X: Any, sizes: tuple[int, ...]) -> Array:
    """X as a matrix of any real dtype and layout, with as many rows as the network has features."""
    array = arrays.as_real(function, "X", X)
    arrays.need_matrix(function, "X", array)
    n, m = array.shape
    if n != sizes[0]:
        hint = shapes.X_TRANSPOSED if m == sizes[0] else ""
        raise ValueError(
            f"{function}: X has {n} rows but sizes[0] is {sizes[0]} (X {array.shape}, sizes {sizes}){hint}"
        )
    return array


def need_none(function: str, name: str, wanted: str, array: Array, wrong: Array) -> None:
    """Raise an error that names the first wrong entry, if there is one."""
    if wrong.any():
        place = tuple(map(int, np.unravel_index(wrong.argmax(), wrong.shape)))
        entry = f"{name}[{', '.join(map(str, place))}] = {array[place]!s}"
        raise ValueError(
            f"{function}: {name} must hold {wanted}, but {wrong.sum():,} of {wrong.size:,} are others, "
            f"first {entry}"
        )


def _labels(function: str, Y: Any, X: Array, n: Network) -> tuple[Array, bool]:
    """Y in theta's dtype and in C order, and whether it holds class numbers."""
    array = arrays.as_real(function, "Y", Y)
    arrays.need_matrix(function, "Y", array)
    output, units, m = _OUTPUTS[n.codes[-1]], n.sizes[-1], X.shape[1]
    classes = output.takes_classes and units > 1 and len(array) == 1
    if array.shape != (1 if classes else units, m):
        wanted = f"{(units, m)}{f' or {(1, m)}' if output.takes_classes and units > 1 else ''}"
        turned = array.T.shape in ((units, m), (1, m) if output.takes_classes else (units, m))
        hint = "; Y looks transposed: examples are columns, so pass Y.T" if turned else ""
        if array.shape == (1, m) and not _no_classes(array, units).any():
            hint = FOR_CLASSES
        raise ValueError(
            f"{function}: Y must have shape {wanted} but has shape {array.shape} (Y {array.shape}, "
            f"X {X.shape}){hint}"
        )
    converted = arrays.c_order(finite.finite(function, "Y", array, n.theta.dtype))
    need_labels(function, output, units if classes else 0, array, converted)
    return converted, classes


def _no_classes(Y: Array, classes: int) -> Array:
    """Which labels are no numbers of so many classes."""
    wrong: Array = (Y < 0) | (classes <= Y) | (np.floor(Y) != Y)
    return wrong


def need_labels(function: str, output: Output, classes: int, Y: Array, converted: Array) -> None:
    """Raise an error unless the output takes these labels: numbers of `classes`, or, if that is 0, others."""
    if classes:
        wanted = f"class numbers from 0 to {classes - 1}"
        need_none(function, "Y", wanted, Y, _no_classes(converted, classes))
    if output.not_negative:
        need_none(function, "Y", "numbers that are not negative", Y, converted < 0)


def weights_of(function: str, sample_weight: Any, m: int, dtype: np.dtype[Any]) -> Array:
    """The weights of m examples as a vector in this dtype; an empty one if there are none."""
    name = "sample_weight"
    if sample_weight is None:
        return np.empty(0, dtype)
    array = arrays.as_real(function, name, sample_weight)
    if array.shape not in ((1, m), (m,)):
        raise ValueError(f"{function}: {name} must have shape (1, {m}) or ({m},) but has shape {array.shape}")
    converted = arrays.c_order(finite.finite(function, name, array, dtype))
    need_none(function, name, "numbers that are not negative", array, converted < 0)
    return converted.reshape(m)


def need_weight(function: str, weights: Array, order: Array | None) -> None:
    """Raise an error unless the weights of all examples have a sum to divide by."""
    if weights.size == 0:
        return
    # The sum decides only on two errors, so its rounding doesn't matter: no weight is negative, none cancels.
    with np.errstate(over="ignore"):
        total = float(np.add.reduce(weights if order is None else weights[order], dtype=F64))
    if total == 0:
        raise ValueError(f"{function}: sample_weight is 0 for all examples, so their mean is undefined")
    if total > np.finfo(weights.dtype).max:
        raise ValueError(f"{function}: the sum of sample_weight is too large for {weights.dtype}: {total}")


def examples(function: str, X: Any, Y: Any, sample_weight: Any, n: Network) -> Examples:
    """At least one example, with its label and weight, of a network. The weights may all be 0."""
    X_ = features(function, X, n.sizes)
    Y_, classes = _labels(function, Y, X_, n)
    m = X_.shape[1]
    if m == 0:
        raise ValueError(f"{function}: the mean over 0 examples is undefined (X {X_.shape})")
    return Examples(X_, Y_, classes, weights_of(function, sample_weight, m, n.theta.dtype))


def _order(function: str, order: Any, X: Array) -> Array | None:
    """Indices of examples as int64, or None for all examples as they stand."""
    if order is None:
        return None
    try:
        array = np.asarray(order)
    except ValueError as error:
        raise ValueError(f"{function}: order is no array: {error}") from None
    if array.ndim != 1:
        raise ValueError(f"{function}: order must have 1 axis but has shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{function}: {EMPTY_ORDER}")
    if array.dtype.kind not in "iu":
        hint = "; for a mask pass np.flatnonzero(order)" if array.dtype.kind == "b" else ""
        raise TypeError(f"{function}: order must hold integers, not {array.dtype}{hint}")
    arrays.as_real(function, "order", order)  # refuses a masked array
    m = X.shape[1]
    if array.min() < 0 or array.max() >= m:
        wrong = (array < 0) | (array >= m)
        need_none(function, "order", f"indices of examples, from 0 to {m - 1}", array, wrong)
    return np.ascontiguousarray(array, np.int64)


# -- one check a function --------------------------------------------------------------------------------


class Forward(NamedTuple):
    network: Network
    X: Array
    out: Array


def forward(
    theta: Any, sizes: Any, X: Any, activations: Any, output: Any, negative_slope: Any, out: Any
) -> Forward:
    """Arguments of `network_forward`."""
    f = "network_forward"
    n = network(f, theta, sizes, activations, output, negative_slope)
    X_ = features(f, X, n.sizes)
    shape, dtype = (n.sizes[-1], X_.shape[1]), n.theta.dtype
    if out is None:
        return Forward(n, X_, np.empty(shape, dtype))
    given = (("theta", theta), ("X", X))
    return Forward(n, X_, outputs.check_out(f, out, shape, dtype, given, in_place=False))


class Propagate(NamedTuple):
    network: Network
    examples: Examples
    l2: float
    gradient: Array


def gradient_for(like: Array, theta: Any, X: Any, Y: Any, sample_weight: Any, out: Any) -> Array:
    """`out` if the gradient may be written to it, an array like these parameters; a new one if it is None."""
    if out is None:
        return np.empty_like(like)
    given = [("theta", theta), ("X", X), ("Y", Y)]
    given += [] if sample_weight is None else [("sample_weight", sample_weight)]
    return outputs.check_out("network_propagate", out, like.shape, like.dtype, given, in_place=False)


def propagate(
    theta: Any, sizes: Any, X: Any, Y: Any, activations: Any, output: Any, negative_slope: Any,
    sample_weight: Any, l2: Any, out: Any,
) -> Propagate:  # fmt: skip
    """Arguments of `network_propagate`."""
    f = "network_propagate"
    n = network(f, theta, sizes, activations, output, negative_slope)
    given = examples(f, X, Y, sample_weight, n)
    need_weight(f, given.weights, None)
    penalty = values.within(f, "l2", l2)
    return Propagate(n, given, penalty, gradient_for(n.theta, theta, X, Y, sample_weight, out))


class Epoch(NamedTuple):
    """`settings` and `state` are those of the optimizer (`optimizers.Arrays`)."""

    network: Network
    examples: Examples
    order: Array | None
    batch_size: int
    l2: float
    settings: Array
    state: Array


def epoch(
    theta: Any, sizes: Any, optimizer: Any, X: Any, Y: Any, activations: Any, output: Any, batch_size: Any,
    order: Any, negative_slope: Any, sample_weight: Any, l2: Any,
) -> Epoch:  # fmt: skip
    """Arguments of `train_epoch`. Only once all are right may the optimizer make arrays for its state."""
    f = "train_epoch"
    n = network(f, theta, sizes, activations, output, negative_slope, updated=True)
    given = examples(f, X, Y, sample_weight, n)
    order_ = _order(f, order, given.X)
    need_weight(f, given.weights, order_)
    size, penalty = values.count(f, "batch_size", batch_size, 1), values.within(f, "l2", l2)
    read = [("X", X), ("Y", Y), ("sample_weight", sample_weight), ("order", order)]
    outputs.need_apart(f, [("theta", theta)], [(name, value) for name, value in read if value is not None])
    if isinstance(optimizer, type) or not hasattr(optimizer, "arrays_for"):
        kind = optimizer.__name__ if isinstance(optimizer, type) else type(optimizer).__name__
        what = f"the class {kind}" if isinstance(optimizer, type) else kind
        raise TypeError(
            f"{f}: optimizer must be one of dlkernels.optimizers, for instance Adam(1e-3), not {what}"
        )
    settings, state = optimizer.arrays_for(f, theta, "optimizer.")
    return Epoch(n, given, order_, size, penalty, settings, state)
