"""Every library computes the same in every work of the peers' table; the command says what it compared."""

from __future__ import annotations

import dataclasses
import importlib.util
import json

import numpy as np
import pytest

pytest.importorskip("asv_benchmarks", reason="the benchmarks lie beside the package, in the repository only")

from asv_benchmarks import libraries, peers
from asv_benchmarks.works import GROUPS, LEARNING_RATE, WORKS, arrays


def small(work):
    """The same work with little to do."""
    limits = {"elementwise": 50, "calls": 50, "fit": 30}
    shape = tuple(min(length, limits.get(work.group, 40)) for length in work.shape)
    return dataclasses.replace(work, shape=shape, steps=min(work.steps, 5))


def values(result):
    """Everything in a result, as float64 arrays: first arrays, then single numbers."""
    found = []
    for value in result if isinstance(result, list | tuple) else [result]:
        found += values(value) if isinstance(value, list | tuple) else [np.asarray(value, np.float64).ravel()]
    return sorted(found, key=lambda array: (-array.size, float(np.abs(array).sum())))


SMALL = [small(work) for work in WORKS]


@pytest.mark.parametrize("library", libraries.PEERS)
@pytest.mark.parametrize("work", [w for w in SMALL if w.operation != "fit"], ids=lambda w: w.title)
def test_all_compute_the_same(work, library):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    given = arrays(work, "float64")
    (ours,) = libraries.module(libraries.OURS).build(work, given)
    expected = values(ours())
    for form in libraries.module(library).build(work, arrays(work, "float64")):
        for actual, wanted in zip(values(form()), expected, strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("library", libraries.PEERS)
@pytest.mark.parametrize("work", [w for w in SMALL if w.operation == "fit"], ids=lambda w: w.title)
def test_fits_end_at_the_same_parameters(work, library):
    """Ours returns the cost and updates the parameters in place; the others return the parameters."""
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    import dlkernels as dk

    given = arrays(work, "float64")
    parameters = [given[key].copy() for key in ("W1", "b1", "W2", "b2")]
    module = libraries.module(library)
    dk.shallow_descent(*parameters, given["X"], given["Y"], LEARNING_RATE, work.steps)
    for form in module.build(work, given):
        for actual, wanted in zip(values(form()), values(parameters), strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("limit", ["copy", "read", "fma"])
def test_limits_run(limit):
    work = next(work for work in SMALL if work.limit == limit)
    for form in libraries.module(libraries.LIMIT).build(work, arrays(work, "float32")):
        form()


def test_every_group_has_works():
    assert {work.group for work in WORKS} == set(GROUPS)


def test_the_command_compares_and_names_who_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(peers, "PEERS", ("numpy", "a_library_nobody_has"))
    monkeypatch.setattr(peers, "BUDGETS", {"quick": (0.001, 3)})
    file = tmp_path / "figures.json"
    options = ["small", "--only", "dense_forward 4 x 2", "--dtype", "float32", "--quick", "--threads", "1"]
    assert peers.main([*options, "--json", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "a_library_nobody_has is not installed" in printed
    assert "Geometric mean" in printed
    written = json.loads(file.read_text())
    assert written["threads"] == 1
    assert [row["work"] for row in written["rows"]] == ["dense_forward 4 x 2 x 400"]
    for row in written["rows"]:
        assert row["errors"] == {}
        assert row["ratios"]["numpy"] > 0
        assert row["seconds"]["dlkernels"] > 0


class Clock:
    """Stands in for a process: each turn takes the next of these seconds."""

    def __init__(self, name, *turns):
        self.name, self.turns = name, iter(turns)

    def ask(self, **command):
        if self.name == "broken":
            return {"error": "no"}
        return {"ok": True} if "prepare" in command else {"seconds": next(self.turns)}


def test_a_ratio_is_how_many_times_our_time_a_peer_takes(monkeypatch):
    """The median within rounds: a machine twice as slow in one round changes nothing."""
    monkeypatch.setattr(peers, "PAUSE", 0)
    clocks = [Clock("dlkernels", 1.0, 2.0, 1.0), Clock("numpy", 3.0, 6.0, 3.0), Clock("torch", 2.0, 4.0, 2.0)]
    row = peers.compare(0, "float32", [*clocks, Clock("broken")], budget=1.0, rounds=3)
    assert row["ratios"] == {"numpy": 3.0, "torch": 2.0}
    assert row["seconds"] == {"dlkernels": 1.0, "numpy": 3.0, "torch": 2.0}
    assert row["errors"] == {"broken": "no"}
    assert peers.fastest_peer(row) == ("torch", 2.0)


def test_a_work_that_fails_is_reported(capsys):
    row = {
        "group": "small", "work": "dense_forward", "dtype": "float32", "target": 1.5, "limited_by": "",
        "seconds": {"dlkernels": 1e-6, "numpy": 2e-6}, "ratios": {"numpy": 2.0}, "errors": {"torch": "no"},
    }  # fmt: skip
    from rich.console import Console

    peers.report([row], ["numpy", "torch"], Console(width=120))
    printed = capsys.readouterr().out
    assert "2.00x numpy" in printed
    assert "torch: no" in printed
    assert "1 of 1 rows reach their target" in printed
