"""Each function of each backend against the independent oracle."""

from __future__ import annotations

import warnings

import arrays
import naive
import numpy as np
import pytest

SHAPES = ((3, 4, 5), (1, 1, 1), (2, 3, 1), (1, 4, 6), (4, 1, 3))
CASES = [
    (name, activation)
    for name in arrays.FUNCTIONS
    for activation in (arrays.ACTIVATIONS if arrays.takes_activation(name) else ("tanh",))
]
ELEMENTWISE = [name for name in arrays.FUNCTIONS if arrays.takes_out(name)]


def expected_results(name, given):
    """What the oracle says, in the order of `arrays.call`."""
    oracle = getattr(naive, name)
    if name in ELEMENTWISE:
        is_array = {key: isinstance(value, np.ndarray) for key, value in given.items()}
        return [oracle(**{key: np.ravel(v).tolist() if is_array[key] else v for key, v in given.items()})]
    result = oracle(**given)
    return list(result) if isinstance(result, tuple | list) else [result]


@pytest.mark.parametrize(("name", "activation"), CASES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_result(backend, name, activation, shape, dtype):
    rng = np.random.RandomState(abs(hash(shape)) % 1000 + len(name))
    given = arrays.arguments(name, rng, *shape, dtype, activation)
    kept = arrays.copied(given)
    expected = expected_results(name, kept)
    actual = arrays.call(getattr(backend, name), name, given)
    assert len(actual) == len(expected)
    scale, slack = arrays.magnitude(name, kept), arrays.slack(name, kept, dtype)
    for have, want in zip(actual, expected, strict=True):
        if isinstance(have, np.ndarray):
            assert type(have) is np.ndarray
            assert have.dtype == dtype
            assert have.flags.c_contiguous
            assert have.shape == (
                np.shape(want) if name not in ELEMENTWISE else next(iter(kept.values())).shape
            )
        else:
            assert type(have) is float
        arrays.assert_agree(have, want, dtype, scale, slack=slack)
    for key, value in given.items():
        if isinstance(value, np.ndarray) and key not in arrays.UPDATED.get(name, ()):
            assert value.tobytes() == kept[key].tobytes(), f"{key} was changed"
        if key == "gradients":
            assert all(a.tobytes() == b.tobytes() for a, b in zip(value, kept[key], strict=True))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_out_is_filled_and_returned(backend, name, dtype):
    given = arrays.arguments(name, np.random.RandomState(7), 5, 1, 7, dtype)
    kept = arrays.copied(given)
    (expected,) = expected_results(name, kept)
    out = np.full((5, 7), np.nan, dtype)
    assert getattr(backend, name)(**given, out=out) is out
    arrays.assert_agree(out.ravel(), expected, dtype, slack=arrays.slack(name, kept, dtype))
    for key, value in given.items():
        assert value.tobytes() == kept[key].tobytes(), f"{key} was changed"


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("position", [0, 1])
def test_elementwise_in_place(backend, name, position, dtype):
    """`out` may be any of the inputs, or another view of the same memory."""
    given = arrays.arguments(name, np.random.RandomState(8), 3, 1, 50, dtype)
    if position >= len(given):
        position = 0
    (expected,) = expected_results(name, arrays.copied(given))
    for view in (lambda a: a, lambda a: a[...]):
        fresh = arrays.copied(given)
        key = list(fresh)[position]
        out = view(fresh[key])
        assert getattr(backend, name)(**fresh, out=out) is out
        arrays.assert_agree(fresh[key].ravel(), expected, dtype, slack=arrays.slack(name, given, dtype))
        for other in set(fresh) - {key}:
            assert fresh[other].tobytes() == given[other].tobytes()


@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if n.endswith("_backward")])
def test_backward_where_all_arguments_are_one_array(backend, name, dtype):
    z = np.random.RandomState(9).uniform(0.1, 0.9, 40).astype(dtype) * np.array([1, -1], dtype).repeat(20)
    given = {"dA": z, arrays.saved_name(name.removesuffix("_backward")): z}
    expected = getattr(naive, name)(**{key: z.tolist() for key in given})
    slack = arrays.slack(name, given, dtype)
    assert getattr(backend, name)(**given, out=z) is z
    arrays.assert_agree(z, expected, dtype, slack=slack)


