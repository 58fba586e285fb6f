"""The command `dlkernels` as a process of its own, and what its faults look like."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import dlkernels

ROOT = Path(dlkernels.__file__).parents[1]
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def environment():
    """That of this process, so that the package that is tested is the one that is run."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    changed = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONWARNINGS": "error", "COLUMNS": "80"}
    return {key: value for key, value in os.environ.items() if key != "FORCE_COLOR"} | changed


def command(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "dlkernels", *map(str, arguments)],
        env=environment(), cwd=cwd, capture_output=True, text=True, encoding="utf-8", timeout=300,
    )  # fmt: skip


def succeed(*arguments, cwd=None):
    done = command(*arguments, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    assert not CONTROL.search(done.stdout)
    return done.stdout


def fail(*arguments, cwd=None):
    """The one line that a fault is reported with."""
    done = command(*arguments, cwd=cwd)
    return reported(done.returncode, done.stderr)


def reported(code, errors):
    """The one line that a fault is reported with, by a command that ended with this code."""
    assert code == 2, errors
    assert errors.endswith("\n")
    assert len(errors.splitlines()) == 1, errors
    assert errors.startswith("dlkernels: error: ")
    assert not CONTROL.search(errors)
    return errors


def run_python(program):
    return subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, timeout=60
    )


def run_without(package, arguments):
    """The command where a package isn't installed."""
    return run_python(
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == {package!r}:\n"
        f"            raise ModuleNotFoundError('none', name={package!r})\n"
        "sys.meta_path.insert(0, Missing())\n"
        f"from dlkernels.cli import main\nsys.exit(main({list(arguments)!r}))"
    )


def interrupted(arguments, first_line, cwd):
    """Send Ctrl-C to the command, which runs long, soon after its first line; it ends as it should."""
    # Where the tests run in the background of a shell, they and their children ignore Ctrl-C.
    code = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler);" + (
        "runpy.run_module('dlkernels', run_name='__main__', alter_sys=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=environment(), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        try:
            assert process.stdout.readline().startswith(first_line)
            time.sleep(0.7)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()  # does nothing to one that has ended
    assert process.returncode == 130
    assert errors == "dlkernels: interrupted\n"


def beside_a_terminal(*arguments, cwd=None):
    """Run the command with a terminal for its errors; return its output, and what the terminal got."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "dlkernels", *arguments], env=environment() | {"TERM": "xterm-256color"},
        cwd=cwd, stdout=subprocess.PIPE, stderr=theirs, text=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    with process:
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            shown += chunk
        output = process.stdout.read()
    os.close(ours)
    assert process.returncode == 0
    return output, shown
