"""What other programs of the project make for the site: the commands' help, the course, the dashboard.

The help is made by each build. The course takes a minute and the dashboard must have been measured before, so
they are parts of the site only where one asks for them, by `-t course` and `-t dashboard`.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.errors import ExtensionError

from dlkernels import cli


class Help(Directive):
    """What `dlkernels COMMAND --help` prints, or `dlkernels --help` without a command."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        printed = io.StringIO()
        os.environ["COLUMNS"] = "78"
        with contextlib.redirect_stdout(printed):
            status = cli.main([*self.arguments, "--help"])
        if status:
            raise self.error(f"dlkernels {self.arguments} --help: exit code {status}")
        text = printed.getvalue().rstrip()
        return [nodes.literal_block(text, text, language="none")]


def add_pages(app: Any, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    site = Path(app.outdir)
    if app.tags.has("course"):
        # Exit code 1 says that a claim didn't hold in this run. The page says which.
        command = [sys.executable, "-m", "dlkernels", "course", "--html", str(site / "course.html")]
        if subprocess.run(command, check=False).returncode > 1:
            raise ExtensionError("the course couldn't be made")
    if app.tags.has("dashboard"):
        made = Path(app.srcdir).parent / "asv_benchmarks" / ".asv"
        found = [folder for folder in (made / "html", made / "quick" / "html") if folder.exists()]
        if not found:
            raise ExtensionError(f"no dashboard in {made}: asv_benchmarks/README.md says how to make one")
        shutil.copytree(found[0], site / "dashboard", dirs_exist_ok=True)


def setup(app: Any) -> dict[str, bool]:
    app.add_directive("command-help", Help)
    app.connect("build-finished", add_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
