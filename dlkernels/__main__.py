"""`python -m dlkernels` is the command `dlkernels`."""

from __future__ import annotations

import sys

from dlkernels.cli import main

if __name__ == "__main__":
    sys.exit(main())
