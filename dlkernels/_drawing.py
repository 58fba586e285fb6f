"""A computation graph as a picture: from left to right, values above the lines, derivatives below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlkernels._extras import need

if TYPE_CHECKING:
    from dlkernels._nodes import Variable

_FORWARD, _BACKWARD = "#2255aa", "#bb2233"
_FORMATS = (".svg", ".png", ".pdf")


def _columns(lines: Sequence[tuple[str, str, Variable]]) -> dict[int, tuple[float, float]]:
    """A place for each node: as many steps from the variables as its longest path, apart within a column.

    A node that is needed only further on stands just before the first that needs it.
    """
    depth: dict[int, int] = {}
    nodes = {id(node): node for _, _, node in lines}
    for key, node in nodes.items():
        depth[key] = max((depth[id(p)] + 1 for p, _ in node._parents if id(p) in depth), default=0)
    for key, node in nodes.items():
        if not node._parents:
            used = [depth[k] for k, n in nodes.items() if any(p is node for p, _ in n._parents)]
            depth[key] = min(used, default=1) - 1
    columns: dict[int, list[int]] = {}
    for key in nodes:
        columns.setdefault(depth[key], []).append(key)
    height = max(map(len, columns.values()))
    places = {}
    for column, keys in columns.items():
        gap = height / len(keys)
        for row, key in enumerate(keys):
            places[key] = (2.6 * column, -gap * (row + 0.5))
    return places


def draw(lines: Sequence[tuple[str, str, Variable]], file: str | Path) -> None:
    """Save the picture of nodes given as name, formula, node.

    Raises
    ------
    ValueError
        If the name ends with something else than .svg, .png or .pdf.
    """
    file = Path(file)
    if file.suffix.lower() not in _FORMATS:
        raise ValueError(f"draw: file must end with one of {', '.join(_FORMATS)}, not {file.name!r}")
    from dlkernels._nodes import text as shown

    need("matplotlib", "drawing a graph")
    import matplotlib
    from matplotlib.figure import Figure

    places = _columns(lines)
    width = max(x for x, _ in places.values()) + 3.2
    height = 1.1 * -min(y for _, y in places.values()) + 0.6
    with matplotlib.rc_context({"svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=(0.75 * width, height))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.set_xlim(-1.2, width - 1.2)
        axes.set_ylim(min(y for _, y in places.values()) - 0.6, 0.2)
        boxes = {}
        for name, formula, node in lines:
            x, y = places[id(node)]
            label = axes.text(
                x, y, f"{name} = {formula}" if formula else name, ha="center", va="center", zorder=2,
                bbox={"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": "#444444"},
            )  # fmt: skip
            boxes[id(node)] = label.get_bbox_patch()
            axes.text(x, y + 0.27, shown(node.value), ha="center", va="bottom", color=_FORWARD)
            if node.grad is not None:
                axes.text(
                    x, y - 0.27, f"d{name} = {shown(node.grad)}", ha="center", va="top", color=_BACKWARD
                )
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
        figure.savefig(file, dpi=150)
