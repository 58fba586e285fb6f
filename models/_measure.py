"""Train one model on several backends, time each, and see whether they agree."""

from __future__ import annotations

import dataclasses
import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from dlkernels import backends
from dlkernels.data import Dataset
from dlkernels.progress import progress

from ._convergence import ConvergenceWarning, all_finite, what_went_wrong
from ._training import Array, Model, Runs
from .logistic_regression import LogisticRegression
from .network import Network
from .shallow_network import ShallowNetwork

#: Seconds that the python backend may train for.
PYTHON_SECONDS = 2.0
#: The number of fits of numpy and of numba whose median is reported. One fit is enough if it takes `LONG_FIT`
#: seconds or longer.
ROUNDS = 3
LONG_FIT = 3.0
#: The examples that a step of the network of any depth sees.
BATCH_SIZE = 32
#: Seconds of pause before each timed fit, because the worker threads of a BLAS spin for a while after a call.
_PAUSE = 0.05

#: The models that can be compared, by the names of the option --model.
CLASSES: dict[str, type[Model]] = {
    "logistic": LogisticRegression,
    "shallow": ShallowNetwork,
    "network": Network,
}
Trained: TypeAlias = LogisticRegression | ShallowNetwork | Network


@dataclasses.dataclass(frozen=True)
class Job:
    """One model to train on one data set, on any backend."""

    model: str
    dataset: Dataset
    iterations: int
    learning_rate: float
    dtype: str = "float64"
    hidden: tuple[int, ...] = (4,)
    seed: int = 3

    @property
    def title(self) -> str:
        units = " and ".join(map(str, self.hidden))
        name = {
            "logistic": "Logistic regression",
            "shallow": f"Network of {units} tanh units",
            "network": f"Network of {units} relu units",
        }[self.model]
        return f"{name} on {self.dataset.name}"

    @property
    def runs(self) -> Runs:
        """The runs in which the model trains."""
        return CLASSES[self.model]._runs

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the table and the JSON name, and that only some models have."""
        if self.model == "network":
            return {"hidden_layers": list(self.hidden), "batch_size": BATCH_SIZE, "seed": self.seed}
        return {"hidden_units": self.hidden[0], "seed": self.seed} if self.model == "shallow" else {}

    def times(self, count: int) -> str:
        """So many iterations or epochs, in words."""
        return f"{count:,} {self.runs.costs.step}{'' if count == 1 else 's'}"

    def build(self, backend: str, iterations: int) -> Trained:
        """Return the model, not yet fitted."""
        common: dict[str, Any] = {
            "learning_rate": self.learning_rate,
            "backend": backend,
            "dtype": self.dtype,
        }
        if self.model == "network":
            return Network(
                self.hidden, num_epochs=iterations, batch_size=BATCH_SIZE, seed=self.seed, **common
            )
        if self.model == "shallow":
            return ShallowNetwork(self.hidden[0], num_iterations=iterations, seed=self.seed, **common)
        return LogisticRegression(num_iterations=iterations, **common)


@dataclasses.dataclass
class Result:
    """The result of training on one backend."""

    backend: str
    iterations: int
    seconds_per_iteration: float
    fits_timed: int
    compile_seconds: float | None
    final_cost: float
    accuracy: float
    model: Trained

    @property
    def curve(self) -> list[tuple[int, float]]:
        """Iterations, and the cost before each, up to the final cost; or epochs, and the cost in each."""
        runs, costs = self.model._runs, self.model.costs_
        curve = [(runs.steps * run, cost) for run, cost in enumerate(costs)]
        return curve if isinstance(self.model, Network) else [*curve, (self.iterations, self.final_cost)]

    @property
    def fault(self) -> str:
        """What went wrong if training diverged, by the rule of `fit`; else an empty text."""
        return what_went_wrong(self.curve, self.model._learned(), self.model._runs.costs)


@dataclasses.dataclass(frozen=True)
class Difference:
    """The largest difference between the parameters of backends after the same number of iterations."""

    backends: tuple[str, ...]
    iterations: int
    value: float | None  #: None where parameters are no longer finite


@dataclasses.dataclass
class Comparison:
    job: Job
    results: dict[str, Result]
    differences: list[Difference]


class _Run:
    """The arrays of a job, converted to its dtype, and the fits that use them."""

    def __init__(self, job: Job) -> None:
        self.job = job
        data = job.dataset
        self.X, self.Y, self.X_test, self.Y_test = (
            np.ascontiguousarray(array, job.dtype)
            for array in (data.X_train, data.Y_train, data.X_test, data.Y_test)
        )

    def fit(
        self, backend: str, iterations: int, callback: Callable[[int, float], Any] | None = None
    ) -> tuple[float, Trained]:
        """Fit a new model; return the seconds that it took, and the model."""
        model = self.job.build(backend, iterations)
        time.sleep(_PAUSE)
        start = time.perf_counter()
        model.fit(self.X, self.Y, callback=callback)
        return time.perf_counter() - start, model

    def shown(self, backend: str, iterations: int) -> tuple[float, Trained]:
        """Fit a new model under a progress bar."""
        with progress(f"{backend}: {self.job.title}", iterations) as advance:
            return self.fit(backend, iterations, lambda done, cost: advance(self.job.runs.steps))

    def first_call(self, backend: str) -> float:
        """Fit one iteration and predict, which compiles all that a backend needs; return the seconds."""
        start = time.perf_counter()
        self.job.build(backend, 1).fit(self.X, self.Y).predict(self.X_test)
        return time.perf_counter() - start

    def result(self, backend: str, seconds: Sequence[float], model: Trained) -> Result:
        return Result(
            backend=backend,
            iterations=model.n_iter_,
            seconds_per_iteration=statistics.median(seconds) / model.n_iter_,
            fits_timed=len(seconds),
            compile_seconds=None,
            final_cost=_cost(model, self.X, self.Y),
            accuracy=model.score(self.X_test, self.Y_test),
            model=model,
        )


def compare(job: Job, names: Sequence[str]) -> Comparison:
    """Train the job's model on each backend, and compare the parameters."""
    run = _Run(job)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # `notes` reports a run that diverges
        compile_seconds = _compile(run) if "numba" in names else None
        results = _time_python(run) if "python" in names else {}
        results |= _time_fast(run, [name for name in names if name != "python"])
        if "numba" in results:
            results["numba"].compile_seconds = compile_seconds
        return Comparison(job, {name: results[name] for name in names}, _differences(run, results))


