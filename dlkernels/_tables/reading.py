"""Read a table of texts from a CSV file as people have them.

Python's csv module reads the lines, not pandas. pandas fills up a line that is too short, makes an index of
what all lines have too much, and tells of no cell in which line it stands.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dlkernels._data.columns import DataError
from dlkernels._data.csv_files import UNNAMED
from dlkernels._data.reading import reading
from dlkernels._tables.words import quantity
from dlkernels.text import printable

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
#: A first line that tells Excel the separator: sep=;
_FIRST_LINE = re.compile(r"sep=([^ \"\r\n])\r?\n")
#: How much of a large file, or of a part of one, is looked at to find its header and how it is laid out.
HEAD = 2**20
#: How many records are looked at to find the separator.
_SAMPLE = 50


#: How files begin that people take for tables of texts.
_NO_TABLES = {
    b"PK\x03\x04": "an Excel workbook, or another zip file; save its sheet as a CSV file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls); save its sheet as a CSV file",
    b"PAR1": "a Parquet file; write it as a CSV file, for instance with pandas, or train with --dask local",
    b"\x1f\x8b": "compressed by gzip; unpack it first (gunzip)",
}


class Table(NamedTuple):
    """A table of texts, without spaces around them.

    Attributes
    ----------
    names : tuple of str
        The names of the columns, all different.
    columns : dict
        The cells of each column, by its name.
    lines : list of int
        The line of the file in which each row ends; the first line is 1.
    index_name, index_cells : str, list of str or None
        A first column without a name, which isn't among the columns.
    separator : str
    marked : bool
        Whether the file began with a byte order mark, as Excel writes it.
    skipped : int
        How many lines without any value were left out.
    unnamed : tuple of str
        What was left out besides, in sentences.
    """

    names: tuple[str, ...]
    columns: dict[str, list[str]]
    lines: list[int]
    index_name: str
    index_cells: list[str] | None
    separator: str
    marked: bool
    skipped: int
    unnamed: tuple[str, ...]

    @property
    def remarks(self) -> list[str]:
        """What was left out, in sentences."""
        return [*skipped_lines(self.skipped), *self.unnamed]


def skipped_lines(number: int) -> list[str]:
    """What is to be said of lines without any value; nothing if there are none."""
    return [f"Left out {quantity(number, 'line')} without any value."] if number else []


def read_table(path: Path, encoding: str | None = None) -> Table:
    """Read a file whose first line names the columns. Without `encoding` it is UTF-8 or UTF-16."""
    with reading(path, "a text file"):
        text, marked = decoded(path.read_bytes(), encoding)
        return _table(text, marked)


def decoded(data: bytes, encoding: str | None, above: int = 0) -> tuple[str, bool]:
    """The text of a file, or of a part below so many lines; and whether it began with a byte order mark."""
    for mark, what in _NO_TABLES.items():
        if data.startswith(mark):
            raise DataError(f"this is {what}")
    marks = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
    by_mark = next((name for mark, name in marks.items() if data.startswith(mark)), None)
    try:
        text = data.decode(by_mark or encoding or "utf-8")
    except LookupError:
        raise DataError(f"there is no encoding {encoding!r}; older files have cp1252 or latin-1") from None
    except UnicodeDecodeError as error:
        name = encoding or ("UTF-16" if by_mark == "utf-16" else "UTF-8")
        line = above + data.count(b"\n", 0, error.start) + 1
        hint = f"; is it another encoding than {encoding}?"
        if not encoding:
            hint = "; if Excel or an older program wrote it, try --encoding cp1252, or save it as UTF-8"
        raise DataError(f"line {line} is no text in {name}{hint}") from None
    if "\0" in text:
        raise DataError("not a text file: it holds bytes that are 0")
    return text, by_mark is not None


class Layout(NamedTuple):
    """How a file is laid out: its separator, what its first line calls the columns, and what is above it."""

    separator: str
    header: tuple[str, ...]
    #: A line for Excel, which names the separator.
    above: str


def layout_of(text: str, separator: str = "") -> Layout:
    """The layout of a file that begins with this text. Without `separator`, it is found out."""
    first = _FIRST_LINE.match(text)
    above = first[0] if first else ""
    separator = separator or (first[1] if first else _separator(text))
    records = _records(text[len(above) :], separator, len(above) > 0)
    header = next((row for _, row in records if any(row)), [])
    if not any(header):
        raise DataError("the file is empty; its first line must name the columns")
    names = tuple(map(printable, header))
    if all(re.fullmatch(r"[-+.,\d\s]+", name) for name in names if name):
        raise DataError(f"line 1 must name the columns, but holds numbers: {', '.join(names[:8])}")
    return Layout(separator, names, above)


def header_line(text: str, separator: str) -> int:
    """The last line of the header, which is the first record that isn't empty."""
    return next(line for line, row in _records(text, separator, 0) if any(row))


