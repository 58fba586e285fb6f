"""A tile of examples on its way through a network: gathered, forward through all layers, and back.

The memory of a tile holds three matrices for each layer l = 0 ... L:

    Z   (n_l, width)    W A_prev + b; for l = 0 its place stays empty
    A   (n_l, width)    g(Z), and the examples themselves for l = 0
    AT  (width, n_l)    A transposed, for the gradient of the next layer, in panels (`tile_products.Panels`)

On the way back dZ takes the place of the one that g' isn't computed from: of A if g' is computed from Z, of Z
otherwise (`differences`).
"""

from __future__ import annotations

from typing import NamedTuple

from dlkernels._compiler.options import FALSE, ONE, TRUE, ZERO, loops
from dlkernels._compiler.pieces import Flag, Int, Ints, Number, Row, piece
from dlkernels._kernels.activations import activate_into, derived_from_A, in_layer, times_derivative
from dlkernels._kernels.gradient_sums import Rows, add_gradient
from dlkernels._kernels.memory import whole_lines
from dlkernels._kernels.output_units import Labels, Outputs, output_differences
from dlkernels._kernels.packing import Matrix, pack_right, pack_transposed
from dlkernels._kernels.rows import clear, copy
from dlkernels._kernels.tile_products import Tiles, multiply, multiply_T, padded, panels
from dlkernels._simd.moves import copy_panel_row
from dlkernels._simd.tile import nr

#: A first layer of at most _FEW units and at least _MANY inputs reads rows of X (`_by_rows`).
_FEW, _MANY = 16, 64


class Net(NamedTuple):
    """A network: its parameters, n_0 ... n_L, the codes of the hidden activations, and of the output unit."""

    theta: Row
    sizes: Ints
    codes: Ints
    slope: Number


class Examples(NamedTuple):
    """X (n_0, m), or (m, n_0) if `transposed`; Y (n_L, m), or class numbers (1, m); weights (m,) or none.

    `order` are the numbers of the examples in the order of the epoch; if it is empty, they are taken as they
    stand.
    """

    X: Row
    transposed: Flag
    m: Int
    Y: Row
    classes: Flag
    weights: Row
    order: Ints


class Tile(NamedTuple):
    """The examples [first, first + count) of the epoch in rows of `width`, and the memory for them.

    `total` is the sum of the weights of the whole batch; without weights, how many examples it has.
    """

    first: Int
    count: Int
    width: Int
    total: Number
    memory: Row


@loops
def _matrix_numbers(n, width, like):
    """How many numbers Z takes, and A: whole vectors of rows, since inputs are transposed by the vector."""
    return whole_lines(padded(n, like) * width)


@loops
def layer_numbers(n, width, like):
    """How many numbers the three matrices of a layer take."""
    return 2 * _matrix_numbers(n, width, like) + whole_lines(panels(n, like) * width)


@loops
def tile_numbers(sizes, width, like):
    """How many numbers of memory a tile needs."""
    total = ZERO
    for n in sizes:
        total += layer_numbers(n, width, like)
    return total + whole_lines(sizes[-1] * width) + 4 * whole_lines(width)


@loops
def place(sizes, width, layer, like):
    """Where the matrices Z, A and AT of a layer begin in the memory of a tile."""
    at = ZERO
    for j in range(layer):
        at += layer_numbers(sizes[j], width, like)
    each = _matrix_numbers(sizes[layer], width, like)
    return at, at + each, at + 2 * each


@loops
def differences(net, width, layer, like):
    """Where dZ of a layer begins."""
    Z, A, _ = place(net.sizes, width, layer, like)
    if layer == net.sizes.shape[0] - 1 or derived_from_A(net.codes[layer - 1]):
        return Z
    return A


@loops
def parameters_before(sizes, layer):
    """How many parameters the layers before this one have; the first layer is 1."""
    count = ZERO
    for j in range(1, layer):
        count += sizes[j] * (sizes[j - 1] + 1)
    return count


@loops
def example_at(examples, i):
    """The number of the example that is i-th in the epoch."""
    return examples.order[i] if examples.order.shape[0] > 0 else i


@loops
def _used(tile):
    """The columns that are computed: whole vectors."""
    return min(tile.width, padded(tile.count, tile.memory))


