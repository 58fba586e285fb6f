"""The activations and their derivatives: the formula of each for one number, and the loops over rows.

A formula gets a number and the parameter of its activation; most formulas ignore the parameter. Numba inlines
the formulas into the loops. Each loop is compiled twice: for a row in place, which is how a product activates
its result while it is in cache, and from one row to another. A single loop for both would have to test at run
time whether its rows overlap, and would run as scalar code if they do.
"""

from __future__ import annotations

from typing import NamedTuple

from dlkernels._compiler.options import inlined, loops, scalar, shared
from dlkernels._compiler.pieces import Int, Real, Row, piece
from dlkernels._elementary import exponentials, gaussians, logarithms
from dlkernels._simd.registers import widest_vectors
from dlkernels.catalogue import ACTIVATIONS, DERIVATIVES, code_from_A, layer_parameter

layer_parameter, code_from_A = shared(layer_parameter), shared(code_from_A)
_COUNT, _FORMULAS = len(ACTIVATIONS), len(DERIVATIVES)
#: For each code, whether the derivative is computed from a = g(z), even if z is there as well.
_DERIVED_FROM_A = tuple(activation.derivative_from == "A" for activation in ACTIVATIONS.values())


class Activation(NamedTuple):
    """An activation: its code in the catalogue, and its parameter."""

    code: Int
    parameter: Real


@shared
def in_layer(code: int, negative_slope: float) -> Activation:
    """The activation of a layer; `negative_slope` is the slope of leaky ReLU, other activations ignore it."""
    return Activation(code, layer_parameter(code, negative_slope))


@loops
def derived_from_A(code):
    """Whether an activation's derivative is computed from A, if both A and Z are there."""
    return _DERIVED_FROM_A[code]


# -- formulas --------------------------------------------------------------------------------------------
#
# Each derivative is a function of its own. Otherwise LLVM could reorder its product with x into the formula.

IDENTITY = ACTIVATIONS["identity"].code


@scalar
def identity(z, parameter):
    return z


@scalar
def times_identity_slope(x, z, parameter):
    return x


SIGMOID = ACTIVATIONS["sigmoid"].code


@scalar
def sigmoid(z, parameter):
    """1 / (1 + e^-z)."""
    return exponentials.sigmoid(z)


@scalar
def _sigmoid_slope(a):
    return a * (type(a)(1) - a)


@scalar
def times_sigmoid_slope(x, a, parameter):
    """x a (1 - a)."""
    return x * _sigmoid_slope(a)


TANH = ACTIVATIONS["tanh"].code


@scalar
def tanh(z, parameter):
    """(e^z - e^-z) / (e^z + e^-z)."""
    return exponentials.tanh(z)


@scalar
def _tanh_slope(a):
    return (type(a)(1) - a) * (type(a)(1) + a)


@scalar
def times_tanh_slope(x, a, parameter):
    """x (1 - a²), as x (1 - a)(1 + a), which doesn't cancel near |a| = 1."""
    return x * _tanh_slope(a)


RELU = ACTIVATIONS["relu"].code


@scalar
def relu(z, parameter):
    """max(0, z); NaN stays NaN."""
    return type(z)(0) if z <= type(z)(0) else z


@scalar
def times_relu_slope(x, z, parameter):
    """x for z >= 0, else 0. This is a selection, not a product, because 0 times infinity is NaN.

    Adding 0 changes nothing but the sign of -0. Without it LLVM stores only the zeros of a row in place, by
    masked stores, which take 0.83 ns a number on an AMD EPYC; with it the loop takes 0.11 ns.
    """
    return (type(x)(0) if z < type(z)(0) else x) + type(x)(0)


RELU_FROM_A = DERIVATIVES.index("relu_from_A")


@scalar
def times_relu_from_A_slope(x, a, parameter):
    """x for a > 0, else 0. At z = 0, where a is 0 as well, the slope is thus 0, and not 1."""
    return (type(x)(0) if a <= type(a)(0) else x) + type(x)(0)


LEAKY_RELU = ACTIVATIONS["leaky_relu"].code


@scalar
def leaky_relu(z, slope):
    """z for z >= 0, else slope z."""
    return slope * z if z < type(z)(0) else z


@scalar
def times_leaky_relu_slope(x, z, slope):
    """x for z >= 0, else slope x."""
    return x * (slope if z < type(z)(0) else type(z)(1))


ELU = ACTIVATIONS["elu"].code


@scalar
def elu(z, alpha):
    """z for z >= 0, else alpha (e^z - 1). Both are computed, and e^-|z|, unlike e^z, sets no error flags."""
    return z if z >= type(z)(0) else alpha * exponentials.expm1_nonpositive(-abs(z))


@scalar
def times_elu_slope(x, z, alpha):
    """x for z >= 0, else x alpha e^z."""
    return x * (type(z)(1) if z >= type(z)(0) else alpha * exponentials.exp_nonpositive(-abs(z)))


SILU = ACTIVATIONS["silu"].code


@scalar
def silu(z, parameter):
    """z / (1 + e^-z)."""
    return exponentials.silu(z)


@scalar
def times_silu_slope(x, z, parameter):
    """x s (1 + z (1 - s)), where s = 1 / (1 + e^-z)."""
    return x * exponentials.silu_slope(z)


