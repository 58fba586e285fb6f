"""From three commits to a page in a browser, and to a gate that a slower kernel doesn't pass.

asv runs for real: on a small repository, with the installed package as if it were each of three commits.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("asv_benchmarks", reason="the benchmarks lie beside the package, in the repository only")
pytest.importorskip("asv")

import dlkernels
from asv_benchmarks import dashboard, gate
from asv_benchmarks.pages import browser, figures, landing, offline
from dlkernels import colours, models
from dlkernels._compiler import cache

pytestmark = pytest.mark.slow

SIGMOID, FORWARD = "activations.Sigmoid", "dense.DenseForward"
#: What is measured here: two operations on three backends.
CHOSEN = (
    rf"{SIGMOID}\.time_call\('(python|numpy|numba)', 10, 'float64'\)",
    rf"{FORWARD}\.time_call\('(python|numpy|numba)', (4|7), 'float64'\)",
    rf"{SIGMOID}\.track_relative_time\('numba', 16, 'float64'\)",
    r"memory\.Memory\.track_peak\('numba', 'shallow_propagate', 12\)",
)


def _git(folder, *arguments):
    identity = ["-c", "user.name=tests", "-c", "user.email=tests@localhost", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The configuration of a repository with three commits, each of which was measured."""
    if shutil.which("git") is None:
        pytest.skip("asv needs git")
    folder = tmp_path_factory.mktemp("project")
    conf = json.loads(figures.CONFIGURATION.read_text(encoding="utf-8"))
    suite = figures.CONFIGURATION.parent / conf["benchmark_dir"]
    configuration = folder / "asv.conf.json"
    configuration.write_text(json.dumps(conf | {"repo": ".", "benchmark_dir": str(suite)}), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))  # where asv keeps what it knows of the machine
        patch.setenv("NUMBA_CACHE_DIR", str(cache.root().parent))  # which HOME would move
        _git(folder, "init", "--initial-branch=main")
        for commit in range(3):
            _git(folder, "commit", "--allow-empty", "-m", f"commit {commit}")
            assert dashboard.measure(configuration, CHOSEN) == 0
        yield configuration


@pytest.fixture(scope="module")
def site(project):
    assert dashboard.publish(project) == 0
    return Path(figures.configuration(project).html_dir)


def test_figures_are_those_of_the_newest_commit(project):
    found = figures.load(figures.configuration(project))
    assert len(found.commits) == 3
    assert [commit.date for commit in found.commits] == sorted((c.date for c in found.commits), reverse=True)
    # 3 backends x (1 size of numbers, 2 of layers), a relative time, a peak: nothing failed.
    assert {commit.count for commit in found.commits} == {3 * 3 + 2}
    times = found.benchmarks[f"{SIGMOID}.time_call"]
    assert times.names == ("backend", "log2_n", "dtype")
    assert set(times.values) == {(backend, 10, "float64") for backend in ("python", "numpy", "numba")}
    assert times.values["numba", 10, "float64"] < times.values["python", 10, "float64"] < 0.1


def test_of_one_commit_what_was_measured_last_counts(project):
    """Also in another environment: the order of files decided, and a look from before hid a later run."""
    conf = figures.configuration(project)
    before = figures.load(conf)
    key = ("numba", 16, "float64")
    (file,) = Path(conf.results_dir).rglob(f"{before.commits[0].hash[:8]}-*.json")
    result = json.loads(file.read_text(encoding="utf-8"))
    column = {name: i for i, name in enumerate(result["result_columns"])}
    for entry in result["results"].values():
        entry[column["result"]] = [v if v is None else 10 * v for v in entry[column["result"]]]
    for name, later in (("a-later", 1000), ("z-earlier", -1000)):
        for entry in result["results"].values():
            entry[column["started_at"]] += later
        other = file.with_name(file.name.replace("existing", name))
        other.write_text(json.dumps(result | {"env_name": name}), encoding="utf-8")
        try:
            after = figures.load(conf)
        finally:
            other.unlink()
        factor = 10 if later > 0 else 1
        relative = f"{SIGMOID}.track_relative_time"
        assert after.benchmarks[relative].values[key] == factor * before.benchmarks[relative].values[key]
        assert [commit.count for commit in after.commits] == [commit.count for commit in before.commits]
        for entry in result["results"].values():
            entry[column["started_at"]] -= later


