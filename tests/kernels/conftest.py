"""The kernel tests also run without compilation (NUMBA_DISABLE_JIT=1): the same bodies as plain Python."""

from __future__ import annotations

import numba
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def quiet_scalars():
    """NumPy's scalars warn where compiled code follows IEEE silently."""
    if numba.config.DISABLE_JIT:
        with np.errstate(all="ignore"):
            yield
    else:
        yield


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


@pytest.fixture
def rng():
    return np.random.default_rng(20240607)
