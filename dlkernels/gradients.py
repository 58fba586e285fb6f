"""Are these gradients those of this function? Derivatives by nudging, as the course teaches them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlkernels._arrays import Array
from dlkernels._values import finite

#: Numbers of a parameter up to which each is nudged by itself.
MOST_ENTRIES = 1000
#: Random directions in which a larger parameter is nudged.
DIRECTIONS = 50


@dataclasses.dataclass(frozen=True)
class GradientCheck:
    """What `check_gradients` found.

    Attributes
    ----------
    relative_difference : float
        ‖approximated - given‖ / (‖approximated‖ + ‖given‖); 0 if all of them are 0. In float64 about 1e-9 for
        right gradients; more than 1e-5 is a fault.
    worst : str
        Where given and approximated derivative are furthest apart: ``W1[2, 0]``, or a direction.
    given, approximated : float
        The derivative there: the one that was given, and the one by nudging.
    count : int
        How many derivatives were compared.
    """

    relative_difference: float
    worst: str
    given: float
    approximated: float
    count: int

    def __str__(self) -> str:
        return (
            f"relative difference {self.relative_difference:.2g} over {self.count} derivatives; worst: "
            f"{self.worst}, given {self.given:.9g}, approximated {self.approximated:.9g}"
        )


def check_gradients(
    f: Callable[[Any], Any], parameters: Any, gradients: Any, epsilon: float = 1e-7
) -> GradientCheck:
    """Compare gradients with central differences, (f(p + epsilon) - f(p - epsilon)) / (2 epsilon).

    Parameters
    ----------
    f : callable
        ``f(parameters)`` is a number. It gets copies, in float64, in the form in which `parameters` came.
    parameters : mapping of str to array_like, sequence of array_like, or array_like
        Where the gradients were computed: arrays or numbers. A list of numbers is one array.
    gradients : as `parameters`
        The derivatives of f with respect to each, in its shape.
    epsilon : float
        How far a parameter is nudged, both ways.

    Returns
    -------
    GradientCheck

    Raises
    ------
    TypeError
        If f can't be called or its value is no single number, or a parameter isn't real numbers.
    ValueError
        If `gradients` has other names, another length or other shapes than `parameters` (the message names
        both), or `epsilon` isn't positive.

    Notes
    -----
    The relative difference is that of Andrew Ng, "Improving Deep Neural Networks", week 1. A parameter of
    more than 1000 numbers is nudged along 50 random directions, always the same, instead of one by one.

    Examples
    --------
    >>> import dlkernels as dk
    >>> found = dk.check_gradients(lambda theta: theta**3, 2.0, 12.0)
    >>> found.relative_difference < 1e-8
    True
    >>> dk.check_gradients(lambda p: p["a"] * p["b"], {"a": 2.0, "b": 5.0}, {"a": 5.0, "b": -2.0}).worst
    'b'
    """
    if not callable(f):
        raise TypeError(f"check_gradients: f must be callable, not {type(f).__name__}")
    epsilon = finite("check_gradients", "epsilon", epsilon)
    if epsilon <= 0:
        raise ValueError(f"check_gradients: epsilon must be positive, not {epsilon}")
    points, rebuild = _named("parameters", parameters)
    slopes, _ = _named("gradients", gradients)
    if points.keys() != slopes.keys():
        raise ValueError(
            f"check_gradients: parameters are {', '.join(points)}, but gradients {', '.join(slopes)}"
        )
    for name, point in points.items():
        if point.shape != slopes[name].shape:
            raise ValueError(
                f"check_gradients: {name} has shape {point.shape}, but its gradient {slopes[name].shape}"
            )
    found: list[tuple[str, float, float]] = []
    for name, point in points.items():
        for where, direction in _directions(name, point.shape):
            ends = []
            for sign in (1, -1):
                nudged = {n: p.copy() for n, p in points.items()}
                nudged[name] += sign * epsilon * direction
                ends.append(_value(f(rebuild(nudged))))
            moved = direction != 0  # else 0 * NaN would put a NaN into every other entry
            given = float(slopes[name][moved] @ direction[moved])
            found.append((where, given, (ends[0] - ends[1]) / (2 * epsilon)))
    return _summary(found)


def _summary(found: list[tuple[str, float, float]]) -> GradientCheck:
    if not found:
        return GradientCheck(0.0, "no parameters", 0.0, 0.0, 0)
    given, approximated = (np.array([entry[i] for entry in found]) for i in (1, 2))
    apart = np.abs(approximated - given)
    worst = int(np.argmax(np.where(np.isnan(apart), np.inf, apart)))
    size = np.linalg.norm(approximated) + np.linalg.norm(given)
    difference = 0.0 if size == 0 else float(np.linalg.norm(approximated - given) / size)
    return GradientCheck(difference, *found[worst], len(found))


def _named(argument: str, values: Any) -> tuple[dict[str, Array], Callable[[dict[str, Array]], Any]]:
    """Arrays in float64 by name, and what puts such arrays into the form in which they came."""
    if isinstance(values, Mapping):
        numbers = {name for name, value in values.items() if np.ndim(value) == 0}
        arrays = {str(name): _array(argument, name, value) for name, value in values.items()}
        keys = list(values)

        def as_mapping(nudged: dict[str, Array]) -> Any:
            return {key: _plain(nudged[str(key)], key in numbers) for key in keys}

        return arrays, as_mapping
    if isinstance(values, Sequence) and any(np.ndim(value) > 0 for value in values):
        arrays = {f"parameter {i}": _array(argument, i, value) for i, value in enumerate(values)}
        single = [np.ndim(value) == 0 for value in values]
        return arrays, lambda nudged: [_plain(p, s) for p, s in zip(nudged.values(), single, strict=True)]
    is_number = np.ndim(values) == 0
    return {"parameter": _array(argument, "", values)}, lambda nudged: _plain(nudged["parameter"], is_number)


def _plain(array: Array, is_number: bool) -> Any:
    return float(array) if is_number else array


def _array(argument: str, name: Any, value: Any) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"check_gradients: {argument} {name} must be real numbers, not {array.dtype}")
    return array.astype(np.float64)


def _directions(name: str, shape: tuple[int, ...]) -> Iterator[tuple[str, Array]]:
    """Every entry by itself, or random directions of length 1."""
    size = int(np.prod(shape))
    if size <= MOST_ENTRIES:
        for index in np.ndindex(shape):
            direction = np.zeros(shape)
            direction[index] = 1
            yield f"{name}[{', '.join(map(str, index))}]" if shape else name, direction
        return
    random = np.random.default_rng(1)
    for i in range(DIRECTIONS):
        yield f"{name} along random direction {i}", random.choice([-1.0, 1.0], shape) / size**0.5


def _value(value: Any) -> float:
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "biuf":
        raise TypeError(
            f"check_gradients: f must return one number, not {array.dtype} of shape {array.shape}"
        )
    return float(array.reshape(()))
