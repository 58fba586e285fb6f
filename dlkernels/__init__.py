"""Kernels of neural-network basics as explicit loops, compiled with Numba.

Examples are columns: X is (n_x, m), labels Y are (1, m), a layer's W is (n, n_prev) and its b (n, 1), as in
Andrew Ng's course "Neural Networks and Deep Learning". `dlkernels.backends` holds the same functions in
pure Python and in NumPy, for comparison.
"""

from __future__ import annotations

import importlib

from dlkernels import backends
from dlkernels._calls import forks

TYPE_CHECKING = False  # not from `typing`, whose import takes longer than that of this package without Numba
if TYPE_CHECKING:
    from typing import Any

    from dlkernels import blocks as blocks
    from dlkernels import catalogue as catalogue
    from dlkernels import dask as dask
    from dlkernels import data as data
    from dlkernels import estimators as estimators
    from dlkernels import graph as graph
    from dlkernels import hardware as hardware
    from dlkernels import models as models
    from dlkernels import optimizers as optimizers
    from dlkernels import validation as validation
    from dlkernels import vectorized as vectorized
    from dlkernels._calls.threads import get_num_threads as get_num_threads
    from dlkernels._calls.threads import set_num_threads as set_num_threads
    from dlkernels._calls.threads import threads as threads
    from dlkernels._warmup import warmup as warmup
    from dlkernels.backends.numba import *  # noqa: F403
    from dlkernels.gradient_checking import check_gradients as check_gradients
    from dlkernels.info import show_config as show_config

__version__ = "0.1.0"

#: The module that defines each public name. A name is imported when it is first used, because importing Numba
#: takes 0.2 s: `dlkernels --help` need not wait for it, and the command can handle a Ctrl-C meanwhile.
_HOMES = {
    "dlkernels.backends.numba": backends.FUNCTIONS,
    "dlkernels.info": ("show_config",),
    "dlkernels._calls.threads": ("get_num_threads", "set_num_threads", "threads"),
    "dlkernels._warmup": ("warmup",),
    "dlkernels.gradient_checking": ("check_gradients",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

#: Public modules, which are also imported when they are first used.
_MODULES = (
    "blocks",
    "catalogue",
    "data",
    "graph",
    "hardware",
    "models",
    "optimizers",
    "validation",
    "vectorized",
)

#: Public modules that need extras. `from dlkernels import *` leaves them out, because it must work without.
_WITH_EXTRAS = ("dask", "estimators")

__all__ = ["backends", *_MODULES, *_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        with forks.FIRST_USE:
            from dlkernels._compiler.internals import compiler_lock
        # Numba's lock comes first, as in `forks`: a thread that compiles a function already holds it here.
        with compiler_lock, forks.FIRST_USE:
            value = getattr(importlib.import_module(_HOME[name]), name)
    elif name in _MODULES:
        with forks.FIRST_USE:
            value = importlib.import_module(f"dlkernels.{name}")
    elif name in _WITH_EXTRAS:
        from dlkernels.extras import MissingExtraError

        try:
            value = importlib.import_module(f"dlkernels.{name}")  # as by its full name, without our lock
        except MissingExtraError as error:
            raise AttributeError(str(error)) from error
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_WITH_EXTRAS})
