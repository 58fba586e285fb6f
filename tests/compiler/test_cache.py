"""The cache of compiled kernels: never stale, never in the way."""

from __future__ import annotations

import compileall
import functools
import os
import platform
import shutil
import subprocess
import sys
import time

import numba
import pytest
from processes import obedient, read_only

from dlkernels._compiler import cache
from dlkernels._compiler.key import processor_features

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled"),
]

#: Prints a result, 11, and how many functions had to be compiled for it: for `dot` many, and the pieces that
#: its kernel calls.
DOT = """
from numba.core import event
import dlkernels as dk
with event.install_recorder("numba:compile") as recorder:
    result = dk.dot([1.0, 2.0], [3.0, 4.0])
print(result, len(recorder.buffer))
"""
#: The same by one of the smallest kernels that call a piece, which is compiled in a third of the time: to 1
#: it adds 10/64 in one round of 64 steps.
PROGRAM = """
from numba.core import event
import numpy as np
from dlkernels._kernels.limits import multiply_add
a, b, sums = np.ones(8192), np.full(8192, 10 / 64), np.empty(8192)
with event.install_recorder("numba:compile") as recorder:
    multiply_add.serial(a, b, sums, 64, 1)
print(sums[0], len(recorder.buffer))
"""


def environment(cache, **more):
    return {**os.environ, "NUMBA_CACHE_DIR": str(cache), **more}


