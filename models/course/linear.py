"""A hidden layer of linear units is no hidden layer: two matrices in a row are one."""

from __future__ import annotations

from typing import Any

import numpy as np

import dlkernels as dk
from dlkernels import data
from models import LogisticRegression, ShallowNetwork
from models.course._experiment import NETWORKS, Check, Experiment, Formula, Result, Table
from models.course._numbers import apart, numbers, percent, shape

STEPS, RATE, SEED, UNITS = 10_000, 1.2, 3, 4


def collapsed(parameters: dict[str, Any]) -> tuple[Any, Any]:
    """The one layer that two linear ones amount to: W (1, n_x) and b (1, 1)."""
    W1, b1, W2, b2 = parameters.values()
    return W2 @ W1, W2 @ b1 + b2


def run() -> Result:
    flower = data.flower()
    X, Y = flower.X_train, flower.Y_train
    networks = {
        activation: ShallowNetwork(
            UNITS, activation=activation, seed=SEED, learning_rate=RATE, num_iterations=STEPS
        ).fit(X, Y)
        for activation in ("identity", "tanh")
    }
    line = LogisticRegression(learning_rate=RATE, num_iterations=STEPS).fit(X, Y)
    linear = networks["identity"]
    W, b = collapsed(linear.parameters_)
    one_layer = dk.dense_forward(W, X, b, "sigmoid")
    difference = apart([one_layer, linear.predict_proba(X)])
    # Any weights, not only those that training found.
    random = np.random.default_rng(1)
    drawn = {
        "W1": random.normal(size=(5, 3)),
        "b1": random.normal(size=(5, 1)),
        "W2": random.normal(size=(1, 5)),
        "b2": random.normal(size=(1, 1)),
    }
    points = random.normal(size=(3, 1000))
    two = dk.dense_forward(drawn["W2"], dk.dense_forward(drawn["W1"], points, drawn["b1"]), drawn["b2"])
    scores = {
        "logistic regression": line.score(X, Y),
        f"{UNITS} linear hidden units": linear.score(X, Y),
        f"{UNITS} tanh hidden units": networks["tanh"].score(X, Y),
    }
    logistic, straight, bent = scores.values()
    return Result(
        sections=(
            Table(
                "The trained network with linear hidden units, and the one layer that it amounts to",
                ("", "W", "b", "output for the first three examples"),
                (
                    (
                        "two layers",
                        f"{shape(linear.parameters_['W1'])} and {shape(linear.parameters_['W2'])}",
                        f"{shape(linear.parameters_['b1'])} and {shape(linear.parameters_['b2'])}",
                        numbers(linear.predict_proba(X)[0, :3]),
                    ),
                    ("W2 W1 and W2 b1 + b2", numbers(W, 4), numbers(b, 4), numbers(one_layer[0, :3])),
                ),
            ),
            Table(
                f"Training accuracy on the flower, {STEPS:,} steps of α = {RATE:g}",
                ("", "accuracy"),
                tuple((name, percent(score)) for name, score in scores.items()),
            ),
        ),
        checks=(
            Check(
                "One layer gives the output of the two, for all examples",
                difference < 1e-12,
                f"largest difference {difference:.1e}",
            ),
            Check(
                "So it does with weights drawn at random, 5 units and 1,000 points",
                apart([dk.dense_forward(*_layer(drawn, points)), two]) < 1e-12,
            ),
            Check(
                "On the flower, linear hidden units get no further than logistic regression; tanh units do",
                straight - logistic < 0.05 < bent - logistic,
                f"{percent(straight)} and {percent(logistic)}, with tanh {percent(bent)}",
            ),
            Check(
                "The course publishes 47 % for logistic regression, 90 to 91 % for 4 tanh units",
                abs(logistic - 0.47) < 0.005 and 0.895 <= bent <= 0.915,
                f"{percent(logistic)} and {percent(bent)}",
            ),
        ),
        lessons=(
            "However many linear layers there are, their product is one matrix, and the border between the labels a straight line. "
            "Only a g that bends makes a hidden layer worth its weights.",
        ),
        alternative=(
            "Two maps of the flower's points with what a network predicts behind them. Linear hidden units divide the plane "
            f"along a straight line, {percent(straight)} right; tanh units follow the petals, {percent(bent)} right."
        ),
        values={"networks": networks, "scores": scores, "difference": difference, "flower": flower},
    )


def _layer(parameters: dict[str, Any], points: Any) -> tuple[Any, Any, Any]:
    W, b = collapsed(parameters)
    return W, points, b


def plot(result: Result) -> Any:
    from models._plots import shade
    from models.course._pictures import CLASSES, figure

    drawn, panels = figure(3.1, columns=2)
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
    drawn.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
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
