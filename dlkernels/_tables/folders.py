"""Find the files of a table, and cut them into parts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dlkernels._data.columns import DataError
from dlkernels._data.reading import readable
from dlkernels._tables.clusters import results
from dlkernels._tables.parquet import ParquetFiles, parquet_file
from dlkernels._tables.parts import CSVFiles, Part, Piece, csv_files, grouped
from dlkernels._tables.words import listed, quantity
from dlkernels.text import printable

_CSV, _PARQUET = (".csv",), (".parquet", ".pq")


class Found(NamedTuple):
    """The files of a table.

    Attributes
    ----------
    files : list of Path
    parquet : bool
        Whether they are Parquet files, or else CSV files.
    remarks : list of str
        What is ignored, in sentences.
    """

    files: list[Path]
    parquet: bool
    remarks: list[str]


def find(path: Path) -> Found:
    """The file, or all files below the folder, of one kind; or an error that says what there is."""
    if not path.is_dir():
        readable(path)
        return Found([path], path.suffix.lower() in _PARQUET, [])
    # Spark and Hive begin the names of what is no part of the table with _ or a point.
    everything = (Path(folder, name) for folder, _, names in os.walk(path, onerror=_refuse) for name in names)
    below = sorted(
        file for file in everything
        if not any(part.startswith((".", "_")) for part in file.relative_to(path).parts) and file.is_file()
    )  # fmt: skip
    tables = {kind: [file for file in below if file.suffix.lower() in kind] for kind in (_CSV, _PARQUET)}
    if all(tables.values()):
        counts = [f"{quantity(len(files), kind[0] + ' file')}" for kind, files in tables.items()]
        raise DataError(f"{path}: holds {' and '.join(counts)}; a table's files must be of one kind")
    others = [str(file.relative_to(path)) for file in below if file.suffix.lower() not in _CSV + _PARQUET]
    kind = next((kind for kind, files in tables.items() if files), None)
    if kind is None:
        what = f"only {listed(others)}" if others else "no files"
        raise DataError(f"{path}: no .csv, .parquet or .pq files there, but {what}")
    for file in tables[kind]:
        readable(file)
    remarks = [f"Ignored {quantity(len(others), 'other file')}: {listed(others)}."] if others else []
    files = [file for file in tables[kind] if file.stat().st_size] or tables[kind]
    if empty := [str(file.relative_to(path)) for file in tables[kind] if file not in files]:
        remarks.append(f"Ignored {quantity(len(empty), 'empty file')}: {listed(empty)}.")
    if any("=" in part for file in files for part in file.relative_to(path).parts[:-1]):
        remarks.append("What the names of folders say, such as year=2024, is no column.")
    return Found(files, kind == _PARQUET, remarks)


def _refuse(error: OSError) -> None:
    """Refuse a folder below that can't be read, which would be left out otherwise."""
    raise DataError(f"{printable(str(error.filename))}: {error.strerror}")


def shown(file: Path) -> str:
    """A path as messages show it."""
    return printable(str(file))


def read_layout(found: Found, encoding: str | None) -> tuple[Any, list[tuple[Piece, int]] | None]:
    """How the files are read, and the pieces of Parquet files. Those of CSV files are still to be found."""
    if not found.parquet:
        return csv_files(found.files[0], shown(found.files[0]), encoding), None
    files: ParquetFiles | None = None
    pieces: list[tuple[Piece, int]] = []
    for path in found.files:
        theirs, more = parquet_file(path.resolve(), shown(path))
        try:
            files = theirs if files is None else files.joined(theirs)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
        pieces += more
    return files, pieces


def csv_parts(found: Found, source: CSVFiles, client: Any, block: int) -> list[Part]:
    """The parts of CSV files. The cluster looks for the lines between which large files can be cut."""
    sizes = {file: os.path.getsize(file) for file in found.files}
    large = [file for file, size in sizes.items() if size > block]
    whole, names = [file.resolve() for file in large], [shown(file) for file in large]
    cuts = client.map(source.pieces, whole, names, block=block, pure=False) if large else []
    cut = dict(zip(large, results(client, cuts), strict=True))

    def pieces() -> Iterator[tuple[Piece, int]]:
        for file, size in sizes.items():
            for piece in cut.get(file, [Piece(str(file.resolve()), shown(file), 0, size, 0)]):
                yield piece, piece.stop - piece.start

    return grouped(pieces(), block)
