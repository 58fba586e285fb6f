"""The progress bar of all commands and functions that take a while."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from dlkernels.extras import MissingExtraError, need

#: Seconds between two drawings. The bar has no thread of its own. Between calls of `advance` it costs
#: nothing, so that code that runs meanwhile can be timed.
_REDRAW = 0.2


@contextlib.contextmanager
def progress(
    description: str, total: int, *, enabled: bool = True, required: bool = False
) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr while a block runs. The block gets a function to call with the work just done.

    Nothing is shown if stderr is no terminal, or if rich isn't installed and the bar isn't `required`.
    """
    bar = None
    if enabled and sys.stderr is not None and sys.stderr.isatty():
        try:
            need("rich", "a progress bar")
        except MissingExtraError:
            if required:
                raise
        else:
            from rich.console import Console
            from rich.progress import Progress

            bar = Progress(console=Console(stderr=True), transient=True, auto_refresh=False)
    if bar is None:
        yield lambda done: None
        return
    with bar:
        task = bar.add_task(description, total=total)
        pending, drawn = 0, 0.0

        def advance(done: int) -> None:
            nonlocal pending, drawn
            pending += done
            now = time.monotonic()
            if now - drawn >= _REDRAW:
                bar.update(task, advance=pending, refresh=True)
                pending, drawn = 0, now

        bar.refresh()
        yield advance
        bar.update(task, advance=pending, refresh=True)
