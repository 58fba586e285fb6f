"""The functions of networks of any depth for compiled code, as overloads (see `elementwise`).

In compiled code sizes are a tuple, and X, Y, the weights and the order are arrays. In place of an optimizer
`train_epoch` takes what `Optimizer.arrays` returns. Initial parameters can't be drawn there.
"""

# mypy: disable-error-code="no-untyped-def, misc, attr-defined"
from __future__ import annotations

from typing import Any

import numpy as np
from numba import TypingError, literal_unroll, types

from dlkernels import networks, parameters
from dlkernels._calls.optimizer import Arrays, Settings
from dlkernels._compiler import internals
from dlkernels._compiler.options import ONE, shared
from dlkernels._inputs import networks as checks
from dlkernels._kernels import direct, linked
from dlkernels._kernels import network as kernels
from dlkernels._kernels.direct import CLASSES, NOT_SIMPLE
from dlkernels._kernels.linked import Given
from dlkernels._kernels.network_forward import predict_workspace
from dlkernels._kernels.optimizers import DECAY1, L2, RULE, SGD, SLOPE
from dlkernels._nopython.arguments import (
    Refused,
    activation_of,
    arrays_of,
    as_matrix,
    as_matrix_or_transpose,
    as_vector,
    code_of,
    given,
    need_number,
    number_of,
    output_as,
    overlap_check,
    table_of,
)
from dlkernels._nopython.elementwise import overload_of
from dlkernels.catalogue import OUTPUTS

_count, _fits = direct.count_parameters, direct.network_fits
#: Counted in float64, as many parameters are surely counted right in int64.
_MOST_PARAMETERS = 2.0**62


class NetworkRefused(Refused):
    """Arguments of a network that don't fit; about shapes, the message is that for a call from Python."""

    def __init__(
        self, function: str, theta: tuple[int, ...], sizes: tuple[int, ...], X: tuple[int, ...],
        Y: tuple[int, ...],
    ) -> None:  # fmt: skip
        message = (
            f"{function}: shapes don't fit, or a label, a weight or an index of an example is wrong; called "
            f"from Python it says more (theta {theta}, sizes {sizes}, X {X}, Y {Y})"
        )
        try:
            # Nobody reads or writes the memory of these arrays, so they may be of any size.
            checks.network(function, np.empty(theta, np.float32), sizes, "relu", "identity", 0.0)
            checks.features(function, np.empty(X, np.float32), sizes)
        except ValueError as error:
            message = str(error)
        ValueError.__init__(self, message)


# -- sizes and names -------------------------------------------------------------------------------------


def _sizes_of(function: str, sizes: Any) -> tuple[int, Any]:
    """The number of layers; and a function from the sizes, which it checks, to an array of them."""
    if not (isinstance(sizes, types.BaseTuple) and all(isinstance(s, types.Integer) for s in sizes)):
        raise TypingError(f"{function}: sizes must be a tuple of integers, not {sizes}")
    if len(sizes) < 2:
        raise TypingError(f"{function}: {checks.FEW_SIZES}")
    wrong, many = f"{function}: sizes must be at least 1", f"{function}: sizes are too large for an int64"

    @shared
    def as_array(sizes):
        numbers, i = np.empty(len(sizes), np.int64), 0
        for size in literal_unroll(sizes):  # of several types, if some sizes are literals
            if size < 1:
                raise ValueError(wrong)
            numbers[i] = size
            i += 1  # noqa: SIM113  (enumerate would hide the types from literal_unroll)
        parameters = 0.0
        for layer in range(1, len(sizes)):
            parameters += float(numbers[layer]) * (float(numbers[layer - 1]) + 1.0)
        if parameters >= _MOST_PARAMETERS:
            raise ValueError(many)
        return numbers

    return len(sizes) - 1, as_array


def _codes_of(function: str, layers: int, activations: Any, output: Any) -> Any:
    """A function from the names of the activations and of the output to an array of their codes."""
    hidden = layers - 1
    output_code = code_of(function, "output", output, OUTPUTS)
    if not isinstance(activations, types.BaseTuple):
        hidden_code = activation_of(function, activations)

        @shared
        def one_name(activations, output):
            codes = np.empty(layers, np.int64)
            codes[:] = hidden_code(activations)
            codes[hidden] = output_code(output)
            return codes

        return one_name
    if len(activations) != hidden:
        raise TypingError(
            f"{function}: activations must be one name, or one for each of {hidden} hidden layers"
        )
    if isinstance(activations, types.UniTuple):
        each = activation_of(function, activations[0])

        @shared
        def several(activations, output):
            codes = np.empty(layers, np.int64)
            for i in range(hidden):
                codes[i] = each(activations[i])
            codes[hidden] = output_code(output)
            return codes

        return several
    if not all(hasattr(g, "literal_value") for g in activations):
        raise TypingError(
            f"{function}: activations must be all variables or all literal strings, not {activations}"
        )
    constant = (*(checks.activation_code(function, g.literal_value) for g in activations), 0)

    @shared
    def known(activations, output):
        codes = np.array(constant)
        codes[hidden] = output_code(output)
        return codes

    return known


