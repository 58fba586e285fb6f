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
import glob
import hashlib
import os
import pickle
import time
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlkernels._compiler import internals, loading, names
from dlkernels._compiler.errors import reraise_foreign
from dlkernels._compiler.key import PACKAGE, key
from dlkernels._compiler.uninterrupted import uninterrupted

#: How long the kernels of another version are kept after they were last used.
_KEEP_SECONDS = 30 * 24 * 3600

#: The number of bytes of the checksum that a file begins with.
_DIGEST = hashlib.sha256().digest_size

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
    """The folder that holds the kernels of this very version, or None if there is none.

    A folder that can't be written to, such as that in the image of a container, is read all the same.
    """
    if _switched_off() or not PACKAGE.is_dir():
        return None
    path = root() / key()
    try:
        new = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reraise_foreign(error)
        _warn_of_nothing_kept()
        return None
    _attempt(os.utime, path)  # records that the folder is in use
    if new:
        _remove_old(path)
    return path


@functools.cache
def _warn_of_nothing_kept() -> None:
    """Warn, once in a process, that the kernels which it compiles can't be kept."""
    with contextlib.suppress(RuntimeWarning):  # also where warnings are errors, this isn't one
        warnings.warn(
            f"dlkernels: compiled kernels can't be kept in {root() / key()}; each process compiles them anew "
            f"(set NUMBA_CACHE_DIR to a writable folder, or {OFF}=1 to silence this)",
            RuntimeWarning,
            stacklevel=2,
        )


def _remove_old(current: Path) -> None:
    """Remove the folders of other versions that nobody has used for a while.

    Other processes may do the same at this moment. What becomes of these folders decides nothing.
    """
    for name in _attempt(os.listdir, current.parent) or ():
        other = current.parent / name
        used = _attempt(os.stat, other)
        if used and len(name) == len(current.name) and time.time() - used.st_mtime > _KEEP_SECONDS:
            for file in _attempt(os.listdir, other) or ():
                _attempt(os.unlink, other / file)
            _attempt(os.rmdir, other)


def _attempt(action: Callable[[Path], Any], path: Path) -> Any:
    """What an action on a file or a folder returns, or None if the system can't do it."""
    try:
        return action(path)
    except OSError as error:
        reraise_foreign(error)
        return None


class _Locator(internals.Locator):
    """Tells Numba where the cache of one function lies, and what decides whether it is stale."""

    def __init__(self, py_func: Any, py_file: str) -> None:
        self._py_file = py_file

    def get_cache_path(self) -> str:
        return str(folder())

    def ensure_cache_path(self) -> None:
        """Do nothing: `folder` has made it. Numba's own method writes a file as a trial, by `tempfile`.

        `tempfile` swallows OSErrors, also that of a time limit.
        """

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
        return names.needed(compiled.library), loading.reduced(compiled)

    def check_cachable(self, compiled: Any) -> bool:
        # With NUMBA_OPT=0 the addresses of called functions stay in the machine code. Nothing reads them, but
        # Numba would keep no such machine code.
        return True

    def rebuild(self, target_context: Any, kept: Any) -> Any:
        needed, data = kept
        for name in needed:
            names.publish(name)
        return uninterrupted(lambda: loading.rebuilt(target_context, data))


class _Files:
    """The files of one kernel: one for each combination of types, with a checksum.

    Numba's own files are an index and numbered files of machine code, without checksums: it would run damaged
    machine code. And two processes that fill a cache at the same time could each give their machine code the
    number that the other one's index has for it. Here the name of a file follows from the types.
    """

    def __init__(self, function: str) -> None:
        self._function = function

    def _path(self, key: Any) -> Path:
        types = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        return Path(str(folder()), f"{self._function}.{types}.nbc")

    def load(self, key: Any) -> Any:
        """What was saved under this key; None if nothing was, or if the file is damaged or can't be read."""
        try:
            content = self._path(key).read_bytes()
        except OSError as error:
            reraise_foreign(error)
            return None
        digest, content = content[:_DIGEST], content[_DIGEST:]
        if hashlib.sha256(content).digest() != digest:
            return None
        function, signature, data = pickle.loads(content)
        return data if (function, signature) == (self._function, key) else None

    def save(self, key: Any, data: Any) -> None:
        path, content = self._path(key), internals.pickled((self._function, key, data))
        unfinished = path.with_name(f"{path.name}.{uuid.uuid4().hex[:16]}")
        try:
            unfinished.write_bytes(hashlib.sha256(content).digest() + content)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def flush(self) -> None:
        for path in Path(str(folder())).glob(f"{glob.escape(self._function)}.*.nbc"):
            path.unlink(missing_ok=True)


class KernelCache(internals.Cache):
    """Numba's function cache, in our folder. A damaged file or a read-only folder raises no error.

    It swallows no foreign exception either. These can strike at any line: the time limit that a signal
    handler raises, Ctrl-C, too little memory, too deep a recursion. They have to reach the caller, and the
    next call has to work. Therefore no handler catches more than the errors of the file system.
    """

    _impl_class = _Format

    def __init__(self, py_func: Any) -> None:
        # The cache is opened at first use, because opening the caches of all kernels added 3 ms to an import.
        self._py_func = py_func
        self._is_open = False

    def _open(self) -> None:
        if not self._is_open:
            super().__init__(self._py_func)
            self._cache_file = _Files(self._impl.filename_base)
            self._is_open = True

    @property
    def cache_path(self) -> str:
        return str(folder())

    def flush(self) -> None:
        self._open()
        super().flush()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        self._open()
        loaded = self._load_overload(sig, target_context)
        if loaded is None:
            internals.refresh(target_context)  # Numba will compile now, and would do this without protection
        return loaded

    def save_overload(self, sig: Any, data: Any) -> None:
        self._open()
        try:
            uninterrupted(lambda: super(KernelCache, self).save_overload(sig, data))
        except OSError as error:
            reraise_foreign(error)
            _warn_of_nothing_kept()  # a full disk, or a folder that may only be read or was taken away


def attach(dispatcher: Any) -> Any:
    """Let a compiled function keep its machine code in our folder.

    A function that captures variables, as those that tests make, isn't kept: no key covers what it captures.
    """
    if internals.has_cache(dispatcher) and dispatcher.py_func.__closure__ is None and folder() is not None:
        internals.set_cache(dispatcher, KernelCache(dispatcher.py_func))
    return dispatcher
