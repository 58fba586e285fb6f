"""The vectors of L-BFGS: the direction of a search, and the pairs from which the next one is formed.

A pair is a step s = x_new - x and the change of the gradient that it brought, y = g_new - g. The last pairs
are kept in the rows of `steps` and `changes`, in a ring: a new pair takes the place of the oldest one. All is
in double precision, but for the penalty, which belongs to the gradient. The loops are serial: they are short
beside those of the gradient.
"""

from __future__ import annotations

from dlkernels._compiler.options import entry
from dlkernels._kernels.sums import row_dot


@entry
def descent(gradient, steps, changes, curvatures, first, count, scale, factors, direction):
    """direction = -H gradient; returns its product with the gradient.

    H is the inverse of the Hessian as `count` pairs describe it, the oldest of them in row `first`, beginning
    with H = I / scale. `curvatures` holds y·s of each pair. This is the two-loop recursion: J. Nocedal and
    S. J. Wright, Numerical Optimization, algorithm 7.4. `factors` is memory for as many numbers as pairs.
    """
    n, rows = gradient.shape[0], curvatures.shape[0]
    for j in range(n):
        direction[j] = -gradient[j]
    for i in range(count - 1, -1, -1):
        row = (first + i) % rows
        y = changes[row]
        factor = row_dot(steps[row], direction) / curvatures[row]
        for j in range(n):
            direction[j] -= factor * y[j]
        factors[i] = factor
    for j in range(n):
        direction[j] /= scale
    for i in range(count):
        row = (first + i) % rows
        s = steps[row]
        factor = factors[i] - row_dot(changes[row], direction) / curvatures[row]
        for j in range(n):
            direction[j] += factor * s[j]
    return row_dot(direction, gradient)


@entry
def go(x, step, direction, there):
    """there = x + step * direction."""
    for j in range(x.shape[0]):
        there[j] = x[j] + step * direction[j]


@entry
def slope_and_largest(gradient, direction):
    """The product of both, and the largest absolute value of the gradient, which is NaN if one of it is."""
    largest = 0.0
    for j in range(gradient.shape[0]):
        size = abs(gradient[j])
        largest = size if size > largest or size != size else largest
    return row_dot(gradient, direction), largest


@entry
def add_penalty(theta, gradient, n, l2):
    """gradient[j] += l2 * theta[j] for j < n; returns l2/2 times the sum of their squares."""
    factor = gradient.dtype.type(l2)
    for j in range(n):
        gradient[j] += factor * theta[j]
    return 0.5 * l2 * row_dot(theta[:n], theta[:n])


@entry
def remember(step, direction, gradient, before, s, y):
    """s = step * direction, y = gradient - before; returns y·y."""
    for j in range(gradient.shape[0]):
        s[j] = step * direction[j]
        y[j] = gradient[j] - before[j]
    return row_dot(y, y)
