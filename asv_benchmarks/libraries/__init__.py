"""How each library computes a work, a module each: `with_numpy` and so on.

`build(work, given)` of a module returns a list of functions without arguments that all compute the same
result, of which the fastest is timed: a library gets the formulation that is best for it.
"""

from __future__ import annotations

import importlib
from typing import Any

OURS = "dlkernels"
PEERS = ("numpy", "torch", "jax")
#: What else is timed: what the hardware does with the same bytes, or the same number of operations.
LIMIT = "limit"


def module(name: str) -> Any:
    """The module that knows how this library computes a work."""
    return importlib.import_module(f"{__name__}.with_{name}")
