"""The results of a network, A_L, without gradients; tile by tile, or for a few examples one by one."""

from __future__ import annotations

from numba import prange

from dlkernels._compiler.options import ONE, TRUE, ZERO, entry, loops, twins
from dlkernels._compiler.pieces import Flag, Int, Ints, Real, Row, Table, piece
from dlkernels._kernels.activations import activate, in_layer, need_activation
from dlkernels._kernels.matvec import add_row_dots
from dlkernels._kernels.memory import as_row, carve, whole_lines
from dlkernels._kernels.network_tiles import Examples, Net, Tile, forward, gather, place, tile_numbers
from dlkernels._kernels.output_units import Outputs, output_activations
from dlkernels._kernels.rows import copy
from dlkernels._kernels.sharing import share
from dlkernels._kernels.tile_products import padded
from dlkernels._simd.tile import lanes

#: The most examples of a tile. Wide tiles read the weights less often.
WIDTH = 96


@loops
def _width(m, like):
    return min(padded(m, like), WIDTH)


@loops
def _are_few(m, like):
    """Whether the examples are done one by one: a tile of so few would leave most lanes of vectors empty."""
    return 4 * m <= lanes(like)


@loops
def _most_units(sizes):
    most = ZERO
    for n in sizes:
        most = max(most, n)
    return most


@entry
def predict_workspace(sizes, m, X_transposed, workers, like):
    """How many numbers of workspace `network_predict` needs."""
    if _are_few(m, like):
        return workers * (2 * whole_lines(_most_units(sizes)) + 16)
    return workers * tile_numbers(sizes, _width(m, like), like)


@twins
def network_predict(
    theta: Row, sizes: Ints, codes: Ints, slope: Real, X: Table, X_transposed: Flag, A: Table, workspace: Row,
    workers: Int,
):  # fmt: skip
    """A_L (n_L, m) from X (n_0, m), or (m, n_0) if `X_transposed`; the rest is as for `network_epoch`."""
    for i in range(codes.shape[0] - 1):
        need_activation(codes[i])
    inputs, results, m, steepness = as_row(X), as_row(A), A.shape[1], theta.dtype.type(slope)
    for worker in prange(workers):
        net = Net(theta, sizes, codes, steepness)
        examples = Examples(inputs, X_transposed, m, results, False, results[:0], sizes[:0])
        predict_share(worker, workers, net, examples, results, workspace)


@piece
def predict_share(worker: Int, workers: Int, net: Net, examples: Examples, results: Row, workspace: Row):
    """Do a worker's share of the tiles, or all examples if they are few."""
    m, sizes = examples.m, net.sizes
    if _are_few(m, workspace):
        if worker == 0:
            for j in range(m):
                _predict_one(net, examples, j, results, workspace)
        return
    width = _width(m, workspace)
    size, n, layer = tile_numbers(sizes, width, workspace), sizes[-1], sizes.shape[0] - 1
    memory = workspace[worker * size : (worker + 1) * size]
    first, last = share(worker, workers, (m + width - 1) // width)
    Z, _, _ = place(sizes, width, layer, memory)
    for t in range(first, last):
        tile = Tile(t * width, min(width, m - t * width), width, memory.dtype.type(1), memory)
        gather(examples, sizes, tile, TRUE)
        forward(net, examples, tile)
        outputs = Outputs(memory, Z, width, n)
        output_activations(net.codes[-1], outputs, tile.count, memory[size - 4 * whole_lines(width) :])
        for i in range(n):
            row = memory[Z + i * width : Z + i * width + tile.count]
            copy(row, results[i * m + tile.first : i * m + tile.first + tile.count])


@loops
def _predict_one(net, examples, j, results, workspace):
    """Column j of the results. Each layer is a product of W with a vector."""
    most, sizes, m, begin = _most_units(net.sizes), net.sizes, examples.m, ZERO
    first, rest = carve(workspace, most)
    second, scratch = carve(rest, most)
    k = sizes[0]
    if examples.transposed:
        copy(examples.X[j * k : (j + 1) * k], first)
    else:
        for i in range(k):
            first[i] = examples.X[i * m + j]
    for layer in range(1, sizes.shape[0]):
        n = sizes[layer]
        x, z = (first[:k], second[:n]) if layer % 2 else (second[:k], first[:n])
        copy(net.theta[begin + n * k : begin + n * (k + 1)], z)
        add_row_dots(n, net.theta[begin : begin + n * k], ZERO, k, x, z, ZERO)
        if layer < sizes.shape[0] - 1:
            activate(in_layer(net.codes[layer - 1], net.slope), z)
        begin, k = begin + n * (k + 1), n
    a = second if sizes.shape[0] % 2 == 0 else first
    output_activations(net.codes[-1], Outputs(a, 0, 1, k), ONE, scratch)
    for i in range(k):
        results[i * m + j] = a[i]
