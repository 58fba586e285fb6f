"""Pieces of kernels: compiled once for each dtype, called by name from serial and parallel loops."""

from __future__ import annotations

import os
import shutil
import threading
from typing import NamedTuple

import numba
import numpy as np
import pytest
from numba import TypingError, njit, prange
from processes import new_process

from dlkernels._compiler import internals, names
from dlkernels._compiler.options import loops, twins
from dlkernels._compiler.pieces import Flag, Int, Number, Numbers, Piece, Real, Row, piece

compiled_only = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="needs the compiler")


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


class Line(NamedTuple):
    factor: Number
    offset: Real
    twice: Flag


class Part(NamedTuple):
    numbers: Row
    first: Int
    line: Line


@piece
def fill(x: Row, first: Int, factor: Number, offset: Real, twice: Flag):
    """x[j] = factor * (first + j) + offset, doubled if `twice`."""
    for j in range(x.shape[0]):
        x[j] = factor * x.dtype.type(first + j) + x.dtype.type(offset)
        if twice:
            x[j] += x[j]


@piece
def fill_part(part: Part):
    fill(part.numbers, part.first, part.line.factor, part.line.offset, part.line.twice)


@piece
def first(x: Row, offset: Real) -> Number:
    return x[0] + x.dtype.type(offset)


@piece
def ends(x: Row) -> Numbers:
    return x[0], x[1], x[-1]


@piece
def wrongly_annotated(x: Row) -> Numbers:
    return x[0]


@piece
def fail(x: Row, at: Int):
    """Raises ZeroDivisionError at one place."""
    if x.shape[0] > at:
        raise ZeroDivisionError
    x[0] = 1


@loops
def returned(x):
    a, b, c = ends(x)
    return first(x, 0.5), a, b, c


@twins
def filled(x, width, factor, offset, twice):
    for s in prange((x.shape[0] + width - 1) // width):
        fill(x[s * width : min(x.shape[0], (s + 1) * width)], s * width, factor, offset, twice)


@twins
def filled_by_parts(x, width, factor, offset, twice):
    line = Line(factor, offset, twice)
    for s in prange((x.shape[0] + width - 1) // width):
        fill_part(Part(x[s * width : min(x.shape[0], (s + 1) * width)], s * width, line))


@loops
def failed(x, at):
    fail(x, at)


@pytest.mark.parametrize("kernel", [filled, filled_by_parts], ids=["single", "grouped"])
@pytest.mark.parametrize("twin", ["serial", "parallel"])
@pytest.mark.parametrize("twice", [False, True])
def test_every_argument_arrives(kernel, twin, twice, dtype):
    x = np.empty(1001, dtype)
    getattr(kernel, twin)(x, 64, dtype.type(0.5), 2.0, twice)
    expected = np.arange(1001, dtype=dtype) * dtype.type(0.5) + 2
    np.testing.assert_array_equal(x, expected * 2 if twice else expected)


def test_what_a_piece_returns_arrives(dtype):
    assert returned(np.array([1, 2, 3, 4], dtype)) == (1.5, 1.0, 2.0, 4.0)


def test_python_calls_it_too(dtype):
    x = np.zeros(3, dtype)
    fill(x, 1, dtype.type(2), 0.0, False)
    np.testing.assert_array_equal(x, [2, 4, 6])


@compiled_only
def test_a_piece_that_returns_something_else_is_refused(dtype):
    with pytest.raises(TypingError, match="isn't what the annotations say"):
        wrongly_annotated(np.zeros(1, dtype))


@compiled_only
def test_no_piece_is_for_other_numbers():
    with pytest.raises(TypingError, match="no kernel is for int64"):
        first(np.zeros(1, np.int64), 0.0)


def test_an_error_in_a_piece_is_raised_by_the_kernel():
    x = np.zeros(3)
    with pytest.raises(ZeroDivisionError):
        failed(x, 2)
    failed(x, 3)
    assert x[0] == 1


@compiled_only
def test_each_dtype_has_a_name_of_its_own():
    found = {number: fill.published(number).entry_point for number in (numba.float32, numba.float64)}
    assert len(set(found.values())) == 2
    for number in found:
        name = f"{names.PUBLISHED}{fill.name}.{number}"
        assert names.publish(name) is fill


@compiled_only
@pytest.mark.parametrize("arguments", ["x, at, at", "x", "x, 1.5", "at, x"])
def test_other_arguments_than_were_written_down_do_not_compile(arguments):
    scope = {"fail": fail}
    exec(f"def wrong(x, at):\n    fail({arguments})", scope)
    with pytest.raises(TypingError):
        loops(scope["wrong"])(np.zeros(3), 1)


@compiled_only
def test_a_group_of_another_name_does_not_compile():
    class Other(NamedTuple):
        numbers: Row
        first: Int
        line: Line

    @loops
    def wrong(x):
        fill_part(Other(x, 0, Line(x[0], 0.0, False)))

    with pytest.raises(TypingError, match="fill_part takes"):
        wrong(np.zeros(3))


@compiled_only
def test_there_are_no_two_pieces_of_one_name():
    with pytest.raises(ValueError, match="there are two pieces"):
        Piece(loops(fill.__wrapped__))


@compiled_only
def test_a_piece_is_published_under_the_lock_that_a_fork_waits_for(monkeypatch):
    """llvmlite holds a lock of its own meanwhile, which no child process may inherit."""

    @piece
    def unpublished(x: Row):
        x[0] = 1

    def another_thread():
        free.append(internals.compiler_lock.acquire(timeout=0.1) and not internals.compiler_lock.release())

    def publish(*_):
        thread = threading.Thread(target=another_thread)
        thread.start()
        thread.join()

    free = []
    monkeypatch.setattr(internals, "publish", publish)
    unpublished.published(numba.float64)
    assert free == [False]


@compiled_only
def test_functions_of_users_hold_copies(dtype):
    """They need no name that this process published, and can therefore be kept anywhere."""
    linked = fill_part.linked

    @njit
    def theirs(x):
        linked(Part(x, 1, Line(x.dtype.type(2), 0.0, False)))

    x = np.zeros(3, dtype)
    theirs(x)
    np.testing.assert_array_equal(x, [2, 4, 6])
    compiled = theirs.overloads[theirs.signatures[0]]
    assert names.needed(compiled.library) == []
    assert names.needed(fill_part.published(numba.from_dtype(dtype)).library) == [
        f"{names.PUBLISHED}{fill.name}.{dtype}"
    ]


# -- in new processes ------------------------------------------------------------------------------------

#: Calls a kernel that calls pieces that call pieces; prints a result and what had to be compiled for it.
PROGRAM = """
from numba.core import event
import dlkernels as dk
from dlkernels._calls import threads
with event.install_recorder("numba:compile") as recorder:
    with threads.always(True):
        result = dk.dot([1.0, 2.0], [3.0, 4.0])
compiled = {e.data["dispatcher"].__name__ for _, e in recorder.buffer if e.is_start}
print(result, *sorted(compiled))
"""


def run(cache):
    done = new_process(PROGRAM, os.environ | {"NUMBA_CACHE_DIR": str(cache)}, timeout=300)
    assert done.returncode == 0, done.stderr
    result, *compiled = done.stdout.split()
    return float(result), compiled


@pytest.fixture(scope="module")
def first_process(tmp_path_factory):
    """A cache that a first process filled; its result and what it compiled."""
    cache = tmp_path_factory.mktemp("cache")
    return cache, *run(cache)


@compiled_only
@pytest.mark.slow
def test_a_kernel_from_the_cache_finds_its_pieces(first_process):
    """In the second process no piece has been published when the kernel is read."""
    cache, result, compiled = first_process
    assert result == 11
    assert {"reduction_parallel", "chunk", "row_dot"} <= set(compiled)
    assert run(cache) == (result, [])


@compiled_only
@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-1] + b"?"])
@pytest.mark.slow
def test_a_damaged_piece_is_compiled_anew_and_found_by_kernels(first_process, tmp_path, damage):
    cache, result, _ = first_process
    shutil.copytree(cache, tmp_path, dirs_exist_ok=True)
    files = list(tmp_path.rglob("*.row_dot-*.nbc"))
    assert files
    for file in files:
        file.write_bytes(damage(file.read_bytes()))
    again, compiled = run(tmp_path)
    assert again == result
    assert "row_dot" in compiled
    assert not {"reduction_parallel", "chunk"} & set(compiled)
    assert run(tmp_path) == (result, [])


