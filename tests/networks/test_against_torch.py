"""Gradients and training in float64 against PyTorch: autograd, its losses and its optimizers.

PyTorch takes relu'(0) = 0, this package 1; no unit here is at 0.
"""

from __future__ import annotations

import itertools

import network_cases as cases
import numpy as np
import pytest

from dlkernels import optimizers

torch = pytest.importorskip("torch")

SIZES, M = (5, 9, 8, 3), 23
ACTIVATIONS = ("tanh", "relu")
HIDDEN = {"tanh": torch.tanh, "relu": torch.relu, "gelu": torch.nn.functional.gelu,
          "silu": torch.nn.functional.silu, "elu": torch.nn.functional.elu,
          "softplus": torch.nn.functional.softplus, "sigmoid": torch.sigmoid,
          "leaky_relu": torch.nn.functional.leaky_relu, "identity": lambda z: z}  # fmt: skip
#: PyTorch's names of our settings.
NAMES = {"learning_rate": "lr"}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tensors as small as these take longer on several."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def logits(theta, sizes, X, activations):
    """Z_L with examples as rows, from one vector of parameters."""
    A, start = X, 0
    for i, (before, units) in enumerate(itertools.pairwise(sizes)):
        W = theta[start : start + units * before].reshape(units, before)
        start += units * before
        A = torch.nn.functional.linear(A, W, theta[start : start + units])
        start += units
        if i < len(activations):
            A = HIDDEN[activations[i]](A)
    return A


def losses(Z, Y, target):
    """One number for each example; Poisson's without log y!, which is what `full=False` leaves out."""
    F = torch.nn.functional
    if target == "identity":
        return 0.5 * F.mse_loss(Z, Y, reduction="none").sum(1)
    if target == "sigmoid":
        return F.binary_cross_entropy_with_logits(Z, Y, reduction="none").sum(1)
    if target == "exp":
        return F.poisson_nll_loss(Z, Y, log_input=True, full=False, reduction="none").sum(1)
    return F.cross_entropy(Z, Y[:, 0].long() if target == "classes" else Y, reduction="none")


def torch_cost(theta, network, target, activations, weights=None, l2=0.0):
    X, Y = (torch.from_numpy(np.ascontiguousarray(array.T)) for array in (network.X, network.Y))
    each = losses(logits(theta, network.sizes, X, activations), Y, target)
    cost = each.mean() if weights is None else (each * weights).sum() / weights.sum()
    start = 0
    for before, units in zip(network.sizes[:-1], network.sizes[1:], strict=True):
        cost = cost + 0.5 * l2 * (theta[start : start + units * before] ** 2).sum()
        start += units * (before + 1)
    return cost


