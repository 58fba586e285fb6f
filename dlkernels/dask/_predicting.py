"""Predictions for Dask's collections, block by block, when somebody asks for them; and scores."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import dask
import dask.array as da
import numpy as np

from dlkernels.dask._collections import blocks_of, is_frame, whole_rows
from dlkernels.dask._tasks import share
from dlkernels.estimators._base import Array
from dlkernels.estimators._blocks import naming


def predicted(local: Any, method: str, X: Any) -> Any:
    """What a method of the plain estimator returns for each block of X, as a Dask array."""
    X = whole_rows("X", X)
    like = _empty(local, method)
    model = dask.delayed(local)
    if not is_frame(X):
        return X.map_blocks(
            predict_block, model=model, method=method, like=like, meta=like,
            **({"drop_axis": 1} if like.ndim == 1 else {"chunks": (X.chunks[0], like.shape[1:])}),
        )  # fmt: skip
    call = dask.delayed(predict_block, pure=True)
    shape = (np.nan, *like.shape[1:])
    blocks = [call(part, model, method, like) for part in X.to_delayed()]
    return da.concatenate([da.from_delayed(block, shape, meta=like) for block in blocks])


def _empty(local: Any, method: str) -> Array:
    """What the method returns for no rows."""
    nameless = copy.copy(local)
    vars(nameless).pop("feature_names_in_", None)
    found: Array = getattr(nameless, method)(np.zeros((1, local.n_features_in_)))
    return found[:0]


def predict_block(X: Any, model: Any, method: str, like: Array) -> Array:
    """What a method returns for a block, which may be empty."""
    if len(X) == 0:
        return like
    with share():
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
    """What a function returns for each block, of y, the predictions, and the weights; blocks may be empty."""
    call, model = dask.delayed(_score_block), dask.delayed(local)
    tasks = [
        call(of_block, number, model, *block) for number, block in enumerate(blocks_of(X, y, sample_weight))
    ]
    return [found for found in dask.compute(*tasks) if found is not None]


def _score_block(
    of_block: Callable[..., Any], number: int, model: Any, X: Any, y: Any, sample_weight: Any
) -> Any:
    if len(X) == 0:
        return None
    with naming(f"block {number}"), share():
        y = np.asarray(y)
        weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        return of_block(y.reshape(len(y), -1), model.predict(X).reshape(len(y), -1), weights)


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
