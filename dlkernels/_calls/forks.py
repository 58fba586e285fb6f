"""Locks that a fork waits for, so that no child process inherits them while another thread holds them.

A forked child has only the thread that forked. If another thread of the parent held a lock at that moment,
the child would wait for that lock for ever. Therefore a fork hook first takes two locks: Numba's own, which a
thread holds while it compiles, and `FIRST_USE`, which a thread holds while it imports a name at its first use
or starts the threads of parallel kernels. Everybody takes them in this order, because a thread that compiles
may use a name of this package for the first time.
"""

from __future__ import annotations

# `logging` has a lock, too, which its own fork hook takes, and which a thread that compiles may need. Hooks
# run before a fork in reverse order of their registration. Importing `logging` before our hook is
# registered makes a fork take our locks first.
import logging  # noqa: F401
import os
import sys
import threading

TYPE_CHECKING = False  # not from `typing`, whose import takes longer than that of this package without Numba
if TYPE_CHECKING:
    from typing import Any

FIRST_USE = threading.RLock()
_held: list[Any] = []  # the locks that the current fork has taken


def _before() -> None:
    FIRST_USE.acquire()
    if "numba" not in sys.modules:  # no thread compiles, and one that imports Numba for us has to wait
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
