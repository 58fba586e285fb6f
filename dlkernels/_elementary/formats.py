"""The two floating-point formats, and how a function is written once for both of them.

Numba compiles `math.exp` and `math.tanh` to calls into the C library, one number at a time. The functions of
this folder have no branch, no table and no call, so LLVM turns a loop over them into SIMD code: a float32
sigmoid takes 0.3 ns instead of 2.6, a tanh 0.3 instead of 10 (one core of an AMD EPYC with AVX-512).

Each function is made by a maker, which is called once for each format and gets its constants (`Format`):

    @per_format
    def square_plus_half(f):
        half = f.half

        @scalar
        def square_plus_half(x):
            return x * x + half

        return square_plus_half

Constants must be of the format's own type: Python's 0.5 is a float64, and an operation of a float32 with it
would give a float64.

Literature: W. J. Cody and W. Waite, "Software Manual for the Elementary Functions", 1980.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from dlkernels._compiler.options import SCALAR_OPTIONS, scalar


class Format:
    """A floating-point format: its types, and constants of its type.

    A number is rounded to a whole number k by adding and then taking away `magic`: 1.5 times 2^52 (2^23 in
    float32), plus the bias of exponents. The last bits of the sum are k plus the bias, the exponent field of
    2^k; shifted to their place they are the bits of 2^k. So no number is ever converted to an integer, which
    isn't defined for NaN.

    A number is *lifted* if it is multiplied by `lifting`, a power of two. Lifted, a subnormal result is still
    a normal number and keeps all its bits; the last step multiplies it by `unlifting`. With `magic_lifted` in
    place of `magic`, 2^k comes out lifted.
    """

    def __init__(self, real: Any, integer: Any, mantissa_bits: int, bias: int) -> None:
        self.real, self.integer = real, integer
        self.zero, self.half, self.one, self.two = (real(c) for c in (0, 0.5, 1, 2))
        self.infinity, self.nan, self.tiny = real(np.inf), real(np.nan), real(np.finfo(real).tiny)
        self.shift, self.bias = integer(mantissa_bits), real(bias)
        self.mantissa_mask = integer(2**mantissa_bits - 1)
        self.sign_bit = integer(np.iinfo(integer).min)
        self.magic = real(1.5 * 2.0**mantissa_bits + bias)
        # ln 2 in two parts; the first has so few bits that k times it is exact.
        high = 0.6931471803691238 if real is np.float64 else 0.693359375
        self.ln2_high = real(high)
        self.ln2_low = real(1.9082149292705877e-10 if real is np.float64 else -2.1219444005469057e-4)
        self.ln2, self.log2e = real(0.6931471805599453), real(1.4426950408889634)
        # Times 2^lift every subnormal number is normal, and so is a number somewhat too small for the format.
        lift = mantissa_bits + 16
        self.lift, self.lifting, self.unlifting = real(lift), real(2.0**lift), real(2.0**-lift)
        self.magic_lifted = self.magic + self.lift
        # For x below this limit x e^x is 0.
        self.exp_limit = real(-(bias + mantissa_bits + 14) * 0.6931471805599453)


F32 = Format(np.float32, np.int32, 23, 127)
F64 = Format(np.float64, np.int64, 52, 1023)


def per_format(make: Callable[[Format], Any]) -> Any:
    """Turn a maker, which makes a function of one number for a format, into that function for both formats.

    The type of the argument chooses the format. `NAME.of(f)` is the function for format f; makers of other
    functions use it. A maker is called when its function is needed first: calling all of them takes 20 ms,
    for which `import dlkernels` need not wait.
    """
    of = functools.cache(make)

    def function(x):
        return of(F32)(x) if isinstance(x, np.float32) else of(F64)(np.float64(x))

    @overload(function, jit_options=SCALAR_OPTIONS)
    def choose(x):
        chosen = of(F32 if x == types.float32 else F64)
        return lambda x: chosen(x)

    function.of = of  # type: ignore[attr-defined]
    function.__name__ = make.__name__
    return function


def coefficients(real: Any, *numbers: float) -> tuple[Any, ...]:
    """The coefficients of a polynomial, lowest power first, rounded to one format."""
    return tuple(real(number) for number in numbers)


def horner(c: tuple[Any, ...]) -> Any:
    """The polynomial with these coefficients, term by term: ((c2 x + c1) x + c0)."""
    formula = f"c{len(c) - 1}"
    for i in reversed(range(len(c) - 1)):
        formula = f"({formula}) * x + c{i}"
    return _compiled(formula, c)


def in_fours(c: tuple[Any, ...], *, first_last: bool = False) -> Any:
    """The polynomial with these coefficients, four terms at a time: ... x⁴ + ((c3 x + c2) x² + (c1 x + c0)).

    In `horner` each term waits for the result of the one before. Here groups of four terms are computed
    independently of each other: sigmoid takes 1.12 ns instead of 1.19. With `first_last`, c0 is left out of
    the groups and added last, so that the sum with it is rounded only once.
    """
    terms = [f"c{i}" for i in range(len(c))]
    formula = _in_fours(terms[1:] if first_last else terms)
    return _compiled(f"({formula}) * x + c0" if first_last else formula, c)


def _in_fours(terms: list[str]) -> str:
    pairs = [" * x + ".join(reversed(terms[i : i + 2])) for i in range(0, min(len(terms), 4), 2)]
    group = f"({pairs[1]}) * x2 + ({pairs[0]})" if len(pairs) == 2 else pairs[0]
    return f"({_in_fours(terms[4:])}) * x4 + ({group})" if len(terms) > 4 else group


def _compiled(formula: str, c: tuple[Any, ...]) -> Any:
    """The function x -> formula, in which c0, c1, ... are coefficients, x2 is x² and x4 is x² x².

    It is written as text. A chain of functions, one for each term, would be the other way to get here from a
    tuple of coefficients. But Numba would compile them one by one, and the first call of sigmoid, which
    compiles all activations, would take 7.4 s instead of 3.1.
    """
    names = {f"c{i}": coefficient for i, coefficient in enumerate(c)}
    exec(f"def polynomial(x):\n    x2 = x * x\n    x4 = x2 * x2\n    return {formula}", names)
    return scalar(names["polynomial"])
