"""Intan, whose headers neo parses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.recording import choose_stream, read_recording
from wakeful.model.errors import BadRecording, NoRecording, TruncatedFile
from wakeful.model.subject import ChannelKind
from wakeful.model.time import Interval


def _samples(path: Path) -> np.ndarray:
    recording = read_recording(path)
    (stream,) = recording.description.streams
    out = np.empty((len(stream.channels), stream.spans[-1].stop_sample), np.int16)
    for span in stream.spans:
        piece = out[:, span.first_sample : span.stop_sample]
        recording.open(stream.name).read(span.first_sample, piece)
    return out


def test_files_of_a_folder_are_one_recording(files: ModuleType, tmp_path: Path) -> None:
    files.write_rhd(tmp_path / "m_240131_235900.rhd", range(0, 600, 60))
    files.write_rhd(tmp_path / "m_240131_235901.rhd", range(600, 1200, 60))
    files.write_rhd(tmp_path / "m_240131_235902.rhd", range(1500, 1800, 60))
    recording = read_recording(tmp_path)
    description = recording.description
    (stream,) = description.streams
    assert [(s.start_s, s.n_samples) for s in stream.spans] == [(0.0, 1200), (0.075, 300)]
    planted = np.concatenate([files.ramp(1200, 1), files.ramp(1800, 1, 1500)])
    np.testing.assert_array_equal(_samples(tmp_path)[1], planted)
    assert description.start_utc == datetime(2024, 1, 31, 23, 59, tzinfo=UTC)
    ranges = recording.byte_ranges(stream.name, Interval(0.027, 0.033))
    second = [r for r in ranges if r.file == "m_240131_235901.rhd"]
    assert {r.file for r in ranges} == set(stream.files[:2]), "a file that follows joins no block"
    assert sum(r.stop - r.start for r in second) > 60 * 4


def test_a_gap_within_a_file(files: ModuleType, tmp_path: Path) -> None:
    files.write_rhd(tmp_path / "a.rhd", [0, 60, 180, 240])
    (stream,) = read_recording(tmp_path).description.streams
    assert [(s.start_s, s.n_samples) for s in stream.spans] == [(0.0, 120), (0.009, 120)]


def test_time_stamps_may_begin_anew_at_32_bit(files: ModuleType, tmp_path: Path) -> None:
    first = 2**32 - 120
    files.write_rhd(tmp_path / "a_1.rhd", [first, first + 60, first + 120])
    files.write_rhd(tmp_path / "a_2.rhd", [first + 180, first + 240])
    (stream,) = read_recording(tmp_path).description.streams
    assert [span.n_samples for span in stream.spans] == [300]
    np.testing.assert_array_equal(_samples(tmp_path)[0], files.ramp(first + 300, 0, first))


def test_a_damaged_block_is_set_apart(files: ModuleType, tmp_path: Path) -> None:
    path = files.write_rhd(tmp_path / "a.rhd", range(0, 600, 60))
    raw = bytearray(path.read_bytes())
    block = 60 * 4 + 2 * 60 * 2
    raw[len(raw) - 3 * block + 9] ^= 0x10
    path.write_bytes(raw)
    recording = read_recording(path)
    (stream,) = recording.description.streams
    assert [span.n_samples for span in stream.spans] == [420, 120]
    assert "time stamps are damaged" in stream.quarantined[0].reason
    assert any("1 data blocks" in text for text in recording.description.warnings)


def test_two_recordings_in_one_folder(files: ModuleType, tmp_path: Path) -> None:
    """Both count from 0: what claims time that was recorded already is set apart, and said."""
    files.write_rhd(tmp_path / "a.rhd", range(0, 600, 60))
    files.write_rhd(tmp_path / "b.rhd", range(0, 300, 60))
    recording = read_recording(tmp_path)
    (stream,) = recording.description.streams
    assert [span.n_samples for span in stream.spans] == [600]
    assert any("step back" in text for text in recording.description.warnings)


def test_files_with_different_channels_do_not_fit(files: ModuleType, tmp_path: Path) -> None:
    files.write_rhd(tmp_path / "a.rhd", [0, 60])
    files.write_rhd(tmp_path / "b.rhd", [120], n_channels=3)
    with pytest.raises(BadRecording, match="different channels"):
        read_recording(tmp_path)


def test_files_that_are_not_whole(files: ModuleType, tmp_path: Path) -> None:
    path = files.write_rhd(tmp_path / "a.rhd", [0, 60])
    raw = path.read_bytes()
    path.write_bytes(raw[:-10])
    with pytest.raises(TruncatedFile, match=r"a.rhd: the file ends within a data block"):
        read_recording(path)
    path.write_bytes(b"\0" * 5000)
    with pytest.raises(BadRecording, match="neo can't parse it"):
        read_recording(path)
    path.write_bytes(b"")
    with pytest.raises(BadRecording, match=r"a.rhd"):
        read_recording(path)


def test_samples_in_files_of_their_own_are_not_read_yet(files: ModuleType, tmp_path: Path) -> None:
    path = files.write_rhd(tmp_path / "info.rhd", [0])
    path.write_bytes(path.read_bytes()[: -(60 * 4 + 2 * 60 * 2)])
    (tmp_path / "amplifier.dat").write_bytes(b"\0" * 400)
    (tmp_path / "time.dat").write_bytes(b"\0" * 400)
    with pytest.raises(NoRecording, match=r"samples in \.dat files\) is not read yet"):
        read_recording(tmp_path)


@pytest.mark.real_data
def test_values_equal_those_of_neo(real_data: Path) -> None:
    from neo.rawio import IntanRawIO

    path = real_data / "recordings" / "intan_IntanToNWB" / "example_intan_file.rhd"
    peer = IntanRawIO(str(path))
    peer.parse_header()
    recording = read_recording(path.parent)
    streams = recording.description.streams
    assert [stream.name for stream in streams] == ["20000Hz-2ch", "5000Hz-3ch", "156.25Hz-1ch"]
    for index, stream in enumerate(streams):
        source = recording.open(stream.name)
        out = np.empty((len(stream.channels), stream.spans[0].n_samples), np.int16)
        source.read(0, out)
        theirs = peer.get_analogsignal_chunk(0, 0, 0, None, index)
        np.testing.assert_array_equal(out.T.astype(np.int32) + 32_768, theirs)
        of_stream = peer.header["signal_channels"][
            peer.header["signal_channels"]["stream_id"] == str(index)
        ]
        for row, (channel, described) in enumerate(zip(stream.channels, of_stream, strict=True)):
            scale = {"uV": 1.0, "V": 1e6}[str(described["units"])]
            expected = (theirs[:, row] * described["gain"] + described["offset"]) * scale
            ours = out[row] * channel.gain_uv + channel.offset_uv
            np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-6)
    chosen, warnings = choose_stream(recording.description)
    assert chosen.name == "20000Hz-2ch", "auxiliary inputs are no brain"
    assert [c.kind for c in chosen.channels] == [ChannelKind.LFP] * 2
    assert "5000Hz-3ch" in warnings[0]
