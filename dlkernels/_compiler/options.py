"""Every compile option of the package. No other module calls `numba.njit`."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import TypingError
from numba.extending import register_jitable

from dlkernels._compiler import cache, internals

#: 0, 1, False and True as arguments for compiled functions. A literal has a type of its own, for which Numba
#: would compile the called function once more. These constants have the types of variables.
ZERO, ONE, FALSE, TRUE = np.int64(0), np.int64(1), np.bool_(False), np.bool_(True)
#: Loops may reorder sums and form fused multiply-adds. NaN and infinity keep their meaning.
_SUMS = {"contract", "reassoc", "nsz"}
#: Functions of one number may form fused multiply-adds, but may not reorder sums: exp and tanh round a number
#: by adding a large number and subtracting it again, and reordering would cancel the two.
_SCALARS = {"contract"}
#: Only `prange` becomes parallel. Expressions of whole arrays stay as they are written.
_PRANGE_ONLY = internals.parallel_options(
    prange=True,
    comprehension=False,
    reduction=False,
    inplace_binop=False,
    setitem=False,
    numpy=False,
    stencil=False,
    fusion=False,
)
#: Options that all kernels share. Every kernel sets fastmath, error_model, forceinline and _nrt, because
#: Numba otherwise copies them from the function that calls it. Nothing is called from C, so no wrapper for C
#: is made.
_COMMON: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "forceinline": False,
    **internals.NOT_FROM_C,
}
#: Kernels don't count references to arrays: whoever calls a kernel keeps its arrays alive. Therefore a kernel
#: can neither allocate arrays nor return them, and gets its workspace as an argument. Counting cost 10 ns for
#: each row that a loop takes as a slice of an array, and 60 ns for each array that came from Python.
LOOPS: dict[str, Any] = _COMMON | internals.UNCOUNTED | {"fastmath": _SUMS}
#: Functions of one number are inlined by force. LLVM finds tanh in float64 too long to inline, and doesn't
#: vectorise a loop that contains a call (6.3 ns a number instead of 1.3). These options also fit
#: `numba.extending.overload`.
SCALAR_OPTIONS: dict[str, Any] = {"fastmath": _SCALARS, "error_model": "numpy", "forceinline": True}

#: Whether kernels run as plain Python (NUMBA_DISABLE_JIT=1).
UNCOMPILED = bool(internals.settings.DISABLE_JIT)


class Twins(NamedTuple):
    """One loop nest, compiled twice from the same source. Both give the same bits."""

    serial: Any
    parallel: Any


class _Deferred:
    """Stands for a dispatcher, which is made when Numba, or a test, first asks for one of its attributes.

    It takes 0.2 ms to make a dispatcher. Most programs need few of the functions that only compiled code
    calls: none of those that are part of a kernel in the cache. A function that Python calls isn't deferred,
    because its calls would take 0.5 us more.
    """

    def __init__(self, body: Callable[..., Any], make: Callable[[Any], Any]) -> None:
        self.py_func, self._make = body, make
        functools.update_wrapper(self, body)

    @functools.cached_property
    def _dispatcher(self) -> Any:
        return self._make(self.py_func)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dispatcher, name)

    def __call__(self, *arguments: Any) -> Any:
        return self._dispatcher(*arguments)


class _Inner(internals.Dispatcher):
    """A compiled function that only compiled code can call. The wrapper for Python isn't compiled.

    The wrapper takes a tenth of the time of compiling. Tests call such a function from Python all the same:
    then an ordinary compiled function makes the call.
    """

    def __call__(self, *arguments: Any) -> Any:
        if not hasattr(self, "_entry"):
            self._entry = for_python(self)
        return self._entry(*arguments)

    def compile(self, signature: Any) -> Any:
        compiled = super().compile(signature)
        for overload in self.overloads.values():
            # Where references aren't counted, Numba itself refuses a function that returns an array. But it
            # accepts one that returns a tuple of arrays. The caller would then release references that nobody
            # has acquired.
            if "array(" in str(overload.signature.return_type):
                raise TypingError(f"{self.__name__} returns an array, but counts no references")
        return compiled


def for_python(function: Any) -> Any:
    """A compiled function that Python can call and that does nothing but call `function`."""
    return numba.njit(**_COMMON)(lambda *arguments: function(*arguments))


def loops(body: Callable[..., Any]) -> Any:
    """Compile a loop nest that other kernels call. It is serial, and kept in the cache."""
    return _deferred(body, _inner)


def _inner(body: Callable[..., Any]) -> Any:
    compiled = numba.njit(**LOOPS, **internals.NOT_FROM_PYTHON)(body)
    compiled.__class__ = _Inner
    return cache.attach(compiled)


def _deferred(body: Callable[..., Any], make: Callable[[Any], Any]) -> Any:
    return body if UNCOMPILED else _Deferred(body, make)


def entry(body: Callable[..., Any]) -> Any:
    """Compile a loop nest that Python calls. Apart from that, as `loops`."""
    return cache.attach(numba.njit(**LOOPS)(body))


def inlined(body: Callable[..., Any]) -> Any:
    """Compile a loop nest as a part of its caller, so that LLVM sees which of its arrays are the same one."""
    return numba.njit(fastmath=_SUMS, inline="always", **_COMMON)(body)


def inlined_late(body: Callable[..., Any]) -> Any:
    """As `inlined`, but LLVM optimises the function by itself before it inlines it into the caller."""
    return _deferred(body, numba.njit(**(LOOPS | {"forceinline": True})))


def shared(body: Callable[..., Any]) -> Any:
    """Leave a Python function as it is, and let compiled functions call it as well."""
    return register_jitable(error_model="numpy")(body)


def scalar(body: Callable[..., Any]) -> Any:
    """Compile a function of single numbers, which is inlined into the loops that call it."""
    return _deferred(body, numba.njit(**SCALAR_OPTIONS))


def twins(body: Callable[..., Any]) -> Twins:
    """Compile a kernel whose outer loop is a `prange`: once as a serial loop, once in parallel."""
    # The parallel twin gets a name of its own, since Numba's cache tells functions apart by their names.
    parallel = numba.njit(parallel=_PRANGE_ONLY, **LOOPS)(_renamed(body, "_parallel"))
    return Twins(entry(body), cache.attach(parallel))


def _renamed(body: Any, suffix: str) -> Any:
    copy = types.FunctionType(
        body.__code__, body.__globals__, body.__name__ + suffix, body.__defaults__, body.__closure__
    )
    copy.__qualname__ = body.__qualname__ + suffix
    copy.__doc__ = body.__doc__
    copy.__module__ = body.__module__
    copy.__annotations__ = body.__annotations__
    return copy


def guarded(compiled: Any, accepts: Callable[..., bool], refusal: Any = False) -> Any:
    """Change a compiled function so that it returns `refusal` for types of arguments that `accepts` refuses.

    Types that are already compiled run at once: the dispatcher recognises them in 0.03 us an array, where
    checks in Python take 0.15. For other types `accepts` is asked before anything is compiled. The dispatcher
    looks neither at the byte order of an array nor at its alignment, so the caller must.
    """
    if UNCOMPILED:
        return lambda *arguments: compiled(*arguments) if accepts(*arguments) else refusal
    internals.refuse_what_is_not_compiled(compiled, accepts, refusal)
    return compiled


def not_refused(done: bool) -> None:
    """Check that a `guarded` function did its work, after a call with arrays that were converted for it."""
    if not done:
        raise AssertionError("a kernel refused arrays that were converted for it")
