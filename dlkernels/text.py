"""Text of others, such as a file's name or the names in it, made safe to be shown."""

from __future__ import annotations

import re

__all__ = ["printable"]

#: Control characters (C0, DEL, C1), line and paragraph separators, what reverses the direction of the text
#: around it, and halves of characters, which stand for the bytes of a file name that is no UTF-8.
_UNSAFE = "[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"


def printable(text: str) -> str:
    """Write out the characters that would command a terminal or reorder a line, instead of using them.

    Parameters
    ----------
    text : str
        Text from a file, or its name.

    Returns
    -------
    str
        The text, where each such character is replaced by its escape in Python, as ``\\x1b``. Letters of all
        languages, accents and emoji stay as they are.

    Examples
    --------
    >>> from dlkernels.text import printable
    >>> print(printable("caf\u00e9\x1b[31m"))
    café\\x1b[31m
    """
    if text.isprintable():  # most text is, and this is faster
        return text
    return re.sub(_UNSAFE, lambda found: ascii(found[0])[1:-1], text)
