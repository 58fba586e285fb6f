"""Softmax: the output for several classes, and why it is computed from z minus the largest z."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

import dlkernels as dk
from dlkernels import backends, optimizers

from .._convergence import warn_if_diverged
from . import _classes
from ._experiment import TRAINING, Check, Experiment, Formula, Listing, Result, Table
from ._numbers import as_published, number, numbers, percent, same_numbers
from ._timing import in_turns, verdict

RATE, STEPS, SEED, UNITS, CLASSES = 1.0, 2000, 1, 20, 3
#: The z of the second course's lecture, and the a that it publishes.
LECTURE, PUBLISHED = np.array([[5.0], [2.0], [-1.0], [3.0]]), (0.842, 0.042, 0.002, 0.114)
#: Columns of z; the largest e^z that float64 can hold is that of 709.
COLUMNS = ((5.0, 2.0, -1.0), (1000.0, 999.0, 998.0), (-1000.0, -1001.0, -1002.0))


def unit(z: Any, name: str = "numba") -> Any:
    """Return the softmax of the columns of z on a backend: a network whose only layer has W = 1 and b = 0."""
    n = len(z)
    theta = np.concatenate([np.eye(n).ravel(), np.zeros(n)])
    return backends.get(name).network_forward(theta, (n, n), z, output="softmax")


def cost_and_slope(z: Any, y: int, name: str = "numba") -> tuple[float, Any]:
    """Return the loss of one example, and its dz, from the class number y.

    A layer with W = 1 has dW = dz xᵀ and db = dz.
    """
    n = len(z)
    theta = np.concatenate([np.eye(n).ravel(), np.zeros(n)])
    Y = np.array([[y]])
    gradient, cost = backends.get(name).network_propagate(theta, (n, n), z, Y, output="softmax")
    return float(cost), gradient[n * n :]


def row(a: Any) -> str:
    return f"({numbers(a, 4)})"


def by_loop(z: tuple[float, ...]) -> str:
    """Compute the formula with Python's own numbers; return what comes out in words."""
    try:
        t = [math.exp(each) for each in z]
        return row([each / sum(t) for each in t])
    except ArithmeticError as error:
        return f"{type(error).__name__}: {error}"


def arms(seed: int) -> tuple[Any, Any]:
    """Return three arms of a spiral, 100 points each, and their class numbers."""
    random = np.random.default_rng(seed)
    r = np.tile(np.linspace(0.05, 1, 100), CLASSES)
    Y = np.repeat(np.arange(CLASSES), 100)[None]
    angle = 4 * r + 2 * np.pi / CLASSES * Y[0] + random.normal(scale=0.2, size=r.size)
    return np.stack([r * np.sin(angle), r * np.cos(angle)]), Y


def train(sizes: tuple[int, ...], X: Any, Y: Any, alpha: float, iterations: int, seed: int) -> dict[str, Any]:
    """Take steps of gradient descent on all examples."""
    theta = dk.network_parameters(sizes, seed=seed)
    descent, costs = optimizers.SGD(alpha), []
    for _ in range(iterations):
        costs.append(dk.train_epoch(theta, sizes, descent, X, Y, "tanh", "softmax", batch_size=X.shape[1]))
    warn_if_diverged("train", list(enumerate(costs)), {"theta": theta}, alpha)
    A: Any = dk.network_forward(theta, sizes, X, "tanh", "softmax")
    return {
        "sizes": sizes,
        "theta": theta,
        "first": costs[0],
        "cost": costs[-1],
        "accuracy": float(np.mean(np.argmax(A, axis=0) == Y[0])),
    }


def nudged(z: Any, y: int) -> Any:
    """Return dz by central differences of -log a, with the formula as it stands."""
    steps = 1e-5 * np.eye(len(z))

    def loss(at: Any) -> float:
        return -float(np.log(_classes.naive(at)[y, 0]))

    return np.array([(loss(z + step) - loss(z - step)) / 2e-5 for step in steps[:, :, None]])


