"""Every library computes the same in every work of the peers' table; the command says what it compared."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import json
import os
import shutil
import time
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("asv_benchmarks", reason="the benchmarks lie beside the package, in the repository only")

from asv_benchmarks import libraries, peers, worker
from asv_benchmarks.works import ELEMENTWISE, GROUPS, LOGISTIC_FITS, SHALLOW_FITS, WORKS, Work, arrays
from dlkernels.catalogue import COSTS


def small(work):
    """The same work with little to do."""
    limits = {"elementwise": 50, "calls": 50, "fit": 30}
    shape = tuple(min(length, limits.get(work.group, 40)) for length in work.shape)
    return dataclasses.replace(work, shape=shape, steps=min(work.steps, 5), batch=min(work.batch, 16))


def given(work):
    """Arrays; for epochs an order that scikit-learn can draw, too, and steps that change the costs.

    Adam's epsilon is next to nothing, as scikit-learn adds it before the second moment is corrected.
    """
    found = arrays(work, "float64")
    if work.operation in ("train_epoch", "Network"):
        found |= {"random": np.random.RandomState(1), "learning_rate": 1e-2, "epsilon": 1e-30}
    return found


def results(work, build):
    """What each form of a library gives. For epochs: the costs of three, which depend on their updates."""
    inputs = given(work)
    for form in build(work, inputs):
        if work.operation == "train_epoch":
            inputs["random"].seed(1)
            yield [form() for _ in range(3)]
        else:
            yield values(form())


def values(result):
    """Everything in a result, as float64 arrays: first arrays, then single numbers."""
    found = []
    for value in result if isinstance(result, list | tuple) else [result]:
        found += values(value) if isinstance(value, list | tuple) else [np.asarray(value, np.float64).ravel()]
    return sorted(found, key=lambda array: (-array.size, float(np.abs(array).sum())))


SMALL = [small(work) for work in WORKS]
#: What the dashboard computes and the peers' table doesn't.
DASHBOARD = [
    *(
        Work("dashboard", name, (50,))
        for name in ("identity", "identity_backward", "dot", "gradient_descent", *COSTS)
    ),
    *(Work("dashboard", name, (5, 40), steps=5) for name in LOGISTIC_FITS),
    *(Work("dashboard", name, (5, 4, 40), steps=5) for name in SHALLOW_FITS),
    Work("dashboard", "network_propagate", (5, 4, 3, 40)),
    # One batch, because a model draws orders of its own.
    *(Work("dashboard", "Network", (5, 4, classes, 40), steps=5, batch=40) for classes in (1, 3)),
]


@pytest.mark.parametrize("library", libraries.PEERS)
@pytest.mark.parametrize("work", [*SMALL, *DASHBOARD], ids=lambda work: work.title)
def test_all_compute_the_same(work, library):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    (expected,) = results(work, libraries.module(libraries.OURS).build)
    found = list(results(work, libraries.module(library).build))
    assert found or (work.group not in libraries.PEERS[library] and library != "numpy")
    for form in found:
        for actual, wanted in zip(form, expected, strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [name + end for name in ELEMENTWISE for end in ("", "_backward")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numpy_computes_the_same_of_zero_and_nan(name, dtype):
    """Its formulations are chosen for speed; the slope at 0 is the package's all the same."""
    work, given = Work("elementwise", name, (6,)), {"out": np.empty(6, dtype)}
    given |= {"Z": np.array([0, -0.0, np.nan, -40, 40, -1], dtype), "dA": np.arange(1, 7).astype(dtype)}
    given["saved"] = np.clip(given["Z"], -1, 1)
    (expected,) = results_of(work, given, libraries.OURS)
    (found,) = results_of(work, given, "numpy")
    np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == "float32" else 1e-13, atol=1e-14)


def results_of(work, given, library):
    return [form().copy() for form in libraries.module(library).build(work, given)]


@pytest.mark.parametrize("backend", ["python", "numpy"])
@pytest.mark.parametrize("work", [*SMALL, *DASHBOARD], ids=lambda work: work.title)
def test_backends_compute_the_same(work, backend):
    build = libraries.module(libraries.OURS).build
    (ours,) = results(work, build)
    (theirs,) = results(work, functools.partial(build, backend=backend))
    for actual, wanted in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["network_forward", "train_epoch"])
