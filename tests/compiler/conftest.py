"""Copies of the package that tests may edit."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import dlkernels


def edit(file, old, new):
    """Replace text and keep the time stamp, which Numba would look at."""
    before, text = file.stat(), file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


#: Two changes of sums.py after which the dot product of (1, 2) and (3, 4) is 18, and not 11. The first is in
#: a function whose code the kernel of `dot` holds, the second in a piece that this kernel and others call.

TOTAL = ("return sums[2 * i] + (lost", "return sums[2 * i] + 7 + (lost")
PIECE = (
    "tile = sum_add_product(tile, a, j, b, j, n - j)",
    "tile = sum_add_product(sum_add(tile, b, j, n - j), a, j, b, j, n - j)",
)


class Copy:
    """A copy of the package below a folder that Python can import it from."""

    def __init__(self, folder):
        self.folder, self.package = folder, folder / "dlkernels"
        source = Path(dlkernels.__file__).parent
        shutil.copytree(source, self.package, ignore=shutil.ignore_patterns("__pycache__"))

    def edit(self, file, old, new):
        edit(self.package / file, old, new)

    def pin_key(self):
        """For controls: every version keeps its kernels under the same key."""
        self.edit("_compiler/key.py", "    return digest.hexdigest()[:16]", '    return "0" * 16')

    def change_dot(self):
        """`dot` of (1, 2) and (3, 4) is 18 from now on."""
        self.edit("_kernels/sums.py", *TOTAL)

    def change_steps(self):
        """A round of `multiply_add` has 128 steps from now on. No function's own bytecode changes."""
        self.edit("_kernels/limits.py", "STEPS = 64", "STEPS = 128")

    def change_row_dot(self):
        """To each product of a and b the piece adds b from now on."""
        self.edit("_kernels/sums.py", *PIECE)


@pytest.fixture
def copies(tmp_path):
    """Makes copies, each by a name of its own."""
    return lambda name: Copy(tmp_path / name)
