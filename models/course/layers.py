"""L layers: the dimensions of every array, and one vector that holds all parameters."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

import dlkernels as dk
from dlkernels import backends

from . import _networks
from ._experiment import DEEP, Check, Experiment, Formula, Listing, Result, Table
from ._numbers import as_published, number, same_numbers, shape
from ._timing import in_turns, verdict

#: The network of the course's exercise, from the numbers of an image to a cat or none; and the examples here.
SIZES, M, SEED, ALPHA = (12288, 20, 7, 5, 1), 2, 1, 0.001
#: The sizes of the smaller network of the exercise before, and the A[L] that the course publishes for it.
SMALL, PUBLISHED = (5, 4, 3, 1), (0.03921668, 0.70498921, 0.19734387, 0.04728177)
NO_COMPLAINT = "no complaint"
#: The picture names every layer if there are at most so many.
DRAWN = 6


def examples(sizes: tuple[int, ...]) -> tuple[Any, Any]:
    random = np.random.default_rng(2)
    return random.uniform(size=(sizes[0], M)), (random.uniform(size=(sizes[-1], M)) > 0.5).astype(float)


def with_backend(name: str, theta: Any, sizes: tuple[int, ...], X: Any) -> Any:
    return backends.get(name).network_forward(theta, sizes, X)


def ways(theta: Any, sizes: tuple[int, ...], X: Any) -> dict[str, Callable[[], Any]]:
    views = dk.network_views(theta, sizes)
    return {
        "per node": partial(_networks.deep_per_node, views, X),
        "layer by layer (NumPy)": partial(_networks.deep, views, X),
        "python backend": partial(with_backend, "python", theta, sizes, X),
        "compiled (Numba)": partial(with_backend, "numba", theta, sizes, X),
    }


def small_network() -> tuple[Any, Any, Any]:
    """Return theta, X and Y of the course's exercise; its labels are free to choose."""
    random = np.random.RandomState(6)
    X, theta = random.randn(5, 4), np.zeros(dk.num_parameters(SMALL))
    for W, b in dk.network_views(theta, SMALL):
        W[:], b[:] = random.randn(*W.shape), random.randn(*b.shape)
    return theta, X, np.array([[0.0, 1.0, 1.0, 0.0]])


def wrong_calls(theta: Any, sizes: tuple[int, ...], X: Any) -> dict[str, Callable[[], Any]]:
    """Return calls with a vector, examples or activations that don't fit the sizes."""
    forward: Any = dk.network_forward
    return {
        "network_forward(theta[1:], sizes, X)": lambda: forward(theta[1:], sizes, X),
        "network_forward(theta, sizes, X.T)": lambda: forward(theta, sizes, X.T),
        'network_forward(..., ("relu",))': lambda: forward(theta, sizes, X, ("relu",)),
        "network_views(theta, sizes[1:])": lambda: dk.network_views(theta, sizes[1:]),
    }


def complaint(call: Callable[[], Any]) -> str:
    try:
        call()
    except ValueError as error:
        return str(error)
    return NO_COMPLAINT


def one_update(theta: Any, gradient: Any, sizes: tuple[int, ...]) -> list[tuple[str, float, float]]:
    """Update a copy of the vector; return the sum of each W before and after, seen by views."""
    moved = theta.copy()
    views = dk.network_views(moved, sizes)
    before = [W.sum().item() for W, _ in views]
    moved -= ALPHA * gradient
    after = [W.sum().item() for W, _ in views]
    return [(f"W[{layer}]", *each) for layer, each in enumerate(zip(before, after, strict=True), 1)]


def _measured(sizes: tuple[int, ...]) -> dict[str, Any]:
    theta = dk.network_parameters(sizes, seed=SEED)
    X, Y = examples(sizes)
    views = dk.network_views(theta, sizes)
    A, forward = X, []
    for layer, (W, b) in enumerate(views, 1):
        Z = W @ A + b
        A = np.maximum(0, Z) if layer < len(views) else 1 / (1 + np.exp(-Z))
        forward.append((Z, A))
    gradients = {name: backends.get(name).network_propagate(theta, sizes, X, Y)[0] for name in backends.NAMES}
    by_notes = np.concatenate(
        [part.ravel() for pair in _networks.deep_gradients(views, X, Y) for part in pair]
    )
    return {
        "sizes": sizes,
        "theta": theta,
        "views": views,
        "forward": forward,
        "backward": dk.network_views(gradients["numba"], sizes),
        "gradients": {"the notes' formulas": by_notes} | gradients,
        "moved": one_update(theta, gradients["numba"], sizes),
        "results": {name: way() for name, way in ways(theta, sizes, X).items()},
        "complaints": {name: complaint(call) for name, call in wrong_calls(theta, sizes, X).items()},
    }


