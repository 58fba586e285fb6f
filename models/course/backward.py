"""The backward pass of a two-layer network: six formulas, and dimensions that must match."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import dlkernels as dk
from dlkernels import backends, data

from .. import ShallowNetwork
from ._experiment import NETWORKS, Check, Experiment, Formula, Result, Table
from ._numbers import number, percent, same_numbers, shape
from ._timing import on_backends

N_X, N_H, M = 3, 4, 7
#: How the course trains on the flower: 4 tanh units.
RATE, STEPS, SEED, UNITS = 1.2, 10_000, 3, 4
NO_COMPLAINT = "no complaint"
#: The cost that it publishes for 0, 1000, ..., 6000 steps.
PUBLISHED_COSTS = (0.693162, 0.258625, 0.239334, 0.230802, 0.225528, 0.221845, 0.219094)


def example() -> tuple[Any, ...]:
    """Return random parameters W1, b1, W2, b2 and random examples X, Y."""
    random = np.random.default_rng(1)
    sizes = ((N_H, N_X), (N_H, 1), (1, N_H), (1, 1), (N_X, M))
    return *(random.normal(size=size) for size in sizes), (random.uniform(size=(1, M)) > 0.5).astype(float)


def forward(W1: Any, b1: Any, W2: Any, b2: Any, X: Any) -> tuple[Any, Any]:
    A1 = np.tanh(W1 @ X + b1)
    return A1, 1 / (1 + np.exp(-(W2 @ A1 + b2)))


def formulas(W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any) -> tuple[Any, ...]:
    """Return dW1, db1, dW2, db2 by the six formulas of the notes' summary."""
    m = X.shape[1]
    A1, A2 = forward(W1, b1, W2, b2, X)
    dZ2 = A2 - Y
    dW2 = dZ2 @ A1.T / m
    db2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = W2.T @ dZ2 * (1 - A1**2)
    dW1 = dZ1 @ X.T / m
    db1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return dW1, db1, dW2, db2


def by_examples(W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any) -> tuple[Any, ...]:
    """Return the same, one example after the other: the mean of the gradients of each example."""
    total = [np.zeros_like(each) for each in (W1, b1, W2, b2)]
    m = X.shape[1]
    for i in range(m):
        x, y = X[:, i : i + 1], Y[:, i : i + 1]
        a1, a2 = forward(W1, b1, W2, b2, x)
        dz2 = a2 - y
        dz1 = W2.T @ dz2 * (1 - a1**2)
        for sum_, part in zip(total, (dz1 @ x.T, dz1, dz2 @ a1.T, dz2), strict=True):
            sum_ += part
    return tuple(each / m for each in total)


def in_pieces(backend: Any, W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any) -> tuple[Any, ...]:
    """Return the same, with dense_gradients for the output layer and dense_backward for the hidden layer."""
    A1 = backend.dense_forward(W1, X, b1, "tanh")
    dZ2 = backend.dense_forward(W2, A1, b2, "sigmoid") - Y
    dW2, db2 = backend.dense_gradients(dZ2, A1)
    _, dW1, db1 = backend.dense_backward(W2, dZ2, A1, X, "tanh")
    return dW1, db1, dW2, db2


def wrong_calls(W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any) -> dict[str, Callable[[], Any]]:
    """Return calls with an argument that is easily transposed or exchanged."""
    A1, A2 = forward(W1, b1, W2, b2, X)
    dZ2 = A2 - Y
    return {
        "dense_forward(W1.T, X, b1)": lambda: dk.dense_forward(W1.T, X, b1),
        "dense_forward(W1, X, b1.T)": lambda: dk.dense_forward(W1, X, b1.T),
        "dense_gradients(dZ2.T, A1)": lambda: dk.dense_gradients(dZ2.T, A1),
        "dense_backward(W2.T, dZ2, ...)": lambda: dk.dense_backward(W2.T, dZ2, A1, X, "tanh"),
        "dense_backward(W1, dZ2, ...)": lambda: dk.dense_backward(W1, dZ2, A1, X, "tanh"),
        "shallow_propagate(..., Y[0])": lambda: dk.shallow_propagate(W1, b1, W2, b2, X, Y[0]),
    }


def complaint(call: Callable[[], Any]) -> str:
    try:
        call()
    except ValueError as error:
        return str(error)
    return NO_COMPLAINT


def course_costs(alpha: float, iterations: int, seed: int, units: int) -> tuple[list[float], float]:
    """Train on the flower; return the costs at 0, 1000, ..., 6000 steps, and the accuracy after all steps."""
    flower = data.flower()
    model = ShallowNetwork(units, seed=seed, learning_rate=alpha, num_iterations=iterations)
    model.fit(flower.X_train, flower.Y_train)
    return model.costs_[:61:10], model.score(flower.X_train, flower.Y_train)


