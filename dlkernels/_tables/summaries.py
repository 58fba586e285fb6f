"""What is known of a column: of all its rows, or of a part of them and added up.

Every decision about columns (`choice`) is made from summaries. So it doesn't matter whether a table was in
memory at once, or in parts that were looked at one after the other, on several machines.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from dlkernels._data.columns import Array, DataError
from dlkernels._tables.cells import MISSING, Column, marks_of

KINDS = frozenset({"numbers", "booleans", "dates"})
#: A part of a column keeps so many of its sorted numbers, for the median. The rank of what is found then
#: differs from the median's by less than 1 / (2 * _POINTS) of the rows.
_POINTS = 500


class Figures(NamedTuple):
    """What is known of numbers.

    Attributes
    ----------
    number, mean, squares : int, float, float
        How many there are among the rows for training, their mean, and the sum of squares around it.
    least, most, first, last : float
        Of all rows.
    counting : bool
        Whether each number is by 1 larger than the one in the row before, and none is missing.
    points, weights : ndarray
        Numbers of the rows for training, and for how many each stands. Empty if nobody needs the median.
    """

    number: int
    mean: float
    squares: float
    least: float
    most: float
    first: float
    last: float
    counting: bool
    points: Array
    weights: Array

    @property
    def scale(self) -> float:
        """The standard deviation as scikit-learn's StandardScaler divides by it: 1 for equal numbers."""
        variance = self.squares / max(self.number, 1)
        rounding = self.number * np.finfo(float).eps
        equal = variance <= rounding * variance + (rounding * self.mean) ** 2
        return 1.0 if equal else float(np.sqrt(variance))

    @property
    def median(self) -> float:
        """The number in the middle, or the mean of two; exact if no part had more than `_POINTS` numbers."""
        if not self.points.size:
            return 0.0
        order = np.argsort(self.points, kind="stable")
        points, below = self.points[order], np.cumsum(self.weights[order])
        half = below[-1] / 2
        left, right = np.searchsorted(below, half, "left"), np.searchsorted(below, half, "right")
        return float((points[left] + points[min(right, len(points) - 1)]) / 2)

    def filled(self, gaps: int, value: float) -> Figures:
        """The figures once so many missing ones are replaced by a value."""
        number, mean, squares = pooled(self[:3], (gaps, value, 0.0))
        return self._replace(number=number, mean=mean, squares=squares)


class Summary(NamedTuple):
    """What is known of a column.

    Attributes
    ----------
    name : str
    rows, trained, missing : int
        How many cells there are, how many of them in rows for training, and how many without a value.
    fits : frozenset of str
        The kinds that all values are of: "numbers", "booleans", "dates".
    texts : dict or None
        The different values, each with its number of rows, and of rows for training. None if there are more
        than were to be kept.
    others : dict or None
        Those of them that are no numbers, each with the place of its first row: a str, or what becomes one.
    example : str
        The first value.
    gap : str, or what becomes one
        The place of the first cell without a value.
    figures : Figures or None
        Of a column that fits numbers or booleans and has values.
    wrong : str
        Why the numbers can't be used, or nothing.
    marks : dict
        By decimal mark, a number that holds it; "" if all values are numbers without one. A mark with which
        some values are no numbers isn't there.
    most : float
        How many different values were to be kept.
    decimal : str
    """

    name: str
    rows: int
    trained: int
    missing: int
    fits: frozenset[str]
    texts: dict[str, tuple[int, int]] | None
    others: dict[str, Any] | None
    example: str
    gap: Any
    figures: Figures | None
    wrong: str
    marks: dict[str, str]
    most: float
    decimal: str

    @property
    def kind(self) -> str:
        """As of a `Column`: "empty", "numbers", "booleans", "dates" or "texts"."""
        if self.rows == self.missing:
            return "empty"
        return next((kind for kind in ("numbers", "booleans", "dates") if kind in self.fits), "texts")

    @property
    def different(self) -> float:
        """How many different values there are; infinite if they were too many to be kept."""
        return np.inf if self.texts is None else len(self.texts)

    def counted(self, noun: str) -> str:
        """How many different values there are, in words."""
        if self.texts is None:
            return f"more than {self.most:,.0f} different {noun}"
        return f"{len(self.texts):,} different {noun}"

    def need_numbers(self) -> Figures:
        """The figures of a column of numbers; or the error that says which number can't be used."""
        if self.wrong or self.figures is None:
            raise DataError(self.wrong or f"column {self.name!r} holds no numbers")
        return self.figures


# -- of rows that are in memory ------------------------------------------------------------------------------


