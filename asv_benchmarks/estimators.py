"""The estimators beside scikit-learn's, in time and score: `python -m asv_benchmarks.estimators --help`.

Both are given the same settings and the same `random_state`, in one process, and are fitted in turns with
pauses between, because worker threads of BLAS and OpenMP spin for a while after a call.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn import datasets, linear_model, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import scale

from asv_benchmarks.cold import seconds
from dlkernels import estimators

#: Seconds between two fits.
PAUSE = 0.06


#: Tables of 380 and 400 MB, generated: rows, columns, classes.
LARGE = {"60,000 x 784, 10 classes": (60_000, 784, 10), "500,000 x 100, 2 classes": (500_000, 100, 2)}


class Row(NamedTuple):
    """A data set of scikit-learn, or a large table, standardised, and what is fitted to it."""

    name: str
    settings: dict[str, Any]
    data: str

    def table(self) -> tuple[Any, Any]:
        """X and y."""
        if self.data in LARGE:
            m, n, classes = LARGE[self.data]
            # Classes that overlap: those that don't give subnormal numbers, with which scikit-learn takes ten
            # times as long.
            X, y = datasets.make_classification(
                m, n, n_informative=20, n_classes=classes, class_sep=1.0, flip_y=0.2, random_state=0
            )
        else:
            X, y = getattr(datasets, f"load_{self.data}")(return_X_y=True)
        X = np.ascontiguousarray(scale(X, copy=False))
        return X, scale(y) if self.name == "MLPRegressor" else y

    @property
    def title(self) -> str:
        """The estimator as it is called, and the data."""
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{self.name}({settings}), {self.data}"


ROWS = [
    Row("LogisticRegression", {}, "breast_cancer"),
    Row("LogisticRegression", {}, "digits"),
    Row("MLPClassifier", {}, "iris"),
    Row("MLPClassifier", {}, "wine"),
    Row("MLPClassifier", {"hidden_layer_sizes": (16,), "batch_size": 32}, "breast_cancer"),
    Row("MLPClassifier", {}, "digits"),
    Row("MLPRegressor", {}, "diabetes"),
]


LARGE_ROWS = [Row("LogisticRegression", {}, data) for data in LARGE]


def makers(row: Row) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Functions that make a new estimator, ours and scikit-learn's."""
    theirs = linear_model if row.name == "LogisticRegression" else neural_network
    ours, other = getattr(estimators, row.name), getattr(theirs, row.name)
    return (
        lambda: ours(random_state=0, **row.settings),
        lambda: other(random_state=0, **row.settings),
    )


def measure(row: Row, rounds: int) -> dict[str, Any]:
    """Return the median seconds of a fit, ours first, the median of the ratios, and both scores.

    A score is the mean of five-fold cross-validation: accuracy, or R² of a regression.
    """
    X, y = row.table()
    both = makers(row)
    times: tuple[list[float], list[float]] = ([], [])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 200 epochs are not enough for some
        both[0]().fit(X, y)  # loads the kernels
        for _ in range(rounds):
            for make, seconds in zip(both, times, strict=True):
                time.sleep(PAUSE)
                start = time.perf_counter()
                make().fit(X, y)
                seconds.append(time.perf_counter() - start)
        scores = [float(cross_val_score(make(), X, y, cv=5).mean()) for make in both]
    return {
        "seconds": [statistics.median(seconds) for seconds in times],
        "ratio": statistics.median(theirs / ours for ours, theirs in zip(*times, strict=True)),
        "scores": scores,
    }


def starts(rounds: int) -> dict[str, float]:
    """Return the median seconds of whole processes that predict one row, and of imports alone, in turns."""
    X, y = datasets.load_breast_cancer(return_X_y=True)
    settings: dict[str, Any] = {"hidden_layer_sizes": (16,), "solver": "lbfgs", "random_state": 0}
    row = f"import joblib, numpy as np; row = np.zeros((1, {X.shape[1]}))"
    with tempfile.TemporaryDirectory() as folder:
        ours, pickled, theirs = (str(Path(folder, name)) for name in ("safetensors", "joblib", "sklearn"))
        model = estimators.MLPClassifier(**settings).fit(scale(X), y)
        model.save(ours)
        joblib.dump(model, pickled)
        joblib.dump(neural_network.MLPClassifier(**settings).fit(scale(X), y), theirs)
        load = f"{row}; from dlkernels.estimators import load; load({ours!r}).predict(row)"
        processes = {
            "import numpy": "import numpy",
            "import numba": "import numba",
            "import sklearn.neural_network": "import sklearn.neural_network",
            "load, predict": load,
            "joblib.load, predict": f"{row}; joblib.load({pickled!r}).predict(row)",
            "scikit-learn's joblib.load, predict": f"{row}; joblib.load({theirs!r}).predict(row)",
        }
        warm = str(Path(folder, "warm"))
        seconds(load, warm)
        times: dict[str, list[float]] = {name: [] for name in (*processes, "load, predict, empty cache")}
        for turn in range(rounds):
            for name, code in processes.items():
                times[name].append(seconds(code, warm))
            if turn % 3 == 0:  # it compiles
                with tempfile.TemporaryDirectory() as empty:
                    times["load, predict, empty cache"].append(seconds(load, empty))
    return {name: statistics.median(each) for name, each in times.items()}


def _print_starts(rounds: int) -> None:
    table = Table("a process that does", "seconds")
    for name, median in starts(rounds).items():
        table.add_row(name, f"{median:.2f}")
    Console().print(table)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m asv_benchmarks.estimators",
        description="Times and scores of the estimators beside scikit-learn's, in turns.",
    )
    parser.add_argument("--rounds", type=int, default=5, help="fits, or processes, of each (default: 5)")
    parser.add_argument("--only", metavar="TEXT", default="", help="rows whose title holds TEXT")
    parser.add_argument(
        "--start", action="store_true", help="instead: seconds of new processes up to a first prediction"
    )
    parser.add_argument("--large", action="store_true", help="instead: two tables of 380 and 400 MB")
    given = parser.parse_args(arguments)
    if given.start:
        _print_starts(given.rounds)
        return
    table = Table("fit", "dlkernels", "scikit-learn", "times as fast", "score", "scikit-learn's")
    for row in LARGE_ROWS if given.large else ROWS:
        if given.only in row.title:
            found = measure(row, given.rounds)
            cells = [f"{1e3 * seconds:.1f} ms" for seconds in found["seconds"]]
            table.add_row(row.title, *cells, f"{found['ratio']:.1f}", *[f"{s:.4f}" for s in found["scores"]])
    Console().print(table)


if __name__ == "__main__":
    main()
