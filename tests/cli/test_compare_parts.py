"""What `dlkernels compare` is made of."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dlkernels import data, reporting
from models import _measure, _report


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2.5, "2.50 s"),
        (12.345, "12.3 s"),
        (123.4, "123 s"),
        (1e-3, "1.00 ms"),
        (45.67e-3, "45.7 ms"),
        (3.14159e-6, "3.14 us"),
        (5e-8, "0.05 us"),
        (0.0, "0.00 us"),
    ],
)
def test_durations_have_three_digits(seconds, text):
    assert reporting.duration(seconds) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(1.0, "1.00x"), (2.345, "2.35x"), (12.34, "12.3x"), (1234.5, "1,234x"), (0.0123, "0.012x")],
)
def test_factors(ratio, text):
    assert _report.factor(ratio) == text


def test_the_fastest_is_marked_unless_it_is_alone():
    assert _report.fastest_of({"numpy": 2.0, "numba": 1.0}) == ["numba"]
    assert _report.fastest_of({"numpy": 1.05, "numba": 1.0}) == ["numpy", "numba"]  # nobody can tell
    assert _report.fastest_of({"numba": 1.0}) == []
    assert str(_report.row_name("numba", None, fastest=True)) == "numba, fastest"
    assert str(_report.row_name("numpy", None)) == "numpy"


def test_the_table_marks_the_fastest_backend(capsys):
    job = _measure.Job("logistic", data.flower(40), iterations=20, learning_rate=0.1)
    comparison = _measure.compare(job, ["python", "numpy"])
    comparison.results["python"].seconds_per_iteration = 9.0
    _report.show(comparison)
    table = capsys.readouterr().out
    assert re.search(r"^ numpy, fastest +20 ", table, re.MULTILINE)
    assert re.search(r"^ python +20 ", table, re.MULTILINE)
    assert max(len(line) for line in table.splitlines()[3:8]) <= 80


def test_the_largest_difference_is_found_among_all_pairs():
    base = {"w": np.zeros((2, 1)), "b": 0.0}
    near = {"w": np.array([[1e-9], [0.0]]), "b": 0.0}
    far = {"w": np.array([[-1e-9], [0.0]]), "b": 1e-10}
    assert _measure.largest_difference([base, base]) == 0
    assert _measure.largest_difference([base, near, far]) == pytest.approx(2e-9)
    assert _measure.largest_difference([base, {"w": np.zeros((2, 1)), "b": 0.5}]) == 0.5


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_parameters_that_are_not_finite_have_no_difference(value):
    one = {"b": value}
    assert _measure.largest_difference([one, one]) is None
    note = _report._difference_note(
        _measure.Difference(("numpy", "numba"), 7, None), "7 iterations", np.dtype(float)
    )
    assert "of numpy and numba can't be compared after 7 iterations" in note


@pytest.mark.parametrize(("dtype", "small", "large"), [("float64", 1e-9, 1e-6), ("float32", 1e-4, 1e-2)])
def test_a_difference_that_is_more_than_rounding_is_explained(dtype, small, large):
    def note(value):
        difference = _measure.Difference(("numpy", "numba"), 7, value)
        return _report._difference_note(difference, "7 iterations", np.dtype(dtype))

    assert "magnify" not in note(small)
    assert "round differently, which so many steps may magnify" in note(large)


def test_backends_are_compared_after_the_same_number_of_iterations(monkeypatch):
    monkeypatch.setattr(_measure, "PYTHON_SECONDS", 0.02)
    job = _measure.Job("logistic", data.flower(40), iterations=2000, learning_rate=0.1)
    found = _measure.compare(job, ["python", "numpy", "numba"])
    few = found.results["python"].iterations
    assert 1 <= few < 2000
    first, second = found.differences
    assert (first.backends, first.iterations) == (("python", "numpy", "numba"), few)
    assert (second.backends, second.iterations) == (("numpy", "numba"), 2000)
    assert 0 <= first.value < 1e-12
    assert 0 <= second.value < 1e-12


def test_the_final_cost_is_the_one_after_the_last_step():
    job = _measure.Job("logistic", data.flower(40), iterations=150, learning_rate=0.1)
    result = _measure.compare(job, ["numpy"]).results["numpy"]
    longer = job.build("numpy", 151).fit(job.dataset.X_train, job.dataset.Y_train)
    assert len(result.model.costs_) == 2
    assert result.final_cost < result.model.costs_[-1]
    again = _measure._cost(longer, job.dataset.X_train, job.dataset.Y_train)
    assert again < result.final_cost


def test_a_cost_that_rises_is_said():
    job = _measure.Job("shallow", data.flower(40), iterations=20, learning_rate=1e6)
    comparison = _measure.compare(job, ["numpy"])
    (note,) = (note for note in _report.notes(comparison) if "DIVERGED" in note)
    assert re.match(
        r"numpy DIVERGED: the cost rose above 0\.69\d+, where it began, by iteration 20, and", note
    )
    assert _report.as_json([comparison])["comparisons"][0]["results"]["numpy"]["diverged"]


@pytest.mark.parametrize(("share", "said"), [(1e-4, False), (0.01, True)])
def test_a_cost_that_rises_is_said_where_fit_says_it(share, said):
    job = _measure.Job("logistic", data.flower(40), iterations=20, learning_rate=0.1)
    comparison = _measure.compare(job, ["numpy"])
    result = comparison.results["numpy"]
    result.final_cost = (1 + share) * result.model.costs_[0]
    assert any("DIVERGED" in note for note in _report.notes(comparison)) == said


# -- a network of any depth ------------------------------------------------------------------------------


def network_job(**settings):
    return _measure.Job(
        "network", data.flower(40), **{"iterations": 3, "learning_rate": 0.01, "hidden": (5, 4)} | settings
    )


def test_a_network_is_timed_by_the_epoch(capsys):
    comparison = _measure.compare(network_job(), ["python", "numpy"])
    _report.show(comparison)
    table = capsys.readouterr().out
    assert "Network of 5 and 4 relu units on flower" in table
    assert "learning rate 0.01, batches of 32" in table
    assert re.search(r"^ backend +epochs +epoch +vs python", table, re.MULTILINE)
    assert "iteration" not in table
    assert re.search(r"the parameters of python and numpy after 3 epochs: \d\.\de-1\d\.", table)
    for result in comparison.results.values():
        assert result.curve == list(enumerate(result.model.costs_))
        assert result.final_cost == result.model.costs_[-1]


def test_python_stops_after_one_epoch_that_takes_long(monkeypatch):
    monkeypatch.setattr(_measure, "PYTHON_SECONDS", 0.0)
    fits = []
    fit = _measure._Run.fit
    monkeypatch.setattr(
        _measure._Run, "fit", lambda *arguments: fits.append(arguments[1:3]) or fit(*arguments)
    )
    comparison = _measure.compare(network_job(), ["python"])
    assert fits == [("python", 1)]
    (note,) = _report.notes(comparison)
    assert note.startswith("python ran 1 of 3 epochs to save time")


def test_a_network_that_diverges_is_said():
    comparison = _measure.compare(network_job(learning_rate=1e300), ["numpy"])
    (note,) = _report.notes(comparison)
    assert re.match(r"numpy DIVERGED: the cost was (nan|inf) in epoch \d\. Try a smaller learning rate", note)
