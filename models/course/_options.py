"""The options that experiments may have: how each is read, and what it is.

An experiment has those that are parameters of its `run`; their defaults are its own.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from dlkernels.options import positive, whole

Value: TypeAlias = float | tuple[int, ...]
#: The values of options by their names.
Values: TypeAlias = Mapping[str, Value]


class Option(NamedTuple):
    """What the command line says of an option, and the function that reads its value."""

    metavar: str
    words: str
    read: Callable[[str], Value]


#: A network that the command line gives has at most so many parameters, because Python loops over them.
PARAMETERS = 1_000_000


def sizes(text: str) -> tuple[int, ...]:
    """Read the sizes of a network's layers, from the features to the outputs."""
    read = whole(1, PARAMETERS)
    given = tuple(read(part) for part in text.split(","))
    if len(given) < 2:
        raise argparse.ArgumentTypeError(f"expected at least two numbers, such as 64,10, not {text!r}")
    count = sum((n_prev + 1) * n for n_prev, n in itertools.pairwise(given))
    if count > PARAMETERS:
        raise argparse.ArgumentTypeError(f"must give at most {PARAMETERS:,} parameters, not {count:,}")
    return given


OPTIONS = {
    "alpha": Option("F", "the learning rate α, up to 1000: the length of a step", positive(1000)),
    "batch": Option("N", "examples of a mini-batch, up to 10000", whole(1, 10_000)),
    "epochs": Option("N", "passes over all examples, up to 1000", whole(1, 1000)),
    "iterations": Option("N", "steps of gradient descent, up to 50000", whole(1, 50_000)),
    "seed": Option("N", "draws the random numbers", whole(0, 2**32 - 1)),
    "sizes": Option("N,N,...", "features, units of each hidden layer, outputs", sizes),
    "units": Option("N", "hidden units, up to 200", whole(1, 200)),
}


def given(arguments: Any) -> dict[str, Value]:
    """Return the options that the command line gives."""
    values = {name: getattr(arguments, name) for name in OPTIONS}
    return {name: value for name, value in values.items() if value is not None}


def written(values: Values) -> str:
    """Write options as they are typed."""
    return " ".join(f"--{name} {_text(value)}" for name, value in values.items())


def _text(value: Value) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else f"{value:.12g}"
