"""The estimators beside scikit-learn's, in time and score: `python -m asv_benchmarks.estimators --help`.

Both are given the same settings and the same `random_state`, in one process, and are fitted in turns with
pauses between, because worker threads of BLAS and OpenMP spin for a while after a call.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from sklearn import datasets, linear_model, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import scale

from dlkernels import estimators

#: Seconds between two fits.
PAUSE = 0.06


class Row(NamedTuple):
    """A data set of scikit-learn, standardised, and what is fitted to it."""

    name: str
    settings: dict[str, Any]
    data: str

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
    X, y = getattr(datasets, f"load_{row.data}")(return_X_y=True)
    X, y = scale(X), scale(y) if row.name == "MLPRegressor" else y
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


def main(arguments: list[str] | None = None) -> None:
    """Measure all rows and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m asv_benchmarks.estimators",
        description="Times and scores of the estimators beside scikit-learn's, in turns.",
    )
    parser.add_argument("--rounds", type=int, default=5, help="fits of each (default: 5)")
    parser.add_argument("--only", metavar="TEXT", default="", help="rows whose title holds TEXT")
    given = parser.parse_args(arguments)
    table = Table("fit", "dlkernels", "scikit-learn", "times as fast", "score", "scikit-learn's")
    for row in ROWS:
        if given.only in row.title:
            found = measure(row, given.rounds)
            cells = [f"{1e3 * seconds:.1f} ms" for seconds in found["seconds"]]
            table.add_row(row.title, *cells, f"{found['ratio']:.1f}", *[f"{s:.4f}" for s in found["scores"]])
    Console().print(table)


if __name__ == "__main__":
    main()
