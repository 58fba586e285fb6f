"""What workers compute of a part of a table: summaries of columns, features, predictions."""

from __future__ import annotations

import functools
import os
from typing import Any, NamedTuple

import numpy as np

from dlkernels._data.columns import Array, DataError
from dlkernels._tables.cells import MISSING, label_values
from dlkernels._tables.coded import Coded, Kept, PartRows
from dlkernels._tables.parts import Part, Place
from dlkernels._tables.summaries import Summary, combined, of_numbers, pooled
from dlkernels.dask._tasks import workers_turn

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


# -- reading ---------------------------------------------------------------------------------------------


class Look(NamedTuple):
    """What a part has shown: the number of its rows, summaries by column, and as of a `reading.Table`."""

    rows: int
    columns: dict[str, Summary]
    skipped: int
    unnamed: tuple[str, ...]


class Seen(NamedTuple):
    """A part that was read: what it has shown, and for each piece what is kept of its columns."""

    look: Look
    pieces: list[dict[str, Kept]]


def read(part: Part, number: int, plan: Plan) -> Seen:
    """Read a part and summarise its columns."""
    pieces = [plan.source.read(piece, plan.names) for piece in part]
    held = held_out(plan.seed, number, sum(piece.rows for piece in pieces))
    looks, kept, row = [], [], 0
    for piece, found in zip(part, pieces, strict=True):
        rows = PartRows(
            held[row : row + found.rows], functools.partial(Place, plan.source, piece), plan.medians
        )
        columns = {
            name: plan.source.column(name, values, plan.decimal, plan.texts, rows)
            for name, values in found.columns.items()
        }
        summaries = {name: summary for name, (summary, _) in columns.items()}
        looks.append(Look(found.rows, summaries, found.skipped, found.unnamed))
        kept.append({name: values for name, (_, values) in columns.items()})
        row += found.rows
    return Seen(joined(looks), kept)


def joined(looks: list[Look]) -> Look:
    """What parts, in their order, have shown together."""
    first = looks[0]
    return Look(
        sum(each.rows for each in looks),
        {name: combined(each.columns[name] for each in looks) for name in first.columns},
        sum(each.skipped for each in looks),
        first.unnamed,
    )


# -- features --------------------------------------------------------------------------------------------


class Recipe(NamedTuple):
    """What becomes of the columns.

    Attributes
    ----------
    numbers, booleans : list of str
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


class Blocks(NamedTuple):
    """The rows of a part that are for training, how many these are, and the rows that are held out."""

    train: Block
    trained: int
    held: Block


def prepared(seen: Seen, number: int, rows: int, seed: int, recipe: Recipe) -> Blocks:
    """The rows of a part in the form in which they are learnt; it had so many rows."""
    if seen.look.rows != rows:  # Dask reads a part again if a worker has died
        raise DataError("the table has changed while it was read")
    blocks = [_block(columns, recipe) for columns in seen.pieces]
    whole = Block(*map(np.concatenate, zip(*blocks, strict=True)))
    held = held_out(seed, number, rows)
    train = Block(*(each[~held] for each in whole))
    return Blocks(train, len(train.labels), Block(*(each[held] for each in whole)))


def _block(columns: dict[str, Any], recipe: Recipe) -> Block:
    labels = columns[recipe.label]
    if isinstance(labels, Coded):
        labels = label_values(labels.column(recipe.label), recipe.form)[labels.codes]
    numbers = np.empty((len(labels), len(recipe.numbers)))
    for place, name in enumerate(recipe.numbers):
        kept = columns[name]
        numbers[:, place] = kept.column(name).numbers[kept.codes] if isinstance(kept, Coded) else kept
    if recipe.medians is not None:
        numbers = np.where(np.isnan(numbers), recipe.medians, numbers)
    codes = np.empty((len(labels), len(recipe.texts)), np.int32)
    for place, (name, texts) in enumerate(recipe.texts.items()):
        codes[:, place] = _codes(columns[name].texts, texts)[columns[name].codes]
    return Block((numbers - recipe.means) / recipe.scales, codes, labels)


def _codes(different: list[str], texts: list[str | None]) -> Array:
    """The number of each text, and -1 for one that the rows for training don't hold."""
    index: dict[str | None, int] = {text: number for number, text in enumerate(texts)}
    return np.array([index.get(None if text in MISSING else text, -1) for text in different])


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


def _predicted(block: Block, recipe: Recipe, model: Any) -> Array:
    """What the model predicts of the rows of a block, which may be none."""
    rows = recipe.rows_at_once
    starts = range(0, len(block.labels), rows)
    with workers_turn(os.getpid()):
        found = [model.predict(features(block, recipe, start, start + rows)) for start in starts]
    return np.concatenate([np.empty(0, recipe.dtype), *found])


def counted(block: Block, recipe: Recipe, model: Any) -> Array:
    """How many rows of each class are predicted as which."""
    classes = model.classes_
    counts = np.zeros((len(classes), len(classes)), np.int64)
    predicted = _predicted(block, recipe, model)
    np.add.at(counts, (np.searchsorted(classes, block.labels), np.searchsorted(classes, predicted)), 1)
    return counts


def measured(block: Block, recipe: Recipe, model: Any) -> Errors | None:
    """The errors of predicted numbers; None if there are no rows."""
    y = block.labels
    figures = of_numbers(y) if len(y) else None
    if figures is None:
        return None
    errors, constant = y - _predicted(block, recipe, model), y - recipe.mean
    return Errors(
        len(y), figures.mean, figures.squares,
        float(errors @ errors), float(np.abs(errors).sum()),
        float(constant @ constant), float(np.abs(constant).sum()),
    )  # fmt: skip


def added(a: Errors, b: Errors) -> Errors:
    """The errors of two blocks together."""
    ours = pooled(a[:3], b[:3])
    return Errors(*ours, *(one + other for one, other in zip(a[3:], b[3:], strict=True)))
