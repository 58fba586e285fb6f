"""The computation graph: the notes' numbers, differences, the kernels' gradients, PyTorch's habits."""

from __future__ import annotations

import array
import cmath
import itertools
import math
import operator
import statistics
import xml.etree.ElementTree

import numpy as np
import pytest

import dlkernels as dk
from dlkernels import graph
from dlkernels.catalogue import ACTIVATIONS


def notes(a=5.0):
    a, b, c = graph.variable(a, "a"), graph.variable(3, "b"), graph.variable(2, "c")
    u = (b * c).named("u")
    v = (a + u).named("v")
    return (3 * v).named("J"), (v, a, u, b, c)


def test_the_table_of_the_notes():
    J, nodes = notes()
    assert J.value == 33
    J.backward()
    assert [float(node.grad) for node in nodes] == [3, 3, 3, 6, 9]
    assert J.table() == (
        "node  formula  value  dvar\n"
        "a                  5     3\n"
        "b                  3     6\n"
        "c                  2     9\n"
        "u     b * c        6     3\n"
        "v     a + u       11     3\n"
        "J     3 * v       33     1"
    )


def test_nudging_a_moves_J_three_times_as_far():
    assert notes(5.001)[0].value == pytest.approx(33.003, abs=1e-12)


def test_unnamed_nodes_are_numbered_around_the_names_that_are_taken():
    x = graph.variable(2.0, "t1")
    y = x * x + 1
    assert [line.split()[0] for line in y.table().splitlines()[1:]] == ["t1", "t2", "t3"]


rng = np.random.default_rng(3)
A, B, V = rng.uniform(0.5, 2, (3, 4)), rng.uniform(0.5, 2, (4, 2)), rng.uniform(0.5, 2, 4)
ROW, COLUMN, NUMBER = rng.uniform(0.5, 2, (1, 4)), rng.uniform(0.5, 2, (3, 1)), np.array(1.7)
P, Y = rng.uniform(0.1, 0.9, (1, 5)), rng.uniform(0.1, 0.9, (1, 5))
PAIRS = [(A, A + 0.5), (A, ROW), (COLUMN, ROW), (A, NUMBER), (NUMBER, A), (NUMBER, NUMBER), (A, V)]
BINARY = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "**": lambda x, y: x**y,
}
FUNCTIONS = {
    "negative": lambda x: -x,
    "transposed": lambda x: x.T @ np.ones((len(x.value), 2)),
    "exp": graph.exp,
    "log": graph.log,
    **{name: lambda x, name=name: getattr(graph, name)(x - 1) for name in ACTIVATIONS},
    "leaky_relu, slope 0.2": lambda x: graph.leaky_relu(x - 1, 0.2),
    "elu, alpha 0.5": lambda x: graph.elu(x - 1, alpha=0.5),
    "sum": graph.sum,
    "sum, axis 0": lambda x: graph.sum(x, axis=0),
    "sum, axis 1, kept": lambda x: graph.sum(x, axis=1, keepdims=True),
    "mean": graph.mean,
    "mean, axis 0, kept": lambda x: graph.mean(x, axis=0, keepdims=True),
    "mean, axis -1": lambda x: graph.mean(x, axis=-1),
    "numbers on the left": lambda x: 2 / (3 - 2 * x) + 2**x + (1 + x),
    "used twice": lambda x: x * x + x,
}
PRODUCTS = [(A, B), (A, V), (V, B), (V, V)]
COSTS = {
    "binary_cross_entropy": (graph.binary_cross_entropy, P),
    "binary_cross_entropy_with_logits": (graph.binary_cross_entropy_with_logits, P * 6 - 3),
    "squared_error": (graph.squared_error, P),
}


def gradients_agree(function, *values):
    """Derivatives of a weighted sum of what the function returns, against differences."""
    nodes = [graph.variable(value) for value in values]
    result = function(*nodes)
    weights = np.random.default_rng(5).normal(size=result.shape)
    result.backward(weights)
    found = dk.check_gradients(
        lambda p: float((function(*map(graph.variable, p)).value * weights).sum()),
        [np.atleast_1d(value) if np.ndim(value) == 0 and len(values) == 1 else value for value in values],
        [
            np.atleast_1d(node.grad) if node.grad.ndim == 0 and len(values) == 1 else node.grad
            for node in nodes
        ],
    )
    assert found.relative_difference < 1e-6, str(found)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0].shape} {pair[1].shape}")
