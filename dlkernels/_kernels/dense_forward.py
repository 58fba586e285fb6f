"""A dense layer, forward: A = g(Z) for Z = W A_prev + b.

The layer has n units and k inputs: W is (n, k), A_prev (k, m) for m examples. The kernel is one product. Its
sums start at b, and its epilogue applies g to them while they are in cache. `product` does all of the work;
read it next.
"""

from __future__ import annotations

from numba import prange

from dlkernels._compiler.options import FALSE, ONE, ZERO, entry, twins
from dlkernels._compiler.pieces import Flag, Int, Real, Row, Table
from dlkernels._kernels.activations import layer_parameter, need_activation
from dlkernels._kernels.memory import as_row
from dlkernels._kernels.packing import Matrix
from dlkernels._kernels.product import (
    ACTIVATE,
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
def forward_workspace(n, k, m, A_transposed, workers, like):
    """How many numbers of workspace `dense_forward` needs."""
    return product_workspace(n, k, m, A_transposed, FALSE, workers, like)


@twins
def dense_forward(
    W: Table, W_transposed: Flag, A_prev: Table, A_transposed: Flag, b: Table, code: Int,
    negative_slope: Real, A: Table, Z: Table, keeps_Z: Flag, workspace: Row, workers: Int,
):  # fmt: skip
    """A = g(W A_prev + b), which is (n, m); A is overwritten.

    Z (n, m) is overwritten, too, if `keeps_Z`; otherwise it isn't used. W is (n, k), or (k, n) if
    `W_transposed`. A_prev is (k, m), or (m, k) if `A_transposed`. b is (n, 1). `code` is the code of g.
    """
    need_activation(code)
    (n, m), k = A.shape, W.shape[0] if W_transposed else W.shape[1]
    left = Matrix(as_row(W), W.shape[1], W_transposed)
    right = Matrix(as_row(A_prev), A_prev.shape[1], A_transposed)
    result = as_row(A)
    sums = as_row(Z) if keeps_Z else result
    sizes, parameter = Sizes(n, k, m), layer_parameter(code, negative_slope)
    epilogue = Epilogue(ACTIVATE, code, parameter, result, m, result, keeps_Z)
    start_product(sizes, left, right, as_row(b), FALSE, workspace)
    plan = product_plan(n, k, m, left.transposed, right.transposed, FALSE, workspace)
    for phase in range(product_phases(plan, n, k, m, workspace)):
        if is_short(plan, n, k, m, phase, workspace):
            product_share(ZERO, ONE, phase, sizes, left, right, sums, epilogue, workspace)
        else:
            for worker in prange(workers):
                product_share(worker, workers, phase, sizes, left, right, sums, epilogue, workspace)
