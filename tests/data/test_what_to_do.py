"""Messages about files say what to do; an index is no feature."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dlkernels import data
from dlkernels.cli import main
from dlkernels.data import DataError
from dlkernels.models import LogisticRegression

X = np.arange(20.0).reshape(2, 10)
Y = np.array([[0, 1] * 5])


def refused(path, **options):
    with pytest.raises(DataError) as caught:
        data.load(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.count(str(path)) == 1
    return message.removeprefix(f"{path}: ")


# -- .npz ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [["age", "größe"], [b"age", "größe".encode()], np.array(["age", "größe"])])
def test_names_as_text_or_bytes(tmp_path, names):
    np.savez(tmp_path / "a.npz", X=X, Y=Y, feature_names=names)
    assert data.load(tmp_path / "a.npz").feature_names == ("age", "größe")


STRUCTURED = np.zeros((2, 10), [("a", float), ("b", float)])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"feature_names": np.array(["a", "b"], object)}, "as text: feature_names.astype(str)"),
        ({"feature_names": np.array([1j, 2j])}, "feature_names.astype(str)"),
        ({"X": X.astype(object)}, "as numbers: X.astype(float)"),
        ({"X": X.astype(str)}, "X.astype(float)"),
        ({"X": STRUCTURED}, "structured_to_unstructured(X)"),
        ({"X": np.zeros((2, 10), "M8[D]")}, "np.timedelta64(1, 'D')"),
        ({"X": np.full((2, 10), np.nan)}, "X[0, 0] = nan (feature 0, example 0); leave such examples out"),
        ({"Y": np.where(Y == 1, np.inf, 0)}, "5 of 10 are NaN or infinite, first Y[0, 1] = inf; leave"),
        pytest.param(
            {"X": X * np.longdouble("1e310")},
            "fit into float64, but 19 of 20 are above 1.8e+308 in size, first X[0, 1] = 1e+310 "
            "(feature 0, example 1); scale the features",
            marks=pytest.mark.skipif(
                np.finfo(np.longdouble).max == np.finfo(float).max, reason="here a longdouble is a double"
            ),
        ),
        ({"Y": 2 * Y - 1}, "5 of 10 labels are neither, first -1.0 (example 0); write 0 for -1"),
        ({"Y": Y + 1}, "write 0 for 1 and 1 for 2"),
        ({"Y": np.arange(10).reshape(1, 10) % 4}, "there are 4 labels (0, 1, 2, ...) and a model tells"),
        ({"Y": np.arange(100, 110).reshape(1, 10) / 7}, "10 different values"),
        ({"Y": np.full((1, 10), 3)}, "all labels are 3"),
        ({"Y": np.where(Y == 1, "yes", "no")}, "write 0 for 'no' and 1 for 'yes', as numbers"),
        ({"Y": Y.astype("S")}, "write 0 for '0' and 1 for '1', as numbers"),
        ({"Y": Y.astype(object)}, "Y.astype(float)"),
        ({"Y": Y[0]}, "Y.reshape(1, -1)"),
        ({"Y": Y.T}, "save Y.T (X (2, 10), Y (10, 1))"),
        ({"Y": np.vstack([1 - Y, Y])}, "save Y[1:2], the row of class 1"),
        ({"Y": np.vstack([1 - Y, Y]).T}, "save Y[:, 1:2].T, the column of class 1"),
        ({"X": X.T}, "save X.T (X (10, 2), Y (1, 10))"),
        ({"X": X.T, "Y": Y[0]}, "save X.T and Y.reshape(1, -1)"),
        ({"X": X.T, "Y": np.vstack([1 - Y, Y]).T}, "save X.T and Y[:, 1:2].T, the column of class 1"),
        ({"X": X[:, :3], "Y": Y[:, :3]}, "too few"),
    ],
)  # fmt: skip
def test_npz_says_what_to_do(tmp_path, changes, words):
    np.savez(tmp_path / "a.npz", **({"X": X, "Y": Y} | changes))
    assert words in refused(tmp_path / "a.npz")


# -- labels in files, and those that models get ----------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (range(40), "there are 40 different values, so these seem to be no labels; numbers become labels"),
        ((0, 0.5, 1), "there are 3 different values, so these seem to be no labels; numbers become labels"),
        (range(20), "there are 20 labels (0, 1, 2, ...) and a model tells two classes apart, so "),
        ((0, 1, 2), "there are 3 labels (0, 1, 2) and a model tells two classes apart, so "),
        ((3,), "all labels are 3, but it takes examples of two classes, 0 and 1"),
    ],
)
def test_models_and_files_judge_labels_alike(tmp_path, labels, words):
    labels = np.array([[*labels] * 3])
    np.savez(tmp_path / "a.npz", X=labels, Y=labels)
    (tmp_path / "a.csv").write_text("a,y\n" + "".join(f"1,{label}\n" for label in labels[0]))
    assert words in refused(tmp_path / "a.npz")
    assert words in refused(tmp_path / "a.csv", label="y")
    with pytest.raises(ValueError, match=re.escape(words)):
        LogisticRegression(backend="numpy").fit(labels, labels)


# -- .csv ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("NA,1", "line 3, column 'a': expected a number, found 'NA'; fill in a missing value"),
        (",1", "line 3, column 'a': expected a number, found nothing; fill in a missing value"),
        ("?,1", "found '?'; fill in"),
        ("null,1", "found 'null'; fill in"),
        ("nan,1", "nan is not finite; fill in"),
        ("2024-01-31,1", "write a date as a number"),
        ("31.1.2024,1", "write a date as a number"),
        ("1/31/24 10:00,1", "write a date as a number"),
        ('"1,5",1', "decimal point"),
        ("red,1", "write words as numbers"),
        ("1,", "line 3, column 'y': expected a number, found nothing"),
        ("1,NA", "line 3, column 'y': expected a number, found 'NA'; fill in"),
        ("1,nan", "line 3, column 'y': nan is not finite"),
        ("1,-1", "line 3, column 'y': labels must be 0 or 1, not -1; write 0 for -1 and 1 for 0"),
        ("1,yes", "line 3, column 'y': labels must be 0 or 1, not 'yes'"),
    ],
)
def test_csv_says_what_to_do(tmp_path, fields, words):
    path = tmp_path / "a.csv"
    path.write_text(f"a,y\n1,0\n{fields}\n")
    assert words in refused(path, label="y")


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ((1, -1), "line 3, column 'y': labels must be 0 or 1, not -1; write 0 for -1 and 1 for 1"),
        (
            ("no", "yes"),
            "line 2, column 'y': labels must be 0 or 1, not 'no'; write 0 for 'no' and 1 for 'yes'",
        ),
        ((0, 1, 2), "not 2; there are 3 labels (0, 1, 2)"),
        (tuple(range(40)), "there are 40 different values, so these seem to be no labels"),
        ((1, 2), "write 0 for 1 and 1 for 2"),
    ],
)
def test_csv_labels_say_what_to_do(tmp_path, labels, words):
    path = tmp_path / "a.csv"
    path.write_text("a,y\n" + "".join(f"1,{label}\n" for label in labels * 3))
    assert words in refused(path, label="y")


def test_a_label_may_be_named_as_a_message_shows_it(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("age,ill\u202e\n" + "40,0\n50,1\n" * 6, encoding="utf-8")
    message = refused(path, label="sick")
    shown = message.rpartition(", ")[2]
    assert shown == r"ill\u202e"
    for label in (shown, "ill\u202e"):
        assert data.load(path, label=label).feature_names == ("age",)


def test_a_label_is_named_as_it_stands_in_the_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("age, ill\t\n" + "40,0\n50,1\n" * 6)
    for label in ("ill", " ill", " ill\t"):
        assert data.load(path, label=label).feature_names == ("age",)
    path.write_text("age;ill\n40;0\n")
    assert "not by ';'" in refused(path, label="ill")
    assert "no column" in refused(path, label="")


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        (",a,y", "{i},{x},{y}", "its unnamed first column, which counts the lines"),
        (" ,a,y", "{j},{x},{y}", "its unnamed first column, which counts the lines"),
        ("Unnamed: 0,a,y", "{i},{x},{y}", "its unnamed first column, which counts the lines"),
        (
            ",Unnamed: 0.1,Unnamed: 0,a,y",
            "{i},{i},{i},{x},{y}",
            "its unnamed first columns, which count the lines",
        ),
        (",y,a", "{i}.0,{y},{x}", "its unnamed first column, which counts the lines"),
    ],
)
def test_an_index_is_left_out_and_that_is_said(tmp_path, capsys, header, row, words):
    path = tmp_path / "a.csv"
    random = np.random.default_rng(0).normal(size=20)
    lines = [row.format(i=i, j=i + 1, x=x, y=i % 2) for i, x in enumerate(random)]
    path.write_text("\n".join([header, *lines]))
    found = data.load(path, label="y")
    assert found.feature_names == ("a",)
    assert_array_equal(np.sort(np.hstack([found.X_train, found.X_test]))[0], np.sort(random))
    assert found.description == f"from the file a.csv, without {words}"
    options = ["--label", "y", "--model", "logistic", "--backends", "numpy", "--iterations", "2"]
    assert main(["compare", "--data", str(path), *options]) == 0
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            ",a,y\n0,1,0\n2,1,1\n",
            "line 1 has no name for column 1; name it if it is a feature, or else delete it",
        ),
        ("Unnamed: 0,a,y\n5,1,0\n6,1,1\n", "column 1, which pandas called 'Unnamed: 0'"),
        ("a,,y\n1,0,0\n1,1,1\n", "no name for column 2"),
        ("a,y,\n1,0,0\n1,1,1\n", "no name for column 3"),
        ("a,y,\n1,0,\n1,1,\n", "column 3 (without a name): expected a number, found nothing"),
        (",a,y\nx,1,0\n", "column 1 (without a name): expected a number, found 'x'"),
        (",y\n0,0\n1,1\n", "no column besides the labels 'y'"),
        (",a,Unnamed: 0\n0,1,0\n1,1,1\n", "no column 'y'"),
    ],
)
def test_other_columns_without_a_name_are_refused(tmp_path, text, words):
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert words in refused(path, label="y")


@pytest.mark.parametrize(
    "field", ["1" * 100_000 + "x", " " * 100_000 + "x", "-" * 100_000 + "x", "1-" * 50_000]
)
def test_a_long_field_is_refused_at_once(tmp_path, field):
    """A pattern that tries each way to share the letters among its parts would take minutes."""
    path = tmp_path / "a.csv"
    path.write_text(f"a,y\n{field},0\n")
    assert len(refused(path, label="y")) < 300


def test_a_header_takes_time_in_proportion_to_its_columns(tmp_path):
    columns = 100_000
    path = tmp_path / "wide.csv"
    path.write_text(",".join(f"c{i}" for i in range(columns)) + ",c7\n")
    start = time.process_time()
    assert "line 1 names two columns 'c7'" in refused(path, label="c0")
    assert time.process_time() - start < 10  # 50 s if each name is looked for in a list


@pytest.mark.parametrize("label", [3, None, b"y"])
def test_a_label_that_is_no_string(tmp_path, label):
    path = tmp_path / "a.csv"
    path.write_text("a,y\n1,0\n2,1\n")
    name = type(label).__name__
    with pytest.raises(TypeError, match=rf"^load_csv: label must be a string, .* not {name}$"):
        data.load_csv(path, label)


def test_the_seed_of_a_flower_has_a_limit():
    """The held-out examples need the next one."""
    assert data.flower(4, 2**32 - 2).X_test.shape == (2, 4)
    with pytest.raises(ValueError, match=r"^flower: seed must be at most 4294967294, not 4294967295"):
        data.flower(4, 2**32 - 1)
