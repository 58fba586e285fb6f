"""`dlkernels train --dask`: the same as the command for one table, in parts and on a cluster."""

from __future__ import annotations

import contextlib
import re

import dask
import distributed
import numpy as np
import pandas
import pytest
from csv_tables import passengers, written

from dlkernels._tables import passes
from dlkernels._tables.clusters import connected, results
from dlkernels.cli import CommandError, main
from dlkernels.dask import _patience
from dlkernels.estimators import LogisticRegression, _preparation, load


@contextlib.contextmanager
def cluster_of(workers):
    """The address of a cluster in this process."""
    with distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=":0"
    ) as started:
        yield started.scheduler_address


@pytest.fixture(scope="module")
def cluster():
    with cluster_of(2) as address:
        yield address


@pytest.fixture
def run(cluster, tmp_path, monkeypatch, capsys):
    """Run the command on files below the folder "table"; return its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table").mkdir()

    def train(*arguments, label="label", table="table"):
        code = main(["train", table, "--dask", cluster, "--hidden", "none", "--label", label, *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return train


@pytest.fixture
def report(run):
    def succeed(*arguments, **how):
        code, out, errors = run(*arguments, **how)
        assert (code, errors) == (0, "")
        return out

    return succeed


@pytest.fixture
def fault(run):
    def fail(*arguments, **how):
        code, out, errors = run(*arguments, **how)
        assert (code, out, errors.count("\n")) == (2, "", 1)
        return errors

    return fail


def small(rows=40, seed=0, **more):
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(2, rows)).round(3)
    columns = {"a": list(map(str, a)), "b": list(map(str, b)), "label": ["yes" if x > 0 else "no" for x in a]}
    return columns | more


MANY = [f"n{number}" for number in range(1100)]


def write(tmp_path, *tables, **how):
    for number, columns in enumerate(tables):
        content = columns if isinstance(columns, str) else written(columns, **how)
        (tmp_path / "table" / f"{number}.csv").write_text(content, encoding="utf-8")


def stored(columns):
    """The table as pandas has it."""
    frame = pandas.DataFrame(columns)
    for name in frame:
        try:
            frame[name] = frame[name].replace("", "nan").astype(float)
        except ValueError:
            frame[name] = frame[name].replace("", np.nan)
    return frame


# -- the same as with the table in memory ----------------------------------------------------------------


def test_the_model_and_the_scores_are_those_of_scikit_learns_pieces(report, tmp_path):
    tables = [passengers(300, seed=seed) for seed in range(3)]
    write(tmp_path, *tables)
    out = report("--missing", "impute", "--ignore", "name", "--save", "model", label="survived")
    table = pandas.concat(map(stored, tables), ignore_index=True)
    held = passes.held_out(0, 0, len(table))
    preparation = _preparation.unfitted(["class", "age", "fare"], ["sex", "port"], True)
    train, test = table[~held], table[held]
    X = preparation.fit_transform(train)
    model = LogisticRegression(max_iter=500, random_state=0).fit(X, train["survived"])
    right = (model.predict(preparation.transform(test)) == test["survived"]).mean()
    assert re.search(rf"^ *logistic regression +{100 * right:.1f} %$", out, re.MULTILINE), out
    guess = (test["survived"] == train["survived"].mode()[0]).mean()
    assert re.search(rf"^ *always the most frequent class +{100 * guess:.1f} %$", out, re.MULTILINE), out
    assert f"{held.sum()} rows held out" in out
    saved = load("model")
    assert np.allclose(saved["preparation"].transform(test), preparation.transform(test), rtol=1e-12)
    assert saved["preparation"].get_feature_names_out().tolist() == (
        preparation.get_feature_names_out().tolist()
    )
    expected = model.predict_proba(preparation.transform(test))
    assert np.allclose(saved.predict_proba(test), expected)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_regression(ending, report, tmp_path):
    columns = small(400)
    a, b = (np.array(columns[name], float) for name in "ab")
    columns["label"] = list(map(str, 1e6 + 2e3 * a - 1e3 * b))
    if ending == "csv":
        write(tmp_path, columns)
    else:
        stored(columns).to_parquet(tmp_path / "table" / "0.parquet")
    out = report("--save", "model")
    shown = re.search(r"^ *linear regression +([\d.]+) +([\d.]+)$", out, re.MULTILINE)
    table = stored(columns)
    held = passes.held_out(0, 0, len(table))
    predicted = load("model").predict(table[held])
    error = np.abs(predicted - table["label"][held]).mean()
    assert float(shown[1]) > 0.99
    assert float(shown[2]) == pytest.approx(error, rel=1e-3)
    mean = np.abs(table["label"][held] - table["label"][~held].mean()).mean()
    shown = re.search(r"^ *always the mean +-?[\d.]+ +([\d.]+)$", out, re.MULTILINE)
    assert float(shown[1]) == pytest.approx(mean, rel=1e-3)


def test_predict_reads_what_was_saved(report, tmp_path, capsys):
    write(tmp_path, passengers(300, missing=False))
    report("--ignore", "name", "--save", "model", label="survived")
    assert main(["predict", "model", "table/0.csv", "--out", "predicted.csv"]) == 0
    assert "Score of the 300 rows with survived: accuracy " in capsys.readouterr().out


def test_csv_and_parquet_and_small_parts_give_the_same_decisions(report, tmp_path, monkeypatch):
    columns = passengers(300)
    write(tmp_path, columns)
    whole = report("--missing", "impute", label="survived").splitlines()[1:6]
    assert "One-hot encoded: sex, port." in whole
    assert any(line.startswith("Left out name: text that differs nearly") for line in whole)
    monkeypatch.setattr("dlkernels._tables.distributed.BLOCK", 1000)
    assert report("--missing", "impute", label="survived").splitlines()[1:6] == whole
    (tmp_path / "table" / "0.csv").unlink()
    stored(columns).to_parquet(tmp_path / "table" / "0.parquet", row_group_size=50)
    assert report("--missing", "impute", label="survived").splitlines()[1:6] == whole


def test_the_bits_of_the_model_depend_on_the_seed_and_not_on_the_workers(report, tmp_path, monkeypatch):
    monkeypatch.setattr("dlkernels._tables.distributed.BLOCK", 500)
    write(tmp_path, small(300, 1), small(20, 2), small(20, 3))
    how = "--hidden", "3", "--max-iter", "9", "--save"
    report(*how, "2 workers")
    for workers in (1, 3):
        with cluster_of(workers) as address:
            report(*how, f"{workers} workers", "--dask", address)
    report(*how, "seed 4", "--seed", "4")
    first, *others = ((tmp_path / f"{number} workers").read_bytes() for number in (1, 2, 3))
    assert others == [first, first]
    assert (tmp_path / "seed 4").read_bytes() != first


# -- files -----------------------------------------------------------------------------------------------


def test_what_is_no_table_is_named_or_ignored(report, tmp_path):
    folder = tmp_path / "table"
    (folder / "year=2024").mkdir()
    (folder / "year=2024" / "part.csv").write_text(written(small()))
    for name in ("_SUCCESS", ".part.csv.crc", "notes.md", "nothing.csv"):
        (folder / name).touch()
    out = report()
    assert "table: 1 file: 40 rows" in out
    assert "Ignored 1 other file: notes.md." in out
    assert "Ignored 1 empty file: nothing.csv." in out
    assert "such as year=2024, is no column" in out


def test_all_rows_decide_on_the_decimal_mark(report, tmp_path):
    write(tmp_path, small(a=["1", "2"] * 20, b=["3", "4"] * 20), small(), separator=";", decimal=",")
    assert "Standardised: a, b.\n" in report()


# -- faults ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tables", "arguments", "words"),
    [
        ([], (), "no .csv, .parquet or .pq files there, but no files"),
        ([""], (), "table/0.csv: the file is empty"),
        ([small(), small() | {"z": ["1"] * 40}], (), "those of table/0.csv: only this file has 'z'"),
        ([small(), "a,label\n1,yes\n"], (), "it lacks 'b'"),
        ([small(), "b,a,label\n1,2,yes\n"], (), "they are in another order"),
        ([small(), written(small(), separator=";")], (), "semicolons separate its fields, but commas those"),
        ([small(), written(small()) + "1,2\n"], (), "table/1.csv: line 42 has 2 fields but the header has 3"),
        ([small(), small(b=["1"] * 39 + ["x"])], (), "holds numbers, but 'x' in table/1.csv, line 41"),
        ([small(), small(b=["1"] * 39 + ["inf"])], (), "table/1.csv, line 41: column 'b': inf is infinite"),
        ([small(), small(b=["1"] * 39 + [""])], (), "cells are missing, of 80 in each column: 'b' (1)"),
        ([small(), small(label=["yes", ""] * 20)], (), "in 20 of 80 rows, the first in table/1.csv, line 3"),
        ([small(label=["yes"] * 40)], (), "the label 'label' is 'yes' in all rows"),
        ([small(3)], (), "3 rows are too few"),
        (["a,b,label\n"], (), "table: there are no rows"),
        ([small(label=["a"] * 39 + ["b"])], ("--seed", "1"), "the class 'b' of 'label' has 1 row, and"),
        ([small(1100, label=MANY)], (), "more than 1,000 different values, too many"),
        ([small(1100, c=MANY)], ("--category", "c"), "--category: 'c' has more than"),
        ([small(day=["2024-01-31"] * 40)], (), "column 'day' holds dates or times"),
        ([small()], ("--folds", "3"), "argument --folds: with --dask there are no folds"),
        ([small()], ("--ignore", "c"), "--ignore: there is no column 'c'"),
        ([small()], ("--encoding", "foo"), "table/0.csv: there is no encoding 'foo'"),
        ([small()], ("--save", "table/0.csv"), "argument --save: table/0.csv is a file of the table"),
        ([small()], ("--dask", "somewhere"), "--dask: 'somewhere' is no address of a scheduler"),
    ],
)  # fmt: skip
def test_faults_are_one_line(tables, arguments, words, fault, tmp_path):
    write(tmp_path, *tables)
    assert words in fault(*arguments)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"when": pandas.Timestamp("2024-01-31")}, "column 'when' holds dates or times"),
        ({"list": [[1]] * 40}, "column 'list' holds values of the type list"),
        ({"b": "x"}, "table/1.parquet: column 'b' holds texts, but numbers in table/0.parquet"),
        ({"b": np.inf}, "table/1.parquet, row 1: column 'b': inf is infinite"),
        (
            {"c": 1},
            "differ from those of table/0.parquet: only this file has 'c'",
        ),
    ],
)
def test_faults_of_parquet_files(change, words, fault, tmp_path):
    frame = stored(small())
    changed = frame.assign(**change)
    first = changed if {"when", "list"} & set(change) else frame
    first.to_parquet(tmp_path / "table" / "0.parquet")
    changed.to_parquet(tmp_path / "table" / "1.parquet")
    assert words in fault()


def test_a_damaged_parquet_file_and_files_of_both_kinds(fault, tmp_path):
    (tmp_path / "table" / "0.pq").write_bytes(b"PAR1 and nothing else")
    assert "table/0.pq: not a Parquet file, or a damaged one" in fault()
    assert "argument --encoding: Parquet files" in fault("--encoding", "cp1252")
    write(tmp_path, small())
    assert "holds 1 .csv file and 1 .parquet file" in fault()


def test_types_of_parquet(report, tmp_path):
    frame = stored(small()).assign(
        grade=pandas.Categorical(["low", "high"] * 20), flag=[True, False] * 20, none=None, whole=range(40),
        gap=pandas.array([1, 2, None, 4] * 10, dtype="Int64"), code=[7, 8] * 20,
    )  # fmt: skip
    frame.to_parquet(tmp_path / "table" / "0.parquet")
    out = report("--missing", "impute", "--category", "code", "--save", "model")
    assert "Standardised: a, b, flag, whole, gap. True is 1 in flag.\n" in out
    assert "One-hot encoded: grade, code.\n" in out
    assert "Missing cells: gap (10); numbers become the median.\n" in out
    assert "Left out none: has no values.\n" in out
    assert "whole counts the rows" in out
    names = load("model")["preparation"].get_feature_names_out().tolist()
    assert names[5:] == ["texts__grade_high", "texts__grade_low", "texts__code_7", "texts__code_8"]


def test_a_folder_needs_the_option(tmp_path, capsys):
    assert main(["train", str(tmp_path), "--label", "label"]) == 2
    assert "this is a folder; --dask local trains on all files in it" in capsys.readouterr().err


def test_a_cluster_without_workers_is_refused(fault, tmp_path, monkeypatch):
    write(tmp_path, small())
    monkeypatch.setattr("dlkernels._tables.clusters._ANSWER", 1)
    with cluster_of(0) as address:
        assert "has no workers" in fault("--dask", address)


def test_warnings_of_a_training_that_has_not_converged(report, tmp_path):
    write(tmp_path, small())
    assert "It stopped at --max-iter 1 before it had converged" in report("--max-iter", "1")


def test_a_class_of_which_no_row_is_held_out(report, tmp_path):
    write(tmp_path, small(label=["a"] * 39 + ["b"]))
    assert re.search(r"^ *b +0 +0 +no rows +0.0 %$", report("--seed", "0"), re.MULTILINE)


def test_waiting_ends_when_all_workers_are_lost(monkeypatch):
    monkeypatch.setattr(_patience, "PERIOD", 0.1)

    def lose():
        with (
            cluster_of(1) as address,
            connected(address, 1) as client,
            dask.config.set({_patience.KEY: "0.5 s"}),
        ):
            client.retire_workers()
            list(results(client, [client.submit(int)]))

    with pytest.raises(CommandError, match=r"^--dask: the Dask cluster has had no workers for 0.5 seconds"):
        lose()
