"""How many CPUs this process may really use: as its affinity says, and the quota of its control groups.

A container with `--cpus=1` sees all CPUs of its machine, but gets the time of one. Numba counts the CPUs that
it sees. On Linux the quota stands in a file of the control group of the process, or of a group around it. The
names of these files differ between the two versions of control groups (Linux's documentation: "CFS Bandwidth
Control" and "Control Group v2").
"""

from __future__ import annotations

import functools
import math
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dlkernels._compiler.errors import reraise_foreign

#: How the kernel writes spaces and the like in a path: "\040".
_OCTAL = re.compile(r"\\(\d{3})")
#: What the kernel says about this process.
_SELF = Path("/proc/self")


def usable() -> int:
    """The number of CPUs that this process may use, at least 1. On Linux it takes 1 us on 2 CPUs.

    The affinity may change while the process runs. The quota is read once.
    """
    # `os.cpu_count` takes 12 us on Linux, where it reads a file. So it is called only without an affinity.
    has_affinity = hasattr(os, "sched_getaffinity")
    count = len(os.sched_getaffinity(0)) if has_affinity else (os.cpu_count() or 1)
    return max(1, min(count, _quota()))


@functools.cache
def _quota() -> int:
    """The whole number of CPUs whose time the control groups allow. A fraction of a CPU isn't counted."""
    try:
        least = min(map(_limit, _groups()), default=math.inf)
    except (ValueError, ZeroDivisionError):  # a form of these files that isn't known here
        return sys.maxsize
    return sys.maxsize if least == math.inf else int(least)


def _groups() -> Iterator[Path]:
    """The folders of the control groups that limit the CPU time of this process, from its own group up."""
    places = {}
    for line in _lines(_SELF / "mountinfo"):
        # "31 23 0:28 ROOT POINT options - TYPE source OPTIONS". The group ROOT is mounted at POINT.
        mount, _, system = line.partition(" - ")
        root, point = (_OCTAL.sub(_character, text) for text in mount.split(" ")[3:5])
        kind, *_, options = system.split(" ")
        if kind == "cgroup2":
            places[""] = root, point
        elif kind == "cgroup" and "cpu" in options.split(","):
            places["cpu"] = root, point
    for line in _lines(_SELF / "cgroup"):
        _, controllers, group = line.split(":", 2)  # "3:cpu,cpuacct:/GROUP" or, in version 2, "0::/GROUP"
        name = "cpu" if "cpu" in controllers.split(",") else controllers
        if name in places:
            root, point = places[name]
            inside = PurePosixPath(group)
            inside = inside.relative_to(root) if inside.is_relative_to(root) else PurePosixPath()
            yield from (Path(point) / part for part in (inside, *inside.parents))


def _character(octal: re.Match[str]) -> str:
    return chr(int(octal[1], 8))


def _limit(group: Path) -> float:
    """The CPUs whose time a control group allows."""
    found = _lines(group / "cpu.max")  # version 2: "QUOTA PERIOD", in microseconds
    fields = found[0].split() if found else []
    if not fields:
        fields = [line for name in ("quota", "period") for line in _lines(group / f"cpu.cfs_{name}_us")]
    if len(fields) != 2 or fields[0] in ("max", "-1"):
        return math.inf
    return int(fields[0]) / int(fields[1])


def _lines(file: Path) -> list[str]:
    """The lines of a file; none if it can't be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip("\n").split("\n")
    except OSError as error:
        reraise_foreign(error)
        return []
