"""One progress bar for everything that takes a while."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress(
    description: str, total: int, *, enabled: bool = True, required: bool = False
) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr while the block runs; the block calls what it is given with the work done.

    Nothing is shown if stderr is no terminal, or if rich isn't installed and the bar isn't `required`.
    """
    bar = None
    if enabled and sys.stderr.isatty():
        try:
            from rich.console import Console
            from rich.progress import Progress

            bar = Progress(console=Console(stderr=True), transient=True)
        except ImportError:
            if required:
                raise ImportError('a progress bar needs rich: pip install "dlkernels[compare]"') from None
    if bar is None:
        yield lambda done: None
        return
    with bar:
        task = bar.add_task(description, total=total)
        yield lambda done: bar.advance(task, done)
