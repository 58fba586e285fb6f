"""Data sets, files of every kind, and the helpers that turn arrays into columns."""

from __future__ import annotations

import os
import pickle
import sys

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dlkernels import data
from dlkernels.data import DataError


class Bomb:
    """What a malicious file would hold: unpickling it makes a directory."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


# -- columns -----------------------------------------------------------------------------------------


def test_rows_to_columns_puts_each_row_into_a_column():
    rows = np.arange(6).reshape(3, 2)
    columns = data.rows_to_columns(rows)
    assert columns.dtype == np.float64
    assert columns.flags.c_contiguous
    assert not np.shares_memory(columns, rows)
    assert_array_equal(columns, [[0, 2, 4], [1, 3, 5]])
    assert data.rows_to_columns(rows.astype(np.float32)).dtype == np.float32


def test_rows_to_columns_copies_even_where_the_transpose_is_in_order_already():
    rows = np.zeros((3, 2), order="F")
    assert not np.shares_memory(data.rows_to_columns(rows), rows)


@pytest.mark.parametrize(
    ("shape", "words"),
    [((5,), "reshape(1, -1)"), ((2, 3, 4), "(m, n_x)"), ((2, 4, 4, 3), "images_to_columns")],
)
def test_rows_to_columns_says_which_shape_came(shape, words):
    with pytest.raises(DataError) as caught:
        data.rows_to_columns(np.zeros(shape))
    assert str(shape) in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("helper", [data.rows_to_columns, data.images_to_columns, data.standardize])
@pytest.mark.parametrize("dtype", [complex, object, "U3", np.float16])
def test_helpers_take_real_numbers_only(helper, dtype):
    with pytest.raises(TypeError, match="dtype"):
        helper(np.zeros((2, 2, 2, 2), dtype))


def test_images_to_columns_keeps_each_image_together():
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 3, 2), dtype=np.uint8)
    columns = data.images_to_columns(images)
    assert columns.shape == (24, 5)
    assert columns.flags.c_contiguous
    for i, image in enumerate(images):
        assert_array_equal(columns[:, i], image.ravel() * (1 / 255))
    # The mistake of the notes has the same shape and other columns.
    scrambled = images.reshape(24, 5) * (1 / 255)
    assert scrambled.shape == columns.shape
    assert not (scrambled == columns).all()


def test_images_to_columns_scales_as_told():
    images = np.full((2, 1, 1, 1), 7, np.uint8)
    assert_array_equal(data.images_to_columns(images, scale=1), [[7, 7]])
    floats = np.full((2, 1, 1, 1), 0.5, np.float32)
    assert data.images_to_columns(floats, scale=1).dtype == np.float32


def test_images_that_are_scaled_already_are_refused():
    with pytest.raises(DataError, match="scale=1"):
        data.images_to_columns(np.full((2, 1, 1, 1), 0.5))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((10, 8, 8), "[..., np.newaxis]"),
        ((10, 64), "rows_to_columns"),
        ((7,), "(m, height, width, channels)"),
    ],
)
def test_images_to_columns_says_which_shape_came(shape, words):
    with pytest.raises(DataError) as caught:
        data.images_to_columns(np.zeros(shape))
    assert str(shape) in str(caught.value)
    assert words in str(caught.value)


def test_standardize_uses_the_training_examples_alone():
    random = np.random.default_rng(1)
    X_train, X_test = random.normal(3, 5, (4, 50)), random.normal(3, 5, (4, 20))
    before = X_train.copy()
    train, test = data.standardize(X_train, X_test)
    np.testing.assert_allclose(train.mean(axis=1), 0, atol=1e-14)
    np.testing.assert_allclose(train.std(axis=1), 1)
    np.testing.assert_allclose(test, (X_test - before.mean(1, keepdims=True)) / before.std(1, keepdims=True))
    assert_array_equal(X_train, before)
    assert_array_equal(data.standardize(X_train), train)
    assert data.standardize(X_train.astype(np.float32)).dtype == np.float32


def test_standardize_leaves_a_constant_feature_at_zero():
    X = np.vstack([np.full(13, 0.1), np.arange(13.0)])
    assert X.std(axis=1)[0] != 0  # the rounded mean of these is not 0.1
    train, test = data.standardize(X, X + 1)
    assert_array_equal(train[0], 0)
    np.testing.assert_allclose(test[0], 1)


@pytest.mark.parametrize(
    ("shapes", "words"), [(((3,),), "(n_x, m)"), (((3, 0),), "(3, 0)"), (((3, 4), (2, 4)), "(2, 4)")]
)
def test_standardize_says_which_shape_came(shapes, words):
    with pytest.raises(DataError) as caught:
        data.standardize(*(np.zeros(shape) for shape in shapes))
    assert words in str(caught.value)


def test_split_is_stratified_seeded_and_loses_nothing():
    m = 100
    X = np.arange(2 * m, dtype=float).reshape(2, m)
    Y = (np.arange(m) % 5 == 0).astype(float).reshape(1, m)
    X_train, Y_train, X_test, Y_test = data.train_test_split(X, Y, 0.3)
    assert Y_test.shape == (1, 30)
    assert Y_test.sum() == 6  # 30 % of 20
    assert sorted([*X_train[0], *X_test[0]]) == sorted(X[0])
    for X_part, Y_part in ((X_train, Y_train), (X_test, Y_test)):
        assert_array_equal(X_part[1] - X_part[0], m)  # columns stay whole
        assert_array_equal(Y_part[0], X_part[0] % 5 == 0)  # and keep their label
    assert_array_equal(data.train_test_split(X, Y, 0.3)[2], X_test)
    assert not (data.train_test_split(X, Y, 0.3, seed=1)[2] == X_test).all()


def test_split_holds_out_a_share_of_each_class():
    Y = np.arange(100).reshape(1, 100) % 7 % 4
    _, Y_train, _, Y_test = data.train_test_split(np.zeros((1, 100)), Y, 0.25)
    every = np.bincount(Y[0])
    np.testing.assert_array_equal(np.bincount(Y_test[0].astype(int)), np.floor(every / 4 + 0.5))
    assert Y_train.shape[1] + Y_test.shape[1] == 100


def test_split_keeps_an_example_of_each_label_for_training():
    _, Y_train, _, Y_test = data.train_test_split(np.zeros((1, 11)), [[1] + [0] * 10], 0.9)
    assert Y_train.sum() == 1
    assert Y_test.shape == (1, 9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.zeros((1, 2)), [[0, 1]]), "too few"),
        ((np.zeros((1, 4)), [[0, 1, 0, 1]], 0), "between 0 and 1"),
        ((np.zeros((1, 4)), [[0, 1, 0, 1]], 1.5), "between 0 and 1"),
        ((np.zeros((1, 4)), [[0, 1, 0, 3]]), "0 and 1 only"),
        ((np.zeros((1, 4)), [[0, 1, 0, 1.5]]), "0 and 1 only"),
        ((np.zeros((1, 4)), [[1, 2, 1, 2]]), "0 and 1 only"),
        ((np.zeros((1, 4)), [[0, 1, 0]]), "(1, 3)"),
        ((np.zeros((1, 4)), [0, 1, 0, 1]), "reshape(1, -1)"),
    ],
)
def test_split_refuses(arguments, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the words are compared below)
        data.train_test_split(*arguments)
    assert words in str(caught.value)


# -- by name -----------------------------------------------------------------------------------------


def test_flower_is_the_one_of_the_course():
    flower = data.flower()
    R = np.random.RandomState(1)
    X, Y = np.zeros((400, 2)), np.zeros((400, 1))
    for j in range(2):
        ix = range(200 * j, 200 * (j + 1))
        t = np.linspace(j * 3.12, (j + 1) * 3.12, 200) + R.randn(200) * 0.2
        r = 4 * np.sin(4 * t) + R.randn(200) * 0.2
        X[ix] = np.c_[r * np.sin(t), r * np.cos(t)]
        Y[ix] = j
    assert_array_equal(flower.X_train, X.T)
    assert_array_equal(flower.Y_train, Y.T)
    assert_array_equal(flower.X_test, data.flower(seed=2).X_train)
    assert "seed 2" in flower.description


def test_flower_sizes():
    assert data.flower(10).X_train.shape == (2, 10)
    with pytest.raises(DataError, match="even"):
        data.flower(401)


@pytest.mark.parametrize(("name", "n_x", "m"), [("breast_cancer", 30, 569), ("digits", 64, 1797)])
def test_data_sets_of_scikit_learn(name, n_x, m):
    found = data.load(name)
    assert found.name == name
    assert found.X_train.shape[0] == found.X_test.shape[0] == n_x == len(found.feature_names)
    assert found.X_train.shape[1] + found.X_test.shape[1] == m
    assert found.X_test.shape[1] == pytest.approx(0.2 * m, abs=1)
    assert found.Y_test.mean() == pytest.approx(found.Y_train.mean(), abs=0.01)
    np.testing.assert_allclose(found.X_train.mean(axis=1), 0, atol=1e-12)
    assert set(np.unique(found.Y_train)) == {0, 1}
    for array in (found.X_train, found.Y_train, found.X_test, found.Y_test):
        assert array.dtype == np.float64


def test_digits_choose_the_digit():
    from sklearn.datasets import load_digits

    found = data.digits(positive=7)
    assert found.Y_train.sum() + found.Y_test.sum() == (load_digits().target == 7).sum()
    with pytest.raises(DataError, match="0 to 9"):
        data.digits(positive=10)
    ten = data.digits(positive=None)
    np.testing.assert_array_equal(
        np.bincount([*ten.Y_train[0].astype(int), *ten.Y_test[0].astype(int)]),
        np.bincount(load_digits().target),
    )


def test_unknown_name():
    with pytest.raises(DataError, match=r"digits, or a .* in \.npz, \.csv, \.h5 or \.hdf5"):
        data.load("mnist")


@pytest.mark.parametrize(
    ("module", "call"), [("sklearn", data.breast_cancer), ("h5py", lambda: data.load_h5("x"))]
)
def test_a_missing_package_is_named_with_its_extra(monkeypatch, module, call):
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name.partition(".")[0] == module:
                raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    with pytest.raises(ImportError, match=r"dlkernels\[compare\]"):
        call()


# -- .npz --------------------------------------------------------------------------------------------

X = np.arange(20.0).reshape(2, 10)
Y = np.array([[0, 1] * 5])


def test_npz_round_trip(tmp_path):
    path = tmp_path / "points.npz"
    np.savez(path, X=X, Y=Y, feature_names=["a", "b"])
    found = data.load(path)
    expected = data.train_test_split(X, Y)
    for got, want in zip((found.X_train, found.Y_train, found.X_test, found.Y_test), expected, strict=True):
        assert_array_equal(got, want)
    assert found.feature_names == ("a", "b")
    assert found.name == "points"
    other = data.load_npz(path, test_fraction=0.4, seed=3)
    assert_array_equal(other.X_test, data.train_test_split(X, Y, 0.4, 3)[2])


def test_npz_that_is_split_already(tmp_path):
    path = tmp_path / "points.npz"
    np.savez(path, X_train=X.astype(np.float32), Y_train=Y, X_test=X[:, :3] + 1, Y_test=Y[:, :3])
    found = data.load_npz(path)
    assert_array_equal(found.X_train, X)
    assert_array_equal(found.X_test, X[:, :3] + 1)
    assert_array_equal(found.Y_test, Y[:, :3])
    assert found.X_train.dtype == np.float64
    assert found.feature_names == ("x1", "x2")


NAN = X.copy()
NAN[1, 7] = np.nan


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"X": X}, "expected the arrays X and Y"),
        ({"A": X}, "the file holds A"),
        ({"X": X.T, "Y": Y}, "save X.T (X (10, 2), Y (1, 10))"),
        ({"X": X.T, "Y": Y[0]}, "save X.T and Y.reshape(1, -1)"),
        ({"X": X, "Y": Y[0]}, "Y.reshape(1, -1)"),
        ({"X": X, "Y": Y[:, :9]}, "(1, 9)"),
        ({"X": X[0], "Y": Y}, "X.reshape(1, -1)"),
        ({"X": np.zeros((10, 2, 2, 3)), "Y": Y}, "images_to_columns"),
        ({"X": NAN, "Y": Y}, "X[1, 7] = nan"),
        ({"X": X, "Y": Y + 1}, "0 and 1 only"),
        ({"X": X, "Y": np.full((1, 10), np.inf)}, "Y must hold finite"),
        ({"X": X + 1j, "Y": Y}, "complex"),
        ({"X": X, "Y": Y.astype(str)}, "<U"),
        ({"X": np.zeros((0, 10)), "Y": Y}, "empty"),
        ({"X": X, "Y": Y, "feature_names": ["a"]}, "feature_names"),
        ({"X_train": X, "Y_train": Y, "X_test": X[:1], "Y_test": Y}, "same number of rows"),
        ({"X_train": X, "Y_train": Y, "X_test": X, "Y_test": Y[0]}, "Y_test"),
    ],
)
def test_npz_refused(tmp_path, arrays, words):
    path = tmp_path / "wrong.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError) as caught:
        data.load(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_npz_with_a_pickle_is_refused_and_not_run(tmp_path):
    path, trap = tmp_path / "bomb.npz", tmp_path / "trap"
    np.savez(path, X=np.array([Bomb(trap)], dtype=object), Y=Y)
    with pytest.raises(DataError, match="never unpickled"):
        data.load(path)
    path.write_bytes(pickle.dumps(Bomb(trap)))
    with pytest.raises(DataError, match=r"not a \.npz file"):
        data.load(path)
    assert not trap.exists()
    pickle.loads(path.read_bytes())
    assert trap.exists()  # the trap was a real one


def test_npz_damaged_missing_or_of_another_kind(tmp_path):
    path = tmp_path / "points.npz"
    with pytest.raises(DataError, match="No such file"):
        data.load(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"not a \.npz file"):
        data.load(path)
    np.savez_compressed(path, X=np.random.default_rng(0).normal(size=(2, 100)), Y=np.zeros((1, 100)))
    whole = bytearray(path.read_bytes())
    whole[200:260] = bytes(60)
    path.write_bytes(whole)
    with pytest.raises(DataError, match="points"):
        data.load(path)
    with (tmp_path / "single.npz").open("wb") as file:
        np.save(file, X)
    with pytest.raises(DataError, match=r"not a \.npz file"):
        data.load(tmp_path / "single.npz")
    with pytest.raises(DataError, match="CSV files only"):
        data.load(path, label="y")


# -- .csv --------------------------------------------------------------------------------------------

GOOD = "a,y,b\n" + "1,0,-2.5\n3e2,1,4\n" * 5


def test_csv_round_trip(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("\ufeff" + GOOD + "\n", encoding="utf-8")  # a byte-order mark and an empty line
    found = data.load(path, label="y")
    expected = data.train_test_split([[1, 300] * 5, [-2.5, 4] * 5], [[0, 1] * 5])
    for got, want in zip((found.X_train, found.Y_train, found.X_test, found.Y_test), expected, strict=True):
        assert_array_equal(got, want)
    assert found.feature_names == ("a", "b")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1 must name the columns"),
        ("1,2,3\n4,5,6\n", "line 1 must name the columns"),
        ("a,b\n1,2\n", "no column 'y' for the labels; the columns are a, b"),
        ("a,y,a\n1,0,2\n", "two columns 'a'"),
        ("y\n1\n", "no column besides"),
        ("a,y\n", "no lines after the header"),
        ("a,y\n1,0\n2\n", "line 3 has 1 fields but the header has 2"),
        ("a,y\n1,0\n2,1,3\n", "line 3 has 3 fields"),
        ("a,y\n1,0\nabc,1\n", "line 3, column 'a': expected a number, found 'abc'"),
        ("a,y\n1,0\n ,1\n", "line 3, column 'a': expected a number, found nothing"),
        ("a,y\n1_0,0\n", "line 2, column 'a'"),
        ("a,y\n1,0\nnan,1\n", "line 3, column 'a': nan is not finite"),
        ("a,y\n1,0\n1e999,1\n", "line 3, column 'a': 1e999 is not finite"),
        ("a,y\n1,0\n1,2\n", "line 3, column 'y': labels must be 0 or 1, not 2"),
        ('a,y\n1,0\n"1,1\n', "line 3"),
        ("a,y\n1,0\n", "too few"),
    ],
)
def test_csv_refused(tmp_path, text, words):
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        data.load(path, label="y")
    assert words in str(caught.value)


def test_csv_that_is_no_text_or_lacks_the_label(tmp_path):
    path = tmp_path / "wrong.csv"
    path.write_bytes(b"a,y\n\xff\xfe,1\n")
    with pytest.raises(DataError, match="UTF-8"):
        data.load(path, label="y")
    with pytest.raises(DataError, match="label column"):
        data.load(path)
    with pytest.raises(DataError, match="No such file"):
        data.load(tmp_path / "none.csv", label="y")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="folder"):
        data.load(tmp_path / "folder.csv", label="y")


# -- .h5 ---------------------------------------------------------------------------------------------


def write_h5(path, **changes):
    random = np.random.default_rng(2)
    arrays = {
        "train_set_x": random.integers(0, 256, (6, 4, 5, 3), dtype=np.uint8),
        "train_set_y": np.arange(6) % 2,
        "test_set_x": random.integers(0, 256, (2, 4, 5, 3), dtype=np.uint8),
        "test_set_y": np.arange(2),
        "list_classes": np.array([b"non-cat", b"cat"]),
    } | changes
    with h5py.File(path, "w") as file:
        for key, array in arrays.items():
            if array is not None:
                file[key] = array
    return arrays


def test_h5_round_trip(tmp_path):
    path = tmp_path / "cats.h5"
    arrays = write_h5(path)
    found = data.load(path)
    assert found.X_train.shape == (60, 6)
    for i in range(6):
        assert_array_equal(found.X_train[:, i], arrays["train_set_x"][i].ravel() * (1 / 255))
    assert_array_equal(found.Y_train, [[0, 1, 0, 1, 0, 1]])
    assert_array_equal(found.X_test[:, 1], arrays["test_set_x"][1].ravel() * (1 / 255))
    assert_array_equal(found.Y_test, [[0, 1]])
    assert found.feature_names[1] == "pixel 0,0,1"
    assert len(found.feature_names) == 60
    assert "cat against non-cat" in found.description
    write_h5(path, list_classes=None)
    assert "against" not in data.load_h5(path).description


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"test_set_y": None}, "test_set_y is missing"),
        ({"test_set_x": None}, "test_set_x is missing (the file holds list_classes, test_set_y, train_set_x"),
        ({"train_set_x": None, "test_set_x": None, "test_set_y": None}, "train_set_x is missing (the file"),
        ({"train_set_x": np.zeros((6, 60), np.uint8)}, "(6, 60)"),
        ({"train_set_y": np.zeros(5)}, "(5,)"),
        ({"train_set_y": np.full(6, 2)}, "0 and 1 only"),
        ({"test_set_x": np.zeros((2, 4, 4, 3), np.uint8)}, "one size"),
        ({"test_set_x": np.full((2, 4, 5, 3), np.nan)}, "first test_set_x[0, 0, 0, 0] = nan; leave such"),
        ({"train_set_x": np.zeros((6, 4, 5, 3), np.complex64)}, "complex64"),
    ],
)
def test_h5_refused(tmp_path, changes, words):
    path = tmp_path / "wrong.h5"
    write_h5(path, **changes)
    with pytest.raises(DataError) as caught:
        data.load(path)
    assert words in str(caught.value)


def test_h5_damaged_or_missing(tmp_path):
    path = tmp_path / "cats.h5"
    with pytest.raises(DataError, match="No such file"):
        data.load(path)
    path.write_bytes(b"no HDF5")
    with pytest.raises(DataError, match="not an HDF5 file"):
        data.load(path)


def test_standardize_knows_no_size():
    """The squares of these numbers are infinite or 0."""
    X = np.array([[1.0, 2.0, 4.0]])
    expected = data.standardize(X)
    for scale in (1e-300, 1e-200, 1e200, 4e307):
        np.testing.assert_allclose(data.standardize(X * scale), expected, rtol=1e-14)


def test_masks_are_not_ignored():
    masked = np.ma.array([[1.0, 2.0, 99.0]], mask=[[0, 0, 1]])
    for helper in (data.standardize, data.rows_to_columns):
        with pytest.raises(TypeError, match="masked array"):
            helper(masked)
    with pytest.raises(data.DataError, match="NaN or infinite"):
        data.standardize([[1.0, np.nan]])


@pytest.mark.parametrize("damage", ["prefix", "method", "cut", "header"])
def test_a_damaged_archive_is_one_error(tmp_path, damage):
    path = tmp_path / "points.npz"
    np.savez(path, X=np.arange(20.0).reshape(2, 10), Y=[[0, 1] * 5])
    content = bytearray(path.read_bytes())
    if damage == "prefix":
        content = bytearray(b"#!/bin/sh\n") + content
    elif damage == "method":
        for start in (b"PK\x03\x04", b"PK\x01\x02"):
            at = content.index(start) + (8 if start[2] == 3 else 10)
            content[at : at + 2] = b"\x63\x00"
    elif damage == "cut":
        content = content[: len(content) // 2]
    else:
        content = bytearray(content.replace(b"(2, 10)", b"((((((("))
    path.write_bytes(content)
    with pytest.raises(data.DataError, match=r"points\.npz"):
        data.load_npz(path)


def test_class_names_that_are_none(tmp_path):
    path = tmp_path / "images.h5"
    for classes in (b"ab", [1, 2], []):
        with h5py.File(path, "w") as file:
            for part in ("train", "test"):
                file[f"{part}_set_x"] = np.zeros((4, 2, 2, 1), np.uint8)
                file[f"{part}_set_y"] = [0, 1, 0, 1]
            file["list_classes"] = classes
        assert data.load_h5(path).description == "from the file images.h5"
