"""Exceptions of somebody else, raised at a given line, as a signal handler can raise them at any line."""

from __future__ import annotations

import sys


class Strike(Exception):
    """Nobody in the package knows this exception, and nobody may catch it."""


def lines_of(action, *modules):
    """The distinct lines of these modules that an action runs, in their order: (file name, line number)."""
    found = {}
    _traced(action, modules, lambda place: found.setdefault(place))
    return list(found)


def struck(action, place, *modules, strike=None):
    """Run the action, raise a strike when it first comes to this line, and return what came out."""
    strike = strike or Strike(f"at {place[0]}:{place[1]}")

    def raise_at(current):
        if current == place:
            raise strike

    try:
        _traced(action, modules, raise_at)
    except BaseException as error:
        return "the strike" if error is strike else repr(error)
    return "nothing"


def _traced(action, modules, at_line):
    files = {module.__file__ for module in modules}

    def trace_line(frame, event, _):
        if event == "line":
            at_line((frame.f_code.co_filename, frame.f_lineno))
        return trace_line

    def trace_call(frame, _event, _):
        return trace_line if frame.f_code.co_filename in files else None

    before = sys.gettrace()
    sys.settrace(trace_call)
    try:
        return action()
    finally:
        sys.settrace(before)
