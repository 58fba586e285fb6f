"""What the reports of all commands share: durations, lines for terminals and pipes, files that are whole."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dlkernels.cli import CommandError
from dlkernels.extras import need
from dlkernels.faults import reason
from dlkernels.text import printable

#: How many columns tables may take; most terminals have as many.
WIDTH = 80


def duration(seconds: float) -> str:
    """Write seconds with three significant digits and a suitable unit."""
    unit, size = next(
        ((unit, size) for unit, size in (("s", 1.0), ("ms", 1e-3)) if seconds >= size), ("us", 1e-6)
    )
    value = seconds / size
    return f"{value:.{max(0, 2 - math.floor(math.log10(max(value, 1))))}f} {unit}"


def show_lines(*things: Any) -> None:
    """Print text and tables with rich, without the empty lines and the padding that rich adds.

    On a terminal a line of text that is too long goes on in the next line, indented by two. Elsewhere it
    stays one line. rich leaves colours out where there is no terminal, where its type is "dumb" and where
    NO_COLOR is set; with FORCE_COLOR it treats everything as a terminal.
    """
    need("rich", "this command")
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    console.soft_wrap = not console.is_terminal or console.width < WIDTH
    console.width = max(console.width, WIDTH)
    # Rich doesn't print to stdout itself: it would end the process if the reader of a pipe has gone.
    with console.capture() as printed:
        for thing in things:
            if isinstance(thing, str | Text) and not console.soft_wrap:
                thing = _hanging(thing, console)
            console.print(thing)
    lines = [line.rstrip() for line in printed.get().splitlines() if line.strip()]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _hanging(text: Any, console: Any) -> Any:
    from rich.text import Text

    indent = Text("  ")
    lines = []
    for line in (Text(text) if isinstance(text, str) else text).split("\n"):
        first, *others = line.wrap(console, console.width - len(indent)) or [line]
        lines += [first, *(indent + other for other in others)]
    return Text("\n").join(lines)


def show_block(*things: Any) -> None:
    """Print an empty line and, below it, text and tables as `show_lines` does; nothing if there are none."""
    if things:
        sys.stdout.write("\n")
        show_lines(*things)


def same_file(first: Path | None, second: Path) -> bool:
    """Return whether both are one file that is there already."""
    try:
        return first is not None and first.samefile(second)
    except (OSError, ValueError) as error:
        reason(error)  # raises an exception that isn't about the files
        return False


def _umask() -> int:
    """Return the umask of this process, which can be read only by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextlib.contextmanager
def reserved(path: Path | None, option: str) -> Iterator[Path | None]:
    """Yield a new file, which replaces `path` if the block succeeds. Raise at once if this can't work.

    `path` is what `option` was given. Without it, yield None.
    """
    if path is None:
        yield None
        return
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise CommandError(f"argument {option}: can't write {path}: there is no folder {path.parent}")
    if target.exists() and not (target.is_file() and os.access(target, os.W_OK)):
        raise CommandError(f"argument {option}: can't write {path}: not a file that may be replaced")
    try:
        handle, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=target.parent)
        os.close(handle)
        draft = Path(name)
        draft.chmod(0o666 & ~_umask())
    except (OSError, ValueError) as error:
        raise CommandError(f"argument {option}: can't write {path}: {reason(error)}") from None
    try:
        yield draft
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def say_written(paths: Sequence[Path | None]) -> None:
    """Print a line for each file that was written; None stands for one that nobody wanted."""
    sys.stdout.write("".join(f"wrote {printable(str(path))}\n" for path in paths if path is not None))
