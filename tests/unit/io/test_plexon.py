"""Plexon files, compared with neo."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from neo.rawio import PlexonRawIO
from tests import acquisition_files as files
from tests import plexon_files as plexon

from wakeful.io import plexon as reader
from wakeful.io.recording import read_recording
from wakeful.model.errors import BadRecording, NoRecording, TruncatedFile
from wakeful.model.time import Interval


def _ramps(n_samples: int, n_channels: int = 3) -> np.ndarray:
    return np.stack([files.ramp(n_samples, c) for c in range(n_channels)])


def test_streams_by_kind_events_and_start(tmp_path: Path) -> None:
    path = plexon.write_plx(
        tmp_path / "a.plx",
        _ramps(1000),
        names=("FP01", "FP02", "AI01"),
        events=[(400, 257, 77), (8400, 258, 0)],
    )
    recording = read_recording(path)
    description = recording.description
    assert [[c.name for c in s.channels] for s in description.streams] == [
        ["FP01", "FP02"],
        ["AI01"],
    ]
    assert description.streams[1].channels[0].kind.value == "other"
    assert description.start_utc == datetime(2024, 3, 1, 10, 0, 0, 10_000, tzinfo=UTC)
    assert description.start_is_local
    strobed, start = recording.read_events()
    assert (strobed.name, strobed.time_s.tolist(), strobed.code.tolist()) == (
        "Strobed",
        [0.0],
        [77],
    )
    assert (start.name, start.time_s.tolist()) == ("Start", [0.2])


def test_reading_begins_at_the_nearest_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_STEP_BYTES", 3000)
    samples = _ramps(20_000)
    path = plexon.write_plx(tmp_path / "a.plx", samples, lost_after={50: 10})
    recording = read_recording(path)
    (stream,) = recording.description.streams
    source = recording.open(stream.name)
    rng = np.random.default_rng(5)
    for _ in range(60):
        span = stream.spans[int(rng.integers(2))]
        a, b = np.sort(rng.integers(span.first_sample, span.stop_sample + 1, 2))
        out = np.empty((2, b - a), np.int16)
        source.read(int(a), out, [2, 0])
        np.testing.assert_array_equal(out, samples[[2, 0], a:b])
    ranges = recording.byte_ranges(stream.name, Interval(3.0, 3.1))
    assert sum(r.stop - r.start for r in ranges[1:]) < 15_000


def test_damage_is_named(tmp_path: Path) -> None:
    path = plexon.write_plx(tmp_path / "a.plx", _ramps(1000))
    raw = path.read_bytes()
    path.write_bytes(raw[:-10])
    with pytest.raises(TruncatedFile, match="ends within a block"):
        read_recording(path)
    at = 7504 + 1020 + 5 * 296
    path.write_bytes(raw[:at] + b"\x09" + raw[at + 1 :])
    with pytest.raises(BadRecording, match=f"at byte {at:,} no data block begins"):
        read_recording(path)
    path.write_bytes(b"XXXX" + raw[4:])
    with pytest.raises(BadRecording, match="does not begin with a Plexon header"):
        read_recording(path)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["16sp_lfp_with_2coords.plx", "opx141ch1to3analogOnly003.plx"])
def test_values_and_events_equal_those_of_neo(real_data: Path, name: str) -> None:
    path = real_data / "recordings" / "plexon_buzcode" / name
    peer = PlexonRawIO(str(path), progress_bar=False)
    peer.parse_header()
    recording = read_recording(path)
    rows = peer.header["signal_channels"]
    n_compared = 0
    for stream in recording.description.streams:
        (span,) = stream.spans
        ours = np.empty((len(stream.channels), span.n_samples), np.int16)
        recording.open(stream.name).read(0, ours)
        for channel, values in zip(stream.channels, ours, strict=True):
            (row,) = rows[rows["name"] == channel.name]
            # neo's chunks leave out a block that they end with; the blocks it found are right.
            blocks = peer._data_blocks[5][int(row["id"])]
            parts = [peer._memmap[b["pos"] : b["pos"] + b["size"]].view("<i2") for b in blocks]
            np.testing.assert_array_equal(values, np.concatenate(parts))
            assert channel.gain_uv == pytest.approx(row["gain"] * 1000)
            n_compared += 1
    assert n_compared == len(rows)
    for series in recording.read_events():
        index = peer.header["event_channels"]["name"].tolist().index(series.name)
        stamps, _, labels = peer.get_event_timestamps(0, 0, index, None, None)
        seconds = peer.rescale_event_timestamp(stamps, "float64", index)
        np.testing.assert_allclose(np.diff(series.time_s), np.diff(seconds), atol=1e-9)
        if series.name == "Strobed":
            assert series.code.tolist() == [int(text) for text in labels]


@pytest.mark.real_data
def test_spikes_alone_are_no_recording(real_data: Path) -> None:
    with pytest.raises(NoRecording, match="no continuous channel"):
        read_recording(real_data / "recordings" / "plexon_buzcode" / "opx141spkOnly004.plx")
