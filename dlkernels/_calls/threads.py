"""Serial or parallel: how many threads a kernel gets, and whether it may start them at all.

Numba's parallel loops run on one of three layers, and each has a way to bring a process down. `workqueue`
aborts when two Python threads launch at once; GNU OpenMP (`omp`) kills a forked child at its first launch;
`tbb` survives both, but a child forked while other threads are inside a kernel waits for ever. Since the
serial twin of every kernel gives the same bits, it stands in wherever the layer can't be used safely:
always in a forked child, and on `workqueue` wherever there is a second Python thread, which might run a
parallel loop of another package. This module changes no setting of Numba that another package may rely on.
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import functools
import importlib.metadata
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numba

from dlkernels._calls import cpus, forks
from dlkernels._compiler import internals
from dlkernels._compiler.errors import foreign, reraise_foreign
from dlkernels._compiler.options import Twins
from dlkernels._compiler.uninterrupted import restoring
from dlkernels._inputs import values

#: Estimated nanoseconds of serial work from which the parallel twin is launched. A launch costs 3-5 us with
#: tbb or omp and 60-150 us with workqueue. Measured with tbb on two threads that were asleep at the
#: start: 30 us of serial work took 26 to 36 us in parallel, and 50 us took 0.8 times as long as serially.
_WORTH_IT = {"tbb": 35_000, "omp": 35_000, "workqueue": 600_000}
#: Below this much work a kernel is serial on every layer, so the layer need not be known, nor started.
NEVER_BELOW = min(_WORTH_IT.values())

_requested: int | None = None
#: The open blocks of `threads`, each with its number of threads; the last one counts. A thread may change the
#: list at any time, but each change is a single step of Python.
_blocks: list[tuple[object, int]] = []
_layer: str | None = None
#: How many threads kernels use if nobody has chosen a number. It is found when the layer is started, since
#: asking for the affinity takes 1 us on 2 CPUs, and more on more CPUs.
_by_default: int | None = None
#: Which twin `always` has chosen, else None.
forced: contextvars.ContextVar[bool | None] = contextvars.ContextVar("forced", default=None)


def _after_fork_in_child() -> None:
    global _forked
    _forked = _forked or internals.threads_started()


def _looks_forked() -> bool:
    """Whether this process was forked, before our import, from one in which Numba had started its threads.

    Numba then says that its threads are started, but the process has no thread besides this one. Only Linux
    lists the threads of a process in /proc; elsewhere the answer is False.
    """
    try:
        return internals.threads_started() and len(os.listdir("/proc/self/task")) == 1
    except OSError as error:
        reraise_foreign(error)
        return False


_forked = _looks_forked()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _load_tbb() -> str:
    """Load the tbb of this environment, which lies in a folder that the dynamic loader doesn't search.

    Returns the reason if that is impossible, else an empty string.
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
                if foreign(error):
                    raise
                return f"can't be loaded ({error})"
            return ""
    return "is installed without a library for this system"


_started_by_others = internals.threads_started()
# tbb is loaded here, at import (2 ms), because Numba chooses a layer when it first compiles a parallel loop.
_tbb_problem = _load_tbb()


def layer() -> str:
    """The threading layer in use: "tbb", "omp" or "workqueue". If none has been started, this starts one."""
    global _layer, _by_default
    if _layer is None:
        with internals.compiler_lock, forks.FIRST_USE:
            if _layer is None:
                _by_default = min(maximum(), cpus.usable())
                internals.start_threads()
                _layer = str(numba.threading_layer())
    return _layer


def maximum() -> int:
    """The most threads that a kernel can get: NUMBA_NUM_THREADS, else the CPUs that Numba counts."""
    return int(internals.settings.NUMBA_NUM_THREADS)


def get_num_threads() -> int:
    """How many threads the kernels of this process use.

    Returns
    -------
    int
        The number given to the innermost open `threads` block, else the number given to `set_num_threads`,
        else the number of CPUs that this process may use, as its affinity and the quota of its container
        say, but at most NUMBA_NUM_THREADS.

    Examples
    --------
    >>> import dlkernels as dk
    >>> with dk.threads(1):
    ...     dk.get_num_threads()
    1
    """
    for _, number in _blocks[-1:]:  # a slice, because another thread may close the last block at any moment
        return number
    return _requested or _by_default or min(maximum(), cpus.usable())


