"""Pipelines in files: the same bits as in memory; and files that are damaged or hostile."""

from __future__ import annotations

import io
import json
import tracemalloc

import numpy as np
import pandas
import polars
import pytest
from csv_tables import passengers, written
from estimator_tables import with_polars
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from dlkernels._tables import training
from dlkernels._tables.choice import Choice
from dlkernels.estimators import LogisticRegression, MLPClassifier, MLPRegressor, _files, load

pytestmark = pytest.mark.filterwarnings("ignore:.*(converge|reached)")
TABLE = passengers()
NUMBERS, TEXTS = ["age", "class", "fare"], ["port", "sex"]
#: Labels, columns of numbers and of texts, whether cells are missing, and hidden units.
CASES = {
    "network": ("survived", NUMBERS, TEXTS, True, (8, 5)),
    "logistic regression": ("survived", NUMBERS, TEXTS, True, ()),
    "three classes": ("port", NUMBERS, ["sex", "survived"], True, (8,)),
    "numbers only": ("survived", ["class", "fare"], [], False, (8,)),
    "texts only": ("survived", [], ["port", "sex"], True, (8,)),
    "nothing missing": ("sex", ["class", "fare"], ["survived"], False, (8,)),
    "regression": ("fare", ["age", "class"], TEXTS, True, (8,)),
    "linear regression": ("fare", ["class"], ["sex"], False, ()),
}
every_case = pytest.mark.parametrize("case", CASES)


def frame(columns=TABLE):
    """The table as pandas reads it."""
    return pandas.read_csv(io.StringIO(written(columns)))


def fitted(case):
    label, numbers, texts, impute, hidden = CASES[case]
    table = frame()
    table = table[table[label].notna()].reset_index(drop=True)
    task = "regression" if label == "fare" else "classification"
    settings = training.Settings(hidden, 5, 0, 3, impute)
    pipeline = training.pipeline_of(Choice(numbers, texts, [], {}, {}, []), task, settings, len(table))
    return training.fitted(
        pipeline, table, table[label].to_numpy(object if task != "regression" else float)
    ), table


def saved(case, path):
    pipeline, table = fitted(case)
    _files.write_pipeline(pipeline, CASES[case][0], path)
    return pipeline, table


def answers(pipeline, table):
    names = ("predict", "predict_proba", "predict_log_proba")
    return [getattr(pipeline, name)(table) for name in names if hasattr(pipeline, name)]


# -- there and back --------------------------------------------------------------------------------------


