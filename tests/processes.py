"""Programs in processes of their own, for tests of what could bring a process down."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys


def new_process(code, environment=None, *arguments, timeout=120):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=timeout,
        check=False,
    )


def available(name):
    """Whether Numba was built with this layer, and what it loads is installed."""
    module = {"omp": "omppool", "tbb": "tbbpool", "workqueue": "workqueue"}[name]
    if importlib.util.find_spec(f"numba.np.ufunc.{module}") is None:
        return False
    return name != "tbb" or any(True for _ in importlib.metadata.distributions(name="tbb"))


#: Starts the command that follows so that root, too, writes only where the permissions let it (Linux).
OBEY_PERMISSIONS = """
import ctypes, os, sys
drop_from_bounding_set, may_override_permissions = 24, 1
if ctypes.CDLL(None).prctl(drop_from_bounding_set, may_override_permissions, 0, 0, 0):
    raise SystemExit("this process may not give up its privileges")
os.execv(sys.argv[1], sys.argv[1:])
"""


def obedient():
    """What the command line of a process begins with that writes only where the permissions let it."""
    return (sys.executable, "-c", OBEY_PERMISSIONS) if os.geteuid() == 0 else ()


@contextlib.contextmanager
def read_only(folder):
    """No process that is `obedient` can write to this folder and those in it."""
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for each in folders:
        each.chmod(0o555)
    try:
        yield
    finally:
        for each in folders:
            each.chmod(0o755)
