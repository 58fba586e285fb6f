"""Make asv's page work offline: copy the files that it loads from content delivery networks beside it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from dlkernels import colours

VENDOR = Path(__file__).resolve().parent.parent / "vendor"
#: For each file that asv's page loads, the end of its address and the name of our copy.
_FILES = {
    "/jquery-3.3.1.min.js": "jquery.min.js",
    "/jquery.flot.min.js": "jquery.flot.js",
    "/jquery.flot.time.min.js": "jquery.flot.time.js",
    "/jquery.flot.selection.min.js": "jquery.flot.selection.js",
    "/jquery.flot.categories.min.js": "jquery.flot.categories.js",
    "/jquery.flot.orderBars.js": "jquery.flot.orderBars.js",
    "/stupidtable.min.js": "stupidtable.min.js",
    "/md5.min.js": "md5.min.js",
    "/bootstrap.min.js": "bootstrap.min.js",
    "/bootstrap.min.css": "bootstrap.min.css",
}
#: Our own plug-in for flot, which asv's page loads after everything else.
_PLUGIN = Path(__file__).resolve().parent / "backend_colours.js"
_LOADING = re.compile(r"<(?:script|link)\b[^>]*?\b(?:src|href)=\"(https?:[^\"]+)\"[^>]*>")


def make_offline(page: str) -> str:
    """Return the page with local addresses in the place of remote ones.

    Raises
    ------
    ValueError
        If the page loads a file of which this project has no copy.
    """

    def local(match: re.Match[str]) -> str:
        address = match[1]
        name = next((file for ending, file in _FILES.items() if address.endswith(ending)), None)
        if name is None:
            raise ValueError(f"asv's page loads {address}, of which asv_benchmarks/vendor has no copy")
        # Drop the hash of `integrity`: it is that of the minified file, and a local file needs none.
        tag = re.sub(r"\s(?:integrity|crossorigin|referrerpolicy)=\"[^\"]*\"", "", match[0])
        return tag.replace(address, f"vendor/{name}")

    return _LOADING.sub(local, page)


def drop_unmeasured(folder: Path) -> None:
    """Remove benchmarks without figures from asv's index, because asv's page would ask for missing graphs."""
    file = folder / "index.json"
    index = json.loads(file.read_text(encoding="utf-8"))
    index["benchmarks"] = {
        name: benchmark
        for name, benchmark in index["benchmarks"].items()
        if (folder / "graphs" / "summary" / f"{name}.json").exists()
    }
    file.write_text(json.dumps(index), encoding="utf-8")


def move_asv_page(folder: Path, name: str) -> None:
    """Rename asv's page, to make room for the landing page, and copy the files that it loads.

    Its curves get the colours of their backends.
    """
    page = make_offline((folder / "index.html").read_text(encoding="utf-8"))
    plugin = _PLUGIN.read_text(encoding="utf-8")
    plugin = plugin.replace("BACKEND_COLOURS", json.dumps(dict(colours.LIBRARIES)))
    (folder / _PLUGIN.name).write_text(plugin, encoding="utf-8")
    page = page.replace("</head>", f'<script src="{_PLUGIN.name}"></script>\n</head>', 1)
    (folder / name).write_text(page, encoding="utf-8")
    shutil.copytree(VENDOR, folder / "vendor", dirs_exist_ok=True)