def _table(text: str, marked: bool) -> Table:
    layout = layout_of(text)
    table = rows_of(text[len(layout.above) :], layout, len(layout.above) > 0, marked)
    if not table.lines:
        raise DataError("there are no rows below the names of the columns")
    return table


def rows_of(text: str, layout: Layout, above: int, marked: bool, header: bool = True) -> Table:
    """The rows in a part of a file that has this layout. `above` is how many lines the parts before it have.

    With `header`, the first line that isn't empty is the header.
    """
    names, separator = list(layout.header), layout.separator
    records = _records(text, separator, above)
    if header:
        next(row for _, row in records if any(row))
    rows, lines, skipped = [], [], 0
    for line, row in records:
        if not any(row):
            skipped += len(row) > 1
            continue
        if len(row) != len(names):
            raise DataError(
                f"line {line} has {quantity(len(row), 'field')} but the header has {len(names)}"
                f"{_too_many(separator) if len(row) > len(names) else ''}"
            )
        rows.append(row)
        lines.append(line)
    cells = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in names]
    return named(names, cells, lines, separator, marked, skipped)


def _too_many(separator: str) -> str:
    what = SEPARATORS.get(separator, repr(separator))
    return f"; {what} inside of texts and numbers need quotation marks around them, or another separator"


def _separator(text: str) -> str:
    """The separator with which most of the first records have as many fields as the header, at least two."""
    best = (0, 0, "")
    for separator in SEPARATORS:
        found = []
        try:
            for _, record in _records(text, separator, 0):
                if any(record):
                    found.append(len(record))
                if len(found) == _SAMPLE:
                    break
        except DataError:
            pass  # `_table` meets it again, unless another separator makes sense of the line
        fields = found[0] if found else 0
        if fields > 1:
            best = max(best, (found.count(fields), fields, separator))
    return best[2] or ","


def _records(text: str, separator: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """The fields of each record, without spaces around them, and the number of its last line."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True
    )
    # Spaces are rare in tables of numbers, and looking at each cell takes a sixth of the time.
    spaces = '"' in text or re.search(r"[^\S\r\n]", text)
    last = 0
    try:
        for record in reader:
            last = reader.line_num
            yield last + skipped, [field.strip() for field in record] if spaces else record
    except csv.Error as error:
        why = str(error)
        if why == "unexpected end of data":
            why = "a quotation mark opens here or below and is never closed"
        raise DataError(f"line {last + 1 + skipped}: {why}") from None


def named(
    names: list[str],
    cells: list[list[str]],
    lines: list[int],
    separator: str,
    marked: bool,
    skipped: int,
) -> Table:
    """The table, without columns that have no name."""
    remarks = []
    index_name, index, columns = "", None, {}
    for position, (name, column) in enumerate(zip(names, cells, strict=True)):
        if not re.fullmatch(UNNAMED, name):
            columns[name] = column
        elif position == 0:
            index_name, index = name, column
            remarks.append("The first column has no name: it is an index, not a feature.")
        elif any(column):
            raise DataError(f"line 1 has no name for column {position + 1}; name it, or delete the column")
        else:
            remarks.append(f"Left out column {position + 1}, which has no name and no values.")
    twice = [name for name, times in Counter(names).items() if times > 1 and name in columns]
    if twice:
        raise DataError(f"line 1 names {quantity(names.count(twice[0]), 'column')} {twice[0]!r}; rename them")
    return Table(
        tuple(columns), columns, lines, index_name, index, separator, marked, skipped, tuple(remarks)
    )
