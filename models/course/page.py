"""Render experiments as one page that loads nothing: formulas in MathML, pictures and style inside."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlkernels import colours
from dlkernels.extras import need
from dlkernels.info import config

from .._report import FASTEST
from . import _pictures
from ._experiment import Experiment, Formula, Listing, Result, Section, Timings
from ._options import Values, written
from ._terminal import is_numeric, marks_of, rows_of

#: A cell isn't wrapped if it has at most so many letters.
_WHOLE = 18


def need_packages() -> None:
    """Raise an error that says what to install if a package that a page needs is missing."""
    for module in ("jinja2", "latex2mathml", "matplotlib"):
        need(module, "--html", "course")


def render(
    experiments: Sequence[Experiment],
    results: Mapping[str, Result],
    following: str | None,
    options: Values | None = None,
) -> str:
    """Return the page of these experiments, with numbers from 1 in the contents and in the headings.

    `following` is the command of the next experiment, or None if there is none. `options` are those that the
    experiments were run with, beside their defaults.
    """
    jinja2 = need("jinja2", "--html", "course")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    facts, places = config(), list(enumerate(experiments, 1))
    text: str = environment.get_template("page.html").render(
        parts=[
            (part, [(number, each) for number, each in places if each.part == part])
            for part in dict.fromkeys(each.part for each in experiments)
        ],
        style=colours.style(),
        backends=colours.LIBRARIES,
        results=results,
        options=written(options or {}),
        following=following,
        facts={name: facts[name] for name in ("dlkernels", "numba", "numpy", "python", "cpu", "threads")},
        mathml=_mathml,
        in_parts=in_parts,
        marked=_marked,
        whole=_WHOLE,
        fastest=FASTEST,
        sections=lambda result: [_section(each) for each in result.sections],
        picture=lambda experiment: _picture(experiment, results[experiment.name]),
        checks=sum(len(result.checks) for result in results.values()),
        failed=sum(not check.holds for result in results.values() for check in result.checks),
    )
    return text


def _marked(text: str) -> Any:
    """Turn text between backticks into code, and a space before a per cent sign into a no-break space."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text)).replace(" %", "\u00a0%")))


def in_parts(formula: Formula) -> list[Formula]:
    """Return the equations of a line, which stand below each other where a screen is too narrow for the line.

    They are separated by a comma and a wide space, in LaTeX as in the text. Where LaTeX and text don't have
    the same parts, the line is not divided.
    """
    latex = re.split(r"(?<=,) +\\quad +", formula.latex)
    text = re.split(r"(?<=[,;])  ", formula.text)
    if len(latex) != len(text) or any(part.count("{") != part.count("}") for part in latex):
        return [formula]
    return [Formula(*part) for part in zip(latex, text, strict=True)]


def _mathml(formula: Formula) -> Any:
    from latex2mathml.converter import convert
    from markupsafe import Markup

    # Where MathML isn't read out, the text that the terminal shows is.
    return Markup(
        convert(formula.latex, display="block").replace(
            "<math ", Markup('<math alttext="%s" ') % formula.text, 1
        )
    )


def _section(section: Section) -> dict[str, Any]:
    """Return a section's values for the template."""
    if isinstance(section, Listing):
        return {"title": section.title, "listing": section.text}
    table = rows_of(section) if isinstance(section, Timings) else section
    numeric = [is_numeric(table, column) for column in range(len(table.header))]
    return {
        "title": table.title,
        "listing": None,
        "header": table.header,
        "rows": table.rows,
        "numeric": numeric,
        "marks": marks_of(section),
    }


def _picture(experiment: Experiment, result: Result) -> str:
    """Return a data: URL that contains the picture."""
    data = base64.b64encode(_pictures.svg(experiment.plot(result))).decode()
    return f"data:image/svg+xml;base64,{data}"