def test_the_landing_page_has_every_figure(project, site):
    page = (site / "index.html").read_text(encoding="utf-8")
    found = figures.load(figures.configuration(project))
    for benchmark in found.benchmarks.values():
        for key, value in benchmark.values.items():
            if "time_call" in benchmark.name:
                assert landing.duration(value) in page, (benchmark.name, key)
    for operation in landing.operations(found):
        assert f'id="{operation.name}"' in page
        for _, address in operation.links():
            assert address.replace("&", "&amp;") in page
    history = next(o for o in landing.operations(found) if o.name == "sigmoid").history
    assert all(value and value in page for value in history([commit.hash for commit in found.commits]))
    for commit in found.commits:
        assert commit.hash[:8] in page


def test_no_page_loads_anything_from_elsewhere(site):
    for page in site.glob("*.html"):
        assert offline._LOADING.findall(page.read_text(encoding="utf-8")) == []


def test_an_address_without_a_copy_is_an_error():
    with pytest.raises(ValueError, match=r"https://example\.org/new\.js.*no copy"):
        offline.make_offline('<script src="https://example.org/new.js"></script>')


def test_copies_of_vendored_files_are_known_to_the_licence_file():
    listed = (offline.VENDOR / "LICENSES.txt").read_text(encoding="utf-8")
    for file in offline._FILES.values():
        assert (offline.VENDOR / file).stat().st_size > 1000
        assert file.split(".min.")[0].removesuffix(".js").split(".flot.")[0] in listed


def test_the_site_is_served_on_this_machine_only(site):
    with dashboard.served(site) as address:
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address) as answer:
            assert b"Side by side" in answer.read()
        port = int(address.rstrip("/").rsplit(":", 1)[1])
        with pytest.raises(OSError, match=r"(?i)refused|unreachable|reach"):
            socket.create_connection((_another_address(), port), timeout=5).close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address)


def _another_address():
    """Of this machine, but not the one that is listened on: all of 127.0.0.0/8 is the machine itself."""
    return "127.0.0.2" if sys.platform == "linux" else socket.gethostname()


@pytest.fixture(scope="module")
def chromium():
    """A browser for all tests: to start one takes longer than a test."""
    pytest.importorskip("playwright")
    if browser.executable() is None:
        pytest.skip(browser.HOW_TO_GET_IT)
    with browser.browser() as running:
        yield running


@pytest.fixture
def page(site, chromium):
    """A page in a profile of its own, that has seen no error and no failed request when the test is over."""
    problems = []
    with dashboard.served(site) as address, chromium.new_context() as context:
        page = context.new_page()
        page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "requestfailed",
            lambda request: (
                None  # the browser's own doing: a page, or its icon, that leads on to another at once
                if request.failure == "net::ERR_ABORTED"
                else problems.append(f"{request.failure}: {request.url}")
            ),
        )
        page.on(
            "request",
            lambda request: None if request.url.startswith(address) else problems.append(request.url),
        )
        page.on(
            "response",
            lambda answer: (
                problems.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None
            ),
        )
        page.address = address
        yield page
        page.wait_for_load_state("networkidle")  # closing would end requests, which isn't a failure
        found = list(problems)
    assert found == []


_SERIES = """() => {
    const plot = window.jQuery && $("#main-graph").data("plot");
    const series = plot ? plot.getData() : [];
    return series.filter(s => s.data.some(point => point[1] !== null)).map(
        s => [s.label || "", s.data, s.color]
    );
}"""


def _series(page):
    """Curves of asv's graph: name, points and colour."""
    page.wait_for_function(f"() => ({_SERIES})().length > 0")
    return page.evaluate(_SERIES)


