"""Momentum and Adam beside gradient descent, on one surface that is steep one way and flat the other."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlkernels import backends, optimizers

from .._convergence import warn_if_diverged
from . import _moons, _updates
from ._experiment import TRAINING, Check, Experiment, Formula, Listing, Result, Table
from ._numbers import as_published, number, percent, same_numbers
from ._timing import in_turns, verdict

RATE, STEPS = 0.018, 100
#: How many times the α of gradient descent momentum has, whose steps hold 1 - β of the gradient; Adam's α.
FACTOR, ADAM_RATE = 3, 0.3
#: The (w, b) where all begin. The surface is that of J(w, b) for y = w x + b; x has mean 0 and this spread.
START, SPREAD, EXAMPLES = (0.9, -8.0), 10.0, 40
NAMES = ("gradient descent", "momentum", "Adam")
#: Parameters of the update that is timed.
P = 10_000
#: The first parameters of the second course's exercise after one update, with α = 0.01; Adam's is its second.
PUBLISHED = {
    "gradient descent": (1.63535156, -0.62320365, -0.53718766, -1.07799357, 0.85639907, -2.29470142),
    "momentum": (1.62544598, -0.61290114, -0.52907334, -1.07347112, 0.86450677, -2.30085497),
    "Adam": (1.63178673, -0.61919778, -0.53561312, -1.08040999, 0.85796626, -2.29409733),
}
#: The mean costs of epochs 0, 1000, ..., 4000 on the two moons that the course publishes.
PUBLISHED_COSTS = {
    "momentum": (0.702413, 0.668167, 0.635388, 0.600591, 0.573444),
    "Adam": (0.702166, 0.167845, 0.141316, 0.138788, 0.136066),
}


def examples() -> tuple[Any, Any]:
    """Return x with the spread, and y that is nearly 0.2 x + 3."""
    random = np.random.default_rng(1)
    x = random.normal(size=(1, EXAMPLES))
    x = SPREAD * (x - x.mean()) / x.std()
    return x, 0.2 * x + 3 + random.normal(size=x.shape)


def optimizer(name: str, alpha: float) -> Any:
    """Return dlkernels' optimizer. Its momentum is PyTorch's, whose steps hold the whole gradient.

    Hence the factor 1 - β in the learning rate of the course's form.
    """
    if name == "Adam":
        return optimizers.Adam(alpha)
    if name == "momentum":
        return optimizers.SGD((1 - _updates.BETA) * alpha, momentum=_updates.BETA)
    return optimizers.SGD(alpha)


def path(backend: str, name: str, alpha: float, steps: int) -> Any:
    """Return the (w, b) of all steps, (steps + 1, 2): w and b are the parameters of one linear unit."""
    X, Y = examples()
    theta, rule, places = np.array(START), optimizer(name, alpha), [START]
    for _ in range(steps):
        gradient, _ = backends.get(backend).network_propagate(theta, (1, 1), X, Y, output="identity")
        rule.step(theta, gradient)
        places.append(tuple(theta))
    return np.array(places)


def path_by_notes(name: str, alpha: float, steps: int) -> Any:
    """Return the same, with the formulas of the notes."""
    X, Y = examples()
    theta, v, s = np.array(START), np.zeros(2), np.zeros(2)
    places = [theta]
    for t in range(1, steps + 1):
        dZ = theta[0] * X + theta[1] - Y
        gradient = np.array([np.mean(dZ * X), np.mean(dZ)])
        if name == "Adam":
            theta, v, s = _updates.adam(theta, gradient, v, s, t, alpha)
        elif name == "momentum":
            theta, v = _updates.momentum(theta, gradient, v, alpha)
        else:
            theta = theta - alpha * gradient
        places.append(theta)
    return np.array(places)


def above_minimum(places: Any) -> tuple[Any, Any]:
    """Return J less its minimum, and where the minimum is.

    The surface is (100 (w - w₀)² + (b - b₀)²) / 2, because the mean of x is 0 and that of x² is 100.
    """
    X, Y = examples()
    least = np.array([np.mean(X * Y) / np.mean(X * X), np.mean(Y)])
    away = np.asarray(places) - least
    return (SPREAD**2 * away[..., 0] ** 2 + away[..., 1] ** 2) / 2, least


def exercise(name: str) -> Any:
    """Update the 20 parameters of the second course's exercise once; return W1."""
    random = np.random.RandomState(1)
    theta, gradient = random.randn(20), random.randn(20)
    rule = optimizer(name, 0.01)
    if name == "Adam":
        rule.state = {"step": np.array([1]), "exp_avg": np.zeros(20), "exp_avg_sq": np.zeros(20)}
    rule.step(theta, gradient)
    return theta[:6]