@overload_of(parameters.num_parameters)
def _num_parameters(sizes):
    _, sizes_array = _sizes_of("num_parameters", sizes)
    return lambda sizes: _count(sizes_array(sizes))


@overload_of(parameters.network_views)
def _network_views(theta, sizes):
    f = "network_views"
    layers, sizes_array = _sizes_of(f, sizes)
    if not (isinstance(theta, types.Array) and theta.ndim == 1 and theta.layout == "C"):
        raise TypingError(f"{f}: theta must be a contiguous array with 1 axis, not {theta}")

    def implementation(theta, sizes):
        n = sizes_array(sizes)
        if theta.size != _count(n):
            raise NetworkRefused(f, theta.shape, sizes, (n[0], 1), (n[-1], 1))
        found, first = [], 0
        for layer in range(1, layers + 1):
            n_in, n_out = n[layer - 1], n[layer]
            last = first + n_out * n_in
            W, b = theta[first:last].reshape(n_out, n_in), theta[last : last + n_out].reshape(n_out, 1)
            found.append((W, b))
            first = last + n_out
        return found

    return implementation


# -- results ---------------------------------------------------------------------------------------------

_predict, _predict_workspace = direct.network_results.linked, predict_workspace


@overload_of(networks.network_forward)
def _network_forward(theta, sizes, X, activations="relu", output="sigmoid", negative_slope=0.01, out=None):
    f = "network_forward"
    number = _dtype_of(f, theta)
    arrays_of(f, {"X": X})
    need_number(f, "negative_slope", negative_slope)
    layers, sizes_array = _sizes_of(f, sizes)
    codes_array, need_apart = _codes_of(f, layers, activations, output), overlap_check(f, out)
    theta_view, (X_view, X_T), take = (
        as_vector(number, theta),
        as_matrix_or_transpose(number, X),
        output_as(f, number, 2, out),
    )

    def implementation(theta, sizes, X, activations="relu", output="sigmoid", negative_slope=0.01, out=None):
        n, codes = sizes_array(sizes), codes_array(activations, output)
        if X.shape[0] != n[0] or theta.size != _count(n):
            raise NetworkRefused(f, theta.shape, sizes, X.shape, (n[-1], X.shape[1]))
        m = X.shape[1]
        A = take(out, (n[-1], m))
        theta_, X_, A_ = theta_view(theta), X_view(X), table_of(A)
        need_apart((A_,), (X_,))
        need_apart((A_,), (theta_,))
        workspace = np.empty(_predict_workspace(n, m, X_T, ONE, theta_), number)
        _predict(theta_, n, codes, np.float64(negative_slope), X_, X_T, A_, workspace, ONE)
        return A

    return implementation


# -- gradients and epochs --------------------------------------------------------------------------------

_SETTINGS = len(Settings._fields)
_steps, _workspace = linked.network_steps.linked, kernels.network_workspace


def _dtype_of(function: str, theta: Any) -> Any:
    """The dtype of all computing: that of theta, or float64 if that is of integers."""
    if not (isinstance(theta, types.Array) and theta.ndim == 1):
        raise TypingError(f"{function}: theta must be an array with 1 axis, not {theta}")
    return number_of(function, {"theta": theta})


def _weights_of(function: str, number: Any, weights: Any) -> Any:
    """A function that turns the weights, (m,) or (1, m), into a vector; an empty one if there are none."""
    if not given(weights):
        return shared(lambda weights, m: np.empty(0, number))
    if not (isinstance(weights, types.Array) and weights.ndim in (1, 2)):
        raise TypingError(f"{function}: sample_weight must be an array with 1 or 2 axes, not {weights}")
    number_of(function, {"sample_weight": weights})
    view, wrong = as_vector(number, weights), f"{function}: sample_weight must have shape (1, m) or (m,)"
    last = weights.ndim - 1

    @shared
    def checked(weights, m):
        if weights.size != m or weights.shape[last] != m:
            raise ValueError(wrong)
        return view(weights)

    return checked


def _order_of(function: str, order: Any) -> Any:
    """A function that turns the order into int64; without one, it makes an empty array."""
    if not given(order):
        return shared(lambda order: np.empty(0, np.int64))
    if not (isinstance(order, types.Array) and order.ndim == 1 and isinstance(order.dtype, types.Integer)):
        raise TypingError(f"{function}: order must be an array of integers with 1 axis, not {order}")
    message = f"{function}: {checks.EMPTY_ORDER}"

    @shared
    def checked(order):
        if order.size == 0:
            raise ValueError(message)
        return order.astype(np.int64)

    return checked


@shared
def _need_penalty(l2, message):
    if not (l2 >= 0.0 and np.isfinite(l2)):
        raise ValueError(message)


