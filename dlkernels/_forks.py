"""What must not be half done when a process forks: its child would wait for ever for a thread it hasn't got.

A fork waits for this lock, which is held while names are imported at their first use, and while the threads
of parallel kernels are started.
"""

from __future__ import annotations

import os
import threading

FIRST_USE = threading.RLock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=FIRST_USE.acquire, after_in_parent=FIRST_USE.release, after_in_child=FIRST_USE.release
    )
