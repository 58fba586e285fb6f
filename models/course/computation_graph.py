"""The computation graph of the notes: J = 3(a + bc), forward for values, backward for derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlkernels import graph

from ._experiment import REGRESSION, Check, Experiment, Formula, Listing, Result, Table
from ._numbers import number

A, B, C, NUDGE = 5.0, 3.0, 2.0, 0.001
#: dJ/dvar for each variable, as in the notes.
NOTES = {"v": 3, "a": 3, "u": 3, "b": 6, "c": 9}
#: One example of logistic regression: x1, x2, y, w1, w2, b.
EXAMPLE = (1.0, 2.0, 1.0, 0.5, -1.0, 0.25)


def formula(a: float = A, b: float = B, c: float = C) -> Any:
    """Return the graph of J, and its other nodes in the order in which the notes go through them."""
    first, second, third = graph.variable(a, "a"), graph.variable(b, "b"), graph.variable(c, "c")
    u = (second * third).named("u")
    v = (first + u).named("v")
    J = (3 * v).named("J")
    return J, {"v": v, "a": first, "u": u, "b": second, "c": third}


def regression() -> tuple[Any, dict[str, Any]]:
    """Return the graph of the loss of one example, and its other nodes by name."""
    x1, x2, y, *parameters = EXAMPLE
    w1, w2, b = (
        graph.variable([[value]], name) for value, name in zip(parameters, ("w1", "w2", "b"), strict=True)
    )
    z = (w1 * x1 + w2 * x2 + b).named("z")
    a = graph.sigmoid(z).named("a")
    L = graph.binary_cross_entropy(a, [[y]]).named("L")
    return L, {"w1": w1, "w2": w2, "b": b, "z": z, "a": a}


def nudged(name: str) -> tuple[float, float]:
    """Nudge a, b, c, u or v; return its new value, and J with it."""
    if name in ("a", "b", "c"):
        start = {"a": A, "b": B, "c": C}
        start[name] += NUDGE
        return start[name], formula(**start)[0].value.item()
    if name == "u":
        return B * C + NUDGE, 3 * (A + (B * C + NUDGE))
    return A + B * C + NUDGE, 3 * (A + B * C + NUDGE)


#: Each derivative by the chain rule, from the derivative of the node to its right.
CHAINS = {
    "v": "dJ/dv",
    "a": "dJ/dv dv/da = 3 · 1",
    "u": "dJ/dv dv/du = 3 · 1",
    "b": "dJ/du du/db = 3 · c",
    "c": "dJ/du du/dc = 3 · b",
}


def _by_nudging(found: Mapping[str, Any]) -> Table:
    rows = tuple(
        (
            name,
            number(found["start"][name]),
            number(value),
            number(J, 8),
            number((J - found["J"]) / NUDGE),
            CHAINS[name],
            number(found["derivatives"][name]),
        )
        for name, (value, J) in found["nudged"].items()
    )
    return Table(
        f"Right to left by the chain rule, and by nudging each variable by {NUDGE:g}",
        ("", "value", "nudged", "J then", "change / 0.001", "chain rule", "dvar"),
        rows,
    )


def _checks(found: Mapping[str, Any]) -> tuple[Check, ...]:
    derivatives, slopes, moved, start = (found[name] for name in ("derivatives", "slopes", "nudged", "start"))
    a, (x1, x2, y, *_) = found["a"], EXAMPLE
    expected = {"z": a - y, "w1": x1 * (a - y), "w2": x2 * (a - y), "b": a - y}
    return (
        Check(
            "J is 33, as in the notes",
            found["J"] == 33,
            f"u = {number(start['u'])}, v = {number(start['v'])}, J = {number(found['J'])}",
        ),
        Check("The derivatives are those of the notes", derivatives == NOTES, _named(derivatives)),
        Check(
            "a = 5.001 gives J = 33.003, and so does u = 6.001",
            max(abs(moved[name][1] - 33.003) for name in ("a", "u")) < 1e-9,
            f"J = {number(moved['a'][1], 8)} and {number(moved['u'][1], 8)}",
        ),
        Check(
            "In the graph of the loss, dz = a - y, dw1 = x1 dz, dw2 = x2 dz and db = dz",
            max(abs(slopes[name] - value) for name, value in expected.items()) < 1e-12,
            _named({name: slopes[name] for name in expected}),
        ),
    )


def _named(derivatives: Mapping[str, float]) -> str:
    return ", ".join(f"d{name} = {number(value)}" for name, value in derivatives.items())


def run() -> Result:
    J, nodes = formula()
    J.backward()
    L, loss_nodes = regression()
    L.backward()
    found = {
        "node": J,
        "J": J.value.item(),
        "start": {name: node.value.item() for name, node in nodes.items()},
        "derivatives": {name: float(node.grad) for name, node in nodes.items()},
        "nudged": {name: nudged(name) for name in nodes},
        "a": loss_nodes["a"].value.item(),
        "slopes": {name: float(node.grad.item()) for name, node in loss_nodes.items()},
    }
    x1, x2, y, *_ = EXAMPLE
    return Result(
        sections=(
            Listing(f"J = 3(a + bc) at a = {A:g}, b = {B:g}, c = {C:g}; dvar is dJ/dvar", J.table()),
            _by_nudging(found),
            Listing(f"The loss of one example: x1 = {x1:g}, x2 = {x2:g}, y = {y:g}", L.table()),
        ),
        checks=_checks(found),
        lessons=(
            "Values are computed from left to right, derivatives from right to left: each is the one "
            "further right times a factor that needs only its own node.",
            "dvar is short for dJ/dvar, the derivative of the last node; it is not a small change of var.",
            "Graphs of your own: `from dlkernels import graph`, then write the formula with "
            "`graph.variable`.",
        ),
        alternative=(
            "The computation graph of J: b and c lead to u = b * c, a and u to v = a + u, v to J = 3 * v. "
            f"Above each node its value, below it its derivative: {_named(found['derivatives'])}."
        ),
        values=found,
    )


def plot(result: Result) -> Any:
    return result.values["node"].picture()


EXPERIMENT = Experiment(
    name="graph",
    title="The computation graph",
    question="How do derivatives come out of a formula when one goes through it backwards?",
    part=REGRESSION,
    formulas=(
        Formula(r"J(a, b, c) = 3(a + bc)", "J(a, b, c) = 3(a + bc)"),
        Formula(r"u = bc, \quad v = a + u, \quad J = 3v", "u = bc,  v = a + u,  J = 3v"),
        Formula(
            r"\frac{dJ}{db} = \frac{dJ}{dv} \cdot \frac{dv}{du} \cdot \frac{du}{db}",
            "dJ/db = dJ/dv · dv/du · du/db",
        ),
    ),
    run=run,
    plot=plot,
)