@pytest.mark.parametrize("name", BINARY)
def test_arithmetic_with_broadcasting(name, pair):
    if all(value.ndim == 0 for value in pair):
        pair = tuple(value.reshape(1) for value in pair)
    gradients_agree(BINARY[name], *pair)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    gradients_agree(FUNCTIONS[name], A)


@pytest.mark.parametrize("pair", PRODUCTS, ids=lambda pair: f"{pair[0].shape} {pair[1].shape}")
def test_products(pair):
    gradients_agree(lambda x, y: x @ y, *pair)


@pytest.mark.parametrize("name", COSTS)
def test_costs(name):
    function, given = COSTS[name]
    gradients_agree(function, given, Y)
    kernels = getattr(dk, name)
    assert function(given, Y).value == kernels(given, Y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_whole_network_has_the_gradients_of_the_kernels(activation, dtype):
    random = np.random.default_rng(7)
    X, labels = random.normal(size=(3, 50)).astype(dtype), (random.uniform(size=(1, 50)) > 0.5).astype(dtype)
    given = [random.normal(size=shape).astype(dtype) for shape in ((4, 3), (4, 1), (1, 4), (1, 1))]
    W1, b1, W2, b2 = (graph.variable(p) for p in given)
    A1 = getattr(graph, activation)(W1 @ X + b1)
    cost = graph.binary_cross_entropy_with_logits(W2 @ A1 + b2, labels)
    cost.backward()
    *gradients, expected_cost = dk.shallow_propagate(*given, X, labels, activation)
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    assert cost.value == pytest.approx(expected_cost, rel=tolerance)
    for node, expected in zip((W1, b1, W2, b2), gradients, strict=True):
        assert node.grad.dtype == dtype
        np.testing.assert_allclose(node.grad, expected, rtol=tolerance, atol=tolerance)


def test_logistic_regression_by_its_definition():
    """z, a, L of the notes: dz = a - y, from log and arithmetic alone."""
    w, b, x = graph.variable([[0.3], [-0.2]]), graph.variable(0.1), np.array([[1.0], [2.0]])
    z = w.T @ x + b
    a = graph.sigmoid(z)
    loss = graph.sum(-(0.0 * graph.log(a) + 1.0 * graph.log(1 - a)))
    loss.backward()
    np.testing.assert_allclose(z.grad, a.value, rtol=1e-12)
    np.testing.assert_allclose(w.grad, a.value * x, rtol=1e-12)


def test_a_second_backward_is_refused_as_in_pytorch():
    J, _ = notes()
    J.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        J.backward()


def test_backward_through_a_part_that_was_given_up_is_refused():
    x = graph.variable(2.0)
    shared = x * x
    (shared + 1).backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        (3 * shared).backward()
    x.grad = None
    (3 * x).backward()
    assert float(x.grad) == 3


def test_retained_graphs_add_up_and_start_anew():
    J, nodes = notes()
    J.backward(retain_graph=True)
    J.backward()
    assert [float(node.grad) for node in nodes] == [6, 6, 6, 12, 18]
    x = graph.variable(2.0)
    for _ in range(2):
        (x * x).backward()
    assert float(x.grad) == 8
    x.grad = None
    (x * x).backward()
    assert float(x.grad) == 4


def test_the_table_says_which_derivatives_are_sums():
    """dJ/da was 6, without a word."""
    J, nodes = notes()
    J.backward(retain_graph=True)
    alone = J.table()
    assert "sum" not in alone
    J.backward(retain_graph=True)
    first, *rest = J.table().splitlines()
    assert first == "node  formula  value  dvar"
    assert rest[0] == "a                  5     6  sum of 2 calls of backward"
    assert all(line.endswith("  sum of 2 calls of backward") for line in rest)
    J.zero_grad()
    assert [node.grad for node in (J, *nodes)] == [None] * 6
    J.backward()
    assert J.table() == alone


def test_each_node_counts_for_itself():
    """In a loop the variable stays, and the nodes computed from it are new."""
    x = graph.variable(2.0, "x")
    for step in range(3):
        y = (x * x).named("y")
        y.backward()
        assert y.table().splitlines()[-1] == "y     x * x        4     1", step
    assert y.table().splitlines()[1].endswith(" 12  sum of 3 calls of backward")
    y.zero_grad()  # after backward has freed what it needed
    assert x.grad is None


def test_derivatives_that_were_set_to_zero_are_no_sums():
    x = graph.variable(2.0, "x")
    (x * x).backward()
    x.grad.fill(0)
    y = x * x
    y.backward()
    assert "sum" not in y.table()
    x = graph.variable(2.0, "x")
    x.grad = np.array(1.0)  # what is added to it makes a sum
    y = x * x
    y.backward()
    assert y.table().splitlines()[1].endswith("5  sum of 2 calls of backward")


def test_a_new_node_under_an_old_name_is_no_cycle():
    x = first = graph.variable(2.0)
    for _ in range(3):
        x += x
    x.backward()
    assert float(first.grad) == 8


def test_a_cycle_is_an_error():
    J, (v, _, u, *_) = notes()
    u._parents = ((v, lambda g: g),)
    with pytest.raises(RuntimeError, match="cycle"):
        J.backward()


def test_deep_graphs():
    x = first = graph.variable(1.0)
    for _ in range(20_000):
        x = x * 1.0001
    x.backward()
    assert float(first.grad) == pytest.approx(1.0001**20_000, rel=1e-9)


def test_many_paths_are_walked_once():
    """2^200 paths."""
    x = first = graph.variable(1.0)
    for _ in range(200):
        x = x + x
    x.backward()
    assert float(first.grad) == 2.0**200


def test_constants_get_no_derivative():
    x, constant = graph.variable(2.0), np.ones(3)
    node = x * constant
    graph.sum(node).backward()
    assert float(x.grad) == 3
    with pytest.raises(RuntimeError, match="no variable"):
        graph.exp(1.0).backward()


def test_arrays_on_the_left_do_not_swallow_nodes():
    node = np.ones((2, 3)) @ graph.variable(np.ones((3, 1)))
    assert isinstance(node, graph.Variable)
    assert isinstance(np.ones(3) + graph.variable(np.ones(3)), graph.Variable)


def test_the_value_is_a_copy():
    array = np.ones(3)
    node = graph.variable(array)
    array[0] = 7
    assert node.value[0] == 1


#: What is said of a value that holds no numbers.
NO_NUMBERS = "expected float32, float64, integers or booleans|must be an array of numbers, not"


def test_dtypes():
    assert graph.variable(3).value.dtype == np.float64
    single = graph.variable(np.float32(3)) * 2 + 1.5
    assert single.value.dtype == np.float32
    for odd in ("text", 1j, np.float16(1), None, [object()]):
        with pytest.raises(
            TypeError,
            match=NO_NUMBERS,
        ):
            graph.variable(odd)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: graph.variable(A).backward(), RuntimeError, r"single number.*\(3, 4\)"),
        (lambda: graph.variable(A).backward(np.ones(3)), ValueError, r"\(3,\).*\(3, 4\)"),
        (
            lambda: graph.variable(A, "A") + graph.variable(B, "B"),
            ValueError,
            r"\(3, 4\) and \(4, 2\) of A and B",
        ),
        (lambda: graph.variable(B) @ A, ValueError, r"\(4, 2\) and \(3, 4\)"),
        (lambda: graph.variable(2.0) @ A, ValueError, r"\(\) and \(3, 4\)"),
        (lambda: graph.squared_error(graph.variable(P), A), ValueError, "A"),
    ],
)
def test_errors_name_the_shapes(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong()


def test_powers_at_zero():
    x = graph.variable([0.0, 0.0, 2.0])
    graph.sum(x**0 + x**2).backward()
    np.testing.assert_array_equal(x.grad, [0, 0, 4])
    y = graph.variable([1.0, 2.0])
    graph.sum(np.zeros(2) ** y).backward()
    np.testing.assert_array_equal(y.grad, [0, 0])


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_drawing(tmp_path, suffix):
    J, _ = notes()
    J.backward()
    J.draw(tmp_path / f"graph{suffix}")
    written = (tmp_path / f"graph{suffix}").read_bytes()
    assert written[:4] in (b"<?xm", b"\x89PNG", b"%PDF")
    if suffix == ".svg":
        texts = [element.text for element in xml.etree.ElementTree.fromstring(written).iter() if element.text]
        for text in ("u = b * c", "v = a + u", "J = 3 * v", "33", "11", "da = 3", "db = 6", "dc = 9"):
            assert text in texts


def test_a_drawing_says_which_derivatives_are_sums(tmp_path):
    J, _ = notes()
    J.backward(retain_graph=True)
    J.backward()
    J.draw(tmp_path / "graph.svg")
    written = (tmp_path / "graph.svg").read_text(encoding="utf-8")
    assert "dc = 18 (sum of 2)" in written


def test_a_drawing_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.svg, \.png, \.pdf"):
        notes()[0].draw(tmp_path / "graph.docx")
    assert list(tmp_path.iterdir()) == []


def test_nodes_do_not_lie_on_one_another():
    from dlkernels._graph.drawing import _places

    x, y = graph.variable(1.0), graph.variable(2.0)
    last = graph.tanh(x * y + x) * graph.exp(y) + x
    places = list(_places(list(last._lines())).values())
    assert len(places) == len(list(last._lines()))
    for (x0, y0), (x1, y1) in itertools.combinations(places, 2):
        assert abs(x0 - x1) > 1 or abs(y0 - y1) > 0.9


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cost_of_certainty_has_the_derivative_of_its_limit(dtype):
    """0 * log 0 is 0, and so is its derivative: 0 / 0 made all of them NaN."""
    z = graph.variable(np.array([[40.0, -800.0, -3.0]], dtype))
    graph.binary_cross_entropy(graph.sigmoid(z), np.array([[1, 0, 0]], dtype)).backward()
    np.testing.assert_allclose(z.grad, dk.sigmoid(z.value) / 3 - [[1 / 3, 0, 0]], atol=1e-7)


def test_grads_are_arrays_that_can_be_set_to_zero():
    x = graph.variable(2.0)
    for _ in range(2):
        (x * x).backward()
        assert type(x.grad) is np.ndarray
    x.grad.fill(0)
    (x * x).backward()
    assert x.grad == 4


@pytest.mark.parametrize(
    "function",
    [np.dot, lambda x, y: np.mean(x), lambda x, y: np.sum(x), lambda x, y: np.exp(x), np.inner,
     lambda x, y: np.dot(x, y.value), lambda x, y: np.asarray(x), lambda x, y: np.array([x]),
     lambda x, y: np.array([x], float), np.maximum, np.fmod, lambda x, y: np.add.reduce([x, y]),
     lambda x, y: np.add(x, y, out=np.zeros(2)), lambda x, y: operator.iadd(np.zeros(2), y),
     lambda x, y: np.float64(3) % x, lambda x, y: np.ones(2) > x, lambda x, y: np.ones(2) == x,
     lambda x, y: np.float64(3) == x],
)  # fmt: skip
def test_functions_of_numpy_are_refused(function):
    """np.dot multiplied elementwise, np.mean returned x / 1, a comparison was False."""
    with pytest.raises(TypeError, match=r"no array.*graph\.exp\(x\)"):
        function(graph.variable([1.0, 2.0]), graph.variable([3.0, 4.0]))


@pytest.mark.parametrize(
    "function",
    [float, int, complex, operator.index, math.exp, cmath.exp, math.floor, math.isnan, np.zeros(2).fill,
     lambda x: math.hypot(x, 1), lambda x: math.fsum([x, x]), lambda x: statistics.fmean([x, x]),
     lambda x: operator.setitem(np.zeros(2), 0, x), lambda x: array.array("d", [x])],
)  # fmt: skip
def test_a_node_does_not_become_a_number(function):
    """math.exp(x) was a constant: x * math.exp(x) had the derivative 7.389 instead of 22.167 at 2."""
    with pytest.raises(TypeError, match=r"lost.*graph\.exp\(x\).*x\.value"):
        function(graph.variable(2.0))


@pytest.mark.parametrize(
    "function",
    [bool, operator.not_, lambda x: x == 2, lambda x: x != 2, lambda x: x in (1, 2),
     lambda x: x > 0, lambda x: max(x, 0), lambda x: sorted([x, x])],
)  # fmt: skip
def test_a_node_is_not_compared(function):
    """x == 2 was False for every x, and `if x` always true."""
    with pytest.raises(TypeError, match=r"x\.value > 0"):
        function(graph.variable(2.0))


@pytest.mark.parametrize(
    "function", [round, abs, math.trunc, lambda x: x % 2, lambda x: 5 // x, lambda x: divmod(x, 2), list,
                 lambda x: pow(x, 2, 5), lambda x: statistics.mean([x, x]), lambda x: f"{x:.2f}"]
)  # fmt: skip
def test_what_has_no_derivative_here_is_refused(function):
    with pytest.raises(TypeError):
        function(graph.variable(2.0))


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda x: sum([x, x]), 2),
        (lambda x: math.prod([x, x]), 4),
        (lambda x: np.float64(3) * x, 3),
        (lambda x: np.float32(3) - x, -1),
        (lambda x: np.int64(6) / x, -1.5),
        (lambda x: np.float64(1) ** x, 0),
        (lambda x: np.add(x, 1), 1),
        (lambda x: graph.sum(np.ones(3) * x), 3),
        (lambda x: graph.sum(np.ones((2, 1)) @ (x * np.ones((1, 1)))), 2),
    ],
)
def test_python_and_numpy_on_the_left_keep_the_derivative(function, slope):
    x = graph.variable(2.0)
    function(x).backward()
    assert x.grad == slope


