"""What the texts of a column mean: numbers, true and false, dates, or categories."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from dlkernels._data.columns import Array, DataError
from dlkernels._tables.reading import Table

#: How cells say that they have no value: as pandas, R, Excel (#NV is German) and SQL write it.
MISSING = frozenset(
    {"", "NA", "N/A", "n/a", "#N/A", "#NA", "#NV", "<NA>", "NaN", "NAN", "nan", "null", "NULL", "None", "?"}
)
#: Decimal marks by the words of the option.
MARKS = {None: None, "comma": ",", "point": "."}
#: Larger numbers are refused: R² is made of their squares, and its standard deviation squares it again, which
#: could overflow.
LARGEST = 1e50
_CURRENCY = r"(\s*([€$£¥%‰]|EUR|USD|GBP|CHF|Fr\.?))?\s*"
#: A number with thousands marks, a currency or a percent sign.
_AMOUNT = re.compile(
    rf"{_CURRENCY}[-+]?{_CURRENCY}(\d{{1,3}}([.,'’ \u00a0\u202f]\d{{3}})+|\d+)([.,]\d*)?{_CURRENCY}",
    re.IGNORECASE,
)
_BOOLEANS = {"true": 1.0, "false": 0.0}
NOT_FINITE = r"[-+]?(inf|infinity)"
_NOT_FINITE = re.compile(NOT_FINITE, re.IGNORECASE)
_MONTH = r"(jan|feb|mar|mär|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zä]*\.?"
_DATE = re.compile(
    rf"(\d{{1,4}}([-/.])\d{{1,2}}\2\d{{1,4}}|\d{{1,2}}[-. ]+{_MONTH}[- ]\d{{2,4}}|"
    rf"{_MONTH} \d{{1,2}}, \d{{4}})"
    r"([ T]+\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(:\d{2})?",
    re.IGNORECASE,
)


def number_pattern(decimal: str) -> str:
    """A number with this decimal mark. A whole number that begins with 0, such as 007, is a code."""
    mark, power = re.escape(decimal), r"[eE][-+]?\d+"
    return rf"[-+]?(\d+{mark}\d*({power})?|0|[1-9]\d*|\d+{power}|{mark}\d+({power})?)"  # Arrow reads it, too


@functools.cache
def _number(decimal: str) -> re.Pattern[str]:
    return re.compile(number_pattern(decimal), re.ASCII)


class Column:
    """A column of texts. `kind` is "empty", "numbers", "booleans", "dates" or "texts"."""

    def __init__(self, name: str, cells: list[str], lines: list[int], decimal: str = ".") -> None:
        self.name, self.cells, self.lines, self.decimal = name, cells, lines, decimal

    @functools.cached_property
    def values(self) -> set[str]:
        """The different texts, without those that say that a value is missing."""
        return self._different - MISSING

    @functools.cached_property
    def _different(self) -> set[str]:
        return set(self.cells)

    @functools.cached_property
    def missing(self) -> int:
        """How many cells have no value."""
        return 0 if self._different.isdisjoint(MISSING) else sum(cell in MISSING for cell in self.cells)

    @functools.cached_property
    def kind(self) -> str:
        if not self.values:
            return "empty"
        if all(map(_number(self.decimal).fullmatch, self.values)) or all(map(self.is_number, self.values)):
            return "numbers"
        if all(value.lower() in _BOOLEANS for value in self.values):
            return "booleans"
        return "dates" if all(map(_DATE.fullmatch, self.values)) else "texts"

    def with_decimal(self, decimal: str) -> Column:
        """The same column, read with this decimal mark."""
        if decimal == self.decimal:
            return self
        other = Column(self.name, self.cells, self.lines, decimal)
        other._different, other.values = self._different, self.values
        return other

    def is_number(self, text: str) -> bool:
        return bool(_number(self.decimal).fullmatch(text) or _NOT_FINITE.fullmatch(text))

    def line_of(self, cell: str) -> int:
        """The first line that holds this text."""
        return self.lines[self.cells.index(cell)]

    @functools.cached_property
    def numbers(self) -> Array:
        """The numbers, or 1 and 0 for true and false; NaN for a missing one."""
        if self.kind not in ("numbers", "booleans", "empty"):
            wrong = min((value for value in self.values if not self.is_number(value)), key=self.line_of)
            raise DataError(
                f"line {self.line_of(wrong)}, column {self.name!r}: expected a number, found {wrong[:40]!r}"
            )
        if self.kind == "booleans":
            return np.array([_BOOLEANS.get(cell.lower(), math.nan) for cell in self.cells])
        cells = (
            self.cells if self.decimal == "." else [cell.replace(self.decimal, ".") for cell in self.cells]
        )
        numbers = np.array([math.nan if cell in MISSING else float(cell) for cell in cells])
        for row in np.flatnonzero(np.abs(numbers) > LARGEST)[:1]:
            why = too_large(self.name, self.cells[row], numbers[row])
            raise DataError(f"line {self.lines[row]}, {why}")
        return numbers

    def texts(self) -> Array:
        """The texts as objects; NaN for a missing one, as pandas has it."""
        texts = [math.nan if cell in MISSING else cell for cell in self.cells]
        found = np.empty(len(texts), object)
        found[:] = texts
        return found


def too_large(name: str, text: str, number: float) -> str:
    """Why a number beyond `LARGEST` is refused."""
    what = "infinite" if math.isinf(number) else f"beyond {LARGEST:g}"
    return f"column {name!r}: {text[:40]} is {what}; correct it, leave its cell empty, or leave out the line"


def is_amount(text: str) -> bool:
    """Whether a text that isn't a number is one to people: 1.595,85 or 30 %."""
    return bool(_AMOUNT.fullmatch(text)) and not text.isdigit()


