"""Pieces: parts of kernels that are compiled once, and that kernels call by name.

Numba links a function into each of its callers, and optimises it there again: into the serial kernel, into
the parallel one, into each function that calls these. A piece is compiled by itself, once for each dtype:

    @piece
    def share(x: Row, n: Int): ...          # annotated with the kinds of its arguments

    @twins
    def kernel(x):
        for s in prange(4):
            share(x, s)                     # a call like any other

The machine code of a piece is published under a name: LLVM is told its address. The code of a caller only
declares the name. LLVM looks up the address when it links the caller: at once if the caller has just been
compiled, or in a later process when the caller is read from the cache. The piece must be published before
that. While Numba compiles a caller, each call of a piece publishes the piece. When `cache` reads a caller
from disk, it first publishes the pieces whose names were saved together with the machine code.

A name consists of the cache key, the function and the dtype. Pieces of two versions of this package, of two
settings of Numba or of two dtypes therefore never have the same name. Each process publishes names for
itself; a forked child inherits the names of its parent together with the machine code.

Functions that users compile are kept in other caches, which know nothing of these names. Numba links copies
of the pieces into such functions (`Piece.linked`).

If compilation is switched off (NUMBA_DISABLE_JIT=1), calling a piece calls its Python function.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np
from numba import TypingError, types
from numba.extending import intrinsic

from dlkernels._compiler import internals, names
from dlkernels._compiler.options import UNCOMPILED, for_python, loops


class Kind:
    """A kind of argument. `type_for` gives its Numba type from the type of the kernel's numbers."""

    def __init__(self, type_for: Callable[[Any], Any]) -> None:
        self.type_for = type_for


#: A vector of numbers of the kernel's dtype.
Row: Any = Kind(lambda number: types.Array(number, 1, "C"))
#: A matrix of such numbers, in C order.
Table: Any = Kind(lambda number: types.Array(number, 2, "C"))
#: Vectors whose dtype doesn't depend on the kernel's: of integers, of numbers in double precision.
Ints: Any = Kind(lambda number: types.Array(types.int64, 1, "C"))
Reals: Any = Kind(lambda number: types.Array(types.float64, 1, "C"))
#: One number of the kernel's dtype, and a tuple of three such numbers (only as the result of a piece).
Number: Any = Kind(lambda number: number)
Numbers: Any = Kind(lambda number: types.UniTuple(number, 3))
#: Independent of the kernel's dtype: an integer, a number in double precision, a truth value.
Int: Any = Kind(lambda number: types.int64)
Real: Any = Kind(lambda number: types.float64)
Flag: Any = Kind(lambda number: types.boolean)


def type_for(kind: Any, number: Any) -> Any:
    """The Numba type of an argument of this kind; for a NamedTuple of kinds, that of a group of arguments."""
    if isinstance(kind, Kind):
        return kind.type_for(number)
    fields = [type_for(field, number) for field in typing.get_type_hints(kind).values()]
    return internals.group_type(fields, kind)


