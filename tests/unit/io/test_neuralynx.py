"""The Neuralynx reader: spans from time stamps, and nothing taken on trust."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.recording import read_recording
from wakeful.model.recording import Recording, Stream
from wakeful.model.subject import ChannelKind
from wakeful.model.time import Interval


def _one(path: Path) -> tuple[Recording, Stream]:
    recording = read_recording(path)
    (stream,) = recording.description.streams
    return recording, stream


def _samples(recording: Recording, stream: Stream, row: int = 0) -> np.ndarray:
    source = recording.open(stream.name)
    out = np.empty((1, sum(span.n_samples for span in stream.spans)), np.int16)
    for span in stream.spans:
        source.read(span.first_sample, out[:, span.first_sample : span.stop_sample], [row])
    return out[0]


def _write(files: ModuleType, folder: Path, records: np.ndarray, name: str = "CSC1") -> Path:
    rate = int(records["rate"][0])
    return files.write_ncs(folder / f"{name}.ncs", files.ncs_header(name, rate), records)


# --- spans ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ppm", [-300.0, -40.0, 0.0, 7.0, 120.0, 900.0])
@pytest.mark.parametrize("rate_hz", [2000, 32_000])
def test_the_real_rate_is_fitted_and_the_nominal_kept(
    files: ModuleType, tmp_path: Path, rate_hz: int, ppm: float
) -> None:
    true_hz = rate_hz * (1 + ppm * 1e-6)
    _, stream = _one(_write(files, tmp_path, files.ncs_records(200, rate_hz, true_rate_hz=true_hz)))
    assert stream.rate_hz == rate_hz
    (span,) = stream.spans
    assert span.n_samples == 200 * 512
    assert span.rate_hz == pytest.approx(true_hz, rel=0.2e-6)


def test_a_span_too_short_for_a_fit_takes_the_rate_of_the_file(
    files: ModuleType, tmp_path: Path
) -> None:
    """Two records of 16 ms can't tell 50 ppm from the microsecond the stamps are rounded to."""
    true_hz = 32_000 * (1 + 50e-6)
    long = files.ncs_records(102, 32_000, true_rate_hz=true_hz, lost_after={99: 64_000})
    _, stream = _one(_write(files, tmp_path, long))
    assert [span.n_samples for span in stream.spans] == [100 * 512, 2 * 512]
    assert stream.spans[1].rate_hz == stream.spans[0].rate_hz
    alone = tmp_path / "alone"
    alone.mkdir()
    _, stream = _one(_write(files, alone, files.ncs_records(2, 32_000, true_rate_hz=true_hz)))
    assert stream.spans[0].rate_hz == 32_000


def test_time_stamps_that_jitter_by_a_microsecond_are_no_gap(
    files: ModuleType, tmp_path: Path
) -> None:
    records = files.ncs_records(400, 32_000)
    jitter = np.random.default_rng(3).integers(-1, 2, 400)
    records["tick"] = records["tick"].astype(np.int64) + jitter
    _, stream = _one(_write(files, tmp_path, records))
    (span,) = stream.spans
    assert span.n_samples == 400 * 512
    assert span.rate_hz == pytest.approx(32_000, rel=1e-6)


@pytest.mark.parametrize("rate_hz", [500, 2000, 32_000])
def test_one_lost_sample_is_a_gap(files: ModuleType, tmp_path: Path, rate_hz: int) -> None:
    records = files.ncs_records(60, rate_hz, lost_after={29: 1})
    recording, stream = _one(_write(files, tmp_path, records))
    assert [span.n_samples for span in stream.spans] == [30 * 512, 30 * 512]
    assert stream.gaps[0].duration_s == pytest.approx(1 / rate_hz, abs=2e-6)
    np.testing.assert_array_equal(
        _samples(recording, stream), np.delete(files.ramp(60 * 512 + 1), 30 * 512)
    )


