"""Logistic regression and networks, trained on any of dlkernels' backends.

The package is called `dlkernels.models`. `models` is a second name of it, for programs that
import the folder itself.
"""

from __future__ import annotations

import importlib

if __name__ == "models":
    # The lines below then run for a module that is thrown away.
    importlib.import_module("dlkernels.models._second_name").hand_over()

from ._convergence import ConvergenceWarning
from .logistic_regression import LogisticRegression
from .network import Network
from .shallow_network import ShallowNetwork

__all__ = ["ConvergenceWarning", "LogisticRegression", "Network", "ShallowNetwork"]
