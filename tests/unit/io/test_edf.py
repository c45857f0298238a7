"""EDF, EDF+ and BDF, compared with pyedflib."""

# ruff: noqa: DTZ001 (local times without a zone are what these files hold)
from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import numpy as np
import pyedflib
import pytest

from wakeful.io.recording import read_recording
from wakeful.model.errors import BadRecording, TruncatedFile
from wakeful.model.recording import Stream
from wakeful.model.subject import ChannelKind


def _compare(path: Path) -> tuple[Stream, ...]:
    """Every number, rate, label and unit against pyedflib."""
    recording = read_recording(path)
    streams = recording.description.streams
    with pyedflib.EdfReader(str(path)) as peer:
        wanted = {peer.getLabel(i): i for i in range(peer.signals_in_file)}
        assert sum(len(s.channels) for s in streams) == peer.signals_in_file == len(wanted)
        for stream in streams:
            source = recording.open(stream.name)
            out = np.empty((len(stream.channels), stream.spans[-1].stop_sample), source.dtype)
            source.read(0, out)
            for row, channel in enumerate(stream.channels):
                i = wanted[channel.name]
                assert stream.rate_hz == pytest.approx(peer.getSampleFrequency(i))
                np.testing.assert_array_equal(out[row], peer.readSignal(i, digital=True))
                scale = {"uV": 1.0, "mV": 1e3, "V": 1e6}[peer.getPhysicalDimension(i).strip()]
                np.testing.assert_allclose(
                    out[row] * channel.gain_uv + channel.offset_uv,
                    peer.readSignal(i) * scale,
                    rtol=1e-6,
                    atol=abs(channel.gain_uv) * 1e-3,
                )
    return streams


@pytest.mark.parametrize("bdf", [False, True])
@pytest.mark.parametrize("dimension", ["uV", "mV", "V"])
def test_files_written_by_pyedflib(tmp_path: Path, bdf: bool, dimension: str) -> None:
    path = tmp_path / ("a.bdf" if bdf else "a.edf")
    kind = pyedflib.FILETYPE_BDFPLUS if bdf else pyedflib.FILETYPE_EDFPLUS
    most = 8_388_607 if bdf else 32_767
    headers = [
        {
            "label": label,
            "dimension": dimension,
            "sample_frequency": rate,
            "physical_min": -3200.0,
            "physical_max": 3100.0,
            "digital_min": -most,
            "digital_max": most,
            "prefilter": "HP:0.5Hz LP:100Hz",
            "transducer": "",
        }
        for label, rate in (("EEG Fz", 200), ("EMG", 200), ("Temp", 10))
    ]
    rng = np.random.default_rng(0)
    with pyedflib.EdfWriter(str(path), 3, file_type=kind) as writer:
        writer.setSignalHeaders(headers)
        writer.setStartdatetime(datetime(2024, 2, 29, 23, 59, 58))
        writer.writeSamples(
            [rng.integers(-most, most, 4 * n).astype(np.int32) for n in (200, 200, 10)],
            digital=True,
        )
        writer.writeAnnotation(1.5, -1, "lights off")
    streams = _compare(path)
    assert [(s.name, [c.name for c in s.channels]) for s in streams] == [
        ("200Hz-2ch", ["EEG Fz", "EMG"]),
        ("10Hz-1ch", ["Temp"]),
    ]
    assert [c.kind for s in streams for c in s.channels] == [
        ChannelKind.EEG,
        ChannelKind.EMG,
        ChannelKind.OTHER,
    ]
    assert (streams[0].channels[0].highpass_hz, streams[0].channels[0].lowpass_hz) == (0.5, 100.0)
    description = read_recording(path).description
    assert description.format == ("bdf" if bdf else "edf")
    assert description.start_utc == datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC)
    assert description.start_is_local


def test_gaps_of_a_discontinuous_file_are_spans(files: ModuleType, tmp_path: Path) -> None:
    path = files.write_edf(tmp_path / "a.edf", ["EEG"], [100], 5, onsets=[2, 3, 10.5, 11.5, 60])
    description = read_recording(path).description
    (stream,) = description.streams
    assert stream.name == "100Hz-1ch"
    assert [(s.start_s, s.n_samples) for s in stream.spans] == [(0, 200), (8.5, 200), (58, 100)]
    assert description.start_utc == datetime(2025, 3, 30, 20, 2, 45, tzinfo=UTC)