def layer() -> tuple[Any, Any, Any]:
    """Return W, b and X of a softmax layer for images of digits: 64 features, 10 classes, 100 examples."""
    random = np.random.default_rng(2)
    return random.normal(size=(10, 64)) / 8, random.normal(size=(10, 1)), random.normal(size=(64, 100))


def on_backend(name: str, W: Any, b: Any, X: Any) -> Any:
    theta = np.concatenate([W.ravel(), b.ravel()])
    return backends.get(name).network_forward(theta, (W.shape[1], W.shape[0]), X, output="softmax")


def propagated(name: str, classes: bool) -> Any:
    """Return the gradient and the cost of the layer, from class numbers or rows of 0 and 1."""
    W, b, X = layer()
    numbers_ = np.arange(X.shape[1])[None] % 10
    Y = numbers_ if classes else (np.arange(10)[:, None] == numbers_).astype(float)
    theta = np.concatenate([W.ravel(), b.ravel()])
    return backends.get(name).network_propagate(theta, (64, 10), X, Y, output="softmax")


def _measured(alpha: float, iterations: int, seed: int, units: int) -> dict[str, Any]:
    X, Y = arms(seed)
    W, b, images = layer()
    columns = [np.array(z)[:, None] for z in COLUMNS]
    far = np.array([[1000.0], [0.0]])
    ways = {
        "loops": partial(_classes.loops, W, b, images),
        "vectorised (NumPy)": partial(_classes.vectorised, W, b, images),
        "python backend": partial(on_backend, "python", W, b, images),
        "compiled (Numba)": partial(on_backend, "numba", W, b, images),
    }
    pair = np.random.default_rng(3).normal(size=(2, 1000))
    return {
        "training": f"{iterations:,} steps of α = {alpha:g}",
        "examples": (X, Y),
        "runs": {
            "straight": train((2, CLASSES), X, Y, alpha, iterations, seed),
            "hidden": train((2, units, CLASSES), X, Y, alpha, iterations, seed),
        },
        "lecture": {name: unit(LECTURE, name) for name in backends.NAMES},
        "dz": {name: cost_and_slope(LECTURE, 1, name)[1] for name in backends.NAMES},
        "nudged": nudged(LECTURE, 1),
        "large": {
            "a loop, as it stands": [by_loop(z) for z in COLUMNS],
            "NumPy, as it stands": [row(_classes.naive(z)) for z in columns],
            "NumPy, z - max(z)": [row(_classes.stable(z)) for z in columns],
            "compiled (Numba)": [row(unit(z)) for z in columns],
        },
        "sums": {name: [float(unit(z, name).sum()) for z in columns] for name in backends.NAMES},
        "far": {
            "-log a, as it stands": float(-np.log(_classes.naive(far)[1, 0])),
            "-log a, with z - max(z)": float(-np.log(_classes.stable(far)[1, 0])),
            **{f"{name} backend": cost_and_slope(far, 1, name)[0] for name in backends.NAMES},
        },
        "ways": ways,
        "results": {name: way() for name, way in ways.items()},
        "propagated": [propagated(name, classes) for name in backends.NAMES for classes in (True, False)],
        "two": (unit(pair)[0], np.asarray(dk.sigmoid(pair[0] - pair[1]))),
    }


