"""What every reader must do, whatever the format. Examples are in `tests/contract/examples`."""

from __future__ import annotations

import os
import shutil
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.examples import EXAMPLES, Example
from wakeful.io.recording import choose_stream, load_readers, read_recording
from wakeful.io.registry import READERS
from wakeful.model.errors import BadRecording, WakefulError
from wakeful.model.recording import Recording, Stream
from wakeful.model.time import Interval

OPENING_BYTES = 2 * 1024 * 1024
"""As much may be read to open a recording of gigabytes whose format needs no reading through."""

MEMORY_BYTES = 48 * 1024 * 1024
"""Buffers and the code of a library; far less than the recordings the test opens."""


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Example]]:
    """Each example written once: its folder, and what is planted in it."""

    @cache
    def write(name: str) -> tuple[Path, Example]:
        folder = tmp_path_factory.mktemp("example")
        return folder, EXAMPLES[name].make(folder)

    return write


@pytest.fixture(params=EXAMPLES)
def case(
    request: pytest.FixtureRequest,
    written: Callable[[str], tuple[Path, Example]],
    tmp_path: Path,
) -> Example:
    """A copy of an example, that a test may spoil."""
    folder, example = written(request.param)
    copy = shutil.copytree(folder, tmp_path / "copy")
    return replace(example, path=copy / example.path.relative_to(folder))


@pytest.fixture
def recording(case: Example) -> Recording:
    return read_recording(case.path)


@pytest.fixture(scope="module", params=EXAMPLES)
def opened(
    request: pytest.FixtureRequest, written: Callable[[str], tuple[Path, Example]]
) -> tuple[Example, Recording]:
    """An example that is only looked at."""
    _, example = written(request.param)
    return example, read_recording(example.path)


def _only(recording: Recording) -> Stream:
    (stream,) = recording.description.streams
    return stream


def _read_all(recording: Recording) -> np.ndarray:
    stream, _ = choose_stream(recording.description)
    source = recording.open(stream.name)
    out = np.empty((len(stream.channels), sum(s.n_samples for s in stream.spans)), source.dtype)
    for span in stream.spans:
        source.read(span.first_sample, out[:, span.first_sample : span.stop_sample])
    return out


def _folder(case: Example) -> Path:
    return case.path if case.path.is_dir() else case.path.parent


UNPROVED = {"spike2"}
"""Readers of which no file can be had or made; each says so in a warning of every recording."""


def test_every_reader_has_an_example() -> None:
    load_readers()
    assert {entry.reader for entry in EXAMPLES.values()} == set(READERS) - UNPROVED


def test_it_says_what_the_recording_holds(case: Example, recording: Recording) -> None:
    description = recording.description
    stream = _only(recording)
    assert description.format == case.format
    assert description.root == str(case.path)
    assert tuple(channel.name for channel in stream.channels) == case.channels
    assert stream.rate_hz == case.rate_hz
    assert stream.files
    assert str(len(case.channels)) in stream.name
    assert all((_folder(case) / name).is_file() for name in stream.files)


def test_spans_are_where_they_were_planted(opened: tuple[Example, Recording]) -> None:
    case, recording = opened
    stream = _only(recording)
    assert [span.n_samples for span in stream.spans] == [n for _, n in case.spans]
    starts = [span.start_s for span in stream.spans]
    assert starts == pytest.approx([start for start, _ in case.spans], abs=0.1 / case.rate_hz)
    assert starts[0] == 0.0


def test_spans_are_in_order_and_numbered_without_holes(opened: tuple[Example, Recording]) -> None:
    _, recording = opened
    stream = _only(recording)
    number, stop_s = 0, 0.0
    for span in stream.spans:
        assert span.first_sample == number
        assert span.start_s >= stop_s
        assert span.rate_hz == pytest.approx(stream.rate_hz, rel=1e-4)
        number, stop_s = span.stop_sample, span.stop_s


def test_every_sample_comes_back_in_the_order_of_the_channels(
    opened: tuple[Example, Recording],
) -> None:
    case, recording = opened
    np.testing.assert_array_equal(_read_all(recording), case.planted)


def test_the_source_agrees_with_the_description(opened: tuple[Example, Recording]) -> None:
    case, recording = opened
    stream = _only(recording)
    source = recording.open(stream.name)
    assert source.channels == stream.channels
    assert source.spans == stream.spans
    assert source.dtype == case.planted.dtype
    assert source.dtype.isnative