def test_the_landing_page_in_a_browser(page):
    page.goto(page.address)
    assert page.locator("h1").inner_text().startswith("dlkernels")
    header = page.locator("#side-by-side thead th").all_inner_texts()
    assert header == ["operation", "Python", "NumPy", "Numba", "relative time"]
    assert page.locator("tbody#sigmoid tr").count() == 3  # its name, its times, a relative time
    assert page.locator("tbody#dense_forward tr").count() == 3


def test_a_link_opens_the_graph_with_its_axis_and_its_curves(page):
    page.goto(page.address)
    page.locator("tbody#dense_forward").get_by_text("time against size").click()
    series = _series(page)
    assert sorted(next(b for b in ("python", "numpy", "numba") if b in label) for label, *_ in series) == [
        "numba", "numpy", "python",
    ]  # fmt: skip
    for _, points, _ in series:
        assert [x for x, y in points if y is not None] == [4, 7]
    assert page.locator("#main-graph").is_visible()


def test_three_backends_over_three_commits(page):
    page.goto(page.address)
    page.locator("tbody#sigmoid").get_by_text("time over commits", exact=True).click()
    series = _series(page)
    assert len(series) == 3
    medians = {}
    for label, points, _ in series:
        values = [y for _, y in points if y is not None]
        assert len(values) == 3, label
        medians[next(b for b in ("python", "numpy", "numba") if b in label)] = sorted(values)[1]
    assert medians["numba"] < medians["python"]
    for label, _, colour in series:
        assert colour == colours.of(label), label


def test_curves_of_one_backend_have_colours_of_their_own(page):
    page.goto(f"{page.address}asv.html#{FORWARD}.time_call?p-backend='numba'&p-dtype='float64'")
    series = _series(page)
    assert len(series) == 2
    assert len({colour for *_, colour in series} | {colours.LIBRARIES["numba"]}) == 3


def test_the_relative_times_over_commits(page):
    page.goto(page.address)
    page.locator("tbody#sigmoid").get_by_text("relative time over commits").click()
    ((_, points, colour),) = _series(page)
    assert colour == colours.LIBRARIES["numba"]
    assert all(0 < y < 3 for _, y in points)


@pytest.mark.parametrize(
    ("name", "selector"),
    [
        ("Benchmark grid", "#summarygrid-display .benchmark-container"),
        ("Benchmark list", "#summarylist-display table tbody tr"),
        ("Regressions", "#regressions-display, #regressions-body"),
    ],
)
def test_views_of_asv(page, name, selector):
    page.goto(page.address)
    page.get_by_role("navigation").get_by_text(name).click()
    page.wait_for_selector(selector, state="visible")
    page.wait_for_load_state("networkidle")


def test_an_operation_with_a_point_in_its_name_is_a_place_on_the_page(page):
    page.goto(f"{page.address}#LogisticRegression.fit")
    page.wait_for_load_state("networkidle")
    assert "asv.html" not in page.url


def test_the_way_back_from_asv(page):
    page.goto(f"{page.address}asv.html#/")
    page.wait_for_function("() => document.querySelector('#project-name').getAttribute('href') !== '#'")
    assert page.locator("#project-name").get_attribute("href") == "index.html"


def test_an_address_of_asv_leads_to_its_page(page):
    """What asv writes into its feed says index.html."""
    page.goto(f"{page.address}index.html#{SIGMOID}.time_call?x-axis=log2_n&p-dtype='float64'")
    page.wait_for_url("**/asv.html#*")
    assert _series(page)


def test_the_picture_is_one(project, site, tmp_path):
    pytest.importorskip("playwright")
    if browser.executable() is None:
        pytest.skip(browser.HOW_TO_GET_IT)
    file = tmp_path / "page.png"
    with ThreadPoolExecutor(1) as another_thread:  # Playwright runs once in a thread: `chromium` in this one
        picture = another_thread.submit(dashboard.main, ["--config", str(project), "picture", str(file)])
    assert picture.result() == 0
    assert file.read_bytes().startswith(b"\x89PNG")


