"""Who may import whom, what only one module may do, and how large the parts may grow."""

from __future__ import annotations

import ast
import graphlib
import re
from pathlib import Path

import pytest

import asv_benchmarks
import dlkernels
import models
from dlkernels._compiler.key import SOURCES

ROOT = Path(dlkernels.__file__).parent
#: The folders of the compiled code. Of ours, each may import the ones before it and the catalogue only.
COMPILED = ("_compiler", "_simd", "_elementary", "_kernels")
#: What is taken of Numba and llvmlite by everyone else: what their documentation describes.
DOCUMENTED = {"numba", "numba.extending", "numba.types", "llvmlite", "llvmlite.binding", "llvmlite.ir"}


def files_of(*packages):
    return [file for package in packages for file in sorted(Path(package.__file__).parent.rglob("*.py"))]


def name_of(file):
    """The module's name: `dlkernels._kernels.product`; that of a folder for its `__init__`.

    The models are `dlkernels.models`.
    """
    for package in (dlkernels, models, asv_benchmarks):
        folder = Path(package.__file__).parent
        if file.is_relative_to(folder):
            parts = [package.__name__, *file.relative_to(folder).with_suffix("").parts]
            return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    raise AssertionError(file)


def parsed(file):
    return ast.parse(file.read_text(encoding="utf-8"))


OURS = files_of(dlkernels)
EVERYWHERE = files_of(dlkernels, models, asv_benchmarks)
MODULES = {name_of(file): file for file in EVERYWHERE}
ids = [str(file.relative_to(ROOT.parent)) for file in EVERYWHERE]
every_file = pytest.mark.parametrize("file", EVERYWHERE, ids=ids)


def statements(tree, *, when_loaded):
    """Each statement of a module; with `when_loaded` only those that run when it is imported."""
    for node in ast.iter_child_nodes(tree):
        if when_loaded and isinstance(node, ast.FunctionDef | ast.Lambda):
            continue
        if when_loaded and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from statements(node, when_loaded=when_loaded)


def imported(file, *, when_loaded=False):
    """The modules that a file imports: of `from a import b`, `a.b` if that is a module, and otherwise `a`."""
    for node in statements(parsed(file), when_loaded=when_loaded):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:  # in the models; and asv imports the benchmarks without the package around them
                within = [*name_of(file).split("."), *(["__init__"] if file.name == "__init__.py" else [])]
                module = ".".join([*within[: -node.level], *module.split(".")]).strip(".")
            submodules = [f"{module}.{alias.name}" for alias in node.names]
            found = [name for name in submodules if name in MODULES]
            yield from found
            if len(found) < len(submodules):
                yield module


def functions(file):
    return [node for node in ast.walk(parsed(file)) if isinstance(node, ast.FunctionDef)]


# -- who imports whom ------------------------------------------------------------------------------------


def test_the_cache_key_covers_the_compiled_folders():
    assert sorted(SOURCES) == sorted([*COMPILED, "catalogue"])


@pytest.mark.parametrize("folder", COMPILED)
def test_compiled_code_imports_only_what_the_cache_key_covers(folder):
    allowed = (*COMPILED[: COMPILED.index(folder) + 1], "catalogue")
    for file in (ROOT / folder).rglob("*.py"):
        ours = [name for name in imported(file) if name.startswith("dlkernels")]
        assert all(name.split(".")[1] in allowed for name in ours if "." in name), (file.name, ours)
        assert "dlkernels" not in ours


def test_the_catalogue_imports_nothing_of_ours():
    assert not [name for name in imported(ROOT / "catalogue.py") if name.startswith("dlkernels")]


@pytest.mark.parametrize("file", OURS, ids=name_of)
def test_dlkernels_imports_neither_models_nor_benchmarks(file):
    """Two modules name the models, for type checkers alone."""
    for_checkers = name_of(file) in ("dlkernels", "dlkernels.models")
    found = set(imported(file, when_loaded=for_checkers))
    assert not {name.split(".")[0] for name in found} & {"models", "asv_benchmarks", "tests"}
    assert not [name for name in found if name.startswith("dlkernels.models")]


@pytest.mark.parametrize("file", files_of(models, asv_benchmarks), ids=name_of)
def test_models_and_benchmarks_use_public_names_only(file):
    outside = [name for name in imported(file) if not name.startswith("dlkernels.models")]
    assert not [name for name in outside if re.match(r"dlkernels\..*\b_|dlkernels\._", name)]
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dlkernels"):
            assert not [alias.name for alias in node.names if alias.name.startswith("_")]


