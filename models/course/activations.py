"""Four activations, their derivatives, and where the derivatives are so small that learning slows down."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

import dlkernels as dk
from dlkernels import backends, data

from .. import ShallowNetwork
from ._experiment import NETWORKS, Check, Experiment, Formula, Result, Table
from ._numbers import as_published, number, percent
from ._timing import in_turns

NAMES = ("sigmoid", "tanh", "relu", "leaky_relu")
TITLES = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU", "leaky_relu": "leaky ReLU"}
PLACES = (-10.0, -5.0, -2.0, 0.0, 2.0, 5.0, 10.0)
STEPS, RATE, SEED, UNITS = 1000, 1.2, 3, 4


def value(name: str, Z: Any) -> Any:
    """g(Z)."""
    return getattr(dk, name)(Z)


def derivative(name: str, Z: Any) -> Any:
    """g'(Z): the result of the backward function for dA = 1."""
    return getattr(dk, f"{name}_backward")(np.ones_like(Z), getattr(dk, name)(Z), Z=Z)


def off_by_nudging(name: str) -> float:
    """Return how far the derivatives are from central differences, except at 0, where ReLU has a kink."""
    Z = np.array([z for z in PLACES if z != 0])
    return float(np.max(np.abs((value(name, Z + 1e-6) - value(name, Z - 1e-6)) / 2e-6 - derivative(name, Z))))


def trained(name: str, alpha: float, iterations: int, seed: int, units: int) -> dict[str, float]:
    """Train a network of such units on the flower; return its cost and accuracy."""
    flower = data.flower()
    model = ShallowNetwork(units, activation=name, seed=seed, learning_rate=alpha, num_iterations=iterations)
    model.fit(flower.X_train, flower.Y_train)
    propagate: Any = dk.shallow_propagate
    return {
        "cost": propagate(*model.parameters_.values(), flower.X_train, flower.Y_train, name)[-1],
        "accuracy": model.score(flower.X_train, flower.Y_train),
    }


def _tables(found: Mapping[str, Any]) -> tuple[Table, ...]:
    Z = np.array(PLACES)
    header = ("z", *(number(z) for z in PLACES))
    return (
        Table(
            "g(z)", header, tuple((TITLES[name], *(number(v, 4) for v in value(name, Z))) for name in NAMES)
        ),
        Table(
            "g'(z)",
            header,
            tuple((TITLES[name], *(number(v, 3) for v in found["slopes"][name])) for name in NAMES),
        ),
        Table(
            f"As hidden units, {found['training']}",
            ("", "mean of g(z), z random around 0", "cost", "training accuracy"),
            tuple(
                (
                    TITLES[name],
                    f"{found['means'][name]:.3f}",
                    f"{each['cost']:.4f}",
                    percent(each["accuracy"]),
                )
                for name, each in found["networks"].items()
            ),
        ),
    )


def _checks(found: Mapping[str, Any]) -> tuple[Check, ...]:
    slopes, means = found["slopes"], found["means"]
    at_zero, at_ten = PLACES.index(0), PLACES.index(10)
    return (
        as_published(
            "sigmoid of 0 and 2 is that of the course's exercise", dk.sigmoid([0, 2]), (0.5, 0.88079708), 8
        ),
        as_published("sigmoid of 3 is that of the course's exercise", dk.sigmoid(3), 0.9525741268224334, 15),
        as_published(
            "sigmoid of ((2.5, -2.5), (0, 1)) is that of the course's exercise",
            dk.sigmoid([[2.5, -2.5], [0, 1]]).ravel(),
            (0.92414182, 0.07585818, 0.5, 0.73105858),
            8,
        ),
        Check(
            "The derivatives are those by nudging", found["off"] < 1e-8, f"at most {found['off']:.1e} apart"
        ),
        *(
            Check(
                f"{name} saturates, at z = 10 next to nothing of its slope is left",
                slopes[name][at_ten] < 1e-3 * slopes[name][at_zero],
                f"{number(slopes[name][at_ten], 3)} of {number(slopes[name][at_zero])}",
            )
            for name in ("sigmoid", "tanh")
        ),
        Check(
            "tanh is centred and sigmoid isn't",
            abs(means["tanh"]) < 0.01 and abs(means["sigmoid"] - 0.5) < 0.01,
            f"means {means['tanh']:.3f} and {means['sigmoid']:.3f}",
        ),
    )


