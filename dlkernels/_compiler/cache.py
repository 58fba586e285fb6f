"""Where compiled kernels are kept between processes.

Numba's own cache compares the time stamp of the file that holds a function. It therefore serves a stale
kernel when a function that is compiled *into* the kernel changes in another file (numba#8851). Here every
kernel lies in a folder whose name is a hash of everything that kernels are compiled from (`key`), so no stale
kernel can be served. Each file also holds the names of the pieces that its kernel calls, because these pieces
must be published before the kernel is loaded (`names`). A cache that can't be read or written costs a
compilation, never an error.
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

#: How long the kernels of another version are kept after they were last used.
_KEEP_SECONDS = 30 * 24 * 3600

#: The environment variable that switches the cache off: if it is 1, each process compiles anew.
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
    """The reason why `folder` returns None, in words."""
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
        os.utime(path)  # records that the folder is in use; fails where it may not be written to
        if new:
            _remove_old(path)
        writable = os.access(path, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        with contextlib.suppress(RuntimeWarning):  # also where warnings are errors, this isn't one
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
        with contextlib.suppress(OSError):  # another process may have removed it in the meantime
            if len(other.name) == len(current.name) and time.time() - other.stat().st_mtime > _KEEP_SECONDS:
                shutil.rmtree(other, ignore_errors=True)


class _Locator(internals.Locator):
    """Tells Numba where the cache of one function lies, and what decides whether it is stale."""

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
    """What a cache file holds: Numba's data of a compiled kernel, and the names of the pieces it calls."""

    _locator_classes = [_Locator]  # noqa: RUF012

    def __init__(self, py_func: Any) -> None:
        # Where the user sets NUMBA_CACHE_LOCATOR_CLASSES, Numba would ignore the locator of this class.
        with internals.only_given_locators():
            super().__init__(py_func)

    def reduce(self, compiled: Any) -> Any:
        return names.needed(compiled.library), super().reduce(compiled)

    def rebuild(self, target_context: Any, kept: Any) -> Any:
        needed, data = kept
        for name in needed:
            names.publish(name)
        return super().rebuild(target_context, data)


class _CheckedFiles(internals.CacheFiles):
    """Numba's cache files: an index, and files of machine code with a checksum and the kernel they belong to.

    Unpickling fails for most damaged files. But it doesn't notice damaged machine code, which would be run.
    Nor does Numba notice machine code of other types: two processes that fill a cache at the same time can
    each give their file the name that the other one's index has for it.
    """

    def __init__(self, cache_path: str, filename_base: str, source_stamp: str) -> None:
        super().__init__(cache_path, filename_base, source_stamp)
        self._function = filename_base

    def save(self, key: Any, data: Any) -> None:
        super().save(key, (self._function, key, data))

    def load(self, key: Any) -> Any:
        kept = super().load(key)
        if kept is None:
            return None
        function, signature, data = kept
        if (function, signature) != (self._function, key):
            raise ValueError(f"a file of {self._function} {key} holds {function} {signature}")
        return data

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
    """Numba's function cache, in our folder. A damaged file or a read-only folder raises no error."""

    _impl_class = _Format

    def __init__(self, py_func: Any) -> None:
        # The cache is opened at first use, because opening the caches of all kernels added 3 ms to an import.
        self._py_func = py_func
        self._is_open = False

    def _open(self) -> None:
        if not self._is_open:
            super().__init__(self._py_func)
            self._cache_file = _CheckedFiles(self._cache_path, self._impl.filename_base, key())
            self._is_open = True

    @property
    def cache_path(self) -> str:
        return str(folder())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        self._open()
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            # The file is truncated or holds something else (numba#10434). It is dropped; then the kernel is
            # compiled and written again.
            self._discard()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        self._open()
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
