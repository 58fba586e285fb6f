"""The asv suite. `asv` imports it by itself, as a package called `benchmarks`.

Everything runs on one thread but `threads`: on a shared machine two threads measure its scheduler.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Before NumPy and the others are imported, which then start no threads.
for _library in ("OMP", "OPENBLAS", "MKL", "VECLIB"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
# Where `asv_benchmarks.works` is, the table of what is computed and how. At the end, since the folder holds
# dlkernels as well, and what is to be measured is the one that is installed.
sys.path.append(str(Path(__file__).resolve().parents[2]))
