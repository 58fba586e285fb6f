"""The course: every idea of the notes has an experiment, whose numbers are those of the notes."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
import itertools
import json
import math
import re
import xml.etree.ElementTree
from pathlib import Path

import numba
import numpy as np
import pytest
from commands import fail, run_python, run_without, succeed

from dlkernels import cli, colours
from models.course import _experiment, _moons, _numbers, _pictures, _terminal, _timing, optimizers, page
from models.course.experiments import EXPERIMENTS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="minutes without compilation"),
]

GUIDE = Path(__file__).parents[2] / ".docs" / "guides" / "learners.md"
#: The ideas of the notes, and the experiment that runs each.
IDEAS = {
    "dot product of a million numbers, for-loop against np.dot": "dot",
    "np.exp, log, abs, maximum, v**2, 1/v on a whole vector": "elementwise",
    "gradient descent on m examples: two for-loops, one, none": "descent",
    "logistic regression: z, a, L, dz, dw, db, J, w := w - alpha dw": "logistic",
    "squared error against cross-entropy, convexity": "costs",
    "derivative by nudging x by 0.001": "nudging",
    "computation graph, chain rule, dvar": "graph",
    "broadcasting, axis=0, axis=1, a (3, 4) table over its column sums": "broadcasting",
    "image 64 x 64 x 3 to a column of 12288": "images",
    "two-layer network forward, per node, per example, vectorised": "forward",
    "sigmoid, tanh, ReLU, leaky ReLU, their derivatives": "activations",
    "a linear hidden layer is no hidden layer": "linear",
    "two-layer network backward, dimensions match": "backward",
    "zero, small and large initial weights": "weights",
    "L layers: dimensions of W, b, Z, A and their derivatives": "layers",
    "softmax for several classes, dZ = A - Y": "softmax",
    "mini-batches against the whole batch": "batches",
    "momentum, Adam": "optimizers",
}
NAMES = [each.name for each in EXPERIMENTS]


@pytest.fixture(scope="module")
def results():
    """What each experiment finds, run once, with timings that cost little."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_timing, "_TURN", 1e-4)
        patch.setattr(_timing, "_ROUNDS", 1)
        patch.setattr(_timing, "_FEW_ROUNDS", 1)
        patch.setattr(_timing, "_PAUSE", 0)
        patch.setattr(_timing, "_BOUND", 0)
        return {each.name: each.result({}) for each in EXPERIMENTS}


@pytest.fixture(scope="module")
def document(results, tmp_path_factory):
    """The page of all experiments, as a file."""
    pytest.importorskip("latex2mathml")
    file = tmp_path_factory.mktemp("course") / "course.html"
    file.write_text(page.render(EXPERIMENTS, results, None), encoding="utf-8")
    return file


def rows(result, title):
    """The rows of the first table whose title begins so, by their first cell."""
    table = next(
        section
        for section in result.sections
        if isinstance(section, _experiment.Table) and section.title.startswith(title)
    )
    return {row[0]: dict(zip(table.header[1:], row[1:], strict=True)) for row in table.rows}


# -- what the experiments find -----------------------------------------------------------------------


def test_every_idea_of_the_notes_has_an_experiment():
    assert sorted(IDEAS.values()) == sorted(NAMES)
    assert len(set(NAMES)) == len(NAMES)
    parts = [each.part for each in EXPERIMENTS]
    assert list(dict.fromkeys(parts)) == [
        _experiment.REGRESSION,
        _experiment.VECTORS,
        _experiment.NETWORKS,
        _experiment.DEEP,
        _experiment.TRAINING,
    ]
    assert parts == sorted(parts, key=list(dict.fromkeys(parts)).index)


@pytest.mark.parametrize("name", NAMES)
def test_all_that_an_experiment_claims_holds(results, name):
    result = results[name]
    assert [check.text for check in result.checks if not check.holds] == []
    assert result.checks
    assert result.lessons
    assert result.sections


@pytest.mark.parametrize("each", EXPERIMENTS, ids=NAMES)
def test_an_experiment_is_described(results, each):
    assert each.question.endswith("?")
    assert each.formulas
    for words in (*results[each.name].lessons, *each.slips, results[each.name].alternative):
        assert words.endswith(".")
        assert "  " not in words
    assert len(results[each.name].alternative) > 60
    for section in results[each.name].sections:
        if isinstance(section, _experiment.Table):
            assert {len(row) for row in section.rows} == {len(section.header)}
        if isinstance(section, _experiment.Timings):
            assert all(0 < seconds < 60 for seconds in section.seconds.values())


