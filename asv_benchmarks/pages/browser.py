"""Chromium without a window, for the picture of the page and for its test."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import Any

HOW_TO_GET_IT = "no Chromium on the PATH; on Debian: apt-get install chromium"


def executable() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """Start Chromium; yield it as a browser of Playwright.

    Raises
    ------
    FileNotFoundError
        If there is no Chromium; the message says how to get it.
    """
    from playwright.sync_api import sync_playwright

    path = executable()
    if path is None:
        raise FileNotFoundError(HOW_TO_GET_IT)
    features = ("gpu", "background-networking", "component-update", "sync")
    quiet = ["--no-first-run", *(f"--disable-{feature}" for feature in features)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        quiet.append("--no-sandbox")  # Chromium doesn't start its sandbox as root
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=quiet)
        try:
            yield running
        finally:
            running.close()
