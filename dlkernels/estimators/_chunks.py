"""Tables that are read chunk by chunk, again for each pass, so that memory holds one chunk at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any, Self

import numpy as np
from sklearn.base import _fit_context

from dlkernels import optimizers
from dlkernels.blocks import Sums, Tree
from dlkernels.estimators._base import NOT_FINITE, Array, all_or_nothing, checked, not_negative
from dlkernels.estimators._blocks import Block, Facts, Target, labels_of, naming, rows_of
from dlkernels.estimators._maps import drop_pages, mapping_of, parts_of
from dlkernels.estimators._problem import Problem


class FromChunks:
    """Estimators that learn from chunks; they have a `_fit_blocks`."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_chunks(self, chunks: Any) -> Self:
        """Learn from a table that is read chunk by chunk, again for each pass over it.

        Parameters
        ----------
        chunks : iterable, or callable that returns an iterator
            Each chunk is (X, y) or (X, y, sample_weight), as for `fit`. Classes may be missing in a chunk.
            Each pass begins a new iteration, which must give the same chunks; so wrap a generator in a
            function.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        TypeError
            If the chunks can be read only once, or one isn't such a tuple.
        ValueError
            As `fit`, with the number of the chunk; also if chunks don't fit together, or if "sgd" or "adam"
            should stop early, because nothing is held out. Then the estimator stays as it was.

        Notes
        -----
        A first pass finds out what the chunks hold. Then each evaluation of the cost by "lbfgs" is a pass,
        and each epoch of "sgd" and "adam". Labels and weights stay in memory, and one chunk of X at a time.

        "lbfgs" adds the sums of chunks as `dlkernels.blocks.combine` does, so the same chunks have the same
        bits here and on a cluster. "sgd" and "adam" go from chunk to chunk: a batch has rows of one chunk,
        and `shuffle` shuffles the rows within each. So the rows of a class should not stand together in a few
        chunks.

        Examples
        --------
        >>> from dlkernels.estimators import LogisticRegression
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> def chunks():
        ...     for first in range(0, 150, 40):
        ...         yield X[first : first + 40], y[first : first + 40]
        >>> round(LogisticRegression(max_iter=200).fit_chunks(chunks).score(X, y), 2)
        0.97
        """
        with all_or_nothing(self):
            self._fit_blocks(Chunks(chunks))  # type: ignore[attr-defined]
        return self


class Chunks:
    """A table's chunks as blocks (`_blocks`). Only their labels and weights stay in memory.

    Parameters
    ----------
    chunks : iterable, or callable that returns an iterator
        Each pass begins a new iteration, of pairs (X, y) or triples (X, y, sample_weight).
    place : callable
        It says for messages where the chunk of this number is.
    """

    def __init__(self, chunks: Any, place: Callable[[int], str] = "chunk {}".format) -> None:
        self._chunks, self.place = chunks, place
        self.rows: list[int] = []
        #: y and weights of the first pass, copied, because a program may fill the same arrays again.
        self._given: list[tuple[Any, Any]] = []
        #: Y and weights.
        self._labels: list[tuple[Array, Array | None]] = []
        self._dtype = np.dtype(np.float64)
        if not callable(chunks):
            _need_another_iterator(chunks)

    def _each(self, function: Callable[[int, Any, Any, Any], None]) -> None:
        """Call a function with the number of each chunk, X, y and weights. None is kept for the next one."""
        number = 0
        for chunk in self._chunks() if callable(self._chunks) else self._chunks:
            with naming(self.place(number)):
                X, y, weights = _parts_of(chunk)
                del chunk
                function(number, X, y, weights)
            mapping = mapping_of(X)
            del X, y, weights
            drop_pages(mapping)
            number += 1
        if self.rows and number != len(self.rows):
            raise ValueError(f"there were {len(self.rows)} chunks in the first pass, and now {number}")

    def look(self, function: Callable[..., Facts]) -> list[Facts]:
        """Call a function of `_blocks` for each chunk. Labels and weights are kept."""
        found = []

        def of_chunk(number: int, X: Any, y: Any, weights: Any) -> None:
            found.append(function(number, X, y, weights))
            self._given.append((copy.deepcopy(y), copy.deepcopy(weights)))

        self._each(of_chunk)
        self.rows = [facts.rows for facts in found]
        return found

    def load(self, target: Target, seed: int | None) -> None:
        """Convert the labels and weights. What a seed shuffles is the order in which rows are read."""
        self._dtype = target.dtype
        self._labels = [labels_of(target, *given) for given in self._given]

    def each_block(self, function: Callable[[int, Block], None]) -> None:
        """Call a function with the number of each chunk, and the chunk as a block."""

        def of_chunk(number: int, X: Any, y: Any, weights: Any) -> None:
            X = rows_of(X, self._dtype)
            if number == len(self.rows) or len(X) != self.rows[number]:
                before = "none" if number == len(self.rows) else self.rows[number]
                raise ValueError(f"it has {len(X)} rows, where the first pass found {before}")
            given = self._given[number]
            for name, now, then in zip(("labels", "weights"), (y, weights), given, strict=True):
                if not _same(now, then):
                    raise ValueError(
                        f"its {name} aren't those of the first pass; each pass must give the same chunks, in "
                        "the same order"
                    )
            function(number, Block(X.T, *self._labels[number]))

        self._each(of_chunk)

    def sums(self, function: Callable[..., Sums], *arguments: Any) -> Sums:
        """What a function returns for each block, added by the tree of `dlkernels.blocks`."""
        tree = Tree()
        self.each_block(lambda number, block: tree.add(number, function(number, block, *arguments)))
        return tree.total()

    def epochs(self, problem: Problem, batch_size: int, seed: int | None) -> Epochs:
        """Epochs that go from chunk to chunk, with batches of rows of one chunk."""
        return Epochs(self, problem, batch_size, seed)


