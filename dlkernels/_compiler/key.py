"""What decides what a kernel compiles to, as one short hash."""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import llvmlite
import numba

from dlkernels._compiler import internals

PACKAGE = Path(__file__).resolve().parent.parent
#: The folders and modules that kernels are compiled from, and that import nothing else of this package.
SOURCES = ("_compiler", "_simd", "_elementary", "_kernels", "catalogue")
#: Settings of Numba that change the machine code it makes. (The processor is in Numba's own key.)
_SETTINGS = (
    "OPT",
    "LOOP_VECTORIZE",
    "SLP_VECTORIZE",
    "ENABLE_AVX",
    "BOUNDSCHECK",
    "DEBUGINFO_DEFAULT",
)


def sources() -> Iterator[Path]:
    """The files that kernels are compiled from, in a fixed order."""
    for name in SOURCES:
        # An installation may hold bytecode only.
        for suffix in (".py", ".pyc"):
            found = sorted((PACKAGE / name).rglob(f"*{suffix}")) or [PACKAGE / f"{name}{suffix}"]
            found = [file for file in found if file.is_file() and "__pycache__" not in file.parts]
            if found:
                yield from found
                break


@functools.cache
def key() -> str:
    """The hash of the sources, of Numba's version and of its settings.

    Machine code that was kept under one key is right wherever the key is the same. Changes of other files,
    such as the public functions with their docstrings, leave the key and the kept machine code alone.
    """
    digest = hashlib.sha256()
    for source in sources():
        digest.update(source.relative_to(PACKAGE).as_posix().encode())
        digest.update(source.read_bytes())
    settings = [numba.__version__, llvmlite.__version__, sys.version]
    settings += [f"{name}={getattr(internals.settings, name, None)}" for name in _SETTINGS]
    digest.update("\n".join(settings).encode())
    return digest.hexdigest()[:16]