@pytest.mark.parametrize("activation", arrays.ACTIVATIONS)
def test_dense_forward_out(backend, activation, dtype):
    given = arrays.arguments("dense_forward", np.random.RandomState(3), 3, 4, 5, dtype, activation)
    A, Z = naive.dense_forward(**given)
    for return_Z in (False, True):
        out = np.full((3, 5), np.nan, dtype)
        result = backend.dense_forward(**given | {"return_Z": return_Z}, out=out)
        assert (result[0] if return_Z else result) is out
        arrays.assert_agree(out, A, dtype, arrays.magnitude("dense_forward", given))
        if return_Z:
            assert not np.shares_memory(result[1], out)
            arrays.assert_agree(result[1], Z, dtype, arrays.magnitude("dense_forward", given))


@pytest.mark.parametrize("slope", [0.0, 0.25, 1.0, 3.0, -0.5])
@pytest.mark.parametrize("name", ["leaky_relu", "leaky_relu_backward"])
def test_negative_slope(backend, name, slope, dtype):
    given = arrays.arguments(name, np.random.RandomState(5), 3, 1, 9, dtype) | {"negative_slope": slope}
    (expected,) = expected_results(name, given)
    arrays.assert_agree(getattr(backend, name)(**given).ravel(), expected, dtype)


@pytest.mark.parametrize("name", ["dense_forward", "dense_backward", "shallow_propagate", "shallow_descent"])
def test_negative_slope_of_a_layer(backend, name):
    rng = np.random.RandomState(6)
    given = arrays.arguments(name, rng, 3, 4, 5, np.float64, "leaky_relu") | {"negative_slope": -0.5}
    kept = arrays.copied(given)
    for have, want in zip(
        arrays.call(getattr(backend, name), name, given), expected_results(name, kept), strict=True
    ):
        arrays.assert_agree(have, want, np.float64, arrays.magnitude(name, kept))


@pytest.mark.parametrize("label", [label for label, _ in arrays.zoo(np.float64)])
@pytest.mark.parametrize("name", arrays.ACTIVATIONS)
def test_layouts_of_an_activation(backend, name, label, dtype):
    Z = dict(arrays.zoo(dtype))[label]
    before = np.array(Z)
    result = getattr(backend, name)(Z)
    wanted = arrays.float_dtype(Z)
    assert type(result) is np.ndarray
    assert result.dtype == wanted
    assert result.dtype.isnative
    assert result.flags.c_contiguous
    assert result.shape == np.shape(Z)
    expected = getattr(naive, name)(np.ravel(Z).tolist())
    arrays.assert_agree(result.ravel(), expected, wanted, slack=arrays.slack(name, {"Z": Z}, wanted))
    assert np.array(Z).tobytes() == before.tobytes()


@pytest.mark.parametrize(("label", "layout"), arrays.LAYOUTS)
@pytest.mark.parametrize("name", [n for n in arrays.FUNCTIONS if n not in arrays.ACTIVATIONS])
def test_layouts(backend, name, label, layout, dtype):
    plain = arrays.arguments(name, np.random.RandomState(4), 3, 4, 5, dtype)
    expected = expected_results(name, arrays.copied(plain))
    given = {
        key: layout(value)
        if isinstance(value, np.ndarray) and key not in arrays.UPDATED.get(name, ())
        else [layout(item) for item in value]
        if key == "gradients"
        else value
        for key, value in plain.items()
    }
    scale, slack = arrays.magnitude(name, plain), arrays.slack(name, plain, dtype)
    kept = arrays.copied(given)
    for have, want in zip(arrays.call(getattr(backend, name), name, given), expected, strict=True):
        if isinstance(have, np.ndarray):
            assert type(have) is np.ndarray
            assert have.dtype == dtype
            assert have.flags.c_contiguous
        arrays.assert_agree(np.ravel(have), np.ravel(want), dtype, scale, slack=slack)
    for key, value in given.items():
        if isinstance(value, np.ndarray) and key not in arrays.UPDATED.get(name, ()):
            assert value.tobytes() == kept[key].tobytes(), f"{key} was changed"


