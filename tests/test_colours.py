"""The colours can be told apart by everyone, on light and on dark paper."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import asv_benchmarks
import models
from dlkernels import colours

#: What red, green and blue light become for eyes that lack one kind of cone: Machado, Oliveira and Fernandes,
#: "A Physiologically-based Model for Simulation of Color Vision Deficiency" (2009), for light that is linear.
EYES = {
    "all cones": np.eye(3),
    "no red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "no blue": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def linear(colour):
    """Red, green and blue light of a colour of the screen."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(first, second):
    """As the Web Content Accessibility Guidelines define it."""
    luminances = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (first, second))
    return (luminances[1] + 0.05) / (luminances[0] + 0.05)


def oklab(light):
    """A place in a space where equal distances look equally far: Ottosson's Oklab, from 0 to 100."""
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    axes = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return 100 * axes @ np.cbrt(cones @ np.clip(light, 0, 1))


@pytest.mark.parametrize("eyes", EYES)
def test_all_eyes_tell_the_colours_apart(eyes):
    places = {name: oklab(EYES[eyes] @ linear(colour)) for name, colour in colours.LIBRARIES.items()}
    for first, second in itertools.combinations(places, 2):
        ours = {first, second} <= {"python", "numpy", "numba"}
        assert np.linalg.norm(places[first] - places[second]) > (11 if ours else 8), (first, second)


@pytest.mark.parametrize("paper", ["#FFFFFF", "#000000", colours.LIGHT["paper"], colours.DARK["paper"]])
def test_colours_are_seen_on_light_and_dark(paper):
    assert {name for name, colour in colours.LIBRARIES.items() if contrast(colour, paper) < 3} == set()


@pytest.mark.parametrize("theme", [colours.LIGHT, colours.DARK], ids=["light", "dark"])
def test_text_of_pages_has_the_contrast_that_it_needs(theme):
    for ink in ("ink", "soft", "link", "good", "bad"):
        for ground in ("paper", "box"):
            assert contrast(theme[ink], theme[ground]) >= 4.5, (ink, ground)


def test_a_colour_is_found_by_words():
    assert colours.of("no loop (NumPy)") == colours.LIBRARIES["numpy"]
    assert colours.of("two loops") is None


def test_the_style_has_every_colour_of_both_themes():
    style = colours.style()
    for theme in (colours.LIGHT, colours.DARK):
        for use, colour in theme.items():
            assert f"--{use}: {colour};" in style
    assert style.count("prefers-color-scheme: dark") == 1


def test_templates_leave_to_the_style_what_all_pages_share():
    files = [file for root in (models, asv_benchmarks) for file in Path(root.__file__).parent.rglob("*.html")]
    templates = [text for file in files if "{{ style }}" in (text := file.read_text(encoding="utf-8"))]
    assert len(templates) == 2
    for text in templates:
        for shared in ("background-attachment:", ".wide:focus-visible", ".swatch {"):
            assert shared in colours.style()
            assert shared not in text
