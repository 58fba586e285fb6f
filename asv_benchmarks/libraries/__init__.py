"""How each library computes a work. Each library has a module: `with_numpy` and so on.

`build(work, given)` of a module returns a list of functions without arguments that all compute the same
result. The fastest of them is timed, so that each library runs in the formulation that is best for it.
"""

from __future__ import annotations

import importlib
from typing import Any

from asv_benchmarks.works import GROUPS

OURS = "dlkernels"
#: The other libraries by the names under which they are imported, and the groups of works that each computes.
PEERS = {
    "numpy": GROUPS,
    "torch": GROUPS,
    "jax": GROUPS,
    "sklearn": ("fit", "epochs", "inference"),
    "onnxruntime": ("inference",),
}
#: A form of PyTorch whose compiler takes up to a minute a work, and the groups that it is for.
COMPILED = {"torch_compiled": ("epochs", "inference")}
#: Timed like a library: the hardware's limit for the same bytes, or for the same number of operations.
LIMIT = "limit"


def module(name: str) -> Any:
    """Return the module that knows how this library computes a work."""
    return importlib.import_module(f"{__name__}.with_{name}")
