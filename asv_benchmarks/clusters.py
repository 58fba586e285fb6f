"""What a round on a Dask cluster costs, and from which table on it pays: `python -m asv_benchmarks.clusters`.

A round is one evaluation of the cost and its gradient over all blocks, by `dlkernels.dask`. Its time is
that of the kernels on the slowest worker, and the rest, which is Dask's. The workers are processes of one
thread on this machine. If there are more of them than CPUs, they share these.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
import warnings
from typing import Any, NamedTuple

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from rich.console import Console
from rich.table import Table
from sklearn.exceptions import ConvergenceWarning

from dlkernels import num_parameters
from dlkernels.dask import DaskLogisticRegression, DaskMLPClassifier
from dlkernels.estimators import LogisticRegression

#: Blocks of every table: at least as many as workers.
BLOCKS = 16


class Shape(NamedTuple):
    """A table, and the hidden layers of the network that learns it; none is logistic regression."""

    rows: int
    features: int
    hidden: tuple[int, ...] = ()

    @property
    def parameters(self) -> int:
        """How many numbers theta has, which each round sends to the workers and back."""
        return num_parameters((self.features, *self.hidden, 1))

    def model(self, rounds: int) -> Any:
        """An estimator that needs about so many rounds."""
        if not self.hidden:
            return DaskLogisticRegression(C=1e6, tol=0.0, max_iter=rounds)
        return DaskMLPClassifier(
            self.hidden, solver="lbfgs", tol=0.0, max_iter=rounds, max_fun=rounds, random_state=0
        )


SHAPES = [
    Shape(2_000, 20),
    Shape(200_000, 20),
    Shape(2_000_000, 20),
    Shape(20_000, 200),
    Shape(200_000, 200),
    Shape(20_000, 200, (100,)),
    Shape(2_000, 780, (100,)),
]


class Round(NamedTuple):
    """Milliseconds of a round, medians."""

    workers: int
    shape: Shape
    whole: float
    kernels: float

    @property
    def dask(self) -> float:
        """What isn't the kernels'."""
        return self.whole - self.kernels


def table_of(shape: Shape) -> tuple[Any, Any]:
    """X and y, drawn by the workers, which keep them."""
    random = da.random.RandomState(0)
    X = random.normal(size=(shape.rows, shape.features), chunks=(-(-shape.rows // BLOCKS), shape.features))
    noise = random.normal(size=shape.rows, chunks=X.chunks[0])
    return dask.persist(X, ((X[:, :5].sum(axis=1) + 2 * noise) > 0).astype(np.int8))


def measure(workers: int, shapes: list[Shape], rounds: int) -> list[Round]:
    """The rounds of each shape on a cluster of so many workers."""
    found = []
    options = {"threads_per_worker": 1, "dashboard_address": ":0", "memory_limit": 0}
    with LocalCluster(n_workers=workers, **options) as cluster, Client(cluster):
        for shape in shapes:
            X, y = table_of(shape)
            shape.model(3).fit(X, y)  # loads the kernels
            milliseconds = 1e3 * shape.model(rounds).fit(X, y).round_seconds_
            found.append(Round(workers, shape, *np.median(milliseconds, axis=0)))
    return found


def formula(rounds: list[Round]) -> tuple[Any, float]:
    """a, b and c of Dask's milliseconds a + b W + c W MB, and the root of the mean squared error.

    There are W workers, and theta has MB megabytes.
    """
    megabytes = np.array([8e-6 * r.shape.parameters for r in rounds])
    workers = np.array([float(r.workers) for r in rounds])
    design = np.stack([np.ones(len(rounds)), workers, workers * megabytes], axis=1)
    spent = np.array([r.dask for r in rounds])
    solution, *_ = np.linalg.lstsq(design, spent, rcond=None)
    return solution, float(np.sqrt(np.mean((design @ solution - spent) ** 2)))


def report(rounds: list[Round], console: Console) -> None:
    """Print the rounds, the formula, and from how many rows on the kernels take as long as Dask."""
    table = Table("rows", "features", "hidden", "theta", "workers", "round, ms", "kernels, ms", "Dask, ms")
    for r in rounds:
        s = r.shape
        cells = [f"{s.rows:,}", s.features, ",".join(map(str, s.hidden)) or "none", f"{s.parameters:,}"]
        numbers = [f"{r.whole:.1f}", f"{r.kernels:.1f}", f"{r.dask:.1f}"]
        table.add_row(*map(str, cells), str(r.workers), *numbers)
    console.print(table)
    (a, b, c), error = formula(rounds)
    console.print(
        f"Dask's part of a round with W workers: {a:.1f} + {b:.1f} W + {c:.1f} W MB milliseconds, where MB "
        f"is theta's size in megabytes (root mean square error {error:.1f} ms)."
    )
    largest = [r for r in rounds if not r.shape.hidden and r.shape.rows * r.shape.features >= 4e7]
    rate = statistics.median(r.shape.rows * r.shape.features / r.workers / r.kernels for r in largest)
    console.print(f"Logistic regression: {rate / 1e6:.2f} million numbers a millisecond and worker.")
    for workers in sorted({r.workers for r in rounds}):
        numbers = (a + b * workers) * rate
        console.print(
            f"With {workers} worker(s) the kernels take as long as Dask where each worker has "
            f"{numbers / 1e6:.0f} million numbers, {numbers * 8e-6:.0f} MB."
        )


def fits(shape: Shape, workers: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of whole fits of logistic regression, in turns: on the cluster, in memory, and by dask-ml."""
    seconds: dict[str, list[float]] = {}
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster),
    ):
        X, y = table_of(shape)
        memory = X.compute(), y.compute()
        contenders = {
            f"DaskLogisticRegression, {workers} workers": lambda: DaskLogisticRegression().fit(X, y),
            "LogisticRegression, in memory": lambda: LogisticRegression().fit(*memory),
        }
        if importlib.util.find_spec("dask_ml"):
            from dask_ml.linear_model import LogisticRegression as DaskML

            contenders["dask-ml's LogisticRegression"] = lambda: DaskML(solver="lbfgs").fit(X, y)
        for turn in range(rounds + 1):
            for name, fit in contenders.items():
                start = time.perf_counter()
                fit()
                if turn:  # the first loads the kernels
                    seconds.setdefault(name, []).append(time.perf_counter() - start)
    return seconds


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m asv_benchmarks.clusters",
        description="What a round of dlkernels.dask costs by rows, features and workers.",
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="default: 1 2 4")
    parser.add_argument("--rounds", type=int, default=30, help="rounds of each, or fits (default: 30)")
    parser.add_argument(
        "--fits", action="store_true", help="instead: whole fits of logistic regression, beside dask-ml's"
    )
    given = parser.parse_args(arguments)
    console = Console(width=110)  # as wide as the table, also in a file
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", da.PerformanceWarning)
        warnings.simplefilter("ignore", FutureWarning)  # dask-ml uses old names of settings
        if not given.fits:
            rounds = [r for workers in given.workers for r in measure(workers, SHAPES, given.rounds)]
            report(rounds, console)
            return
        table = Table("rows", "features", "fit", "seconds, median")
        for shape in (Shape(200_000, 20), Shape(2_000_000, 20)):
            for name, seconds in fits(shape, given.workers[0], given.rounds).items():
                table.add_row(
                    f"{shape.rows:,}", str(shape.features), name, f"{statistics.median(seconds):.2f}"
                )
        console.print(table)


if __name__ == "__main__":
    main()
