"""`dlkernels train --dask`: train on files that may be larger than memory, on a Dask cluster.

The files are cut into parts. A first pass over them summarises the columns; from that, it is decided what is
learnt. A second pass makes features of the parts, which stay on the cluster: in memory, and on disk where
that is full. A fifth of the rows is held out, for the score. Parts, the rows that are held out and the order
in which parts are added up depend on the files and the seed alone, not on the cluster.
"""

from __future__ import annotations

import argparse
import functools
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dlkernels._data.columns import Array, DataError
from dlkernels._data.reading import naming
from dlkernels._tables import folders, passes, report, training
from dlkernels._tables.cells import MARKS, decimal_of
from dlkernels._tables.choice import Choice, Label, choose, label_of, need_columns
from dlkernels._tables.clusters import connected, each, finished, need_files
from dlkernels._tables.folders import Found
from dlkernels._tables.parts import BLOCK, Part, grouped
from dlkernels._tables.passes import Errors, Look, Plan, Recipe
from dlkernels._tables.reading import skipped_lines
from dlkernels._tables.scores import written
from dlkernels._tables.summaries import Summary
from dlkernels._tables.words import quantity
from dlkernels.cli import CommandError
from dlkernels.estimators import _files
from dlkernels.extras import need
from dlkernels.progress import progress
from dlkernels.reporting import duration, reserved, same_file, say_written, show_block
from dlkernels.text import printable


class _Blocks(NamedTuple):
    """A part on the cluster: a delayed pair of `passes.Block`, and how many rows the first one has."""

    pair: Any
    trained: int


class _Job(NamedTuple):
    """What a run works with: the cluster's client, the parts, and how they are read."""

    client: Any
    parts: list[Part]
    plan: Plan


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
        arguments.hidden, 0, arguments.seed, arguments.max_iter, arguments.missing == "impute"
    )
    source, pieces = folders.read_layout(found, arguments.encoding)
    with naming(arguments.table):
        plan = _plan(source, arguments)
    with reserved(arguments.save, "--save") as draft:
        workers = math.ceil(sum(file.stat().st_size for file in found.files) / BLOCK)
        with connected(arguments.dask, workers) as client:
            need_files(client, found.files, arguments.table)
            if pieces is None:
                parts = folders.csv_parts(found, source, functools.partial(each, client), BLOCK)
            else:
                parts = grouped(pieces, BLOCK)
            _train(_Job(client, parts, plan), arguments, settings, found, draft)
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
    job: _Job, arguments: argparse.Namespace, settings: training.Settings, found: Found, draft: Path | None
) -> None:
    """Decide what is learnt, train, and report."""
    with naming(arguments.table):
        job, seen, rows = _looked(job, arguments.decimal is None)
        columns = dict(seen.columns)
        summary = columns.pop(arguments.label)
        label = label_of(summary, arguments.task)
        _need_rows(summary, label)
        choice = choose(columns, set(arguments.category), settings.impute)
    recipe = _recipe(columns, choice, summary, label, settings.impute)
    remarks = [*skipped_lines(seen.skipped), *seen.unnamed, *found.remarks]
    what = f"{printable(arguments.table.name)}: {quantity(len(found.files), 'file')}"
    report.show_table(what, seen.rows, len(job.plan.source.names), label, choice, remarks)
    unfinished: list[str] = []
    blocks = _prepared(job, recipe, rows)
    start = time.perf_counter()
    with training.collecting(unfinished):
        model = _fitted(job, recipe, blocks, label.task, settings)
    seconds = time.perf_counter() - start
    _show_scores(job, recipe, blocks, model, label, settings)
    show_block(*_closing(seconds, unfinished, settings, draft is not None))
    if draft is not None:
        _files.write(model, draft, _described(recipe, summary))


# -- what is decided -----------------------------------------------------------------------------------------


def _looked(job: _Job, undecided: bool) -> tuple[_Job, Look, list[int]]:
    """Look at all parts; once more, if they show another decimal mark than the first lines do.

    Return also how many rows each part has.
    """
    while True:
        looks: Look | None = None
        rows: list[int] = []
        with progress("looking at the columns", len(job.parts)) as advance:
            tasks = [(part, number, job.plan) for number, part in enumerate(job.parts)]
            for one in each(job.client, passes.look, tasks, advance):
                looks = one if looks is None else passes.joined([looks, one])
                rows.append(one.rows)
        if looks is None or not looks.rows:
            raise DataError("there are no rows")
        marks = {name: column.marks for name, column in looks.columns.items()}
        decimal = decimal_of(job.plan.source.separator, marks) if undecided else job.plan.decimal
        if decimal == job.plan.decimal:
            return job, looks, rows
        job, undecided = job._replace(plan=job.plan._replace(decimal=decimal)), False


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
        choice.numbers, choice.booleans, np.array([each.mean for each in figures]),
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


# -- training ------------------------------------------------------------------------------------------------


