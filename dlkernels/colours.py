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


#: The classes that all pages share. Of the four gradients, the first two are the patches and move along; the
#: others are the shadows and stay.
_PARTS = """\
/* Where a table is cut off, its edge has a shadow. At the end of scrolling, a patch of the ground colour,
   which moves with the table, covers it. */
.wide { --ground: var(--paper); overflow-x: auto; max-width: 100%; background-color: var(--ground);
  background-image:
    linear-gradient(90deg, var(--ground) 40%, transparent),
    linear-gradient(270deg, var(--ground) 40%, transparent),
    linear-gradient(90deg, var(--shade), transparent),
    linear-gradient(270deg, var(--shade), transparent);
  background-attachment: local, local, scroll, scroll;
  background-position: left, right, left, right;
  background-size: 3rem 100%, 3rem 100%, 0.9rem calc(100% - 4px), 0.9rem calc(100% - 4px);
  background-repeat: no-repeat; }
.wide:focus-visible { outline: 2px solid var(--link); }
/* A small square of the colour --colour, beside a name. */
.swatch { display: inline-block; width: 0.7em; height: 0.7em; border-radius: 0.15em; margin-right: 0.4em;
  background: var(--colour); }"""


def style() -> str:
    """Return what the style of all pages has in common.

    It is colours as CSS variables, `--ink` and so on, for light screens, and for dark ones where the reader
    has asked for dark pages; and two classes: `wide` for what may be scrolled to the side, on the ground
    `--ground`, and `swatch` for a small square of the colour `--colour`.

    Returns
    -------
    str
        Rules of CSS.

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
    return f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n{_PARTS}"
