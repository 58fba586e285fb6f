"""`dlkernels train`: what is learnt from which columns, and the scores."""

from __future__ import annotations

import re

import numpy as np
import pandas
import pytest
from csv_tables import passengers, written
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import confusion_matrix, mean_absolute_error
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from dlkernels._tables import training
from dlkernels.cli import main
from dlkernels.estimators import LogisticRegression, MLPRegressor, load

QUICK = ("--hidden", "none")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Write a table, run the command, and return the exit code, what it prints and its errors."""
    monkeypatch.chdir(tmp_path)

    def train(columns, *arguments, label="label", quick=QUICK):
        content = columns if isinstance(columns, str) else written(columns)
        (tmp_path / "table.csv").write_text(content, encoding="utf-8")
        code = main(["train", "table.csv", "--label", label, *quick, *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return train


@pytest.fixture
def report(run):
    def succeed(columns, *arguments, **how):
        code, out, errors = run(columns, *arguments, **how)
        assert (code, errors) == (0, "")
        return out

    return succeed


@pytest.fixture
def fault(run, tmp_path):
    def fail(columns, *arguments, **how):
        code, out, errors = run(columns, *arguments, **how)
        assert (code, out, errors.count("\n")) == (2, "", 1)
        assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
        return errors

    return fail


def small(rows=40, **more):
    """A label that follows from one of two columns of numbers."""
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, rows)).round(3)
    columns = {"a": list(map(str, a)), "b": list(map(str, b)), "label": ["yes" if x > 0 else "no" for x in a]}
    return columns | more


# -- scores ----------------------------------------------------------------------------------------------


def by_hand(numbers, texts, impute, model):
    scaler = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()) if impute else StandardScaler()
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(ColumnTransformer([("n", scaler, numbers), ("t", encoder, texts)]), model)


def test_the_scores_of_classes_are_those_of_scikit_learns_pieces(report, tmp_path):
    out = report(passengers(), "--missing", "impute", "--folds", "4", "--seed", "7", label="survived")
    table = pandas.read_csv(tmp_path / "table.csv")
    model = by_hand(["class", "age", "fare"], ["sex", "port"], True, LogisticRegression(max_iter=200))
    folds = StratifiedKFold(4, shuffle=True, random_state=7)
    for name, estimator in (
        ("logistic regression", model),
        ("always the most frequent class", DummyClassifier()),
    ):
        scores = 100 * cross_validate(estimator, table, table["survived"], cv=folds)["test_score"]
        wanted = f"{scores.mean():.1f} % ± {scores.std():.1f} %"
        assert re.search(rf"^ *{name} +{wanted}$", out, re.MULTILINE), out
    predicted = cross_val_predict(model, table, table["survived"], cv=folds)
    counts = confusion_matrix(table["survived"], predicted)
    recall, precision = counts.diagonal() / counts.sum(axis=1), counts.diagonal() / counts.sum(axis=0)
    for row, name in enumerate(("no", "yes")):
        cells = [*map(str, counts[row]), f"{100 * recall[row]:.1f} %", f"{100 * precision[row]:.1f} %"]
        assert re.search(rf"^ *{name} +{' +'.join(cells)}$", out, re.MULTILINE), out


@pytest.mark.parametrize("hidden", ["none", "6"])
def test_the_scores_of_numbers_are_those_of_scikit_learns_pieces(hidden, tmp_path):
    columns = passengers(missing=False)
    (tmp_path / "table.csv").write_text(written(columns))
    table = pandas.read_csv(tmp_path / "table.csv")
    settings = training.Settings(() if hidden == "none" else (6,), 3, 1, 5, False)
    choice = training.Choice(["class", "age"], ["sex"], [], {}, {}, [])
    y = table["fare"].to_numpy()
    pipeline = training.pipeline_of(choice, "regression", settings, len(y))
    with training.collecting([]):
        scores = training.cross_validate(pipeline, table, y, settings, lambda done: None)
        linear = {"hidden_layer_sizes": (), "solver": "lbfgs", "alpha": 1.0}
        model = MLPRegressor(
            **(linear if hidden == "none" else {"hidden_layer_sizes": (6,), "alpha": 0.3, "batch_size": 32}),
            max_iter=5, random_state=1,
        )  # fmt: skip
        hand = TransformedTargetRegressor(
            by_hand(["class", "age"], ["sex"], False, model), transformer=StandardScaler()
        )
        folds = KFold(3, shuffle=True, random_state=1)
        wanted = cross_validate(hand, table, y, cv=folds, scoring=["r2", "neg_mean_absolute_error"])
        predicted = cross_val_predict(hand, table, y, cv=folds)
    assert np.allclose(scores.predicted, predicted, rtol=1e-9)
    assert np.allclose([fold["R²"] for fold in scores.model], wanted["test_r2"], rtol=1e-9)
    errors = [fold["mean absolute error"] for fold in scores.model]
    assert np.allclose(errors, -wanted["test_neg_mean_absolute_error"], rtol=1e-9)
    means = [np.abs(y[test] - y[train].mean()).mean() for train, test in folds.split(y)]
    assert np.allclose([fold["mean absolute error"] for fold in scores.constant], means)


def test_the_preparation_is_learnt_within_the_folds(report):
    """A text of a single row can help nobody: where it is held out, the training hasn't seen it."""
    columns = small(30)
    columns["label"] = ["yes", "no"] * 15
    columns["text"] = [f"{label}{row}" if row % 2 else label for row, label in enumerate(["x"] * 30)]
    out = report(columns, "--ignore", "a", "--ignore", "b", "--category", "text", "--folds", "10")
    assert "One-hot encoded: text." in out