GELU = ACTIVATIONS["gelu"].code


@scalar
def gelu(z, parameter):
    """z Phi(z), where Phi is the normal distribution function: z / 2 (1 + erf(z / sqrt(2)))."""
    return gaussians.gelu(z)


@scalar
def times_gelu_slope(x, z, parameter):
    """x (Phi(z) + z phi(z)), where phi is the normal density."""
    return x * gaussians.gelu_slope(z)


SOFTPLUS = ACTIVATIONS["softplus"].code


@scalar
def softplus(z, parameter):
    """log(1 + e^z), as max(z, 0) + log(1 + e^-|z|), so that nothing overflows."""
    above = type(z)(0) if z < type(z)(0) else z
    return above + logarithms.log1p_unit(exponentials.exp_nonpositive(-abs(z)))


@scalar
def times_softplus_slope(x, z, parameter):
    """x / (1 + e^-z)."""
    return x * exponentials.sigmoid(z)


# -- loops -----------------------------------------------------------------------------------------------


@loops
def need_activation(code):
    """Refuse a code that stands for no activation; the loops below would silently do nothing.

    Kernels call this before their `prange`: an error that is raised within one becomes a SystemError.
    """
    if code < 0 or code >= _COUNT:
        raise ValueError("no activation has this code")


@loops
def need_derivative(code):
    """As `need_activation`, for the code of a derivative's formula (`catalogue.DERIVATIVES`)."""
    if code < 0 or code >= _FORMULAS:
        raise ValueError("no derivative has this code")


@inlined
def _activate_each(code, parameter, x, y):
    """y[j] <- g(x[j]); y may be x."""
    p, n = x.dtype.type(parameter), x.shape[0]
    if code == IDENTITY:
        for j in range(n):
            y[j] = identity(x[j], p)
    elif code == SIGMOID:
        for j in range(n):
            y[j] = sigmoid(x[j], p)
    elif code == TANH:
        for j in range(n):
            y[j] = tanh(x[j], p)
    elif code == RELU:
        for j in range(n):
            y[j] = relu(x[j], p)
    elif code == LEAKY_RELU:
        for j in range(n):
            y[j] = leaky_relu(x[j], p)
    elif code == ELU:
        for j in range(n):
            y[j] = elu(x[j], p)
    elif code == SILU:
        for j in range(n):
            y[j] = silu(x[j], p)
    elif code == GELU:
        for j in range(n):
            y[j] = gelu(x[j], p)
    elif code == SOFTPLUS:
        for j in range(n):
            y[j] = softplus(x[j], p)


@inlined
def _differentiate_each(code, parameter, saved, x, y):
    """y[j] <- x[j] * g'(z); y may be x.

    saved[j] is a or z, depending on which of them the formula of this code is for (`catalogue.DERIVATIVES`).
    """
    p, n = x.dtype.type(parameter), x.shape[0]
    if code == IDENTITY:
        for j in range(n):
            y[j] = times_identity_slope(x[j], saved[j], p)
    elif code == SIGMOID:
        for j in range(n):
            y[j] = times_sigmoid_slope(x[j], saved[j], p)
    elif code == TANH:
        for j in range(n):
            y[j] = times_tanh_slope(x[j], saved[j], p)
    elif code == RELU:
        for j in range(n):
            y[j] = times_relu_slope(x[j], saved[j], p)
    elif code == LEAKY_RELU:
        for j in range(n):
            y[j] = times_leaky_relu_slope(x[j], saved[j], p)
    elif code == ELU:
        for j in range(n):
            y[j] = times_elu_slope(x[j], saved[j], p)
    elif code == SILU:
        for j in range(n):
            y[j] = times_silu_slope(x[j], saved[j], p)
    elif code == GELU:
        for j in range(n):
            y[j] = times_gelu_slope(x[j], saved[j], p)
    elif code == SOFTPLUS:
        for j in range(n):
            y[j] = times_softplus_slope(x[j], saved[j], p)
    elif code == RELU_FROM_A:
        for j in range(n):
            y[j] = times_relu_from_A_slope(x[j], saved[j], p)


@piece
def activate(activation: Activation, x: Row):
    """x[j] <- g(x[j])."""
    need_activation(activation.code)
    widest_vectors()
    _activate_each(activation.code, activation.parameter, x, x)


@piece
def activate_into(activation: Activation, x: Row, y: Row):
    """y[j] <- g(x[j]), where x and y share no memory."""
    need_activation(activation.code)
    widest_vectors()
    _activate_each(activation.code, activation.parameter, x, y)


@piece
def times_derivative(activation: Activation, saved: Row, x: Row):
    """x[j] <- x[j] * g'(z), where saved[j] is a or z, as the formula of this code needs."""
    need_derivative(activation.code)
    _differentiate_each(activation.code, activation.parameter, saved, x, x)


@piece
def times_derivative_into(activation: Activation, saved: Row, x: Row, y: Row):
    """y[j] <- x[j] * g'(z), where saved[j] is a or z, and y shares no memory with the other rows."""
    need_derivative(activation.code)
    _differentiate_each(activation.code, activation.parameter, saved, x, y)
