"""The landing page's charts: the backends' times side by side, and the kernels' speed-ups."""

from __future__ import annotations

import io
import math
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, NullFormatter, NullLocator

#: Colours that colour-blind readers can tell apart, too.
COLOURS = {
    "python": "#8c8c8c",
    "numpy": "#4477aa",
    "numba": "#ee6677",
    "torch": "#ccbb44",
    "jax": "#228833",
    "sklearn": "#aa3377",
}
NAMES = {
    "python": "Python",
    "numpy": "NumPy",
    "numba": "Numba",
    "torch": "PyTorch",
    "jax": "JAX",
    "sklearn": "scikit-learn",
}
_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "dlkernels",
}


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]


def backends(times: dict[str, dict[tuple[str, str], float]], backends_: list[str], sizes: list[str]) -> str:
    """Draw bars of seconds for each size and backend, a panel for each dtype, on one logarithmic scale."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 2.3))
        panels: Any = figure.subplots(1, len(times), sharey=True, squeeze=False)[0]
        width = 0.8 / len(backends_)
        for panel, (dtype, values) in zip(panels, times.items(), strict=True):
            for i, backend in enumerate(backends_):
                at = [s for s, size in enumerate(sizes) if (backend, size) in values]
                panel.bar(
                    [s + (i - (len(backends_) - 1) / 2) * width for s in at],
                    [values[backend, sizes[s]] for s in at],
                    width,
                    color=COLOURS.get(backend, "#000000"),
                    label=NAMES.get(backend, backend),
                )
            panel.set_yscale("log")
            panel.yaxis.set_major_formatter(EngFormatter("s"))
            panel.yaxis.set_minor_formatter(NullFormatter())
            panel.set_xticks(range(len(sizes)), sizes)
            panel.set_title(dtype, fontsize=9, loc="left")
            panel.grid(axis="y", linewidth=0.4, alpha=0.5)
            panel.set_axisbelow(True)
        least = min(value for values in times.values() for value in values.values())
        panels[0].set_ylim(bottom=10.0 ** (math.ceil(math.log10(least)) - 1.5))  # shows the shortest bar
        panels[0].set_ylabel("time of a call")
        figure.legend(
            *panels[-1].get_legend_handles_labels(), loc="upper right", ncols=len(backends_), frameon=False
        )
        return _svg(figure)


def speed_ups(ratios: dict[str, float]) -> str:
    """Draw a bar for each operation: the time of plain NumPy divided by that of the kernels."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 0.4 + 0.19 * len(ratios)))
        axes = figure.subplots()
        names = list(ratios)[::-1]
        values = [ratios[name] for name in names]
        axes.barh(names, [value - 1 for value in values], left=1, color=COLOURS["numba"], height=0.7)
        for name, value in zip(names, values, strict=True):
            inside = value >= 1
            axes.annotate(
                f"{value:.2f}x", (value, name), (3 if inside else -3, 0), textcoords="offset points",
                ha="left" if inside else "right", va="center", fontsize=8,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator([n * 10.0**k for k in range(-2, 4) for n in (1, 2, 5)]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlim(min(0.5, *values) * 0.8, max(values) * 1.4)
        axes.axvline(1, color=COLOURS["numpy"], linewidth=1.5)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", linewidth=0.4, alpha=0.5)
        axes.set_axisbelow(True)
        return _svg(figure)
