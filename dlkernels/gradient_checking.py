"""Check gradients against derivatives by nudging (central differences), as the course teaches them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlkernels._inputs.arrays import Array
from dlkernels._inputs.values import finite

#: The numbers of a parameter are nudged one by one if there are at most so many.
MOST_ENTRIES = 1000
#: The number of random directions in which a larger parameter is nudged.
DIRECTIONS = 50
#: A relative difference below RIGHT is that of right gradients, one above WRONG is not: the course's limits.
RIGHT, WRONG = 1e-7, 1e-5


@dataclasses.dataclass(frozen=True)
class GradientCheck:
    """The result of `check_gradients`. As text it says whether the gradients are right, and why.

    Attributes
    ----------
    relative_difference : float
        ‖approximated - given‖ / (‖approximated‖ + ‖given‖); 0 if all derivatives are 0.
    verdict : str
        "right" if the relative difference is below 1e-7, "wrong" if it is above 1e-5 or NaN, otherwise
        "look again"; "nothing to compare" if there are no derivatives.
    worst : str
        The place where given and approximated derivative are furthest apart: ``W1[2, 0]``, or a direction.
    given, approximated : float
        The derivative at this place: the one that was given, and the one by nudging.
    count : int
        The number of derivatives that were compared.
    """

    relative_difference: float
    worst: str
    given: float
    approximated: float
    count: int

    @property
    def verdict(self) -> str:
        if not self.count:
            return "nothing to compare"
        if self.relative_difference < RIGHT:
            return "right"
        return "look again" if self.relative_difference <= WRONG else "wrong"

    def __str__(self) -> str:
        if not self.count:
            return f"{self.verdict}: the parameters hold no numbers"
        low, high = (f"{limit:.0e}".replace("e-0", "e-") for limit in (RIGHT, WRONG))
        found = f"relative difference {self.relative_difference:.2g}"
        derivatives = f"{self.count} derivative{'s' if self.count > 1 else ''}"
        where = f"Furthest apart: {self.worst}, given {self.given:.9g}, approximated {self.approximated:.9g}."
        if self.verdict == "right":
            return f"right: {found}, below {low}, over {derivatives}.\n{where}"
        if self.verdict == "wrong":
            return f"wrong: {found}, where rounding gives at most {high}, over {derivatives}.\n{where}"
        return (
            f"look again: {found}, between {low} and {high}, over {derivatives}.\n{where}\n"
            "Rounding can raise the difference so far where derivatives are tiny: check at larger weights, "
            "too."
        )


def check_gradients(
    f: Callable[[Any], Any], parameters: Any, gradients: Any, epsilon: float = 1e-7
) -> GradientCheck:
    """Compare gradients with central differences, (f(p + epsilon) - f(p - epsilon)) / (2 epsilon).

    Parameters
    ----------
    f : callable
        ``f(parameters)`` returns a number. f is called with float64 copies, in the same form as `parameters`.
    parameters : mapping of str to array_like, sequence of array_like, or array_like
        The parameters at which the gradients were computed: arrays or numbers. A list of numbers counts as
        one array.
    gradients : as `parameters`
        The derivatives of f with respect to each parameter, in the parameter's shape.
    epsilon : float
        The distance by which a parameter is nudged, up and down.

    Returns
    -------
    GradientCheck
        Printed, it says whether the gradients are right. Its attributes are `relative_difference`; `verdict`,
        which is "right", "look again" or "wrong" (see Notes); `worst`, the place where given and approximated
        derivative are furthest apart, such as ``W1[2, 0]``; `given` and `approximated`, the derivative at
        this place; and `count`, the number of derivatives that were compared.

    Raises
    ------
    TypeError
        If f can't be called or its value is no single number, or a parameter isn't real numbers.
    ValueError
        If `gradients` has other names, another length or other shapes than `parameters` (the message names
        both), or `epsilon` isn't positive or is too small to change a parameter.

    Notes
    -----
    The relative difference is ‖approximated - given‖ / (‖approximated‖ + ‖given‖), and its limits are those
    of Andrew Ng, "Improving Deep Neural Networks", week 1: gradients are right below 1e-7, wrong above 1e-5,
    and in between one should look again.

    Central differences have rounding errors of about 1e-9 times the size of f. Therefore the relative
    difference is about 1e-9 for right gradients in float64, and larger where all derivatives are tiny, as
    those of a network with weights near 0. Then check at larger weights, too. If f computes in float32, the
    nudge of 1e-7 is lost in rounding.

    The numbers of a parameter are nudged one by one. If it has more than 1000, it is nudged along 50 random
    directions instead, the same ones in every call.

    Examples
    --------
    >>> import dlkernels as dk
    >>> found = dk.check_gradients(lambda theta: theta**3, 2.0, 12.0)
    >>> found.verdict
    'right'
    >>> print(dk.check_gradients(lambda theta: 2 * theta, 4.0, 3.0))
    wrong: relative difference 0.2, where rounding gives at most 1e-5, over 1 derivative.
    Furthest apart: parameter, given 3, approximated 2.
    >>> dk.check_gradients(lambda p: p["a"] * p["b"], {"a": 2.0, "b": 5.0}, {"a": 5.0, "b": -2.0}).worst
    'b'
    """
    if not callable(f):
        raise TypeError(f"check_gradients: f must be callable, not {type(f).__name__}")
    epsilon = finite("check_gradients", "epsilon", epsilon)
    if epsilon <= 0:
        raise ValueError(f"check_gradients: epsilon must be positive, not {epsilon}")
    form = _Form(parameters)
    points = [_array("parameters", name, value) for name, value in zip(form.names, form.values, strict=True)]
    slopes = [_array("gradients", n, v) for n, v in zip(form.names, form.same(gradients), strict=True)]
    for name, point, slope in zip(form.names, points, slopes, strict=True):
        if point.shape != slope.shape:
            raise ValueError(
                f"check_gradients: {name} has shape {point.shape}, but its gradient {slope.shape}"
            )
    found: list[tuple[str, float, float]] = []
    for i, (name, point) in enumerate(zip(form.names, points, strict=True)):
        for where, direction in _directions(name, point.shape):
            moved = direction != 0  # leave out the other entries: 0 * NaN would be NaN
            if (point[moved] + epsilon == point[moved]).any():
                raise ValueError(f"check_gradients: an epsilon of {epsilon} doesn't change {where}")
            ends = []
            for sign in (1, -1):
                nudged = [p.copy() for p in points]
                nudged[i] += sign * epsilon * direction
                ends.append(_value(f(form.rebuilt(nudged))))
            with np.errstate(all="ignore"):
                given = float(slopes[i][moved] @ direction[moved])
                found.append((where, given, float((np.float64(ends[0]) - ends[1]) / (2 * epsilon))))
    return _summary(found)


def _summary(found: list[tuple[str, float, float]]) -> GradientCheck:
    if not found:
        return GradientCheck(0.0, "no parameters", 0.0, 0.0, 0)
    given, approximated = (np.array([entry[i] for entry in found]) for i in (1, 2))
    with np.errstate(all="ignore"):
        apart = np.abs(approximated - given)
        worst = int(np.argmax(np.where(np.isnan(apart), np.inf, apart)))
        # Divide by the largest number first: squares of very small or large numbers would be 0 or infinite.
        scale = max(np.abs(given).max(), np.abs(approximated).max())
        size = np.linalg.norm(approximated / scale) + np.linalg.norm(given / scale)
        difference = 0.0 if scale == 0 else float(np.linalg.norm(apart / scale) / size)
    return GradientCheck(difference, *found[worst], len(found))


class _Form:
    """The form of the parameters: a mapping, a sequence of arrays, or one array or number."""

    def __init__(self, parameters: Any) -> None:
        self._given = parameters
        self._is_mapping = isinstance(parameters, Mapping)
        self._is_sequence = isinstance(parameters, Sequence) and any(np.ndim(p) > 0 for p in parameters)
        if self._is_mapping:
            self.names, self.values = [str(key) for key in parameters], list(parameters.values())
        elif self._is_sequence:
            self.names, self.values = [f"parameter {i}" for i in range(len(parameters))], list(parameters)
        else:
            self.names, self.values = ["parameter"], [parameters]

    def same(self, gradients: Any) -> list[Any]:
        """Return the gradients in the order of the parameters; refuse gradients in another form."""
        if self._is_mapping:
            if not isinstance(gradients, Mapping) or gradients.keys() != self._given.keys():
                named = ", ".join(map(str, gradients)) if isinstance(gradients, Mapping) else "no mapping"
                raise ValueError(
                    f"check_gradients: the parameters are {', '.join(self.names)}, but the gradients {named}"
                )
            return [gradients[key] for key in self._given]
        if not self._is_sequence:
            return [gradients]
        if not isinstance(gradients, Sequence) or len(gradients) != len(self.values):
            length = f"{len(gradients)}" if isinstance(gradients, Sequence) else "no sequence"
            raise ValueError(f"check_gradients: parameters: {len(self.values)}, but gradients: {length}")
        return list(gradients)

    def rebuilt(self, arrays: list[Array]) -> Any:
        """Return other arrays in the form of the parameters; a number becomes a float again."""
        values = [
            array if isinstance(value, np.ndarray) or array.ndim > 0 else float(array)
            for value, array in zip(self.values, arrays, strict=True)
        ]
        if self._is_mapping:
            result = copy.copy(self._given)
            result.update(zip(self._given, values, strict=True))
            return result
        if not self._is_sequence:
            return values[0]
        kind = type(self._given)
        return kind(*values) if hasattr(kind, "_fields") else kind(values)


def _array(argument: str, name: Any, value: Any) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"check_gradients: {argument} {name} must be real numbers, not {array.dtype}")
    return array.astype(np.float64)


def _directions(name: str, shape: tuple[int, ...]) -> Iterator[tuple[str, Array]]:
    """Yield a name and a direction for each entry, or for random directions, whose entries are 1 and -1."""
    size = int(np.prod(shape))
    if size <= MOST_ENTRIES:
        for index in np.ndindex(shape):
            direction = np.zeros(shape)
            direction[index] = 1
            yield f"{name}[{', '.join(map(str, index))}]" if shape else name, direction
        return
    random = np.random.default_rng(1)
    for i in range(DIRECTIONS):
        yield f"{name} along random direction {i}", random.choice([-1.0, 1.0], shape)


def _value(value: Any) -> float:
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "biuf":
        raise TypeError(
            f"check_gradients: f must return one number, not {array.dtype} of shape {array.shape}"
        )
    return float(array.reshape(()))
