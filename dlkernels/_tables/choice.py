"""Decide what is learnt from which columns: the task, numbers, texts, and what is left out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from dlkernels._data.columns import Array, DataError
from dlkernels._tables.cells import Column, label_values
from dlkernels._tables.words import hint, listed, missing_cells, quantity
from dlkernels.extras import need

#: A column of texts with more different ones is left out: each would become a feature.
MOST_TEXTS = 1000
#: Whole numbers are classes if they are so few, and each stands in so many rows on average.
MOST_CLASSES, LEAST_ROWS = 20, 5


class Choice(NamedTuple):
    """What of a table is learnt from.

    Attributes
    ----------
    numbers, texts : list of str
        The columns that are standardised, and those whose texts become features.
    booleans : list of str
        Those of `numbers` that are true and false.
    missing : dict
        How many cells of these columns are missing, by name; columns without missing ones aren't there.
    left_out : dict
        Why other columns are left out, by name.
    counting : list of str
        Those of `numbers` that count the rows.
    """

    numbers: list[str]
    texts: list[str]
    booleans: list[str]
    missing: dict[str, int]
    left_out: dict[str, str]
    counting: list[str]


def need_columns(names: Iterable[str], given: Collection[str], option: str) -> None:
    """Refuse a name that isn't a column's."""
    for name in names:
        if name not in given:
            raise DataError(
                f"{option}: there is no column {name!r}{hint(name, given)}; there are {listed(list(given))}"
            )


# -- features ------------------------------------------------------------------------------------------------


def choose(columns: Mapping[str, Column], categories: Collection[str], impute: bool) -> Choice:
    """Choose among columns that aren't the labels. Those of `categories` are texts, whatever they hold."""
    chosen = Choice([], [], [], {}, {}, [])
    for name, column in columns.items():
        why = _why_not(column, impute, name in categories)
        if why:
            chosen.left_out[name] = why
            continue
        if column.missing:
            chosen.missing[name] = column.missing
        if column.kind == "texts" or name in categories:
            chosen.texts.append(name)
            continue
        chosen.numbers.append(name)
        if column.kind == "booleans":
            chosen.booleans.append(name)
        elif not column.missing and _counts(column.numbers):
            chosen.counting.append(name)
    if chosen.missing and not impute:
        raise DataError(
            f"{missing_cells(chosen.missing, len(column.cells))}; fill them in, leave columns out by "
            "--ignore COLUMN, or let --missing impute replace them by the column's median"
        )
    if not (chosen.numbers or chosen.texts):
        reasons = "; ".join(f"{name!r}: {why}" for name, why in chosen.left_out.items())
        raise DataError(f"no column is left to learn from{f' ({reasons})' if reasons else ''}")
    return chosen


def _why_not(column: Column, impute: bool, category: bool) -> str:
    """Why a column can't be learnt from, or nothing. Raise an error if the user has to decide."""
    kind = "texts" if category and column.values else column.kind
    values, rows = len(column.values), len(column.cells) - column.missing
    if kind == "empty":
        return "has no values"
    if kind == "dates":
        example = next(cell for cell in column.cells if cell in column.values)
        raise DataError(
            f"column {column.name!r} holds dates or times, such as {example[:40]!r}; write them as numbers, "
            f"of days for instance, or leave the column out: --ignore {column.name!r}"
        )
    if kind in ("numbers", "booleans"):
        least, most = np.nanmin(column.numbers), np.nanmax(column.numbers)
        return "has the same value in all rows" if least == most else ""
    if values == 1 and not (impute and column.missing):
        return "has the same value in all rows"
    if category:
        return ""
    _need_texts_or_numbers(column)
    if values > MOST_TEXTS:
        return f"text, with {values:,} different values"
    # Of two or three rows everything is nearly different.
    if values > 2 and 2 * values > rows:
        return f"text that differs nearly from row to row: {values:,} values in {rows:,} rows"
    return ""


def _need_texts_or_numbers(column: Column) -> None:
    """Refuse a column of numbers with a few texts among them."""
    if all(value.isdigit() for value in column.values):
        return  # codes, such as 007
    others = [value for value in column.values if not column.is_number(value)]
    if 2 * len(others) < len(column.values):
        first = min(others, key=column.line_of)
        raise DataError(
            f"column {column.name!r} holds numbers, but {first[:40]!r} in line {column.line_of(first)}"
            f"{f' and {len(others) - 1:,} more' if len(others) > 1 else ''}; correct it, leave its cell "
            f"empty if the value is missing, or read all as texts by --category {column.name!r}"
        )
    amounts = [value for value in others if column.is_amount(value)]
    if amounts and 2 * (len(others) - len(amounts)) < len(column.values):
        first = min(amounts, key=column.line_of)
        raise DataError(
            f"column {column.name!r} holds {first[:40]!r} in line {column.line_of(first)}; write numbers "
            "without thousands marks, currencies and percent signs, or read all as texts by --category "
            f"{column.name!r}"
        )


