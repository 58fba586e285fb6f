"""Decide what is learnt from which columns: the task, numbers, texts, and what is left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from dlkernels._data.columns import DataError
from dlkernels._tables.cells import Column, is_amount
from dlkernels._tables.summaries import Summary
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


def choose(columns: Mapping[str, Summary], categories: Collection[str], impute: bool) -> Choice:
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
        elif column.rows > 2 and column.need_numbers().counting:
            chosen.counting.append(name)
    if chosen.missing and not impute:
        raise DataError(
            f"{missing_cells(chosen.missing, column.rows)}; fill them in, leave columns out by "
            "--ignore COLUMN, or let --missing impute replace them by the column's median"
        )
    if not (chosen.numbers or chosen.texts):
        reasons = "; ".join(f"{name!r}: {why}" for name, why in chosen.left_out.items())
        raise DataError(f"no column is left to learn from{f' ({reasons})' if reasons else ''}")
    return chosen


def _why_not(column: Summary, impute: bool, category: bool) -> str:
    """Why a column can't be learnt from, or nothing. Raise an error if the user has to decide."""
    kind, rows = column.kind, column.rows - column.missing
    if kind == "empty":
        return "has no values"
    if category:
        kind = "texts"
    if kind == "dates":
        raise DataError(
            f"column {column.name!r} holds dates or times, such as {column.example[:40]!r}; write them as "
            f"numbers, of days for instance, or leave the column out: --ignore {column.name!r}"
        )
    if kind in ("numbers", "booleans"):
        figures = column.need_numbers()
        return "has the same value in all rows" if figures.least == figures.most else ""
    if column.different == 1 and not (impute and column.missing):
        return "has the same value in all rows"
    if category:
        if column.texts is None:
            raise DataError(
                f"--category: {column.name!r} has {column.counted('values')}, each of which would become a "
                "feature"
            )
        return ""
    _need_texts_or_numbers(column)
    if column.different > MOST_TEXTS:
        return f"text, with {column.counted('values')}"
    # Of two or three rows everything is nearly different.
    if column.different > 2 and 2 * column.different > rows:
        return f"text that differs nearly from row to row: {column.different:,} values in {rows:,} rows"
    return ""


def _need_texts_or_numbers(column: Summary) -> None:
    """Refuse a column of numbers with a few texts among them."""
    if column.others is None or (column.texts is not None and all(map(str.isdigit, column.texts))):
        return  # many texts; or codes, such as 007
    others, different = column.others, min(column.different, column.most + 1)
    if 2 * len(others) < different:
        first, place = next(iter(others.items()))
        raise DataError(
            f"column {column.name!r} holds numbers, but {first[:40]!r} in {place}"
            f"{f' and {len(others) - 1:,} more' if len(others) > 1 else ''}; correct it, leave its cell "
            f"empty if the value is missing, or read all as texts by --category {column.name!r}"
        )
    amounts = [text for text in others if is_amount(text)]
    if amounts and 2 * (len(others) - len(amounts)) < different:
        raise DataError(
            f"column {column.name!r} holds {amounts[0][:40]!r} in {others[amounts[0]]}; write numbers "
            "without thousands marks, currencies and percent signs, or read all as texts by --category "
            f"{column.name!r}"
        )


def frame(columns: Mapping[str, Column], numbers: Iterable[str], texts: Iterable[str]) -> Any:
    """A pandas DataFrame of these columns."""
    pandas = need("pandas", "this command", "train")
    made: dict[str, Any] = {name: columns[name].numbers for name in numbers}
    made |= {name: pandas.Series(columns[name].texts(), dtype=object) for name in texts}
    return pandas.DataFrame(made)


# -- labels --------------------------------------------------------------------------------------------------


class Label(NamedTuple):
    """What is predicted.

    Attributes
    ----------
    task, why : str
        The task, and why it is this one.
    form : str
        As what `cells.label_values` reads the column.
    classes : dict
        Of a classification the classes, sorted; each with its number of rows, and of rows for training.
    """

    task: str
    why: str
    form: str
    classes: dict[Any, tuple[int, int]]


