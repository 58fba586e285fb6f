"""Whether a fit went wrong: gradient descent that walks away from the minimum says so."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dlkernels.validation import real


class Costs(NamedTuple):
    """What the costs of a training are: those before each "iteration", or those in each "epoch"."""

    #: What is counted.
    step: str
    #: Where the cost is from: "before" a step or "in" one.
    where: str
    #: A cost counts as risen if it ends more than this share above where it began. Rounding stays far below,
    #: also where training goes on from parameters that are at the minimum already.
    rise: float


#: The costs of gradient descent on all examples at once.
STEPS = Costs("iteration", "before", 1e-3)


class ConvergenceWarning(UserWarning):
    """Says that a fit ended with a higher cost than it began with, or with NaN or infinity.

    The model holds the parameters as they are then. The `fit` of each model has the exact rule.

    Examples
    --------
    >>> import warnings
    >>> from dlkernels.models import ConvergenceWarning, LogisticRegression
    >>> heights, labels = [[150.0, 160.0, 170.0, 180.0]], [[0, 1, 0, 1]]
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always", ConvergenceWarning)
    ...     model = LogisticRegression(learning_rate=0.1).fit(heights, labels)
    >>> caught[0].category.__name__
    'ConvergenceWarning'
    """


def all_finite(parameters: Mapping[str, Any]) -> bool:
    return all(bool(np.isfinite(value).all()) for value in parameters.values())


def warn_if_diverged(
    function: str,
    seen: Sequence[tuple[int, float]],
    parameters: Mapping[str, Any],
    learning_rate: Any,
    costs: Costs = STEPS,
    scaled: str = "the features",
) -> None:
    """Warn once, at the line that called `fit`, if training diverged by the rule of `what_went_wrong`.

    `scaled` says what should be scaled.
    """
    what = what_went_wrong(seen, parameters, costs)
    if what:
        warnings.warn(
            f"{function} diverged: {what}. Scale {scaled} (dlkernels.data.Standardizer), or take a "
            f"learning_rate below {real(function, 'learning_rate', learning_rate):g}",
            ConvergenceWarning,
            stacklevel=4,
        )


def what_went_wrong(
    seen: Sequence[tuple[int, float]], parameters: Mapping[str, Any], costs: Costs = STEPS
) -> str:
    """Say in what way training diverged, or return an empty text if it didn't.

    `seen` holds steps, and the cost of each; `parameters` are those after the last step.
    """
    for step, cost in seen:
        if not math.isfinite(cost):
            return f"the cost was {cost} {costs.where} {costs.step} {step:,}"
    if not all_finite(parameters):
        return "the parameters hold NaN or infinity after the last step"
    if seen:
        limit = seen[0][1] * (1 + costs.rise)
        last, cost = seen[-1]
        if cost > limit:
            risen = next(step for step, cost in seen if cost > limit)
            return (
                f"the cost rose above {seen[0][1]:.6g}, where it began, by {costs.step} {risen:,}, and was "
                f"{cost:.6g} {costs.where} {costs.step} {last:,}"
            )
    return ""
