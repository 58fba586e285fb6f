"""What may be given to networks: layouts, dtypes, lists, memory maps; and how much memory that takes."""

from __future__ import annotations

import sys
import tracemalloc

import arrays
import network_cases as cases
import numpy as np
import pytest
from processes import new_process

import dlkernels as dk
from dlkernels import backends, optimizers

SIZES, M = (6, 9, 4), 21


def results(backend, network, **changed):
    """What all three functions give."""
    given = network.given() | {"activations": "tanh"} | changed
    gradient, cost = backend.network_propagate(**given)
    A = backend.network_forward(**{key: value for key, value in given.items() if key != "Y"})
    trained = np.array(network.theta)
    mean = backend.train_epoch(
        **given | {"theta": trained}, optimizer=optimizers.Adam(0.01), batch_size=8, order=range(20, 0, -1)
    )
    return gradient, cost, A, trained, mean


def assert_close(actual, expected, dtype):
    for have, want in zip(actual, expected, strict=True):
        assert np.asarray(have).dtype == np.asarray(want).dtype
        arrays.assert_close(have, want, dtype)


@pytest.mark.parametrize(("label", "layout"), arrays.LAYOUTS)
@pytest.mark.parametrize("name", ["X", "Y"])
def test_layouts(backend, name, label, layout, dtype):
    network = cases.network(SIZES, M, "softmax").cast(dtype)
    given = layout(getattr(network, name))
    before = given.tobytes()
    actual = results(backend, network, **{name: given})
    assert_close(actual, results(backend, network), dtype)
    assert given.tobytes() == before


@pytest.mark.parametrize(
    "label", ["strided", "negative", "read-only", "byte-swapped", "misaligned", "subclass"]
)
def test_layouts_of_theta_and_of_weights(backend, label, dtype):
    """Where theta isn't updated it may be any array, and a list."""
    network = cases.network(SIZES, M, "softmax").cast(dtype)
    theta, sizes, X, Y, output = network
    weights = np.arange(M).astype(dtype)
    given = (sizes, X, Y, "tanh", output)
    expected = backend.network_propagate(theta, *given, sample_weight=weights)
    layout = dict(arrays.LAYOUTS)[label]
    gradient, cost = backend.network_propagate(layout(theta), *given, sample_weight=layout(weights))
    assert (gradient.tobytes(), cost) == (expected[0].tobytes(), expected[1])
    if dtype == np.float64:
        gradient, cost = backend.network_propagate(theta.tolist(), *given, sample_weight=weights.tolist())
        assert (gradient.tobytes(), cost) == (expected[0].tobytes(), expected[1])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int64, np.uint32, bool, np.float32, np.float64])
def test_dtypes_of_X(backend, kind, order, dtype):
    """Converted to theta's dtype, which all results have."""
    network = cases.network(SIZES, M, "softmax").cast(dtype)
    X = np.random.RandomState(1).randint(0, 2 if kind is bool else 100, (6, M)) / (
        64 if kind in (np.float32, np.float64) else 1
    )
    X = np.asarray(X, kind, order=order)
    actual = results(backend, network, X=X)
    assert_close(actual, results(backend, network, X=X.astype(dtype)), dtype)
    assert actual[0].dtype == actual[2].dtype == dtype


def test_lists(backend):
    network = cases.network((2, 3, 1), 20)
    theta, sizes, X, Y, _ = network
    actual = backend.network_propagate(theta.tolist(), list(sizes), X.tolist(), Y.tolist(), ["tanh"])
    expected = backend.network_propagate(theta, sizes, X, Y, "tanh")
    assert (actual[0].tobytes(), actual[1]) == (expected[0].tobytes(), expected[1])


def test_no_examples(backend, dtype):
    theta = np.zeros(8, dtype)
    assert backend.network_forward(theta, (3, 2), np.zeros((3, 0), dtype)).shape == (2, 0)


# -- parameters --------------------------------------------------------------------------------------


def test_views_share_memory(dtype):
    theta = np.arange(4 * 3 + 4 + 2 * 4 + 2).astype(dtype)
    assert dk.num_parameters((3, 4, 2)) == theta.size
    (W1, b1), (W2, b2) = dk.network_views(theta, (3, 4, 2))
    assert [view.shape for view in (W1, b1, W2, b2)] == [(4, 3), (4, 1), (2, 4), (2, 1)]
    assert np.concatenate([view.ravel() for view in (W1, b1, W2, b2)]).tolist() == theta.tolist()
    for view in (W1, b1, W2, b2):
        assert np.shares_memory(view, theta)
        view += 1
    assert theta.tolist() == list(range(1, theta.size + 1))
    for name in backends.NAMES:
        backend = backends.get(name)
        assert backend.num_parameters((7, 1)) == 8
        assert backend.network_views(theta, [3, 4, 2])[1][0].tolist() == W2.tolist()