def set_num_threads(n: int) -> None:
    """Set how many threads the kernels use, in every thread of this process.

    The number of threads changes no bit of any result.

    Parameters
    ----------
    n : int
        At least 1, and at most the maximum that Numba was started with (the environment variable
        NUMBA_NUM_THREADS, else the CPUs that Numba counts).

    Raises
    ------
    TypeError
        If `n` is not an integer.
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
        The number of threads, as for `set_num_threads`.

    Raises
    ------
    TypeError, ValueError
        In the same cases as `set_num_threads`.

    Examples
    --------
    >>> import dlkernels as dk
    >>> with dk.threads(1):
    ...     A = dk.sigmoid([0.0, 2.0])
    >>> A
    array([0.5       , 0.88079708])
    """
    block = (object(), _possible("threads", n))

    def close() -> None:
        if block in _blocks:
            _blocks.remove(block)

    with restoring(close):
        _blocks.append(block)
        yield


@contextlib.contextmanager
def always(parallel: bool | None) -> Iterator[None]:
    """Choose the twin by hand inside a ``with`` block, for warming up and tests. None: choose by size."""
    before = forced.get()
    with restoring(lambda: forced.set(before)):
        forced.set(parallel)
        yield


def parallel_pays(work: float) -> bool:
    """Whether `work` nanoseconds of serial work should, and may, be shared out among threads."""
    chosen = forced.get()
    if chosen is None:
        if work < NEVER_BELOW or get_num_threads() == 1:
            return False
    elif not chosen:
        return False
    # With one CPU no layer is started: a process would never end if a thread other than the main one had
    # started tbb there (numba#10556).
    if _forked or (_layer is None and cpus.usable() == 1) or (chosen is None and work < _WORTH_IT[layer()]):
        return False
    # Every thread that runs Python has a frame, even if `threading` didn't start it.
    return layer() != "workqueue" or len(sys._current_frames()) == 1


def twin(kernel: Twins, work: float) -> Callable[..., Any]:
    """The serial or the parallel twin of a kernel, whichever is faster for `work` nanoseconds."""
    return twin_and_workers(kernel, work)[0]


def twin_and_workers(kernel: Twins, work: float) -> tuple[Callable[..., Any], int]:
    """As `twin`, together with the number of workers, for each of which the workspace must have room."""
    if not parallel_pays(work):
        return kernel.serial, 1
    wanted = get_num_threads()
    return functools.partial(_launch, kernel, wanted), wanted


def in_parallel(kernel: Twins, *arguments: Any) -> Any:
    """Call the parallel twin; the caller has checked that `parallel_pays`."""
    return _launch(kernel, get_num_threads(), *arguments)


def _launch(kernel: Twins, wanted: int, *arguments: Any) -> Any:
    # Numba keeps a number of threads for each Python thread. Its public functions that get and set this
    # number take 0.7 and 1 us, so it is read by a private function, and set only where it differs.
    before = internals.threads_of_caller()
    if before == wanted:
        return kernel.parallel(*arguments)
    with restoring(lambda: numba.set_num_threads(before)):
        numba.set_num_threads(wanted)
        return kernel.parallel(*arguments)


def explain() -> str:
    """One line that says which threading layer is in use, why, and where kernels run serially on it."""
    if cpus.usable() == 1 and not internals.threads_started():
        return "none: this process may use one CPU"
    name = layer()
    serial = "serial in forked processes"
    if name == "workqueue":
        serial += " and beside other Python threads"
    return f"{name} ({_why(name)}); {serial}"


def _why(name: str) -> str:
    if _started_by_others:
        return "started before dlkernels was imported"
    wanted = str(internals.settings.THREADING_LAYER).lower()
    if wanted != "default":
        return f"NUMBA_THREADING_LAYER is {wanted}"
    order = list(internals.settings.THREADING_LAYER_PRIORITY)
    passed_over = [
        f"{other} {_tbb_problem if other == 'tbb' and _tbb_problem else 'is not usable here'}"
        for other in order[: order.index(name)]
    ]
    return "; ".join(passed_over) or f"the first of {', '.join(order)}"
