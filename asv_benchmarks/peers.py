"""dlkernels against NumPy, PyTorch, JAX and others, side by side: `python -m asv_benchmarks.peers --help`.

Each library runs in a process of its own, one at a time, in an order that rotates. There is a pause between
turns, because worker threads spin for up to 25 ms after a call and would slow the next library down. The
ratio of two libraries is the median, over the rounds, of the ratios within a round, so that it doesn't change
if the machine gets slower or faster on the way.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from asv_benchmarks import cold
from asv_benchmarks.libraries import COMPILED, LIMIT, OURS, PEERS
from asv_benchmarks.works import GROUPS, WORKS, Work
from dlkernels import colours

#: Seconds between two turns.
PAUSE = 0.06
#: The seconds that a turn fills with calls, and the number of rounds.
BUDGETS = {"quick": (0.006, 5), "full": (0.03, 11)}
#: The group of first calls, which the module `cold` measures.
COLD = "cold"
_THREAD_VARIABLES = ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB")


class Library:
    """A process that computes with one library."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        environment = os.environ | {f"{variable}_NUM_THREADS": str(threads) for variable in _THREAD_VARIABLES}
        environment["PYTHONPATH"] = str(Path(__file__).resolve().parent.parent)
        cpus = sorted(os.sched_getaffinity(0))[:threads] if hasattr(os, "sched_getaffinity") else []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "asv_benchmarks.worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        if cpus:  # JAX starts a thread for each CPU that it may use
            os.sched_setaffinity(self._process.pid, cpus)

    def ask(self, **command: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        return json.loads(answer) if answer else {"error": "its process ended"}

    def close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait()


def compare(index: int, dtype: str, libraries: list[Library], budget: float, rounds: int) -> dict[str, Any]:
    """Time one work in all libraries; return the times, and how many times faster dlkernels is than each."""
    work = WORKS[index]
    errors, present = {}, []
    for library in libraries:
        groups = (PEERS | COMPILED).get(library.name, GROUPS)
        if work.group not in groups or (library.name == LIMIT and not work.limit):
            continue
        answer = library.ask(prepare=index, dtype=dtype)
        if "error" in answer:
            errors[library.name] = answer["error"]
        else:
            present.append(library)
    times: dict[str, list[float]] = {library.name: [] for library in present}
    for turn in range(rounds):
        for library in present[turn % len(present) :] + present[: turn % len(present)]:
            time.sleep(PAUSE)
            times[library.name].append(library.ask(turn=budget)["seconds"])
    ours = times.get(OURS, [])
    return {
        "group": work.group,
        "work": work.title,
        "dtype": dtype,
        "target": work.target,
        "sklearn_target": work.sklearn_target,
        "limited_by": work.limit,
        "seconds": {name: statistics.median(values) for name, values in times.items()},
        "ratios": {
            name: statistics.median(b / a for a, b in zip(ours, values, strict=True))
            for name, values in times.items()
            if name != OURS and ours
        },
        "errors": errors,
    }


def fastest_peer(row: dict[str, Any]) -> tuple[str, float] | None:
    """Return the fastest other library, and its time divided by ours."""
    ratios = {name: ratio for name, ratio in row["ratios"].items() if name != LIMIT}
    return min(ratios.items(), key=lambda item: item[1]) if ratios else None


def reaches_targets(row: dict[str, Any]) -> bool:
    """Whether a row reaches the ratio promised to the fastest peer, and to scikit-learn where one is."""
    nearest, to_sklearn = fastest_peer(row), row["ratios"].get("sklearn", math.inf)
    return nearest is not None and nearest[1] >= row["target"] and to_sklearn >= row["sklearn_target"]


def _duration(seconds: float) -> str:
    for factor, unit in ((1e-6, "us"), (1e-3, "ms")):
        if seconds < 1000 * factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def _to_target(ratio: float | None, target: float, name: str = "") -> tuple[str, str]:
    """Return two cells: a ratio, in green if it reaches its target, and the target."""
    if ratio is None:
        return "-", f"{target:.1f}x"
    return f"[{'green' if ratio >= target else 'red'}]{ratio:.2f}x[/] {name}".strip(), f"{target:.1f}x"


def report(rows: list[dict[str, Any]], names: list[str], console: Console) -> None:
    """Print a table for each group, and below all tables the geometric mean and the worst row."""
    for group in dict.fromkeys(row["group"] for row in rows):
        members = [row for row in rows if row["group"] == group]
        found = [name for name in names if any(name in row["ratios"] | row["errors"] for row in members)]
        table = Table(title=group, title_justify="left")
        table.add_column("work")
        for name in [OURS, *found]:
            colour = colours.of("numba" if name == OURS else name)
            table.add_column(name, justify="right", header_style=colour)
        with_sklearn = any(row["sklearn_target"] and "sklearn" in row["ratios"] for row in members)
        targets = ["to the fastest", "target", *["to sklearn", "target"] * with_sklearn]
        for name in (*targets, "of the limit"):
            table.add_column(name, justify="right")
        for row in members:
            cells = [f"{row['work']}, {row['dtype']}"]
            cells += [_duration(row["seconds"][n]) if n in row["seconds"] else "-" for n in [OURS, *found]]
            name, ratio = fastest_peer(row) or ("", None)
            cells += _to_target(ratio, row["target"], name)
            if with_sklearn:
                cells += _to_target(row["ratios"].get("sklearn"), row["sklearn_target"])
            limit = row["ratios"].get(LIMIT)
            cells.append(f"{100 * limit:.0f} % ({row['limited_by']})" if limit else "")
            table.add_row(*cells)
        console.print(table)
    for row in rows:
        for name, error in row["errors"].items():
            console.print(f"{row['work']}, {row['dtype']}: {name}: {error}", markup=False)
    ratios = [(found[1], row) for row in rows if (found := fastest_peer(row))]
    if ratios:
        mean = math.exp(statistics.fmean(math.log(ratio) for ratio, _ in ratios))
        worst, row = min(ratios, key=lambda item: item[0])
        reached = sum(reaches_targets(row) for _, row in ratios)
        console.print(
            f"{reached} of {len(ratios)} rows reach their target. Geometric mean to the fastest peer: "
            f"{mean:.2f}x. Worst row: {worst:.2f}x, {row['work']}, {row['dtype']}."
        )


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m asv_benchmarks.peers",
        description="Times of dlkernels and of the other libraries, side by side, a process each.",
    )
    parser.add_argument(
        "group", nargs="*", choices=[*GROUPS, COLD, []], metavar="GROUP",
        help=f"what to measure: {', '.join([*GROUPS, COLD])} (default: all but cold)",
    )  # fmt: skip
    parser.add_argument("--dtype", choices=["float32", "float64"], help="default: both")
    parser.add_argument("--threads", type=int, help="threads of each library (default: all CPUs)")
    parser.add_argument(
        "--compiled", action="store_true", help="also torch.compile, whose compiler takes a minute a work"
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--only", metavar="TEXT", help="works whose title holds TEXT")
    parser.add_argument("--json", metavar="FILE", help="also write all figures to FILE")
    return parser.parse_args(arguments)


def _chosen(options: argparse.Namespace) -> list[int]:
    def wanted(work: Work) -> bool:
        return (not options.group or work.group in options.group) and (options.only or "") in work.title

    return [index for index, work in enumerate(WORKS) if wanted(work)]


def main(arguments: list[str] | None = None) -> int:
    options = _arguments(arguments)
    console = Console(width=None if sys.stdout.isatty() else 150)
    chosen = _chosen(options)
    groups = {WORKS[index].group for index in chosen}
    wanted = [name for name in PEERS if groups & set(PEERS[name])]
    names = [name for name in wanted if importlib.util.find_spec(name)]
    threads = options.threads or os.cpu_count() or 1
    for name in wanted:
        if name not in names:
            advice = f"{name} is not installed and left out: python -m pip install '.[peers]'"
            console.print(advice, markup=False)  # rich's markup would take '[peers]' for a style
    if options.compiled and "torch" in names:
        names += COMPILED
    budget, rounds = BUDGETS["quick" if options.quick else "full"]
    libraries = [Library(name, threads) for name in (OURS, *names, LIMIT)]
    rows = []
    try:
        for index in chosen:
            for dtype in [options.dtype] if options.dtype else ["float32", "float64"]:
                rows.append(compare(index, dtype, libraries, budget, rounds))
                if console.is_terminal:
                    console.print(f"{rows[-1]['work']}, {dtype}", end="\r")
    finally:
        for library in libraries:
            library.close()
    report(rows, names, console)
    if COLD in options.group:
        rows += cold.report([options.dtype] if options.dtype else ["float32", "float64"], console)
    if options.json:
        about = {"machine": platform.processor() or platform.machine(), "threads": threads, "rows": rows}
        Path(options.json).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