@pytest.mark.parametrize("file", files_of(models), ids=name_of)
def test_models_import_each_other_by_relative_names(file):
    """`from models import ...` may find a package of the user; mypy sees no folder `dlkernels/models`."""
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert not re.match(r"(dlkernels\.)?models\b", node.module)
            assert node.module != "dlkernels" or "models" not in [alias.name for alias in node.names]
        if isinstance(node, ast.Import):
            assert not [alias.name for alias in node.names if re.match(r"(dlkernels\.)?models\b", alias.name)]


@every_file
def test_tables_are_imported_by_their_commands_only(file):
    """They stand above the estimators, as the models stand above the kernels."""
    if not name_of(file).startswith("dlkernels._tables"):
        assert not [name for name in imported(file) if name.startswith("dlkernels._tables")]


def test_the_options_of_the_tables_commands_load_nothing_heavy():
    """`dlkernels --help` imports this module."""
    found = set(imported(ROOT / "_tables" / "commands.py", when_loaded=True))
    light = {"dlkernels.extras", "dlkernels.options", "dlkernels.text"}
    assert found == {"__future__", "argparse", "pathlib", "typing", *light}


def test_no_module_imports_itself_by_way_of_others():
    loads = {
        name: set(imported(file, when_loaded=True)) & set(MODULES) - {name} for name, file in MODULES.items()
    }
    assert sum(map(len, loads.values())) > 200
    graphlib.TopologicalSorter(loads).prepare()  # raises CycleError


# -- what only one module may do -------------------------------------------------------------------------


@pytest.mark.parametrize("file", OURS, ids=name_of)
def test_one_module_names_what_is_private_of_numba(file):
    if name_of(file) == "dlkernels._compiler.internals":
        pytest.skip("this is that module")
    foreign = {name for name in imported(file) if name.split(".")[0] in ("numba", "llvmlite")}
    assert foreign <= DOCUMENTED
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.ImportFrom) and node.module in DOCUMENTED:
            assert not [alias.name for alias in node.names if alias.name.startswith("_")]
        if isinstance(node, ast.Attribute):
            assert not re.match(
                r"numba\.(config|core|np|misc|_[a-z])|llvmlite\.binding\.ffi", ast.unparse(node)
            )


@pytest.mark.parametrize("file", files_of(dlkernels, models), ids=name_of)
def test_compile_options_live_in_one_module(file):
    if name_of(file) == "dlkernels._compiler.options":
        pytest.skip("this is that module")
    compilers = r"(n?jit|vectorize|guvectorize)"
    assert not re.search(rf"\b{compilers}\(|@(numba\.)?{compilers}", file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", sorted((ROOT / "_kernels").glob("*.py")), ids=lambda file: file.name)
def test_kernels_multiply_no_matrices_by_library(file):
    for node in ast.walk(parsed(file)):
        assert not isinstance(node, ast.MatMult)
        assert not (isinstance(node, ast.Attribute) and node.attr in ("dot", "matmul", "einsum"))


# -- how large the parts may grow ------------------------------------------------------------------------


@every_file
def test_a_module_has_at_most_400_lines(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 400


@every_file
def test_a_function_has_at_most_60_lines_beside_its_docstring(file):
    for function in functions(file):
        first = function.body[0]
        documented = ast.get_docstring(function, clean=False) is not None
        docstring = first.end_lineno - first.lineno + 1 if documented else 0
        assert function.end_lineno - function.lineno + 1 - docstring <= 60, function.name


@every_file
def test_a_function_has_at_most_12_parameters(file):
    """16 in the modules that Python calls kernels in: a tuple from Python would cost 0.4 us.

    The settings of an estimator are scikit-learn's.
    """
    limit = 16 if name_of(file) in CALLED_FROM_PYTHON else 12
    for function in functions(file):
        if function.name == "__init__" and name_of(file).startswith("dlkernels.estimators."):
            continue
        arguments = function.args
        count = len(arguments.posonlyargs + arguments.args + arguments.kwonlyargs)
        assert count <= limit, function.name


CALLED_FROM_PYTHON = {"dlkernels._kernels.direct", "dlkernels._kernels.network"}


@pytest.mark.parametrize("file", OURS, ids=name_of)
def test_nothing_is_called_by_its_address(file):
    """Kernels call pieces by name. An address could be that of another function, and nobody would notice."""
    text = file.read_text(encoding="utf-8")
    assert "inttoptr" not in text
    assert "get_pointer_to_function" not in text or name_of(file) == "dlkernels._compiler.internals"