def all_ways(given: tuple[Any, ...]) -> dict[str, tuple[Any, ...]]:
    """Return dW1, db1, dW2 and db2, computed in every way."""
    ways = {"the six formulas": formulas(*given), "by examples": by_examples(*given)}
    for name in backends.NAMES:
        backend = backends.get(name)
        ways[f"{name}, by layers"] = in_pieces(backend, *given)
        ways[f"{name}, at once"] = backend.shallow_propagate(*given)[:-1]
    return ways


def _pairs(given: tuple[Any, ...]) -> dict[str, tuple[Any, Any]]:
    """Return each derivative, and an array of the shape that it must have."""
    W1, b1, W2, b2, X, Y = given
    A1, A2 = forward(W1, b1, W2, b2, X)
    dW1, db1, dW2, db2 = formulas(*given)
    dZ2 = A2 - Y
    dZ1 = W2.T @ dZ2 * (1 - A1**2)
    return {
        "dZ2 and Z2": (dZ2, A2),
        "dW2 and W2": (dW2, W2),
        "db2 and b2": (db2, b2),
        "dZ1 and Z1": (dZ1, A1),
        "dW1 and W1": (dW1, W1),
        "db1 and b1": (db1, b1),
    }


def _tables(found: Mapping[str, Any]) -> tuple[Table, ...]:
    return (
        Table(
            f"Dimensions: {N_X} features, {N_H} hidden units, {M} examples; in code, dZ1 is dZ[1]",
            ("", "derivative", "what it is the derivative of"),
            tuple((name, shape(left), shape(right)) for name, (left, right) in found["pairs"].items()),
        ),
        Table(
            "The first number of each gradient; by layers: dense_gradients and dense_backward, one layer "
            "after the other; at once: shallow_propagate",
            ("", "dW1", "db1", "dW2", "db2"),
            tuple((name, *(number(each[0, 0], 8) for each in way)) for name, way in found["ways"].items()),
        ),
        Table(
            "Check that the dimensions match: what the functions here say if they don't",
            ("call", "error"),
            tuple(found["complaints"].items()),
        ),
        Table(
            f"The course's flower, trained with these gradients: {found['training']}",
            ("step", "cost", f"the exercise's, for {UNITS} units, α = {RATE:g}"),
            tuple(
                (f"{1000 * i:,}", number(cost), f"{published:.6f}")
                for i, (cost, published) in enumerate(zip(found["costs"], PUBLISHED_COSTS, strict=False))
            ),
        ),
    )


def _checks(found: Mapping[str, Any]) -> tuple[Check, ...]:
    difference = found["checked"].relative_difference
    return (
        Check(
            "Every derivative has the shape of what it is the derivative of",
            all(left.shape == right.shape for left, right in found["pairs"].values()),
        ),
        same_numbers(
            f"All {len(found['ways'])} ways give the same gradients", list(found["ways"].values()), 1e-12
        ),
        Check(
            "They are the slopes of the cost by nudging",
            difference < 1e-6,
            f"relative difference {difference:.1e}",
        ),
        Check(
            f"All {len(found['complaints'])} wrong calls are refused",
            NO_COMPLAINT not in found["complaints"].values(),
        ),
        Check(
            "The costs of the flower are those of the course's exercise, to 6 decimal places",
            max(abs(a - b) for a, b in zip(found["costs"], PUBLISHED_COSTS, strict=False)) < 0.6e-6,
            f"after 6,000 steps {number(found['costs'][-1])}",
        ),
    )


def run(alpha: float = RATE, iterations: int = STEPS, seed: int = SEED, units: int = UNITS) -> Result:
    given = example()
    *parameters, X, Y = given
    W1, b1, W2, b2 = parameters
    propagate: Any = dk.shallow_propagate
    costs, accuracy = course_costs(alpha, iterations, seed, units)
    found = {
        "ways": all_ways(given),
        "pairs": _pairs(given),
        "checked": dk.check_gradients(lambda p: propagate(*p, X, Y)[-1], parameters, list(formulas(*given))),
        "complaints": {name: complaint(call) for name, call in wrong_calls(*given).items()},
        "training": f"{units:,} tanh units, {iterations:,} steps of α = {alpha:g}, then an accuracy of "
        f"{percent(accuracy)}; the cost of every 1,000th step, as far as the exercise prints it",
        "costs": costs,
    }
    flower = data.flower()
    return Result(
        sections=(
            *_tables(found),
            on_backends(
                f"All gradients and the cost of the flower, {flower.X_train.shape[1]} examples",
                lambda backend: backend.shallow_propagate(
                    W1[:, :2], b1, W2, b2, flower.X_train, flower.Y_train
                ),
            ),
        ),
        checks=_checks(found),
        lessons=(
            "A derivative has the shape of its variable. If dW2 comes out as (4, 1) where W2 is (1, 4), a "
            "factor is transposed.",
            "`*` in dZ1 is element by element, and keepdims keeps db a column: NumPy would broadcast a row "
            "without a word.",
        ),
        alternative=(
            "Arrows through a two-layer network. Above, forward from X by way of Z1 and A1 to Z2 and A2; "
            "below, backward from dZ2 to dZ1, with dW2, db2, dW1 and db1 branching off; each box with its "
            "shape."
        ),
        values=found,
    )


