"""What the README and the site show is run as it stands there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numba
import pytest

README = Path(__file__).parent.parent / "README.md"

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="minutes without compilation")


def blocks(language, file=README):
    return re.findall(
        rf"^```{language}\n(.*?)^```", file.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


def test_python_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where one saves a picture
    examples = blocks("python")
    assert len(examples) == 3
    for example in examples:
        exec(compile(example, str(README), "exec"), {})


def guides():
    """The site's own pages."""
    folder = README.parent / ".docs"
    return sorted([*folder.glob("*.md"), *folder.glob("[!_]*/*.md")])


def test_python_examples_of_the_guides_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # where one saves a picture
    examples = [(page, example) for page in guides() for example in blocks("python", page)]
    assert len(examples) == 22
    for page, example in examples:
        exec(compile(example, str(page), "exec"), {})
    printed = capsys.readouterr().out
    assert "right: relative difference" in printed  # the learner's six formulas, checked
    assert re.search(r"^0\.9\d+\n\[\[1\]\]$", printed, re.MULTILINE)  # the students of the CSV file
    assert (tmp_path / "boundary.png").stat().st_size > 10_000


def test_links_lead_to_files():
    """As GitHub follows them. The site's build checks the links between its pages."""
    for page in (README, *guides()):
        links = re.findall(r"\]\(([^)\s:#]+)(?:#[^)\s]*)?\)", page.read_text(encoding="utf-8"))
        missing = [link for link in links if not (page.parent / link).exists()]
        assert not missing, f"{page} links to {missing}"


def test_the_readme_stays_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_two_commands_do_all_the_setting_up():
    assert blocks("sh")[:2] == [
        'python -m pip install ".[compare]" && dlkernels compare\n',
        'python -m pip install ".[test]" && python -m pytest\n',
    ]


def test_the_ci_script_runs_the_readmes_test_command():
    """It takes the line from this file, so that the two can't drift apart."""
    script = README.parent / ".ci" / "run"
    if not script.exists():
        pytest.skip("no .ci folder in a source distribution")
    assert "README.md" in script.read_text(encoding="utf-8")
    assert re.search(
        r'^python -m pip install "\.\[test\]" && python -m pytest$', README.read_text(), re.MULTILINE
    )


def test_the_table_of_versions_says_what_is_tested_and_allowed():
    """`.ci/run` installs what `.ci/oldest.py` prints."""
    tested = runpy.run_path(str(README.parent / ".ci" / "oldest.py"))
    text = (README.parent / ".docs" / "start.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([\w-]+) \| ([\d.]+ \| [\d.]+) \|$", text, re.MULTILINE))
    table = {name: versions.split(" | ") for name, versions in rows.items()}
    pythons = re.findall(r":: (3\.\d+)$", "\n".join(tested["project"]["classifiers"]), re.MULTILINE)
    assert table.pop("Python") == [pythons[0], pythons[-1]]
    assert tested["project"]["requires-python"] == f">={pythons[0]}"
    assert table.keys() >= {"numpy", "numba", "scikit-learn", "dask"}
    assert {name: oldest for name, (oldest, _) in table.items()} == {
        name: version for name, version in tested["oldest"].items() if name in table
    }
    for line in tested["project"]["dependencies"]:
        if found := re.match(r"(\w+)>=.*,<(\d+)\.(\d+)", line):
            assert table[found[1]][1] == f"{found[2]}.{int(found[3]) - 1}"