def test_the_graph_gives_the_numbers_of_the_notes(results):
    found = results["graph"].values
    assert found["J"] == 33
    assert found["derivatives"] == {"v": 3, "a": 3, "u": 3, "b": 6, "c": 9}
    assert found["nudged"]["a"][0] == 5.001
    nudged = {name: round(J, 9) for name, (_, J) in found["nudged"].items()}
    assert nudged == {"v": 33.003, "a": 33.003, "u": 33.003, "b": 33.006, "c": 33.009}
    shown = rows(results["graph"], "Right to left")
    assert {name: row["dvar"] for name, row in shown.items()} == dict(v="3", a="3", u="3", b="6", c="9")
    assert shown["a"]["J then"] == "33.003"
    a = 1 / (1 + math.exp(1.25))
    assert found["slopes"]["w2"] == pytest.approx(2 * (a - 1), abs=1e-15)
    assert found["slopes"]["a"] == pytest.approx(-1 / a)


def test_logistic_regression_has_the_published_numbers(results):
    found = results["logistic"].values
    dw1, dw2, db, cost = found["gradients"]
    assert (dw1, dw2) == (pytest.approx(0.99845601, abs=6e-9), pytest.approx(2.39507239, abs=6e-9))
    assert db == pytest.approx(0.00145557813678, abs=1e-14)
    assert cost == pytest.approx(5.801545319394553, rel=1e-12)
    assert found["fitted"]["w"].ravel() == pytest.approx([0.19033591, 0.12259159], abs=6e-9)
    assert found["fitted"]["b"] == pytest.approx(1.9253598300845747, rel=1e-13)
    assert len(found["costs"]) == 100
    assert found["costs"] == sorted(found["costs"], reverse=True)
    # z, a, L and dz of the first example, worked by hand: z = 1 + 6 + 2.
    *_, z, a, loss, dz = found["rows"][0]
    assert (z, a) == (9, pytest.approx(1 / (1 + math.exp(-9))))
    assert loss == pytest.approx(-math.log(a))
    assert dz == a - 1


def test_the_costs_differ_in_convexity(results):
    found = results["costs"].values
    assert found["bent"]["cross-entropy"] == 0
    assert found["bent"]["squared error"] > 100
    grid, (X, Y) = found["grid"], found["examples"]
    A = 1 / (1 + np.exp(-(grid[3] * X + grid[30])))
    assert found["surfaces"]["squared error"][30, 3] == pytest.approx(np.mean((A - Y) ** 2))
    entropy = -np.mean(Y * np.log(A) + (1 - Y) * np.log(1 - A))
    assert found["surfaces"]["cross-entropy"][30, 3] == pytest.approx(entropy)
    # The second derivative along w, by differences of the surface, is no smaller than the least curvature.
    for name, surface in found["surfaces"].items():
        bend = np.diff(surface, 2, axis=1) / (grid[1] - grid[0]) ** 2
        assert bend.min() > found["curvature"][name] - 1e-3
        assert (bend.min() > -1e-9) == (name == "cross-entropy")
    assert found["slopes"]["squared error"] == pytest.approx([-0.25, -0.013207, -9.079e-05], rel=1e-3)
    assert found["slopes"]["cross-entropy"] == pytest.approx([-0.5, -0.993307, -0.9999546])


def test_nudging(results):
    shown = rows(results["nudging"], "f at x")
    assert shown["x³"]["f(x + 0.001)"] == "8.012006"
    found = results["nudging"].values
    assert f"{found['linear'].relative_difference:.1e}" == "2.9e-10"
    assert found["errors"]["one side"][1][2] == pytest.approx(6.001e-3, abs=1e-6)
    assert found["errors"]["both sides"][1][2] == pytest.approx(1e-6, rel=1e-3)
    checked = set(found["checked"])
    for kernel in ("sigmoid_backward", "dense_gradients", "dense_backward", "logistic_propagate"):
        assert kernel in checked
    assert found["reverse"].relative_difference == pytest.approx(1)


def test_the_dot_product_and_the_slip(results):
    found = results["dot"].values
    random = np.random.default_rng(1)
    a, b = random.random(1_000_000), random.random(1_000_000)
    assert found["loop"] == pytest.approx(a @ b, rel=1e-11)
    assert found["added"] == pytest.approx(a.sum() + b.sum(), rel=1e-9)
    assert list(found["by_length"]) == [10, 1000, 100_000, 1_000_000]


def test_the_stages_of_gradient_descent_arrive_at_the_same_numbers(results):
    ends = results["descent"].values["ends"]
    assert list(ends) == ["two loops", "one loop", "no loop (NumPy)", "compiled (Numba)"]
    for w, b, costs in ends.values():
        np.testing.assert_allclose(w, ends["two loops"][0], rtol=0, atol=1e-13)
        assert b == pytest.approx(ends["two loops"][1], abs=1e-13)
        assert costs[0] == pytest.approx(math.log(2))
    sources = [s.text for s in results["descent"].sections if isinstance(s, _experiment.Listing)]
    assert [len(re.findall(r"\bfor \w+ in range", source)) for source in sources] == [3, 1, 0]