@overload_of(networks.network_propagate)
def _network_propagate(
    theta, sizes, X, Y, activations="relu", output="sigmoid", negative_slope=0.01, sample_weight=None,
    l2=0.0, out=None,
):  # fmt: skip
    f = "network_propagate"
    number = _dtype_of(f, theta)
    arrays_of(f, {"X": X, "Y": Y})
    need_number(f, "negative_slope", negative_slope)
    need_number(f, "l2", l2)
    layers, sizes_array = _sizes_of(f, sizes)
    codes_array, need_apart = _codes_of(f, layers, activations, output), overlap_check(f, out)
    theta_view, (X_view, X_T), Y_view = (
        as_vector(number, theta),
        as_matrix_or_transpose(number, X),
        as_matrix(number, Y),
    )
    weights_view, take = _weights_of(f, number, sample_weight), output_as(f, number, 1, out)
    bad_l2 = f"{f}: l2 must be finite and at least 0"

    def implementation(
        theta, sizes, X, Y, activations="relu", output="sigmoid", negative_slope=0.01, sample_weight=None,
        l2=0.0, out=None,
    ):  # fmt: skip
        _need_penalty(l2, bad_l2)
        n, codes, m = sizes_array(sizes), codes_array(activations, output), X.shape[1]
        theta_, X_, Y_, all_ = theta_view(theta), X_view(X), Y_view(Y), np.empty(0, np.int64)
        weights = weights_view(sample_weight, m)
        answer = _fits(theta_, n, codes, X_, X_T, Y_, weights, all_)
        if answer == NOT_SIMPLE:
            raise NetworkRefused(f, theta.shape, sizes, X.shape, Y.shape)
        gradient = take(out, theta.shape)
        need_apart((gradient,), (theta_, weights))
        need_apart((gradient,), (X_, Y_))
        settings, result = np.zeros(_SETTINGS), np.empty(1, np.float64)
        settings[L2], settings[SLOPE] = l2, negative_slope
        examples = Given(X_, X_T, Y_, answer == CLASSES, weights, all_)
        workspace = np.empty(_workspace(n, m, X_T, ONE, theta_), number)
        _steps(theta_, n, codes, examples, m, settings, np.empty(0, number), gradient, result, workspace)
        return gradient, result[0]

    return implementation


@overload_of(networks.train_epoch)
def _train_epoch(
    theta, sizes, optimizer, X, Y, activations="relu", output="sigmoid", batch_size=0, order=None,
    negative_slope=0.01, sample_weight=None, l2=0.0,
):  # fmt: skip
    f = "train_epoch"
    number = _dtype_of(f, theta)
    if not (theta.dtype in (types.float32, types.float64) and theta.layout == "C" and theta.mutable):
        raise TypingError(
            f"{f}: theta is updated in place and must be a writeable array of floats, not {theta}"
        )
    if getattr(optimizer, "instance_class", None) is not Arrays:
        raise TypingError(
            f"{f}: compiled code takes optimizer.arrays(theta) as the optimizer, not {optimizer}"
        )
    if optimizer[1].dtype != theta.dtype:
        raise TypingError(
            f"{f}: theta has dtype {theta.dtype}, but the optimizer updates {optimizer[1].dtype}"
        )
    arrays_of(f, {"X": X, "Y": Y})
    need_number(f, "negative_slope", negative_slope)
    need_number(f, "l2", l2)
    layers, sizes_array = _sizes_of(f, sizes)
    codes_array = _codes_of(f, layers, activations, output)
    (X_view, X_T), Y_view = as_matrix_or_transpose(number, X), as_matrix(number, Y)
    weights_view, order_view = _weights_of(f, number, sample_weight), _order_of(f, order)
    bad_l2, bad_size = f"{f}: l2 must be finite and at least 0", f"{f}: batch_size must be at least 1"
    unlike = f"{f}: the optimizer updates other parameters than theta"
    no_state = f"{f}: the optimizer has no state, which its settings need; take optimizer.arrays(theta) anew"

    def implementation(
        theta, sizes, optimizer, X, Y, activations="relu", output="sigmoid", batch_size=0, order=None,
        negative_slope=0.01, sample_weight=None, l2=0.0,
    ):  # fmt: skip
        _need_penalty(l2, bad_l2)
        if batch_size < 1:
            raise ValueError(bad_size)
        n, codes, m = sizes_array(sizes), codes_array(activations, output), X.shape[1]
        X_, Y_, indices = X_view(X), Y_view(Y), order_view(order)
        weights, (settings, state) = weights_view(sample_weight, m), optimizer
        answer = _fits(theta, n, codes, X_, X_T, Y_, weights, indices)
        if answer == NOT_SIMPLE:
            raise NetworkRefused(f, theta.shape, sizes, X.shape, Y.shape)
        if settings.size != _SETTINGS or state.size not in (0, 2 * theta.size):
            raise ValueError(unlike)
        if state.size == 0 and not (settings[RULE] == SGD and settings[DECAY1] == 0.0):
            raise ValueError(no_state)
        settings[L2], settings[SLOPE] = l2, negative_slope
        size, result = min(batch_size, indices.size if indices.size else m), np.empty(1, np.float64)
        examples = Given(X_, X_T, Y_, answer == CLASSES, weights, indices)
        workspace = np.empty(_workspace(n, size, X_T, ONE, theta), number)
        gradient = np.empty(theta.size, number)
        _steps(theta, n, codes, examples, size, settings, state, gradient, result, workspace)
        return result[0]

    return implementation


internals.find_new_implementations()
