"""The estimators of `dlkernels.estimators` for tables on a Dask cluster."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Self

from sklearn.base import _fit_context, is_classifier
from sklearn.utils.metaestimators import available_if

from dlkernels.dask import _predicting
from dlkernels.dask._cluster import connect
from dlkernels.dask._collections import blocks_of, is_collection
from dlkernels.dask._training import DaskSource
from dlkernels.estimators import LogisticRegression, MLPClassifier, MLPRegressor
from dlkernels.estimators._base import all_or_nothing


def _not_on_dask(estimator: Any) -> bool:
    raise AttributeError(
        f"{type(estimator).__name__} has only `fit`, on all blocks; `to_local()` returns an estimator that "
        "learns from parts of a table"
    )


class OnDask:
    """The part of an estimator that learns from, and predicts, Dask's collections."""

    #: The class of `to_local`.
    _local: ClassVar[type[Any]]

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, *, sample_weight: Any = None, client: Any = None) -> Self:
        """Learn from a table on a cluster.

        Parameters
        ----------
        X : dask array or dask dataframe of shape (n_samples, n_features)
            The features of an example in each row. A block is a chunk of rows, or a partition; it may be
            empty, and its length may be unknown. If columns are in several chunks, they are joined.
        y : dask array, series or dataframe of shape (n_samples,) or (n_samples, n_outputs)
            The labels, as for the `fit` of the plain estimator. In a block, classes may be missing. It is
            cut as X is; if lengths are unknown, it must have as many blocks, of the same rows.
        sample_weight : dask array or series of shape (n_samples,), default=None
            The weights of the examples, not negative.
        client : distributed.Client, default=None
            The cluster. By default it is that of the current client; without one, Dask's scheduler in this
            process computes the blocks again for each round, so that they need not fit into memory.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        TypeError
            If X, y or sample_weight isn't a Dask collection, or a column holds no numbers.
        ValueError
            As the plain estimator's, with the number of the block. Then the estimator stays as it was.
        ClusterError
            If the scheduler is gone, a block can't be computed because it brings down each worker that tries,
            or no worker has had a task for 25 seconds: it may be that there are none, or that their memory is
            full. Where workers take longer to start, ``dask.config.set({"dlkernels.patience": "5 minutes"})``
            before `fit`.

        Warns
        -----
        PerformanceWarning
            If blocks are so small that the cluster takes longer than the kernels.

        Notes
        -----
        Workers keep the blocks, and each round returns the sums of all blocks (`dlkernels.blocks`). A round
        is one evaluation of the cost by "lbfgs", or one step of "sgd" and "adam". The result has the same
        bits on any number of workers, also if some die. With "lbfgs" these are the bits of `fit_chunks` on
        the same blocks. That asks for blocks which are the same whenever Dask computes them: give random
        arrays a seed, and filter and shuffle in the same way each time; or persist the collections before.

        As for any program on Dask, the scheduler and the workers need the packages that the client has.
        `fit` may be called in a task, for instance by a search of scikit-learn with joblib's backend "dask".
        Rounds are short, so a cluster that adapts itself takes its workers for idle: give it a minimum.
        A worker that hangs, rather than dies, is waited for until Dask gives it up, by its setting
        `distributed.scheduler.worker-ttl`.

        `round_seconds_`, of shape (n_rounds, 2), holds the seconds of the last 100 rounds, and how many of
        them the kernels took on the slowest worker. Without a cluster it has no rows.
        """
        blocks = blocks_of(X, y, sample_weight)
        with all_or_nothing(self), connect(client, blocks) as cluster:
            source = DaskSource(cluster)
            self._fit_blocks(source)  # type: ignore[attr-defined]
            self.round_seconds_ = source.round_seconds()
        source.warn_of_small_blocks(type(self).__name__)
        return self

    def to_local(self) -> Any:
        """Return the plain estimator with the same settings and, after `fit`, the same parameters.

        Returns
        -------
        LogisticRegression, MLPClassifier or MLPRegressor
            One of `dlkernels.estimators`, for tables in memory, files (`save`) and servers (`predictor`).
        """
        return self._copied(self.__getstate__())

    def _copied(self, state: Any) -> Any:
        """The plain estimator in this state."""
        local = self._local(**self.get_params(deep=False))  # type: ignore[attr-defined]
        local.__setstate__(copy.deepcopy(state))
        return local

    def _frozen(self) -> Any:
        """The plain estimator as it predicts now, without what only training needs, which is larger."""
        state: Any = self.__getstate__()
        return self._copied({name: value for name, value in state.items() if name != "_optimizer"})

    def predict(self, X: Any) -> Any:
        """Return the plain estimator's `predict` of each row.

        Parameters
        ----------
        X : dask array or dask dataframe of shape (n_samples, n_features)
            Or a table in memory.

        Returns
        -------
        dask array
            It is computed when you ask for it, block by block. For a table in memory, an ndarray.
        """
        return self._predicted("predict", X)

    def _predicted(self, method: str, X: Any) -> Any:
        if is_collection(X):
            return _predicting.predicted(self._frozen(), method, X)
        return getattr(self._local, method)(self, X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy, or R² of a regression.

        Parameters
        ----------
        X, y : dask collections, as for `fit`; or a table in memory and its labels
        sample_weight : dask array or series, or array-like, of shape (n_samples,), default=None
            The weights of the examples.

        Returns
        -------
        float
            It is computed at once, block by block.

        Raises
        ------
        ValueError
            As the plain estimator's, with the number of the block; or if there are no rows.
        """
        if not is_collection(X):
            return float(self._local.score(self, X, y, sample_weight))
        local = self._frozen()
        if is_classifier(local):
            return _predicting.accuracy(_predicting.score(local, X, y, sample_weight, _predicting.right))
        return _predicting.r2(_predicting.score(local, X, y, sample_weight, _predicting.moments))

    def save(self, path: Any) -> None:
        """Write the fitted estimator to a file, as the plain estimator does.

        Parameters
        ----------
        path : str or path-like
            The file. `dlkernels.estimators.load` returns the plain estimator.
        """
        self._frozen().save(path)

    @available_if(_not_on_dask)
    def fit_chunks(self, chunks: Any) -> None:
        """There is no such method: it would read whole collections into memory."""

    @available_if(_not_on_dask)
    def partial_fit(self, X: Any, y: Any) -> None:
        """There is no such method: it would read whole collections into memory."""


class _DaskClassifier(OnDask):
    """Of a classifier."""

    def predict_proba(self, X: Any) -> Any:
        """Return the plain estimator's `predict_proba` of each row.

        Parameters
        ----------
        X : dask array or dask dataframe of shape (n_samples, n_features)
            Or a table in memory.

        Returns
        -------
        dask array
            It is computed when you ask for it, block by block. For a table in memory, an ndarray.
        """
        return self._predicted("predict_proba", X)

    def predict_log_proba(self, X: Any) -> Any:
        """Return the plain estimator's `predict_log_proba` of each row; as `predict_proba`."""
        return self._predicted("predict_log_proba", X)


class DaskLogisticRegression(_DaskClassifier, LogisticRegression):
    """`dlkernels.estimators.LogisticRegression` for tables on a Dask cluster.

    Parameters and attributes are those of the plain estimator.

    Examples
    --------
    >>> import dask.array as da
    >>> from dlkernels.dask import DaskLogisticRegression
    >>> from sklearn.datasets import load_iris
    >>> X, y = (da.from_array(table, chunks=40) for table in load_iris(return_X_y=True))
    >>> model = DaskLogisticRegression(max_iter=200).fit(X, y)  # without a client: in this process
    >>> model.predict(X[:2]).compute()
    array([0, 0])
    >>> round(model.to_local().score(X.compute(), y.compute()), 2)
    0.97
    """

    _local = LogisticRegression

    def decision_function(self, X: Any) -> Any:
        """Return the plain estimator's `decision_function` of each row; as `predict_proba`."""
        return self._predicted("decision_function", X)


class DaskMLPClassifier(_DaskClassifier, MLPClassifier):
    """`dlkernels.estimators.MLPClassifier` for tables on a Dask cluster.

    Parameters and attributes are those of the plain estimator, with two exceptions. `early_stopping` is
    refused, because nothing is held out. A step of "sgd" and "adam" takes `batch_size` rows of the largest
    block, and of each other block as many in proportion. With `shuffle`, the rows of a block are shuffled
    once; after that, only the order of its batches changes from epoch to epoch.

    Examples
    --------
    >>> import dask.array as da
    >>> from dlkernels.dask import DaskMLPClassifier
    >>> from sklearn.datasets import load_iris
    >>> X, y = (da.from_array(table, chunks=40) for table in load_iris(return_X_y=True))
    >>> model = DaskMLPClassifier((16,), solver="lbfgs", alpha=0.1, max_iter=2000, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    _local = MLPClassifier


class DaskMLPRegressor(OnDask, MLPRegressor):
    """`dlkernels.estimators.MLPRegressor` for tables on a Dask cluster.

    Parameters and attributes are those of the plain estimator, with two exceptions. `early_stopping` is
    refused, because nothing is held out. A step of "sgd" and "adam" takes `batch_size` rows of the largest
    block, and of each other block as many in proportion. With `shuffle`, the rows of a block are shuffled
    once; after that, only the order of its batches changes from epoch to epoch.

    Examples
    --------
    >>> import dask.array as da
    >>> from dlkernels.dask import DaskMLPRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = (da.from_array(table, chunks=100) for table in load_diabetes(return_X_y=True))
    >>> model = DaskMLPRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=0.01, max_iter=1000).fit(X, y)
    >>> bool(model.score(X, y) > 0.4)
    True
    """

    _local = MLPRegressor
