"""The course as experiments: each idea of the lecture notes computed, timed, drawn and checked.

`EXPERIMENTS` lists them in the order of the notes; the command `dlkernels course` runs them.
"""

from __future__ import annotations

from models.course import (
    activations,
    backward,
    broadcasting,
    computation_graph,
    costs,
    descent,
    dot,
    elementwise,
    forward,
    images,
    linear,
    logistic,
    nudging,
    weights,
)
from models.course._experiment import Experiment

_MODULES = (
    logistic, costs, nudging, computation_graph,
    dot, elementwise, descent, broadcasting, images,
    forward, activations, linear, backward, weights,
)  # fmt: skip

EXPERIMENTS: tuple[Experiment, ...] = tuple(module.EXPERIMENT for module in _MODULES)