def _tables(found: Mapping[str, Any]) -> tuple[Table | Listing, ...]:
    a, dz = found["lecture"]["numba"][:, 0], found["dz"]["numba"]
    return (
        Table(
            "The lecture's example; its label is class 1, counted from 0",
            ("class", "z", "e^z", "a", "y", "dz = a - y", "dz by nudging"),
            tuple(
                (
                    str(c),
                    *(number(each, 4) for each in (LECTURE[c, 0], math.exp(LECTURE[c, 0]), a[c])),
                    str(int(c == 1)),
                    *(number(each, 6) for each in (dz[c], found["nudged"][c])),
                )
                for c in range(len(a))
            ),
        ),
        Table(
            "a where z is far from 0",
            ("", *(f"z = ({numbers(z)})" for z in COLUMNS)),
            tuple((name, *cells) for name, cells in found["large"].items()),
        ),
        Table(
            "The loss of class 1 at z = (1000, 0)",
            ("", "loss"),
            tuple((name, number(loss)) for name, loss in found["far"].items()),
        ),
        *(
            Listing(title, inspect.getsource(way).rstrip())
            for title, way in (
                ("Softmax as it stands", _classes.naive),
                ("Softmax, stable", _classes.stable),
                ("A layer of softmax units with loops", _classes.loops),
            )
        ),
        Table(
            f"Three arms of a spiral, 300 points, {found['training']}",
            ("layers", "first cost", "last cost", "accuracy"),
            tuple(
                (
                    " - ".join(map(str, run["sizes"])),
                    *(number(run[name], 4) for name in ("first", "cost")),
                    percent(run["accuracy"]),
                )
                for run in found["runs"].values()
            ),
        ),
    )


def _checks(found: Mapping[str, Any]) -> tuple[Check, ...]:
    lecture, runs = found["lecture"], found["runs"]
    slopes = [np.ravel(a) - np.eye(4)[1] for a in lecture.values()]
    gradients = [gradient for gradient, _ in found["propagated"]]
    python, naive, *others = (cells[1] for cells in found["large"].values())
    return (
        as_published("a of the lecture's z", lecture["numba"], PUBLISHED, 3),
        same_numbers("On every backend dz is a - y", [*slopes, *found["dz"].values()], 1e-14),
        same_numbers("dz is the slope of the loss by nudging", [found["nudged"], found["dz"]["numba"]], 1e-8),
        Check(
            "At z = 1000 the formula as it stands fails, in a loop with an error, in NumPy with nan",
            python.startswith("OverflowError") and naive == "(nan, nan, nan)",
            python,
        ),
        Check(
            "With z - max(z) the numbers of a are right there, and add up to 1 on every backend",
            len(set(others)) == 1
            and all(abs(total - 1) < 1e-15 for each in found["sums"].values() for total in each),
            others[0],
        ),
        Check(
            "The loss at z = (1000, 0), which is 1000, is found from z, not from a",
            [found["far"][f"{name} backend"] for name in backends.NAMES] == [1000.0] * 3,
            f"-log a is {number(found['far']['-log a, with z - max(z)'])}",
        ),
        same_numbers(
            f"All {len(found['results'])} ways give the same layer", list(found["results"].values()), 1e-14
        ),
        same_numbers("Class numbers and rows of 0 and 1 give the same gradients", gradients, 1e-14),
        same_numbers("With two classes softmax is the sigmoid of z₀ - z₁", found["two"], 1e-14),
        Check(
            "Softmax units alone divide the plane along straight lines, a hidden layer bends them",
            runs["straight"]["accuracy"] < 0.65 and runs["hidden"]["accuracy"] > 0.95,
            f"{percent(runs['straight']['accuracy'])} and {percent(runs['hidden']['accuracy'])} right",
        ),
    )


def run(alpha: float = RATE, iterations: int = STEPS, seed: int = SEED, units: int = UNITS) -> Result:
    found = _measured(alpha, iterations, seed, units)
    timings = in_turns("A layer of 10 softmax units, 64 features, 100 examples", found["ways"])
    straight, hidden = found["runs"].values()
    return Result(
        sections=(*_tables(found), timings),
        checks=_checks(found),
        lessons=(
            "Softmax turns the z of all classes into shares that add up to 1. It depends on the differences "
            "between them only; so the largest may be taken off, and nothing is too large for e^z.",
            "dZ = A - Y is what the sigmoid has, and so has half the squared error of a linear output: "
            "everything before the last layer stays as it was.",
            f"For 10 classes, {verdict(timings)}.",
        ),
        alternative=(
            "Four panels. Above, a map of three arms of a spiral with the class that is predicted at each "
            f"place: softmax units alone cut it into sectors, {percent(straight['accuracy'])} right; with "
            f"{units:,} hidden units the borders follow the arms, {percent(hidden['accuracy'])} right. "
            "Below, bars of the lecture's z, 5, 2, -1 and 3, and of their softmax, 0.842, 0.042, 0.002 "
            "and 0.114."
        ),
        values=found | {"timings": timings},
    )


