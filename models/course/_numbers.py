"""Write numbers as text, and check how far apart results are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._experiment import Check


def number(value: float, digits: int = 6) -> str:
    """Write a number with so many significant digits, and zero without a minus."""
    return f"{float(value) + 0.0:.{digits}g}"


def numbers(values: Any, digits: int = 6) -> str:
    """Write the numbers of an array in a row."""
    return ", ".join(number(value, digits) for value in np.asarray(values).reshape(-1))


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def shape(array: Any) -> str:
    """Write the shape of an array as NumPy does."""
    return str(np.shape(array))


def difference(value: float) -> str:
    """Write how far apart two numbers are."""
    return f"{value:.1e}" if value else "0"


def apart(results: Sequence[Any]) -> float:
    """Return the largest difference in one number between results: numbers, arrays, or tuples of these."""
    rows = [np.concatenate([np.ravel(part) for part in _parts(result)]) for result in results]
    return float(np.max(np.ptp(np.stack(rows), axis=0)))


def _parts(result: Any) -> Sequence[Any]:
    return result if isinstance(result, tuple) else (result,)


def same_numbers(claim: str, results: Sequence[Any], tolerance: float) -> Check:
    """Check that all results agree within the tolerance."""
    largest = apart(results)
    return Check(claim, largest <= tolerance, f"largest difference {difference(largest)}")


def as_published(claim: str, computed: Any, published: Any, digits: int) -> Check:
    """Check that numbers are the course's, to the decimal places that the course prints."""
    off = apart([computed, published])
    return Check(claim, off < 0.6 * 10.0**-digits, f"{numbers(computed, digits)}, to {digits} decimal places")
