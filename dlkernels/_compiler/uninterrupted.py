"""Actions that must run to their end, and states that must be restored, whatever exception strikes meanwhile.

A signal handler, such as that of a time limit, can raise an exception at any line. In the middle of some
actions of Numba it would damage Numba's state, or be lost: Python drops an exception that is raised while an
object of LLVM is being deleted.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

#: How many frames must be left below the recursion limit. An action that finds that too few are left would
#: stop in the middle. Numba's first `refresh` was measured to need 99.
_FRAMES = 150


def uninterrupted(action: Callable[[], Any]) -> Any:
    """Run a short action and return its result; signals that arrive meanwhile are handled at its end.

    Python runs signal handlers in the main thread, between any two lines, and a handler may raise an
    exception: KeyboardInterrupt, or the time limit of a task queue. A RecursionError is raised before the
    action begins.
    """
    _need_frames(_FRAMES)
    if threading.current_thread() is not threading.main_thread():
        return action()
    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in signal.valid_signals()}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    arrived: list[Any] = []

    def restore() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    try:
        with restoring(restore):
            for number in handlers:
                signal.signal(number, lambda *arguments: arrived.append(arguments))
            return action()
    finally:
        with contextlib.ExitStack() as stack:  # which calls all of them, even if one raises an exception
            for number, frame in reversed(arrived):
                stack.callback(handlers[number], number, frame)


def _need_frames(count: int) -> None:
    """Raise a RecursionError unless so many more functions can call each other."""
    if count:
        _need_frames(count - 1)


@contextlib.contextmanager
def restoring(restore: Callable[[], Any]) -> Iterator[None]:
    """Call `restore` at the end of a block, even if an exception strikes in the middle of that call.

    A signal handler may raise an exception at any line, so also at one that restores something. Therefore
    `restore` is called twice, and must allow that.
    """
    try:
        try:
            yield
        finally:
            restore()
    finally:
        restore()
