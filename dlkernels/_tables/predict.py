"""`dlkernels predict`: predict the rows of a table with the model of a file."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dlkernels._data.columns import Array, DataError
from dlkernels._data.reading import naming, readable
from dlkernels._tables.cells import MARKS, Column, columns_of
from dlkernels._tables.choice import frame
from dlkernels._tables.reading import Table, read_table
from dlkernels._tables.scores import in_words, score
from dlkernels._tables.words import hint, listed, missing_cells, quantity
from dlkernels.cli import CommandError
from dlkernels.estimators import _files, _preparation
from dlkernels.faults import reason
from dlkernels.reporting import reserved, same_file, say_written
from dlkernels.text import printable


def run(arguments: argparse.Namespace) -> int:
    """Predict; nothing is written unless all is right."""
    for file in (arguments.table, arguments.model):
        if same_file(arguments.out, file):
            raise CommandError(f"argument --out: {arguments.out} is what is read")
    pipeline, label = _loaded(arguments.model)
    table = read_table(arguments.table, arguments.encoding)
    with naming(arguments.table):
        rows = _Rows(table, pipeline, label, MARKS[arguments.decimal])
    with reserved(arguments.out, "--out") as draft:
        predicted, probabilities = rows.predicted()
        text = _written(rows, predicted, probabilities)
        if draft is not None:
            draft.write_text(text, encoding="utf-8-sig" if table.marked else "utf-8", newline="")
    # What is said goes where the predictions don't.
    said = "".join(f"{line}\n" for line in rows.remarks(predicted))
    if draft is None:
        if sys.stderr is not None:  # the parent process may have closed it
            sys.stderr.write(said)
        sys.stdout.write(text)
    else:
        sys.stdout.write(said)
        say_written([arguments.out])
    return 0


def _loaded(path: Path) -> tuple[Any, str]:
    """The pipeline of a file, and the name of the label."""
    readable(path)
    try:
        pipeline, header = _files.load_with_header(path)
    except ValueError as error:
        reason(error)  # raises an exception that isn't about the file
        order = "; the model comes before the table" if path.suffix.lower() == ".csv" else ""
        raise CommandError(str(error).removeprefix("load: ") + order) from None
    if header["table"] is None:
        raise CommandError(
            f"{path}: it holds an estimator, but not how a table is prepared for it; `dlkernels train "
            "--save` writes such a file"
        )
    return pipeline, header["table"]["label"]


class _Rows:
    """The rows of a table in the form in which a pipeline takes them."""

    def __init__(self, table: Table, pipeline: Any, label: str, decimal: str | None) -> None:
        self.table, self.pipeline, self.label = table, pipeline, label
        self.classes = getattr(pipeline["model"], "classes_", None)
        self.needed = needed = _preparation.columns(pipeline["preparation"])
        _need(table, [*needed.numbers, *needed.texts])
        labels = [label] if label in table.names else []
        self.columns = columns_of(table, [*needed.numbers, *labels], decimal)
        self.decimal = next((column.decimal for column in self.columns.values()), decimal or ".")
        self.columns |= columns_of(table, needed.texts, self.decimal)
        self.missing = {name: each for name in needed.numbers if (each := self.columns[name].missing)}
        if self.missing and needed.imputer is None:
            raise DataError(
                f"{missing_cells(self.missing, len(table.lines))}; fill them in, or train the model with "
                "--missing impute"
            )
        self.X = frame(self.columns, needed.numbers, needed.texts)

    def predicted(self) -> tuple[Array, Array | None]:
        """The prediction for each row, and the probability of each class."""
        predicted = self.pipeline.predict(self.X)
        return predicted, None if self.classes is None else self.pipeline.predict_proba(self.X)

    def remarks(self, predicted: Array) -> Iterator[str]:
        """Yield sentences on what was ignored, filled in or unknown, and the score, if the label is there."""
        needed, table = self.needed, self.table
        yield f"Predicted {printable(self.label)} for {quantity(len(table.lines), 'row')}."
        yield from table.remarks
        others = [name for name in table.names if name not in self.columns]
        if others:
            yield f"Ignored, because the model doesn't know them: {', '.join(map(printable, others))}."
        for name, missing in self.missing.items():
            rows = quantity(missing, "row")
            yield f"{printable(name)}: missing in {rows}, replaced by the training's median."
        for name, known in needed.categories.items():
            yield from _unknown(self.columns[name], known)
        if self.label in table.names:
            yield self._score(predicted)

    def _score(self, predicted: Array) -> str:
        column = self.columns[self.label]
        there = np.array([cell in column.values for cell in column.cells])
        if not there.any():
            return f"No score, because {printable(self.label)} is empty in all rows."
        try:
            truth = self._truth(column)
        except DataError as error:
            return f"No score: {error}"
        words = in_words(score(truth[there], predicted[there], self.classes is not None))
        return f"Score of the {quantity(int(there.sum()), 'row')} with {printable(self.label)}: {words}."

    def _truth(self, column: Column) -> Array:
        """The labels in the form of the predictions."""
        kind = "f" if self.classes is None else self.classes.dtype.kind
        if kind in "UO":
            return column.texts()
        return column.numbers == 1.0 if kind == "b" else column.numbers


def _need(table: Table, names: list[str]) -> None:
    """Refuse a table without these columns."""
    missing = [name for name in names if name not in table.names]
    if missing:
        shown = listed([f"{name!r}{hint(name, table.names)}" for name in missing])
        raise DataError(f"columns that the model needs are missing: {shown}")


def _unknown(column: Column, known: Collection[Any]) -> Iterator[str]:
    """What is to be said of texts that training hasn't seen."""
    unknown = [cell for cell in column.cells if cell in column.values and cell not in known]
    examples = ", ".join(repr(printable(text[:40])) for text in list(dict.fromkeys(unknown))[:3])
    if unknown:
        yield (
            f"{printable(column.name)}: a text that the training hasn't seen in "
            f"{quantity(len(unknown), 'row')}, such as {examples}; it counts as none of the categories."
        )
    if column.missing and not any(value != value for value in known):
        rows = quantity(column.missing, "row")
        yield f"{printable(column.name)}: missing in {rows}; it counts as none of the categories."


def _written(rows: _Rows, predicted: Array, probabilities: Array | None) -> str:
    """The predictions as a table with the separator and the decimal mark of the other one."""
    table = rows.table
    names = [*[table.index_name] * (table.index_cells is not None), "prediction"]
    if rows.classes is not None:
        names += [f"probability of {name}" for name in rows.classes.tolist()]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=table.separator, lineterminator="\n")
    writer.writerow(names)
    shares: Any = [()] * len(predicted) if probabilities is None else probabilities.tolist()
    for number, (value, share) in enumerate(zip(predicted.tolist(), shares, strict=True)):
        index = [] if table.index_cells is None else [table.index_cells[number]]
        writer.writerow([*index, *(_cell(each, rows.decimal) for each in (value, *share))])
    return text.getvalue()


def _cell(value: Any, decimal: str) -> str:
    return repr(value).replace(".", decimal) if isinstance(value, float) else str(value)