def tensor(theta):
    return torch.tensor(theta, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("target", cases.TARGETS)
def test_autograd(backend, target, weighted):
    network = cases.network(SIZES, M, target)
    more, given = {}, {}
    if weighted:
        weights = cases.weights(M)
        more, given = (
            {"sample_weight": weights, "l2": 0.25},
            {"weights": torch.tensor(weights[0]), "l2": 0.25},
        )
    theta = tensor(network.theta)
    cost = torch_cost(theta, network, target, ACTIVATIONS, **given)
    cost.backward()
    gradient, J = backend.network_propagate(**network.given(), activations=ACTIVATIONS, **more)
    np.testing.assert_allclose(J, cost.item(), rtol=1e-13)
    np.testing.assert_allclose(gradient, theta.grad.numpy(), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("activation", sorted(HIDDEN))
def test_autograd_of_activations(backend, activation):
    network = cases.network((4, 7, 2), 9, "softmax", seed=1)
    theta = tensor(network.theta)
    torch_cost(theta, network, "softmax", (activation,)).backward()
    gradient, _ = backend.network_propagate(**network.given(), activations=activation)
    np.testing.assert_allclose(gradient, theta.grad.numpy(), rtol=1e-11, atol=1e-14)


#: PyTorch has no flag epsilon_hat.
THEIRS = [i for i, (_, settings) in enumerate(cases.OPTIMIZERS) if "epsilon_hat" not in settings]
each_of_theirs = pytest.mark.parametrize("i", THEIRS, ids=[cases.SETTINGS[i] for i in THEIRS])


def torch_optimizer(i, theta):
    name, settings = cases.OPTIMIZERS[i]
    settings = dict(settings)
    betas = {"betas": (settings.pop("beta1", 0.9), settings.pop("beta2", 0.999))} if "Adam" in name else {}
    settings = {NAMES.get(key, key): value for key, value in settings.items()}
    return getattr(torch.optim, name)([theta], **betas, **settings, foreach=False)


def ours(i):
    name, settings = cases.OPTIMIZERS[i]
    return getattr(optimizers, name)(**settings)


@each_of_theirs
def test_a_hundred_steps_with_the_same_gradients(i):
    """Any gradients, also 0, tiny and huge ones; the arrays of the state too."""
    rng = np.random.RandomState(i)
    start, optimizer = rng.randn(50), ours(i)
    theta, theirs = start.copy(), tensor(start)
    reference = torch_optimizer(i, theirs)
    scales = np.repeat([0.0, 1e-12, 1e-4, 1.0, 1e4], 10)
    for _ in range(100):
        gradient = rng.randn(50) * scales
        theirs.grad = torch.from_numpy(gradient.copy())
        reference.step()
        optimizer.step(theta, gradient)
    np.testing.assert_allclose(theta, theirs.detach().numpy(), rtol=1e-10, atol=0)
    assert_same_state(optimizer, reference.state[theirs])
    assert optimizer.state["step"].tolist() == [100]


def assert_same_state(optimizer, theirs):
    """What PyTorch has no array for has not been used."""
    for key, value in optimizer.state.items():
        if key != "step":
            expected = theirs[key].numpy() if theirs.get(key) is not None else np.zeros_like(value)
            np.testing.assert_allclose(value, expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("SGD", [("momentum", 0.0), ("learning_rate", 0.3), ("momentum", 0.5), ("nesterov", True)]),
        ("RMSprop", [("alpha", 0.5), ("momentum", 0.0), ("eps", 0.1), ("momentum", 0.5)]),
        ("Adam", [("learning_rate", 0.1), ("betas", (0.5, 0.99)), ("weight_decay", 0.1), ("eps", 0.1)]),
        ("AdamW", [("learning_rate", 0.1), ("betas", (0.5, 0.99)), ("weight_decay", 0.0), ("eps", 0.1)]),
    ],
)  # fmt: skip
def test_settings_that_change_between_steps(name, changes):
    """As PyTorch's param_groups. Momentum that rests at 0 leaves its buffer as it is."""
    rng = np.random.RandomState(0)
    momentum = {} if "Adam" in name else {"momentum": 0.9}
    optimizer, theta = getattr(optimizers, name)(**momentum), rng.randn(9)
    theirs = tensor(theta)
    reference = getattr(torch.optim, name)([theirs], **momentum, foreach=False)
    for setting, value in [("weight_decay", 0.01), *changes]:
        reference.param_groups[0][NAMES.get(setting, setting)] = value
        if setting == "betas":
            optimizer.beta1, optimizer.beta2 = value
        else:
            setattr(optimizer, setting, value)
        for _ in range(3):
            gradient = rng.randn(9)
            theirs.grad = torch.from_numpy(gradient.copy())
            reference.step()
            optimizer.step(theta, gradient)
        np.testing.assert_allclose(theta, theirs.detach().numpy(), rtol=1e-12, err_msg=setting)
    assert_same_state(optimizer, reference.state[theirs])


@each_of_theirs
@pytest.mark.parametrize("target", ["sigmoid", "classes"])
def test_a_hundred_steps_of_training(backend, target, i):
    """Ten epochs of ten batches, shuffled by `order`."""
    network = cases.network((4, 6, 3), 50, target, seed=2)
    optimizer, rng = ours(i), np.random.RandomState(0)
    theirs = tensor(network.theta)
    reference = torch_optimizer(i, theirs)
    for _ in range(10):
        order, costs = rng.permutation(50), []
        for start in range(0, 50, 5):
            batch = order[start : start + 5]
            reference.zero_grad()
            part = network._replace(X=network.X[:, batch], Y=network.Y[:, batch])
            cost = torch_cost(theirs, part, target, ("tanh",))
            cost.backward()
            reference.step()
            costs.append(cost.item())
        mean = backend.train_epoch(
            **network.given(), optimizer=optimizer, activations="tanh", batch_size=5, order=order
        )
        assert mean == pytest.approx(np.mean(costs), rel=1e-10)
    np.testing.assert_allclose(network.theta, theirs.detach().numpy(), rtol=1e-10, atol=1e-10)


def test_defaults_are_those_of_pytorch():
    theta = tensor(np.zeros(1))
    for name in ("SGD", "RMSprop", "Adam", "AdamW"):
        optimizer, defaults = getattr(optimizers, name)(), getattr(torch.optim, name)([theta]).defaults
        theirs = {"learning_rate": defaults["lr"], "weight_decay": defaults["weight_decay"]}
        theirs |= {key: defaults[key] for key in ("momentum", "nesterov", "alpha", "eps") if key in defaults}
        if "betas" in defaults:
            theirs |= dict(zip(("beta1", "beta2"), defaults["betas"], strict=True))
        assert {key: getattr(optimizer, key) for key in theirs} == theirs