def test_broadcasting(results):
    found = results["broadcasting"].values
    assert np.round(found["percentages"][0], 1).tolist() == [94.9, 0.0, 2.8, 88.4]
    assert rows(results["broadcasting"], "A.sum")["axis=0"] == {
        "goes": "down each column", "shape": "(4,)", "sums": "59, 239, 155.4, 76.9"
    }  # fmt: skip
    assert rows(results["broadcasting"], "A.sum")["axis=1, keepdims=True"]["shape"] == "(3, 1)"
    assert found["attempts"][(3, 1), (1, 4)] == "(3, 4)"
    assert "could not be broadcast" in found["attempts"][(3, 4), (4, 1)]


def test_images(results):
    found = results["images"].values
    right, wrong = found["runs"].values()
    assert right["X"].shape == wrong["X"].shape == (12288, 160)
    np.testing.assert_array_equal(np.rint(255 * right["X"][:, 0]), found["first"].ravel())
    assert right["test"] > 0.75 > 0.6 > wrong["test"]
    assert wrong["training"] > 0.6
    assert "must have shape (m, height, width, channels)" in found["refusal"]


def test_the_forward_pass(results):
    found = results["forward"].values
    for A2 in found["published"].values():
        assert A2.ravel() == pytest.approx([0.21292656, 0.21274673, 0.21295976], abs=6e-9)
    shapes = {name: row["shape"] for name, row in rows(results["forward"], "3 features").items()}
    assert [shapes[name] for name in ("W1", "b1", "W2", "b2")] == ["(4, 3)", "(4, 1)", "(1, 4)", "(1, 1)"]


def test_activations(results):
    found = results["activations"].values
    at_zero = {name: float(slopes[3]) for name, slopes in found["slopes"].items()}
    assert at_zero == {"sigmoid": 0.25, "tanh": 1, "relu": 1, "leaky_relu": 1}
    assert {name: float(slopes[0]) for name, slopes in found["slopes"].items() if "relu" in name} == {
        "relu": 0, "leaky_relu": 0.01
    }  # fmt: skip
    assert found["networks"]["tanh"]["cost"] == pytest.approx(0.258625, abs=6e-7)  # published, at 1,000


def test_a_linear_hidden_layer(results):
    scores = list(results["linear"].values["scores"].values())
    assert scores[0] == pytest.approx(0.47, abs=0.005)
    assert scores[1] < 0.52
    assert 0.895 <= scores[2] <= 0.915


def test_the_backward_pass(results):
    found = results["backward"].values
    published = [0.693162, 0.258625, 0.239334, 0.230802, 0.225528, 0.221845, 0.219094]
    assert found["costs"] == pytest.approx(published, abs=6e-7)
    assert found["complaints"]["dense_gradients(dZ2.T, A1)"] == (
        "dense_gradients: dZ has 1 columns but A_prev has 7 columns (dZ (7, 1), A_prev (4, 7))"
    )
    assert len(found["ways"]) == 8


def test_initial_weights(results):
    zero, equal, small, large = results["weights"].values["found"].values()
    assert np.all(zero["end"]["W1"] == 0)
    assert np.all(equal["end"]["W1"] == equal["end"]["W1"][0])
    assert small["costs"][0] == pytest.approx(0.693162, abs=6e-7)
    assert small["costs"][10] == pytest.approx(0.258625, abs=6e-7)
    assert large["slope"] < 0.1 < small["slope"]
    assert results["weights"].values["refused"].startswith("TypeError: ")


def test_layers(results):
    found = results["layers"].values
    shown = rows(results["layers"], "Dimensions for L = 4")
    assert shown["l = 1"] == {
        "W[l]": "(20, 12288)", "dW[l]": "(20, 12288)", "b[l], db[l]": "(20, 1)", "Z[l], A[l]": "(20, 2)"
    }  # fmt: skip
    assert [shown[f"l = {layer}"]["W[l]"] for layer in (2, 3, 4)] == ["(7, 20)", "(5, 7)", "(1, 5)"]
    placed = rows(results["layers"], "theta, (245973,)")
    assert list(placed) == [f"{name}[{layer}]" for layer in (1, 2, 3, 4) for name in "Wb"]
    ends = [[int(end) for end in row["theta[from : to]"].split(":")] for row in placed.values()]
    assert [end for _, end in ends] == [*(begin for begin, _ in ends[1:]), 245_973]
    A = np.random.default_rng(2).uniform(size=(12288, 2))
    for W, b in found["views"][:3]:
        A = np.maximum(0, W @ A + b)
    W, b = found["views"][3]
    for result in found["results"].values():
        np.testing.assert_allclose(result, 1 / (1 + np.exp(-(W @ A + b))), rtol=1e-13)
    assert found["complaints"]["network_views(theta, sizes[1:])"].startswith(
        "network_views: theta has 245973"
    )
    assert len(found["gradients"]) == 4


