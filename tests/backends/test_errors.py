"""Every error of the contract: its type, its words, the same in the three backends, nothing written."""

from __future__ import annotations

import arrays
import numpy as np
import pytest

from dlkernels import backends


def zeros(*shape, dtype=np.float64):
    return np.zeros(shape, dtype)


def out(*shape, dtype=np.float64):
    return np.full(shape, np.nan, dtype)


def frozen(*shape):
    return arrays.read_only(zeros(*shape))


def base(name):
    return arrays.arguments(name, np.random.RandomState(0), 3, 4, 5)


def snapshot(value):
    if isinstance(value, list | tuple):
        return [snapshot(item) for item in value]
    return np.array(value).tobytes() if isinstance(value, np.ndarray) else repr(value)


def error_of(backend, name, given):
    before = snapshot(list(given.values()))
    with pytest.raises((TypeError, ValueError)) as caught:
        getattr(backends.get(backend), name)(**given)
    assert snapshot(list(given.values())) == before, "something was written"
    return type(caught.value), str(caught.value)


def assert_error(name, given, kind, *words):
    errors = {backend: error_of(backend, name, given) for backend in backends.NAMES}
    assert len(set(errors.values())) == 1, errors
    found, message = errors["numpy"]
    assert found is kind
    assert message.startswith(f"{name}: ")
    for word in words:
        assert word in message


