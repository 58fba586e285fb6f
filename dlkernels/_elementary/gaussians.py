"""GELU and its derivative, by way of the upper tail of the normal distribution.

The density is phi(x) = e^(-x²/2) / sqrt(2 pi). The tail Phi(-x) is the integral of phi from x on. For x >= 0
both fall like e^(-x²/2), but their quotient (Mills' ratio) falls only from sqrt(pi / 2) to 1 / x. Therefore
Phi(-x) is computed as e^(-x²/2) p(t) / (x + K), where p is a polynomial in t = (x - K) / (x + K), which is
between -1 and 1. Literature: M. M. Shepherd and J. G. Laframboise, "Chebyshev approximation of (1 + 2x)
exp(x²) erfc x in 0 <= x < infinity", Mathematics of Computation 36, 1981.

The polynomials interpolate at Chebyshev nodes. (The tests compute their coefficients anew, with mpmath.) Read
`formats` first: it explains how a function is written for both formats, and the word *lifted*.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from dlkernels._compiler.options import scalar
from dlkernels._elementary.exponentials import exp_polynomial
from dlkernels._elementary.formats import F32, coefficients, horner, in_fours, per_format
from dlkernels._simd.bits import to_integer, to_real


class Fit:
    """A polynomial in t = (x - K) / (x + K): K, and the coefficients in one format.

    With K near 3 or near 4 the polynomial is short, and flat where x is 0, so that the rounding of t matters
    little. Of these K, the chosen one has first coefficients that lie nearest to numbers of the format: gelu
    in float32 is at most 3.6 units in the last place off, and 3.9 with K = 3.
    """

    def __init__(self, K: float, real: Any, *numbers: float) -> None:
        self.K, self.coefficients = K, coefficients(real, *numbers)


#: (x + K) Phi(-x) e^(x²/2), as a polynomial in t.
TAIL_32 = Fit(2.96875, np.float32,
    0.7279254794120789, -0.5052400827407837, 0.22422708570957184, -0.04322796314954758,
    -0.01152939721941948, 0.0066095925867557526, 0.0012655637692660093, -0.000974911788944155,
    -0.0002845163980964571, 0.00011838598584290594, 5.5824046285124496e-05,
)  # fmt: skip
TAIL_64 = Fit(3.9375, np.float64,
    0.7541108056114132, -0.6032175877860371, 0.37888832174197323, -0.17784760767384955, 0.05445373511104128,
    -0.005057371598753518, -0.0038312483100505557, 0.0014048021861179862, 0.00024344978362040402,
    -0.0002149172764778121, -2.242301321603176e-05, 3.3557238913755605e-05, 4.546513880080375e-06,
    -5.492818937733681e-06, -1.3668039460204136e-06, 8.523223585081521e-07, 4.050715460843882e-07,
    -9.455724321953929e-08, -1.0319626171992532e-07, -4.3699353954210545e-09, 1.9549364452221268e-08,
    5.689926188456382e-09, -1.6949981198217988e-09, -1.156999437390229e-09, -1.6528357663937263e-10,
)  # fmt: skip
#: (Phi(-x) - x phi(x)) e^(x²/2) / (x0 - x), as a polynomial in t; x0 is the root of Phi(-x) - x phi(x).
SLOPE_32 = Fit(3.1875, np.float32,
    0.4747108817100525, -0.11665870249271393, 0.05575709417462349, -0.01727348566055298,
    0.0017869749572128057, 0.0009429340134374797, -0.0002741965581662953, -9.079806477529928e-05,
    3.0297542252810672e-05, 1.3110092368151527e-05,
)  # fmt: skip
SLOPE_64 = Fit(4.6875, np.float64,
    0.45439631407233466, -0.09371476323907335, 0.06088411288555217, -0.033767037905127875,
    0.015487172758048102, -0.005531597934927465, 0.0013211290470125903, -7.888887310422951e-05,
    -8.09824395142043e-05, 2.74193194781333e-05, 2.251536810946586e-06, -3.3397142951927934e-06,
    1.8340425364980404e-07, 3.9749068302990856e-07, -5.0339882460428345e-08, -5.3653104909647374e-08,
    7.569226222940899e-09, 8.33147068392364e-09, -6.972446278417919e-10, -1.3459240512232956e-09,
    -6.700448004274784e-11, 1.5929199770094004e-10, 3.7208459664814405e-11,
)  # fmt: skip
#: x0, and its correction: the exact x0 is the sum of the two. GELU is lowest at -x0.
LOWEST_32 = coefficients(np.float32, 0.7517915368080139, -1.211444988769017e-08)
LOWEST_64 = coefficients(np.float64, 0.7517915246935645, -1.4956759177009883e-17)


def farthest(f):
    """The x from which on x phi(x) is 0."""
    return np.sqrt(-f.two * f.exp_limit)


@functools.cache
def _times_lifted_decay(f):
    """The function (y, x) -> y e^(-x²/2), lifted, for x >= 0."""
    integer, half, shift = f.integer, f.half, f.shift
    log2e, ln2_high, ln2_low, magic = f.log2e, f.ln2_high, f.ln2_low, f.magic_lifted
    # The mask of the lower half of the bits of x. The square of the upper half alone is exact.
    lower_half = integer(2 ** ((int(shift) + 2) // 2) - 1)
    q = exp_polynomial(f)

    @scalar
    def times_lifted_decay(y, x):
        """y e^(-x²/2), lifted.

        x² / 2 is computed as an exact square and a small rest. A rounded x² would make the result as much as
        x² units in the last place wrong.
        """
        upper = to_real(integer(to_integer(x) & ~lower_half))
        exact, rest = half * (upper * upper), half * ((x - upper) * (x + upper))
        t = -(exact + rest) * log2e + magic
        k = t - magic
        r = (-exact - k * ln2_high) - (k * ln2_low + rest)
        u = r + r * r * q(r)
        return (y + y * u) * to_real(integer(to_integer(t) << shift))

    return times_lifted_decay


def _polynomial(f, c):
    """The polynomial with the coefficients c. In float64, `in_fours` of all of them would add 0.8 ULP."""
    return horner(c) if f is F32 else in_fours(c, first_last=True)


@per_format
def gelu(f):
    integer, sign_bit, zero, one, unlifting = f.integer, f.sign_bit, f.zero, f.one, f.unlifting
    most, fit = farthest(f), TAIL_32 if f is F32 else TAIL_64
    k, p, times_lifted_decay = f.real(fit.K), _polynomial(f, fit.coefficients), _times_lifted_decay(f)

    @scalar
    def gelu(z):
        """z Phi(z). With x = |z| it is -x Phi(-x) for z < 0, and z - x Phi(-x) else; neither cancels.

        The result has the sign of z, even if it is 0.
        """
        x = to_real(integer(to_integer(z) & ~sign_bit))
        x = most if x > most else x
        s = x / (x + k)
        lifted = times_lifted_decay(s * p(s + s - one), x)
        result = (z if z >= zero else zero) - lifted * unlifting
        return to_real(integer(to_integer(result) | (to_integer(z) & sign_bit)))

    return gelu


@per_format
def gelu_slope(f):
    integer, sign_bit, zero, one, unlifting = f.integer, f.sign_bit, f.zero, f.one, f.unlifting
    most, fit = farthest(f), SLOPE_32 if f is F32 else SLOPE_64
    lowest, lacking = LOWEST_32 if f is F32 else LOWEST_64
    k, p, times_lifted_decay = f.real(fit.K), _polynomial(f, fit.coefficients), _times_lifted_decay(f)

    @scalar
    def gelu_slope(z):
        """Phi(z) + z phi(z). With x = |z| it is Phi(-x) - x phi(x) for z < 0, and 1 minus this for z >= 0."""
        x = to_real(integer(to_integer(z) & ~sign_bit))
        x = most if x > most else x
        lifted = times_lifted_decay(((lowest - x) + lacking) * p((x - k) / (x + k)), x)
        slope = lifted * unlifting
        return one - slope if z >= zero else slope

    return gelu_slope
