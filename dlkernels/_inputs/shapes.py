"""Error messages for shapes that don't fit together. The rules themselves are in `_kernels.shapes`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dlkernels._inputs import arrays, labels
from dlkernels._inputs.arrays import Array
from dlkernels._kernels.shapes import Rule

#: The hint for the case that X doesn't fit, but X.T would.
X_TRANSPOSED = "; X looks transposed: examples are columns, so pass X.T"

_AXES = ("rows", "columns")


class _Named(NamedTuple):
    name: str
    array: Array

    def __str__(self) -> str:
        return f"{self.name} {self.array.shape}"


def fitting(function: str, rule: Rule, given: Mapping[str, Any]) -> list[Array]:
    """Check the inputs of a rule, given by their names; return them in one dtype, in C or Fortran order.

    Float arrays are copied only after all shapes are known to fit, because one that doesn't may be of any
    size.
    """
    found = arrays.matrices(function, given)
    need_fit(function, rule, dict(zip(given, found, strict=True)))
    return arrays.alike(found)


def need_fit(function: str, rule: Rule, given: Mapping[str, Array]) -> None:
    """Raise an error if shapes don't fit; the message names two arrays and says why."""
    found = [given[name] for name in rule.inputs]
    if not rule.inputs_fit(tuple([array.shape for array in found])):
        raise ValueError(f"{function}: {_why(rule, found)}")


def other_features(fitted: str, X: Array, n_x: int) -> str:
    """The message about examples with other features than those that something was fitted with.

    It is empty if the number of features, n_x, is right.
    """
    rows, m = X.shape
    if rows == n_x:
        return ""
    hint = X_TRANSPOSED if m == n_x else ""
    return f"X has {rows} features, a row each, but the {fitted} was fitted with {n_x} (X {X.shape}){hint}"


def _why(rule: Rule, found: Sequence[Array]) -> str:
    """The message about the first thing that is wrong with shapes that don't fit."""
    named = [_Named(name, array) for name, array in zip(rule.inputs, found, strict=True)]
    lengths: dict[str, int] = {"1": 1}
    origin: dict[str, tuple[_Named, int]] = {}
    for position, (own, letters) in enumerate(zip(named, rule.inputs.values(), strict=True)):
        for axis, letter in enumerate(letters):
            length = own.array.shape[axis]
            if letter not in lengths:
                lengths[letter], origin[letter] = length, (own, axis)
            elif length != lengths[letter]:
                if "1" not in letters:
                    return _unequal(*origin[letter], own, axis)
                known = [letter for letter in letters if letter in origin and origin[letter][0] is not own]
                other = origin[known[0]][0] if known else named[position - 1]
                return _other_shape(own, other, letters, lengths)
    examples, _ = origin["m"]
    return f"the mean over 0 examples is undefined ({examples})"


def _unequal(first: _Named, axis: int, second: _Named, other_axis: int) -> str:
    """The message for two axes that must have the same length, and don't."""
    length, other = first.array.shape[axis], second.array.shape[other_axis]
    transposed = second.name == "X" and length == second.array.shape[1 - other_axis]
    return (
        f"{first.name} has {length} {_AXES[axis]} but {second.name} has {other} {_AXES[other_axis]} "
        f"({first}, {second}){X_TRANSPOSED if transposed else ''}"
    )


def _other_shape(own: _Named, other: _Named, letters: str, lengths: dict[str, int]) -> str:
    """The message for an array that must be a row or a column, and isn't."""
    if all(letter in lengths for letter in letters):
        shape = tuple(lengths[letter] for letter in letters)
        wanted = f"must have shape {shape} but has shape {own.array.shape}"
    else:
        wanted = "must have 1 row"
    return f"{own.name} {wanted} ({own}, {other}){_if_transposed(own, other)}"


def _if_transposed(own: _Named, other: _Named) -> str:
    """A hint for the case that the array would fit X.T, or that its own transpose would fit."""
    m = other.array.shape[1]
    if own.name == "Y":
        if other.name != "X":
            return labels.as_a_row("pass", "Y", own.array, m)
        hint = labels.as_columns("pass", "X", other.array, "Y", own.array)
        return hint and f"; {hint}"
    return X_TRANSPOSED if (own.name, other.name, own.array.shape) == ("w", "X", (m, 1)) else ""
