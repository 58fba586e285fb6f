"""Eight threads, whatever the machine has: work is split as on a larger one, and the bits must not change.

Hypothesis runs the same few examples each time; `python -m pytest --hypothesis-profile=nightly` draws new
ones, a hundred times as many, and keeps what it finds in .hypothesis for the next run.
"""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("NUMBA_NUM_THREADS", "8")


@pytest.fixture(autouse=True, scope="session")
def eight_threads():
    """Let kernels use eight threads; by default they use at most the CPUs that this process may use."""
    from dlkernels._calls import threads

    threads.set_num_threads(threads.maximum())


_SLOW = [HealthCheck.too_slow]
settings.register_profile(
    "short", max_examples=50, derandomize=True, database=None, deadline=None, suppress_health_check=_SLOW
)
settings.register_profile("nightly", max_examples=5000, deadline=None, suppress_health_check=_SLOW)
settings.load_profile("short")


@pytest.fixture
def ctrl_c():
    """Ctrl-C raises KeyboardInterrupt, also where tests run in the background and would ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
