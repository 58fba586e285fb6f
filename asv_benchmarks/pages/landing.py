"""The landing page: every operation on all backends side by side, with links into asv's graphs."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from asv_benchmarks.pages import charts
from asv_benchmarks.pages.figures import Benchmark, Figures

#: The address of asv's own page, relative to the landing page.
ASV_PAGE = "asv.html"
#: The names of the two backends that the kernels are compared with, and of the kernels' backend.
PYTHON, NUMPY, NUMBA = "python", "numpy", "numba"
#: The number of commits in the table of the kernels' speed-ups over plain NumPy.
MOST_COMMITS = 8
_TIME, _RELATIVE = ".time_call", ".track_relative_time"
_SIZES = {"log2_n": "{0:,} numbers", "log2_side": "{0:,} x {0:,} x {0:,}", "log2_m": "{0:,} examples"}
_TITLES = {
    "activations": "Activations and their derivatives",
    "dense": "A dense layer",
    "costs": "Costs and the dot product",
    "training": "Gradient descent",
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
    """One operation: its times by size, dtype and backend."""

    def __init__(self, times: Benchmark, relative: Benchmark | None) -> None:
        self.name, self.times, self.relative = _operation(times.name), times, relative
        self.family = times.name.split(".")[0]
        self.axis = next(name for name in times.names if name in _SIZES)
        self.backends = times.parameters("backend")
        self.titles = [charts.NAMES.get(backend, backend) for backend in self.backends]
        self.dtypes = sorted(times.parameters("dtype"))
        self.sizes = sorted(times.parameters(self.axis))

    def size(self, exponent: int) -> str:
        return _SIZES[self.axis].format(2**exponent)

    def seconds(self, backend: str, size: int, dtype: str) -> float | None:
        return self.times.values.get((backend, size, dtype))

    def speed_up(self, over: str, size: int, dtype: str) -> float | None:
        """Return another backend's time divided by the kernels' time."""
        ours, theirs = self.seconds(NUMBA, size, dtype), self.seconds(over, size, dtype)
        return theirs / ours if ours and theirs else None

    def relative_time(self, size: int, dtype: str) -> float | None:
        """Return the kernels' time divided by that of plain NumPy."""
        return self.relative.values.get((NUMBA, size, dtype)) if self.relative else None

    def _largest_relative(self) -> int | None:
        keys = self.relative.values if self.relative else {}
        return max((s for b, s, d in keys if b == NUMBA and d == self.dtypes[-1]), default=None)

    def over_plain_numpy(self) -> float | None:
        """Return plain NumPy's time divided by the kernels' time, at the largest size measured."""
        size = self._largest_relative()
        relative = self.relative_time(size, self.dtypes[-1]) if size else None
        return 1 / relative if relative else None

    def history(self, commits: list[str]) -> list[str]:
        """Return `over_plain_numpy` for each of these commits, as text."""
        size, values = self._largest_relative(), {}
        if self.relative and size:
            values = self.relative.history[NUMBA, size, self.dtypes[-1]]
        return [_times(1 / values[commit]) if commit in values else "" for commit in commits]

    def rows(self) -> list[dict[str, Any]]:
        found = []
        for dtype in self.dtypes:
            for size in self.sizes:
                values = [self.seconds(backend, size, dtype) for backend in self.backends]
                best = min((v for v in values if v is not None), default=None)
                relative = self.relative_time(size, dtype)
                found.append(
                    {
                        "dtype": dtype,
                        "size": self.size(size),
                        "cells": [
                            ("" if v is None else duration(v), v is not None and v == best) for v in values
                        ],
                        "over_python": _times(self.speed_up(PYTHON, size, dtype)),
                        "over_numpy": _times(self.speed_up(NUMPY, size, dtype)),
                        "relative": "" if relative is None else _three(relative),
                    }
                )
        return found

    def overview(self) -> dict[str, Any] | None:
        """Return times in float64 at the largest size for which all three backends have figures."""
        dtype = self.dtypes[-1]
        three = [(s, [self.seconds(b, s, dtype) for b in (PYTHON, NUMPY, NUMBA)]) for s in self.sizes]
        complete = [(s, values) for s, values in three if None not in values]
        if not complete:
            return None
        size, values = complete[-1]
        return {
            "name": self.name,
            "size": self.size(size),
            "cells": [duration(value) for value in values if value is not None],
            "over_python": _times(self.speed_up(PYTHON, size, dtype)),
            "over_numpy": _times(self.speed_up(NUMPY, size, dtype)),
            "over_plain": _times(1 / relative if (relative := self.relative_time(size, dtype)) else None),
        }

    def chart(self) -> Markup:
        labels = [self.size(size) for size in self.sizes]
        times = {
            dtype: {
                (backend, self.size(size)): value
                for backend in self.backends
                for size in self.sizes
                if (value := self.seconds(backend, size, dtype)) is not None
            }
            for dtype in self.dtypes
        }
        return Markup(charts.backends(times, self.backends, labels))

    def links(self) -> list[tuple[str, str]]:
        dtype = self.dtypes[-1]
        complete = [s for s in self.sizes if all(self.seconds(b, s, dtype) for b in (PYTHON, NUMPY, NUMBA))]
        size = (complete or self.sizes)[-1]
        found = [
            (
                "time against size",
                link(self.times, self.axis, log=True, backend=self.backends, dtype=[dtype]),
            ),
            (
                "time over commits",
                link(self.times, log=True, backend=self.backends, **{self.axis: [size]}, dtype=[dtype]),
            ),
        ]
        if self.relative:
            measured = {name: self.relative.parameters(name) for name in (self.axis, "dtype")}
            found.append(("relative time over commits", link(self.relative, backend=[NUMBA], **measured)))
        return found


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{_three(ratio)}x"


def _other_table(benchmark: Benchmark) -> dict[str, Any]:
    """Lay out a benchmark that isn't timed by backend: its last parameter across, the others down."""
    across = benchmark.parameters(benchmark.names[-1]) if benchmark.names else [None]
    rows: dict[Any, dict[Any, str]] = {}
    for key, value in benchmark.values.items():
        rows.setdefault(key[:-1], {})[key[-1] if key else None] = _value(value, benchmark.unit)
    return {
        "name": benchmark.name,
        "href": link(benchmark),
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
    overview = [row for operation in found if (row := operation.overview())]
    ratios = {operation.name: ratio for operation in found if (ratio := operation.over_plain_numpy())}
    newest = figures.commits[:MOST_COMMITS]
    others = [
        _other_table(benchmark)
        for name, benchmark in figures.benchmarks.items()
        if not (name.endswith(_TIME) and "backend" in benchmark.names) and not name.endswith(_RELATIVE)
    ]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("landing.html").render(
        asv_page=ASV_PAGE,
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
        families=[
            (_TITLES.get(family, family), [operation for operation in found if operation.family == family])
            for family in dict.fromkeys(operation.family for operation in found)
        ],
        overview=overview,
        newest=[commit.hash[:8] for commit in newest],
        history=[
            (operation.name, operation.history([commit.hash for commit in newest])) for operation in found
        ],
        speed_ups=Markup(charts.speed_ups(ratios)) if ratios else None,
        others=others,
    )
