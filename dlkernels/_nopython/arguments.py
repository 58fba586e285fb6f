"""What compiled code hands over, made into what kernels take.

Types are checked when that code is compiled, shapes when it runs. `_inputs` and `_calls` do this for calls
from Python. Here the same rules hold, and a refusal has the same words, since `Refused` asks `_inputs.checks`
for them.
"""

# mypy: disable-error-code="no-untyped-def, attr-defined, call-arg, misc"
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import TypingError, types
from numba.extending import intrinsic

from dlkernels._compiler import internals
from dlkernels._compiler.options import shared
from dlkernels._inputs import checks
from dlkernels._kernels.memory import aligned, apart, as_row
from dlkernels.catalogue import ACTIVATIONS, COSTS

#: How `checks` looks at the arrays of each function.
_CHECKS: dict[str, Callable[..., Any]] = {
    "dense_forward": lambda *arrays: checks.dense_forward(*arrays, "identity", 0.0, None, False),
    "dense_gradients": lambda dZ, A_prev: checks.dense_gradients(dZ, A_prev, None),
    "dense_backward": lambda *arrays: checks.dense_backward(*arrays, "identity", 0.0, None),
    "dot": checks.dot,
    "logistic_propagate": lambda w, X, Y: checks.logistic("logistic_propagate", w, 0.0, X, Y, None),
    "shallow_propagate": lambda *arrays: checks.shallow("shallow_propagate", *arrays, "tanh", 0.0, None),
}


def _check(function: str, *arrays: Any) -> None:
    if function in _CHECKS:
        _CHECKS[function](*arrays)
    elif function in COSTS:
        checks.cost(function, *arrays)
    else:
        checks.elementwise_backward(function.removesuffix("_backward"), *arrays, None)


class Refused(ValueError):
    """The shapes of inputs don't fit; the message is that of the same call from Python."""

    def __init__(self, function: str, *shapes: tuple[int, ...]) -> None:
        message = f"{function}: these shapes don't fit: {shapes}"
        try:
            # Nothing touches this memory, so arrays of any size cost nothing.
            _check(function, *(np.empty(shape, np.float32) for shape in shapes))
        except (ValueError, MemoryError) as error:
            message = str(error) if isinstance(error, ValueError) else message
        super().__init__(message)

    def __reduce__(self) -> Any:
        return ValueError, self.args


