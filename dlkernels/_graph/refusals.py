"""What a node refuses: everything that would compute with its value and lose its derivative."""

from __future__ import annotations

from typing import Any, NoReturn

_INSTEAD = (
    "Use arithmetic, @ and the functions of dlkernels.graph, as graph.exp(x) for math.exp(x) and np.exp(x); "
    "where only the value is wanted, take x.value, or x.value.item() for a single number"
)
NO_ARRAY = f"a node of a graph is no array: NumPy's functions don't know its derivative. {_INSTEAD}"
_NO_NUMBER = f"a node of a graph doesn't become a number: its derivative would be lost. {_INSTEAD}"
_NO_TRUTH = (
    "a node of a graph is neither true nor false, and isn't compared: compare its value, as in x.value > 0; "
    "`is` says whether two are the same node"
)


class NoNumber:
    """An object that becomes neither number nor array, and isn't compared: attempts raise a TypeError."""

    __slots__ = ()

    def _no_number(self, *_: Any) -> NoReturn:
        raise TypeError(_NO_NUMBER)

    # math.exp(node) asks for a float, and its result would be a constant in the graph.
    __float__ = __int__ = __index__ = __complex__ = _no_number

    def _no_truth(self, *_: Any) -> NoReturn:
        raise TypeError(_NO_TRUTH)

    # By default every node would be true, and none equal to its value.
    __bool__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _no_truth
    __hash__ = object.__hash__

    def _no_array(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(NO_ARRAY)

    __array__ = __array_function__ = _no_array