@every_case
def test_what_is_read_predicts_the_same_bits(case, tmp_path):
    pipeline, table = saved(case, tmp_path / "model")
    again = load(tmp_path / "model")
    assert type(again) is Pipeline
    for rows in (table, table[table.columns[::-1]], table.iloc[5:6], frame(passengers(50, seed=1))):
        if not CASES[case][3]:
            rows = rows.dropna()
        for before, after in zip(answers(pipeline, rows), answers(again, rows), strict=True):
            assert before.dtype == after.dtype
            assert np.array_equal(before, after)
    assert np.array_equal(
        again["preparation"].transform(table), pipeline["preparation"].transform(table), True
    )
    names = pipeline["preparation"].get_feature_names_out()
    assert again["preparation"].get_feature_names_out().tolist() == names.tolist()
    _files.write_pipeline(again, CASES[case][0], tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()
    assert again["preparation"].output_indices_ == pipeline["preparation"].output_indices_
    assert repr(again.set_params(model=None)) == repr(pipeline.set_params(model=None))


def test_any_float_survives_the_file(tmp_path):
    table = frame()
    table["class"] = table["class"] * 0.1 + 1e-300
    table["fare"] = np.nextafter(table["fare"].to_numpy(), np.inf) * 1e90
    pipeline, _ = fitted("numbers only")
    pipeline = clone(pipeline).fit(table, table["survived"])
    _files.write_pipeline(pipeline, "survived", tmp_path / "model")
    again = load(tmp_path / "model")
    for name in ("mean_", "scale_"):
        before, after = (
            getattr(each["preparation"].named_transformers_["numbers"], name) for each in (pipeline, again)
        )
        assert before.tobytes() == after.tobytes()
    assert np.array_equal(again.predict_proba(table), pipeline.predict_proba(table))


def test_what_is_read_can_be_fitted_anew(tmp_path):
    pipeline, table = saved("network", tmp_path / "model")
    again = load(tmp_path / "model")
    assert np.array_equal(again.predict_proba(table), pipeline.predict_proba(table))
    other = frame(passengers(200, seed=3)).replace({"port": {"Q": "new"}})
    for before, after in zip(
        answers(clone(pipeline).fit(other, other["survived"]), other),
        answers(again.fit(other, other["survived"]), other),
        strict=True,
    ):
        assert np.array_equal(before, after)


def test_texts_may_be_objects(tmp_path):
    pipeline, table = saved("network", tmp_path / "model")
    objects = table.astype(dict.fromkeys(TEXTS, object))
    assert np.array_equal(load(tmp_path / "model").predict_proba(objects), pipeline.predict_proba(table))


@with_polars
def test_frames_of_polars(tmp_path):
    pipeline, table = saved("network", tmp_path / "model")
    again = load(tmp_path / "model")
    whole = table.dropna()
    assert np.array_equal(
        again.predict_proba(polars.DataFrame(whole.to_dict("list"))), pipeline.predict_proba(whole)
    )


def test_a_text_that_training_has_not_seen_is_no_category(tmp_path):
    saved("network", tmp_path / "model")
    again = load(tmp_path / "model")
    rows = frame()[:2].assign(sex="unknown", port="X")
    names = again["preparation"].get_feature_names_out().tolist()
    features = pandas.DataFrame(again["preparation"].transform(rows), columns=names)
    assert not features[[name for name in names if name.startswith("texts__")]].to_numpy().any()
    assert again.predict(rows).shape == (2,)


def test_a_table_without_a_column_is_refused(tmp_path):
    saved("network", tmp_path / "model")
    with pytest.raises(ValueError, match=r"columns are missing.*'sex'"):
        load(tmp_path / "model").predict(frame().drop(columns="sex"))


def test_the_parameters_are_still_those_of_torch(tmp_path):
    pipeline, _ = saved("regression", tmp_path / "model")
    tensors = load_file(tmp_path / "model")
    assert list(tensors) == ["0.bias", "0.weight", "2.bias", "2.weight"]
    assert np.array_equal(tensors["0.weight"], pipeline["model"].coefs_[0].T)


def test_many_categories_take_no_more_memory_than_the_file(tmp_path):
    """Made-up rows with each text in one of them would take the square of it."""
    count = 20_000
    table = {
        "label": "y", "rows": 0, "numbers": [], "means": [], "scales": [], "medians": None,
        "texts": ["a"], "categories": [[f"{number:09}" for number in range(count)]],
    }  # fmt: skip
    model = LogisticRegression()
    model.coef_, model.intercept_, model.classes_ = np.zeros((1, count)), np.zeros(1), np.array([0, 1])
    model.n_features_in_, model.n_iter_ = count, np.array([1])
    tracemalloc.start()
    _files.write(model, tmp_path / "model", table)
    assert load(tmp_path / "model").predict(pandas.DataFrame({"a": ["000000007"]})).tolist() == [0]
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_what_can_not_be_read_is_not_written(tmp_path):
    pipeline, _ = fitted("network")
    pipeline["preparation"].named_transformers_["numbers"]["scale"].scale_[0] = np.inf
    with pytest.raises(ValueError, match=r"MLPClassifier.save: scales of its table must be 3 finite numbers"):
        _files.write_pipeline(pipeline, "survived", tmp_path / "model")
    with pytest.raises(ValueError, match="the names in its table must be different"):
        _files.write_pipeline(fitted("network")[0], "sex", tmp_path / "model")
    assert not list(tmp_path.iterdir())


# -- files of others -------------------------------------------------------------------------------------


def field(name, value):
    return lambda header: header["table"].__setitem__(name, value)


def within(name, position, value):
    return lambda header: header["table"][name].__setitem__(position, value)


def header_field(name, value):
    return lambda header: header.__setitem__(name, value)


FEATURES = 3 + 4 + 2
HOSTILE = [
    (header_field("table", []), "table must be dict or NoneType"),
    (header_field("table", {}), r"its table has unknown names \[\] and lacks \['categories'"),
    (lambda header: header["table"].pop("means"), r"lacks \['means'\]"),
    (field("hack", 1), r"unknown names \['hack'\]"),
    (header_field("feature_names_in_", ["a"] * FEATURES), "no feature_names_in_ of its own"),
    (field("label", 1), "label of its table must be str"),
    (field("label", ""), "names in its table must be different strings"),
    (field("label", "sex"), "names in its table must be different strings"),
    (field("rows", -1), "rows of its table must be between"),
    (field("rows", 10**400), "rows of its table must be between"),
    (field("rows", True), "rows of its table must be int"),
    (field("numbers", "age"), "numbers of its table must be list"),
    (field("numbers", ["age", "class"]), "means of its table must be 2 finite numbers"),
    (within("numbers", 0, "fare"), "names in its table must be different strings"),
    (within("numbers", 0, "sex"), "names in its table must be different strings"),
    (within("numbers", 0, 7), "names in its table must be different strings"),
    (within("numbers", 0, ["age"]), "names in its table must be different strings"),
    (within("means", 0, float("nan")), "means of its table must be 3 finite numbers"),
    (within("numbers", 0, "\0"), "names in its table must be different strings"),
    (within("means", 0, 1e300), "means of its table must be 3 finite numbers below 1e"),
    (within("scales", 0, 5e-324), "scales of its table must be positive"),
    (within("means", 0, "1"), "means of its table must be 3 finite numbers"),
    (within("means", 0, 10**400), "means of its table must be 3 finite numbers"),
    (within("means", 0, None), "means of its table must be 3 finite numbers"),
    (field("means", [0.0] * 4), "means of its table must be 3 finite numbers"),
    (field("scales", [1.0]), "scales of its table must be 3 finite numbers"),
    (within("scales", 1, 0.0), "scales of its table must be positive"),
    (within("scales", 1, -1.0), "scales of its table must be positive"),
    (within("scales", 1, float("nan")), "scales of its table must be 3 finite numbers"),
    (within("scales", 1, float("inf")), "scales of its table must be 3 finite numbers"),
    (field("medians", []), "medians of its table must be 3 finite numbers"),
    (within("medians", 2, float("nan")), "medians of its table must be 3 finite numbers"),
    (field("texts", ["sex"]), "names in its table|columns of texts, but categories of 2"),
    (field("texts", ["sex", "sex"]), "names in its table must be different strings"),
    (field("categories", [["male"]]), "2 columns of texts, but categories of 1"),
    (field("categories", {}), "categories of its table must be list"),
    (within("categories", 1, "female"), "the categories of 'sex' must be different and sorted"),
    (within("categories", 1, []), "the categories of 'sex' must be different and sorted"),
    (within("categories", 1, ["male", "female"]), "the categories of 'sex' must be different and sorted"),
    (within("categories", 1, ["male", "male"]), "the categories of 'sex' must be different and sorted"),
    (within("categories", 1, [None, "male"]), "the categories of 'sex' must be different and sorted"),
    (within("categories", 1, ["male", 1]), "the categories of 'sex' must be different and sorted"),
    (within("categories", 1, [{}, []]), "the categories of 'sex' must be different and sorted"),
    (
        within("categories", 1, ["female"]),
        f"become {FEATURES - 1} features, but '0.weight' is made for {FEATURES}",
    ),
    (within("categories", 1, ["a", "b", "c"]), f"become {FEATURES + 1} features, but"),
]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "network"
    with pytest.warns(match="reached"):
        saved("network", path)
    with safe_open(path, "numpy") as file:
        return file.metadata()["dlkernels"], load_file(path)


@pytest.mark.parametrize(("change", "message"), HOSTILE)
def test_what_does_not_fit_is_refused(change, message, network, tmp_path):
    header, tensors = json.loads(network[0]), network[1]
    change(header)
    save_file(tensors, tmp_path / "model", {"dlkernels": json.dumps(header)})
    with pytest.raises(ValueError, match=f"load: .*model: .*({message})") as caught:
        load(tmp_path / "model")
    assert len(str(caught.value)) < 1500


def test_the_header_is_plain_data(network):
    """What the file says of a table, so that a change of the format is noticed."""
    table = json.loads(network[0])["table"]
    assert list(table) == ["label", "rows", "numbers", "means", "scales", "medians", "texts", "categories"]
    assert table["categories"] == [["C", "Q", "S", None], ["female", "male"]]
    assert (table["label"], table["rows"], table["numbers"]) == ("survived", 300, NUMBERS)
    ages = frame()["age"]
    assert table["medians"][0] == ages.median()
    assert table["means"][0] == pytest.approx(ages.fillna(ages.median()).mean())


def test_an_estimator_alone_has_no_table(tmp_path):
    LogisticRegression().fit([[0.0], [1.0]], [0, 1]).save(tmp_path / "model")
    assert _files.load_with_header(tmp_path / "model")[1]["table"] is None


def test_a_regression_of_two_numbers_has_no_table(tmp_path):
    model = MLPRegressor(hidden_layer_sizes=(), max_iter=1).fit([[0.0], [1.0]], [[0.0, 1.0], [1.0, 2.0]])
    table = {
        "label": "y", "rows": 2, "numbers": ["a"], "means": [0.0], "scales": [1.0], "medians": None,
        "texts": [], "categories": [],
    }  # fmt: skip
    with pytest.raises(ValueError, match="has one label"):
        _files.write(model, tmp_path / "model", table)
    several = MLPClassifier((), max_iter=1).fit([[0.0], [1.0]], [[0, 1], [1, 1]])
    with pytest.raises(ValueError, match="has one label"):
        _files.write(several, tmp_path / "model", table)