#: (function, arguments that differ from good ones, error, words of the message)
SHAPES = [
    ("sigmoid_backward", {"dA": zeros(3, 4)}, ["dA and A", "same shape", "(3, 4)", "(3, 5)"]),
    ("tanh_backward", {"dA": zeros(15)}, ["dA and A", "same shape", "(15,)", "(3, 5)"]),
    ("relu_backward", {"Z": zeros(3, 1)}, ["dA and Z", "same shape", "(3, 5)", "(3, 1)"]),
    ("leaky_relu_backward", {"Z": zeros(5, 3)}, ["dA and Z", "same shape", "(3, 5)", "(5, 3)"]),
    ("identity_backward", {"Z": zeros()}, ["dA and Z", "same shape", "(3, 5)", "()"]),
    ("dense_forward", {"W": zeros(3, 6)}, ["W has 6 columns but A_prev has 4 rows", "(3, 6)", "(4, 5)"]),
    ("dense_forward", {"b": zeros(4, 1)}, ["b must have shape (3, 1)", "b (4, 1)", "W (3, 4)"]),
    ("dense_forward", {"b": zeros(1, 3)}, ["b must have shape (3, 1)", "b (1, 3)", "W (3, 4)"]),
    ("dense_forward", {"b": zeros(3)}, ["b must have 2 axes", "(3,)", "b.reshape(-1, 1)"]),
    ("dense_forward", {"A_prev": zeros(4)}, ["A_prev must have 2 axes", "(4,)", "A_prev.reshape(-1, 1)"]),
    ("dense_forward", {"W": zeros(3, 4, 1)}, ["W must have 2 axes", "(3, 4, 1)"]),
    ("dense_gradients", {"dZ": zeros(3, 6)}, ["dZ has 6 columns but A_prev has 5", "(3, 6)", "(4, 5)"]),
    ("dense_gradients", {"dZ": zeros(3, 0), "A_prev": zeros(4, 0)}, ["0 examples", "dZ (3, 0)"]),
    ("dense_backward", {"W_next": zeros(3, 3)}, ["W_next has 3 rows but dZ_next has 2", "(3, 3)", "(2, 5)"]),
    ("dense_backward", {"W_next": zeros(2, 4)}, ["W_next has 4 columns but A has 3", "(2, 4)", "(3, 5)"]),
    ("dense_backward", {"A": zeros(3, 6)}, ["dZ_next has 5 columns but A has 6", "(2, 5)", "(3, 6)"]),
    ("dense_backward", {"A_prev": zeros(4, 6)}, ["dZ_next has 5 columns but A_prev has 6", "(4, 6)"]),
    ("dense_backward", {"dZ_next": zeros(2, 0), "A": zeros(3, 0), "A_prev": zeros(4, 0)}, ["0 examples"]),
    ("binary_cross_entropy", {"A": zeros(1, 4)}, ["Y must have shape (1, 4)", "A (1, 4)", "Y (1, 5)"]),
    ("binary_cross_entropy", {"A": zeros(2, 5)}, ["A must have 1 row", "(2, 5)", "(1, 5)"]),
    ("binary_cross_entropy", {"Y": zeros(5)}, ["Y must have 2 axes", "(5,)", "Y.reshape(1, -1)"]),
    ("binary_cross_entropy", {"Y": zeros(5, 1)}, ["must have shape (1, 5)", "(Y (5, 1), A (1, 5))", "Y.T"]),
    ("binary_cross_entropy", {"Y": np.eye(2)[:, [0, 1, 1, 0, 1]]}, ["(Y (2, 5), A (1, 5))", "pass Y[1:2]"]),
    ("binary_cross_entropy", {"A": zeros(1, 0), "Y": zeros(1, 0)}, ["0 examples", "A (1, 0)"]),
    ("binary_cross_entropy_with_logits", {"Z": zeros(1, 4)}, ["have shape (1, 4)", "Y (1, 5), Z (1, 4)"]),
    ("binary_cross_entropy_with_logits", {"Z": zeros(1, 0), "Y": zeros(1, 0)}, ["0 examples", "Z (1, 0)"]),
    ("squared_error", {"A": zeros(1, 4)}, ["Y must have shape (1, 4)", "A (1, 4)", "Y (1, 5)"]),
    ("squared_error", {"A": zeros(1, 0), "Y": zeros(1, 0)}, ["0 examples"]),
    ("dot", {"a": zeros(4)}, ["a and b must have the same length", "a (4,)", "b (5,)"]),
    ("dot", {"b": zeros(5, 1)}, ["b must have 1 axis", "(5, 1)", "b.ravel()"]),
    ("gradient_descent", {"gradients": [zeros(3, 4)]}, ["2 parameters but 1 gradients"]),
    (
        "gradient_descent",
        {"gradients": [zeros(3, 4), zeros(3)]},
        ["parameters[1] and gradients[1]", "(3, 1)", "(3,)"],
    ),
]  # fmt: skip
LOGISTIC = [
    ({"w": zeros(3, 1)}, ["w must have shape (4, 1)", "w (3, 1)", "X (4, 5)"]),
    ({"w": zeros(1, 4)}, ["w must have shape (4, 1)", "w (1, 4)", "X (4, 5)"]),
    ({"w": zeros(4)}, ["w must have 2 axes", "(4,)", "w.reshape(-1, 1)"]),
    ({"Y": zeros(1, 4)}, ["Y must have shape (1, 5)", "Y (1, 4)", "X (4, 5)"]),
    ({"Y": zeros(5)}, ["Y must have 2 axes", "(5,)", "Y.reshape(1, -1)"]),
    ({"X": zeros(4)}, ["X must have 2 axes", "(4,)", "X.reshape(-1, 1)"]),
    ({"X": zeros(4, 0), "Y": zeros(1, 0)}, ["0 examples", "X (4, 0)"]),
    ({"b": zeros(2)}, ["b must be one number", "(2,)"]),
]
SHALLOW = [
    ({"W1": zeros(3, 5)}, ["W1 has 5 columns but X has 4 rows", "W1 (3, 5)", "X (4, 5)"]),
    ({"b1": zeros(1, 3)}, ["b1 must have shape (3, 1)", "b1 (1, 3)", "W1 (3, 4)"]),
    ({"b1": zeros(3)}, ["b1 must have 2 axes", "(3,)", "b1.reshape(-1, 1)"]),
    ({"W2": zeros(1, 4)}, ["W2 must have shape (1, 3)", "W2 (1, 4)", "W1 (3, 4)"]),
    ({"W2": zeros(2, 3)}, ["W2 must have shape (1, 3)", "W2 (2, 3)"]),
    ({"b2": zeros(2, 1)}, ["b2 must have shape (1, 1)", "b2 (2, 1)", "W2 (1, 3)"]),
    ({"Y": zeros(1, 4)}, ["Y must have shape (1, 5)", "Y (1, 4)", "X (4, 5)"]),
    ({"Y": zeros(5)}, ["Y must have 2 axes", "Y.reshape(1, -1)"]),
    ({"X": zeros(4, 0), "Y": zeros(1, 0)}, ["0 examples", "X (4, 0)"]),
]
SHAPES += [(f"logistic_{kind}", *case) for kind in ("propagate", "descent") for case in LOGISTIC]
SHAPES += [(f"shallow_{kind}", *case) for kind in ("propagate", "descent") for case in SHALLOW]


