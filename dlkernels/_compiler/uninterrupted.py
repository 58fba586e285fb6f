"""Actions of Numba that must run to their end.

An exception in the middle of them would damage the state of Numba, or be lost: Python drops an exception that
a signal handler raises while an object of LLVM is being deleted.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable
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
    try:
        try:
            for number in handlers:
                signal.signal(number, lambda *arguments: arrived.append(arguments))
            return action()
        finally:
            _restore(handlers)
    finally:
        _restore(handlers)  # an exception may have struck just before this was done above
        with contextlib.ExitStack() as stack:  # which calls all of them, even if one raises an exception
            for number, frame in reversed(arrived):
                stack.callback(handlers[number], number, frame)


def _need_frames(count: int) -> None:
    """Raise a RecursionError unless so many more functions can call each other."""
    if count:
        _need_frames(count - 1)


def _restore(handlers: dict[int, Any]) -> None:
    """Give all signals their handlers again, even if one of them raises an exception meanwhile."""
    failure = None
    while True:
        try:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            break
        except BaseException as error:
            failure = error
    if failure is not None:
        raise failure
