"""dlkernels itself, on any of its backends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import models
from asv_benchmarks.works import LEARNING_RATE, LOGISTIC_FITS, NETWORKS, SHALLOW_FITS, saved_name
from dlkernels import backends, optimizers
from dlkernels.catalogue import COSTS

_PARAMETERS = ("W1", "b1", "W2", "b2")


def _arguments(work: Any, g: dict[str, Any]) -> tuple[Any, ...]:
    """Return the arguments of the public function that the work names."""
    dense = {
        "dense_forward": ("W", "X", "b"),
        "dense_gradients": ("dZ", "X"),
        "dense_backward": ("W_next", "dZ_next", "saved", "X"),
    }
    if work.operation in dense:
        activation = () if work.operation == "dense_gradients" else (work.activation,)
        return (*(g[name] for name in dense[work.operation]), *activation)
    names = {
        "dot": ("a", "b"),
        **{name: (cost.predicted, "Y") for name, cost in COSTS.items()},
        "logistic_propagate": ("w", "b", "X", "Y"),
        "shallow_propagate": (*_PARAMETERS, "X", "Y"),
    }
    return tuple(g[name] for name in names.get(work.operation, ("Z",)))


def _descent(work: Any, g: dict[str, Any], functions: Any) -> Callable[[], Any]:
    def gradient_descent() -> Any:
        functions.gradient_descent(g["parameters"], g["gradients"], LEARNING_RATE)
        return g["parameters"]

    def logistic_descent() -> Any:
        w = g["w"].copy()
        return w, functions.logistic_descent(w, g["b"], g["X"], g["Y"], LEARNING_RATE, work.steps)[0]

    def shallow_descent() -> Any:
        updated = [g[name].copy() for name in _PARAMETERS]
        functions.shallow_descent(*updated, g["X"], g["Y"], LEARNING_RATE, work.steps)
        return updated

    chosen: Callable[[], Any] = locals()[work.operation]
    return chosen


def _fit_network(work: Any, g: dict[str, Any], backend: str) -> Callable[[], Any]:
    model = models.Network(
        work.sizes[1:-1], output=work.output, optimizer=optimizers.Adam(g["learning_rate"], eps=g["epsilon"]),
        batch_size=work.batch, num_epochs=work.steps, backend=backend, seed=1,
    )  # fmt: skip
    return lambda: model.fit(g["X"], g["Y"], parameters=g["theta"]).parameters_


def _fit(work: Any, g: dict[str, Any], backend: str) -> Callable[[], Any]:
    if work.operation == "Network":
        return _fit_network(work, g, backend)
    settings = {"learning_rate": LEARNING_RATE, "num_iterations": work.steps, "backend": backend}
    if work.operation == "ShallowNetwork":
        settings["hidden_units"] = work.shape[1]
    model = getattr(models, work.operation)(**settings)
    start = {name: g[name] for name in (_PARAMETERS if "W1" in g else ("w", "b"))}
    return lambda: list(model.fit(g["X"], g["Y"], parameters=start).parameters_.values())


def _network(work: Any, g: dict[str, Any], functions: Any) -> Callable[[], Any]:
    X, Y, sizes, function = g["X"], g["Y"], work.sizes, getattr(functions, work.operation)
    if work.operation == "network_forward":
        return partial(function, g["theta"], sizes, X, "relu", work.output)
    if work.operation == "network_propagate":
        return partial(function, g["theta"], sizes, X, Y, "relu", work.output)
    theta, random = g["theta"].copy(), g["random"]
    optimizer = optimizers.Adam(g["learning_rate"], eps=g["epsilon"])

    def train_epoch() -> Any:
        order = random.permutation(X.shape[1])
        return function(
            theta, sizes, optimizer, X, Y, "relu", work.output, batch_size=work.batch, order=order
        )

    return train_epoch


def build(work: Any, given: dict[str, Any], backend: str = "numba") -> list[Callable[[], Any]]:
    functions, name = backends.get(backend), work.operation
    if name in models.__all__:
        return [_fit(work, given, backend)]
    if name in ("gradient_descent", *LOGISTIC_FITS, *SHALLOW_FITS):
        return [_descent(work, given, functions)]
    if name in NETWORKS:
        return [_network(work, given, functions)]
    if len(work.shape) > 1 or name in (*COSTS, "dot"):
        return [partial(getattr(functions, name), *_arguments(work, given))]
    call = partial(getattr(functions, name), out=given["out"])
    if not name.endswith("_backward"):
        return [partial(call, given["Z"])]
    return [partial(call, given["dA"], **{saved_name(name): given["saved"]})]