@pytest.mark.parametrize(("name", "wrong", "words"), SHAPES)
def test_shapes(name, wrong, words):
    assert_error(name, base(name) | wrong, ValueError, *words)


BAD = [
    (np.zeros(1, np.float16), "float16"),
    (np.zeros(1, np.longdouble), str(np.dtype(np.longdouble))),
    (np.zeros(1, np.complex128), "complex128"),
    (np.zeros(1, object), "object"),
    (np.array(["a"]), "<U1"),
    (np.zeros(1, "datetime64[s]"), "datetime64[s]"),
    (np.ma.zeros(1), "masked"),
]


@pytest.mark.parametrize(("bad", "word"), BAD, ids=[word for _, word in BAD])
@pytest.mark.parametrize("name", arrays.FUNCTIONS)
def test_dtypes(name, bad, word):
    """Every array argument names itself and its dtype."""
    good = base(name)
    for key, value in good.items():
        if isinstance(value, np.ndarray):
            wrong = bad.repeat(value.size).reshape(value.shape)
            expected = "fill" if word == "masked" and key not in arrays.UPDATED.get(name, ()) else word
            assert_error(name, good | {key: wrong}, TypeError, key, expected)
    if name == "gradient_descent":
        for key in ("parameters", "gradients"):
            wrong = [bad.repeat(array.size).reshape(array.shape) for array in good[key]]
            assert_error(name, good | {key: wrong}, TypeError, f"{key}[0]")


@pytest.mark.parametrize("name", [n for n in arrays.FUNCTIONS if n != "gradient_descent"])
def test_ragged_lists(name):
    key = next(iter(base(name)))
    assert_error(name, base(name) | {key: [[1.0], [2.0, 3.0]]}, ValueError, f"{key} is no array")


@pytest.mark.parametrize("name", [n for n in arrays.FUNCTIONS if arrays.takes_activation(n)])
def test_activation(name):
    good = base(name)
    assert_error(name, good | {"activation": "swish"}, ValueError, "activation", "leaky_relu", "'swish'")
    assert_error(name, good | {"activation": "Tanh"}, ValueError, "activation", "'Tanh'")
    assert_error(name, good | {"activation": 2}, TypeError, "activation must be a string, not int")
    assert_error(name, good | {"activation": None}, TypeError, "activation must be a string, not NoneType")


@pytest.mark.parametrize(
    "name",
    [n for n in arrays.FUNCTIONS if arrays.takes_activation(n)] + ["leaky_relu", "leaky_relu_backward"],
)
def test_negative_slope(name):
    for bad in ("0.1", None, True, 1j, np.timedelta64(1)):
        assert_error(
            name, base(name) | {"negative_slope": bad}, TypeError, "negative_slope must be a real number"
        )


@pytest.mark.parametrize("name", ["logistic_descent", "shallow_descent", "gradient_descent"])
def test_learning_rate(name):
    for bad in ("0.1", None, True, np.timedelta64(1)):
        assert_error(
            name, base(name) | {"learning_rate": bad}, TypeError, "learning_rate must be a real number"
        )
    for bad in (np.nan, np.inf, -np.inf):
        assert_error(name, base(name) | {"learning_rate": bad}, ValueError, "learning_rate must be finite")


