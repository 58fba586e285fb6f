"""What must not be half done when a process forks: its child would wait for ever for a thread it hasn't got.

A fork waits for two locks: Numba's own, which is held while anything is compiled, and `FIRST_USE`, which is
held while names are imported at their first use, and while the threads of parallel kernels are started.
They are taken in this order everywhere, since who compiles may come to use a name of this package for the
first time.
"""

from __future__ import annotations

# It has a lock that a fork takes, and that whoever compiles may want. A fork takes first what was registered
# last: this is imported before, for ours to be taken first.
import logging  # noqa: F401
import os
import sys
import threading
from typing import Any

FIRST_USE = threading.RLock()
_held: list[Any] = []  # by the fork that is under way


def _before() -> None:
    FIRST_USE.acquire()
    if "numba" not in sys.modules:  # nobody compiles, and whoever imports it for us has to wait
        _held[:] = [FIRST_USE]
        return
    from dlkernels._compiler.internals import compiler_lock

    FIRST_USE.release()
    compiler_lock.acquire()
    FIRST_USE.acquire()
    _held[:] = [FIRST_USE, compiler_lock]


def _after() -> None:
    # Nothing is held if this module was imported in the middle of a fork.
    held, _held[:] = list(_held), []
    for lock in held:
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after)
