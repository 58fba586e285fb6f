"""The same functions in three backends, behind one contract.

`python` spells out the for-loops of the course notes, `numpy` is their vectorised form, and `numba` runs
compiled loops. Each backend is a module with the functions named in `FUNCTIONS`. All have the same
signatures, checks and errors, and their results agree up to rounding.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from dlkernels.catalogue import ACTIVATIONS, COSTS

__all__ = ["FUNCTIONS", "NAMES", "NETWORKS", "get"]

#: The names of the backends, as `get` takes them.
NAMES = ("python", "numpy", "numba")

#: Networks of any depth; the first three are the same function on each backend.
NETWORKS = (
    "num_parameters",
    "network_parameters",
    "network_views",
    "network_forward",
    "network_propagate",
    "train_epoch",
)

#: The functions that each backend has.
FUNCTIONS = (
    *ACTIVATIONS,
    *(f"{name}_backward" for name in ACTIVATIONS),
    "dense_forward",
    "dense_gradients",
    "dense_backward",
    *COSTS,
    "logistic_propagate",
    "shallow_propagate",
    "logistic_descent",
    "shallow_descent",
    "gradient_descent",
    "dot",
    *NETWORKS,
)


def get(name: str) -> ModuleType:
    """Return the backend called `name`.

    Parameters
    ----------
    name : {"python", "numpy", "numba"}

    Returns
    -------
    module
        A module with every function named in `FUNCTIONS`.

    Raises
    ------
    TypeError
        If `name` is not a string.
    ValueError
        If there is no such backend.

    Examples
    --------
    >>> from dlkernels import backends
    >>> backends.get("numpy").dot([1.0, 2.0], [3.0, 4.0])
    11.0
    """
    if not isinstance(name, str):
        raise TypeError(f"backends.get: name must be a string, not {type(name).__name__}")
    if name not in NAMES:
        raise ValueError(f"backends.get: name must be one of {', '.join(NAMES)}, not {name!r}")
    return importlib.import_module(f"{__name__}.{name}")