@pytest.mark.parametrize("name", [n for n in arrays.FUNCTIONS if n not in arrays.UPDATED])
def test_lists_and_integers_are_float64(backend, name):
    plain = arrays.arguments(name, np.random.RandomState(4), 3, 4, 5)
    ints = {k: np.sign(v).astype(int) if isinstance(v, np.ndarray) else v for k, v in plain.items()}
    lists = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in ints.items()}
    floats = {k: v.astype(float) if isinstance(v, np.ndarray) else v for k, v in ints.items()}
    for a, b, c in zip(
        *(arrays.call(getattr(backend, name), name, given) for given in (ints, lists, floats)), strict=True
    ):
        assert np.array_equal(a, c, equal_nan=True)
        assert np.array_equal(b, c, equal_nan=True)
        assert not isinstance(a, np.ndarray) or a.dtype == np.float64


@pytest.mark.parametrize(
    "name", [n for n in arrays.FUNCTIONS if n not in (*arrays.ACTIVATIONS, *arrays.UPDATED)]
)
def test_mixed_precision_promotes(backend, name):
    given = arrays.arguments(name, np.random.RandomState(4), 3, 4, 5, np.float32)
    matrices = [key for key, value in given.items() if isinstance(value, np.ndarray)]
    assert len(matrices) > 1
    for key in matrices:
        mixed = given | {key: given[key].astype(np.float64)}
        both = {k: v.astype(np.float64) if k in matrices else v for k, v in given.items()}
        function = getattr(backend, name)
        for a, b in zip(arrays.call(function, name, mixed), arrays.call(function, name, both), strict=True):
            assert np.array_equal(a, b)
            assert not isinstance(a, np.ndarray) or a.dtype == np.float64


# -- zero sizes --------------------------------------------------------------------------------------


def test_zero_sizes(backend, dtype):
    def zeros(*shape):
        return np.zeros(shape, dtype)

    b = np.array([[1.0], [-2.0]], dtype)
    assert backend.dense_forward(zeros(2, 0), zeros(0, 3), b).tolist() == [[1.0] * 3, [-2.0] * 3]
    assert backend.dense_forward(zeros(2, 3), zeros(3, 0), b, "tanh").shape == (2, 0)
    assert backend.dense_forward(zeros(0, 3), zeros(3, 4), zeros(0, 1)).shape == (0, 4)
    dW, db = backend.dense_gradients(zeros(0, 3), zeros(2, 3))
    assert (dW.shape, db.shape) == ((0, 2), (0, 1))
    dW, db = backend.dense_gradients(b, zeros(0, 1))
    assert (dW.shape, db.tolist()) == ((2, 0), b.tolist())
    dZ, dW, db = backend.dense_backward(zeros(0, 2), zeros(0, 3), zeros(2, 3), zeros(1, 3), "relu")
    assert (dZ.tolist(), dW.tolist(), db.tolist()) == ([[0.0] * 3] * 2, [[0.0]] * 2, [[0.0]] * 2)
    dw, db, cost = backend.logistic_propagate(zeros(0, 1), 0, zeros(0, 4), zeros(1, 4))
    assert (dw.shape, db) == ((0, 1), 0.5)
    assert cost == pytest.approx(np.log(2), rel=4 * arrays.eps(dtype))
    Y, X, none = zeros(1, 4), zeros(2, 4), zeros(1, 0)
    *gradients, cost = backend.shallow_propagate(zeros(0, 2), zeros(0, 1), none, zeros(1, 1), X, Y)
    assert [g.shape for g in gradients] == [(0, 2), (0, 1), (1, 0), (1, 1)]
    assert gradients[3].tolist() == [[0.5]]
    assert cost == pytest.approx(np.log(2), rel=4 * arrays.eps(dtype))
    assert backend.dot(zeros(0), zeros(0)) == 0
    assert backend.gradient_descent([], [], 0.1) is None
    assert backend.gradient_descent([zeros(0, 2)], [zeros(0, 2)], 0.1) is None


# -- descent -----------------------------------------------------------------------------------------


