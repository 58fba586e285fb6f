"""The updates of momentum and Adam as the course writes them, for one vector of parameters."""

from __future__ import annotations

import math

import numpy as np

BETA, BETA1, BETA2, EPSILON = 0.9, 0.9, 0.999, 1e-8


def momentum(theta, gradient, v, alpha):
    """v is a mean of the past gradients, which counts the latest most."""
    v = BETA * v + (1 - BETA) * gradient
    return theta - alpha * v, v


def adam(theta, gradient, v, s, t, alpha):
    """v is such a mean, s one of the squares; t counts the steps from 1."""
    v = BETA1 * v + (1 - BETA1) * gradient
    s = BETA2 * s + (1 - BETA2) * gradient**2
    v_corrected = v / (1 - BETA1**t)
    s_corrected = s / (1 - BETA2**t)
    theta = theta - alpha * v_corrected / (np.sqrt(s_corrected) + EPSILON)
    return theta, v, s


def adam_by_loop(theta, gradient, v, s, t, alpha):
    """Loop over the parameters; the lists change in place."""
    for i in range(len(theta)):
        v[i] = BETA1 * v[i] + (1 - BETA1) * gradient[i]
        s[i] = BETA2 * s[i] + (1 - BETA2) * gradient[i] ** 2
        v_corrected = v[i] / (1 - BETA1**t)
        s_corrected = s[i] / (1 - BETA2**t)
        theta[i] -= alpha * v_corrected / (math.sqrt(s_corrected) + EPSILON)