def test_regression(report):
    columns = small()
    columns["label"] = [
        f"{2 * float(a) - float(b) + 100:.3f}" for a, b in zip(columns["a"], columns["b"], strict=True)
    ]
    out = report(columns, "--save", "model")
    assert f"Regression, because 'label' holds {len(set(columns['label']))} different numbers." in out
    shown = re.search(r"^ *linear regression +(\d\.\d+) ± (\d\.\d+) +([\d.]+) ± ", out, re.MULTILINE)
    assert 0.99 < float(shown[1]) <= 1
    assert float(shown[3]) < 0.2
    assert re.search(r"^ *always the mean +-0\.\d+ ± ", out, re.MULTILINE)
    frame = pandas.DataFrame({name: [float(cell) for cell in columns[name]] for name in "ab"})
    assert mean_absolute_error(np.array(columns["label"], float), load("model").predict(frame)) < 0.2


# -- the task --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "arguments", "words"),
    [
        (["yes", "no"] * 20, (), "Classification, because 'label' holds texts."),
        (["0", "1"] * 20, (), "Classification, because 'label' holds 2 different whole numbers."),
        ([str(10**16), str(10**16 + 1)] * 20, (), "holds 2 different whole numbers."),  # one float64
        ([str(10**19), str(10**20)] * 20, (), "holds 2 different whole numbers."),  # beyond int64
        (["0.5", "1"] * 20, (), "Regression, because 'label' holds 2 different numbers."),
        (["True", "FALSE"] * 20, (), "Classification, because 'label' holds true and false."),
        (
            ["1", "2", "3", "4"] * 10,
            (),
            "4 different whole numbers; --task regression would predict numbers.",
        ),
        (list(map(str, range(40))), (), "Regression, because 'label' holds 40 different numbers."),
        (["1", "2", "3", "4"] * 10, ("--task", "regression"), "Regression, by --task regression."),
        (["0.5", "1.5"] * 20, ("--task", "classification"), "Classification, by --task classification."),
    ],
)
def test_the_task(cells, arguments, words, report):
    assert words in report(small(label=cells), *arguments)


