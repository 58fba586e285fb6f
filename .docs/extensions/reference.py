"""The reference: a page for each public module, and a page for each public name of it.

`__all__` decides what is public. No page is written by hand, so that no name can be forgotten; and a name
that the site doesn't define in the end, for whatever reason, is a warning.
"""

from __future__ import annotations

import importlib
import inspect
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from sphinx.domains.python import PyXRefRole
from sphinx.util import logging

import dlkernels

FOLDER = "reference"
INTRODUCTION = """\
Every public name has a page here, made from the docstring that ``help`` shows. The examples are tested.
What has no page may change without notice: names that begin with an underscore, and modules that serve
the commands of this project, such as ``dlkernels.reporting``."""
LOGGER = logging.getLogger(__name__)


def modules() -> list[str]:
    """The public modules: the package, those in its `__all__`, and those that need extras."""
    within = [name for name in dlkernels.__all__ if inspect.ismodule(getattr(dlkernels, name))]
    return ["dlkernels", *(f"dlkernels.{name}" for name in sorted({*within, *dlkernels._WITH_EXTRAS}))]


def names_of(module: ModuleType) -> list[str]:
    """The public names of a module that aren't modules."""
    names = getattr(module, "__all__", None) or [*own_names(module)]
    return [name for name in names if not inspect.ismodule(getattr(module, name))]


def own_names(module: ModuleType) -> Iterator[str]:
    """What a module without `__all__` defines, its constants included.

    The catalogue is one: all kernels are compiled anew when a line of it changes.
    """
    for name, value in vars(module).items():
        is_constant = name.isupper() and name != "TYPE_CHECKING"
        if not name.startswith("_") and (is_constant or getattr(value, "__module__", "") == module.__name__):
            yield name


def public() -> Iterator[tuple[str, str]]:
    """Every public name, as the name of its module and its own."""
    for name in modules():
        for own in names_of(importlib.import_module(name)):
            yield name, own


def topics(module: ModuleType, names: list[str]) -> dict[str, list[str]]:
    """The names of the package by the module that defines them: one is one topic. Others have one topic."""
    found: dict[str, list[str]] = {}
    for name in names:
        home = getattr(getattr(module, name), "__module__", "") if module is dlkernels else ""
        found.setdefault(home, []).append(name)
    return found


def page_of(module: str, name: str, names: list[str]) -> str:
    """The name of a page. Some file systems don't tell `Variable` from `variable`."""
    clash = any(other != name and other.lower() == name.lower() for other in names)
    return f"{module}.{name}{'-class' if clash and name != name.lower() else ''}"


def headed(title: str, underline: str = "=") -> list[str]:
    return [title, underline * len(title), ""]


def index_page() -> str:
    names = [f"   {name}" for name in modules()]
    lines = [*headed("Reference"), INTRODUCTION, "", ".. autosummary::", "   :nosignatures:", "", *names]
    lines += ["", ".. toctree::", "   :hidden:", "", *names]
    return "\n".join(lines) + "\n"


def module_page(module: ModuleType) -> str:
    """What a module is for, and a table of its names."""
    lines = [*headed(module.__name__), f".. automodule:: {module.__name__}", "   :no-members:", ""]
    names = names_of(module)
    for home, group in topics(module, names).items():
        if home:
            title = home.rpartition(".")[2].strip("_").replace("_", " ").capitalize()
            introduction = (inspect.getdoc(sys.modules[home]) or "").partition("\n\n")[0]
            lines += [*headed(title, "-"), introduction, ""]
        lines += [f".. currentmodule:: {module.__name__}", "", ".. autosummary::", "   :nosignatures:", ""]
        lines += [*(f"   {name}" for name in group), ""]
    lines += [".. toctree::", "   :hidden:", ""]
    lines += [f"   {name} <{page_of(module.__name__, name, names)}>" for name in names]
    return "\n".join(lines) + "\n"


def name_page(module: ModuleType, name: str) -> str:
    value = getattr(module, name)
    lines = [*headed(name), f".. currentmodule:: {module.__name__}", ""]
    if inspect.isclass(value):
        kind = "exception" if issubclass(value, Exception) else "class"
        lines += [f".. auto{kind}:: {name}", "   :members:", "   :inherited-members:"]
    elif callable(value):
        lines += [f".. autofunction:: {name}"]
    else:
        lines += [f".. autodata:: {name}", "   :no-value:", ""]
        entries = [f"``{entry}``" for entry in value]
        lines += [f"   The {'keys' if isinstance(value, dict) else 'entries'}: {', '.join(entries)}."]
    return "\n".join(lines) + "\n"


def write(app: Any, config: Any) -> None:
    """Write all pages. One that hasn't changed is left alone, so that Sphinx needn't read it again."""
    folder = Path(app.srcdir) / FOLDER
    pages = {"index": index_page()}
    for name in modules():
        module = importlib.import_module(name)
        pages[name] = module_page(module)
        names = names_of(module)
        pages |= {page_of(name, own, names): name_page(module, own) for own in names}
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        if file.stem not in pages:
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    for name, text in pages.items():
        file = folder / f"{name}.rst"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def of_this_project(app: Any, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what a class has from scikit-learn, or from Python."""
    function = getattr(value, "fget", value)
    home = getattr(inspect.unwrap(function), "__module__", None) if callable(function) else None
    return True if home is not None and not home.startswith("dlkernels") else None


class Name(PyXRefRole):
    """Text between single backticks: a link where it names what the site defines, and otherwise code.

    In docstrings it is mostly a parameter.
    """

    def process_link(self, env: Any, node: Any, *rest: Any) -> tuple[str, str]:
        node["perhaps"] = True
        return super().process_link(env, node, *rest)


def no_link(app: Any, env: Any, node: Any, content: Any) -> Any:
    return content if node.get("perhaps") else None


def check(app: Any, error: Exception | None) -> None:
    """Warn of each public name that no page defines.

    "env-check-consistency" would be too early: there is none if pages were only removed.
    """
    if error is not None:
        return
    defined = app.env.domains["py"].objects
    for module, name in public():
        if f"{module}.{name}" not in defined:
            LOGGER.warning("%s.%s is public, but the site doesn't define it", module, name)


def setup(app: Any) -> dict[str, bool]:
    app.connect("config-inited", write)
    app.add_role_to_domain("py", "name", Name())
    app.connect("missing-reference", no_link)
    app.connect("autodoc-skip-member", of_this_project)
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
