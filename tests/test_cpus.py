"""CPUs that the process may use: affinity, the quota of control groups, and what follows for threads."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numba
import pytest
from processes import available, new_process

from dlkernels._calls import cpus

linux = pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
needs_compiled = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is launched")
slow = pytest.mark.slow

V2 = "0:28 / {at} rw - cgroup2 cgroup rw"
#: What /proc/self/mountinfo, /proc/self/cgroup and the files of the groups hold; the CPUs that follow.
GROUPS = {
    "version 2": (V2, "0::/a/b", {"a/b/cpu.max": "250000 100000"}, 2),
    "version 2, a group around": (
        V2, "0::/a/b",
        {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, 3,
    ),
    "version 2, in a container": (V2, "0::/", {"cpu.max": "100000 100000"}, 1),
    "version 2, part of a CPU": (V2, "0::/", {"cpu.max": "20000 100000"}, 1),
    "version 2, no limit": (V2, "0::/", {"cpu.max": "max 100000"}, 64),
    "version 2, damaged": (V2, "0::/", {"cpu.max": ""}, 64),
    "version 1": (
        "0:29 / {at} rw - cgroup cgroup rw,cpu,cpuacct", "5:memory:/x\n3:cpu,cpuacct:/a",
        {"a/cpu.cfs_quota_us": "400000", "a/cpu.cfs_period_us": "100000"}, 4,
    ),
    "version 1, seen from the host": (
        "0:29 /docker/1 {at} rw - cgroup cgroup rw,cpu", "3:cpu:/docker/1",
        {"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "25000"}, 2,
    ),
    "version 1, no limit": (
        "0:29 / {at} rw - cgroup cgroup rw,cpu", "3:cpu:/",
        {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, 64,
    ),
    "a mount without a source": ("0:29 / {at} rw - tmpfs  rw", "0::/", {}, 64),
    "another form": (V2, "0::/", {"cpu.max": "many few"}, 64),
    "no period": (V2, "0::/", {"cpu.max": "100000 0"}, 64),
    "no control groups": ("0:29 / {at} rw - tmpfs tmpfs rw", "", {}, 64),
}  # fmt: skip


@pytest.mark.parametrize("name", GROUPS)
def test_quotas(name, tmp_path, monkeypatch):
    mounts, groups, files, expected = GROUPS[name]
    at = tmp_path / "groups"
    for file, content in files.items():
        (at / file).parent.mkdir(parents=True, exist_ok=True)
        (at / file).write_text(content + "\n")
    (tmp_path / "mountinfo").write_text(f"31 23 {mounts.format(at=at)}\n")
    (tmp_path / "cgroup").write_text(f"{groups}\n" if groups else "")
    monkeypatch.setattr(cpus, "_SELF", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(os, "cpu_count", None)  # it would take 12 us of each call
    monkeypatch.setattr(cpus, "_quota", cpus._quota.__wrapped__)
    assert cpus.usable() == expected


def test_a_system_without_these_files(tmp_path, monkeypatch):
    monkeypatch.setattr(cpus, "_SELF", tmp_path / "nowhere")
    monkeypatch.setattr(cpus, "_quota", cpus._quota.__wrapped__)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert cpus.usable() == os.cpu_count()


#: The first parallel kernel runs in a thread, as in most servers. Ends with what the process counted,
#: and whether it has started the layer's threads.
FIRST_IN_A_THREAD = """
import os, sys, threading
{limit}
import numpy as np
import dlkernels as dk
thread = threading.Thread(target=lambda: print(dk.sigmoid(np.zeros(4_000_000)).sum()))
thread.start()
thread.join()
with dk.threads(2):
    thread = threading.Thread(target=lambda: print(dk.sigmoid(np.zeros(4_000_000)).sum()))
    thread.start()
    thread.join()
from dlkernels._compiler import internals
print(dk.get_num_threads(), internals.threads_started())
"""
ONE_CPU = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"


def first_in_a_thread(limit, layer):
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "4"}
    return new_process(FIRST_IN_A_THREAD.replace("{limit}", limit), environment, timeout=60)


@needs_compiled
@linux
@slow
@pytest.mark.parametrize("layer", ["tbb", "omp", "workqueue"])
@pytest.mark.parametrize("limit", [ONE_CPU, ""], ids=["one CPU", "all CPUs"])
def test_a_process_ends_where_numba_counts_more_cpus_than_it_may_use(limit, layer):
    """With tbb and one CPU it did not (numba#10556)."""
    if not available(layer):
        pytest.skip(f"{layer} is not available here")
    done = first_in_a_thread(limit, layer)
    count = 1 if limit else min(4, cpus.usable())
    assert (done.returncode, done.stdout) == (0, f"2000000.0\n2000000.0\n{count} {count > 1}\n"), done.stderr


@needs_compiled
@linux
@slow
def test_a_process_ends_in_a_control_group_with_one_cpu():
    group = Path(f"/sys/fs/cgroup/cpu/dlkernels-test-{os.getpid()}")
    try:
        group.mkdir()
        (group / "cpu.cfs_quota_us").write_text("100000")
    except OSError:
        pytest.skip("this process may not make a control group of version 1")
    try:
        done = first_in_a_thread(f"open({str(group / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))", "tbb")
        assert (done.returncode, done.stdout) == (0, "2000000.0\n2000000.0\n1 False\n"), done.stderr
    finally:
        group.rmdir()
