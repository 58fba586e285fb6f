"""Calls of the elementwise kernels: small and large ones each have a way that checks only what it must."""

from __future__ import annotations

from typing import Any

from numpy import empty, ndarray

from dlkernels._calls import threads
from dlkernels._calls.plans import flat, same_memory
from dlkernels._calls.threads import forced
from dlkernels._compiler.options import Twins, guarded, not_refused
from dlkernels._inputs import checks
from dlkernels._inputs.arrays import F32, F64, Array, as_kernels_take_them
from dlkernels._kernels import activations

#: Asked first, with the arrays as they were given: what is neither to be converted nor shared out among
#: threads is done by them. The conditions stand where they are asked, since a call of a function would cost
#: 0.05 of 0.8 us.
_serial = guarded(activations.activation.serial, as_kernels_take_them)
_serial_backward = guarded(activations.activation_backward.serial, as_kernels_take_them)

#: Estimated nanoseconds that a byte of numbers takes on one thread, by code; and for all derivatives.
_COST = (0.03, 0.1, 0.09, 0.03, 0.03)
_BACKWARD_COST = 0.045
#: Bytes below which the serial kernel is called at once.
_FEW = [int(threads.NEVER_BELOW / cost) for cost in _COST]
_FEW_BACKWARD = int(threads.NEVER_BELOW / _BACKWARD_COST)


def _call(kernel: Twins, cost: float, code: int, negative_slope: float, *arrays: Array) -> bool:
    """Call the faster twin; the last array takes the result. False if the kernel refuses them."""
    faster = threads.twin(kernel, cost * arrays[-1].nbytes)
    return bool(faster(code, negative_slope, *map(flat, arrays)))


def _shared_out(kernel: Twins, code: int, negative_slope: float, *arrays: Array) -> bool:
    """Call the parallel twin for arrays of one dtype, if they are of one shape and as kernels take them.

    `checks` would find out as well, and name what is wrong, in 4 us more.
    """
    shape = arrays[0].shape
    for array in arrays:
        if array.shape != shape or not array.flags.carray:
            return False
    if len(shape) != 1:
        arrays = tuple([array.ravel() for array in arrays])
    return bool(threads.in_parallel(kernel, code, negative_slope, *arrays))


def apply(function: str, code: int, Z: Any, out: Any, negative_slope: float = 0.0) -> Array:
    """g(Z), by its code, in `out` if that is given; `function` is named where something doesn't fit."""
    if (
        type(Z) is ndarray
        and ((dtype := Z.dtype) is F32 or dtype is F64)
        and (out is None or (type(out) is ndarray and out.dtype is dtype))
        and forced.get() is None
        and ((few := Z.nbytes <= _FEW[code]) or Z.flags.carray)
    ):
        target = empty(Z.shape, dtype) if out is None else out
        if few or not threads.parallel_pays(_COST[code] * Z.nbytes):
            done = _serial(code, negative_slope, Z, target)
        else:
            done = _shared_out(activations.activation, code, negative_slope, Z, target)
        if done:
            return target
    Z, out = checks.elementwise(function, Z, out)
    not_refused(_call(activations.activation, _COST[code], code, negative_slope, Z, out))
    return out


def apply_backward(
    function: str, code: int, dA: Any, saved: Any, saved_name: str, out: Any, negative_slope: float = 0.0
) -> Array:
    """As `apply`, for dA * g'(saved)."""
    if (
        type(dA) is type(saved) is ndarray
        and ((dtype := dA.dtype) is F32 or dtype is F64)
        and saved.dtype is dtype
        and (out is None or (type(out) is ndarray and out.dtype is dtype))
        and forced.get() is None
        and ((few := dA.nbytes <= _FEW_BACKWARD) or (dA.flags.carray and saved.flags.carray))
    ):
        target = empty(dA.shape, dtype) if out is None else out
        if few or not threads.parallel_pays(_BACKWARD_COST * dA.nbytes):
            done = _serial_backward(code, negative_slope, dA, saved, target)
        else:
            done = _shared_out(activations.activation_backward, code, negative_slope, dA, saved, target)
        if done:
            return target
    dA, saved, out = checks.elementwise_backward(function, dA, saved, saved_name, out)
    if same_memory(saved, out):
        saved = saved.copy()  # the kernel overwrites out before it reads saved
    not_refused(_call(activations.activation_backward, _BACKWARD_COST, code, negative_slope, dA, saved, out))
    return out