@pytest.mark.parametrize(
    ("scheme", "variance"),
    [
        ("glorot_uniform", 2 / 500),
        ("glorot_normal", 2 / 500),
        ("he_uniform", 2 / 300),
        ("he_normal", 2 / 300),
    ],
)
def test_initial_parameters(scheme, variance, dtype):
    """Mean, variance and bounds of 60,000 weights; biases are 0; a seed says all."""
    sizes = (300, 200, 1)
    theta = dk.network_parameters(sizes, 5, scheme=scheme, dtype=dtype)
    assert (theta.dtype, theta.shape) == (dtype, (dk.num_parameters(sizes),))
    (W, b), (_, last) = dk.network_views(theta, sizes)
    assert not b.any()
    assert not last.any()
    assert abs(W.mean()) < 4 * np.sqrt(variance / W.size)
    assert W.var() == pytest.approx(variance, rel=0.03)
    if scheme.endswith("uniform"):
        assert 0.99 < np.abs(W).max() / np.sqrt(3 * variance) <= 1 + 1e-6
    else:
        assert np.abs(W).max() > 3.5 * np.sqrt(variance)
    again = dk.network_parameters(sizes, 5, scheme=scheme, dtype=dtype)
    assert again.tobytes() == theta.tobytes()
    other = dk.network_parameters(sizes, 6, scheme=scheme, dtype=dtype)
    assert not np.array_equal(other, theta)


# -- memory ------------------------------------------------------------------------------------------

#: Features, examples, batch: as float32 a batch takes 0.26 MB, and all examples 41 MB.
WIDE, MANY, BATCH = 256, 40_000, 256


def peak(action):
    """The most memory that an action takes at once, in bytes, the second time it runs."""
    action()
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float64, np.float32])
@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_X_is_converted_by_the_batch(name, kind, order):
    """Never as a whole, which would take 41 MB. Parts of 4 MB are converted, in two or three copies."""
    backend = backends.get(name)
    X = np.zeros((WIDE, MANY), kind, order=order)
    X[:, ::3] = 1
    Y, theta = np.zeros((1, MANY), np.float32), dk.network_parameters((WIDE, 8, 1), 0, dtype="float32")
    shuffled, optimizer = np.random.RandomState(0).permutation(MANY), optimizers.SGD(0.01)

    def epoch(**more):
        backend.train_epoch(theta, (WIDE, 8, 1), optimizer, X, Y, batch_size=BATCH, **more)

    results_of_forward = np.empty((1, MANY), np.float32)
    taken = {
        "epoch": peak(epoch),
        "shuffled epoch": peak(lambda: epoch(order=shuffled)),
        "gradient": peak(lambda: backend.network_propagate(theta, (WIDE, 8, 1), X, Y)),
        "outputs": peak(lambda: backend.network_forward(theta, (WIDE, 8, 1), X, out=results_of_forward)),
    }
    assert max(taken.values()) < 20e6, taken


RESIDENT = """
import re, sys
import numpy as np
import dlkernels as dk
from dlkernels import backends, optimizers

path, name, kind, order, m = *sys.argv[1:5], int(sys.argv[5])
backend, n = backends.get(name), 256

def anonymous():
    "Resident memory that belongs to no file, in MB."
    with open("/proc/self/status") as status:
        return int(re.search(r"RssAnon:\\s+(\\d+) kB", status.read())[1]) / 1024

X = np.memmap(path, kind, "r", shape=(n, m), order=order)
Y, theta = np.zeros((1, m), np.float32), dk.network_parameters((n, 8, 1), 0, dtype="float32")
sgd = optimizers.SGD(0.01)
small = np.zeros((n, 600), kind, order=order)
backend.train_epoch(theta, (n, 8, 1), sgd, small, Y[:, :600], batch_size=256, order=range(600))  # compiles
backend.network_propagate(theta, (n, 8, 1), small, Y[:, :600])
backend.network_forward(theta, (n, 8, 1), small)

import threading
most, done = [anonymous()], threading.Event()
def poll():
    while not done.wait(0.002):
        most.append(anonymous())
poller = threading.Thread(target=poll)
poller.start()
before = anonymous()
cost = backend.train_epoch(theta, (n, 8, 1), sgd, X, Y, batch_size=256)
backend.train_epoch(theta, (n, 8, 1), sgd, X, Y, batch_size=256, order=np.arange(m)[::-1])
backend.network_propagate(theta, (n, 8, 1), X, Y)
backend.network_forward(theta, (n, 8, 1), X)
most.append(anonymous())
done.set()
poller.join()
print(len(most), max(most) - before, cost)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["float32", "uint8"])
@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_a_memory_map_stays_in_its_file(name, kind, order, tmp_path):
    """300 MB of float32 are read from a sparse file, or 77 MB of uint8. Other memory hardly grows.

    Labels and an order take a number for each example, 4 MB together; what is converted at once takes 4 MB.
    """
    file, m = tmp_path / "X", 300_000
    with open(file, "wb") as sparse:
        sparse.truncate(256 * m * np.dtype(kind).itemsize)
    done = new_process(RESIDENT, None, str(file), name, kind, order, str(m), timeout=300)
    assert done.returncode == 0, done.stderr
    polls, grown, cost = (float(word) for word in done.stdout.split())
    assert polls > 10
    assert cost < np.log(2) + 1e-6
    print(f"{grown} MB")
    assert grown < 40, f"{grown} MB"
