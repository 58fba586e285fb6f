"""How reports and errors write counts and names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from dlkernels.text import printable

#: How many names a list has before it says how many others there are.
_MOST_NAMES = 12


def quantity(number: int, noun: str) -> str:
    """A number of things, of which one is `noun` and several are `noun` with an s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """Names with commas between them, of many the first."""
    shown, more = ", ".join(map(printable, names[:_MOST_NAMES])), len(names) - _MOST_NAMES
    return f"{shown} and {quantity(more, 'other')}" if more > 0 else shown


def missing_cells(missing: Mapping[str, int], rows: int) -> str:
    """What is wrong with columns of so many rows, some of whose cells have no value."""
    cells = ", ".join(f"{name!r} ({number:,})" for name, number in missing.items())
    return f"cells are missing, of {rows:,} in each column: {cells}"


def hint(name: str, names: Iterable[str]) -> str:
    """Which of these names somebody may have meant, or nothing. Capitals don't matter."""
    lowered = {each.casefold(): each for each in names}
    found = difflib.get_close_matches(name.casefold(), lowered, 1)
    return f" (did you mean {lowered[found[0]]!r}?)" if found else ""
