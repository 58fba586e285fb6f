"""Cut files of a table into parts, each small enough to be in memory, and read one part.

The same files are always cut in the same way, whoever reads the parts. What is learnt from them depends on
nothing else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple

import pyarrow

from dlkernels._data.columns import DataError
from dlkernels._data.reading import reading
from dlkernels._tables.arrow import quick_table
from dlkernels._tables.cells import columns_of
from dlkernels._tables.coded import Kept, PartRows, of_texts
from dlkernels._tables.reading import HEAD, SEPARATORS, Layout, decoded, layout_of, rows_of
from dlkernels._tables.summaries import Summary
from dlkernels._tables.words import listed

#: The bytes of a part.
BLOCK = 16 * 2**20
_CHUNK = 2**20
#: How many times the bytes of a part a row may have.
_LONGEST = 4
#: Encodings in which a byte means nothing without those before it. Of others, `_can_be_cut` finds out.
_STATEFUL = ("utf_7", "utf-7", "iso2022", "hz")


class Piece(NamedTuple):
    """A piece of a file.

    Attributes
    ----------
    file, shown : str
        The file's whole path, and the path as messages show it.
    start, stop : int
        The bytes of a CSV file. Of a Parquet file the groups of rows.
    above : int
        How many lines, or rows, of the file are above it.
    """

    file: str
    shown: str
    start: int
    stop: int
    above: int


#: Pieces that are read together. A part of a large file is one piece; many small files are one part.
Part = tuple[Piece, ...]


class Rows(NamedTuple):
    """The rows of a piece.

    Attributes
    ----------
    columns : dict of pyarrow.Array
        Texts, or numbers.
    rows : int
    skipped, unnamed
        As of a `reading.Table`.
    """

    columns: dict[str, Any]
    rows: int
    skipped: int
    unnamed: tuple[str, ...]


class Place(NamedTuple):
    """A row of a piece as messages call it. Its line is found out when somebody wants to read it."""

    source: Any
    piece: Piece
    row: int

    def __str__(self) -> str:
        line = self.source.line(self.piece, self.row)
        return f"{self.piece.shown}, {self.source.unit} {line}"


@dataclasses.dataclass(frozen=True)
class CSVFiles:
    """How the CSV files of a table are read.

    Attributes
    ----------
    layout : Layout
        Of the first file, and so of all.
    names : tuple of str
        The columns that have a name.
    first : str
        The first file, as messages show it.
    encoding : str or None
        As for `read_table`.
    decimal : str
        The decimal mark that the first lines show.
    """

    layout: Layout
    names: tuple[str, ...]
    first: str
    encoding: str | None
    decimal: str

    unit: ClassVar[str] = "line"  # what messages count

    @property
    def separator(self) -> str:
        """Between fields."""
        return self.layout.separator

    def need_readable(self, names: Iterable[str]) -> None:
        """Any column of texts can be read."""

    def pieces(self, path: Path, shown: str, block: int) -> list[Piece]:
        """Cut a file into pieces of about `block` bytes, between lines."""
        with reading(path, "a text file"), path.open("rb") as file:
            if not _can_be_cut(file.read(4), self.encoding):
                return [Piece(str(path), shown, 0, path.stat().st_size, 0)]
            file.seek(0)
            cuts = list(_cuts(file, block))
        pieces = [
            Piece(str(path), shown, start, stop, above)
            for (start, above), (stop, _) in itertools.pairwise(cuts)
        ]
        return pieces or [Piece(str(path), shown, 0, 0, 0)]

    def read(self, piece: Piece, names: Iterable[str]) -> Rows:
        """Read these columns of a piece."""
        with _reading(piece):
            text, above, marked = self._text(piece)
            header = piece.start == 0
            table = quick_table(text, self.layout, marked, header)
            if table is not None:
                columns = {name: table.columns[name] for name in names}
            else:
                table = rows_of(text, self.layout, above, marked, header)
                columns = {name: pyarrow.array(table.columns[name], "string") for name in names}
        rows = len(next(iter(columns.values())))
        return Rows(columns, rows, table.skipped, table.unnamed)

    def column(
        self, name: str, values: Any, decimal: str, texts: Collection[str], rows: PartRows
    ) -> tuple[Summary, Kept]:
        """What is known of a column that was read, and what is kept of it."""
        del texts  # all are
        return of_texts(name, values, decimal, rows)

    def line(self, piece: Piece, row: int) -> int:
        """The line in which a row of a piece ends."""
        with _reading(piece):
            text, above, marked = self._text(piece)
            return rows_of(text, self.layout, above, marked, piece.start == 0).lines[row]

    def _text(self, piece: Piece) -> tuple[str, int, bool]:
        """The text of a piece, how many lines are above, and whether it begins with a byte order mark."""
        with open(piece.file, "rb") as file:
            file.seek(piece.start)
            data = file.read(piece.stop - piece.start)
        text, marked = decoded(data, self.encoding, piece.above)
        above = self._skipped(text[:HEAD]) if piece.start == 0 else ""
        return text[len(above) :], piece.above + (len(above) > 0), marked

    def _skipped(self, text: str) -> str:
        """What is above the header; or an error if this isn't the header of the first file."""
        layout = layout_of(text, self.layout.separator)
        if layout.header == self.layout.header:
            return layout.above
        found = layout_of(text)
        if found.header == self.layout.header:
            theirs, ours = (
                SEPARATORS.get(each, repr(each)) for each in (found.separator, self.layout.separator)
            )
            raise DataError(f"{theirs} separate its fields, but {ours} those of {self.first}")
        need_same(self.layout.header, layout.header, self.first)
        raise AssertionError("the headers differ")


