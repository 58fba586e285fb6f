"""The classes of experiments and their results. A result is plain data, which `_terminal` and `page` show."""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from .._convergence import ConvergenceWarning
from .._report import listed
from ._options import Value, Values, written

#: The parts of the course: headings in the list of experiments and on the page.
REGRESSION = "Week 2: logistic regression as a neural network"
VECTORS = "Week 2: Python and vectorisation"
NETWORKS = "Week 3: shallow neural networks"
DEEP = "Week 4: deep neural networks"
TRAINING = "The second course: several classes, mini-batches, optimizers"


@dataclasses.dataclass(frozen=True)
class Formula:
    """A formula as LaTeX, for the page, and as a line of text, for the terminal."""

    latex: str
    text: str


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of texts below a header; the first column names the rows."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclasses.dataclass(frozen=True)
class Listing:
    """Lines that are shown as they are: code, or the output of code."""

    title: str
    text: str


@dataclasses.dataclass(frozen=True)
class Timings:
    """Seconds of a call in each turn of each way.

    The first way is the notes' slowest; speed-ups are relative to it. Other programs may have disturbed a way
    in all its turns. `_timing.equally_fast` tells which ways are the fastest, where the run tells it.
    """

    title: str
    turns: Mapping[str, tuple[float, ...]]
    disturbed: frozenset[str] = frozenset()

    @property
    def seconds(self) -> dict[str, float]:
        """The best turn of each way."""
        return {way: min(turns) for way, turns in self.turns.items()}

    @property
    def caption(self) -> str:
        """What the seconds are, and whether other programs made some of them too long."""
        counts = {len(turns) for turns in self.turns.values()}
        turns = f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
        disturbed = ", ".join(way for way in self.turns if way in self.disturbed)
        said = f"; other programs disturbed {disturbed}" if disturbed else ""
        return f"time of a call, the shortest of {turns} measurements{said}"

    @property
    def fastest(self) -> str:
        return min(self.seconds, key=self.seconds.__getitem__)

    def speed_up(self, way: str) -> float:
        """Return how many times faster `way` is than the first way."""
        return next(iter(self.seconds.values())) / self.seconds[way]


@dataclasses.dataclass(frozen=True)
class Check:
    """A claim of the notes, and whether the numbers of this run confirm it."""

    claim: str
    holds: bool
    measured: str = ""

    @property
    def text(self) -> str:
        return f"{self.claim}: {self.measured}." if self.measured else f"{self.claim}."


Section: TypeAlias = Table | Listing | Timings


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of one run.

    Attributes
    ----------
    sections : tuple of Table, Listing or Timings
        In the order in which they are shown.
    checks : tuple of Check
    lessons : tuple of str
        What the experiment shows, a sentence or two each.
    alternative : str
        The alternative text of the picture, for readers who can't see it.
    values : mapping
        The numbers themselves, for the picture and for tests.
    """

    sections: tuple[Section, ...]
    checks: tuple[Check, ...]
    lessons: tuple[str, ...]
    alternative: str
    values: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One idea of the notes that can be run.

    Attributes
    ----------
    name : str
        Its name in commands.
    title, question : str
        A few words, and one sentence.
    part : str
        The part of the course that it belongs to.
    formulas : tuple of Formula
    run : callable
        Computes a Result. Its parameters are the options of the experiment, those of `_options.OPTIONS`, and
        have defaults.
    plot : callable
        Draws the picture of a Result as a matplotlib figure.
    slips : tuple of str
        Mistakes found in lecture notes on the subject, each with its correction.
    """

    name: str
    title: str
    question: str
    part: str
    formulas: tuple[Formula, ...]
    run: Callable[..., Result]
    plot: Callable[[Result], Any]
    slips: tuple[str, ...] = ()

    @property
    def options(self) -> dict[str, Value]:
        """The defaults of its options by their names."""
        return {name: each.default for name, each in inspect.signature(self.run).parameters.items()}

    @property
    def about_options(self) -> str:
        """What can be varied, in words: the options and their defaults."""
        if not self.options:
            return f"{self.name} has no options"
        return f"the options of {self.name} and their defaults are {written(self.options)}"

    def lacks(self, option: str) -> str:
        """Say that it has no such option, and which it has."""
        if not self.options:
            return f"{self.name} has no --{option}, and no other options"
        has = listed([written({name: value}) for name, value in self.options.items()])
        return f"{self.name} has no --{option}; it has {has}"

    def result(self, chosen: Values) -> Result:
        """Run it with these options, and with the defaults of the others.

        What the notes claim is about the defaults: with other options no claim is checked, and a lesson says
        so. If gradient descent diverges then, that lesson says it in the place of the `ConvergenceWarning`.
        """
        defaults, options = self.options, self.options | dict(chosen)
        varied = options != defaults
        with np.errstate(all="ignore"), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            result = self.run(**chosen)
        others = [each for each in caught if not (varied and issubclass(each.category, ConvergenceWarning))]
        for each in others:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        if not defaults:
            return result
        if not varied:
            said = f"You can vary this run: {self.about_options}."
            return dataclasses.replace(result, lessons=(*result.lessons, said))
        said = (
            f"This run has {written(options)}. What the notes claim was not checked, because it is about "
            f"{written(defaults)}."
        )
        if len(others) < len(caught):
            said += (
                " Gradient descent diverged: the cost rose, or became infinite or nan. The steps are too "
                "long: take a smaller --alpha."
            )
        return dataclasses.replace(result, checks=(), lessons=(said, *result.lessons))
