"""What the README and the site show is run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import numba
import pytest

README = Path(__file__).parent.parent / "README.md"

pytestmark = [
    pytest.mark.skipif(not README.exists(), reason="the README lies beside the tests in a checkout"),
    pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="minutes without compilation"),
]


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
    pages = sorted([*folder.glob("*.md"), *folder.glob("[!_]*/*.md")])
    if not pages:
        pytest.skip("no .docs folder in a source distribution")
    return pages


def test_python_examples_of_the_guides_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where one saves a picture
    examples = [(page, example) for page in guides() for example in blocks("python", page)]
    assert len(examples) == 14
    for page, example in examples:
        exec(compile(example, str(page), "exec"), {})


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
