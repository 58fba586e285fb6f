"""Columns of a part: each different text once, or numbers; and their summaries.

What holds for one table (`cells.Column`, `summaries.of_column`) holds here, too. But a part has millions of
cells, so that nothing is done for each of them in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow
from pyarrow import compute

from dlkernels._data.columns import Array
from dlkernels._tables.cells import LARGEST, MISSING, NOT_FINITE, Column, number_pattern, too_large
from dlkernels._tables.choice import MOST_TEXTS
from dlkernels._tables.summaries import KINDS, Figures, Summary, of_numbers


class Coded(NamedTuple):
    """A column of few different texts, and for each row the number of its text."""

    texts: list[str]
    codes: Array
    decimal: str

    def column(self, name: str) -> Column:
        """The different texts as a column; its rows are to be taken by `codes`."""
        return Column(name, self.texts, list(range(len(self.texts))), self.decimal)


#: What is kept of a column: coded texts, or numbers with NaN for missing ones. Of a column with so many
#: different texts that nothing can be learnt from it, nothing.
Kept = Coded | Array | None


class PartRows(NamedTuple):
    """Which rows of a part are held out, how messages call a row, and whether medians are needed."""

    held: Array
    place: Callable[[int], Any]
    medians: bool


def of_texts(name: str, values: Any, decimal: str, rows: PartRows) -> tuple[Summary, Kept]:
    """What is known of a column, an array of Arrow with texts, and what is kept of it."""
    different, codes = encoded(values)
    texts = _Texts(name, different, decimal)
    there, kind, numeric = texts.there, texts.kind, texts.numeric
    figures, wrong, kept = None, "", None
    numbers: Array | None = None
    if kind in ("numbers", "booleans"):
        numbers = texts.numbers()[codes]
        figures, wrong = _figures(name, numbers, rows, lambda row: different[int(codes[row])].as_py())
    number, few, counts = int(there.sum()), None, np.bincount(codes, minlength=len(different))
    if number <= MOST_TEXTS:
        trained = np.bincount(codes[~rows.held], minlength=len(different))
        listed = different.to_pylist()
        few = {listed[i]: (int(counts[i]), int(trained[i])) for i in np.flatnonzero(there)}
        kept = Coded(listed, codes.astype(np.int16), decimal)
    others: dict[str, Any] | None = {}
    if kind not in ("numbers", "empty"):
        wanted = np.flatnonzero(there & ~numeric)
        first = _first_rows(codes, len(different))
        others = None
        if len(wanted) <= MOST_TEXTS:
            others = {different[int(i)].as_py(): rows.place(int(first[i])) for i in wanted}
    return _summary(
        name, ~there[codes], kind, rows, texts=few, others=others, figures=figures, wrong=wrong,
        example=different[int(there.argmax())].as_py() if number else "", marks=texts.marks(),
        decimal=decimal,
    ), numbers if kept is None else kept  # fmt: skip


def of_stored(name: str, numbers: Array, boolean: bool, rows: PartRows) -> tuple[Summary, Kept]:
    """The same of a column that is stored as numbers, or as true and false. Its texts aren't kept."""
    missing = np.isnan(numbers)
    kind = "empty" if missing.all() else "booleans" if boolean else "numbers"
    figures, wrong = _figures(name, numbers, rows, lambda row: repr(float(numbers[row])))
    return _summary(
        name, missing, kind, rows, texts=None, others={}, figures=figures, wrong=wrong,
        example="" if missing.all() else repr(float(numbers[~missing][0])), marks={}, decimal=".",
    ), numbers  # fmt: skip


def _summary(name: str, missing: Array, kind: str, rows: PartRows, **more: Any) -> Summary:
    return Summary(
        name, len(missing), trained=int((~rows.held).sum()), missing=int(missing.sum()),
        fits=KINDS if kind == "empty" else KINDS & {kind}, most=MOST_TEXTS,
        gap=rows.place(int(missing.argmax())) if missing.any() else "", **more,
    )  # fmt: skip


def _figures(
    name: str, numbers: Array, rows: PartRows, text: Callable[[int], str]
) -> tuple[Figures | None, str]:
    """The figures, or why there are none."""
    for row in np.flatnonzero(np.abs(numbers) > LARGEST)[:1]:
        return None, f"{rows.place(int(row))}: {too_large(name, text(row), numbers[row])}"
    return of_numbers(numbers, rows.held, rows.medians), ""


def encoded(values: Any) -> tuple[Any, Array]:
    """The different values in the order in which they come first, and the number of each row's value."""
    found = values.dictionary_encode(null_encoding="encode")
    return found.dictionary, found.indices.to_numpy()


def _first_rows(codes: Array, number: int) -> Array:
    """The first row of each code."""
    first = np.zeros(number, np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]  # of rows with the same code, the last one written stays
    return first


class _Texts:
    """What the different texts of a column mean, as `cells.Column` has it."""

    def __init__(self, name: str, different: Any, decimal: str) -> None:
        self._name, self._different, self._decimal = name, different, decimal
        missing = compute.is_in(different, value_set=pyarrow.array(sorted(MISSING)))
        self.there = ~missing.to_numpy(zero_copy_only=False)
        self.numeric = self._numeric(decimal)
        self.kind = self._kind()

    def _matching(self, pattern: str) -> Array:
        found = compute.match_substring_regex(self._different, f"^({pattern})$")
        return np.asarray(found.to_numpy(zero_copy_only=False))

    def _numeric(self, decimal: str) -> Array:
        """Which texts are numbers."""
        found = self._matching(number_pattern(decimal))
        return found if found[self.there].all() else found | self._matching(f"(?i){NOT_FINITE}")

    def _kind(self) -> str:
        if not self.there.any():
            return "empty"
        if self.numeric[self.there].all():
            return "numbers"
        return Column(self._name, self._different.to_pylist(), [], self._decimal).kind

    def numbers(self) -> Array:
        """The number of each different text; NaN of one that says that the number is missing."""
        if self.kind == "booleans":
            return Column(self._name, self._different.to_pylist(), [], self._decimal).numbers
        texts = self._different
        if self._decimal != ".":
            texts = compute.replace_substring(texts, self._decimal, ".")
        texts = compute.if_else(pyarrow.array(self.there), texts, "nan")
        try:
            return np.asarray(texts.cast(pyarrow.float64()).to_numpy())
        except pyarrow.ArrowInvalid:
            return np.array([float(text) for text in texts.to_pylist()])

    def marks(self) -> dict[str, str]:
        """As `cells.marks_of`."""
        if not self.there.any():
            return {",": "", ".": ""}
        holds = {
            mark: self.there & compute.match_substring(self._different, mark).to_numpy(False) for mark in ",."
        }
        found = {}
        for mark, other in (",.", ".,"):
            if holds[other].any():
                continue  # no number has both
            numeric = self.numeric
            if mark != self._decimal and holds[mark].any():
                numeric = self._numeric(mark)
            if numeric[self.there].all():
                at = int(holds[mark].argmax())
                found[mark] = self._different[at].as_py() if holds[mark].any() else ""
        return found