def _counts(numbers: Array) -> bool:
    """Whether these are the numbers of the rows."""
    return len(numbers) > 2 and bool((numbers == numbers[0] + np.arange(len(numbers))).all())


def frame(columns: Mapping[str, Column], numbers: Iterable[str], texts: Iterable[str]) -> Any:
    """A pandas DataFrame of these columns."""
    pandas = need("pandas", "this command", "train")
    made: dict[str, Any] = {name: columns[name].numbers for name in numbers}
    made |= {name: pandas.Series(columns[name].texts(), dtype=object) for name in texts}
    return pandas.DataFrame(made)


# -- labels --------------------------------------------------------------------------------------------------


def labels(column: Column, task: str, folds: int) -> tuple[Any, str, str]:
    """The labels as an array, the task, and why it is this one."""
    if column.missing:
        first = next(cell for cell in column.cells if cell not in column.values)
        raise DataError(
            f"the label {column.name!r} is missing in {column.missing:,} of {len(column.cells):,} rows, the "
            f"first in line {column.line_of(first)}; fill it in, or leave out these lines"
        )
    if column.kind == "dates":
        raise DataError(f"the label {column.name!r} holds dates; write them as numbers, of days for instance")
    if column.kind == "texts":
        _need_texts_or_numbers(column)
    values = label_values(column)
    # Beyond 2**53 different whole numbers have the same float64.
    inexact = values.dtype == np.float64 and np.abs(values).max() >= 2**53
    number = len(column.values) if inexact else len(np.unique(values))
    found, why = _task(column, values, number)
    if task == "regression" and column.kind == "texts":
        raise DataError(f"--task regression: the label {column.name!r} holds texts, not numbers")
    if number == 1:
        raise DataError(
            f"the label {column.name!r} is {column.cells[0][:40]!r} in all rows, so there is nothing to learn"
        )
    if task != "auto":
        found, why = task, f"by --task {task}"
    if found == "classification":
        if inexact or (values.dtype == np.float64 and not _whole(values)):
            values = column.texts()  # scikit-learn takes fractions for measurements, not for classes
        _need_examples(column, values, folds)
    else:
        values = values.astype(np.float64)
        if len(values) < 2 * folds:
            raise DataError(f"{len(values)} rows are too few for {folds} folds, each of at least 2 rows")
    return values, found, why


def _task(column: Column, values: Any, number: int) -> tuple[str, str]:
    if column.kind in ("texts", "booleans"):
        what = "texts" if column.kind == "texts" else "true and false"
        return "classification", f"because {column.name!r} holds {what}"
    few = number <= 2 or (number <= MOST_CLASSES and LEAST_ROWS * number <= len(values))
    if few and _whole(values):
        why = f"because {column.name!r} holds {number} different whole numbers"
        return "classification", f"{why}; --task regression would predict numbers" if number > 2 else why
    return "regression", f"because {column.name!r} holds {number:,} different numbers"


def _whole(numbers: Array) -> bool:
    return bool((numbers == np.floor(numbers)).all())


def _need_examples(column: Column, values: Any, folds: int) -> None:
    """Refuse a class that isn't there for each fold."""
    names, counts = np.unique(values, return_counts=True)
    if counts.min() >= folds:
        return
    if column.kind == "texts" and 2 * len(names) > len(values):
        raise DataError(
            f"the label {column.name!r} differs nearly from row to row: {len(names):,} texts in "
            f"{len(values):,} rows, where a class needs several"
        )
    name, count = names[counts.argmin()], int(counts.min())
    rare = int((counts < folds).sum())
    others = f" (and {rare - 1:,} other classes have too few, too)" if rare > 1 else ""
    way = f"--folds {count}, or " if count > 1 else ""
    raise DataError(
        f"the class {str(name)[:40]!r} of {column.name!r} has {quantity(count, 'row')}, but "
        f"{folds} folds need {folds} of each class{others}; {way}leave out its rows, or join it with another "
        "class"
        f"{'; --task regression predicts numbers' if column.kind == 'numbers' else ''}"
    )
