"""`dlkernels train`: read a table, score a model on rows that it hasn't seen, and keep one of all rows."""

from __future__ import annotations

import argparse

from dlkernels._data.columns import DataError
from dlkernels._data.reading import naming
from dlkernels._tables import report, training
from dlkernels._tables.cells import MARKS, Column, columns_of, label_values
from dlkernels._tables.choice import choose, frame, label_of, need_columns, need_examples
from dlkernels._tables.reading import Table, read_table
from dlkernels._tables.summaries import of_column
from dlkernels.cli import CommandError
from dlkernels.estimators import _files
from dlkernels.progress import progress
from dlkernels.reporting import reserved, same_file, say_written, show_block
from dlkernels.text import printable

_FOLDS = 5


def run(arguments: argparse.Namespace) -> int:
    """Check everything that can be checked first, because training takes long; then train and report."""
    if same_file(arguments.save, arguments.table):
        raise CommandError(f"argument --save: {arguments.save} is the table")
    if arguments.table.is_dir():
        raise CommandError(f"{arguments.table}: this is a folder; --dask local trains on all files in it")
    settings = training.Settings(
        arguments.hidden,
        arguments.folds or _FOLDS,
        arguments.seed,
        arguments.max_iter or 500,
        arguments.missing == "impute",
    )
    table = read_table(arguments.table, arguments.encoding)
    with naming(arguments.table):
        label, features = _columns(table, arguments)
        summary = of_column(label)
        found = label_of(summary, arguments.task)
        need_examples(summary, found, settings.folds)
        y = label_values(label, found.form)
        summaries = {name: of_column(column) for name, column in features.items()}
        choice = choose(summaries, set(arguments.category), settings.impute)
    if found.task == "regression":
        y = y.astype(float)
    X = frame(features, choice.numbers, choice.texts)
    pipeline = training.pipeline_of(choice, found.task, settings, len(y))
    unfinished: list[str] = []
    trainings = settings.folds + (arguments.save is not None)
    with reserved(arguments.save, "--save") as draft:
        report.show_table(
            printable(arguments.table.name), len(table.lines), len(table.names), found, choice, table.remarks
        )
        with progress("training", trainings) as advance, training.collecting(unfinished):
            scores = training.cross_validate(pipeline, X, y, settings, advance)
            if draft is not None:
                whole = training.fitted(pipeline, X, y)
                _files.write_pipeline(whole, label.name, draft)
                advance(1)
        report.show_folds(found.task, scores, y, settings)
        show_block(*report.closing(scores, settings, unfinished, trainings))
    say_written([arguments.save])
    return 0


def _columns(table: Table, arguments: argparse.Namespace) -> tuple[Column, dict[str, Column]]:
    """The column of labels, and the others that aren't ignored."""
    label = arguments.label
    need_columns([label], table.names, "--label")
    for option in ("ignore", "category"):
        need_columns(getattr(arguments, option), table.names, f"--{option}")
        if label in getattr(arguments, option):
            raise DataError(f"--{option}: {label!r} is the label")
    names = [name for name in table.names if name not in arguments.ignore]
    columns = columns_of(table, names, MARKS[arguments.decimal])
    return columns.pop(label), columns
