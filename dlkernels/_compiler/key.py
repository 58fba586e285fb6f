"""The cache key: one short hash of everything that decides to which machine code a kernel compiles."""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import llvmlite.binding
import numba

from dlkernels._compiler import internals

PACKAGE = Path(__file__).resolve().parent.parent
#: The folders and modules that kernels are compiled from. They import no other module of this package.
SOURCES = ("_compiler", "_simd", "_elementary", "_kernels", "catalogue")
#: Settings of Numba that change the machine code.
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
        # An installation may hold compiled bytecode without the sources.
        for suffix in (".py", ".pyc"):
            found = sorted((PACKAGE / name).rglob(f"*{suffix}")) or [PACKAGE / f"{name}{suffix}"]
            found = [file for file in found if file.is_file() and "__pycache__" not in file.parts]
            if found:
                yield from found
                break


@functools.cache
def processor_features() -> dict[str, bool]:
    """The instruction sets, by LLVM's names. The size of tiles follows from them (`_simd.registers`).

    They are this machine's, or those that NUMBA_CPU_FEATURES lists for other machines: "+avx2,+fma".
    """
    listed = internals.settings.CPU_FEATURES
    if listed is None:
        return dict(llvmlite.binding.get_host_cpu_features())
    return {name[1:]: name[0] == "+" for name in listed.split(",") if name}


@functools.cache
def key() -> str:
    """The hash of the sources, of Numba's version and settings, and of the processor's instruction sets.

    Machine code that one process keeps under a key is right for every process with the same key. A change of
    any other file, such as a docstring of a public function, leaves the key and the kept machine code as they
    are.
    """
    digest = hashlib.sha256()
    for source in sources():
        digest.update(source.relative_to(PACKAGE).as_posix().encode())
        digest.update(source.read_bytes())
    settings = [numba.__version__, llvmlite.__version__, sys.version]
    settings += [f"{name}={getattr(internals.settings, name, None)}" for name in _SETTINGS]
    settings += sorted(name for name, present in processor_features().items() if present)
    digest.update("\n".join(settings).encode())
    return digest.hexdigest()[:16]
