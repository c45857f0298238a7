"""Tables of features as labs write them, and what is said of those that can't be used."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from wakeful.io.feature_tables import Columns, TableFile, read_feature_table
from wakeful.model.errors import BadTable


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path, epoch_s: float | None = None, **columns) -> TableFile:
    return read_feature_table(path, Columns(**columns), epoch_s=epoch_s)


GOOD = """\
EpochNo,Stage,Time,Delta,EMG,Mode,Empty,Gain
0,W,2026-03-02 07:00:00,1.5,10,base,,1
1,W,2026-03-02 07:00:04,2.5,NA,base,,1
2,NR,2026-03-02 07:00:08,,12,base,,1
3,NR,2026-03-02 07:01:00,4.5,inf,base,,1
"""


def test_a_table_as_labs_write_it(tmp_path):
    found = read(write(tmp_path / "a.csv", GOOD), labels="Stage")
    table = found.table
    assert table.names == ("Delta", "EMG")
    np.testing.assert_array_equal(table.values[:, 0], [1.5, 2.5, np.nan, 4.5])
    np.testing.assert_array_equal(table.values[:, 1], [10, np.nan, 12, np.nan])
    assert table.epoch_s == 4
    assert table.starts.tolist() == [True, False, False, True]
    assert found.n_holes == 1
    assert found.labels == ("W", "W", "NR", "NR")
    assert found.times is not None
    assert found.times[3] == "2026-03-02 07:01:00"
    notes = "; ".join(found.notes)
    for part in (
        "it counts the rows): EpochNo",
        "text): Mode",
        "no number): Empty",
        "one value throughout): Gain",
        "1 infinite number",
    ):
        assert part in notes


def test_gz_tabs_semicolons_and_decimal_commas_are_read_alike(tmp_path):
    expected = read(write(tmp_path / "a.csv", "t,x,y\n0,1.5,2\n4,2.5,3\n8,-0.5,2\n")).table
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    write(tmp_path / "c.tsv", "t\tx\ty\r\n0\t1.5\t2\r\n4\t2.5\t3\r\n8\t-0.5\t2\r\n")
    write(tmp_path / "d.csv", "\ufefft;x;y\n0;1,5;2\n4;2,5;3\n\n8;-0,5;2\n")
    for name in ("b.csv.gz", "c.tsv", "d.csv"):
        found = read(tmp_path / name).table
        assert found.names == expected.names
        np.testing.assert_array_equal(found.values, expected.values)


def test_parquet_gives_what_csv_gives(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.read_csv(write(tmp_path / "a.csv", GOOD), parse_dates=["Time"])
    frame.to_parquet(tmp_path / "a.parquet")
    one = read(tmp_path / "a.csv", labels="Stage")
    two = read(tmp_path / "a.parquet", labels="Stage")
    assert one.table.names == two.table.names
    np.testing.assert_array_equal(one.table.values, two.table.values)
    np.testing.assert_array_equal(one.table.starts, two.table.starts)
    assert one.labels == two.labels


def test_without_times_holes_are_said_to_be_unknown(tmp_path):
    path = write(tmp_path / "a.csv", "x,y\n1,2\n2,3\n")
    with pytest.raises(BadTable, match=r"how long an epoch is; give --epoch-s"):
        read(path)
    found = read(path, 4.0)
    assert found.table.starts.tolist() == [True, False]
    assert "holes in the recording, if any, are not known" in found.notes[0]


def test_several_animals(tmp_path):
    text = "s,cage,t,x\nM1,A,0,1\nM1,A,4,2\nM2,A,0,3\nM2,A,4,5\n"
    found = read(write(tmp_path / "a.csv", text), subject="s", group="cage")
    assert found.table.starts.tolist() == [True, False, True, False]
    assert found.table.subject.tolist() == ["M1", "M1", "M2", "M2"]
    assert found.table.group.tolist() == ["A"] * 4
    assert found.n_holes == 0


@pytest.mark.parametrize(
    ("text", "columns", "epoch_s", "message"),
    [
        ("", {}, None, "the file is empty"),
        ("a,b\n", {}, None, "a header but no row"),
        ("a,a\n1,2\n", {}, 4.0, "more than one column is called a"),
        ("a,,b\n1,2,3\n", {}, 4.0, "column 2 has no name"),
        ("justone\n1\n", {}, 4.0, "one column only"),
        ("a,b\n1,2\n1\n", {}, 4.0, "line 3 has another number of cells"),
        ("Stage,x\nW,1\n", {"labels": "stage"}, 4.0, r"no column stage.*did you mean Stage"),
        ("Stage,x\nW,1\n", {"subject": "animal"}, 4.0, "the columns are Stage, x"),
        ("x,y\n1,2\n2,oops\n3,4\n", {}, 4.0, r"column y, row 2: 'oops' is not a number"),
        ("x,y\n,a\n,b\n", {}, 4.0, "there is no feature"),
        ("t,x\n0,1\n8,2\n4,3\n", {}, 4.0, r"row 3: the row is not later than the row before"),
        ("t,x\n0,1\n4,2\n4,3\n", {}, 4.0, r"row 3: the row is not later"),
        (
            "t,x\n0,1\n4,2\n6,3\n10,3\n14,1\n",
            {},
            None,
            r"row 3: the row begins within the epoch of 4 s",
        ),
        ("t,x\n0,1\n4,2\n8,5\n", {}, 10.0, r"4 s apart, epochs are said to last 10 s"),
        ("t,x\n0,1\nnoon,2\n", {"time": "t"}, 4.0, r"row 2: 'noon' is neither"),
        ("s,t,x\nA,0,1\nB,0,2\nA,4,3\n", {"subject": "s"}, 4.0, "A comes back after another"),
        ("s,t,x\nA,0,1\n,4,2\n", {"subject": "s"}, 4.0, r"row 2: no subject is given"),
        ("x,y\n1,2\n3,4\n", {}, 0.0, "an epoch of 0 s"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, text, columns, epoch_s, message):
    path = write(tmp_path / "bad.csv", text)
    with pytest.raises(BadTable, match=message) as caught:
        read(path, epoch_s, **columns)
    assert caught.value.remedy


def test_what_a_model_knows_is_read_whatever_it_looks_like(tmp_path):
    text = "t,x,counter,one,empty,broken\n0,1,0,7,,1\n4,9,1,7,,2\n8,1,2,7,,oh\n"
    path = write(tmp_path / "a.csv", text)
    found = read_feature_table(path, Columns(), wanted=("one", "counter", "empty", "other"))
    assert found.table.names == ("counter", "one", "empty")
    assert np.isnan(found.table.values[:, 2]).all()
    with pytest.raises(BadTable, match=r"column broken, row 3: 'oh'"):
        read_feature_table(path, Columns(), wanted=("broken",))
    with pytest.raises(BadTable, match="none of the features"):
        read_feature_table(path, Columns(), wanted=("nothing",))


def test_files_that_can_not_be_read(tmp_path):
    with pytest.raises(BadTable, match="no such file"):
        read(tmp_path / "none.csv")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n" * 99)[:-12])
    with pytest.raises(BadTable, match="can't be unpacked"):
        read(tmp_path / "a.csv.gz")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and not much more")
    with pytest.raises(BadTable, match="can't be read as Parquet"):
        read(tmp_path / "a.parquet")