class OutRefused(Refused):
    """The shape of an array for a result doesn't fit."""

    def __init__(self, function: str, name: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
        ValueError.__init__(self, f"{function}: {name} has shape {shape} but the result has shape {expected}")


# -- types -----------------------------------------------------------------------------------------------


def given(argument: Any) -> bool:
    """Whether an optional argument was given, by its type."""
    return not (
        argument is None
        or isinstance(argument, types.NoneType)
        or (isinstance(argument, types.Omitted) and argument.value is None)
    )


def _supported(dtype: Any) -> bool:
    return dtype in (types.float32, types.float64) or isinstance(dtype, types.Integer | types.Boolean)


def number_of(function: str, arguments: Mapping[str, Any]) -> Any:
    """np.float32 if all numbers or arrays of numbers are, else np.float64."""
    dtypes = []
    for name, argument in arguments.items():
        dtype = argument.dtype if isinstance(argument, types.Array) else types.unliteral(argument)
        if not _supported(dtype):
            kind = f"dtype {dtype}" if isinstance(argument, types.Array) else f"type {argument}"
            raise TypingError(
                f"{function}: {name} has {kind}; expected float32, float64, integers or booleans"
            )
        dtypes.append(dtype)
    return np.float32 if all(dtype == types.float32 for dtype in dtypes) else np.float64


def arrays_of(function: str, arguments: Mapping[str, Any], axes: int = 2) -> Any:
    """As `number_of`, of arrays with so many axes."""
    for name, argument in arguments.items():
        if not isinstance(argument, types.Array):
            raise TypingError(f"{function}: {name} must be an array, not {argument}")
        if argument.ndim != axes:
            plural = "axis" if axes == 1 else "axes"
            raise TypingError(f"{function}: {name} must have {axes} {plural} but has {argument.ndim}")
    return number_of(function, arguments)


def need_number(function: str, name: str, argument: Any) -> None:
    """A real number, of which the kernel takes the float64."""
    value = argument.value if isinstance(argument, types.Omitted) else argument
    if not isinstance(value, float | types.Float | types.Integer):
        raise TypingError(f"{function}: {name} must be a real number, not {argument}")


def flag_of(function: str, name: str, argument: Any) -> bool:
    """A boolean that decides the type of the result, and must therefore be known when compiling."""
    value = getattr(argument, "literal_value", getattr(argument, "value", argument))
    if not isinstance(value, bool):
        raise TypingError(
            f"{function}: {name} must be True or False where compiled code calls it, no variable"
        )
    return value


def activation_of(function: str, argument: Any) -> Any:
    """What finds the code of an activation: at once for a literal, else by comparing when it runs."""
    value = getattr(argument, "literal_value", getattr(argument, "value", argument))
    if isinstance(value, str) and value in ACTIVATIONS:
        code = ACTIVATIONS[value].code
        return shared(lambda name: code)
    if not isinstance(types.unliteral(argument), types.UnicodeType):
        raise TypingError(f"{function}: activation must be a string, not {argument}")
    names = tuple(ACTIVATIONS)
    message = f"{function}: activation must be one of {', '.join(names)}"

    @shared
    def compared(name):
        for code in range(len(names)):
            if names[code] == name:
                return code
        raise ValueError(message)

    return compared


# -- arrays ----------------------------------------------------------------------------------------------
#
# What these intrinsics give isn't read-only, whatever the array is: kernels are compiled for one kind, and
# only read their inputs.


@intrinsic
def table_of(typing_context, array):
    """A matrix in C order, or a row or column in any order, as one in C order that shares its memory."""
    return _table(array, transposed=False)


@intrinsic
def transpose_of(typing_context, array):
    """The transpose of a matrix in Fortran order, as one in C order that shares its memory."""
    return _table(array, transposed=True)


def _table(array: Any, transposed: bool) -> Any:
    table = types.Array(array.dtype, 2, "C")

    def generate(context, builder, signature, values):
        return internals.array_over(context, builder, array, values[0], table, transposed)

    return table(array), generate


@intrinsic
def unknown(typing_context, number):
    """A float as it is, whose value LLVM doesn't know.

    LLVM would compute a function of a constant at once, and round products that the processor fuses with a
    sum. Therefore the bits are combined with a zero that comes out of a piece of assembly without
    instructions. That is done once before a loop, which is still vectorised.
    """
    bits = ir.IntType(number.bitwidth)

    def generate(context, builder, signature, values):
        zero = builder.asm(ir.FunctionType(bits, [bits]), "", "=r,0", [bits(0)], False)
        for attribute in ("nounwind", "readnone"):
            zero.attributes.add(attribute)
        return builder.bitcast(builder.xor(builder.bitcast(values[0], bits), zero), values[0].type)

    return number(number), generate


class Input(NamedTuple):
    """How a kernel takes a matrix: `view` makes what it takes, of the transpose if it is `transposed`."""

    view: Any
    transposed: bool


def row(number: Any, array: Any) -> Any:
    """What makes a vector of these numbers of an array of any shape, in C order."""
    return _view_as(number, array, as_row, array.layout == "C")


def table(number: Any, array: Any) -> Any:
    """What makes a matrix of these numbers, in C order."""
    return _view_as(number, array, table_of, array.layout == "C")


def line(number: Any, array: Any) -> Any:
    """As `table`, of an array that has one row or one column."""
    return _view_as(number, array, table_of, array.layout in "CF")


def matrix(number: Any, array: Any) -> Input:
    """As `table`; of a matrix in Fortran order the transpose."""
    transposed = array.layout == "F"
    view = transpose_of if transposed else table_of
    return Input(_view_as(number, array, view, array.layout in "CF"), transposed)


def _view_as(number: Any, array: Any, view: Any, keeps: bool) -> Any:
    """What makes a view: without a copy if the array `keeps` its order and has these numbers."""
    same = array.dtype == (types.float32 if number is np.float32 else types.float64)
    if not keeps:
        return shared(lambda a: view(np.ascontiguousarray(a).astype(number)))
    if not (same and array.aligned):
        return shared(lambda a: view(a.astype(number)))
    # Numba doesn't check the alignment of an array that it is called with.
    return shared(lambda a: view(a) if aligned(a) else view(a.copy()))


def output_as(function: str, number: Any, axes: int, out: Any, name: str = "out") -> Any:
    """What gives an array of a shape, from that and `out`: a new one, or `out` if it has this shape."""
    if not given(out):
        return shared(lambda out, shape: np.empty(shape, number))
    dtype = types.float32 if number is np.float32 else types.float64
    if not isinstance(out, types.Array):
        raise TypingError(f"{function}: {name} must be an array, not {out}")
    if out.dtype != dtype:
        raise TypingError(f"{function}: {name} has dtype {out.dtype} but the result has dtype {dtype}")
    if out.ndim != axes:
        raise TypingError(f"{function}: {name} has {out.ndim} axes but the result has {axes}")
    if not out.mutable:
        raise TypingError(f"{function}: {name} is read-only")
    if out.layout != "C" or not out.aligned:
        raise TypingError(f"{function}: {name} must be aligned and in C order, known when compiling")
    misaligned = f"{function}: {name} must be aligned and in C order"

    @shared
    def checked(out, shape):
        if not aligned(out):
            raise ValueError(misaligned)
        if out.shape != shape:
            raise OutRefused(function, name, out.shape, shape)
        return out

    return checked


def outputs_as(function: str, number: Any, names: tuple[str, ...], out: Any) -> tuple[Any, ...]:
    """As `output_as`, for each matrix of a tuple."""
    if not given(out):
        return tuple(output_as(function, number, 2, None) for _ in names)
    if not (isinstance(out, types.BaseTuple) and len(out) == len(names) and all(map(given, out))):
        raise TypingError(f"{function}: out must be a tuple of {len(names)} arrays, not {out}")

    def one(i: int) -> Any:
        take = output_as(function, number, 2, out[i], f"out[{i}] ({names[i]})")
        return shared(lambda out, shape: take(out[i], shape))

    return tuple(one(i) for i in range(len(names)))


@shared
def same_or_apart(a, b):
    """Whether two arrays in C order are the same memory, or share none."""
    return a.ctypes.data == b.ctypes.data or apart(a, b)


@shared
def _share_memory(a, b):
    return a.size > 0 and b.size > 0 and not apart(a, b)


def apart_if(function: str, out: Any) -> Any:
    """What refuses arrays of `out`, if it was given, that share memory with each other or with an input."""
    if not given(out):
        return shared(lambda written, read: None)

    with_input = f"{function}: out overlaps an input in memory"
    with_another = f"{function}: the arrays of out overlap in memory"

    @shared
    def check(written, read):
        for i in range(len(written)):
            for array in read:
                if _share_memory(written[i], array):
                    raise ValueError(with_input)
            for j in range(i):
                if _share_memory(written[i], written[j]):
                    raise ValueError(with_another)

    return check
