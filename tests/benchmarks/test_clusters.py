"""What is measured on a Dask cluster, and the formula that is fitted to it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from asv_benchmarks import clusters
from asv_benchmarks.clusters import Round, Shape, formula, measure, report


def rounds(a, b, c):
    """Rounds that take exactly a + b W + c W MB milliseconds beside the kernels."""
    found = []
    for workers in (1, 2, 4):
        for shape in clusters.SHAPES:
            kernels = shape.rows * shape.features / workers / 5e5
            dask = a + b * workers + c * workers * 8e-6 * shape.parameters
            found.append(Round(workers, shape, kernels + dask, kernels))
    return found


def test_the_formula_is_found():
    (a, b, c), error = formula(rounds(3.0, 1.5, 7.0))
    assert (a, b, c) == pytest.approx((3.0, 1.5, 7.0))
    assert error < 1e-9


def test_the_report_says_from_where_on_a_cluster_pays():
    console = Console(file=io.StringIO(), width=110)
    report(rounds(3.0, 1.0, 7.0), console)
    printed = " ".join(console.file.getvalue().split())
    assert "3.0 + 1.0 W + 7.0 W MB milliseconds" in printed
    assert "0.50 million numbers a millisecond and worker" in printed
    # 4 ms of Dask with one worker: 2 million numbers, 16 MB.
    assert (
        "With 1 worker(s) the kernels take as long as Dask where each worker has 2 million numbers, 16 MB"
        in printed
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::dask.array.PerformanceWarning")
def test_rounds_are_measured():
    (logistic, network) = measure(1, [Shape(800, 5), Shape(800, 5, (3,))], 12)
    for each in (logistic, network):
        assert 0 < each.kernels < each.whole
        assert each.workers == 1
    assert (logistic.shape.parameters, network.shape.parameters) == (6, 22)