#: Sixteen threads whose first calls need the same piece, for different kernels.
CONCURRENT = """
import sys, threading
import numpy as np
import dlkernels as dk
from dlkernels._kernels.limits import read
sys.setswitchinterval(1e-6)
results, start = [], threading.Barrier(16)
def work(i):
    start.wait()
    if i % 2:
        results.append(dk.dot([1.0, 2.0], [3.0, 4.0]))
    else:
        squares = np.empty(1)
        read.serial(np.ones(3), squares)
        results.append(float(squares[0]))
threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(*sorted(results))
"""


@compiled_only
@pytest.mark.slow
def test_concurrent_first_calls(tmp_path):
    """Which compile in the first process, and read from the cache in the second."""
    for _ in range(2):
        done = new_process(CONCURRENT, os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}, timeout=300)
        assert done.returncode == 0, done.stderr
        assert [float(word) for word in done.stdout.split()] == [3.0] * 8 + [11.0] * 8


#: Two versions of the package in one process. The parallel kernel of the first is linked after the second has
#: published its pieces.
TWO_VERSIONS = """
import importlib, sys
import numpy as np
def version(folder):
    for name in [name for name in sys.modules if name.partition(".")[0] == "dlkernels"]:
        del sys.modules[name]
    sys.path.insert(0, folder)
    return importlib.import_module("dlkernels._kernels.limits").read
def squares(kernel):
    sums = np.empty(1)
    kernel(np.array([1.0, 3.0]), sums)
    return sums[0]
first, second = version(sys.argv[1]), version(sys.argv[2])
print(*map(squares, (first.serial, second.serial, first.parallel, second.parallel)))
"""


@compiled_only
@pytest.mark.parametrize("pinned", [False, True], ids=["named by key", "control: key pinned"])
@pytest.mark.slow
def test_versions_in_one_process_do_not_meet_under_one_name(pinned, copies, tmp_path):
    first, second = copies("first"), copies("second")
    second.change_row_dot()
    for version in (first, second) if pinned else ():
        version.pin_key()
    environment = os.environ | {"DLKERNELS_NO_CACHE": "1", "PYTHONPATH": ""}
    folders = str(first.folder), str(second.folder)
    done = new_process(TWO_VERSIONS, environment, *folders, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"10.0 14.0 {14.0 if pinned else 10.0} 14.0\n"