def test_gain_and_offset_give_microvolts(opened: tuple[Example, Recording]) -> None:
    case, recording = opened
    channels = _only(recording).channels
    gains = case.gain_uv if isinstance(case.gain_uv, tuple) else (case.gain_uv,) * len(channels)
    assert [channel.gain_uv for channel in channels] == pytest.approx(gains, rel=1e-6)
    # EDF places zero between two steps; half a step is not an offset.
    near = max(map(abs, gains))
    assert [c.offset_uv for c in channels] == pytest.approx(
        [case.offset_uv] * len(channels), abs=near
    )


def test_opening_again_gives_the_same(opened: tuple[Example, Recording]) -> None:
    case, recording = opened
    again = read_recording(case.path)
    assert again.description == recording.description
    whole = Interval(0.0, _only(recording).duration_s)
    name = _only(recording).name
    assert again.byte_ranges(name, whole) == recording.byte_ranges(name, whole)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_pieces_do_not_change_what_is_read(
    opened: tuple[Example, Recording], data: st.DataObject
) -> None:
    case, recording = opened
    stream = _only(recording)
    source = recording.open(stream.name)
    span = data.draw(st.sampled_from(stream.spans))
    edges = st.integers(span.first_sample, span.stop_sample)
    a, b = sorted((data.draw(edges), data.draw(edges)))
    rows = data.draw(st.lists(st.integers(0, len(stream.channels) - 1), min_size=1, max_size=4))
    out = np.full((len(rows), b - a), 99, source.dtype)
    source.read(a, out, rows)
    np.testing.assert_array_equal(out, case.planted[rows, a:b])


def test_it_reads_into_arrays_that_are_not_contiguous(opened: tuple[Example, Recording]) -> None:
    case, recording = opened
    stream = _only(recording)
    source = recording.open(stream.name)
    n_samples = stream.spans[0].n_samples
    turned = np.zeros((n_samples, len(stream.channels)), source.dtype)
    source.read(0, turned.T)
    np.testing.assert_array_equal(turned.T, case.planted[:, :n_samples])
    every_other = np.zeros((len(stream.channels), 2 * n_samples), source.dtype)
    source.read(0, every_other[:, ::2])
    np.testing.assert_array_equal(every_other[:, ::2], case.planted[:, :n_samples])


def test_threads_read_at_once(opened: tuple[Example, Recording]) -> None:
    case, recording = opened
    stream = _only(recording)
    source = recording.open(stream.name)
    n_samples = stream.spans[0].n_samples

    def read(seed: int) -> bool:
        rng = np.random.default_rng(seed)
        for _ in range(30):
            a, b = np.sort(rng.integers(0, n_samples + 1, 2))
            out = np.empty((len(stream.channels), b - a), source.dtype)
            source.read(int(a), out)
            if not np.array_equal(out, case.planted[:, a:b], equal_nan=out.dtype.kind == "f"):
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(8)))


def test_nothing_is_read_across_a_span(opened: tuple[Example, Recording]) -> None:
    _, recording = opened
    stream = _only(recording)
    source = recording.open(stream.name)
    out = np.empty((len(stream.channels), 2), source.dtype)
    for span in stream.spans:
        with pytest.raises(BadRecording, match="not all in one span"):
            source.read(span.stop_sample - 1, out)
    with pytest.raises(BadRecording, match="not all in one span"):
        source.read(-1, out)


def test_samples_are_read_when_asked_for_and_not_before(
    case: Example, recording: Recording
) -> None:
    """Samples that change on disk after opening are given as they are then."""
    if case.stored is None:
        pytest.skip("its samples are packed, or have to be loaded whole")
    stream = _only(recording)
    source = recording.open(stream.name)
    start = np.empty((len(stream.channels), 8), source.dtype)
    source.read(0, start)
    changed = start.copy()
    changed[0, 0] = start[0, 1]
    stored = case.stored(start)
    paths = [_folder(case) / name for name in stream.files]
    path = next(path for path in paths if stored in path.read_bytes())
    with path.open("r+b") as file:
        file.seek(path.read_bytes().index(stored))
        file.write(case.stored(changed))
    again = np.empty_like(start)
    source.read(0, again)
    assert start[0, 1] != start[0, 0]
    np.testing.assert_array_equal(again, changed)


