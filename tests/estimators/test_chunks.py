"""Learning from chunks: as from the whole table, with errors that name the chunk, and little memory."""

from __future__ import annotations

import copy
import re
import sys
import weakref

import numpy as np
import pytest
from block_tables import CANCER, COUNTS, DIABETES, IRIS, NUMBERS, cut, parameters, same
from processes import new_process
from scipy import sparse
from sklearn.base import clone

from dlkernels.blocks import block_gradient, combine
from dlkernels.estimators import LogisticRegression, MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


LBFGS = {"solver": "lbfgs", "max_iter": 30, "random_state": 0}
#: An estimator and a table for each kind of labels and settings.
CASES = {
    "two classes": (LogisticRegression(), *CANCER),
    "three classes": (LogisticRegression(), *IRIS),
    "no intercept": (LogisticRegression(fit_intercept=False), *CANCER),
    "no penalty": (LogisticRegression(penalty=None, max_iter=5), *IRIS),
    "balanced": (LogisticRegression(class_weight="balanced"), *CANCER),
    "strings": (LogisticRegression(class_weight={"b": 3.0}), IRIS[0], np.array(["a", "b", "c"])[IRIS[1]]),
    "float32": (LogisticRegression(), CANCER[0].astype(np.float32), CANCER[1]),
    "network": (MLPClassifier((8,), **LBFGS), *IRIS),
    "network of two classes": (MLPClassifier((8,), class_weight="balanced", **LBFGS), *CANCER),
    "several labels": (MLPClassifier((8,), **LBFGS), IRIS[0], np.eye(3, dtype=int)[IRIS[1]]),
    "numbers": (MLPRegressor(hidden_layer_sizes=(8,), **LBFGS), DIABETES[0], NUMBERS),
    "two outputs": (
        MLPRegressor(hidden_layer_sizes=(8,), **LBFGS),
        DIABETES[0],
        np.stack([NUMBERS, NUMBERS**2], axis=1),
    ),
    "counts": (MLPRegressor("poisson", hidden_layer_sizes=(8,), **LBFGS), DIABETES[0], COUNTS),
}