def _places(found: Mapping[str, Any]) -> list[tuple[str, Any, int]]:
    """Return the name of each W and b, the array, and where it begins in theta."""
    places, begin = [], 0
    for layer, pair in enumerate(found["views"], 1):
        for name, array in zip("Wb", pair, strict=True):
            places.append((f"{name}[{layer}]", array, begin))
            begin += array.size
    return places


def _tables(found: Mapping[str, Any]) -> tuple[Table | Listing, ...]:
    sizes, theta = found["sizes"], found["theta"]
    dimensions = zip(found["views"], found["forward"], found["backward"], strict=True)
    return (
        Table(
            f"Dimensions for L = {len(sizes) - 1}, {M} examples; A[0] is X, {(sizes[0], M)}",
            ("", "W[l]", "dW[l]", "b[l], db[l]", "Z[l], A[l]"),
            tuple(
                (f"l = {layer}", shape(W), shape(dW), shape(b), shape(Z))
                for layer, ((W, b), (Z, _), (dW, _)) in enumerate(dimensions, 1)
            ),
        ),
        Table(
            f"theta, {shape(theta)}, holds all of them; W[l] and b[l] are views of it",
            ("", "shape", "theta[from : to]", "numbers"),
            tuple(
                (name, shape(array), f"{begin} : {begin + array.size}", f"{array.size:,}")
                for name, array, begin in _places(found)
            ),
        ),
        Table(
            f"After theta -= {ALPHA:g} * gradient, which names no W",
            ("", "sum before", "sum after"),
            tuple((name, number(before, 8), number(after, 8)) for name, before, after in found["moved"]),
        ),
        Listing("Forward: a loop over the layers stays", inspect.getsource(_networks.deep).rstrip()),
        Listing("Backward", inspect.getsource(_networks.deep_gradients).rstrip()),
        Table(
            "A[L] of the examples, its first row",
            ("", *(f"example {i + 1}" for i in range(M))),
            tuple((name, *(number(a, 10) for a in A[0])) for name, A in found["results"].items()),
        ),
        Table(
            "What the functions here say if something doesn't fit",
            ("call", "error"),
            tuple(found["complaints"].items()),
        ),
    )


def _checks(found: Mapping[str, Any]) -> tuple[Check, ...]:
    sizes, theta = found["sizes"], found["theta"]
    small, X, Y = small_network()
    propagate: Any = dk.network_propagate
    checked = dk.check_gradients(
        lambda p: propagate(p[0], SMALL, X, Y)[-1], [small], [propagate(small, SMALL, X, Y)[0]]
    )
    rule = [((n, n_prev), (n, 1)) for n_prev, n in itertools.pairwise(sizes)]
    return (
        Check(
            "W[l] is (n[l], n[l-1]), b[l] is (n[l], 1), and Z[l] and A[l] are (n[l], m)",
            [(W.shape, b.shape) for W, b in found["views"]] == rule
            and [(Z.shape, A.shape) for Z, A in found["forward"]] == [((n, M), (n, M)) for n in sizes[1:]],
        ),
        Check(
            "dW[l] and db[l] have the shapes of W[l] and b[l]",
            [(dW.shape, db.shape) for dW, db in found["backward"]] == rule,
        ),
        Check(
            "Every W and b shares the memory of theta, and an update of theta moves all of them",
            all(np.shares_memory(array, theta) for pair in found["views"] for array in pair)
            and all(before != after for _, before, after in found["moved"]),
        ),
        same_numbers(
            f"All {len(found['results'])} ways give the same A[L]", list(found["results"].values()), 1e-12
        ),
        same_numbers(
            f"All {len(found['gradients'])} ways give the same gradients",
            list(found["gradients"].values()),
            1e-12,
        ),
        Check(
            "The gradients are the slopes of the cost by nudging",
            checked.relative_difference < 1e-6,
            f"relative difference {checked.relative_difference:.1e}",
        ),
        *(
            as_published(
                f"A[3] of the course's exercise on {name}", with_backend(name, small, SMALL, X), PUBLISHED, 8
            )
            for name in backends.NAMES
        ),
        Check(
            f"All {len(found['complaints'])} wrong calls are refused",
            NO_COMPLAINT not in found["complaints"].values(),
        ),
    )


def run(sizes: tuple[int, ...] = SIZES) -> Result:
    found = _measured(sizes)
    timings = in_turns("A[L] of one example", ways(found["theta"], sizes, examples(sizes)[0][:, :1]))
    return Result(
        sections=(*_tables(found), timings),
        checks=_checks(found),
        lessons=(
            "The loops over examples, units and features go, as in two layers. The loop over layers stays: "
            "Z[l] needs A[l-1].",
            "All parameters are one vector: an optimizer updates it in one loop, and a file holds it as one "
            "array. The W and b of the formulas are views of it, and cost no copy.",
            f"Here {verdict(timings)}.",
        ),
        alternative=(
            f"The network's layers as columns, {' to '.join(f'{n:,}' for n in sizes)} units, with the "
            "shape of each W between them. Below, theta as a bar, divided into the parts that are W and b of "
            "each layer."
        ),
        values=found,
    )