def test_steps_add_up(backend, dtype):
    """n steps are n times one step, and one step is propagate and gradient_descent."""
    rng = np.random.RandomState(2)
    given = arrays.arguments("logistic_descent", rng, 3, 4, 5, dtype)
    X, Y = given["X"], given["Y"]
    w, b = given["w"].copy(), given["b"]
    b, cost = backend.logistic_descent(w, b, X, Y, 0.5, 3)
    v, c = given["w"].copy(), given["b"]
    dw, db, first = backend.logistic_propagate(v, c, X, Y)
    assert cost == first
    for _ in range(3):
        dw, db, _ = backend.logistic_propagate(v, c, X, Y)
        assert backend.gradient_descent([v], [dw], 0.5) is None
        c -= 0.5 * db
    arrays.assert_agree(w, v, dtype, 4.0)
    arrays.assert_agree(b, c, dtype, 4.0)

    parameters = list(arrays.arguments("shallow_propagate", rng, 3, 4, 5, dtype).values())[:4]
    one, three = [p.copy() for p in parameters], [p.copy() for p in parameters]
    cost = backend.shallow_descent(*three, X, Y, 0.5, 3)
    costs = [backend.shallow_descent(*one, X, Y, 0.5, 1) for _ in range(3)]
    assert cost == costs[0] == backend.shallow_propagate(*parameters, X, Y)[-1]
    for a, p in zip(one, three, strict=True):
        assert np.array_equal(a, p)


# -- special values ----------------------------------------------------------------------------------

INF, NAN = np.inf, np.nan
SPECIAL = {
    "sigmoid": ([-INF, -1e308, -1e4, -0.0, 0.0, 1e4, 1e308, INF, NAN], [0, 0, 0, 0.5, 0.5, 1, 1, 1, NAN]),
    "tanh": ([-INF, -1e308, -1e4, 0.0, 1e4, 1e308, INF, NAN], [-1, -1, -1, 0, 1, 1, 1, NAN]),
    "relu": ([-INF, -1e308, -0.0, 0.0, 5e-324, 1e308, INF, NAN], [0, 0, 0, 0, 5e-324, 1e308, INF, NAN]),
    "identity": ([-INF, -1e308, 5e-324, 1e308, INF, NAN], [-INF, -1e308, 5e-324, 1e308, INF, NAN]),
    "leaky_relu": ([-INF, -1e308, 0.0, 5e-324, 1e308, INF, NAN], [-INF, -1e306, 0, 5e-324, 1e308, INF, NAN]),
    "elu": ([-INF, -1e308, -1e4, -0.0, 5e-324, 1e308, INF, NAN], [-1, -1, -1, 0, 5e-324, 1e308, INF, NAN]),
    "silu": ([-INF, -1e308, -1e4, -0.0, 0.0, 1e4, 1e308, INF, NAN], [0, 0, 0, 0, 0, 1e4, 1e308, INF, NAN]),
    "gelu": ([-INF, -1e308, -1e4, -0.0, 0.0, 1e4, 1e308, INF, NAN], [0, 0, 0, 0, 0, 1e4, 1e308, INF, NAN]),
    "softplus": ([-INF, -1e308, 0.0, 1e4, 1e308, INF, NAN], [0, 0, np.log(2), 1e4, 1e308, INF, NAN]),
}
SPECIAL_BACKWARD = {
    "sigmoid_backward": (
        [1, INF, NAN, 1, INF, INF, 0], [NAN, 0.5, 0.5, 1, 1, 0, NAN],
        [NAN, INF, NAN, 0, NAN, NAN, NAN],
    ),
    "tanh_backward": (
        [1, INF, NAN, 1, 1e308, INF, 0], [NAN, 0.5, 0.5, -1, -1, 1, INF],
        [NAN, INF, NAN, 0, 0, NAN, NAN],
    ),
    "relu_backward": (
        [INF, NAN, INF, NAN, 7, 7, 7, 7], [-1, -INF, INF, 1, NAN, 0.0, -0.0, -5e-324],
        [0, 0, INF, NAN, 7, 7, 7, 0],
    ),
    "leaky_relu_backward": (
        [INF, NAN, 100, 7, 7, 7, 100], [-1, -INF, -INF, NAN, 0.0, -0.0, -5e-324],
        [INF, NAN, 1, 7, 7, 7, 1],
    ),
    "identity_backward": ([INF, NAN, 3], [NAN, 0, NAN], [INF, NAN, 3]),
    "elu_backward": ([INF, NAN, 7, 7, 7, 7], [-1, 1, NAN, 0.0, -0.0, -INF], [INF, NAN, NAN, 7, 7, 0]),
    "silu_backward": ([7, 7, 7, 7, INF, NAN], [-INF, INF, NAN, 0.0, 1, 1], [0, 7, NAN, 3.5, INF, NAN]),
    "gelu_backward": ([7, 7, 7, 7, INF, NAN], [-INF, INF, NAN, 0.0, 1, 1], [0, 7, NAN, 3.5, INF, NAN]),
    "softplus_backward": ([7, 7, 7, 7, INF, NAN], [-INF, INF, NAN, 0.0, 1, 1], [0, 7, NAN, 3.5, INF, NAN]),
}  # fmt: skip