@pytest.mark.parametrize("name", ["logistic_descent", "shallow_descent"])
def test_num_steps(name):
    for bad in (1.0, "1", None, True):
        assert_error(name, base(name) | {"num_steps": bad}, TypeError, "num_steps must be an integer")
    for bad in (0, -1):
        assert_error(name, base(name) | {"num_steps": bad}, ValueError, "num_steps must be at least 1")
    for bad in (2**63, np.uint64(2**63), 2**70):
        assert_error(name, base(name) | {"num_steps": bad}, ValueError, "num_steps must be at most")


@pytest.mark.parametrize("name", ["logistic_propagate", "logistic_descent"])
def test_bias(name):
    for bad in ("0", None, True, 1j, np.array([5], "timedelta64[s]")):
        assert_error(name, base(name) | {"b": bad}, TypeError, "b must be a real number")


# -- out ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in arrays.FUNCTIONS if arrays.takes_out(n) or n == "dense_forward"])
def test_out(name):
    good = base(name)
    words = ["out"]
    assert_error(name, good | {"out": out(5, 3)}, ValueError, *words, "(5, 3)", "(3, 5)")
    assert_error(name, good | {"out": out(15)}, ValueError, *words, "(15,)", "(3, 5)")
    assert_error(name, good | {"out": out(3, 5, dtype=np.float32)}, ValueError, "float32", "float64")
    assert_error(name, good | {"out": out(3, 5).astype(">f8")}, ValueError, *words, ">f8")
    assert_error(name, good | {"out": frozen(3, 5)}, ValueError, "out is read-only")
    layout = f"{name}: out must be aligned and in C order", "A[:, :n]", "np.empty((3, 5), np.float64)"
    for bad in (out(5, 3).T, out(3, 10)[:, :5], out(3, 10)[:, ::2], arrays.misaligned(out(3, 5))):
        assert_error(name, good | {"out": bad}, ValueError, *layout)
    assert_error(name, good | {"out": np.ma.array(out(3, 5))}, TypeError, "out must be a plain NumPy array")
    assert_error(name, good | {"out": [[0.0] * 5] * 3}, TypeError, "plain NumPy array, not list")


@pytest.mark.parametrize("name", [n for n in arrays.FUNCTIONS if arrays.takes_out(n)])
def test_out_overlaps_an_input(name):
    memory = np.linspace(0.1, 0.9, 16)
    for key in base(name):
        given = base(name) | {key: memory[:15].reshape(3, 5)}
        assert_error(name, given | {"out": memory[1:].reshape(3, 5)}, ValueError, f"out overlaps {key}")
        square = np.linspace(0.1, 0.9, 16).reshape(4, 4)
        given = {k: np.full((4, 4), 0.5) for k in base(name)} | {key: square.T}
        assert_error(name, given | {"out": square}, ValueError, f"out overlaps {key}")


def test_dense_forward_is_not_in_place():
    for key in ("W", "A_prev"):
        given = arrays.arguments("dense_forward", np.random.RandomState(0), 4, 4, 4)
        assert_error(
            "dense_forward", given | {"out": given[key]}, ValueError, f"out overlaps {key} in memory"
        )
    given = arrays.arguments("dense_forward", np.random.RandomState(0), 4, 4, 1)
    assert_error("dense_forward", given | {"out": given["b"]}, ValueError, "out overlaps b in memory")


#: What `out` takes, by name: shapes for (n, k, m) = (3, 4, 5).
SEVERAL = {
    "dense_forward": {"A": (3, 5), "Z": (3, 5)},
    "dense_gradients": {"dW": (3, 4), "db": (3, 1)},
    "dense_backward": {"dZ": (3, 5), "dW": (3, 4), "db": (3, 1)},
    "shallow_propagate": {"dW1": (3, 4), "db1": (3, 1), "dW2": (1, 3), "db2": (1, 1)},
}


@pytest.mark.parametrize("name", SEVERAL)
def test_out_is_a_tuple(name):
    good = base(name)
    names = f"({', '.join(SEVERAL[name])})"
    outs = [out(*shape) for shape in SEVERAL[name].values()]
    if name != "dense_forward":  # one array is A
        for bad, kind in ((outs, "list"), (outs[0], "ndarray"), ({}, "dict"), (3, "int")):
            assert_error(name, good | {"out": bad}, TypeError, f"out must be a tuple {names}, not {kind}")
    assert_error(name, good | {"out": ()}, ValueError, f"out must hold {len(outs)} arrays {names}, not 0")
    more = (*outs, out(2, 2))
    assert_error(name, good | {"out": more}, ValueError, f"must hold {len(outs)} arrays", f"not {len(more)}")


