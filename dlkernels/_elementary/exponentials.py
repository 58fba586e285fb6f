"""e^x, and the functions that are made of it: sigmoid, tanh, and SiLU.

Range reduction: x = k ln 2 + r with |r| <= ln 2 / 2, so e^x = 2^k e^r, and e^r = 1 + r + r² q(r), where the
polynomial q interpolates at Chebyshev nodes. (The tests compute its coefficients anew, with mpmath.)

The worst errors over the whole range are in `_kernels/MEASUREMENTS-2026-11.md`. Read `formats` first: it
explains how a function is written for both formats, the constants `magic` and `magic_lifted`, and the word
*lifted*.
"""

from __future__ import annotations

import functools

import numpy as np

from dlkernels._compiler.options import scalar
from dlkernels._elementary.formats import F32, coefficients, horner, in_fours, per_format
from dlkernels._simd.bits import to_integer, to_real

#: q(r) = (e^r - 1 - r) / r² for |r| <= ln 2 / 2.
EXP_32 = coefficients(
    np.float32,
    0.5, 0.16666577756404877, 0.041666556149721146, 0.008363173343241215, 0.0013926175888627768,
)  # fmt: skip
EXP_64 = coefficients(
    np.float64,
    0.5000000000000001, 0.16666666666666669, 0.041666666666624164, 0.008333333333330065,
    0.0013888888917196719, 0.00019841269863040545, 2.4801521322368692e-05, 2.7557268480310024e-06,
    2.7620075879983367e-07, 2.5100375832561234e-08,
)  # fmt: skip
#: The same for 0 <= r <= ln 2.
EXP_FROM_0_32 = coefficients(
    np.float32,
    0.5, 0.16666683554649353, 0.04166371747851372, 0.008351285941898823, 0.001339999958872795,
    0.0002582843881100416,
)  # fmt: skip
EXP_FROM_0_64 = coefficients(
    np.float64,
    0.5, 0.16666666666666605, 0.04166666666670265, 0.008333333332525018, 0.0013888888981905408,
    0.0001984126360594814, 2.480184735670985e-05, 2.755037500589881e-06, 2.7675822427424673e-07,
    2.3809145859037096e-08, 2.8057924179166324e-09,
)  # fmt: skip


@functools.cache
def exp_polynomial(f):
    """The function q of e^r = 1 + r + r² q(r), for |r| <= ln 2 / 2."""
    return horner(EXP_32) if f is F32 else in_fours(EXP_64)


def _half_expm1_polynomial(f):
    """The function q of (e^2s - 1) / 2 = s + s² q(s), for 0 <= s <= ln 2 / 2."""
    doubled = tuple(
        f.real(float(c) * 2 ** (i + 1)) for i, c in enumerate(EXP_FROM_0_32 if f is F32 else EXP_FROM_0_64)
    )
    return horner(doubled) if f is F32 else in_fours(doubled)


@functools.cache
def _exp_parts(f, magic):
    """The function x -> (e^r - 1, 2^k), where e^x = 2^k e^r. If `magic` is `magic_lifted`, 2^k is lifted."""
    integer, shift, log2e, ln2_high, ln2_low = f.integer, f.shift, f.log2e, f.ln2_high, f.ln2_low
    q = exp_polynomial(f)

    @scalar
    def exp_parts(x):
        t = x * log2e + magic
        k = t - magic
        r = (x - k * ln2_high) - k * ln2_low
        return r + r * r * q(r), to_real(integer(to_integer(t) << shift))

    return exp_parts


@per_format
def exp_nonpositive(f):
    one, limit, unlifting = f.one, f.exp_limit, f.unlifting
    exp_parts = _exp_parts(f, f.magic_lifted)

    @scalar
    def exp_nonpositive(x):
        """e^x for x <= 0, subnormal results included: 2^k is lifted meanwhile, and so a normal number."""
        u, power = exp_parts(limit if x < limit else x)
        return (one + u) * power * unlifting

    return exp_nonpositive


