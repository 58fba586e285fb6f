"""Networks of the public course, with the numbers that its assignments print.

The fourth week's images aren't at hand. These are its small cases, and from the second course the networks on
two circles (three layers, whole batch) and on two moons (batches of 64, shuffled each epoch), whose data
scikit-learn draws. All of it was computed first with NumPy alone, from the formulas of the notes.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dlkernels import network_views, num_parameters, optimizers


def printed(actual, expected, digits=8):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=0.6 * 10.0**-digits)


def drawn(sizes):
    """theta, with each W and b drawn after the other."""
    return np.concatenate(
        [
            np.random.randn(units, width).ravel()  # noqa: NPY002
            for before, units in itertools.pairwise(sizes)
            for width in (before, 1)
        ]
    )


def seeded(seed):
    np.random.seed(seed)  # noqa: NPY002


@pytest.mark.parametrize(
    ("seed", "sizes", "m", "A"),
    [
        (1, (4, 3, 1), 2, [[0.17007265, 0.2524272]]),
        (6, (5, 4, 3, 1), 4, [[0.03921668, 0.70498921, 0.19734387, 0.04728177]]),
    ],
)
def test_forward(backend, seed, sizes, m, A):
    """L_model_forward of week 4, with one hidden layer and with two."""
    seeded(seed)
    X = np.random.randn(sizes[0], m)  # noqa: NPY002
    printed(backend.network_forward(drawn(sizes), sizes, X), A)


def test_backward_with_a_penalty(backend):
    """The regularised gradients of three layers; the notes divide lambda = 0.7 by the 5 examples."""
    seeded(1)
    X, sizes = np.random.randn(3, 5), (3, 2, 3, 1)  # noqa: NPY002
    gradient, _ = backend.network_propagate(drawn(sizes), sizes, X, [[1, 1, 0, 1, 0]], l2=0.7 / 5)
    (dW1, db1), (dW2, db2), (dW3, db3) = network_views(gradient, sizes)
    printed(dW1, [[-0.25604646, 0.12298827, -0.28297129], [-0.17706303, 0.34536094, -0.4410571]])
    printed(db1, [[0.11845855], [0.21236874]])
    printed(dW2, [[0.79276486, 0.85133918], [-0.0957219, -0.01720463], [-0.13100772, -0.03750433]])
    printed(db2, [[0.26135226], [0], [0]])
    printed(dW3, [[-1.77691347, -0.11832879, -0.09397446]])
    printed(db3, [[-0.38032981]], 7)  # computed there from inputs of 8 digits


def test_an_update():
    """update_parameters of week 4."""
    sizes = (4, 3, 1)
    seeded(2)
    theta = drawn(sizes)
    seeded(3)
    optimizers.SGD(0.1).step(theta, drawn(sizes))
    (W1, b1), (W2, b2) = network_views(theta, sizes)
    expected = [
        [-0.59562069, -0.09991781, -2.14584584, 1.82662008],
        [-1.76569676, -0.80627147, 0.51115557, -1.18258802],
        [-1.0535704, -0.86128581, 0.68284052, 2.20374577],
    ]
    printed(W1, expected)
    printed(b1, [[-0.04659241], [-1.28888275], [0.53405496]])
    printed(W2, [[-0.55569196, 0.0354055, 1.32964895]])
    printed(b2, [[-0.84610769]])


def test_an_update_of_adam():
    """The second step, from moments that are 0: the state is given."""
    sizes = (3, 2)
    seeded(1)
    theta = np.random.randn(num_parameters(sizes) + 12)  # noqa: NPY002
    gradient = np.random.randn(theta.size)  # noqa: NPY002
    adam = optimizers.Adam(0.01)
    zeros = np.zeros_like(theta)
    adam.state = {"step": np.array([1]), "exp_avg": zeros, "exp_avg_sq": zeros}
    adam.step(theta, gradient)
    assert adam.state["step"].tolist() == [2]
    ((W1, b1),) = network_views(theta[:8].copy(), sizes)
    printed(W1, [[1.63178673, -0.61919778, -0.53561312], [-1.08040999, 0.85796626, -2.29409733]])
    printed(b1, [[1.75225313], [-0.75376553]])
    W2, b2 = theta[8:17].reshape(3, 3), theta[17:]
    expected = [
        [0.32648046, -0.25681174, 1.46954931],
        [-2.05269934, -0.31497584, -0.37661299],
        [1.14121081, -1.09244991, -0.16498684],
    ]
    printed(W2, expected)
    printed(b2, [-0.88529979, 0.03477238, 0.57537385])
    printed(
        adam.state["exp_avg"][:6], [-0.11006192, 0.11447237, 0.09015907, 0.05024943, 0.09008559, -0.06837279]
    )
    printed(
        adam.state["exp_avg_sq"][:6], [0.00121136, 0.00131039, 0.00081287, 0.0002525, 0.00081154, 0.00046748]
    )


def he(sizes):
    """The course's initialisation: randn times sqrt(2 / the layer before), seed 3."""
    rng, theta = np.random.RandomState(3), np.zeros(num_parameters(sizes))
    for W, _ in network_views(theta, sizes):
        W[...] = rng.randn(*W.shape) * np.sqrt(2 / W.shape[1])
    return theta


