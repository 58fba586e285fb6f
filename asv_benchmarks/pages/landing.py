"""The landing page: every operation on all backends side by side, with links into asv's graphs."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from asv_benchmarks.pages.figures import Benchmark, Figures
from dlkernels import colours
from dlkernels.extras import need

#: The address of asv's own page, relative to the landing page.
ASV_PAGE = "asv.html"
#: The names of the two backends that the kernels are compared with, and of the kernels' backend.
PYTHON, NUMPY, NUMBA = "python", "numpy", "numba"
NAMES = {
    PYTHON: "Python",
    NUMPY: "NumPy",
    NUMBA: "Numba",
    "torch": "PyTorch",
    "jax": "JAX",
    "sklearn": "scikit-learn",
}
#: The number of commits in the table of relative times.
MOST_COMMITS = 8
_TIME, _RELATIVE = ".time_call", ".track_relative_time"
_SIZES = {"log2_n": "{0:,} numbers", "log2_side": "{0:,} x {0:,} x {0:,}", "log2_m": "{0:,} examples"}
_TITLES = {
    "activations": "Activations and their derivatives",
    "dense": "A dense layer",
    "costs": "Costs and the dot product",
    "training": "Gradient descent",
    "networks": "Networks of any depth",
}


def link(benchmark: Benchmark, axis: str = "", log: bool = False, **chosen: Any) -> str:
    """Return the address of asv's graph of a benchmark, with its x axis (by default commits) and curves."""
    parameters = [("x-axis", axis)] if axis else []
    parameters += [("y-axis-scale", "log")] if log else []
    for name, values in chosen.items():
        parameters += [(f"p-{name}", repr(value)) for value in values]
    query = "&".join(f"{quote(key)}={quote(value)}" for key, value in parameters)
    return f"{ASV_PAGE}#{benchmark.name}" + (f"?{query}" if query else "")


