"""Scratch memory: what a kernel computes on the way, carved from one array that the caller keeps.

A kernel is given `scratch` and `workers`. It needs as many numbers as the function beside it says whose name
ends in `_room`, which Python asks as well; is scratch smaller, the kernel allocates them itself. What a task
needs for itself lies there once for each of the `workers`: a parallel loop runs over the workers, and each
takes an equal part of the tasks in turn. (Once a task would be too much to stay in cache; and the number of
the thread that runs a task needn't be known, which each threading layer counts in its own way.) Everything is
written before it is read, and what the tasks are follows from the shape alone, so no bit depends on either.
"""

from __future__ import annotations

import numpy as np

from dlkernels._jit import loops


@loops
def lines(n):
    """n rounded up to whole cache lines, so that what comes next in memory begins on one."""
    return (n + 15) // 16 * 16


@loops
def room(scratch, needed):
    """`scratch`, if it holds as many numbers as are needed."""
    return scratch if scratch.size >= needed else np.empty(needed, scratch.dtype)


@loops
def carve(memory, size):
    """The first numbers of memory, and the rest."""
    return memory[:size], memory[lines(size) :]