def test_half_a_sample_is_no_gap(files: ModuleType, tmp_path: Path) -> None:
    records = files.ncs_records(60, 2000)
    records["tick"][30:] += 250
    _, stream = _one(_write(files, tmp_path, records))
    assert len(stream.spans) == 1


def test_a_short_record_before_a_gap_that_is_exactly_what_it_lacks(
    files: ModuleType, tmp_path: Path
) -> None:
    """The next record comes when it would have come anyway: only n_valid shows the loss."""
    records = files.ncs_records(10, short={4: 412}, lost_after={4: 100})
    assert len(set(np.diff(records["tick"].astype(np.int64)))) == 1
    recording, stream = _one(_write(files, tmp_path, records))
    assert stream.name == "2000Hz-1ch", "a name tells nothing that changes while it is written"
    (gap,) = stream.gaps
    assert (gap.start_s, gap.stop_s) == pytest.approx((1.230, 1.280), abs=2e-6)
    found = _samples(recording, stream)
    assert 31_111 not in found, "samples beyond n_valid are no data"
    np.testing.assert_array_equal(found[: 4 * 512 + 412], files.ramp(4 * 512 + 412))


def test_a_short_record_that_is_followed_at_once_is_no_gap(
    files: ModuleType, tmp_path: Path
) -> None:
    records = files.ncs_records(10, short={4: 412, 7: 1})
    recording, stream = _one(_write(files, tmp_path, records))
    (span,) = stream.spans
    assert span.n_samples == 8 * 512 + 413
    np.testing.assert_array_equal(_samples(recording, stream), files.ramp(8 * 512 + 413))
    assert span.rate_hz == pytest.approx(2000, rel=1e-6)


# --- streams and channels -------------------------------------------------------------------------


def test_rates_and_gap_patterns_are_told_apart(files: ModuleType, tmp_path: Path) -> None:
    for i in (1, 2, 10):
        _write(files, tmp_path, files.ncs_records(20), f"CSC{i}")
    _write(files, tmp_path, files.ncs_records(20, lost_after={3: 5000}), "CSC11")
    _write(files, tmp_path, files.ncs_records(320, 32_000), "CSC3")
    streams = read_recording(tmp_path).description.streams
    assert {s.name: tuple(c.name for c in s.channels) for s in streams} == {
        "2000Hz-3ch": ("CSC1", "CSC2", "CSC10"),
        "32000Hz-1ch": ("CSC3",),
        "2000Hz-1ch": ("CSC11",),
    }
    assert streams[0].files == ("CSC1.ncs", "CSC2.ncs", "CSC10.ncs")


def test_channels_that_begin_at_different_records_share_a_stream(
    files: ModuleType, tmp_path: Path
) -> None:
    records = files.ncs_records(40, lost_after={29: 1000})
    _write(files, tmp_path, records, "CSC1")
    _write(files, tmp_path, records[2:], "CSC2")
    _write(files, tmp_path, records[1:-1], "CSC3")
    recording, stream = _one(tmp_path)
    assert stream.name == "2000Hz-3ch"
    assert [span.n_samples for span in stream.spans] == [28 * 512, 9 * 512]
    assert stream.spans[0].start_s == 0.0, "time begins with the stream"
    planted = np.concatenate([
        files.ramp(30 * 512, 0, 2 * 512), files.ramp(39 * 512 + 1000, 0, 30 * 512 + 1000)
    ])  # fmt: skip
    for row in range(3):
        np.testing.assert_array_equal(_samples(recording, stream, row), planted)
    assert any("0.512 s apart" in text for text in recording.description.warnings)
    ranges = recording.byte_ranges(stream.name, Interval(0.0, 0.256))
    assert [(r.file, r.start, r.stop) for r in ranges] == [
        ("CSC1.ncs", 16_384 + 2 * 1044, 16_384 + 3 * 1044),
        ("CSC2.ncs", 16_384, 16_384 + 1044),
        ("CSC3.ncs", 16_384 + 1 * 1044, 16_384 + 2 * 1044),
    ]


