"""`dlkernels course`: run the ideas of the lecture notes as experiments."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dlkernels.cli import CommandError
from dlkernels.extras import need
from dlkernels.progress import progress
from dlkernels.reporting import reserved, say_written

from ._options import OPTIONS, Values, given

_DESCRIPTION = """\
The lecture notes of Andrew Ng's first course as experiments, and a part of his second course. Without
NAME, list them. With NAME, run this experiment: compute its numbers, time the ways to compute them, and check
the claims of the notes and the numbers of its exercises. The exit code is 1 if one of them doesn't hold. With
options other than the defaults nothing is claimed, and therefore nothing checked.
"""


def add_command(commands: Any) -> None:
    """Add `course` to argparse's sub-parsers. `dlkernels.cli` finds this function as an entry point.

    Parameters
    ----------
    commands : argparse's sub-parsers
        The result of ``ArgumentParser.add_subparsers``.

    Examples
    --------
    >>> import argparse
    >>> from dlkernels.models.course.command import add_command
    >>> parser = argparse.ArgumentParser()
    >>> add_command(parser.add_subparsers())
    >>> parser.parse_args(["course", "graph"]).name
    'graph'
    """
    parser = commands.add_parser(
        "course",
        help="run the ideas of the course's lecture notes as experiments",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    add = parser.add_argument
    add("-h", "--help", action="store_true", help="show this, and with NAME the options that it has")
    add("name", metavar="NAME", nargs="?", help="which experiment; `dlkernels course` lists them")
    add("--plot", metavar="DIR", type=Path, help="save its picture in this folder; without NAME, all")
    add("--html", metavar="FILE", type=Path, help="write one page with all of them, or with NAME alone")
    varied = parser.add_argument_group("options of an experiment, where it has them")
    for name, option in OPTIONS.items():
        varied.add_argument(f"--{name}", metavar=option.metavar, type=option.read, help=option.words)
    parser.set_defaults(run=partial(run, parser.format_help))


def run(format_help: Callable[[], str], arguments: argparse.Namespace) -> int:
    """Check all arguments first, because experiments take long; then run the experiments and show them."""
    if arguments.help and arguments.name is None:
        sys.stdout.write(format_help())
        return 0
    need("rich", "dlkernels course")
    # Imported here because every command of `dlkernels` imports this module to learn of its options.
    from . import _terminal
    from .experiments import EXPERIMENTS

    options = given(arguments)
    if options and arguments.name is None:
        raise CommandError(
            f"argument --{next(iter(options))}: only with NAME, because each experiment has its own options"
        )
    if arguments.name is None and arguments.plot is None and arguments.html is None:
        _terminal.show_list(EXPERIMENTS)
        return 0
    if arguments.name is None:
        return _run(arguments, EXPERIMENTS, {}, EXPERIMENTS)
    experiment = _named(arguments.name, EXPERIMENTS)
    if arguments.help:
        sys.stdout.write(f"{format_help()}\n{experiment.about_options}\n")
        return 0
    for option in options:
        if option not in experiment.options:
            raise CommandError(experiment.lacks(option))
    return _run(arguments, (experiment,), options, EXPERIMENTS)


def _named(name: str, experiments: Sequence[Any]) -> Any:
    names = [each.name for each in experiments]
    if name in names:
        return experiments[names.index(name)]
    close = difflib.get_close_matches(name.lower(), names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise CommandError(f"no experiment is called {name!r}: {hint}There are {', '.join(names)}")


def _run(
    arguments: argparse.Namespace, chosen: Sequence[Any], options: Values, experiments: Sequence[Any]
) -> int:
    from .. import _plots
    from . import _terminal, page

    if arguments.plot is not None:
        need("matplotlib", "--plot")
    if arguments.html is not None:
        page.need_packages()
    with contextlib.ExitStack() as stack:
        if arguments.plot is not None:
            _plots.make_folder(arguments.plot)
        draft = stack.enter_context(reserved(arguments.html, "--html"))
        results = _results(chosen, options)
        following = _following(chosen[-1], experiments)
        if arguments.name is not None:
            place = f"{experiments.index(chosen[0]) + 1} of {len(experiments)}"
            _terminal.show(chosen[0], results[arguments.name], place, following)
        if draft is not None:
            command = f"dlkernels course {following.name}" if following else None
            draft.write_text(page.render(chosen, results, command, options), encoding="utf-8")
    say_written([arguments.html])
    if arguments.plot is not None:
        say_written(
            [
                _plots.save(each.plot(results[each.name]), arguments.plot / f"{each.name}.png")
                for each in chosen
            ]
        )
    return 0 if all(check.holds for result in results.values() for check in result.checks) else 1


def _results(chosen: Sequence[Any], options: Values) -> dict[str, Any]:
    results = {}
    with progress("the course: the first run compiles", len(chosen)) as advance:
        for each in chosen:
            results[each.name] = each.result(options)
            advance(1)
    return results


def _following(experiment: Any, experiments: Sequence[Any]) -> Any:
    """Return the next experiment, or None after the last."""
    place = experiments.index(experiment) + 1
    return experiments[place] if place < len(experiments) else None
