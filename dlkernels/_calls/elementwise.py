"""Calls of activations and their derivatives, with as few checks as small and large arrays each need."""

from __future__ import annotations

from typing import Any

from numpy import empty, ndarray

from dlkernels._calls import threads
from dlkernels._calls.threads import forced
from dlkernels._calls.views import flat, same_memory
from dlkernels._compiler.options import Twins, guarded, not_refused
from dlkernels._inputs import checks
from dlkernels._inputs.arrays import F32, F64, Array, as_kernels_take_them
from dlkernels._inputs.checks import CODES, FROM_A, FROM_Z
from dlkernels._kernels import elementwise as kernels
from dlkernels.catalogue import ACTIVATIONS

#: `apply` and `apply_backward` try these two first, with the arrays as they were given. They do all work that
#: needs neither conversion of arrays nor a second thread. The conditions for the attempt are written out in
#: both functions, since a function for them would cost 0.05 of 0.8 us.
_serial = guarded(kernels.activation.serial, as_kernels_take_them)
_serial_backward = guarded(kernels.activation_backward.serial, as_kernels_take_them)

_LEAKY_RELU = CODES["leaky_relu"]
#: For each activation's code: the estimated nanoseconds for a byte of numbers, on one thread.
_COST = [activation.nanoseconds for activation in ACTIVATIONS.values()]
_COST_BACKWARD = [activation.backward_nanoseconds for activation in ACTIVATIONS.values()]
#: For each activation's code: the number of bytes up to which nothing else is asked before a serial call.
_SERIAL_BYTES = [int(threads.NEVER_BELOW / cost) for cost in _COST]
_SERIAL_BYTES_BACKWARD = [int(threads.NEVER_BELOW / cost) for cost in _COST_BACKWARD]


def _call(kernel: Twins, cost: float, code: int, parameter: float, *arrays: Array) -> bool:
    """Call the faster twin; the last array takes the result. False if the kernel refuses the arrays."""
    faster = threads.twin(kernel, cost * arrays[-1].nbytes)
    return bool(faster(code, parameter, *map(flat, arrays)))


def _shared_out(kernel: Twins, code: int, parameter: float, *arrays: Array) -> bool:
    """Call the parallel twin for arrays of one dtype, if they have one shape and need no conversion.

    Otherwise this returns False. `checks` would find the same out, and say what is wrong, in 4 us more.
    """
    shape = arrays[0].shape
    for array in arrays:
        if array.shape != shape or not array.flags.carray:
            return False
    if len(shape) != 1:
        arrays = tuple([array.ravel() for array in arrays])
    return bool(threads.in_parallel(kernel, code, parameter, *arrays))


def apply(name: str, Z: Any, out: Any, parameter: float = 0.0) -> Array:
    """g(Z) for the activation of this name, written to `out` if that is given."""
    code = CODES[name]
    if (
        type(Z) is ndarray
        and ((dtype := Z.dtype) is F32 or dtype is F64)
        and (out is None or (type(out) is ndarray and out.dtype is dtype))
        and forced.get() is None
        and ((few := Z.nbytes <= _SERIAL_BYTES[code]) or Z.flags.carray)
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


def apply_backward(name: str, dA: Any, A: Any, Z: Any, out: Any, parameter: float = 0.0) -> Array:
    """dA * g'(z) for the activation of this name, from A or Z, written to `out` if that is given."""
    code = CODES[name]
    saved, formula = (A, FROM_A[code]) if Z is None else (Z, FROM_Z[code] if A is None else -1)
    if (
        formula >= 0
        and type(dA) is type(saved) is ndarray
        and (code != _LEAKY_RELU or Z is not None or parameter > 0)
        and ((dtype := dA.dtype) is F32 or dtype is F64)
        and saved.dtype is dtype
        and (out is None or (type(out) is ndarray and out.dtype is dtype))
        and forced.get() is None
        and ((few := dA.nbytes <= _SERIAL_BYTES_BACKWARD[code]) or (dA.flags.carray and saved.flags.carray))
    ):
        target = empty(dA.shape, dtype) if out is None else out
        if few or not threads.parallel_pays(_COST_BACKWARD[code] * dA.nbytes):
            done = _serial_backward(formula, parameter, dA, saved, target)
        else:
            done = _shared_out(kernels.activation_backward, formula, parameter, dA, saved, target)
        if done:
            return target
    dA, saved, formula, out = checks.elementwise_backward(name, dA, A, Z, parameter, out)
    if same_memory(saved, out):
        saved = saved.copy()  # the kernel writes to out before it has read all of saved
    work = _COST_BACKWARD[code]
    not_refused(_call(kernels.activation_backward, work, formula, parameter, dA, saved, out))
    return out
