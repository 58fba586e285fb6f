"""Which shapes fit together: one rule for each function, which everything that looks at shapes goes by.

A rule gives each axis of each array a letter. Axes of one letter have the same length, an axis "1" has length
1. The checks of calls from Python (`_inputs.checks`), the direct calls (`direct`) and the functions for
compiled code (`_nopython`) all ask the same rule. It is plain Python, which compiled code can run as well.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Rule:
    """The letters of all arrays that a function takes, in the order of checking, and of its results.

    A function that `averages` needs at least one example; their letter is m.
    """

    inputs: dict[str, str]
    results: dict[str, str]
    averages: bool

    @functools.cached_property
    def inputs_fit(self) -> Callable[[Any], bool]:
        """What tells whether shapes fit together: a tuple of those of all inputs, in their order."""
        return self.fits()

    def fits(self, *results: str) -> Callable[[Any], bool]:
        """The same for the shapes of all inputs, followed by those of these results."""
        arrays = [*self.inputs.values(), *(self.results[name] for name in results)]
        # Each axis is compared with the last one before it of the same letter, or with an axis of length 1.
        last, pairs = {"1": (len(arrays), 0)}, []
        for a, letters in enumerate(arrays):
            for axis, letter in enumerate(letters):
                if letter in last:
                    pairs.append((a, axis, *last[letter]))
                if letter != "1":
                    last[letter] = (a, axis)
        compared, (examples, examples_axis), fewest = tuple(pairs), last["m"], int(self.averages)

        def fit(shapes: Any) -> bool:
            with_one = shapes + ((1, 1),)  # noqa: RUF005  (compiled code can't unpack)
            for a, axis, b, other in compared:
                if with_one[a][axis] != with_one[b][other]:
                    return False
            return bool(with_one[examples][examples_axis] >= fewest)

        return fit

    def result_shapes(self, shapes: Sequence[tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        """The shapes of the results, by their names, from those of the inputs, which fit."""
        lengths = {"1": 1}
        for letters, shape in zip(self.inputs.values(), shapes, strict=True):
            lengths |= dict(zip(letters, shape, strict=True))
        return {name: tuple(lengths[letter] for letter in letters) for name, letters in self.results.items()}


def _letters(text: str) -> dict[str, str]:
    return dict(entry.split() for entry in text.split(", ")) if text else {}


def _rule(inputs: str, results: str = "", averages: bool = True) -> Rule:
    return Rule(_letters(inputs), _letters(results), averages)


#: n units, k inputs of a layer (for the backward pass: units of the next layer, and p inputs), m examples,
#: h hidden units.
DENSE_FORWARD = _rule("W nk, A_prev km, b n1", "A nm, Z nm", averages=False)
DENSE_GRADIENTS = _rule("dZ nm, A_prev km", "dW nk, db n1")
DENSE_BACKWARD = _rule("W_next kn, dZ_next km, saved nm, A_prev pm", "dZ nm, dW np, db n1")
LOGISTIC = _rule("X nm, w n1, Y 1m", "dw n1")
SHALLOW = _rule("W1 hn, X nm, b1 h1, W2 1h, b2 11, Y 1m", "dW1 hn, db1 h1, dW2 1h, db2 11")
LABELLED = _rule("X nm, Y 1m")
#: By what a cost is computed from.
COST = {predicted: _rule(f"{predicted} 1m, Y 1m") for predicted in "AZ"}
