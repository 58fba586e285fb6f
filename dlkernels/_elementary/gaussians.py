"""GELU, and what it is made of: the normal distribution's density and its upper tail.

With the density phi(x) = e^(-x²/2) / sqrt(2 pi), the tail Phi(-x) is the integral of phi from x on. Both fall
like e^(-x²/2) for x >= 0, but their quotient, Mills' ratio, only from sqrt(pi / 2) to 1 / x. So the tail is
e^(-x²/2) times what a polynomial in t = (x - K) / (x + K), which is between -1 and 1, stands for. Literature:
M. M. Shepherd and J. G. Laframboise, "Chebyshev approximation of (1 + 2x) exp(x²) erfc x in 0 <= x <
infinity", Mathematics of Computation 36, 1981.

The polynomials interpolate at Chebyshev nodes. (The tests compute their coefficients anew, with mpmath.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlkernels._compiler.options import scalar
from dlkernels._elementary.exponentials import exp_polynomial
from dlkernels._elementary.formats import F32, coefficients, horner, in_fours, per_format
from dlkernels._simd.bits import to_integer, to_real


class Fit:
    """A polynomial in t, by its coefficients in one format.

    For K near 3 or near 4 it is short, and it is flat where x is 0, so that a rounding of t matters little.
    Of these K, the one is taken with which the first coefficients lose least by rounding: gelu in float32 is
    at most 3.6 units in the last place off, and 3.9 with 3.
    """

    def __init__(self, K: float, real: Any, *numbers: float) -> None:
        self.K, self.coefficients = K, coefficients(real, *numbers)


#: (x + K) Phi(-x) e^(x²/2), by t.
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
#: (Phi(-x) - x phi(x)) e^(x²/2) / (x0 - x), by t; x0 is the root of the difference.
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
#: x0 and what it lacks, rounded. GELU is lowest at -x0.
LOWEST_32 = coefficients(np.float32, 0.7517915368080139, -1.211444988769017e-08)
LOWEST_64 = coefficients(np.float64, 0.7517915246935645, -1.4956759177009883e-17)


def farthest(f):
    """From there on x phi(x) is 0."""
    return np.sqrt(-f.two * f.exp_limit)


def _times_lifted_decay(f):
    """What makes y e^(-x²/2), lifted, of y and x >= 0."""
    integer, half, shift = f.integer, f.half, f.shift
    log2e, ln2_high, ln2_low, magic = f.log2e, f.ln2_high, f.ln2_low, f.magic_lifted
    # Half of the bits of x: the square of the other half is exact.
    lower_half = integer(2 ** ((int(shift) + 2) // 2) - 1)
    q = exp_polynomial(f)

    @scalar
    def times_lifted_decay(y, x):
        """x² is an exact square and a small rest: rounded, it would be x² units in the last place off."""
        upper = to_real(integer(to_integer(x) & ~lower_half))
        exact, rest = half * (upper * upper), half * ((x - upper) * (x + upper))
        t = -(exact + rest) * log2e + magic
        k = t - magic
        r = (-exact - k * ln2_high) - (k * ln2_low + rest)
        u = r + r * r * q(r)
        return (y + y * u) * to_real(integer(to_integer(t) << shift))

    return times_lifted_decay


def _polynomial(f, c):
    """The first coefficient is added last, so that its sum is rounded once: in_fours alone adds 0.8 units."""
    if f is F32:
        return horner(c)
    first, rest = c[0], in_fours(c[1:])

    @scalar
    def polynomial(t):
        return rest(t) * t + first

    return polynomial


@per_format
def gelu(f):
    integer, sign_bit, zero, one, unlifting = f.integer, f.sign_bit, f.zero, f.one, f.unlifting
    most, fit = farthest(f), TAIL_32 if f is F32 else TAIL_64
    k, p, times_lifted_decay = f.real(fit.K), _polynomial(f, fit.coefficients), _times_lifted_decay(f)

    @scalar
    def gelu(z):
        """z Phi(z), as -x Phi(-x) for z = -x < 0, and z - x Phi(-x) for z = x: neither cancels."""
        x = to_real(integer(to_integer(z) & ~sign_bit))
        x = most if x > most else x
        s = x / (x + k)
        lifted = times_lifted_decay(s * p(s + s - one), x)
        return (z if z >= zero else zero) - lifted * unlifting

    return gelu


@per_format
def gelu_slope(f):
    integer, sign_bit, zero, one, unlifting = f.integer, f.sign_bit, f.zero, f.one, f.unlifting
    most, fit = farthest(f), SLOPE_32 if f is F32 else SLOPE_64
    lowest, lacking = LOWEST_32 if f is F32 else LOWEST_64
    k, p, times_lifted_decay = f.real(fit.K), _polynomial(f, fit.coefficients), _times_lifted_decay(f)

    @scalar
    def gelu_slope(z):
        """Phi(z) + z phi(z), as Phi(-x) - x phi(x) for z = -x < 0, and as 1 less that for z = x."""
        x = to_real(integer(to_integer(z) & ~sign_bit))
        x = most if x > most else x
        lifted = times_lifted_decay(((lowest - x) + lacking) * p((x - k) / (x + k)), x)
        slope = lifted * unlifting
        return one - slope if z >= zero else slope

    return gelu_slope
