"""One colour for each backend and library, and the colours of pages: for plots, pages and terminals alike."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: Python and libraries: those of the backends, then those that benchmarks compare with. Each colour has
#: a contrast of at least 3 with white, black and the paper of dark pages. Readers who don't see red, green or
#: blue can tell all of them apart, too: a test simulates their eyes.
LIBRARIES: Mapping[str, str] = MappingProxyType(
    {
        "python": "#E8620A",
        "numpy": "#2A6DB8",
        "numba": "#1FA293",
        "torch": "#C0168A",
        "jax": "#8B3BEE",
        "sklearn": "#8C5A0C",
    }
)

#: The colours of a page by their use, on light and on dark paper. `soft` is for text of less weight, `box`
#: for the ground of formulas and code, `shade` for the edge of what can be scrolled.
LIGHT: Mapping[str, str] = MappingProxyType(
    {
        "ink": "#1F2328",
        "soft": "#57606A",
        "paper": "#FFFFFF",
        "line": "#D0D7DE",
        "box": "#F6F8FA",
        "shade": "#8C959F",
        "link": "#0B57A4",
        "good": "#1A6B35",
        "bad": "#A40E26",
    }
)
DARK: Mapping[str, str] = MappingProxyType(
    {
        "ink": "#E6EDF3",
        "soft": "#A5B0BC",
        "paper": "#14181D",
        "line": "#3D444D",
        "box": "#1E242B",
        "shade": "#8C959F",
        "link": "#7CB7FF",
        "good": "#6FCF8B",
        "bad": "#FF9A9A",
    }
)


def of(words: str) -> str | None:
    """Return the colour of the backend or library that some words name, or None if they name none.

    Parameters
    ----------
    words : str
        A name, or a few words that hold one. Capital letters don't matter.

    Returns
    -------
    str or None
        The colour of the first name found, in the order of `LIBRARIES`.

    Examples
    --------
    >>> from dlkernels import colours
    >>> colours.of("compiled (Numba)")
    '#1FA293'
    >>> colours.of("a loop") is None
    True
    """
    lower = words.lower()
    return next((colour for name, colour in LIBRARIES.items() if name in lower), None)


def style() -> str:
    """Return the colours of pages as CSS variables, `--ink` and so on, for light and for dark screens.

    Returns
    -------
    str
        Two rules, the second of which holds where the reader has asked for dark pages.

    Examples
    --------
    >>> from dlkernels import colours
    >>> colours.style().splitlines()[0][:26]
    ':root { --ink: #1F2328; --'
    """
    light, dark = (
        f":root {{ {' '.join(f'--{use}: {colour};' for use, colour in theme.items())} }}"
        for theme in (LIGHT, DARK)
    )
    return f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}"
