"""The names under which kernels find the machine code of the pieces that they call (see `pieces`).

A name is ``dlkernels.KEY.FUNCTION.DTYPE``. KEY is the key of the cache: another version of this package, or
other settings of Numba, never meet under one name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlkernels._compiler import internals
from dlkernels._compiler.key import key

#: What begins the names of all pieces, and of the copies that are linked into functions of users.
PUBLISHED, LINKED = f"dlkernels.{key()}.", f"dlkernels.linked.{key()}."

#: What compiles a piece for a dtype and publishes it, by the name of its function.
_publishers: dict[str, Callable[[str], Any]] = {}


def add_piece(function: str, publish_for: Callable[[str], Any]) -> None:
    """Let the pieces of a function be found; each dtype is published when it is first needed."""
    if function in _publishers:
        raise ValueError(f"there are two pieces {function}")
    _publishers[function] = publish_for


def needed(library: Any) -> list[str]:
    """The names of the pieces that compiled code calls."""
    return internals.names_needed(library, PUBLISHED)


def publish(name: str) -> Any:
    """The piece of this name, which LLVM knows from now on: compiled, or read from the cache."""
    function, _, dtype = name.removeprefix(PUBLISHED).rpartition(".")
    return _publishers[function](dtype)
