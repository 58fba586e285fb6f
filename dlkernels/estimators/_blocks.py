"""Blocks of a table: what must be known of all of them before training, and how each becomes examples.

The blocks may be chunks that are read one after another (`_chunks`), or lie on the workers of a cluster
(`dlkernels.dask`). Functions that take a block's number run where the block is, so their arguments and
results can be pickled.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.utils import validation
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from dlkernels.blocks import Sums, block_gradient
from dlkernels.estimators._base import (
    FLOATS,
    NOT_FINITE,
    Array,
    class_weights,
    need_dense,
    need_divisor,
    need_labels,
    not_negative,
)
from dlkernels.estimators._problem import constants_of

#: What y holds: classes, or 0 and 1 in a column for each of several labels, or numbers, or counts.
CLASSES, SEVERAL, NUMBERS, COUNTS = "classes", "several labels", "numbers", "counts"


#: What a generator draws, so that it draws the rows and the batches independently.
_ROWS, _BATCHES = 0, 1
_IN_ORDER: tuple[Literal["C", "A"], ...] = ("C", "A")  # C order, aligned


class Facts(NamedTuple):
    """What is looked up in a block before training.

    Attributes
    ----------
    rows, features : int
    dtype : dtype
        float32 or float64, by what X holds.
    columns : int
        How many columns y has, 0 if it has one axis.
    names : tuple of str, or None
        The names of the features, if X has some.
    kind : str
        CLASSES, SEVERAL, NUMBERS or COUNTS; CLASSES also if there are no rows.
    labels, sums : ndarray
        The classes in this block, sorted, and the sum of the weights of each.
    weight : float
        The sum of the weights of the examples.
    """

    rows: int
    features: int
    dtype: np.dtype[Any]
    names: tuple[str, ...] | None
    columns: int
    kind: str
    labels: Array
    sums: Array
    weight: float


class Survey(NamedTuple):
    """The facts of all blocks together. `sums` belong to `classes`, in their order."""

    rows: int
    most_rows: int
    features: int
    dtype: np.dtype[Any]
    names: tuple[str, ...] | None
    columns: int
    kind: str
    classes: Array
    sums: Array
    weight: float


class Target(NamedTuple):
    """How the labels of a block become the network's Y, and what their classes weigh."""

    kind: str
    classes: Array
    class_weights: Array | None
    dtype: np.dtype[Any]


class Net(NamedTuple):
    """A network but for its parameters, as `dlkernels.blocks.block_gradient` takes it."""

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    output: str


class Block(NamedTuple):
    """Examples as columns, labels and weights, in the dtype in which gradients are computed."""

    X: Array
    Y: Array
    weights: Array | None

    def __reduce__(self) -> tuple[Any, ...]:
        """Whoever receives a block aligns it, because what lies where a message has put it need not be."""
        return _aligned, tuple(self)


def _aligned(X: Array, Y: Array, weights: Array | None) -> Block:
    return Block(
        np.require(X, None, "A"),
        np.require(Y, None, "A"),
        None if weights is None else np.require(weights, None, "A"),
    )


