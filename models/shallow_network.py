"""A network with one hidden layer."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from dlkernels import validation
from dlkernels.validation import count, finite

from ._classifier import BinaryClassifier
from ._convergence import all_finite
from ._training import Array


class ShallowNetwork(BinaryClassifier):
    """P(y = 1) = sigmoid(W2 g(W1 x + b1) + b2), trained by gradient descent.

    Parameters
    ----------
    hidden_units : int
        The number n_h of hidden units, at least 1.
    activation : str
        The name of the hidden layer's activation g, one of `dlkernels.catalogue.ACTIVATIONS`.
    learning_rate : float
        The step length alpha.
    num_iterations : int
        How many steps `fit` takes.
    backend : {"numba", "numpy", "python"}
        The implementation: compiled loops, vectorised NumPy, or Python loops.
    seed : int, optional
        The initial weights come from ``numpy.random.RandomState(seed)``, W1 before W2, as in the course.
    init_scale : float
        Initial weights are standard normal numbers times this factor; biases begin at 0.
    dtype : {None, "float32", "float64"}
        The dtype to compute in; by default that of X.

    Attributes
    ----------
    parameters_ : dict
        "W1" (n_h, n_x), "b1" (n_h, 1), "W2" (1, n_h) and "b2" (1, 1).
    costs_ : list of float
        The cost before iterations 0, 100, 200, ...
    n_iter_ : int
        How many iterations were run.

    Notes
    -----
    The gradients are those of `dlkernels.shallow_propagate`, as in Andrew Ng, "Neural Networks and Deep
    Learning", week 3. Initial weights are random, because equal weights would keep the hidden units equal for
    ever, and small, because large weights saturate tanh.

    A plot of the decision boundary of two features: the command ``dlkernels compare --plot DIR`` saves one,
    and the guide for learners shows how to draw one with matplotlib.

    Examples
    --------
    >>> from dlkernels.models import ShallowNetwork
    >>> X, Y = [[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]], [[0, 1, 1, 0]]
    >>> model = ShallowNetwork(seed=1, init_scale=1.0, num_iterations=2000).fit(X, Y)
    >>> model.predict(X)
    array([[0, 1, 1, 0]])
    """

    def __init__(
        self,
        hidden_units: int = 4,
        *,
        activation: str = "tanh",
        learning_rate: float = 1.2,
        num_iterations: int = 10000,
        backend: str = "numba",
        seed: int | None = None,
        init_scale: float = 0.01,
        dtype: Any = None,
    ) -> None:
        self.hidden_units = hidden_units
        self.activation = activation
        self.learning_rate = learning_rate
        self.num_iterations = num_iterations
        self.backend = backend
        self.seed = seed
        self.init_scale = init_scale
        self.dtype = dtype
        self._check_settings()

    def _check_settings(self) -> None:
        super()._check_settings()
        count("ShallowNetwork", "hidden_units", self.hidden_units, minimum=1)
        validation.activation("ShallowNetwork", self.activation)
        finite("ShallowNetwork", "init_scale", self.init_scale)
        if self.seed is not None and count("ShallowNetwork", "seed", self.seed) > 2**32 - 1:
            raise ValueError(f"ShallowNetwork: seed must be at most {2**32 - 1}, not {self.seed}")

    def _initial_parameters(self, n_x: int, dtype: np.dtype[Any]) -> dict[str, Any]:
        # The legacy generator, because the course's published results were drawn with it.
        random = np.random.RandomState(self.seed)
        sizes = (self.hidden_units, n_x), (1, self.hidden_units)
        with np.errstate(over="ignore"):
            W1, W2 = ((random.randn(*size) * self.init_scale).astype(dtype) for size in sizes)
        if not all_finite({"W1": W1, "W2": W2}):
            raise ValueError(
                f"{type(self).__name__}: init_scale {self.init_scale} is too large: initial weights must fit "
                f"into {dtype}"
            )
        b1, b2 = np.zeros((self.hidden_units, 1), dtype), np.zeros((1, 1), dtype)
        return {"W1": W1, "b1": b1, "W2": W2, "b2": b2}

    def _num_features(self) -> int:
        return int(self.parameters_["W1"].shape[1])

    def _descend(
        self, backend: ModuleType, parameters: dict[str, Any], X: Array, Y: Array, steps: int
    ) -> float:
        cost = backend.shallow_descent(
            *(parameters[name] for name in ("W1", "b1", "W2", "b2")), X, Y, self.learning_rate, steps,
            self.activation,
        )  # fmt: skip
        return float(cost)

    def _probabilities(self, backend: ModuleType, parameters: dict[str, Any], X: Array) -> Array:
        W1, b1, W2, b2 = (parameters[name] for name in ("W1", "b1", "W2", "b2"))
        A1 = backend.dense_forward(W1, X, b1, self.activation)
        A2: Array = backend.dense_forward(W2, A1, b2, "sigmoid")
        return A2
