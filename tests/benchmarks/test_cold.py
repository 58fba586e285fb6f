"""The first calls of a process: every function is in the table, and what is measured is a whole process."""

from __future__ import annotations

import time

import pytest
from rich.console import Console

from asv_benchmarks import cold, peers
from dlkernels import backends


def test_every_function_has_a_first_call():
    assert set(cold.FIRST_CALLS) == set(backends.FUNCTIONS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", cold.FIRST_CALLS)
def test_a_first_call_calls_its_function(name, dtype, monkeypatch):
    import dlkernels

    called = []
    function = getattr(dlkernels, name)
    monkeypatch.setattr(dlkernels, name, lambda *given, **named: called.append(function(*given, **named)))
    exec(cold._ARRAYS.format(dtype=dtype) + cold.FIRST_CALLS[name], {})
    assert len(called) == 1


def test_seconds_are_those_of_a_process_that_succeeds(tmp_path):
    start = time.perf_counter()
    taken = cold.seconds(
        "import os, time; assert os.environ['NUMBA_CACHE_DIR']; time.sleep(0.3)", str(tmp_path)
    )
    assert 0.3 < taken <= time.perf_counter() - start
    with pytest.raises(cold.subprocess.CalledProcessError):
        cold.seconds("raise SystemExit(1)", str(tmp_path))


def test_the_command_prints_them(monkeypatch, capsys):
    calls = {name: cold.FIRST_CALLS[name] for name in ("relu", "shallow_propagate")}
    monkeypatch.setattr(cold, "FIRST_CALLS", calls)
    monkeypatch.setattr(cold, "seconds", lambda code, cache: 41.0 if "warmup" in code else 0.25)
    assert peers.main(["cold", "--dtype", "float64"]) == 0
    printed = capsys.readouterr().out
    assert "relu, float64" in printed
    assert "0.25 s" in printed
    assert "dlkernels warmup: 41.00 s" in printed
    rows = cold.report(["float32"], Console(quiet=True))
    assert rows[0] == {"group": "cold", "work": "relu", "dtype": "float32", "empty": 0.25, "warm": 0.25}
    assert rows[-1]["seconds"]["first gradient"] == 0.25
