"""The table of estimators beside scikit-learn's."""

from __future__ import annotations

import numba
import pytest

from asv_benchmarks import estimators


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="takes minutes without compilation")
def test_a_row_has_two_times_and_equal_scores(capsys):
    row = next(row for row in estimators.ROWS if row.data == "breast_cancer")
    found = estimators.measure(row, rounds=1)
    assert min(found["seconds"]) > 0
    assert found["ratio"] == found["seconds"][1] / found["seconds"][0]
    assert found["scores"][0] == pytest.approx(found["scores"][1], abs=1e-12)
    assert found["scores"][0] > 0.97


def test_rows_can_be_chosen(monkeypatch, capsys):
    monkeypatch.setattr(
        estimators, "measure", lambda row, rounds: {"seconds": [1, 2], "ratio": 2.0, "scores": [0.5, 0.25]}
    )
    monkeypatch.setenv("COLUMNS", "160")
    estimators.main(["--only", "diabetes"])
    printed = capsys.readouterr().out
    assert "MLPRegressor(), diabetes" in printed
    assert "1000.0 ms" in printed
    assert "wine" not in printed


@pytest.mark.parametrize("row", estimators.LARGE_ROWS, ids=lambda row: row.data)
def test_large_tables_have_the_shape_that_they_are_called_by(monkeypatch, row):
    m, n, classes = estimators.LARGE[row.data]
    monkeypatch.setitem(estimators.LARGE, row.data, (m // 500, n, classes))
    X, y = row.table()
    assert row.data == f"{500 * len(X):,} x {X.shape[1]}, {len(set(y))} classes"


@pytest.mark.slow
@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is kept in a cache")
def test_starts_of_processes(monkeypatch, capsys):
    """Imports are parts of what follows them, and compiling takes longest."""
    monkeypatch.setenv("COLUMNS", "160")
    estimators.main(["--start", "--rounds", "1"])
    lines = [
        line.strip("│ \n").rsplit("│", 1) for line in capsys.readouterr().out.splitlines() if "│" in line
    ]
    times = {name.strip(): float(median) for name, median in lines}
    assert len(times) == 7
    assert 0 < times["import numba"] < times["load, predict"] < times["load, predict, empty cache"]
