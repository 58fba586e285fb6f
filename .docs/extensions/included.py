"""Files of the repository as parts of pages: links to them become links within the site.

A link leads to a file, as on GitHub, both in an included file and in a page of this folder.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
#: The page of the site that includes a file of the repository.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "project/changelog.md",
    "LICENSE": "project/licence.md",
    ".github/CONTRIBUTING.md": "project/contributing.md",
    "asv_benchmarks/README.md": "project/benchmarks.md",
    "dlkernels/_kernels/README.md": "kernels/design.md",
    "dlkernels/_kernels/MEASUREMENTS-2026-11.md": "kernels/measurements.md",
}
FOLDER = ".docs/"
LINK = re.compile(r"(?<!!)(\[[^][]+\])\(([^)\s:#]+)(#[^)\s]*)?\)")


def redirect(app: Any, path: Path, parent: str, content: list[str]) -> None:
    """Change the links of a file. A link to a file that the site lacks is a warning."""
    source = Path(app.srcdir)
    root, file = source.parent, (source / path).resolve()

    def page(link: re.Match[str]) -> str:
        words, target, anchor = link[1], link[2], link[3] or ""
        found = (file.parent / target).resolve()
        if not found.exists():
            return link[0]
        name = found.relative_to(root).as_posix()
        if name.startswith(FOLDER):
            return f"{words}(/{name.removeprefix(FOLDER)}{anchor})"
        if name not in PAGES:
            LOGGER.warning("%s links to %s, which isn't on the site", file.relative_to(root), name)
            return link[0]
        return f"{words}(/{PAGES[name]}{anchor})"

    content[0] = LINK.sub(page, content[0])


def redirect_page(app: Any, name: str, content: list[str]) -> None:
    path = Path(app.env.doc2path(name))
    if path.suffix == ".md":
        redirect(app, path, name, content)


def setup(app: Any) -> dict[str, bool]:
    app.connect("include-read", redirect)
    app.connect("source-read", redirect_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
