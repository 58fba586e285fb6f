"""Read Parquet files as parts of a table. Their schema says what a column holds."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow
from pyarrow import parquet, types

from dlkernels._data.columns import Array, DataError
from dlkernels._data.reading import reading
from dlkernels._tables.arrow import one_array
from dlkernels._tables.choice import MOST_TEXTS
from dlkernels._tables.coded import Kept, PartRows, encoded, of_stored, of_texts
from dlkernels._tables.parts import Piece, Rows, need_same
from dlkernels._tables.summaries import Summary
from dlkernels.text import printable

#: How pandas calls an index without a name.
_INDEX = "__index_level_0__"


@dataclasses.dataclass(frozen=True)
class ParquetFiles:
    """How the Parquet files of a table are read.

    Attributes
    ----------
    kinds : dict
        By column "numbers", "booleans", "texts", "dates", "empty", or else the type in Parquet's words.
    first : str
        The first file, as messages show it.
    """

    kinds: dict[str, str]
    first: str

    unit: ClassVar[str] = "row"  # what messages count
    separator: ClassVar[str] = ""  # between fields
    decimal: ClassVar[str] = "."  # unless all rows tell another one

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(self.kinds)

    def need_readable(self, names: Iterable[str]) -> None:
        """Refuse columns of a type that can't be learnt from."""
        for name in names:
            kind = self.kinds[name]
            if kind == "dates":
                raise DataError(
                    f"column {name!r} holds dates or times; write them as numbers, of days for instance, or "
                    f"leave the column out: --ignore {name!r}"
                )
            if kind not in ("numbers", "booleans", "texts", "empty"):
                raise DataError(
                    f"column {name!r} holds values of the type {kind}, not numbers or texts; leave it out: "
                    f"--ignore {name!r}"
                )

    def joined(self, other: ParquetFiles) -> ParquetFiles:
        """The same with the kinds of another file; or an error if they differ."""
        need_same(self.names, other.names, self.first)
        kinds = dict(self.kinds)
        for name, kind in other.kinds.items():
            if kinds[name] == "empty":
                kinds[name] = kind
            elif kind not in (kinds[name], "empty"):
                raise DataError(f"column {name!r} holds {kind}, but {kinds[name]} in {self.first}")
        return dataclasses.replace(self, kinds=kinds)

    def read(self, piece: Piece, names: Iterable[str]) -> Rows:
        """Read these columns of a piece."""
        names = list(names)
        with _opened(Path(piece.file), piece.shown) as file:
            stored = {_shown(name): name for name in file.schema_arrow.names}
            table = file.read_row_groups(
                list(range(piece.start, piece.stop)), [stored[name] for name in names], use_threads=False
            )
        columns = {name: _plain(table[stored[name]]) for name in names}
        return Rows(columns, table.num_rows, 0, ())

    def column(
        self, name: str, values: Any, decimal: str, texts: Collection[str], rows: PartRows
    ) -> tuple[Summary, Kept]:
        """What is known of a column that was read, and what is kept. Those of `texts` may be classes."""
        kind = self.kinds[name]
        if kind in ("numbers", "booleans"):
            if name in texts and len(values.unique()) <= MOST_TEXTS:
                return of_texts(name, _texts(values), ".", rows)
            return of_stored(name, _numbers(values), kind == "booleans", rows)
        return of_texts(name, _texts(values), decimal, rows)

    def line(self, piece: Piece, row: int) -> int:
        """The number of a row of a piece in its file."""
        return piece.above + row + 1


@contextlib.contextmanager
def _opened(path: Path, shown: str) -> Iterator[Any]:
    """Yield an open file. What the library says of it becomes a DataError."""
    try:
        with reading(path, "a Parquet file"), parquet.ParquetFile(path) as file:
            yield file
    except DataError as error:
        raise DataError(str(error).replace(str(path), shown, 1)) from None
    except pyarrow.ArrowException as error:
        if isinstance(error, MemoryError):
            raise
        raise DataError(f"{shown}: not a Parquet file, or a damaged one: {error}") from None


def parquet_file(path: Path, shown: str) -> tuple[ParquetFiles, list[tuple[Piece, int]]]:
    """How a file is read, and its pieces, each with its bytes."""
    with _opened(path, shown) as file:
        kinds = {_shown(field.name): _kind(field.type) for field in file.schema_arrow if field.name != _INDEX}
        if len(kinds) < len([name for name in file.schema_arrow.names if name != _INDEX]):
            raise DataError("two columns have the same name; rename them")
        pieces, above = [], 0
        for group in range(file.num_row_groups):
            data = file.metadata.row_group(group)
            pieces.append((Piece(str(path), shown, group, group + 1, above), data.total_byte_size))
            above += data.num_rows
    return ParquetFiles(kinds, shown), pieces


def _shown(name: str) -> str:
    return printable(name.strip())


def _kind(arrow: Any) -> str:
    if types.is_dictionary(arrow):
        arrow = arrow.value_type
    for kind, tests in {
        "booleans": [types.is_boolean],
        "numbers": [types.is_integer, types.is_floating, types.is_decimal],
        "texts": [types.is_string, types.is_large_string, types.is_string_view],
        "dates": [types.is_temporal],
        "empty": [types.is_null],
    }.items():
        if any(test(arrow) for test in tests):
            return kind
    return str(arrow)


def _plain(values: Any) -> Any:
    """A column as one array without Arrow's dictionaries."""
    if types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return one_array(values)


def _numbers(values: Any) -> Array:
    """Numbers, true and false as float64, with NaN where there is none."""
    if types.is_boolean(values.type):
        values = values.cast(pyarrow.int8())
    return np.asarray(values.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)


def _texts(values: Any) -> Any:
    """Values of any type as the cells of a CSV file."""
    different, codes = encoded(values)
    texts = [
        "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value).strip()
        for value in different.to_pylist()
    ]
    return pyarrow.array(texts, "string").take(pyarrow.array(codes))