@contextlib.contextmanager
def _reading(piece: Piece) -> Iterator[None]:
    """Let errors name a piece's file as messages show it."""
    try:
        with reading(Path(piece.file), "a text file"):
            yield
    except DataError as error:
        raise DataError(str(error).replace(piece.file, piece.shown, 1)) from None


def need_same(first: Sequence[str], names: Sequence[str], file: str) -> None:
    """Refuse a file whose columns differ from those of the first."""
    if tuple(first) == tuple(names):
        return
    lacks = [repr(name) for name in first if name not in names]
    more = [repr(name) for name in names if name not in first]
    how = [f"it lacks {listed(lacks)}"] * bool(lacks) + [f"only this file has {listed(more)}"] * bool(more)
    raise DataError(
        f"its columns differ from those of {file}: {'; '.join(how) or 'they are in another order'}"
    )


def csv_files(path: Path, shown: str, encoding: str | None) -> CSVFiles:
    """How files like this one are read."""
    with reading(path, "a text file"), path.open("rb") as file:
        data = file.read(HEAD)
        if len(data) == HEAD and _can_be_cut(data[:4], encoding):
            data = data[: data.rfind(b"\n") + 1] or data
        text, marked = decoded(data, encoding)
        layout = layout_of(text)
        names = rows_of("", layout, 0, marked, header=False).names
        try:
            table = rows_of(text[len(layout.above) :], layout, len(layout.above) > 0, marked)
            column = next(iter(columns_of(table, table.names).values()))
            decimal = column.decimal
        except DataError:  # all rows will tell
            decimal = "."
    return CSVFiles(layout, names, shown, encoding, decimal)


def _can_be_cut(data: bytes, encoding: str | None) -> bool:
    """Whether the byte of a newline stands for nothing else in a file that begins so."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    if encoding is None:
        return True
    try:
        return '\n"'.encode(encoding) == b'\n"' and not encoding.lower().startswith(_STATEFUL)
    except LookupError:
        return True  # `decoded` says what is wrong


def _cuts(file: BinaryIO, block: int) -> Iterator[tuple[int, int]]:
    """Where pieces begin, each with the number of lines above it; and, last, where the file ends.

    A newline between quotation marks doesn't end a row. There, an odd number of them is above it. Where this
    goes on for too long, one of the marks was no quotation mark: 5" for inches.
    """
    yield 0, 0
    position = lines = quotes = last = 0
    while data := file.read(min(_CHUNK, block)):
        at = max(last + block - position, 0)
        if at < len(data):
            odd = quotes + data.count(b'"', 0, at)
            while (end := data.find(b"\n", at)) >= 0:
                odd += data.count(b'"', at, end)
                at = end + 1
                if odd % 2 == 0 or position + at - last > _LONGEST * block:
                    quotes += odd % 2
                    last = position + at
                    yield last, lines + data.count(b"\n", 0, at)
                    break
        position += len(data)
        lines += data.count(b"\n")
        quotes += data.count(b'"')
    if position > last:
        yield position, lines


def grouped(pieces: Iterable[tuple[Piece, int]], block: int) -> list[Part]:
    """Put pieces, each given with its bytes, together to parts of about `block` bytes."""
    parts: list[Part] = []
    together: list[Piece] = []
    size = 0
    for piece, number in pieces:
        if together and size + number > block:
            parts.append(tuple(together))
            together, size = [], 0
        together.append(piece)
        size += number
    return [*parts, tuple(together)] if together else parts
