"""Flat files described by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.companions import companions
from wakeful.io.flat import parse_flat
from wakeful.io.recording import read_recording
from wakeful.io.registry import Growth
from wakeful.model.errors import BadRecording, NoRecording, StillGrowing, TruncatedFile
from wakeful.model.subject import ChannelKind

LEAST = {"rate_hz": 1000, "n_channels": 2, "gain_uv": 0.5}


def _parse(content: object) -> object:
    return parse_flat(json.dumps(content).encode(), "rec.flat.json")


def test_the_least_that_must_be_said(files: ModuleType, tmp_path: Path) -> None:
    path = files.flat.write_flat(tmp_path / "rec.dat", files.flat.frames(0, 100, 2), LEAST)
    description = read_recording(path).description
    (stream,) = description.streams
    assert stream.name == "1000Hz-2ch"
    assert [(c.name, c.gain_uv, c.offset_uv) for c in stream.channels] == [
        ("CH1", 0.5, 0.0),
        ("CH2", 0.5, 0.0),
    ]
    assert "gaps can't be told" in description.warnings[0]
    assert "times of day are unknown" in description.warnings[1]
    assert companions(path) == (tmp_path / "rec.flat.json",)
    assert read_recording(tmp_path).description.streams == description.streams


def test_all_that_can_be_said() -> None:
    flat = _parse(
        {
            "rate_hz": 20_000.5, "n_channels": 2, "gain_uv": [0.195, -1], "offset_uv": [3, 0],
            "dtype": "uint16", "order": "channel-major", "names": ["CA1", "EMG neck"],
            "header_bytes": 512, "start": "2026-03-02T10:00:00+01:00",
        }
    )  # fmt: skip
    assert [c.gain_uv for c in flat.channels] == [0.195, -1]
    assert [c.offset_uv for c in flat.channels] == [3, 0]
    assert [c.kind for c in flat.channels] == [ChannelKind.LFP, ChannelKind.EMG]
    assert (flat.interleaved, flat.header_bytes) == (False, 512)
    assert flat.start == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert not flat.start_is_local
    local = _parse(LEAST | {"start": "2026-03-02 10:00"})
    assert local.start == datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert local.start_is_local


@pytest.mark.parametrize(
    ("dtype", "stored", "given"),
    [
        ("int16", "<i2", np.int16),
        ("int16-big-endian", ">i2", np.int16),
        ("uint16", "<u2", np.int16),
        ("float32", "<f4", np.float32),
    ],
)
def test_every_type(
    files: ModuleType, tmp_path: Path, dtype: str, stored: str, given: type
) -> None:
    planted = files.flat.frames(0, 100, 2)
    wide = planted.astype(np.int32) + (32_768 if dtype == "uint16" else 0)
    described = LEAST | {"dtype": dtype, "header_bytes": 10}
    path = files.flat.write_flat(tmp_path / "rec.dat", wide.astype(stored), described)
    path.write_bytes(b"0123456789" + path.read_bytes())
    recording = read_recording(tmp_path)
    (stream,) = recording.description.streams
    out = np.empty((2, 100), given)
    recording.open(stream.name).read(0, out)
    np.testing.assert_array_equal(out, planted.T)


def test_a_growing_file(files: ModuleType, tmp_path: Path) -> None:
    files.flat.write_flat(tmp_path / "rec.dat", files.flat.frames(0, 100, 2), LEAST)
    sizes = {"rec.dat": 203, "rec.flat.json": 1000}
    (stream,) = read_recording(tmp_path, growth=Growth(sizes)).description.streams
    assert (stream.growing, stream.spans[0].n_samples, stream.settled_s) == (True, 50, 0.05)
    described = LEAST | {"order": "channel-major"}
    files.flat.write_flat(tmp_path / "rec.dat", files.flat.frames(0, 100, 2), described)
    with pytest.raises(StillGrowing, match="channel after channel"):
        read_recording(tmp_path, growth=Growth(sizes))


def test_a_size_that_does_not_fit(files: ModuleType, tmp_path: Path) -> None:
    described = LEAST | {"n_channels": 3}
    files.flat.write_flat(tmp_path / "rec.dat", files.flat.frames(0, 100, 2), described)
    with pytest.raises(TruncatedFile, match=r"400 bytes.*samples of 3 channels.*rec\.flat\.json"):
        read_recording(tmp_path)
    (tmp_path / "rec.dat").write_bytes(b"")
    with pytest.raises(TruncatedFile, match="0 bytes"):
        read_recording(tmp_path)


def test_a_description_without_samples(files: ModuleType, tmp_path: Path) -> None:
    files.flat.write_flat(tmp_path / "rec.dat", files.flat.frames(0, 100, 2), LEAST).unlink()
    with pytest.raises(NoRecording, match=r"no \.dat or \.bin file of its name"):
        read_recording(tmp_path)


def test_all_that_is_wrong_is_named() -> None:
    with pytest.raises(BadRecording) as caught:
        _parse(
            {
                "rate_hz": -1, "n_channels": True, "gain_uv": "big", "dtype": "int8",
                "order": ["x"], "header_bytes": -4, "start": "yesterday", "gian": 1,
                "names": ["a", ""],
            }
        )  # fmt: skip
    text = str(caught.value)
    for part in (
        "unknown key 'gian'", "rate_hz is -1", "n_channels is True", "gain_uv is 'big'",
        "dtype is 'int8'", "order is a list", "header_bytes is -4", "start is 'yesterday'",
        "names is not a list of texts",
    ):  # fmt: skip
        assert part in text


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({}, "rate_hz is missing.*n_channels is missing.*gain_uv is missing"),
        (LEAST | {"gain_uv": [1]}, "gain_uv holds 1 numbers for 2 channels"),
        (LEAST | {"gain_uv": 0}, "a gain_uv is zero"),
        (LEAST | {"names": ["a"]}, "names holds 1 for 2 channels"),
        ([1], "must be one object"),
    ],
)
def test_single_faults(content: object, what: str) -> None:
    with pytest.raises(BadRecording, match=what):
        _parse(content)


def test_text_that_is_not_json() -> None:
    for raw in (b"", b"{", b"\xff\xfe", b"[" * 100_000):
        with pytest.raises(BadRecording, match="is not JSON"):
            parse_flat(raw, "rec.flat.json")
