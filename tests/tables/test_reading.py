"""CSV files as people have them, and what can't be meant."""

from __future__ import annotations

import numpy as np
import pytest

from dlkernels._tables.cells import columns_of
from dlkernels._tables.reading import read_table
from dlkernels.data import DataError


def read(tmp_path, content, encoding=None):
    path = tmp_path / "table.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path, encoding)


def numbers(table, name, decimal=None):
    return columns_of(table, table.names, decimal)[name].numbers.tolist()


PLAIN = "a,b\n1.5,x\n2,y\n"
#: Tables that all hold a = 1.5, 2 and b = x, y.
SAME = {
    "plain": PLAIN,
    "no newline at the end": "a,b\n1.5,x\n2,y",
    "UTF-8 with a mark": PLAIN.encode("utf-8-sig"),
    "UTF-16 of Excel": PLAIN.replace("\n", "\r\n").replace(",", "\t").encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "CRLF": "a,b\r\n1.5,x\r\n2,y\r\n",
    "old Mac": "a,b\r1.5,x\r2,y\r",
    "semicolons": "a;b\n1.5;x\n2;y\n",
    "decimal commas": "a;b\n1,5;x\n2;y\n",
    "decimal commas and tabs": "a\tb\n1,5\tx\n2,0\ty\n",
    "vertical bars": "a|b\n1.5|x\n2|y\n",
    "Excel's first line": "sep=;\na;b\n1,5;x\n2;y\n",
    "another separator in Excel's first line": "sep=:\na:b\n1.5:x\n2:y\n",
    "blank lines": "\n\na,b\n\n1.5,x\n \n2,y\n\n",
    "lines of separators": "a,b\n1.5,x\n2,y\n,\n,\n",
    "spaces": " a , b \n 1.5 , x\n2 ,y \n",
    "quotation marks": '"a","b"\n"1.5","x"\n"2","y"\n',
    "quotation marks after a space": 'a, "b"\n1.5, "x"\n2, "y"\n',
    "an index": ",a,b\n0,1.5,x\n1,2,y\n",
    "an index of pandas": "Unnamed: 0,a,b\n0,1.5,x\n1,2,y\n",
    "an index of words": ",a,b\nfirst,1.5,x\nsecond,2,y\n",
    "a separator at the end": "a;b;\n1,5;x;\n2;y;\n",
    "exponents and signs": "a,b\n+15e-1,x\n2.,y\n",
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_table_in_many_forms(case, tmp_path):
    table = read(tmp_path, SAME[case])
    assert table.names == ("a", "b")
    assert numbers(table, "a") == [1.5, 2.0]
    assert table.columns["b"] == ["x", "y"]
    assert table.marked == ("with a mark" in case or "UTF-16" in case)
    said = case.startswith("an index") or case in ("a separator at the end", "lines of separators")
    assert len(table.remarks) == said


def test_other_encodings(tmp_path):
    content = "größe;b\n1;ä\n2;ö\n".encode("cp1252")
    with pytest.raises(
        DataError, match=r"table.csv: line 1 is no text in UTF-8; if Excel .* --encoding cp1252"
    ):
        read(tmp_path, content)
    assert read(tmp_path, content, "cp1252").columns == {"größe": ["1", "2"], "b": ["ä", "ö"]}
    with pytest.raises(DataError, match="there is no encoding 'klingon'"):
        read(tmp_path, content, "klingon")
    with pytest.raises(DataError, match="line 2 is no text in ascii; is it another encoding than ascii"):
        read(tmp_path, "a\nä\n".encode(), "ascii")


def test_separators_and_line_ends_in_quotation_marks(tmp_path):
    table = read(tmp_path, 'name,words\n"Smith, J.","two\nlines"\n"a ""b""",\'\n')
    assert table.columns == {"name": ["Smith, J.", 'a "b"'], "words": ["two\nlines", "'"]}
    assert table.lines == [3, 4]


def test_an_index_is_kept_beside_the_columns(tmp_path):
    table = read(tmp_path, ",a\nfirst,1\nsecond,2\n")
    assert (table.index_name, table.index_cells) == ("", ["first", "second"])
    assert "index" in table.remarks[0]


def test_the_separator_follows_from_all_lines(tmp_path):
    assert read(tmp_path, "a;b\n1,5;2,5\n3,5;4,5\n").columns["b"] == ["2,5", "4,5"]
    assert read(tmp_path, "size, in m;b\n1;x,y\n").names == ("size, in m", "b")
    assert read(tmp_path, "a,b\nx;y,1\nx;z,2\n").columns["a"] == ["x;y", "x;z"]
    assert read(tmp_path, "a\n1\n2\n").columns == {"a": ["1", "2"]}


@pytest.mark.parametrize(
    "cell", ["", "NA", "N/A", "n/a", "#N/A", "#NV", "<NA>", "nan", "NaN", "null", "NULL", "None", "?", '""']
)
def test_missing_cells(cell, tmp_path):
    column = columns_of(read(tmp_path, f"a,b\n1,x\n{cell},y\n3,z\n"), "a")["a"]
    assert (column.missing, column.kind) == (1, "numbers")
    assert np.isnan(column.numbers).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (("1", "2.5", "-3e-4", ".5"), "numbers"),
        (("1", "inf"), "numbers"),
        (("007", "12"), "texts"),
        (("1_000", "2"), "texts"),
        (("0x1f", "2"), "texts"),
        (("1.234.567", "2"), "texts"),
        (("１２", "2"), "texts"),
        (("TRUE", "false", "True"), "booleans"),
        (("true", "yes"), "texts"),
        (("true", "1"), "texts"),
        (("2024-01-31", "2023-12-01 14:30:00"), "dates"),
        (("31.01.2024", "1.2.2024"), "dates"),
        (("1/31/24", "2/1/24"), "dates"),
        (("3 Jan 2024", "15-Mar-24"), "dates"),
        (("14:30", "09:15:10"), "dates"),
        (("2024-01-31T14:30:00Z", ""), "dates"),
        (("1-2-2", "3-4-5"), "dates"),
        (("", "NA"), "empty"),
    ],
)
def test_what_the_cells_of_a_column_are(cells, kind, tmp_path):
    table = read(tmp_path, "a|b\n" + "".join(f"{cell}|x\n" for cell in cells))
    assert columns_of(table, "a")["a"].kind == kind


