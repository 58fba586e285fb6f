"""Nothing beyond an array is read or written: each ends (or begins) where memory may not be touched.

A stray access kills the process, so the calls run in a process of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import dlkernels

PROGRAM = """
import ctypes, mmap, sys
import arrays
import numpy as np
from dlkernels import backends
from dlkernels._calls import threads

libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
at_end = sys.argv[1] == "end"
dtype = np.dtype(sys.argv[2]).type
kept = []

def fenced(array):
    \"\"\"A copy between whose last (or first) byte and a page that may not be touched there is nothing.\"\"\"
    size = max(1, -(-array.nbytes // mmap.PAGESIZE)) * mmap.PAGESIZE
    memory = mmap.mmap(-1, size + 2 * mmap.PAGESIZE)
    kept.append(memory)
    bytes_ = np.frombuffer(memory, np.uint8)
    for page in (0, size + mmap.PAGESIZE):
        assert libc.mprotect(bytes_.ctypes.data + page, mmap.PAGESIZE, 0) == 0
    first = mmap.PAGESIZE + (size - array.nbytes if at_end else 0)
    order = "F" if array.flags.f_contiguous else "C"
    copy = bytes_[first : first + array.nbytes].view(array.dtype).reshape(array.shape, order=order)
    copy[...] = array
    return copy

def check(name, order, **shape):
    given = arrays.arguments(name, np.random.RandomState(1), dtype=dtype, **shape)
    for key, value in given.items():
        if isinstance(value, list):
            given[key] = [fenced(item) for item in value]
        elif isinstance(value, np.ndarray):
            in_place = key in arrays.UPDATED.get(name, ())
            given[key] = fenced(np.array(value, order="C" if in_place else order))
    if arrays.takes_out(name):
        given["out"] = fenced(np.empty_like(next(iter(given.values())), order="C"))
    arrays.call(getattr(backends.get("numba"), name), name, given)
    del kept[:]

for parallel in (False, True):
    with threads.always(parallel):
        for name in arrays.FUNCTIONS:
            for order in "CF":
                for m in (1, 7, 8, 15, 16, 17, 31, 33, 47, 49, 63, 65, 241, 257, 1023, 1025):
                    check(name, order, m=m)
                if name.startswith(("dense", "shallow", "logistic")):
                    for length in (1, 5, 8, 9, 17, 31, 65, 130):
                        check(name, order, n=length, m=50)
                        check(name, order, k=length, m=50)
                        check(name, order, n=length, k=length, m=33)
                if name.startswith("logistic"):
                    check(name, order, k=1100, m=33)
if sys.argv[3:] == ["stray"]:
    fenced(np.zeros(8))  # and the fence is one: the control reads behind it
    array = fenced(np.zeros(8))
    np.lib.stride_tricks.as_strided(array, (17,), (8 if at_end else -8,)).sum()
print("done")
"""


def run(*arguments):
    folders = (Path(dlkernels.__file__).parent.parent, Path(__file__).parent.parent)
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
        timeout=600,
        check=False,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="memory is protected by mprotect")
@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="without compilation Python checks each index")
@pytest.mark.parametrize("edge", ["end", "start"])
def test_nothing_beyond_an_array_is_touched(edge, dtype):
    done = run(edge, dtype.__name__)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="memory is protected by mprotect")
@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="without compilation Python checks each index")
@pytest.mark.parametrize("edge", ["end", "start"])
def test_a_stray_access_would_be_seen(edge):
    assert run(edge, "float64", "stray").returncode < 0
