"""Whatever a signal handler, a lack of memory or Ctrl-C raises while a file is read reaches the caller."""

from __future__ import annotations

import errno
import io
import itertools
import os
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import environment
from strikes import lines_of, struck

from dlkernels import cli, data, faults, reporting
from models import _plots


class Limit(Exception):
    """What a library for time limits raises."""


class LimitOfTheSystem(OSError):
    pass


class LimitOfValues(ValueError):
    pass


class LimitOfRuntime(RuntimeError):
    pass


class LimitOfKeys(KeyError):
    pass


EXCEPTIONS = (
    Limit, LimitOfTheSystem, LimitOfValues, LimitOfRuntime, LimitOfKeys, TimeoutError, MemoryError,
    RecursionError, KeyboardInterrupt,
)  # fmt: skip


def write(folder):
    """Write a file of each kind; return what loads it, by the kind."""
    rows = "".join(f"{i},{i * i},{i % 2}\n" for i in range(10))
    np.savez_compressed(
        folder / "a.npz", X=np.arange(20.0).reshape(2, 10), Y=[[0, 1] * 5], feature_names=["a", "b"]
    )
    (folder / "b.csv").write_text(f",a,y\n{rows}")
    for part in ("train", "test"):
        with h5py.File(folder / f"{part}_c.h5", "w") as file:
            file[f"{part}_set_x"] = np.zeros((4, 2, 2, 1), np.uint8)
            file[f"{part}_set_y"] = [0, 1, 0, 1]
            file["list_classes"] = [b"no", b"yes"]
    return {
        "npz": lambda: data.load(folder / "a.npz"),
        "csv": lambda: data.load(folder / "b.csv", label="y"),
        "h5": lambda: data.load(folder / "train_c.h5"),
    }


# Python closes a file only when it frees it, and warns, if the exception comes just before the end of `with`.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", ["npz", "csv", "h5"])
def test_the_very_exception_comes_out_at_every_line(tmp_path, kind):
    call = write(tmp_path)[kind]
    expected = call()
    package = [module for name, module in sys.modules.items() if name.partition(".")[0] == "dlkernels"]
    places = lines_of(call, *package)
    assert len(places) > 100
    for place, exception in itertools.product(places, EXCEPTIONS):
        strike = exception("time limit")
        assert struck(call, place, *package, strike=strike) == "the strike", (place, strike)
    assert call().description == expected.description


@pytest.mark.parametrize("exception", EXCEPTIONS)
@pytest.mark.parametrize(
    ("kind", "step"), [("npz", "numpy.load"), ("h5", "h5py.File"), ("csv", "csv.reader"), ("npz", "os.stat")]
)
def test_the_very_exception_comes_out_of_a_library(tmp_path, monkeypatch, kind, step, exception):
    call, error = write(tmp_path)[kind], exception("time limit")

    def fail(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(step, fail)
        with pytest.raises(exception) as caught:
            call()
    assert caught.value is error
    assert call().name


def test_a_library_that_hides_the_exception_behind_its_own_is_seen_through(tmp_path, monkeypatch):
    """zipfile calls a file damaged if reading it raised an OSError, as TimeoutError is one."""
    call, limit = write(tmp_path)["npz"], TimeoutError("time limit")

    def fail(*_):
        raise limit

    monkeypatch.setattr("zipfile._EndRecData", fail)
    with pytest.raises(TimeoutError) as caught:
        call()
    assert caught.value is limit


def test_an_exception_that_was_handled_before_is_not_taken_for_the_cause(tmp_path):
    (tmp_path / "b.h5").write_bytes(b"no HDF5")
    try:
        raise Limit("an older one")
    except Limit:
        with pytest.raises(data.DataError, match="not an HDF5 file"):
            data.load(tmp_path / "b.h5")


@pytest.mark.parametrize(
    ("kind", "step", "error"),
    [
        ("h5", "h5py.File", OSError("Can't read data (memory allocation failed for raw data chunk)")),
        ("h5", "h5py.File", RuntimeError("Unable to get group info (unable to allocate buffer)")),
        ("npz", "numpy.load", zlib.error("Error -4 while decompressing data")),
        ("csv", "csv.reader", OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))),
    ],
)
def test_no_memory_in_a_librarys_words(tmp_path, monkeypatch, kind, step, error):
    call = write(tmp_path)[kind]

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(step, fail)
    with pytest.raises(MemoryError, match=str(tmp_path)):
        call()


def test_an_address_past_the_end_of_allocation_is_damage_and_no_lack_of_memory(tmp_path, monkeypatch):
    call = write(tmp_path)["h5"]

    def fail(*_, **__):
        raise OSError("Unable to open file (address of object past end of allocation)")

    monkeypatch.setattr(h5py, "File", fail)
    with pytest.raises(data.DataError, match="damaged"):
        call()


