"""A quick look at a file finds what reading all of its heads finds."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wakeful.io import ncs_files, quick_look
from wakeful.io.ncs_files import scan_ncs
from wakeful.io.recording import read_recording
from wakeful.model.errors import BadRecording

PER, RATE_HZ = 512, 32_000


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_look, "STRIDE", 64)
    monkeypatch.setattr(quick_look, "FINE", 8)
    monkeypatch.setattr(ncs_files, "CLOCK_RECORDS", 32)


def _records(n_records: int, ppm: float, drift_ppm: float, seed: int) -> np.ndarray:
    """Full records whose clock is off, drifts and jitters by a microsecond."""
    records = np.zeros(n_records, _NCS)
    part = np.arange(n_records) * PER / RATE_HZ
    ticks = part * (1 - ppm * 1e-6) * 1e6 + 0.5 * drift_ppm * part**2 / part[-1]
    jitter = np.random.default_rng(seed).integers(-1, 2, n_records)
    records["tick"] = (5_000_000 + np.round(ticks).astype(np.int64) + jitter).astype(np.uint64)
    records["rate"], records["n_valid"], records["channel"] = RATE_HZ, PER, 7
    return records


_NCS = np.dtype(
    [("tick", "<u8"), ("channel", "<u4"), ("rate", "<u4"), ("n_valid", "<u4"), ("x", "<i2", 512)]
)


def _move(records: np.ndarray, start: int, by_us: int) -> None:
    moved = records["tick"][start:].astype(np.int64) + by_us
    records["tick"][start:] = np.maximum(moved, 0).astype(np.uint64)


faults = st.lists(
    st.tuples(
        st.sampled_from(["lost sample", "gap", "back", "short", "lost record"]),
        st.integers(2, 1400),
    ),
    max_size=6,
)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    n_records=st.integers(70, 1500),
    ppm=st.floats(-200, 200),
    drift_ppm=st.sampled_from([0.0, 0.1, 2.0, -20.0]),
    planted=faults,
    seed=st.integers(0, 99),
)
def test_irregular_time_is_found_as_if_all_were_read(
    files: ModuleType,
    n_records: int,
    ppm: float,
    drift_ppm: float,
    planted: list[tuple[str, int]],
    seed: int,
) -> None:
    records = _records(n_records, ppm, drift_ppm, seed)
    for kind, at in sorted(planted, key=lambda fault: fault[1]):
        if at >= len(records) - 1:
            continue
        match kind:
            case "lost sample":
                _move(records, at, 32)
            case "gap":
                _move(records, at, 1_234_567)
            case "back":
                _move(records, at, -200_000)
            case "short":
                records["n_valid"][at] = 200
                _move(records, at + 1, -9750)
            case "lost record":
                records = np.delete(records, at)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "CSC1.ncs"
        files.write_ncs(path, files.ncs_header("CSC1", RATE_HZ), records)
        full = scan_ncs(path, thorough=True)
        quick = scan_ncs(path)
    assert full is not None
    assert quick is not None
    assert quick.scan.clock == full.scan.clock
    assert quick.scan.findings == full.scan.findings


def test_few_heads_are_read(files: ModuleType, tmp_path: Path) -> None:
    records = _records(20_000, 31.0, 1.0, 1)
    _move(records, 12_345, 32)
    path = files.write_ncs(tmp_path / "CSC1.ncs", files.ncs_header("CSC1", RATE_HZ), records)
    quick = scan_ncs(path)
    assert quick is not None
    assert [s.n_records for s in quick.scan.findings.stretches] == [12_345, 20_000 - 12_345]
    assert quick.heads.n_read < 20_000 / 64 * 1.5


@pytest.mark.parametrize("kind", ["foreign", "damaged", "ahead and back", "lacks as much as lost"])
def test_what_cancels_out_is_an_error_when_it_is_read(
    files: ModuleType, tmp_path: Path, kind: str
) -> None:
    """And the next opening reads all of the file, and quarantines it."""
    records = _records(900, 12.0, 0.0, 3)
    match kind:
        case "foreign":
            records["channel"][500] = 8
        case "damaged":
            records["n_valid"][500] = 4711
        case "ahead and back":
            _move(records, 500, 400_000)
            _move(records, 503, -400_000)
        case "lacks as much as lost":
            records["n_valid"][500] = 412
    folder, scans = tmp_path / "recording", tmp_path / "scans"
    folder.mkdir()
    for name in ("CSC1", "CSC2"):
        own = records if name == "CSC1" else _records(900, 12.0, 0.0, 3)
        files.write_ncs(folder / f"{name}.ncs", files.ncs_header(name, RATE_HZ), own)
    recording = read_recording(folder, scans)
    (stream,) = recording.description.streams
    (span,) = stream.spans
    out = np.empty((2, span.n_samples), np.int16)
    with pytest.raises(BadRecording, match=r"CSC1\.ncs: record 50\d .*run the row again"):
        recording.open(stream.name).read(0, out)
    (stream,) = read_recording(folder, scans).description.streams
    assert len(stream.spans) == 2
    assert stream == read_recording(folder, thorough=True).description.streams[0]
    quarantined = [q.reason for q in stream.quarantined]
    assert quarantined
    assert all(reason.startswith("CSC1: ") for reason in quarantined)
    source = read_recording(folder, scans).open(stream.name)
    for span in stream.spans:
        source.read(span.first_sample, out[:, : span.n_samples])


def test_without_a_folder_for_notes_the_way_out_is_said(files: ModuleType, tmp_path: Path) -> None:
    records = _records(900, 12.0, 0.0, 3)
    records["rate"][500] = 30_303
    path = files.write_ncs(tmp_path / "CSC1.ncs", files.ncs_header("CSC1", RATE_HZ), records)
    recording = read_recording(path)
    out = np.empty((1, 900 * PER), np.int16)
    with pytest.raises(BadRecording, match="thorough=True"):
        recording.open("32000Hz-1ch").read(0, out)


def test_a_file_that_changes_after_it_was_read_through_is_noticed(
    files: ModuleType, tmp_path: Path
) -> None:
    records = _records(900, 12.0, 0.0, 3)
    path = files.write_ncs(tmp_path / "CSC1.ncs", files.ncs_header("CSC1", RATE_HZ), records)
    recording = read_recording(path, thorough=True)
    records["tick"][500] += 1000
    files.write_ncs(path, files.ncs_header("CSC1", RATE_HZ), records)
    out = np.empty((1, 900 * PER), np.int16)
    with pytest.raises(BadRecording, match="changed since it was opened"):
        recording.open("32000Hz-1ch").read(0, out)
