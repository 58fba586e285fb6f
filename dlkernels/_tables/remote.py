"""What happens to a table on a Dask cluster: its parts are read, made to blocks, learnt and predicted."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import dask
import dask.array
import numpy as np

import dlkernels.dask
from dlkernels._data.columns import Array, DataError
from dlkernels._tables import passes, training
from dlkernels._tables.cells import decimal_of
from dlkernels._tables.choice import Label
from dlkernels._tables.clusters import results
from dlkernels._tables.parts import Part
from dlkernels._tables.passes import Errors, Look, Plan, Recipe
from dlkernels.progress import progress

#: Scores by name, of the model and of the best constant guess.
Scores = tuple[dict[str, float], dict[str, float]]


class Table(NamedTuple):
    """A table on the cluster.

    Attributes
    ----------
    parts : list of Delayed
        `passes.Seen`, which the workers have.
    rows : list of int
        How many rows each part has.
    look : Look
        What all parts together have shown.
    """

    parts: list[Any]
    rows: list[int]
    look: Look


def read(client: Any, parts: Sequence[Part], plan: Plan, undecided: bool) -> Table:
    """Read all parts; once more, if they show another decimal mark than the first lines do."""
    looks: list[Look] = []
    call, how = dask.delayed(passes.read, pure=False), dask.delayed(plan)
    seen = client.persist([call(part, number, how) for number, part in enumerate(parts)])
    with progress("reading", len(seen)) as advance:
        looks.extend(results(client, client.compute([part.look for part in seen]), advance))
    if not any(look.rows for look in looks):
        raise DataError("there are no rows")
    look = passes.joined(looks)
    if undecided:
        marks = {name: column.marks for name, column in look.columns.items()}
        decimal = decimal_of(plan.source.separator, marks)
        if decimal != plan.decimal:
            del seen
            return read(client, parts, plan._replace(decimal=decimal), False)
    return Table(seen, [each.rows for each in looks], look)


class Blocks(NamedTuple):
    """The parts as `passes.Blocks`, which the workers have, and how many rows of each are for training."""

    parts: list[Any]
    trained: list[int]


def prepared(client: Any, table: Table, seed: int, recipe: Recipe) -> Blocks:
    """Make the blocks of all parts. The workers forget what was kept of a part."""
    call, how = dask.delayed(passes.prepared, pure=False), dask.delayed(recipe)
    made = client.persist(
        [
            call(part, number, rows, seed, how)
            for number, (part, rows) in enumerate(zip(table.parts, table.rows, strict=True))
        ]
    )
    table.parts.clear()
    with progress("preparing", len(made)) as advance:
        return Blocks(made, list(results(client, client.compute([part.trained for part in made]), advance)))


def fitted(client: Any, blocks: Blocks, recipe: Recipe, settings: training.Settings) -> Any:
    """The model, trained on the rows for training; a plain estimator."""
    task = "regression" if recipe.regression else "classification"
    # A network learns digits in 0.9 s by L-BFGS, to 98.1 %, and by Adam in 8 s, to 98.9 %; a table of 200,000
    # rows in 17 s to 92.3 %, and in 56 s to 92.2 %, because each step of Adam is a round of its own.
    model = training.model_of(task, settings, solver="lbfgs")
    learner = getattr(dlkernels.dask, f"Dask{type(model).__name__}")(**model.get_params())
    learner.set_params(verbose=sys.stderr is not None and sys.stderr.isatty())  # shows a bar there
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dask.array.PerformanceWarning)  # the cluster is the user's choice
        learner.fit(*_arrays(blocks, recipe), client=client)
    found = learner.set_params(verbose=model.verbose).to_local()
    if recipe.regression:
        training.predict_numbers(found, recipe.mean, recipe.scale)
    return found


def _arrays(blocks: Blocks, recipe: Recipe) -> tuple[Any, Any]:
    """The features and labels of the rows for training, in chunks of at most `rows_at_once` rows."""
    how, once = dask.delayed(recipe), recipe.rows_at_once
    features, labels = dask.delayed(passes.features), dask.delayed(passes.labels)
    X, y = [], []
    for part, rows in zip(blocks.parts, blocks.trained, strict=True):
        for start in range(0, rows, once):
            stop = min(start + once, rows)
            shape = stop - start, recipe.features
            X.append(dask.array.from_delayed(features(part.train, how, start, stop), shape, float))
            y.append(dask.array.from_delayed(labels(part.train, how, start, stop), shape[:1], recipe.dtype))
    return dask.array.concatenate(X), dask.array.concatenate(y)


def scored(
    client: Any, blocks: Blocks, recipe: Recipe, model: Any, label: Label
) -> tuple[int, Scores, Array | None]:
    """How many rows are held out, the scores of them, and how many of each class are predicted as which."""
    score = dask.delayed(passes.measured if recipe.regression else passes.counted)
    how, ours = dask.delayed(recipe), dask.delayed(model)
    futures = client.compute([score(part.held, how, ours) for part in blocks.parts])
    with progress("scoring", len(futures)) as advance:
        found = list(results(client, futures, advance))
    if recipe.regression:
        errors = functools.reduce(passes.added, filter(None, found))
        return errors.number, _of_errors(errors), None
    counts = np.sum(found, axis=0)
    return int(counts.sum()), _accuracies(counts, label), counts


def _accuracies(counts: Array, label: Label) -> Scores:
    """The scores of the model, and of always guessing the class that is most frequent in training."""
    guess = int(np.argmax([trained for _, trained in label.classes.values()]))
    right = counts.trace(), counts[guess].sum()
    scores = [{"accuracy": float(each / counts.sum())} for each in right]
    return scores[0], scores[1]


def _of_errors(errors: Errors) -> Scores:
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