def test_a_fault_of_the_disk_is_in_the_systems_words(tmp_path, monkeypatch):
    call = write(tmp_path)["csv"]

    def fail(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("csv.reader", fail)
    with pytest.raises(data.DataError, match=rf"b\.csv: {os.strerror(errno.EIO)}"):
        call()


def test_what_a_file_cannot_do_is_a_fault_of_the_file(tmp_path, monkeypatch):
    """The class is defined in the module `io`."""
    call = write(tmp_path)["npz"]

    def fail(*_, **__):
        raise io.UnsupportedOperation("can't do nonzero end-relative seeks")

    monkeypatch.setattr("numpy.load", fail)
    with pytest.raises(data.DataError, match=r"a\.npz: not a \.npz file, or a damaged one: can't do nonzero"):
        call()


NO_MEMORY = """
import os, resource, sys
import h5py, numpy as np
from dlkernels import data
path = sys.argv[1]
chunk = (10, 500, 500, 3)
with h5py.File(path, "w") as file:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 500, 500, 3), dtype="u1")
    file.create_dataset("train_set_x", data=pixels, chunks=chunk, compression="gzip", compression_opts=1)
    file["test_set_x"] = np.zeros((2, 500, 500, 3), "u1")
    file["train_set_y"], file["test_set_y"] = np.arange(40) % 2, [0, 1]
for spare in (1, 20, 32, 36, 40, 44, 48, 52):
    if not os.fork():
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + spare * 1_000_000, -1))
        try:
            data.load(path)
        except BaseException as error:
            print(spare, type(error).__mro__[-4].__name__, flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_no_memory_at_whatever_step_is_a_memory_error(tmp_path):
    """zlib in HDF5 reports it in the words of a damaged file."""
    done = subprocess.run(
        [sys.executable, "-c", NO_MEMORY, str(tmp_path / "images.h5")],
        env=environment(), capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == 8, done.stderr
    assert {line.split()[1] for line in lines} == {"MemoryError"}, lines


def test_files_are_closed_after_an_exception(tmp_path, monkeypatch):
    calls = write(tmp_path)
    opened = []
    true_open = Path.open

    def remember(self, *arguments, **options):
        opened.append(true_open(self, *arguments, **options))
        return opened[-1]

    def fail(*_, **__):
        raise Limit

    monkeypatch.setattr(Path, "open", remember)
    for kind, step in (("npz", "numpy.load"), ("csv", "csv.reader")):
        with monkeypatch.context() as patch:
            patch.setattr(step, fail)
            with pytest.raises(Limit):
                calls[kind]()
    assert len(opened) > 3
    assert all(file.closed for file in opened)
    with monkeypatch.context() as patch:
        patch.setattr("dlkernels._data.h5_files._dataset", fail)
        with pytest.raises(Limit):
            calls["h5"]()
    with h5py.File(tmp_path / "train_c.h5", "r+") as file:  # refused where the file is still open for reading
        file["more"] = 1


# -- other places where a path can't be used -------------------------------------------------------------


@pytest.mark.parametrize("exception", [LimitOfTheSystem, LimitOfValues, TimeoutError])
def test_outputs_let_it_pass_too(tmp_path, monkeypatch, exception):
    error = exception("time limit")

    def fail(*_, **__):
        raise error

    monkeypatch.setattr("tempfile.TemporaryFile", fail)
    monkeypatch.setattr("tempfile.mkstemp", fail)
    for call in (
        lambda: _plots.make_folder(tmp_path),
        lambda: reporting.reserved(tmp_path / "out.json", "--json").__enter__(),
    ):
        with pytest.raises(exception) as caught:
            call()
        assert caught.value is error


def test_comparing_files_lets_it_pass_too(tmp_path, monkeypatch):
    def fail(*_):
        raise TimeoutError("time limit")

    monkeypatch.setattr(Path, "samefile", fail)
    with pytest.raises(TimeoutError):
        reporting.same_file(tmp_path, tmp_path)


@pytest.mark.parametrize(
    "error", [TimeoutError("time limit"), LimitOfTheSystem("time limit"), Limit(), OSError("no number")]
)
def test_the_command_lets_it_pass(monkeypatch, error):
    def fail(_):
        raise error

    monkeypatch.setattr(cli, "_run", fail)
    with pytest.raises(type(error)) as caught:
        cli.main(["info"])
    assert caught.value is error


def test_reason_is_the_systems_or_none():
    assert faults.reason(OSError(errno.ENOSPC, "No space")) == "No space"
    assert faults.reason(ValueError("embedded null byte")) == "embedded null byte"
    with pytest.raises(OSError, match="no number"):
        faults.reason(OSError("no number"))
