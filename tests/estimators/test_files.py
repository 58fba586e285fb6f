"""Estimators written to files and read again; and files that are damaged, foreign or hostile."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pandas
import pytest
from estimator_tables import counts, several_labels, table
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from dlkernels import catalogue
from dlkernels.estimators import LogisticRegression, MLPClassifier, MLPRegressor, load

pytestmark = pytest.mark.filterwarnings("ignore:.*(converge|reached)")
X, Y = table("wine")
WORDS = np.array(["red", "white", "rosé"])[Y]
FEW = {"max_iter": 3, "random_state": 0}
CASES = {
    "two classes": (LogisticRegression(C=np.inf), X, WORDS == "red"),
    "three classes": (LogisticRegression(class_weight={"red": 2.0}), X, WORDS),
    "without intercept": (LogisticRegression(fit_intercept=False, C=np.float32(0.5)), X, Y),
    "network of two classes": (MLPClassifier((8,), **FEW), X, (Y > 0).astype(np.int8)),
    "network": (MLPClassifier([8, 5], ("gelu", "leaky_relu"), class_weight={0: 2, 1: 0.5}, **FEW), X, Y),
    "network of words": (
        MLPClassifier(np.array([4]), n_iter_no_change=np.inf, **FEW),
        X,
        WORDS.astype(object),
    ),
    "linear network": (MLPClassifier((), **FEW), X, Y.astype(np.float32)),
    "one class": (MLPClassifier((3,), **FEW), X, np.zeros(len(X), np.uint64)),
    "several labels": (MLPClassifier((6,), **FEW), *several_labels()),
    "numbers": (MLPRegressor(hidden_layer_sizes=7, **FEW), X, Y),
    "several numbers": (MLPRegressor(hidden_layer_sizes=(7, 4), **FEW), X, X[:, :3]),
    "counts": (MLPRegressor("poisson", (5,), alpha=0, **FEW), *counts()),
}
every_case = pytest.mark.parametrize("case", CASES)


def fitted(case, dtype=np.float64):
    model, table_of, labels = CASES[case]
    return clone(model).fit(table_of.astype(dtype), labels), table_of.astype(dtype)


def answers(model, rows):
    return [getattr(model, name)(rows) for name in ("predict", "predict_proba") if hasattr(model, name)]


# -- there and back --------------------------------------------------------------------------------------


@every_case
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_is_read_predicts_the_same_bits(case, dtype, tmp_path):
    model, rows = fitted(case, dtype)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert type(again) is type(model)
    for before, after in zip(answers(model, rows), answers(again, rows), strict=True):
        assert before.dtype == after.dtype
        assert np.array_equal(before, after)
    kept = {
        "classes_",
        "n_features_in_",
        "n_iter_",
        "t_",
        "loss_",
        "n_layers_",
        "n_outputs_",
        "out_activation_",
    }
    for name in kept & set(vars(model)):
        assert np.array_equal(getattr(again, name), getattr(model, name)), name
    for name, value in model.get_params().items():
        found = again.get_params()[name]
        assert found == (tuple(value) if isinstance(value, list | np.ndarray) else value), name
    again.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["again", "model"]


@pytest.mark.parametrize("case", ["three classes", "network", "numbers"])
def test_names_of_features_are_kept(case, tmp_path):
    model, _, labels = CASES[case]
    frame = pandas.DataFrame(X, columns=[f"säule {i}" for i in range(X.shape[1])])
    clone(model).fit(frame, labels).save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert list(again.feature_names_in_) == list(frame)
    with pytest.raises(ValueError, match="feature names"):
        again.predict(frame[list(frame)[::-1]])


def test_partial_fit_and_warm_start_go_on(tmp_path):
    """Plain descent has no averages, so that nothing of its state is missing in the file."""
    model = MLPClassifier((6,), solver="sgd", momentum=0, **FEW).fit(X, WORDS)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    first = again.coefs_[0].copy()
    for _ in range(2):
        model.partial_fit(X, WORDS)
        again.partial_fit(X, WORDS)
    assert not np.array_equal(again.coefs_[0], first)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.t_ == model.t_
    search = LogisticRegression(warm_start=True).fit(X, Y)
    search.save(tmp_path / "model")
    assert load(tmp_path / "model").fit(X, Y).n_iter_ < 3 < search.n_iter_
    stopped = MLPRegressor(early_stopping=True, warm_start=True, **FEW).fit(X, Y)
    stopped.save(tmp_path / "model")
    assert len(load(tmp_path / "model").fit(X, Y).validation_scores_) == 3


def test_the_tensors_are_those_of_torch_layers(tmp_path):
    """W (n_out, n_in), and numbers that step over the activations. Computed here as PyTorch would."""
    model = MLPRegressor(hidden_layer_sizes=(8, 5), activation="relu", **FEW).fit(X, Y)
    model.save(tmp_path / "model")
    tensors = load_file(tmp_path / "model")
    assert sorted(tensors) == ["0.bias", "0.weight", "2.bias", "2.weight", "4.bias", "4.weight"]
    A = X
    for number in (0, 2, 4):
        A = A @ tensors[f"{number}.weight"].T + tensors[f"{number}.bias"]
        A = np.maximum(A, 0) if number < 4 else A
    assert np.allclose(A[:, 0], model.predict(X), rtol=1e-12)


def test_torch_takes_the_file(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file as load_torch

    model = MLPRegressor(hidden_layer_sizes=(8,), activation="tanh", **FEW).fit(X, Y)
    model.save(tmp_path / "model")
    nn = torch.nn
    network = nn.Sequential(nn.Linear(X.shape[1], 8), nn.Tanh(), nn.Linear(8, 1)).double()
    network.load_state_dict(load_torch(tmp_path / "model"))
    assert np.allclose(network(torch.from_numpy(X)).detach().numpy()[:, 0], model.predict(X), rtol=1e-12)


def test_weights_set_by_hand_and_not_finite_are_kept(tmp_path):
    model, _ = fitted("network of two classes")
    model.coefs_ = [np.full((2, 3), np.nan), np.ones((3, 1), int)]
    model.intercepts_ = [np.array([0, np.inf, 1]), np.zeros(1)]
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.n_features_in_ == 2
    assert np.array_equal(again.coefs_[0], model.coefs_[0], equal_nan=True)
    assert np.array_equal(again.intercepts_[0], model.intercepts_[0])


# -- what can't be saved ---------------------------------------------------------------------------------


class Own(LogisticRegression):
    pass


def test_what_can_not_be_saved_leaves_the_old_file(tmp_path):
    path = tmp_path / "model"
    path.write_text("old")
    with pytest.raises(NotFittedError):
        MLPClassifier().save(path)
    with pytest.raises(
        ValueError, match=r"MLPRegressor.save: random_state=RandomState.*set_params\(random_state"
    ):
        MLPRegressor(max_iter=1, random_state=np.random.RandomState(0)).fit(X, Y).save(path)
    with pytest.raises(ValueError, match=r"Own.save: a class of your own"):
        Own().fit(X, Y).save(path)
    with pytest.raises(ValueError, match=r"LogisticRegression.save: .*'C'"):
        LogisticRegression().fit(X, Y).set_params(C=-1).save(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.parametrize("broken", ["replace", "fsync"])
def test_a_failure_leaves_the_old_file(broken, tmp_path, monkeypatch):
    model, rows = fitted("numbers")
    path = tmp_path / "model"
    model.save(path)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError, match="disk full"):
        fitted("three classes")[0].save(path)
    assert os.listdir(tmp_path) == ["model"]
    assert np.array_equal(load(path).predict(rows), model.predict(rows))


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither")
def test_links_and_permissions_are_those_of_any_file(tmp_path):
    path, link = tmp_path / "model", tmp_path / "link"
    link.symlink_to(path)
    fitted("numbers")[0].save(link)
    assert link.is_symlink()
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


# -- files of others -------------------------------------------------------------------------------------


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        load(tmp_path / "nothing")
    with pytest.raises(OSError, match=tmp_path.name):
        load(tmp_path)


@pytest.mark.parametrize("method", ["save", "to_onnx"])
def test_a_missing_folder_is_named(method, tmp_path):
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(FileNotFoundError, match=r"there is no such folder: '.*nowhere'$"):
        getattr(model, method)(tmp_path / "nowhere" / "file")


def test_each_truncated_file_is_refused(tmp_path):
    path = tmp_path / "model"
    fitted("network")[0].save(path)
    whole = path.read_bytes()
    for length in [*range(0, 40), *range(40, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"load: .*model: this is no safetensors file, or it is damaged"):
            load(path)


class Runs:
    def __reduce__(self):
        return os.abort, ()


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(Runs()),
        b"PK\x03\x04" + bytes(100),
        (2**63).to_bytes(8, "little") + b"{}",
        (2**27).to_bytes(8, "little") + b"{" * 100,
        (10**6).to_bytes(8, "little") + b"[" * 10**6,
        b"\x02\x00\x00\x00\x00\x00\x00\x00\xff\xfe",
    ],
    ids=["pickle", "zip", "huge header", "large header", "nested header", "no UTF-8"],
)
def test_files_of_other_kinds_are_refused(data, tmp_path):
    (tmp_path / "model").write_bytes(data)
    with pytest.raises(ValueError, match="model: this is no safetensors file, or it is damaged"):
        load(tmp_path / "model")


def test_safetensors_of_others_are_refused(tmp_path):
    for metadata in (None, {"format": "pt"}):
        save_file({"0.weight": X}, tmp_path / "model", metadata)
        with pytest.raises(ValueError, match="model: its header has no entry 'dlkernels'"):
            load(tmp_path / "model")


def setting(name, value):
    return lambda header, tensors: header["settings"].__setitem__(name, value)


def field(name, value):
    return lambda header, tensors: header.__setitem__(name, value)


def labels(dtype, values):
    return field("classes_", {"dtype": dtype, "values": values})


def tensor(name, value):
    return lambda header, tensors: tensors.__setitem__(name, value)


def without(name):
    return lambda header, tensors: (tensors if name[0].isdigit() else header).pop(name)


N = X.shape[1]
HOSTILE = [
    (field("format", "other"), "must be a JSON object with format"),
    (field("version", 2), "its version is 2, but this dlkernels reads version 1"),
    (field("version", True), "version must be int, but is True"),
    (field("version", None), "its version is None"),
    (field("estimator", "os.system"), "there is no estimator 'os.system'"),
    (field("estimator", ["MLPClassifier"]), "estimator must be str"),
    (field("estimator", "LogisticRegression"), "unknown names .*activation"),
    (field("extra", 1), r"unknown names \['extra'\]"),
    (without("output"), r"lacks \['output'\]"),
    (field("settings", []), "settings must be dict"),
    (setting("hack", 1), r"unknown names \['hack'\]"),
    (setting("alpha", -1), "'alpha'"),
    (setting("alpha", "x" * 10**6), "'alpha'"),
    (setting("hidden_layer_sizes", ["8"]), "'<=' not supported|hidden_layer_sizes"),
    (setting("hidden_layer_sizes", [-8]), "hidden_layer_sizes must be > 0"),
    (setting("activation", "__import__"), "'activation'"),
    (setting("activation", ["relu"]), "activation"),
    (setting("activation", ["relu", "eval"]), "eval"),
    (setting("activation", [{"pairs": []}, 1]), "activation"),
    (setting("class_weight", {"red": 1}), "class_weight must be a setting or pairs"),
    (setting("class_weight", {"pairs": [["red", "x"]]}), "class_weight must be a setting or pairs"),
    (setting("class_weight", {"pairs": [[{}, 1]]}), "class_weight must be a setting or pairs"),
    (field("n_features_in_", N + 1), f"n_features_in_ is {N + 1}, but '0.weight' is made for {N}"),
    (field("n_features_in_", float(N)), "n_features_in_ must be int"),
    (field("feature_names_in_", ["a"]), f"feature_names_in_ must be {N} strings"),
    (field("feature_names_in_", [1] * N), f"feature_names_in_ must be {N} strings"),
    (field("classes_", None), "0 classes"),
    (labels("int64", [0, 1]), "2 classes"),
    (labels("int64", [0, 1, 2, 3]), "4 classes"),
    (labels("int64", [0, 2, 1]), "must be different and sorted"),
    (labels("int64", [0, 1, 1]), "must be different and sorted"),
    (labels("int64", [0, 1, "2"]), "must be a list of int64"),
    (labels("int64", [False, 1, 2]), "must be a list of int64"),
    (labels("int8", [0, 1, 200]), "don't fit into int8"),
    (labels("float32", [0.0, 1.0, 1e300]), "don't fit into float32"),
    (labels("float64", [0.0, 1.0, float("nan")]), "don't fit into float64"),
    (labels("U1000000000", ["a", "b", "c"]), "can't have dtype 'U1000000000'"),
    (labels(["i8"], [0, 1, 2]), "can't have dtype"),
    (labels("object", [{}, 1, 2]), "must be a list of object"),
    (labels("int64", 3), "must be a list"),
    (field("classes_", {"dtype": "int64"}), r"classes_ .*lacks \['values'\]"),
    (field("multilabel", True), "3 labels that may be true together and 3 outputs of 'softmax'"),
    (field("output", "sigmoid"), "can't have 3 classes and 3 outputs of 'sigmoid'"),
    (field("output", "exp"), "can't have 3 classes and 3 outputs of 'exp'"),
    (field("t_", -1), "t_ must be between"),
    (field("n_iter_", 10**100), "n_iter_ must be between"),
    (field("loss_", "1"), "loss_ must be float or int or NoneType"),
    (without("0.bias"), "its tensors must be '0.weight', '0.bias'"),
    (without("2.weight"), "its tensors must be '0.weight', '0.bias'"),
    (tensor("6.weight", X), "its tensors must be '0.weight', '0.bias'"),
    (tensor("2.weight", np.ones((5, 9))), r"'2.weight' has shape \(5, 9\) .* for 8 inputs"),
    (tensor("2.weight", np.ones((6, 8))), r"'2.weight' has shape \(6, 8\) and its bias \(5,\)"),
    (tensor("0.weight", np.ones(8)), r"'0.weight' has shape \(8,\)"),
    (tensor("0.weight", np.array(1.0)), r"'0.weight' has shape \(\)"),
    (tensor("0.weight", np.ones((8, 0))), r"'0.weight' has shape \(8, 0\)"),
    (tensor("4.bias", np.ones((3, 1))), r"'4.weight' has shape \(3, 5\) and its bias \(3, 1\)"),
    (tensor("4.bias", np.ones(3, np.float32)), "one dtype"),
    (tensor("4.bias", np.ones(3, np.int64)), "'4.bias' has dtype I64, but must have F32 or F64"),
    (tensor("4.bias", np.ones(3, np.float16)), "'4.bias' has dtype F16"),
]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "network"
    fitted("network")[0].save(path)
    with safe_open(path, "numpy") as file:
        return file.metadata()["dlkernels"], load_file(path)


@pytest.mark.parametrize(("change", "message"), HOSTILE)
def test_what_does_not_fit_is_refused(change, message, network, tmp_path):
    header, tensors = json.loads(network[0]), dict(network[1])
    change(header, tensors)
    save_file(tensors, tmp_path / "model", {"dlkernels": json.dumps(header)})
    with pytest.raises(ValueError, match=f"load: .*model: .*({message})") as caught:
        load(tmp_path / "model")
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "null", "[" * 10**5, "9" * 5000, '{"a": 1} x'])
def test_a_header_that_is_no_json_object_is_refused(text, network, tmp_path):
    save_file(network[1], tmp_path / "model", {"dlkernels": text})
    with pytest.raises(ValueError, match=r"load: .*model: its header (is not JSON|must be|is nested)"):
        load(tmp_path / "model")


# -- ONNX ------------------------------------------------------------------------------------------------


def by_onnx(path, rows):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": rows}), strict=True))


@every_case
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_onnx_predicts_the_same(case, dtype, tmp_path):
    model, rows = fitted(case, dtype)
    model.to_onnx(tmp_path / "model.onnx")
    found = by_onnx(tmp_path / "model.onnx", rows)
    close = {"rtol": 1e-4, "atol": 1e-5} if dtype == np.float32 or case == "network" else {"rtol": 1e-11}
    if "variable" in found:
        wanted = model.predict(rows)
        assert found["variable"].dtype == dtype
        assert np.allclose(found["variable"].reshape(wanted.shape), wanted, **close)
        return
    assert found["probabilities"].dtype == dtype
    assert np.allclose(found["probabilities"], model.predict_proba(rows), **close)
    assert np.array_equal(found["label"], model.predict(rows))
    assert found["label"].dtype.kind in "ifO"


@pytest.mark.parametrize("name", catalogue.ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_onnx_has_every_activation(name, dtype, tmp_path):
    """Two hidden layers that hand on what they get, so that the activation meets large and small numbers."""
    model = MLPRegressor(hidden_layer_sizes=(1, 1), activation=(name, "identity"), **FEW)
    model.fit(X[:, :1].astype(dtype), X[:, 0])
    model.coefs_ = [np.ones((1, 1), dtype)] * 3
    model.intercepts_ = [np.zeros(1, dtype)] * 3
    rows = np.array([-800, -30, -3, -1, -1e-3, 0, 1e-3, 0.5, 2, 40, 900], dtype).reshape(-1, 1)
    model.to_onnx(tmp_path / "model.onnx")
    found = by_onnx(tmp_path / "model.onnx", rows)["variable"][:, 0]
    close = 1e-6 if dtype == np.float32 or name == "gelu" else 1e-14
    assert np.allclose(found, model.predict(rows), rtol=close, atol=close)


def test_onnx_decides_as_predict_does_where_probabilities_tie(tmp_path):
    """A score of 1e-20 is a probability of 0.5, and class 1 for a regression but class 0 for a network."""
    models = [LogisticRegression().fit(X[:, :1], Y > 0), MLPClassifier((), **FEW).fit(X[:, :1], Y > 0)]
    models[0].coef_, models[0].intercept_ = np.ones((1, 1)), np.zeros(1)
    models[1].coefs_, models[1].intercepts_ = [np.ones((1, 1))], [np.zeros(1)]
    rows = np.array([[-1.0], [0.0], [1e-20], [1.0]])
    for model, wanted in zip(models, ([0, 0, 1, 1], [0, 0, 0, 1]), strict=True):
        model.to_onnx(tmp_path / "model.onnx")
        assert list(by_onnx(tmp_path / "model.onnx", rows)["label"]) == wanted == list(model.predict(rows))


def test_what_can_not_become_onnx(tmp_path):
    with pytest.raises(NotFittedError):
        MLPRegressor().to_onnx(tmp_path / "model.onnx")
    large = LogisticRegression().fit([[0.0], [1.0]], np.array([0, 2**63], np.uint64))
    with pytest.raises(ValueError, match="to_onnx: labels must fit into int64"):
        large.to_onnx(tmp_path / "model.onnx")
    assert not os.listdir(tmp_path)


# -- without the libraries -------------------------------------------------------------------------------


def test_without_the_libraries_the_errors_name_the_extras(tmp_path):
    code = (
        "import importlib.abc, sys\n"
        "class Without(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name in ('safetensors', 'onnx'): raise ModuleNotFoundError(name=name)\n"
        "sys.meta_path.insert(0, Without())\n"
        "from dlkernels import extras\n"
        "from dlkernels.estimators import LogisticRegression, load\n"
        "model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])\n"
        "for call in (model.save, load, model.to_onnx):\n"
        "    try: call('file')\n"
        "    except extras.MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=tmp_path
    )
    lines = done.stdout.splitlines()
    assert lines == [
        'LogisticRegression.save needs safetensors: python -m pip install "dlkernels[io]"',
        'load needs safetensors: python -m pip install "dlkernels[io]"',
        'LogisticRegression.to_onnx needs onnx: python -m pip install "dlkernels[onnx]"',
    ], done.stderr
    assert not os.listdir(tmp_path)
