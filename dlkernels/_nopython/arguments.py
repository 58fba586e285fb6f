"""Arguments of calls from compiled code, checked and converted to what kernels take.

Types are checked when the calling code is compiled, shapes when it runs. `_inputs` and `_calls` do the same
for calls from Python. The rules about shapes are the same here. So are their messages, which `Refused` gets
from `_inputs.checks`.
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
from dlkernels._inputs import checks, outputs
from dlkernels._kernels.memory import aligned, apart, as_row
from dlkernels.catalogue import ACTIVATIONS

#: For each function: a call of the check from `checks` with the arrays of that function.
_CHECKS: dict[str, Callable[..., Any]] = {
    "dense_forward": lambda *arrays: checks.dense_forward(*arrays, "identity", 0.0, None, False),
    "dense_gradients": lambda dZ, A_prev: checks.dense_gradients(dZ, A_prev, None),
    "dense_backward": lambda *arrays: checks.dense_backward(*arrays[:4], "identity", arrays[4], 0.0, None),
    "dot": checks.dot,
    "logistic_propagate": lambda w, X, Y: checks.logistic("logistic_propagate", w, 0.0, X, Y, None),
    "shallow_propagate": lambda *arrays: checks.shallow("shallow_propagate", *arrays, "tanh", 0.0, None),
}


def _check(function: str, *arrays: Any) -> None:
    if function in _CHECKS:
        _CHECKS[function](*arrays)
    else:
        checks.cost(function, *arrays)


class Refused(ValueError):
    """The shapes of inputs don't fit. The message is the same as for a call from Python."""

    def __init__(self, function: str, *shapes: tuple[int, ...]) -> None:
        message = f"{function}: these shapes don't fit: {shapes}"
        try:
            # Nobody reads or writes the memory of these arrays, so they may be of any size.
            _check(function, *(np.empty(shape, np.float32) for shape in shapes))
        except (ValueError, MemoryError) as error:
            message = str(error) if isinstance(error, ValueError) else message
        super().__init__(message)

    def __reduce__(self) -> Any:
        return ValueError, self.args


class OtherShape(Refused):
    """A or Z of a derivative has another shape than dA."""

    def __init__(self, function: str, name: str, shape: tuple[int, ...], other: tuple[int, ...]) -> None:
        ValueError.__init__(self, checks.other_shape(function, name, shape, other))


class NeedsOther(Refused):
    """A derivative can't be computed from what was passed of A and Z."""

    def __init__(self, function: str, code: int, parameter: float) -> None:
        ValueError.__init__(self, checks.needs_other(function, code, parameter, has_A=True))


