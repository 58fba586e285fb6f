"""The command `dlkernels`, nearly always as a process of its own."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import (
    CONTROL,
    beside_a_terminal,
    environment,
    fail,
    interrupted,
    reported,
    run_python,
    run_without,
    succeed,
)

import dlkernels
from dlkernels import cli

pytestmark = pytest.mark.slow

#: One small job without the compiler.
QUICK = ("compare", "--model", "logistic", "--backends", "numpy", "--iterations", "3")


# -- what works --------------------------------------------------------------------------------------


def test_version_and_help_need_no_heavy_package():
    assert succeed("--version") == f"dlkernels {dlkernels.__version__}\n"
    assert "compare" in succeed("--help")
    assert "--learning-rate" in succeed("compare", "--help")
    program = (
        "import sys\nfrom dlkernels.cli import main\nassert main(['compare', '--help']) == 0\n"
        "heavy = {'rich', 'matplotlib', 'sklearn', 'h5py'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_info_prints_the_configuration():
    text = succeed("info")
    for word in (dlkernels.__version__, "numba", np.__version__, "threading layer", "kernel cache"):
        assert word in text


def test_the_installed_script_is_the_same_command():
    script = Path(sys.executable).with_name("dlkernels.exe" if os.name == "nt" else "dlkernels")
    if not script.exists():
        pytest.skip("no script beside this interpreter")
    done = subprocess.run(
        [script, "--version"], env=environment(), capture_output=True, text=True, timeout=60
    )
    assert done.stdout == f"dlkernels {dlkernels.__version__}\n"


def test_compare_by_default_runs_both_models_on_all_backends(tmp_path):
    file = tmp_path / "figures.json"
    text = succeed("compare", "--iterations", "30", "--json", file)
    assert "Logistic regression on breast_cancer" in text
    assert "Network of 4 tanh units on flower" in text
    for backend in ("python", "numpy", "numba"):
        assert len(re.findall(rf"^ {backend}(?:, fastest)? +30 ", text, re.MULTILINE)) == 2, text
    assert text.count("to load or compile its kernels") == 2
    assert text.count("between the parameters of python, numpy and numba after 30 iterations: ") == 2
    assert "to save time" not in text  # python ran all 30
    assert f"wrote {file}\n" in text
    figures = json.loads(file.read_text())
    assert figures["config"]["numpy"] == np.__version__
    assert figures["config"].keys() >= {"cpu", "threads", "numba", "python"}
    assert list(tmp_path.iterdir()) == [file]
    for each in figures["comparisons"]:
        assert list(each["results"]) == ["python", "numpy", "numba"]
        costs = [result["final_cost"] for result in each["results"].values()]
        assert max(costs) - min(costs) < 1e-12
        for result in each["results"].values():
            assert 0 < result["seconds_per_iteration"] < 1
            assert result["costs"][0] == pytest.approx(math.log(2), abs=1e-4)
            assert not result["diverged"]
        numba, python = each["results"]["numba"], each["results"]["python"]
        ratio = python["seconds_per_iteration"] / numba["seconds_per_iteration"]
        assert numba["speed_up_over_python"] == pytest.approx(ratio)
        assert numba["compile_seconds"] >= 0
        assert python["compile_seconds"] is None
        (difference,) = each["differences"]
        assert difference["iterations"] == 30
        assert 0 <= difference["largest"] < 1e-12


def test_the_python_backend_stops_early_and_says_so(tmp_path):
    file = tmp_path / "figures.json"
    text = succeed(
        "compare",
        "--model",
        "logistic",
        "--backends",
        "python,numpy",
        "--iterations",
        "20000",
        "--json",
        file,
    )
    (each,) = json.loads(file.read_text())["comparisons"]
    ran = each["results"]["python"]["iterations"]
    assert 0 < ran < 20000
    assert each["results"]["numpy"]["iterations"] == 20000
    assert f"python ran {ran:,} of 20,000 iterations" in text
    assert [(d["backends"], d["iterations"]) for d in each["differences"]] == [(["python", "numpy"], ran)]
    assert each["differences"][0]["largest"] < 1e-9


def test_compare_trains_what_the_options_say(tmp_path):
    file = tmp_path / "figures.json"
    succeed(
        "compare", "--data", "flower", "--model", "shallow", "--backends", "numpy,python", "--hidden", "5",
        "--seed", "7", "--iterations", "250", "--learning-rate", "0.5", "--threads", "1",
        "--dtype", "float32", "--json", file,
    )  # fmt: skip
    figures = json.loads(file.read_text())
    (each,) = figures["comparisons"]
    assert each["settings"] == {
        "iterations": 250, "learning_rate": 0.5, "dtype": "float32", "hidden_units": 5, "seed": 7
    }  # fmt: skip
    assert figures["config"]["threads"].startswith("1 of ")
    assert all(pool["num_threads"] == 1 for pool in figures["config"]["numpy_blas"] or [])
    from dlkernels.data import flower
    from models import ShallowNetwork

    data = flower()
    model = ShallowNetwork(
        5, seed=7, num_iterations=250, learning_rate=0.5, dtype="float32", backend="numpy"
    ).fit(data.X_train, data.Y_train)
    assert each["results"]["numpy"]["costs"] == model.costs_
    assert len(model.costs_) == 3
    assert each["results"]["numpy"]["accuracy"] == model.score(data.X_test, data.Y_test)
    assert list(each["results"]) == ["python", "numpy"]


def test_compare_trains_a_network_on_ten_classes(tmp_path):
    file = tmp_path / "figures.json"
    text = succeed(
        "compare", "--model", "network", "--backends", "numpy,numba", "--iterations", "12", "--hidden",
        "50,30", "--learning-rate", "0.002", "--dtype", "float32", "--json", file,
    )  # fmt: skip
    assert "Network of 50 and 30 relu units on digits" in text
    assert "ten classes" in text
    assert "numpy and numba after 12 epochs" in text
    (each,) = json.loads(file.read_text())["comparisons"]
    assert each["settings"] == {
        "iterations": 12, "learning_rate": 0.002, "dtype": "float32", "hidden_layers": [50, 30],
        "batch_size": 32, "seed": 3,
    }  # fmt: skip
    assert each["data"]["training_examples"] + each["data"]["held_out_examples"] == 1797
    for result in each["results"].values():
        assert len(result["costs"]) == 12
        assert result["final_cost"] == result["costs"][-1] < 0.1 < result["costs"][0]
        assert result["accuracy"] > 0.93


def test_a_network_of_two_classes_has_a_boundary(tmp_path):
    succeed(
        "compare", "--model", "network", "--data", "flower", "--backends", "numpy", "--plot", tmp_path,
    )  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {
        f"network_flower_{picture}.png" for picture in ("time", "costs", "boundary")
    }


def test_pictures(tmp_path):
    folder = tmp_path / "new" / "pictures"
    text = succeed(
        "compare", "--data", "flower", "--backends", "numpy", "--iterations", "150", "--plot", folder
    )
    names = {f"{model}_flower_{picture}.png" for model in ("logistic", "shallow") for picture in (
        "time", "costs", "boundary"
    )}  # fmt: skip
    assert {path.name for path in folder.iterdir()} == names
    for path in folder.iterdir():
        head = path.read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = (int.from_bytes(head[i : i + 4], "big") for i in (16, 20))
        assert 1000 <= width <= 2000
        assert 200 <= height <= 2000
        assert path.stat().st_size > 5000
        assert f"wrote {path}" in text


def test_no_boundary_with_more_than_two_features(tmp_path):
    succeed(*QUICK, "--plot", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "logistic_breast_cancer_time.png",
        "logistic_breast_cancer_costs.png",
    }


def test_data_from_files(tmp_path):
    random = np.random.default_rng(0)
    X = random.normal(50, 10, (3, 40))
    Y = (X[:1] + X[1:2] > 100).astype(int)
    np.savez(tmp_path / "points.npz", X=X, Y=Y)
    rows = "\n".join(",".join(map(str, column)) for column in [*zip(*X, Y[0], strict=True)])
    (tmp_path / "table.csv").write_text(f"a,b,c,y\n{rows}\n")
    with h5py.File(tmp_path / "cats.h5", "w") as file:
        for part, m in (("train", 10), ("test", 4)):
            file[f"{part}_set_x"] = random.integers(0, 256, (m, 8, 8, 3), dtype=np.uint8)
            file[f"{part}_set_y"] = np.arange(m) % 2
    options = ("--iterations", "100", "--backends", "numpy", "--model", "logistic", "--json", "out.json")
    for more, features in ((("points.npz",), 3), (("table.csv", "--label", "y"), 3), (("cats.h5",), 192)):
        text = succeed("compare", "--data", *more, *options, cwd=tmp_path)
        assert f"from the file {more[0]}" in text
        (each,) = json.loads((tmp_path / "out.json").read_text())["comparisons"]
        assert each["data"]["features"] == features
        if features == 3:  # raw features of mean 50 would not be learnt with this step length
            assert each["results"]["numpy"]["accuracy"] > 0.8


def test_a_run_that_diverges_is_called_so(tmp_path):
    (tmp_path / "out.json").write_text("old")
    text = succeed(
        "compare", "--model", "logistic", "--backends", "numpy,numba", "--iterations", "300",
        "--learning-rate", "1e308", "--json", "out.json", cwd=tmp_path,
    )  # fmt: skip
    assert "numpy DIVERGED" in text
    assert "numba DIVERGED" in text
    (each,) = json.loads((tmp_path / "out.json").read_text())["comparisons"]
    assert each["results"]["numba"]["diverged"]
    assert each["results"]["numba"]["final_cost"] is None


# -- what doesn't ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "COMMAND"),
        (("trian",), "'trian'"),
        (("train",), "TABLE, --label"),
        (("info", "--colour"), "--colour"),
        (("compare", "--iter", "3"), "--iter"),
        (("compare", "--iterations", "0"), "--iterations: must be at least 1, not 0"),
        (("compare", "--iterations", "many"), "--iterations: expected a whole number, not 'many'"),
        (("compare", "--iterations"), "--iterations: expected one argument"),
        (("compare", "--hidden", "-1"), "--hidden: must be at least 1"),
        (("compare", "--seed", "4294967296"), "--seed: must be at most"),
        (("compare", "--learning-rate", "nan"), "--learning-rate: must be positive and finite, not nan"),
        (("compare", "--learning-rate", "-1"), "--learning-rate"),
        (("compare", "--threads", "100000"), "--threads: n must be at most"),
        (("compare", "--dtype", "float16"), "'float16'"),
        (("compare", "--model", "tree"), "'tree'"),
        (("compare", "--backends", "numpy,cuda"), "'cuda'"),
        (("compare", "--backends", "numpy,numpy"), "twice"),
        (("compare", "--backends", ""), "--backends"),
        (("compare", "--model", "logistic", "--hidden", "3"), "--hidden"),
        (("compare", "--hidden", "3,4"), "--hidden: only --model network has more than one hidden layer"),
        (("compare", "--model", "network", "--hidden", "3,"), "--hidden: expected a whole number, not ''"),
        (("compare", "--label", "y"), "--label"),
        (("compare", "--data", "flower", "--label", "y"), "flower: a label column is for CSV files only"),
        (("compare", "--data", ""), "no data set"),
        (("compare", "--data", "mnist"), "'mnist'"),
        (("compare", "--data", "none.npz"), "none.npz: No such file"),
        (("compare", "--data", "bad\x1b[31m\n.csv", "--label", "y"), "No such file"),
        (("compare", "--data", "words.csv", "--label", "y"), "line 3, column 'a'"),
        (("compare", "--data", "words.csv"), "--label"),
        (("compare", "--data", "words.csv", "--label", "z"), "'z'"),
        (("compare", "--data", "objects.npz"), "never unpickled"),
        (("compare", "--data", "rows.npz"), "save X.T"),
        (("compare", "--json", "none/out.json"), "none/out.json"),
        (("compare", "--json", "."), "--json"),
        (("compare", "--json", os.devnull), "--json"),
        (("compare", "--plot", "words.csv"), "words.csv"),
        (("compare", "--model", "shallow", "--hidden", "1000000000000000"), "memory"),
    ],
)
def test_a_fault_is_one_line_and_code_2(tmp_path, monkeypatch, capsys, arguments, words):
    """In this process, because a process for each of so many faults would take two seconds."""
    (tmp_path / "words.csv").write_text("a,y\n1,0\none,1\n")
    np.savez(tmp_path / "objects.npz", X=np.array([{}], dtype=object), Y=[[0]])
    np.savez(tmp_path / "rows.npz", X=np.zeros((10, 3)), Y=np.zeros((1, 10)))
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    code = cli.main(arguments)
    assert words in reported(code, capsys.readouterr().err)
    assert sorted(tmp_path.iterdir()) == before


def test_outputs_are_tried_before_the_training(tmp_path):
    start = time.monotonic()
    fail("compare", "--iterations", "100000000", "--json", "none/out.json", cwd=tmp_path)
    (tmp_path / "file").touch()
    fail("compare", "--iterations", "100000000", "--plot", "file/folder", cwd=tmp_path)
    assert time.monotonic() - start < 60


def test_without_an_installation_the_command_says_what_to_do():
    done = run_python(
        "import importlib.metadata, sys\nimportlib.metadata.entry_points = lambda **_: ()\n"
        "from dlkernels.cli import main\nsys.exit(main(['compare']))"
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "dlkernels: error: the command 'compare' is found only once dlkernels is installed: "
        "python -m pip install ."
    ]


@pytest.mark.parametrize(
    ("package", "arguments"),
    [("rich", QUICK), ("sklearn", QUICK), ("matplotlib", (*QUICK, "--plot", "pictures"))],
)
def test_a_missing_package_is_named_with_its_extra(package, arguments):
    done = run_without(package, arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert 'pip install "dlkernels[compare]"' in line


def test_warmup_and_training_run_without_rich():
    done = run_python(
        "import sys\nsys.modules['rich'] = None\n"
        "from models import LogisticRegression\n"
        "LogisticRegression(backend='numpy', num_iterations=1).fit([[1.0, 2.0]], [[0, 1]], progress=True)"
    )
    assert (done.returncode, done.stderr) == (0, "")


# -- signals and terminals ---------------------------------------------------------------------------

posix = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")


@posix
@pytest.mark.parametrize("backend", ["python", "numpy", "numba"])
def test_ctrl_c_ends_with_130_and_leaves_nothing_behind(tmp_path, backend):
    arguments = ["compare", "--model", "shallow", "--backends", backend, "--iterations", "1000000000"]
    (tmp_path / "out.json").write_text("old")
    interrupted([*arguments, "--json", "out.json"], "dlkernels ", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]
    assert (tmp_path / "out.json").read_text() == "old"


@posix
@pytest.mark.parametrize("arguments", [("--help",), ("info",), QUICK])
def test_a_reader_that_stops_is_no_error(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "dlkernels", *arguments],
        env=environment() | {"PYTHONUNBUFFERED": ""}, stdout=writing, stderr=subprocess.PIPE, text=True,
        timeout=60,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@posix
def test_the_bar_is_on_the_terminal_and_not_in_the_output():
    output, shown = beside_a_terminal(*QUICK[:-1], "3000")
    assert b"numpy: Logistic regression" in shown
    assert b"100%" in shown
    assert b"\x1b[?25h" in shown  # the cursor is given back
    assert "Logistic regression on breast_cancer" in output
    assert not CONTROL.search(output)


@posix
def test_output_in_an_encoding_without_lines():
    done = subprocess.run(
        [sys.executable, "-m", "dlkernels", *QUICK],
        env=environment() | {"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "-----" in done.stdout
    assert "\\u" not in done.stdout


@posix
def test_ctrl_c_that_a_destructor_dropped_is_repeated():
    start = time.monotonic()
    done = run_python(
        "import signal, sys, time\nfrom dlkernels import cli\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Dropping:\n"
        "    def __del__(self):\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "def run(arguments):\n"
        "    Dropping()\n"
        "    time.sleep(30)\n"
        "    return 0\n"
        "cli._run = run\n"
        "sys.exit(cli.main([]))"
    )
    assert (done.returncode, done.stderr) == (130, "dlkernels: interrupted\n")
    assert time.monotonic() - start < 20


# -- nothing is lost ---------------------------------------------------------------------------------


def points(path, header="a,b,label", scale=1.0):
    """A small .csv file with two features."""
    random = np.random.default_rng(0)
    rows = [f"{scale * x:.17g},{scale * y:.17g},{int(x > y)}" for x, y in random.normal(size=(40, 2))]
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return path


def test_figures_never_replace_the_data(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, X=np.arange(20.0).reshape(2, 10), Y=[[0, 1] * 5])
    before = path.read_bytes()
    assert "is the file of --data" in fail(*QUICK, "--data", path, "--json", path)
    assert path.read_bytes() == before


def test_a_draft_left_behind_is_in_nobodys_way(tmp_path):
    for number in range(3):
        succeed(*QUICK, "--json", tmp_path / "figures.json")
        (tmp_path / f".figures.json.{number}.tmp").touch()
    assert json.loads((tmp_path / "figures.json").read_text())


def test_names_with_dollar_signs_are_no_formulas(tmp_path):
    path = points(tmp_path / "a$x_$b.csv", header=r"$\frac{a$,b,label")
    succeed(*QUICK, "--data", path, "--label", "label", "--plot", tmp_path / "p", "--json", tmp_path / "j")
    assert len(list((tmp_path / "p").glob("*.png"))) == 3
    assert json.loads((tmp_path / "j").read_text())


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_features_of_any_size_are_learnt(tmp_path, scale):
    path = points(tmp_path / "points.csv", scale=scale)
    text = succeed(
        "compare", "--data", path, "--label", "label", "--model", "logistic", "--backends", "numpy"
    )
    assert "DIVERGED" not in text
    accuracy = float(re.search(r"([\d.]+) %$", text, re.MULTILINE)[1])
    assert accuracy > 80


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
def test_output_that_cannot_be_written():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "dlkernels", "info"],
            env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, timeout=100,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "dlkernels: error: can't write the output: No space left on device\n"


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_closed_output():
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m dlkernels info >&-"],
        env=environment(), capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
