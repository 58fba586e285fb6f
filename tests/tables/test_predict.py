"""`dlkernels predict`: predictions as a table, of tables that differ from the one of the training."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pandas
import pytest
from csv_tables import passengers, written

from dlkernels.cli import main
from dlkernels.estimators import LogisticRegression, _files, load

TRAIN = passengers(200)
NEW = passengers(30, seed=1)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with models of the passengers: classes, numbers, and one that takes no missing cells."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "train.csv").write_text(written(TRAIN))
    table, options = str(folder / "train.csv"), ("--hidden", "none", "--max-iter", "500")
    for name, label, *more in (
        ("classes", "survived", "--missing", "impute"),
        ("numbers", "fare", "--missing", "impute"),
        ("strict", "survived", "--ignore", "age", "--ignore", "port"),
    ):
        assert main(["train", table, "--label", label, *options, *more, "--save", str(folder / name)]) == 0
    return folder


@pytest.fixture
def predict(models, tmp_path, capsys):
    """Predict a table, and return the exit code, what is printed and the errors."""
    capsys.readouterr()

    def run(columns, *arguments, model="classes"):
        content = columns if isinstance(columns, bytes) else written(columns).encode()
        (tmp_path / "new.csv").write_bytes(content)
        code = main(["predict", str(models / model), str(tmp_path / "new.csv"), *map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def rows_of(text, separator=","):
    return list(csv.reader(io.StringIO(text), delimiter=separator))


def answers(models, model="classes", columns=NEW):
    pipeline, table = load(models / model), pandas.read_csv(io.StringIO(written(columns)))
    return pipeline.predict(table).tolist(), pipeline.predict_proba(
        table
    ).tolist() if model == "classes" else None


def test_predictions_and_probabilities_go_to_the_output_and_words_to_stderr(predict, models):
    code, out, errors = predict(NEW)
    header, *rows = rows_of(out)
    predicted, shares = answers(models)
    assert code == 0
    assert header == ["prediction", "probability of no", "probability of yes"]
    assert [row[0] for row in rows] == predicted
    assert [[float(cell) for cell in row[1:]] for row in rows] == shares  # to the last bit
    accuracy = 100 * np.mean(np.array(predicted) == np.array(NEW["survived"]))
    assert f"Score of the 30 rows with survived: accuracy {accuracy:.1f} %." in errors
    assert "Ignored, because the model doesn't know them: name, ship." in errors
    assert re.search(r"^age: missing in \d+ rows, replaced by the training's median\.$", errors, re.MULTILINE)


def test_the_output_goes_to_a_file(predict, models, tmp_path):
    code, out, errors = predict(NEW, "--out", tmp_path / "out.csv")
    assert (code, errors) == (0, "")
    assert "Score of the 30 rows" in out
    assert out.endswith(f"wrote {tmp_path / 'out.csv'}\n")
    assert [row[0] for row in rows_of((tmp_path / "out.csv").read_text())[1:]] == answers(models)[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.csv", "out.csv"]


def test_numbers_have_no_probabilities(predict, models):
    code, out, errors = predict(NEW, model="numbers")
    assert code == 0
    assert rows_of(out)[0] == ["prediction"]
    assert [float(row[0]) for row in rows_of(out)[1:]] == answers(models, "numbers")[0]
    assert re.search(r"Score of the 30 rows with fare: R² -?\d\.\d{3}, mean absolute error \d", errors)


def test_the_order_of_columns_does_not_matter(predict):
    turned = {name: NEW[name] for name in reversed(NEW)}
    assert predict(turned)[1] == predict(NEW)[1]


def test_the_output_has_the_form_of_the_table(predict, models):
    columns = {"": [f"row {i}" for i in range(30)]} | NEW
    text = written(columns, ";", ",").replace("\n", "\r\n")
    assert predict(b"\xef\xbb\xbf" + text.encode(), "--out", models / "form.csv")[0] == 0
    content = (models / "form.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf;prediction;probability of no;probability of yes\nrow 0;")
    rows = rows_of(content.decode("utf-8-sig"), ";")[1:]
    assert [row[0] for row in rows] == columns[""]
    assert all(cell.count(",") == 1 and "." not in cell for row in rows for cell in row[2:])
    predicted, shares = answers(models)
    assert [row[1] for row in rows] == predicted
    assert [[float(cell.replace(",", ".")) for cell in row[2:]] for row in rows] == shares


def test_rows_without_labels(predict):
    without = {name: cells for name, cells in NEW.items() if name != "survived"}
    assert "Score" not in predict(without)[2]
    assert "No score, because survived is empty in all rows." in predict(NEW | {"survived": [""] * 30})[2]
    some = NEW | {"survived": [*NEW["survived"][:10], *[""] * 20]}
    assert "Score of the 10 rows with survived" in predict(some)[2]
    assert "Score of the 30 rows with survived: accuracy 0.0 %" in predict(NEW | {"survived": ["?!"] * 30})[2]
    wrong = NEW | {"fare": [*["cheap"] * 29, "1"]}
    assert (
        "No score: line 2, column 'fare': expected a number, found 'cheap'"
        in predict(wrong, model="numbers")[2]
    )


def test_texts_that_training_has_not_seen_are_counted(predict):
    code, _, errors = predict(NEW | {"sex": ["other", "x\x1b[31m", *NEW["sex"][2:]]})
    assert code == 0
    assert "sex: a text that the training hasn't seen in 2 rows, such as 'other', 'x\\x1b[31m'; it" in (
        errors.replace("\\\\", "\\")
    )
    assert "\x1b" not in errors
    missing = predict(NEW | {"sex": ["", *NEW["sex"][1:]]}, model="strict")
    assert missing[0] == 0
    assert "sex: missing in 1 row; it counts as none of the categories." in missing[2]


@pytest.mark.parametrize(
    ("columns", "model", "arguments", "words"),
    [
        ({k: v for k, v in NEW.items() if k != "sex"}, "classes", (), "the model needs are missing: 'sex'"),
        ({k.upper(): v for k, v in NEW.items()}, "classes", (), "'age' (did you mean 'AGE'?)"),
        (NEW | {"class": ["", *NEW["class"][1:]]}, "strict", (), "'class' (1); fill them in, or train"),
        (NEW | {"class": ["first"] * 30}, "classes", (), "line 2, column 'class': expected a number, found"),
        (NEW | {"fare": ["inf", *NEW["fare"][1:]]}, "classes", (), "line 2, column 'fare': inf is infinite"),
        (NEW, "train.csv", (), "train.csv: this is no safetensors file, or it is damaged"),
        (NEW, "train.csv", (), "; the model comes before the table"),
        (NEW, "none", (), "none: No such file"),
        (NEW, "alone", (), "it holds an estimator, but not how a table is prepared for it"),
        (NEW, "classes", ("--out", "none/out.csv"), "argument --out: can't write none/out.csv"),
        (NEW, "classes", ("--out", "new.csv"), "argument --out: new.csv is what is read"),
        (b"", "classes", (), "new.csv: the file is empty"),
    ],
)  # fmt: skip
def test_faults_are_one_line_and_nothing_is_written(
    columns, model, arguments, words, predict, models, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    LogisticRegression().fit([[0.0], [1.0]], [0, 1]).save(models / "alone")
    code, out, errors = predict(columns, *arguments, model=model)
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert words in errors
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


@pytest.mark.parametrize("cells", [["0", "1"], ["0.5", "1.5"], ["true", "FALSE"], ["a;b", "größe"]])
def test_labels_of_each_kind(cells, predict, tmp_path):
    columns = {"a": [str(i % 7) for i in range(30)], "label": [cells[i % 7 > 2] for i in range(30)]}
    (tmp_path / "train.csv").write_text(written(columns), encoding="utf-8")
    options = ("--task", "classification", "--hidden", "none", "--save", str(tmp_path / "model"))
    assert main(["train", str(tmp_path / "train.csv"), "--label", "label", *options]) == 0
    predict(NEW)  # forgets what was printed
    _, out, errors = predict(columns, model=tmp_path / "model")
    assert "accuracy 100.0 %" in errors
    found = [row[0].lower() for row in rows_of(out)[1:]]
    assert found == [cell.lower() for cell in columns["label"]]


def test_a_failure_leaves_the_old_file(predict, tmp_path, monkeypatch):
    def fail(*_):
        raise MemoryError("no room")

    (tmp_path / "out.csv").write_text("old")
    monkeypatch.setattr("dlkernels._tables.predict._written", fail)
    code, out, errors = predict(NEW, "--out", tmp_path / "out.csv")
    assert (code, out, errors) == (2, "", "dlkernels: error: not enough memory. no room\n")
    assert (tmp_path / "out.csv").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_loaded_file_is_what_predict_uses(models):
    assert _files.load_with_header(models / "numbers")[1]["table"]["label"] == "fare"
    assert list(load(models / "numbers").named_steps) == ["preparation", "model"]
