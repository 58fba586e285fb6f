"""Check the built pages: they load nothing from elsewhere, and each link within the site arrives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
LOADED = re.compile(r'<(?:script|img|iframe|source)\b[^>]*\bsrc="([^"]*)"|<link\b[^>]*\bhref="([^"]*)"')
IMPORTED = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^)\"';\s]*)")
LINKS = re.compile(r'<a\b[^>]*\bhref="([^"]*)"')
IDS = re.compile(r'\b(?:id|name)="([^"]*)"')


def is_elsewhere(address: str) -> bool:
    return bool(urlsplit(address).netloc)


def faults(site: Path) -> list[str]:
    """What is wrong with the pages of a site."""
    # The dashboard has tests of its own.
    pages = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    pages = {page: text for page, text in pages.items() if page.relative_to(site).parts[0] != "dashboard"}
    ids = {page.resolve(): {"", *IDS.findall(text)} for page, text in pages.items()}
    found = []
    for page, text in pages.items():
        name = page.relative_to(site)
        loaded = ["".join(pair) for pair in LOADED.findall(text)]
        found += [f"{name} loads {address}" for address in loaded if is_elsewhere(address)]
        for link in set(LINKS.findall(text)):
            parts = urlsplit(link.replace("&amp;", "&"))
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page.resolve()
            if not target.exists():
                found.append(f"{name} links to {link}, which isn't there")
            elif target in ids and unquote(parts.fragment) not in ids[target]:
                found.append(f"{name} links to {link}, but that page has no such place")
    for style in site.rglob("*.css"):
        addresses = IMPORTED.findall(style.read_text(encoding="utf-8"))
        found += [f"{style.relative_to(site)} loads {address}" for address in addresses]
    return found


def check(app: Any, error: Exception | None) -> None:
    if error is None and app.builder.name == "html":
        for fault in faults(Path(app.outdir)):
            LOGGER.warning(fault)


def setup(app: Any) -> dict[str, bool]:
    app.connect("build-finished", check, priority=900)  # after `made`
    return {"parallel_read_safe": True, "parallel_write_safe": True}
