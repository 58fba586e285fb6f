"""Blocks of a table: what must be known of all of them before training, and how each becomes examples.

The blocks may be chunks that are read one after another (`_chunks`), or lie on the workers of a cluster
(`dlkernels.dask`). So all functions here that take a block's number are called where the block is, and what
they get and return can be pickled.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.utils import validation
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from dlkernels.blocks import Sums, block_gradient
from dlkernels.estimators._base import FLOATS, NOT_FINITE, Array, class_weights, need_divisor, not_negative
from dlkernels.estimators._problem import constants_of

#: What y holds: classes, or 0 and 1 in a column for each of several labels, or numbers, or counts.
CLASSES, SEVERAL, NUMBERS, COUNTS = "classes", "several labels", "numbers", "counts"


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
    """How the labels of a block become the network's Y.

    `of_class` are the weights of the classes, if they have some.
    """

    kind: str
    classes: Array
    of_class: Array | None
    dtype: np.dtype[Any]

    def rows(self, y: Array) -> Array:
        """Labels as a network takes them, (n_outputs, m) or (1, m) class numbers."""
        if self.kind == CLASSES:
            return np.searchsorted(self.classes, y).reshape(1, -1)
        return (y != 0 if self.kind == SEVERAL else y).reshape(len(y), -1).T


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
def naming(number: int) -> Iterator[None]:
    """An error about a block says which block it is."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError  # subclasses take other arguments
        raise kind(f"block {number}: {error}") from error


# -- before training -----------------------------------------------------------------------------------------


def look(kind: str, number: int, X: Any, y: Any, sample_weight: Any) -> Facts:
    """Check a block, which may be empty, and look up what training must know of it.

    `kind` is CLASSES (which may turn out to be SEVERAL labels), NUMBERS or COUNTS.
    """
    with naming(number):
        names = validation._get_feature_names(X)
        X = validation.check_array(X, dtype=FLOATS, ensure_min_samples=0, input_name="X")
        y = _labels(y, input_name="y")
        validation.check_consistent_length(X, y)
        weights = not_negative(sample_weight, X)
        weight = float(len(X)) if weights is None else float(weights.sum(dtype=np.float64))
        columns = y.shape[1] if y.ndim == 2 else 0
        labels: Array = np.empty(0)
        sums: Array = np.empty(0)
        if kind != CLASSES:
            _need_numbers(y, kind)
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
    y = validation.check_array(y, dtype=None, ensure_2d=False, ensure_min_samples=0, **how)
    if y.ndim > 2:
        raise ValueError(f"y must have 1 or 2 axes but has shape {y.shape}")
    return y.ravel() if y.shape[1:] == (1,) else y


def _kind_of_classes(y: Array) -> str:
    if type_of_target(y) == "multilabel-indicator":
        return SEVERAL
    check_classification_targets(y)
    if y.ndim == 2:
        raise ValueError(f"y may have several columns only if they hold 0 and 1, but has shape {y.shape}")
    return CLASSES


def _need_numbers(y: Array, kind: str) -> None:
    if y.dtype.kind not in "fiub":
        raise ValueError(f"y must be an array of numbers, not {y.dtype}")
    if kind == COUNTS and (y < 0).any():
        raise ValueError(f"loss='poisson' needs counts, which are not negative, but y has {y.min()}")


def survey(facts: Sequence[Facts]) -> Survey:
    """What the facts of all blocks say together, if the blocks belong to one table."""
    filled = [(number, fact) for number, fact in enumerate(facts) if fact.rows]
    if not filled:
        raise ValueError(f"there are no examples: {len(facts)} block(s), all without rows")
    for number, fact in filled[1:]:
        _need_alike(*filled[0], number, fact)
    first = filled[0][1]
    found = [fact for _, fact in filled]
    classes = unique_labels(*[fact.labels for fact in found]) if first.kind == CLASSES else first.labels
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


def _need_alike(number: int, first: Facts, other: int, fact: Facts) -> None:
    """Refuse blocks that can't belong to one table."""
    if fact.features != first.features:
        raise ValueError(
            f"blocks must have the same features, but block {number} has {first.features} and block {other} "
            f"has {fact.features}"
        )
    if fact.names != first.names:
        raise ValueError(
            f"blocks must have the same columns in the same order, but block {number} has "
            f"{_listed(first.names)} and block {other} has {_listed(fact.names)}"
        )
    if (fact.columns, fact.kind) != (first.columns, first.kind):
        raise ValueError(
            f"blocks must have labels of one form, but y holds {first.kind} in {first.columns or 1} "
            f"column(s) in block {number}, and {fact.kind} in {fact.columns or 1} in block {other}"
        )


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
    of_class = None
    if class_weight is not None:
        of_class = class_weights(class_weight, found.classes, found.sums).astype(found.dtype)
        need_divisor(float(of_class @ found.sums), found.dtype)
    return Target(found.kind, found.classes, of_class, found.dtype)


# -- training ------------------------------------------------------------------------------------------------


def examples_of(
    target: Target, shuffled: int | None, number: int, X: Any, y: Any, sample_weight: Any
) -> Block:
    """A block that `look` has found to be right, as a network takes it.

    With a seed, its rows are shuffled, by a generator of its own.
    """
    with naming(number):
        X = rows_of(X, target.dtype)
        Y, weights = target.rows(_labels(y, **NOT_FINITE)), not_negative(sample_weight, X)
    if target.of_class is not None:
        of_example = target.of_class[Y[0]]
        weights = of_example if weights is None else of_example * weights
    Y = np.require(Y, target.dtype, _IN_ORDER)
    if shuffled is not None:
        order = np.random.default_rng([shuffled, number]).permutation(len(X))
        X, Y, weights = X[order], Y[:, order], None if weights is None else weights[order]
    return Block(X.T, Y, weights)


def rows_of(X: Any, dtype: Any) -> Array:
    """X as kernels read it row by row, so that its sums have the same bits however it lay in memory."""
    X = validation.check_array(X, dtype=dtype, ensure_min_samples=0, **NOT_FINITE)
    return np.require(X, dtype, _IN_ORDER)


def block_sums(number: int, block: Block, theta: Array, net: Net) -> Sums:
    """The sums of a block."""
    with naming(number):
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
    batch = step if seed is None else np.random.default_rng([seed, number, epoch]).permutation(steps)[step]
    rows = block.X.shape[1]
    part = slice(rows * batch // steps, rows * (batch + 1) // steps)
    weights = None if block.weights is None else block.weights[part]
    some = Block(block.X[:, part], np.ascontiguousarray(block.Y[:, part]), weights)
    sums = block_sums(number, some, theta, net)
    return sums._replace(cost=sums.cost + constants(some)) if net.output == "exp" else sums


def constant_sums(number: int, block: Block) -> Sums:
    """Only what is added to the cost of a block for `exp` (`constants`)."""
    return Sums(np.empty(0), constants(block), 0.0)


def constants(block: Block) -> float:
    """What half of the deviance of counts has in addition to the cost of `exp`."""
    of_examples = constants_of(block.Y)
    return float(of_examples.sum() if block.weights is None else of_examples @ block.weights)