def test_true_and_false_are_1_and_0(tmp_path):
    assert numbers(read(tmp_path, "a,b\nTRUE,x\nfalse,y\n"), "a") == [1.0, 0.0]


def test_the_decimal_mark_can_be_said(tmp_path):
    table = read(tmp_path, 'a,b\n"1,234",1.5\n"2,5",2\n')
    with pytest.raises(DataError, match=r"'a' holds '1,234', where the comma may be .* --decimal comma"):
        columns_of(table, table.names)
    assert numbers(table, "a", ",") == [1.234, 2.5]
    both = read(tmp_path, "a;b\n1,5;1.5\n2;2\n")
    with pytest.raises(DataError, match=r"'a' holds '1,5', but column 'b' holds '1.5'.*--decimal comma or"):
        columns_of(both, both.names)
    assert numbers(read(tmp_path, "a;b\n1,5;31.01.2024\n2;1.2.2024\n"), "a") == [1.5, 2.0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("a,b\n", "no rows below the names of the columns"),
        ("1,2\n3,4\n", "line 1 must name the columns, but holds numbers: 1, 2"),
        ("a,b\n1,2\n3\n", "line 3 has 1 field but the header has 2"),
        ("sep=;\na;b\n\n1;2\n3\n", "line 5 has 1 field but the header has 2"),
        (
            "a,b\n1,2,3\n",
            "line 2 has 3 fields but the header has 2; commas inside of texts and numbers need quotation",
        ),
        ('a,b\n1,2\n"x,2\n3,4\n', "line 3: a quotation mark opens here or below and is never closed"),
        ('a,b\n"1"2,3\n', "line 2: ',' expected after '\"'"),
        ("a,b,a\n1,2,3\n", "line 1 names 2 columns 'a'"),
        ("a,,b\n1,2,3\n", "line 1 has no name for column 2"),
        ("a,b\n1,\0\n", "not a text file"),
        (b"PK\x03\x04rest", "an Excel workbook, or another zip file; save its sheet as a CSV file"),
        (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)"),
        (b"\x1f\x8b\x08\0", "compressed by gzip; unpack it first (gunzip)"),
        (b"PAR1", "a Parquet file"),
        (bytes(range(128, 256)), "no text in UTF-8"),
    ],
)
def test_what_can_not_be_meant(content, words, tmp_path):
    with pytest.raises(DataError) as caught:
        read(tmp_path, content)
    assert "table.csv: " in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(DataError, match=r"none.csv: No such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="not a file"):
        read_table(tmp_path)


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e999", "1e200"])
def test_numbers_that_are_too_large_are_named(cell, tmp_path):
    table = read(tmp_path, f"a,b\n1,x\n{cell},y\n")
    with pytest.raises(DataError, match=f"line 3, column 'a': {cell} is (infinite|beyond 1e.50)"):
        numbers(table, "a")
