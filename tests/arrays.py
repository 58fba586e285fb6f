"""Arrays for tests: layouts in memory, arguments for every function, comparison of results.

Everything is seeded.
"""

from __future__ import annotations

import naive
import numpy as np

from dlkernels import backends, catalogue

ACTIVATIONS = tuple(catalogue.ACTIVATIONS)
#: The functions whose arguments `arguments` makes: all but those of networks of any depth.
FUNCTIONS = tuple(name for name in backends.FUNCTIONS if name not in backends.NETWORKS)

# -- layouts -----------------------------------------------------------------------------------------


def c_order(array):
    return np.array(array, order="C")


def fortran_order(array):
    return np.array(array, order="F")


def strided(array):
    """Every second number of a larger array, along each axis."""
    spaced = np.full([2 * n for n in array.shape], 123, array.dtype)
    view = spaced[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view


def negative_strides(array):
    """A view that runs backwards along each axis."""
    backwards = tuple(slice(None, None, -1) for _ in array.shape)
    return np.array(array[backwards], order="C")[backwards]


def inside_larger(array):
    """A block of a larger C array: rows are contiguous, the whole is not."""
    larger = np.full([n + 2 for n in array.shape], 123, array.dtype)
    view = larger[tuple(slice(1, -1) for _ in array.shape)]
    view[...] = array
    return view


def read_only(array):
    frozen = np.array(array, order="C")
    frozen.flags.writeable = False
    return frozen


def byte_swapped(array):
    return array.astype(array.dtype.newbyteorder())


def misaligned(array):
    """The numbers one byte away from where they should lie."""
    memory = np.zeros(array.nbytes + 1, np.uint8)
    view = memory[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


class Subclass(np.ndarray):
    """An ndarray of another type."""


def subclass(array):
    return np.array(array).view(Subclass)


#: (label, layout): each layout makes, from a C array, one with the same numbers and dtype.
LAYOUTS = (
    ("c", c_order),
    ("fortran", fortran_order),
    ("strided", strided),
    ("negative", negative_strides),
    ("block", inside_larger),
    ("read-only", read_only),
    ("byte-swapped", byte_swapped),
    ("misaligned", misaligned),
    ("subclass", subclass),
)


def broadcast(n, m, dtype, seed=0):
    """An (n, m) array of which every row is the same memory (stride 0)."""
    return np.broadcast_to(np.random.RandomState(seed).randn(m).astype(dtype), (n, m))


def zoo(dtype, seed=0):
    """(label, array-like) of many shapes and layouts, for elementwise functions."""
    rng = np.random.RandomState(seed)
    matrix = (3 * rng.randn(5, 7)).astype(dtype)
    found = [(label, layout(matrix)) for label, layout in LAYOUTS]
    found += [
        ("broadcast", broadcast(4, 3, dtype, seed)),
        ("empty", np.empty((0,), dtype)),
        ("empty columns", np.empty((3, 0), dtype)),
        ("0-d", np.array(rng.randn(), dtype)),
        ("scalar", dtype(rng.randn())),
        ("one element", rng.randn(1, 1).astype(dtype)),
        ("vector", rng.randn(11).astype(dtype)),
        ("3-d", rng.randn(2, 3, 4).astype(dtype)),
        ("long", rng.randn(1000).astype(dtype)),
        ("list", rng.randn(3, 2).tolist()),
        ("number", 1.5),
        ("ints", rng.randint(-5, 5, (3, 4))),
        ("small ints", rng.randint(-5, 5, (3, 4)).astype(np.int8)),
        ("unsigned", rng.randint(0, 5, (3, 4)).astype(np.uint8)),
        ("bools", rng.randint(0, 2, (3, 4)).astype(bool)),
    ]
    return found


def float_dtype(*values):
    """The dtype a result should have."""
    kinds = {np.asarray(value).dtype.newbyteorder("=") for value in values}
    return np.dtype(np.float32) if kinds == {np.dtype(np.float32)} else np.dtype(np.float64)


# -- arguments ---------------------------------------------------------------------------------------

#: What a function changes in place.
UPDATED = {
    "gradient_descent": ("parameters",),
    "logistic_descent": ("w",),
    "shallow_descent": ("W1", "b1", "W2", "b2"),
}
#: Arguments that stay Python numbers or strings.
PLAIN = ("b", "activation", "negative_slope", "learning_rate", "num_steps", "return_Z")


def grid(rng, *shape):
    """64ths between -1 and 1: sums of a few products of them are exact, also in float32."""
    return rng.randint(-64, 65, shape) / 64


def arguments(name, rng, n=3, k=4, m=5, dtype=np.float64, activation="tanh", draw=grid):
    """Arguments of a function by name: n rows or units, k rows before, m columns."""

    def array(*shape):
        return draw(rng, *shape).astype(dtype)

    def unit(*shape):
        return rng.uniform(0.02, 0.98, shape).astype(dtype)

    def labels():
        return rng.randint(0, 2, (1, m)).astype(dtype)

    def activated(*shape):
        z = array(*shape)
        return np.tanh(z) if activation == "tanh" else unit(*shape) if activation == "sigmoid" else z

    if name in ACTIVATIONS:
        return {"Z": 8 * array(n, m)}
    if takes_out(name) and name.endswith("_backward"):
        activation = name.removesuffix("_backward")
        return {"dA": array(n, m), saved_name(activation): activated(n, m)}
    if name == "dense_forward":
        given = {"W": array(n, k), "A_prev": array(k, m), "b": array(n, 1)}
        return given | {"activation": activation, "return_Z": True}
    if name == "dense_gradients":
        return {"dZ": array(n, m), "A_prev": array(k, m)}
    if name == "dense_backward":
        given = {"W_next": array(2, n), "dZ_next": array(2, m), "A": activated(n, m)}
        given |= {"A_prev": array(k, m), "activation": activation}
        return given if saved_name(activation) == "A" else given | {"Z": array(n, m)}
    if name in catalogue.COSTS:
        predicted = catalogue.COSTS[name].predicted
        return {predicted: unit(1, m) if predicted == "A" else 8 * array(1, m), "Y": labels()}
    if name == "logistic_propagate":
        return {"w": array(k, 1), "b": float(array(1)[0]), "X": array(k, m), "Y": labels()}
    if name == "logistic_descent":
        given = arguments("logistic_propagate", rng, n, k, m, dtype, draw=draw)
        return given | {"learning_rate": 0.125, "num_steps": 2}
    if name == "shallow_propagate":
        given = {"W1": array(n, k), "b1": array(n, 1), "W2": array(1, n), "b2": array(1, 1)}
        return given | {"X": array(k, m), "Y": labels(), "activation": activation}
    if name == "shallow_descent":
        given = arguments("shallow_propagate", rng, n, k, m, dtype, activation, draw=draw)
        # A second step of relu starts where rounding may decide on which side of 0 a unit is.
        return given | {"learning_rate": 0.125, "num_steps": 1 if "relu" in activation else 2}
    if name == "gradient_descent":
        shapes = ((n, k), (n, 1))
        given = {"parameters": [array(*shape) for shape in shapes]}
        return given | {"gradients": [array(*shape) for shape in shapes], "learning_rate": 0.125}
    if name == "dot":
        return {"a": array(m), "b": array(m)}
    raise KeyError(name)


def saved_name(activation):
    """What the derivative is found from if both are given: A or Z."""
    return "A" if catalogue.ACTIVATIONS[activation].derivative_from == "A" else "Z"


def takes_activation(name):
    return name in ("dense_forward", "dense_backward", "shallow_propagate", "shallow_descent")


def takes_out(name):
    return name in ACTIVATIONS or (name.endswith("_backward") and name != "dense_backward")


def copied(given):
    """The same arguments in new memory, layouts not kept."""

    def copy(value):
        if isinstance(value, list):
            return [copy(item) for item in value]
        return value.copy() if isinstance(value, np.ndarray) else value

    return {key: copy(value) for key, value in given.items()}


def flat_inputs(given):
    """All arrays among arguments."""
    for value in given.values():
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, np.ndarray))


