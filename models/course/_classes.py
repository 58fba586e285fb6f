"""A softmax unit as the notes write it: with loops, as they are read off the formula, and vectorised."""

from __future__ import annotations

import math

import numpy as np


def naive(z):
    """Compute e^z / sum(e^z) as the formula stands."""
    t = np.exp(z)
    return t / np.sum(t, axis=0)


def stable(z):
    """Take the largest z off first: a stays the same, no e^z is above 1."""
    t = np.exp(z - np.max(z, axis=0))
    return t / np.sum(t, axis=0)


def loops(W, b, X):
    """Loop over examples, classes and features."""
    n, n_x = W.shape
    m = X.shape[1]
    A = np.zeros((n, m))
    for i in range(m):
        z = [b[c, 0] for c in range(n)]
        for c in range(n):
            for j in range(n_x):
                z[c] += W[c, j] * X[j, i]
        largest = max(z)
        total = 0.0
        for c in range(n):
            A[c, i] = math.exp(z[c] - largest)
            total += A[c, i]
        for c in range(n):
            A[c, i] /= total
    return A


def vectorised(W, b, X):
    """Use no loop: the classes are the rows of Z, the examples its columns."""
    return stable(np.dot(W, X) + b)
