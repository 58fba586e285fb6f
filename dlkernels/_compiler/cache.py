"""Where compiled kernels are kept between processes.

Numba's own cache looks at the time stamp of the file that holds a function, so it serves a stale kernel
when a function that is compiled *into* it changes in another file (numba#8851). Here every kernel lies in
a folder named after a hash of all sources of this package, of Numba's version and of the settings that
change code, so that no change can be served stale. A cache that can't be read or written costs a
compilation, never an error.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import shutil
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, _CacheLocator
from numba.misc.appdirs import AppDirs

_PACKAGE = Path(__file__).resolve().parent.parent
#: Settings of Numba that change the code it emits (the CPU is part of Numba's own key).
_FLAGS = (
    "OPT",
    "LOOP_VECTORIZE",
    "SLP_VECTORIZE",
    "ENABLE_AVX",
    "BOUNDSCHECK",
    "DEBUGINFO_DEFAULT",
)

#: How long the kernels of a version stay after they were last used.
_KEEP_SECONDS = 30 * 24 * 3600

#: Set to 1 to compile anew in each process.
OFF = "DLKERNELS_NO_CACHE"


@functools.cache
def key() -> str:
    """The hash of everything that decides what a kernel compiles to."""
    digest = hashlib.sha256()
    # An installation may hold bytecode only.
    sources = list(_PACKAGE.rglob("*.py")) or list(_PACKAGE.rglob("*.pyc"))
    for source in sorted(sources):
        digest.update(source.relative_to(_PACKAGE).as_posix().encode())
        digest.update(source.read_bytes())
    settings = [numba.__version__, llvmlite.__version__, sys.version]
    settings += [f"{flag}={getattr(config, flag, None)}" for flag in _FLAGS]
    digest.update("\n".join(settings).encode())
    return digest.hexdigest()[:16]


@functools.cache
def root() -> Path:
    """The folder of all our caches: below NUMBA_CACHE_DIR if that is set, else the user's cache folder."""
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR).absolute() / "dlkernels"
    base = Path(AppDirs(appname="dlkernels", appauthor=False).user_cache_dir)
    return base if base.is_absolute() else Path.home() / ".cache" / "dlkernels"


def _switched_off() -> bool:
    return os.environ.get(OFF, "") not in ("", "0")


def why_off() -> str:
    """What to say where `folder` is None."""
    if _switched_off():
        return f"{OFF} is set"
    return f"{root()} can't be written to" if _PACKAGE.is_dir() else "the package lies in no folder"


@functools.cache
def folder() -> Path | None:
    """The folder that holds the kernels of this very version, or None if nothing can be kept."""
    if _switched_off() or not _PACKAGE.is_dir():
        return None
    path = root() / key()
    try:
        new = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        os.utime(path)  # when it was last used, and whether it may be written to
        if new:
            _remove_old(path)
        writable = os.access(path, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        with contextlib.suppress(RuntimeWarning):  # an error where warnings are: this must never be one
            warnings.warn(
                f"dlkernels: compiled kernels can't be kept in {path}; each process compiles them anew "
                f"(set NUMBA_CACHE_DIR to a writable folder, or {OFF}=1 to silence this)",
                RuntimeWarning,
                stacklevel=2,
            )
        return None
    return path


def _remove_old(current: Path) -> None:
    """Remove the folders of other versions that nobody has used for a while."""
    for other in current.parent.iterdir():
        if len(other.name) == len(current.name) and time.time() - other.stat().st_mtime > _KEEP_SECONDS:
            shutil.rmtree(other, ignore_errors=True)


class _Locator(_CacheLocator):
    """Answers Numba's questions about the cache of one function."""

    def __init__(self, py_func: Any, py_file: str) -> None:
        self._py_file = py_file

    def get_cache_path(self) -> str:
        return str(folder())

    def get_source_stamp(self) -> str:
        return key()

    def get_disambiguator(self) -> str:
        return Path(self._py_file).parent.name

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _Locator:
        return cls(py_func, py_file)


class _Impl(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012

    def __init__(self, py_func: Any) -> None:
        locators, config.CACHE_LOCATOR_CLASSES = config.CACHE_LOCATOR_CLASSES, ""
        try:
            super().__init__(py_func)
        finally:
            config.CACHE_LOCATOR_CLASSES = locators


class _CheckedFile(IndexDataCacheFile):
    """Numba's files of an index and of machine code, the latter with a checksum.

    Python notices most damage when it unpickles; damaged machine code would be run.
    """

    def _save_data(self, name: str, data: Any) -> None:
        content = self._dump(data)
        with self._open_for_write(self._data_path(name)) as file:
            file.write(hashlib.sha256(content).digest() + content)

    def _load_data(self, name: str) -> Any:
        content = Path(self._data_path(name)).read_bytes()
        digest, content = content[:32], content[32:]
        if hashlib.sha256(content).digest() != digest:
            raise ValueError(f"{name} is damaged")
        return pickle.loads(content)


class KernelCache(FunctionCache):
    """Numba's function cache in our folder, and one that forgives a damaged or unwritable file."""

    _impl_class = _Impl

    def __init__(self, py_func: Any) -> None:
        super().__init__(py_func)
        self._cache_file = _CheckedFile(self._cache_path, self._impl.filename_base, key())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            # A truncated or garbage file (numba#10434): start the index anew, compile, write again.
            self._discard()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:
            self.disable()  # a full disk, or a folder that was taken away
        except Exception:
            self._discard()

    def _discard(self) -> None:
        try:
            self.flush()
        except OSError:
            self.disable()


def attach(dispatcher: Any) -> Any:
    """Let a compiled function keep its machine code in our folder."""
    if folder() is not None and hasattr(dispatcher, "_cache"):
        dispatcher._cache = KernelCache(dispatcher.py_func)
    return dispatcher
