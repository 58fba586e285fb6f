"""Run one library in one process, which prepares a work (a row of `works.WORKS`) and times it in its turns.

Commands come as JSON lines on standard input: {"prepare": INDEX, "dtype": ...} and {"turn": SECONDS}. Answers
go to standard output as JSON lines.
"""

from __future__ import annotations

import json
import os
import sys
from time import perf_counter
from typing import Any

from asv_benchmarks import libraries
from asv_benchmarks.clock import estimate, fastest, seconds
from asv_benchmarks.works import WORKS, arrays

#: The number of calls before anything is timed, and the duration for which `clock.estimate` estimates.
_WARM, _ESTIMATE = 3, 8e-3
#: Seconds of calls at the start of a turn that don't count. After the pause, a thread that wakes may share a
#: CPU with the thread that woke it for up to 6 ms. In this time OpenMP's first call waits for the thread, and
#: tbb does all the work on one thread.
_AWAKE = 0.01


class Prepared:
    """A work in the fastest formulation of the library, ready to be timed."""

    def __init__(self, library: str, index: int, dtype: str) -> None:
        work = WORKS[index]
        forms = libraries.module(library).build(work, arrays(work, dtype))
        if not forms:
            raise ValueError("nothing to compare with")
        for form in forms:
            for _ in range(_WARM):
                form()
        self.function = fastest(forms, _ESTIMATE)
        self.estimate = estimate(self.function, _ESTIMATE)

    def turn(self, budget: float) -> float:
        """Return the seconds of a call: the median of three series, which fill the budget together."""
        calls = max(1, int(budget / 3 / max(self.estimate, 1e-9)))
        start = perf_counter()
        while perf_counter() - start < _AWAKE:  # wakes threads and fills caches after the pause
            self.function()
        return sorted(seconds(self.function, calls) for _ in range(3))[1]


def main() -> None:
    library = sys.argv[1]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # a library's own output goes to stderr, not between the answers
    prepared: Any = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if "prepare" in command:
                prepared = None  # frees the arrays of the last work first
                prepared = Prepared(library, command["prepare"], command["dtype"])
                answer = {"ok": True}
            else:
                answer = {"seconds": prepared.turn(command["turn"])}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
