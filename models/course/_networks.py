"""The forward pass of a two-layer network as the notes write it: per node, per example, all at once."""

from __future__ import annotations

import math

import numpy as np


def per_node(W1, b1, W2, b2, X):
    """Loop over examples and nodes: each node computes z, then g(z)."""
    n_h, n_x = W1.shape
    m = X.shape[1]
    A2 = np.zeros((1, m))
    for i in range(m):
        a1 = np.zeros((n_h, 1))
        for node in range(n_h):
            z = b1[node, 0]
            for j in range(n_x):
                z += W1[node, j] * X[j, i]
            a1[node, 0] = math.tanh(z)
        z = b2[0, 0]
        for node in range(n_h):
            z += W2[0, node] * a1[node, 0]
        A2[0, i] = 1 / (1 + math.exp(-z))
    return A2


def per_example(W1, b1, W2, b2, X):
    """Loop over the examples only: the nodes are the rows of W."""
    m = X.shape[1]
    A2 = np.zeros((1, m))
    for i in range(m):
        x = X[:, i : i + 1]
        z1 = np.dot(W1, x) + b1
        a1 = np.tanh(z1)
        z2 = np.dot(W2, a1) + b2
        A2[:, i : i + 1] = 1 / (1 + np.exp(-z2))
    return A2


def vectorised(W1, b1, W2, b2, X):
    """Use no loop: the examples are the columns of X, Z and A."""
    Z1 = np.dot(W1, X) + b1
    A1 = np.tanh(Z1)
    Z2 = np.dot(W2, A1) + b2
    return 1 / (1 + np.exp(-Z2))
