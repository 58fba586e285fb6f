"""Packages that only some users need, imported when they are."""

from __future__ import annotations

import importlib
from typing import Any


class MissingExtraError(ImportError):
    """A package is missing that one of the extras of this package installs."""


def need(module: str, purpose: str, extra: str = "compare") -> Any:
    """The module, or an error that says what it was for and how to install it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        distribution = {"sklearn": "scikit-learn"}.get(error.name, error.name)
        raise MissingExtraError(
            f'{purpose} needs {distribution}: python -m pip install "dlkernels[{extra}]"', name=error.name
        ) from None
