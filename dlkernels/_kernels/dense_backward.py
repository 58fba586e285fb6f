"""A dense layer, backward: dZ = W_nextᵀ dZ_next * g'(Z).

The layer has n units, the layer after it k units: W_next is (k, n), dZ_next (k, m) for m examples. The kernel
is one product; its epilogue multiplies the sums by g' while they are in cache. `product` does all of the
work; read it next. `dense_gradients` computes dW and db from dZ.
"""

from __future__ import annotations

from numba import prange

from dlkernels._compiler.options import FALSE, ONE, ZERO, entry, twins
from dlkernels._compiler.pieces import Flag, Int, Real, Row, Table
from dlkernels._kernels.activations import layer_parameter, need_derivative
from dlkernels._kernels.memory import as_row
from dlkernels._kernels.packing import Matrix
from dlkernels._kernels.product import (
    DIFFERENTIATE,
    Epilogue,
    Sizes,
    is_short,
    product_phases,
    product_plan,
    product_share,
    product_workspace,
    start_product,
)


@entry
def backward_workspace(n, k, m, dZ_transposed, workers, like):
    """How many numbers of workspace `dense_backward` needs."""
    return product_workspace(n, k, m, dZ_transposed, FALSE, workers, like)


@twins
def dense_backward(
    W_next: Table, W_transposed: Flag, dZ_next: Table, dZ_transposed: Flag, saved: Table, code: Int,
    negative_slope: Real, dZ: Table, workspace: Row, workers: Int,
):  # fmt: skip
    """dZ = W_nextᵀ dZ_next * g'(Z), which is (n, m); dZ is overwritten.

    `saved` (n, m) is A or Z, as the formula of g' with this `code` needs (`catalogue.DERIVATIVES`). W_next is
    (k, n), or (n, k) if `W_transposed`. dZ_next is (k, m), or (m, k) if `dZ_transposed`.
    """
    need_derivative(code)
    (n, m), k = dZ.shape, dZ_next.shape[1] if dZ_transposed else dZ_next.shape[0]
    left = Matrix(as_row(W_next), W_next.shape[1], not W_transposed)  # L is W_nextᵀ
    right = Matrix(as_row(dZ_next), dZ_next.shape[1], dZ_transposed)
    result = as_row(dZ)
    sizes, parameter = Sizes(n, k, m), layer_parameter(code, negative_slope)
    epilogue = Epilogue(DIFFERENTIATE, code, parameter, as_row(saved), m, result, FALSE)
    start_product(sizes, left, right, result[:0], FALSE, workspace)
    plan = product_plan(n, k, m, left.transposed, right.transposed, FALSE, workspace)
    for phase in range(product_phases(plan, n, k, m, workspace)):
        if is_short(plan, n, k, m, phase, workspace):
            product_share(ZERO, ONE, phase, sizes, left, right, result, epilogue, workspace)
        else:
            for worker in prange(workers):
                product_share(worker, workers, phase, sizes, left, right, result, epilogue, workspace)