def columns_of(table: Table, names: Iterable[str], decimal: str | None = None) -> dict[str, Column]:
    """These columns of a table. Without `decimal`, the decimal mark is found out from their numbers."""
    names = list(names)
    if decimal is None:
        decimal = _decimal_of(table, names)
    return {name: Column(name, table.columns[name], table.lines, decimal) for name in names}


def _decimal_of(table: Table, names: list[str]) -> str:
    """The decimal mark of these columns."""
    marks = {name: marks_of(Column(name, table.columns[name], table.lines)) for name in names}
    return decimal_of(table.separator, marks)


def marks_of(column: Column) -> dict[str, str]:
    """By each decimal mark with which all values are numbers, the first that holds it, or ""."""
    return {
        mark: next((cell for cell in column.cells if mark in cell), "")
        for mark in ",."
        if column.with_decimal(mark).kind in ("numbers", "empty")
    }


def decimal_of(separator: str, marks: Mapping[str, Mapping[str, str]]) -> str:
    """The decimal mark of columns with these `marks_of`.

    It is a comma if a column of numbers holds one, and none holds a point.
    """
    holds: dict[str, tuple[str, str]] = {}
    for mark in ",.":
        found = [(name, each[mark]) for name, each in marks.items() if each.get(mark)]
        if found:
            holds[mark] = found[0]
    if "," not in holds:
        return "."
    name, example = holds[","]
    if separator == ",":
        raise DataError(
            f"column {name!r} holds {example!r}, where the comma may be the decimal mark or separate "
            "thousands; if it is the decimal mark, say --decimal comma, else write numbers without it"
        )
    if "." in holds:
        raise DataError(
            f"column {name!r} holds {example!r}, but column {holds['.'][0]!r} holds {holds['.'][1]!r}; say "
            "which is the decimal mark, --decimal comma or --decimal point"
        )
    return ","


def label_values(column: Column, form: str) -> Any:
    """The labels as an array: "integers", "floats", "booleans", or "texts" as objects."""
    if form == "texts":
        return column.texts()
    if form == "booleans":
        return column.numbers == 1.0
    return column.numbers.astype(np.int64) if form == "integers" else column.numbers