def label_of(column: Summary, task: str) -> Label:
    """What is predicted, if this column holds the labels."""
    if column.missing:
        raise DataError(
            f"the label {column.name!r} is missing in {column.missing:,} of {column.rows:,} rows, the "
            f"first in {column.gap}; fill it in, or leave out these lines"
        )
    if column.kind == "dates":
        raise DataError(f"the label {column.name!r} holds dates; write them as numbers, of days for instance")
    if column.kind == "texts":
        _need_texts_or_numbers(column)
        if task == "regression":
            raise DataError(f"--task regression: the label {column.name!r} holds texts, not numbers")
    else:
        column.need_numbers()
    form = _form(column)
    rows = _rows_of(column, form)
    whole = rows is not None and form in ("integers", "floats") and all(value == value // 1 for value in rows)
    # Beyond 2**53 different whole numbers have the same float64.
    inexact = form == "floats" and rows is not None and max(map(abs, rows)) >= 2**53
    if inexact:
        rows = _rows_of(column, "texts")
    found, why = _task(column, rows, whole)
    if rows is not None and len(rows) == 1:
        raise DataError(
            f"the label {column.name!r} is {column.example[:40]!r} in all rows, so there is nothing to learn"
        )
    if task != "auto":
        found, why = task, f"by --task {task}"
    if found == "regression":
        return Label(found, why, form, {})
    if rows is None:
        raise DataError(
            f"the label {column.name!r} has {column.counted('values')}, too many for classes"
            f"{'; --task regression predicts numbers' if column.kind == 'numbers' else ''}"
        )
    if inexact or (form == "floats" and not whole):
        form = "texts"  # scikit-learn takes fractions for measurements, not for classes
    classes = _rows_of(column, form) or {}
    return Label(found, why, form, {value: classes[value] for value in sorted(classes)})


def _form(column: Summary) -> str:
    if column.kind in ("texts", "booleans"):
        return column.kind
    whole = column.texts is not None and all(
        re.fullmatch(r"[-+]?\d{1,15}", text, re.ASCII) for text in column.texts
    )
    return "integers" if whole else "floats"


def _rows_of(column: Summary, form: str) -> dict[Any, tuple[int, int]] | None:
    """The different labels, each with its number of rows, and of rows for training; None if too many."""
    if column.texts is None:
        return None
    read: dict[str, Any] = {
        "texts": str,
        "booleans": lambda text: text.lower() == "true",
        "integers": int,
        "floats": lambda text: float(text.replace(column.decimal, ".")),
    }
    found: dict[Any, tuple[int, int]] = {}
    for text, (rows, trained) in column.texts.items():
        value = read[form](text)
        before = found.get(value, (0, 0))
        found[value] = before[0] + rows, before[1] + trained
    return found


def _task(column: Summary, rows: Collection[Any] | None, whole: bool) -> tuple[str, str]:
    if column.kind in ("texts", "booleans"):
        what = "texts" if column.kind == "texts" else "true and false"
        return "classification", f"because {column.name!r} holds {what}"
    if rows is None:
        return "regression", f"because {column.name!r} holds {column.counted('numbers')}"
    number = len(rows)
    few = number <= 2 or (number <= MOST_CLASSES and LEAST_ROWS * number <= column.rows)
    if few and whole:
        why = f"because {column.name!r} holds {number} different whole numbers"
        return "classification", f"{why}; --task regression would predict numbers" if number > 2 else why
    return "regression", f"because {column.name!r} holds {number:,} different numbers"


def need_examples(column: Summary, label: Label, folds: int) -> None:
    """Refuse labels of which folds can't be made: a class, or the table, has too few rows."""
    if label.task == "regression":
        if column.rows < 2 * folds:
            raise DataError(f"{column.rows} rows are too few for {folds} folds, each of at least 2 rows")
        return
    counts = {name: rows for name, (rows, _) in label.classes.items()}
    name = min(counts, key=lambda each: counts[each])
    count = counts[name]
    if count >= folds:
        return
    if column.kind == "texts" and 2 * len(counts) > column.rows:
        raise DataError(
            f"the label {column.name!r} differs nearly from row to row: {len(counts):,} texts in "
            f"{column.rows:,} rows, where a class needs several"
        )
    rare = sum(each < folds for each in counts.values())
    others = f" (and {rare - 1:,} other classes have too few, too)" if rare > 1 else ""
    way = f"--folds {count}, or " if count > 1 else ""
    raise DataError(
        f"the class {str(name)[:40]!r} of {column.name!r} has {quantity(count, 'row')}, but "
        f"{folds} folds need {folds} of each class{others}; {way}leave out its rows, or join it with another "
        "class"
        f"{'; --task regression predicts numbers' if column.kind == 'numbers' else ''}"
    )
