"""Networks as the notes write them: two layers in three stages, then L layers, and mini-batches."""

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


def deep_per_node(layers, X):
    """Loop over layers, examples and nodes; `layers` is a list of (W, b). The last unit is a sigmoid."""
    A = X
    for layer, (W, b) in enumerate(layers, 1):
        n, n_prev = W.shape
        Z = np.zeros((n, X.shape[1]))
        for i in range(X.shape[1]):
            for node in range(n):
                z = b[node, 0]
                for j in range(n_prev):
                    z += W[node, j] * A[j, i]
                Z[node, i] = 1 / (1 + math.exp(-z)) if layer == len(layers) else max(0.0, z)
        A = Z
    return A


def deep(layers, X):
    """Loop over the layers only: Z[l] needs A[l-1]."""
    A = X
    for W, b in layers[:-1]:
        A = np.maximum(0, np.dot(W, A) + b)
    W, b = layers[-1]
    return 1 / (1 + np.exp(-(np.dot(W, A) + b)))


def deep_gradients(layers, X, Y):
    """Go back through the layers from dZ = A - Y; return (dW, db) of each."""
    m = X.shape[1]
    kept = [X]
    for W, b in layers[:-1]:
        kept.append(np.maximum(0, np.dot(W, kept[-1]) + b))
    W, b = layers[-1]
    dZ = 1 / (1 + np.exp(-(np.dot(W, kept[-1]) + b))) - Y
    gradients = list(layers)  # replaced one by one, from the last
    for layer in range(len(layers), 0, -1):
        A_prev = kept[layer - 1]
        dW = np.dot(dZ, A_prev.T) / m
        db = np.sum(dZ, axis=1, keepdims=True) / m
        gradients[layer - 1] = (dW, db)
        if layer > 1:
            W, b = layers[layer - 1]
            # ReLU's slope, which is 0 at z = 0, as in the exercise
            dZ = np.dot(W.T, dZ) * (A_prev > 0)
    return gradients


def epoch(layers, X, Y, order, size, alpha):
    """Update the layers once for each mini-batch of `size` examples."""
    for k in range(0, len(order), size):
        batch = order[k : k + size]
        gradients = deep_gradients(layers, X[:, batch], Y[:, batch])
        for (W, b), (dW, db) in zip(layers, gradients, strict=True):
            W -= alpha * dW
            b -= alpha * db
