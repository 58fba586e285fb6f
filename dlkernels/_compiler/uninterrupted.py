"""Actions that must run to their end, and states that must be restored, whatever exception strikes meanwhile.

A signal handler, such as that of a time limit, can raise an exception at any line. In the middle of some
actions of Numba it would damage Numba's state, or be lost: Python drops an exception that is raised while an
object of LLVM is being deleted.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
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
    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in signal.valid_signals()}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    try:
        for number, handler in list(handlers.items())[:1]:
            _set_handler(number, handler, _state(number))
    except ValueError:  # this isn't the main thread
        return action()
    states, arrived = {number: _state(number) for number in handlers}, list[Any]()

    def restore() -> None:
        for number, handler in handlers.items():
            _set_handler(number, handler, states[number])

    try:
        with restoring(restore):
            for number in handlers:
                signal.signal(number, lambda *arguments: arrived.append(arguments))
            return action()
    finally:
        with contextlib.ExitStack() as stack:  # which calls all of them, even if one raises an exception
            for number, frame in reversed(arrived):
                stack.callback(handlers[number], number, frame)


# `signal.signal` changes more than the function that Python calls: whether a system call goes on after the
# signal (`signal.siginterrupt`), and a handler in C that calls Python's (`faulthandler.register`).
_sigaction = getattr(ctypes.CDLL(None), "sigaction", None) if os.name == "posix" else None


def _state(number: int) -> Any:
    """What the system does at a signal, as its `struct sigaction`, which takes at most 152 bytes."""
    state = ctypes.create_string_buffer(256)
    return state if _sigaction is not None and _sigaction(number, None, state) == 0 else None


def _set_handler(number: int, handler: Any, state: Any) -> None:
    signal.signal(number, handler)
    if state is not None and _sigaction is not None:
        _sigaction(number, state, None)


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
