"""Everything that this package uses of Numba and llvmlite beyond their documented interfaces.

No other module names these: when a new version of Numba moves one of them, this is the only file to change.
Beside each stands why it is needed. All of them were last seen in Numba 0.68.1 with llvmlite 0.50, and in
0.61.0 with 0.44, the oldest versions that are supported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, _CacheLocator
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu_options import ParallelOptions
from numba.core.registry import CPUDispatcher, cpu_target
from numba.core.typing.templates import infer_global, make_intrinsic_template
from numba.misc.appdirs import AppDirs
from numba.np.ufunc import parallel

#: The classes that `cache` derives its own from. Numba's documented cache decides by a time stamp of one
#: file whether a kernel is stale, and keeps its files beside the sources.
CacheFiles, CacheFormat, Cache, Locator = (
    IndexDataCacheFile,
    CompileResultCacheImpl,
    FunctionCache,
    _CacheLocator,
)

#: Held while anything is compiled or read from the cache. A fork has to wait for it (`_calls.forks`).
compiler_lock = global_compiler_lock

#: What `numba.njit` returns. `options` derives a class from it, for functions that Python doesn't call.
Dispatcher = CPUDispatcher

#: Whether functions are compiled at all, and whether indices are checked: environment variables that Numba
#: documents and keeps in an object that it doesn't.
settings = config


# -- compile options -------------------------------------------------------------------------------------


def parallel_options(**chosen: bool) -> Any:
    """Which transformations `parallel=` makes.

    A dict is documented. But Numba empties the dict at the first compilation of a function, and uses its
    defaults for the second.
    """
    return ParallelOptions(chosen)


def refuse_what_is_not_compiled(dispatcher: Any, accepts: Callable[..., bool], refusal: Any) -> None:
    """Make a compiled function return `refusal` for kinds of arguments that `accepts` doesn't want compiled.

    Numba calls `_compile_for_args` when it meets a kind of arguments for the first time, and calls what that
    returns in place of the function.
    """
    compile_for = dispatcher._compile_for_args
    dispatcher._compile_for_args = lambda *arguments: (
        compile_for(*arguments) if accepts(*arguments) else lambda *arguments: refusal
    )


def widen_vectors(function: ir.Function, bits: int) -> None:
    """Let LLVM's vectoriser use registers of so many bits in a function.

    llvmlite knows no attributes that have values, but prints whatever it finds in the set of attributes.
    """
    set.add(function.attributes, f'"prefer-vector-width"="{bits}"')


# -- the cache of compiled kernels -----------------------------------------------------------------------


def set_cache(dispatcher: Any, cache: Any) -> None:
    """Let a compiled function keep its machine code in this cache; `cache=True` would choose Numba's own."""
    dispatcher._cache = cache


def has_cache(dispatcher: Any) -> bool:
    """False for a Python function, which is what `numba.njit` returns without compilation."""
    return hasattr(dispatcher, "_cache")


def user_cache_folder(name: str) -> str:
    """The folder where this user's programs keep what they can compute again."""
    folder: str = AppDirs(appname=name, appauthor=False).user_cache_dir
    return folder


# -- calls by name ---------------------------------------------------------------------------------------


def call_means(function: Any, definition: Callable[..., Any], name: str) -> None:
    """Let calls of a Python object, inside compiled code, be what an intrinsic's `definition` says.

    `numba.extending.intrinsic` makes an object of its own that Python can't call. An overload that calls the
    intrinsic would be one more function to compile, for each kind of arguments: sixty of these took 2 of
    40 s.
    """
    infer_global(function, types.Function(make_intrinsic_template(function, definition, name)))


def definition_of(intrinsic: Any) -> Callable[..., Any]:
    """The Python function that an intrinsic was made from."""
    definition: Callable[..., Any] = intrinsic._defn
    return definition


def call_by_name(
    context: Any, builder: Any, name: str, returned: Any, expected: Sequence[Any], values: Sequence[Any]
) -> Any:
    """Instructions that call a compiled function that the module only declares.

    An error that the function raises is raised by the caller, as it is for functions that Numba links.
    """
    convention = context.call_conv
    kind = convention.get_function_type(returned, expected)
    function = declared(builder, kind, name)
    status, value = convention.call_function(builder, function, returned, expected, values)
    with builder.if_then(status.is_error, likely=False):
        convention.return_status_propagate(builder, status)
    return context.get_dummy_value() if returned == types.none else value