@contextlib.contextmanager
def naming(place: str) -> Iterator[None]:
    """An error about a block says which block it is."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError  # subclasses take other arguments
        raise kind(f"{place}: {error}") from error


# -- before training -----------------------------------------------------------------------------------------


def look(kind: str, number: int, X: Any, y: Any, sample_weight: Any) -> Facts:
    """Check a block, which may be empty, and look up what training must know of it.

    `kind` is CLASSES (which may turn out to be SEVERAL labels), NUMBERS or COUNTS.
    """
    need_dense(X)
    names = validation._get_feature_names(X)
    X = validation.check_array(X, dtype=FLOATS, ensure_min_samples=0, input_name="X")
    y = _labels(y, input_name="y")
    validation.check_consistent_length(X, y)
    weights = not_negative(sample_weight, X, X.dtype)
    with np.errstate(over="ignore"):
        weight = float(len(X)) if weights is None else float(weights.sum(dtype=np.float64))
    columns = y.shape[1] if y.ndim == 2 else 0
    labels: Array = np.empty(0)
    sums: Array = np.empty(0)
    if kind != CLASSES:
        need_numbers(y, kind)
    elif len(y):
        kind = _kind_of_classes(y)
        labels = np.arange(columns)
        if kind == CLASSES:
            labels, codes = np.unique(y, return_inverse=True)
            sums = np.bincount(codes, weights, len(labels))
    return Facts(
        len(X), X.shape[1], X.dtype, None if names is None else tuple(names), columns, kind, labels, sums,
        weight,
    )  # fmt: skip


def _labels(y: Any, **how: Any) -> Array:
    """Labels as an array, of one axis if there is but one column."""
    if hasattr(y, "toarray"):
        y = y.toarray()
    need_labels(y)
    y = validation.check_array(y, dtype=None, ensure_2d=False, ensure_min_samples=0, **how)
    if y.ndim > 2:
        raise ValueError(f"y must have 1 or 2 axes but has shape {y.shape}")
    return y.ravel() if y.shape[1:] == (1,) else y


def _kind_of_classes(y: Array) -> str:
    """CLASSES or SEVERAL.

    scikit-learn's checks would sort the labels again, and warn of blocks that have few examples of a class.
    """
    whole = y.dtype.kind in "biuU" or (y.dtype.kind == "f" and bool((y == np.floor(y)).all()))
    if y.ndim == 1 and (whole or (y.dtype.kind == "O" and all(isinstance(label, str) for label in y))):
        return CLASSES
    if type_of_target(y) == "multilabel-indicator":
        return SEVERAL
    check_classification_targets(y)
    if y.ndim == 2:
        raise ValueError(f"y may have several columns only if they hold 0 and 1, but has shape {y.shape}")
    return CLASSES


def need_numbers(y: Any, kind: str) -> None:
    """Refuse labels that aren't NUMBERS, or COUNTS."""
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "fiub":
        found = y.dtype if isinstance(y, np.ndarray) else type(y).__name__
        raise ValueError(f"y must be an array of numbers, not {found}")
    if kind == COUNTS and (y < 0).any():
        raise ValueError(f"loss='poisson' needs counts, which are not negative, but y has {y.min()}")


def survey(facts: Sequence[Facts], place: Callable[[int], str]) -> Survey:
    """What the facts of all blocks say together, if the blocks belong to one table.

    `place` says for messages where the block of this number is.
    """
    filled = [(number, fact) for number, fact in enumerate(facts) if fact.rows]
    if not filled:
        raise ValueError(f"there are no examples to learn from, in {len(facts)} parts of a table")
    number, first = filled[0]
    for other, fact in filled[1:]:
        _need_alike(first, place(number), fact, place(other))
    found = [fact for _, fact in filled]
    classes = first.labels
    if first.kind == CLASSES:
        classes = np.unique(np.concatenate([fact.labels for fact in found]))
    sums = np.zeros(len(classes))
    for fact in found:
        sums[np.searchsorted(classes, fact.labels[: len(fact.sums)])] += fact.sums
    dtype = np.result_type(*[fact.dtype for fact in found])
    weight = sum(fact.weight for fact in found)
    need_divisor(weight, dtype)
    rows = [fact.rows for fact in found]
    return Survey(
        sum(rows), max(rows), first.features, dtype, first.names, first.columns, first.kind, classes, sums,
        weight,
    )  # fmt: skip


def _need_alike(first: Facts, here: str, fact: Facts, there: str) -> None:
    """Refuse blocks that can't belong to one table."""
    if fact.features != first.features:
        raise ValueError(
            f"X must have the same features everywhere, but has {first.features} in {here} and "
            f"{fact.features} in {there}"
        )
    if fact.names != first.names:
        raise ValueError(
            f"X must have the same columns in the same order everywhere, but has {_listed(first.names)} in "
            f"{here} and {_listed(fact.names)} in {there}"
        )
    if (fact.columns, fact.kind) != (first.columns, first.kind):
        raise ValueError(
            f"y must hold the same everywhere, but holds {first.kind} in {first.columns or 1} column(s) in "
            f"{here}, and {fact.kind} in {fact.columns or 1} in {there}"
        )
    if _sort_of_labels(first) != _sort_of_labels(fact):
        raise ValueError(
            f"Mix of label input types: y holds {_sort_of_labels(first)} in {here} and "
            f"{_sort_of_labels(fact)} in {there}"
        )


def _sort_of_labels(fact: Facts) -> str:
    """Labels of two sorts are no classes of one table: NumPy would make strings of the numbers among them."""
    return {"O": "strings", "U": "strings", "S": "bytes"}.get(fact.labels.dtype.kind, "numbers")


def _listed(names: tuple[str, ...] | None) -> str:
    if names is None:
        return "no names"
    return ", ".join(map(repr, names[:20])) + ("..." if len(names) > 20 else "")


def take_features(estimator: Any, found: Survey) -> None:
    """Set what scikit-learn's `fit` sets about the columns of X."""
    estimator.n_features_in_ = found.features
    vars(estimator).pop("feature_names_in_", None)
    if found.names is not None:
        estimator.feature_names_in_ = np.asarray(found.names, dtype=object)


