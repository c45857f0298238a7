"""Features as a CSV or Parquet table."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from wakeful.model.epochs import SleepFeatures
from wakeful.model.errors import BadParameters
from wakeful.publish.feature_table import write_feature_table


def _features(first=0, n=3, names=("CA1.edge_50", "CA1~PFC.correlation")):
    rng = np.random.default_rng(first)
    values = rng.normal(0, 1e3, (n, len(names))).astype(np.float32)
    values[0, 0] = np.nan
    values[-1] = np.nan
    return SleepFeatures(
        start_s=np.arange(first, first + n) * 4.0,
        values=values,
        names=names,
        units=("Hz", ""),
        groups=("spectrum", "pairs"),
        regions=("CA1", "PFC"),
        channels=(("c1",), ("c2",)),
        epoch_s=4.0,
    )


PARTS = [_features(0), _features(3, 5)]
WHOLE = SleepFeatures.join(PARTS)


def test_csv_holds_every_number_to_the_bit_and_nothing_where_there_is_none(tmp_path):
    shares = []
    path = write_feature_table(PARTS, tmp_path / "f.csv", progress=shares.append)
    assert shares == [0.5, 1.0]
    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows[0] == ["start_s", *WHOLE.names]
    assert [float(row[0]) for row in rows[1:]] == WHOLE.start_s.tolist()
    assert rows[1][1] == ""
    assert rows[-1][1:] == ["", ""]
    table = pd.read_csv(path)
    np.testing.assert_array_equal(table[list(WHOLE.names)].to_numpy(np.float32), WHOLE.values)
    assert [p.name for p in tmp_path.iterdir()] == ["f.csv"]


def test_parquet_holds_units_groups_and_nulls(tmp_path):
    path = write_feature_table(PARTS, tmp_path / "f.parquet")
    table = pq.read_table(path)
    assert table.column_names == ["start_s", *WHOLE.names]
    assert table.schema.field("CA1.edge_50").metadata == {b"unit": b"Hz", b"group": b"spectrum"}
    assert table.schema.metadata[b"epoch_s"] == b"4"
    assert table.column("CA1~PFC.correlation").null_count == 2
    found = table.to_pandas()[list(WHOLE.names)].to_numpy(np.float32)
    np.testing.assert_array_equal(found, WHOLE.values)


def test_names_with_commas_survive(tmp_path):
    parts = [_features(names=('PFC, "left".edge_50', "x"))]
    path = write_feature_table(parts, tmp_path / "f.csv")
    rows = list(csv.reader(path.read_text().splitlines()))
    assert rows[0][1] == 'PFC, "left".edge_50'


def test_what_can_not_be_written_is_said_and_leaves_nothing(tmp_path):
    with pytest.raises(BadParameters, match=r"neither in \.csv nor in \.parquet"):
        write_feature_table(PARTS, tmp_path / "f.txt")
    with pytest.raises(BadParameters, match="no such folder"):
        write_feature_table(PARTS, tmp_path / "nowhere" / "f.csv")
    other = replace(PARTS[1], names=("a", "b"))
    for name in ("f.csv", "f.parquet"):
        with pytest.raises(BadParameters, match="part 2 of 2"):
            write_feature_table([PARTS[0], other], tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    path = write_feature_table(PARTS, tmp_path / "f.csv")
    before = path.read_bytes()
    with pytest.raises(BadParameters, match="--overwrite"):
        write_feature_table(PARTS[:1], path)
    assert path.read_bytes() == before
    write_feature_table(PARTS[:1], path, overwrite=True)
    assert len(path.read_text().splitlines()) == 4
