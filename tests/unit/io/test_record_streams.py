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
