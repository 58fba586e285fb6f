"""The forward pass of a two-layer network: per node, per example, vectorised, compiled."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from dlkernels import backends
from dlkernels.reporting import duration

from . import _networks
from ._experiment import NETWORKS, Check, Experiment, Formula, Listing, Result, Table
from ._numbers import as_published, number, same_numbers, shape
from ._timing import in_turns, verdict

N_X, M, SEED, UNITS = 3, 1000, 1, 4
#: The picture shows at most so many hidden units.
DRAWN = 4
#: The parameters of the course's exercise, and the A2 that the course publishes for them.
PUBLISHED_W1 = np.array(
    [
        [-0.00416758, -0.00056267],
        [-0.02136196, 0.01640271],
        [-0.01793436, -0.00841747],
        [0.00502881, -0.01245288],
    ]
)
PUBLISHED_W2 = np.array([[-0.01057952, -0.00909008, 0.00551454, 0.02292208]])
PUBLISHED_B2, PUBLISHED_A2 = np.array([[-1.3]]), (0.21292656, 0.21274673, 0.21295976)


#: The notes' own code, in the order in which it loses its loops.
STAGES: dict[str, Callable[..., Any]] = {
    "per node": _networks.per_node,
    "per example": _networks.per_example,
    "vectorised (NumPy)": _networks.vectorised,
}


def parameters(seed: int, units: int) -> tuple[Any, ...]:
    """Return W1 (units, 3), b1 (units, 1), W2 (1, units), b2 (1, 1)."""
    random = np.random.default_rng(seed)
    return tuple(random.normal(size=size) for size in ((units, N_X), (units, 1), (1, units), (1, 1)))


def with_backend(name: str, *given: Any) -> Any:
    W1, b1, W2, b2, X = given
    backend = backends.get(name)
    return backend.dense_forward(W2, backend.dense_forward(W1, X, b1, "tanh"), b2, "sigmoid")


def published(name: str) -> Any:
    """Compute A2 of the course's exercise on a backend."""
    random = np.random.RandomState(1)
    X, b1 = random.randn(2, 3), random.randn(4, 1)
    return with_backend(name, PUBLISHED_W1, b1, PUBLISHED_W2, PUBLISHED_B2, X)


def _shapes(given: tuple[Any, ...], X: Any) -> Table:
    W1, b1, W2, b2 = given
    Z1 = W1 @ X + b1
    Z2 = W2 @ np.tanh(Z1) + b2
    arrays = {
        "X": (X, "features, examples"),
        "W1": (W1, "hidden units, features"),
        "b1": (b1, "hidden units, 1"),
        "Z1, A1": (Z1, "hidden units, examples"),
        "W2": (W2, "1, hidden units"),
        "b2": (b2, "1, 1"),
        "Z2, A2": (Z2, "1, examples"),
    }
    return Table(
        f"{N_X} features, {len(W1)} hidden units, {M:,} examples; in code, Z1 is Z[1]",
        ("", "shape", "rows, columns"),
        tuple((name, shape(array), words) for name, (array, words) in arrays.items()),
    )


def run(seed: int = SEED, units: int = UNITS) -> Result:
    given = parameters(seed, units)
    X = np.random.default_rng(2).normal(size=(N_X, M))
    ways = {name: partial(way, *given, X) for name, way in STAGES.items()}
    ways |= {
        "python backend": partial(with_backend, "python", *given, X),
        "compiled (Numba)": partial(with_backend, "numba", *given, X),
    }
    results = {name: way() for name, way in ways.items()}
    course = {name: published(name) for name in backends.NAMES}
    timings = in_turns(f"A2 of {M:,} examples", ways)
    return Result(
        sections=(
            _shapes(given, X),
            *(Listing(name, inspect.getsource(way).rstrip()) for name, way in STAGES.items()),
            Table(
                "A2 of the first three examples",
                ("", "example 1", "example 2", "example 3"),
                tuple((name, *(number(value, 10) for value in A2[0, :3])) for name, A2 in results.items()),
            ),
            timings,
        ),
        checks=(
            same_numbers(f"All {len(ways)} give the same A2", list(results.values()), 1e-12),
            *(
                as_published(f"A2 of the course's exercise on {name}", A2, PUBLISHED_A2, 8)
                for name, A2 in course.items()
            ),
            Check(
                "W1 is (4, 3), b1 (4, 1), W2 (1, 4), b2 (1, 1)",
                [np.shape(each) for each in given] == [(4, 3), (4, 1), (1, 4), (1, 1)],
            ),
        ),
        lessons=(
            "Going down a column of A1 the unit changes, going along a row the example does.",
            f"Here, for {M:,} examples, {verdict(timings)}.",
        ),
        alternative=(
            f"A drawing of the network: three inputs, each joined to {units} hidden units, which are joined "
            "to one output; below each layer the shapes of its parameters. Under it, bars of the times: "
            + ", ".join(f"{name} {duration(value)}" for name, value in timings.seconds.items())
            + "."
        ),
        values={"units": units, "results": results, "published": course, "timings": timings},
    )


