"""Train one model on several backends, time each, and see whether they agree."""

from __future__ import annotations

import dataclasses
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlkernels import backends
from dlkernels.data import Dataset
from dlkernels.progress import progress

from ._convergence import ConvergenceWarning, all_finite, what_went_wrong
from ._training import Array, Model
from .logistic_regression import LogisticRegression
from .shallow_network import ShallowNetwork

#: Seconds that the python backend may train for.
PYTHON_SECONDS = 2.0
#: The number of fits of numpy and of numba whose median is reported. One fit is enough if it takes `LONG_FIT`
#: seconds or longer.
ROUNDS = 3
LONG_FIT = 3.0
#: Seconds of pause before each timed fit, because the worker threads of a BLAS spin for a while after a call.
_PAUSE = 0.05


@dataclasses.dataclass(frozen=True)
class Job:
    """One model to train on one data set, on any backend."""

    model: str
    dataset: Dataset
    iterations: int
    learning_rate: float
    dtype: str = "float64"
    hidden_units: int = 4
    seed: int = 3

    @property
    def title(self) -> str:
        name = (
            "Logistic regression"
            if self.model == "logistic"
            else f"Network of {self.hidden_units} tanh units"
        )
        return f"{name} on {self.dataset.name}"

    @property
    def run_length(self) -> int:
        """How many steps a run of the model's training has."""
        return self.build("numpy", 1)._runs.steps

    def build(self, backend: str, iterations: int) -> Model:
        """Return the model, not yet fitted."""
        common: dict[str, Any] = {
            "learning_rate": self.learning_rate,
            "num_iterations": iterations,
            "backend": backend,
            "dtype": self.dtype,
        }
        if self.model == "logistic":
            return LogisticRegression(**common)
        return ShallowNetwork(self.hidden_units, seed=self.seed, **common)


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
    model: Model

    @property
    def fault(self) -> str:
        """What went wrong if training diverged, by the rule of `fit`; else an empty text."""
        runs = self.model._runs
        seen = [(runs.steps * run, cost) for run, cost in enumerate(self.model.costs_)]
        seen.append((self.iterations, self.final_cost))
        return what_went_wrong(seen, self.model._learned(), runs.costs)


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
    ) -> tuple[float, Model]:
        """Fit a new model; return the seconds that it took, and the model."""
        model = self.job.build(backend, iterations)
        time.sleep(_PAUSE)
        start = time.perf_counter()
        model.fit(self.X, self.Y, callback=callback)
        return time.perf_counter() - start, model

    def shown(self, backend: str, iterations: int) -> tuple[float, Model]:
        """Fit a new model under a progress bar."""
        with progress(f"{backend}: {self.job.title}", iterations) as advance:
            return self.fit(backend, iterations, lambda done, cost: advance(self.job.run_length))

    def first_call(self, backend: str) -> float:
        """Fit one iteration and predict, which compiles all that a backend needs; return the seconds."""
        start = time.perf_counter()
        self.job.build(backend, 1).fit(self.X, self.Y).predict(self.X_test)
        return time.perf_counter() - start

    def result(self, backend: str, seconds: Sequence[float], model: Model) -> Result:
        return Result(
            backend=backend,
            iterations=model.n_iter_,
            seconds_per_iteration=statistics.median(seconds) / model.n_iter_,
            fits_timed=len(seconds),
            compile_seconds=None,
            final_cost=_cost(backend, model.parameters_, self.X, self.Y),
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
    one = min(run.fit("python", 1)[0] for _ in range(2))
    affordable = max(1, int(PYTHON_SECONDS / one))
    if affordable > 10:
        affordable -= affordable % 10
    seconds, model = run.shown("python", min(run.job.iterations, affordable))
    return {"python": run.result("python", [seconds], model)}


def _time_fast(run: _Run, names: Sequence[str]) -> dict[str, Result]:
    """Time the backends in turns, so that a change in the machine's load affects all of them alike."""
    iterations = run.job.iterations
    models: dict[str, Model] = {}
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
            parameters.append(model.parameters_)
        found.append(Difference(tuple(names), iterations, largest_difference(parameters)))
    return found


def largest_difference(parameters: Sequence[dict[str, Any]]) -> float | None:
    """Return the largest difference in one number between sets of parameters, or None with NaN or inf."""
    if not all(all_finite(each) for each in parameters):
        return None
    ranges = (
        np.ptp(np.stack([np.asarray(each[name], np.float64) for each in parameters]), axis=0)
        for name in parameters[0]
    )
    return max(float(np.max(spread)) for spread in ranges)


def _cost(backend: str, parameters: dict[str, Any], X: Array, Y: Array) -> float:
    """Return the cost of the final parameters; the last of `costs_` is from before the last run of steps."""
    module = backends.get(backend)
    propagate = module.logistic_propagate if "w" in parameters else module.shallow_propagate
    return float(propagate(*parameters.values(), X, Y)[-1])
