"""Locks that a fork waits for, so that no child process inherits them while another thread holds them.

A forked child has only the thread that forked. If another thread of the parent held a lock at that moment,
the child would wait for that lock for ever. Therefore a fork hook first takes two locks: Numba's own, which a
thread holds while it compiles, and `FIRST_USE`, which a thread holds while it imports a name at its first use
or starts the threads of parallel kernels. Everybody takes them in this order, because a thread that compiles
may use a name of this package for the first time.
"""

from __future__ import annotations

import functools

# `logging` has a lock, too, which its own fork hook takes, and which a thread that compiles may need. Hooks
# run before a fork in reverse order of their registration. Importing `logging` before our hook is
# registered makes a fork take our locks first.
import logging  # noqa: F401
import os
import sys
import threading

TYPE_CHECKING = False  # not from `typing`, whose import takes longer than that of this package without Numba
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

FIRST_USE = threading.RLock()
#: Holds the locks for the current fork: a generator that waits inside its `with` statement. The hooks after a
#: fork empty this list. This ends the generator, which releases the locks.
_holders: list[Iterator[None]] = []


def _holder() -> Iterator[None]:
    with FIRST_USE:  # no other thread imports the following module for us in this moment
        internals = sys.modules.get("dlkernels._compiler.internals")
    if internals is not None:
        # Numba's first call imports this. If another thread is just doing so, this waits for it, because the
        # child would wait for ever.
        import numpy.ma  # noqa: F401
    # Without the module no thread compiles a kernel. To take the same lock twice does no harm.
    with getattr(internals, "compiler_lock", FIRST_USE), FIRST_USE:
        yield


def _before() -> None:
    """Take the locks; an exception that strikes meanwhile is raised after the fork.

    Python only prints an exception of this function, and forks all the same. Therefore this function must not
    end before it has the locks, even if a signal handler raises a time limit while it waits for them. Where
    memory or the recursion limit is exhausted, waiting doesn't help, and the process forks without the locks.
    """
    struck = None
    while True:
        try:
            holder = _holder()
            next(holder)
            _holders.append(holder)
            del holder  # the traceback of an exception that struck would keep it alive
            if struck is not None:
                _raise_after_fork(struck)
            return
        except (RecursionError, MemoryError):
            return
        except BaseException as error:
            struck = error


def _raise_after_fork(error: BaseException) -> None:
    """Raise an exception in this thread when all hooks after the fork have run, in the parent process only.

    Python only prints an exception of these hooks, too. Therefore the last hook is a function of Python's C
    interface. It takes a class. As soon as this thread runs Python code again, it raises an instance of that
    class; here making an instance gives the error itself.
    """
    import ctypes  # not at the top, because the import takes 3 ms

    class Struck(BaseException):
        def __new__(cls) -> Any:
            return error

    set_exception = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.py_object)(
        ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
    )
    # A hook can't be removed. At later forks this one does nothing, because its iterator has ended.
    calls = map(set_exception, [threading.get_ident()], [Struck])
    os.register_at_fork(after_in_parent=functools.partial(next, calls, None))


if hasattr(os, "register_at_fork"):
    # The hooks after a fork are written in C, so that no exception can strike in the middle of them.
    os.register_at_fork(before=_before, after_in_parent=_holders.clear, after_in_child=_holders.clear)
