"""The dashboard's first page, made of figures that nobody has measured."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("asv_benchmarks", reason="the benchmarks lie beside the package, in the repository only")
pytest.importorskip("asv")

from asv_benchmarks.pages import browser, landing
from asv_benchmarks.pages.figures import Benchmark, Commit, Figures

LONG = "costs.BinaryCrossEntropyWithLogits"
NAMES = ("backend", "log2_n", "dtype")
TIMES = {"python": 1e-3, "numpy": 1e-5, "numba": 1e-6}


def figures(commits=("a" * 40,), sizes=(10,), name=LONG):
    """Times of an operation on three backends, the same for each commit, and its relative times."""

    def benchmark(kind, unit, values):
        history = {key: dict.fromkeys(commits, value) for key, value in values.items()}
        return Benchmark(f"{name}.{kind}", NAMES, unit, values, history)

    times = {(backend, s, "float64"): TIMES[backend] * s for backend in TIMES for s in sizes}
    ratios = {("numba", s, "float64"): 0.25 for s in sizes}
    found = [benchmark("time_call", "seconds", times), benchmark("track_relative_time", "", ratios)]
    dated = [Commit(commit, 0, 4) for commit in commits]
    return Figures({"cpu": "a processor"}, dated, {each.name: each for each in found})


def test_a_quick_look_has_no_links_to_graphs_of_one_point():
    page = landing.render(figures())
    assert f'href="{landing.ASV_PAGE}' not in page
    assert "0.250" in page


def test_every_link_within_the_page_leads_somewhere():
    """An operation that was measured once, beside one of two commits, has no place of its own."""
    found = figures(commits=("a" * 40, "b" * 40))
    found.benchmarks.update(figures(name="activations.Tanh").benchmarks)
    page = landing.render(found)
    places = re.findall(r'href="#([^"]*)"', page)
    assert "binary_cross_entropy_with_logits" in places
    assert [place for place in places if f'id="{place}"' not in page] == []


def test_a_relative_time_is_shown_where_no_time_was_measured():
    found = figures()
    relative = found.benchmarks[f"{LONG}.track_relative_time"]
    relative.values["numba", 16, "float64"] = 0.777
    page = landing.render(found)
    assert "0.777" in page
    assert "65,536 numbers" in page


def test_links_are_there_if_their_graphs_show_something():
    assert "time against size" in landing.render(figures(sizes=(10, 16)))
    assert "time over commits" not in landing.render(figures(sizes=(10, 16)))
    page = landing.render(figures(commits=("a" * 40, "b" * 40)))
    assert "time against size" not in page
    for words in ("time over commits", "relative time over commits", "Benchmark grid", "Regressions"):
        assert f">{words}</a>" in page


def test_other_tables_lead_to_asv_only_for_several_commits():
    one, two = ({("tanh",): {"a": 1.0}}, {("tanh",): {"a": 1.0, "b": 2.0}})
    for history, linked in ((one, False), (two, True)):
        other = Benchmark("accuracy.Accuracy.track", ("function",), "ulp", {("tanh",): 1.0}, history)
        assert (landing._other_table(other)["href"] is not None) == linked


def test_bars_have_the_order_of_times_and_begin_at_1_for_ratios():
    operations = landing.operations(figures(sizes=(10, 16)))
    bars = landing.Bars(operations)
    ends = [bars.time(TIMES[backend] * 10) for backend in ("numba", "numpy", "python")]
    assert [start for start, _ in ends] == [0, 0, 0]
    assert 0.05 < ends[0][1] < ends[1][1] < ends[2][1] < 1
    assert bars.time(TIMES["python"] * 16)[1] == pytest.approx(1)
    assert bars.ratio(1) == (0.5, 0.5)
    assert bars.ratio(0.25) == pytest.approx((0, 0.5))
    assert bars.ratio(4) == pytest.approx((0.5, 1))


def test_the_faster_one_of_a_ratio_gives_the_bar_its_colour():
    (operation,) = landing.operations(figures())
    *times, ratio = landing.Bars([operation]).cells(operation, 10, "float64", list(TIMES))
    assert [cell["backend"] for cell in times] == list(TIMES)
    assert [cell["best"] for cell in times] == [False, False, True]
    assert (ratio["text"], ratio["backend"]) == ("0.250", "numba")
    operation.relative.values["numba", 10, "float64"] = 2.0
    *_, ratio = landing.Bars([operation]).cells(operation, 10, "float64", list(TIMES))
    assert ratio["backend"] == "numpy"


def test_a_phone_shows_all_three_backends_light_and_dark(tmp_path):
    pytest.importorskip("playwright")
    if browser.executable() is None:
        pytest.skip(browser.HOW_TO_GET_IT)
    file = tmp_path / "page.html"
    file.write_text(landing.render(figures(sizes=(10, 16), commits=("a" * 40, "b" * 40))), encoding="utf-8")
    with browser.browser() as running:
        for width in (390, 1280):
            for scheme in ("light", "dark"):
                page = running.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
                page.goto(file.as_uri())
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                box = page.locator("#side-by-side tbody td").nth(2).bounding_box()
                assert box["x"] + box["width"] <= width
                paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
                assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
                page.close()