def test_channels_far_apart_are_streams_of_their_own(files: ModuleType, tmp_path: Path) -> None:
    records = files.ncs_records(40)
    _write(files, tmp_path, records, "CSC1")
    _write(files, tmp_path, records[10:], "CSC2")
    streams = read_recording(tmp_path).description.streams
    assert [s.name for s in streams] == ["2000Hz-1ch", "2000Hz-1ch-2"]
    assert streams[1].spans[0].start_s == pytest.approx(2.56, abs=1e-6)


def test_channels_of_one_name_get_the_names_of_their_files(
    files: ModuleType, tmp_path: Path
) -> None:
    for stem in ("a", "b", "c"):
        header = files.ncs_header("CSC1" if stem != "c" else "CSC2")
        files.write_ncs(tmp_path / f"{stem}.ncs", header, files.ncs_records(4))
    _, stream = _one(tmp_path)
    assert [channel.name for channel in stream.channels] == ["a", "b", "CSC2"]


def test_a_channel_carries_what_the_header_says(files: ModuleType, tmp_path: Path) -> None:
    header = files.ncs_header("EMG_neck", InputInverted="False", ReferenceChannel='"Ref 1"')
    files.write_ncs(tmp_path / "x.ncs", header, files.ncs_records(4))
    _, stream = _one(tmp_path)
    (channel,) = stream.channels
    assert channel.name == "EMG_neck"
    assert channel.kind is ChannelKind.EMG
    assert channel.gain_uv == pytest.approx(0.030517578125)
    assert channel.polarity == 1
    assert (channel.highpass_hz, channel.lowpass_hz) == (0.1, 500.0)
    assert channel.reference == "Ref 1"
    assert channel.region == "unknown"


def test_byte_ranges_are_whole_records_and_no_more(files: ModuleType, tmp_path: Path) -> None:
    path = _write(files, tmp_path, files.ncs_records(20, lost_after={9: 512}))
    recording, stream = _one(path)

    def ranges(start_s: float, stop_s: float) -> list[tuple[str, int, int]]:
        found = recording.byte_ranges(stream.name, Interval(start_s, stop_s))
        return [(r.file, r.start, r.stop) for r in found]

    assert ranges(0.512, 0.768) == [("CSC1.ncs", 16_384 + 2 * 1044, 16_384 + 3 * 1044)]
    assert ranges(0.6, 0.8) == [("CSC1.ncs", 16_384 + 2 * 1044, 16_384 + 4 * 1044)]
    assert ranges(2.57, 2.8) == [], "a gap has no bytes"
    assert ranges(2.5, 2.9) == [("CSC1.ncs", 16_384 + 9 * 1044, 16_384 + 11 * 1044)]
    assert ranges(-5, 0.1) == [("CSC1.ncs", 16_384, 16_384 + 1044)], "no header"


# --- when it began --------------------------------------------------------------------------------


def test_the_start_is_local_time_from_the_header(files: ModuleType, tmp_path: Path) -> None:
    recording, _ = _one(_write(files, tmp_path, files.ncs_records(4)))
    assert recording.description.start_utc == datetime(2024, 3, 1, 10, tzinfo=UTC)
    assert recording.description.start_is_local


def test_time_stamps_of_the_same_clock_are_more_exact(files: ModuleType, tmp_path: Path) -> None:
    first = datetime(2024, 3, 1, 10, 0, 28, 125_000, tzinfo=UTC)
    records = files.ncs_records(4, start_us=round(first.timestamp() * 1e6))
    recording, _ = _one(_write(files, tmp_path, records))
    assert recording.description.start_utc == first


