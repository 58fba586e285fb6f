"""The package as a whole: its names, documentation and examples, and the cost of an import."""

from __future__ import annotations

import doctest
import importlib
import inspect
import os
import pkgutil
import re
import statistics
import subprocess
import sys

import numba
import pytest

import dlkernels
import models
from dlkernels import backends, estimators

COMPILED = not numba.config.DISABLE_JIT


def modules():
    for package in (dlkernels, models):
        yield package.__name__
        for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not info.name.endswith("__main__"):
                yield info.name


@pytest.mark.skipif(not COMPILED, reason="examples show compiled results")
@pytest.mark.parametrize("name", list(modules()))
def test_examples_run(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


def public():
    """Every function and class that a user is meant to call, and the methods of the classes."""
    for name in dlkernels.__all__:
        value = getattr(dlkernels, name)
        members = [value]
        if inspect.ismodule(value):
            own = [n for n, m in vars(value).items() if getattr(m, "__module__", "") == value.__name__]
            names = getattr(value, "__all__", [n for n in own if not n.startswith("_")])
            members = [getattr(value, n) for n in names]
        for member in members:
            if callable(member) and not isinstance(member, type | str):
                yield f"{name}.{member.__name__}" if inspect.ismodule(value) else name, member
    classes = [getattr(home, name) for home in (models, estimators) for name in home.__all__]
    for cls in (*classes, dlkernels.graph.Variable):
        where = "estimators." if cls.__module__.startswith("dlkernels.estimators") else ""
        yield where + cls.__name__, cls
        for name, method in inspect.getmembers(cls, inspect.isfunction):
            if not name.startswith("_") and method.__module__.startswith("dlkernels"):
                yield f"{where}{cls.__name__}.{name}", method


PUBLIC = dict(public())


def documented(text, section):
    """The names in a section of a docstring: lines without indentation, before the colon."""
    found = re.search(rf"^{section}\n-+\n((?:.|\n)*?)(?=^\w[^\n]*\n-+$|\Z)", text, re.MULTILINE)
    lines = found[1].splitlines() if found else []
    return [
        name.strip().lstrip("*") for line in lines if " : " in line and line[0] != " "
        for name in line.partition(" : ")[0].split(",")
    ]  # fmt: skip


@pytest.mark.parametrize("name", PUBLIC)
def test_public_functions_are_documented(name):
    """The parameters of the signature and no others; and an example, which `test_examples_run` runs."""
    value = PUBLIC[name]
    text = inspect.getdoc(value)
    # Nobody makes these: `variable` and arithmetic do, and `fit`.
    made = name in ("Variable", "ConvergenceWarning")
    own = [] if made else [p for p in inspect.signature(value).parameters if p != "self"]
    is_method = inspect.isfunction(value) and "." in value.__qualname__
    if not is_method or own:
        assert documented(text, "Parameters") == own
    assert is_method or (">>> " in text and "Examples\n--------" in text)


def test_public_names():
    assert set(backends.FUNCTIONS) <= set(dlkernels.__all__)
    for name in dlkernels.__all__:
        assert hasattr(dlkernels, name)
    with pytest.raises(ValueError, match="python, numpy, numba"):
        backends.get("cupy")
    with pytest.raises(TypeError, match="string"):
        backends.get(1)


def test_a_missing_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'sigmoids'"):
        dlkernels.sigmoids  # noqa: B018
    assert set(dlkernels.__all__) <= set(dir(dlkernels))


def test_modules_with_extras_are_imported_when_they_are_used():
    code = "import dlkernels as dk; print(dk.{0}.__name__, 'sklearn' in __import__('sys').modules)"
    assert in_new_process(code.format("estimators")) == "dlkernels.estimators True\n"
    names = in_new_process("from dlkernels import *; print({'estimators', 'dask'} & set(dir()))")
    assert names == "set()\n"
    missing = (
        "import sys; sys.modules['dask'] = None\n"
        "import dlkernels; print(hasattr(dlkernels, 'dask'))\n"
        "try: dlkernels.dask\n"
        "except AttributeError as error: print(error)\n"
        "import dlkernels.dask\n"
    )
    with pytest.raises(subprocess.CalledProcessError) as failed:
        in_new_process(missing)
    needs = 'dlkernels.dask needs dask: python -m pip install "dlkernels[dask]"'
    assert failed.value.stdout == f"False\n{needs}\n"
    assert failed.value.stderr.endswith(f"MissingExtraError: {needs}\n")


def test_the_bare_import_leaves_numba_and_the_models_alone():
    late = "{'numba', 'dlkernels.models', 'models'}"
    assert in_new_process(f"import sys, dlkernels.cli; print({late} & set(sys.modules))") == "set()\n"


def in_new_process(code, **environment):
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        env={**os.environ, **environment},
    )
    return result.stdout