@pytest.mark.parametrize(("name", "i"), [(name, i) for name in SEVERAL for i in range(len(SEVERAL[name]))])
def test_each_array_of_out(name, i):
    shapes = list(SEVERAL[name].values())
    shape, word = shapes[i], f"out[{i}] ({list(SEVERAL[name])[i]})"
    wide = (shape[0] + 1, 2 * shape[1])
    layout = "must be aligned and in C order; columns such as A[:, :n] of a larger array, and transposes, "
    layout += f"aren't: allocate np.empty({shape}, np.float64)"
    wrong = [
        (out(*wide), ValueError, f"has shape {wide} but the result has shape {shape}"),
        (out(int(np.prod(shape))), ValueError, f"the result has shape {shape}"),
        (out(*shape, dtype=np.float32), ValueError, "has dtype float32 but the result has dtype float64"),
        (out(*shape).astype(">f8"), ValueError, "has dtype >f8"),
        (frozen(*shape), ValueError, "is read-only"),
        (arrays.misaligned(out(*shape)), ValueError, layout),
        (np.ma.array(out(*shape)), TypeError, "must be a plain NumPy array, not MaskedArray"),
        (out(*shape).tolist(), TypeError, "must be a plain NumPy array, not list"),
        (None, TypeError, "must be a plain NumPy array, not NoneType"),
    ]
    if min(shape) > 1:
        wrong.append((out(*shape[::-1]).T, ValueError, layout))
    if max(shape) > 1:
        wrong.append((out(2 * shape[0], 2 * shape[1])[::2, ::2], ValueError, layout))
    for bad, kind, message in wrong:
        outs = [out(*shape) for shape in shapes]
        outs[i] = bad
        assert_error(name, base(name) | {"out": tuple(outs)}, kind, f"{name}: {word} ", message)


@pytest.mark.parametrize(("name", "i"), [(name, i) for name in SEVERAL for i in range(len(SEVERAL[name]))])
def test_an_array_of_out_overlaps(name, i):
    shapes = list(SEVERAL[name].values())
    word = [f"out[{j}] ({key})" for j, key in enumerate(SEVERAL[name])]
    size = int(np.prod(shapes[i]))
    for key, value in base(name).items():
        if isinstance(value, np.ndarray):
            memory = np.linspace(0.1, 0.9, value.size + size)
            outs = [out(*shape) for shape in shapes]
            outs[i] = memory[value.size - 1 : value.size - 1 + size].reshape(shapes[i])
            given = base(name) | {key: memory[: value.size].reshape(value.shape), "out": tuple(outs)}
            assert_error(name, given, ValueError, f"{word[i]} overlaps {key} in memory")
    for j in range(i):
        other = int(np.prod(shapes[j]))
        memory = np.linspace(0.1, 0.9, other + size)
        outs = [out(*shape) for shape in shapes]
        outs[j] = memory[:other].reshape(shapes[j])
        outs[i] = memory[other - 1 : other - 1 + size].reshape(shapes[i])
        given = base(name) | {"out": tuple(outs)}
        assert_error(name, given, ValueError, f"{word[i]} overlaps {word[j]} in memory")