def test_compiled_torch_computes_the_same(operation):
    pytest.importorskip("torch")
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        pytest.skip("torch.compile needs a C++ compiler")
    work = next(work for work in SMALL if work.operation == operation)
    (expected,) = results(work, libraries.module("numpy").build)
    (found,) = results(work, libraries.module("torch_compiled").build)
    for actual, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("library", [libraries.OURS, "numpy", "torch", "jax"])
def test_an_epoch_draws_its_order(library):
    if library != libraries.OURS:
        pytest.importorskip(library)
    work, drawn = next(work for work in SMALL if work.operation == "train_epoch"), []
    draw = SimpleNamespace(permutation=lambda m: drawn.append(m) or np.arange(m))
    form = libraries.module(library).build(work, given(work) | {"random": draw})[0]
    form()
    form()
    assert drawn == [work.shape[-1]] * 2


@pytest.mark.parametrize("limit", ["copy", "read", "fma"])
def test_limits_run(limit):
    work = next(work for work in SMALL if work.limit == limit)
    for form in libraries.module(libraries.LIMIT).build(work, arrays(work, "float32")):
        form()


def test_every_group_has_works():
    assert {work.group for work in WORKS} == set(GROUPS)


def test_the_command_compares_and_names_who_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(peers, "PEERS", dict.fromkeys(("numpy", "a_library_nobody_has"), GROUPS))
    monkeypatch.setattr(peers, "BUDGETS", {"quick": (0.001, 3)})
    file = tmp_path / "figures.json"
    options = ["small", "--only", "dense_forward 4 x 2", "--dtype", "float32", "--quick", "--threads", "1"]
    assert peers.main([*options, "--json", str(file)]) == 0
    printed = capsys.readouterr().out
    advice = "a_library_nobody_has is not installed and left out: python -m pip install '.[peers]'"
    assert advice in printed
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
        "group": "small", "work": "dense_forward", "dtype": "float32", "target": 1.5, "sklearn_target": 0.0,
        "limited_by": "",
        "seconds": {"dlkernels": 1e-6, "numpy": 2e-6}, "ratios": {"numpy": 2.0}, "errors": {"torch": "no"},
    }  # fmt: skip
    from rich.console import Console

    peers.report([row], ["numpy", "torch"], Console(width=120))
    printed = capsys.readouterr().out
    assert "2.00x numpy" in printed
    assert "torch: no" in printed
    assert "1 of 1 rows reach their target" in printed


def test_a_turn_begins_with_calls_that_do_not_count():
    prepared, calls = object.__new__(worker.Prepared), []
    prepared.function, prepared.estimate = lambda: calls.append(time.perf_counter()), 1.0
    start = time.perf_counter()
    prepared.turn(1e-3)
    first_of_three_that_count = calls[-3]
    assert first_of_three_that_count - start >= worker._AWAKE


def test_the_report_shows_the_ratio_to_scikit_learn_where_one_is_promised(capsys):
    from rich.console import Console

    row = {
        "group": "epochs", "work": "train_epoch", "dtype": "float32", "target": 1.2, "sklearn_target": 4.0,
        "limited_by": "", "seconds": {"dlkernels": 1e-6, "jax": 2e-6, "sklearn": 3e-6},
        "ratios": {"jax": 2.0, "sklearn": 3.0}, "errors": {},
    }  # fmt: skip
    peers.report([row], ["jax", "sklearn"], Console(width=150))
    printed = capsys.readouterr().out
    assert "3.00x" in printed
    assert "to sklearn" in printed
    assert "0 of 1 rows reach their target" in printed
    assert peers.reaches_targets(row | {"ratios": {"jax": 2.0, "sklearn": 4.5}})
    assert not peers.reaches_targets(row | {"ratios": {"jax": 1.1, "sklearn": 4.5}})


def test_a_library_takes_no_part_in_groups_that_it_does_not_compute(monkeypatch):
    monkeypatch.setattr(peers, "PAUSE", 0)
    clocks = [Clock("dlkernels", 1.0), Clock("sklearn", 1.0)]
    row = peers.compare(0, "float32", clocks, budget=1.0, rounds=1)
    assert WORKS[0].group not in libraries.PEERS["sklearn"]
    assert (row["ratios"], row["errors"]) == ({}, {})
