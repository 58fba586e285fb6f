"""The options that experiments may have: how each is read, and what it is.

An experiment has those that are parameters of its `run`; their defaults are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .._options import positive, whole

#: The values of options by their names.
Values = Mapping[str, float]


class Option(NamedTuple):
    """What the command line says of an option, and the function that reads its value."""

    metavar: str
    words: str
    read: Callable[[str], float]


OPTIONS = {
    "alpha": Option("F", "the learning rate α, up to 1000: the length of a step", positive(1000)),
    "iterations": Option("N", "steps of gradient descent, up to 50000", whole(1, 50_000)),
    "seed": Option("N", "draws the random numbers", whole(0, 2**32 - 1)),
    "units": Option("N", "hidden units, up to 200", whole(1, 200)),
}


def given(arguments: Any) -> dict[str, float]:
    """Return the options that the command line gives."""
    values = {name: getattr(arguments, name) for name in OPTIONS}
    return {name: value for name, value in values.items() if value is not None}


def written(values: Values) -> str:
    """Write options as they are typed."""
    return " ".join(f"--{name} {value:.12g}" for name, value in values.items())
