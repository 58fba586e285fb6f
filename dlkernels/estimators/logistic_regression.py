"""Logistic regression with scikit-learn's interface."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from dlkernels._calls.lbfgs import Limits
from dlkernels.estimators._base import (
    Array,
    all_or_nothing,
    as_parameters,
    log_probabilities,
    outputs,
    penalty_of,
    probabilities,
    refuse,
    table_and_classes,
    weights_of,
    with_class_weight,
)
from dlkernels.estimators._blocks import CLASSES, take_features, target_of, total_weight
from dlkernels.estimators._chunks import FromChunks, chunks_of
from dlkernels.estimators._lbfgs import lbfgs
from dlkernels.estimators._learning import BlocksProblem, Source, network_problem, surveyed
from dlkernels.estimators._logistic import classes_of, cost_of, of_any_length
from dlkernels.estimators._maps import is_large_map
from dlkernels.estimators._saved import Saved


class LogisticRegression(ClassifierMixin, FromChunks, Saved, BaseEstimator):
    """scikit-learn's `sklearn.linear_model.LogisticRegression` with its solver "lbfgs".

    Parameters
    ----------
    penalty : {"l2", None}, default="l2"
        Whether there is a penalty. scikit-learn's "deprecated" means "l2".
    C : float, default=1.0
        The inverse of the strength of the penalty. Infinity means no penalty.
    l1_ratio : float, default=0.0
        Only 0 and None are supported: there is no L1 penalty.
    dual : bool, default=False
        Only False is supported.
    tol : float, default=1e-4
        The search ends where no derivative of the mean loss is larger.
    fit_intercept : bool, default=True
        Whether there is an intercept. It isn't penalised.
    intercept_scaling : float, default=1
        Only 1 is supported: the intercept is no feature.
    class_weight : dict or "balanced", default=None
        The weight of each class, by its label; 1 for those that are missing. If some are, all labels must
        be those of classes. "balanced" means n_samples / (n_classes * examples of the class). The weights are
        multiplied by `sample_weight`.
    random_state : int, RandomState instance or None, default=None
        Nothing is random: it has no effect, as in scikit-learn with this solver.
    solver : {"lbfgs"}, default="lbfgs"
        L-BFGS. It takes the steps of SciPy's L-BFGS-B, up to rounding.
    max_iter : int, default=100
        The most iterations.
    verbose : int, default=0
        Whether to show a progress bar on a terminal, and to print a line for each iteration elsewhere.
    warm_start : bool, default=False
        Whether `fit` begins with the coefficients of the last one.
    n_jobs : None, default=None
        Only None is supported: kernels take the threads that `dlkernels.set_num_threads` allows.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels of the classes.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        The coefficients; one row if there are two classes. They may be changed, or set by hand with
        `intercept_` and `classes_`.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        The intercepts, 0 without `fit_intercept`.
    n_features_in_ : int
        The number of features that `fit` has seen.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if all columns of X have a string for a name.
    n_iter_ : ndarray of shape (1,)
        How many iterations were made.

    See Also
    --------
    dlkernels.logistic_propagate : The cost and its gradient for two classes.
    MLPClassifier : A network with hidden layers.

    Notes
    -----
    The cost is sum(s_i loss_i) / sum(s_i) + 1/2 sum(W²) / (C sum(s_i)), with the weights s of the examples;
    scikit-learn's is C sum(s_i) times as large. The loss is the cross-entropy of a sigmoid for two classes,
    of a softmax for more. In float64 the coefficients are scikit-learn's up to rounding. X is read where it
    lies, in C or Fortran order.

    Examples
    --------
    >>> from dlkernels.estimators import LogisticRegression
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=200).fit(X, y)
    >>> model.predict(X[:2])
    array([0, 0])
    >>> round(model.score(X, y), 2)
    0.97
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "penalty": [StrOptions({"l1", "l2", "elasticnet", "deprecated"}), None],
        "C": [Interval(Real, 0, None, closed="right")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
        "dual": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "random_state": ["random_state"],
        "solver": [StrOptions({"lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga"})],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "n_jobs": [None, Integral],
    }

    def __init__(
        self,
        penalty: Any = "l2",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Any = None,
        random_state: Any = None,
        solver: str = "lbfgs",
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: None = None,
    ) -> None:
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    def _refuse_settings(self) -> None:
        if self.solver != "lbfgs":
            refuse(self, "solver", self.solver, "the only solver is 'lbfgs'")
        if self.penalty in ("l1", "elasticnet"):
            refuse(self, "penalty", self.penalty, "Solver lbfgs supports only 'l2' or None penalties")
        if self.l1_ratio:
            refuse(self, "l1_ratio", self.l1_ratio, "Solver lbfgs supports only 'l2' or None penalties")
        if self.dual:
            refuse(self, "dual", True, "Solver lbfgs supports only dual=False, got dual=True")
        if self.intercept_scaling != 1:
            refuse(self, "intercept_scaling", self.intercept_scaling, "the intercept is no feature; take 1")
        if self.n_jobs is not None:
            refuse(self, "n_jobs", self.n_jobs, "limit threads by dlkernels.set_num_threads")
        if self.penalty is None and self.C != 1.0:
            warnings.warn("Setting penalty=None will ignore the C and l1_ratio parameters", stacklevel=4)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from a table.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The features of an example in each row; float32 is computed in float32, all else in float64.
        y : array-like of shape (n_samples,)
            The labels, numbers or strings.
        sample_weight : array-like of shape (n_samples,), default=None
            The weights of the examples, not negative. A weight of 2 counts an example twice.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If a setting is wrong or not supported, X and y don't fit, a number in X is not finite, or there
            is only one class. Then the estimator stays as it was.
        """
        with all_or_nothing(self):
            return self._fit(X, y, sample_weight)

    def _fit_blocks(self, source: Source) -> Self:
        self._refuse_settings()
        found = surveyed(source, CLASSES)
        if found.kind != CLASSES:
            raise ValueError(f"y must have one column, but it has {found.columns}")
        take_features(self, found)
        self.classes_, target = found.classes, target_of(found, self.class_weight)
        units, n = self._units(), found.features
        source.load(target, None)
        output = "sigmoid" if units == 1 else "softmax"
        alpha = 0.0
        if self.penalty is not None:
            C, weight = float(self.C), total_weight(found, target)
            alpha = penalty_of(1.0, C * weight, "1 / (C sum(sample_weight))", found.dtype) * weight
        problem = BlocksProblem(source, network_problem(found, (n, units), (), output, alpha))
        self._search(
            of_any_length(problem.cost_and_gradient, units * (n + 1), found.dtype), units, n, found.dtype
        )
        return self

    def _units(self) -> int:
        """The number of the network's outputs."""
        if len(self.classes_) < 2:
            raise ValueError(
                "This solver needs samples of at least 2 classes in the data, but the data contains only one "
                f"class: {self.classes_.tolist()[0]!r}"
            )
        return 1 if len(self.classes_) == 2 else len(self.classes_)

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> Self:
        if is_large_map(X):
            return self._fit_blocks(chunks_of(self, X, y, sample_weight))
        self._refuse_settings()
        X, y = table_and_classes(self, X, y)
        self.classes_, codes = classes_of(y)
        units, n = self._units(), X.shape[1]
        weights = with_class_weight(
            self.class_weight, self.classes_, codes, weights_of(sample_weight, X, X.dtype), X.dtype
        )
        total = len(X) if weights is None else float(weights.sum(dtype=np.float64))
        l2 = 0.0
        if self.penalty is not None:
            l2 = penalty_of(1.0, float(self.C) * total, "1 / (C sum(sample_weight))", X.dtype)
        Y = codes.reshape(1, -1).astype(X.dtype)
        self._search(cost_of(X.T, Y, weights, units, l2), units, n, X.dtype)
        return self

    def _search(
        self, cost: Callable[[Array, Array], float], units: int, n: int, dtype: np.dtype[Any]
    ) -> None:
        """Minimise a cost. A vector of parameters without intercepts stands for intercepts of 0."""
        length = units * (n + 1 if self.fit_intercept else n)
        found = lbfgs(
            cost,
            self._start(units, n, dtype)[:length],
            Limits(self.max_iter, self.tol, decrease=64 * np.finfo(float).eps, line_search=50),
            self,
        )
        theta = np.zeros(units * (n + 1), dtype)
        theta[:length] = found.x
        self._keep(theta, units, n, found.iterations)

    def _start(self, units: int, n: int, dtype: Any) -> Array:
        if not (self.warm_start and hasattr(self, "coef_")):
            return np.zeros(units * (n + 1), dtype)
        theta, found = self._network()
        if found != (n, units):
            raise ValueError(
                f"warm_start needs coefficients of the same shape, but coef_ has shape {found[::-1]}, "
                f"where X and y need {(units, n)}"
            )
        return theta.astype(dtype)

    def _network(self) -> tuple[Array, tuple[int, int]]:
        """`coef_` and `intercept_`, which may have been set by hand, as a network without hidden layers."""
        W = np.array(self.coef_, copy=None, ndmin=2)
        b = np.array(self.intercept_, copy=None, ndmin=1)
        if W.ndim > 2 or b.shape not in ((1,), W.shape[:1]):
            raise ValueError(
                f"coef_ has shape {W.shape} and intercept_ {b.shape}, but they must have (n, n_features) and "
                "(n,), where n is 1 for two classes"
            )
        theta = np.concatenate([W.ravel(), b if len(b) == len(W) else b.repeat(len(W))])
        return as_parameters(theta, "coef_ and intercept_"), (W.shape[1], len(W))

    def _keep(self, theta: Array, units: int, n: int, iterations: int) -> None:
        self.coef_, self.intercept_ = theta[: units * n].reshape(units, n), theta[units * n :]
        self.n_iter_ = np.array([iterations], np.int32)

    def _described(self) -> tuple[Array, tuple[int, ...], tuple[str, ...], str]:
        """What `dlkernels.network_forward` takes: theta, sizes, hidden activations (none), and the output."""
        check_is_fitted(self, ("coef_", "intercept_"))
        theta, (n, units) = self._network()
        classes = self.__dict__.get("classes_", ())
        if len(classes) and units != (1 if len(classes) == 2 else len(classes)):
            raise ValueError(f"coef_ has {units} rows, but classes_ has {len(classes)} classes")
        return theta, (n, units), (), "sigmoid" if units == 1 else "softmax"

    def _restore(self, theta: Array, sizes: tuple[int, ...], header: dict[str, Any]) -> None:
        """Take what a file holds."""
        if len(sizes) != 2:
            raise ValueError(f"LogisticRegression has one layer, but the tensors are those of {sizes} units")
        self._keep(theta, sizes[1], sizes[0], header["n_iter_"])

    def decision_function(self, X: Any) -> Array:
        """Return the logarithm of the odds, or, for more than two classes, the score of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The features of an example in each row.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes one number, positive where `classes_[1]` is predicted.
        """
        Z = outputs(self, X, "identity")
        return Z.ravel() if Z.shape[1] == 1 else Z

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The features of an example in each row.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of `classes_`.
        """
        Z = self.decision_function(X)
        return self.classes_[(Z > 0).astype(int) if Z.ndim == 1 else Z.argmax(axis=1)]

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The features of an example in each row.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Rows add up to 1, in the order of `classes_`.
        """
        return probabilities(outputs(self, X))

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of the probability of each class, which is finite also where that is 0.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The features of an example in each row.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        return log_probabilities(self, X)
