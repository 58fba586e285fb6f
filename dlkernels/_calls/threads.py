"""Serial or parallel: how many threads a kernel gets, and whether it may start them at all.

Numba's parallel loops run on one of three layers, and each has a way to bring a process down. `workqueue`
aborts when two Python threads launch at once; GNU OpenMP (`omp`) kills a forked child at its first launch;
`tbb` survives both, but a child forked while other threads are inside a kernel waits for ever. Since the
serial twin of every kernel gives the same bits, it stands in wherever the layer can't be used safely:
in a forked child always, and on `workqueue` wherever there is a second Python thread, which might run
somebody else's parallel loop. No setting of Numba's that another library may rely on is touched.
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import functools
import importlib.metadata
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy.ma  # noqa: F401  (Numba's first call would import it, which a fork could interrupt)

from dlkernels._calls import forks
from dlkernels._compiler import internals
from dlkernels._compiler.options import Twins
from dlkernels._inputs import values

#: Estimated nanoseconds of serial work from which the parallel twin is launched. A launch costs 3-5 us
#: with tbb or omp and 60-150 us with workqueue; on two threads, tbb's asleep before a run of calls, 30 us of
#: work took as long as 26 to 36 us of it alone, 50 us 0.8 times as long.
_WORTH_IT = {"tbb": 35_000, "omp": 35_000, "workqueue": 600_000}
#: Below this a kernel is always serial, and the threads need not be started to know it.
NEVER_BELOW = min(_WORTH_IT.values())

_lock = threading.Lock()
_requested: int | None = None
_blocks: list[tuple[object, int]] = []  # the numbers of `threads` blocks that are open, the last one counts
_layer: str | None = None
#: Which twin `always` has chosen, else None.
forced: contextvars.ContextVar[bool | None] = contextvars.ContextVar("forced", default=None)


def _after_fork_in_child() -> None:
    global _lock, _forked
    _lock = threading.Lock()  # the parent's may have been held
    _forked = _forked or internals.threads_started()


def _looks_forked() -> bool:
    """Whether Numba's threads were started in a process that this one was forked from, before our import.

    They are marked as started, but on Linux no thread besides this one is there.
    """
    try:
        return internals.threads_started() and len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


_forked = _looks_forked()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _load_tbb() -> str:
    """Load the tbb of this environment, which lies in a folder that the loader doesn't search.

    Returns what was in the way, else nothing.
    """
    try:
        files = importlib.metadata.files("tbb") or []
    except importlib.metadata.PackageNotFoundError:
        return "is not installed"
    for file in files:
        if file.name in ("libtbb.so.12", "tbb12.dll"):
            try:
                ctypes.CDLL(str(file.locate()), mode=getattr(ctypes, "RTLD_GLOBAL", 0))
            except OSError as error:
                return f"can't be loaded ({error})"
            return ""
    return "is installed without a library for this system"


_started_by_others = internals.threads_started()
# At import, because Numba chooses a layer as soon as it compiles a parallel loop. Takes 2 ms.
_tbb_problem = _load_tbb()


def layer() -> str:
    """The threading layer in use: "tbb", "omp" or "workqueue"; starts it if none has been started."""
    global _layer
    if _layer is None:
        with internals.compiler_lock, forks.FIRST_USE:
            if _layer is None:
                internals.start_threads()
                _layer = str(numba.threading_layer())
    return _layer


def maximum() -> int:
    """The most threads a kernel can get: NUMBA_NUM_THREADS, else the CPUs this process may use."""
    return int(numba.config.NUMBA_NUM_THREADS)


def get_num_threads() -> int:
    """How many threads the kernels of this process use.

    Returns
    -------
    int
        The number of the innermost `threads` block, else that given to `set_num_threads`, else Numba's
        maximum.

    Examples
    --------
    >>> import dlkernels as dk
    >>> with dk.threads(1):
    ...     dk.get_num_threads()
    1
    """
    if _blocks:
        with _lock:
            if _blocks:  # still
                return _blocks[-1][1]
    return maximum() if _requested is None else _requested


def set_num_threads(n: int) -> None:
    """Set how many threads the kernels use, in every thread of this process.

    The results don't depend on it, to the last bit.

    Parameters
    ----------
    n : int
        At least 1, at most the maximum that Numba was started with (environment variable
        NUMBA_NUM_THREADS, else the number of CPUs).

    Raises
    ------
    TypeError
        If `n` is no integer.
    ValueError
        If `n` is out of range.

    Examples
    --------
    >>> import dlkernels as dk
    >>> before = dk.get_num_threads()
    >>> dk.set_num_threads(1)
    >>> dk.get_num_threads()
    1
    >>> dk.set_num_threads(before)
    """
    global _requested
    _requested = _possible("set_num_threads", n)


def _possible(function: str, n: Any) -> int:
    number = values.count(function, "n", n, minimum=1)
    if number > maximum():
        raise ValueError(
            f"{function}: n must be at most {maximum()}, not {number} "
            "(the environment variable NUMBA_NUM_THREADS sets the maximum when Python starts)"
        )
    return number


@contextlib.contextmanager
def threads(n: int) -> Iterator[None]:
    """Use `n` threads, in every thread of this process, inside a ``with`` block; then as many as before.

    Parameters
    ----------
    n : int
        As for `set_num_threads`.

    Raises
    ------
    TypeError, ValueError
        As `set_num_threads`.

    Examples
    --------
    >>> import dlkernels as dk
    >>> with dk.threads(1):
    ...     A = dk.sigmoid([0.0, 2.0])
    >>> A
    array([0.5       , 0.88079708])
    """
    block = (object(), _possible("threads", n))
    with _lock:
        _blocks.append(block)
    try:
        yield
    finally:
        with _lock:
            _blocks.remove(block)


@contextlib.contextmanager
def always(parallel: bool | None) -> Iterator[None]:
    """Choose the twin by hand inside a ``with`` block (None: by size): for warming up and for tests."""
    token = forced.set(parallel)
    try:
        yield
    finally:
        forced.reset(token)


def parallel_pays(work: float) -> bool:
    """Whether `work` nanoseconds of serial work should, and may, be shared out among threads."""
    if _forked:
        return False
    chosen = forced.get()
    if chosen is None:
        if work < NEVER_BELOW or get_num_threads() == 1 or work < _WORTH_IT[layer()]:
            return False
    elif not chosen:
        return False
    # Every thread that runs Python has a frame, also those that `threading` didn't start.
    return layer() != "workqueue" or len(sys._current_frames()) == 1


def twin(kernel: Twins, work: float) -> Callable[..., Any]:
    """The serial or the parallel twin of a kernel, whichever is faster for `work` nanoseconds."""
    return twin_and_workers(kernel, work)[0]


def twin_and_workers(kernel: Twins, work: float) -> tuple[Callable[..., Any], int]:
    """As `twin`, and for how many threads it needs scratch memory."""
    if not parallel_pays(work):
        return kernel.serial, 1
    wanted = get_num_threads()
    return functools.partial(_launch, kernel, wanted), wanted


def in_parallel(kernel: Twins, *arguments: Any) -> Any:
    """Call the parallel twin, where `parallel_pays`."""
    return _launch(kernel, get_num_threads(), *arguments)


def _launch(kernel: Twins, wanted: int, *arguments: Any) -> Any:
    # Numba has a number of threads for each Python thread. Its own functions that get and set it take
    # 0.7 and 1 us, so it is set only where it differs.
    before = internals.threads_of_caller()
    if before != wanted:
        numba.set_num_threads(wanted)
    try:
        return kernel.parallel(*arguments)
    finally:
        if before != wanted:
            numba.set_num_threads(before)


def explain() -> str:
    """Which threading layer is in use, why, and where kernels run serial on it, in one line."""
    name = layer()
    serial = "serial in forked processes"
    if name == "workqueue":
        serial += " and beside other Python threads"
    return f"{name} ({_why(name)}); {serial}"


def _why(name: str) -> str:
    if _started_by_others:
        return "started before dlkernels was imported"
    wanted = str(numba.config.THREADING_LAYER).lower()
    if wanted != "default":
        return f"NUMBA_THREADING_LAYER is {wanted}"
    order = list(numba.config.THREADING_LAYER_PRIORITY)
    passed_over = [
        f"{other} {_tbb_problem if other == 'tbb' and _tbb_problem else 'is not usable here'}"
        for other in order[: order.index(name)]
    ]
    return "; ".join(passed_over) or f"the first of {', '.join(order)}"
