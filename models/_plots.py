"""Pictures of a comparison, as PNG files."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlkernels.cli import CommandError
from dlkernels.colours import LIBRARIES
from dlkernels.faults import reason
from dlkernels.reporting import duration

from ._measure import Comparison
from ._report import factor, speed_up
from ._training import Array, Model

#: Okabe and Ito's palette, for what is no backend. Colour-blind readers can tell its colours apart.
ORANGE, BLUE, GREEN, RED = "#E69F00", "#0072B2", "#009E73", "#D55E00"
#: The colours of labels 0 and 1.
CLASSES = (RED, BLUE)
GREY = "#595959"


def make_folder(folder: Path) -> None:
    """Make the folder if it doesn't exist; raise if no file can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:
        raise CommandError(f"argument --plot: can't write into {folder}: {reason(error)}") from None


def draw(folder: Path, comparisons: Sequence[Comparison]) -> list[Path]:
    """Write the pictures of each comparison; return their paths."""
    written = []
    for comparison in comparisons:
        job = comparison.job
        stem = f"{job.model}_{re.sub(r'[^A-Za-z0-9_-]+', '_', job.dataset.name)[:100]}"
        pictures = {"time": _time(comparison), "costs": _costs(comparison)}
        if job.dataset.X_train.shape[0] == 2:
            pictures["boundary"] = _boundary(comparison)
        for name, figure in pictures.items():
            written.append(save(figure, folder / f"{stem}_{name}.png"))
    return written


def save(figure: Any, path: Path) -> Path:
    """Write a picture whole or not at all; return the path."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        figure.savefig(draft, format="png", dpi=150)
        draft.replace(path)
    except OSError as error:
        raise CommandError(f"argument --plot: can't write {path}: {reason(error)}") from None
    finally:
        draft.unlink(missing_ok=True)
    return path


def _plain(text: str) -> str:
    """Make a user's text safe for matplotlib: dollar signs begin no formula."""
    return text.replace("$", r"\$")


def _figure(title: str, subtitle: str, height: float = 4.5) -> tuple[Any, Any]:
    # Not from pyplot, which would choose a window system and keep global state.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.add_subplot()
    figure.suptitle(_plain(title), x=0.02, ha="left", fontsize=13, fontweight="bold")
    axes.set_title(subtitle, loc="left", fontsize=10, color=GREY)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _time(comparison: Comparison) -> Any:
    data, step = comparison.job.dataset, comparison.job.runs.costs.step
    figure, axes = _figure(
        comparison.job.title,
        f"Time per {step} on {data.X_train.shape[1]:,} examples of {data.X_train.shape[0]:,} features, "
        f"{comparison.job.dtype} (shorter is better)",
        height=1.6 + 0.7 * len(comparison.results),
    )
    names = list(comparison.results)
    times = [comparison.results[name].seconds_per_iteration for name in names]
    axes.barh(names, times, color=[LIBRARIES[name] for name in names], height=0.6)
    axes.set_xscale("log")
    low = 10.0 ** np.floor(np.log10(min(times)) - 0.3)
    axes.set_xlim(low, max(times) * (max(times) / low) ** 0.45)  # room for the labels
    axes.invert_yaxis()
    for row, (name, seconds) in enumerate(zip(names, times, strict=True)):
        over = [(other, speed_up(comparison, name, other)) for other in ("python", "numpy") if other != name]
        gains = [f"{factor(ratio)} over {other}" for other, ratio in over if ratio is not None and ratio > 1]
        axes.annotate(
            f"{duration(seconds)}" + (f"  ({', '.join(gains)})" if gains else ""),
            (seconds, row),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
        )
    axes.xaxis.set_major_formatter(lambda value, _: duration(value).replace(".00", "").replace(".0", ""))
    axes.xaxis.minorticks_off()
    axes.tick_params(axis="y", length=0, labelsize=11)
    axes.set_xlabel(f"time per {step}, logarithmic scale")
    return figure


def _costs(comparison: Comparison) -> Any:
    job = comparison.job
    figure, axes = _figure(job.title, f"Cost during training, learning rate {job.learning_rate:g}")
    # Curves of backends that agree coincide. So one is wide, one is dashed above it, and one is dots on top.
    styles: dict[str, dict[str, Any]] = {
        "numba": {"linewidth": 5, "alpha": 0.55, "zorder": 1},
        "numpy": {"linewidth": 1.8, "linestyle": (0, (5, 3)), "zorder": 2},
        "python": {"linestyle": "none", "marker": "o", "markersize": 5, "zorder": 3},
    }
    finite = 0
    for name, result in comparison.results.items():
        iterations, costs = zip(*result.curve, strict=True)
        finite += sum(np.isfinite(cost) for cost in costs)
        label = f"{name}, {job.times(result.iterations)}" + (" (DIVERGED)" if result.fault else "")
        axes.plot(iterations, costs, label=label, color=LIBRARIES[name], **styles[name])
    if not finite:
        axes.text(0.5, 0.5, "no cost was finite", transform=axes.transAxes, ha="center")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel(job.runs.costs.step)
    axes.set_ylabel("cost (mean cross-entropy)")
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="best")
    return figure


def _boundary(comparison: Comparison) -> Any:
    data = comparison.job.dataset
    result = next(
        comparison.results[name] for name in ("numba", "numpy", "python") if name in comparison.results
    )
    figure, axes = _figure(
        comparison.job.title,
        f"What the {result.backend} backend learnt in {comparison.job.times(result.iterations)}; "
        f"held-out accuracy {100 * result.accuracy:.1f} %",
        height=6.4,
    )
    shading = shade(axes, result.model, np.hstack([data.X_train, data.X_test]))
    for label, marker in ((0, "o"), (1, "^")):
        points = data.X_train[:, data.Y_train[0] == label]
        axes.scatter(
            points[0], points[1], s=26, marker=marker, color=CLASSES[label], edgecolors="white",
            linewidths=0.6, label=f"label {label} (training)",
        )  # fmt: skip
    bar = figure.colorbar(shading, ax=axes, shrink=0.8, pad=0.02)
    bar.set_label("predicted probability of label 1 (black line: 0.5)")
    axes.set_xlabel(_plain(data.feature_names[0]))
    axes.set_ylabel(_plain(data.feature_names[1]))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.09), ncols=2, frameon=False)
    return figure


def shade(axes: Any, model: Model, X: Array) -> Any:
    """Shade the plane of two features around the points X by the model's probability; a black line is 0.5."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    low, high = X.min(axis=1), X.max(axis=1)
    margin = np.maximum(0.06 * (high - low), 1e-9)
    grids = [np.linspace(low[i] - margin[i], high[i] + margin[i], 300) for i in range(2)]
    first, second = np.meshgrid(*grids)
    P = model.predict_proba(np.stack([first.ravel(), second.ravel()])).reshape(first.shape)
    # In the middle the paper shows through, which may be dark.
    (zero, one), opacity = (to_rgb(colour) for colour in CLASSES), 0.45
    shades = [(0.0, (*zero, opacity)), (0.5, (*zero, 0.0)), (0.5, (*one, 0.0)), (1.0, (*one, opacity))]
    colours = LinearSegmentedColormap.from_list("classes", shades)
    shading = axes.pcolormesh(
        first, second, P, cmap=colours, vmin=0, vmax=1, shading="nearest", rasterized=True
    )
    if P.min() < 0.5 < P.max():
        axes.contour(first, second, P, levels=[0.5], colors="black", linewidths=1.4)
    return shading
