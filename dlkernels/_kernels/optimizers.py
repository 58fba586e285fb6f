"""The rules by which an optimizer updates a vector of parameters; each is one loop over all of its arrays.

With g the gradient, t the number of the step and alpha the learning rate, PyTorch's formulas:

    sgd       v = mu v + g,   theta -= alpha v   (Nesterov: theta -= alpha (g + mu v);  mu = 0: v is g)
    rmsprop   s = rho s + (1 - rho) g²,   d = g / (sqrt(s) + eps),   v = mu v + d,   theta -= alpha v
    adam      v = v + (1 - beta1) (g - v),   s = beta2 s + (1 - beta2) g²,
              theta -= alpha / (1 - beta1^t) v / (sqrt(s) / sqrt(1 - beta2^t) + eps)
              (epsilon hat: theta -= alpha sqrt(1 - beta2^t) / (1 - beta1^t) v / (sqrt(s) + eps))
    adamw     theta *= 1 - alpha lambda, then as adam

Except in adamw, weight decay adds lambda theta to g. The first half of `state` is v, the second half is s.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import prange

from dlkernels._compiler.options import loops, shared, twins
from dlkernels._compiler.pieces import Flag, Int, Number, Row, piece
from dlkernels._kernels.elementwise import CHUNK
from dlkernels._simd.registers import widest_vectors
from dlkernels.catalogue import OPTIMIZERS

NONE, SGD, RMSPROP = OPTIMIZERS["none"], OPTIMIZERS["sgd"], OPTIMIZERS["rmsprop"]
ADAM, ADAMW = OPTIMIZERS["adam"], OPTIMIZERS["adamw"]

#: Where the row `settings` holds each number (`_calls.optimizer.Settings` has the same names). DECAY1 is mu
#: or beta1, DECAY2 is rho or beta2, WEIGHT_DECAY is lambda, STEP is the number of steps done. L2 and SLOPE
#: belong to the network. `begin_step` writes the last two: the rate of this step, and the factor of sqrt(s).
RULE, LEARNING_RATE, DECAY1, DECAY2, EPS, WEIGHT_DECAY, NESTEROV, EPSILON_HAT, STEP = range(9)
L2, SLOPE, RATE, ROOT = range(9, 13)


class Rule(NamedTuple):
    """The constants of a step. Each is rounded to the dtype once, as in PyTorch: 1 - 0.999 becomes 0.001f.

    `rate` and `root` contain the powers of beta1 and beta2; `rest1` is 1 - `decay1`, and `rest2` likewise.
    """

    code: Int
    rate: Number
    decay1: Number
    rest1: Number
    decay2: Number
    rest2: Number
    eps: Number
    root: Number
    weight_decay: Number
    shrink: Number
    nesterov: Flag


@shared
def update_work(numbers: int, itemsize: int) -> float:
    """Estimated nanoseconds of an update, on one thread."""
    return 0.5 * numbers * itemsize / 4


@loops
def begin_step(settings):
    """Count a step. The powers of beta1 and beta2 are computed here, once, and not for each part of theta."""
    settings[STEP] += 1.0
    settings[RATE], settings[ROOT] = settings[LEARNING_RATE], 1.0
    if settings[RULE] == ADAM or settings[RULE] == ADAMW:
        settings[RATE] /= 1.0 - settings[DECAY1] ** settings[STEP]
        correction = math.sqrt(1.0 - settings[DECAY2] ** settings[STEP])
        if settings[EPSILON_HAT] != 0.0:
            settings[RATE] *= correction
        else:
            settings[ROOT] = 1.0 / correction


@loops
def rule_of(settings, like):
    """The constants of the step that has begun."""
    number, decay1, decay2 = like.dtype.type, settings[DECAY1], settings[DECAY2]
    decay = settings[WEIGHT_DECAY]
    return Rule(
        int(settings[RULE]), number(settings[RATE]), number(decay1), number(1.0 - decay1), number(decay2),
        number(1.0 - decay2), number(settings[EPS]), number(settings[ROOT]), number(decay),
        number(1.0 - settings[LEARNING_RATE] * decay), settings[NESTEROV] != 0.0,
    )  # fmt: skip


@piece
def update_row(rule: Rule, theta: Row, gradient: Row, v: Row, s: Row):
    """Update theta and the state (v, s), for a part of the parameters. The gradient stays as it is."""
    widest_vectors()
    n, one = theta.shape[0], theta.dtype.type(1)
    rate, mu, rho, eps, decay = rule.rate, rule.decay1, rule.decay2, rule.eps, rule.weight_decay
    rest1, rest2, root, shrink = rule.rest1, rule.rest2, rule.root, rule.shrink
    if rule.code == SGD:
        if v.shape[0] == 0 or mu == theta.dtype.type(0):
            for j in range(n):
                theta[j] -= rate * (gradient[j] + decay * theta[j])
        else:
            for j in range(n):
                g = gradient[j] + decay * theta[j]
                m = mu * v[j] + g
                v[j] = m
                theta[j] -= rate * ((g + mu * m) if rule.nesterov else m)
    elif rule.code == RMSPROP and mu == theta.dtype.type(0):
        for j in range(n):
            g = gradient[j] + decay * theta[j]
            q = rho * s[j] + rest2 * (g * g)
            s[j] = q
            theta[j] -= rate * (g / (math.sqrt(q) + eps))
    elif rule.code == RMSPROP:
        for j in range(n):
            g = gradient[j] + decay * theta[j]
            q = rho * s[j] + rest2 * (g * g)
            m = mu * v[j] + g / (math.sqrt(q) + eps)
            s[j], v[j] = q, m
            theta[j] -= rate * m
    elif rule.code == ADAM or rule.code == ADAMW:
        if rule.code == ADAM:
            shrink = one
        else:
            decay = theta.dtype.type(0)
        for j in range(n):
            t = theta[j] * shrink
            g = gradient[j] + decay * t
            m = v[j] + rest1 * (g - v[j])
            q = rho * s[j] + rest2 * (g * g)
            v[j], s[j] = m, q
            theta[j] = t - rate * (m / (math.sqrt(q) * root + eps))


@twins
def update(theta, gradient, state, settings):
    """Update theta (n,) and the state, (2 n,) or (0,), by one step; it is counted in the settings."""
    n = theta.shape[0]
    begin_step(settings)
    stateless = state.shape[0] == 0
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        first, last = chunk * CHUNK, min(n, (chunk + 1) * CHUNK)
        rule = rule_of(settings, theta)
        v = state[:0] if stateless else state[first:last]
        s = state[:0] if stateless else state[n + first : n + last]
        update_row(rule, theta[first:last], gradient[first:last], v, s)