def _prepared(job: _Job, recipe: Recipe, rows: list[int]) -> list[_Blocks]:
    """Make the blocks of all parts, which stay on the cluster."""
    dask, distributed = (need(name, "--dask", "dask") for name in ("dask", "distributed"))
    names = (*recipe.numbers, *recipe.texts, recipe.label)
    plan, how = dask.delayed(job.plan._replace(names=names)), dask.delayed(recipe)
    prepare = dask.delayed(passes.prepared, pure=False)
    pairs = job.client.persist(
        [prepare(part, number, rows[number], plan, how) for number, part in enumerate(job.parts)]
    )
    with progress("preparing", len(pairs)) as advance:
        for pair in pairs:
            (future,) = distributed.futures_of(pair)
            done = finished(job.client, future)
            if done.status == "error":
                done.result()  # raises the error
            advance(1)
    held = [int(passes.held_out(job.plan.seed, number, each).sum()) for number, each in enumerate(rows)]
    return [_Blocks(pair, each - out) for pair, each, out in zip(pairs, rows, held, strict=True)]


def _fitted(job: _Job, recipe: Recipe, blocks: list[_Blocks], task: str, settings: training.Settings) -> Any:
    """The model, trained on the rows for training."""
    # Each step of lbfgs sees all rows, so that little is sent to and fro for what is computed.
    model = training.model_of(task, settings, solver="lbfgs")
    fitted = fit(model, *_arrays(recipe, blocks), job.client)
    if task == "regression":
        training.predict_numbers(fitted, recipe.mean, recipe.scale)
    return fitted


def fit(model: Any, X: Any, y: Any, client: Any) -> Any:
    """Train the model on dask arrays X (m, n) and y (m,), and return it."""
    return model.fit(*client.gather(client.compute([X, y])))


def _arrays(recipe: Recipe, blocks: list[_Blocks]) -> tuple[Any, Any]:
    """The features and labels of the rows for training, in chunks of at most `rows_at_once` rows."""
    dask, arrays = need("dask", "--dask", "dask"), need("dask.array", "--dask", "dask")
    how, once = dask.delayed(recipe), recipe.rows_at_once
    features, labels = dask.delayed(passes.features), dask.delayed(passes.labels)
    X, y = [], []
    for pair, length in blocks:
        for start in range(0, length, once):
            stop = min(start + once, length)
            X.append(
                arrays.from_delayed(
                    features(pair[0], how, start, stop), (stop - start, recipe.features), float
                )
            )
            y.append(arrays.from_delayed(labels(pair[0], how, start, stop), (stop - start,), recipe.dtype))
    return arrays.concatenate(X), arrays.concatenate(y)


# -- scores --------------------------------------------------------------------------------------------------


def _show_scores(
    job: _Job, recipe: Recipe, blocks: list[_Blocks], model: Any, label: Label, settings: training.Settings
) -> None:
    """How well the rows are predicted that are held out."""
    dask = need("dask", "--dask", "dask")
    classes = label.task == "classification"
    score = dask.delayed(passes.counted if classes else passes.measured)
    how, ours = dask.delayed(recipe), dask.delayed(model)
    futures = job.client.compute([score(pair[1], how, ours) for pair, _ in blocks])
    results = []
    with progress("scoring", len(futures)) as advance:
        for future in futures:
            results.append(finished(job.client, future).result())
            advance(1)
    if classes:
        counts = np.sum(results, axis=0)
        held, (scores, constant) = int(counts.sum()), _accuracies(counts, label)
    else:
        errors = functools.reduce(passes.added, filter(None, results))
        counts, held, (scores, constant) = None, errors.number, _of_errors(errors)
    shown = [{name: written(name, value) for name, value in each.items()} for each in (scores, constant)]
    report.show_scores(
        f"{held:,} rows held out", shown[0], shown[1], settings, list(label.classes) or None, counts
    )


def _accuracies(counts: Array, label: Label) -> tuple[dict[str, float], dict[str, float]]:
    """The scores of the model, and of always guessing the class that is most frequent in training."""
    guess = int(np.argmax([trained for _, trained in label.classes.values()]))
    right = counts.trace(), counts[guess].sum()
    scores = [{"accuracy": float(each / counts.sum())} for each in right]
    return scores[0], scores[1]


def _of_errors(errors: Errors) -> tuple[dict[str, float], dict[str, float]]:
    """The scores of the model, and of always guessing the mean of the rows for training."""
    scores = []
    for squared, absolute in (
        (errors.squared, errors.absolute),
        (errors.squared_of_mean, errors.absolute_of_mean),
    ):
        # As scikit-learn has it: of equal numbers, R² is 1 where all are met, and 0 otherwise.
        r2 = 1 - squared / errors.squares if errors.squares else float(not squared)
        scores.append({"R²": r2, "mean absolute error": absolute / errors.number})
    return scores[0], scores[1]


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
            f"It stopped at --max-iter {settings.max_iter:,} before it had converged; a higher one may give "
            "a better score."
        )
    if saved:
        yield "The model that is saved is the one with these scores; it hasn't seen the rows held out."