def test_special_values_of_all_activations_are_known():
    assert set(SPECIAL) == set(arrays.ACTIVATIONS)
    assert set(SPECIAL_BACKWARD) == {f"{name}_backward" for name in arrays.ACTIVATIONS}


@pytest.mark.parametrize("repeat", [1, 9])
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(backend, name, repeat, dtype):
    values, expected = (np.repeat(column, repeat) for column in SPECIAL[name])
    with np.errstate(over="ignore", under="ignore"):
        values, expected = values.astype(dtype), expected.astype(dtype)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        result = getattr(backend, name)(values)
    arrays.assert_agree(result, expected, dtype)


@pytest.mark.parametrize("repeat", [1, 9])
@pytest.mark.parametrize("name", SPECIAL_BACKWARD)
def test_special_values_backward(backend, name, repeat, dtype):
    columns = [np.repeat(np.array(column, float), repeat) for column in SPECIAL_BACKWARD[name]]
    with np.errstate(over="ignore", under="ignore"):
        dA, saved, expected = (column.astype(dtype) for column in columns)
    if dtype is np.float32 and name != "tanh_backward":
        keep = ~((saved == 0) & np.signbit(saved) & (columns[1] != 0))  # -5e-324 is -0 in float32
        dA, saved, expected = dA[keep], saved[keep], expected[keep]
    if dtype is np.float32 and name == "tanh_backward":
        dA = np.where(columns[0] == 1e308, dtype(3e38), dA)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        result = getattr(backend, name)(dA, **{arrays.saved_name(name.removesuffix("_backward")): saved})
    arrays.assert_agree(result, expected, dtype)


def test_zeros_of_the_slope(backend, dtype):
    """A select: slope 0 doesn't turn +inf into NaN, and -inf * 0 is NaN as in NumPy."""
    Z = np.array([-INF, -1, 0, 1, INF, NAN], dtype)
    arrays.assert_agree(backend.leaky_relu(Z, 0.0), [NAN, 0, 0, 1, INF, NAN], dtype)
    arrays.assert_agree(backend.leaky_relu(Z, 2), [-INF, -2, 0, 1, INF, NAN], dtype)
    arrays.assert_agree(
        backend.leaky_relu_backward(np.abs(Z), None, 0.0, Z=-np.abs(Z)), [NAN, 0, 0, 0, NAN, NAN], dtype
    )


def test_the_sign_of_zero_of_gelu(backend, dtype):
    """What underflows from below is -0, as rounding makes it."""
    least = np.finfo(dtype).smallest_subnormal
    Z = np.array([-INF, -1e4, -least, -0.0, 0.0], dtype)
    A = backend.gelu(Z)
    assert (A == 0).all()
    assert np.signbit(A).tolist() == [True, True, True, True, False]


