"""Parts of tables: how files are cut and read, and what is known of columns from parts of them."""

from __future__ import annotations

import numpy as np
import pyarrow
import pytest

from dlkernels._tables import parts
from dlkernels._tables.arrow import quick_table
from dlkernels._tables.cells import Column
from dlkernels._tables.coded import PartRows, of_texts
from dlkernels._tables.parts import csv_files
from dlkernels._tables.reading import Layout, rows_of
from dlkernels._tables.summaries import combined, of_column, of_numbers

# -- summaries -------------------------------------------------------------------------------------------


COLUMNS = {
    "numbers": ["1", "-2.5", "+3e2", "", ".5", "NA", "7."],
    "commas": ["1,5", "2", "3,25", "", "1"],
    "both marks": ["1,5", "2.5", "x"],
    "infinite": ["1", "-Inf", "2"],
    "too large": ["1", "1e999", "2"],
    "booleans": ["true", "FALSE", "", "True"],
    "dates": ["2024-01-31", "", "2024-02-01"],
    "codes": ["007", "12", "7", "012"],
    "amounts": ["1.595,85", "30 %", "7", "8"],
    "texts": ["a", "b", "", "a", "NaN", "c"],
    "empty": ["", "NA", "?"],
    "no ASCII": ["١", "é", "1"],
}


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("name", COLUMNS)
def test_parts_show_what_one_table_shows(name, decimal):
    cells = COLUMNS[name] * 2
    rows = PartRows(np.zeros(len(cells), bool), lambda row: f"line {row + 2}", False)
    found, kept = of_texts(name, pyarrow.array(cells), decimal, rows)
    expected = of_column(Column(name, cells, list(range(2, len(cells) + 2)), decimal))
    for field in ("rows", "trained", "missing", "fits", "texts", "others", "example", "gap", "marks"):
        assert getattr(found, field) == getattr(expected, field), field
    assert found.wrong.replace(": ", ", ", 1) == expected.wrong
    assert np.array_equal([kept.texts[code] for code in kept.codes], cells)
    if expected.figures is not None:
        assert found.figures[:8] == expected.figures[:8]


def test_summaries_of_parts_add_up_to_that_of_the_whole():
    random = np.random.default_rng(0)
    cells = [f"{x:.3f}" if x < 1001.5 else "" for x in random.normal(size=3000) + 1000]
    cells[7] = "2.5"
    held = random.random(3000) < 0.2

    def summary(start, stop):
        rows = PartRows(held[start:stop], lambda row: f"line {start + row}", True)
        return of_texts("c", pyarrow.array(cells[start:stop]), ".", rows)[0]

    whole = summary(0, 3000)
    total = combined(summary(start, start + 170) for start in range(0, 3000, 170))
    for name in ("rows", "trained", "missing", "kind", "example", "gap", "marks", "texts"):
        assert getattr(total, name) == getattr(whole, name)
    assert total.texts is None
    assert total.figures.number == whole.figures.number
    numbers = np.array([float(cell or "nan") for cell in cells])
    trained = numbers[~held & ~np.isnan(numbers)]
    assert total.figures.mean == pytest.approx(trained.mean(), rel=1e-12)
    assert total.figures.scale == pytest.approx(trained.std(), rel=1e-9)
    assert (total.figures.least, total.figures.most) == (np.nanmin(numbers), np.nanmax(numbers))
    assert total.figures.median == pytest.approx(np.median(trained), abs=0)


@pytest.mark.parametrize("rows", [1, 2, 5, 500, 501, 20000])
def test_the_rank_of_the_median_is_nearly_right(rows):
    numbers = np.random.default_rng(rows).exponential(size=rows)
    median = of_numbers(numbers, medians=True).median
    if rows <= 500:
        assert median == np.median(numbers)
    assert abs((numbers < median).mean() - 0.5) <= 0.001 + 0.5 / rows


def test_parts_count_rows_though_one_has_no_values():
    made = [of_column(Column("c", cells, [2, 3])) for cells in (["1", "2"], ["3", "4"], ["5", ""])]
    assert combined(made[:2]).figures.counting
    assert not combined(made).figures.counting
    assert not combined([made[0], of_column(Column("c", ["", ""], [2, 3])), made[1]]).figures.counting


# -- parts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_cut_between_rows_and_lines_keep_their_numbers(end, tmp_path):
    rows = [
        f'{row},"a text{end}in two lines, ""quoted"""' if row % 7 == 3 else f"{row},x" for row in range(200)
    ]
    path = tmp_path / "table.csv"
    path.write_bytes(end.join(["a,b", *rows, ""]).encode())
    source = csv_files(path, "shown", None)
    (whole,) = source.pieces(path, "shown", 10**6)
    pieces = source.pieces(path, "shown", 100)
    assert len(pieces) > 10
    expected = source.read(whole, source.names)
    found = [source.read(piece, source.names) for piece in pieces]
    for name in "ab":
        cells = [cell for each in found for cell in each.columns[name].to_pylist()]
        assert cells == expected.columns[name].to_pylist()
    lines = [
        source.line(piece, row) for piece, each in zip(pieces, found, strict=True) for row in range(each.rows)
    ]
    assert lines == [source.line(whole, row) for row in range(expected.rows)]
    assert lines[2:6] == [4, 6, 7, 8]


def test_a_stray_quotation_mark_does_not_make_one_part_of_all(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('a,b\n1,pipe of 5" and more\n' + "1,x\n" * 1000)
    source = csv_files(path, "shown", None)
    pieces = source.pieces(path, "shown", 100)
    assert len(pieces) > 20
    assert sum(source.read(piece, source.names).rows for piece in pieces) == 1001


QUICK = [
    "1,2\n3,4",
    "1,2\r\n\r\n\n,\n 3 ,\u00a0x y\r",
    '"a","b ""c"""\n"x\ny","1,5"\n"",2\n',
]
SLOW = ['1, ""\n', '1, "a,b"\n', '5",6\n', '"a"b,1\n', '""x,1\n', '1,"2\n', "1\n", "1,2,3\n", " \n1,2\n", ""]


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("text", QUICK + SLOW)
def test_arrow_reads_what_the_csv_module_reads_or_nothing(text, header):
    layout = Layout(",", ("a", "b"), "")
    text = "\na,b\n" * header + text
    found = quick_table(text, layout, False, header)
    assert (found is None) == (text.removeprefix("\na,b\n") in SLOW)
    if found is not None:
        expected = rows_of(text, layout, 0, False, header)
        assert {name: cells.to_pylist() for name, cells in found.columns.items()} == expected.columns
        assert found.skipped == expected.skipped


def test_small_files_are_read_together():
    pieces = [(parts.Piece(f"{number}", f"{number}", 0, 30, 0), 30) for number in range(10)]
    assert [len(part) for part in parts.grouped(pieces, 100)] == [3, 3, 3, 1]
