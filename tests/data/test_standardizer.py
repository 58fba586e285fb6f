"""The fitted scaler: its numbers, its errors, and that it goes with the data set that it has scaled."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import StandardScaler

from dlkernels import data
from dlkernels.data import DataError, Standardizer


def examples(m=50, dtype=np.float64):
    return np.random.default_rng(1).normal([[3], [-200], [0.01]], [[5], [1], [0.001]], (3, m)).astype(dtype)


def test_it_agrees_with_scikit_learn():
    X, new = examples(), examples(7) + 1
    scaler, theirs = Standardizer().fit(X), StandardScaler().fit(X.T)
    assert scaler.mean_.shape == scaler.scale_.shape == (3, 1)
    assert_allclose(scaler.mean_[:, 0], theirs.mean_, rtol=1e-13)
    assert_allclose(scaler.scale_[:, 0], theirs.scale_, rtol=1e-12)
    assert_allclose(scaler.transform(new), theirs.transform(new.T).T, rtol=1e-12)
    assert_allclose(scaler.inverse_transform(scaler.transform(new)), new, rtol=1e-12)
    assert_array_equal(Standardizer().fit_transform(X), scaler.transform(X))
    assert_array_equal(data.standardize(X), scaler.transform(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, int, bool])
def test_float32_stays_and_others_become_float64(dtype):
    X = np.array([[1, 0, 1, 1], [1, 1, 0, 0]], dtype)
    scaler = Standardizer().fit(X)
    expected = np.float32 if dtype is np.float32 else np.float64
    for result in (
        scaler.transform(X),
        scaler.fit_transform(X),
        scaler.inverse_transform(scaler.transform(X)),
    ):
        assert result.dtype == expected
    assert scaler.mean_.dtype == scaler.scale_.dtype == np.float64


def test_it_can_be_pickled_and_says_what_it_is():
    scaler = Standardizer().fit(examples())
    again = pickle.loads(pickle.dumps(scaler))
    assert_array_equal(again.transform(examples(5)), scaler.transform(examples(5)))
    assert repr(again) == "Standardizer(fitted with 3 features)"
    assert repr(Standardizer()) == "Standardizer()"


def test_a_constant_feature_has_scale_1():
    X = np.vstack([np.full(13, 0.1), np.arange(13.0)])
    scaler = Standardizer().fit(X)
    assert_array_equal(scaler.scale_[0], 1)
    assert_array_equal(scaler.transform(X)[0], 0)
    assert_allclose(scaler.transform(X + 1)[0], 1)
    assert_array_equal(Standardizer().fit([[5.0]]).transform([[5.0, 7.0]]), [[0, 2]])


LARGEST = np.finfo(np.float64).max


@pytest.mark.parametrize(
    "row",
    [
        [1e308, -1e308, 1e308, 1e308],
        [LARGEST, -LARGEST],
        [1.7e308, 1.7e308, -1.7e308],
        [LARGEST, LARGEST, np.nextafter(LARGEST, 0)],
        [-LARGEST, -LARGEST, np.nextafter(-LARGEST, 0)],
        [1e-320, 3e-320],
        [0.0, 5e-324],
        [1e16, 1e16 + 2, 1e16 + 4],
    ],
)
def test_numbers_at_the_ends_of_the_range(row):
    X = np.array([row])
    with np.errstate(all="raise"):
        scaler = Standardizer().fit(X)
        scaled = scaler.transform(X)
        assert np.isfinite(scaler.mean_).all()
        assert np.isfinite(scaler.scale_).all()
        assert scaler.scale_[0, 0] > 0
        assert np.isfinite(scaled).all()
        assert np.isfinite(scaler.inverse_transform(scaled)).all()
    assert X.min() <= scaler.mean_[0, 0] <= X.max()
    shares = np.array(row) / np.abs(row).max()
    if shares.std() > 1e-3 and row[-1] != 5e-324:  # there is no mean of 0 and the smallest number
        assert_allclose(scaled[0], (shares - shares.mean()) / shares.std(), rtol=1e-3)


def test_large_means_cost_no_digits():
    """Subtract first: dividing first would round 1e9 + x."""
    X = np.arange(64.0).reshape(1, 64)
    assert_allclose(data.standardize(X + 2.0**40), data.standardize(X), rtol=1e-14)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ([1.0, 2.0], "reshape(-1, 1)"),
        (np.zeros((3, 0)), "(3, 0)"),
        (np.zeros((2, 2, 2)), "(2, 2, 2)"),
        ([[1.0, 2.0], [1.0, np.nan]], "first X[1, 1] = nan (feature 1, example 1)"),
        ([[1.0, -np.inf]], "first X[0, 1] = -inf (feature 0, example 1)"),
    ],
)
def test_fit_refuses(X, words):
    for method in ("fit", "fit_transform"):
        scaler = Standardizer()
        with pytest.raises(DataError) as caught:
            getattr(scaler, method)(X)
        assert words in str(caught.value)
        assert str(caught.value).startswith(f"Standardizer.{method}: X ")
        assert not hasattr(scaler, "mean_")


@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
def test_scaling_refuses(method):
    with pytest.raises(RuntimeError, match=r"not fitted yet; call fit\(X\)"):
        getattr(Standardizer(), method)([[1.0]])
    call = getattr(Standardizer().fit(examples()), method)
    for X, words in (
        (np.zeros((2, 5)), "X has 2 features, a row each, but the Standardizer was fitted with 3 (X (2, 5))"),
        (np.zeros((5, 3)), "pass X.T"),
        (np.zeros(3), "reshape(-1, 1)"),
        (np.full((3, 2), np.nan), "(feature 0, example 0)"),
    ):
        with pytest.raises(DataError) as caught:
            call(X)
        assert words in str(caught.value)
        assert str(caught.value).startswith(f"Standardizer.{method}: X ")
    with pytest.raises(TypeError, match="dtype"):
        call(np.zeros((3, 2), complex))


def test_a_failed_fit_leaves_the_old_one():
    scaler = Standardizer().fit([[1.0, 3.0]])
    with pytest.raises(DataError):
        scaler.fit([[np.nan]])
    assert_array_equal(scaler.mean_, [[2]])


def test_a_data_set_keeps_the_scaler(tmp_path):
    X, Y = examples(40), np.arange(40).reshape(1, 40) % 2
    np.savez(tmp_path / "a.npz", X=X, Y=Y)
    raw = data.load(tmp_path / "a.npz")
    assert raw.scaler is None
    scaled = raw.standardized()
    assert_array_equal(scaled.X_train, scaled.scaler.transform(raw.X_train))
    assert_array_equal(scaled.X_test, scaled.scaler.transform(raw.X_test))
    assert_allclose(scaled.scaler.mean_, raw.X_train.mean(axis=1, keepdims=True))
    assert scaled.files == raw.files == (tmp_path / "a.npz",)
    assert scaled.standardized() is scaled
    assert data.breast_cancer().scaler.mean_.shape == (30, 1)
