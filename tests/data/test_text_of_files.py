"""Text of files commands no terminal and reorders no line, wherever it is shown."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from dlkernels import data
from dlkernels.cli import main
from dlkernels.text import printable

BAD = "\x1b]0;title\x07 \x9b31m \u202eabc\u202c \u2066d\u2069 \r\n\x7f \u2028"
CONTROLS = {
    *map(chr, range(32)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u2028\u2029\u202a\u202b\u202c\u202d\u202e",
} | {*"\u2066\u2067\u2068\u2069"}


def clean(text):
    return not CONTROLS & set(text)


def test_control_characters_are_written_out():
    assert printable("a\x1b[31mb\n\x9b\u202e") == r"a\x1b[31mb\n\x9b\u202e"
    for letter in sorted(CONTROLS):
        assert clean(printable(f"a{letter}b")), ascii(letter)
    assert printable("\udcff") == r"\udcff"  # a byte of a file name that is no UTF-8
    assert printable(printable(BAD)) == printable(BAD)


@pytest.mark.parametrize(
    "text", ["나이", "größe, café", "e\u0301", "👩‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "שלום \u200f", "a\u00a0b", "x_1 \\ $y$ 'z' \"w\""]
)  # fmt: skip
def test_ordinary_text_stays(text):
    assert printable(text) == text


def test_where_text_enters_a_data_set_and_its_errors():
    made = data.Dataset(BAD, np.eye(1), np.eye(1), np.eye(1), np.eye(1), (BAD, "나이"), BAD)
    assert all(map(clean, (made.name, *made.feature_names, made.description, repr(made))))
    assert made.feature_names[1] == "나이"
    assert clean(str(data.DataError(f"file {BAD}")))


def files(folder):
    """Write a file of each kind whose name and names are bad; yield the arguments that load it."""
    name = "n\x1b[31m\u202e\x9b"
    X, Y = np.arange(40.0).reshape(2, 20), np.array([[0, 1] * 10])
    np.savez(folder / f"{name}.npz", X=X, Y=Y, feature_names=[BAD, "b"])
    yield (folder / f"{name}.npz",)
    rows = "".join(f"{x},{z},{y}\n" for x, z, y in zip(*X, Y[0], strict=True))
    (folder / f"{name}.csv").write_text(f'"{BAD}",b,y\x1b\n{rows}', encoding="utf-8")
    yield folder / f"{name}.csv", "y\x1b"
    with h5py.File(folder / f"{name}.h5", "w") as file:
        file["list_classes"] = np.array([BAD.encode(), b"cat"])
        for part in ("train", "test"):
            file[f"{part}_set_x"], file[f"{part}_set_y"] = np.zeros((6, 1, 2, 1), np.uint8), np.arange(6) % 2
    yield (folder / f"{name}.h5",)


def test_from_file_to_terminal_json_and_pictures(tmp_path, capsys):
    for path, *label in files(tmp_path):
        found = data.load(path, label=label[0] if label else None)
        assert all(map(clean, (found.name, *found.feature_names, found.description, repr(found))))
        out = tmp_path / f"{path.stem}{path.suffix[1:]}"
        options = ["--model", "logistic", "--backends", "numpy", "--iterations", "2"]
        options += ["--json", str(out / "j"), "--plot", str(out), *(f"--label={each}" for each in label)]
        out.mkdir()
        assert main(["compare", "--data", str(path), *options]) == 0
        printed = capsys.readouterr()
        assert clean((printed.out + printed.err).replace("\n", ""))
        figures = json.loads((out / "j").read_text())
        for text in (
            figures["comparisons"][0]["title"],
            *map(str, figures["comparisons"][0]["data"].values()),
        ):
            assert clean(text)
        assert len(list(out.glob("*.png"))) == 3
        assert all(clean(picture.name) for picture in out.iterdir())


def test_errors_show_them_written_out(tmp_path, capsys):
    path = tmp_path / "n\x1b[31m.csv"
    path.write_text(f'"a{BAD}","y"\n1,0\n{BAD!r},1\n', encoding="utf-8")
    for label in ("y", BAD):
        with pytest.raises(data.DataError) as caught:
            data.load(path, label=label)
        assert clean(str(caught.value))
        assert main(["compare", "--data", str(path), f"--label={label}"]) == 2
        assert clean(capsys.readouterr().err.replace("\n", ""))
    np.savez(tmp_path / "x.npz", **{f"a{BAD}": [1]})
    with pytest.raises(data.DataError, match="the file holds") as caught:
        data.load(tmp_path / "x.npz")
    assert clean(str(caught.value))
