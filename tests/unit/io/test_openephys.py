"""Open Ephys classic."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.recording import read_recording
from wakeful.model.errors import BadRecording, NoRecording, TruncatedFile
from wakeful.model.subject import ChannelKind


def test_names_kinds_and_units(files: ModuleType, tmp_path: Path) -> None:
    """A file someone named keeps that name; inputs in volts become microvolts."""
    for name, channel, step in (
        ("100_CH2.continuous", "CH2", 0.195),
        ("100_example-data_CH10.continuous", "CH10", 0.195),
        ("100_CH3_2.continuous", "CH3", 0.195),
        ("EMG.continuous", "CH16", 0.195),
        ("Trigger.continuous", "ADC1", 0.000152588),
        ("100_ADC2.continuous", "ADC2", 0.000152588),
        ("100_AUX1.continuous", "AUX1", 0.0000374),
    ):
        files.write_continuous(tmp_path / name, 2, channel=channel, bit_volts=step)
    (stream,) = read_recording(tmp_path).description.streams
    assert {c.name: (c.kind, round(c.gain_uv, 6), c.notes) for c in stream.channels} == {
        "CH2": (ChannelKind.LFP, 0.195, ""),
        "CH10": (ChannelKind.LFP, 0.195, ""),
        "CH3": (ChannelKind.LFP, 0.195, ""),
        "EMG": (ChannelKind.EMG, 0.195, "CH16 of the board"),
        "Trigger": (ChannelKind.TTL, 152.588, "ADC1 of the board"),
        "ADC2": (ChannelKind.OTHER, 152.588, ""),
        "AUX1": (ChannelKind.OTHER, 37.4, ""),
    }


def test_zeros_that_fill_up_the_last_record_are_quarantined(
    files: ModuleType, tmp_path: Path
) -> None:
    for i in range(2):
        files.write_continuous(tmp_path / f"CH{i}.continuous", 3, padding=300 + 10 * i)
    (stream,) = read_recording(tmp_path).description.streams
    (apart,) = stream.quarantined
    assert (apart.interval.start_s, apart.interval.stop_s) == pytest.approx((2.772, 3.072))
    assert "300 zeros" in apart.reason


def test_a_silent_end_of_one_channel_is_data(files: ModuleType, tmp_path: Path) -> None:
    files.write_continuous(tmp_path / "CH1.continuous", 3, padding=300)
    files.write_continuous(tmp_path / "CH2.continuous", 3)
    (stream,) = read_recording(tmp_path).description.streams
    assert stream.quarantined == ()


def test_a_damaged_marker_costs_its_record(files: ModuleType, tmp_path: Path) -> None:
    path = files.write_continuous(tmp_path / "CH1.continuous", 6)
    raw = bytearray(path.read_bytes())
    raw[1024 + 2 * 2070 + 2065] ^= 1
    path.write_bytes(raw)
    recording = read_recording(path)
    (stream,) = recording.description.streams
    assert [span.n_samples for span in stream.spans] == [2048, 3072]
    assert any("1 record is not used" in text for text in recording.description.warnings)


def test_the_start_comes_from_the_header(files: ModuleType, tmp_path: Path) -> None:
    files.write_continuous(tmp_path / "CH1.continuous", 2)
    description = read_recording(tmp_path).description
    assert description.start_utc == datetime(2019, 11, 1, 12, 25, 40, tzinfo=UTC)
    assert description.start_is_local


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda raw: raw[:-70], TruncatedFile, "2000 bytes are left over after 1 whole records"),
        (lambda raw: raw[:1024], NoRecording, "holds a record"),
        (lambda raw: b"", NoRecording, "holds a record"),
        (lambda raw: b"\0" * len(raw), BadRecording, "does not begin with an Open Ephys header"),
        (lambda raw: raw[:1024] + b"\0" * 4140, TruncatedFile, "the last 2 of 2 records"),
        (lambda raw: raw[:1024] + b"\x07" * 4140, BadRecording, "no record of the file can be"),
        (lambda raw: raw.replace(b"Rate = 1000", b"Rate = quick"), BadRecording, "sampleRate is"),
        (lambda raw: raw.replace(b"Volts = 0.195", b"Volts = 0.000"), BadRecording, "bitVolts is"),
        (
            lambda raw: raw.replace(b"blockLength = 1024", b"blockLength = 2048"),
            BadRecording,
            "records of 2048 samples",
        ),
    ],
)
def test_files_that_are_not_whole(
    files: ModuleType, tmp_path: Path, change: object, error: type[BadRecording], text: str
) -> None:
    path = files.write_continuous(tmp_path / "CH1.continuous", 2)
    raw = path.read_bytes()
    changed = change(raw)  # type: ignore[operator]
    path.write_bytes(changed.replace(b"quick", b"quic") if b"quick" in changed else changed)
    with pytest.raises(error, match=text):
        read_recording(tmp_path)


@pytest.mark.real_data
def test_the_mouse_whose_time_stamps_step_by_256_samples(real_data: Path) -> None:
    folder = real_data / "sleep" / "lishen_openephys_raw"
    recording = read_recording(folder)
    (stream,) = recording.description.streams
    assert {c.name: c.kind for c in stream.channels} == {
        "EEG": ChannelKind.EEG,
        "EMG": ChannelKind.EMG,
        "Trigger": ChannelKind.TTL,
    }
    assert [(s.start_s, s.n_samples) for s in stream.spans] == [(0.0, 1_740_800), (1741.056, 1024)]
    (gap,) = stream.gaps
    assert gap.duration_s == pytest.approx(0.256)
    (apart,) = stream.quarantined
    assert apart.interval.start_s == pytest.approx(1741.056)
    raw = np.fromfile(
        folder / "EMG.continuous",
        np.dtype([("head", "u1", 12), ("x", ">i2", 1024), ("marker", "u1", 10)]),
        offset=1024,
    )["x"].reshape(-1)
    out = np.empty((1, 1_740_800), np.int16)
    recording.open(stream.name).read(0, out, [1])
    np.testing.assert_array_equal(out[0], raw[:1_740_800])


@pytest.mark.real_data
def test_values_equal_those_of_neo(real_data: Path) -> None:
    from neo.rawio import OpenEphysRawIO

    folder = real_data / "recordings" / "openephys" / "v0.6.7_OpenEphys" / "Record Node 101"
    peer = OpenEphysRawIO(str(folder))
    peer.parse_header()
    theirs = peer.get_analogsignal_chunk(0, 0, 0, None, 0)
    recording = read_recording(folder)
    (stream,) = recording.description.streams
    described = {c["name"]: (i, c["gain"]) for i, c in enumerate(peer.header["signal_channels"])}
    out = np.empty((16, 133_120), np.int16)
    recording.open(stream.name).read(0, out)
    assert len(stream.channels) == len(described) == 16
    for row, channel in enumerate(stream.channels):
        column, gain = described[channel.name]
        np.testing.assert_array_equal(out[row], theirs[:, column])
        assert channel.gain_uv == pytest.approx(gain)


@pytest.mark.real_data
def test_a_folder_above_says_where_the_recordings_are(real_data: Path) -> None:
    with pytest.raises(BadRecording, match=r"in its sub-folders; give.*Record Node 101"):
        read_recording(real_data / "recordings" / "openephys")