def _draw_layers(panel: Any, sizes: tuple[int, ...]) -> None:
    """Draw a column for each layer, as high as the logarithm of its units, and the shape of W between two."""
    from ._pictures import BLUE, GREY, ORANGE

    last = len(sizes) - 1
    heights = [0.5 + np.log2(n) / np.log2(max(*sizes, 2)) for n in sizes]
    colours = [GREY, *(BLUE for _ in sizes[1:-1]), ORANGE]
    panel.bar(range(last + 1), heights, bottom=[-h / 2 for h in heights], width=0.3, color=colours)
    for layer, n in enumerate(sizes):
        if layer:
            arrow = {"arrowstyle": "-|>", "color": GREY, "linewidth": 1.2}
            panel.annotate("", (layer - 0.17, 0), (layer - 0.83, 0), arrowprops=arrow)
        if last > DRAWN and layer not in (0, 1, last):
            continue
        panel.text(layer, -0.85, f"A[{layer}]\n({n}, m)", ha="center", va="top", fontsize=8.5)
        if layer:
            words = f"W[{layer}]\n({n}, {sizes[layer - 1]})"
            panel.text(layer - 0.5, 0.82, words, ha="center", va="bottom", fontsize=8.5)
    panel.set(xlim=(-0.6, last + 0.6), ylim=(-1.3, 1.25), title=f"L = {last}: A[0], the input, isn't counted")
    panel.set_axis_off()


def _draw_theta(panel: Any, places: list[tuple[str, Any, int]]) -> None:
    """Draw theta as a bar. Its parts grow with the logarithms of their sizes, to leave room for each b."""
    from ._pictures import BLUE, GREY, ORANGE

    lengths = [5 + np.log2(array.size) for _, array, _ in places]
    starts = np.cumsum([0, *lengths])
    panel.barh(
        [0] * len(places), lengths, left=starts[:-1], height=0.5, edgecolor="white", linewidth=1.5,
        color=[BLUE if name[0] == "W" else ORANGE for name, _, _ in places],
    )  # fmt: skip
    if len(places) <= 2 * DRAWN:
        for (name, array, _), start, length in zip(places, starts, lengths, strict=False):
            middle = start + length / 2
            panel.text(middle, 0.32, name, ha="center", va="bottom", fontsize=8.5)
            panel.text(middle, -0.32, f"{array.size:,}", ha="center", va="top", fontsize=8.5, color=GREY)
    panel.set(xlim=(0, starts[-1]), ylim=(-0.7, 0.75), title="theta: how many numbers of it are in each")
    panel.set_axis_off()


def plot(result: Result) -> Any:
    from ._pictures import figure

    drawn, (above, below) = figure(4.4, rows=2, height_ratios=(5, 2))
    _draw_layers(above, result.values["sizes"])
    _draw_theta(below, _places(result.values))
    return drawn


EXPERIMENT = Experiment(
    name="layers",
    title="L layers and their dimensions",
    question="Which shapes do the arrays of L layers have, and how are they one vector?",
    part=DEEP,
    formulas=(
        Formula(
            r"Z^{[l]} = W^{[l]} A^{[l-1]} + b^{[l]}, \quad A^{[l]} = g^{[l]}(Z^{[l]}), \quad A^{[0]} = X",
            "Z[l] = W[l] A[l-1] + b[l],  A[l] = g(Z[l]),  A[0] = X",
        ),
        Formula(
            r"W^{[l]}, dW^{[l]} : (n^{[l]}, n^{[l-1]}), \quad b^{[l]}, db^{[l]} : (n^{[l]}, 1), "
            r"\quad Z^{[l]}, A^{[l]} : (n^{[l]}, m)",
            "W[l], dW[l]: (n[l], n[l-1]);  b[l], db[l]: (n[l], 1);  Z[l], A[l]: (n[l], m)",
        ),
        Formula(
            r"dW^{[l]} = \frac{1}{m} dZ^{[l]} A^{[l-1] T}, "
            r"\quad dZ^{[l-1]} = W^{[l] T} dZ^{[l]} * g^{[l-1] \prime}(Z^{[l-1]})",
            "dW[l] = 1/m dZ[l] A[l-1]ᵀ,  dZ[l-1] = W[l]ᵀ dZ[l] * g'(Z[l-1])",
        ),
        Formula(
            r"\theta = (W^{[1]}, b^{[1]}, W^{[2]}, b^{[2]}, \dots, W^{[L]}, b^{[L]})",
            "theta = (W[1], b[1], W[2], b[2], ..., W[L], b[L]), each W row by row",
        ),
    ),
    run=run,
    plot=plot,
)
