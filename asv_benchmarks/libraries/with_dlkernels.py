"""dlkernels itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import dlkernels as dk
from asv_benchmarks.works import LEARNING_RATE


def build(work: Any, given: dict[str, Any]) -> list[Callable[[], Any]]:
    name, g = work.operation, given
    if work.group in ("elementwise", "calls"):
        function = getattr(dk, name)
        if name.endswith("_backward"):
            return [partial(function, g["dA"], g["saved"], out=g["out"])]
        return [partial(function, g["Z"], out=g["out"])]
    if name == "dense_forward":
        return [partial(dk.dense_forward, g["W"], g["X"], g["b"], work.activation)]
    if name == "dense_gradients":
        return [partial(dk.dense_gradients, g["dZ"], g["X"])]
    if name == "dense_backward":
        return [partial(dk.dense_backward, g["W_next"], g["dZ_next"], g["saved"], g["X"], work.activation)]
    if name == "logistic":
        return [partial(dk.logistic_propagate, g["w"], g["b"], g["X"], g["Y"])]
    parameters = [g[key] for key in ("W1", "b1", "W2", "b2")]
    if name == "shallow":
        return [partial(dk.shallow_propagate, *parameters, g["X"], g["Y"])]

    def fit() -> Any:
        updated = [p.copy() for p in parameters]
        return dk.shallow_descent(*updated, g["X"], g["Y"], LEARNING_RATE, work.steps)

    return [fit]
