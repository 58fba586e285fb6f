"""A network of any depth."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from dlkernels import backends, catalogue, optimizers, validation

from ._convergence import Costs
from ._scores import predicted, score
from ._training import Array, Callback, Model, Runs, State


class Network(Model):
    """Dense layers, trained by mini-batches: for two classes, for several, or for numbers.

    Parameters
    ----------
    hidden_layers : tuple of int
        The numbers of units of the hidden layers. An empty tuple makes a linear model.
    activations : str or tuple of str
        The activation of all hidden layers, or one for each; names are in `dlkernels.catalogue.ACTIVATIONS`.
    output : {None, "sigmoid", "softmax", "identity", "exp"}
        What the last layer computes, and with it the cost (see Notes). By default it follows from the labels:
        "sigmoid" for one row of 0 and 1, "softmax" for one row of class numbers 0, 1, 2 and so on. Counts
        look like class numbers, so choose "exp" for them.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"} or Optimizer
        The rule that updates the parameters: a name, or one of `dlkernels.optimizers` with settings of its
        own. `fit` trains with a copy of it, which goes on from its state.
    learning_rate : float
        The learning rate, if the optimizer is given by its name. Otherwise the optimizer's own is used.
    batch_size : int
        How many examples one step of the optimizer sees.
    num_epochs : int
        How often `fit` goes through all examples. Each epoch takes them in another order.
    l2 : float
        The factor of the penalty, 1/2 sum(W²) over all weights, which is added to the cost.
    backend : {"numba", "numpy", "python"}
        The implementation: compiled loops, vectorised NumPy, or Python loops.
    seed : int, optional
        It draws the initial weights and the order of the examples, which are the same on all backends.
    dtype : {None, "float32", "float64"}
        The dtype to compute in. By default it is that of X if that is float32 or float64, else float64.

    Attributes
    ----------
    theta_ : ndarray, shape (P,)
        All P parameters: W1 (n_1, n_0) in C order, b1, W2, b2 and so on.
    parameters_ : list of tuple
        (W, b) for each layer, W (n, n_prev) and b (n, 1): views of `theta_`.
    sizes_ : tuple of int
        (n_0, n_1, ..., n_L): the numbers of features, of units of each hidden layer, and of outputs.
    output_ : str
        The output that was chosen.
    optimizer_ : Optimizer
        The optimizer after the last step, with its state.
    costs_ : list of float
        The mean cost of the examples in each epoch. The cost of a batch is taken before its step.
    n_iter_ : int
        How many epochs were run.

    Notes
    -----
    A[0] = X, Z[l] = W[l] A[l-1] + b[l], A[l] = g(Z[l]), as in Andrew Ng, "Neural Networks and Deep Learning",
    week 4. The outputs have these costs: "sigmoid" cross-entropy for each row, "softmax" cross-entropy among
    the rows, "identity" half of the squared error, "exp" that of Poisson's distribution, for counts.

    Initial weights are those of `dlkernels.network_parameters`: uniform, by Glorot. To start from others, by
    He for instance, pass them to `fit` as `parameters`. An epoch is a call of `dlkernels.train_epoch`.

    Scale features to about one size (`dlkernels.data.Standardizer`), and for "identity" the numbers of Y
    too.

    Each `fit` starts anew. To train a fitted model for more epochs, make another of the same layers with its
    optimizer and another seed (which draws other orders), and pass its parameters:
    ``Network(layers, optimizer=model.optimizer_, seed=2).fit(X, Y, parameters=model.theta_)``.

    Examples
    --------
    >>> import numpy as np
    >>> from dlkernels.models import Network
    >>> random = np.random.default_rng(0)
    >>> X = random.normal(size=(2, 300))
    >>> Y = (X[:1] > 0) + 2 * (X[1:] > 0)  # the number of the quadrant, from 0 to 3
    >>> model = Network((16, 8), learning_rate=0.01, num_epochs=30, seed=1).fit(X, Y)
    >>> model.sizes_, model.output_
    ((2, 16, 8, 4), 'softmax')
    >>> model.predict([[1.0, -1.0], [1.0, 1.0]])
    array([[3, 2]])
    """

    _runs = Runs("num_epochs", 1, Costs("epoch", "in", 1.0))

    theta_: Array
    sizes_: tuple[int, ...]
    output_: str
    optimizer_: optimizers.Optimizer

    def __init__(
        self,
        hidden_layers: Sequence[int] = (128, 64),
        *,
        activations: str | Sequence[str] = "relu",
        output: str | None = None,
        optimizer: Any = "adam",
        learning_rate: float = 1e-3,
        batch_size: int = 32,
        num_epochs: int = 20,
        l2: float = 0.0,
        backend: str = "numba",
        seed: int | None = None,
        dtype: Any = None,
    ) -> None:
        self.hidden_layers = hidden_layers
        self.activations = activations
        self.output = output
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.num_epochs = num_epochs
        self.l2 = l2
        self.backend = backend
        self.seed = seed
        self.dtype = dtype
        self._check_settings()

    def _check_settings(self) -> None:
        super()._check_settings()
        if not isinstance(self.hidden_layers, tuple | list):
            kind = type(self.hidden_layers).__name__
            raise TypeError(f"Network: hidden_layers must be a tuple of integers, not {kind}")
        for i, units in enumerate(self.hidden_layers):
            validation.count("Network", f"hidden_layers[{i}]", units, minimum=1)
        validation.activations("Network", self.activations, len(self.hidden_layers))
        if self.output not in (None, *catalogue.OUTPUTS):
            names = ", ".join(catalogue.OUTPUTS)
            raise ValueError(f"Network: output must be None or one of {names}, not {self.output!r}")
        self._first_optimizer()
        validation.count("Network", "batch_size", self.batch_size, minimum=1)
        if validation.finite("Network", "l2", self.l2) < 0:
            raise ValueError(f"Network: l2 must be at least 0, not {self.l2}")
        if self.seed is not None:
            validation.count("Network", "seed", self.seed)

    def _first_optimizer(self) -> optimizers.Optimizer:
        """Return the optimizer to start with: a new one by its name, or the one that was given."""
        if isinstance(self.optimizer, optimizers.Optimizer):
            return self.optimizer
        if isinstance(self.optimizer, str) and self.optimizer in optimizers.BY_NAME:
            return optimizers.BY_NAME[self.optimizer](self.learning_rate)
        names = ", ".join(optimizers.BY_NAME)
        raise ValueError(
            f"Network: optimizer must be one of {names}, or made by dlkernels.optimizers, as "
            f"Adam(1e-3) is, not {self.optimizer!r}"
        )

    @property
    def parameters_(self) -> list[tuple[Array, Array]]:
        """The weights and biases of each layer, as views of `theta_`."""
        return backends.get(self.backend).network_views(self.theta_, self.sizes_)

    def _learned(self) -> Mapping[str, Any]:
        return {"theta": self.theta_}

    def _rate(self) -> Any:
        return self.optimizer_.learning_rate  # type: ignore[attr-defined]

    def _scaled(self) -> str:
        return "the features and Y" if self.output_ == "identity" else super()._scaled()

    def fit(
        self,
        X: Any,
        Y: Any,
        *,
        sample_weight: Any = None,
        parameters: Any = None,
        progress: bool = False,
        callback: Callback | None = None,
    ) -> Self:
        """Train for `num_epochs` epochs.

        Parameters
        ----------
        X : array_like, shape (n_0, m)
            Examples as columns, of any real dtype and layout. They are converted a few megabytes at a time,
            so that a table in a file may be larger than memory.
        Y : array_like, shape (n_L, m)
            Labels: 0 or 1 for the output "sigmoid", each row a label of its own; numbers for "identity", not
            negative for "exp"; for "softmax" class numbers (1, m), or a row for each class (columns must sum
            to 1, which isn't checked). For words ``np.unique(words, return_inverse=True)`` returns the
            classes and their numbers.
        sample_weight : array_like, shape (1, m) or (m,), optional
            The weights of the examples. A weight of 2 counts an example twice in its batch.
        parameters : array_like, shape (P,), optional
            The parameters to start from, in the form of `theta_`. They are copied. By default training starts
            from random weights and zero biases.
        progress : bool
            Show a progress bar on a terminal.
        callback : callable, optional
            Called as ``callback(epoch, cost)`` after each epoch, with its number, from 0 on, and its mean
            cost. A true result ends the training. Meanwhile the model is the one that is being trained:
            `predict`, `score` and the attributes show it.

        Returns
        -------
        self
            The model with its attributes.

        Raises
        ------
        TypeError
            If an input is not real numbers, or the callback returns no truth value, such as an array of
            several numbers.
        ValueError
            If shapes don't match (the message names both), n_0 or m is 0, labels don't fit to the output, the
            labels don't decide on the output and none was chosen, a number is NaN, infinite or too large for
            the dtype, or a weight is negative or all are 0.

        Warns
        -----
        ConvergenceWarning
            At most once for each fit, if training diverged: a cost or a parameter is NaN or infinite, or the
            cost of the last epoch is more than twice that of the first.

        Notes
        -----
        If `fit` raises an error or is interrupted, by the callback or by Ctrl-C, the model holds what it held
        after the last epoch that was complete. If there was none, it stays as it was before `fit`.
        """
        name = f"{type(self).__name__}.fit"
        self._check_settings()
        given = validation.network_examples(name, X, Y, sample_weight, output=self.output, dtype=self.dtype)
        backend = backends.get(self.backend)
        sizes = (len(given.X), *self.hidden_layers, given.units)
        theta = backend.network_parameters(sizes, self.seed, dtype=given.dtype)
        if parameters is not None:
            theta = validation.parameter(name, None, parameters, theta)
        # Another part of the sequence than that from which the weights were drawn.
        orders = np.random.Generator(np.random.PCG64(self.seed).jumped())

        def run(state: State, epochs: int) -> float:
            cost = backend.train_epoch(
                state["theta_"], sizes, state["optimizer_"], given.X, given.Y, self.activations, given.output,
                batch_size=self.batch_size, order=orders.permutation(given.Y.shape[1]),
                sample_weight=given.sample_weight, l2=self.l2,
            )  # fmt: skip
            return float(cost)

        start = {
            "theta_": theta,
            "sizes_": sizes,
            "output_": given.output,
            "optimizer_": copy.deepcopy(self._first_optimizer()),
        }
        return self._train(start, run, progress=progress, callback=callback)

    def predict_proba(self, X: Any) -> Array:
        """Return what the last layer computes: probabilities for "sigmoid" and "softmax", else numbers.

        Parameters
        ----------
        X : array_like, shape (n_0, m)
            Examples as columns, with as many features as those of `fit`.

        Returns
        -------
        ndarray, shape (n_L, m)
            For "sigmoid" P(y = 1) for each label, for "softmax" the probability of each class.

        Raises
        ------
        RuntimeError
            If the model isn't fitted yet.
        ValueError
            If X has another number of rows than the examples of `fit`, or a number that `fit` would refuse.
        """
        return self._predicted("predict_proba", X)

    def _predicted(self, method: str, X: Any) -> Array:
        name = f"{type(self).__name__}.{method}"
        if not hasattr(self, "theta_"):
            raise RuntimeError(f"{name}: this model is not fitted yet; call fit(X, Y) first")
        X = validation.examples(name, X, self.sizes_[0], self.theta_.dtype, convert=False)
        forward = backends.get(self.backend).network_forward
        A: Array = forward(self.theta_, self.sizes_, X, self.activations, self.output_)
        return A

    def predict(self, X: Any) -> Array:
        """Predict a label, a class or a number for each example.

        Parameters
        ----------
        X : array_like, shape (n_0, m)
            Examples as columns.

        Returns
        -------
        ndarray
            For "softmax" the number of the most probable class, int (1, m). For "sigmoid" 1 where P(y = 1) is
            above 0.5, else 0, int (n_L, m). For "identity" and "exp" the numbers of `predict_proba`.

        Raises
        ------
        RuntimeError, ValueError
            As `predict_proba`.
        """
        A = self._predicted("predict", X)
        return predicted(self.output_, A)

    def score(self, X: Any, Y: Any) -> float:
        """Return how good the predictions are; 1 is the best.

        Parameters
        ----------
        X : array_like, shape (n_0, m)
            Examples as columns.
        Y : array_like, shape (n_L, m)
            Labels as in `fit`.

        Returns
        -------
        float
            For "sigmoid" and "softmax" the accuracy: the share of examples all of whose labels are predicted.
            For "identity" R², and for "exp" D²: 1 - e / e0, where e is the squared error or Poisson's
            deviance of the model, and e0 that of predicting the mean label always. If there are several rows,
            it is the mean of theirs.

        Raises
        ------
        RuntimeError, ValueError
            As `predict_proba`; ValueError also if `fit` would refuse the labels.
        """
        name = f"{type(self).__name__}.score"
        A = self._predicted("score", X)
        given = validation.network_examples(
            name, X, Y, output=self.output_, units=self.sizes_[-1], dtype=self.theta_.dtype
        )
        return score(self.output_, A, given.Y)
