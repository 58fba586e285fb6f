"""asv's page, with what it loads from content delivery networks lying beside it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "vendor"
#: Files of asv's page, by what their address ends with.
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
_LOADING = re.compile(r"<(?:script|link)\b[^>]*?\b(?:src|href)=\"(https?:[^\"]+)\"[^>]*>")


def make_offline(page: str) -> str:
    """The page with local addresses in the place of remote ones.

    Raises
    ------
    ValueError
        If it loads something that isn't among the files of this project.
    """

    def local(match: re.Match[str]) -> str:
        address = match[1]
        name = next((file for ending, file in _FILES.items() if address.endswith(ending)), None)
        if name is None:
            raise ValueError(f"asv's page loads {address}, of which asv_benchmarks/vendor has no copy")
        # The hash is that of a minified file, and what comes from beside the page needs none.
        tag = re.sub(r"\s(?:integrity|crossorigin|referrerpolicy)=\"[^\"]*\"", "", match[0])
        return tag.replace(address, f"vendor/{name}")

    return _LOADING.sub(local, page)


def drop_unmeasured(folder: Path) -> None:
    """Take benchmarks without any figure off asv's index, which would ask for their graphs in vain."""
    file = folder / "index.json"
    index = json.loads(file.read_text(encoding="utf-8"))
    index["benchmarks"] = {
        name: benchmark
        for name, benchmark in index["benchmarks"].items()
        if (folder / "graphs" / "summary" / f"{name}.json").exists()
    }
    file.write_text(json.dumps(index), encoding="utf-8")


def move_asv_page(folder: Path, name: str) -> None:
    """Rename asv's page, which makes room for another first one, and give it what it loads."""
    page = (folder / "index.html").read_text(encoding="utf-8")
    (folder / name).write_text(make_offline(page), encoding="utf-8")
    shutil.copytree(VENDOR, folder / "vendor", dirs_exist_ok=True)
