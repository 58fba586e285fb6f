"""The asv suite. asv imports this folder without its parent, as a package called `benchmarks`.

All benchmarks but `threads` run on one thread, because two threads on a shared machine measure its scheduler.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# JAX reads this variable when it is imported. For the other libraries a variable would be too late, because
# asv has imported NumPy by now: `_timed.prepared` limits them.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
# The benchmarks need `asv_benchmarks.works`. Its folder comes last in the path because it also holds the
# sources of dlkernels, and the benchmarks must measure the installed dlkernels.
sys.path.append(str(Path(__file__).resolve().parents[2]))