def _map(panel: Any, run: Mapping[str, Any], X: Any, Y: Any) -> None:
    """Colour the plane by the class that is predicted, and draw the points."""
    from matplotlib.colors import ListedColormap, to_rgba

    from ._pictures import BLUE, GREEN, ORANGE

    grid = np.linspace(-1.25, 1.25, 251)
    first, second = np.meshgrid(grid, grid)
    A: Any = dk.network_forward(
        run["theta"], run["sizes"], np.stack([first.ravel(), second.ravel()]), "tanh", "softmax"
    )
    colours = (BLUE, ORANGE, GREEN)
    panel.pcolormesh(
        first, second, np.argmax(A, axis=0).reshape(first.shape), shading="nearest", rasterized=True,
        cmap=ListedColormap([to_rgba(colour, 0.35) for colour in colours]), vmin=0, vmax=2,
    )  # fmt: skip
    for label, (colour, marker) in enumerate(zip(colours, "o^s", strict=True)):
        panel.scatter(
            *X[:, Y[0] == label], s=9, marker=marker, color=colour, edgecolors="white", linewidths=0.3,
            label=f"class {label}", rasterized=True,
        )  # fmt: skip
    panel.set(xticks=[], yticks=[], aspect="equal")


def plot(result: Result) -> Any:
    from ._pictures import BLUE, GREY, figure

    drawn, (maps, (left, right)) = figure(5.2, rows=2, columns=2, height_ratios=(5, 3))
    for panel, run in zip(maps, result.values["runs"].values(), strict=True):
        _map(panel, run, *result.values["examples"])
        hidden = run["sizes"][1:-1]
        panel.set_title(f"{hidden[0]} hidden units" if hidden else "softmax units alone")
    a = result.values["lecture"]["numba"][:, 0]
    for panel, heights, name, colour in ((left, LECTURE[:, 0], "z", GREY), (right, a, "softmax of z", BLUE)):
        shown = panel.bar([str(c) for c in range(len(a))], heights, color=colour, width=0.62)
        panel.bar_label(shown, [number(height, 3) for height in heights], fontsize=9, padding=2)
        panel.set(title=name, yticks=[], xlabel="class")
        panel.margins(y=0.2)
    points = maps[0].get_legend_handles_labels()
    drawn.legend(*points, loc="outside upper center", ncols=3, frameon=False, markerscale=2.5)
    return drawn


EXPERIMENT = Experiment(
    name="softmax",
    title="Softmax for several classes",
    question="How do output units tell several classes apart, and when is z too large for e^z?",
    part=TRAINING,
    formulas=(
        Formula(
            r"a_c = \frac{e^{z_c}}{\sum_{k} e^{z_k}} = \frac{e^{z_c - \max z}}{\sum_{k} e^{z_k - \max z}}",
            "a_c = e^z_c / Σₖ e^z_k = e^(z_c - max z) / Σₖ e^(z_k - max z)",
        ),
        Formula(
            r"L(a, y) = -\sum_{c} y_c \log \, a_c "
            r"= \max z + \log \sum_{k} e^{z_k - \max z} - \sum_{c} y_c z_c",
            "L(a, y) = -Σ y_c log a_c = max z + log Σₖ e^(z_k - max z) - Σ y_c z_c",
        ),
        Formula(r"dZ^{[L]} = A^{[L]} - Y", "dZ[L] = A[L] - Y"),
    ),
    run=run,
    plot=plot,
)
