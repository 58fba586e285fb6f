"""All experiments, in the order of the notes.

The list isn't in `models/course/__init__.py`, because every command of `dlkernels` imports that package to
learn of `course` and its options.
"""

from __future__ import annotations

from . import (
    activations,
    backward,
    batches,
    broadcasting,
    computation_graph,
    costs,
    descent,
    dot,
    elementwise,
    forward,
    images,
    layers,
    linear,
    logistic,
    nudging,
    optimizers,
    softmax,
    weights,
)
from ._experiment import Experiment

_MODULES = (
    logistic, costs, nudging, computation_graph,
    dot, elementwise, descent, broadcasting, images,
    forward, activations, linear, backward, weights,
    layers, softmax, batches, optimizers,
)  # fmt: skip

EXPERIMENTS: tuple[Experiment, ...] = tuple(module.EXPERIMENT for module in _MODULES)
