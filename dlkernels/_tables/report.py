"""The report of `dlkernels train`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix

from dlkernels._data.columns import Array
from dlkernels._tables.choice import Choice, Label
from dlkernels._tables.scores import percent, written
from dlkernels._tables.training import Scores, Settings
from dlkernels._tables.words import listed, quantity
from dlkernels.reporting import WIDTH, duration, show_block, show_lines
from dlkernels.text import printable

# -- the table and the columns ---------------------------------------------------------------------------


def show_table(
    what: str, rows: int, columns: int, label: Label, choice: Choice, remarks: Sequence[str]
) -> None:
    """What was read, and what becomes of it."""
    show_lines(
        f"{what}: {quantity(rows, 'row')}, {quantity(columns, 'column')}",
        f"{label.task.capitalize()}, {label.why}.",
        *_columns(choice),
        *remarks,
    )


def _columns(choice: Choice) -> Iterator[str]:
    if choice.numbers:
        words = f"Standardised: {listed(choice.numbers)}."
        yield words + (f" True is 1 in {listed(choice.booleans)}." if choice.booleans else "")
    if choice.texts:
        yield f"One-hot encoded: {listed(choice.texts)}."
    if choice.missing:
        cells = [f"{name} ({number:,})" for name, number in choice.missing.items()]
        of_numbers = any(name in choice.missing for name in choice.numbers)
        of_texts = any(name in choice.missing for name in choice.texts)
        how = [*["numbers become the median"] * of_numbers, *["a missing text is a category"] * of_texts]
        yield f"Missing cells: {listed(cells)}; {', '.join(how)}."
    for name, why in choice.left_out.items():
        yield f"Left out {printable(name)}: {why}."
    for name in choice.counting:
        yield f"{printable(name)} counts the rows: if it is no feature, leave it out by --ignore."


# -- scores ----------------------------------------------------------------------------------------------


def _grid() -> Any:
    from rich import box
    from rich.table import Table as Grid

    return Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))


def _described(settings: Settings, task: str) -> str:
    if settings.hidden:
        return f"network of {'-'.join(map(str, settings.hidden))} hidden units"
    return "logistic regression" if task == "classification" else "linear regression"


def show_folds(task: str, scores: Scores, y: Array, settings: Settings) -> None:
    """The scores of the held-out folds, and what went wrong where."""
    classes, counts = None, None
    if task == "classification":
        classes = np.unique(y)
        counts = confusion_matrix(y, scores.predicted, labels=classes)
    rows = [dict(zip(folds[0], _spread(folds), strict=True)) for folds in (scores.model, scores.constant)]
    show_scores(f"{settings.folds} folds, each held out once", rows[0], rows[1], settings, classes, counts)


def _spread(folds: list[dict[str, float]]) -> Iterator[str]:
    for name in folds[0]:
        values = np.array([fold[name] for fold in folds])
        yield f"{written(name, values.mean())} ± {written(name, values.std())}"


def show_scores(
    heading: str,
    model: dict[str, str],
    constant: dict[str, str],
    settings: Settings,
    classes: Any = None,
    counts: Any = None,
) -> None:
    """Scores of a model beside those of a constant guess; and which classes are taken for which."""
    grid = _grid()
    grid.add_column(heading, no_wrap=True)
    for name in model:
        grid.add_column(name, justify="right", no_wrap=True)
    guess = "the mean" if classes is None else "the most frequent class"
    task = "regression" if classes is None else "classification"
    for words, cells in ((_described(settings, task), model), (f"always {guess}", constant)):
        grid.add_row(words, *cells.values())
    show_block(grid)
    if classes is not None:
        show_block(_confusion(classes, counts))


def _confusion(classes: Any, counts: Array) -> Any:
    """A table of the classes: how many rows of each are predicted as which, precision and recall."""
    right = counts.diagonal()
    recall, precision = (right / np.maximum(counts.sum(axis=axis), 1) for axis in (1, 0))
    grid = _grid()
    names = [printable(str(name))[:20] for name in classes]
    # "as " stands before each, 2 spaces between columns; recall and precision take 22.
    wide = max(12, *map(len, names)) + sum(len(name) + 5 for name in names) + 22 <= WIDTH
    grid.add_column("row of class" if wide else "class")
    headings = [f"as {name}" for name in names] if wide else ["rows", "most often taken for"]
    for heading in (*headings, "recall", "precision"):
        grid.add_column(heading, justify="right")
    for number, name in enumerate(names):
        cells = [f"{count:,}" for count in counts[number]]
        if not wide:
            wrong = counts[number] * (np.arange(len(classes)) != number)
            most = f"{names[wrong.argmax()]} ({wrong.max():,})" if wrong.any() else ""
            cells = [f"{counts[number].sum():,}", most]
        found = percent(recall[number]) if counts[number].any() else "no rows"
        grid.add_row(name, *cells, found, percent(precision[number]))
    return grid


def closing(scores: Scores, settings: Settings, unfinished: Sequence[str], trainings: int) -> Iterator[str]:
    """Yield remarks below the scores."""
    yield f"A training took {duration(float(np.median(scores.seconds)))} (median of {settings.folds})."
    diverged = next((message for message in unfinished if "diverged" in message), None)
    if diverged:
        yield f"A training diverged: {diverged}"
    elif unfinished:
        yield (
            f"{len(unfinished)} of {quantity(trainings, 'training')} stopped at --max-iter "
            f"{settings.max_iter:,} before they had converged; a higher one may give a better score."
        )