def test_nodes_are_keys_by_what_they_are():
    x, y = graph.variable(2.0), graph.variable(2.0)
    assert {x: "x", y: "y"}[y] == "y"


@pytest.mark.parametrize(
    ("left", "right"), [((2, 0), (0, 3)), ((0,), (0,)), ((0, 2), (2, 3)), ((0, 2), (2,)), ((2, 3), (3, 0))]
)
def test_products_without_numbers(left, right):
    x, y = graph.variable(np.zeros(left)), graph.variable(np.zeros(right))
    product = x @ y
    assert product.shape == (np.zeros(left) @ np.zeros(right)).shape
    product.backward(np.ones(product.shape))
    assert (x.grad.shape, y.grad.shape) == (left, right)


@pytest.mark.parametrize("function", [graph.sum, graph.mean])
def test_axes_are_those_of_numpy(function):
    x = graph.variable(np.arange(24.0).reshape(2, 3, 4))
    result = function(x, axis=(0, -1))
    np.testing.assert_array_equal(result.value, getattr(np, function.__name__)(x.value, axis=(0, -1)))
    result.backward(np.ones(3))
    np.testing.assert_allclose(x.grad, 1 if function is graph.sum else 1 / 8)
    for value, axis in ((x, 3), (graph.variable(1.0), 0)):
        with pytest.raises(ValueError, match="out of bounds"):
            function(value, axis=axis)


