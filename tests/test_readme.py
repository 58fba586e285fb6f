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
    assert len(examples) == 11
    for example in examples:
        exec(compile(example, str(README), "exec"), {})


def test_python_examples_of_the_sites_own_pages_run():
    pages = sorted((README.parent / ".docs").glob("[!_]*/*.md"))
    if not pages:
        pytest.skip("no .docs folder in a source distribution")
    examples = [(page, example) for page in pages for example in blocks("python", page)]
    assert len(examples) == 2
    for page, example in examples:
        exec(compile(example, str(page), "exec"), {})


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
