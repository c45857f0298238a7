"""The Neuralynx reader before damaged files: what can't be true is never used in silence."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.recording import read_recording
from wakeful.model.errors import BadRecording, NoRecording, TruncatedFile
from wakeful.model.recording import Recording, Stream


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


# --- time stamps that can't be true ---------------------------------------------------------------


def _ticks(records: np.ndarray, start: int, stop: int, shift_s: float) -> np.ndarray:
    records = records.copy()
    moved = records["tick"][start:stop].astype(np.int64) + round(shift_s * 1e6)
    records["tick"][start:stop] = moved.astype(np.uint64)
    return records


def test_a_clock_that_steps_back_loses_the_time_recorded_twice(
    files: ModuleType, tmp_path: Path
) -> None:
    records = _ticks(files.ncs_records(40), 25, 40, -1.024)  # four records back
    recording, stream = _one(_write(files, tmp_path, records))
    assert [span.n_samples for span in stream.spans] == [36 * 512]
    np.testing.assert_array_equal(
        _samples(recording, stream)[25 * 512 :], files.ramp(40 * 512)[29 * 512 :]
    )
    (apart,) = stream.quarantined
    assert (apart.interval.start_s, apart.interval.stop_s) == pytest.approx((5.376, 6.4), abs=1e-5)
    assert "step back" in apart.reason
    assert any("4 records are not used" in text for text in recording.description.warnings)


def test_a_record_written_twice_is_used_once(files: ModuleType, tmp_path: Path) -> None:
    records = files.ncs_records(20)
    twice = np.concatenate([records[:10], records[9:]])
    recording, stream = _one(_write(files, tmp_path, twice))
    (span,) = stream.spans
    assert span.n_samples == 20 * 512
    np.testing.assert_array_equal(_samples(recording, stream), files.ramp(20 * 512))


@pytest.mark.parametrize("at", [0, 1, 20, 38])
@pytest.mark.parametrize("shift_s", [500.0, 40 * 86_400.0, 1e12])
def test_one_wild_time_stamp_costs_one_record(
    files: ModuleType, tmp_path: Path, at: int, shift_s: float
) -> None:
    whole = files.ncs_records(40, short={39: 100})
    records = _ticks(whole, at, at + 1, shift_s)
    recording, stream = _one(_write(files, tmp_path, records))
    total = 39 * 512 + 100
    np.testing.assert_array_equal(
        _samples(recording, stream),
        np.delete(files.ramp(total), np.s_[at * 512 : (at + 1) * 512]),
    )
    assert stream.duration_s == pytest.approx((total - 512 * (at == 0)) / 2000)
    assert any("1 record is not used" in text for text in recording.description.warnings)


def test_a_last_record_weeks_later_is_not_used(files: ModuleType, tmp_path: Path) -> None:
    records = _ticks(files.ncs_records(40), 39, 40, 40 * 86_400.0)
    _, stream = _one(_write(files, tmp_path, records))
    assert stream.duration_s == pytest.approx(39 * 0.256)


def test_after_a_clock_that_starts_anew_the_longer_part_is_kept(
    files: ModuleType, tmp_path: Path
) -> None:
    before = files.ncs_records(10, start_us=900_000_000)
    after = files.ncs_records(30, start_us=1_000_000)
    recording, stream = _one(_write(files, tmp_path, np.concatenate([before, after])))
    np.testing.assert_array_equal(_samples(recording, stream), files.ramp(30 * 512))
    assert stream.duration_s == pytest.approx(30 * 0.256)
    assert any("10 records are not used" in text for text in recording.description.warnings)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("n_valid", 513, "head is damaged"),
        ("tick", 2**63, "head is damaged"),
        ("channel", 77, "another channel"),
        ("rate", 2001, "another channel or rate"),
        ("n_valid", 0, "without a sample"),
    ],
)
def test_a_record_with_a_bad_head_is_set_apart(
    files: ModuleType, tmp_path: Path, field: str, value: int, reason: str
) -> None:
    records = files.ncs_records(20)
    records[field][7] = value
    recording, stream = _one(_write(files, tmp_path, records))
    assert [span.n_samples for span in stream.spans] == [7 * 512, 12 * 512]
    (apart,) = stream.quarantined
    assert reason in apart.reason
    assert (apart.interval.start_s, apart.interval.stop_s) == pytest.approx(
        (1.792, 2.048), abs=1e-5
    )
    assert any("CSC1.ncs" in text for text in recording.description.warnings)


def test_too_many_breaks_are_damage(
    files: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wakeful.io import record_times

    monkeypatch.setattr(record_times, "MAX_RUNS", 20)
    records = files.ncs_records(60)
    records["tick"] = np.random.default_rng(0).integers(0, 2**40, 60)
    with pytest.raises(BadRecording, match=r"CSC1\.ncs: the time stamps break off more than 20"):
        read_recording(_write(files, tmp_path, records))


def test_a_clock_that_wanders_is_told(files: ModuleType, tmp_path: Path) -> None:
    records = files.ncs_records(400)
    wave = 4000 * np.sin(np.arange(400) / 400 * 2 * np.pi)
    records["tick"] = (records["tick"] + wave).astype(np.uint64)
    recording, _ = _one(_write(files, tmp_path, records))
    assert any("wander by up to" in text for text in recording.description.warnings)


# --- files that are not whole ---------------------------------------------------------------------


def test_a_truncated_file_says_how_many_bytes_are_left_over(
    files: ModuleType, tmp_path: Path
) -> None:
    path = _write(files, tmp_path, files.ncs_records(5))
    path.write_bytes(path.read_bytes()[:-44])
    with pytest.raises(TruncatedFile, match=r"CSC1.ncs.*1000 bytes are left over.*copy it again"):
        read_recording(tmp_path)


@pytest.mark.parametrize(
    ("content", "error", "text"),
    [
        (b"", NoRecording, "holds a record"),
        (b"\0" * 100, NoRecording, "holds a record"),
        (b"\0" * (16_384 + 1044), BadRecording, "nothing but zeros"),
        (b"\xff\x17" * (8192 + 522), BadRecording, "does not begin with a Neuralynx header"),
    ],
)
def test_a_file_without_a_header(
    tmp_path: Path, content: bytes, error: type[BadRecording], text: str
) -> None:
    (tmp_path / "CSC1.ncs").write_bytes(content)
    with pytest.raises(error, match=text):
        read_recording(tmp_path)


def test_a_file_with_only_a_header_is_left_aside_and_said(
    files: ModuleType, tmp_path: Path
) -> None:
    _write(files, tmp_path, files.ncs_records(5))
    (tmp_path / "CSC2.ncs").write_bytes(files.ncs_header("CSC2"))
    (tmp_path / "CSC3.ncs").write_bytes(b"")
    (tmp_path / "Events.nev").write_bytes(b"x")
    recording, stream = _one(tmp_path)
    assert [channel.name for channel in stream.channels] == ["CSC1"]
    assert recording.description.ignored_files == ("CSC2.ncs", "CSC3.ncs")
    assert recording.description.warnings == ("without records, left aside: CSC2.ncs, CSC3.ncs",)


@pytest.mark.parametrize("n_empty", [1, 6, 12])
def test_room_that_was_made_but_never_filled_is_an_incomplete_copy(
    files: ModuleType, tmp_path: Path, n_empty: int
) -> None:
    path = _write(files, tmp_path, files.ncs_records(12))
    path.write_bytes(path.read_bytes()[: -1044 * n_empty] + b"\0" * 1044 * n_empty)
    with pytest.raises(TruncatedFile, match=f"the last {n_empty} of 12 records hold nothing"):
        read_recording(path)


def test_records_of_zeros_in_the_middle_are_a_gap(files: ModuleType, tmp_path: Path) -> None:
    records = files.ncs_records(12)
    records[5:7] = np.zeros(2, records.dtype)
    recording, stream = _one(_write(files, tmp_path, records))
    assert [span.n_samples for span in stream.spans] == [5 * 512, 5 * 512]
    assert any("2 records are not used, records of nothing but zeros" in text
               for text in recording.description.warnings)  # fmt: skip


def test_a_file_of_the_wrong_rate_is_an_error(files: ModuleType, tmp_path: Path) -> None:
    """Header and records disagree: the time stamps decide, and it is said."""
    header = files.ncs_header("CSC1", 4000)
    files.write_ncs(tmp_path / "CSC1.ncs", header, files.ncs_records(30, 2000))
    recording, stream = _one(tmp_path)
    assert stream.rate_hz == 2000
    assert any("header says 4000 Hz" in text for text in recording.description.warnings)