def test_other_byte_orders_are_read():
    node = graph.variable(np.array([1.0, 2.0], ">f8"))
    assert node.value.dtype == np.float64
    np.testing.assert_array_equal(node.value, [1, 2])


def test_a_node_never_changes():
    given = np.ones(2)
    x = graph.Variable(given, "x")
    for node in (x, x.T, x + 1, graph.tanh(x), graph.sum(x)):
        with pytest.raises(ValueError, match="read-only"):
            node.value[...] = 7
    given[:] = 5
    np.testing.assert_array_equal(x.value, 1)
    assert graph.Variable(3).value.dtype == np.float64


def test_gradients_that_are_no_numbers_are_refused():
    for odd in ("a", np.array([1j]), [None]):
        with pytest.raises(
            TypeError,
            match=NO_NUMBERS,
        ):
            graph.variable([1.0]).backward(odd)
    with pytest.raises(TypeError, match="name must be a string"):
        graph.variable(1.0, 5)


def test_no_warning_comes_out_of_a_graph():
    x = graph.variable([0.0, -1.0, 800.0])
    for node in (graph.log(x), graph.exp(x) * 2, x / 0, x**-1, graph.mean(graph.variable([])), x @ x * 1e300):
        graph.sum(node).backward()


def test_odd_names_are_drawn_as_they_are(tmp_path):
    a, b = graph.variable(1.0, "$a"), graph.variable(2.0, r"b$ \bad{0}")
    (a * b).draw(tmp_path / "graph.svg")
    assert r"$a * b$ \bad{0}" in (tmp_path / "graph.svg").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="no variable"):
        graph.exp(1.0).draw(tmp_path / "none.svg")


def test_a_drawing_of_arrays_is_as_wide_as_its_texts():
    """Columns lay on one another where formulas were long."""
    from dlkernels._graph.drawing import _LETTER, _places, _texts

    W, b = graph.variable(np.ones((1, 4)), "the weights"), graph.variable(np.ones((1, 1)), "b")
    cost = graph.binary_cross_entropy(graph.sigmoid(W @ np.ones((4, 3)) + b), np.ones((1, 3)))
    lines = list(cost._lines())
    places = _places(lines)
    for first, second in itertools.combinations(lines, 2):
        (x0, y0), (x1, y1) = places[id(first[2])], places[id(second[2])]
        halves = [max(map(len, _texts(*line))) * _LETTER / 2 for line in (first, second)]
        assert abs(x0 - x1) > sum(halves) or abs(y0 - y1) > 0.9