COSTS = [
    ("binary_cross_entropy", [0, 1], [0, 1], 0),
    ("binary_cross_entropy", [0, 1], [1, 1], INF),
    ("binary_cross_entropy", [1, 1], [0, 1], INF),
    ("binary_cross_entropy", [0.5, NAN], [0, 0], NAN),
    ("binary_cross_entropy", [0.5, NAN], [1, 1], NAN),
    ("binary_cross_entropy", [2, 0.5], [1, 1], NAN),
    ("binary_cross_entropy", [2, 0.5], [0, 1], NAN),
    ("binary_cross_entropy", [-1, 0.5], [0, 1], NAN),
    ("binary_cross_entropy", [-1, 0.5], [1, 1], NAN),
    ("binary_cross_entropy", [INF, 0.5], [1, 1], NAN),
    ("binary_cross_entropy", [-INF, 0.5], [0, 1], NAN),
    ("binary_cross_entropy", [0.5, 0.5], [NAN, 1], NAN),
    ("binary_cross_entropy", [1e-30, 1e-30], [0, 0], 1e-30),
    ("binary_cross_entropy", [1e-30, 0.5], [1, 1], (30 * np.log(10) + np.log(2)) / 2),
    ("binary_cross_entropy", [0.25, 0.5], [0.5, 2], (-np.log(0.25 * 0.75) / 2 + np.log(2)) / 2),
    ("binary_cross_entropy_with_logits", [800, -800], [0, 0], 400),
    ("binary_cross_entropy_with_logits", [800, -800], [1, 1], 400),
    ("binary_cross_entropy_with_logits", [0, 0], [1, 0], np.log(2)),
    ("binary_cross_entropy_with_logits", [-50, -50], [0, 0], np.exp(-50)),
    ("binary_cross_entropy_with_logits", [50, 50], [1, 1], np.exp(-50)),
    ("binary_cross_entropy_with_logits", [NAN, 0], [1, 0], NAN),
    ("binary_cross_entropy_with_logits", [1, 0], [NAN, 0], NAN),
    ("binary_cross_entropy_with_logits", [INF, 0], [1, 0], NAN),
    ("binary_cross_entropy_with_logits", [-INF, 0], [0, 0], NAN),
    ("binary_cross_entropy_with_logits", [-INF, 0], [1, 0], INF),
    ("squared_error", [1, 2], [0, 0], 2.5),
    ("squared_error", [INF, 2], [0, 0], INF),
    ("squared_error", [INF, 2], [INF, 0], NAN),
    ("squared_error", [NAN, 2], [0, 0], NAN),
]


@pytest.mark.parametrize(("name", "predicted", "Y", "expected"), COSTS)
def test_special_costs(backend, name, predicted, Y, expected, dtype):
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        cost = getattr(backend, name)(np.array([predicted], dtype), np.array([Y], dtype))
    assert type(cost) is float
    arrays.assert_agree(cost, expected, dtype)


def test_costs_near_the_largest_number(backend):
    """A finite mean is found where the sum overflows."""
    cost = backend.binary_cross_entropy_with_logits
    assert cost([[1e308, 1e308, 1e308, -1e308]], [[0, 0, 0, 1]]) == pytest.approx(1e308, rel=1e-15)
    assert cost([[1e308, -1e308]], [[1, 0]]) == 0
    assert backend.squared_error([[1e154, 1e154, 1e154]], [[0, 0, 0]]) == pytest.approx(1e308, rel=1e-14)
    assert backend.squared_error([[1e200]], [[0]]) == INF


def test_models_at_extremes(backend):
    """Saturated units: the cost stays exact, nothing raises or warns."""
    X, Y = np.array([[1.0, -1.0]]), np.array([[0.0, 1.0]])
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        dw, db, cost = backend.logistic_propagate([[1e308]], 0.0, X, Y)
        assert (dw.tolist(), db, cost) == ([[1.0]], 0.0, 1e308)
        dw, db, cost = backend.logistic_propagate([[NAN]], 0.0, X, Y)
        assert np.isnan([dw[0, 0], db, cost]).all()
        dW1, db1, dW2, db2, cost = backend.shallow_propagate([[1e308]], [[0.0]], [[1e3]], [[0.0]], X, Y)
        assert (dW1.item(), db1.item(), dW2.item(), db2.item(), cost) == (0, 0, 1, 0, 1e3)
        A, Z = backend.dense_forward([[1e308]], [[1.0, 10.0, -10.0]], [[1.0]], "sigmoid", return_Z=True)
        assert A.tolist() == [[1, 1, 0]]
        assert Z.tolist() == [[1e308, INF, -INF]]
