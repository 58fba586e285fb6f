"""A hidden layer of linear units is no hidden layer: the product of two matrices is one matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import dlkernels as dk
from dlkernels import data

from .. import LogisticRegression, ShallowNetwork
from ._experiment import NETWORKS, Check, Experiment, Formula, Result, Table
from ._numbers import numbers, percent, same_numbers, shape
from ._timing import on_backends

STEPS, RATE, SEED, UNITS = 10_000, 1.2, 3, 4


def collapsed(parameters: dict[str, Any]) -> tuple[Any, Any]:
    """Return the one layer that equals two linear layers: W (1, n_x) and b (1, 1)."""
    W1, b1, W2, b2 = parameters.values()
    return W2 @ W1, W2 @ b1 + b2


def random_layers() -> tuple[Any, Any]:
    """Return the output of two random linear layers, and the output of the one layer that equals them."""
    random = np.random.default_rng(1)
    sizes = {"W1": (5, 3), "b1": (5, 1), "W2": (1, 5), "b2": (1, 1)}
    drawn = {name: random.normal(size=size) for name, size in sizes.items()}
    X = random.normal(size=(3, 1000))
    two = dk.dense_forward(drawn["W2"], dk.dense_forward(drawn["W1"], X, drawn["b1"]), drawn["b2"])
    W, b = collapsed(drawn)
    return two, dk.dense_forward(W, X, b)


def _weights(found: Mapping[str, Any]) -> Table:
    parameters, (W, b) = found["networks"]["identity"].parameters_, found["one layer"]
    return Table(
        "The trained network with linear hidden units, and the one layer that it amounts to",
        ("", "W", "b", "output for two examples"),
        (
            (
                "two layers",
                f"{shape(parameters['W1'])} and {shape(parameters['W2'])}",
                f"{shape(parameters['b1'])} and {shape(parameters['b2'])}",
                numbers(found["two outputs"][0, :2]),
            ),
            ("one layer", f"({numbers(W, 4)})", numbers(b, 4), numbers(found["one output"][0, :2])),
        ),
    )


def _checks(found: Mapping[str, Any]) -> tuple[Check, ...]:
    logistic, straight, bent = found["scores"].values()
    return (
        same_numbers(
            "W2 W1 and W2 b1 + b2 give the output of the two layers for all examples",
            [found["one output"], found["two outputs"]],
            1e-12,
        ),
        same_numbers("So they do for random weights, 5 units and 1,000 points", random_layers(), 1e-12),
        Check(
            "On the flower, linear units get no further than logistic regression, and tanh units do",
            straight - logistic < 0.05 < bent - logistic,
            f"{percent(straight)} and {percent(logistic)}, with tanh {percent(bent)}",
        ),
        Check(
            "The course's exercise has 47 % for logistic regression and 90 to 91 % for 4 tanh units",
            abs(logistic - 0.47) < 0.005 and 0.895 <= bent <= 0.915,
            f"{percent(logistic)} and {percent(bent)}",
        ),
    )


def run(alpha: float = RATE, iterations: int = STEPS, seed: int = SEED, units: int = UNITS) -> Result:
    flower = data.flower()
    X, Y = flower.X_train, flower.Y_train
    networks = {
        activation: ShallowNetwork(
            units, activation=activation, seed=seed, learning_rate=alpha, num_iterations=iterations
        ).fit(X, Y)
        for activation in ("identity", "tanh")
    }
    line = LogisticRegression(learning_rate=alpha, num_iterations=iterations).fit(X, Y)
    W, b = collapsed(networks["identity"].parameters_)
    scores = {
        "logistic regression": line.score(X, Y),
        f"{units:,} linear hidden units": networks["identity"].score(X, Y),
        f"{units:,} tanh hidden units": networks["tanh"].score(X, Y),
    }
    found = {
        "flower": flower,
        "networks": networks,
        "scores": scores,
        "one layer": (W, b),
        "one output": dk.dense_forward(W, X, b, "sigmoid"),
        "two outputs": networks["identity"].predict_proba(X),
    }
    _, straight, bent = scores.values()
    return Result(
        sections=(
            _weights(found),
            Table(
                f"Training accuracy on the flower, {iterations:,} steps of α = {alpha:g}",
                ("", "accuracy"),
                tuple((name, percent(score)) for name, score in scores.items()),
            ),
            on_backends(
                f"The one layer on {X.shape[1]} examples",
                lambda backend: backend.dense_forward(W, X, b, "sigmoid"),
            ),
        ),
        checks=_checks(found),
        lessons=(
            "However many linear layers there are, their product is one matrix, and the border between the "
            "labels a straight line. Only a g that bends makes a hidden layer worth its weights.",
        ),
        alternative=(
            "Two maps of the flower's points with what a network predicts behind them. Linear hidden units "
            f"divide the plane along a straight line, {percent(straight)} right; tanh units follow the "
            f"petals, {percent(bent)} right."
        ),
        values=found,
    )


def plot(result: Result) -> Any:
    from .._plots import shade
    from ._pictures import CLASSES, figure

    drawn, panels = figure(3.3, columns=2)
    flower = result.values["flower"]
    titles = {"identity": "linear hidden units", "tanh": "tanh hidden units"}
    for panel, (activation, model) in zip(panels, result.values["networks"].items(), strict=True):
        shade(panel, model, flower.X_train)
        for label, marker in ((0, "o"), (1, "^")):
            points = flower.X_train[:, flower.Y_train[0] == label]
            panel.scatter(
                *points,
                s=9,
                marker=marker,
                color=CLASSES[label],
                edgecolors="white",
                linewidths=0.3,
                label=f"label {label}",
                rasterized=True,
            )
        panel.set_title(titles[activation])
        panel.set(xticks=[], yticks=[], aspect="equal")
    points = panels[0].get_legend_handles_labels()
    drawn.legend(*points, loc="outside lower center", ncols=2, frameon=False, markerscale=2.5)
    return drawn


EXPERIMENT = Experiment(
    name="linear",
    title="A linear hidden layer is none",
    question="What is a hidden layer worth whose activation is the identity, g(z) = z?",
    part=NETWORKS,
    formulas=(
        Formula(
            r"W^{[2]} (W^{[1]} x + b^{[1]}) + b^{[2]} = (W^{[2]} W^{[1]}) x + (W^{[2]} b^{[1]} + b^{[2]})",
            "W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2)",
        ),
        Formula(
            r"W' = W^{[2]} W^{[1]}, \quad b' = W^{[2]} b^{[1]} + b^{[2]}", "W' = W2 W1,  b' = W2 b1 + b2"
        ),
    ),
    run=run,
    plot=plot,
)
