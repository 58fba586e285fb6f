"""Pieces of kernels that are compiled once and called by address.

Numba links a function into everything that calls it and optimises it there again, and a parallel loop is
four such callers: what a kernel does with its share of the work was optimised seven times for each dtype.
A `piece` is compiled for itself, and the kernels are given its address.

    @piece
    def share(x: Row, n: Int): ...          # a piece, with the kinds of its arguments

    @twins
    def kernel(x, share_at):                # `call` runs it; arguments as a tuple
        for s in prange(4):
            share.call(share_at, (x, s))

    kernel.serial(x, share.at(x.dtype))     # from Python
    share.call(share.linked(x), (x, s))     # from compiled code that is to have the piece in itself

Without compilation `at` returns the function itself. A call whose arguments are not of the kinds that are
written down doesn't compile.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numba import types
from numba.core import cgutils, config
from numba.core.compiler_lock import global_compiler_lock
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numba.np import numpy_support

from dlkernels._compiler.options import loops

Row: TypeAlias = Any
Numbers: TypeAlias = Any
Number: TypeAlias = Any
Int: TypeAlias = Any
Real: TypeAlias = Any
Flag: TypeAlias = Any
#: The kinds of arguments, by the name that an annotation gives: a vector and a number of the kernel's dtype,
#: a 64-bit integer, a float64, a boolean. What is returned is a number of that dtype, three, or nothing.
_KINDS: dict[str, Callable[[Any], Any]] = {
    "Row": lambda number: types.Array(number, 1, "C"),
    "Number": lambda number: number,
    "Int": lambda number: types.int64,
    "Real": lambda number: types.float64,
    "Flag": lambda number: types.boolean,
    "Numbers": lambda number: types.UniTuple(number, 3),
}


class Piece:
    """A function that has its own machine code for each dtype; see the module.

    `compiled` is the function itself (`_jit.loops`).
    """

    def __init__(self, compiled: Any) -> None:
        body = getattr(compiled, "py_func", compiled)
        self.compiled = compiled
        self._kinds = [kind for name, kind in body.__annotations__.items() if name != "return"]
        self._returned = body.__annotations__.get("return")
        self._addresses: dict[Any, Any] = {}
        self.call = _caller(body.__name__, self.signature, self.returned)
        self.linked = _linked(self)

    def signature(self, number: Any) -> tuple[Any, ...]:
        return tuple(_KINDS[kind](number) for kind in self._kinds)

    def returned(self, number: Any) -> Any:
        return types.none if self._returned is None else _KINDS[self._returned](number)

    def at(self, dtype: np.dtype[Any]) -> Any:
        """Where its machine code for this dtype begins."""
        address = self._addresses.get(dtype)
        if address is None:
            address = self._addresses[dtype] = self._compile(dtype)
        return address

    def _compile(self, dtype: np.dtype[Any]) -> Any:
        if dtype not in (np.float32, np.float64):
            raise TypeError(f"no kernel is for {dtype}")
        if config.DISABLE_JIT:
            return self.compiled
        # A fork waits for this lock, so that no child inherits llvmlite's own, which the last line takes.
        with global_compiler_lock:
            result = self.machine_code(numpy_support.from_dtype(dtype))
            return result.library.get_pointer_to_function(result.fndesc.llvm_func_name)

    def machine_code(self, number: Any) -> Any:
        """Numba's result of compiling it for a type of numbers."""
        signature = self.signature(number)
        self.compiled.compile(signature)
        result = self.compiled.overloads[signature]
        if result.signature.return_type != self.returned(number):
            raise TypingError(f"{result.signature} isn't what the annotations say")
        return result


def piece(body: Callable[..., None]) -> Piece:
    """Make a piece of a function whose arguments are annotated with their kinds."""
    return Piece(loops(body))


def addresses(*pieces: Piece) -> Callable[[np.dtype[Any]], tuple[Any, ...]]:
    """What looks up where the machine code of several pieces begins, for a dtype."""
    return functools.cache(lambda dtype: tuple(piece.at(dtype) for piece in pieces))


def table(*pieces: Piece) -> Callable[[np.dtype[Any]], np.ndarray[Any, Any]]:
    """The same as an array, for what is called so often that Python counts.

    Five addresses as arguments took 0.31 us of a call on an Intel Xeon, in an array 0.07.
    """
    return functools.cache(lambda dtype: np.array([piece.at(dtype) for piece in pieces]))


def _fits(given: Any, expected: Any) -> bool:
    whole = isinstance(given, types.Integer) and expected is types.int64
    return whole or types.unliteral(given) == expected


def _caller(name: str, signature: Callable[[Any], tuple[Any, ...]], returned: Callable[[Any], Any]) -> Any:
    """What runs, inside a kernel, the piece that begins at an address."""

    if config.DISABLE_JIT:
        return lambda function, arguments: function(*arguments)

    @intrinsic
    def by_address(typing_context, address, arguments):
        number = next(a.dtype for a in arguments if isinstance(a, types.Array))
        expected, result = signature(number), returned(number)
        if len(arguments) != len(expected) or not all(map(_fits, arguments, expected)):
            raise TypingError(f"{name} takes {expected}, not {tuple(arguments)}")

        def generate(context, builder, _signature, values):
            kind = context.call_conv.get_function_type(result, expected)
            function = builder.inttoptr(values[0], kind.as_pointer())
            given = [
                context.cast(builder, builder.extract_value(values[1], i), before, after)
                for i, (before, after) in enumerate(zip(arguments, expected, strict=True))
            ]
            status, value = context.call_conv.call_function(builder, function, result, expected, given)
            with builder.if_then(status.is_error, likely=False):
                context.call_conv.return_status_propagate(builder, status)
            return context.get_dummy_value() if result == types.none else value

        return result(types.int64, arguments), generate

    return by_address


def _linked(piece: Piece) -> Any:
    """What gives, inside compiled code, the address of a copy of the piece that is linked into that code.

    Such code may be cached: it holds no address of this process. The copy is never inlined, for it to give
    the bits of the piece itself; it is optimised again, which takes a part of the time that compiling took.
    """
    if config.DISABLE_JIT:
        return lambda like: piece.compiled

    @intrinsic
    def linked(typing_context, like):
        def generate(context, builder, _signature, _values):
            result = piece.machine_code(like.dtype)
            name = result.fndesc.llvm_func_name
            result.library._get_module_for_linking().get_function(name).add_function_attribute("noinline")
            context.add_linking_libs([result.library])
            kind = context.call_conv.get_function_type(
                piece.returned(like.dtype), piece.signature(like.dtype)
            )
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            return builder.ptrtoint(function, context.get_value_type(types.int64))

        return types.int64(like), generate

    return linked
