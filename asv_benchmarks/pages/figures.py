"""What asv's results say, by benchmark and parameters; the newest commit first."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import math
from pathlib import Path
from typing import Any

from asv import util
from asv.benchmarks import Benchmarks
from asv.config import Config
from asv.results import iter_results

CONFIGURATION = Path(__file__).resolve().parent.parent / "asv.conf.json"
#: Values of a benchmark's parameters, in their order.
Parameters = tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What is known of one benchmark, and the newest value for each combination of its parameters."""

    name: str
    names: tuple[str, ...]
    unit: str
    values: dict[Parameters, float]

    def parameters(self, name: str) -> list[Any]:
        """The values of one parameter that have figures, in the order in which they were measured."""
        position = self.names.index(name)
        return list(dict.fromkeys(key[position] for key in self.values))


@dataclasses.dataclass(frozen=True)
class Commit:
    hash: str
    #: Milliseconds since 1970.
    date: int
    #: How many figures there are of it.
    count: int


@dataclasses.dataclass(frozen=True)
class Figures:
    machine: dict[str, Any]
    commits: list[Commit]
    benchmarks: dict[str, Benchmark]


def configuration(path: Path = CONFIGURATION) -> Config:
    """asv's configuration, its paths made absolute."""
    conf = Config.load(str(path))
    for name in ("results_dir", "html_dir", "env_dir", "benchmark_dir"):
        setattr(conf, name, str(path.parent / getattr(conf, name)))
    return conf


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def load(conf: Config) -> Figures:
    """The figures of the machine that measured last.

    Raises
    ------
    FileNotFoundError
        If there are no results yet.
    """
    try:
        known = Benchmarks.load(conf)
    except util.UserError:
        known = {}
    results = sorted(iter_results(conf.results_dir), key=lambda result: -result.date) if known else []
    if not results:
        raise FileNotFoundError(f"no results in {conf.results_dir}: run `asv run` first")
    name = max(results, key=lambda result: max(result.started_at.values(), default=0)).params["machine"]
    machine = util.load_json(str(Path(conf.results_dir) / name / "machine.json"))
    values: dict[str, dict[Parameters, float]] = {}
    counts: dict[tuple[str, int], int] = {}
    for result in results:
        if result.params["machine"] != name:
            continue
        commit = (result.commit_hash, result.date)
        counts.setdefault(commit, 0)
        for key in result.get_result_keys(known):
            own = result.get_result_params(key)
            for combination, value in zip(
                itertools.product(*own), result.get_result_value(key, own), strict=True
            ):
                if value is None or not math.isfinite(value):
                    continue  # left out, or failed
                counts[commit] += 1
                parameters = tuple(_literal(text) for text in combination)
                values.setdefault(key, {}).setdefault(parameters, value)
    benchmarks = {
        key: Benchmark(key, tuple(known[key]["param_names"]), known[key]["unit"], found)
        for key, found in sorted(values.items())
    }
    commits = [Commit(hash_, date, count) for (hash_, date), count in counts.items()]
    return Figures(machine, commits, benchmarks)
