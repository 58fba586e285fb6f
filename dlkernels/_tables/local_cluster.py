"""A Dask cluster on this machine, as a process of its own: `python -m dlkernels._tables.local_cluster N`.

It prints the address of its scheduler, and ends when its standard input does: with the command that has
started it, however that ends. Ctrl-C on the terminal doesn't reach it, so none of its processes complains.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from dlkernels.cli import CommandError
from dlkernels.extras import need

#: Seconds that its processes have to end by themselves.
_CLOSING = 10


@contextlib.contextmanager
def local_cluster(workers: int) -> Iterator[str]:
    """Start a cluster with so many workers of one thread; yield its address; end it in any case."""
    path = os.pathsep.join(filter(None, sys.path))
    apart: dict[str, Any] = {"start_new_session": True}
    if os.name != "posix":
        apart = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(workers)], env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, **apart,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            if not address:
                errors.seek(0)
                why = (errors.read().strip() or "it ended at once").splitlines()[-1]
                raise CommandError(f"--dask local: can't start a cluster: {why}")
            yield address
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Let the processes end, and else kill them. Ctrl-C is repeated until the command has ended."""
    assert process.stdin is not None
    while process.poll() is None:
        with contextlib.suppress(KeyboardInterrupt):
            try:
                process.stdin.close()
                process.wait(_CLOSING)
            except subprocess.TimeoutExpired:
                if os.name == "posix":
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                process.kill()
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()


def _main(workers: int) -> None:
    library = need("distributed", "--dask local", "dask")
    with library.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL + 1,
    ) as started:
        print(started.scheduler_address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _main(int(sys.argv[1]))
