"""The activations: their names, the code that stands for each in a kernel, and what each saves."""

from __future__ import annotations

#: A compiled kernel gets the position as its code.
ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "leaky_relu")
IDENTITY, SIGMOID, TANH, RELU, LEAKY_RELU = range(len(ACTIVATIONS))

#: Those whose derivative is computed from the saved activation A; the others save Z.
SAVES_A = frozenset({"sigmoid", "tanh"})
