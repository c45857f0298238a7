"""A session as a zarr store: what xarray finds in it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from tests.whole_session import CHANNELS, SPANS, make_samples

import wakeful.publish.zarr_store as zarr_store
from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.errors import BadParameters
from wakeful.publish.zarr_store import write_zarr


@pytest.fixture(scope="module")
def store(contents, tmp_path_factory) -> Path:
    told: list[float] = []
    path = write_zarr(
        contents, tmp_path_factory.mktemp("zarr") / "session.zarr", progress=told.append
    )
    assert told[-1] == 1.0
    return path


@pytest.fixture(scope="module")
def dataset(store) -> xr.Dataset:
    return xr.open_zarr(store)


def stored() -> np.ndarray:
    planted = make_samples()
    return np.concatenate([planted[:, : SPANS[0].n_samples], planted[:, 50_000:]], axis=1)


def test_samples_times_and_spans_come_back(dataset):
    assert dataset.lfp.dims == ("lfp_channel", "sample")
    assert dataset.lfp.dtype == np.int16
    np.testing.assert_array_equal(dataset.lfp, stored()[:2])
    np.testing.assert_array_equal(dataset.emg, stored()[2:])
    np.testing.assert_allclose(dataset.time_s[40_000:], 50 + np.arange(70_035) / 1000.5)
    assert dataset.span.values[[39_999, 40_000]].tolist() == [0, 1]
    assert dataset.span_rate_hz.values.tolist() == [1000, 1000.5]


def test_microvolts_are_one_line(dataset):
    assert dataset.lfp.attrs["microvolts"] == "lfp * lfp_gain_uv + lfp_offset_uv"
    lfp_uv = dataset.lfp * dataset.lfp_gain_uv + dataset.lfp_offset_uv
    np.testing.assert_allclose(lfp_uv.sel(lfp_channel="CSC2"), stored()[1] * -0.25)
    assert dataset.lfp_region.values.tolist() == ["CA1", "VISp"]


def test_results_share_their_epochs(dataset, contents):
    power = dataset.band_power.sel(region="VISp", band="theta")
    np.testing.assert_array_equal(power, contents.band_power.power_uv2[:, 1, 1])
    assert dataset.band_power.dims == ("start_s", "region", "band")
    rem = dataset.spectrogram.where(dataset.state == 3, drop=True)
    assert rem.sizes["start_s"] == 7
    whole = np.concatenate([part.power_uv2_per_hz for part in contents.spectrogram])
    np.testing.assert_array_equal(dataset.spectrogram, whole)
    np.testing.assert_array_equal(dataset.emg_rms, contents.muscle.emg_uv)
    assert "REM" in dataset.state.attrs["flag_meanings"]


def test_other_tables_poses_events_and_bad_times(dataset, contents):
    noise = dataset.channel_quality_noise_uv
    np.testing.assert_array_equal(noise, contents.tables["channel_quality"].noise_uv)
    named = contents.tables["channel_quality"].channels
    assert noise.dims[1] == "channel_quality_channel"
    assert dataset.channel_quality_channel.values.tolist() == list(named)
    x_px = np.concatenate([part.x_px for part in contents.poses["pose"]])
    np.testing.assert_array_equal(dataset.pose_x_px, x_px)
    assert dataset.pose_x_px.attrs["keypoints"] == ["snout", "tailbase"]
    assert dataset.events_label.values.tolist() == ["up", "", "up", "down"]
    assert dataset.invalid_start_s.values.tolist() == [40, 60]
    assert dataset.invalid_reason.values[1] == "quarantined: the clock stepped back"


def test_it_says_what_made_it(dataset, contents):
    assert dataset.attrs["identifier"] == contents.identifier
    assert dataset.attrs["start_local"] == "2026-03-02T10:15:00+01:00"
    assert dataset.attrs["subject"]["strain"] == "C57BL/6J"
    assert dataset.attrs["provenance"][0]["key"] == "ab" * 32


def test_a_shard_holds_all_channels_and_a_chunk_one(store, monkeypatch, contents, tmp_path):
    monkeypatch.setattr(zarr_store, "_CHUNK_SAMPLES", 7000)
    path = write_zarr(contents, tmp_path / "small.zarr")
    meta = json.loads((path / "lfp" / "zarr.json").read_text())
    assert meta["chunk_grid"]["configuration"]["chunk_shape"] == [2, 35_000]
    assert meta["codecs"][0]["configuration"]["chunk_shape"] == [1, 7000]
    files = [p for p in (path / "lfp").rglob("*") if p.is_file() and p.name != "zarr.json"]
    assert len(files) == 4
    np.testing.assert_array_equal(xr.open_zarr(path).lfp, stored()[:2])


def test_nothing_is_overwritten_and_nothing_half_written_stays(contents, tmp_path):
    path = tmp_path / "a.zarr"
    bare = replace(contents, spectrogram=(), poses={}, events=())
    write_zarr(bare, path)
    with pytest.raises(BadParameters, match="--overwrite"):
        write_zarr(bare, path)

    class Torn(MemorySource):
        def read(self, first_sample, out, rows=None):
            raise OSError(28, "No space left on device")

    torn = replace(bare, lfp=Lfp(Torn(make_samples(), CHANNELS, SPANS), 1000.0))
    with pytest.raises(OSError, match="No space"):
        write_zarr(torn, path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
    np.testing.assert_array_equal(xr.open_zarr(path).lfp, stored()[:2])
    write_zarr(replace(bare, lfp=None), path, overwrite=True)
    assert "lfp" not in xr.open_zarr(path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]
    (tmp_path / "mine.zarr").mkdir()
    with pytest.raises(BadParameters, match="is no zarr store"):
        write_zarr(bare, tmp_path / "mine.zarr", overwrite=True)