def test_out_of_logistic_propagate():
    name, good = "logistic_propagate", base("logistic_propagate")
    for bad, kind, words in (
        (out(1, 4), ValueError, "out has shape (1, 4) but the result has shape (4, 1)"),
        (out(4), ValueError, "out has shape (4,)"),
        (out(4, 1, dtype=np.float32), ValueError, "float32"),
        (frozen(4, 1), ValueError, "out is read-only"),
        (out(4, 2)[:, ::2], ValueError, "out must be aligned and in C order"),
        ((out(4, 1),), TypeError, "out must be a plain NumPy array, not tuple"),
        (good["w"], ValueError, "out overlaps w in memory"),
        (good["X"][:, :1].copy().data, TypeError, "plain NumPy array, not memoryview"),
    ):
        assert_error(name, good | {"out": bad}, kind, words)
    memory = np.linspace(0.1, 0.9, 23)
    given = good | {"X": memory[:20].reshape(4, 5), "out": memory[19:].reshape(4, 1)}
    assert_error(name, given, ValueError, "out overlaps X in memory")
    given = good | {"Y": memory[:5].reshape(1, 5), "out": memory[4:8].reshape(4, 1)}
    assert_error(name, given, ValueError, "out overlaps Y in memory")
    given = good | {"b": memory[3:4], "out": memory[:4].reshape(4, 1)}
    assert_error(name, given, ValueError, "out overlaps b in memory")


@pytest.mark.parametrize("name", [*SEVERAL, "logistic_propagate"])
def test_nothing_is_written_where_an_input_is_wrong(name):
    shapes = SEVERAL.get(name, {"dw": (4, 1)}).values()
    outs = tuple(out(*shape) for shape in shapes)
    good = base(name) | {"out": outs[0] if name == "logistic_propagate" else outs}
    key = next(iter(base(name)))
    assert_error(name, good | {key: zeros(2, 2)}, ValueError, key)


# -- updates in place --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "key"), [(n, k) for n in ("logistic_descent", "shallow_descent") for k in arrays.UPDATED[n]]
)
def test_what_is_updated(name, key):
    good = base(name)
    shape = good[key].shape
    assert_error(name, good | {key: good[key].tolist()}, TypeError, f"{key} is updated in place", "list")
    assert_error(name, good | {key: np.ones(shape, int)}, TypeError, f"{key} is updated in place", "int64")
    assert_error(name, good | {key: arrays.read_only(good[key])}, ValueError, f"{key} is updated in place")
    assert_error(name, good | {key: good[key].astype(np.float32)}, ValueError, f"{key} is updated", "float64")
    strided = arrays.strided(good[key])
    if not strided.flags.c_contiguous:
        remedy = f'{key} = np.array({key}, order="C")'
        assert_error(name, good | {key: strided}, ValueError, f"{key} is updated in place", "C order", remedy)
    memory = np.ones(25)
    overlapping = good | {key: memory[: good[key].size].reshape(shape), "X": memory[:20].reshape(4, 5)}
    assert_error(name, overlapping, ValueError, f"{key} overlaps X in memory")
    overlapping = good | {key: memory[: good[key].size].reshape(shape), "Y": memory[:5].reshape(1, 5)}
    assert_error(name, overlapping, ValueError, f"{key} overlaps Y in memory")


def test_parameters_that_share_memory():
    shared = np.ones((3, 1))
    good = base("shallow_descent")
    assert_error(
        "shallow_descent", good | {"b1": shared, "W2": shared.reshape(1, 3)}, ValueError, "W2 overlaps b1"
    )
    good = {"parameters": [shared, shared], "gradients": [zeros(3, 1), zeros(3, 1)], "learning_rate": 0.1}
    assert_error("gradient_descent", good, ValueError, "parameters[1] overlaps parameters[0]")
    good = {"parameters": [shared], "gradients": [shared], "learning_rate": 0.1}
    assert_error("gradient_descent", good, ValueError, "parameters[0] overlaps gradients[0]")


def test_gradient_descent_lists():
    good = base("gradient_descent")
    for key in ("parameters", "gradients"):
        assert_error(
            "gradient_descent", good | {key: zeros(2, 2)}, TypeError, f"{key} must be a list or a tuple"
        )
    first = good["parameters"][0]
    for bad, kind in (
        (first.tolist(), TypeError),
        (first.astype(int), TypeError),
        (arrays.read_only(first), ValueError),
        (arrays.fortran_order(first), ValueError),
    ):
        # The second is wrong: the first must not have been updated.
        given = {"parameters": [first, bad], "gradients": [first + 1, first], "learning_rate": 0.1}
        assert_error("gradient_descent", given, kind, "parameters[1] is updated in place")