@loops
def _by_rows(examples, sizes):
    """Whether the first layer reads rows of X, one by one, so that nothing needs to be transposed for it.

    That pays for few units of many inputs: the results of 784-10 for 60,000 examples take 0.7 of the time
    that they take with transposed tiles.
    """
    few_of_many = sizes[1] <= _FEW and sizes[0] >= _MANY
    as_they_stand = examples.order.shape[0] == 0 and examples.weights.shape[0] == 0
    return examples.transposed and few_of_many and as_they_stand


@piece
def gather(examples: Examples, sizes: Ints, tile: Tile, forward_only: Flag):
    """Copy the examples of a tile to A of layer 0, and to AT, which the gradient needs.

    `forward_only` leaves out AT; the examples have no `order` then. A is left out if the first layer reads
    rows of X (`_by_rows`). Columns from the last example to the next whole vector are 0.
    """
    n, by_rows = sizes[0], _by_rows(examples, sizes)
    if by_rows and forward_only:
        return
    count, width, used, memory = tile.count, tile.width, _used(tile), tile.memory
    each = _matrix_numbers(n, width, memory)
    A, AT = memory[each : 2 * each], memory[2 * each :]
    if examples.transposed and forward_only:
        pack_transposed(examples.X, n, tile.first, count, ZERO, n, A, ZERO, width)
    elif examples.transposed:
        whole = n - n % nr(A)
        for c in range(count):
            i = example_at(examples, tile.first + c)
            for q in range(0, whole, nr(A)):
                copy_panel_row(examples.X, i * n + q, AT, q * width + c * nr(A), nr(A))
            if whole < n:
                copy_panel_row(examples.X, i * n + whole, AT, whole * width + c * nr(A), n - whole)
        if by_rows:
            return
        for q in range(0, n, nr(A)):
            tall = padded(min(nr(A), n - q), A)
            pack_transposed(AT[q * width :], nr(A), ZERO, used, ZERO, tall, A, q * width, width)
    else:
        for q in range(n):
            row, source = A[q * width : q * width + count], examples.X[q * examples.m : (q + 1) * examples.m]
            if examples.order.shape[0] > 0:
                order = examples.order[tile.first : tile.first + count]
                for c in range(count):
                    row[c] = source[order[c]]
            else:
                copy(source[tile.first : tile.first + count], row)
        if not forward_only:
            pack_right(Matrix(A, width, TRUE), ZERO, n, ZERO, ZERO, count, width, AT)
    if count < used:
        for q in range(n):
            clear(A[q * width + count : q * width + used])


@piece
def gather_labels(examples: Examples, rows: Int, tile: Tile, Y: Row, factors: Row):
    """Copy the labels of a tile in rows of `width`; factors[c] = the share of example c in the mean."""
    weights, total = examples.weights, tile.total
    if weights.shape[0] > 0:
        for c in range(tile.count):
            factors[c] = weights[example_at(examples, tile.first + c)] / total
    else:
        one = factors.dtype.type(1) / total
        for c in range(tile.count):
            factors[c] = one
    for r in range(rows):
        row = Y[r * tile.width : (r + 1) * tile.width]
        source = examples.Y[r * examples.m : (r + 1) * examples.m]
        if examples.order.shape[0] > 0:
            order = examples.order[tile.first : tile.first + tile.count]
            for c in range(tile.count):
                row[c] = source[order[c]]
        else:
            copy(source[tile.first : tile.first + tile.count], row)


@loops
def _leave_out(n, tile, factors):
    """The inputs of examples of weight 0 become 0: what isn't finite in them would make NaN of sums."""
    memory, width, zero, across = tile.memory, tile.width, tile.memory.dtype.type(0), nr(tile.memory)
    A_at = _matrix_numbers(n, width, memory)
    AT_at = 2 * A_at
    for c in range(tile.count):
        if factors[c] == zero:
            for q in range(n):
                memory[A_at + q * width + c] = zero
                memory[AT_at + (q - q % across) * width + c * across + q % across] = zero


@loops
def _first_by_rows(net, examples, tile, Z):
    """Z of the first layer: dot products of rows of W with rows of X.

    They take the empty place of the inputs' Z for their scratch.
    """
    n, k, memory, width = net.sizes[1], net.sizes[0], tile.memory, tile.width
    W, b, empty = net.theta[: n * k], net.theta[n * k :], memory[: _matrix_numbers(k, width, memory)]
    for i in range(n):
        row = memory[Z + i * width : Z + i * width + _used(tile)]
        for c in range(row.shape[0]):
            row[c] = b[i]
    left, right = Rows(W, ZERO, k, n), Rows(examples.X, tile.first * k, k, tile.count)
    add_gradient(left, right, k, memory[Z : Z + n * width], width, FALSE, empty)


