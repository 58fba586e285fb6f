"""How the blocks are shared out, and what is remembered of a round."""

from __future__ import annotations

import bisect
import itertools
import math
from typing import NamedTuple

#: A part takes at most this fraction of a worker's memory, so that Dask can spill parts one by one.
OF_MEMORY = 0.2

#: The times of so many rounds are remembered.
LAST = 100

#: A cut may be moved by this fraction of a part, to where the tree of the sums has large nodes.
_TOLERANCE = 1 / 16


class Round(NamedTuple):
    """Where the time of a round went.

    Attributes
    ----------
    seconds : float
        From the call to the sums.
    kernel_seconds : float
        What the slowest worker spent in the function. The rest of the time is Dask's.
    """

    seconds: float
    kernel_seconds: float


def number_of_parts(sizes: list[int], workers: int, memory: float) -> int:
    """A part for each worker; more if parts would be too large for a worker with so much memory."""
    needed = math.ceil(sum(sizes) / (OF_MEMORY * memory)) if memory else 0
    parts_per_worker = max(1, math.ceil(needed / workers))
    return min(len(sizes), parts_per_worker * workers)


def cuts(sizes: list[int], parts: int) -> list[range]:
    """Consecutive blocks for each part, of about the same number of bytes.

    The blocks that begin at a multiple of a high power of two and end there have few nodes in the tree. Each
    node is as large as theta and is sent to the client, so a cut may move a little to such a place.
    """
    ends = list(itertools.accumulate(max(size, 1) for size in sizes))
    slack = int(_TOLERANCE * len(sizes) / parts)
    bounds = [0]
    for k in range(1, parts):
        wanted = ends[-1] * k / parts
        after = bisect.bisect_left(ends, wanted)
        around = range(max(after - 1, 0), min(after + 1, len(ends)))
        nearest = min(around, key=lambda i: abs(ends[i] - wanted)) + 1
        near = range(max(nearest - slack, 1), min(nearest + slack, len(sizes) - 1) + 1)
        bounds.append(max(near, key=lambda i: (i & -i, -abs(i - nearest)), default=nearest))
    bounds.append(len(sizes))
    return [range(a, b) for a, b in itertools.pairwise(bounds) if a < b]
