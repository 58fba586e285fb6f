"""The pictures of all experiments share these sizes, which can be read on a phone, colours and axes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._plots import CLASSES, COLOURS, GREY
from .._report import duration

__all__ = ["BLUE", "CLASSES", "COLOURS", "GREEN", "GREY", "ORANGE", "RED", "bars", "figure", "lines", "svg"]

ORANGE, BLUE, GREEN, RED = "#E69F00", "#0072B2", "#009E73", "#D55E00"
#: Width in inches: narrow, because a page on a phone shows the picture at three quarters of its size.
_WIDTH = 5.2


def figure(height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, Any]:
    """Make a figure; return it and its panels."""
    # Not from pyplot, which would choose a window system and keep global state.
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(_WIDTH, height), layout="constrained")
    panels = drawn.subplots(rows, columns, **options)
    for panel in np.ravel(panels):
        if hasattr(panel, "get_zlim"):
            continue
        panel.spines[["top", "right"]].set_visible(False)
        panel.title.set_fontsize(11)
    return drawn, panels


def lines(panel: Any) -> None:
    """Draw faint grid lines behind everything else, to read values by."""
    panel.grid(color="#dddddd", linewidth=0.7)
    panel.set_axisbelow(True)


def bars(panel: Any, seconds: Mapping[str, float], colours: Mapping[str, str]) -> None:
    """Draw a bar for each way on a logarithmic time scale, and write its time beside it."""
    names, times = list(seconds), list(seconds.values())
    panel.barh(names, times, color=[colours.get(name, GREY) for name in names], height=0.62)
    panel.set_xscale("log")
    low = 10.0 ** np.floor(np.log10(min(times)) - 0.3)
    panel.set_xlim(low, max(times) * (max(times) / low) ** 0.25)  # room for the labels
    panel.invert_yaxis()
    for row, value in enumerate(times):
        panel.annotate(duration(value), (value, row), xytext=(5, 0), textcoords="offset points", va="center")
    time_axis(panel.xaxis)
    panel.tick_params(axis="y", length=0)
    panel.set_xlabel("time, logarithmic scale")


def time_axis(axis: Any) -> None:
    """Label an axis of seconds at powers of ten, with units."""
    axis.set_major_formatter(lambda value, _: duration(value).replace(".00", "").replace(".0", ""))
    axis.set_minor_locator(_no_ticks())


def _no_ticks() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def svg(drawn: Any) -> bytes:
    """Return the picture as SVG. The same picture gives the same bytes; letters are outlines, not fonts."""
    import matplotlib

    data = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "dlkernels"}):
        drawn.savefig(data, format="svg", metadata={"Date": None})
    return data.getvalue()
