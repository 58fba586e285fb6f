"""Tell foreign exceptions from those about files: somebody else raised a foreign exception meanwhile.

A signal handler, such as that of a time limit, can raise anything at any line. What it raises must reach the
caller, even if its class derives from OSError or ValueError, as that of many time limits does.
"""

from __future__ import annotations

#: The modules whose exceptions can speak of a file. Whoever raises from outside has a class of his own.
_READERS = (
    "builtins", "_csv", "_lzma", "h5py", "io", "lzma", "numpy", "struct", "tokenize", "zipfile", "zlib",
)  # fmt: skip


def foreign(error: BaseException) -> bool:
    """Return whether an exception says nothing about the file that was being read or written.

    Parameters
    ----------
    error : BaseException
        The exception.

    Returns
    -------
    bool
        True for KeyboardInterrupt and SystemExit, for MemoryError, RecursionError and TimeoutError, and for
        every class that neither Python nor a library that reads files defines.

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


def reraise_foreign(error: OSError | ValueError) -> None:
    """Raise an error again unless it is about a path; an error that the system reports has a number."""
    if foreign(error) or (isinstance(error, OSError) and error.errno is None):
        raise error
