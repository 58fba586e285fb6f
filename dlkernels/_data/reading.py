"""Turn what is wrong with a file into a DataError that names the file. Let everything else pass."""

from __future__ import annotations

import contextlib
import csv
import errno
import re
import stat
import struct
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from dlkernels._data.columns import DataError
from dlkernels.faults import foreign, reason

#: Python can be built without lzma; zipfile does without it, too.
_LZMA_ERROR = getattr(getattr(zipfile, "lzma", None), "LZMAError", zlib.error)
#: What the readers of the formats raise for files that they can't read.
_RAISED = (
    EOFError, KeyError, OSError, OverflowError, RuntimeError, TypeError, ValueError, csv.Error,
    _LZMA_ERROR, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
#: How zlib and HDF5 say that there is no memory: with exceptions that they use for damaged files, too.
_NO_MEMORY = r"(?i)^Error -4 |memory allocation failed|(unable to|can't|could not) allocate|out of memory"


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Begin the message of each DataError of the block with the file's name."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


@contextlib.contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Read a file in this block: as `naming`; and what a library says of the file becomes a DataError."""
    before = sys.exception()
    found: BaseException | None
    try:
        readable(path)
        with naming(path):
            yield
        return
    except DataError:
        raise
    except _RAISED as error:
        found, said = _foreign_cause(error, before), _words(error)
        number = error.errno if isinstance(error, OSError) else None
    if found is not None:
        raise found
    if number == errno.ENOMEM or re.search(_NO_MEMORY, said):
        raise MemoryError(f"{path}: {said}")
    if number not in (None, errno.EINVAL):  # the fault of a disk, say; seeking in a damaged file gives EINVAL
        raise DataError(f"{path}: {said}")
    raise DataError(f"{path}: not {kind}, or a damaged one: {said}")


def _foreign_cause(error: BaseException | None, before: BaseException | None) -> BaseException | None:
    """Return the foreign exception that led to this one: a library may have caught it, and raised its own."""
    while error is not None and error is not before:
        if foreign(error):
            return error
        error = error.__context__
    return None


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # A KeyError shows its message between quotes.
    return " ".join(str(part) for part in error.args if part is not None) or type(error).__name__


def readable(path: Path) -> None:
    """Refuse a file that can't be opened, in plain words instead of those of a format's library."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its other end
            raise DataError(f"{path}: not a file")
        with path.open("rb"):
            pass
    except DataError:
        raise
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {reason(error)}") from None
