"""What a cache file holds of a compiled function, and how the function is made from it.

As in Numba, but without what only compiling needs. Before Numba reads from a cache, it registers everything
that it can compile, which takes 0.3 s, and it parses the LLVM code of each function that it reads. Here both
happen when something is compiled. A first prediction from a warm cache took 0.33 s, and takes 0.03.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import llvmlite.binding

from dlkernels._compiler import internals


class _Library(internals.Library):
    """Machine code that was read from the cache.

    Numba links the LLVM code of a function into others that call it. It is parsed when Numba asks for it.
    """

    _shared_module: Any

    def __init__(self, codegen: Any, kept: Any, defined: Sequence[str]) -> None:
        name, _, (machine_code, self._llvm_code) = kept
        super().__init__(codegen, name)
        self.enable_object_caching()
        self._set_compiled_object(machine_code)
        self._finalize_final_module()
        codegen._engine._defined_symbols.update(defined)

    def _get_module_for_linking(self) -> Any:
        if self._shared_module is None:
            self._shared_module = llvmlite.binding.parse_bitcode(self._llvm_code)
        return self._shared_module


def reduced(compiled: Any) -> Any:
    """What the cache keeps of a compiled function: names that its code defines and needs, and Numba's data.

    The annotated source, which `inspect_types` would print, isn't kept: it was a third of a file.
    """
    library = compiled.library
    defined = [function.name for function in library.get_defined_functions()]
    return defined, internals.undefined(library), compiled._replace(type_annotation="")._reduce()


def rebuilt(context: Any, kept: Any) -> Any:
    """The compiled function that `reduced` was given; as `_rebuild` of Numba's results makes it."""
    defined, needed, (library_data, description, environment, signature, *_, prepare, environments) = kept
    for function in prepare:
        function()
    _make_known(context, needed)
    library = _Library(context.codegen(), library_data, defined)
    entry_point = context.get_executable(library, description, environment)
    for other in environments:
        context.codegen().set_env(other.env_name, other)
    return internals.result_of(
        target_context=context,
        typing_context=context.typing_context,
        library=library,
        environment=environment,
        entry_point=entry_point,
        fndesc=description,
        type_annotation="",
        signature=signature,
        objectmode=False,
        lifted=(),
        reload_init=prepare,
        referenced_envs=environments,
    )


#: Names that LLVM knows, or that Numba doesn't define.
_known: set[str] = set()


def _make_known(context: Any, needed: Sequence[str]) -> None:
    """Let Numba tell LLVM the addresses of its functions, if LLVM doesn't know one of these names yet.

    LLVM ends the process if it loads code that needs an unknown name. Our kernels need only names that LLVM
    is told as soon as Numba is imported, or its thread pool started. So no process spends 0.3 s here.
    """
    new = set(needed) - _known
    if any(llvmlite.binding.address_of_symbol(name) is None for name in new):
        context.refresh()
    _known.update(new)
