"""Where compiled kernels are kept between processes.

Numba's own cache compares the time stamp of the file that holds a function. It therefore serves a stale
kernel when a function that is compiled *into* the kernel changes in another file (numba#8851). Here every
kernel lies in a folder that is named after everything a kernel is compiled from (`key`), so nothing stale can
be served. Beside its machine code stand the names of the pieces that a kernel calls: they are published
before the kernel is loaded (`names`). A cache that can't be read or written costs a compilation, never an
error.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import shutil
import time
import warnings
from pathlib import Path
from typing import Any

from dlkernels._compiler import internals, names
from dlkernels._compiler.key import PACKAGE, key

#: How long the kernels of a version stay after they were last used.
_KEEP_SECONDS = 30 * 24 * 3600

#: Set to 1 to compile anew in each process.
OFF = "DLKERNELS_NO_CACHE"


@functools.cache
def root() -> Path:
    """The folder of all our caches: below NUMBA_CACHE_DIR if that is set, else the user's cache folder."""
    if internals.settings.CACHE_DIR:
        return Path(internals.settings.CACHE_DIR).absolute() / "dlkernels"
    base = Path(internals.user_cache_folder("dlkernels"))
    return base if base.is_absolute() else Path.home() / ".cache" / "dlkernels"


def _switched_off() -> bool:
    return os.environ.get(OFF, "") not in ("", "0")


def why_off() -> str:
    """What to say where `folder` is None."""
    if _switched_off():
        return f"{OFF} is set"
    return f"{root()} can't be written to" if PACKAGE.is_dir() else "the package lies in no folder"


@functools.cache
def folder() -> Path | None:
    """The folder that holds the kernels of this very version, or None if nothing can be kept."""
    if _switched_off() or not PACKAGE.is_dir():
        return None
    path = root() / key()
    try:
        new = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        os.utime(path)  # tells when the folder was last used, and whether it may be written to
        if new:
            _remove_old(path)
        writable = os.access(path, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        with contextlib.suppress(RuntimeWarning):  # where warnings are errors, this must not become one
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


class _Locator(internals.Locator):
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


class _Format(internals.CacheFormat):
    """What is kept of a compiled kernel: Numba's own data, and the names of the pieces that it calls."""

    _locator_classes = [_Locator]  # noqa: RUF012

    def __init__(self, py_func: Any) -> None:
        locators = internals.settings.CACHE_LOCATOR_CLASSES
        internals.settings.CACHE_LOCATOR_CLASSES = ""
        try:
            super().__init__(py_func)
        finally:
            internals.settings.CACHE_LOCATOR_CLASSES = locators

    def reduce(self, compiled: Any) -> Any:
        return names.needed(compiled.library), super().reduce(compiled)

    def rebuild(self, target_context: Any, kept: Any) -> Any:
        needed, data = kept
        for name in needed:
            names.publish(name)
        return super().rebuild(target_context, data)


class _CheckedFiles(internals.CacheFiles):
    """Numba's files of an index and of machine code, the latter with a checksum.

    Python notices most damage when it unpickles. Damaged machine code would be run.
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


class KernelCache(internals.Cache):
    """Numba's function cache in our folder, which forgives a damaged file and a folder that is read-only."""

    _impl_class = _Format

    def __init__(self, py_func: Any) -> None:
        super().__init__(py_func)
        self._cache_file = _CheckedFiles(self._cache_path, self._impl.filename_base, key())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            # The file is truncated or holds something else (numba#10434). It is dropped, the kernel compiled
            # and written again.
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
    if internals.has_cache(dispatcher) and folder() is not None:
        internals.set_cache(dispatcher, KernelCache(dispatcher.py_func))
    return dispatcher
