"""What workers compute of a part of a table: summaries of columns, features, predictions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dlkernels._data.columns import Array, DataError
from dlkernels._tables.cells import MISSING, Column, known_numbers, label_values
from dlkernels._tables.choice import MOST_TEXTS
from dlkernels._tables.parts import Numbers, Part, Piece, Rows
from dlkernels._tables.summaries import Summary, combined, of_column, of_numbers, of_stored, pooled

#: The share of the rows that is held out.
HELD_OUT = 0.2
#: The bytes of features that a worker makes at once.
_FEATURES = 64 * 2**20


class Plan(NamedTuple):
    """How the parts are read.

    Attributes
    ----------
    source : CSVFiles or ParquetFiles
    names, texts : tuple of str
        The columns that are read; those that are read as texts though they are stored as numbers.
    decimal : str
        The decimal mark.
    seed : int
        Draws the rows that are held out.
    medians : bool
        Whether medians of numbers are needed.
    """

    source: Any
    names: tuple[str, ...]
    texts: tuple[str, ...]
    decimal: str
    seed: int
    medians: bool


def held_out(seed: int, number: int, rows: int) -> Array:
    """Which rows of the part with this number are held out: whoever draws, the same ones."""
    return np.random.default_rng([seed, number]).random(rows) < HELD_OUT


# -- the first pass --------------------------------------------------------------------------------------


class Look(NamedTuple):
    """What a part has shown: the number of its rows, summaries by column, and as of a `reading.Table`."""

    rows: int
    columns: dict[str, Summary]
    skipped: int
    unnamed: tuple[str, ...]


def look(part: Part, number: int, plan: Plan) -> Look:
    """Summarise the columns of a part."""
    pieces = [plan.source.read(piece, plan.names, plan.decimal, plan.texts) for piece in part]
    held = held_out(plan.seed, number, sum(piece.rows for piece in pieces))
    looks, row = [], 0
    for piece, rows in zip(part, pieces, strict=True):
        looks.append(_look(piece, rows, held[row : row + rows.rows], plan))
        row += rows.rows
    return joined(looks)


def _look(piece: Piece, rows: Rows, held: Array, plan: Plan) -> Look:
    def place(line: int) -> str:
        return f"{piece.shown}, {plan.source.unit} {line}"

    columns = {}
    for name, column in rows.columns.items():
        if isinstance(column, Numbers):
            columns[name] = of_stored(
                column, held, MOST_TEXTS, lambda row: place(piece.above + row + 1), plan.medians
            )
        else:
            found = of_column(column, held, MOST_TEXTS, place, plan.medians)
            columns[name] = found._replace(wrong=found.wrong and f"{piece.shown}: {found.wrong}")
    return Look(rows.rows, columns, rows.skipped, rows.unnamed)


def joined(looks: list[Look]) -> Look:
    """What parts, in their order, have shown together."""
    first = looks[0]
    return Look(
        sum(each.rows for each in looks),
        {name: combined(each.columns[name] for each in looks) for name in first.columns},
        sum(each.skipped for each in looks),
        first.unnamed,
    )


# -- the second pass -------------------------------------------------------------------------------------


class Recipe(NamedTuple):
    """What becomes of the columns.

    Attributes
    ----------
    numbers, booleans : list of str
        Those of `numbers` that are true and false.
    means, scales : ndarray
    medians : ndarray or None
    texts : dict
        By column, the texts that become features; None, at the end, stands for no text.
    label, form : str
        The column of labels, and as what it is read.
    regression : bool
    mean, scale : float
        Of the labels of a regression, which are standardised.
    """

    numbers: list[str]
    booleans: list[str]
    means: Array
    scales: Array
    medians: Array | None
    texts: dict[str, list[str | None]]
    label: str
    form: str
    regression: bool
    mean: float
    scale: float

    @property
    def features(self) -> int:
        """How many there are."""
        return len(self.numbers) + sum(map(len, self.texts.values()))

    @property
    def rows_at_once(self) -> int:
        """How many rows of features a worker makes at once."""
        return max(1, _FEATURES // (8 * self.features))

    @property
    def dtype(self) -> Any:
        """That of what is learnt."""
        if self.regression:
            return np.dtype(float)
        return np.dtype({"texts": object, "booleans": bool, "integers": np.int64, "floats": float}[self.form])


class Block(NamedTuple):
    """Rows in a form that takes little memory: standardised numbers, and texts as their numbers."""

    numbers: Array
    codes: Array
    labels: Array


def prepared(part: Part, number: int, rows: int, plan: Plan, recipe: Recipe) -> tuple[Block, Block]:
    """The rows of a part that are for training, and those that are held out; it had so many rows."""
    pieces = [plan.source.read(piece, plan.names, plan.decimal, plan.texts) for piece in part]
    if sum(piece.rows for piece in pieces) != rows:
        raise DataError(f"{part[0].shown}: it, or a file after it, has changed while it was read")
    blocks = [_block(piece, each.columns, recipe) for piece, each in zip(part, pieces, strict=True)]
    whole = Block(*map(np.concatenate, zip(*blocks, strict=True)))
    held = held_out(plan.seed, number, len(whole.labels))
    return Block(*(each[~held] for each in whole)), Block(*(each[held] for each in whole))


def _block(piece: Piece, columns: dict[str, Any], recipe: Recipe) -> Block:
    rows = len(columns[recipe.label].cells)
    numbers = np.empty((rows, len(recipe.numbers)))
    try:
        for place, name in enumerate(recipe.numbers):
            if name not in recipe.booleans:
                columns[name] = known_numbers(columns[name])
            numbers[:, place] = columns[name].numbers
        labels = label_values(columns[recipe.label], recipe.form)
    except DataError as error:
        raise DataError(f"{piece.shown}: {error}") from None
    except ValueError:  # of float()
        raise DataError(f"{piece.shown}: it has changed while it was read") from None
    if recipe.medians is not None:
        numbers = np.where(np.isnan(numbers), recipe.medians, numbers)
    codes = np.empty((rows, len(recipe.texts)), np.int32)
    for place, (name, texts) in enumerate(recipe.texts.items()):
        codes[:, place] = _codes(columns[name], texts)
    return Block((numbers - recipe.means) / recipe.scales, codes, labels)


def _codes(column: Column, texts: list[str | None]) -> list[int]:
    """The number of each text, and -1 for one that the rows for training don't hold."""
    index: dict[str | None, int] = {text: number for number, text in enumerate(texts)}
    return [index.get(None if cell in MISSING else cell, -1) for cell in column.cells]


