"""Checks of single values: what counts as a number, and what the error messages say."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np

#: Truth values, and durations, which call themselves integers. No argument is meant by them.
_NO_NUMBERS = (bool, np.bool_, np.timedelta64)
#: The largest integer in compiled code, where counts are int64.
_LARGEST = 2**63 - 1
#: What other libraries call the same.
_ELSEWHERE = {
    "swish": "silu",
    "logistic": "sigmoid",
    "linear": "identity",
    "poisson": "exp",
    "xavier_uniform": "glorot_uniform",
    "xavier_normal": "glorot_normal",
    "kaiming_uniform": "he_uniform",
    "kaiming_normal": "he_normal",
}


def real(function: str, argument: str, value: Any) -> float:
    """A real number as a Python float; an array that holds exactly one number counts as this number."""
    if type(value) is float:
        return value
    if isinstance(value, np.ndarray):
        if value.size != 1:
            raise ValueError(f"{function}: {argument} must be one number but has shape {value.shape}")
        value = value.reshape(-1)[0]
    if isinstance(value, _NO_NUMBERS) or not isinstance(value, numbers.Real):
        raise TypeError(f"{function}: {argument} must be a real number, not {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{function}: {argument} is too large for a float") from None


def finite(function: str, argument: str, value: Any) -> float:
    """A real number that is neither NaN nor infinite."""
    number = real(function, argument, value)
    if not math.isfinite(number):
        raise ValueError(f"{function}: {argument} must be finite, not {number}")
    return number


def within(
    function: str, argument: str, value: Any, below: float = math.inf, *, included: bool = False
) -> float:
    """A finite number that is at least 0 and less than `below`, or equal to it if that is included."""
    number = finite(function, argument, value)
    if number < 0:
        raise ValueError(f"{function}: {argument} must be at least 0, not {number}")
    if number > below or (number == below and not included):
        words = "at most" if included else "less than"
        raise ValueError(f"{function}: {argument} must be {words} {below:g}, not {number}")
    return number


def fits(function: str, argument: str, number: float, dtype: np.dtype[Any]) -> float:
    """The number, unless it is finite and becomes infinite in this dtype."""
    with np.errstate(over="ignore"):
        too_large = math.isfinite(number) and not np.isfinite(dtype.type(number))
    if too_large:
        raise ValueError(f"{function}: {argument} is too large for {dtype}: {number}")
    return number


def count(function: str, argument: str, value: Any, minimum: int = 0, maximum: int = _LARGEST) -> int:
    """A whole number between these, both included."""
    if isinstance(value, _NO_NUMBERS) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{function}: {argument} must be an integer, not {type(value).__name__}")
    number = int(value)
    if number < minimum:
        raise ValueError(f"{function}: {argument} must be at least {minimum}, not {number}")
    if number > maximum:
        raise ValueError(f"{function}: {argument} must be at most {maximum}, not {number}")
    return number


def name(function: str, argument: str, value: Any, names: Iterable[str]) -> str:
    """A string that is one of these names."""
    if not isinstance(value, str):
        raise TypeError(f"{function}: {argument} must be a string, not {type(value).__name__}")
    if value not in (names := tuple(names)):
        raise ValueError(
            f"{function}: {argument} must be one of {', '.join(names)}, not {value!r}{meant(value, names)}"
        )
    return value


def meant(value: str, names: Iterable[str]) -> str:
    """The hint which of these names somebody may have meant who wrote another, or nothing."""
    import difflib

    written = value.lower().replace("-", "_").replace(" ", "_")
    found = difflib.get_close_matches(_ELSEWHERE.get(written, written), names, 1, 0.7)
    return f"; did you mean {found[0]!r}?" if found else ""
