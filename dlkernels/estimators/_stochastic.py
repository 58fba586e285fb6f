"""Training by batches: scikit-learn's rules of when to stop, and of how the learning rate changes."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from dlkernels import optimizers
from dlkernels.estimators._base import Array, reports
from dlkernels.estimators._problem import AnyEpochs
from dlkernels.estimators._validation import Validation


def optimizer_of(estimator: Any) -> optimizers.Optimizer:
    """A new optimizer with the estimator's settings."""
    rate = float(estimator.learning_rate_init)
    if estimator.solver == "adam":
        beta1, beta2 = float(estimator.beta_1), float(estimator.beta_2)
        epsilon = float(estimator.epsilon)
        return optimizers.Adam(rate, beta1=beta1, beta2=beta2, eps=epsilon, epsilon_hat=True)
    momentum = float(estimator.momentum)
    return optimizers.SGD(
        rate, momentum=momentum, nesterov=bool(estimator.nesterovs_momentum) and momentum > 0
    )


def batch_size_of(estimator: Any, examples: int) -> int:
    """The batch size, at most the number of examples."""
    if estimator.batch_size == "auto":
        return min(200, examples)
    if estimator.batch_size > examples:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=2
        )
    return min(int(estimator.batch_size), examples)


def rate_after(estimator: Any) -> float:
    """The learning rate that "invscaling" has after an epoch, learning_rate_init / (t_ + 1)**power_t.

    A large power_t would make it 0, and then the velocity could not be kept (`Training._set_rate`). So it is
    at least 1e-20 of the first rate, which moves parameters by less than their rounding.
    """
    first = float(estimator.learning_rate_init)
    with np.errstate(over="ignore"):
        divisor = float(np.float64(estimator.t_ + 1) ** float(estimator.power_t))
    return max(first / divisor, first * 1e-20)


class InterruptedWarning(UserWarning):
    """Ctrl-C has ended a training, and what was learnt until then is kept."""


class Training:
    """The epochs of one `fit` or `partial_fit`. The attributes that scikit-learn has are the estimator's."""

    def __init__(
        self, estimator: Any, epochs: AnyEpochs, theta: Array, validation: Validation | None
    ) -> None:
        self.estimator, self.epochs, self.theta, self.validation = estimator, epochs, theta, validation
        #: What to return to: the parameters of the best validation score, and those with which the epoch of
        #: the lowest loss began. (Those with which it ended may be on their way to infinity.)
        self.epoch_start, self.of_lowest_loss, self.lowest_loss = theta.copy(), theta.copy(), math.inf
        self.of_best_score = theta.copy()

    def run(self, *, epochs: int, incremental: bool, stops_by_score: bool) -> None:
        """Train until a rule says stop. Then theta holds the parameters to keep."""
        e = self.estimator
        e.n_iter_ = 0
        try:
            with reports(e.verbose, type(e).__name__, epochs) as report:
                for _ in range(epochs):
                    loss = self._epoch()
                    report(e.n_iter_, loss)
                    if not self._is_finite(loss):
                        return
                    if self._stops(stops_by_score) or incremental:
                        break
                    if e.n_iter_ == epochs:
                        warnings.warn(
                            f"Stochastic Optimizer: Maximum iterations ({epochs}) reached and the "
                            "optimization hasn't converged yet.",
                            ConvergenceWarning,
                            stacklevel=2,
                        )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", InterruptedWarning, stacklevel=2)
            if not np.isfinite(self.theta).all():  # in an epoch that nobody has looked at yet
                self.theta[:] = self.of_lowest_loss
        if self.validation is not None and not incremental:
            self.theta[:] = self.of_best_score

    def _epoch(self) -> float:
        e = self.estimator
        self.epoch_start[:] = self.theta
        with np.errstate(over="ignore", invalid="ignore"):
            loss = self.epochs(self.theta, e._optimizer)
            e.n_iter_ += 1
            e.t_ += self.epochs.examples
            e.loss_ = loss
            e.loss_curve_.append(loss)
            if self.validation is not None:
                score = self.validation.score(self.theta, self.epochs.problem)
                e.validation_scores_.append(score)
                if e.verbose:
                    print(f"Validation score: {score:f}")
        return loss

    def _is_finite(self, loss: float) -> bool:
        """Keep the parameters if they are the best so far. If they diverged, go back, and say so."""
        e = self.estimator
        if math.isfinite(loss) and np.isfinite(self.theta).all():
            if loss < self.lowest_loss:
                self.lowest_loss = loss
                self.of_lowest_loss, self.epoch_start = self.epoch_start, self.of_lowest_loss
            return True
        scored = self.validation is not None and math.isfinite(e.best_validation_score_)
        self.theta[:] = self.of_best_score if scored else self.of_lowest_loss
        del e._optimizer  # its averages aren't finite either
        warnings.warn(
            f"{type(e).__name__} diverged: something became infinite or NaN in epoch {e.n_iter_}. The best "
            "finite weights are kept. Scale the features, for instance with "
            f"sklearn.preprocessing.StandardScaler, or take a smaller learning_rate_init than "
            f"{e.learning_rate_init}",
            ConvergenceWarning,
            stacklevel=2,
        )
        return False

    def _stops(self, stops_by_score: bool) -> bool:
        """Count epochs without progress, change the learning rate, and tell whether training is over."""
        e = self.estimator
        if self.validation is not None:
            score = e.validation_scores_[-1]
            without = score < e.best_validation_score_ + e.tol
            if score > e.best_validation_score_:
                e.best_validation_score_ = score
                self.of_best_score[:] = self.theta
        if not stops_by_score:
            without = e.loss_ > e.best_loss_ - e.tol
            e.best_loss_ = min(e.loss_, e.best_loss_)
        e._no_improvement_count = e._no_improvement_count + 1 if without else 0
        if e.solver == "sgd" and e.learning_rate == "invscaling":
            self._set_rate(rate_after(e))
        if e._no_improvement_count <= e.n_iter_no_change:
            return False
        what = "Validation score" if stops_by_score else "Training loss"
        message = (
            f"{what} did not improve more than tol={e.tol:f} for {e.n_iter_no_change} consecutive epochs."
        )
        stops = e.solver != "sgd" or e.learning_rate != "adaptive" or e._optimizer.learning_rate <= 1e-6
        if e.verbose:
            print(message + (" Stopping." if stops else " The learning rate is divided by 5."))
        if not stops:
            self._set_rate(e._optimizer.learning_rate / 5.0)
            e._no_improvement_count = 0
        return stops

    def _set_rate(self, rate: float) -> None:
        """Change the learning rate. scikit-learn's velocity is ours times the rate, and must not change."""
        optimizer = self.estimator._optimizer
        state = optimizer.arrays(self.theta).state
        if rate > 0:
            state *= optimizer.learning_rate / rate
        optimizer.learning_rate = rate