def test_softmax(results):
    found = results["softmax"].values
    t = [math.exp(z) for z in (5, 2, -1, 3)]
    for name, a in found["lecture"].items():
        assert a.ravel() == pytest.approx([each / sum(t) for each in t], rel=1e-14)
        assert found["dz"][name] == pytest.approx(
            [t[0] / sum(t), t[1] / sum(t) - 1, t[2] / sum(t), t[3] / sum(t)]
        )
    shown = rows(results["softmax"], "a where z is far from 0")
    far = "z = (1000, 999, 998)"
    assert shown["a loop, as it stands"][far] == "OverflowError: math range error"
    assert shown["NumPy, as it stands"][far] == "(nan, nan, nan)"
    assert shown["NumPy, z - max(z)"][far] == shown["compiled (Numba)"][far] == "(0.6652, 0.2447, 0.09003)"
    assert found["far"]["-log a, as it stands"] == found["far"]["-log a, with z - max(z)"] == math.inf
    assert found["far"]["numba backend"] == 1000
    assert found["runs"]["straight"]["first"] == pytest.approx(math.log(3), rel=0.2)
    assert found["runs"]["hidden"]["cost"] < 0.05 < 0.6 < found["runs"]["straight"]["cost"]


def test_mini_batches(results):
    found = results["batches"].values
    costs, accuracy = found["moons"]
    assert costs == pytest.approx([0.702405, 0.668101, 0.635288, 0.600491, 0.573367], abs=6e-7)
    assert accuracy == 215 / 300
    whole, mini, single = found["runs"].values()
    assert (whole["updates"], mini["updates"], single["updates"]) == (1, 15, 456)
    assert [len(each["steps"]) for each in (whole, mini, single)] == [30, 30, 30]
    # The cost of a step is found before the step: for the whole batch, J of the epoch before.
    assert whole["steps"] == pytest.approx(whole["costs"][:-1], rel=1e-13)
    assert mini["reached"] < whole["reached"]
    assert [list(each.turns) for each in found["timings"].values()] == [
        ["python backend", "vectorised (NumPy)", "compiled (Numba)"]
    ] * 3


def test_momentum_and_adam(results):
    found = results["optimizers"].values
    assert found["moons"]["momentum"][0][4] == pytest.approx(0.573444, abs=6e-7)
    assert found["moons"]["Adam"][0][1] == pytest.approx(0.167845, abs=6e-7)
    assert found["moons"]["Adam"][1] == 283 / 300
    assert found["exercise"]["Adam"][:3] == pytest.approx([1.63178673, -0.61919778, -0.53561312], abs=6e-9)
    for places in found["paths"].values():
        assert places.shape == (101, 2)
        assert places[0].tolist() == [0.9, -8]
    # Gradient descent on a quadratic: w comes nearer by 1 - 100 α at each step, b by 1 - α.
    X, Y = optimizers.examples()
    w, b = np.polyfit(X[0], Y[0], 1)
    descent = found["paths"]["gradient descent"] - (w, b)
    np.testing.assert_allclose(descent[20], [(0.9 - w) * 0.8**20, (-8 - b) * 0.982**20], rtol=1e-9)
    assert found["at zero"] > 0.2


