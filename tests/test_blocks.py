"""Sums over blocks: those of the whole table, in an order that depends on the blocks alone."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import Parallel, delayed

import dlkernels as dk
from dlkernels.blocks import Sums, Tree, block_gradient, combine

rng = np.random.default_rng(0)
M = 230
#: sizes, hidden activation, output and labels.
NETWORKS = {
    "logistic": ((5, 1), "relu", "sigmoid", rng.integers(0, 2, (1, M))),
    "softmax": ((5, 3), "relu", "softmax", rng.integers(0, 3, (1, M))),
    "hidden": ((5, 7, 4, 1), "tanh", "sigmoid", rng.integers(0, 2, (1, M))),
    "classes": ((5, 9, 3), "relu", "softmax", rng.integers(0, 3, (1, M))),
    "numbers": ((5, 4, 2), "gelu", "identity", rng.normal(size=(2, M))),
    "counts": ((5, 4, 1), "relu", "exp", rng.integers(0, 9, (1, M))),
}
X = rng.normal(size=(5, M))
WEIGHTS = rng.uniform(size=M)
CUTS = [0, 40, 41, 41, 150, 230]
PARTS = [slice(a, b) for a, b in itertools.pairwise(CUTS)]


def blocks_of(name, dtype=np.float64, weights=None, parts=PARTS):
    sizes, activation, output, Y = NETWORKS[name]
    theta = dk.network_parameters(sizes, seed=1, dtype=dtype)
    return [
        block_gradient(
            theta, sizes, X[:, part].astype(dtype), Y[:, part], activation, output,
            sample_weight=None if weights is None else weights[part],
        )
        for part in parts
    ]  # fmt: skip


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NETWORKS)
def test_blocks_add_up_to_the_gradient_of_all(name, dtype, weights):
    sizes, activation, output, Y = NETWORKS[name]
    theta = dk.network_parameters(sizes, seed=1, dtype=dtype)
    total = combine(blocks_of(name, dtype, weights))
    gradient, cost = dk.network_propagate(
        theta, sizes, X.astype(dtype), Y, activation, output,
        sample_weight=None if weights is None else weights.astype(dtype),
    )  # fmt: skip
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    assert total.gradient.dtype == np.float64
    assert np.allclose(total.gradient / total.weight, gradient, rtol=tolerance, atol=tolerance)
    assert total.cost / total.weight == pytest.approx(cost, rel=tolerance)
    assert total.weight == pytest.approx(M if weights is None else weights.sum(), rel=1e-6)


def same_bits(a, b):
    return a.gradient.tobytes() == b.gradient.tobytes() and (a.cost, a.weight) == (b.cost, b.weight)


def added(shuffled):
    tree = Tree()
    for number, sums in shuffled:
        tree.add(number, sums)
    return tree


@given(st.integers(1, 70), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_arrival_changes_no_bit(count, shuffle):
    """Neither does who adds some of them first."""
    draw = np.random.default_rng(count)
    blocks = [
        Sums(draw.normal(size=3) * 10.0 ** draw.integers(-9, 9), draw.normal(), 1.0) for _ in range(count)
    ]
    expected = combine(blocks)
    numbered = list(enumerate(blocks))
    shuffle.shuffle(numbered)
    assert same_bits(added(numbered).total(), expected)
    whole = Tree()
    for part in (numbered[::3], numbered[1::3], numbered[2::3]):
        for (level, index), sums in added(part).nodes.items():
            whole.add(index, sums, level)
    assert same_bits(whole.total(), expected)


def test_the_tree_adds_neighbours_first():
    """Powers of two tell which blocks were added before rounding: (1 + tiny) + tiny loses both."""
    tiny = 2.0**-53
    one, little = Sums(np.array([1.0]), 0.0, 0.0), Sums(np.array([tiny]), 0.0, 0.0)
    assert combine([one, little, little]).gradient == 1.0  # (1 + tiny) + tiny
    assert combine([little, little, one]).gradient == 1.0 + 2 * tiny
    nothing = Sums(np.array([0.0]), 0.0, 0.0)
    assert combine([one, nothing, little, little]).gradient == 1.0 + 2 * tiny


def test_combine_takes_a_generator_and_keeps_few():
    """Of 1000 blocks, at most the 10 nodes of the tree and the one that was just made."""
    most = 0
    tree = Tree()
    for number in range(1000):
        tree.add(number, Sums(np.zeros(2), 0.0, 1.0))
        most = max(most, len(tree.nodes))
    assert most <= 10
    assert combine(Sums(np.ones(2), 1.0, 1.0) for _ in range(1000)).weight == 1000


def test_threads_and_processes_have_the_same_bits():
    """With joblib, as in the documentation."""
    sizes, activation, output, Y = NETWORKS["classes"]
    theta = dk.network_parameters(sizes, seed=1)
    calls = [delayed(block_gradient)(theta, sizes, X[:, p], Y[:, p], activation, output) for p in PARTS]
    expected = combine(blocks_of("classes"))
    for backend in ("threading", "loky"):
        assert same_bits(combine(Parallel(2, backend=backend)(calls)), expected)
    assert same_bits(pickle.loads(pickle.dumps(expected)), expected)


@pytest.mark.parametrize("name", ["logistic", "classes"])
def test_where_a_block_lies_changes_no_bit(name):
    """A part of a larger table has the bits of its copy in another process."""
    sizes, activation, output, Y = NETWORKS[name]
    theta, wide = dk.network_parameters(sizes, seed=1), np.tile(X, (1, 700))
    table = wide.astype(np.float32).astype(np.float64)
    Y = np.tile(Y, (1, 700))
    memory = np.empty(table[:, :150_000].nbytes + 1, np.uint8)[1:]
    unaligned = memory.view(np.float64).reshape(5, 150_000)
    unaligned[...] = table[:, :150_000]
    expected = block_gradient(theta, sizes, table[:, :150_000].copy(), Y[:, :150_000], activation, output)
    for block in (table[:, :150_000], unaligned, np.repeat(table[:, :150_000], 2, axis=1)[:, ::2]):
        assert same_bits(block_gradient(theta, sizes, block, Y[:, :150_000], activation, output), expected)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_threads_change_no_bit(name, threads):
    wide = [slice(0, 230)]
    expected = blocks_of(name, parts=wide)[0]
    with dk.threads(threads):
        assert same_bits(blocks_of(name, parts=wide)[0], expected)


@pytest.mark.parametrize("name", ["logistic", "classes"])
def test_blocks_without_examples_or_weights_are_zeros(name):
    sizes, activation, output, Y = NETWORKS[name]
    theta = dk.network_parameters(sizes, seed=1)
    zeros = Sums(np.zeros(theta.size), 0.0, 0.0)
    none = slice(0, 0)
    assert same_bits(block_gradient(theta, sizes, X[:, none], Y[:, none], activation, output), zeros)
    found = block_gradient(theta, sizes, X, Y, activation, output, sample_weight=np.zeros(M))
    assert same_bits(found, zeros)


WRONG = {
    "labels": ({"Y": np.ones((1, 7))}, r"block_gradient: Y must have shape .* \(Y \(1, 7\), X \(5, 230\)\)"),
    "labels of no weight": ({"Y": np.ones((1, 7)), "sample_weight": np.zeros(M)}, "Y must have shape"),
    "labels of no examples": ({"X": X[:, :0]}, r"Y must have no columns, as X \(Y \(1, 230\), X \(5, 0\)\)"),
    "features": ({"X": X[:4]}, r"block_gradient: X has 4 rows but sizes\[0\] is 5"),
    "parameters": ({"theta": np.ones(5)}, "theta has 5 numbers but sizes"),
    "weights": ({"sample_weight": -np.ones(M)}, "numbers that are not negative"),
    "number of weights": ({"sample_weight": np.ones(3)}, r"sample_weight must have shape \(1, 230\)"),
    "infinite weight": ({"sample_weight": np.full(M, 1e308)}, "the sum of sample_weight is too large"),
    "classes": ({"Y": np.full((1, M), 2), "output": "softmax", "sizes": (5, 2), "theta": np.ones(12)},
                "class numbers from 0 to 1"),
    "output": ({"output": "tanh"}, "output must be"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_are_refused(name):
    change, message = WRONG[name]
    arguments = {"theta": np.ones(6), "sizes": (5, 1), "X": X, "Y": NETWORKS["logistic"][3], **change}
    with pytest.raises((TypeError, ValueError), match=message):
        block_gradient(**arguments)


def test_what_cannot_be_combined_is_refused():
    with pytest.raises(ValueError, match="there are no blocks"):
        combine([])
    with pytest.raises(TypeError, match="block 1 must be a Sums, not tuple"):
        combine([Sums(np.ones(2), 0.0, 1.0), (np.ones(2), 0.0, 1.0)])
    with pytest.raises(ValueError, match=r"blocks have shapes \(2,\) and \(3,\)"):
        combine([Sums(np.ones(2), 0.0, 1.0), Sums(np.ones(3), 0.0, 1.0)])