@per_format
def exp(f):
    integer, shift, zero, one, two = f.integer, f.shift, f.zero, f.one, f.two
    log2e, ln2_high, ln2_low, limit, q = f.log2e, f.ln2_high, f.ln2_low, f.exp_limit, exp_polynomial(f)
    magic_lifted, unlifting = f.magic_lifted, f.unlifting
    # Half of 2^k is a normal number even where e^x is almost infinite. From `highest` on it is infinite.
    magic_halved, highest = f.magic - one, (f.bias + two) * f.ln2

    @scalar
    def exp(x):
        """e^x. 2^k is lifted for x < 0, as in `exp_nonpositive`, and halved for x >= 0."""
        bounded = limit if x < limit else (highest if x > highest else x)
        magic = magic_lifted if x < zero else magic_halved
        t = bounded * log2e + magic
        k = t - magic
        r = (bounded - k * ln2_high) - k * ln2_low
        power = to_real(integer(to_integer(t) << shift))
        return (one + (r + r * r * q(r))) * power * (unlifting if x < zero else two)

    return exp


@per_format
def expm1_nonpositive(f):
    one = f.one
    # For x below this limit the result is -1.
    limit = -(f.real(f.shift) + f.two) * f.ln2
    exp_parts = _exp_parts(f, f.magic)

    @scalar
    def expm1_nonpositive(x):
        """e^x - 1 for x <= 0, as 2^k (e^r - 1) + (2^k - 1); near 0, where k is 0, nothing cancels."""
        u, power = exp_parts(limit if x < limit else x)
        return power * u + (power - one)

    return expm1_nonpositive


@per_format
def sigmoid(f):
    integer, sign_bit, one, zero = f.integer, f.sign_bit, f.one, f.zero
    exp = exp_nonpositive.of(f)

    @scalar
    def sigmoid(z):
        """1 / (1 + e^-z) for z >= 0, and e^z / (1 + e^z) for z < 0, so that nothing overflows.

        With e = e^-|z| and q = e / (1 + e) these are 1 - q and e - e q. In this form the rounding error
        of q changes the result by that error times q (for z >= 0) or times e (for z < 0) only.
        """
        e = exp(to_real(integer(to_integer(z) | sign_bit)))
        above = one if z >= zero else e
        return above - above * (e / (one + e))

    return sigmoid


@per_format
def tanh(f):
    integer, one, half = f.integer, f.one, f.half
    # For x = |z|, 2 x is reduced to 2 s. The constants are scaled so that x itself can be reduced to s.
    log2e, ln2_high, ln2_low = f.two * f.log2e, f.half * f.ln2_high, f.half * f.ln2_low
    shift, sign_bit, magic = f.shift, f.sign_bit, f.magic
    # From this limit on tanh is 1.
    limit = f.real(10 if f is F32 else 20)
    # Taking away one half makes rounding to the nearest a rounding down. It must be a little less than one
    # half: at z = 0 one half would be a tie, which rounds to the even neighbour of magic, the lower one.
    down = np.nextafter(f.half, f.zero)
    q = _half_expm1_polynomial(f)

    @scalar
    def tanh(z):
        """m / (m + 1) for m = (e^2|z| - 1) / 2, with the sign of z.

        2 |z| = k ln 2 + 2 s, so m = 2^k (e^2s - 1) / 2 + (2^k - 1) / 2. k is rounded down. Then s >= 0, and
        both terms of m are positive or 0: nothing cancels. With c = min(m, 1) the result is computed as
        c - c (c / (m + 1)), which equals m / (m + 1), but keeps little of the quotient's rounding errors.
        """
        x = to_real(integer(to_integer(z) & ~sign_bit))
        x = limit if x > limit else x
        t = (x * log2e - down) + magic
        k = t - magic
        s = (x - k * ln2_high) - k * ln2_low
        power = to_real(integer(to_integer(t) << shift))
        m = power * (s + s * s * q(s)) + (power * half - half)
        c = m if m < one else one
        a = c - c * (c / (m + one))
        return to_real(integer(to_integer(a) | (to_integer(z) & sign_bit)))

    return tanh


