"""The base class of all models: their settings, and the loop that trains them."""

from __future__ import annotations

import contextlib
import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dlkernels import backends
from dlkernels.faults import foreign
from dlkernels.progress import progress as progress_bar
from dlkernels.validation import count, finite

from ._convergence import Costs, warn_if_diverged

Array: TypeAlias = NDArray[Any]
Callback: TypeAlias = Callable[[int, float], Any]
#: The attributes that a fit sets, by name, as they are after a whole run of steps.
State: TypeAlias = dict[str, Any]


class Runs(NamedTuple):
    """How a model trains: in runs of steps. One cost is recorded for each run."""

    #: The setting that says how many steps `fit` takes in all.
    length: str
    #: How many steps a run has; the last run may be shorter.
    steps: int
    #: What the costs are.
    costs: Costs


class Model(ABC):
    """A model that learns from examples as columns, in runs of steps.

    A subclass says which runs these are, what a run does, and which of its attributes are learned.
    """

    _runs: ClassVar[Runs]

    learning_rate: Any
    backend: str
    dtype: Any

    costs_: list[float]
    n_iter_: int

    def _check_settings(self) -> None:
        name = type(self).__name__
        if finite(name, "learning_rate", self.learning_rate) <= 0:
            raise ValueError(f"{name}: learning_rate must be positive, not {self.learning_rate}")
        count(name, self._runs.length, getattr(self, self._runs.length), minimum=0)
        if self.dtype is not None and not _is_supported(self.dtype):
            raise ValueError(f"{name}: dtype must be float32, float64 or None, not {self.dtype!r}")
        if not isinstance(self.backend, str):
            raise TypeError(f"{name}: backend must be a string, not {type(self.backend).__name__}")
        if self.backend not in backends.NAMES:
            names = ", ".join(backends.NAMES)
            raise ValueError(f"{name}: backend must be one of {names}, not {self.backend!r}")

    @abstractmethod
    def _learned(self) -> Mapping[str, Any]:
        """Return the parameters by name, as arrays or numbers."""

    def _rate(self) -> Any:
        """Return the learning rate of the last fit."""
        return self.learning_rate

    def _scaled(self) -> str:
        """Say what should be scaled, so that training doesn't diverge."""
        return "the features"

    @abstractmethod
    def predict_proba(self, X: Any) -> Array:
        """Return what the model computes for each example."""

    @abstractmethod
    def predict(self, X: Any) -> Array:
        """Return the label or the number that the model predicts for each example."""

    @abstractmethod
    def score(self, X: Any, Y: Any) -> float:
        """Return how good the predictions are; 1 is the best."""

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self._settings() if hasattr(self, name))
        return f"{type(self).__name__}({', '.join(shown)})"

    def _settings(self) -> list[str]:
        """The names of the settings; of a class whose `__init__` passes `**others` on, its parents' too."""
        names: list[str] = []
        for each in type(self).__mro__:
            if "__init__" in vars(each):
                own = list(inspect.signature(each).parameters.values())
                names += [a.name for a in own if a.kind not in (a.VAR_POSITIONAL, a.VAR_KEYWORD)]
                if not any(a.kind == a.VAR_KEYWORD for a in own):
                    break
        return list(dict.fromkeys(names))

    def _train(
        self,
        state: State,
        run: Callable[[State, int], float],
        *,
        progress: bool,
        callback: Callback | None,
    ) -> Self:
        """Take runs of steps from this state on, and hold the state after each.

        `run` updates a state in place by so many steps, and returns the cost that belongs to the first.
        """
        name, total = f"{type(self).__name__}.fit", getattr(self, self._runs.length)
        costs: list[float] = []
        seen: list[tuple[int, float]] = []
        done = 0
        with (
            progress_bar(f"{name} ({self.backend})", total, enabled=progress) as advance,
            self._whole_runs(costs),
        ):
            while done < total:
                steps = min(self._runs.steps, total - done)
                # The very last step is taken by itself: a call returns the cost before its first step.
                alone = int(steps > 1 and done + steps == total)
                # A copy: if this run is interrupted, the model holds the state before it.
                state = copy.deepcopy(state)
                seen.append((done, run(state, steps - alone)))
                if alone:
                    seen.append((done + steps - 1, run(state, 1)))
                costs.append(seen[-1 - alone][1])
                done += steps
                self._hold(state, costs, done)
                stop = callback is not None and _truth(name, callback(done - steps, costs[-1]))
                advance(steps)
                if stop:
                    break
        self._hold(state, costs, done)
        warn_if_diverged(name, seen, self._learned(), self._rate(), self._runs.costs, self._scaled())
        return self

    @contextlib.contextmanager
    def _whole_runs(self, costs: list[float]) -> Iterator[None]:
        """Take away the cost of a run that the model doesn't hold, if the block ends after it was added."""
        try:
            yield
        finally:
            if vars(self).get("costs_") is costs:
                del costs[-(-self.n_iter_ // self._runs.steps) :]

    def _hold(self, state: State, costs: list[float], steps: int) -> None:
        # In one go, so that Ctrl-C can't leave a part of an older fit.
        vars(self).update(state, costs_=costs, n_iter_=steps)


def _truth(function: str, result: Any) -> bool:
    """Whether a callback's result is true. Arrays of several numbers, of any library, refuse to say it."""
    try:
        return bool(result)
    except (RuntimeError, TypeError, ValueError) as error:
        if foreign(error):
            raise
        raise TypeError(
            f"{function}: callback must return a truth value, not {type(result).__name__}: {error}"
        ) from None


def _is_supported(dtype: Any) -> bool:
    try:
        return np.dtype(dtype) in (np.dtype(np.float32), np.dtype(np.float64))
    except TypeError:
        return False