@pytest.mark.skipif(not COMPILED, reason="counts compilations")
def test_nothing_compiles_at_import(tmp_path):
    code = (
        "from numba.core import event\n"
        "with event.install_recorder('numba:compile') as recorder:\n"
        "    import dlkernels, models\n"
        "    dlkernels.sigmoid, dlkernels.warmup\n"
        "print(len(recorder.buffer))\n"
    )
    assert int(in_new_process(code, NUMBA_CACHE_DIR=str(tmp_path))) == 0


def seconds_beside_numba(statements, bytecode):
    """The processor time of statements after `import numba`, as if importing numba took 0.2 s.

    It takes that long on a machine with nothing else to do; other work slows both. So the ratio is taken
    within a process, and the median of seven counts. The garbage collection that numba's objects make due
    isn't counted, because the next import or call would trigger it, whichever that is. Bytecode is kept in a
    folder, as an install keeps it.
    """
    environment = {"PYTHONPYCACHEPREFIX": str(bytecode), "PYTHONDONTWRITEBYTECODE": ""}
    code = (
        "import gc, time\n"
        "start = time.process_time(); import numba; print(time.process_time() - start)\n"
        "gc.collect(); start = time.process_time()\n"
        f"{statements}\n"
        "print(time.process_time() - start)\n"
    )
    in_new_process(code, **environment)  # compiles and keeps what isn't kept yet
    seconds = [[float(line) for line in in_new_process(code, **environment).split()] for _ in range(7)]
    return statistics.median(own * 0.2 / of_numba for of_numba, own in seconds)


#: What is imported, and the seconds that it may take. They take 0.027 to 0.033 and 0.033 to 0.041; beside
#: other work the second took 0.051.
IMPORTS = {
    "a function": ("import dlkernels; dlkernels.network_forward", 0.050),
    "every public module": ("from dlkernels import *", 0.066),
}


@pytest.mark.skipif(sys.platform == "win32", reason="its clock of processor time ticks every 16 ms")
@pytest.mark.parametrize("name", IMPORTS)
def test_imports_cost_little_beside_numba(name, tmp_path):
    statements, limit = IMPORTS[name]
    assert seconds_beside_numba(statements, tmp_path) <= limit


#: First calls of a process, each with the seconds that it may take, import included, with its kernels in the
#: cache. They take 0.07 to 0.12; before `_compiler.loading` it was 0.3 and 0.4.
FIRST_CALLS = {
    "prediction": ("dk.network_forward(np.ones(13), (2, 3, 1), np.ones((2, 8)))", 0.2),
    "fit": ("dk.models.Network((3,), num_epochs=1).fit(np.ones((2, 8)), np.arange(8.0)[None] % 2)", 0.2),
}


@pytest.mark.slow
@pytest.mark.skipif(not COMPILED, reason="reads compiled kernels")
@pytest.mark.parametrize("name", FIRST_CALLS)
def test_a_first_call_reads_its_kernels_quickly(name, tmp_path):
    call, limit = FIRST_CALLS[name]
    statements = f"import numpy as np; import dlkernels as dk; {call}"
    assert seconds_beside_numba(statements, tmp_path) <= limit
