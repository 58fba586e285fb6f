"""What MLPClassifier and MLPRegressor have in common."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted

import dlkernels as dk
from dlkernels import catalogue
from dlkernels._calls.lbfgs import Limits
from dlkernels.estimators import _weights
from dlkernels.estimators._base import (
    FLOATS,
    NOT_FINITE,
    Array,
    all_or_nothing,
    checked,
    need_labels,
    refuse,
    weights_of,
)
from dlkernels.estimators._blocks import Survey, take_features, target_of
from dlkernels.estimators._chunks import FromChunks, chunks_of
from dlkernels.estimators._lbfgs import lbfgs
from dlkernels.estimators._learning import BlocksProblem, Source, network_problem, surveyed
from dlkernels.estimators._maps import is_large_map, need_finite
from dlkernels.estimators._problem import AnyEpochs, Epochs, Problem
from dlkernels.estimators._saved import Saved
from dlkernels.estimators._stochastic import Training, batch_size_of, optimizer_of
from dlkernels.estimators._validation import Validation, split

#: scikit-learn's names of what a network computes at its end, and ours.
OUTPUTS = {"identity": "identity", "logistic": "sigmoid", "softmax": "softmax", "exp": "exp"}
_HIDDEN = {"logistic", *catalogue.ACTIVATIONS}


def by_batches(estimator: Any) -> bool:
    """Whether there is a `partial_fit`."""
    if estimator.solver not in ("sgd", "adam"):
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers, not for {estimator.solver}"
        )
    return True


class MultilayerPerceptron(FromChunks, Saved, BaseEstimator, ABC):
    """Dense layers, trained by scikit-learn's rules. Subclasses know about labels, and hold settings."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(_HIDDEN), tuple, list],
        "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
    }

    #: What scikit-learn's check must know of labels beside their form.
    _of_labels: ClassVar[dict[str, bool]] = {}
    #: The attributes without which nothing can be predicted. `fit` sets them; they may be set by hand.
    _learnt: ClassVar[tuple[str, ...]] = ("coefs_", "intercepts_")

    def _checked(self, X: Any, y: Any, reset: bool) -> tuple[Array, Array]:
        """A table and its labels, checked by scikit-learn."""
        how: dict[str, Any] = {"multi_output": True, "reset": reset, **self._of_labels}
        if is_large_map(X):
            need_finite(X)
            X, y = checked(self, X, y, dtype=None, **how, **NOT_FINITE)
        else:
            X, y = checked(self, X, y, dtype=FLOATS, **how)
        return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    @abstractmethod
    def _check_labels(self, y: Array) -> None:
        """Raise an error unless the labels are of the kind that is learnt."""

    def _learn_labels(self, y: Array, incremental: bool, classes: Any) -> None:
        """Find out what labels there are, or whether they are those of the last fit.

        `classes` are those that `partial_fit` was given.
        """
        self._check_labels(y)

    @abstractmethod
    def _kind(self) -> str:
        """What the labels are, as `_blocks.look` takes it."""

    def _learn_survey(self, found: Survey) -> None:
        """As `_learn_labels`, from what all blocks hold."""

    def _weights_of_classes(self) -> Any:
        """The setting `class_weight`, if there is one."""
        return None

    @abstractmethod
    def _rows(self, y: Array) -> Array:
        """The labels as rows, (n_outputs_, m), or (1, m) class numbers."""

    @abstractmethod
    def _output(self) -> str:
        """scikit-learn's name of what the last layer computes, for these labels."""

    def _example_weights(self, weights: Array | None, rows: Array, dtype: Any) -> Array | None:
        """The weights of the examples, with those of their classes."""
        return weights

    # -- parameters --------------------------------------------------------------------------------------

    def _hidden(self) -> tuple[int, ...]:
        sizes = self.hidden_layer_sizes
        hidden = tuple(sizes) if hasattr(sizes, "__iter__") else (sizes,)
        if not all(isinstance(size, Integral) for size in hidden):
            raise TypeError(f"hidden_layer_sizes must be integers, got {list(hidden)}")
        if any(size <= 0 for size in hidden):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {list(hidden)}.")
        return tuple(map(int, hidden))

    def _activations(self, layers: int) -> tuple[str, ...]:
        """A name of `dlkernels.catalogue.ACTIVATIONS` for each of the hidden layers."""
        given = self.activation
        names = (given,) * layers if isinstance(given, str) else tuple(given)
        names = tuple("sigmoid" if name == "logistic" else name for name in names)
        dk.validation.activations(type(self).__name__, names, layers)
        return names

    def _network(self) -> tuple[Array, tuple[int, ...]]:
        """theta of `coefs_` and `intercepts_`, which may have been set by hand; and the sizes."""
        theta, sizes, arrays = self.__dict__.get("_shared", (None, (), ()))
        now = [*self.coefs_, *self.intercepts_]
        if len(now) == len(arrays) and all(a is b for a, b in zip(now, arrays, strict=True)):
            return theta, sizes
        return _weights.packed(self.coefs_, self.intercepts_)

    def _keep(self, theta: Array, sizes: tuple[int, ...]) -> None:
        """Make `coefs_` and `intercepts_` views of theta, unless they are already."""
        if self.__dict__.get("_shared", (None,))[0] is not theta:
            self.coefs_, self.intercepts_ = _weights.views(theta, sizes)
            self._shared = theta, sizes, (*self.coefs_, *self.intercepts_)

    def _described(self) -> tuple[Array, tuple[int, ...], tuple[str, ...], str]:
        """What `dlkernels.network_forward` takes: theta, sizes, hidden activations, and the output."""
        check_is_fitted(self, self._learnt)
        theta, sizes = self._network()
        output = self.__dict__.get("out_activation_") or self._output()
        return theta, sizes, self._activations(len(sizes) - 2), OUTPUTS[output]

    def _restore(self, theta: Array, sizes: tuple[int, ...], header: dict[str, Any]) -> None:
        """Take what a file holds, if the settings are those of such a network."""
        self._hidden()
        self._activations(len(sizes) - 2)
        self.n_layers_, self.n_outputs_ = len(sizes), sizes[-1]
        self.out_activation_ = next(name for name, ours in OUTPUTS.items() if ours == header["output"])
        self.t_, self.n_iter_ = header["t_"], header["n_iter_"]
        if header["loss_"] is not None:
            self.loss_ = header["loss_"]
        self._keep(theta, sizes)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what shares memory, because a pickle would hold the weights twice."""
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_shared"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Let `coefs_` and `intercepts_` share memory again, which else each prediction would copy."""
        super().__setstate__(state)
        # Without `fit` there are none, and those that were set by hand may fit nowhere.
        with contextlib.suppress(AttributeError, TypeError, ValueError):
            self._keep(*self._network())

    # -- training ----------------------------------------------------------------------------------------

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, *, incremental: bool = False,
        classes: Any = None,
    ) -> Self:  # fmt: skip
        if is_large_map(X) and self.solver == "lbfgs" and X_val is None and y_val is None:
            with all_or_nothing(self):
                how: dict[str, Any] = {"multi_output": True, **self._of_labels}
                self._fit_blocks(chunks_of(self, X, y, sample_weight, **how))
            return self
        first = not (hasattr(self, "coefs_") and (self.warm_start or incremental))
        # What batches do to parameters that were there before can't be undone.
        can_undo = first or self.solver == "lbfgs"
        with all_or_nothing(self):
            problem, theta, random = self._problem(X, y, sample_weight, first, incremental, classes)
            validation = self._own_validation(X_val, y_val, problem.Y)
            if self.solver == "lbfgs":
                train: Callable[[], None] = partial(self._search, problem, theta)
            else:
                examples = np.arange(problem.X.shape[1])
                if self.early_stopping and validation is None and not incremental:
                    fraction, stratified = self.validation_fraction, self._stratifies()
                    examples, validation = split(problem, fraction, stratified, random)
                size = batch_size_of(self, len(examples))
                epochs = Epochs(problem, examples, size, random if self.shuffle else None)
                train = self._training(epochs, theta, validation, first, incremental)
            if can_undo:
                train()
                self._keep(theta, problem.sizes)
        if not can_undo:
            train()
            self._keep(theta, problem.sizes)
        return self

    def _fit_blocks(self, source: Source) -> None:
        """Learn from blocks, all of which are seen in each iteration or epoch."""
        if self.early_stopping and self.solver != "lbfgs":
            refuse(self, "early_stopping", True, "nothing is held out; training ends by the loss")
        first = not (hasattr(self, "coefs_") and self.warm_start)
        self._hidden()
        found = surveyed(source, self._kind())
        take_features(self, found)
        self._learn_survey(found)
        theta, sizes, names, random = self._network_for(
            found.features, found.columns or 1, found.dtype, first
        )
        if not first:  # if training fails, nothing that was there has changed
            theta, self.loss_curve_ = theta.copy(), list(getattr(self, "loss_curve_", []))
        found = found._replace(dtype=theta.dtype)
        target = target_of(found, self._weights_of_classes())
        problem = network_problem(found, sizes, names, OUTPUTS[self.out_activation_], float(self.alpha))
        if self.solver == "lbfgs":
            source.load(target, None)
            self._search(BlocksProblem(source, problem), theta)
        else:
            seed = int(random.randint(np.iinfo(np.int32).max)) if self.shuffle else None
            source.load(target, seed)
            size = min(batch_size_of(self, found.rows), found.most_rows)
            self._training(source.epochs(problem, size, seed), theta, None, first, False)()
        self._keep(theta, sizes)

    def _problem(
        self, X: Any, y: Any, sample_weight: Any, first: bool, incremental: bool, classes: Any
    ) -> tuple[Problem, Array, Any]:
        """What is to be learnt, the parameters to begin with, and the random state."""
        self._hidden()
        need_labels(y)
        X, y = self._checked(X, y, reset=first)
        self._learn_labels(y, incremental, classes)
        dtype = X.dtype if X.dtype in FLOATS else np.dtype(np.float64)
        rows, weights = self._rows(y), weights_of(sample_weight, X, dtype)
        theta, sizes, names, random = self._network_for(X.shape[1], len(rows), dtype, first)
        problem = Problem(
            X.T, np.ascontiguousarray(rows, theta.dtype), self._example_weights(weights, rows, dtype), sizes,
            names, OUTPUTS[self.out_activation_], float(self.alpha),
        )  # fmt: skip
        return problem, theta, random

    def _network_for(
        self, features: int, label_rows: int, dtype: Any, first: bool
    ) -> tuple[Array, tuple[int, ...], tuple[str, ...], Any]:
        """The parameters to begin with, sizes, hidden activations, and the random state.

        Y has `label_rows` rows; class numbers have one.
        """
        hidden = self._hidden()
        self.out_activation_ = self._output()
        self.n_outputs_ = len(self.classes_) if self.out_activation_ == "softmax" else label_rows
        sizes, names = (features, *hidden, self.n_outputs_), self._activations(len(hidden))
        self.n_layers_ = len(sizes)
        random = check_random_state(self.random_state)
        theta = self._drawn(sizes, names, random, dtype) if first else self._theta_for(sizes)
        return theta, sizes, names, random

    def _drawn(self, sizes: tuple[int, ...], names: tuple[str, ...], random: Any, dtype: Any) -> Array:
        """The parameters that training begins with, if there is memory for them."""
        limit = np.iinfo(np.intp).max // dtype.itemsize
        try:
            if max(sizes) <= limit and dk.num_parameters(sizes) <= limit:
                # The output's by the activation of the last hidden layer, or of that which isn't there.
                last = names[-1:] or (self._activations(1) if isinstance(self.activation, str) else ("",))
                return _weights.drawn(sizes, (*names, *last), random, dtype)
        except MemoryError:
            pass
        raise MemoryError(
            f"{type(self).__name__}: there is not enough memory for the parameters of a network of {sizes} "
            f"units; hidden_layer_sizes is {self.hidden_layer_sizes!r}"
        )

    def _theta_for(self, sizes: tuple[int, ...]) -> Array:
        """The parameters to go on from."""
        theta, found = self._network()
        if found != sizes:
            raise ValueError(
                f"coefs_ and intercepts_ are those of layers with {found} units, but hidden_layer_sizes, X "
                f"and y need {sizes}"
            )
        return theta

    def _own_validation(self, X_val: Any, y_val: Any, Y: Array) -> Validation | None:
        """The examples of `X_val` and `y_val`; labels must have the form of Y, those to learn from."""
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None:
            raise ValueError("X_val and y_val must be given together")
        if self.solver == "lbfgs":
            raise ValueError("X_val and y_val are not supported by solver='lbfgs', which has no epochs")
        need_labels(y_val, "y_val")
        X_val, y_val = self._checked(X_val, y_val, reset=False)
        try:
            self._check_labels(y_val)
            rows = self._rows(y_val)
        except (TypeError, ValueError) as error:
            raise ValueError(f"y_val: {error}") from error
        if rows.ndim != 2 or len(rows) != len(Y):
            raise ValueError(f"y_val has shape {y_val.shape}, but y has {len(Y)} column(s)")
        return Validation(X_val.T, np.ascontiguousarray(rows, Y.dtype), None)

    def _search(self, problem: Problem | BlocksProblem, theta: Array) -> None:
        """Train by L-BFGS."""
        self.t_ = 0
        limits = Limits(self.max_iter, self.tol, evaluations=self.max_fun)
        found = lbfgs(problem.cost_and_gradient, theta, limits, self)
        theta[:], self.n_iter_ = found.x, found.iterations
        self.loss_ = problem.loss(theta, found.cost)

    def _training(
        self, epochs: AnyEpochs, theta: Array, validation: Validation | None, first: bool, incremental: bool
    ) -> Callable[[], None]:
        """What trains by batches, when it is called."""
        new = optimizer_of(self)
        if not (incremental and type(getattr(self, "_optimizer", None)) is type(new)):
            self._optimizer = new
        stops_by_score = self.early_stopping and validation is not None
        at_first = {
            "t_": 0,
            "loss_curve_": [],
            "_no_improvement_count": 0,
            "best_loss_": None if stops_by_score else np.inf,
            "validation_scores_": None if validation is None else [],
            "best_validation_score_": None if validation is None else -np.inf,
        }
        for name, value in at_first.items():
            if first or getattr(self, name, None) is None:
                setattr(self, name, value)
        return partial(
            Training(self, epochs, theta, validation).run,
            epochs=self.max_iter, incremental=incremental, stops_by_score=stops_by_score,
        )  # fmt: skip

    def _stratifies(self) -> bool:
        """Whether a validation set has as many examples of each class as the others, in proportion."""
        return False
