"""The asv suite. `asv` imports it by itself, as a package called `benchmarks`.

Everything runs on one thread but `threads`: on a shared machine two threads measure its scheduler.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# JAX reads it when it is imported. The others are told in `_timed.prepared`: asv has imported NumPy by now.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
# Where `asv_benchmarks.works` is, the table of what is computed and how. At the end, since the folder holds
# dlkernels as well, and what is to be measured is the one that is installed.
sys.path.append(str(Path(__file__).resolve().parents[2]))
