"""The command `dlkernels`.

For a fault that the user can mend, the command prints one line on stderr and returns exit code 2. Any other
exception is a bug, and keeps its traceback. Other packages of this project add their commands as entry points
of the group `GROUP`. Each entry point is a function that gets argparse's sub-parsers, adds a command to them
and sets its default `run`: a function that takes the parsed arguments and returns an exit code.
"""

from __future__ import annotations

import _thread
import argparse
import contextlib
import importlib.metadata
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from dlkernels._data.columns import DataError
from dlkernels.extras import MissingExtraError
from dlkernels.faults import reason
from dlkernels.text import printable

GROUP = "dlkernels.commands"
INTERRUPTED = 130
BROKEN_PIPE = 141


class CommandError(Exception):
    """A fault that the user can mend. The message names the fault."""


class _Parser(argparse.ArgumentParser):
    """A parser that accepts no abbreviated options, and raises a `CommandError` for a fault."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message} (see {self.prog} --help)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after the command's name; by default those that this process was started with.

    Returns
    -------
    int
        The exit code of the command, usually 0; 2 for a fault that the user can mend; 130 after Ctrl-C; 141
        if nobody reads the output any more.

    Examples
    --------
    >>> from dlkernels.cli import main
    >>> main(["--version"])  # doctest: +ELLIPSIS
    dlkernels ...
    0
    """
    if sys.stdout is None:  # the parent process has closed it
        sys.stdout = io.StringIO()
    # A file name may hold what the terminal's encoding can't show.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    try:
        with _insistent_interrupts():
            code = _run(list(sys.argv[1:] if arguments is None else arguments))
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED, prefix="dlkernels: ")
    except BrokenPipeError:
        # Nobody reads the output any more. Python would complain when it flushes stdout at exit.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        if error.filename is not None:
            raise  # not of the output
        why = reason(error)
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _fail(f"can't write the output: {why}", 2)
    except (CommandError, DataError, MissingExtraError) as error:
        return _fail(str(error), 2)
    except MemoryError as error:
        return _fail(f"not enough memory. {error}", 2)


def _run(arguments: list[str]) -> int:
    parser = _parser(arguments)
    try:
        parsed = parser.parse_args(arguments)
    except SystemExit as end:  # --help and --version
        sys.stdout.flush()
        return int(end.code or 0)
    code: int = parsed.run(parsed)
    return code


@contextlib.contextmanager
def _insistent_interrupts() -> Iterator[None]:
    """Repeat Ctrl-C until it has ended the block.

    Python drops a KeyboardInterrupt that is raised inside a destructor or a callback from C, and Numba runs
    many of them while it compiles.
    """
    main_thread = threading.main_thread().ident or 0
    if (
        threading.get_ident() != main_thread
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    done = threading.Event()

    def repeat() -> None:
        while not done.wait(0.5):
            if hasattr(signal, "pthread_kill"):  # a signal also wakes a thread that sleeps
                signal.pthread_kill(main_thread, signal.SIGINT)
            else:
                _thread.interrupt_main()

    repeater = threading.Thread(target=repeat, daemon=True)

    def interrupt(*_: Any) -> NoReturn:
        if not done.is_set() and repeater.ident is None:
            repeater.start()
        raise KeyboardInterrupt

    hook = sys.unraisablehook
    sys.unraisablehook = lambda dropped: None if dropped.exc_type is KeyboardInterrupt else hook(dropped)
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        done.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = hook


def _fail(message: str, code: int, prefix: str = "dlkernels: error: ") -> int:
    print(f"{prefix}{printable(' '.join(message.split()))}", file=sys.stderr, flush=True)
    return code


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    import dlkernels

    parser = _Parser(
        prog="dlkernels",
        description="Kernels of neural-network basics: as Python loops, in NumPy, and compiled with Numba.",
    )
    parser.add_argument("--version", action="version", version=f"dlkernels {dlkernels.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    info = commands.add_parser("info", help="print versions, processor, threads and the kernels' cache")
    info.set_defaults(run=_info)
    warmup = commands.add_parser("warmup", help="compile all kernels ahead and keep them on disk")
    warmup.set_defaults(run=_warmup)
    found = importlib.metadata.entry_points(group=GROUP)
    for entry in found:
        entry.load()(commands)
    command = next((word for word in arguments if not word.startswith("-")), None)
    if not found and command not in (None, "info", "warmup"):
        raise CommandError(
            f"the command {command!r} is found only once dlkernels is installed: python -m pip install ."
        )
    return parser


def _info(_: argparse.Namespace) -> int:
    import dlkernels

    dlkernels.show_config()
    return 0


def _warmup(_: argparse.Namespace) -> int:
    from dlkernels._compiler import cache
    from dlkernels._warmup import warmup_alone

    if cache.folder() is not None:
        # With one process for each dtype it takes half the time. The last call compiles what wasn't kept.
        code = "from dlkernels._warmup import warmup_alone; warmup_alone('float64')"
        other = subprocess.Popen([sys.executable, "-c", code])
        warmup_alone("float32")
        other.wait()
    warmup_alone("float32", "float64")
    print(
        f"All kernels are compiled, for float32 and float64; they are kept in {cache.folder() or 'no file'}."
    )
    return 0
