"""Write the values of a graph's nodes, and a table of them, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from dlkernels._inputs.arrays import Array

#: A node's name, its formula, and the node, which is typed Any because `nodes` imports this module.
Line: TypeAlias = tuple[str, str, Any]


def text(value: Array) -> str:
    """Write a number, up to 4 numbers, or the shape of a larger array."""
    if value.ndim > 0 and 1 < value.size <= 4:
        return np.array2string(value, precision=4, separator=", ").replace("\n", "")
    return short_text(value)


def short_text(value: Array) -> str:
    """Write a single number, or the shape of an array."""
    return f"{value.item():.6g}" if value.size == 1 else f"{value.shape}"


def sum_text(node: Any) -> str:
    """Say that a node's derivative is a sum, if several calls of `backward` have added to it."""
    return f"sum of {node._terms}" if node.grad is not None and node._terms > 1 else ""


def table(lines: Sequence[Line]) -> str:
    """Write nodes below a header: name, formula, value and derivative."""
    rows = [("node", "formula", "value", "dvar", "")]
    for name, formula, node in lines:
        slope, added = "" if node.grad is None else text(node.grad), sum_text(node)
        rows.append((name, formula, text(node.value), slope, added and f"{added} calls of backward"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    written = (
        f"{n:<{widths[0]}}  {f:<{widths[1]}}  {v:>{widths[2]}}  {d:>{widths[3]}}  {added}"
        for n, f, v, d, added in rows
    )
    return "\n".join(line.rstrip() for line in written)
