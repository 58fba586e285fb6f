"""Time the first calls of a process: with an empty cache, so that they compile, and with a warm cache."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from dlkernels.catalogue import ACTIVATIONS, COSTS

#: The seconds in which the project promises to compile every kernel.
LIMIT = 40.0

_ARRAYS = """
import numpy as np
import dlkernels as dk
X, Y = np.ones((2, 8), "{dtype}"), np.ones((1, 8), "{dtype}")
W, b, w, v = (np.ones(shape, "{dtype}") for shape in ((3, 2), (3, 1), (2, 1), (1, 3)))
A = np.ones((3, 8), "{dtype}")
sizes, theta = (2, 3, 1), np.ones(13, "{dtype}")
"""
#: A first call of each function that the backends share.
FIRST_CALLS = {
    **{name: f"dk.{name}(Y)" for name in ACTIVATIONS},
    **{f"{name}_backward": f"dk.{name}_backward(Y, Y, Z=Y)" for name in ACTIVATIONS},
    "dot": "dk.dot(Y[0], Y[0])",
    **{name: f"dk.{name}(Y, Y)" for name in COSTS},
    "dense_forward": "dk.dense_forward(W, X, b)",
    "dense_gradients": "dk.dense_gradients(A, X)",
    "dense_backward": "dk.dense_backward(v, Y, A, X, 'tanh')",
    "gradient_descent": "dk.gradient_descent([W], [W.copy()], 0.1)",
    "logistic_propagate": "dk.logistic_propagate(w, 0.0, X, Y)",
    "logistic_descent": "dk.logistic_descent(w, 0.0, X, Y, 0.1, 1)",
    "shallow_propagate": "dk.shallow_propagate(W, b, v, Y[:, :1], X, Y)",
    "shallow_descent": "dk.shallow_descent(W, b, v, Y[:, :1].copy(), X, Y, 0.1, 1)",
    "num_parameters": "dk.num_parameters(sizes)",
    "network_parameters": "dk.network_parameters(sizes, dtype=X.dtype)",
    "network_views": "dk.network_views(theta, sizes)",
    "network_forward": "dk.network_forward(theta, sizes, X)",
    "network_propagate": "dk.network_propagate(theta, sizes, X, Y)",
    "train_epoch": "dk.train_epoch(theta, sizes, dk.optimizers.Adam(), X, Y, batch_size=4)",
}


def seconds(code: str, cache: str) -> float:
    """Return the seconds of a whole process that runs `code`, with kernels cached in the folder `cache`."""
    environment = os.environ | {"NUMBA_CACHE_DIR": cache}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parent.parent)
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def first_calls(dtype: str) -> list[dict[str, Any]]:
    """Return, for each function, the seconds from the start of a process to the end of its first call."""
    rows = []
    for name, call in FIRST_CALLS.items():
        code = _ARRAYS.format(dtype=dtype) + call
        with tempfile.TemporaryDirectory() as cache:
            empty = seconds(code, cache)
            warm = min(seconds(code, cache) for _ in range(3))
        rows.append({"group": "cold", "work": name, "dtype": dtype, "empty": empty, "warm": warm})
    return rows


def whole() -> dict[str, float]:
    """Return the seconds of `dlkernels warmup`, of a first gradient after it, and of importing each peer."""
    with tempfile.TemporaryDirectory() as cache:
        command = "from dlkernels.cli import main; raise SystemExit(main(['warmup']))"
        result = {"dlkernels warmup": seconds(command, cache)}
        gradient = _ARRAYS.format(dtype="float32") + FIRST_CALLS["shallow_propagate"]
        result["first gradient"] = min(seconds(gradient, cache) for _ in range(5))
        for library in ("numpy", "torch", "jax"):
            try:
                result[f"import {library}"] = min(seconds(f"import {library}", cache) for _ in range(5))
            except subprocess.CalledProcessError:
                continue  # the library isn't installed, which the caller has said
    return result


def report(dtypes: list[str], console: Console) -> list[dict[str, Any]]:
    """Measure and print all figures of this group; return them."""
    rows = [row for dtype in dtypes for row in first_calls(dtype)]
    table = Table(
        title="cold: seconds from the start of a process to the end of a call", title_justify="left"
    )
    table.add_column("first call")
    for name in ("empty cache", "warm cache"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(f"{row['work']}, {row['dtype']}", f"{row['empty']:.2f} s", f"{row['warm']:.2f} s")
    console.print(table)
    times = whole()
    for name, value in times.items():
        style = "" if name != "dlkernels warmup" else "green" if value < LIMIT else "red"
        console.print(f"{name}: [{style or 'default'}]{value:.2f} s[/]")
    return [*rows, {"group": "cold", "work": "whole", "seconds": times}]
