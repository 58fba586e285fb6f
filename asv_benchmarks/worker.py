"""One library in one process: prepares a work when told to, and times it when it is its turn.

Commands come as JSON lines, answers go back the same way: {"prepare": INDEX, "dtype": ...} and
{"turn": SECONDS}.
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

#: Calls before anything is timed, and seconds that an estimate is to be good for.
_WARM, _ESTIMATE = 3, 8e-3
#: Seconds of calls before a turn. A thread that wakes after the pause may share the CPU of the one that woke
#: it for up to 6 ms. OpenMP waits for it in its first call, tbb does all the work on one thread meanwhile.
_AWAKE = 0.01


class Prepared:
    """The fastest formulation of a work."""

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
        """Seconds a call: the median of three series that fill the budget."""
        calls = max(1, int(budget / 3 / max(self.estimate, 1e-9)))
        start = perf_counter()
        while perf_counter() - start < _AWAKE:  # brings threads and data back after the pause
            self.function()
        return sorted(seconds(self.function, calls) for _ in range(3))[1]


def main() -> None:
    library = sys.argv[1]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints must not get between the answers
    prepared: Any = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if "prepare" in command:
                prepared = None  # frees the arrays of the last one first
                prepared = Prepared(library, command["prepare"], command["dtype"])
                answer = {"ok": True}
            else:
                answer = {"seconds": prepared.turn(command["turn"])}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
