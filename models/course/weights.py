"""Initial weights: zero, all equal, small and random, and large."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import dlkernels as dk
from dlkernels import data

from .. import ShallowNetwork
from ._experiment import NETWORKS, Check, Experiment, Formula, Listing, Result, Table
from ._numbers import number, percent
from ._timing import on_backends

UNITS, STEPS, RATE, SEED = 4, 2000, 1.2, 3
SMALL, LARGE = 0.01, 100.0
#: A unit whose slope is below this learns next to nothing.
FLAT = 0.01


def starts(seed: int, units: int) -> dict[str, dict[str, Any]]:
    """Return initial weights by their names; all biases are zero."""
    random = np.random.RandomState(seed)
    W1, W2 = random.randn(units, 2), random.randn(1, units)
    sizes = {
        "zero": (0 * W1, 0 * W2),
        "all 0.01": (0 * W1 + 0.01, 0 * W2 + 0.01),
        f"randn * {SMALL:g}": (SMALL * W1, SMALL * W2),
        f"randn * {LARGE:g}": (LARGE * W1, LARGE * W2),
    }
    return {
        name: {"W1": first, "b1": np.zeros((units, 1)), "W2": second, "b2": np.zeros((1, 1))}
        for name, (first, second) in sizes.items()
    }


def distinct(W1: Any) -> int:
    """Count the hidden units that differ."""
    return len(np.unique(W1, axis=0))


def observe(start: dict[str, Any], alpha: float, iterations: int) -> dict[str, Any]:
    """Train from these initial weights; return figures of the start and of the end."""
    flower = data.flower()
    X, Y = flower.X_train, flower.Y_train
    A1: Any = dk.dense_forward(start["W1"], X, start["b1"], "tanh")
    model = ShallowNetwork(len(start["W1"]), learning_rate=alpha, num_iterations=iterations)
    model.fit(X, Y, parameters=start)
    end = model.parameters_
    propagate: Any = dk.shallow_propagate
    return {
        "slope": float((1 - A1**2).mean()),
        "flat": float(np.mean(1 - A1**2 < FLAT)),
        "distinct": distinct(end["W1"]),
        "moved": float(np.max(np.abs(end["W1"] - start["W1"]))),
        "costs": [*model.costs_, propagate(*end.values(), X, Y)[-1]],
        "accuracy": model.score(X, Y),
        "end": end,
    }


def refused_draw() -> str:
    """Return NumPy's error message for np.random.rand((2, 2)), which some notes write."""
    try:
        np.random.RandomState(SEED).rand((2, 2))  # type: ignore[call-overload]
    except TypeError as error:
        return f"TypeError: {error}"
    return "no complaint"


def _checks(found: Mapping[str, Any]) -> tuple[Check, ...]:
    zero, equal, small, large = found.values()
    uniform = np.random.RandomState(SEED).rand(1000)
    return (
        Check(
            "From zero, no weight ever moves",
            zero["moved"] == 0,
            f"cost {number(zero['costs'][0], 4)} at the start, {number(zero['costs'][-1], 4)} at the end",
        ),
        Check(
            "From equal weights the hidden units move, and stay equal as if they were one",
            equal["distinct"] == 1 and equal["moved"] > 0,
            f"they moved by up to {number(equal['moved'], 3)}",
        ),
        Check(f"From small random weights all {UNITS} become different", small["distinct"] == UNITS),
        Check(
            "Large weights saturate tanh, most slopes are next to nothing",
            large["flat"] > 0.5 > small["flat"],
            f"{percent(large['flat'])} of g'(Z1) are below {FLAT:g}, with small weights "
            f"{percent(small['flat'])}",
        ),
        Check(
            "Small random weights get furthest",
            small["costs"][-1] < min(each["costs"][-1] for each in (zero, equal, large)),
            f"last cost {number(small['costs'][-1], 4)}",
        ),
        Check(
            "rand draws between 0 and 1, never negative",
            bool(uniform.min() >= 0),
            f"mean of 1,000 draws {number(uniform.mean(), 3)}",
        ),
    )