def test_the_moons_are_those_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    X, Y = _moons.moons()
    points, labels = datasets.make_moons(300, noise=0.2, random_state=3)
    np.testing.assert_allclose(X, points.T, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(Y[0], labels)


def test_a_claim_that_fails_is_seen():
    assert not _numbers.same_numbers("same", [np.zeros(3), np.array([0, 0, 1e-3])], 1e-6).holds
    assert not _numbers.same_numbers("same", [(np.zeros(3), 1.0), (np.zeros(3), 2.0)], 1e-6).holds
    assert not _numbers.as_published("published", [1.0, 2.0], (1.0, 2.0001), 4).holds
    assert _numbers.as_published("published", [1.0, 2.0], (1.0, 2.00005), 4).holds


@pytest.mark.parametrize("name", ["dot", "descent", "forward", "layers", "softmax", "optimizers"])
def test_an_experiment_names_a_winner_only_if_there_is_one(results, name):
    timings = next(each for each in results[name].sections if isinstance(each, _experiment.Timings))
    assert _timing.verdict(timings) in " ".join(results[name].lessons)


# -- the command -------------------------------------------------------------------------------------


def test_the_list_names_every_experiment_and_what_to_do_next():
    text = succeed("course")
    for each in EXPERIMENTS:
        assert re.search(rf"^{each.name} +{re.escape(each.question[:30])}", text, re.MULTILINE), each.name
    assert all(len(line) <= 88 for line in text.splitlines())
    for example in (f"dlkernels course {NAMES[0]}", "dlkernels course NAME --plot DIR", "--html FILE"):
        assert example in text


def test_other_commands_do_not_load_the_experiments():
    done = run_python(
        "import sys\nfrom dlkernels.cli import main\nassert main(['course', '--help']) == 0\n"
        "assert 'dlkernels.models.course.command' in sys.modules\n"
        "assert 'dlkernels.models.course.experiments' not in sys.modules\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "--html FILE" in done.stdout


def test_one_experiment_prints_its_numbers_and_leads_on():
    text = succeed("course", "graph")
    for line in ("v     a + u       11     3", "J     3 * v       33     1", "33.003", "dc = 9"):
        assert line in text
    assert "✗" not in text
    following = NAMES[NAMES.index("graph") + 1]
    assert f"Next: dlkernels course {following}" in text.splitlines()[-1]
    assert "--html" in succeed("course", NAMES[-1]).splitlines()[-1]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cut_off_at_80_columns(results, name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    each = EXPERIMENTS[NAMES.index(name)]
    _terminal.show(each, results[name], "1 of 1", None)
    text = capsys.readouterr().out
    squeezed = re.sub(r"\s", "", text)
    assert each.question in text
    for formula in each.formulas:
        assert formula.text in text
    for check in results[name].checks:
        assert f"✓ {check.text}" in text
    for section in results[name].sections:
        assert section.title in text
        if isinstance(section, _experiment.Listing):
            assert re.sub(r"\s", "", section.text) in squeezed
        else:
            table = _terminal.rows_of(section) if isinstance(section, _experiment.Timings) else section
            for row in table.rows:
                for column, cell in enumerate(row):
                    if _terminal.is_numeric(table, column):
                        assert cell in text, (table.title, cell)
                    else:  # may be wrapped beside other cells
                        assert all(word[:12] in text for word in cell.split()), (table.title, cell)


@pytest.fixture
def failing():
    """An experiment with a check that holds, one that doesn't, lessons and slips."""
    each = EXPERIMENTS[NAMES.index("graph")]
    checks = (_experiment.Check("So it is " + 20 * "and so ", True), _experiment.Check("So it isn't", False))
    timings = _experiment.Timings("t", {"python": (3.0,) * 3, "numpy": (1.05,) * 3, "numba": (1.0,) * 3})
    shown = dataclasses.replace(each, slips=("A slip.", "Another."))
    return shown, _experiment.Result((timings,), checks, ("A lesson.", "Another lesson."), "", {})


def printed(failing, monkeypatch, capsys, **environment):
    for name in ("FORCE_COLOR", "NO_COLOR", "TERM", "COLORTERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    _terminal.show(*failing, "1 of 1", None)
    return capsys.readouterr().out


def test_checks_lessons_and_slips_stand_apart(failing, monkeypatch, capsys):
    text = printed(failing, monkeypatch, capsys)
    verdicts = "and so .\n✗ NOT SO HERE: So it isn't.\n"
    lessons = "\nA lesson.\n\nAnother lesson.\n"
    slips = "\nA slip to look out for: A slip.\n\nA slip to look out for: Another.\n"
    assert verdicts + lessons + slips in text


def test_on_a_terminal_marks_have_colours_and_long_lines_hang(failing, monkeypatch, capsys):
    text = printed(
        failing, monkeypatch, capsys, FORCE_COLOR="1", TERM="xterm", COLORTERM="truecolor", COLUMNS="80"
    )
    assert "\x1b[1;32m✓\x1b[0m So it is and so" in text
    assert "\x1b[1;31m✗ NOT SO HERE:\x1b[0m So it isn't" in text
    (following,) = re.findall(r"^.*So it is and.*\n(.*)\n", text, re.MULTILINE)
    assert re.match(r"  \w", following)
    for name in ("numpy", "numba"):
        red, green, blue = (int(colours.LIBRARIES[name][i : i + 2], 16) for i in (1, 3, 5))
        assert f"\x1b[1;38;2;{red};{green};{blue}m{name}" in text  # bold: the timing can't tell them apart
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert re.findall(r"^ (\w+), fastest", plain, re.MULTILINE) == ["numpy", "numba"]
    assert max(map(len, plain.splitlines())) <= 80


def test_words_that_name_a_backend_colour_a_row_of_timings_only():
    """The cells of other tables may speak of a backend: "numpy, by layers" is a way to compute gradients."""
    names = ("numba", "numba, at once", "a loop")
    timings = _experiment.Timings("t", dict(zip(names, ((1.0,) * 3, (5.0,) * 3, (9.0,) * 3), strict=True)))
    table = _experiment.Table("t", ("", "J"), tuple((name, "1") for name in names))
    green = colours.LIBRARIES["numba"]
    assert _terminal.marks_of(timings) == [(green, True), (green, False), (None, False)]
    assert _terminal.marks_of(table) == [(green, False), (None, False), (None, False)]


@pytest.mark.parametrize(
    "environment", [{}, {"TERM": "dumb", "FORCE_COLOR": "1"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}]
)
def test_no_colours_where_nobody_wants_them(failing, monkeypatch, capsys, environment):
    text = printed(failing, monkeypatch, capsys, **environment)
    assert not re.search(r"\x1b\[[\d;]*\b3[0-9]", text)
    assert ("\x1b" in text) == ("NO_COLOR" in environment)  # which leaves bold letters


def test_marks_of_checks_in_an_encoding_without_them(failing, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    monkeypatch.setattr("sys.stdout", stream)
    _terminal.show(*failing, "1 of 1", None)
    stream.seek(0)
    text = stream.read()
    assert "+ So it is" in text
    assert "x NOT SO HERE: So it isn't." in text


def test_pictures_and_page_of_one(tmp_path):
    text = succeed("course", "weights", "--plot", "new/pictures", "--html", "page.html", cwd=tmp_path)
    picture, file = tmp_path / "new" / "pictures" / "weights.png", tmp_path / "page.html"
    assert f"wrote {Path('new', 'pictures', 'weights.png')}\n" in text
    assert "wrote page.html\n" in text
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert [each.name for each in picture.parent.iterdir()] == ["weights.png"]
    written = file.read_text(encoding="utf-8")
    assert written.count("<section id=") == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["new", "page.html"]


@pytest.fixture
def only_quick(monkeypatch):
    """A course of two experiments that take no time."""
    from models.course import experiments

    quick = tuple(each for each in EXPERIMENTS if each.name in ("graph", "weights"))
    monkeypatch.setattr(experiments, "EXPERIMENTS", quick)
    return quick


def test_all_pictures_and_one_page(only_quick, tmp_path, capsys):
    assert cli.main(["course", "--plot", str(tmp_path), "--html", str(tmp_path / "page.html")]) == 0
    assert {file.name for file in tmp_path.iterdir()} == {"graph.png", "weights.png", "page.html"}
    assert capsys.readouterr().out.count("wrote ") == 3
    assert (tmp_path / "page.html").read_text(encoding="utf-8").count("<section id=") == 2


def test_a_claim_that_does_not_hold_is_shown_and_ends_with_1(only_quick, monkeypatch, tmp_path, capsys):
    from models.course import computation_graph

    monkeypatch.setattr(computation_graph, "NOTES", {"v": 4})
    file = tmp_path / "page.html"
    assert cli.main(["course", "graph", "--html", str(file)]) == 1
    assert "✗ NOT SO HERE: The derivatives are those of the notes" in capsys.readouterr().out
    assert "1 of 4 checks failed" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "shown", "checked"), [((), "", True), (("--iterations", "20"), " --iterations 20", False)]
)
def test_the_page_has_the_command_that_made_it(only_quick, tmp_path, options, shown, checked):
    file = tmp_path / "page.html"
    assert cli.main(["course", "weights", *options, "--html", str(file)]) == 0
    text = file.read_text(encoding="utf-8")
    assert f"Run it: <code>dlkernels course weights{shown}</code>" in text
    assert ("What holds" in text) == checked
    assert ("Nothing was checked" in text) != checked


def test_a_page_that_fails_leaves_the_former_one(only_quick, monkeypatch, tmp_path):
    file = tmp_path / "page.html"
    file.write_text("old")
    monkeypatch.setattr(page, "render", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["course", "graph", "--html", str(file)])
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("dott",), "no experiment is called 'dott': did you mean dot? There are logistic, costs,"),
        (("GRAPH",), "did you mean graph?"),
        (("xyz",), "'xyz': There are"),
        (("",), "no experiment is called ''"),
        (("graph", "dot"), "dot"),
        (("graph", "--pictures", "x"), "--pictures"),
        (("graph", "--plot", "file"), "argument --plot: can't write into file"),
        (("graph", "--html", "."), "argument --html: can't write .: not a file that may be replaced"),
        (
            ("--html", "none/page.html"),
            "argument --html: can't write none/page.html: there is no folder none",
        ),
        (("--html",), "--html: expected one argument"),
    ],
)
def test_a_fault_is_one_line_and_code_2(tmp_path, arguments, words):
    (tmp_path / "file").write_text("kept")
    assert words in fail("course", *arguments, cwd=tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("package", "extra", "arguments"),
    [
        ("rich", "compare", ()),
        ("sklearn", "compare", ("costs",)),
        ("matplotlib", "compare", ("graph", "--plot", "pictures")),
        ("matplotlib", "course", ("graph", "--html", "page.html")),
        ("jinja2", "course", ("graph", "--html", "page.html")),
        ("latex2mathml", "course", ("--html", "page.html")),
    ],
)
def test_a_missing_package_is_named_with_its_extra(package, extra, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run_without(package, ("course", *arguments))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f'pip install "dlkernels[{extra}]"' in line
    assert list(tmp_path.iterdir()) == []


def test_without_pictures_no_matplotlib_is_needed():
    done = run_without("matplotlib", ("course", "graph"))
    assert (done.returncode, done.stderr) == (0, "")


# -- the page ----------------------------------------------------------------------------------------


def test_the_page_holds_everything(document, results):
    text = html.unescape(re.sub("</?code>", "", document.read_text(encoding="utf-8"))).replace("\u00a0", " ")
    parts = [part for each in EXPERIMENTS for formula in each.formulas for part in page.in_parts(formula)]
    assert text.count("<math") == len(parts)
    assert text.count("<figure>") == text.count('<img src="data:image/svg+xml;base64,') == len(EXPERIMENTS)
    for each in EXPERIMENTS:
        assert f'<section id="{each.name}"' in text
        assert f"dlkernels course {each.name}" in text
        assert each.question in text
        for words in (*results[each.name].lessons, *each.slips, results[each.name].alternative):
            assert words.replace("`", "") in text
        for check in results[each.name].checks:
            assert check.text in text
        for section in results[each.name].sections:
            assert section.title in text
            if isinstance(section, _experiment.Table):
                assert all(cell in text for row in section.rows for cell in row)
    assert "✗" not in text
    assert "undefined" not in text.lower()


def test_the_equations_of_a_line_are_parts_of_it():
    """On a phone the first experiment's formulas were cut off."""
    wide = _experiment.Formula(r"a = f(x, y), \quad b = a", "a = f(x, y),  b = a")
    assert page.in_parts(wide) == [
        _experiment.Formula(r"a = f(x, y),", "a = f(x, y),"), _experiment.Formula("b = a", "b = a")
    ]  # fmt: skip
    for latex, text in ((r"a, \quad b", "a and b"), (r"\text{a, \quad b}", "a,  b")):
        assert page.in_parts(_experiment.Formula(latex, text)) == [_experiment.Formula(latex, text)]


def test_every_formula_is_mathml_without_rests_of_latex():
    pytest.importorskip("latex2mathml")
    for each in EXPERIMENTS:
        for formula in (part for whole in each.formulas for part in page.in_parts(whole)):
            root = xml.etree.ElementTree.fromstring(str(page._mathml(formula)))
            assert root.get("alttext") == formula.text
            assert root.get("display") == "block"
            assert not re.search(r"[\\{}^_]", "".join(root.itertext()).replace("{+", "").replace("/}", ""))


def test_markers_of_a_legend_can_be_seen(results):
    (legend,) = EXPERIMENTS[NAMES.index("linear")].plot(results["linear"]).legends
    assert [handle.get_sizes()[0] > 40 for handle in legend.legend_handles] == [True, True]


def test_pictures_are_the_same_for_the_same_result(results, document):
    addresses = re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', document.read_text(encoding="utf-8"))
    for each, address in zip(EXPERIMENTS, addresses, strict=True):
        drawn = _pictures.svg(each.plot(results[each.name]))
        assert base64.b64decode(address) == drawn
        assert xml.etree.ElementTree.fromstring(drawn).tag.endswith("svg")
        assert b"<text" not in drawn  # letters are outlines


@pytest.mark.parametrize(
    ("colour", "dark"),
    [
        ("#ffffff", colours.DARK["paper"].lower()),
        ("#000000", colours.DARK["ink"].lower()),
        (colours.LIBRARIES["numpy"].lower(), colours.LIBRARIES["numpy"].lower()),
    ],
)
def test_on_dark_paper_greys_are_turned_round_and_backends_keep_their_colours(colour, dark):
    assert _pictures.on_dark(colour) == dark


def test_what_dark_paper_would_swallow_becomes_lighter():
    assert _pictures.on_dark("#2255aa") > "#2255aa"
    assert _pictures.on_dark("#102040") > "#102040"


def test_text_on_a_coloured_ground_keeps_its_colour_on_a_dark_page(results):
    drawn = _pictures.svg(EXPERIMENTS[NAMES.index("broadcasting")].plot(results["broadcasting"])).decode()
    kept = re.findall(rf'<g id="({_pictures.ON_COLOUR}[^"]+)"', drawn)
    assert len(kept) == len(set(kept)) >= 6
    assert f'[id^="{_pictures.ON_COLOUR}"] {{ fill: #000000 }}' in drawn


@pytest.fixture
def shown(document):
    """The page in a browser, which has seen no error and no other request when the test is over."""
    browser = pytest.importorskip("asv_benchmarks.pages.browser")
    pytest.importorskip("playwright")
    if browser.executable() is None:
        pytest.skip(browser.HOW_TO_GET_IT)
    problems, address = [], document.as_uri()
    with browser.browser() as running:
        opened = running.new_page()
        opened.on("console", lambda said: problems.append(said.text))
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.on(
            "request",
            lambda asked: None if asked.url.partition("#")[0] == address else problems.append(asked.url),
        )
        opened.on("requestfailed", lambda asked: problems.append(asked.url))
        opened.goto(address)
        opened.wait_for_load_state("networkidle")
        yield opened
    assert problems == []


def test_the_page_in_a_browser(shown):
    pictures = json.loads(
        shown.evaluate(
            "JSON.stringify([...document.images].map(i => [i.alt, i.naturalWidth, i.clientWidth, "
            "i.complete]))"
        )
    )
    assert len(pictures) == len(EXPERIMENTS)
    for alternative, natural, width, complete in pictures:
        assert complete
        assert len(alternative) > 60
        assert natural > 300
        assert width > 300
    assert shown.locator("html").get_attribute("lang") == "en"
    levels = shown.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert shown.evaluate("[...document.querySelectorAll('th')].every(th => th.scope)")
    assert shown.evaluate(
        "[...document.querySelectorAll('[id]')].length === "
        "new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size"
    )
    formulas = shown.evaluate(
        "[...document.querySelectorAll('math')].map(m => m.getBoundingClientRect().width)"
    )
    parts = [page.in_parts(formula) for each in EXPERIMENTS for formula in each.formulas]
    assert len(formulas) == sum(map(len, parts))
    assert min(formulas) > 15  # |v| is 22 wide


def test_formulas_of_the_first_experiment_fit_on_a_phone(shown):
    shown.set_viewport_size({"width": 390, "height": 800})
    box = "document.querySelector('section#logistic .formulas')"
    assert shown.evaluate(f"{box}.scrollWidth <= {box}.clientWidth")


def test_the_contents_lead_to_every_experiment(shown):
    for each in EXPERIMENTS:
        shown.get_by_role("navigation").get_by_text(each.title, exact=True).click()
        assert shown.url.endswith(f"#{each.name}")
        top = shown.evaluate(f"document.getElementById('{each.name}').getBoundingClientRect().top")
        assert abs(top) < 2 or each is EXPERIMENTS[-1]


def test_headings_have_the_numbers_of_the_contents_and_a_way_back(shown):
    numbers = shown.evaluate(
        "[...document.querySelectorAll('nav ol')].flatMap("
        "list => [...list.children].map((item, i) => `${list.start + i}. ${item.innerText}`))"
    )
    assert shown.locator("main h3").all_inner_texts() == numbers
    assert [number.partition(".")[0] for number in numbers] == [str(n + 1) for n in range(len(NAMES))]
    for each in EXPERIMENTS:
        shown.locator(f"section#{each.name}").get_by_text("Back to the contents").click()
        assert shown.url.endswith("#contents")
        assert abs(shown.evaluate("document.getElementById('contents').getBoundingClientRect().top")) < 2


def _pixels(shown, place):
    """The colours of a part of the page, row by row."""
    image = pytest.importorskip("PIL.Image")
    taken = image.open(io.BytesIO(shown.locator(place).first.screenshot())).convert("RGB")
    return np.asarray(taken).astype(int)


def test_a_table_that_is_cut_off_has_a_shadow_there_until_it_is_scrolled(shown):
    shown.set_viewport_size({"width": 390, "height": 800})
    place = "section#logistic .wide:has(table)"
    assert shown.evaluate(f"(e => e.scrollWidth > e.clientWidth)(document.querySelector('{place}'))")

    def shadows():
        top = _pixels(shown, place)[3]  # above the first letters
        return bool(np.ptp(top[:8]) > 20), bool(np.ptp(top[-8:]) > 20)

    assert shadows() == (False, True)
    shown.evaluate(f"document.querySelector('{place}').scrollLeft = 10000")
    assert shadows() == (True, False)


def test_pictures_are_dark_on_a_dark_page(shown):
    for scheme, theme in (("light", colours.LIGHT), ("dark", colours.DARK)):
        shown.emulate_media(color_scheme=scheme)
        corner = _pixels(shown, "section#descent img")[2, 2]
        assert "#{:02X}{:02X}{:02X}".format(*corner) == theme["paper"]


def test_rows_of_backends_have_their_colours(shown):
    row = shown.locator("section#linear tr").filter(has_text="numba").first
    colour = row.locator(".swatch").evaluate("e => getComputedStyle(e).backgroundColor")
    red, green, blue = (int(part) for part in re.findall(r"\d+", colour))
    assert f"#{red:02X}{green:02X}{blue:02X}" == colours.LIBRARIES["numba"]


def test_the_page_is_as_wide_as_the_window_light_and_dark(shown):
    for width, scheme in itertools.product((320, 390, 1280), ("light", "dark")):
        shown.emulate_media(color_scheme=scheme)
        shown.set_viewport_size({"width": width, "height": 800})
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        dark = shown.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        assert dark == (scheme == "dark")


# -- the guide --------------------------------------------------------------------------------------


@pytest.mark.skipif(not GUIDE.exists(), reason="no .docs folder in a source distribution")
def test_the_guide_names_the_command_of_every_idea():
    text = GUIDE.read_text(encoding="utf-8")
    named = re.findall(r"^\| .+ \| `(\w+)` \|$", text, re.MULTILINE)
    assert named == NAMES
    assert "dlkernels course --html" in text
