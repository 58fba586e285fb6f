"""Mini-batches against the whole batch: the cost over epochs, and what an epoch costs."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

import dlkernels as dk
from dlkernels import backends, data, optimizers
from dlkernels.reporting import duration

from .._convergence import warn_if_diverged
from . import _moons, _networks
from ._experiment import TRAINING, Check, Experiment, Formula, Listing, Result, Table, Timings
from ._numbers import as_published, number, percent, same_numbers
from ._timing import in_turns, verdict

RATE, BATCH, EPOCHS, SEED, UNITS = 0.1, 32, 30, 1, 4
#: The cost that the table says when it is reached.
GOAL = 0.2
#: The mean costs of epochs 0, 1000, ..., 4000 that the course publishes, and the accuracy in the end.
PUBLISHED_COSTS, PUBLISHED_ACCURACY = (0.702405, 0.668101, 0.635288, 0.600491, 0.573367), 0.7166666666666667


class Job:
    """The network, its examples and the orders in which epochs take them."""

    def __init__(self, alpha: float, epochs: int, seed: int) -> None:
        self.data = data.breast_cancer()
        self.X, self.Y = self.data.X_train, self.data.Y_train
        self.m = self.X.shape[1]
        self.alpha = alpha
        self.sizes = (self.X.shape[0], UNITS, 1)
        self.start = dk.network_parameters(self.sizes, seed=seed, scheme="he_normal")
        random = np.random.default_rng(seed)
        self.orders = [random.permutation(self.m) for _ in range(epochs)]

    def epoch(self, backend: ModuleType, theta: Any, size: int, order: Any) -> float:
        """Change theta by an epoch; return its mean cost."""
        descent = optimizers.SGD(self.alpha)
        cost: float = backend.train_epoch(
            theta, self.sizes, descent, self.X, self.Y, batch_size=size, order=order
        )
        return cost

    def by_notes(self, size: int) -> Any:
        """Return theta after the first epoch, by the notes' own code."""
        theta = self.start.copy()
        layers = dk.network_views(theta, self.sizes)
        _networks.epoch(layers, self.X, self.Y, self.orders[0], size, self.alpha)
        return theta

    def on_backend(self, name: str, size: int) -> Any:
        """Return theta after the first epoch, by a backend."""
        theta = self.start.copy()
        self.epoch(backends.get(name), theta, size, self.orders[0])
        return theta

    def ways(self, size: int) -> dict[str, Any]:
        return {
            "python backend": partial(self.on_backend, "python", size),
            "vectorised (NumPy)": partial(self.by_notes, size),
            "numpy backend": partial(self.on_backend, "numpy", size),
            "compiled (Numba)": partial(self.on_backend, "numba", size),
        }

    def cost(self, theta: Any) -> float:
        """Return J of all examples."""
        propagate: Any = dk.network_propagate
        return float(propagate(theta, self.sizes, self.X, self.Y)[-1])

    def first_steps(self, size: int) -> list[float]:
        """Return the costs of the first batches, each before its update, as many as there are epochs."""
        theta = self.start.copy()
        batches = (order[k : k + size] for order in self.orders for k in range(0, self.m, size))
        return [self.epoch(dk, theta, size, batch) for batch in itertools.islice(batches, len(self.orders))]

    def train(self, size: int) -> dict[str, Any]:
        """Train; return J of all examples before and after each epoch, and what else the tables show."""
        theta = self.start.copy()
        costs = [self.cost(theta)]
        for order in self.orders:
            self.epoch(dk, theta, size, order)
            costs.append(self.cost(theta))
        warn_if_diverged("train", list(enumerate(costs)), {"theta": theta}, self.alpha)
        A: Any = dk.network_forward(theta, self.sizes, self.data.X_test)
        return {
            "costs": costs,
            "steps": self.first_steps(size),
            "updates": -(-self.m // size),
            "reached": next((epoch for epoch, cost in enumerate(costs) if cost < GOAL), None),
            "accuracy": float(np.mean((A > 0.5) == self.data.Y_test)),
        }


def _measured(alpha: float, batch: int, epochs: int, seed: int) -> dict[str, Any]:
    job = Job(alpha, epochs, seed)
    sizes = {"whole batch": job.m, f"batches of {batch}": batch, "one example": 1}
    ways = {name: job.ways(size) for name, size in sizes.items()}
    return {
        "m": job.m,
        "epochs": epochs,
        "alpha": alpha,
        "runs": {name: job.train(size) for name, size in sizes.items()},
        "first": {name: {way: call() for way, call in each.items()} for name, each in ways.items()},
        "timings": {
            name: in_turns(
                f"An epoch, {name}, {_times(-(-job.m // size))}",
                {way: call for way, call in ways[name].items() if way != "numpy backend"},
            )
            for name, size in sizes.items()
        },
        "moons": _moons.train(optimizers.SGD(_moons.ALPHA)),
    }


def _times(updates: int) -> str:
    return "1 update" if updates == 1 else f"{updates:,} updates"


def _rises(steps: list[float]) -> str:
    return f"{int(np.sum(np.diff(steps) > 0)):,} of {len(steps) - 1:,}"


def _needed(found: Mapping[str, Any], name: str) -> str:
    """Say how long the compiled epochs take until J is below the goal."""
    reached = found["runs"][name]["reached"]
    return "-" if reached is None else duration(reached * _epoch_seconds(found["timings"][name]))


def _epoch_seconds(timings: Timings) -> float:
    return timings.seconds["compiled (Numba)"]


def _tables(found: Mapping[str, Any]) -> tuple[Table | Listing, ...]:
    runs, epochs = found["runs"], found["epochs"]
    return (
        Listing("An epoch in NumPy", inspect.getsource(_networks.epoch).rstrip()),
        Table(
            f"J of breast cancer, {found['m']} examples, {UNITS} ReLU units, α = {found['alpha']:g}",
            ("", "updates an epoch", "J after 1 epoch", f"after {epochs:,}", "held out"),
            tuple(
                (
                    name,
                    f"{run['updates']:,}",
                    *(number(run["costs"][epoch], 4) for epoch in (1, -1)),
                    percent(run["accuracy"]),
                )
                for name, run in runs.items()
            ),
        ),
        Table(
            f"How steadily, how soon and how long until J < {GOAL:g}",
            ("", "cost of a batch rose", "epochs needed", "time, compiled"),
            tuple(
                (
                    name,
                    _rises(run["steps"]),
                    "-" if run["reached"] is None else f"{run['reached']:,}",
                    _needed(found, name),
                )
                for name, run in runs.items()
            ),
        ),
        Table(
            f"The second course's exercise: two moons, batches of {_moons.BATCH}, α = {_moons.ALPHA:g}",
            ("epoch", "cost", "the exercise's"),
            tuple(
                (f"{_moons.EVERY * i:,}", f"{cost:.6f}", f"{published:.6f}")
                for i, (cost, published) in enumerate(zip(found["moons"][0], PUBLISHED_COSTS, strict=True))
            ),
        ),
    )


def _checks(found: Mapping[str, Any]) -> tuple[Check, ...]:
    whole, mini, single = found["runs"].values()
    costs, accuracy = found["moons"]
    return (
        *(
            same_numbers(
                f"An epoch, {name}, gives the same parameters in {len(ends)} ways", list(ends.values()), 1e-12
            )
            for name, ends in found["first"].items()
        ),
        Check(
            "With the whole batch J falls at every step, with batches the cost of a batch goes up and down",
            bool(np.all(np.diff(whole["steps"]) < 0) and np.any(np.diff(mini["steps"]) > 0)),
            f"rises {_rises(whole['steps'])} and {_rises(mini['steps'])}",
        ),
        Check(
            "An epoch of more updates gets further",
            whole["costs"][1] > mini["costs"][1] > single["costs"][1],
            f"J after one epoch {', '.join(number(each['costs'][1], 4) for each in (whole, mini, single))}",
        ),
        as_published("The costs are those of the course's exercise", costs, PUBLISHED_COSTS, 6),
        as_published("So is the accuracy after 5,000 epochs", accuracy, PUBLISHED_ACCURACY, 6),
    )


def run(alpha: float = RATE, batch: int = BATCH, epochs: int = EPOCHS, seed: int = SEED) -> Result:
    found = _measured(alpha, batch, epochs, seed)
    timings = found["timings"]
    whole, mini, single = timings.values()
    slower = single.seconds["vectorised (NumPy)"] / whole.seconds["vectorised (NumPy)"]
    compiled = _epoch_seconds(single) / _epoch_seconds(whole)
    runs = found["runs"]
    return Result(
        sections=(*_tables(found), *timings.values()),
        checks=_checks(found),
        lessons=(
            f"The whole batch makes one update of all it reads. Single examples make {found['m']} updates, "
            f"and lose what vectorising gained: in NumPy such an epoch takes {slower:.3g} times as long, "
            f"compiled {compiled:.3g} times. Mini-batches lie between.",
            "Every epoch goes through the examples in a new order, and the last batch may be smaller.",
            f"With batches of {batch}, {verdict(mini)}.",
        ),
        alternative=(
            "Two panels with the cost J for three sizes of batch, above over epochs, below over the time "
            f"that the compiled epochs take. After {found['epochs']:,} epochs J is "
            + ", ".join(f"{number(each['costs'][-1], 3)} ({name})" for name, each in runs.items())
            + "."
        ),
        values=found,
    )


def plot(result: Result) -> Any:
    from ._pictures import BLUE, GREY, ORANGE, figure, lines, time_axis

    drawn, (above, below) = figure(5.6, rows=2)
    styles: tuple[dict[str, Any], ...] = (
        {"color": GREY, "linestyle": (0, (5, 3))},
        {"color": BLUE},
        {"color": ORANGE, "linestyle": (0, (1, 1))},
    )
    for (name, each), style in zip(result.values["runs"].items(), styles, strict=True):
        costs, epochs = each["costs"], np.arange(len(each["costs"]))
        above.plot(epochs, costs, label=name, linewidth=2, **style)
        seconds = _epoch_seconds(result.values["timings"][name])
        below.plot(seconds * epochs[1:], costs[1:], linewidth=2, **style)
    above.set(yscale="log", xlabel="epoch", ylabel="J, logarithmic scale", title="J over epochs")
    below.set(yscale="log", xscale="log", xlabel="time of the compiled epochs, logarithmic scale")
    below.set(ylabel="J, logarithmic scale", title="The same, over the time that they take")
    time_axis(below.xaxis)
    for panel in (above, below):
        lines(panel)
    drawn.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return drawn


EXPERIMENT = Experiment(
    name="batches",
    title="Mini-batches against the whole batch",
    question="Why update before all examples have been seen, and what does it cost?",
    part=TRAINING,
    formulas=(
        Formula(
            r"X = (X_1, X_2, X_3, \dots), \quad X_t \text{ of shape } (n_x, s)",
            "X = (X₁, X₂, X₃, ...): batches of s examples, Xₜ of shape (n_x, s)",
        ),
        Formula(
            r"J_t = \frac{1}{s} \sum_{i=1}^{s} L(a^{(i)}, y^{(i)})",
            "Jₜ = 1/s Σᵢ L(a⁽ⁱ⁾, y⁽ⁱ⁾), over the examples of batch t",
        ),
        Formula(
            r"\theta \coloneqq \theta - \alpha \, \frac{dJ_t}{d\theta} \quad \text{for } t = 1, 2, 3, \dots",
            "for each batch t: θ := θ - α dJₜ/dθ",
        ),
    ),
    run=run,
    plot=plot,
)