def run(alpha: float = RATE, iterations: int = STEPS, seed: int = SEED, units: int = UNITS) -> Result:
    found = {name: observe(start, alpha, iterations) for name, start in starts(seed, units).items()}
    zero, equal, small, large = found.values()
    flower = data.flower()
    X, Y = flower.X_train, flower.Y_train
    return Result(
        sections=(
            Table(
                f"{units:,} tanh units on the flower, {iterations:,} steps of α = {alpha:g}",
                (
                    "weights begin as",
                    "mean g'",
                    f"share of g' < {FLAT:g}",
                    "different units in the end",
                    "first cost",
                    "last cost",
                    "accuracy",
                ),
                tuple(
                    (
                        name,
                        number(each["slope"], 3),
                        percent(each["flat"]),
                        str(each["distinct"]),
                        *(number(each["costs"][i], 4) for i in (0, -1)),
                        percent(each["accuracy"]),
                    )
                    for name, each in found.items()
                ),
            ),
            Listing("np.random.rand((2, 2)), as some students' notes write it", refused_draw()),
            on_backends(
                "The gradients of one step",
                lambda backend: backend.shallow_propagate(*small["end"].values(), X, Y),
            ),
        ),
        checks=_checks(found),
        lessons=(
            "Equal units get equal gradients, so something must tell them apart: chance. Small, since tanh "
            "is steepest around 0.",
            "Biases may begin at zero: once the weights differ, so do the units.",
        ),
        alternative=(
            f"Four curves of the cost over {iterations:,} steps. From zero weights it stays at "
            f"{number(zero['costs'][-1], 3)}; from equal ones it ends at {number(equal['costs'][-1], 3)}, "
            f"from small random ones at {number(small['costs'][-1], 3)}, from large ones at "
            f"{number(large['costs'][-1], 3)}, having begun at {number(large['costs'][0], 3)}."
        ),
        values={"iterations": iterations, "found": found, "refused": refused_draw()},
    )


def plot(result: Result) -> Any:
    from ._pictures import BLUE, GREEN, GREY, ORANGE, figure, lines

    drawn, panel = figure(3.8)
    styles: tuple[dict[str, Any], ...] = (
        {"color": GREY, "linestyle": (0, (5, 3))},
        {"color": ORANGE},
        {"color": BLUE},
        {"color": GREEN, "linestyle": (0, (1, 1))},
    )
    for (name, each), style in zip(result.values["found"].items(), styles, strict=True):
        steps = [min(100 * i, result.values["iterations"]) for i in range(len(each["costs"]))]
        panel.plot(steps, each["costs"], label=name, linewidth=2, **style)
    panel.set(
        yscale="log", xlabel="step", ylabel="cost, logarithmic scale", title="The cost from four starts"
    )
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    lines(panel)
    panel.legend(
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.45, -0.16),
        ncols=4,
        columnspacing=1.0,
        handlelength=1.8,
    )
    return drawn


EXPERIMENT = Experiment(
    name="weights",
    title="Initial weights",
    question="Why do weights begin random and small, and neither at zero nor large?",
    part=NETWORKS,
    formulas=(
        Formula(
            r"W^{[l]} = 0.01 \cdot \mathrm{randn}(n^{[l]}, n^{[l-1]}), \quad b^{[l]} = 0",
            "W = 0.01 · randn(n, n_prev),  b = 0",
        ),
        Formula(
            r"W^{[1]} = 0 \text{ or equal rows} \;\Rightarrow\; a^{[1]}_1 = a^{[1]}_2, "
            r"\quad dz^{[1]}_1 = dz^{[1]}_2",
            "equal rows of W[1] ⇒ units 1 and 2 stay equal: a[1]₁ = a[1]₂,  dz[1]₁ = dz[1]₂",
        ),
    ),
    run=run,
    plot=plot,
    slips=(
        "Some students' notes draw with rand, which is uniform between 0 and 1. The course's results come "
        "from randn, normal around 0.",
        "np.random.rand takes sizes one by one, rand(2, 2); with a pair in parentheses it is an error.",
    ),
)
