"""Serial kernels as pieces that are linked into functions which users compile (`dlkernels._nopython`).

Each piece returns numbers by writing them into `result`, a row of the caller, so that it needs to count no
references. The caller also provides the workspace.
"""

from __future__ import annotations

from typing import NamedTuple

from dlkernels._compiler.options import ONE, ZERO, entry
from dlkernels._compiler.pieces import Flag, Int, Ints, Real, Reals, Row, Table, piece
from dlkernels._kernels.activations import Activation
from dlkernels._kernels.costs import reduction
from dlkernels._kernels.elementwise import activation, activation_backward
from dlkernels._kernels.logistic import logistic_steps
from dlkernels._kernels.logistic import logistic_workspace as wide_logistic_workspace
from dlkernels._kernels.logistic_tall import is_tall, logistic_tall_steps, logistic_tall_workspace
from dlkernels._kernels.network import network_epoch
from dlkernels._kernels.shallow import Network, shallow_steps
from dlkernels._kernels.shallow import shallow_workspace as wide_shallow_workspace
from dlkernels._kernels.shallow_tall import is_tall as shallow_is_tall
from dlkernels._kernels.shallow_tall import shallow_tall_steps, shallow_tall_workspace


@piece
def activate_row(code: Int, parameter: Real, z: Row, out: Row):
    """out = g(z); out is z, or shares no memory with it."""
    activation.serial(code, parameter, z, out)


@piece
def differentiate_row(code: Int, parameter: Real, gradient: Row, saved: Row, out: Row):
    """out = gradient * g'(z), where saved is A or Z.

    out is gradient, or shares no memory with it; it shares none with saved.
    """
    activation_backward.serial(code, parameter, gradient, saved, out)


@piece
def reduce_rows(code: Int, a: Row, y: Row, result: Row, workspace: Row):
    """result[0] = the mean cost, or the dot product (`costs.reduction`)."""
    result[0] = reduction.serial(code, a, y, workspace, ONE)


@entry
def logistic_workspace(n, m, X_transposed, like):
    """How many numbers of workspace `logistic` needs."""
    if is_tall(n, m):
        return logistic_tall_workspace(n, m, X_transposed, ONE, like)
    return wide_logistic_workspace(n, m, X_transposed, ONE, like)


@piece
def logistic(
    w: Table, b: Real, X: Table, X_transposed: Flag, Y: Table, dw: Table, result: Row, workspace: Row
):
    """The gradient dw, and result = (db, cost)."""
    if is_tall(dw.shape[0], Y.shape[1]):
        cost, db, _ = logistic_tall_steps.serial(w, b, X, X_transposed, Y, 0.0, ZERO, dw, workspace, ONE)
    else:
        cost, db, _ = logistic_steps.serial(w, b, X, X_transposed, Y, 0.0, ZERO, dw, workspace, ONE)
    result[0], result[1] = db, cost


@entry
def shallow_workspace(n_h, n_x, m, X_transposed, like):
    """How many numbers of workspace `shallow` needs."""
    if shallow_is_tall(n_h, n_x, m):
        return shallow_tall_workspace(n_h, n_x, m, X_transposed, ONE, like)
    return wide_shallow_workspace(n_h, n_x, m, X_transposed, ONE, like)


@piece
def shallow(
    network: Network, X: Table, X_transposed: Flag, Y: Table, activation: Activation, gradients: Network,
    result: Row, workspace: Row,
):  # fmt: skip
    """The four gradients, and result[0] = the cost."""
    (n_h, n_x), m = network.W1.shape, Y.shape[1]
    if shallow_is_tall(n_h, n_x, m):
        result[0] = shallow_tall_steps.serial(
            network, X, X_transposed, Y, activation, 0.0, ZERO, gradients, workspace, ONE
        )
    else:
        result[0] = shallow_steps.serial(
            network, X, X_transposed, Y, activation, 0.0, ZERO, gradients, workspace, ONE
        )


class Given(NamedTuple):
    """The examples as `network_epoch` takes them. Here they are one argument."""

    X: Table
    X_transposed: Flag
    Y: Table
    classes: Flag
    weights: Row
    order: Ints


@piece
def network_steps(
    theta: Row, sizes: Ints, codes: Ints, examples: Given, batch_size: Int, settings: Reals, state: Row,
    gradient: Row, result: Reals, workspace: Row,
):  # fmt: skip
    """`network_epoch`, and result[0] = the mean cost."""
    e = examples
    result[0] = network_epoch.serial(
        theta, sizes, codes, e.X, e.X_transposed, e.Y, e.classes, e.weights, e.order, batch_size, settings,
        state, gradient, workspace, ONE,
    )  # fmt: skip
