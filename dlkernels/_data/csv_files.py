"""Read examples from CSV files. Each message names the line, and the column if a single field is wrong."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from dlkernels._data import labels
from dlkernels._data.columns import Array, DataError
from dlkernels._data.reading import reading
from dlkernels.text import printable

# Patterns of a whole field, without spaces around it, for `_is`. `re` compiles them when they are used.
_FLAGS = re.ASCII | re.IGNORECASE
_NUMBER = r"[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?"
_LINE = rf"{_NUMBER}(,{_NUMBER})*"
_NOT_FINITE = r"[-+]?(inf|infinity|nan)"
_MISSING = r"(na|n/a|#n/a|<na>|null|none|missing|\?+|-+|\.)?"
#: What pandas calls a column without a name when it reads one.
UNNAMED = r"|Unnamed: \d+(\.\d+)?"
_FILL_IN = "fill in a missing value, or leave out its line"
#: What to do about fields of a form that is often met.
_REMEDIES = {
    _MISSING: _FILL_IN,
    r"[-+]?\d+,\d+": "write the decimal point as a point",
    r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T].*)?": "write a date as a number, of days for instance",
    r"(?s).*": "write words as numbers, for instance as a column of 0 and 1 for each word",
}


class Table(NamedTuple):
    """The names of the features, the rows (m, n_x), the labels (m,), and what was left out, as a phrase."""

    names: tuple[str, ...]
    rows: Array
    labels: Array
    left_out: str


def read_csv(path: Path, label: str) -> Table:
    """Read a header and numbers below it; `label` is the name of the column of labels."""
    with reading(path, "a text file"):
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.reader(file, strict=True)
                header = _header(next(reader, []), label)
                column = header.index(_name(label))
                table, label_values = _body(reader, header, column)
        except UnicodeDecodeError:
            raise DataError("not a text file in UTF-8; save it in this encoding") from None
        except csv.Error as error:
            raise DataError(f"line {reader.line_num}: {error}") from None
        return _without_index(header, table, label_values, column)


def _name(text: str) -> str:
    """A column's name as it is shown; whoever copies it from a message names the same column.

    Spaces around it don't count.
    """
    return printable(text.strip())


def _header(row: list[str], label: str) -> tuple[str, ...]:
    header = tuple(map(_name, row))
    if not any(header):
        raise DataError("line 1 must name the columns, but is empty")
    if all(map(_is_number, header)):
        raise DataError("line 1 must name the columns, but holds numbers")
    seen: set[str] = set()
    for name in header:
        if name in seen:
            raise DataError(f"line 1 names two columns {name!r}")
        if name:
            seen.add(name)
    if _name(label) not in header or not _name(label):
        shown = ", ".join(header[:8]) + (", ..." if len(header) > 8 else "")
        other = next((sign for sign in (";", "\t", "|") if sign in row[0]), None) if len(row) == 1 else None
        hint = f"; separate the fields by commas, not by {other!r}" if other else ""
        raise DataError(f"no column {label!r} for the labels; the columns are {shown}{hint}")
    if len(header) == 1:
        raise DataError(f"no column besides the labels {label!r}")
    return header


def _is(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text, _FLAGS) is not None


def _is_number(text: str) -> bool:
    return _is(_NUMBER, text) or _is(_NOT_FINITE, text)


def _body(reader: Any, header: tuple[str, ...], label: int) -> tuple[list[list[float]], list[float]]:
    """Return the numbers of each line, with 0 in the place of the label, and the labels."""
    columns = [
        repr(name) if name else f"{position} (without a name)" for position, name in enumerate(header, 1)
    ]
    table: list[list[float]] = []
    label_texts: list[tuple[int, str]] = []
    for row in reader:
        fields = [field.strip() for field in row]
        if not any(fields):
            continue
        line = reader.line_num
        if len(fields) != len(header):
            raise DataError(f"line {line} has {len(fields)} fields but the header has {len(header)}")
        label_texts.append((line, fields[label]))
        fields[label] = "0"
        table.append(_numbers(line, columns, fields))
    if not table:
        raise DataError("no lines after the header")
    return table, _labels(columns[label], label_texts)


def _numbers(line: int, columns: list[str], fields: list[str]) -> list[float]:
    # One pattern for the line takes a third of the time of one for each field.
    joined = ",".join(fields)
    if joined.count(",") == len(fields) - 1 and _is(_LINE, joined):
        numbers = list(map(float, fields))
        if all(map(math.isfinite, numbers)):
            return numbers
    return [_cell(line, column, text) for column, text in zip(columns, fields, strict=True)]


def _cell(line: int, column: str, text: str) -> float:
    if _is(_NUMBER, text):
        number = float(text)
        if math.isfinite(number):
            return number
    _refuse(line, column, text)


def _refuse(line: int, column: str, text: str) -> NoReturn:
    """Refuse a field that is no finite number."""
    where = f"line {line}, column {column}"
    if _is_number(text):
        raise DataError(f"{where}: {text[:40]} is not finite; {_FILL_IN}")
    found = repr(text[:40]) if text else "nothing"
    remedy = next(remedy for pattern, remedy in _REMEDIES.items() if _is(pattern, text))
    raise DataError(f"{where}: expected a number, found {found}; {remedy}")


def _labels(column: str, label_texts: list[tuple[int, str]]) -> list[float]:
    """Return the labels. What to do about wrong ones depends on which there are in the whole column."""
    for line, text in label_texts:
        if _is(_MISSING, text):
            _refuse(line, column, text)
    words = not all(_is_number(text) for _, text in label_texts)
    found: list[Any] = [text if words else _cell(line, column, text) for line, text in label_texts]
    for (line, text), label in zip(label_texts, found, strict=True):
        if label not in (0, 1) and not (words and _is_number(text)):
            shown = repr(text[:40]) if words else text[:40]
            raise DataError(
                f"line {line}, column {column}: labels must be 0 or 1, not {shown}; {labels.advice(found)}"
            )
    return found


def _without_index(
    header: tuple[str, ...], table: list[list[float]], label_values: list[float], label: int
) -> Table:
    """Make the table. Leave out the first columns if they have no name and count the lines.

    pandas writes such a column, its index, and calls it "Unnamed: 0" when it reads the file again.
    """
    numbers = np.array(table)
    counted = np.arange(len(numbers))
    first = 0
    for position, name in enumerate(header):
        if not re.fullmatch(UNNAMED, name):
            continue
        column = numbers[:, position]
        counts = column[0] in (0, 1) and bool((column - column[0] == counted).all())
        if position != first or position == label or not counts:
            raise DataError(
                f"line 1 has no name for column {position + 1}"
                f"{f', which pandas called {name!r}' if name else ''}; name it if it is a feature, or else "
                "delete it (pandas writes no index with to_csv(..., index=False))"
            )
        first += 1
    kept = [position for position in range(first, len(header)) if position != label]
    if not kept:
        raise DataError(f"no column besides the labels {header[label]!r}")
    columns = "column, which counts" if first == 1 else "columns, which count"
    return Table(
        tuple(header[position] for position in kept),
        numbers[:, kept],
        np.array(label_values),
        f", without its unnamed first {columns} the lines" if first else "",
    )
