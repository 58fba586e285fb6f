"""Programs in processes of their own, for tests of what could bring a process down."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys


def new_process(code, environment=None, *arguments, timeout=120):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=timeout,
        check=False,
    )


def available(name):
    """Whether Numba was built with this layer, and what it loads is installed."""
    module = {"omp": "omppool", "tbb": "tbbpool", "workqueue": "workqueue"}[name]
    if importlib.util.find_spec(f"numba.np.ufunc.{module}") is None:
        return False
    return name != "tbb" or any(True for _ in importlib.metadata.distributions(name="tbb"))