def run(env, folder=None, program=PROGRAM, launcher=()):
    """Result, number of compilations and stderr of the program, in a new process."""
    if folder is not None:
        env = {**env, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [*launcher, sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=env,
        cwd=folder,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result, compiled = done.stdout.split()
    return float(result), int(compiled), done.stderr


#: As DOT, but counts everything that only compiling needs: also LLVM code that is parsed, and modules in
#: which Numba registers all that it can compile. `{before}` stands for more statements.
READING = """
import sys
import llvmlite.binding as llvm
from numba.core import event
import dlkernels as dk

parsed, parse = [], llvm.parse_bitcode
llvm.parse_bitcode = lambda code: parsed.append(len(code)) or parse(code)
{before}
with event.install_recorder("numba:compile") as recorder:
    result = dk.dot([1.0, 2.0], [3.0, 4.0])
print(result, len(recorder.buffer) + len(parsed) + ("numba.np.arraymath" in sys.modules))
"""
#: Lets LLVM forget a name that compiled code needs.
FORGET = """
find = llvm.address_of_symbol
llvm.address_of_symbol = lambda name: None if name == "numba_adapt_ndarray" else find(name)
"""


@pytest.fixture(scope="module")
def with_dot(tmp_path_factory):
    """A cache that a process filled by compiling `dot`, and what that process counted. Tests take copies."""
    folder = tmp_path_factory.mktemp("dot")
    return folder, run(environment(folder), program=READING.format(before=""))[1]


def test_reading_needs_nothing_that_only_compiling_needs(with_dot, tmp_path):
    """Registering took 0.3 s of a first call, parsing 0.05 s."""
    kept, compiled = with_dot
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    env = environment(tmp_path)
    assert compiled > 0
    assert run(env, program=READING.format(before=""))[:2] == (11, 0)
    # LLVM would end the process if a name were unknown, so then Numba registers everything.
    assert run(env, program=READING.format(before=FORGET))[:2] == (11, 1)


@pytest.fixture
def copy(copies):
    return copies("copy")


@pytest.mark.parametrize("pinned", [False, True], ids=["keyed by all sources", "control: key pinned"])
def test_a_change_in_another_file_is_never_served_stale(copy, with_dot, tmp_path, pinned):
    """`dot` is compiled from costs.py; how its sum is rounded stands in sums.py.

    The control takes the protection out, and shows that this test would see a stale kernel.
    """
    env = environment(tmp_path / "cache")
    if pinned:
        copy.pin_key()
        assert run(env, copy.folder, DOT)[0] == 11
    else:  # the copy has the key of the package itself
        shutil.copytree(with_dot[0], tmp_path / "cache")
    assert run(env, copy.folder, DOT)[:2] == (11, 0)
    copy.change_dot()
    assert run(env, copy.folder, DOT)[0] == (11 if pinned else 18)


def test_an_installation_of_bytecode_only(copy, tmp_path):
    """A change is seen there, too."""
    env = environment(tmp_path / "cache")
    bare = tmp_path / "bare"
    for change, expected in ((lambda: None, 11), (copy.change_steps, 1)):
        change()
        shutil.rmtree(bare, ignore_errors=True)
        shutil.copytree(copy.folder, bare)
        assert compileall.compile_dir(bare, quiet=1, legacy=True, force=True)
        for source in bare.rglob("*.py"):
            source.unlink()
        assert run(env, bare)[0] == expected


#: What is changed in a copy of the package, and whether kernels must be compiled anew.
CHANGES = {
    "a kernel": ("_kernels/sums.py", "BLOCK = 256", "BLOCK = 128", True),
    "a register": ("_simd/registers.py", "SUM_VECTORS = 4", "SUM_VECTORS = 2", True),
    "an option": ("_compiler/options.py", '"nogil": True', '"nogil": False', True),
    "a code": ("catalogue.py", "enumerate(entries)", "enumerate(entries, 1)", True),
    "the command": ("cli.py", "INTERRUPTED = 130", "INTERRUPTED = 131", False),
    "a docstring": ("costs.py", "Dot product of two vectors", "The dot product of two vectors", False),
    "a check": ("_inputs/checks.py", "Two vectors (n,)", "Two vectors (m,)", False),
    "the NumPy backend": ("backends/numpy.py", "whole arrays instead of", "arrays in place of", False),
}


@pytest.mark.parametrize("what", CHANGES)
def test_only_what_kernels_are_compiled_from_decides_the_key(what, copy):
    *change, matters = CHANGES[what]
    show = "from dlkernels._compiler.key import key; print(key())"

    def key():
        env = os.environ | {"PYTHONPATH": str(copy.folder)}
        command = [sys.executable, "-c", show]
        done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=copy.folder, check=True)
        return done.stdout

    before = key()
    copy.edit(*change)
    assert (key() != before) == matters


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Caches that a process has filled, by the program. Tests take copies."""

    @functools.cache
    def fill(program):
        folder = tmp_path_factory.mktemp("filled")
        run(environment(folder), program=program)
        return folder

    return fill


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "zeroed page"])
def test_damaged_files_are_compiled_anew(filled, tmp_path, damage):
    env = environment(tmp_path)
    shutil.copytree(filled(PROGRAM), tmp_path, dirs_exist_ok=True)
    files = [file for file in tmp_path.rglob("*.nb?") if file.is_file()]
    assert files
    for file in files:
        content = file.read_bytes()
        page = content[:4096] + bytes(4096) + content[8192:] if len(content) > 8192 else content
        damaged = {
            "truncated": content[: len(content) // 2],
            "garbage": b"\x80garbage" * 9,
            "empty": b"",
            "zeroed page": page,  # inside the machine code, where Python notices nothing
        }
        file.write_bytes(damaged[damage])
    result, compiled, errors = run(env)
    assert result == 11
    assert compiled > 0
    assert errors == ""
    assert run(env)[:2] == (11, 0)  # and written again


#: Calls a kernel, and by it a piece, for both dtypes: 65 ones are added up in each.
BOTH_DTYPES = """
from numba.core import event
import numpy as np
from dlkernels._kernels.limits import multiply_add
result = 0.0
with event.install_recorder("numba:compile") as recorder:
    for dtype in (np.float32, np.float64):
        ones, sums = np.ones(8192, dtype), np.empty(8192, dtype)
        multiply_add.serial(ones, ones, sums, 64, 1)
        result += sums[0]
print(result, len(recorder.buffer))
"""


@pytest.mark.parametrize("function", ["limits.multiply_add-", "limits.update_tile-"])
def test_files_of_other_types_are_compiled_anew(filled, tmp_path, function):
    """Each of two processes may give its file the name that the other one's index has for it."""
    env = environment(tmp_path)
    shutil.copytree(filled(BOTH_DTYPES), tmp_path, dirs_exist_ok=True)
    assert run(env, program=BOTH_DTYPES)[:2] == (130, 0)
    first, second = sorted(file for file in tmp_path.rglob("*.nbc") if file.name.startswith(function))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    result, compiled, errors = run(env, program=BOTH_DTYPES)
    assert result == 130
    assert compiled > 0
    assert errors == ""
    assert run(env, program=BOTH_DTYPES)[:2] == (130, 0)


def test_nowhere_to_write(tmp_path):
    """Below a file there can be no folder, even for root."""
    (tmp_path / "file").touch()
    result, compiled, errors = run(environment(tmp_path / "file" / "cache"))
    assert result == 11
    assert compiled > 0
    assert errors.count("Warning") == 1
    assert "can't be kept" in errors


permissions = pytest.mark.skipif(sys.platform != "linux", reason="permissions are tested on Linux")


@permissions
def test_a_read_only_installation_and_home(copy, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    env = {**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    for variable in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        env.pop(variable, None)
    program = f"""
from pathlib import Path
for folder in {str(copy.package)!r}, {str(home)!r}:
    try:
        Path(folder, "new").touch()
    except PermissionError:
        continue
    raise SystemExit("it could be written to")
{PROGRAM}"""
    with read_only(home), read_only(copy.folder):
        result, compiled, errors = run(env, copy.folder, program, obedient())
    assert result == 11
    assert compiled > 0
    assert errors.count("Warning") == 1


#: How many functions must be compiled for float64, after statements that take the place of `{before}`.
FLOAT64 = """
from numba.core import event
import numpy as np
import dlkernels as dk
{before}
with event.install_recorder("numba:compile") as recorder:
    result = dk.relu(np.full(2, 3.0)).sum()
print(result, len(recorder.buffer))
"""


@permissions
def test_a_read_only_folder_is_read(filled, tmp_path):
    """As in the image of a container. What is missing there is compiled, said once, and hides nothing."""
    env = environment(tmp_path / "cache", HOME=str(tmp_path / "missing"))
    shutil.copytree(filled(FLOAT64.format(before="")), tmp_path / "cache")
    with read_only(tmp_path / "cache"):
        assert run(env, program=FLOAT64.format(before=""), launcher=obedient()) == (6, 0, "")
        float32_before = FLOAT64.format(before="dk.relu(np.ones(2, np.float32))")
        result, compiled, errors = run(env, program=float32_before, launcher=obedient())
    assert (result, compiled) == (6, 0)
    assert errors.count("Warning") == 1
    assert "can't be kept" in errors


#: PROGRAM on a machine whose processor has another name and other features than this one.
ANOTHER_MACHINE = f"""
import llvmlite.binding as llvm
features = llvm.get_host_cpu_features()
features["rdrnd"] = not features["rdrnd"]
llvm.get_host_cpu_name, llvm.get_host_cpu_features = lambda: "haswell", lambda: features
{PROGRAM}"""
#: Settings of Numba for all machines with AVX2 and fused multiply-adds.
V3 = {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": "+avx2,+fma"}
needs_v3 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or not processor_features().get("avx2"),
    reason="this machine has no AVX2",
)


@needs_v3
def test_kernels_for_other_machines(tmp_path):
    """They are kept under the features that Numba is told, and not under those of the machine."""
    assert run(environment(tmp_path))[1] > 0
    assert run(environment(tmp_path), program=ANOTHER_MACHINE)[1] > 0  # the control
    assert run(environment(tmp_path, **V3))[1] > 0
    assert run(environment(tmp_path, **V3), program=ANOTHER_MACHINE) == (11, 0, "")


@needs_v3
@pytest.mark.parametrize(("features", "bits"), [("+avx2,+fma", 256), ("+avx2,-avx2", 128), ("", 128)])
def test_tiles_fit_the_features_that_numba_is_told(features, bits, tmp_path):
    env = environment(tmp_path, NUMBA_CPU_NAME="x86-64-v3", NUMBA_CPU_FEATURES=features)
    assert run(env, program="from dlkernels.info import simd_bits; print(simd_bits(), 0)")[0] == bits


def test_off(tmp_path):
    env = environment(tmp_path, DLKERNELS_NO_CACHE="1")
    for _ in range(2):
        result, compiled, errors = run(env)
        assert (result, errors) == (11, "")
        assert compiled > 0
    assert not list(tmp_path.rglob("*.nb?"))


def test_kernels_that_are_not_optimised_are_kept_as_well(tmp_path):
    """Numba would keep none of them, and warn: they hold the addresses of functions that they call."""
    env = environment(tmp_path, NUMBA_OPT="0", PYTHONWARNINGS="error")
    result, compiled, errors = run(env, program=DOT)
    assert (result, errors) == (11, "")
    assert compiled > 0
    assert run(env, program=DOT) == (11, 0, "")


def test_eight_processes_on_a_cold_cache(tmp_path):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(tmp_path),
        )
        for _ in range(8)
    ]
    finished = [process.communicate(timeout=300) for process in started]
    assert [output.split()[0] for output, _ in finished] == ["11.0"] * 8
    assert [errors for _, errors in finished] == [""] * 8
    assert run(environment(tmp_path))[:2] == (11, 0)


def test_settings_that_change_code_have_a_cache_of_their_own(tmp_path):
    run(environment(tmp_path))
    assert run(environment(tmp_path, NUMBA_BOUNDSCHECK="1"))[1] > 0
    assert len(list((tmp_path / "dlkernels").iterdir())) == 2


def test_old_folders_go_and_recent_ones_stay(tmp_path):
    folders = {name: tmp_path / "dlkernels" / (name * 16) for name in "ab"}
    for folder in folders.values():
        folder.mkdir(parents=True)
    other = tmp_path / "dlkernels" / "somebody else's"
    other.mkdir()
    long_ago = time.time() - cache._KEEP_SECONDS - 60
    for folder in (folders["a"], other):
        os.utime(folder, (long_ago, long_ago))
    run(environment(tmp_path))
    assert not folders["a"].exists()
    assert folders["b"].exists()
    assert other.exists()


#: Waits until all processes are ready, and prints whether this one has a folder for its kernels. Each takes
#: itself for the first that makes the folder, as it may happen when they start at the same moment.
FOLDER = """
import pathlib, sys
from dlkernels._compiler import cache
pathlib.Path.exists = lambda path: False
cache.key()
print("ready", flush=True)
sys.stdin.readline()
print(cache.folder() is not None)
"""


def test_what_becomes_of_old_folders_decides_nothing(tmp_path):
    """Each of several processes removes the same old folders, and finds that others are quicker."""
    long_ago = time.time() - cache._KEEP_SECONDS - 10 * 24 * 3600
    old = [tmp_path / "dlkernels" / f"{version:016x}" for version in range(40)]
    for folder in old:
        folder.mkdir(parents=True)
        for i in range(100):
            (folder / f"kernel{i}.nbc").touch()
        os.utime(folder, (long_ago, long_ago))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FOLDER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(tmp_path),
        )
        for _ in range(6)
    ]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 6
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=300) for process in processes] == [("True\n", "")] * 6
    assert not [folder for folder in old if folder.exists()]
