"""Which errors belong to the operating system, and which to somebody else."""

from __future__ import annotations


def reraise_foreign(error: OSError) -> None:
    """Raise an error again that the operating system hasn't reported.

    A signal handler can raise an exception at any line, for instance the time limit of a task queue. Often
    this is a TimeoutError, which is an OSError. A handler of errors of the file system must not swallow it.
    The errors of the system have a number, or no class of their own.
    """
    own_class = error.errno is None and type(error) is not OSError
    if own_class or isinstance(error, TimeoutError | InterruptedError):
        raise error
