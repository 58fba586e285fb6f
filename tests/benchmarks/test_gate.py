"""The gate compares figures that nobody has measured with stored ones."""

from __future__ import annotations

import json
import sys

import pytest

pytest.importorskip("asv_benchmarks", reason="the benchmarks lie beside the package, in the repository only")

from asv_benchmarks import dashboard, gate
from asv_benchmarks.pages.figures import Benchmark, Figures
from dlkernels import info


@pytest.fixture
def options(tmp_path, monkeypatch):
    """One relative time, 0.5, which a machine measured that asv calls AMD EPYC."""
    names, key = ("backend", "log2_n", "dtype"), ("numba", 10, "float64")
    relu = Benchmark("activations.Relu.track_relative_time", names, "", {key: 0.5}, {key: {"a": 0.5}})
    found = Figures({"cpu": "AMD EPYC"}, [], {relu.name: relu})
    monkeypatch.setattr(gate.figures, "configuration", lambda path: None)
    monkeypatch.setattr(gate.figures, "load", lambda conf: found)
    return ["--stored", str(tmp_path / "stored.json")]


def test_times_are_stored_by_llvms_name_and_by_vector_width(options, tmp_path, monkeypatch, capsys):
    """Two kinds of machine are "AMD EPYC" to asv, and a cloud has both."""
    assert gate.main([*options, "--update"]) == 0
    stored = json.loads((tmp_path / "stored.json").read_text())
    assert stored == {info.config()["cpu"]: {"activations.Relu(10, float64)": 0.5}}
    assert gate.main(options) == 0
    monkeypatch.setattr(info, "simd_bits", lambda: 2048)
    assert gate.main(options) == 3, "the workflow skips what can't be compared"
    assert "2048 bits: use --update" in capsys.readouterr().err


def test_a_time_that_grew_fails(options, tmp_path):
    stored = {info.processor(): {"activations.Relu(10, float64)": 0.3}}
    (tmp_path / "stored.json").write_text(json.dumps(stored))
    assert gate.main(options) == 1


def test_the_repositorys_times_name_processors_as_the_gate_does():
    for processor in json.loads(gate.STORED.read_text(encoding="utf-8")):
        name, width = processor.split(", ")
        assert name
        assert width in ("SIMD 128 bits", "SIMD 256 bits", "SIMD 512 bits")


def test_without_asv_the_commands_say_what_to_install(tmp_path, monkeypatch, capsys):
    for module in [name for name in sys.modules if name.partition(".")[0] == "asv"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [Without("asv"), *sys.meta_path])
    for command, status in ((gate.main, 2), (lambda chosen: dashboard.main([*chosen, "publish"]), 1)):
        assert command(["--config", str(tmp_path / "asv.conf.json")]) == status
        assert "needs asv: python -m pip install" in capsys.readouterr().err
        with pytest.raises(SystemExit) as ended:
            command(["--help"])
        assert ended.value.code == 0
        capsys.readouterr()


class Without:
    """An importer that finds one package missing."""

    def __init__(self, package):
        self.package = package

    def find_spec(self, name, path=None, target=None):
        if name == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
