"""The pictures of all experiments share these sizes, which can be read on a phone, colours and axes."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlkernels.colours import DARK, LIBRARIES
from dlkernels.reporting import duration

from .._plots import BLUE, CLASSES, GREEN, GREY, ORANGE, RED

__all__ = ["BLUE", "CLASSES", "GREEN", "GREY", "LIBRARIES", "ORANGE", "RED", "bars", "figure", "lines", "svg"]

#: Text on a coloured ground has an id that begins so. It keeps its colour on a dark page, as the ground does.
ON_COLOUR = "on-colour"
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
    """Return the picture as SVG. The same picture gives the same bytes; letters are outlines, not fonts.

    Where the reader has asked for dark pages, the picture is dark, too: greys are turned round, and colours
    that dark paper would swallow are lighter.
    """
    import matplotlib

    data = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "dlkernels"}):
        drawn.savefig(data, format="svg", metadata={"Date": None})
    head, end, rest = data.getvalue().decode().rpartition("</svg>")
    return f"{head}<style>{_dark_style(head)}</style>\n{end}{rest}".encode()


def _dark_style(picture: str) -> str:
    """Return the rules of style that give the picture's colours their dark counterparts."""
    kept = f'[id^="{ON_COLOUR}"]'
    rules = [f"svg {{ fill: {DARK['ink']} }} {kept} {{ fill: #000000 }}"]  # letters have no fill if black
    for what, colour in sorted(set(re.findall(r"(fill|stroke): (#[0-9a-f]{6})", picture))):
        dark = on_dark(colour)
        if dark != colour:
            rules.append(f'[style*="{what}: {colour}"]:not({kept} *) {{ {what}: {dark} !important }}')
    return f"@media (prefers-color-scheme: dark) {{ {' '.join(rules)} }}"


def on_dark(colour: str) -> str:
    """Return the colour that takes the place of `colour` on dark paper.

    White becomes the paper, black the ink, and greys lie between. Other colours stay if their contrast with
    the paper is at least 3, and otherwise become so light that text in them can be read.
    """
    from matplotlib.colors import to_hex, to_rgb

    rgb, paper, ink = (np.array(to_rgb(each)) for each in (colour, DARK["paper"], DARK["ink"]))
    if np.ptp(rgb) == 0:
        return str(to_hex(tuple(ink + rgb[0] * (paper - ink))))
    if _contrast(rgb, paper) >= 3:
        return colour
    while _contrast(rgb, paper) < 4.5:
        rgb = rgb + 0.05 * (1 - rgb)
    return str(to_hex(tuple(rgb)))


def _contrast(lighter: Any, darker: Any) -> float:
    return (_luminance(lighter) + 0.05) / (_luminance(darker) + 0.05)


def _luminance(rgb: Any) -> float:
    """Return the relative luminance of sRGB, as the Web Content Accessibility Guidelines define it."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
