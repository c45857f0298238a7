"""Streams of records: what was left out is accounted for."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.recording import read_recording
from wakeful.model.recording import Stream
from wakeful.model.time import Accounting, Interval, account_for

RECORD_S = 512 / 2000


def _account(stream: Stream) -> Accounting:
    whole = Interval(0.0, stream.duration_s)
    return account_for(whole, whole, stream.spans, stream.quarantined)


def _write(files: ModuleType, path: Path, records: np.ndarray) -> None:
    files.write_ncs(path, files.ncs_header(path.stem), records)


def test_damaged_records_are_quarantined_time_beside_true_gaps(
    files: ModuleType, tmp_path: Path
) -> None:
    records = files.ncs_records(40, lost_after={29: 5120})
    records[7:10] = np.zeros(3, records.dtype)
    for name in ("CSC1", "CSC2"):
        _write(files, tmp_path / f"{name}.ncs", records)
    (stream,) = read_recording(tmp_path).description.streams
    account = _account(stream)
    assert account.quarantined_s == pytest.approx(3 * RECORD_S, abs=1e-4)
    assert account.gap_s == pytest.approx(5120 / 2000, abs=1e-4)
    assert account.recorded_s == pytest.approx(37 * RECORD_S, abs=1e-4)
    assert account.length_s == pytest.approx(stream.duration_s, abs=1e-9)


def test_time_that_was_stamped_twice_is_quarantined_once(files: ModuleType, tmp_path: Path) -> None:
    records = files.ncs_records(40)
    moved = records["tick"][25:].astype(np.int64) - 1_024_000  # four records back
    records["tick"][25:] = moved.astype(np.uint64)
    _write(files, tmp_path / "CSC1.ncs", records)
    (stream,) = read_recording(tmp_path).description.streams
    account = _account(stream)
    assert account.quarantined_s == pytest.approx(4 * RECORD_S, abs=1e-4)
    assert account.gap_s == pytest.approx(0.0, abs=1e-4)
    assert account.length_s == pytest.approx(36 * RECORD_S, abs=1e-4)


def test_zeros_that_were_never_measured_are_taken_from_what_was_recorded(
    files: ModuleType, tmp_path: Path
) -> None:
    for number in range(2):
        files.write_continuous(
            tmp_path / f"CH{number + 1}.continuous",
            4,
            channel=f"CH{number + 1}",
            number=number,
            padding=600,
        )
    (stream,) = read_recording(tmp_path).description.streams
    assert len(stream.spans) == 1
    account = _account(stream)
    assert account.quarantined_s == pytest.approx(0.6, abs=1e-6)
    assert account.recorded_s == pytest.approx(4 * 1.024 - 0.6, abs=1e-6)
    assert account.gap_s == pytest.approx(0.0, abs=1e-9)


# --- channels that lack a stretch -----------------------------------------------------------------


def _read(path: Path, stream: Stream) -> np.ndarray:
    source = read_recording(path).open(stream.name)
    out = np.empty((len(stream.channels), stream.spans[-1].stop_sample), np.int16)
    for span in stream.spans:
        source.read(span.first_sample, out[:, span.first_sample : span.stop_sample])
    return out


def _without(records: np.ndarray, *numbers: int) -> np.ndarray:
    return np.delete(records, numbers)


def test_a_stretch_that_one_channel_lacks_is_quarantined_in_its_name(
    files: ModuleType, tmp_path: Path
) -> None:
    records = files.ncs_records(60, true_rate_hz=2000.02)
    _write(files, tmp_path / "CSC1.ncs", records)
    _write(files, tmp_path / "CSC2.ncs", _without(records, 20, 21))
    _write(files, tmp_path / "CSC3.ncs", _without(records, 50))
    (stream,) = read_recording(tmp_path).description.streams
    assert [span.n_samples for span in stream.spans] == [20 * 512, 28 * 512, 9 * 512]
    assert [q.reason for q in stream.quarantined] == ["CSC2: no samples", "CSC3: no samples"]
    account = _account(stream)
    assert account.quarantined_s == pytest.approx(3 * RECORD_S, abs=1e-4)
    assert account.gap_s == pytest.approx(0.0, abs=1e-4)
    planted = np.concatenate(
        [files.ramp(20 * 512), files.ramp(50 * 512)[22 * 512 :], files.ramp(60 * 512)[51 * 512 :]]
    )
    for row in _read(tmp_path, stream):
        np.testing.assert_array_equal(row, planted)


def test_wild_stamps_of_one_channel_cost_the_stream_that_record(
    files: ModuleType, tmp_path: Path
) -> None:
    records = files.ncs_records(60)
    _write(files, tmp_path / "CSC1.ncs", records)
    wild = records.copy()
    wild["tick"][30] += 77_000_000
    _write(files, tmp_path / "CSC7.ncs", wild)
    (stream,) = read_recording(tmp_path).description.streams
    (quarantined,) = stream.quarantined
    assert quarantined.reason == "CSC7: time stamps jump ahead and back"
    assert _account(stream).quarantined_s == pytest.approx(RECORD_S, abs=1e-4)
    planted = np.delete(files.ramp(60 * 512), np.s_[30 * 512 : 31 * 512])
    for row in _read(tmp_path, stream):
        np.testing.assert_array_equal(row, planted)


def test_a_channel_that_lacks_much_is_a_stream_of_its_own(
    files: ModuleType, tmp_path: Path
) -> None:
    records = files.ncs_records(200)
    for name in ("CSC1", "CSC2"):
        _write(files, tmp_path / f"{name}.ncs", records)
    _write(files, tmp_path / "CSC3.ncs", _without(records, *range(20, 40)))
    streams = read_recording(tmp_path).description.streams
    assert [s.name for s in streams] == ["2000Hz-2ch", "2000Hz-1ch"]
    assert streams[0].quarantined == ()
    assert len(streams[1].gaps) == 1


def test_records_that_begin_elsewhere_are_cut_to_the_same_samples(
    files: ModuleType, tmp_path: Path
) -> None:
    """The same samples in records that do not begin together."""
    _write(files, tmp_path / "CSC1.ncs", files.ncs_records(60, true_rate_hz=2000.05))
    shifted = files.ncs_records(60, true_rate_hz=2000.05, short={0: 100, 30: 7}, channel=0)
    _write(files, tmp_path / "CSC2.ncs", shifted)
    (stream,) = read_recording(tmp_path).description.streams
    (span,) = stream.spans
    assert span.n_samples == 58 * 512 + 107
    for row in _read(tmp_path, stream):
        np.testing.assert_array_equal(row, files.ramp(span.n_samples))


def test_channels_of_two_clocks_are_two_streams(files: ModuleType, tmp_path: Path) -> None:
    _write(files, tmp_path / "CSC1.ncs", files.ncs_records(200, true_rate_hz=2000.2))
    _write(files, tmp_path / "CSC2.ncs", files.ncs_records(200, true_rate_hz=1999.9))
    streams = read_recording(tmp_path).description.streams
    assert [s.name for s in streams] == ["2000Hz-1ch", "2000Hz-1ch-2"]


def test_a_clock_that_moves_is_said(files: ModuleType, tmp_path: Path) -> None:
    records = files.ncs_records(6000)
    moved = records["tick"].astype(np.int64)
    moved[4000:4010] += 330 * np.arange(1, 11)
    moved[4010:] += 3300
    records["tick"] = moved.astype(np.uint64)
    for name in ("CSC1", "CSC2"):
        _write(files, tmp_path / f"{name}.ncs", records)
    description = read_recording(tmp_path).description
    (stream,) = description.streams
    assert len(stream.spans) == 2
    (text,) = [text for text in description.warnings if "moved" in text]
    assert "the clock moved by 3.3 ms against the samples at 0:17:" in text
