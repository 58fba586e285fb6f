"""Read the cells of a CSV file by Arrow, which is many times as fast as Python's csv module.

It tells of no cell in which line it stands, and is lenient with quotation marks. Where a text may be faulty,
or mean something else to the csv module, nothing is returned, and the csv module reads it. Only a field that
goes on behind its last quotation mark, after a line end or a separator within the field, isn't noticed.
"""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pyarrow
from pyarrow import compute, csv

from dlkernels._data.columns import Array
from dlkernels._tables.reading import HEAD, Layout, Table, header_line, named

#: Quotation marks, besides those directly around a field, and doubled ones within.
_STRAY = r'[^{0}\r\n"]("")*"[^{0}\r\n"]|(^|[{0}\r\n])(("")+[^{0}\r\n"]| +")'


def quick_table(text: str, layout: Layout, marked: bool, header: bool) -> Table | None:
    """The rows of a part of a file as `reading.rows_of` returns them, without the lines.

    Columns are arrays of Arrow. None if only the csv module can tell what is wrong, or what is meant.
    """
    if header:
        lines = io.StringIO(text, newline="")
        for _ in range(header_line(text[:HEAD], layout.separator)):
            lines.readline()
        text = lines.read()
    quoted = '"' in text
    if text.count('"') % 2 or (quoted and _holds(text, _STRAY.format(re.escape(layout.separator)))):
        return None
    cells = _cells(text, layout, quoted)
    if cells is None:
        return None
    if quoted or re.search(r"[^\S\r\n]", text):
        cells = [compute.utf8_trim_whitespace(column) for column in cells]
    empty = _empty_rows(cells)
    skipped = int(empty.sum())
    if skipped:
        cells = [column.filter(pyarrow.array(~empty)) for column in cells]
    if skipped == len(empty):
        return None
    names = list(layout.header)
    # A column without a name mustn't hold a value, unless it is the first one, the index.
    nameless = [column if name else column.to_pylist() for name, column in zip(names, cells, strict=True)]
    return named(names, nameless, [], layout.separator, marked, skipped if len(names) > 1 else 0)


def _holds(text: str, pattern: str) -> bool:
    found = compute.match_substring_regex(pyarrow.array([text]), pattern)
    return bool(found[0].as_py())


def _cells(text: str, layout: Layout, quoted: bool) -> list[Any] | None:
    """The columns as arrays of texts; None if rows differ in their number of fields."""
    data = text.encode()
    names = [str(position) for position in range(len(layout.header))]
    try:
        table = csv.read_csv(
            pyarrow.BufferReader(data),
            read_options=csv.ReadOptions(
                use_threads=False, block_size=len(data) + 1, column_names=names, encoding="utf8"
            ),
            parse_options=csv.ParseOptions(delimiter=layout.separator, newlines_in_values=quoted),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.string())),
        )
    except (pyarrow.ArrowInvalid, UnicodeEncodeError):
        return None
    return [one_array(column) for column in table.columns]


def one_array(column: Any) -> Any:
    """The chunks of a column as one."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _empty_rows(cells: list[Any]) -> Array:
    """Which rows hold no text in any column."""
    empty = np.ones(len(cells[0]), bool)
    for column in cells:
        empty &= compute.equal(column, "").to_numpy(zero_copy_only=False)
        if not empty.any():
            break
    return empty