def declared(builder: Any, kind: ir.FunctionType, name: str) -> Any:
    """A function that is defined elsewhere, by its name: also LLVM's own, such as `llvm.fma.v16f32`."""
    return cgutils.get_or_insert_function(builder.module, kind, name)


def publish(name: str, compiled: Any) -> None:
    """From now on whatever is compiled or loaded in this process finds the machine code under this name.

    LLVM ends the process if it links code that needs a name which nobody has published.
    """
    address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    llvmlite.binding.add_symbol(name, address)


def names_needed(library: Any, prefix: str) -> list[str]:
    """The names that begin with `prefix` and that compiled code needs, but doesn't define."""
    return [function.name for function in _declarations(library._get_module_for_linking(), prefix)]


def _declarations(module: Any, prefix: str) -> Iterator[Any]:
    for function in list(module.functions):
        if function.is_declaration and function.name.startswith(prefix):
            yield function


class LinkableCopy:
    """A copy of a compiled function for other people's functions to have linked in, under another name.

    What it needs under the keys of `renamed`, it needs under their values. The function is never inlined, so
    that it gives the same bits wherever it is linked. Numba asks a library that it links for no more than
    what is here.
    """

    def __init__(self, compiled: Any, name: str, renamed: dict[str, str]) -> None:
        self._reload_init = compiled.library._reload_init
        self._module = compiled.library._get_module_for_linking().clone()
        function = self._module.get_function(compiled.fndesc.llvm_func_name)
        function.name = name
        function.add_function_attribute("noinline")
        for old, new in renamed.items():
            self._module.get_function(old).name = new

    def _ensure_finalized(self) -> None:
        pass

    def _get_module_for_linking(self) -> Any:
        return self._module


# -- arrays ----------------------------------------------------------------------------------------------


def array_over(
    context: Any, builder: Any, source_type: Any, source: Any, result_type: Any, transposed: bool = False
) -> Any:
    """A contiguous array as one in C order that shares its memory, and keeps it alive.

    The result has one axis, or the axes of the source: in reversed order if it is the `transposed`.
    """
    # Imported here: it takes 30 ms, for which a program that compiles nothing need not wait.
    from numba.core.imputils import impl_ret_borrowed
    from numba.np.arrayobj import make_array, populate_array

    whole = make_array(source_type)(context, builder, source)
    made = make_array(result_type)(context, builder)
    shape = [whole.nitems]
    if result_type.ndim > 1:
        shape = cgutils.unpack_tuple(builder, whole.shape)[:: -1 if transposed else 1]
    strides = [whole.itemsize]
    for length in shape[:0:-1]:
        strides.insert(0, builder.mul(strides[0], length))
    populate_array(
        made,
        data=whole.data,
        shape=shape,
        strides=strides,
        itemsize=whole.itemsize,
        meminfo=whole.meminfo,
        parent=whole.parent,
    )
    return impl_ret_borrowed(context, builder, result_type, made._getvalue())


def find_new_implementations() -> None:
    """Let Numba notice overloads that were registered while it compiles a function.

    It looks for them when it begins. Looking takes 0.2 s before the first compilation of a process, so
    nothing is done then: Numba will look anyway.
    """
    import sys

    if "numba.np.arrayobj" in sys.modules:
        cpu_target.typing_context.refresh()


# -- threads ---------------------------------------------------------------------------------------------


def threads_started() -> bool:
    """Whether the threads of parallel loops run. `numba.threading_layer` raises an error where they don't."""
    return bool(parallel._is_initialized)


def start_threads() -> None:
    """Start the threads; otherwise the first parallel loop does."""
    parallel._launch_threads()


def threads_of_caller() -> int:
    """How many threads parallel loops get that the calling Python thread starts.

    `numba.get_num_threads` returns the same, behind checks that take 0.7 us.
    """
    return int(parallel._get_num_threads())
