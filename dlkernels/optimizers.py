"""Optimizers: rules that update a vector of parameters by its gradient. Formulas and defaults are PyTorch's.

An optimizer is passed to `dlkernels.train_epoch`, on any backend, or its `step` is called for each gradient.

    >>> import numpy as np
    >>> from dlkernels import optimizers
    >>> theta, optimizer = np.array([1.0, -1.0]), optimizers.Adam(learning_rate=0.1)
    >>> for _ in range(100):
    ...     optimizer.step(theta, 2 * theta)  # the gradient of the sum of squares
    >>> bool(abs(theta).max() < 0.01)
    True

What an optimizer keeps from step to step is its `state`, a dict of arrays. To go on in another process, save
it beside the parameters, for instance by ``numpy.savez(file, theta=theta, **optimizer.state)``. There make
an optimizer with the same settings, which aren't saved, and assign to its `state` a dict of the same entries,
without theta:

    >>> saved = {"theta": theta, **optimizer.state}
    >>> theta, optimizer = saved.pop("theta"), optimizers.Adam(learning_rate=0.1)
    >>> optimizer.state = saved
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlkernels._calls.optimizer import Arrays, Optimizer

__all__ = ["BY_NAME", "SGD", "Adam", "AdamW", "Arrays", "Optimizer", "RMSprop"]


class SGD(Optimizer):
    """Gradient descent, with momentum and Nesterov's momentum.

    Parameters
    ----------
    learning_rate : float
    momentum : float
        How much of the last direction is kept, at least 0.
    nesterov : bool
        Whether to take Nesterov's form (see Notes). It needs a positive momentum.
    weight_decay : float
        Its product with theta is added to the gradient.

    Raises
    ------
    TypeError
        If a setting is not a number, or `nesterov` not a bool.
    ValueError
        If a number is negative or not finite, or `nesterov` has no momentum.

    Notes
    -----
    g += weight_decay * theta; v = momentum * v + g; with `nesterov` the direction is g + momentum * v,
    otherwise v; theta -= learning_rate * direction. This is PyTorch's ``torch.optim.SGD``.

    Examples
    --------
    >>> from dlkernels.optimizers import SGD
    >>> SGD(0.1, momentum=0.9, nesterov=True)
    SGD(learning_rate=0.1, momentum=0.9, nesterov=True, weight_decay=0.0)
    """

    _rule, _halves = "sgd", ("momentum_buffer",)
    _names = ("learning_rate", "momentum", "nesterov", "weight_decay")

    def __init__(
        self,
        learning_rate: float = 1e-3,
        *,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.learning_rate, self.momentum, self.nesterov = learning_rate, momentum, nesterov
        self.weight_decay = weight_decay
        self._start()

    def _keeps_nothing(self) -> bool:
        return not self.momentum

    def _row(self, function: str, prefix: str) -> dict[str, float]:
        momentum = self._number(function, prefix, "momentum")
        nesterov = self._flag(function, prefix, "nesterov")
        if nesterov and momentum == 0:
            raise ValueError(f"{function}: {prefix}nesterov needs a positive momentum")
        return {
            "learning_rate": self._number(function, prefix, "learning_rate"),
            "decay1": momentum,
            "weight_decay": self._number(function, prefix, "weight_decay"),
            "nesterov": nesterov,
        }


class RMSprop(Optimizer):
    """Gradient descent with each step divided by the root of a mean of the last squared gradients.

    Parameters
    ----------
    learning_rate : float
    alpha : float
        How much of the mean of squares is kept, from 0 to 1.
    eps : float
        It is added to the root, which may be 0.
    weight_decay : float
        Its product with theta is added to the gradient.
    momentum : float
        How much of the last direction is kept, at least 0.

    Raises
    ------
    TypeError
        If a setting is not a number.
    ValueError
        If one is negative or not finite, or `alpha` above 1.

    Notes
    -----
    g += weight_decay * theta; s = alpha * s + (1 - alpha) * g²; v = momentum * v + g / (sqrt(s) + eps);
    theta -= learning_rate * v. This is PyTorch's ``torch.optim.RMSprop``; G. Hinton, "Neural Networks for
    Machine Learning", lecture 6e.

    Examples
    --------
    >>> from dlkernels.optimizers import RMSprop
    >>> RMSprop().alpha
    0.99
    """

    _rule, _halves = "rmsprop", ("momentum_buffer", "square_avg")
    _names = ("learning_rate", "alpha", "eps", "weight_decay", "momentum")

    def __init__(
        self,
        learning_rate: float = 1e-2,
        *,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
    ) -> None:
        self.learning_rate, self.alpha, self.eps = learning_rate, alpha, eps
        self.weight_decay, self.momentum = weight_decay, momentum
        self._start()

    def _row(self, function: str, prefix: str) -> dict[str, float]:
        return {
            "learning_rate": self._number(function, prefix, "learning_rate"),
            "decay1": self._number(function, prefix, "momentum"),
            "decay2": self._number(function, prefix, "alpha", 1.0, included=True),
            "eps": self._number(function, prefix, "eps"),
            "weight_decay": self._number(function, prefix, "weight_decay"),
        }


class Adam(Optimizer):
    """Gradient descent along a mean of the last gradients, divided by the root of a mean of their squares.

    Parameters
    ----------
    learning_rate : float
    beta1, beta2 : float
        How much of the mean of gradients, and of that of squares, is kept: from 0, less than 1.
    eps : float
        It is added to the root, which may be 0.
    weight_decay : float
        Its product with theta is added to the gradient.
    epsilon_hat : bool
        Whether eps is added before the root is corrected for the first steps, as in scikit-learn and Keras.

    Raises
    ------
    TypeError
        If a setting is not a number, or `epsilon_hat` not a bool.
    ValueError
        If one is negative or not finite, or `beta1` or `beta2` not below 1.

    Notes
    -----
    At step t: g += weight_decay * theta; m = beta1 * m + (1 - beta1) * g; v = beta2 * v + (1 - beta2) * g²;
    theta -= learning_rate * m / (1 - beta1^t) / (sqrt(v) / sqrt(1 - beta2^t) + eps). This is PyTorch's
    ``torch.optim.Adam``; D. Kingma and J. Ba, "Adam: a method for stochastic optimization" (2015). With
    `epsilon_hat` it is theta -= learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + eps), the
    form at the end of section 2 there.

    Examples
    --------
    >>> from dlkernels.optimizers import Adam
    >>> optimizer = Adam()
    >>> optimizer.learning_rate /= 10
    >>> optimizer
    Adam(learning_rate=0.0001, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.0, epsilon_hat=False)
    """

    _rule, _halves = "adam", ("exp_avg", "exp_avg_sq")
    _names = ("learning_rate", "beta1", "beta2", "eps", "weight_decay", "epsilon_hat")

    def __init__(
        self,
        learning_rate: float = 1e-3,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        epsilon_hat: bool = False,
    ) -> None:
        self.learning_rate, self.beta1, self.beta2 = learning_rate, beta1, beta2
        self.eps, self.weight_decay, self.epsilon_hat = eps, weight_decay, epsilon_hat
        self._start()

    def _row(self, function: str, prefix: str) -> dict[str, float]:
        return {
            "learning_rate": self._number(function, prefix, "learning_rate"),
            "decay1": self._number(function, prefix, "beta1", 1.0),
            "decay2": self._number(function, prefix, "beta2", 1.0),
            "eps": self._number(function, prefix, "eps"),
            "weight_decay": self._number(function, prefix, "weight_decay"),
            "epsilon_hat": self._flag(function, prefix, "epsilon_hat"),
        }


class AdamW(Adam):
    """Adam, with weights that decay apart from the gradient.

    Parameters
    ----------
    learning_rate, beta1, beta2, eps : float
        As for `Adam`.
    weight_decay : float
        Before each step theta is multiplied by 1 - learning_rate * weight_decay.
    epsilon_hat : bool
        As for `Adam`.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `Adam`.

    Notes
    -----
    Apart from the decay, the formulas are those of `Adam`. This is PyTorch's ``torch.optim.AdamW``;
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization" (2019).

    Examples
    --------
    >>> from dlkernels.optimizers import AdamW
    >>> AdamW().weight_decay
    0.01
    """

    _rule = "adamw"

    def __init__(
        self,
        learning_rate: float = 1e-3,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        epsilon_hat: bool = False,
    ) -> None:
        super().__init__(
            learning_rate, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay,
            epsilon_hat=epsilon_hat,
        )  # fmt: skip


#: The optimizers by their names in `catalogue.OPTIMIZERS`. Each takes a learning rate.
BY_NAME: dict[str, Callable[[Any], Optimizer]] = {rule._rule: rule for rule in (SGD, RMSprop, Adam, AdamW)}
