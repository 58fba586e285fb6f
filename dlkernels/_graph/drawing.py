"""A computation graph as a picture: from left to right, values above the lines, derivatives below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from dlkernels._graph.text import short_text
from dlkernels.extras import need

#: A node with its name and its formula. (What a node is, `nodes` says, which imports this module.)
Line: TypeAlias = tuple[str, str, Any]

_FORWARD, _BACKWARD = "#2255aa", "#bb2233"
_FORMATS = (".svg", ".png", ".pdf")


#: Inches that a letter takes, between columns, and between rows.
_LETTER, _GAP, _ROW = 0.085, 0.75, 1.1


def _texts(name: str, formula: str, node: Any) -> tuple[str, str, str]:
    """What stands in a node's box, above it and below it: of arrays the shapes."""
    below = "" if node.grad is None else f"d{name} = {short_text(node.grad)}"
    return f"{name} = {formula}" if formula else name, short_text(node.value), below


def _places(lines: Sequence[Line]) -> dict[int, tuple[float, float]]:
    """A place for each node, in inches: as many columns from the variables as its longest path.

    A variable that is needed only further on stands just before the first that needs it.
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
    """Save the picture of nodes given as name, formula, node.

    Raises
    ------
    ValueError
        If the name ends with something else than .svg, .png or .pdf, or there is no node.
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
    """The same as a figure of matplotlib."""
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
        plain: dict[str, Any] = {"ha": "center", "parse_math": False}  # a $ is a letter of a name
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
                        zorder=3,  # drawn after the boxes, which have their sizes then
                        arrowprops={
                            "arrowstyle": "-|>", "color": "#888888", "shrinkA": 2, "shrinkB": 2,
                            "patchA": boxes[id(parent)], "patchB": boxes[id(node)],
                        },
                    )  # fmt: skip
    return figure