def target_of(found: Survey, class_weight: Any) -> Target:
    """How labels become Y, with these weights of the classes."""
    weights = None
    if class_weight is not None:
        weights = class_weights(class_weight, found.classes, found.sums).astype(found.dtype)
        need_divisor(float(weights @ found.sums), found.dtype)
    return Target(found.kind, found.classes, weights, found.dtype)


def total_weight(found: Survey, target: Target) -> float:
    """The sum of the weights of all examples."""
    return found.weight if target.class_weights is None else float(target.class_weights @ found.sums)


# -- training ------------------------------------------------------------------------------------------------


def examples_of(
    target: Target, shuffled: int | None, number: int, X: Any, y: Any, sample_weight: Any
) -> Block:
    """A block that `look` has found to be right, as a network takes it.

    With a seed, its rows are shuffled, by a generator of its own.
    """
    X = rows_of(X, target.dtype)
    Y, weights = labels_of(target, y, sample_weight)
    validation.check_consistent_length(X, Y.T)
    if shuffled is not None:
        order = np.random.default_rng([shuffled, number, _ROWS]).permutation(len(X))
        X, Y, weights = X[order], Y[:, order], None if weights is None else weights[order]
    return Block(X.T, Y, weights)


def rows_of(X: Any, dtype: np.dtype[Any]) -> Array:
    """X as kernels read it row by row, so that its sums have the same bits however it lay in memory."""
    narrower = getattr(X, "dtype", None) == np.float64 and dtype == np.float32
    X = validation.check_array(X, dtype=dtype, ensure_min_samples=0, **NOT_FINITE)
    if narrower:
        validation.assert_all_finite(X, input_name="X")
    return np.require(X, dtype, _IN_ORDER)


def labels_of(target: Target, y: Any, sample_weight: Any) -> tuple[Array, Array | None]:
    """Y as a network takes it, and the weights with those of the classes."""
    y = _labels(y, **NOT_FINITE)
    Y = label_rows(target.kind, target.classes, y)
    # A block may have been computed again since `look`.
    if target.kind == CLASSES and not np.array_equal(target.classes.take(Y[0], mode="clip"), y):
        raise ValueError("y has labels that weren't there when it was read before")
    weights = not_negative(sample_weight, Y.T, target.dtype)
    if target.class_weights is not None:
        of_examples = target.class_weights[Y[0]]
        weights = of_examples if weights is None else of_examples * weights
    return np.require(Y, target.dtype, _IN_ORDER), weights


def label_rows(kind: str, classes: Array, y: Array) -> Array:
    """Labels as rows, (n_outputs, m); or (1, m) class numbers, of labels all of which are in `classes`."""
    if kind == CLASSES:
        return np.searchsorted(classes, y).reshape(1, -1)
    rows: Array = np.atleast_2d((y != 0 if kind == SEVERAL else y).T)
    return rows


def block_sums(number: int, block: Block, theta: Array, net: Net) -> Sums:
    """The sums of a block."""
    return block_gradient(
        theta, net.sizes, block.X, block.Y, net.activations, net.output, sample_weight=block.weights
    )


def batch_sums(
    number: int, block: Block, theta: Array, net: Net, seed: int | None, epoch: int, step: int, steps: int
) -> Sums:
    """As `block_sums`, of one of the batches into which a block is cut for the steps of an epoch.

    With a seed, each epoch takes them in another order. For `exp` the cost is half of the deviance, as
    scikit-learn reports it.
    """
    batch = step if seed is None else _order(seed, number, epoch, steps)[step]
    rows = block.X.shape[1]
    part = slice(rows * batch // steps, rows * (batch + 1) // steps)
    weights = None if block.weights is None else block.weights[part]
    some = Block(block.X[:, part], np.ascontiguousarray(block.Y[:, part]), weights)
    sums = block_sums(number, some, theta, net)
    return sums._replace(cost=sums.cost + deviance_constant(some)) if net.output == "exp" else sums


@functools.lru_cache(maxsize=256)
def _order(seed: int, number: int, epoch: int, steps: int) -> list[int]:
    """The order in which a block's batches are taken in an epoch."""
    found: list[int] = np.random.default_rng([seed, number, _BATCHES, epoch]).permutation(steps).tolist()
    return found


def deviance_constants(number: int, block: Block) -> Sums:
    """Of a block only what `deviance_constant` returns."""
    return Sums(np.empty(0), deviance_constant(block), 0.0)


def deviance_constant(block: Block) -> float:
    """What half of the deviance of counts has in addition to the cost of `exp`."""
    of_examples = constants_of(block.Y)
    return float(of_examples.sum() if block.weights is None else of_examples @ block.weights)
