"""How Sphinx builds the site: `python -m sphinx -W -b html .docs .docs/_build`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

import dlkernels
from dlkernels import colours

project = "dlkernels"
author = "the dlkernels developers"
copyright = f"2026, {author}"
version = release = dlkernels.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_design",
    # Of this folder.
    "reference",
    "included",
    "made",
    "checked",
]
exclude_patterns = ["_build", "extensions"]
smartquotes = False  # g' is a derivative, and code has straight quotes

# Every reference must lead somewhere. Other projects' names are the exception: without a network there is no
# list of them.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(numpy|np|sklearn|scipy|dask|distributed|numba)\..*")]

# -- the reference ---------------------------------------------------------------------------------------

default_role = "py:name"  # of `reference`
autosummary_generate = False  # `reference` writes the pages
autodoc_typehints = "none"  # the text says more: shapes, and what may be None
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # autodoc shows them on the page of the class

# -- Markdown --------------------------------------------------------------------------------------------

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

# -- the pages -------------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "dlkernels"
html_static_path = ["_static", "_made"]
html_css_files = ["site.css", "colours.css"]
html_theme_options = {
    "navigation_with_keys": False,
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_copy_source = html_show_sourcelink = False
# Without a column of links to their neighbours, these pages have room for wide code, tables and pictures.
wide = ("index", "start", "speed", "other-tools", "guides/commands", "kernels/*", "project/*")
html_sidebars = {page: [] for page in wide}


def style() -> str:
    """Links and code have the colours of the project's other pages."""
    uses = {"primary": "link", "link": "link", "link-hover": "ink", "inline-code": "ink"}
    rules = []
    for theme, palette in (("light", colours.LIGHT), ("dark", colours.DARK)):
        properties = " ".join(f"--pst-color-{use}: {palette[name]};" for use, name in uses.items())
        rules.append(f'html[data-theme="{theme}"] {{ {properties} }}\n')
    return "".join(rules)


MADE = Path(__file__).parent / "_made"
MADE.mkdir(exist_ok=True)
(MADE / "colours.css").write_text(style(), encoding="utf-8")
