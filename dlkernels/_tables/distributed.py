"""`dlkernels train --dask`: train on files that may be larger than memory, on a Dask cluster.

The files are cut into parts. Each is read once, its columns are summarised, and their numbers and texts stay
on the cluster: in memory, and on disk where that is full. The summaries decide what is learnt, and then
features are made of what was kept. A fifth of the rows is held out, for the score. Parts, the rows that are
held out and the order in which parts are added up depend on the files and the seed alone, not on the cluster.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dlkernels._data.columns import DataError
from dlkernels._data.reading import naming
from dlkernels._tables import folders, remote, report, training
from dlkernels._tables.cells import MARKS
from dlkernels._tables.choice import Choice, Label, choose, label_of, need_columns
from dlkernels._tables.clusters import connected, need_files
from dlkernels._tables.folders import Found
from dlkernels._tables.parts import BLOCK, Part, grouped
from dlkernels._tables.passes import Plan, Recipe
from dlkernels._tables.reading import skipped_lines
from dlkernels._tables.scores import written
from dlkernels._tables.summaries import Summary
from dlkernels._tables.words import quantity
from dlkernels.cli import CommandError
from dlkernels.estimators import _files
from dlkernels.reporting import duration, reserved, same_file, say_written, show_block
from dlkernels.text import printable

#: The iterations of L-BFGS. Nothing is held out from it to stop early, and it learns noise by heart in the
#: end: of a table of 20,000 rows, 81.3 % of the others were right after 50, 81.0 after 200, 80.3 after 500.
_ITERATIONS = 100


def run(arguments: argparse.Namespace) -> int:
    """Check everything that can be checked first, because training takes long; then train and report."""
    if arguments.folds is not None:
        raise CommandError(
            "argument --folds: with --dask there are no folds; a fifth of the rows is held out"
        )
    found = folders.find(arguments.table)
    if found.parquet and arguments.encoding:
        raise CommandError("argument --encoding: Parquet files have no encoding to be told")
    for file in found.files:
        if same_file(arguments.save, file):
            raise CommandError(f"argument --save: {arguments.save} is a file of the table")
    settings = training.Settings(
        arguments.hidden, 0, arguments.seed, arguments.max_iter or _ITERATIONS, arguments.missing == "impute"
    )
    source, pieces = folders.read_layout(found, arguments.encoding)
    with naming(arguments.table):
        plan = _plan(source, arguments)
    with reserved(arguments.save, "--save") as draft:
        workers = math.ceil(sum(file.stat().st_size for file in found.files) / BLOCK)
        with connected(arguments.dask, workers) as client:
            need_files(client, found.files, arguments.table)
            parts = (
                folders.csv_parts(found, source, client, BLOCK) if pieces is None else grouped(pieces, BLOCK)
            )
            _train(client, parts, plan, arguments, settings, found, draft)
    say_written([arguments.save])
    return 0


def _plan(source: Any, arguments: argparse.Namespace) -> Plan:
    """What is read of the files."""
    label, given = arguments.label, source.names
    need_columns([label], given, "--label")
    for option in ("ignore", "category"):
        need_columns(getattr(arguments, option), given, f"--{option}")
        if label in getattr(arguments, option):
            raise DataError(f"--{option}: {label!r} is the label")
    names = tuple(name for name in given if name not in arguments.ignore)
    source.need_readable(names)
    decimal = MARKS[arguments.decimal] or source.decimal
    return Plan(
        source, names, (label, *arguments.category), decimal, arguments.seed, arguments.missing == "impute"
    )


def _train(
    client: Any, parts: list[Part], plan: Plan, arguments: argparse.Namespace, settings: training.Settings,
    found: Found, draft: Path | None,
) -> None:  # fmt: skip
    """Decide what is learnt, train, and report."""
    with naming(arguments.table):
        table = remote.read(client, parts, plan, arguments.decimal is None)
        columns = dict(table.look.columns)
        summary = columns.pop(arguments.label)
        label = label_of(summary, arguments.task)
        _need_rows(summary, label)
        choice = choose(columns, set(arguments.category), settings.impute)
    recipe = _recipe(columns, choice, summary, label, settings.impute)
    remarks = [*skipped_lines(table.look.skipped), *table.look.unnamed, *found.remarks]
    what = f"{printable(arguments.table.name)}: {quantity(len(found.files), 'file')}"
    report.show_table(what, table.look.rows, len(plan.source.names), label, choice, remarks)
    unfinished: list[str] = []
    blocks = remote.prepared(client, table, plan.seed, recipe)
    start = time.perf_counter()
    with training.collecting(unfinished):
        model = remote.fitted(client, blocks, recipe, settings)
    seconds = time.perf_counter() - start
    rows, scores, counts = remote.scored(client, blocks, recipe, model, label)
    shown = [{name: written(name, value) for name, value in each.items()} for each in scores]
    report.show_scores(
        f"{rows:,} rows held out", shown[0], shown[1], settings, list(label.classes) or None, counts
    )
    show_block(*_closing(seconds, unfinished, settings, draft is not None))
    if draft is not None:
        _files.write(model, draft, _described(recipe, summary))


# -- what is decided -----------------------------------------------------------------------------------------


def _need_rows(column: Summary, label: Label) -> None:
    """Refuse labels of which too few rows are for training, or are held out."""
    advice = "another --seed draws other rows"
    for name, (rows, trained) in label.classes.items():
        if not trained:
            raise DataError(
                f"the class {str(name)[:40]!r} of {column.name!r} has {quantity(rows, 'row')}, and none of "
                f"them is for training; leave out its rows, or join it with another class ({advice})"
            )
    held = column.rows - column.trained
    if min(column.trained, held) < 2:
        raise DataError(
            f"{quantity(column.rows, 'row')} are too few: {column.trained} would be for training, and {held} "
            f"held out ({advice})"
        )


def _recipe(
    columns: dict[str, Summary], choice: Choice, summary: Summary, label: Label, impute: bool
) -> Recipe:
    """What becomes of the columns: learnt from the rows for training alone."""
    figures = [columns[name].need_numbers() for name in choice.numbers]
    medians = np.array([each.median for each in figures]) if impute else None
    if medians is not None:
        gaps = [
            columns[name].trained - each.number for name, each in zip(choice.numbers, figures, strict=True)
        ]
        figures = [each.filled(gap, each.median) for each, gap in zip(figures, gaps, strict=True)]
    texts: dict[str, list[str | None]] = {}
    for name in choice.texts:
        column = columns[name]
        assert column.texts is not None
        texts[name] = [*sorted(text for text, (_, trained) in column.texts.items() if trained)]
        if sum(trained for _, trained in column.texts.values()) < column.trained:
            texts[name].append(None)  # a text is missing
    mean, scale = 0.0, 1.0
    if label.task == "regression":
        found = summary.need_numbers()
        mean, scale = found.mean, found.scale
    return Recipe(
        choice.numbers, np.array([each.mean for each in figures]),
        np.array([each.scale for each in figures]),
        medians, texts, summary.name, label.form, label.task == "regression", mean, scale,
    )  # fmt: skip


def _described(recipe: Recipe, summary: Summary) -> dict[str, Any]:
    """How the columns are prepared, as a model's file holds it."""
    return {
        "label": recipe.label,
        "rows": summary.trained if recipe.numbers else 0,
        "numbers": recipe.numbers,
        "means": recipe.means.tolist(),
        "scales": recipe.scales.tolist(),
        "medians": None if recipe.medians is None or not recipe.numbers else recipe.medians.tolist(),
        "texts": list(recipe.texts),
        "categories": list(recipe.texts.values()),
    }


def _closing(
    seconds: float, unfinished: list[str], settings: training.Settings, saved: bool
) -> Iterator[str]:
    """Yield remarks below the scores."""
    yield f"The training took {duration(seconds)}."
    diverged = next((message for message in unfinished if "diverged" in message), None)
    if diverged:
        yield f"It diverged: {diverged}"
    elif unfinished:
        yield (
            f"It stopped at --max-iter {settings.max_iter:,} before it had converged. Another number may "
            "give a better score: fewer iterations learn less of the training rows by heart."
        )
    if saved:
        yield "The model that is saved is the one with these scores; it hasn't seen the rows held out."
