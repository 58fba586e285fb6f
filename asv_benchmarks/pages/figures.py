"""Read asv's results by benchmark and parameters, the newest commit first."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import itertools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlkernels.extras import need

if TYPE_CHECKING:
    from asv.config import Config

CONFIGURATION = Path(__file__).resolve().parent.parent / "asv.conf.json"
#: Values of a benchmark's parameters, in their order.
Parameters = tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """The values of one benchmark for each combination of its parameters: the newest, and all commits'."""

    name: str
    names: tuple[str, ...]
    unit: str
    values: dict[Parameters, float]
    #: The values by commit, the newest commit first.
    history: dict[Parameters, dict[str, float]]

    def parameters(self, name: str) -> list[Any]:
        """Return the values of one parameter for which there are figures, in the order of the figures."""
        position = self.names.index(name)
        return list(dict.fromkeys(key[position] for key in self.values))

    def has_commits(self) -> bool:
        """Whether there are figures of several commits, so that a graph over commits shows something."""
        return any(len(values) > 1 for values in self.history.values())


@dataclasses.dataclass(frozen=True)
class Commit:
    hash: str
    #: In milliseconds since 1970.
    date: int
    #: The number of figures that there are for this commit.
    count: int


@dataclasses.dataclass(frozen=True)
class Figures:
    machine: dict[str, Any]
    commits: list[Commit]
    benchmarks: dict[str, Benchmark]


def _asv(module: str) -> Any:
    """A module of asv, imported when it is needed, so that `--help` works without it."""
    need("asv", "this command", "dashboard")
    return importlib.import_module(f"asv.{module}")


def configuration(path: Path = CONFIGURATION) -> Config:
    """Load asv's configuration, and make its paths absolute.

    Raises
    ------
    MissingExtraError
        If asv is missing.
    """
    conf: Config = _asv("config").Config.load(str(path))
    for name in ("results_dir", "html_dir", "env_dir", "benchmark_dir"):
        setattr(conf, name, str(path.parent / getattr(conf, name)))
    return conf


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def load(conf: Config) -> Figures:
    """Load the figures of the machine that measured last.

    Raises
    ------
    FileNotFoundError
        If there are no results yet.
    """
    util = _asv("util")
    try:
        known = _asv("benchmarks").Benchmarks.load(conf)
    except util.UserError:
        known = {}
    results = list(_asv("results").iter_results(conf.results_dir)) if known else []
    if not results:
        raise FileNotFoundError(f"no results in {conf.results_dir}: run `asv run` or `dashboard quick` first")
    name = max(results, key=lambda result: max(result.started_at.values(), default=0)).params["machine"]
    machine = util.load_json(str(Path(conf.results_dir) / name / "machine.json"))
    entries = []
    for result in results:
        if result.params["machine"] != name:
            continue
        for key in result.get_result_keys(known):
            own = result.get_result_params(key)
            measured = zip(itertools.product(*own), result.get_result_value(key, own), strict=True)
            for combination, value in measured:
                if value is not None and math.isfinite(value):  # else the benchmark was left out, or failed
                    when = (result.date, result.started_at.get(key) or 0)
                    parameters = tuple(_literal(text) for text in combination)
                    entries.append((when, result.commit_hash, key, parameters, value))
    # For each commit take the value that was measured last, in whichever environment.
    history: dict[str, dict[Parameters, dict[str, float]]] = {}
    counts: dict[tuple[str, int], set[Any]] = {}
    for (date, _), commit, key, parameters, value in sorted(
        entries, key=lambda entry: entry[0], reverse=True
    ):
        counts.setdefault((commit, date), set()).add((key, parameters))
        history.setdefault(key, {}).setdefault(parameters, {}).setdefault(commit, value)
    benchmarks = {
        key: Benchmark(
            key,
            tuple(known[key]["param_names"]),
            known[key]["unit"],
            {parameters: next(iter(values.values())) for parameters, values in found.items()},
            found,
        )
        for key, found in sorted(history.items())
    }
    commits = [Commit(hash_, date, len(found)) for (hash_, date), found in counts.items()]
    return Figures(machine, commits, benchmarks)
