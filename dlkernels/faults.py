"""Tell the faults of a file or of the system from what somebody else raised meanwhile."""

from __future__ import annotations

from dlkernels._compiler.errors import foreign, reraise_foreign

__all__ = ["foreign", "reason"]


def reason(error: OSError | ValueError) -> str:
    """Return the system's words for a path that can't be used. Raise the error again if it isn't about one.

    Parameters
    ----------
    error : OSError or ValueError
        What a call with a path has raised.

    Returns
    -------
    str

    Raises
    ------
    OSError, ValueError
        The error itself, if somebody else raised it: it is foreign, or an OSError without a number.

    Examples
    --------
    >>> from dlkernels.faults import reason
    >>> try:
    ...     open("none/none")
    ... except OSError as error:
    ...     print(reason(error))
    No such file or directory
    """
    reraise_foreign(error)
    return getattr(error, "strerror", None) or str(error)
