"""Eight threads, whatever the machine has: work is split as on a larger one, and the bits must not change."""

from __future__ import annotations

import os

os.environ.setdefault("NUMBA_NUM_THREADS", "8")
