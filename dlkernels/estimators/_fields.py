"""Whether an object of JSON in a file, which anybody may have written, has the fields that it must have."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from typing import Any


def same_names(what: str, found: dict[str, Any], wanted: Iterable[str]) -> None:
    """Raise an error unless the names are these."""
    unknown, missing = sorted(set(found) - set(wanted)), sorted(set(wanted) - set(found))
    if unknown or missing:
        raise ValueError(f"{what} has unknown names {reprlib.repr(unknown)} and lacks {missing}")


def check_fields(
    what: str, found: dict[str, Any], fields: Mapping[str, tuple[type, ...]], within: str = ""
) -> None:
    """Raise an error unless the names are those of `fields`, and each value has one of the types there.

    `within` follows the name of a field in the message.
    """
    same_names(what, found, fields)
    for name, types in fields.items():
        if type(found[name]) not in types:
            wanted = " or ".join(kind.__name__ for kind in types)
            raise ValueError(f"{name}{within} must be {wanted}, but is {reprlib.repr(found[name])}")