def _compile(run: _Run) -> float:
    with progress("numba: compiling (10 to 30 s on a first run)", 1) as advance:
        first = run.first_call("numba")
        advance(1)
    return max(first - run.first_call("numba"), 0.0)


def _time_python(run: _Run) -> dict[str, Result]:
    seconds, model = run.shown("python", 1)
    if seconds < PYTHON_SECONDS and run.job.iterations > 1:
        affordable = max(1, int(PYTHON_SECONDS / min(seconds, run.fit("python", 1)[0])))
        if affordable > 10:
            affordable -= affordable % 10
        seconds, model = run.shown("python", min(run.job.iterations, affordable))
    return {"python": run.result("python", [seconds], model)}


def _time_fast(run: _Run, names: Sequence[str]) -> dict[str, Result]:
    """Time the backends in turns, so that a change in the machine's load affects all of them alike."""
    iterations = run.job.iterations
    models: dict[str, Trained] = {}
    seconds: dict[str, list[float]] = {}
    for name in names:
        run.first_call(name)
        first, models[name] = run.shown(name, iterations)
        seconds[name] = [first]
    if names and max(first for (first,) in seconds.values()) < LONG_FIT:
        seconds = {name: [] for name in names}
        with progress("timing", ROUNDS * len(names)) as advance:
            for _ in range(ROUNDS):
                for name in names:
                    seconds[name].append(run.fit(name, iterations)[0])
                    advance(1)
    return {name: run.result(name, seconds[name], models[name]) for name in names}


def _differences(run: _Run, results: dict[str, Result]) -> list[Difference]:
    """Compare, after each number of iterations that a backend ran, all backends that ran as many or more."""
    found = []
    for iterations in sorted({result.iterations for result in results.values()}):
        names = [name for name, result in results.items() if result.iterations >= iterations]
        if len(names) < 2:
            continue
        parameters = []
        for name in names:
            model = results[name].model
            if results[name].iterations != iterations:
                model = run.fit(name, iterations)[1]
            parameters.append(model._learned())
        found.append(Difference(tuple(names), iterations, largest_difference(parameters)))
    return found


def largest_difference(parameters: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the largest difference in one number between sets of parameters, or None with NaN or inf."""
    if not all(all_finite(each) for each in parameters):
        return None
    ranges = (
        np.ptp(np.stack([np.asarray(each[name], np.float64) for each in parameters]), axis=0)
        for name in parameters[0]
    )
    return max(float(np.max(spread)) for spread in ranges)


def _cost(model: Trained, X: Array, Y: Array) -> float:
    """Return the cost that a model ends with.

    That of gradient descent on all examples is the cost of the last parameters; `costs_` ends with the one
    from before the last run of steps. That of a network is the mean cost in the last epoch.
    """
    if isinstance(model, Network):
        return model.costs_[-1]
    module = backends.get(model.backend)
    propagate = (
        module.logistic_propagate if isinstance(model, LogisticRegression) else module.shallow_propagate
    )
    return float(propagate(*model.parameters_.values(), X, Y)[-1])
