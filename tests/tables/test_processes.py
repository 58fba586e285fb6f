"""`dlkernels train` and `dlkernels predict` as processes: help, pipes, Ctrl-C, missing packages."""

from __future__ import annotations

import os

import pytest
from commands import CONTROL, beside_a_terminal, interrupted, run_python, run_without, succeed
from csv_tables import passengers, written

pytestmark = pytest.mark.slow


def test_help_needs_no_heavy_package():
    program = (
        "import sys\nfrom dlkernels.cli import main\n"
        "assert main(['train', '--help']) == main(['predict', '--help']) == 0\n"
        "heavy = {'rich', 'sklearn', 'pandas', 'safetensors'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = run_python(program)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--label COLUMN" in done.stdout
    assert "--out FILE" in done.stdout


def test_train_and_predict_without_a_terminal(tmp_path):
    (tmp_path / "table.csv").write_text(written(passengers()))
    out = succeed(
        "train", "table.csv", "--label", "survived", "--missing", "impute", "--hidden", "8",
        "--save", "model", cwd=tmp_path,
    )  # fmt: skip
    assert "wrote model" in out
    out = succeed("predict", "model", "table.csv", "--out", "out.csv", cwd=tmp_path)
    assert "Score of the 300 rows" in out
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 301
    program = (  # as a process finds it whose parent has closed stderr
        "import sys\nsys.stderr = None\nfrom dlkernels.cli import main\n"
        f"sys.exit(main(['predict', {str(tmp_path / 'model')!r}, {str(tmp_path / 'table.csv')!r}]))\n"
    )
    done = run_python(program)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 301)


@pytest.mark.parametrize("package", ["sklearn", "pandas", "rich", "safetensors"])
@pytest.mark.parametrize(
    "arguments", [("train", "table.csv", "--label", "a"), ("predict", "model", "table.csv")]
)
def test_a_missing_package_is_named_with_its_extra(package, arguments):
    done = run_without(package, arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"dlkernels {arguments[0]} needs" in line
    assert 'pip install "dlkernels[train]"' in line


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_ends_with_130_and_leaves_the_old_file(tmp_path):
    (tmp_path / "table.csv").write_text(written(passengers(2000)))
    (tmp_path / "model").write_text("old")
    arguments = ["train", "table.csv", "--label", "survived", "--missing", "impute", "--save", "model"]
    interrupted(
        [*arguments, "--max-iter", "1000000", "--hidden", "500,500"], "table.csv: 2,000 rows", tmp_path
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "table.csv"]
    assert (tmp_path / "model").read_text() == "old"


@pytest.mark.skipif(os.name != "posix", reason="terminals of POSIX")
def test_the_bar_is_on_the_terminal_and_not_in_the_output(tmp_path):
    (tmp_path / "table.csv").write_text(written(passengers(missing=False)))
    output, shown = beside_a_terminal("train", "table.csv", "--label", "survived", cwd=tmp_path)
    assert b"training" in shown
    assert b"100%" in shown
    assert "5 folds, each held out once" in output
    assert not CONTROL.search(output)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_ends_a_local_cluster(tmp_path):
    pytest.importorskip("distributed")
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "0.csv").write_text(written(passengers(2000, missing=False)))
    (tmp_path / "model").write_text("old")
    arguments = ["train", "table", "--label", "survived", "--dask", "local", "--save", "model"]
    interrupted(
        [*arguments, "--max-iter", "1000000", "--hidden", "500,500"], "table: 1 file: 2,000 rows", tmp_path
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "table"]
    assert (tmp_path / "model").read_text() == "old"
