"""Everything that this package uses of Numba and llvmlite beyond their documented interfaces.

No other module imports a private name of Numba, so that this is the file to change when a new version of
Numba moves one. Each entry says why it is needed, and in which version its names were last seen. "Numba 0.68"
means Numba 0.68.1 with llvmlite 0.50. All were also seen in Numba 0.61.0 with llvmlite 0.44, the oldest
supported versions.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import compile_result
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu_options import ParallelOptions
from numba.core.registry import CPUDispatcher, cpu_target
from numba.core.serialize import dumps
from numba.core.typing.templates import infer_global, make_intrinsic_template
from numba.misc.appdirs import AppDirs
from numba.np.ufunc import parallel

from dlkernels._compiler.uninterrupted import restoring, uninterrupted

#: The base classes of the classes in `cache`. Numba's documented cache can't be used instead: it keeps its
#: files beside the sources, and decides by the time stamp of one file whether a kernel is stale. These
#: three names were last seen in Numba 0.68, as were the attributes and methods that `cache` overrides or
#: calls: `_cache_file`, `_impl`, `_impl_class`, `_load_overload`, `_locator_classes` and `check_cachable`.
CacheFormat, Cache, Locator = CompileResultCacheImpl, FunctionCache, _CacheLocator

#: The class of compiled code, and what describes a compiled function; `loading` makes both from a file. They
#: were last seen in Numba 0.68, as were the names that `loading` overrides or calls: `_defined_symbols`,
#: `_engine`, `_finalize_final_module`, `_get_module_for_linking`, `_reduce`, `_set_compiled_object`,
#: `_shared_module`, `enable_object_caching`, `get_defined_functions`, `get_executable`, `set_env`.
Library, result_of = JITCodeLibrary, compile_result

#: Turns what Numba knows of a compiled function into bytes, which `pickle` can read. `dumps` was last seen in
#: Numba 0.68.
pickled = dumps

#: The lock that Numba holds while it compiles a function or loads one from the cache. A fork has to wait for
#: this lock (`_calls.forks`). This is the lock itself, which is taken in a single step of Python. The object
#: `global_compiler_lock` around it takes several, and an exception that strikes between two of them would
#: leave it locked. Both were last seen in Numba 0.68.
compiler_lock = global_compiler_lock._lock

#: Numba makes its target context when it is first asked for, and takes its lock meanwhile. It is asked for
#: here, so that no other module of this package takes the lock while it is imported. Else one thread that
#: imports a module, and another that holds the lock because it imports a name at its first use, would wait
#: for each other. `target_context` was last seen in Numba 0.68.
_ = cpu_target.target_context

#: The class of dispatchers, which `numba.njit` returns. `options` derives a class from it, for functions that
#: Python doesn't call. `CPUDispatcher` was last seen in Numba 0.68.
Dispatcher = CPUDispatcher

#: Numba's settings, for instance whether functions are compiled at all, and whether indices are checked.
#: Numba documents the environment variables, but not the object that keeps their values: `numba.core.config`,
#: last seen in Numba 0.68.
settings = config


# -- compile options -------------------------------------------------------------------------------------

#: Options of `numba.njit` that its documentation doesn't list: no references to arrays are counted; no
#: function is made that C can call, nor one that Python can call. Last seen in Numba 0.68.
UNCOUNTED = {"_nrt": False}
NOT_FROM_C = {"no_cfunc_wrapper": True}
NOT_FROM_PYTHON = {"no_cpython_wrapper": True}


def parallel_options(**chosen: bool) -> Any:
    """A value for the option `parallel=`, which says what Numba may turn into parallel loops.

    Numba documents a dict for this. But Numba empties the dict when it first compiles a function, and
    compiles the function for the next types with the default transformations. Numba doesn't
    empty a `ParallelOptions`, which was last seen in Numba 0.68.
    """
    return ParallelOptions(chosen)


def refuse_what_is_not_compiled(dispatcher: Any, accepts: Callable[..., bool], refusal: Any) -> None:
    """Make a compiled function return `refusal` for types of arguments that `accepts` doesn't want compiled.

    When a dispatcher meets types of arguments for the first time, it calls its method `_compile_for_args`,
    and then calls whatever this method returns in place of the compiled function. Numba has no documented way
    to refuse types without an exception. `_compile_for_args` was last seen in Numba 0.68.
    """
    compile_for = dispatcher._compile_for_args
    dispatcher._compile_for_args = lambda *arguments: (
        compile_for(*arguments) if accepts(*arguments) else lambda *arguments: refusal
    )


def widen_vectors(function: ir.Function, bits: int) -> None:
    """Let LLVM's vectoriser use registers of `bits` bits in a function.

    `function.attributes` is a set whose method `add` refuses attributes that have a value. But llvmlite
    prints every member of the set into the LLVM code. `set.add` avoids the refusal. Both were last seen in
    Numba 0.68.
    """
    set.add(function.attributes, f'"prefer-vector-width"="{bits}"')


# -- the cache of compiled kernels -----------------------------------------------------------------------


def set_cache(dispatcher: Any, cache: Any) -> None:
    """Let a compiled function keep its machine code in this cache.

    The documented option `cache=True` would choose Numba's own cache. `_cache` was last seen in Numba 0.68.
    """
    dispatcher._cache = cache


@contextlib.contextmanager
def only_given_locators() -> Iterator[None]:
    """Within this, a cache is placed by the locators of its class alone.

    From version 0.62 on, Numba asks the classes first that NUMBA_CACHE_LOCATOR_CLASSES names, and these know
    nothing of our folder.
    """
    named = getattr(config, "CACHE_LOCATOR_CLASSES", "")
    with restoring(lambda: setattr(config, "CACHE_LOCATOR_CLASSES", named)):
        config.CACHE_LOCATOR_CLASSES = ""
        yield


def has_cache(dispatcher: Any) -> bool:
    """Whether this is a dispatcher, and not a Python function, which `numba.njit` returns uncompiled.

    `_cache` was last seen in Numba 0.68.
    """
    return hasattr(dispatcher, "_cache")


def user_cache_folder(name: str) -> str:
    """The system's folder for the caches of this user's programs.

    Numba carries a copy of the package appdirs for this: `numba.misc.appdirs`, last seen in Numba 0.68.
    """
    folder: str = AppDirs(appname=name, appauthor=False).user_cache_dir
    return folder


# -- calls by name ---------------------------------------------------------------------------------------


def define_call(function: Any, definition: Callable[..., Any], name: str) -> None:
    """Let compiled code call a Python object; `definition`, as of an intrinsic, says how.

    `numba.extending.intrinsic` itself won't do: it returns a new object, which Python can't call. An overload
    of the Python object that calls the intrinsic would be one more function to compile for each combination
    of argument types: sixty of these took 2 of 40 s. `infer_global` and `make_intrinsic_template` were last
    seen in Numba 0.68.
    """
    infer_global(function, types.Function(make_intrinsic_template(function, definition, name)))


def definition_of(intrinsic: Any) -> Callable[..., Any]:
    """The Python function that an intrinsic was made from, for `define_call`.

    `_defn` was last seen in Numba 0.68.
    """
    definition: Callable[..., Any] = intrinsic._defn
    return definition


def call_by_name(
    context: Any, builder: Any, name: str, returned: Any, expected: Sequence[Any], values: Sequence[Any]
) -> Any:
    """Generate a call of a compiled function that the module of the caller declares, but doesn't define.

    Numba documents no way to call such a function by name. If the function raises an error, its caller raises
    the same error, as with functions that Numba links. The methods of `context.call_conv`, and
    `get_dummy_value`, were last seen in Numba 0.68.
    """
    convention = context.call_conv
    kind = convention.get_function_type(returned, expected)
    function = declared(builder, kind, name)
    status, value = convention.call_function(builder, function, returned, expected, values)
    with builder.if_then(status.is_error, likely=False):
        convention.return_status_propagate(builder, status)
    return context.get_dummy_value() if returned == types.none else value


def declared(builder: Any, kind: ir.FunctionType, name: str) -> Any:
    """Declare a function that is defined elsewhere, such as a piece or LLVM's own `llvm.fmuladd.v16f32`.

    A module may declare a name only once. `cgutils` takes care of that, and was last seen in Numba 0.68.
    """
    return cgutils.get_or_insert_function(builder.module, kind, name)


def on_stack(builder: Any, kind: ir.Type, count: int) -> Any:
    """The address of memory for `count` values, which the function has until it returns.

    `alloca_once` asks for it at the beginning of the function, so that a loop doesn't ask for more and more.
    It was last seen in Numba 0.68.
    """
    return cgutils.alloca_once(builder, kind, size=count)


def counted(builder: Any, count: Any) -> Any:
    """A context in which instructions are those of a loop that runs `count` times; it gives the index.

    `for_range` was last seen in Numba 0.68.
    """
    return cgutils.for_range(builder, count)


def compiled_for(dispatcher: Any, signature: tuple[Any, ...]) -> Any:
    """What Numba knows of a function that is compiled for these types, above all its machine code.

    `compile` returns only an address. `overloads` was last seen in Numba 0.68.
    """
    dispatcher.compile(signature)
    return dispatcher.overloads[signature]


def group_type(fields: Sequence[Any], group: Any) -> Any:
    """The type of a named tuple with fields of these types. `from_types` was last seen in Numba 0.68."""
    return types.BaseTuple.from_types(fields, group)


def make_group(context: Any, builder: Any, kind: Any, fields: Sequence[Any]) -> Any:
    """A named tuple of these values. `make_tuple` of a context was last seen in Numba 0.68."""
    return context.make_tuple(builder, kind, fields)


def link(context: Any, libraries: Sequence[Any]) -> None:
    """Let Numba link these into the function that it compiles. `add_linking_libs`: Numba 0.68."""
    context.add_linking_libs(libraries)


def publish(name: str, compiled: Any) -> None:
    """Tell LLVM the address of compiled code, for all code that is compiled or loaded later in this process.

    LLVM ends the process if it links code that needs a name which nobody has published. Numba documents no
    way to get the address. `get_pointer_to_function` and `llvm_func_name` were last seen in Numba 0.68.
    """
    address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    llvmlite.binding.add_symbol(name, address)


def undefined(library: Any) -> list[str]:
    """The names of functions and variables that compiled code uses, but doesn't define.

    Only the LLVM module of a library knows them. `_get_module_for_linking` was last seen in Numba 0.68.
    """
    module = library._get_module_for_linking()
    declared = [value for kind in (module.functions, module.global_variables) for value in kind]
    return [value.name for value in declared if value.is_declaration and not value.name.startswith("llvm.")]


class LinkableCopy:
    """A copy of a compiled function, under another name, for Numba to link into functions that users compile.

    The function calls other functions by name. `renamed` maps each name that the original calls to the name
    that the copy calls instead. The copy is never inlined, so that it gives the same bits wherever it is
    linked. A library that Numba links has many attributes, but Numba uses only those that this class defines:
    `_reload_init`, `_ensure_finalized` and `_get_module_for_linking`, last seen in Numba 0.68.
    """

    def __init__(self, compiled: Any, name: str, renamed: dict[str, str]) -> None:
        self._reload_init = getattr(compiled.library, "_reload_init", ())  # of 0.62 and later
        module = compiled.library._get_module_for_linking().clone()
        for old, new in {compiled.fndesc.llvm_func_name: name, **renamed}.items():
            module.get_function(old).name = new
        # As text, because llvmlite up to 0.47 adds an attribute of a function to the function's result.
        line = rf'^(define .*@"?{re.escape(name)}"?\(.*\)(?: (?:local_)?unnamed_addr)?)'
        text, count = re.subn(line, r"\1 noinline", str(module), flags=re.M)
        assert count == 1, name
        self._module = llvmlite.binding.parse_assembly(text)

    def _ensure_finalized(self) -> None:
        pass

    def _get_module_for_linking(self) -> Any:
        return self._module


# -- arrays ----------------------------------------------------------------------------------------------


def array_over(
    context: Any, builder: Any, source_type: Any, source: Any, result_type: Any, transposed: bool = False
) -> Any:
    """Generate an array in C order that shares the memory of a contiguous array, and keeps it alive.

    The result has one axis, or the axes of the source, in reversed order if it is to be `transposed`. Numba
    documents no way to build an array over given memory. `make_array`, `populate_array` and
    `impl_ret_borrowed` were last seen in Numba 0.68.
    """
    # Imported here, because these imports take 30 ms, which a program that compiles nothing need not spend.
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


def refresh(context: Any) -> None:
    """Let Numba take note of everything that it can compile; all of it.

    Numba takes up what has been registered since the last time. The first time this takes 0.3 s. But Numba
    counts a whole list as noted as soon as it begins with it. If a time limit struck in the middle, Numba
    would never know the rest, and most functions could not be compiled any more in this process. `refresh`
    was last seen in Numba 0.68.
    """
    uninterrupted(context.refresh)


def find_new_implementations() -> None:
    """Let Numba notice overloads that are registered while it compiles a function.

    Numba itself looks for new overloads only when it begins to compile. Before the first compilation of a
    process this function does nothing, because looking takes 0.2 s then, and Numba will look anyway.
    `cpu_target.typing_context.refresh` was last seen in Numba 0.68.
    """
    import sys

    if "numba.np.arrayobj" in sys.modules:
        refresh(cpu_target.typing_context)


# -- threads ---------------------------------------------------------------------------------------------


def threads_started() -> bool:
    """Whether Numba's thread pool has been started.

    `numba.threading_layer` would raise an error if not. `_is_initialized` was last seen in Numba 0.68.
    """
    return bool(parallel._is_initialized)


def start_threads() -> None:
    """Start Numba's thread pool, which fixes the threading layer.

    Otherwise the first parallel loop would start it. `_launch_threads` was last seen in Numba 0.68.
    """
    parallel._launch_threads()


def threads_of_caller() -> int:
    """The number of threads for parallel loops that are started by the calling Python thread.

    `numba.get_num_threads` returns the same number, but its checks take 0.7 us. `_get_num_threads` was last
    seen in Numba 0.68.
    """
    return int(parallel._get_num_threads())
