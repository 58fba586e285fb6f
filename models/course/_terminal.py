"""Print the list of experiments, or the result of one, on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from dlkernels import colours
from dlkernels.reporting import duration, show_block, show_lines

from .._report import CLOSE, factor, row_name
from ._experiment import Check, Experiment, Listing, Result, Section, Table, Timings
from ._timing import equally_fast

_HOW_TO_GO_ON = """\
dlkernels course {first:<16} run the first one, and so on with each name
dlkernels course NAME --help      list the options that vary it, such as --alpha
dlkernels course NAME --plot DIR  save its picture, too; without NAME, all of them
dlkernels course --html FILE      all on one page, with pictures, to be read offline"""

#: The name of a row isn't wrapped if it has at most so many letters.
_SHORT = 30


class Mark(NamedTuple):
    """The colour of a row, or None, and whether the row is that of the fastest way."""

    colour: str | None
    fastest: bool


def rows_of(timings: Timings) -> Table:
    """Return timings as a table, which terminal and page show alike."""
    percent = f"{100 * (CLOSE - 1):.0f} %"
    tied = f"; times at most {percent} apart count as equal" if len(equally_fast(timings)) > 1 else ""
    return Table(
        f"{timings.title}: {timings.caption}{tied}",
        ("", "time", f"faster than {next(iter(timings.seconds))}"),
        tuple(
            (way, duration(seconds), factor(timings.speed_up(way)))
            for way, seconds in timings.seconds.items()
        ),
    )


def marks_of(section: Table | Timings) -> list[Mark]:
    """Return the mark of each row.

    A way has the colour of the backend that its words name. In other tables, where such words may speak of
    something else, a row has a colour if its name is that of a backend. No way is marked as fastest where
    other programs disturbed the timing so much that the run doesn't tell.
    """
    if isinstance(section, Timings):
        fastest = equally_fast(section)
        return [Mark(colours.of(way), way in fastest) for way in section.turns]
    return [Mark(colours.LIBRARIES.get(name), False) for name, *_ in section.rows]


def show_list(experiments: Sequence[Experiment]) -> None:
    """Print every experiment's name and question, by parts of the course, and what to do next."""
    from rich.table import Table as Grid
    from rich.text import Text

    show_lines(
        "The course as experiments: each idea of its notes computed, drawn and checked.\n"
        "The notes follow Andrew Ng's Neural Networks and Deep Learning, weeks 2 and 3;\n"
        "its week 4 and a part of his second course, Improving Deep Neural Networks, follow.\n"
        "Many numbers are compared with those of the courses' exercises."
    )
    for part in dict.fromkeys(each.part for each in experiments):
        grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True, min_width=max(len(each.name) for each in experiments))
        grid.add_column()
        for each in experiments:
            if each.part == part:
                grid.add_row(Text(each.name, style="bold"), each.question)
        show_block(Text(part, style="bold"), grid)
    show_block("What next?", _HOW_TO_GO_ON.format(first=experiments[0].name))


def show(experiment: Experiment, result: Result, place: str, following: Experiment | None) -> None:
    """Print an experiment's question, results and lessons, and the command of the next experiment."""
    from rich.padding import Padding
    from rich.text import Text

    show_lines(Text(f"{experiment.title} ({place}, {experiment.part})", style="bold"), experiment.question)
    show_block(*(Padding(Text(each.text), (0, 0, 0, 2)) for each in experiment.formulas))
    for section in result.sections:
        show_block(*_shown(section))
    show_block(*map(_check_line, result.checks))
    for lesson in result.lessons:
        show_block(lesson)
    for slip in experiment.slips:
        show_block(f"A slip to look out for: {slip}")
    show_block(*_next(following))


def _check_line(check: Check) -> Any:
    """Return the line of a check: its mark, in green or red, and what was claimed and found."""
    from rich.text import Text

    mark, plain, style = ("✓", "+", "bold green") if check.holds else ("✗", "x", "bold red")
    try:
        mark.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        mark = plain
    words = "" if check.holds else " NOT SO HERE:"
    return Text.assemble((mark + words, style), f" {check.text}")


def _next(following: Experiment | None) -> Iterator[str]:
    if following is None:
        yield "That was the last one. All of them on one page: dlkernels course --html course.html"
    else:
        yield f"Next: dlkernels course {following.name}   ({following.question})"


def _shown(section: Section) -> Iterator[Any]:
    from rich.padding import Padding
    from rich.text import Text

    if isinstance(section, Listing):
        yield Text(section.title, style="bold")
        yield Padding(Text(section.text, no_wrap=True), (0, 0, 0, 2))
        return
    table = rows_of(section) if isinstance(section, Timings) else section
    yield Text(table.title, style="bold")
    yield _grid(table, marks_of(section))


def _grid(table: Table, marks: Sequence[Mark]) -> Any:
    from rich import box
    from rich.table import Table as Grid

    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    rows: list[tuple[Any, ...]] = [
        (row_name(name, mark.colour, fastest=mark.fastest), *cells)
        for mark, (name, *cells) in zip(marks, table.rows, strict=True)
    ]
    for column, heading in enumerate(table.header):
        numeric = is_numeric(table, column)
        longest = max(len(row[column]) for row in rows)
        # Headings may be wrapped; numbers and short names may not.
        whole = longest if numeric or (column == 0 and longest <= _SHORT) else None
        style: Any = ("right", "bottom") if numeric else ("left", "top")
        grid.add_column(heading, justify=style[0], vertical=style[1], min_width=whole, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    return grid


def is_numeric(table: Table, column: int) -> bool:
    """Whether a column holds numbers, which are aligned at the right."""
    cells = [row[column] for row in table.rows if row[column]]
    return column > 0 and bool(cells) and all(cell[0].isdigit() or cell[0] in "-<" for cell in cells)
