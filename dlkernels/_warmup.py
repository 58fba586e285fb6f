"""Compiles kernels ahead of time, which otherwise the first calls would have to compile."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from dlkernels._calls import threads
from dlkernels._calls.lbfgs import Limits, add_penalty, minimize
from dlkernels.activations import sigmoid
from dlkernels.costs import dot
from dlkernels.dense import dense_backward, dense_forward, dense_gradients
from dlkernels.derivatives import sigmoid_backward
from dlkernels.descent import gradient_descent
from dlkernels.networks import network_forward, network_propagate, train_epoch
from dlkernels.optimizers import Adam
from dlkernels.progress import progress
from dlkernels.propagate import logistic_propagate, shallow_propagate


def _first_calls(dtype: np.dtype[Any]) -> Iterator[Callable[[], Any]]:
    """Calls that together reach every kernel, for one dtype."""

    def array(*shape: int) -> Any:
        return np.zeros(shape, dtype)

    X, Y = array(2, 8), array(1, 8)
    yield lambda: (sigmoid(Y), sigmoid(Y[0]))
    yield lambda: (sigmoid_backward(Y, Y), sigmoid_backward(Y[0], Y[0]))
    yield lambda: dot(Y[0], Y[0])
    yield lambda: dense_forward(array(3, 2), X, array(3, 1))
    yield lambda: dense_gradients(Y, X)
    yield lambda: dense_gradients(array(64, 64), array(384, 64))  # as a product
    yield lambda: dense_backward(array(1, 3), Y, array(3, 8), X, "tanh")
    yield lambda: gradient_descent([array(2, 1)], [array(2, 1)], 1.0)
    yield lambda: logistic_propagate(array(2, 1), 0.0, X, Y)
    yield lambda: logistic_propagate(array(1025, 1), 0.0, array(1025, 2), array(1, 2))
    W1, b1, W2, b2 = array(3, 2), array(3, 1), array(1, 3), array(1, 1)
    out = (array(3, 2), array(3, 1), array(1, 3), array(1, 1))
    yield lambda: shallow_propagate(W1, b1, W2, b2, X, Y, out=out)
    many, wide = array(1025, 2), array(3, 1025)
    yield lambda: shallow_propagate(wide, b1, W2, b2, many, array(1, 2))
    theta, sizes = array(13), (2, 3, 1)
    yield lambda: network_forward(theta, sizes, X)
    yield lambda: network_propagate(theta, sizes, X, Y)
    yield lambda: train_epoch(theta, sizes, Adam(), X, Y, batch_size=4)
    yield lambda: Adam().step(theta, array(13))
    yield lambda: add_penalty(theta, array(13), 6, 1.0)
    yield lambda: minimize(_parabola, np.array([1.0, 2.0]), Limits(3, 0.0))


def _parabola(x: Any, gradient: Any) -> float:
    """x[0]² + x[1]⁴, with its gradient."""
    gradient[:] = 2 * x[0], 4 * x[1] ** 3
    return float(x[0] ** 2 + x[1] ** 4)


def warmup(dtypes: Sequence[str] = ("float32", "float64")) -> None:
    """Compile every kernel, serial and parallel, so that no later call has to.

    The machine code is kept on disk (see `show_config`), so that later processes need not compile, either. It
    takes half a minute for each dtype. The command ``dlkernels warmup`` compiles for both dtypes at once,
    each in a process of its own. On a terminal a progress bar is shown if rich is installed.

    Parameters
    ----------
    dtypes : sequence of {"float32", "float64"}
        The dtypes to compile kernels for.

    Raises
    ------
    TypeError
        If `dtypes` is a single string, or one of them is no dtype.
    ValueError
        If a dtype is neither float32 nor float64.

    Examples
    --------
    >>> import dlkernels as dk
    >>> dk.warmup(["float64"])
    """
    if isinstance(dtypes, str):
        raise TypeError(f"warmup: dtypes must be a sequence of names, not the string {dtypes!r}")
    names = [str(np.dtype(dtype)) for dtype in dtypes]
    for name in names:
        if name not in ("float32", "float64"):
            raise ValueError(f"warmup: dtypes may hold float32 and float64, not {name}")
    calls = [call for name in names for call in _first_calls(np.dtype(name))]
    with progress("compiling kernels", 3 * len(calls)) as advance:
        for parallel in (False, None, True):
            for call in calls:
                with threads.always(parallel):
                    call()
                advance(1)


def warmup_alone(*dtypes: str) -> None:
    """As `warmup`, in a process that does nothing else.

    The objects that Numba creates stay alive. Python would search them for garbage after every 700 new ones,
    which takes an eighth of the time. Therefore it searches less often here.
    """
    before = gc.get_threshold()
    try:
        gc.set_threshold(50_000, *before[1:])
        warmup(dtypes)
    finally:
        gc.set_threshold(*before)