@pytest.mark.parametrize(
    ("cells", "arguments", "words"),
    [
        (["yes"] * 40, (), "the label 'label' is 'yes' in all rows, so there is nothing to learn"),
        (["3.5"] * 40, (), "the label 'label' is '3.5' in all rows"),
        (["yes", "", "NA", "no"] * 10, (), "is missing in 20 of 40 rows, the first in line 3; fill"),
        (["yes", "no"] * 20, ("--task", "regression"), "--task regression: the label 'label' holds texts"),
        (["yes"] * 37 + ["no"] * 3, (), "has 3 rows, but 5 folds need 5 of each class; --folds 3, or"),
        (["a"] * 20 + ["b"] * 19 + ["c"], (), "has 1 row, but 5 folds need 5 of each class; leave out"),
        (["a"] * 39 + ["1"], (), "has 1 row"),
        ([str(i) for i in range(39)] + ["x"], (), "holds numbers, but 'x' in line 41; correct it"),
        (["2024-01-31", "2024-02-01"] * 20, (), "the label 'label' holds dates"),
        ([f"id {i}" for i in range(40)], (), "differs nearly from row to row: 40 texts in 40 rows"),
        (["1,006.07", "800.5"] * 20, (), "'label' holds '1,006.07' in line 2; write numbers without"),
        (["1", "inf"] * 20, (), "line 3, column 'label': inf is infinite"),
        (list(map(str, range(40))), ("--task", "classification"), "of each class (and 39 other classes"),
        (list(map(str, range(40))), ("--folds", "30"), "40 rows are too few for 30 folds"),
    ],
)  # fmt: skip
def test_labels_that_can_not_be_learnt(cells, arguments, words, fault):
    assert words in fault(small(label=cells), *arguments)


# -- columns ---------------------------------------------------------------------------------------------


def test_what_becomes_of_the_columns(report):
    rows = 40
    out = report(
        small(
            text=["x", "y"] * 20, flag=["true", "false"] * 20, id=[str(i) for i in range(7, 47)],
            name=[f"name {i}" for i in range(rows)], same=["1", "1.0"] * 20, none=[""] * rows,
            word=["x"] * rows, code=["007", "012"] * 20, note=["NA"] * 38 + ["x", "y"],
        ),
        "--ignore", "b",
        "--missing", "impute",
    )  # fmt: skip
    assert "Standardised: a, flag, id. True is 1 in flag.\n" in out
    assert "One-hot encoded: text, code, note.\n" in out
    assert "Missing cells: note (38); a missing text is a category.\n" in out
    assert "Left out name: text that differs nearly from row to row: 40 values in 40 rows.\n" in out
    for name in ("same", "word"):
        assert f"Left out {name}: has the same value in all rows.\n" in out
    assert "Left out none: has no values.\n" in out
    assert "id counts the rows: if it is no feature, leave it out by --ignore.\n" in out


def test_missing_cells(fault, report):
    columns = passengers()
    missing = {name: columns[name].count("") for name in ("age", "port")}
    errors = fault(columns, label="survived")
    assert f"'age' ({missing['age']}), 'port' ({missing['port']}); fill them in" in errors
    assert "--missing impute" in errors
    out = report(columns, "--missing", "impute", label="survived")
    said = f"Missing cells: age ({missing['age']}), port ({missing['port']}); "
    assert f"{said}numbers become the median, a missing text is a category.\n" in out
    assert "Missing" not in report(columns, "--ignore", "age", "--ignore", "port", label="survived")


@pytest.mark.parametrize(
    "cells", [["10-20", "20-30"], ["007", "1 a"], ["1.2.3.4", "1.2.3.5"], ["3a", "12,5,1"]]
)
def test_texts_with_digits_are_categories(cells, report):
    assert "One-hot encoded: c." in report(small(c=cells * 20))


