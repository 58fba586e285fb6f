"""Sharing out work among threads so that no bit of a result depends on their number.

A kernel cuts its work into *tasks*. What the tasks are follows from the shape of the arrays alone. A parallel
loop runs over as many *workers* as there are threads, and each worker does an equal part of the tasks, one
after the other. So the tasks are small enough for the cache, and each worker needs a workspace for one task
only.

Where tasks add up numbers over examples, each sum begins in a *slot*: the tasks of a slot belong to one
worker, and only they add to it. In the end the slots are merged in a fixed order. How many slots there are
follows from the shape, too.
"""

from __future__ import annotations

from dlkernels._compiler.options import loops, shared

#: A kernel aims at about this many tasks where the shape allows it: enough for 16 threads, and for 2 threads
#: to share unequal tasks.
TASKS = 16
#: The most slots that a sum over examples has.
SLOTS = 64
#: How many numbers of all slots are merged at a time, so that they stay in the first-level cache.
_MERGED = 512


@shared
def even_parts(n: int, longest: int, multiple: int) -> int:
    """The length of equal parts of n: as few parts as `longest` allows, rounded up to a multiple."""
    parts = max(1, (n + longest - 1) // longest)
    return max(1, ((n + parts - 1) // parts + multiple - 1) // multiple) * multiple


@loops
def share(worker, workers, tasks):
    """The first task of a worker, and the one after its last."""
    return worker * tasks // workers, (worker + 1) * tasks // workers


@loops
def merge(slots, size, parts, first, last):
    """parts[0, i] = the sum of parts[s, i] over all slots, for first <= i < last; parts is (slots, size).

    In pairs: slots 0 + 1, 2 + 3, ..., then 0 + 2, 4 + 6, ...
    """
    for at in range(first, last, _MERGED):
        width, stride = min(_MERGED, last - at), 1
        while stride < slots:
            for s in range(0, slots - stride, 2 * stride):
                into = parts[s * size + at : s * size + at + width]
                other = parts[(s + stride) * size + at : (s + stride) * size + at + width]
                for i in range(width):
                    into[i] += other[i]
            stride *= 2
