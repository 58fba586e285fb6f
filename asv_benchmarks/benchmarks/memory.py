"""The memory that a call needs beyond the memory in use before it."""

from __future__ import annotations

from pathlib import Path

from ._timed import prepared

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def _kilobytes(field: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1])


class Memory:
    """Peak resident memory of the second call. (`peakmem_` of asv may report a higher peak of the parent.)"""

    params = (
        ("numpy", "numba"),
        ("dense_forward", "logistic_propagate", "shallow_propagate"),
        (12, 16, 18),
    )
    param_names = ("backend", "operation", "log2_m")
    version = "1"
    timeout = 120

    def setup(self, *_: object) -> None:
        if not _CLEAR.exists():
            raise NotImplementedError("Linux alone says how much memory a process has used at most")

    def track_peak(self, backend: str, operation: str, log2_m: int) -> int:
        from asv_benchmarks.works import Work

        m = 2**log2_m
        shape = {"dense_forward": (16, 30, m), "logistic_propagate": (30, m)}.get(operation, (30, 16, m))
        call = prepared(Work("dashboard", operation, shape), backend, "float64")
        _CLEAR.write_text("5")  # resets the peak to the memory that is resident now
        before = _kilobytes("VmRSS")
        call()
        return max(0, _kilobytes("VmHWM") - before) * 1024

    track_peak.unit = "bytes"  # type: ignore[attr-defined]
