"""Calls of activations and their derivatives: small and large ones each check only what they must."""

from __future__ import annotations

from typing import Any

from numpy import empty, ndarray

from dlkernels._calls import threads
from dlkernels._calls.threads import forced
from dlkernels._calls.views import flat, same_memory
from dlkernels._compiler.options import Twins, guarded, not_refused
from dlkernels._inputs import checks
from dlkernels._inputs.arrays import F32, F64, Array, as_kernels_take_them
from dlkernels._kernels import elementwise as kernels
from dlkernels.catalogue import ACTIVATIONS

#: Asked first, with the arrays as they were given. What needn't be converted nor shared out among threads is
#: done by them. The conditions stand where they are asked, since a function for them would cost 0.05 of 0.8
#: us.
_serial = guarded(kernels.activation.serial, as_kernels_take_them)
_serial_backward = guarded(kernels.activation_backward.serial, as_kernels_take_them)

_CODES = {name: activation.code for name, activation in ACTIVATIONS.items()}
#: By code: estimated nanoseconds for a byte of numbers on one thread.
_COST = [activation.nanoseconds for activation in ACTIVATIONS.values()]
_COST_BACKWARD = [activation.backward_nanoseconds for activation in ACTIVATIONS.values()]
#: By code: up to so many bytes the serial kernel is called at once.
_FEW = [int(threads.NEVER_BELOW / cost) for cost in _COST]
_FEW_BACKWARD = [int(threads.NEVER_BELOW / cost) for cost in _COST_BACKWARD]


def _call(kernel: Twins, cost: float, code: int, parameter: float, *arrays: Array) -> bool:
    """Call the faster twin; the last array takes the result. False if the kernel refuses the arrays."""
    faster = threads.twin(kernel, cost * arrays[-1].nbytes)
    return bool(faster(code, parameter, *map(flat, arrays)))


def _shared_out(kernel: Twins, code: int, parameter: float, *arrays: Array) -> bool:
    """Call the parallel twin for arrays of one dtype, if they are of one shape and as kernels take them.

    `checks` would find that out as well, and name what is wrong, in 4 us more.
    """
    shape = arrays[0].shape
    for array in arrays:
        if array.shape != shape or not array.flags.carray:
            return False
    if len(shape) != 1:
        arrays = tuple([array.ravel() for array in arrays])
    return bool(threads.in_parallel(kernel, code, parameter, *arrays))


def apply(name: str, Z: Any, out: Any, parameter: float = 0.0) -> Array:
    """g(Z) for the activation of this name, in `out` if that is given."""
    code = _CODES[name]
    if (
        type(Z) is ndarray
        and ((dtype := Z.dtype) is F32 or dtype is F64)
        and (out is None or (type(out) is ndarray and out.dtype is dtype))
        and forced.get() is None
        and ((few := Z.nbytes <= _FEW[code]) or Z.flags.carray)
    ):
        target = empty(Z.shape, dtype) if out is None else out
        if few or not threads.parallel_pays(_COST[code] * Z.nbytes):
            done = _serial(code, parameter, Z, target)
        else:
            done = _shared_out(kernels.activation, code, parameter, Z, target)
        if done:
            return target
    Z, out = checks.elementwise(name, Z, out)
    not_refused(_call(kernels.activation, _COST[code], code, parameter, Z, out))
    return out


def apply_backward(name: str, dA: Any, saved: Any, out: Any, parameter: float = 0.0) -> Array:
    """dA * g'(z) for the activation of this name, from `saved`, in `out` if that is given."""
    code = _CODES[name]
    if (
        type(dA) is type(saved) is ndarray
        and ((dtype := dA.dtype) is F32 or dtype is F64)
        and saved.dtype is dtype
        and (out is None or (type(out) is ndarray and out.dtype is dtype))
        and forced.get() is None
        and ((few := dA.nbytes <= _FEW_BACKWARD[code]) or (dA.flags.carray and saved.flags.carray))
    ):
        target = empty(dA.shape, dtype) if out is None else out
        if few or not threads.parallel_pays(_COST_BACKWARD[code] * dA.nbytes):
            done = _serial_backward(code, parameter, dA, saved, target)
        else:
            done = _shared_out(kernels.activation_backward, code, parameter, dA, saved, target)
        if done:
            return target
    dA, saved, out = checks.elementwise_backward(name, dA, saved, out)
    if same_memory(saved, out):
        saved = saved.copy()  # the kernel writes to out before it has read all of saved
    not_refused(_call(kernels.activation_backward, _COST_BACKWARD[code], code, parameter, dA, saved, out))
    return out
