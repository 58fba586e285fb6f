"""Every compile option of the package; nothing else calls `numba.njit`."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numba.core.cpu_options import ParallelOptions
from numba.core.errors import TypingError
from numba.core.registry import CPUDispatcher
from numba.extending import register_jitable

from dlkernels._compiler import cache

#: 0, 1 and False that are no literals: Numba compiles a function anew for each literal that it is given.
START, ALONE, AS_IT_IS = np.int64(0), np.int64(1), np.bool_(False)
#: Sums may be reordered and fused multiply-adds formed; NaN and infinity keep their meaning.
_SUMS = {"contract", "reassoc", "nsz"}
#: Elementary functions round by adding and taking away a large number: reordering would undo that.
_SCALARS = {"contract"}
#: Only `prange` is made parallel: whole-array expressions are left as they are written.
#: (An options object, since Numba empties a dict at the first compilation and then uses its defaults.)
_PRANGE_ONLY = ParallelOptions(
    {
        "prange": True,
        "comprehension": False,
        "reduction": False,
        "inplace_binop": False,
        "setitem": False,
        "numpy": False,
        "stencil": False,
        "fusion": False,
    }
)
#: What isn't set here, Numba takes from the function that it is just compiling: one that calls a kernel (so
#: it does with fastmath, error_model, forceinline and _nrt). Nothing is called from C.
_COMMON: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "forceinline": False,
    "no_cfunc_wrapper": True,
}
#: Nor does a loop nest count references: whoever calls it keeps the arrays. So it can't allocate, and may not
#: return arrays; memory for what is computed on the way is passed in. (Each row that a loop cuts out of an
#: array was counted up and down by atomic instructions, 10 ns each on an Intel Xeon, and each array that came
#: from Python was wrapped in an object, 60 ns: see "References" in `_kernels/README.md`.)
LOOPS: dict[str, Any] = _COMMON | {"fastmath": _SUMS, "_nrt": False}
#: Also for `numba.extending.overload`. LLVM finds tanh in float64 too long to inline by itself, and a loop
#: with a call in it doesn't vectorise: 6.3 ns a number instead of 1.3.
SCALAR_OPTIONS: dict[str, Any] = {"fastmath": _SCALARS, "error_model": "numpy", "forceinline": True}


class Twins(NamedTuple):
    """One loop nest compiled twice from the same source; both give the same bits."""

    serial: Any
    parallel: Any


class _Inner(CPUDispatcher):
    """A function that Numba gives no entry for Python: that takes a tenth of the time that compiling takes.

    Called from Python, as tests do, it is run by a function that calls it.
    """

    def __call__(self, *arguments: Any) -> Any:
        if not hasattr(self, "_entry"):
            self._entry = numba.njit(**_COMMON)(lambda *arguments: self(*arguments))
        return self._entry(*arguments)

    def compile(self, signature: Any) -> Any:
        compiled = super().compile(signature)
        for overload in self.overloads.values():
            # Numba itself refuses an array, but not a tuple of arrays, which its caller would count down.
            if "array(" in str(overload.signature.return_type):
                raise TypingError(f"{self.__name__} returns an array, but counts no references")
        return compiled


def loops(body: Callable[..., Any]) -> Any:
    """Compile a loop nest that other kernels call: always serial, cached."""
    compiled = numba.njit(no_cpython_wrapper=True, **LOOPS)(body)
    if not numba.config.DISABLE_JIT:
        compiled.__class__ = _Inner
    return cache.attach(compiled)


def entry(body: Callable[..., Any]) -> Any:
    """As `loops`, for what Python calls."""
    return cache.attach(numba.njit(**LOOPS)(body))


def inlined(body: Callable[..., Any]) -> Any:
    """Compile a loop nest into whatever calls it, where LLVM then sees which of its arrays are the same."""
    return numba.njit(fastmath=_SUMS, inline="always", **_COMMON)(body)


def inlined_late(body: Callable[..., Any]) -> Any:
    """As `inlined`, but after LLVM has optimised it."""
    return numba.njit(**(LOOPS | {"forceinline": True}))(body)


def shared(body: Callable[..., Any]) -> Any:
    """An ordinary function that compiled functions can call as well."""
    return register_jitable(error_model="numpy")(body)


def guarded(compiled: Any, accepts: Callable[..., bool], refusal: Any = False) -> Any:
    """Let a compiled function be called with anything: what it doesn't accept returns `refusal`, uncompiled.

    Numba finds out by itself, in 0.03 us an array, whether a function is compiled for the kinds of its
    arguments; `accepts` is asked only where it isn't. (The same checks in Python take 0.15 us an array.)
    It doesn't look at the byte order and the alignment of an array: the caller must.
    """
    if numba.config.DISABLE_JIT:
        return lambda *arguments: compiled(*arguments) if accepts(*arguments) else refusal
    compile_for = compiled._compile_for_args
    compiled._compile_for_args = lambda *arguments: (
        compile_for(*arguments) if accepts(*arguments) else lambda *arguments: refusal
    )
    return compiled


def not_refused(done: bool) -> None:
    """After a call with arrays that were converted for it: a refusal would leave its result unwritten."""
    if not done:
        raise AssertionError("a kernel refused arrays that were converted for it")


def scalar(body: Callable[..., Any]) -> Any:
    """Compile a function of single numbers, to be inlined into the loops of the kernels."""
    return numba.njit(**SCALAR_OPTIONS)(body)


def twins(body: Callable[..., Any]) -> Twins:
    """Compile a kernel whose outer loop is a `prange`, once serial and once parallel."""
    # Under its own name: Numba's cache doesn't tell the two apart otherwise.
    parallel = numba.njit(parallel=_PRANGE_ONLY, **LOOPS)(_renamed(body, "_parallel"))
    return Twins(entry(body), cache.attach(parallel))


def _renamed(body: Any, suffix: str) -> Any:
    copy = types.FunctionType(
        body.__code__, body.__globals__, body.__name__ + suffix, body.__defaults__, body.__closure__
    )
    copy.__qualname__ = body.__qualname__ + suffix
    copy.__doc__ = body.__doc__
    copy.__module__ = body.__module__
    return copy
