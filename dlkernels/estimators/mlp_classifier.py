"""A network for classes, with scikit-learn's interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from dlkernels.estimators._base import (
    Array,
    log_probabilities,
    outputs,
    probabilities,
    refuse,
)
from dlkernels.estimators._labels import LearnsClasses
from dlkernels.estimators._multilayer_perceptron import MultilayerPerceptron, by_batches


class MLPClassifier(LearnsClasses, ClassifierMixin, MultilayerPerceptron):
    """scikit-learn's `sklearn.neural_network.MLPClassifier`: dense layers that learn classes.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        The numbers of units of the hidden layers. () makes a linear model.
    activation : str or tuple of str, default="relu"
        The activation of all hidden layers: "relu", "logistic", "tanh" or "identity", as in scikit-learn; or
        another one of `dlkernels.catalogue.ACTIVATIONS`, such as "leaky_relu" (with slope 0.01) or "gelu". A
        tuple has a name for each hidden layer.
    solver : {"adam", "sgd", "lbfgs"}, default="adam"
        Adam or gradient descent by batches, or L-BFGS on all examples, for small tables.
    alpha : float, default=0.0001
        The factor of the penalty, 1/2 alpha sum(W²), which is divided by the number of a batch's examples (or
        by the sum of their weights).
    batch_size : int or "auto", default="auto"
        How many examples one step sees; "auto" is 200, or all if they are fewer. Not used by "lbfgs".
    learning_rate : {"constant", "invscaling", "adaptive"}, default="constant"
        How the rate of "sgd" changes: not at all; after each epoch, to learning_rate_init /
        ``(t_ + 1)**power_t``; or it is divided by 5 whenever n_iter_no_change epochs have made no progress.
    learning_rate_init : float, default=0.001
        The first learning rate of "adam" and "sgd".
    power_t : float, default=0.5
        The exponent of "invscaling".
    max_iter : int, default=200
        The most epochs; for "lbfgs", iterations.
    shuffle : bool, default=True
        Whether each epoch takes the examples in another order.
    random_state : int, RandomState instance or None, default=None
        It draws the initial weights, the validation set and the orders, in scikit-learn's sequence.
    tol : float, default=1e-4
        An epoch makes progress if it lowers the loss, or raises the validation score, by at least this. For
        "lbfgs", the search ends where no derivative is larger.
    verbose : bool, default=False
        Whether to show a progress bar on a terminal, and to print a line for each epoch elsewhere.
    warm_start : bool, default=False
        Whether `fit` begins with `coefs_` and `intercepts_`, those of the last one or your own.
    momentum : float, default=0.9
        The momentum of "sgd".
    nesterovs_momentum : bool, default=True
        Whether it is Nesterov's.
    early_stopping : bool, default=False
        Whether training ends when the validation score makes no progress; otherwise, when the loss doesn't.
        The validation set is yours (`fit`), or drawn from the examples, and the best weights are kept.
    validation_fraction : float, default=0.1
        How many of the examples become the validation set.
    beta_1, beta_2 : float, default=0.9, 0.999
        How much of its averages Adam keeps from step to step.
    epsilon : float, default=1e-8
        What Adam adds to the root of the average of squares.
    n_iter_no_change : int, default=10
        Training ends after more epochs without progress than this.
    max_fun : int, default=15000
        How often "lbfgs" may compute the loss.
    class_weight : dict or "balanced", default=None
        The weight of each class, by its label; 1 for those that are missing. If some are, all labels must
        be those of classes. "balanced" means n_samples / (n_classes * examples of the class). The weights are
        multiplied by `sample_weight`, also where `early_stopping` scores examples that it has drawn.
        scikit-learn's MLPClassifier has no such setting.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels of the classes.
    coefs_ : list of ndarray
        The weights of each layer, (n_in, n_out). They may be changed. With `intercepts_` and `classes_` they
        may be set by hand before any fit, to predict, or to begin with (`warm_start`).
    intercepts_ : list of ndarray
        The biases of each layer, (n_out,).
    loss_ : float
        The loss of the last epoch, with the penalty.
    best_loss_ : float or None
        The lowest loss; None if training is stopped by the validation score.
    loss_curve_ : list of float
        The loss of each epoch. That of a batch is computed before its step.
    validation_scores_ : list of float or None
        The score on the validation set after each epoch: the accuracy.
    best_validation_score_ : float or None
        The best of them.
    t_ : int
        How many examples training has seen.
    n_iter_ : int
        How many epochs were run; for "lbfgs", iterations.
    n_layers_ : int
        The number of layers, with that of the features.
    n_outputs_ : int
        The number of outputs.
    out_activation_ : str
        The activation of the last layer: "softmax", or "logistic" for two classes and for several labels.
    n_features_in_ : int
        The number of features that `fit` has seen.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if all columns of X have a string for a name.

    See Also
    --------
    MLPRegressor : A network for numbers.
    dlkernels.train_epoch : An epoch of training, for examples as columns.

    Notes
    -----
    With the same `random_state`, in float64, weights, losses and predictions are scikit-learn's up to
    rounding. (A long search by "lbfgs" lets roundings grow.) relu and leaky_relu take g'(0) = 1 where
    scikit-learn takes 0, which matters where an input is exactly 0. The loss is the cross-entropy, computed
    from the last layer's inputs. scikit-learn cuts that of an example at 36 (of float32 at 16); here it isn't
    cut. Where a network is sure and wrong, mostly with features that aren't standardised, `loss_` is higher
    than scikit-learn's, and training may stop in another epoch. X is read where it lies, in C or Fortran
    order.

    Examples
    --------
    >>> from dlkernels.estimators import MLPClassifier
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((16,), solver="lbfgs", alpha=0.1, max_iter=2000, random_state=0).fit(X, y)
    >>> model.predict(X[:2])
    array([0, 0])
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **MultilayerPerceptron._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    _learnt: ClassVar[tuple[str, ...]] = ("coefs_", "intercepts_", "classes_")

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str | Sequence[str] = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.class_weight = class_weight

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None) -> Self:
        """Learn from a table.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The features of an example in each row; float32 is computed in float32, all else in float64.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Classes, numbers or strings; or 0 and 1 in a column for each of several labels.
        sample_weight : array-like of shape (n_samples,), default=None
            The weights of the examples, not negative. A weight of 2 counts an example twice in its batch.
        X_val, y_val : array-like, default=None
            A validation set of your own, in place of one that is drawn. The estimator is scored on it after
            each epoch, and keeps the weights with the best score.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If a setting is wrong, X and y don't fit, or a number in X is not finite. Then the estimator stays
            as it was.
        MemoryError
            If a network of `hidden_layer_sizes` doesn't fit into memory.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` was too small, or training diverged: then the best finite weights are kept.
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    @available_if(by_batches)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
    ) -> Self:
        """Train for one epoch on some examples, going on from where training is.

        Nothing is set aside for validation, also with `early_stopping`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The features of an example in each row.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Classes, of which some may be missing; or several labels.
        sample_weight : array-like of shape (n_samples,), default=None
            The weights of the examples.
        classes : array-like of shape (n_classes,), default=None
            All classes, which the first call needs.
        X_val, y_val : array-like, default=None
            Examples to compute a validation score of; the weights stay those of the last call.

        Returns
        -------
        self
            The estimator.
        """
        if self.class_weight == "balanced":
            refuse(self, "class_weight", "balanced", "partial_fit doesn't see all examples; pass a dict")
        return self._fit(X, y, sample_weight, X_val, y_val, incremental=True, classes=classes)

    # -- what files and predictions need ------------------------------------------------------------------

    def _described(self) -> tuple[Array, tuple[int, ...], tuple[str, ...], str]:
        theta, sizes, names, output = super()._described()
        units = len(self.classes_) if self._multilabel or output == "softmax" else 1
        if sizes[-1] != units:
            raise ValueError(
                f"coefs_ and intercepts_ have {sizes[-1]} outputs, but classes_ {self.classes_} needs {units}"
            )
        return theta, sizes, names, output

    def _restore(self, theta: Array, sizes: tuple[int, ...], header: dict[str, Any]) -> None:
        super()._restore(theta, sizes, header)
        self._multilabel = header["multilabel"]

    # -- prediction --------------------------------------------------------------------------------------

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each row; of several labels, 1 for each that is probable.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The features of an example in each row.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Labels of `classes_`, or 0 and 1.
        """
        A = outputs(self, X)
        if self._multilabel:
            return (A > 0.5).astype(int)
        if len(self.classes_) == 1:
            return np.repeat(self.classes_, len(A))
        return self.classes_[A.argmax(axis=1) if A.shape[1] > 1 else (A[:, 0] > 0.5).astype(int)]

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, or of each label.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The features of an example in each row.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            In the order of `classes_`. The rows of classes add up to 1.
        """
        return probabilities(outputs(self, X))

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of `predict_proba`, which is finite also where that is 0.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The features of an example in each row.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            In the order of `classes_`.
        """
        return log_probabilities(self, X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
