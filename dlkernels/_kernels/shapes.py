"""Which shapes fit together: one rule for each function of the package.

A rule gives each axis of each array a letter. Axes with the same letter must have the same length; an axis
"1" has length 1. The checks of calls from Python (`_inputs.checks`), the direct calls (`direct`) and the
functions for compiled code (`_nopython`) all use the same rule. `Rule.fits` returns a plain Python function,
which Numba can compile as well.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Rule:
    """The letters of the inputs of a function, in the order in which they are checked, and of its results.

    A function that `averages` over the examples, whose letter is m, needs at least one example.
    """

    inputs: dict[str, str]
    results: dict[str, str]
    averages: bool

    @functools.cached_property
    def inputs_fit(self) -> Callable[[Any], bool]:
        """A function that says whether a tuple of shapes fits: the shapes of all inputs, in their order."""
        return self.fits()

    def fits(self, *results: str) -> Callable[[Any], bool]:
        """As `inputs_fit`, for the shapes of all inputs followed by the shapes of these results."""
        arrays = [*self.inputs.values(), *(self.results[name] for name in results)]
        # Each axis is compared with the last axis before it that has the same letter. An axis "1" is compared
        # with an axis of the shape (1, 1), which `fit` adds as the last shape.
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
        """The shapes of the results, by name, from the shapes of the inputs, which must fit."""
        lengths = {"1": 1}
        for letters, shape in zip(self.inputs.values(), shapes, strict=True):
            lengths |= dict(zip(letters, shape, strict=True))
        return {name: tuple(lengths[letter] for letter in letters) for name, letters in self.results.items()}


def _letters(text: str) -> dict[str, str]:
    return dict(entry.split() for entry in text.split(", ")) if text else {}


def _rule(inputs: str, results: str = "", averages: bool = True) -> Rule:
    return Rule(_letters(inputs), _letters(results), averages)


#: n units and k inputs of a layer, m examples. In DENSE_BACKWARD: n units and p inputs, k units of the next
#: layer. In the models: n features, h hidden units.
DENSE_FORWARD = _rule("W nk, A_prev km, b n1", "A nm, Z nm", averages=False)
DENSE_GRADIENTS = _rule("dZ nm, A_prev km", "dW nk, db n1")
DENSE_BACKWARD = _rule("W_next kn, dZ_next km, A nm, A_prev pm", "dZ nm, dW np, db n1")
DENSE_BACKWARD_WITH_Z = _rule("W_next kn, dZ_next km, A nm, A_prev pm, Z nm", "dZ nm, dW np, db n1")
LOGISTIC = _rule("X nm, w n1, Y 1m", "dw n1")
SHALLOW = _rule("W1 hn, X nm, b1 h1, W2 1h, b2 11, Y 1m", "dW1 hn, db1 h1, dW2 1h, db2 11")
LABELLED = _rule("X nm, Y 1m")
#: The rule of a cost, by the matrix from which the cost is computed (A or Z).
COST = {predicted: _rule(f"{predicted} 1m, Y 1m") for predicted in "AZ"}