def features(block: Block, recipe: Recipe, start: int = 0, stop: int | None = None) -> Array:
    """The features (rows, n) of some rows of a block."""
    numbers, codes = block.numbers[start:stop], block.codes[start:stop]
    if not recipe.texts:
        return numbers
    X = np.zeros((len(numbers), recipe.features))
    first = len(recipe.numbers)
    X[:, :first] = numbers
    for place, texts in enumerate(recipe.texts.values()):
        rows = np.flatnonzero(codes[:, place] >= 0)
        X[rows, first + codes[rows, place]] = 1.0
        first += len(texts)
    return X


def labels(block: Block, recipe: Recipe, start: int = 0, stop: int | None = None) -> Array:
    """What is learnt of some rows of a block."""
    found = block.labels[start:stop]
    return (found - recipe.mean) / recipe.scale if recipe.regression else found


# -- scores ----------------------------------------------------------------------------------------------


class Errors(NamedTuple):
    """Of predicted numbers: how many, mean and squares around it, and errors of the model and of the mean."""

    number: int
    mean: float
    squares: float
    squared: float
    absolute: float
    squared_of_mean: float
    absolute_of_mean: float


def counted(block: Block, recipe: Recipe, model: Any) -> Array:
    """How many rows of each class are predicted as which."""
    classes, rows = model.classes_, recipe.rows_at_once
    counts = np.zeros((len(classes), len(classes)), np.int64)
    for start in range(0, len(block.labels), rows):
        truth = np.searchsorted(classes, block.labels[start : start + rows])
        predicted = model.predict(features(block, recipe, start, start + rows))
        np.add.at(counts, (truth, np.searchsorted(classes, predicted)), 1)
    return counts


def measured(block: Block, recipe: Recipe, model: Any) -> Errors | None:
    """The errors of predicted numbers; None if there are no rows."""
    y = block.labels
    figures = of_numbers(y) if len(y) else None
    if figures is None:
        return None
    rows = recipe.rows_at_once
    starts = range(0, len(y), rows)
    predicted = [model.predict(features(block, recipe, start, start + rows)) for start in starts]
    errors, constant = y - np.concatenate(predicted), y - recipe.mean
    return Errors(
        len(y), figures.mean, figures.squares,
        float(errors @ errors), float(np.abs(errors).sum()),
        float(constant @ constant), float(np.abs(constant).sum()),
    )  # fmt: skip


def added(a: Errors, b: Errors) -> Errors:
    """The errors of two blocks together."""
    ours = pooled(a[:3], b[:3])
    return Errors(*ours, *(one + other for one, other in zip(a[3:], b[3:], strict=True)))
