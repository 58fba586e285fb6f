"""Show a comparison as a table, and write it as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlkernels import colours
from dlkernels.info import config
from dlkernels.reporting import duration, show_block, show_lines

from ._measure import Comparison, Difference, Result

#: Two times are too close to call if one is at most so many times the other.
CLOSE = 1.1
#: What stands beside the name of the fastest in a table of times.
FASTEST = ", fastest"

# -- numbers and lists in words ----------------------------------------------------------------------


def listed(words: Sequence[str], last: str = "and") -> str:
    """Join words by commas, and the last one by `last`."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else words[0]


def factor(ratio: float) -> str:
    """Write a speed-up with two or three significant digits."""
    if ratio < 0.1:
        return f"{ratio:.2g}x"
    return f"{ratio:,.0f}x" if ratio >= 99.5 else f"{ratio:.{1 if ratio >= 9.95 else 2}f}x"


def speed_up(comparison: Comparison, name: str, over: str) -> float | None:
    """Return how many times faster `name` is than `over`, or None if `over` didn't take part."""
    if over not in comparison.results:
        return None
    results = comparison.results
    return results[over].seconds_per_iteration / results[name].seconds_per_iteration


def fastest_of(seconds: Mapping[str, float]) -> list[str]:
    """Return the fastest of several ways, and those that took so little more that nobody can tell."""
    least = min(seconds.values(), default=0.0)
    return [name for name, taken in seconds.items() if taken <= CLOSE * least] if len(seconds) > 1 else []


# -- the table ---------------------------------------------------------------------------------------


def show_heading() -> None:
    """Print one line: versions, processor and threads."""
    facts = config()
    versions = ", ".join(f"{name} {facts[name].split()[0]}" for name in ("dlkernels", "numba", "numpy"))
    show_lines(f"{versions}, Python {facts['python']}; {facts['cpu']}; threads {facts['threads']}")


def show(comparison: Comparison) -> None:
    """Print the table of one model and the notes that belong to it."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    job, data = comparison.job, comparison.job.dataset
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("\nbackend", no_wrap=True)
    step = job.runs.costs.step
    for heading in (
        f"\n{step}s", f"time per\n{step}", "speed-up\nvs python", "speed-up\nvs numpy",
        "final\ncost", "held-out\naccuracy",
    ):  # fmt: skip
        table.add_column(heading, justify="right", no_wrap=True)
    for result in comparison.results.values():
        table.add_row(*_row(comparison, result))
    show_block(
        Text(job.title, style="bold"),
        f"{data.X_train.shape[1]:,} examples of {data.X_train.shape[0]:,} features and "
        f"{data.X_test.shape[1]:,} held out, {data.description}; {job.dtype}, learning rate "
        f"{job.learning_rate:g}"
        + (f", batches of {job.settings['batch_size']}" if "batch_size" in job.settings else ""),
        table,
        *notes(comparison),
    )


def _row(comparison: Comparison, result: Result) -> Iterator[Any]:
    seconds = {name: each.seconds_per_iteration for name, each in comparison.results.items()}
    name = result.backend
    yield row_name(name, colours.LIBRARIES[name], fastest=name in fastest_of(seconds))
    yield f"{result.iterations:,}"
    yield duration(result.seconds_per_iteration)
    for other in ("python", "numpy"):
        ratio = speed_up(comparison, result.backend, other)
        yield "-" if ratio is None else factor(ratio)
    yield f"{result.final_cost:.6f}" if abs(result.final_cost) < 1e4 else f"{result.final_cost:.3g}"
    yield f"{100 * result.accuracy:.1f} %"


def notes(comparison: Comparison) -> Iterator[str]:
    """Yield remarks that a reader of the table needs, a line each."""
    results, job = comparison.results, comparison.job
    wanted = job.iterations
    numba = results.get("numba")
    if numba is not None and numba.compile_seconds is not None:
        yield (
            f"numba took {duration(numba.compile_seconds)} to load or compile its kernels, which isn't in "
            "the table. A first run compiles them, for up to two minutes; after that they are read from disk."
        )
    python = results.get("python")
    if python is not None and python.iterations < wanted:
        yield (
            f"python ran {python.iterations:,} of {job.times(wanted)} to save time; "
            "its cost and accuracy are those it had by then."
        )
    for difference in comparison.differences:
        yield _difference_note(difference, job.times(difference.iterations), np.dtype(job.dtype))
    for result in results.values():
        if result.fault:
            yield f"{result.backend} DIVERGED: {result.fault}. Try a smaller learning rate."


def _difference_note(difference: Difference, times: str, dtype: np.dtype[Any]) -> str:
    names = listed(difference.backends)
    if difference.value is None:
        return f"The parameters of {names} can't be compared after {times}: some are not finite."
    note = f"Largest difference between the parameters of {names} after {times}: {difference.value:.1e}."
    if difference.value > np.sqrt(np.finfo(dtype).eps):
        note += " The backends round differently, which so many steps may magnify."
    return note


def row_name(name: str, colour: str | None, *, fastest: bool = False) -> Any:
    """Return the name of a row, in its colour if it has one. The fastest is bold, and words say so."""
    from rich.text import Text

    text = Text(name, style=colour or "")
    if fastest:
        text.append(FASTEST, style="green")
        text.stylize("bold")
    return text


# -- JSON --------------------------------------------------------------------------------------------


def as_json(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Return all figures, and the versions and hardware that they were measured with."""
    return {
        "config": config() | {"numpy_blas": _blas()},
        "comparisons": [_comparison(each) for each in comparisons],
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    job = comparison.job
    data = job.dataset
    return {
        "title": job.title,
        "model": job.model,
        "data": {
            "name": data.name,
            "description": data.description,
            "features": data.X_train.shape[0],
            "training_examples": data.X_train.shape[1],
            "held_out_examples": data.X_test.shape[1],
        },
        "settings": {
            "iterations": job.iterations,
            "learning_rate": job.learning_rate,
            "dtype": job.dtype,
            **job.settings,
        },
        "results": {name: _result(comparison, result) for name, result in comparison.results.items()},
        "differences": [
            {"backends": list(each.backends), "iterations": each.iterations, "largest": each.value}
            for each in comparison.differences
        ],
    }


def _result(comparison: Comparison, result: Result) -> dict[str, Any]:
    return {
        "iterations": result.iterations,
        "seconds_per_iteration": result.seconds_per_iteration,
        "fits_timed": result.fits_timed,
        "speed_up_over_python": speed_up(comparison, result.backend, "python"),
        "speed_up_over_numpy": speed_up(comparison, result.backend, "numpy"),
        "compile_seconds": result.compile_seconds,
        "final_cost": _number(result.final_cost),
        "diverged": bool(result.fault),
        "accuracy": result.accuracy,
        "costs": [_number(cost) for cost in result.model.costs_],
    }


def _number(value: float) -> float | None:
    """Return None for NaN and infinity, which JSON doesn't have."""
    return value if math.isfinite(value) else None


def _blas() -> list[dict[str, Any]] | None:
    """Return NumPy's BLAS, its version and its threads, or None if threadpoolctl isn't installed."""
    try:
        import threadpoolctl
    except ImportError:
        return None
    pools = threadpoolctl.threadpool_info()
    keys = ("internal_api", "version", "num_threads")
    return [
        {key: pool.get(key) for key in keys}
        for pool in pools
        if pool.get("user_api") == "blas" and "scipy.libs" not in pool.get("filepath", "")
    ]


def write_json(path: Path, comparisons: Sequence[Comparison]) -> None:
    text = json.dumps(as_json(comparisons), indent=2, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
