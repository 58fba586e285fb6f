"""The names under which kernels find the machine code of the pieces that they call (see `pieces`).

A name is ``dlkernels.KEY.FUNCTION.DTYPE``. KEY is the cache key. Therefore pieces of two versions of this
package, or pieces compiled with different settings of Numba, never have the same name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlkernels._compiler import internals
from dlkernels._compiler.key import key

#: The prefix of the names of pieces, and that of the names of their copies in functions that users compile.
PUBLISHED, LINKED = f"dlkernels.{key()}.", f"dlkernels.linked.{key()}."

#: For the name of each piece's function: a callable that compiles the piece for a dtype and publishes it.
_publishers: dict[str, Callable[[str], Any]] = {}


def add_piece(function: str, publish_for: Callable[[str], Any]) -> None:
    """Register a piece; `publish_for` is called with a dtype when that dtype is first needed."""
    if function in _publishers:
        raise ValueError(f"there are two pieces {function}")
    _publishers[function] = publish_for


def needed(library: Any) -> list[str]:
    """The names of the pieces that compiled code calls."""
    return [name for name in internals.undefined(library) if name.startswith(PUBLISHED)]


def publish(name: str) -> Any:
    """Compile the piece of this name or load it from the cache, publish the name, and return the piece."""
    function, _, dtype = name.removeprefix(PUBLISHED).rpartition(".")
    return _publishers[function](dtype)