def plot(result: Result) -> Any:
    from ._pictures import BLUE, GREY, LIBRARIES, ORANGE, bars, figure

    drawn, (above, below) = figure(5.4, rows=2, height_ratios=(3, 2))
    units = result.values["units"]
    layers = (("x", N_X, GREY), ("a⁽¹⁾", min(units, DRAWN), BLUE), ("ŷ", 1, ORANGE))
    places = [
        [(2.2 * column, (count - 1) / 2 - i) for i in range(count)]
        for column, (_, count, _) in enumerate(layers)
    ]
    for left, right in itertools.pairwise(places):
        for start in left:
            for end in right:
                above.plot(*zip(start, end, strict=True), color="#bbbbbb", linewidth=1, zorder=1)
    for (_, _, colour), nodes in zip(layers, places, strict=True):
        above.scatter(*zip(*nodes, strict=True), s=420, color=colour, zorder=2)
    hidden = "hidden layer" if units <= DRAWN else f"hidden layer, {DRAWN} of {units:,}"
    titles = (
        f"input\nX ({N_X}, m)",
        f"{hidden}\nW1 ({units}, {N_X})\nb1 ({units}, 1)",
        f"output\nW2 (1, {units})\nb2 (1, 1)",
    )
    for column, title in enumerate(titles):
        above.text(2.2 * column, -2.15, title, ha="center", va="top", fontsize=10)
    above.set(xlim=(-1, 5.4), ylim=(-3.5, 2), title="Two layers: the input isn't counted")
    above.set_axis_off()
    timings = result.values["timings"]
    colours = {
        "per node": LIBRARIES["python"],
        "per example": LIBRARIES["python"],
        "vectorised (NumPy)": LIBRARIES["numpy"],
        "python backend": LIBRARIES["python"],
        "compiled (Numba)": LIBRARIES["numba"],
    }
    bars(below, timings.seconds, colours)
    below.set_title(timings.title)
    return drawn


EXPERIMENT = Experiment(
    name="forward",
    title="A two-layer network, forward",
    question="How do the two steps of each node, z and g(z), become two products of matrices?",
    part=NETWORKS,
    formulas=(
        Formula(
            r"z^{[1]}_i = w^{[1] T}_i x + b^{[1]}_i, \quad a^{[1]}_i = g(z^{[1]}_i)",
            "node i: z[1]ᵢ = w[1]ᵢᵀ x + b[1]ᵢ,  a[1]ᵢ = g(z[1]ᵢ)",
        ),
        Formula(r"Z^{[1]} = W^{[1]} X + b^{[1]}, \quad A^{[1]} = g(Z^{[1]})", "Z1 = W1 X + b1,  A1 = g(Z1)"),
        Formula(
            r"Z^{[2]} = W^{[2]} A^{[1]} + b^{[2]}, \quad A^{[2]} = \sigma(Z^{[2]})",
            "Z2 = W2 A1 + b2,  A2 = σ(Z2)",
        ),
    ),
    run=run,
    plot=plot,
    slips=(
        "Some students' notes call the activations of the four hidden units a (1, 4) vector. They are a "
        "column, (4, 1).",
        "Some students' notes leave the x out: z = wᵀ + b. It is z = wᵀx + b.",
    ),
)