def run(alpha: float = RATE, iterations: int = STEPS, seed: int = SEED, units: int = UNITS) -> Result:
    normal = np.random.default_rng(1).normal(size=(1, 100_000))
    found: dict[str, Any] = {
        "slopes": {name: derivative(name, np.array(PLACES)) for name in NAMES},
        "means": {name: float(value(name, normal).mean()) + 0.0 for name in NAMES},
        "networks": {name: trained(name, alpha, iterations, seed, units) for name in NAMES},
        "training": f"{units:,} of them on the flower, {iterations:,} steps of α = {alpha:g}",
        "off": max(off_by_nudging(name) for name in NAMES),
    }
    furthest = min(NAMES, key=lambda name: np.nan_to_num(found["networks"][name]["cost"], nan=np.inf))
    return Result(
        sections=(
            *_tables(found),
            *(
                in_turns(
                    f"{TITLES[name]} of 100,000 numbers",
                    {each: partial(getattr(backends.get(each), name), normal) for each in backends.NAMES},
                )
                for name in NAMES[:3]
            ),
        ),
        checks=_checks(found),
        lessons=(
            "Hidden units: tanh rather than sigmoid, since its values lie around 0; ReLU where z may be "
            "large, since its slope stays 1. An output of yes or no: sigmoid, since it lies between 0 and "
            "1.",
            f"On the flower, from this start and in {iterations:,} steps, {TITLES[furthest]} units get "
            "furthest. Other data and other starts have other winners: try.",
            "At z = 0 ReLU has no derivative. The lecture's table takes 1, the programming exercise 0, as "
            "PyTorch does. dlkernels takes 1 from Z, and 0 where only A is known, because A is 0 for all "
            "z ≤ 0.",
        ),
        alternative=(
            "Four panels, one for each of sigmoid, tanh, ReLU and leaky ReLU, from z = -5 to 5: g(z) as a "
            "solid line, g'(z) dashed. The slopes of sigmoid and tanh are bumps around 0 that vanish on "
            "both sides; those of ReLU and leaky ReLU are steps at 0."
        ),
        values=found,
    )


def plot(result: Result) -> Any:
    from ._pictures import BLUE, RED, figure, lines

    drawn, panels = figure(5.0, rows=2, columns=2)
    z = np.linspace(-5, 5, 401)
    for panel, name in zip(np.ravel(panels), NAMES, strict=True):
        panel.plot(z, value(name, z), color=BLUE, linewidth=2, label="g(z)")
        slope = derivative(name, z)
        if "relu" in name:
            slope[z == 0] = np.nan  # the slope jumps here: leave a gap instead of a line
        panel.plot(z, slope, color=RED, linewidth=1.8, linestyle=(0, (4, 2)), label="g'(z)")
        panel.set_title(TITLES[name])
        lines(panel)
    drawn.legend(
        *np.ravel(panels)[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False
    )
    return drawn


EXPERIMENT = Experiment(
    name="activations",
    title="Activations and their derivatives",
    question="Which activation for which layer, and why does a saturated unit learn slowly?",
    part=NETWORKS,
    formulas=(
        Formula(
            r"\sigma(z) = \frac{1}{1 + e^{-z}}, \quad \frac{da}{dz} = a (1 - a)",
            "σ(z) = 1 / (1 + e⁻ᶻ),  da/dz = a (1 - a)",
        ),
        Formula(
            r"\tanh(z) = \frac{e^{z} - e^{-z}}{e^{z} + e^{-z}}, \quad \frac{da}{dz} = 1 - a^2",
            "tanh(z) = (eᶻ - e⁻ᶻ) / (eᶻ + e⁻ᶻ),  da/dz = 1 - a²",
        ),
        Formula(
            r"\text{ReLU}(z) = \max(0, z), \quad \frac{da}{dz} = 1 \text{ for } z \ge 0, \text{ else } 0",
            "ReLU(z) = max(0, z),  da/dz = 1 for z ≥ 0, else 0",
        ),
        Formula(
            r"\text{leaky ReLU}(z) = \max(0.01 z, z), "
            r"\quad \frac{da}{dz} = 1 \text{ for } z \ge 0, \text{ else } 0.01",
            "leaky ReLU(z) = max(0.01z, z),  da/dz = 1 for z ≥ 0, else 0.01",
        ),
    ),
    run=run,
    plot=plot,
    slips=(
        "Some students' notes write leaky ReLU with 0.001 and differentiate it with 0.01. It must be the "
        "same number; 0.01 is the default here.",
    ),
)
