"""`models`, the second name of the package `dlkernels.models`.

`from models import ...` works where no other `models` comes first on the path, as in a checkout, and so do
pickles that name `models`. Both names must give the same modules. If a class existed twice, neither
`isinstance` nor pickle would take an object of one for an object of the other.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any


class _SecondName(MetaPathFinder, Loader):
    """Finds `models.x` and gives the module `dlkernels.models.x` for it."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        first = _first(name) if name.startswith("models.") else None
        return None if first is None else ModuleSpec(name, self, origin=first.origin)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(f"dlkernels.{spec.name}")
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: Any) -> None:
        # The import system has just given the module the spec of its second name. Give it back its own.
        module.__spec__ = module.__spec__.loader_state

    def get_code(self, name: str) -> CodeType | None:
        """The code that `python -m models.x` runs."""
        first: Any = _first(name)
        return None if first is None else first.loader.get_code(first.name)


def _first(name: str) -> ModuleSpec | None:
    return importlib.util.find_spec(f"dlkernels.{name}")


def hand_over() -> None:
    """Make `models`, which is being imported, the package `dlkernels.models`."""
    sys.modules["models"] = sys.modules["dlkernels.models"]
    sys.meta_path.insert(0, _SecondName())