@per_format
def silu(f):
    integer, sign_bit, one, zero, limit = f.integer, f.sign_bit, f.one, f.zero, f.exp_limit
    unlifting, exp_parts = f.unlifting, _exp_parts(f, f.magic_lifted)

    @scalar
    def silu(z):
        """z / (1 + e^-z) for z >= 0, and z e^z / (1 + e^z) for z < 0.

        For z < 0, z e^z is computed while e^z is lifted: where e^z is a subnormal number of few bits, z e^z
        has more of them.
        """
        x = to_real(integer(to_integer(z) | sign_bit))
        x = limit if x < limit else x
        u, power = exp_parts(x)
        divisor = one + (one + u) * power * unlifting
        return z / divisor if z >= zero else (x + x * u) * power / divisor * unlifting

    return silu


#: z0, where SiLU is lowest (1 + z0 + e^z0 = 0), and e^z0. Each is followed by its correction: the exact
#: number is the sum of the two.
SILU_LOWEST_32 = coefficients(
    np.float32, -1.2784645557403564, 1.2979282537628478e-08, 0.27846455574035645, -1.2979282537628478e-08
)
SILU_LOWEST_64 = coefficients(
    np.float64, -1.2784645427610737, -1.0946994183093437e-16, 0.2784645427610738, -1.5523606315812798e-18
)


@per_format
def silu_slope(f):
    integer, sign_bit, one, zero, limit, shift = f.integer, f.sign_bit, f.one, f.zero, f.exp_limit, f.shift
    log2e, ln2_high, ln2_low, magic, unlifting = f.log2e, f.ln2_high, f.ln2_low, f.magic_lifted, f.unlifting
    lowest, lacking, c, c_lacking = SILU_LOWEST_32 if f is F32 else SILU_LOWEST_64
    # z0 in two parts. The first has so few bits that its sum with k ln2_high is exact.
    lowest_high = f.real((np.float16 if f is F32 else np.float32)(lowest))
    lowest_low = lowest - lowest_high
    far, q = -f.two, exp_polynomial(f)

    @scalar
    def silu_slope(z):
        """The derivative of SiLU: e^z (1 + z + e^z) / (1 + e^z)² for z < 0, and 1 - silu_slope(-z) else.

        The sum 1 + z + e^z is 0 at z0 and cancels near it. With d = z - z0 and c = e^z0 the sum is
        d + c (e^d - 1), whose two terms have the same sign; and e^z is c e^d. Below -2 the sum is formed as
        1 + z + e^z after all, because d would be rounded there.
        """
        x = to_real(integer(to_integer(z) | sign_bit))
        x = limit if x < limit else x
        d = x - lowest
        t = d * log2e + magic
        k = t - magic
        # r is computed from x, not from d, because d was rounded.
        r = ((x - (k * ln2_high + lowest_high)) - lowest_low) - (k * ln2_low + lacking)
        u, lifted_power = r + r * r * q(r), to_real(integer(to_integer(t) << shift))
        power = lifted_power * unlifting
        e_over_power = c + (c * u + c_lacking)
        e = e_over_power * power
        # The two terms of the sum: first as d and c (e^d - 1), then, below -2, as 1 + z and e^z.
        first, second = d, c * (power * u + (power - one)) - lacking
        if x < far:
            first, second = one + x, e
        lifted = (first * e_over_power + second * e_over_power) * lifted_power
        # The divisor is (1 + e)², in a form with fewer rounding errors than the product of two sums.
        slope = lifted / (one + (e * e + (e + e))) * unlifting
        return one - slope if z >= zero else slope

    return silu_slope