def _same(a: Any, b: Any) -> bool:
    """Whether these are the same labels, or weights."""
    if a is None or b is None:
        return a is b
    a, b = (value.toarray() if hasattr(value, "toarray") else value for value in (a, b))
    return np.array_equal(np.asarray(a), np.asarray(b))


def _parts_of(chunk: Any) -> tuple[Any, Any, Any]:
    """X, y and weights of a chunk, if it is one."""
    if not isinstance(chunk, tuple | list) or len(chunk) not in (2, 3):
        raise TypeError(
            "a chunk must be a tuple (X, y) or (X, y, sample_weight), not "
            f"{f'{len(chunk)} values' if isinstance(chunk, tuple | list) else type(chunk).__name__}"
        )
    return (*chunk, None)[:3]


def _need_another_iterator(chunks: Any) -> None:
    """Refuse what can't be read several times."""
    if not hasattr(chunks, "__iter__"):
        raise TypeError(f"chunks must be iterable, or a function, not {type(chunks).__name__}")
    if iter(chunks) is chunks:
        raise TypeError(
            f"chunks are read several times, but a {type(chunks).__name__} can be read only once; pass a "
            "list, or a function that returns a new iterator"
        )


class Epochs:
    """Training by batches, chunk after chunk. With a seed, each epoch shuffles the rows of each chunk."""

    def __init__(self, chunks: Chunks, problem: Problem, batch_size: int, seed: int | None) -> None:
        self.chunks, self.problem, self.batch_size, self.seed = chunks, problem, batch_size, seed
        self.examples = sum(chunks.rows)
        self._epoch = 0

    def __call__(self, theta: Array, optimizer: optimizers.Optimizer) -> float:
        """Train for an epoch; return the mean loss as scikit-learn reports it."""
        losses: list[float] = []

        def of_block(number: int, block: Block) -> None:
            rows = block.X.shape[1]
            if not rows:
                return
            order = np.arange(rows)
            if self.seed is not None:
                order = np.random.default_rng([self.seed, number, self._epoch]).permutation(rows)
            problem = self.problem._replace(X=block.X, Y=block.Y, weights=block.weights)
            loss = problem.epoch(theta, optimizer, order, min(self.batch_size, rows))
            losses.append(loss * (rows / self.examples))

        self.chunks.each_block(of_block)
        self._epoch += 1
        return sum(losses)


def chunks_of(estimator: Any, X: Array, y: Any, sample_weight: Any, **how: Any) -> Chunks:
    """The parts of a memory map as chunks, with the labels and weights of their rows.

    `how` is what scikit-learn's check must know of the labels.
    """
    X, y = checked(estimator, X, y, dtype=None, **how, **NOT_FINITE)
    labels = y.toarray() if hasattr(y, "toarray") else y
    weights = not_negative(sample_weight, X, np.float64)
    parts = list(parts_of(X))

    def read() -> Iterable[tuple[Any, Any, Any]]:
        for part in parts:
            yield (
                X[part],
                labels[part],
                None if weights is None else weights[part],
            )

    return Chunks(read, lambda number: f"rows {parts[number].start} to {parts[number].stop - 1}")