#: The boxes of the picture with their places, and the arrows between them.
_BOXES = {
    "X\n(3, m)": (0, 2), "Z1, A1\n(4, m)": (1, 2), "Z2, A2\n(1, m)": (2, 2),
    "dZ2\n(1, m)": (2, 1), "dZ1\n(4, m)": (1, 1),
    "dW2 (1, 4)\ndb2 (1, 1)": (2, 0), "dW1 (4, 3)\ndb1 (4, 1)": (1, 0),
}  # fmt: skip
_ARROWS = ((0, 1, "W1, b1"), (1, 2, "W2, b2"), (2, 3, "- Y"), (3, 4, "W2ᵀ"), (3, 5, "A1ᵀ"), (4, 6, "Xᵀ"))


def plot(result: Result) -> Any:
    from ._pictures import BLUE, RED, figure

    drawn, panel = figure(3.3)
    patches = []
    for name, place in _BOXES.items():
        box = {
            "boxstyle": "round,pad=0.4",
            "facecolor": "white",
            "edgecolor": RED if name[0] == "d" else BLUE,
        }
        written = panel.text(*place, name, ha="center", va="center", fontsize=10, zorder=3, bbox=box)
        patches.append(written.get_bbox_patch())
    places = list(_BOXES.values())
    for start, end, words in _ARROWS:
        (x, y), (to_x, to_y) = places[start], places[end]
        colour = BLUE if end < 3 else RED
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.5, "shrinkA": 2, "shrinkB": 2}
        ends = {"patchA": patches[start], "patchB": patches[end]}
        panel.annotate("", (to_x, to_y), (x, y), arrowprops=arrow | ends)
        middle = ((x + to_x) / 2, (y + to_y) / 2)
        if y == to_y:
            panel.text(middle[0], middle[1] + 0.1, words, color=colour, fontsize=9, ha="center", va="bottom")
        else:
            panel.text(middle[0] + 0.06, middle[1], words, color=colour, fontsize=9, va="center")
    panel.set(xlim=(-0.4, 2.5), ylim=(-0.35, 2.4))
    panel.set_axis_off()
    return drawn


EXPERIMENT = Experiment(
    name="backward",
    title="A two-layer network, backward",
    question="Which six formulas give the gradients of both layers, and how is a wrong dimension noticed?",
    part=NETWORKS,
    formulas=(
        Formula(r"dZ^{[2]} = A^{[2]} - Y", "dZ2 = A2 - Y"),
        Formula(r"dW^{[2]} = \frac{1}{m} dZ^{[2]} A^{[1] T}", "dW2 = 1/m dZ2 A1ᵀ"),
        Formula(
            r"db^{[2]} = \frac{1}{m} \sum_{i=1}^{m} dz^{[2](i)}",
            "db2 = 1/m np.sum(dZ2, axis=1, keepdims=True)",
        ),
        Formula(r"dZ^{[1]} = W^{[2] T} dZ^{[2]} * g^{[1]\prime}(Z^{[1]})", "dZ1 = W2ᵀ dZ2 * g1'(Z1)"),
        Formula(r"dW^{[1]} = \frac{1}{m} dZ^{[1]} X^{T}", "dW1 = 1/m dZ1 Xᵀ"),
        Formula(
            r"db^{[1]} = \frac{1}{m} \sum_{i=1}^{m} dz^{[1](i)}",
            "db1 = 1/m np.sum(dZ1, axis=1, keepdims=True)",
        ),
    ),
    run=run,
    plot=plot,
    slips=(
        "Some students' notes exchange the layers in their first block of these formulas: A2 - Y is dZ2, not "
        "dZ1.",
        "Some students' notes divide by n. The mean is over the m examples.",
    ),
)
