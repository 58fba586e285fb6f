"""Draw a computation graph from left to right, each node's value above it and its derivative below it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlkernels._graph.text import Line, short_text, sum_text
from dlkernels.extras import need

_FORWARD, _BACKWARD = "#2255aa", "#bb2233"
_FORMATS = (".svg", ".png", ".pdf")


#: Inches: the width of a letter, the gap between columns, and the height of a row.
_LETTER, _GAP, _ROW = 0.085, 0.75, 1.1


def _texts(name: str, formula: str, node: Any) -> tuple[str, str, str]:
    """Return the texts in a node's box, above it and below it. An array is shown as its shape."""
    below = "" if node.grad is None else f"d{name} = {short_text(node.grad)}"
    if added := sum_text(node):
        below += f" ({added})"
    return f"{name} = {formula}" if formula else name, short_text(node.value), below


def _places(lines: Sequence[Line]) -> dict[int, tuple[float, float]]:
    """Return the centre of each node, in inches.

    The column of a computed node is the length of the longest path to it from a variable. A variable stands
    one column before the first node that uses it.
    """
    depth: dict[int, int] = {}
    nodes = {id(node): node for _, _, node in lines}
    for key, node in nodes.items():
        depth[key] = max((depth[id(p)] + 1 for p, _ in node._parents if id(p) in depth), default=0)
    users: dict[int, list[int]] = {}
    for key, node in nodes.items():
        for parent, _ in node._parents:
            users.setdefault(id(parent), []).append(depth[key])
    columns: dict[int, list[int]] = {}
    for key, node in nodes.items():
        column = depth[key] if node._parents else min(users.get(key, [1])) - 1
        columns.setdefault(column, []).append(key)
    letters = {id(node): max(map(len, _texts(name, formula, node))) for name, formula, node in lines}
    height = max(map(len, columns.values()))
    places, left = {}, _GAP / 2
    for _, keys in sorted(columns.items()):
        width = _LETTER * max(letters[key] for key in keys) + 0.2
        for row, key in enumerate(keys):
            places[key] = (left + width / 2, _ROW * height * (1 - (row + 0.5) / len(keys)))
        left += width + _GAP
    return places


def draw(lines: Sequence[Line], file: str | Path) -> None:
    """Save a picture of these nodes.

    Raises
    ------
    ValueError
        If the name of the file doesn't end with .svg, .png or .pdf, or there is no node.
    """
    file = Path(file)
    if file.suffix.lower() not in _FORMATS:
        raise ValueError(f"draw: file must end with one of {', '.join(_FORMATS)}, not {file.name!r}")
    if not lines:
        raise ValueError("draw: the graph has no variable")
    need("matplotlib", "drawing a graph")
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none", "font.size": 10}):
        picture(lines).savefig(file, dpi=150)


def picture(lines: Sequence[Line]) -> Any:
    """Return the picture that `draw` saves, as a matplotlib figure."""
    import matplotlib
    from matplotlib.figure import Figure

    places = _places(lines)
    widest = max(
        x + _LETTER * max(map(len, _texts(*line))) / 2 for line in lines for x, _ in [places[id(line[2])]]
    )
    size = (widest + _GAP / 2, max(y for _, y in places.values()) + _ROW / 2)
    with matplotlib.rc_context({"font.size": 10}):
        figure = Figure(figsize=size)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), xlim=(0, size[0]), ylim=(0, size[1]))
        axes.set_axis_off()
        plain: dict[str, Any] = {"ha": "center", "parse_math": False}  # a $ in a name begins no formula
        boxes = {}
        for name, formula, node in lines:
            x, y = places[id(node)]
            inside, above, below = _texts(name, formula, node)
            box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": "#444444"}
            boxes[id(node)] = axes.text(
                x, y, inside, va="center", zorder=2, bbox=box, **plain
            ).get_bbox_patch()
            axes.text(x, y + 0.21, above, va="bottom", color=_FORWARD, **plain)
            axes.text(x, y - 0.21, below, va="top", color=_BACKWARD, **plain)
        for _, _, node in lines:
            for parent, _ in node._parents:
                if id(parent) in places:
                    axes.annotate(
                        "", places[id(node)], places[id(parent)],
                        zorder=3,  # drawn after the boxes, whose sizes are known only then
                        arrowprops={
                            "arrowstyle": "-|>", "color": "#888888", "shrinkA": 2, "shrinkB": 2,
                            "patchA": boxes[id(parent)], "patchB": boxes[id(node)],
                        },
                    )  # fmt: skip
    return figure
