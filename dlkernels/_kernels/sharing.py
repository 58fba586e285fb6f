"""Sharing out work among threads so that no bit of a result depends on their number.

A kernel cuts its work into *tasks*. The bounds of the tasks follow from the arrays alone (shape, dtype,
memory order) and from the width of vectors. A parallel loop runs over as many *workers* as there are threads,
and each worker does an equal part of the tasks, one after the other. So tasks can be small enough for the
cache however few threads there are, and each worker needs a workspace for one task only.

Where tasks add up numbers over examples, they add to a *slot*, the place of a partial sum. A slot belongs to
a fixed part of the examples, and each of its numbers is added up by one worker only. In the end the slots are
merged in a fixed order. The number of slots follows from the shape, too.
"""

from __future__ import annotations

from dlkernels._compiler.options import loops, shared

#: A kernel aims at about this many tasks where the shape allows it. They keep 16 threads busy, and let 2
#: threads finish at about the same time even if tasks differ in size.
TASKS = 16
#: The most slots that a sum over examples has.
SLOTS = 64
#: How many numbers of each slot are merged at a time, so that they stay in cache until the last addition.
_MERGED = 512


@shared
def even_parts(n: int, longest: int, multiple: int) -> int:
    """The length of parts that n is cut into: as few equal parts as `longest` allows.

    The length is rounded up to a multiple of `multiple`, so the last part may be shorter.
    """
    parts = max(1, (n + longest - 1) // longest)
    return max(1, ((n + parts - 1) // parts + multiple - 1) // multiple) * multiple


@loops
def share(worker, workers, tasks):
    """The first task of a worker, and the task after its last one."""
    return worker * tasks // workers, (worker + 1) * tasks // workers


@loops
def merge(slots, size, parts, first, last):
    """parts[0, i] = the sum of parts[s, i] over all slots, for first <= i < last; parts is (slots, size).

    Slots are added in pairs: 0 + 1, 2 + 3, ..., then 0 + 2, 4 + 6, ..., and so on.
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
