"""What every reader must do, whatever the format."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.recording import choose_stream, read_recording
from wakeful.model.errors import BadRecording
from wakeful.model.recording import Recording
from wakeful.model.time import Interval


@dataclass(frozen=True)
class Case:
    """A recording of one format, and what is planted in it."""

    path: Path
    format: str
    channels: tuple[str, ...]
    rate_hz: float
    spans: tuple[tuple[float, int], ...]
    """(start_s, n_samples)"""
    planted: np.ndarray
    """(n_channels, n_samples): all spans, one after the other."""
    gain_uv: float


def _kept(files: ModuleType, parts: list[tuple[int, int]], n_channels: int) -> np.ndarray:
    last = parts[-1][1]
    return np.stack(
        [np.concatenate([files.ramp(last, c)[a:b] for a, b in parts]) for c in range(n_channels)]
    )


def _neuralynx(files: ModuleType, folder: Path) -> Case:
    for i in range(3):
        records = files.ncs_records(9, short={3: 400}, lost_after={3: 250}, channel=i)
        files.write_ncs(folder / f"CSC{i + 1}.ncs", files.ncs_header(f"CSC{i + 1}"), records)
    first, second = 3 * 512 + 400, 5 * 512
    return Case(
        folder,
        "neuralynx",
        ("CSC1", "CSC2", "CSC3"),
        2000,
        ((0.0, first), ((first + 250) / 2000, second)),
        _kept(files, [(0, first), (first + 250, first + 250 + second)], 3),
        -0.030517578125,
    )


def _openephys(files: ModuleType, folder: Path) -> Case:
    for i in range(2):
        files.write_continuous(
            folder / f"100_CH{i + 1}.continuous",
            4,
            channel=f"CH{i + 1}",
            lost_after={2: 256},
            number=i,
        )
    return Case(
        folder,
        "openephys-classic",
        ("CH1", "CH2"),
        1000,
        ((0.0, 3072), (3.328, 1024)),
        _kept(files, [(0, 3072), (3328, 4352)], 2),
        0.195,
    )


def _intan(files: ModuleType, folder: Path) -> Case:
    files.write_rhd(folder / "m_240131_235900.rhd", [0, 60, 120])
    files.write_rhd(folder / "m_240131_235901.rhd", [180, 240, 400])
    return Case(
        folder,
        "intan",
        ("A-000", "A-001"),
        20_000,
        ((0.0, 300), (0.02, 60)),
        _kept(files, [(0, 300), (400, 460)], 2),
        0.195,
    )


def _edf(files: ModuleType, folder: Path) -> Case:
    path = files.write_edf(folder / "a.edf", ["EEG", "EMG"], [100, 100], 5)
    planted = np.stack([files.ramp(500, c) for c in range(2)])
    return Case(path, "edf", ("EEG", "EMG"), 100, ((0.0, 500),), planted, 0.1)


def _edf_with_gap(files: ModuleType, folder: Path) -> Case:
    path = files.write_edf(folder / "a.edf", ["EEG", "EMG"], [100, 100], 4, onsets=[0, 1, 5, 6])
    planted = np.stack([files.ramp(400, c) for c in range(2)])
    return Case(path, "edf", ("EEG", "EMG"), 100, ((0.0, 200), (5.0, 200)), planted, 0.1)


def _bdf(files: ModuleType, folder: Path) -> Case:
    path = files.write_edf(folder / "a.bdf", ["Fz", "Cz"], [64, 64], 3, bdf=True)
    planted = np.stack([files.ramp(192, c).astype(np.int32) * 300 for c in range(2)])
    return Case(path, "bdf", ("Fz", "Cz"), 64, ((0.0, 192),), planted, 6553.5 / 16_777_215)


def _binary_csv(files: ModuleType, folder: Path) -> Case:
    files.write_binary_csv(folder, 3000)
    planted = np.stack([files.ramp(3000, c) for c in range(3)]).astype(np.float32) / 8
    names = ("C-000", "C-001", "C-002")
    return Case(folder, "binary-csv", names, 1000, ((0.0, 3000),), planted, 1.0)


def _openephys_binary(files: ModuleType, folder: Path) -> Case:
    numbers = np.concatenate([np.arange(5000, 8000), np.arange(9000, 10_500)])
    files.flat.write_open_ephys(folder / "recording1", numbers, rate_hz=1000)
    planted = np.stack([files.ramp(10_500, c)[numbers] for c in range(3)])
    spans = ((0.0, 3000), (4.0, 1500))
    return Case(folder, "openephys-binary", ("CH1", "CH2", "CH3"), 1000, spans, planted, 0.195)


def _spikeglx(files: ModuleType, folder: Path) -> Case:
    table = "(0,384)" + "".join(f"({c} 0 0 500 250 1)" for c in range(384))
    path = files.flat.write_spikeglx(
        folder / "m_g0_t0.imec0.lf.bin", 3000, 3,
        nSavedChans=3, snsApLfSy="0,3,0", snsSaveChanSubset="384:386", fileSizeBytes=18_000,
        imSampRate=2500, **{"~imroTbl": table, "~snsChanMap": None},
    )  # fmt: skip
    planted = files.flat.frames(0, 3000, 3)
    path.write_bytes(planted.tobytes())
    gain_uv = 0.6 / 512 / 250 * 1e6
    names = ("LF384", "LF385", "LF386")
    return Case(folder, "spikeglx", names, 2500, ((0.0, 3000),), planted.T.copy(), gain_uv)


def _flat(files: ModuleType, folder: Path) -> Case:
    planted = files.flat.frames(0, 3000, 3)
    described = {"rate_hz": 1000, "n_channels": 3, "gain_uv": 0.25}
    files.flat.write_flat(folder / "rec.dat", planted, described)
    names = ("CH1", "CH2", "CH3")
    return Case(folder, "flat", names, 1000, ((0.0, 3000),), planted.T.copy(), 0.25)


def _flat_by_channel(files: ModuleType, folder: Path) -> Case:
    planted = files.flat.frames(0, 3000, 2).T.astype("<f4") / 8
    described = {
        "rate_hz": 1000, "n_channels": 2, "gain_uv": 1.0, "dtype": "float32",
        "order": "channel-major", "names": ["C-0", "C-1"],
    }  # fmt: skip
    path = files.flat.write_flat(folder / "rec.bin", planted, described)
    return Case(path, "flat", ("C-0", "C-1"), 1000, ((0.0, 3000),), planted, 1.0)


_INTERLEAVED = {"openephys-binary": 3, "spikeglx": 3, "flat": 3}
"""Format -> channels of its case that stand together for each moment."""

CASES: dict[str, Callable[[ModuleType, Path], Case]] = {
    "neuralynx": _neuralynx,
    "openephys": _openephys,
    "intan": _intan,
    "edf": _edf,
    "edf+d": _edf_with_gap,
    "bdf": _bdf,
    "binary-csv": _binary_csv,
    "openephys-binary": _openephys_binary,
    "spikeglx": _spikeglx,
    "flat": _flat,
    "flat-by-channel": _flat_by_channel,
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, files: ModuleType, tmp_path: Path) -> Case:
    return CASES[request.param](files, tmp_path)


@pytest.fixture
def recording(case: Case) -> Recording:
    return read_recording(case.path)


def _read_all(recording: Recording) -> np.ndarray:
    stream, _ = choose_stream(recording.description)
    source = recording.open(stream.name)
    out = np.empty((len(stream.channels), sum(s.n_samples for s in stream.spans)), source.dtype)
    for span in stream.spans:
        source.read(span.first_sample, out[:, span.first_sample : span.stop_sample])
    return out


def test_it_says_what_the_recording_holds(case: Case, recording: Recording) -> None:
    description = recording.description
    (stream,) = description.streams
    assert description.format == case.format
    assert description.root == str(case.path)
    assert tuple(channel.name for channel in stream.channels) == case.channels
    assert stream.rate_hz == case.rate_hz
    assert stream.files
    assert str(len(case.channels)) in stream.name
    folder = case.path if case.path.is_dir() else case.path.parent
    assert all((folder / name).is_file() for name in stream.files)


def test_spans_are_where_they_were_planted(case: Case, recording: Recording) -> None:
    (stream,) = recording.description.streams
    assert [span.n_samples for span in stream.spans] == [n for _, n in case.spans]
    starts = [span.start_s for span in stream.spans]
    assert starts == pytest.approx([start for start, _ in case.spans], abs=0.1 / case.rate_hz)
    assert starts[0] == 0.0


def test_spans_are_in_order_and_numbered_without_holes(recording: Recording) -> None:
    (stream,) = recording.description.streams
    number, stop_s = 0, 0.0
    for span in stream.spans:
        assert span.first_sample == number
        assert span.start_s >= stop_s
        assert span.rate_hz == pytest.approx(stream.rate_hz, rel=1e-4)
        number, stop_s = span.stop_sample, span.stop_s


def test_every_sample_comes_back_in_the_order_of_the_channels(
    case: Case, recording: Recording
) -> None:
    np.testing.assert_array_equal(_read_all(recording), case.planted)


def test_the_source_agrees_with_the_description(recording: Recording) -> None:
    (stream,) = recording.description.streams
    source = recording.open(stream.name)
    assert source.channels == stream.channels
    assert source.spans == stream.spans


def test_gain_gives_microvolts(case: Case, recording: Recording) -> None:
    (stream,) = recording.description.streams
    assert [channel.gain_uv for channel in stream.channels] == pytest.approx(
        [case.gain_uv] * len(case.channels), rel=1e-6
    )


def test_pieces_do_not_change_what_is_read(case: Case, recording: Recording) -> None:
    (stream,) = recording.description.streams
    source = recording.open(stream.name)
    rng = np.random.default_rng(7)
    for span in stream.spans:
        for _ in range(40):
            a, b = np.sort(rng.integers(span.first_sample, span.stop_sample + 1, 2))
            rows = rng.permutation(len(stream.channels))[: rng.integers(1, 4)].tolist()
            out = np.full((len(rows), b - a), 99, source.dtype)
            source.read(int(a), out, rows)
            np.testing.assert_array_equal(out, case.planted[rows, a:b])


def test_it_reads_into_arrays_that_are_not_contiguous(case: Case, recording: Recording) -> None:
    (stream,) = recording.description.streams
    source = recording.open(stream.name)
    n_samples = stream.spans[0].n_samples
    turned = np.zeros((n_samples, len(stream.channels)), source.dtype)
    source.read(0, turned.T)
    np.testing.assert_array_equal(turned.T, case.planted[:, :n_samples])
    every_other = np.zeros((len(stream.channels), 2 * n_samples), source.dtype)
    source.read(0, every_other[:, ::2])
    np.testing.assert_array_equal(every_other[:, ::2], case.planted[:, :n_samples])


def test_threads_read_at_once(case: Case, recording: Recording) -> None:
    (stream,) = recording.description.streams
    source = recording.open(stream.name)
    n_samples = stream.spans[0].n_samples

    def read(seed: int) -> bool:
        rng = np.random.default_rng(seed)
        for _ in range(30):
            a, b = np.sort(rng.integers(0, n_samples + 1, 2))
            out = np.empty((len(stream.channels), b - a), source.dtype)
            source.read(int(a), out)
            if not np.array_equal(out, case.planted[:, a:b]):
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(8)))


def test_nothing_is_read_across_a_span(case: Case, recording: Recording) -> None:
    (stream,) = recording.description.streams
    source = recording.open(stream.name)
    out = np.empty((len(stream.channels), 2), source.dtype)
    for span in stream.spans:
        with pytest.raises(BadRecording, match="not all in one span"):
            source.read(span.stop_sample - 1, out)
    with pytest.raises(BadRecording, match="not all in one span"):
        source.read(-1, out)


def test_samples_are_read_when_asked_for_and_not_before(case: Case, recording: Recording) -> None:
    """Samples that change on disk after opening are given as they are then."""
    (stream,) = recording.description.streams
    source = recording.open(stream.name)
    folder = case.path if case.path.is_dir() else case.path.parent
    first = folder / stream.files[0]
    start = np.empty((len(stream.channels), 8), source.dtype)
    source.read(0, start)
    raw = first.read_bytes()
    n_bytes = {"bdf": 3, "binary-csv": 4}.get(case.format, start.dtype.itemsize)
    n_apart = _INTERLEAVED.get(case.format, 1) if start.dtype == np.int16 else 1
    stored = {
        "openephys-classic": start[0].astype(">i2").tobytes(),
        "intan": (start[0].astype(np.int32) + 32_768).astype("<u2").tobytes(),
        "bdf": start[0].astype("<i4")[:, None].view("u1")[:, :3].tobytes(),
    }.get(case.format, start[0].tobytes() if n_apart == 1 else start.T.tobytes())
    at = raw.index(stored)
    with first.open("r+b") as file:
        file.seek(at)
        following = at + n_apart * n_bytes
        file.write(raw[following : following + n_bytes])
    again = np.empty_like(start)
    source.read(0, again)
    assert again[0, 0] == start[0, 1] != start[0, 0]
    np.testing.assert_array_equal(again[0, 1:], start[0, 1:])


def test_byte_ranges_hold_exactly_what_an_interval_is_read_from(
    case: Case, recording: Recording
) -> None:
    """Everything outside the ranges is overwritten; the interval must still read the same."""
    (stream,) = recording.description.streams
    span = stream.spans[-1]
    interval = Interval(span.time_of(span.n_samples // 3), span.time_of(span.n_samples // 2))
    part = span.cut(interval)
    assert part is not None
    folder = case.path if case.path.is_dir() else case.path.parent
    source = recording.open(stream.name)
    before = np.empty((len(stream.channels), part.n_samples), source.dtype)
    source.read(part.first_sample, before)
    ranges = recording.byte_ranges(stream.name, interval)
    assert {r.file for r in ranges} <= set(stream.files)
    assert ranges
    for name in stream.files:
        raw = (folder / name).read_bytes()
        spoilt = bytearray(b"\x55" * len(raw))
        for r in ranges:
            if r.file == name:
                assert 0 <= r.start < r.stop <= len(raw)
                spoilt[r.start : r.stop] = raw[r.start : r.stop]
        (folder / name).write_bytes(spoilt)
    after = np.empty_like(before)
    recording.open(stream.name).read(part.first_sample, after)
    np.testing.assert_array_equal(after, before)


def test_wrong_arrays_and_names_are_refused(recording: Recording) -> None:
    (stream,) = recording.description.streams
    source = recording.open(stream.name)
    with pytest.raises(ValueError, match="samples are"):
        source.read(0, np.empty((len(stream.channels), 4), np.float64))
    with pytest.raises(ValueError, match="rows asked for"):
        source.read(0, np.empty((2, 4), source.dtype), [0])
    with pytest.raises(BadRecording, match=r"there is no stream 'x'.*choose one of"):
        recording.open("x")


def test_a_file_that_became_shorter_is_an_error_not_rubbish(
    case: Case, recording: Recording
) -> None:
    (stream,) = recording.description.streams
    source = recording.open(stream.name)
    folder = case.path if case.path.is_dir() else case.path.parent
    last = folder / stream.files[-1]
    with last.open("r+b") as file:
        file.truncate(last.stat().st_size - 40)
    span = stream.spans[-1]
    out = np.empty((len(stream.channels), span.n_samples), source.dtype)
    with pytest.raises(BadRecording, match="too early"):
        source.read(span.first_sample, out)
