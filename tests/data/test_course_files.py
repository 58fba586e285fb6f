"""The course's data in one HDF5 file, and in two; and images of all kinds of numbers."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dlkernels import data
from dlkernels.cli import main
from dlkernels.data import DataError

PIXELS = np.random.default_rng(3).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)
Y = np.arange(6) % 2


def write(path, *parts, **changes):
    with h5py.File(path, "w") as file:
        file["list_classes"] = changes.pop("list_classes", np.array([b"non-cat", b"cat"]))
        for part in parts:
            file[f"{part}_set_x"] = changes.get("x", PIXELS if part == "train" else PIXELS[::-1])
            file[f"{part}_set_y"] = changes.get("y", Y if part == "train" else Y[::-1])
    return path


def whole(folder):
    return data.load(write(folder / "both.h5", "train", "test"))


def same(found, expected):
    for name in ("X_train", "Y_train", "X_test", "Y_test"):
        assert_array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train_catvnoncat.h5", "test_catvnoncat.h5"),
        ("Train_Cats.H5", "TEST_Cats.h5"),
        ("cats-TRAIN.hdf5", "cats-test.hdf5"),
        ("train_for_training.h5", "train_for_testing.h5"),
        ("latest_train.h5", "latest_test.h5"),
    ],
)
def test_either_of_two_files_finds_the_other(tmp_path, monkeypatch, train, test):
    expected = whole(tmp_path)
    write(tmp_path / train, "train")
    write(tmp_path / test, "test")
    for path in (tmp_path / train, tmp_path / test):
        found = data.load(path)
        same(found, expected)
        assert found.files == (tmp_path / train, tmp_path / test)
        assert found.description == f"from the files {train} and {test}, cat against non-cat"
    monkeypatch.chdir(tmp_path)
    same(data.load_h5(train), expected)


def test_both_files_can_be_given(tmp_path, capsys):
    expected = whole(tmp_path)
    train, test = write(tmp_path / "a.h5", "train"), write(tmp_path / "b.h5", "test")
    same(data.load_h5(train, test), expected)
    same(data.load(train, test_path=test), expected)
    # The held-out examples of the second file, also where the first has some.
    other = write(tmp_path / "c.h5", "train", "test", x=PIXELS)
    assert_array_equal(data.load_h5(other, test).X_test, expected.X_test)
    options = ["--model", "logistic", "--backends", "numpy", "--iterations", "2"]
    assert main(["compare", "--data", str(train), "--test-data", str(test), *options]) == 0
    assert "from the files a.h5 and b.h5, cat against non-cat" in capsys.readouterr().out
    for file in (train, test):  # figures never replace the data
        before = file.read_bytes()
        arguments = ["compare", "--data", str(train), "--test-data", str(test), *options, "--json", str(file)]
        assert main(arguments) == 2
        assert "is the file of --data" in capsys.readouterr().err
        assert file.read_bytes() == before


def test_a_file_that_was_found_is_not_replaced_either(tmp_path, capsys):
    train, test = write(tmp_path / "train_c.h5", "train"), write(tmp_path / "test_c.h5", "test")
    before = test.read_bytes()
    assert main(["compare", "--data", str(train), "--json", str(test)]) == 2
    assert "is the file of --data" in capsys.readouterr().err
    assert test.read_bytes() == before


def test_what_was_looked_for_is_said(tmp_path):
    path = write(tmp_path / "train_cats.h5", "train")
    with pytest.raises(DataError) as caught:
        data.load(path)
    for words in (
        str(path),
        "holds train_set_x but not test_set_x",
        f"test_cats.h5 was looked for in {tmp_path}",
    ):
        assert words in str(caught.value)
    assert "load_h5(TRAIN, TEST)" in str(caught.value)
    assert "--test-data" in str(caught.value)
    with pytest.raises(DataError, match="its name has no 'train'"):
        data.load(write(tmp_path / "cats.h5", "train"))
    write(tmp_path / "test_cats.h5", "test")
    write(tmp_path / "TEST_cats.h5", "test")
    if len(list(tmp_path.glob("*_cats.h5"))) == 3:  # where case tells names apart
        with pytest.raises(DataError, match=r"2 files can hold that .*found TEST_cats\.h5, test_cats\.h5"):
            data.load(path)


def test_faults_of_two_files(tmp_path, capsys):
    train = write(tmp_path / "train_c.h5", "train")
    test = write(tmp_path / "test_c.h5", "train")
    with pytest.raises(DataError, match=r"test_c\.h5: .*test_set_x is missing"):
        data.load(train)
    with pytest.raises(DataError, match=r"test_c\.h5: .*train_set_x is missing"):
        data.load_h5(write(test, "test"), train)  # in the wrong order
    write(test, "test", x=PIXELS[:, :3])
    with pytest.raises(DataError, match=r"train has \(4, 5, 3\) and test has \(3, 5, 3\) in .*test_c\.h5"):
        data.load(train)
    write(test, "test", list_classes=np.array([b"cat", b"non-cat"]))
    with pytest.raises(DataError, match="classes must agree"):
        data.load(train)
    with pytest.raises(DataError, match=r"x\.h5: No such file"):
        data.load_h5(train, tmp_path / "x.h5")
    with pytest.raises(DataError, match=r"for \.h5 files only"):
        data.load("flower", test_path=test)
    assert main(["compare", "--test-data", str(test)]) == 2
    assert "--test-data: only for --data with a .h5 file" in capsys.readouterr().err


@pytest.mark.parametrize("shape", [(6,), (1, 6), (6, 1)])
def test_labels_as_row_column_or_vector(tmp_path, shape):
    found = data.load(write(tmp_path / "a.h5", "train", "test", y=Y.reshape(shape)))
    assert_array_equal(found.Y_train, [[0, 1, 0, 1, 0, 1]])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"y": Y.reshape(2, 3)}, "(2, 3)"),
        ({"y": np.eye(2)[Y]}, "save train_set_y[:, 1:2].T, the column of class 1"),
        ({"y": np.eye(3)[Y].T}, "save train_set_y[1:2], the row of class 1"),
        ({"y": Y * 2 - 1}, "3 of 6 labels are neither, first -1 (example 0); write 0 for -1 and 1 for 1"),
        ({"y": np.array([b"no", b"yes"] * 3)}, "write 0 for 'no' and 1 for 'yes'"),
        ({"x": PIXELS[..., 0]}, "train_set_x[..., np.newaxis]"),
        ({"x": PIXELS / 255}, "seem to be scaled already; make bytes of them"),
        ({"x": PIXELS.astype(np.uint16) * 257}, "numbers from"),
        ({"x": PIXELS - 128.0}, "numbers from"),
        ({"x": np.zeros((6, 4, 5, 3), "S1")}, "|S1"),
    ],
)
def test_refused(tmp_path, changes, words):
    path = write(tmp_path / "wrong.h5", "train", "test", **changes)
    with pytest.raises(DataError) as caught:
        data.load(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_images_of_signed_bytes_and_of_booleans(tmp_path):
    expected = whole(tmp_path)
    signed = data.load(write(tmp_path / "a.h5", "train", "test", x=PIXELS.view(np.int8)))
    assert_array_equal(signed.X_train, expected.X_train)
    assert signed.description.endswith(", int8 taken for bytes")
    black = data.load(write(tmp_path / "b.h5", "train", "test", x=PIXELS > 100))
    assert_array_equal(black.X_train, (PIXELS > 100).reshape(6, -1).T)
    for dtype in (np.int16, np.int64, np.float32):
        other = data.load(write(tmp_path / "c.h5", "train", "test", x=PIXELS.astype(dtype)))
        np.testing.assert_allclose(other.X_train, expected.X_train, rtol=1e-6)
        assert other.X_train.dtype == np.float64


def test_images_to_columns_chooses_the_scale_and_obeys_yours():
    flags = PIXELS > 100
    assert_array_equal(data.images_to_columns(flags), flags.reshape(6, -1).T)
    assert_array_equal(data.images_to_columns(flags, scale=1 / 255), flags.reshape(6, -1).T * (1 / 255))
    with pytest.raises(DataError, match=r"int8.*view\(np\.uint8\).*scale=1"):
        data.images_to_columns(PIXELS.view(np.int8))
    assert data.images_to_columns(PIXELS.view(np.int8), scale=1).min() < 0
    shifted = (PIXELS.astype(int) - 128).astype(np.int8)
    assert_array_equal(shifted.view(np.uint8) ^ 128, PIXELS)  # as the message says


def test_names_that_are_no_text_are_shown(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file[b"\xff\xfe"] = [1]
    with pytest.raises(DataError, match="the file holds"):
        data.load(tmp_path / "a.h5")


def test_both_parts_are_scaled_alike(tmp_path):
    flags = PIXELS > 100
    for train, test in ((flags, flags.astype(np.uint8)), (PIXELS, flags)):
        first = write(tmp_path / "train_a.h5", "train", x=train)
        second = write(tmp_path / "test_a.h5", "test", x=test)
        with pytest.raises(DataError) as caught:
            data.load(first)
        assert f"train has dtype {train.dtype} and test has {test.dtype} in {second}" in str(caught.value)
    write(tmp_path / "train_a.h5", "train", x=PIXELS.astype(np.float32))
    write(tmp_path / "test_a.h5", "test", x=PIXELS)
    found = data.load(tmp_path / "train_a.h5")
    np.testing.assert_allclose(found.X_train, found.X_test, rtol=1e-6)


def test_a_group_is_no_data_set(tmp_path):
    path = write(tmp_path / "a.h5", "train", "test")
    with h5py.File(path, "a") as file:
        del file["train_set_x"]
        file["train_set_x/pixels"] = PIXELS
    message = r"a\.h5: train_set_x must be a data set but is a group \(which holds pixels\)$"
    with pytest.raises(DataError, match=message):
        data.load(path)


def test_labels_that_are_strings_of_any_length(tmp_path):
    words = np.array(["no", "yes"] * 3, h5py.string_dtype())
    with pytest.raises(DataError) as caught:
        data.load(write(tmp_path / "a.h5", "train", "test", y=words))
    assert "train_set_y must hold the numbers 0 and 1" in str(caught.value)
    assert "write 0 for 'no' and 1 for 'yes'" in str(caught.value)


@pytest.mark.parametrize(
    ("scale", "error", "words"),
    [
        ("a", TypeError, "scale must be a real number, not str"),
        (np.nan, ValueError, "scale must be finite, not nan"),
        (1e39, ValueError, "scale is too large for float32: 1e+39"),
        (1e38, DataError, "scale 1e+38 is too large: images times scale must fit into float32"),
    ],
)
def test_a_scale_that_is_refused(scale, error, words):
    with pytest.raises(error) as caught:
        data.images_to_columns(PIXELS.astype(np.float32), scale=scale)
    assert str(caught.value).startswith(f"images_to_columns: {words}")


@pytest.mark.parametrize("scale", [None, 1])
def test_images_are_finite(scale):
    images = PIXELS.astype(float)
    images[1, 2, 3, 0] = np.nan
    with pytest.raises(
        DataError, match=r"1 of 360 are NaN or inf.*, first images\[1, 2, 3, 0\] = nan; leave"
    ):
        data.images_to_columns(images, scale)
