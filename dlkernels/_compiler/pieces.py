"""Pieces: parts of kernels that are compiled once, and that kernels call by name.

Numba links a function into everything that calls it, and optimises it there again. A kernel and its parallel
twin are several such callers, so what a kernel does with its share of the work would be optimised seven times
for each dtype. A piece is compiled by itself, once for each dtype:

    @piece
    def share(x: Row, n: Int): ...          # annotated with the kinds of its arguments

    @twins
    def kernel(x):
        for s in prange(4):
            share(x, s)                     # a call like any other

The machine code of a piece is published under a name, and its callers only say that they need this name. LLVM
finds the address when it links a caller: at once if the caller has just been compiled, and in a later process
when the caller is read from the cache. The piece must be published before. While a caller is compiled, the
call itself sees to that; `cache` does when it reads a caller from disk, where the names stand beside the
machine code.

A name holds the key of the cache, the function and the dtype. Another version of this package, other settings
or another dtype therefore never meet under one name. Names are known to one process only, and a forked child
has those of its parent together with the machine code.

Functions that users compile are kept in caches of their own, which know nothing of names. They get a copy
linked in (`Piece.linked`).

Without compilation a piece is called as the Python function that it is.
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
    """A kind of argument: the type that it has in a kernel for one type of numbers."""

    def __init__(self, type_for: Callable[[Any], Any]) -> None:
        self.type_for = type_for


#: A vector of numbers of the kernel's dtype.
Row: Any = Kind(lambda number: types.Array(number, 1, "C"))
#: A matrix of them, in C order.
Table: Any = Kind(lambda number: types.Array(number, 2, "C"))
#: One number of that dtype, and three of them (only as what a piece returns).
Number: Any = Kind(lambda number: number)
Numbers: Any = Kind(lambda number: types.UniTuple(number, 3))
#: Whatever the dtype: an integer, a number in double precision, a truth value.
Int: Any = Kind(lambda number: types.int64)
Real: Any = Kind(lambda number: types.float64)
Flag: Any = Kind(lambda number: types.boolean)


def type_for(kind: Any, number: Any) -> Any:
    """The type of an argument of this kind; a group of arguments is a NamedTuple of kinds."""
    if isinstance(kind, Kind):
        return kind.type_for(number)
    fields = [type_for(field, number) for field in typing.get_type_hints(kind).values()]
    return types.BaseTuple.from_types(fields, kind)


class Piece:
    """A function with machine code of its own for each dtype; see the module.

    `compiled` is the function, compiled by `options.loops` or `options.entry`.
    """

    def __init__(self, compiled: Any) -> None:
        body = getattr(compiled, "py_func", compiled)
        self.compiled, self.__doc__ = compiled, body.__doc__
        self.__wrapped__ = body
        self.name = f"{body.__module__}.{body.__qualname__}"
        kinds = typing.get_type_hints(body)
        self._returned = kinds.pop("return", None)
        self._kinds = list(kinds.values())
        self._results: dict[Any, Any] = {}
        self._libraries: dict[Any, list[Any]] = {}
        if UNCOMPILED:
            return
        names.add_piece(self.name, self._publish_for)
        internals.call_means(self, self._definition(names.PUBLISHED, self._publish), body.__name__)

    def __call__(self, *arguments: Any) -> Any:
        """Call the piece from Python, as tests do."""
        return self.compiled(*arguments) if UNCOMPILED else self._entry(*arguments)

    @functools.cached_property
    def _entry(self) -> Any:
        return for_python(self)

    @functools.cached_property
    def linked(self) -> Any:
        """The same function for compiled code that others may keep on disk: it is linked into that code."""
        return self.compiled if UNCOMPILED else intrinsic(self._definition(names.LINKED, self._link))

    def signature(self, number: Any) -> tuple[Any, ...]:
        """The types of its arguments, for a type of numbers."""
        return tuple(type_for(kind, number) for kind in self._kinds)

    def returned(self, number: Any) -> Any:
        """The type of what it returns."""
        return types.none if self._returned in (None, type(None)) else type_for(self._returned, number)

    def published(self, number: Any) -> Any:
        """Numba's result of compiling it for a type of numbers, whose name LLVM knows from now on."""
        result = self._results.get(number)
        if result is None:
            # A fork waits for this lock. So no child inherits the lock of llvmlite, which is held meanwhile.
            with internals.compiler_lock:
                result = self._compile(number)
                internals.publish(f"{names.PUBLISHED}{self.name}.{number}", result)
                self._results[number] = result
        return result

    def _compile(self, number: Any) -> Any:
        if number not in (types.float32, types.float64):
            raise TypingError(f"no kernel is for {number}")
        signature = self.signature(number)
        self.compiled.compile(signature)
        result = self.compiled.overloads[signature]
        if result.signature.return_type != self.returned(number):
            raise TypingError(f"{result.signature} isn't what the annotations say")
        return result

    def libraries(self, number: Any) -> list[Any]:
        """What a function of a user has linked in: this piece and all that it calls, as copies."""
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
        context.add_linking_libs(self.libraries(number))

    def _definition(self, prefix: str, prepare: Callable[[Any, Any], None]) -> Callable[..., Any]:
        """How Numba types and compiles a call of this piece; `prepare` sees to it that LLVM finds it."""

        def call(typing_context, *arguments):  # type: ignore[no-untyped-def]
            number = next(kind.dtype for kind in _single(arguments) if isinstance(kind, types.Array))
            expected, returned = self.signature(number), self.returned(number)
            if len(arguments) != len(expected) or not all(map(_fit, arguments, expected)):
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

        own = inspect.signature(self.__wrapped__).parameters.values()
        context = inspect.Parameter("typing_context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        call.__signature__ = inspect.Signature([context, *own])  # type: ignore[attr-defined]
        return call


def piece(body: Callable[..., Any]) -> Piece:
    """Make a piece of a function whose arguments are annotated with their kinds."""
    return Piece(loops(body))


def _single(kinds: Any) -> Iterator[Any]:
    """The types of all arguments, those in groups one by one."""
    for kind in kinds:
        if isinstance(kind, types.BaseTuple):
            yield from _single(kind)
        else:
            yield kind


def _fit(given: Any, expected: Any) -> bool:
    """Whether a call with these types is meant. An integer may have any width."""
    if isinstance(expected, types.BaseNamedTuple):
        same_group = (
            isinstance(given, types.BaseNamedTuple) and given.instance_class is expected.instance_class
        )
        return same_group and all(map(_fit, given, expected))
    whole = isinstance(given, types.Integer) and expected is types.int64
    return whole or types.unliteral(given) == expected


def _cast(context: Any, builder: Any, value: Any, before: Any, after: Any) -> Any:
    """A value of one of the types that `_fit`, as the other."""
    if isinstance(after, types.BaseTuple):
        fields = [
            _cast(context, builder, builder.extract_value(value, i), field_before, field_after)
            for i, (field_before, field_after) in enumerate(zip(before, after, strict=True))
        ]
        return context.make_tuple(builder, after, fields)
    return context.cast(builder, value, before, after)
