"""Predictions for Dask's collections, block by block, when somebody asks for them; and scores."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import dask
import dask.array as da
import numpy as np
from sklearn.utils import validation

from dlkernels.dask._collections import blocks_of, columns, features, is_frame
from dlkernels.dask._tasks import place, workers_turn
from dlkernels.estimators._base import Array, need_divisor, not_negative
from dlkernels.estimators._blocks import naming


def predicted(local: Any, method: str, X: Any) -> Any:
    """What a method of the plain estimator returns for each block of X, as a Dask array."""
    X = features(X)
    like = _empty(local, method, X)
    model = dask.delayed(local, traverse=False)
    how = {"model": model, "method": method, "like": like, "client": os.getpid()}
    if not is_frame(X):
        shape = {"drop_axis": 1} if like.ndim == 1 else {"chunks": (X.chunks[0], like.shape[1:])}
        return X.map_blocks(predict_block, **how, **shape, meta=like)
    call = dask.delayed(predict_block, pure=True)
    rows = (np.nan, *like.shape[1:])
    blocks = [call(part, **how, block_id=(number,)) for number, part in enumerate(X.to_delayed())]
    return da.concatenate([da.from_delayed(block, rows, meta=like) for block in blocks])


def _empty(local: Any, method: str, X: Any) -> Array:
    """What the method returns for no rows of X; or the error that it raises for each row."""
    row: Any = np.zeros((1, columns(X) or local._described()[1][0]))
    model = copy.copy(local)
    if is_frame(X) and hasattr(local, "feature_names_in_"):
        # Dask may expect the columns in another order than the blocks hold them: for X / X.std() it sorts the
        # names. `fit` has read the names of the blocks, so whether the order is right, the blocks will show.
        known = local.feature_names_in_
        names = known if sorted(map(str, X.columns)) == sorted(known) else X.columns
        row = type(X._meta)(row, columns=names)
    else:
        vars(model).pop("feature_names_in_", None)  # warnings about names come from the blocks
    found: Array = getattr(model, method)(row)
    return found[:0]


def predict_block(
    X: Any, model: Any, method: str, like: Array, client: int, block_id: tuple[int, ...]
) -> Array:
    """What a method returns for a block, which may be empty. `client` is the client's process."""
    if len(X) == 0:
        return like
    with naming(place(block_id[0])), workers_turn(client):
        found: Array = getattr(model, method)(X)
    return found


# -- scores --------------------------------------------------------------------------------------------------


class Moments(NamedTuple):
    """What R² needs to know of a block, for each output.

    Attributes
    ----------
    weight : float
        The sum of the examples' weights.
    mean, squares : ndarray
        The mean of the labels, and the sum of the squared deviations from it.
    errors : ndarray
        The sum of the squared errors of the predictions.
    """

    weight: float
    mean: Array
    squares: Array
    errors: Array


def score(local: Any, X: Any, y: Any, sample_weight: Any, of_block: Callable[..., Any]) -> list[Any]:
    """What a function returns for each block with rows, of y, the predictions, and the weights.

    y and predictions have 2 axes.
    """
    X = features(X)
    blocks, like = blocks_of(X, y, sample_weight), _empty(local, "predict", X)
    outputs = like.shape[1] if like.ndim == 2 else 1
    _need_columns(columns(y), outputs)
    call, model = dask.delayed(_score_block, traverse=False), dask.delayed(local, traverse=False)
    tasks = [
        call(of_block, number, model, outputs, os.getpid(), *block) for number, block in enumerate(blocks)
    ]
    found = [each for each in dask.compute(*tasks) if each is not None]
    if not found:
        raise ValueError(f"there are no examples to score, in {len(blocks)} parts of a table")
    need_divisor(sum(weight for weight, _ in found), np.float64)
    return [each for _, each in found]


def _need_columns(found: int | None, outputs: int) -> None:
    """Refuse y if it is known that it can't be what is predicted."""
    if found not in (None, outputs):
        raise ValueError(f"y has {found} column(s), but {outputs} are predicted")


def _score_block(
    of_block: Callable[..., Any], number: int, model: Any, outputs: int, client: int, X: Any, y: Any,
    sample_weight: Any,
) -> Any:  # fmt: skip
    """The weight of a block, and what the function returns for it; None for a block without rows."""
    with naming(place(number)), workers_turn(client):
        y = validation.check_array(y, dtype=None, ensure_2d=False, ensure_min_samples=0, input_name="y")
        validation.check_consistent_length(X, y)
        if len(y) == 0:
            return None
        y = y.reshape(len(y), -1)
        _need_columns(y.shape[1], outputs)
        weights = not_negative(sample_weight, y, np.float64)
        weights = np.ones(len(y)) if weights is None else weights
        guesses = model.predict(X).reshape(len(y), -1)
        return float(weights.sum()), of_block(y, guesses, weights)


def right(y: Array, guesses: Array, weights: Array) -> tuple[float, float]:
    """The weight of the examples that are predicted right, and of all."""
    return float(weights @ (y == guesses).all(axis=1)), float(weights.sum())


def moments(y: Array, guesses: Array, weights: Array) -> Moments:
    """The moments of a block."""
    total = float(weights.sum())
    mean = weights @ y / total if total else np.zeros(y.shape[1])
    return Moments(total, mean, weights @ (y - mean) ** 2, weights @ (y - guesses) ** 2)


def accuracy(found: list[tuple[float, float]]) -> float:
    """The share of the examples that are predicted right."""
    return sum(weight for weight, _ in found) / sum(total for _, total in found)


def r2(found: list[Moments]) -> float:
    """R², the mean of the outputs', from the moments of blocks (Chan, Golub and LeVeque, 1979)."""
    total = found[0]
    for block in found[1:]:
        weight = total.weight + block.weight
        shift = block.mean - total.mean
        part = block.weight / weight if weight else 0.0
        total = Moments(
            weight,
            total.mean + shift * part,
            total.squares + block.squares + shift**2 * total.weight * part,
            total.errors + block.errors,
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        of_outputs = 1 - total.errors / total.squares
    of_outputs[total.squares == 0] = 0.0
    of_outputs[(total.squares == 0) & (total.errors == 0)] = 1.0  # as scikit-learn's r2_score
    return float(of_outputs.mean())