@pytest.mark.parametrize("name", [name for name, entry in EXAMPLES.items() if entry.big])
def test_opening_gigabytes_reads_little_and_holds_less(name: str, tmp_path: Path) -> None:
    big = EXAMPLES[name].big
    assert big is not None
    path = big(tmp_path)
    assert path.stat().st_size > 1_000_000_000
    # Once before, so that the libraries it needs are there.
    read_recording(path)
    tracemalloc.start()
    before = _bytes_read()
    recording = read_recording(path)
    stream = _only(recording)
    source = recording.open(stream.name)
    out = np.empty((len(stream.channels), 1000), source.dtype)
    source.read(stream.spans[0].n_samples // 2, out)
    n_bytes = _bytes_read() - before
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    path.unlink()
    assert n_bytes < OPENING_BYTES
    assert peak < MEMORY_BYTES


def _bytes_read() -> int:
    """What this process has asked the system for, by read calls."""
    place = Path("/proc/self/io")
    if not place.exists():
        pytest.skip("this system does not count what is read")
    return int(place.read_text().split()[1])


def test_byte_ranges_hold_exactly_what_an_interval_is_read_from(
    case: Example, recording: Recording
) -> None:
    """Everything outside the ranges is overwritten; the interval must still read the same."""
    stream = _only(recording)
    span = stream.spans[-1]
    interval = Interval(span.time_of(span.n_samples // 3), span.time_of(span.n_samples // 2))
    part = span.cut(interval)
    assert part is not None
    folder = _folder(case)
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


def test_byte_ranges_grow_with_what_is_asked_for(opened: tuple[Example, Recording]) -> None:
    """They are in order, don't overlap, and those of a part lie within those of the whole."""
    _, recording = opened
    stream = _only(recording)
    whole = recording.byte_ranges(stream.name, Interval(0.0, stream.duration_s))
    for file in stream.files:
        own = [(r.start, r.stop) for r in whole if r.file == file]
        assert own == sorted(own)
        assert all(a[1] < b[0] for a, b in pairwise(own))
    span = stream.spans[0]
    part = recording.byte_ranges(stream.name, Interval(span.time_of(3), span.time_of(9)))
    for piece in part:
        assert any(
            r.file == piece.file and r.start <= piece.start and piece.stop <= r.stop for r in whole
        )


def test_wrong_arrays_and_names_are_refused(opened: tuple[Example, Recording]) -> None:
    _, recording = opened
    stream = _only(recording)
    source = recording.open(stream.name)
    with pytest.raises(ValueError, match="samples are"):
        source.read(0, np.empty((len(stream.channels), 4), np.complex64))
    with pytest.raises(ValueError, match="rows asked for"):
        source.read(0, np.empty((2, 4), source.dtype), [0])
    with pytest.raises(BadRecording, match=r"there is no stream 'x'.*choose one of"):
        recording.open("x")


def test_a_file_that_became_shorter_is_an_error_not_rubbish(
    case: Example, recording: Recording
) -> None:
    if case.loaded:
        pytest.skip("its samples have to be loaded whole")
    stream = _only(recording)
    source = recording.open(stream.name)
    last = _folder(case) / stream.files[-1]
    span = stream.spans[-1]
    # HDF5 keeps things of its own at the end of a file, and remembers the beginning.
    n_bytes = last.stat().st_size
    os.truncate(last, 1000 if last.suffix in (".nwb", ".mat") else n_bytes - max(40, n_bytes // 8))
    out = np.empty((len(stream.channels), span.n_samples), source.dtype)
    with pytest.raises(BadRecording) as caught:
        source.read(span.first_sample, out)
    assert caught.value.where
    assert caught.value.remedy


def _damage(case: Example, how: str) -> None:
    stream = _only(read_recording(case.path))
    paths = [_folder(case) / name for name in stream.files]
    rng = np.random.default_rng(3)
    for path in paths if how != "truncated" else paths[-1:]:
        raw = path.read_bytes()
        if how == "empty":
            path.write_bytes(b"")
        elif how == "garbage":
            path.write_bytes(rng.integers(0, 256, len(raw), np.uint8).tobytes())
        elif how == "truncated":
            path.write_bytes(raw[:-41])
        elif how == "only the beginning":
            path.write_bytes(raw[:100])
        elif how == "a folder of that name":
            path.unlink()
            path.mkdir()
        elif how == "a link to nowhere":
            path.unlink()
            path.symlink_to("nowhere")
        else:
            path.unlink()


@pytest.mark.parametrize(
    "how",
    [
        "empty",
        "garbage",
        "truncated",
        "only the beginning",
        "a folder of that name",
        "a link to nowhere",
        "missing",
    ],
)
def test_damage_is_an_error_that_says_where_and_what_to_do(case: Example, how: str) -> None:
    if how == "garbage" and case.headerless:
        pytest.skip("nothing tells rubbish from samples in a file without a header")
    _damage(case, how)
    with pytest.raises(WakefulError) as caught:
        _read_all(read_recording(case.path))
    assert caught.value.what
    assert caught.value.where
    assert caught.value.remedy


def test_a_file_that_may_not_be_read_is_an_error(
    case: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = _only(read_recording(case.path))
    for name in stream.files:
        (_folder(case) / name).chmod(0)
    if os.access(_folder(case) / stream.files[0], os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(WakefulError) as caught:
        read_recording(case.path)
    assert caught.value.where
    assert caught.value.remedy