def call(function, name, given):
    """What a function returns and updates, as one flat list; updated arrays first."""
    result = function(**given)
    updated = []
    for key in UPDATED.get(name, ()):
        updated += given[key] if isinstance(given[key], list) else [given[key]]
    if result is None:
        return updated
    return updated + (list(result) if isinstance(result, tuple) else [result])


# -- comparison --------------------------------------------------------------------------------------


def eps(dtype):
    return float(np.finfo(dtype).eps)


def magnitude(name, given):
    """How much larger than one rounding error the error of a result may be.

    The longest chain is that of a two-layer network: z1, z2, dz1 and dW1 are sums of products, so the
    bound is the product of what each of them can be amplified by. Elementwise functions have none.
    """
    if takes_out(name):
        return 1.0
    size = 1.0
    for array in flat_inputs(given):
        with np.errstate(invalid="ignore"):
            largest = float(np.abs(array.astype(np.float64)).max(initial=0.0))
        size *= 1.0 + largest
    longest = max((max(array.shape, default=1) for array in flat_inputs(given)), default=1)
    return size * max(1, longest)


def slack(name, given, dtype):
    """How far four roundings of Z move results of an elementwise function: formulas may be off by that.

    Where the slope is great, that is a lot: gelu(-8) is moved by 256 of its own roundings. (How exact the
    kernels are is tested by itself, in units in the last place.)
    """
    if not takes_out(name) or "Z" not in given:
        return 0.0
    z, *gradient = (np.ravel(given[key]).astype(np.float64) for key in ("Z", "dA") if key in given)
    parameters = {key: value for key, value in given.items() if key not in ("Z", "dA")}
    before, after = (
        getattr(naive, name)(*gradient, Z=z * (1 + step * eps(dtype)), **parameters) for step in (-4, 4)
    )
    return np.abs(np.subtract(before, after)) / 2


def assert_agree(actual, expected, dtype, scale=1.0, ulps=8, slack=0.0):
    """Equal NaNs and infinities; else within `ulps` roundings plus `scale` absolute plus `slack`."""
    actual = np.asarray(actual, np.float64)
    expected = np.asarray(expected, np.float64).reshape(actual.shape)
    tolerance = ulps * eps(dtype)
    atol = tolerance * scale if scale != 1.0 else float(np.finfo(dtype).tiny)
    if np.ndim(slack):
        with np.errstate(invalid="ignore"):
            near = np.abs(actual - expected) <= tolerance * np.abs(expected) + np.reshape(slack, actual.shape)
        actual = np.where(near, expected, actual)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=atol)


def assert_close(actual, expected, dtype):
    """Equal to a few roundings of the largest number: for arrays of sums that don't cancel."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    scale = np.abs(expected).max(initial=0.0) + 1e-3
    np.testing.assert_allclose(actual / scale, expected / scale, rtol=0, atol=100 * eps(dtype))
