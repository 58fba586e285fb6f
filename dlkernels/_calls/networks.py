"""Calls of the kernels of networks of any depth.

A call from Python should take few microseconds. So arguments that need no conversion are compared in compiled
code (`ready`, `predict_directly`). All others go through `_inputs.networks`, which also says what is wrong.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from dlkernels._calls.optimizer import Settings
from dlkernels._calls.plans import Plan, plan, prepared
from dlkernels._calls.threads import NEVER_BELOW, forced
from dlkernels._calls.views import in_c_order, unmarked
from dlkernels._calls.workspaces import kept
from dlkernels._compiler.options import guarded
from dlkernels._inputs import networks as checks
from dlkernels._inputs import parts
from dlkernels._inputs.arrays import F32, F64, Array
from dlkernels._kernels import direct
from dlkernels._kernels import network as kernels
from dlkernels._kernels.direct import CLASSES, DONE, NOT_SIMPLE
from dlkernels._kernels.network_forward import network_predict, predict_workspace
from dlkernels._kernels.optimizers import L2, SLOPE

I64 = np.dtype(np.int64)
_ALL = np.empty(0, I64)
#: The weights of examples that have none, and the state of no optimizer.
_NO_NUMBERS: dict[np.dtype[Any], Array] = {F32: np.empty(0, F32), F64: np.empty(0, F64)}

# -- networks by their sizes and names -------------------------------------------------------------------


class Layout(NamedTuple):
    """What is the same for all calls with one network: its sizes and codes, also as arrays for the kernels.

    An epoch's workspace begins with `room` numbers for the gradient: those of all `parameters`, rounded up to
    whole cache lines as by `_kernels.memory.whole_lines`.
    """

    sizes: tuple[int, ...]
    codes: tuple[int, ...]
    sizes_array: Array
    codes_array: Array
    parameters: int
    room: int


@functools.lru_cache(maxsize=1024)
def _layout(sizes: tuple[int, ...], codes: tuple[int, ...]) -> Layout:
    count = checks.count_parameters(sizes)
    return Layout(sizes, codes, np.array(sizes, I64), np.array(codes, I64), count, -(-count // 16) * 16)


@functools.lru_cache(maxsize=1024)
def _named(sizes: tuple[int, ...], activations: Any, output: str) -> Layout | None:
    """The layout of a network that the checks accept, or None."""
    try:
        found = checks.layers("", sizes, activations, output)
    except (TypeError, ValueError):
        return None
    return _layout(*found)


#: The arguments of the last `_known`, and its answer: comparing objects takes 0.08 us, looking up names 0.35.
_last_known: list[tuple[Any, Any, Any, Layout | None]] = [(None, None, None, None)]


def _known(sizes: Any, activations: Any, output: Any) -> Layout | None:
    """As `_named`, where none of the arguments needs to be converted."""
    last = _last_known[0]
    if sizes is last[0] and activations is last[1] and output is last[2]:
        return last[3]
    if type(sizes) is not tuple or type(output) is not str:
        return None
    for size in sizes:
        if type(size) is not int:  # 2.0 and True would be found as 2 and 1
            return None
    try:
        layout = _named(sizes, activations, output)
    except TypeError:  # a list has no hash
        return None
    _last_known[0] = (sizes, activations, output, layout)
    return layout


@functools.lru_cache(maxsize=1024)
def _predict_plan(dtype: np.dtype[Any], sizes: tuple[int, ...], m: int, X_transposed: bool) -> Plan:
    numbers = np.array(sizes, I64)
    work = direct.predict_work(numbers, m, dtype.itemsize)
    return plan(network_predict, float(work), predict_workspace, dtype, numbers, m, X_transposed)


@functools.lru_cache(maxsize=1024)
def _epoch_plan(dtype: np.dtype[Any], sizes: tuple[int, ...], batch_size: int, X_transposed: bool) -> Plan:
    numbers = np.array(sizes, I64)
    work, size = kernels.network_work(numbers, batch_size, dtype.itemsize), kernels.network_workspace
    found = plan(kernels.network_epoch, float(work), size, dtype, numbers, batch_size, X_transposed)
    return found._replace(alone=found.alone + _layout(sizes, ()).room)


# -- calls of the kernels --------------------------------------------------------------------------------


def _as_it_lies(X: Array, dtype: np.dtype[Any]) -> bool:
    """Whether kernels can read X where it is."""
    flags = X.flags
    return X.dtype == dtype and flags.aligned and (flags.c_contiguous or flags.f_contiguous)


def predict(c: checks.Forward) -> None:
    """Write the results to `out`."""
    n, dtype = c.network, c.network.theta.dtype
    layout = _layout(n.sizes, n.codes)
    whole = [slice(0, c.X.shape[1])]
    for part in whole if _as_it_lies(c.X, dtype) else parts.segments(c.X, dtype):
        X = parts.columns(c.X, part, dtype)
        X, X_T = in_c_order(X if _as_it_lies(X, dtype) else np.ascontiguousarray(X))
        m = part.stop - part.start
        A = c.out if m == c.out.shape[1] else np.empty((layout.sizes[-1], m), dtype)
        kernel, memory, workers = prepared(_predict_plan(dtype, n.sizes, m, X_T), dtype)
        kernel(unmarked(n.theta), layout.sizes_array, layout.codes_array, n.slope, X, X_T, A, memory, workers)
        if A is not c.out:
            c.out[:, part] = A


class NetworkCall(NamedTuple):
    """A network and its examples as `network_epoch` takes them: X, or its transpose if `X_transposed`."""

    layout: Layout
    theta: Array
    X: Array
    X_transposed: bool
    Y: Array
    classes: bool
    weights: Array


def epoch(
    g: NetworkCall, order: Array, batch_size: int, settings: Array, state: Array, gradient: Array | None
) -> float:
    """Call `network_epoch`; return the mean cost. Without a `gradient`, it is written to the workspace."""
    layout, dtype = g.layout, g.theta.dtype
    kernel, memory, workers = prepared(_epoch_plan(dtype, layout.sizes, batch_size, g.X_transposed), dtype)
    if gradient is None:
        gradient = memory[: layout.parameters]
    cost: float = kernel(
        g.theta, layout.sizes_array, layout.codes_array, g.X, g.X_transposed, g.Y, g.classes, g.weights,
        order, batch_size, settings, state, gradient, memory[layout.room :], workers,
    )  # fmt: skip
    return cost


def _call_of(n: checks.Network, e: checks.Examples) -> NetworkCall:
    X, X_T = in_c_order(e.X)
    return NetworkCall(
        _layout(n.sizes, n.codes), n.theta, X, X_T, unmarked(e.Y), e.classes, unmarked(e.weights)
    )


def _part(e: checks.Examples, which: Any) -> tuple[checks.Examples, float]:
    """Some examples, converted so that the kernel can read them; and the sum of their weights."""
    X = parts.columns(e.X, which, e.Y.dtype)
    X = X if _as_it_lies(X, e.Y.dtype) else np.ascontiguousarray(X)
    weights = e.weights[which] if e.weights.size else e.weights
    total = float(weights.sum(dtype=F64)) if weights.size else float(X.shape[1])
    return checks.Examples(X, np.ascontiguousarray(e.Y[:, which]), e.classes, weights), total


def train_directly(
    g: NetworkCall, order: Array, batch_size: int, negative_slope: float, l2: float, settings: Array,
    state: Array,
) -> float:  # fmt: skip
    """Train on all batches of examples that the kernel can read where they are; return the mean cost."""
    settings[L2], settings[SLOPE] = l2, negative_slope
    size = min(batch_size, len(order) or g.Y.shape[1])
    return epoch(g, order, size, settings, state, None)


def train(c: checks.Epoch) -> float:
    """Train on all batches; return the mean cost."""
    n, e = c.network, c.examples
    order = _ALL if c.order is None else c.order
    if _as_it_lies(e.X, n.theta.dtype):
        call = _call_of(n, e)
        return train_directly(call, unmarked(order), c.batch_size, n.slope, c.l2, c.settings, c.state)
    count = order.size or e.X.shape[1]
    size = min(c.batch_size, count)
    c.settings[L2], c.settings[SLOPE] = c.l2, n.slope
    costs, totals = [], []
    for part in parts.segments(e.X, n.theta.dtype, size, count):
        cost, total = _train_part(c, order[part] if order.size else part, size)
        costs.append(cost)
        totals.append(total)
    return parts.mean(costs, totals)


def _train_part(c: checks.Epoch, which: Any, size: int) -> tuple[float, float]:
    """Train on some examples, converted; return the mean cost and the sum of the weights."""
    examples, total = _part(c.examples, which)
    if total == 0:
        return 0.0, 0.0
    size = min(size, examples.X.shape[1])
    return epoch(_call_of(c.network, examples), _ALL, size, c.settings, c.state, None), total


def propagate_directly(g: NetworkCall, negative_slope: float, l2: float, gradient: Array) -> float:
    """Write the gradient for examples that the kernel can read where they are; return the cost."""
    settings, state = np.zeros(len(Settings._fields)), _NO_NUMBERS[g.theta.dtype]
    settings[L2], settings[SLOPE] = l2, negative_slope
    return epoch(g, _ALL, g.Y.shape[1], settings, state, gradient)


def propagate(c: checks.Propagate) -> float:
    """Write the gradient; return the cost."""
    n, e = c.network._replace(theta=unmarked(c.network.theta)), c.examples

    def gradient_of(examples: checks.Examples, out: Array) -> float:
        return propagate_directly(_call_of(n, examples), n.slope, c.l2, out)

    def of_part(which: slice, out: Array) -> tuple[float, float]:
        examples, total = _part(e, which)
        return (gradient_of(examples, out), total) if total else (0.0, 0.0)

    return gradient_of(e, c.gradient) if _as_it_lies(e.X, n.theta.dtype) else parts.in_parts(c, of_part)


# -- direct calls ----------------------------------------------------------------------------------------


def _floats_and_indices(*arguments: Any) -> bool:
    """Whether all arrays are in C order and writeable, and hold floats of one dtype or int64."""
    arrays = [argument for argument in arguments if isinstance(argument, np.ndarray)]
    floats = [array for array in arrays if array.dtype != I64]
    return all(
        array.flags.carray and array.dtype in (floats[0].dtype, I64) and array.dtype in (F32, F64, I64)
        for array in arrays
    )


#: A direct call is tried for at most so many numbers in X. For more, the time that it saves doesn't matter.
_DIRECT_NUMBERS = 2**16
_direct_forward = guarded(direct.network_forward, _floats_and_indices, NOT_SIMPLE)
_labels_fit = guarded(direct.network_fits, _floats_and_indices, NOT_SIMPLE)


def ready(
    theta: Any, sizes: Any, X: Any, Y: Any, activations: Any, output: Any, order: Any, negative_slope: Any,
    sample_weight: Any, l2: Any,
) -> tuple[NetworkCall, Array] | None:  # fmt: skip
    """The network with its examples, and their order, if the kernel can take the arguments as they are.

    Otherwise the answer is None: `checks` converts them, or says what is wrong.

    All that depends on the examples is compared in compiled code.
    """
    if not (
        type(theta) is type(X) is type(Y) is np.ndarray
        and ((dtype := theta.dtype) is F64 or dtype is F32)
        and X.dtype is dtype
        and (Y.dtype is dtype or Y.dtype.kind in "iub")
        and X.ndim == Y.ndim == 2
        and type(negative_slope) is type(l2) is float
        and 0.0 <= l2 < math.inf
        and forced.get() is None
        and (layout := _known(sizes, activations, output)) is not None
        and theta.shape == (layout.parameters,)  # compiled code would count up to 2**63 only
    ):
        return None
    weights = _NO_NUMBERS[dtype]
    if sample_weight is not None:
        if type(sample_weight) is not np.ndarray or sample_weight.dtype is not dtype:
            return None
        m = X.shape[1]
        if sample_weight.shape not in ((m,), (1, m)) or not sample_weight.flags.carray:
            return None
        weights = sample_weight.reshape(-1)
    if order is None:
        order = _ALL
    elif type(order) is not np.ndarray or order.dtype is not I64 or order.ndim != 1 or len(order) == 0:
        return None
    if Y.dtype is not dtype:  # class numbers and the like
        Y = Y.astype(dtype)
    rows, transposed = in_c_order(X)
    answer = _labels_fit(theta, layout.sizes_array, layout.codes_array, rows, transposed, Y, weights, order)
    if answer == NOT_SIMPLE:
        return None
    return NetworkCall(layout, theta, rows, transposed, Y, answer == CLASSES, weights), order


def predict_directly(
    theta: Any, sizes: Any, X: Any, activations: Any, output: Any, negative_slope: Any, out: Any
) -> Array | None:
    """The results of a network for few examples, if the arguments need no conversion; else None.

    The dtype of an array that was pickled equals F32 or F64, but is another object.
    """
    if not (
        type(theta) is type(X) is np.ndarray
        and ((dtype := theta.dtype) is F64 or dtype is F32 or dtype in (F64, F32))
        and (X.dtype is dtype or X.dtype == dtype)
        and X.ndim == 2
        and X.size <= _DIRECT_NUMBERS
        and type(negative_slope) is float
        and (out is None or (type(out) is np.ndarray and out.dtype is dtype and out.ndim == 2))
        and forced.get() is None
        and (layout := _known(sizes, activations, output)) is not None
        and theta.shape == (layout.parameters,)  # before memory for A is asked for
    ):
        return None
    A = np.empty((sizes[-1], X.shape[1]), dtype) if out is None else out
    rows, transposed = in_c_order(X)
    answer = _direct_forward(
        NEVER_BELOW, theta, layout.sizes_array, layout.codes_array, negative_slope, rows, transposed, A,
        kept(dtype),
    )  # fmt: skip
    return A if answer == DONE else None