class Ways:
    """The update of many parameters by Adam, three ways. Each way goes on where its last call ended."""

    def __init__(self) -> None:
        random = np.random.default_rng(4)
        self.theta, self.gradient = random.normal(size=P), random.normal(size=P)
        self.lists: Any = (self.theta.tolist(), self.gradient.tolist(), [0.0] * P, [0.0] * P)
        self.arrays: Any = (self.theta.copy(), np.zeros(P), np.zeros(P))
        self.compiled, self.rule = self.theta.copy(), optimizers.Adam(1e-3)
        self.t = {"loop": 0, "NumPy": 0}

    def loop(self) -> Any:
        self.t["loop"] += 1
        theta, gradient, v, s = self.lists
        _updates.adam_by_loop(theta, gradient, v, s, self.t["loop"], 1e-3)
        return theta

    def vectorised(self) -> Any:
        self.t["NumPy"] += 1
        theta, v, s = self.arrays
        self.arrays = _updates.adam(theta, self.gradient, v, s, self.t["NumPy"], 1e-3)
        return self.arrays[0]

    def numba(self) -> Any:
        self.rule.step(self.compiled, self.gradient)
        return self.compiled


def _measured(alpha: float, iterations: int) -> dict[str, Any]:
    rates = {"gradient descent": alpha, "momentum": FACTOR * alpha, "Adam": ADAM_RATE}
    paths = {name: path("numba", name, rate, iterations) for name, rate in rates.items()}
    for name, places in paths.items():
        costs = above_minimum(places)[0].tolist()
        warn_if_diverged("path", list(enumerate(costs)), {"theta": places}, rates[name])
    ways = Ways()
    calls = {"loop": ways.loop, "vectorised (NumPy)": ways.vectorised, "compiled (Numba)": ways.numba}
    rules = {name: optimizer(name, _moons.ALPHA) for name in PUBLISHED_COSTS}
    return {
        "rates": rates,
        "iterations": iterations,
        "paths": paths,
        "all paths": {
            name: [path_by_notes(name, rate, iterations), paths[name]]
            + [path(backend, name, rate, iterations) for backend in ("python", "numpy")]
            for name, rate in rates.items()
        },
        "exercise": {name: exercise(name) for name in NAMES},
        "calls": calls,
        "third": {name: np.array([call() for _ in range(3)][-1]) for name, call in calls.items()},
        "moons": {name: _moons.train(rule) for name, rule in rules.items()},
        "at zero": _moons.train(optimizers.Adam(_moons.ALPHA), _moons.EVERY + 1, bias=0.0)[0][-1],
    }


def _turns(places: Any) -> int:
    """Count how often w turns back."""
    return int(np.sum(np.diff(np.sign(np.diff(places[:, 0]))) != 0))


def _tables(found: Mapping[str, Any]) -> tuple[Table | Listing, ...]:
    steps = [round(share * found["iterations"]) for share in (0.1, 0.5, 1)]
    return (
        Table(
            f"J(w, b) of {EXAMPLES} examples is 100 times as steep along w as along b; J less its minimum",
            ("", "α", *(f"step {step:,}" for step in steps), "how often w turns round"),
            tuple(
                (
                    name,
                    number(found["rates"][name], 4),
                    *(number(above_minimum(places[step])[0], 3) for step in steps),
                    f"{_turns(places):,}",
                )
                for name, places in found["paths"].items()
            ),
        ),
        *(
            Listing(title, inspect.getsource(way).rstrip())
            for title, way in (
                ("Momentum", _updates.momentum),
                ("Adam", _updates.adam),
                ("Adam with a loop", _updates.adam_by_loop),
            )
        ),
        Table(
            f"The second course's exercise: two moons, batches of {_moons.BATCH}, α = {_moons.ALPHA:g}",
            ("epoch", *(heading for name in PUBLISHED_COSTS for heading in (name, "the exercise's"))),
            tuple(
                (
                    f"{_moons.EVERY * i:,}",
                    *(
                        f"{cost:.6f}"
                        for name, published in PUBLISHED_COSTS.items()
                        for cost in (found["moons"][name][0][i], published[i])
                    ),
                )
                for i in range(5)
            ),
        ),
    )


def _checks(found: Mapping[str, Any]) -> tuple[Check, ...]:
    paths, moons = found["paths"], found["moons"]
    ends = {name: float(above_minimum(places[-1])[0]) for name, places in paths.items()}
    first = np.abs(paths["Adam"][1] - paths["Adam"][0])
    return (
        *(
            same_numbers(f"The path by the formulas is that of every backend, {name}", each, 1e-12)
            for name, each in found["all paths"].items()
        ),
        same_numbers(
            f"Three updates of {P:,} parameters by Adam are the same in three ways",
            list(found["third"].values()),
            1e-13,
        ),
        *(
            as_published(f"W1 of the course's exercise, {name}", found["exercise"][name], PUBLISHED[name], 8)
            for name in NAMES
        ),
        *(
            as_published(f"The costs of the two moons, {name}", moons[name][0], published, 6)
            for name, published in PUBLISHED_COSTS.items()
        ),
        Check(
            "Adam's first step is α long in each direction, however steep",
            bool(np.all(np.abs(first - ADAM_RATE) < 1e-6)),
            f"{number(first[0], 7)} along w and {number(first[1], 7)} along b",
        ),
        Check(
            "Momentum and Adam get further than gradient descent",
            max(ends["momentum"], ends["Adam"]) < ends["gradient descent"],
            ", ".join(f"{name} {number(end, 3)}" for name, end in ends.items()),
        ),
    )


