"""Colour images to columns of X: the right way, and the reshape that scrambles them and still trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dlkernels.data import DataError, images_to_columns
from dlkernels.extras import need

from .. import LogisticRegression
from ._experiment import VECTORS, Check, Experiment, Formula, Result, Table
from ._numbers import number, percent, shape
from ._timing import on_backends

SIDE, TRAINING, HELD_OUT = 64, 160, 100
#: The number of images that the backends are timed with: few, because Python loops are slow.
FEW = 20
#: Training squares lie left of this column of the photographs, held-out squares right of it.
BORDER = 400
RATE, STEPS, SEED = 0.002, 500, 0


class Images(NamedTuple):
    """Bytes (m, 64, 64, 3) and labels (1, m)."""

    X: Any
    Y: Any


def squares(m: int, left: int, right: int, photographs: Any, random: Any) -> Images:
    """Cut m squares from two photographs, between two columns; a label says which photograph it was."""
    cut = []
    for photograph in photographs:
        rows = random.integers(0, photograph.shape[0] - SIDE + 1, m // 2)
        columns = random.integers(left, right - SIDE + 1, m // 2)
        cut += [photograph[i : i + SIDE, j : j + SIDE] for i, j in zip(rows, columns, strict=True)]
    order = random.permutation(m)
    return Images(np.stack(cut)[order], np.repeat([0.0, 1.0], m // 2)[order].reshape(1, m))


def examples(seed: int) -> tuple[Images, Images]:
    """Return training and held-out squares of a temple (0) and a flower (1), photographs of scikit-learn."""
    photographs = need("sklearn.datasets", "this experiment").load_sample_images().images
    random = np.random.default_rng(seed)
    width = photographs[0].shape[1]
    return (
        squares(TRAINING, 0, BORDER, photographs, random),
        squares(HELD_OUT, BORDER, width, photographs, random),
    )


def wrong_columns(images: Any) -> Any:
    """Convert in the wrong way: the shape is right, but each column mixes numbers of many images."""
    return images.reshape(-1, images.shape[0]) / 255


CONVERSIONS = {"reshape(m, -1).T": images_to_columns, "reshape(-1, m)": wrong_columns}
RIGHT, WRONG = CONVERSIONS


def back_to_image(column: Any) -> Any:
    return np.rint(255 * column.reshape(SIDE, SIDE, 3)).astype(np.uint8)


def train(convert: Any, training: Images, held_out: Images, alpha: float, iterations: int) -> dict[str, Any]:
    X, X_test = convert(training.X), convert(held_out.X)
    model = LogisticRegression(learning_rate=alpha, num_iterations=iterations).fit(X, training.Y)
    return {
        "X": X,
        "costs": model.costs_,
        "training": model.score(X, training.Y),
        "test": model.score(X_test, held_out.Y),
    }


def refusal(images: Any) -> str:
    """Return the error message of images_to_columns for columns in the place of images."""
    try:
        images_to_columns(images)
    except DataError as error:
        return str(error)
    return "no complaint"


def _tables(training: Images, held_out: Images, found: Mapping[str, Any]) -> tuple[Table, ...]:
    runs, whole = found["runs"], found["whole"]
    return (
        Table(
            "Shapes",
            ("", "images", "X", "Y"),
            tuple(
                (name, shape(each.X), shape(images_to_columns(each.X)), shape(each.Y))
                for name, each in (("training set", training), ("test set", held_out))
            ),
        ),
        Table(
            f"Logistic regression on X, {found['descent']}: a temple or a flower?",
            ("X = images.", "column is image", "first J", "last J", "training", "test accuracy"),
            tuple(
                (
                    name,
                    "yes" if whole[name] else "no",
                    *(number(each["costs"][i], 4) for i in (0, -1)),
                    *(percent(each[part]) for part in ("training", "test")),
                )
                for name, each in runs.items()
            ),
        ),
        Table(
            "dlkernels.data.images_to_columns checks what it is given",
            ("given", "it says"),
            ((f"an X {shape(runs[WRONG]['X'])}", found["refusal"]),),
        ),
    )


def _checks(found: Mapping[str, Any]) -> tuple[Check, ...]:
    right, wrong = found["runs"][RIGHT], found["runs"][WRONG]
    return (
        Check(f"A column of {RIGHT} is an image again", found["whole"][RIGHT]),
        Check(f"A column of {WRONG} is not", not found["whole"][WRONG]),
        Check("The wrong X has the right shape", wrong["X"].shape == right["X"].shape, shape(wrong["X"])),
        Check(
            "It trains, too, and J falls",
            wrong["costs"][-1] < wrong["costs"][0],
            f"from {number(wrong['costs'][0], 4)} to {number(wrong['costs'][-1], 4)}, "
            f"training accuracy {percent(wrong['training'])}",
        ),
        Check(
            "On images that it hasn't seen, it is worse than the right one",
            wrong["test"] < right["test"],
            f"{percent(wrong['test'])} against {percent(right['test'])}; guessing gets 50 %",
        ),
    )


def run(alpha: float = RATE, iterations: int = STEPS, seed: int = SEED) -> Result:
    training, held_out = examples(seed)
    runs = {
        name: train(convert, training, held_out, alpha, iterations) for name, convert in CONVERSIONS.items()
    }
    right, wrong = runs[RIGHT], runs[WRONG]
    found = {
        "descent": f"{iterations:,} steps of α = {alpha:g}",
        "runs": runs,
        "first": training.X[0],
        "whole": {
            name: bool(np.array_equal(back_to_image(each["X"][:, 0]), training.X[0]))
            for name, each in runs.items()
        },
        "refusal": refusal(wrong["X"]),
    }
    w, few = np.zeros((SIDE * SIDE * 3, 1)), right["X"][:, :FEW].copy()
    return Result(
        sections=(
            *_tables(training, held_out, found),
            on_backends(
                f"dw, db and J of {FEW} images of {len(w):,} numbers",
                lambda backend: backend.logistic_propagate(w, 0.0, few, training.Y[:, :FEW]),
            ),
        ),
        checks=_checks(found),
        lessons=(
            "Some students' notes put all red numbers of an image first, then green, then blue; NumPy reads "
            "pixel by pixel. Either will do, if training and test images agree.",
            "A shape that fits is no proof. Turn a column back into an image and look at it, and hold "
            "examples out.",
            "images_to_columns does the right one, scaled by 1/255, and refuses what isn't (m, height, "
            "width, channels).",
        ),
        alternative=(
            f"Three small images: a square of a photograph; the first column of {RIGHT}, which is the same "
            f"square; the first column of {WRONG}, which is coloured noise. Below, bars of accuracy: "
            f"{percent(right['training'])} on training and {percent(right['test'])} on test images with the "
            f"right X, {percent(wrong['training'])} and {percent(wrong['test'])} with the wrong one."
        ),
        values=found,
    )


def plot(result: Result) -> Any:
    from matplotlib.figure import Figure

    from ._pictures import BLUE, GREY, ORANGE

    drawn = Figure(figsize=(5.2, 4.4), layout="constrained")
    cells = drawn.add_gridspec(2, 3, height_ratios=(3, 2))
    runs = result.values["runs"]
    pictures = {
        "an image": result.values["first"],
        f"column of\n{RIGHT}": back_to_image(runs[RIGHT]["X"][:, 0]),
        f"column of\n{WRONG}": back_to_image(runs[WRONG]["X"][:, 0]),
    }
    for column, (title, image) in enumerate(pictures.items()):
        panel = drawn.add_subplot(cells[0, column])
        panel.imshow(image, interpolation="nearest")
        panel.set_title(title, fontsize=10)
        panel.set_axis_off()
    panel = drawn.add_subplot(cells[1, :])
    label = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # hides the dashed line behind the text
    for i, (part, colour) in enumerate((("training", ORANGE), ("test", BLUE))):
        places = [row + (i - 0.5) * 0.36 for row in range(2)]
        values = [100 * runs[name][part] for name in (RIGHT, WRONG)]
        panel.barh(places, values, height=0.34, color=colour, label=f"{part} images")
        for place, value in zip(places, values, strict=True):
            panel.text(value + 1.5, place, f"{value:.0f} %", va="center", fontsize=9, bbox=label)
    panel.axvline(50, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    panel.set_yticks(range(2), [RIGHT, WRONG])
    panel.invert_yaxis()
    panel.set(xlim=(0, 112), xlabel="accuracy, %; dashed: guessing")
    panel.tick_params(axis="y", length=0)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.4, -0.35))
    return drawn


EXPERIMENT = Experiment(
    name="images",
    title="Images to columns",
    question="How does an image of 64 × 64 × 3 become a column of 12,288 numbers, and how not?",
    part=VECTORS,
    formulas=(
        Formula(
            r"x \in \mathbb{R}^{n_x}, \quad n_x = 64 \cdot 64 \cdot 3 = 12288",
            "x ∈ ℝⁿˣ,  n_x = 64 · 64 · 3 = 12288",
        ),
        Formula(
            r"X = \left[ x^{(1)} \; x^{(2)} \; \cdots \; x^{(m)} \right] \in \mathbb{R}^{n_x \times m}",
            "X = [x⁽¹⁾ x⁽²⁾ … x⁽ᵐ⁾], (n_x, m)",
        ),
        Formula(
            r"Y = \left[ y^{(1)} \; y^{(2)} \; \cdots \; y^{(m)} \right] \in \mathbb{R}^{1 \times m}",
            "Y = [y⁽¹⁾ y⁽²⁾ … y⁽ᵐ⁾], (1, m)",
        ),
    ),
    run=run,
    plot=plot,
)
