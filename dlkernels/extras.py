"""Optional packages, which are imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any


class MissingExtraError(ImportError):
    """An optional package is missing. One of the extras of this package would install it."""


def need(module: str, purpose: str, extra: str = "compare") -> Any:
    """Import and return a module, or raise an error that says what it is for and how to install it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        distribution = {"sklearn": "scikit-learn"}.get(error.name, error.name)
        raise MissingExtraError(
            f'{purpose} needs {distribution}: python -m pip install "dlkernels[{extra}]"', name=error.name
        ) from None