def test_an_unknown_start_is_said(files: ModuleType, tmp_path: Path) -> None:
    header = files.ncs_header(TimeCreated=None)
    files.write_ncs(tmp_path / "CSC1.ncs", header, files.ncs_records(4))
    recording, _ = _one(tmp_path)
    assert recording.description.start_utc is None
    assert not recording.description.start_is_local
    assert any("times of day are unknown" in text for text in recording.description.warnings)


# --- real recordings ------------------------------------------------------------------------------


@pytest.mark.real_data
def test_the_folder_of_two_rates_and_two_gap_patterns(real_data: Path) -> None:
    recording = read_recording(real_data / "recordings" / "neuralynx_mne-testing-data")
    description = recording.description
    streams = {stream.name: stream for stream in description.streams}
    assert {name: [c.name for c in s.channels] for name, s in streams.items()} == {
        "2000Hz-5ch": ["LAHC1", "LAHC2", "LAHC3", "xAIR1", "xEKG1"],
        "2000Hz-2ch": ["LAHC1", "LAHC2"],
        "32000Hz-1ch": ["LAHCu1"],
    }
    assert streams["2000Hz-2ch"].files == ("LAHC1_3_gaps.ncs", "LAHC2_3_gaps.ncs")
    assert description.start_utc == datetime(2023, 11, 2, 13, 39, 55, 972_006, tzinfo=UTC)
    assert description.ignored_files == ("README.md",)
    gaps = streams["2000Hz-2ch"].gaps
    assert [gap.duration_s * 1e3 for gap in gaps] == pytest.approx([50.0, 3.5, 11.5], abs=0.005)
    spans = streams["2000Hz-2ch"].spans
    assert [span.n_samples for span in spans] == [
        9 * 512 + 412, 5 * 512 + 505, 4 * 512 + 489, 512 + 427
    ]  # fmt: skip
    (whole,) = streams["32000Hz-1ch"].spans
    assert whole.n_samples == 365 * 512 + 191, "a microsecond of jitter is no gap"
    kinds = [channel.kind for channel in streams["2000Hz-5ch"].channels]
    assert kinds == [ChannelKind.LFP] * 3 + [ChannelKind.OTHER] * 2


@pytest.mark.real_data
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_values_equal_those_of_neo(real_data: Path, tmp_path: Path) -> None:
    from neo.rawio import NeuralynxRawIO

    folder = real_data / "recordings" / "neuralynx_mne-testing-data"
    for name in ("LAHC1", "LAHCu1"):
        (tmp_path / f"{name}.ncs").unlink(missing_ok=True)
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.ncs").write_bytes((folder / f"{name}.ncs").read_bytes())
        peer = NeuralynxRawIO(str(tmp_path / name), gap_tolerance_ms=1.0)
        peer.parse_header()
        recording, stream = _one(tmp_path / name)
        theirs = peer.get_analogsignal_chunk(0, 0, 0, None, 0)[:, 0]
        np.testing.assert_array_equal(_samples(recording, stream), theirs)
        described = peer.header["signal_channels"][0]
        assert stream.channels[0].gain_uv == pytest.approx(float(described["gain"]), rel=1e-12)
        assert stream.channels[0].name == described["name"]


@pytest.mark.real_data
def test_samples_around_real_gaps_are_those_of_the_records(real_data: Path) -> None:
    folder = real_data / "recordings" / "neuralynx_mne-testing-data"
    raw = np.fromfile(
        folder / "LAHC1_3_gaps.ncs",
        np.dtype([("head", "u1", 16), ("n", "<u4"), ("x", "<i2", 512)]),
        offset=16_384,
    )
    valid = np.concatenate([record["x"][: record["n"]] for record in raw])
    recording = read_recording(folder)
    stream = next(s for s in recording.description.streams if len(s.gaps) == 3)
    np.testing.assert_array_equal(_samples(recording, stream), valid)
    edges = [span.first_sample for span in stream.spans[1:]]
    assert edges == list(itertools.accumulate(s.n_samples for s in stream.spans))[:-1]