class OutRefused(Refused):
    """An array for a result has the wrong shape."""

    def __init__(self, function: str, name: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
        ValueError.__init__(self, f"{function}: {name} has shape {shape} but the result has shape {expected}")


# -- types -----------------------------------------------------------------------------------------------


def given(argument: Any) -> bool:
    """Whether an optional argument was given; its Numba type tells."""
    return not (
        argument is None
        or isinstance(argument, types.NoneType)
        or (isinstance(argument, types.Omitted) and argument.value is None)
    )


def _supported(dtype: Any) -> bool:
    return dtype in (types.float32, types.float64) or isinstance(dtype, types.Integer | types.Boolean)


def number_of(function: str, arguments: Mapping[str, Any]) -> Any:
    """np.float32 if all arguments, numbers or arrays, are float32; else np.float64."""
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
    """As `number_of`, but all arguments must be arrays with this number of axes."""
    for name, argument in arguments.items():
        if not isinstance(argument, types.Array):
            raise TypingError(f"{function}: {name} must be an array, not {argument}")
        if argument.ndim != axes:
            plural = "axis" if axes == 1 else "axes"
            raise TypingError(f"{function}: {name} must have {axes} {plural} but has {argument.ndim}")
    return number_of(function, arguments)


def need_number(function: str, name: str, argument: Any) -> None:
    """Check that an argument is a real number. Kernels take it as float64."""
    value = argument.value if isinstance(argument, types.Omitted) else argument
    if not isinstance(value, float | types.Float | types.Integer):
        raise TypingError(f"{function}: {name} must be a real number, not {argument}")


def flag_of(function: str, name: str, argument: Any) -> bool:
    """The value of a boolean, which decides the type of the result and must be known when compiling."""
    value = getattr(argument, "literal_value", getattr(argument, "value", argument))
    if not isinstance(value, bool):
        raise TypingError(
            f"{function}: {name} must be True or False where compiled code calls it, no variable"
        )
    return value


def activation_of(function: str, argument: Any) -> Any:
    """A function from an activation's name to its code (`code_of`)."""
    return code_of(function, "activation", argument, ACTIVATIONS)


def code_of(function: str, name: str, argument: Any, entries: Any) -> Any:
    """A function from the name of an entry of the catalogue to its code.

    If the argument is a literal, the code is constant. Messages call the argument by `name`.
    """
    value = getattr(argument, "literal_value", getattr(argument, "value", argument))
    if isinstance(value, str) and value in entries:
        code = entries[value].code
        return shared(lambda given: code)
    if not isinstance(types.unliteral(argument), types.UnicodeType):
        raise TypingError(f"{function}: {name} must be a string, not {argument}")
    names = tuple(entries)
    message = f"{function}: {name} must be one of {', '.join(names)}"

    @shared
    def compared(given):
        for code in range(len(names)):
            if names[code] == given:
                return code
        raise ValueError(message)

    return compared


# -- arrays ----------------------------------------------------------------------------------------------
#
# The arrays that these intrinsics return are never marked as read-only, even if the given array is. Kernels
# are compiled for this one type of array, and only read their inputs.


@intrinsic
def table_of(typing_context, array):
    """A view, typed as in C order, of a matrix in C order, or of a row or column in C or Fortran order."""
    return _table(array, transposed=False)


@intrinsic
def transpose_of(typing_context, array):
    """A view of the transpose of a matrix in Fortran order; the transpose is in C order."""
    return _table(array, transposed=True)


def _table(array: Any, transposed: bool) -> Any:
    table = types.Array(array.dtype, 2, "C")

    def generate(context, builder, signature, values):
        return internals.array_over(context, builder, array, values[0], table, transposed)

    return table(array), generate


@intrinsic
def unknown(typing_context, number):
    """Return a float unchanged, so that LLVM doesn't know its value even if it is a constant.

    LLVM evaluates a function of a constant while it compiles, without fused multiply-adds, so that the last
    bits could differ from those at run time. Therefore the bits of the float are combined with a zero that
    comes out of inline assembly without instructions. This happens once before a loop, and the loop is still
    vectorised.
    """
    bits = ir.IntType(number.bitwidth)

    def generate(context, builder, signature, values):
        zero = builder.asm(ir.FunctionType(bits, [bits]), "", "=r,0", [bits(0)], False)
        for attribute in ("nounwind", "readnone"):
            zero.attributes.add(attribute)
        return builder.bitcast(builder.xor(builder.bitcast(values[0], bits), zero), values[0].type)

    return number(number), generate


class Input(NamedTuple):
    """How to pass a matrix to a kernel: `view` converts it, to its transpose if `transposed` is true."""

    view: Any
    transposed: bool


def as_vector(number: Any, array: Any) -> Any:
    """A function that turns an array of any shape into a vector of this dtype, in C order."""
    return _view_as(number, array, as_row, array.layout == "C")


def as_matrix(number: Any, array: Any) -> Any:
    """A function that turns a matrix into one of this dtype in C order."""
    return _view_as(number, array, table_of, array.layout == "C")


def as_row_or_column(number: Any, array: Any) -> Any:
    """As `as_matrix`, for a matrix that has one row or one column."""
    return _view_as(number, array, table_of, array.layout in "CF")


def as_matrix_or_transpose(number: Any, array: Any) -> Input:
    """As `as_matrix`, but a matrix in Fortran order is passed as its transpose, without a copy."""
    transposed = array.layout == "F"
    view = transpose_of if transposed else table_of
    return Input(_view_as(number, array, view, array.layout in "CF"), transposed)


def _view_as(number: Any, array: Any, view: Any, keeps: bool) -> Any:
    """A function that applies `view`, without a copy if the array `keeps` its order and has this dtype."""
    same = array.dtype == (types.float32 if number is np.float32 else types.float64)
    if not keeps:
        return shared(lambda a: view(np.ascontiguousarray(a).astype(number)))
    if not (same and array.aligned):
        return shared(lambda a: view(a.astype(number)))
    # Compiled code can be called with a misaligned array: Numba doesn't check.
    return shared(lambda a: view(a) if aligned(a) else view(a.copy()))


def output_as(function: str, number: Any, axes: int, out: Any, name: str = "out") -> Any:
    """A function of `out` and a shape: it returns `out`, checked for that shape, or else a new array."""
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
    refused = outputs.layout_refused(function, name, "shape", dtype)
    if out.layout != "C" or not out.aligned:
        raise TypingError(f"{refused} (Numba's type of {name}, {out}, must say that it is in C order)")

    @shared
    def checked(out, shape):
        if not aligned(out):
            raise ValueError(refused)
        if out.shape != shape:
            raise OutRefused(function, name, out.shape, shape)
        return out

    return checked


def outputs_as(function: str, number: Any, names: tuple[str, ...], out: Any) -> tuple[Any, ...]:
    """As `output_as`, one function for each matrix of the tuple `out`."""
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


def overlap_check(function: str, out: Any) -> Any:
    """A function that refuses arrays of `out`, if it was given, that overlap an input or one another."""
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
