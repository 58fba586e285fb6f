"""The time that a process takes before its first result: for imports, and to compile or read the kernels."""

from __future__ import annotations

_FIRST_GRADIENT = """
import numpy as np
import dlkernels as dk
X, Y = np.ones((2, 8)), np.ones((1, 8))
dk.shallow_propagate(np.ones((3, 2)), np.ones((3, 1)), np.ones((1, 3)), np.ones((1, 1)), X, Y)
"""
_EMPTY_CACHE = """
import os, tempfile
folder = tempfile.TemporaryDirectory()
os.environ["NUMBA_CACHE_DIR"] = folder.name
"""


class Start:
    """Each sample runs in a fresh interpreter."""

    version = "1"
    repeat = (3, 10, 5.0)
    rounds = 1
    number = 1
    timeout = 300

    def timeraw_import_numpy(self) -> str:
        return "import numpy"

    def timeraw_import_numba(self) -> str:
        return "import numba"

    def timeraw_import_dlkernels(self) -> str:
        return "import dlkernels"

    def timeraw_import_models(self) -> str:
        return "import models"

    def timeraw_first_gradient(self) -> str:
        """The kernels are read from disk: `setup` has compiled them."""
        return _FIRST_GRADIENT

    timeraw_first_gradient.setup = lambda self=None: exec(_FIRST_GRADIENT, {})  # type: ignore[attr-defined]


class Compile:
    """Compile with an empty cache, once for each dtype."""

    params = ("float32", "float64")
    param_names = ("dtype",)
    version = "1"
    repeat = 1
    rounds = 1
    number = 1
    timeout = 600

    def timeraw_first_call(self, dtype: str) -> str:
        return f"{_EMPTY_CACHE}\nimport numpy, dlkernels\ndlkernels.tanh(numpy.ones(8, '{dtype}'))"

    def timeraw_warmup(self, dtype: str) -> str:
        """Compile every kernel, serial and parallel."""
        return f"{_EMPTY_CACHE}\nimport dlkernels\ndlkernels.warmup(['{dtype}'])"