@pytest.mark.parametrize(
    ("more", "arguments", "words"),
    [
        ({"day": ["2024-01-31", "2024-02-01"] * 20}, (), "holds dates or times, such as '2024-01-31'"),
        ({"c": ["1", "2", "3", "x"] * 10}, (), "column 'c' holds numbers, but 'x' in line 5; correct it"),
        ({"c": ["1", "2", "3", "4", "12 %", "x"] * 6 + ["1"] * 4}, (), "but '12 %' in line 6 and 1 more"),
        ({"c": ["1", "-inf"] * 20}, (), "line 3, column 'c': -inf is infinite"),
        ({"c": ["30 %", "5.5%"] * 20}, (), "column 'c' holds '30 %' in line 2; write numbers without"),
        ({"c": ["1.595,85", "800"] * 20}, (), "'c' holds '1.595,85' in line 2; write numbers without"),
        ({"c": ["€ 300", "12 EUR", "-1'000.5"] * 13 + [""]}, ("--missing", "impute"), "'c' holds '€ 300'"),
        ({}, ("--ignore", "a", "--ignore", "b"), "no column is left to learn from"),
        ({"c": ["x"] * 40}, ("--ignore", "a", "--ignore", "b"), "left to learn from ('c': has the same"),
        ({}, ("--ignore", "label"), "--ignore: 'label' is the label"),
        ({}, ("--ignore", "c"), "--ignore: there is no column 'c'; there are a, b, label"),
        ({}, ("--category", "B"), "--category: there is no column 'B' (did you mean 'b'?)"),
        ({}, ("--hidden", "3,0"), "--hidden: must be at least 1, not 0"),
        ({}, ("--hidden", "0"), "--hidden: without hidden units it is called none"),
        ({}, ("--folds", "1"), "--folds: must be at least 2, not 1"),
        ({}, ("--save", "table.csv"), "argument --save: table.csv is the table"),
        ({}, ("--save", "none/model"), "can't write none/model: there is no folder none"),
    ],
)  # fmt: skip
def test_faults_are_one_line_and_nothing_is_written(more, arguments, words, fault):
    assert words in fault(small(**more), *arguments)


def test_a_label_that_is_not_there(fault):
    errors = fault(small(), label="lable")
    assert (
        "table.csv: --label: there is no column 'lable' (did you mean 'label'?); there are a, b, label"
        in errors
    )


def test_columns_can_be_read_as_categories(report):
    out = report(small(code=["1", "2", "30", "x"] * 10), "--category", "code", "--save", "model")
    assert "One-hot encoded: code." in out
    names = load("model")["preparation"].get_feature_names_out().tolist()
    assert names == ["numbers__a", "numbers__b", *[f"texts__code_{value}" for value in ("1", "2", "30", "x")]]


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_many_classes_have_a_line_each(classes, report):
    out = report(small(60, label=[f"a long name {i % classes}" for i in range(60)]))
    assert len(re.findall(r"^ *a long name \d .*%$", out, re.MULTILINE)) == classes
    assert ("most often taken for" in out) == (classes > 2)
    assert ("as a long name 1" in out) == (classes == 2)
    assert max(map(len, out.splitlines())) <= 80


def test_the_iterations_are_bounded_and_the_report_says_so(report):
    out = report(small(), "--max-iter", "2", "--save", "model", quick=("--hidden", "4"))
    assert "6 of 6 trainings stopped at --max-iter 2 before they had converged" in out
    assert load("model")["model"].n_iter_ == 2
    assert "network of 4 hidden units" in out


def test_a_table_that_is_smaller_than_a_batch(report):
    assert "10 rows" in report(small(10), "--folds", "2", "--max-iter", "5", quick=("--hidden", "4"))


def test_the_same_seed_gives_the_same_file(report, tmp_path):
    for name in ("first", "second"):
        report(small(), "--seed", "3", "--save", name, "--max-iter", "3", quick=("--hidden", "5,3"))
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    report(small(), "--seed", "4", "--save", "third", "--max-iter", "3", quick=("--hidden", "5,3"))
    assert (tmp_path / "first").read_bytes() != (tmp_path / "third").read_bytes()


def test_a_failure_leaves_the_old_file(run, tmp_path, monkeypatch):
    def fail(*_):
        raise MemoryError("no room")

    (tmp_path / "model").write_text("old")
    monkeypatch.setattr(training, "fitted", fail)
    code, _, errors = run(small(), "--save", "model")
    assert (code, errors) == (2, "dlkernels: error: not enough memory. no room\n")
    assert (tmp_path / "model").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
