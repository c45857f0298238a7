"""Blackrock files of the published format, compared with neo."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from neo.rawio import BlackrockRawIO
from tests import acquisition_files as files
from tests import blackrock_files as blackrock

from wakeful.io.recording import read_recording
from wakeful.model.errors import BadRecording, TruncatedFile
from wakeful.model.subject import ChannelKind


def _ramps(n_samples: int) -> np.ndarray:
    return np.stack([files.ramp(n_samples, c) for c in range(2)])


@contextmanager
def _peer(path: Path, **options: object) -> Iterator[BlackrockRawIO]:
    """Give neo's reader with its header parsed, and close what it leaves open."""
    peer = BlackrockRawIO(str(path), **options)
    peer.parse_header()
    yield peer
    for file in getattr(peer, "_nsx_fids", {}).values():
        file.close()


@pytest.mark.parametrize("version", [(2, 2), (2, 3), (3, 0)])
def test_values_equal_those_of_neo(tmp_path: Path, version: tuple[int, int]) -> None:
    samples = _ramps(4000)
    packets = [(0, samples[:, :1500]), (60_000, samples[:, 1500:])]
    path = blackrock.write_nsx(tmp_path / "day1.ns2", packets, version=version)
    recording = read_recording(path)
    (stream,) = recording.description.streams
    source = recording.open(stream.name)
    with _peer(path.with_suffix(""), gap_tolerance_ms=1.0) as peer:
        assert peer.segment_count(0) == len(stream.spans) == 2
        for part, span in enumerate(stream.spans):
            out = np.empty((2, span.n_samples), np.int16)
            source.read(span.first_sample, out)
            np.testing.assert_array_equal(
                out.T, peer.get_analogsignal_chunk(0, part, stream_index=0)
            )
            begin = peer.get_signal_t_start(0, part, 0) - peer.get_signal_t_start(0, 0, 0)
            assert span.start_s == pytest.approx(begin)
        for channel, row in zip(stream.channels, peer.header["signal_channels"], strict=True):
            assert channel.name == row["name"]
            assert channel.gain_uv == pytest.approx(row["gain"])
            assert channel.offset_uv == pytest.approx(row["offset"], abs=1e-3)


def test_the_header_says_when_and_how(tmp_path: Path) -> None:
    path = blackrock.write_nsx(tmp_path / "a.ns5", [(45_000, _ramps(100))], period=1)
    description = read_recording(path).description
    (stream,) = description.streams
    assert stream.rate_hz == 30_000
    channel = stream.channels[0]
    assert (channel.highpass_hz, channel.lowpass_hz) == (0.3, 7500)
    assert description.start_utc == datetime(2024, 3, 1, 10, 0, 2, tzinfo=UTC)
    assert not description.start_is_local
    assert any("no real recording was at hand" in text for text in description.warnings)


def test_files_of_one_name_are_streams_of_one_recording(tmp_path: Path) -> None:
    blackrock.write_nsx(tmp_path / "a.ns2", [(3000, _ramps(500))])
    labels = ("EMG", "ainp1")
    blackrock.write_nsx(tmp_path / "a.ns5", [(0, _ramps(9000))], period=1, labels=labels, unit="mV")
    blackrock.write_nev(tmp_path / "a.nev", [(6000, 5), (9000, 0)], [(7500, "lights on")])
    recording = read_recording(tmp_path)
    low, high = recording.description.streams
    assert (low.rate_hz, low.spans[0].start_s) == (1000, 0.1)
    assert (high.rate_hz, high.spans[0].start_s) == (30_000, 0.0)
    assert [c.kind for c in high.channels] == [ChannelKind.EMG, ChannelKind.OTHER]
    assert high.channels[0].gain_uv == pytest.approx(250, rel=1e-3)
    assert recording.description.ignored_files == ()
    digital, comments = recording.read_events()
    assert (digital.name, digital.time_s.tolist(), digital.code.tolist()) == (
        "digital input",
        [0.2, 0.3],
        [5, 0],
    )
    assert (comments.time_s.tolist(), comments.label) == ([0.25], ("lights on",))
    with _peer(tmp_path / "a", nsx_to_load=2) as peer:
        stamps, _, labels = peer.get_event_timestamps(0, 0, 0)
        np.testing.assert_allclose(peer.rescale_event_timestamp(stamps, "float64", 0), [0.2, 0.3])
    assert [int(text) for text in labels] == digital.code.tolist()


def test_two_recordings_in_one_folder_are_asked_about(tmp_path: Path) -> None:
    for name in ("a.ns2", "b.ns2"):
        blackrock.write_nsx(tmp_path / name, [(0, _ramps(100))])
    with pytest.raises(BadRecording, match=r"2 recordings \(a, b\)"):
        read_recording(tmp_path)


def test_a_clock_that_was_set_anew_leaves_the_shorter_out(tmp_path: Path) -> None:
    """Two machines that are put in step: a short packet, then all from 0 again."""
    samples = _ramps(3000)
    packets = [(30_000, samples[:, :50]), (0, samples[:, 50:2000]), (600, samples[:, 2000:])]
    path = blackrock.write_nsx(tmp_path / "a.ns2", packets)
    recording = read_recording(path)
    (stream,) = recording.description.streams
    assert [span.n_samples for span in stream.spans] == [1950]
    assert any("1,050 samples are not used" in text for text in recording.description.warnings)


def test_a_file_that_was_never_closed(tmp_path: Path) -> None:
    path = blackrock.write_nsx(tmp_path / "a.ns2", [(0, _ramps(100)), (30_000, _ramps(70) + 2)])
    raw = bytearray(path.read_bytes())
    at = len(raw) - 70 * 4 - 4
    raw[at : at + 4] = struct.pack("<I", 0)
    path.write_bytes(raw)
    description = read_recording(path).description
    assert [s.n_samples for s in description.streams[0].spans] == [100, 70]
    assert any("never closed" in text for text in description.warnings)


def test_damage_is_named(tmp_path: Path) -> None:
    path = blackrock.write_nsx(tmp_path / "a.ns2", [(0, _ramps(100)), (30_000, _ramps(50))])
    raw = path.read_bytes()
    path.write_bytes(raw[:-6])
    with pytest.raises(TruncatedFile, match="promises 50 samples and holds 48"):
        read_recording(path)
    path.write_bytes(raw[: len(raw) - 50 * 4 - 3])
    with pytest.raises(TruncatedFile, match="6 bytes are left of its last packet's head"):
        read_recording(path)
    spoilt = bytearray(raw)
    spoilt[314 + 132] = 9
    path.write_bytes(spoilt)
    with pytest.raises(BadRecording, match="at byte 446 no data packet begins"):
        read_recording(path)
    path.write_bytes(b"NEURALSG" + raw[8:])
    with pytest.raises(BadRecording, match=r"specification 2\.1"):
        read_recording(path)


def test_the_precision_clocks_true_rate(tmp_path: Path) -> None:
    number = np.arange(20_000)
    ticks = 10**18 + np.rint(number * 1e6 * (1 + 4e-5)).astype(np.int64)
    path = blackrock.write_precise(tmp_path / "a.ns2", ticks, _ramps(20_000))
    description = read_recording(path).description
    (span,) = description.streams[0].spans
    assert span.rate_hz == pytest.approx(1000 / (1 + 4e-5), rel=1e-8)
    assert description.start_utc == datetime(2024, 3, 1, 10, 0, 0, 500_000, tzinfo=UTC)
