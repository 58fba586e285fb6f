"""How good predictions are, and how that is written."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import mean_absolute_error, r2_score

from dlkernels._data.columns import Array


def score(y: Array, predicted: Array, classes: bool) -> dict[str, float]:
    """The scores of predictions by name."""
    if classes:
        return {"accuracy": float(np.mean(y == predicted))}
    return {
        "R²": float(r2_score(y, predicted)),
        "mean absolute error": float(mean_absolute_error(y, predicted)),
    }


def written(name: str, value: float) -> str:
    """A score as it is shown."""
    if name == "accuracy":
        return percent(value)
    return f"{value:.3f}" if name == "R²" and abs(value) < 1000 else _figure(value)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _figure(number: float) -> str:
    """A number of unknown size, with four digits."""
    return f"{number:,.0f}" if 1e4 <= abs(number) < 1e9 else f"{number:.4g}"


def in_words(scores: dict[str, float]) -> str:
    return ", ".join(f"{name} {written(name, value)}" for name, value in scores.items())