def of_column(column: Column) -> Summary:
    """The summary of a column of texts, all rows of which are for training."""
    kind, values, rows = column.kind, column.values, Counter(column.cells)
    figures, wrong = None, ""
    if kind in ("numbers", "booleans"):
        try:
            figures = of_numbers(column.numbers)
        except DataError as error:
            wrong = str(error)
    others: dict[str, str] = {}
    if kind not in ("numbers", "empty"):
        for cell, line in zip(column.cells, column.lines, strict=True):
            if cell in values and cell not in others and not column.is_number(cell):
                others[cell] = f"line {line}"
    gap = ""
    if column.missing:
        line = next(line for line, cell in zip(column.lines, column.cells, strict=True) if cell in MISSING)
        gap = f"line {line}"
    return Summary(
        column.name, len(column.cells), len(column.cells), column.missing,
        KINDS if kind == "empty" else KINDS & {kind},
        texts={cell: (number, number) for cell, number in rows.items() if cell not in MISSING},
        others=others, example=next((cell for cell in column.cells if cell in values), ""),
        gap=gap, figures=figures, wrong=wrong, marks=marks_of(column),
        most=np.inf, decimal=column.decimal,
    )  # fmt: skip


def of_numbers(numbers: Array, held: Array | None = None, medians: bool = False) -> Figures | None:
    """The figures of numbers, of which NaN are missing; None if all are."""
    there = ~np.isnan(numbers)
    if not there.any():
        return None
    values = numbers[there]
    trained = values if held is None else numbers[there & ~held]
    mean = float(trained.mean()) if trained.size else 0.0
    points = weights = np.empty(0)
    if medians and trained.size:
        points, weights = _points(trained)
    return Figures(
        trained.size, mean, float(np.sum((trained - mean) ** 2)), float(values.min()), float(values.max()),
        float(numbers[0]), float(numbers[-1]),
        bool(there.all() and (numbers == numbers[0] + np.arange(len(numbers))).all()), points, weights,
    )  # fmt: skip


def _points(numbers: Array) -> tuple[Array, Array]:
    """At most `_POINTS` of these numbers, each from the middle of those that it stands for."""
    ordered, number = np.sort(numbers), len(numbers)
    if number <= _POINTS:
        return ordered, np.ones(number)
    borders = np.arange(_POINTS + 1) * number // _POINTS
    return ordered[(borders[:-1] + borders[1:] - 1) // 2], np.diff(borders).astype(float)


# -- of parts ------------------------------------------------------------------------------------------------


def combined(parts: Iterable[Summary]) -> Summary:
    """The summary of a column whose parts, in the order of the rows, have these."""
    return functools.reduce(_added, parts)


def _added(a: Summary, b: Summary) -> Summary:
    texts = others = None
    if a.texts is not None and b.texts is not None:
        texts = dict(a.texts)
        for text, (rows, trained) in b.texts.items():
            before = texts.get(text, (0, 0))
            texts[text] = before[0] + rows, before[1] + trained
        texts = texts if len(texts) <= a.most else None
    if a.others is not None and b.others is not None:
        others = b.others | a.others
        others = others if len(others) <= a.most else None
    marks = {mark: a.marks[mark] or b.marks[mark] for mark in a.marks if mark in b.marks}
    fits = a.fits & b.fits
    figures = _added_figures(a.figures, b.figures, a.missing == a.rows > 0, b.missing == b.rows > 0)
    return Summary(
        a.name, a.rows + b.rows, a.trained + b.trained, a.missing + b.missing, fits, texts, others,
        a.example or b.example, a.gap or b.gap, figures, a.wrong or b.wrong, marks, a.most, a.decimal,
    )  # fmt: skip


def _added_figures(a: Figures | None, b: Figures | None, gap: bool, after: bool) -> Figures | None:
    """The figures of two parts. `gap` and `after` tell that all cells of a, or of b, have no value."""
    if a is None or b is None:
        one = b if a is None else a
        return one._replace(counting=False) if one is not None and (gap or after) else one
    number, mean, squares = pooled(a[:3], b[:3])
    return Figures(
        number, mean, squares, min(a.least, b.least), max(a.most, b.most), a.first, b.last,
        a.counting and b.counting and b.first == a.last + 1,
        np.concatenate([a.points, b.points]), np.concatenate([a.weights, b.weights]),
    )  # fmt: skip


def pooled(a: tuple[int, float, float], b: tuple[int, float, float]) -> tuple[int, float, float]:
    """Number, mean, and squares around the mean, of both: by the formula of Chan, Golub and LeVeque."""
    number = a[0] + b[0]
    if not number:
        return a
    apart = b[1] - a[1]
    share = b[0] / number
    return number, a[1] + apart * share, a[2] + b[2] + apart**2 * a[0] * share
