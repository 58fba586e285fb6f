"""Every backend and both dtypes in turn."""

from __future__ import annotations

import numpy as np
import pytest

from dlkernels import backends


@pytest.fixture(params=backends.NAMES)
def backend(request):
    return backends.get(request.param)


@pytest.fixture(params=("float32", "float64"))
def dtype(request):
    return np.dtype(request.param)