def test_without_results_the_commands_say_what_to_do(tmp_path, capsys):
    conf = json.loads(figures.CONFIGURATION.read_text(encoding="utf-8"))
    configuration = tmp_path / "asv.conf.json"
    configuration.write_text(json.dumps(conf), encoding="utf-8")
    assert dashboard.main(["--config", str(configuration), "serve"]) == 1
    assert "dashboard publish` makes it" in capsys.readouterr().err
    assert dashboard.main(["--config", str(configuration), "publish"]) == 1
    assert "dashboard quick` first" in capsys.readouterr().err
    assert gate.main(["--config", str(configuration)]) == 2
    assert "asv run` or `dashboard quick` first" in capsys.readouterr().err


def test_a_slower_kernel_does_not_pass_the_gate(project, site, tmp_path, monkeypatch, capsys):
    """sigmoid is computed twice for each number, in a copy of the package that asv is given."""
    stored = tmp_path / "stored.json"
    options = ["--config", str(project), "--stored", str(stored)]
    assert gate.main(options) == 3, "nothing is stored yet"
    assert gate.main([*options, "--update"]) == 0
    assert gate.main(options) == 0
    copy = tmp_path / "copy" / "dlkernels"
    for package in (dlkernels, models):  # dlkernels.models is the folder beside it
        shutil.copytree(Path(package.__file__).parent, copy.with_name(package.__name__.rpartition(".")[2]))
    kernel = copy / "_kernels" / "activations.py"
    source = kernel.read_text(encoding="utf-8")
    plain = "y[j] = sigmoid(x[j], p)"
    assert source.count(plain) == 1
    twice = "y[j] = sigmoid(x[j] + x.dtype.type(0) * sigmoid(-x[j], p), p)"
    kernel.write_text(source.replace(plain, twice), encoding="utf-8")
    monkeypatch.setenv("ASV_PYTHONPATH", str(copy.parent))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    _git(project.parent, "commit", "--allow-empty", "-m", "slower")
    assert dashboard.measure(project, CHOSEN[2:3]) == 0
    capsys.readouterr()
    assert gate.main(options) == 1
    said = capsys.readouterr().out
    assert f"{SIGMOID}(16, float64)" in said
    assert "1 compared, 1 slower" in said


def test_a_quick_look_lies_apart(tmp_path, monkeypatch):
    """Its results would be further curves in every graph of the commits."""
    configuration = tmp_path / "asv.conf.json"
    configuration.write_text(figures.CONFIGURATION.read_text(encoding="utf-8"), encoding="utf-8")
    asked = []
    monkeypatch.setattr(dashboard, "measure", lambda path: asked.append(path) or 0)
    monkeypatch.setattr(dashboard, "publish", lambda path: asked.append(path) or 0)
    assert dashboard.main(["--config", str(configuration), "quick"]) == 0
    assert dashboard.main(["--config", str(configuration), "publish"]) == 0
    conf = figures.configuration(asked[0])
    assert asked[0] == asked[1] != asked[2]
    assert Path(conf.results_dir).is_relative_to(tmp_path / ".asv" / "quick")
    assert Path(conf.benchmark_dir) == tmp_path / "benchmarks"
    assert Path(conf.repo) == tmp_path.parent


def test_a_port_that_is_taken(site, project, capsys):
    with dashboard.served(site) as address:
        port = address.rstrip("/").rsplit(":", 1)[1]
        assert dashboard.main(["--config", str(project), "serve", "--port", port]) == 1
    assert "--port" in capsys.readouterr().err


def test_only_relative_times_decide():
    assert gate.slower({"a": 0.5, "b": 1.0, "c": 1.0}, {"a": 0.64, "b": 1.4, "c": 2.0, "new": 9.0}) == {
        "c": 2.0, "b": 1.4,
    }  # fmt: skip


if os.environ.get("CI") and sys.platform == "linux":

    def test_there_is_a_browser_in_continuous_integration():
        assert browser.executable() is not None, browser.HOW_TO_GET_IT
