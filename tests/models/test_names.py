"""One package under two names: `dlkernels.models`, which nothing hides, and `models`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dlkernels

ROOT = Path(dlkernels.__file__).parents[1]

#: Pickles a model under both names: in protocol 0 names are text without a length.
PICKLES = """
import pickle
from dlkernels.models import LogisticRegression
model = LogisticRegression(backend="numpy", num_iterations=3).fit([[1.0, 2.0]], [[0, 1]])
kept = pickle.dumps(model, protocol=0)
kept_by_old_name = kept.replace(b"dlkernels.models", b"models")
assert kept_by_old_name != kept
"""


def run(*arguments, cwd):
    """A Python that finds this package after whatever lies in its folder, as it finds an installed one."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(
    "first",
    [
        "import models",
        "import dlkernels.models",
        "import models.compare",
        "import dlkernels as dk; dk.models",
    ],
)
def test_both_names_give_the_same_modules(first, tmp_path):
    code = f"""{first}
import sys
import models.course.command, dlkernels.models.course.command
import dlkernels.models.compare, models.compare
from models.logistic_regression import LogisticRegression
assert models is dlkernels.models is sys.modules["models"]
assert LogisticRegression is models.LogisticRegression is dlkernels.models.LogisticRegression
assert LogisticRegression.__module__ == "dlkernels.models.logistic_regression"
seconds = [name for name in sys.modules if name.partition(".")[0] == "models"]
for name in seconds:
    module = sys.modules[name]
    assert module is sys.modules["dlkernels." + name], name
    assert module.__spec__.name == module.__name__ == "dlkernels." + name
assert "models.compare" in seconds and "models.course.command" in seconds
{PICKLES}
assert type(pickle.loads(kept)) is type(pickle.loads(kept_by_old_name)) is LogisticRegression
"""
    run("-c", code, cwd=tmp_path)


def test_a_pickle_by_the_old_name_is_loaded_in_a_new_process(tmp_path):
    file = tmp_path / "old.pickle"
    run(
        "-c",
        f"{PICKLES}\nfrom pathlib import Path; Path({str(file)!r}).write_bytes(kept_by_old_name)",
        cwd=tmp_path,
    )
    load = f"import pickle; from pathlib import Path; print(pickle.loads(Path({str(file)!r}).read_bytes()))"
    assert run("-c", load, cwd=tmp_path).startswith("LogisticRegression(")


def test_a_missing_module_is_named_as_it_was_asked_for(tmp_path):
    code = """
for name in ("models.nothing", "models.compare.nothing", "dlkernels.models.nothing"):
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        assert error.name == name
    else:
        raise AssertionError(name)
"""
    run("-c", code, cwd=tmp_path)


def test_modules_run_by_both_names(tmp_path):
    for name in ("models.compare", "dlkernels.models.compare"):
        assert run("-m", name, cwd=tmp_path) == ""


@pytest.fixture(params=["models.py", "models/__init__.py"])
def application(request, tmp_path):
    """A folder of someone who has models of his own."""
    own = tmp_path / request.param
    own.parent.mkdir(exist_ok=True)
    own.write_text("MINE = True\n")
    return tmp_path


def test_an_application_with_its_own_models(application):
    program = f"""
import models
import dlkernels as dk
import dlkernels.models.compare
import multiprocessing
import sys
assert models.MINE
assert dk.models is dlkernels.models is not models
assert not [name for name in sys.modules if name.startswith("models.")]
if __name__ == "__main__":
    {PICKLES.replace(chr(10), chr(10) + "    ")}
    again = pickle.loads(kept)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(again.predict, [[[0.0, 2.0]]]))
"""
    (application / "program.py").write_text(program)
    assert run("program.py", cwd=application) == "[array([[0, 1]])]\n"


def test_commands_in_a_folder_with_its_own_models(application):
    assert "dlkernels course NAME" in run("-m", "dlkernels", "course", cwd=application)
    assert "33" in run("-m", "dlkernels", "course", "graph", cwd=application)
    options = ("--model", "logistic", "--backends", "numpy", "--iterations", "3")
    assert "numpy" in run("-m", "dlkernels", "compare", *options, cwd=application)


def test_tests_of_a_user_in_importlib_mode(tmp_path):
    (tmp_path / "test_theirs.py").write_text(
        "from models.shallow_network import ShallowNetwork\n"
        "import dlkernels as dk\n"
        "def test_same():\n"
        "    assert ShallowNetwork is dk.models.ShallowNetwork\n"
    )
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib")
    assert "1 passed" in run(*arguments, ".", cwd=tmp_path)


def test_type_checkers_see_every_name():
    text = (ROOT / "dlkernels" / "models.py").read_text(encoding="utf-8")
    named = re.findall(r"^    from models import (\w+) as \1$", text, re.MULTILINE)
    assert sorted(named) == sorted(dlkernels.models.__all__)


def test_both_packages_say_that_they_are_typed():
    for package in ("dlkernels", "models"):
        assert (ROOT / package / "py.typed").read_bytes() == b""


def test_the_package_is_no_command(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "dlkernels.models"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "dlkernels.models is a package to import; the command is dlkernels\n"
