"""What compiled code hands over, made into what a kernel takes: types are checked as that code is compiled,
shapes as it runs.

`checks` and `_arguments` do this for calls from Python; here the same rules hold, and a refusal has the same
words, since `Refused` asks `checks` for them.
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
from dlkernels._kernels.activations import aligned, apart
from dlkernels.catalogue import ACTIVATIONS

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
    elif function.endswith("_backward"):
        saved = "A" if function in ("sigmoid_backward", "tanh_backward") else "Z"
        checks.elementwise_backward(function, *arrays, saved, None)
    else:
        checks.cost(function, "Z" if function.endswith("_with_logits") else "A", *arrays)


class Refused(ValueError):
    """The shapes of inputs don't fit; the message is that of the same call from Python."""

    def __init__(self, function: str, *shapes: tuple[int, ...]) -> None:
        message = f"{function}: these shapes don't fit: {shapes}"
        try:
            # Never touched, so that arrays of any size cost nothing.
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


# -- types ---------------------------------------------------------------------------------------------


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
    """A boolean that decides the type of the result: known when compiling."""
    value = getattr(argument, "literal_value", getattr(argument, "value", argument))
    if not isinstance(value, bool):
        raise TypingError(
            f"{function}: {name} must be True or False where compiled code calls it, no variable"
        )
    return value


def activation_of(function: str, argument: Any) -> Any:
    """What finds the code of an activation: at once for a literal, else by comparing when it runs."""
    value = getattr(argument, "literal_value", getattr(argument, "value", argument))
    if isinstance(value, str) and value in checks.CODES:
        code = checks.CODES[value]
        return shared(lambda name: code)
    if not isinstance(types.unliteral(argument), types.UnicodeType):
        raise TypingError(f"{function}: activation must be a string, not {argument}")
    message = f"{function}: activation must be one of {', '.join(ACTIVATIONS)}"
    a0, a1, a2, a3, a4 = ACTIVATIONS

    @shared
    def compared(name):
        code = -1
        code = 0 if name == a0 else code
        code = 1 if name == a1 else code
        code = 2 if name == a2 else code
        code = 3 if name == a3 else code
        code = 4 if name == a4 else code
        if code < 0:
            raise ValueError(message)
        return code

    return compared


# -- rows ----------------------------------------------------------------------------------------------


@intrinsic
def row_of(typing_context, array):
    """All numbers of a contiguous array, in C or Fortran order, as a vector that shares its memory.

    It isn't read-only, whatever the array is: kernels are compiled for one kind, and only read their inputs.
    """
    row = types.Array(array.dtype, 1, "C")

    def generate(context, builder, signature, values):
        return internals.array_over(context, builder, array, values[0], row)

    return row(array), generate


@intrinsic
def unknown(typing_context, number):
    """A float as it is, of which LLVM knows no value.

    It would compute a function of a constant at once, rounding products that the processor fuses with a sum.
    Bits are combined with a zero that comes out of a piece of assembly without instructions: that is done
    once before a loop, which still becomes one of vectors.
    """
    bits = ir.IntType(number.bitwidth)

    def generate(context, builder, signature, values):
        zero = builder.asm(ir.FunctionType(bits, [bits]), "", "=r,0", [bits(0)], False)
        for attribute in ("nounwind", "readnone"):
            zero.attributes.add(attribute)
        return builder.bitcast(builder.xor(builder.bitcast(values[0], bits), zero), values[0].type)

    return number(number), generate


@shared
def _row(array):
    """As `row_of`; of a copy if the numbers aren't aligned, which Numba doesn't ask at each call."""
    return row_of(array) if aligned(array) else row_of(array.copy())


class Input(NamedTuple):
    """How a kernel takes an array: `row` makes its row, of the transpose where `transposed` says so."""

    row: Any
    transposed: bool


def input_as(number: Any, array: Any, fortran: bool = False) -> Input:
    """Without a copy where the array is of these numbers and contiguous; in Fortran order if that may be."""
    same = array.dtype == (types.float32 if number is np.float32 else types.float64)
    keeps = array.layout == "C" or (fortran and array.layout == "F")
    if keeps and same and array.aligned:
        return Input(_row, array.layout == "F")
    if keeps:
        return Input(shared(lambda a: row_of(a.astype(number))), array.layout == "F")
    if same:
        return Input(shared(lambda a: _row(np.ascontiguousarray(a))), False)
    return Input(shared(lambda a: row_of(np.ascontiguousarray(a).astype(number))), False)


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
    """Whether two rows are the same memory, or share none."""
    return a.ctypes.data == b.ctypes.data or apart(a, b)


@shared
def _share_memory(a, b):
    return a.size > 0 and b.size > 0 and not apart(a, b)


def apart_if(function: str, out: Any) -> Any:
    """What refuses rows for `out`, if it was given, that share memory with each other or with an input's."""
    if not given(out):
        return shared(lambda written, read: None)

    with_input = f"{function}: out overlaps an input in memory"
    with_another = f"{function}: the arrays of out overlap in memory"

    @shared
    def check(written, read):
        for i in range(len(written)):
            for row in read:
                if _share_memory(written[i], row):
                    raise ValueError(with_input)
            for j in range(i):
                if _share_memory(written[i], written[j]):
                    raise ValueError(with_another)

    return check
