"""Tell the faults of a file or of the system from exceptions that somebody else raised meanwhile.

A signal handler, such as that of a time limit, can raise anything at any line. What it raises must reach the
caller, even if its class derives from OSError or ValueError, as that of many time limits does.
"""

from __future__ import annotations

__all__ = ["foreign", "reason"]

#: The modules whose exceptions can speak of a file. Whoever raises from outside has a class of his own.
_READERS = ("builtins", "_csv", "_lzma", "h5py", "lzma", "numpy", "struct", "tokenize", "zipfile", "zlib")


def foreign(error: BaseException) -> bool:
    """Return whether an exception says nothing about the file that was being read or written.

    Parameters
    ----------
    error : BaseException
        The exception.

    Returns
    -------
    bool
        True for what ends programs, for want of memory or stack, for a time limit, and for each class that
        neither Python nor a library that reads files defines.

    Examples
    --------
    >>> from dlkernels.faults import foreign
    >>> foreign(ValueError("bad header")), foreign(TimeoutError()), foreign(MemoryError())
    (False, True, True)
    """
    return (
        not isinstance(error, Exception)
        or isinstance(error, MemoryError | RecursionError | TimeoutError)
        or type(error).__module__.partition(".")[0] not in _READERS
    )


def reason(error: OSError | ValueError) -> str:
    """Return the system's words for a path that can't be used. Raise the error again if it isn't about one.

    Parameters
    ----------
    error : OSError or ValueError
        What a call with a path has raised.

    Returns
    -------
    str

    Raises
    ------
    OSError, ValueError
        The error itself, if somebody else raised it: it is foreign, or an OSError without a number.

    Examples
    --------
    >>> from dlkernels.faults import reason
    >>> try:
    ...     open("none/none")
    ... except OSError as error:
    ...     print(reason(error))
    No such file or directory
    """
    if foreign(error) or (isinstance(error, OSError) and error.errno is None):
        raise error
    return getattr(error, "strerror", None) or str(error)