class Piece:
    """A function that is compiled once for each dtype and called by name; see the docstring of this module.

    `compiled` is the function, compiled by `options.loops` or `options.entry`.
    """

    def __init__(self, compiled: Any) -> None:
        body = getattr(compiled, "py_func", compiled)
        self.compiled, self.__doc__ = compiled, body.__doc__
        self.__wrapped__ = body
        self.name = f"{body.__module__}.{body.__qualname__}"
        self._results: dict[Any, Any] = {}
        self._libraries: dict[Any, list[Any]] = {}
        if UNCOMPILED:
            return
        names.add_piece(self.name, self._publish_for)
        internals.define_call(self, self._definition(names.PUBLISHED, self._publish), body.__name__)

    def __call__(self, *arguments: Any) -> Any:
        """Call the piece from Python, as tests do."""
        return self.compiled(*arguments) if UNCOMPILED else self._entry(*arguments)

    @functools.cached_property
    def _entry(self) -> Any:
        return for_python(self)

    @functools.cached_property
    def linked(self) -> Any:
        """The same piece for functions that users compile, which Numba links a copy into."""
        return self.compiled if UNCOMPILED else intrinsic(self._definition(names.LINKED, self._link))

    @functools.cached_property
    def _kinds(self) -> dict[str, Any]:
        """The annotations. They are strings: to evaluate those of all pieces takes 4 ms, so imports don't."""
        return typing.get_type_hints(self.__wrapped__)

    def signature(self, number: Any) -> tuple[Any, ...]:
        """The Numba types of the arguments, where the kernel's numbers have the type `number`."""
        return tuple(type_for(kind, number) for name, kind in self._kinds.items() if name != "return")

    def returned(self, number: Any) -> Any:
        """The Numba type of the result, where the kernel's numbers have the type `number`."""
        kind = self._kinds.get("return", type(None))
        return types.none if kind is type(None) else type_for(kind, number)

    def published(self, number: Any) -> Any:
        """Compile the piece for a type of numbers and publish it, if not done yet; return Numba's result."""
        result = self._results.get(number)
        if result is None:
            # llvmlite holds a lock of its own meanwhile. A fork waits for Numba's lock, so that no child
            # inherits llvmlite's lock while it is held.
            with internals.compiler_lock:
                result = self._compile(number)
                internals.publish(f"{names.PUBLISHED}{self.name}.{number}", result)
                self._results[number] = result
        return result

    def _compile(self, number: Any) -> Any:
        if number not in (types.float32, types.float64):
            raise TypingError(f"no kernel is for {number}")
        signature = self.signature(number)
        result = internals.compiled_for(self.compiled, signature)
        if result.signature.return_type != self.returned(number):
            raise TypingError(f"{result.signature} isn't what the annotations say")
        return result

    def libraries(self, number: Any) -> list[Any]:
        """Copies of this piece and of all pieces that it calls, for Numba to link into a user's function."""
        if number not in self._libraries:
            result = self.published(number)
            called = names.needed(result.library)
            own = internals.LinkableCopy(
                result,
                f"{names.LINKED}{self.name}.{number}",
                {name: name.replace(names.PUBLISHED, names.LINKED) for name in called},
            )
            others = [other for name in called for other in names.publish(name).libraries(number)]
            self._libraries[number] = list(dict.fromkeys([own, *others]))
        return self._libraries[number]

    def _publish_for(self, dtype: str) -> Piece:
        self.published(numba.from_dtype(np.dtype(dtype)))
        return self

    def _publish(self, _context: Any, number: Any) -> None:
        self.published(number)

    def _link(self, context: Any, number: Any) -> None:
        internals.link(context, self.libraries(number))

    def _definition(self, prefix: str, prepare: Callable[[Any, Any], None]) -> Callable[..., Any]:
        """How Numba types and compiles a call of this piece; `prepare` makes LLVM know its machine code."""

        def call(typing_context, *arguments):  # type: ignore[no-untyped-def]
            if not hasattr(call, "__signature__"):  # Numba asks for it after this call
                own = inspect.signature(self.__wrapped__).parameters.values()
                context = inspect.Parameter("typing_context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
                call.__signature__ = inspect.Signature([context, *own])  # type: ignore[attr-defined]
            number = next(kind.dtype for kind in _flattened(arguments) if isinstance(kind, types.Array))
            expected, returned = self.signature(number), self.returned(number)
            if len(arguments) != len(expected) or not all(map(_accepts, arguments, expected)):
                raise TypingError(f"{self.name} takes {expected}, not {arguments}")

            def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
                prepare(context, number)
                given = [
                    _cast(context, builder, value, before, after)
                    for value, before, after in zip(values, signature.args, expected, strict=True)
                ]
                name = f"{prefix}{self.name}.{number}"
                return internals.call_by_name(context, builder, name, returned, expected, given)

            return returned(*arguments), generate

        return call


def piece(body: Callable[..., Any]) -> Piece:
    """Make a piece from a function whose arguments are annotated with their kinds."""
    return Piece(loops(body))


def _flattened(kinds: Any) -> Iterator[Any]:
    """The types of all arguments; the members of a group are yielded one by one."""
    for kind in kinds:
        if isinstance(kind, types.BaseTuple):
            yield from _flattened(kind)
        else:
            yield kind


def _accepts(given: Any, expected: Any) -> bool:
    """Whether an argument of type `given` may be passed as type `expected`. Integers may have any width."""
    if isinstance(expected, types.BaseNamedTuple):
        same_group = (
            isinstance(given, types.BaseNamedTuple) and given.instance_class is expected.instance_class
        )
        return same_group and all(map(_accepts, given, expected))
    whole = isinstance(given, types.Integer) and expected is types.int64
    return whole or types.unliteral(given) == expected


def _cast(context: Any, builder: Any, value: Any, before: Any, after: Any) -> Any:
    """Convert a value from type `before` to type `after`, once `_accepts` has accepted the two."""
    if isinstance(after, types.BaseTuple):
        fields = [
            _cast(context, builder, builder.extract_value(value, i), field_before, field_after)
            for i, (field_before, field_after) in enumerate(zip(before, after, strict=True))
        ]
        return internals.make_group(context, builder, after, fields)
    return context.cast(builder, value, before, after)