def duration(seconds: float) -> str:
    """Write seconds with three digits and a unit."""
    for factor, unit in ((1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms")):
        if seconds < 999.5 * factor:
            return f"{_three(seconds / factor)} {unit}"
    return f"{_three(seconds)} s"


def _three(value: float) -> str:
    """Write three digits, or all digits before the point if there are more."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:#.3g}"


def _value(value: float, unit: str) -> str:
    if unit == "seconds":
        return duration(value)
    if unit == "bytes":
        return f"{value / 2**20:,.2f} MB"
    return _three(value)


def _operation(name: str) -> str:
    """activations.SigmoidBackward.time_call -> sigmoid_backward, training.XFit.time_call -> X.fit."""
    class_name = name.split(".")[1]
    if class_name.endswith("Fit"):
        return f"{class_name[:-3]}.fit"
    return re.sub(r"(?<!^)(?=[A-Z])", "_", class_name).lower()


class Operation:
    """One operation: its times by size, dtype and backend, and its relative times."""

    def __init__(self, times: Benchmark, relative: Benchmark | None) -> None:
        self.name, self.times, self.relative = _operation(times.name), times, relative
        self.family = times.name.split(".")[0]
        self.axis = next(name for name in times.names if name in _SIZES)
        self.backends = times.parameters("backend")
        self.dtypes = sorted(times.parameters("dtype"))
        self.sizes = sorted(times.parameters(self.axis))

    def size(self, exponent: int) -> str:
        return _SIZES[self.axis].format(2**exponent)

    def seconds(self, backend: str, size: int, dtype: str) -> float | None:
        return self.times.values.get((backend, size, dtype))

    def relative_time(self, size: int, dtype: str) -> float | None:
        return self.relative.values.get((NUMBA, size, dtype)) if self.relative else None

    def history(self, commits: list[str]) -> list[str]:
        """Return the relative time at each of these commits, at the largest size measured, as text."""
        if self.relative is None:
            return ["" for _ in commits]
        keys = [key for key in self.relative.history if key[0] == NUMBA and key[2] == self.dtypes[-1]]
        values = self.relative.history[max(keys)] if keys else {}
        return [_three(values[commit]) if commit in values else "" for commit in commits]

    def rows(self) -> list[tuple[int, str]]:
        """Return the size and the dtype of each row: wherever there is a time or a relative time."""
        relative = self.relative.values if self.relative else {}
        keys = {key[1:] for key in self.times.values} | {key[1:] for key in relative if key[0] == NUMBA}
        return sorted(keys, key=lambda row: (row[1], row[0]))

    def overview(self) -> list[tuple[int, str]]:
        """Return the row in float64 at the largest size for which all three backends have figures, if any."""
        return self._complete()[-1:]

    def _complete(self) -> list[tuple[int, str]]:
        dtype = self.dtypes[-1]
        backends = (PYTHON, NUMPY, NUMBA)
        return [(s, dtype) for s in self.sizes if all(self.seconds(b, s, dtype) for b in backends)]

    def links(self) -> list[tuple[str, str]]:
        """Return links to asv's graphs of this operation: words and addresses. A single point is no graph."""
        size, dtype = (self._complete() or self.rows())[-1]
        found = []
        if len(self.sizes) > 1:
            address = link(self.times, self.axis, log=True, backend=self.backends, dtype=[dtype])
            found.append(("time against size", address))
        if self.times.has_commits():
            chosen = {"backend": self.backends, self.axis: [size], "dtype": [dtype]}
            found.append(("time over commits", link(self.times, log=True, **chosen)))
        if self.relative and self.relative.has_commits():
            measured = {name: self.relative.parameters(name) for name in (self.axis, "dtype")}
            found.append(("relative time over commits", link(self.relative, backend=[NUMBA], **measured)))
        return found


class Bars:
    """Small bars in the cells of tables. Those of times share one logarithmic scale, as do those of ratios.

    A bar goes from one share of the cell's width to another. That of a time begins at the left. That of a
    ratio begins in the middle, which is 1, and goes to the left if it is less.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        found = list(operations)
        times = [value for each in found for value in each.times.values.values()]
        ratios = [r for each in found for row in each.rows() if (r := each.relative_time(*row))]
        self.least, self.most = min(times, default=1.0) / 2, max(times, default=1.0)
        self.farthest = max((abs(math.log(ratio)) for ratio in ratios), default=0.0) or 1.0

    def time(self, seconds: float) -> tuple[float, float]:
        return 0.0, math.log(seconds / self.least) / math.log(self.most / self.least)

    def ratio(self, ratio: float) -> tuple[float, float]:
        end = 0.5 + 0.5 * math.log(ratio) / self.farthest
        return min(0.5, end), max(0.5, end)

    def cells(self, operation: Operation, size: int, dtype: str, backends: list[str]) -> Iterator[Any]:
        """Yield the cells of a row for the template: those of the backends, then the relative time."""
        values = [operation.seconds(backend, size, dtype) for backend in backends]
        best = min((value for value in values if value is not None), default=None)
        for backend, value in zip(backends, values, strict=True):
            yield value and _cell(duration(value), backend, self.time(value), best=value == best)
        ratio = operation.relative_time(size, dtype)
        yield ratio and _cell(_three(ratio), NUMBA if ratio < 1 else NUMPY, self.ratio(ratio))


def _cell(text: str, backend: str, bar: tuple[float, float], best: bool = False) -> dict[str, Any]:
    start, end = (f"{100 * share:.1f}%" for share in bar)
    return {"text": text, "backend": backend, "from": start, "to": end, "best": best}


def _table(bars: Bars, operations: list[Operation], backends: list[str]) -> list[dict[str, Any]]:
    """Lay out every row of some operations, with the backends across."""
    return [
        {
            "name": each.name,
            "links": each.links(),
            "rows": [
                {
                    "size": each.size(size),
                    "dtype": dtype,
                    "cells": list(bars.cells(each, size, dtype, backends)),
                }
                for size, dtype in each.rows()
            ],
        }
        for each in operations
    ]


def _family(bars: Bars, family: str, members: list[Operation]) -> tuple[str, list[str], list[dict[str, Any]]]:
    """Return the title of a family of operations, the backends that it has figures of, and its table."""
    backends = [name for name in NAMES if any(name in each.backends for each in members)]
    return _TITLES.get(family, family), backends, _table(bars, members, backends)


def _other_table(benchmark: Benchmark) -> dict[str, Any]:
    """Lay out a benchmark that isn't timed by backend: its last parameter across, the others down."""
    across = benchmark.parameters(benchmark.names[-1]) if benchmark.names else [None]
    rows: dict[Any, dict[Any, str]] = {}
    for key, value in benchmark.values.items():
        rows.setdefault(key[:-1], {})[key[-1] if key else None] = _value(value, benchmark.unit)
    return {
        "name": benchmark.name,
        "href": link(benchmark) if benchmark.has_commits() else None,
        "unit": benchmark.unit,
        "names": benchmark.names[:-1],
        "axis": benchmark.names[-1] if benchmark.names else "",
        "across": ["" if value is None else str(value) for value in across],
        "rows": [([str(k) for k in key], [cells.get(a, "") for a in across]) for key, cells in rows.items()],
    }


def operations(figures: Figures) -> list[Operation]:
    return [
        Operation(benchmark, figures.benchmarks.get(name.removesuffix(_TIME) + _RELATIVE))
        for name, benchmark in figures.benchmarks.items()
        if name.endswith(_TIME) and "backend" in benchmark.names
    ]


def render(figures: Figures) -> str:
    """Render the page."""
    found = operations(figures)
    bars = Bars(found)
    newest = figures.commits[:MOST_COMMITS]
    others = [
        _other_table(benchmark)
        for name, benchmark in figures.benchmarks.items()
        if not (name.endswith(_TIME) and "backend" in benchmark.names) and not name.endswith(_RELATIVE)
    ]
    # An operation has a place of its own if there is more to say than its row at the top says.
    detailed = [each for each in found if each.links() or each.rows() != each.overview()]
    places = {each.name: f"#{each.name}" for each in detailed}
    jinja2 = need("jinja2", "this command", "dashboard")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("landing.html").render(
        asv_page=ASV_PAGE,
        style=colours.style(),
        colours=colours.LIBRARIES,
        names=NAMES,
        places=places,
        machine=figures.machine,
        commits=[
            {
                "hash": commit.hash[:8],
                "date": datetime.datetime.fromtimestamp(commit.date / 1000, datetime.UTC).strftime(
                    "%Y-%m-%d %H:%M"
                ),
                "count": f"{commit.count:,}",
            }
            for commit in figures.commits
        ],
        overview=[
            {
                "name": each.name,
                "size": each.size(size),
                "cells": list(bars.cells(each, size, dtype, [PYTHON, NUMPY, NUMBA])),
            }
            for each in found
            for size, dtype in each.overview()
        ],
        families=[
            _family(bars, family, [each for each in detailed if each.family == family])
            for family in dict.fromkeys(each.family for each in detailed)
        ],
        newest=[commit.hash[:8] for commit in newest],
        history=[(each.name, each.history([commit.hash for commit in newest])) for each in found],
        others=others,
    )