def run(alpha: float = RATE, iterations: int = STEPS) -> Result:
    found = _measured(alpha, iterations)
    timings = in_turns(f"One update of {P:,} parameters by Adam", found["calls"])
    moons = found["moons"]
    ends = {name: float(above_minimum(places[-1])[0]) for name, places in found["paths"].items()}
    return Result(
        sections=(*_tables(found), timings),
        checks=_checks(found),
        lessons=(
            "Where a surface is steep one way and flat the other, the steep way limits α. Gradient descent "
            "goes to and fro there, and creeps along the flat one. Momentum adds up what the steps have in "
            "common; Adam divides each direction by its own size.",
            "The α of momentum here belongs to the course's formula, v = βv + (1 - β) dθ. "
            "`dlkernels.optimizers.SGD` uses PyTorch's, v = βv + dθ, in which the same steps need an α "
            f"{1 / (1 - _updates.BETA):g} times as small: ask which of the two an α belongs to.",
            f"On the two moons momentum ends where gradient descent does, {percent(moons['momentum'][1])} "
            f"right; Adam, {percent(moons['Adam'][1])}. For the first two α = {_moons.ALPHA:g} is small.",
            "That exercise begins with points at which ReLU has no derivative, z = 0. The exercise takes 0 "
            "there; the lecture's table takes 1, and so does dlkernels here, because it knows Z. The biases "
            "begin just below 0, where all of them take 0; if they begin "
            f"at 0, Adam's cost at epoch {_moons.EVERY:,} is {found['at zero']:.6f}.",
            f"Here {verdict(timings)}.",
        ),
        alternative=(
            "Above, ellipses of equal J over b and w, and three paths to the minimum: gradient descent "
            "zigzags along w and creeps along b; momentum and Adam go along b in waves that become flatter. "
            "Below, J less its minimum over the steps: after "
            f"{iterations:,} of them {', '.join(f'{name} {number(end, 3)}' for name, end in ends.items())}."
        ),
        values=found | {"timings": timings},
    )


def plot(result: Result) -> Any:
    from ._pictures import BLUE, GREY, RED, figure, lines

    drawn, (above, below) = figure(6.2, rows=2, height_ratios=(4, 3))
    paths = result.values["paths"]
    least = above_minimum(START)[1]
    b, w = np.linspace(-9.5, 8.5, 181), np.linspace(-1.1, 1.3, 121)
    surface = above_minimum(np.stack(np.meshgrid(w, b, indexing="ij"), axis=-1))[0]
    above.contour(b, w, surface, levels=[2.0**k for k in range(-1, 8)], colors="#bbbbbb", linewidths=0.8)
    above.plot(least[1], least[0], marker="+", color="black", markersize=11, markeredgewidth=1.8, zorder=5)
    styles: tuple[dict[str, Any], ...] = (
        {"color": GREY, "marker": "o"},
        {"color": BLUE, "marker": "^"},
        {"color": RED, "marker": "s"},
    )
    for (name, places), style in zip(paths.items(), styles, strict=True):
        above.plot(places[:, 1], places[:, 0], label=name, linewidth=1.3, markersize=3, **style)
        below.plot(above_minimum(places)[0], label=name, linewidth=2, color=style["color"])
    above.set(
        xlim=(b[0], b[-1]), ylim=(w[0], w[-1]), xlabel="b", ylabel="w", title="Three ways down one surface"
    )
    below.set(yscale="log", xlabel="step", ylabel="J less its minimum", title="How far they get")
    lines(below)
    drawn.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return drawn


EXPERIMENT = Experiment(
    name="optimizers",
    title="Momentum and Adam on one surface",
    question="How do past gradients help where J is steep one way and flat the other?",
    part=TRAINING,
    formulas=(
        Formula(
            r"v \coloneqq \beta v + (1 - \beta) \, d\theta, \quad \theta \coloneqq \theta - \alpha v",
            "momentum: v := βv + (1 - β) dθ,  θ := θ - αv",
        ),
        Formula(
            r"v \coloneqq \beta_1 v + (1 - \beta_1) \, d\theta, "
            r"\quad s \coloneqq \beta_2 s + (1 - \beta_2) \, d\theta^2",
            "Adam: v := β₁v + (1 - β₁) dθ,  s := β₂s + (1 - β₂) dθ²",
        ),
        Formula(
            r"v' = \frac{v}{1 - \beta_1^t}, \quad s' = \frac{s}{1 - \beta_2^t}, "
            r"\quad \theta \coloneqq \theta - \alpha \, \frac{v'}{\sqrt{s'} + \varepsilon}",
            "v' = v / (1 - β₁ᵗ),  s' = s / (1 - β₂ᵗ),  θ := θ - α v' / (√s' + ε)",
        ),
    ),
    run=run,
    plot=plot,
)