def data(name, seed, noise):
    sets = pytest.importorskip("sklearn.datasets")
    X, Y = getattr(sets, name)(n_samples=300, noise=noise, random_state=np.random.RandomState(seed))
    return np.ascontiguousarray(X.T), Y.reshape(1, -1).astype(float)


#: The costs at 0, 1000, 2000 ... iterations; prints differ in their last digits from one computer to another.
CIRCLES = [0.883053746341976, 0.687982591972806, 0.675128626452337, 0.65261177688939, 0.60829589705729]
CIRCLES += [0.53049444917175, 0.41386458170718, 0.31178034648444, 0.23696215330322, 0.18597287209207]


@pytest.mark.slow
def test_two_circles(backend):
    """The assignment on initialisation, 2-10-5-1; the python backend, which would take minutes, once."""
    X, Y = data("make_circles", 1, 0.05)
    sizes, slow = (2, 10, 5, 1), backend.__name__.endswith(".python")
    theta, sgd = he(sizes), optimizers.SGD(0.01)
    costs = [backend.train_epoch(theta, sizes, sgd, X, Y, batch_size=300) for _ in range(1 if slow else 9001)]
    expected = CIRCLES[: len(costs[::1000])]
    np.testing.assert_allclose(costs[::1000], expected, rtol=0, atol=1e-11)


MOONS = {
    "gradient descent": (lambda: optimizers.SGD(0.0007), [0.702405, 0.668101, 0.635288]),
    # The notes' average is (1 - beta) times PyTorch's.
    "momentum": (lambda: optimizers.SGD(0.0007 * 0.1, momentum=0.9), [0.702413, 0.668167, 0.635388]),
    "adam": (lambda: optimizers.Adam(0.0007), [0.702166, 0.167845, 0.141316, 0.138788, 0.136066]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MOONS)
def test_two_moons(backend, name):
    """The assignment on optimizers, 2-5-2-1: the mean cost of epochs 0, 1000, 2000, ...

    Where all units of the first layer are 0, z of the second is its bias, 0 at the start. The assignment
    takes relu'(0) = 0, so a bias of -1e-12 stands for 0.
    """
    X, Y = data("make_moons", 3, 0.2)
    make, costs = MOONS[name]
    sizes, optimizer = (2, 5, 2, 1), make()
    theta, known = he(sizes), {"python": 1, "numpy": 2}.get(backend.__name__.rpartition(".")[2], len(costs))
    network_views(theta, sizes)[1][1][...] = -1e-12
    for epoch in range(1000 * (known - 1) + 1):
        order = np.random.RandomState(11 + epoch).permutation(300)
        cost = backend.train_epoch(theta, sizes, optimizer, X, Y, batch_size=64, order=order)
        if epoch % 1000 == 0:
            printed(cost, costs[epoch // 1000], 6)
