"""Logistic regression and a two-layer network, trained on any of dlkernels' backends."""

from __future__ import annotations

from models.logistic_regression import LogisticRegression
from models.shallow_network import ShallowNetwork

__all__ = ["LogisticRegression", "ShallowNetwork"]
