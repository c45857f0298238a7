"""A quick look at a file finds what reading all of its heads finds."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wakeful.io import ncs_files, quick_look, record_times
from wakeful.io.heads import HeadReader
from wakeful.io.ncs_files import scan_heads, scan_ncs
from wakeful.io.record_times import SpanFinder
from wakeful.io.recording import read_recording
from wakeful.io.records import RecordLayout
from wakeful.io.stretches import Clock
from wakeful.io.twin_scans import TwinScans
from wakeful.model.errors import BadRecording, TruncatedFile

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


class Clockwork:
    """Heads of a channel that was recorded for a day, made when they are asked for."""

    path = Path("CSC1.ncs")
    layout: RecordLayout = ncs_files.LAYOUT

    def __init__(self, gaps: tuple[int, ...]) -> None:
        self._gaps = np.array(gaps)
        self.n_single = self.n_together = 0

    def _make(self, records: np.ndarray) -> np.ndarray:
        heads = np.zeros(len(records), ncs_files.HEAD)
        seconds = records * (PER / RATE_HZ) * (1 + 40e-6)
        warm_up = 0.5e-6 * 3600 * np.exp(-seconds / 3600)
        lost = np.searchsorted(self._gaps, records, side="right") / RATE_HZ
        heads["tick"] = np.round(1e6 * (1.7e9 + seconds + warm_up + lost)).astype(np.uint64)
        heads["rate"], heads["n_valid"] = RATE_HZ, PER
        return heads

    def at(self, records: np.ndarray) -> np.ndarray:
        self.n_single += len(records)
        return self._make(np.asarray(records))

    def between(self, first: int, stop: int) -> np.ndarray:
        self.n_together += stop - first
        return self._make(np.arange(first, stop))


def test_a_day_is_opened_by_reading_a_few_thousand_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    n_records = 86_400 * RATE_HZ // PER
    lost = (1_000_003, 1_000_004, 3_456_789)
    heads = Clockwork(lost)
    scan = scan_heads(heads, n_records, float(RATE_HZ), thorough=False)
    found = [stretch.first_record for stretch in scan.findings.stretches]
    assert found == [0, *lost]
    assert scan.findings.n_records == n_records
    assert heads.n_single < 2 * n_records / quick_look.STRIDE
    assert heads.n_together < 3 * quick_look.STRIDE


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


@pytest.mark.parametrize("lost", [300, 1000, 3000, 5000])
@pytest.mark.parametrize("by_us", [-2, -1, 1, 2])
def test_a_lost_sample_can_not_hide_in_a_rate_that_is_not_yet_known(
    files: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: int, by_us: int
) -> None:
    """Time stamps that jitter make the rate of the first records wrong by some ppm: over a stride
    that is as much as a sample.
    """
    monkeypatch.undo()
    records = _records(9000, 0.0, 0.0, 0)
    records["tick"] = 5_000_000 + np.arange(len(records), dtype=np.uint64) * 16_000
    records["tick"][quick_look.FINE] += np.int64(by_us)
    _move(records, lost, 31)
    path = files.write_ncs(tmp_path / "CSC1.ncs", files.ncs_header("CSC1", RATE_HZ), records)
    quick = scan_ncs(path)
    assert quick is not None
    assert [s.first_record for s in quick.scan.findings.stretches] == [0, lost]
    assert quick.scan.findings.n_records == len(records)


heads = st.lists(
    st.tuples(
        st.sampled_from([0, 16_000, 15_976, 16_024, 16_025, 40_000, -9000, 2**62, 2**63]),
        st.sampled_from([7, 7, 7, 7, 8]),
        st.sampled_from([RATE_HZ, RATE_HZ, RATE_HZ, 0]),
        st.sampled_from([PER, PER, PER, PER, 200, 0, PER + 1]),
    ),
    min_size=1,
    max_size=30,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(planted=heads, sound=st.integers(0, 20))
def test_compiled_and_plain_judgement_are_the_same(
    planted: list[tuple[int, int, int, int]], sound: int
) -> None:
    records = np.zeros(sound + len(planted), ncs_files.HEAD)
    tick = 10**6
    everything = [(16_000, 7, RATE_HZ, PER)] * sound + planted
    for i, (step, channel, rate, n_valid) in enumerate(everything):
        tick = tick + step if step < 2**62 else tick
        records[i] = (tick if step < 2**62 else step, channel, rate, n_valid)
    clock = Clock(ticks_per_s=1e6, rate_hz=RATE_HZ, period_ticks=31.25, tolerance_ticks=25.0)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for _ in range(2):
            finder = SpanFinder(PER, clock, ncs_files.REASONS, "CSC1.ncs")
            for piece in (records[:sound], records[sound:]):
                finder.add(ncs_files.judge_heads(piece, 7, RATE_HZ))
            found.append(finder.findings())
            patch.setattr(ncs_files, "take_sound", lambda *_: False)
            patch.setattr(record_times, "follow_each_other", lambda *_: False)
    assert found[0] == found[1]


def test_heads_are_read_alike_here_there_and_together(files: ModuleType, tmp_path: Path) -> None:
    records = _records(1000, 20.0, 0.0, 3)
    path = files.write_ncs(tmp_path / "CSC1.ncs", files.ncs_header("CSC1", RATE_HZ), records)
    heads = HeadReader(path, ncs_files.LAYOUT, ncs_files.HEAD)
    together = heads.between(3, 990)  # more than one buffer holds
    np.testing.assert_array_equal(together["tick"], records["tick"][3:990])
    np.testing.assert_array_equal(heads.at(np.arange(3, 990)), together)
    with heads.keep_open():
        np.testing.assert_array_equal(heads.between(3, 990), together)
        for read in (lambda: heads.between(990, 1001), lambda: heads.at([5, 1000])):
            with pytest.raises(TruncatedFile, match=r"too early|before record 1,000"):
                read()


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    planted=st.lists(faults, min_size=2, max_size=4),
    odd=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 899), st.integers(0, 3)), max_size=4),
    seed=st.integers(0, 9),
)
def test_files_beside_each_other_are_found_as_each_alone(
    files: ModuleType,
    planted: list[list[tuple[str, int]]],
    odd: list[tuple[int, int, int]],
    seed: int,
) -> None:
    # Each pattern of gaps in two channels, and here and there a head of one of them is damaged.
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number in range(2 * len(planted)):
            records = _records(900, 31.0, 1.0, seed)
            for kind, at in planted[number // 2]:
                if at < 899:
                    _move(records, at, 32 if kind == "lost sample" else 1_234_567)
            records["channel"] = number
            for of, at, what in odd:
                if of == number:
                    field = ("tick", "channel", "rate", "n_valid")[what]
                    records[field][at] += 40
            path = Path(folder) / f"CSC{number}.ncs"
            files.write_ncs(path, files.ncs_header(f"CSC{number}", RATE_HZ), records)
            paths.append(path)
        twins = TwinScans()
        together = [scan_ncs(path, twins=twins) for path in paths]
        alone = [scan_ncs(path) for path in paths]
    for found, expected in zip(together, alone, strict=True):
        assert found is not None
        assert expected is not None
        assert found.scan == expected.scan


def test_the_same_time_stamps_are_looked_into_once(
    files: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned = []

    def scan(
        heads: HeadReader, n: int, hz: float, known: object = None, *, thorough: bool
    ) -> object:
        if known is None:
            scanned.append(heads.path.name)
        return scan_heads(heads, n, hz, known, thorough=thorough)

    monkeypatch.setattr(ncs_files, "scan_heads", scan)
    for number in range(5):
        records = _records(5000, 31.0, 1.0, 3)
        records["channel"] = number
        if number == 3:
            _move(records, 4000, 32)
        files.write_ncs(
            tmp_path / f"CSC{number}.ncs", files.ncs_header(f"CSC{number}", RATE_HZ), records
        )
    description = read_recording(tmp_path).description
    assert scanned == ["CSC0.ncs", "CSC3.ncs"]
    assert [len(stream.channels) for stream in description.streams] == [5]
    assert len(description.streams[0].spans) == 2
