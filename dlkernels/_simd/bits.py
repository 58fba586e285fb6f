"""The bits of a floating-point number as an integer of the same width, and back."""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

_INTEGER = {types.float32: types.int32, types.float64: types.int64}
_REAL = {integer: real for real, integer in _INTEGER.items()}


def _reinterpret(targets):
    @intrinsic
    def reinterpret(typing_context, value):
        if value not in targets:
            return None
        target = targets[value]

        def generate(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], context.get_value_type(target))

        return target(value), generate

    return reinterpret


_to_integer, _to_real = _reinterpret(_INTEGER), _reinterpret(_REAL)


def to_integer(x):
    """float32 -> int32, float64 -> int64, bit for bit."""
    return x.view(np.int32 if isinstance(x, np.float32) else np.int64)


def to_real(n):
    """int32 -> float32, int64 -> float64, bit for bit."""
    return n.view(np.float32 if isinstance(n, np.int32) else np.float64)


@overload(to_integer)
def _overload_to_integer(x):
    return lambda x: _to_integer(x)


@overload(to_real)
def _overload_to_real(n):
    return lambda n: _to_real(n)