def test_a_discontinuous_file_that_goes_back_is_refused(files: ModuleType, tmp_path: Path) -> None:
    path = files.write_edf(tmp_path / "a.edf", ["EEG"], [100], 3, onsets=[0, 5, 4])
    with pytest.raises(BadRecording, match="data record 3 begins before"):
        read_recording(path)


def test_a_unit_that_is_no_voltage(files: ModuleType, tmp_path: Path) -> None:
    path = files.write_edf(tmp_path / "a.edf", ["Body"], [10], 2, dimension="degC")
    (stream,) = read_recording(path).description.streams
    assert stream.channels[0].kind is ChannelKind.OTHER
    assert "degC" in stream.channels[0].notes


def test_a_unit_left_out_is_said(files: ModuleType, tmp_path: Path) -> None:
    path = files.write_edf(tmp_path / "a.edf", ["EEG"], [10], 2, dimension="")
    assert "EEG names no unit" in read_recording(path).description.warnings[0]


def test_labels_given_twice_are_told_apart(files: ModuleType, tmp_path: Path) -> None:
    path = files.write_edf(tmp_path / "a.edf", ["EEG", "EEG", "EEG-2"], [10, 10, 10], 2)
    (stream,) = read_recording(path).description.streams
    names = [channel.name for channel in stream.channels]
    assert len(set(names)) == 3
    assert names[0] == "EEG"
    assert names[2] == "EEG-2"


def test_files_that_are_not_whole(files: ModuleType, tmp_path: Path) -> None:
    path = files.write_edf(tmp_path / "a.edf", ["EEG"], [100], 5)
    raw = path.read_bytes()
    path.write_bytes(raw[:-30])
    with pytest.raises(TruncatedFile, match="promises 5 data records, the file holds 4 and 170"):
        read_recording(path)
    path.write_bytes(raw[:300])
    with pytest.raises(TruncatedFile, match="within its header"):
        read_recording(path)
    for damaged in (b"", b"\0" * 4000, b"0" * 100, raw[:252] + b"-1  " + raw[256:]):
        path.write_bytes(damaged)
        with pytest.raises(BadRecording):
            read_recording(path)
    path.write_bytes(raw + b"xyz")
    assert "3 bytes after the last" in read_recording(path).description.warnings[0]


def test_a_file_that_was_never_closed(files: ModuleType, tmp_path: Path) -> None:
    path = files.write_edf(tmp_path / "a.edf", ["EEG"], [100], 5, promised=-1)
    description = read_recording(path).description
    assert description.streams[0].spans[0].n_samples == 500
    assert "never closed" in description.warnings[0]


def test_several_files_are_several_recordings(files: ModuleType, tmp_path: Path) -> None:
    for name in ("a.edf", "b.edf"):
        files.write_edf(tmp_path / name, ["EEG"], [100], 5)
    with pytest.raises(BadRecording, match=r"2 recordings.*give the path of one.*a\.edf"):
        read_recording(tmp_path)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("recordings/edf_mne/test.edf", ["512Hz-139ch"]),
        ("recordings/edf_mne/test_uneven_samp.edf", ["100Hz-1ch", "12.8Hz-1ch"]),
        ("sleep/misleep_10min_raw/10mins_example_edf.edf", ["500Hz-4ch"]),
        ("sleep/neurodent_sample/A10_recording.edf", ["1000Hz-10ch"]),
        ("seizure/pt01_awake/pt1aw2_0001_reduced.edf", ["1000Hz-98ch"]),
    ],
)
def test_real_files_equal_pyedflib(real_data: Path, path: str, names: list[str]) -> None:
    assert [stream.name for stream in _compare(real_data / path)] == names


@pytest.mark.real_data
def test_a_real_bdf_file_that_pyedflib_refuses(real_data: Path) -> None:
    path = real_data / "recordings" / "edf_mne" / "test.bdf"
    recording = read_recording(path)
    (stream,) = recording.description.streams
    assert stream.name == "2048Hz-73ch"
    assert stream.channels[-1].kind is ChannelKind.TTL
    raw = np.frombuffer(path.read_bytes(), np.uint8, offset=256 * 74).reshape(73, 2048, 3)
    wide = raw.astype(np.int32) @ np.array([1, 256, 65_536], np.int32)
    expected = np.where(wide >= 2**23, wide - 2**24, wide)
    out = np.empty((73, 2048), np.int32)
    recording.open(stream.name).read(0, out)
    np.testing.assert_array_equal(out, expected)