def close(a, b, tolerance):
    return all(
        np.allclose(x, y, tolerance, tolerance) for x, y in zip(parameters(a), parameters(b), strict=True)
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_chunks_are_learnt_like_the_whole_table(name, weighted):
    model, X, y = CASES[name]
    weights = np.random.default_rng(0).integers(0, 3, len(X)).astype(float) if weighted else None
    whole = clone(model).fit(X, y, weights)
    chunks = cut(X, y, weights) if weighted else cut(X, y)
    found = clone(model).fit_chunks(chunks)
    tolerance = 1e-2 if X.dtype == np.float32 else 1e-5
    assert close(found, whole, tolerance)
    assert found.predict(X).dtype == whole.predict(X).dtype
    assert abs(found.score(X, y) - whole.score(X, y)) < 0.01
    assert found.n_features_in_ == X.shape[1]
    if hasattr(whole, "loss_"):
        assert found.loss_ == pytest.approx(whole.loss_, rel=1e-6)
    if hasattr(whole, "classes_"):
        assert np.array_equal(found.classes_, whole.classes_)


def test_the_gradient_is_that_of_combined_blocks():
    """One step along the gradient, from zero: the coefficients are a multiple of what `combine` returns."""
    X, y = CANCER
    model = LogisticRegression(penalty=None, max_iter=1).fit_chunks(cut(X, y, size=100))
    blocks = [block_gradient(np.zeros(31), (30, 1), A.T, b.reshape(1, -1)) for A, b in cut(X, y, size=100)]
    gradient = combine(blocks).gradient
    step = model.coef_[0] / gradient[:-1]
    assert np.ptp(step) < 1e-12 * abs(step[0])
    assert step[0] < 0


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_batches_stay_within_chunks(solver):
    """Without shuffling, an epoch is `partial_fit` of one chunk after the other."""
    X, y = IRIS
    settings = {"solver": solver, "batch_size": 16, "shuffle": False, "random_state": 0, "max_iter": 2}
    found = MLPClassifier((8,), **settings).fit_chunks(cut(X, y))
    expected = MLPClassifier((8,), **settings)
    for part in cut(X, y) * 2:
        expected.partial_fit(*part, classes=[0, 1, 2])
    assert same(found, expected)
    assert found.t_ == 300
    assert len(found.loss_curve_) == 2


def test_shuffling_depends_on_the_seed_alone():
    X, y = IRIS
    models = [
        MLPClassifier((8,), max_iter=3, batch_size=10, random_state=seed, shuffle=shuffle).fit_chunks(
            cut(X, y)
        )
        for seed, shuffle in ((0, True), (0, True), (1, True), (0, False))
    ]
    assert same(models[0], models[1])
    assert not same(models[0], models[2])
    assert not same(models[0], models[3])
    assert models[0].loss_curve_[-1] < models[0].loss_curve_[0]


def test_classes_may_be_missing_in_a_chunk_and_chunks_may_be_empty():
    X, y = IRIS  # the labels are sorted: each chunk has one class, or two
    chunks = cut(X, y)
    whole = LogisticRegression().fit_chunks(chunks)
    for place in range(len(chunks) + 1):
        for empty in ((X[:0], y[:0]), (X[:0], y[:0], np.empty(0))):
            found = LogisticRegression().fit_chunks([*chunks[:place], empty, *chunks[place:]])
            assert close(found, whole, 1e-6)
    for labels in (np.eye(3, dtype=int)[y], X[:, :2]):  # y with several columns
        model = (MLPClassifier if labels.dtype == int else MLPRegressor)(
            hidden_layer_sizes=(4,), solver="lbfgs", max_iter=5, random_state=0
        )
        whole = clone(model).fit_chunks(cut(X, labels))
        assert close(model.fit_chunks([*cut(X, labels), (X[:0], labels[:0])]), whole, 1e-6)


def test_many_classes_of_few_examples_are_no_reason_for_a_warning():
    """scikit-learn warns of a table of which more than half of the labels are classes of their own."""
    X, y = np.random.default_rng(0).normal(size=(120, 3)), np.arange(120) % 40
    assert len(LogisticRegression(max_iter=2).fit_chunks(cut(X, y, size=50)).classes_) == 40


@pytest.mark.parametrize("kind", ["int8", "float32", "bool", "U", "object"])
def test_classes_have_the_dtype_of_the_labels(kind):
    X, y = CANCER
    labels = np.array(["no", "certainly"])[y].astype(kind) if kind in "U object" else y.astype(kind)
    for model in (LogisticRegression(max_iter=2), MLPClassifier((3,), max_iter=2)):
        whole = clone(model).fit(X, labels)
        found = clone(model).fit_chunks(cut(X, labels))
        assert found.classes_.dtype == whole.classes_.dtype
        assert np.array_equal(found.classes_, whole.classes_)


def test_one_chunk_at_a_time_is_in_memory():
    alive, most = [], []

    class Table(np.ndarray):
        pass

    def chunks():
        for first in range(0, 150, 30):
            most.append(len(alive))
            table = IRIS[0][first : first + 30].copy().view(Table)
            alive.append(1)
            weakref.finalize(table, alive.pop)
            chunk = (table, IRIS[1][first : first + 30])
            del table
            yield chunk
            del chunk

    LogisticRegression(max_iter=2).fit_chunks(chunks)
    MLPClassifier((3,), max_iter=2).fit_chunks(chunks)
    assert len(most) > 20
    assert max(most) == 0


def test_chunks_may_be_frames():
    pandas = pytest.importorskip("pandas")
    X, y = IRIS
    names = ["a", "b", "c", "d"]
    chunks = [(pandas.DataFrame(A, columns=names), pandas.Series(b)) for A, b in cut(X, y)]
    model = LogisticRegression().fit_chunks(chunks)
    assert same(model, LogisticRegression().fit_chunks(cut(X, y)))
    assert list(model.feature_names_in_) == names
    chunks[2] = (chunks[2][0][["b", "a", "c", "d"]], chunks[2][1])
    with pytest.raises(ValueError, match=r"has 'a', 'b', 'c', 'd' in chunk 0 and 'b', 'a', .* in chunk 2"):
        LogisticRegression().fit_chunks(chunks)


@pytest.mark.parametrize("layout", ["F", "unaligned", "float32 and float64"])
def test_how_a_chunk_lies_in_memory_changes_no_bit(layout):
    X, y = CANCER[0].astype(np.float32).astype(np.float64), CANCER[1]
    chunks = cut(X, y, size=100)
    whole = LogisticRegression().fit_chunks(chunks)
    if layout == "F":
        others = [(np.asfortranarray(A), b) for A, b in chunks]
    elif layout == "unaligned":
        others = [(unaligned(A), b) for A, b in chunks]
    else:
        others = [(A.astype(np.float32) if i else A, b) for i, (A, b) in enumerate(chunks)]
    assert same(LogisticRegression().fit_chunks(others), whole)


def unaligned(array):
    memory = np.empty(array.nbytes + 1, np.uint8)[1:]
    other = memory.view(array.dtype).reshape(array.shape)
    other[...] = array
    assert not other.flags.aligned
    return other


def test_warm_starts_go_on():
    X, y = IRIS
    model = LogisticRegression(max_iter=3, warm_start=True)
    costs = []
    for _ in range(3):
        probabilities = model.fit_chunks(cut(X, y)).predict_proba(X)
        costs.append(-np.log(probabilities[np.arange(len(y)), y]).mean())
    assert costs[2] < costs[1] < costs[0]
    network = MLPClassifier((8,), warm_start=True, max_iter=1, random_state=0).fit_chunks(cut(X, y))
    before = network.loss_
    assert network.fit_chunks(cut(X, y)).loss_ < before
    with pytest.raises(ValueError, match="same classes"):
        network.fit_chunks(cut(X, y + 1))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_a_warm_start_that_fails_changes_nothing(solver):
    """The chunks can't be read any more, in the middle of training."""
    X, counts = DIABETES[0], COUNTS
    settings = {"hidden_layer_sizes": (4,), "solver": solver, "max_iter": 5, "random_state": 0}
    model = MLPRegressor("poisson", warm_start=True, **settings).fit_chunks(cut(X, counts))
    before = [array.copy() for array in parameters(model)]
    state = {name: copy.deepcopy(value) for name, value in vars(model).items() if name != "_optimizer"}
    passes = []

    def chunks():
        passes.append(1)
        if len(passes) == 4:
            raise OSError("the disk is gone")
        return iter(cut(X, counts))

    with pytest.raises(OSError, match="the disk is gone"):
        model.fit_chunks(chunks)
    assert all(np.array_equal(a, b) for a, b in zip(before, parameters(model), strict=True))
    for name in ("t_", "loss_", "n_iter_", "loss_curve_"):
        assert vars(model).get(name) == state.get(name)


# -- errors ----------------------------------------------------------------------------------------------


def broken(number, X=lambda X: X, y=lambda y: y):
    chunks = cut(*IRIS)
    chunks[number] = (X(chunks[number][0]), y(chunks[number][1]))
    return chunks


def with_nan(X):
    X = X.copy()
    X[3, 1] = np.nan
    return X


WRONG = {
    "NaN": (broken(2, with_nan), "chunk 2: Input X contains NaN"),
    "columns": (broken(1, lambda X: X[:, :3]), "has 4 in chunk 0 and 3 in chunk 1"),
    "rows": (broken(3, lambda X: X[:-1]), r"chunk 3: .*inconsistent numbers of samples: \[29, 30\]"),
    "axes": (broken(0, lambda X: X[0]), "chunk 0: Expected 2D array"),
    "labels of two kinds": (broken(1, y=lambda y: y.astype(str)), "Mix .*numbers in chunk 0 and strings in"),
    "numbers as labels": (broken(1, y=lambda y: y + 0.5), "chunk 1: Unknown label type"),
    "one class": (cut(IRIS[0], np.ones(150)), "only one class"),
    "nothing": ([], "no examples to learn from, in 0 parts"),
    "only empty ones": ([(IRIS[0][:0], IRIS[1][:0])], "no examples to learn from, in 1 parts"),
    "negative weights": ([(*IRIS, -np.ones(150))], "chunk 0: Negative values"),
    "weights of 0": ([(*IRIS, np.zeros(150))], "0 for all examples"),
    "weights of another length": ([(*IRIS, np.ones(149))], "chunk 0: .*sample_weight.shape"),
    "a table alone": ([IRIS[0]], "chunk 0: a chunk must be a tuple .*, not ndarray"),
    "four values": ([(*IRIS, *IRIS)], "chunk 0: a chunk must be a tuple .*, not 4 values"),
    "a generator": ((chunk for chunk in cut(*IRIS)), "a generator can be read only once"),
    "an iterator": (iter(cut(*IRIS)), "a list_iterator can be read only once"),
    "no chunks": (3, "chunks must be iterable, or a function, not int"),
    "missing labels": (broken(1, y=lambda y: np.array(["a", None] * 20, object)), "chunk 1: y has missing"),
    "bytes": (broken(0, y=lambda y: np.array([b"a", b"b"] * 20)), "bytes .*chunk 0|chunk 0: .*bytes"),
    "objects": ([(np.array([["a"]], object), [1])], "chunk 0: could not convert"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_chunks_are_refused_and_the_estimator_stays_as_it_was(name):
    chunks, message = WRONG[name]
    model = LogisticRegression().fit(*IRIS)
    before = vars(model).copy()
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit_chunks(chunks)
    assert vars(model) == before


@pytest.mark.parametrize(
    "model", [LogisticRegression(max_iter=5), MLPClassifier((3,), max_iter=2, random_state=0)]
)
def test_a_generator_may_fill_the_same_arrays_again(model):
    X, y = IRIS

    def chunks():
        rows, labels, weights = np.empty((30, 4)), np.empty(30, int), np.empty(30)
        for first in range(0, 150, 30):
            part = slice(first, first + 30)
            rows[:], labels[:], weights[:] = X[part], y[part], 1 + y[part]
            yield rows, labels, weights

    assert same(clone(model).fit_chunks(chunks), clone(model).fit_chunks(cut(X, y, 1.0 + y, size=30)))


def test_views_of_labels_do_not_keep_the_chunks_alive():
    """y is often a column of the table."""
    alive, most = [], []

    class Table(np.ndarray):
        pass

    def chunks():
        for rows, labels in cut(*IRIS, size=30):
            most.append(len(alive))
            table = np.column_stack([rows, labels]).view(Table)
            alive.append(1)
            weakref.finalize(table, alive.pop)
            chunk = (table[:, :-1], table[:, -1])
            del table
            yield chunk
            del chunk

    LogisticRegression(max_iter=2).fit_chunks(chunks)
    assert max(most) == 0


def test_labels_may_be_sparse():
    labels = np.eye(3, dtype=int)[IRIS[1]]
    model = MLPClassifier((3,), solver="lbfgs", max_iter=2, random_state=0)
    chunks = [(rows, sparse.csr_matrix(part)) for rows, part in cut(IRIS[0], labels)]
    assert same(clone(model).fit_chunks(chunks), clone(model).fit_chunks(cut(IRIS[0], labels)))


@pytest.mark.parametrize("what", ["labels", "weights"])
def test_chunks_must_have_the_labels_and_weights_of_the_first_pass(what):
    random = np.random.default_rng(0)

    def chunks():
        for rows, labels in cut(*IRIS):
            order = random.permutation(len(rows))
            labels = labels[order] if what == "labels" else labels
            yield rows, labels, random.random(len(rows)) if what == "weights" else np.ones(len(rows))

    with pytest.raises(ValueError, match=rf"chunk \d: its {what} aren't those of the first pass"):
        LogisticRegression().fit_chunks(chunks)


@pytest.mark.parametrize("change", ["fewer", "more", "shorter"])
def test_chunks_must_be_the_same_in_each_pass(change):
    passes = []

    def chunks():
        passes.append(1)
        found = cut(*IRIS)
        if len(passes) < 4:
            return iter(found)
        if change == "shorter":
            found[1] = (found[1][0][:5], found[1][1][:5])
        return iter(found[:-1] if change == "fewer" else found + found[:1] if change == "more" else found)

    message = {
        "fewer": "there were 4 chunks in the first pass, and now 3",
        "more": "chunk 4: it has 40 rows, where the first pass found none",
        "shorter": "chunk 1: it has 5 rows, where the first pass found 40",
    }[change]
    with pytest.raises(ValueError, match=message):
        LogisticRegression().fit_chunks(chunks)


def test_settings_that_mean_nothing_for_chunks_are_refused():
    with pytest.raises(ValueError, match="early_stopping=True is not supported"):
        MLPClassifier(early_stopping=True).fit_chunks(cut(*IRIS))
    with pytest.raises(ValueError, match="solver='saga' is not supported"):
        LogisticRegression(solver="saga").fit_chunks(cut(*IRIS))
    several = (IRIS[0], np.eye(3, dtype=int)[IRIS[1]])
    with pytest.raises(ValueError, match="class_weight"):
        MLPClassifier(class_weight="balanced").fit_chunks(cut(*several))
    with pytest.raises(ValueError, match="y must have one column, but it has 3"):
        LogisticRegression().fit_chunks(cut(*several))
    with pytest.raises(ValueError, match="chunk 0: loss='poisson' needs counts"):
        MLPRegressor("poisson").fit_chunks(cut(IRIS[0], IRIS[1] - 1.0))


# -- memory maps -----------------------------------------------------------------------------------------


@pytest.fixture
def small_parts(monkeypatch):
    """Tables of a few kilobytes are read like large files."""
    from dlkernels.estimators import _maps

    monkeypatch.setattr(_maps, "_PART", 3_000)


def mapped(path, array, mode="r", order="C"):
    made = np.memmap(path, array.dtype, "w+", shape=array.shape, order=order)
    made[...] = array
    made.flush()
    return np.memmap(path, array.dtype, mode, shape=array.shape, order=order)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", ["two classes", "strings", "float32", "network", "counts"])
def test_a_memory_map_is_learnt_like_chunks_of_it(name, order, tmp_path):
    model, X, y = CASES[name]
    file = mapped(tmp_path / "X", X, order=order)
    rows = 3_000 // (X.nbytes // len(X))
    weights = np.linspace(0.5, 1, len(X))
    found = clone(model).fit(file, y, weights)
    assert same(found, clone(model).fit_chunks(cut(X, y, weights, size=rows)))
    assert np.array_equal(found.predict(file), found.predict(X))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_batches_of_a_memory_map_have_the_bits_of_those_in_memory(dtype, tmp_path):
    X, y = IRIS
    X = (40 * (X - X.min())).astype(dtype)
    for settings in ({"batch_size": 16}, {"solver": "sgd", "early_stopping": True}):
        model = MLPClassifier((8,), max_iter=4, random_state=0, **settings)
        found = clone(model).fit(mapped(tmp_path / "X", np.tile(X, (20, 1))), np.tile(y, 20))
        assert same(
            found, clone(model).fit(np.tile(X, (20, 1)).astype(found.coefs_[0].dtype), np.tile(y, 20))
        )


@pytest.mark.usefixtures("small_parts")
def test_memory_maps_that_a_program_changes_keep_the_changes(tmp_path):
    """Only what can be read again from the file is given back."""
    X, y = CANCER
    for mode in ("r+", "c"):
        file = mapped(tmp_path / mode, X, mode)
        file[:, 0] = 1.0
        LogisticRegression().fit(file, y)
        assert (file[:, 0] == 1.0).all()


@pytest.mark.usefixtures("small_parts")
def test_a_memory_map_with_nan_is_refused(tmp_path):
    X, y = CANCER
    X = X.copy()
    X[500, 3] = np.nan
    for model in (LogisticRegression(), MLPClassifier(), MLPClassifier(solver="lbfgs")):
        with pytest.raises(ValueError, match="contains NaN"):
            model.fit(mapped(tmp_path / "X", X), y)
    with pytest.raises(ValueError, match="rows 492 to 503: Input X contains NaN"):
        LogisticRegression().fit(mapped(tmp_path / "X", X), y)
    with pytest.raises(ValueError, match="X is a memory map of float16"):
        MLPClassifier().fit(mapped(tmp_path / "X", CANCER[0].astype(np.float16)), y)


@pytest.mark.usefixtures("small_parts")
def test_settings_mean_the_same_for_a_memory_map(tmp_path):
    """L-BFGS ignores what belongs to epochs, and a single weight is that of all examples."""
    X, y = CANCER
    model = MLPClassifier((4,), solver="lbfgs", early_stopping=True, max_iter=5, random_state=0)
    assert close(clone(model).fit(mapped(tmp_path / "X", X), y, 2.0), clone(model).fit(X, y, 2.0), 1e-6)


@pytest.mark.usefixtures("small_parts")
def test_labels_of_a_memory_map_are_what_fit_takes(tmp_path):
    """Sparse ones, objects, a column; and None is refused as in memory."""
    X, y = CANCER
    file = mapped(tmp_path / "X", X)
    network = MLPClassifier((3,), solver="lbfgs", max_iter=2, random_state=0)
    several = np.stack([y, 1 - y], axis=1)
    assert same(clone(network).fit(file, sparse.csr_matrix(several)), clone(network).fit(file, several))
    regressor = MLPRegressor(hidden_layer_sizes=(3,), solver="lbfgs", max_iter=2, random_state=0)
    assert same(clone(regressor).fit(file, y.astype(object)), clone(regressor).fit(file, y.astype(float)))
    for model in (LogisticRegression(), network, regressor):
        with pytest.raises(ValueError, match=r"y to be passed, but the target y is None|y cannot be None"):
            model.fit(file, None)


def test_parts_of_a_memory_map_are_as_large_as_what_is_read_for_them(tmp_path):
    """Of some columns of a table whole pages are read."""
    from dlkernels.estimators import _maps

    file = np.memmap(tmp_path / "X", np.float32, "w+", shape=(100_000, 1000))
    assert _maps.is_large_map(file[:, :3])
    for X in (file, file[:, :3], file[::-1]):
        assert [part.stop - part.start for part in _maps.parts_of(X)][:-1] == [16_777] * 5
    assert not _maps.is_large_map(file[:1000, :3])
    assert not _maps.is_large_map(np.empty((100_000, 1000), np.float32))


PEAK = """
import re, sys, warnings
import numpy as np
from dlkernels.estimators import LogisticRegression, MLPClassifier
warnings.simplefilter("ignore")
path, n, m = sys.argv[1], 100, 4 * 10**9 // 800
X, y = np.memmap(path, np.float64, "r", shape=(m, n)), np.arange(m, dtype=np.int8) % 2

def chunks():
    for first in range(0, m, 50_000):
        yield X[first : first + 50_000], y[first : first + 50_000]

model = LogisticRegression(max_iter=1).fit(X, y)
model.predict(X)
MLPClassifier((4,), solver="lbfgs", max_iter=1, max_fun=1).fit(X, y)
MLPClassifier((4,), max_iter=1).fit_chunks(chunks)
# A part of an epoch in random order, which would take a minute as a whole.
from dlkernels import num_parameters, optimizers
from dlkernels.estimators._problem import Problem
problem = Problem(X.T, np.zeros((1, m)), None, (n, 4, 1), ("relu",), "sigmoid", 0.0)
order = np.random.default_rng(0).permutation(m)[:20_000]
problem.epoch(np.zeros(num_parameters((n, 4, 1))), optimizers.Adam(), order, 200)
with open("/proc/self/status") as status:
    print(re.search(r"VmHWM:\\s+(\\d+) kB", status.read())[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_four_gigabytes_are_learnt_within_one(tmp_path):
    """The most memory that the process ever had, with the pages of the file that it had read."""
    file = tmp_path / "X"
    with open(file, "wb") as sparse:
        sparse.truncate(4 * 10**9)
    done = new_process(PEAK, None, str(file), timeout=600)
    assert done.returncode == 0, done.stderr
    peak = int(re.search(r"\d+", done.stdout)[0]) * 1024
    print(f"{peak / 1e9:.2f} GB")
    assert peak < 1e9
