"""Read numbers of the command line. argparse makes its error messages from what these functions raise."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable


def whole(minimum: int, maximum: float = math.inf) -> Callable[[str], int]:
    """Return a function that reads a whole number between these, both included."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a whole number, not {text!r}") from None
        if not minimum <= number <= maximum:
            limit = f"at least {minimum}" if number < minimum else f"at most {maximum}"
            raise argparse.ArgumentTypeError(f"must be {limit}, not {number}")
        return number

    return parse


def positive(maximum: float = math.inf) -> Callable[[str], float]:
    """Return a function that reads a positive and finite number, up to `maximum`."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a number, not {text!r}") from None
        if not (number > 0 and math.isfinite(number)):
            raise argparse.ArgumentTypeError(f"must be positive and finite, not {text}")
        if number > maximum:
            raise argparse.ArgumentTypeError(f"must be at most {maximum:g}, not {text}")
        return number

    return parse
