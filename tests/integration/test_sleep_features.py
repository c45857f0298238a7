"""From a row that asks for features to a table that a scorer is trained with."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import wakeful
from wakeful.cli import app
from wakeful.io.store import Store
from wakeful.model.errors import UnknownResult

from .conftest import FINISHED, GAP


def invoke(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == code, f"{done.output} {done.exception!r}"
    return " ".join(done.output.split())


@pytest.mark.slow
def test_features_of_a_row_are_those_of_the_whole_and_are_exported(lab, small_recording, tmp_path):
    lab.add(small_recording, analyses="sleep_features")
    lab.run()
    (row,) = lab.rows().values()
    assert row.status in FINISHED, row.message
    session = wakeful.open_library(lab.library.root).sessions()[0]
    features = session.sleep_features
    assert features.start_s.tolist() == [i * 4.0 for i in range(60)]
    # Four blocks of a minute, each with its neighbours, give what one go gives.
    whole = wakeful.compute_sleep_features(
        session.lfp, session.muscle, quality=session.channel_quality
    )
    assert whole.names == features.names
    np.testing.assert_array_equal(whole.values, features.values)
    in_gap = (features.start_s < GAP.stop_s) & (features.start_s + 4 > GAP.start_s)
    assert np.isnan(features.values[in_gap]).all()
    assert np.isfinite(features.column("CA1.log_power_theta")[~in_gap]).all()
    assert np.isfinite(features.column("log_emg")[~in_gap]).all()

    where = ("--library", str(lab.library.root))
    out = tmp_path / "features.parquet"
    assert "wrote" in invoke("export", "features", session.name, "-o", str(out), *where)
    table = pd.read_parquet(out)
    assert list(table.columns) == ["start_s", *features.names]
    np.testing.assert_array_equal(table[list(features.names)].to_numpy(), features.values)
    invoke("export", "features", session.name, *where)
    (plain,) = lab.library.published.rglob("features.csv")
    np.testing.assert_array_equal(pd.read_csv(plain).start_s, features.start_s)
    with pytest.raises(Exception, match="is there already"):
        session.export_features(plain)
    assert session.export_features(plain, overwrite=True) == plain
    dataset = xr.open_zarr(session.export_zarr(tmp_path / "m.zarr"))
    assert not [name for name in dataset if "sleep_features" in str(name)]
    store = Store(lab.library.results)
    made = [r for r in store.receipts() if r.step == "sleep_features"]
    assert len(made) == 4
    shutil.rmtree(made[0].folder)
    with pytest.raises(UnknownResult, match="features of 1 of 4 hours are not there"):
        session.export_features(tmp_path / "part.csv")
    part = pd.read_csv(session.export_features(tmp_path / "part.csv", so_far=True))
    assert len(part) == 45
    figures = [p.name for p in lab.library.published.rglob("*sleep_features*.png")]
    assert len(figures) == 1


@pytest.mark.slow
def test_a_row_that_did_not_ask_for_features_is_told_so(lab, small_recording):
    lab.add(small_recording, analyses="channel_quality")
    lab.run()
    session = wakeful.open_library(lab.library.root).sessions()[0]
    with pytest.raises(UnknownResult, match="does not ask for sleep_features"):
        session.export_features("nowhere.csv")
    done = CliRunner().invoke(
        app, ["export", "features", session.name, "--library", str(lab.library.root)]
    )
    assert done.exit_code != 0
