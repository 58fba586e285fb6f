"""log x and log(1 + x).

Both reduce their argument to 1 + g within [sqrt(1/2), sqrt(2)], where log(1 + g) = 2 artanh(g / (2 + g)) is
found from a polynomial. The polynomials interpolate at Chebyshev nodes. (The tests compute their coefficients
anew, with mpmath.) Read `formats` first: it explains how a function is written for both formats.
"""

from __future__ import annotations

import functools

import numpy as np

from dlkernels._compiler.options import scalar
from dlkernels._elementary.formats import F32, coefficients, horner, per_format
from dlkernels._simd.bits import to_integer, to_real

#: p(s²) = (2 artanh(s) / s - 2) / s² for |s| <= (sqrt(2) - 1) / (sqrt(2) + 1).
LOG_32 = coefficients(np.float32, 0.6666668653488159, 0.3998878002166748, 0.29579949378967285)
LOG_64 = coefficients(
    np.float64,
    0.666666666666667, 0.39999999999899505, 0.28571428625975487, 0.2222221113479508,
    0.18182889125261723, 0.15331721600556042, 0.14616449685043406,
)  # fmt: skip


@functools.cache
def _log1p_core(f):
    two, half = f.two, f.half
    p = horner(LOG_32 if f is F32 else LOG_64)

    @scalar
    def log1p_core(g):
        """log(1 + g) for 1 + g within [sqrt(1/2), sqrt(2)]: 2 artanh(g / (2 + g))."""
        s = g / (two + g)
        z = s * s
        half_square = half * g * g
        return g - (half_square - s * (half_square + z * p(z)))

    return log1p_core


@per_format
def log1p_unit(f):
    zero, one, half, ln2 = f.zero, f.one, f.half, f.ln2
    sqrt2_minus_1 = f.real(0.41421356237309503)
    log1p_core = _log1p_core(f)

    @scalar
    def log1p_unit(e):
        """log(1 + e) for 0 <= e <= 1, as ln 2 + log((1 + e) / 2) where 1 + e > sqrt(2)."""
        large = e > sqrt2_minus_1
        g = half * (e - one) if large else e
        return log1p_core(g) + (ln2 if large else zero)

    return log1p_unit


@per_format
def log(f):
    integer, real, zero, one, tiny = f.integer, f.real, f.zero, f.one, f.tiny
    ln2_high, ln2_low, mantissa_mask, shift = f.ln2_high, f.ln2_low, f.mantissa_mask, f.shift
    lift, lifting, nan, infinity = f.lift, f.lifting, f.nan, f.infinity
    sqrt_half_bits = real(0.7071067811865476).view(integer)
    log1p_core = _log1p_core(f)

    @scalar
    def log(x):
        """log x, as k ln 2 + log(1 + g), where x = 2^k (1 + g) and 1 + g is within [sqrt(1/2), sqrt(2)]."""
        subnormal = x < tiny
        y = x * lifting if subnormal else x
        bits = integer(to_integer(y) - sqrt_half_bits)
        k = real(bits >> shift)
        k = k - lift if subnormal else k
        g = to_real(integer((bits & mantissa_mask) + sqrt_half_bits)) - one
        result = k * ln2_high + (log1p_core(g) + k * ln2_low)
        result = x if x == infinity else result
        result = -infinity if x == zero else result
        return result if x >= zero else nan

    return log


@per_format
def log1p(f):
    zero, one, infinity = f.zero, f.one, f.infinity
    log_ = log.of(f)

    @scalar
    def log1p(x):
        """log(1 + x), as log u + lost / u, where u is 1 + x rounded, and `lost` is its rounding error."""
        u = one + x
        lost = x - (u - one)
        return log_(u) + (lost / u if (u > zero) & (u < infinity) else zero)

    return log1p
