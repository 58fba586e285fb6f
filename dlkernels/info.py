"""The versions, processor, threads and cache that are in use."""

from __future__ import annotations

import os
import platform
import sys

import llvmlite
import llvmlite.binding
import numba
import numpy as np

from dlkernels._calls import threads as _threads
from dlkernels._compiler import cache as _cache
from dlkernels._compiler import internals
from dlkernels._simd.registers import SHAPES


def simd_bits() -> int:
    """Width of the widest vectors that the kernels are compiled for."""
    return 32 * SHAPES[numba.types.float32].lanes


def processor() -> str:
    """LLVM's name of the processor that the kernels are compiled for, and the width of their vectors."""
    name = internals.settings.CPU_NAME or llvmlite.binding.get_host_cpu_name()
    return f"{name}, SIMD {simd_bits()} bits"


def config() -> dict[str, str]:
    """The lines of `show_config`, by name."""
    import dlkernels

    cache = _cache.folder()
    kept = f"{cache}{'' if os.access(cache, os.W_OK) else ' (read-only)'}" if cache else None
    return {
        "dlkernels": dlkernels.__version__,
        "numba": f"{numba.__version__} (llvmlite {llvmlite.__version__})",
        "numpy": np.__version__,
        "python": f"{sys.version.split()[0]} on {platform.system()} {platform.machine()}",
        "cpu": processor(),
        "threads": f"{_threads.get_num_threads()} of at most {_threads.maximum()}",
        "threading layer": _threads.explain(),
        "kernel cache": kept or f"off ({_cache.why_off()})",
    }


def show_config() -> None:
    """Print versions, CPU and SIMD width, threading layer, threads and the cache's folder.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.show_config()  # doctest: +ELLIPSIS
    dlkernels        ...
    numba            ...
    """
    for name, value in config().items():
        print(f"{name:<16} {value}")