@piece
def forward(net: Net, examples: Examples, tile: Tile):
    """Z and A of all layers from the inputs; of the last layer only Z."""
    memory, width, layers, used = tile.memory, tile.width, net.sizes.shape[0] - 1, _used(tile)
    W_at = ZERO
    for layer in range(1, layers + 1):
        n, k = net.sizes[layer], net.sizes[layer - 1]
        _, A_prev, _ = place(net.sizes, width, layer - 1, memory)
        Z, A, _ = place(net.sizes, width, layer, memory)
        W, b = net.theta[W_at : W_at + n * k], net.theta[W_at + n * k : W_at + n * k + n]
        if layer == 1 and _by_rows(examples, net.sizes):
            _first_by_rows(net, examples, tile, Z)
        else:
            multiply(W, k, b, Tiles(memory, A_prev, width, 0), Tiles(memory, Z, width, 0), used)
        W_at += n * (k + 1)
        if layer < layers:
            g = in_layer(net.codes[layer - 1], net.slope)
            if used == width:
                activate_into(g, memory[Z : Z + n * width], memory[A : A + n * width])
            else:
                for i in range(0, n * width, width):
                    activate_into(g, memory[Z + i : Z + i + used], memory[A + i : A + i + used])


@loops
def transpose_activations(net, tile):
    """AT of all hidden layers."""
    memory, width = tile.memory, tile.width
    for layer in range(1, net.sizes.shape[0] - 1):
        n = net.sizes[layer]
        _, A, AT = place(net.sizes, width, layer, memory)
        pack_right(Matrix(memory[A:], width, TRUE), ZERO, n, ZERO, ZERO, tile.count, width, memory[AT:])


@piece
def backward(net: Net, tile: Tile):
    """dZ of all layers from that of the last one: dZ_prev = Wᵀ dZ * g'(Z_prev)."""
    memory, width, used = tile.memory, tile.width, _used(tile)
    for layer in range(net.sizes.shape[0] - 1, 1, -1):
        n, k = net.sizes[layer], net.sizes[layer - 1]
        W_at = parameters_before(net.sizes, layer)
        D, D_prev = differences(net, width, layer, memory), differences(net, width, layer - 1, memory)
        W = net.theta[W_at : W_at + n * k]
        multiply_T(W, k, Tiles(memory, D, width, 0), Tiles(memory, D_prev, width, 0), used)
        Z, A, _ = place(net.sizes, width, layer - 1, memory)
        saved = A if D_prev == Z else Z
        g = in_layer(net.codes[layer - 2], net.slope)
        if used == width:
            times_derivative(g, memory[saved : saved + k * width], memory[D_prev : D_prev + k * width])
        else:
            for i in range(0, k * width, width):
                times_derivative(
                    g, memory[saved + i : saved + i + used], memory[D_prev + i : D_prev + i + used]
                )


@piece
def through(net: Net, examples: Examples, tile: Tile) -> Number:
    """Take a tile forward and back: AT and dZ of all layers are in its memory then. Returns its cost."""
    sizes, memory, width, count = net.sizes, tile.memory, tile.width, tile.count
    last, n = sizes.shape[0] - 1, sizes[-1]
    labels = tile_numbers(sizes, width, memory) - whole_lines(n * width) - 4 * whole_lines(width)
    rest = labels + whole_lines(n * width)
    Y, factors = memory[labels : labels + n * width], memory[rest : rest + count]
    losses = memory[rest + whole_lines(width) : rest + whole_lines(width) + count]
    scratch = memory[rest + 2 * whole_lines(width) :]
    gather(examples, sizes, tile, FALSE)
    gather_labels(examples, ONE if examples.classes else n, tile, Y, factors)
    if examples.weights.shape[0] > 0:
        _leave_out(sizes[0], tile, factors)
    forward(net, examples, tile)
    transpose_activations(net, tile)
    Z, _, _ = place(sizes, width, last, memory)
    output_differences(
        net.codes[last - 1], Outputs(memory, Z, width, n), Labels(Y, width, examples.classes), factors,
        losses, scratch,
    )  # fmt: skip
    for i in range(n):
        clear(memory[Z + i * width + count : Z + (i + 1) * width])
    backward(net, tile)
    cost = memory.dtype.type(0)
    for c in range(count):
        cost += losses[c]
    return cost
