"""Scratch memory: what a kernel computes on the way, carved from one array that the caller keeps.

A kernel is given `scratch` and `workers`. It needs as many numbers as the function beside it says whose name
ends in `_room`: the caller asks it, since kernels can't allocate (`_jit.LOOPS`). What a task needs for itself
lies there once for each of the `workers`: a parallel loop runs over the workers, and each takes an equal part
of the tasks in turn. (Once a task would be too much to stay in cache; and the number of the thread that runs
a task needn't be known, which each threading layer counts in its own way.) Everything is written before it is
read, and what the tasks are follows from the shape alone, so no bit depends on either.

Here are also the two ways in which kernels round lengths, `even_parts` and `lines`.
"""

from __future__ import annotations

from dlkernels._compiler.options import inlined, loops, shared


@shared
def even_parts(n: int, longest: int, multiple: int) -> int:
    """The length of the fewest equal parts of n that are at most `longest`, rounded up to `multiple`."""
    parts = max(1, (n + longest - 1) // longest)
    return max(1, ((n + parts - 1) // parts + multiple - 1) // multiple) * multiple


@loops
def lines(n):
    """n rounded up to whole cache lines, so that what comes next in memory begins on one."""
    return (n + 15) // 16 * 16


@inlined
def carve(memory, size):
    """The first numbers of memory, and the rest."""
    return memory[:size], memory[lines(size) :]
