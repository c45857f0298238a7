"""An LFP block on disk."""

from __future__ import annotations

import errno
import resource
import threading
from pathlib import Path

import numpy as np
import pytest

from wakeful.io import lfp_store
from wakeful.io.lfp_store import FILLER, FileSink, FileSource
from wakeful.model.errors import BadRecording, BrokenArtefact
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Interval, Span

CHANNELS = tuple(
    Channel(name=f"c{i}", gain_uv=0.1, kind=ChannelKind.EMG, region="CA1") for i in range(3)
)
SPANS = (Span(100.0003, 20_000, 1000.0, 0), Span(130.5, 100_000, 1000.01, 20_000))


def write(folder, dtype=np.int16):
    samples = np.random.default_rng(0).integers(-1000, 1000, (3, 120_000)).astype(dtype)
    sink = FileSink(folder, "lfp", Interval(100, 250))
    sink.open(CHANNELS, SPANS, np.dtype(dtype))
    sink.write(20_000, samples[:, 20_000:])
    for start in range(0, 20_000, 777):
        sink.write(start, samples[:, start : min(start + 777, 20_000)])
    return samples, sink.finish()


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_every_sample_comes_back_and_gaps_hold_the_filler(tmp_path, dtype):
    samples, source = write(tmp_path, dtype)
    source = FileSource.open(tmp_path, "lfp")
    assert source.channels == CHANNELS
    assert [(s.start_s, s.n_samples, s.rate_hz) for s in source.spans] == [
        (s.start_s, s.n_samples, s.rate_hz) for s in SPANS
    ]
    for span, (a, b) in zip(source.spans, ((0, 20_000), (20_000, 120_000)), strict=True):
        out = np.empty((3, span.n_samples), dtype)
        source.read(span.first_sample, out)
        np.testing.assert_array_equal(out, samples[:, a:b])
        rows = np.empty((2, 50), dtype)
        source.read(span.first_sample + 1000, rows, [2, 0])
        np.testing.assert_array_equal(rows, samples[[2, 0], a + 1000 : a + 1050])
    grid = source.grid
    assert grid.shape == (3, 3, 60_000)
    flat = grid.transpose(1, 0, 2).reshape(3, -1)
    missing = np.isnan(flat) if dtype == np.float32 else flat == FILLER
    assert missing.sum() == 3 * (180_000 - 120_000)
    # The grid is a grid of time: the second span starts 30.5 s after the block.
    np.testing.assert_array_equal(flat[:, 30_500:30_510], samples[:, 20_000:20_010])


def test_reading_across_a_gap_is_refused(tmp_path):
    _, source = write(tmp_path)
    with pytest.raises(BadRecording, match="one span"):
        source.read(19_990, np.empty((3, 20), np.int16))


def test_a_cut_off_file_is_a_broken_artefact(tmp_path):
    write(tmp_path)
    path = tmp_path / "lfp.npy"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(BrokenArtefact, match="bytes"):
        FileSource.open(tmp_path, "lfp")


def test_a_block_without_a_sample_is_empty_not_zero(tmp_path):
    sink = FileSink(tmp_path, "lfp", Interval(0, 60))
    sink.open(CHANNELS, (), np.dtype(np.int16))
    source = sink.finish()
    assert source.spans == ()
    assert source.grid.shape[0] == 0


def test_numpy_alone_opens_it(tmp_path):
    samples, _ = write(tmp_path)
    array = np.load(tmp_path / "lfp.npy", mmap_mode="r")
    np.testing.assert_array_equal(array[0, 1, :100], samples[1, :100])


def test_memory_does_not_grow_with_the_block(tmp_path):
    import psutil

    sink = FileSink(tmp_path, "lfp", Interval(0, 3600))
    channels = tuple(Channel(name=str(i)) for i in range(32))
    piece = np.ones((32, 10_000), np.int16)
    sink.open(channels, (Span(0.0, 1_800_000, 1000.0, 0),), piece.dtype)
    before = psutil.Process().memory_info().rss
    for start in range(0, 1_800_000, 10_000):
        sink.write(start, piece)
    source = sink.finish()
    for start in range(0, 1_800_000, 10_000):
        source.read(start, piece)
    grown = psutil.Process().memory_info().rss - before
    assert grown < 20e6  # the block is 115 MB


def write_block(folder: Path, value: int) -> None:
    folder.mkdir()
    sink = FileSink(folder, "lfp", Interval(0, 4))
    sink.open(CHANNELS[:1], (Span(0.0, 4000, 1000.0, 0),), np.dtype(np.int16))
    sink.write(0, np.full((1, 4000), value, np.int16))
    sink.finish()


def first_sample(source: FileSource) -> int:
    out = np.empty((1, 1), np.int16)
    source.read(0, out)
    return int(out[0, 0])


def count_open() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_week_of_blocks_is_open_at_once(tmp_path):
    for i in range(7):
        write_block(tmp_path / str(i), i)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = count_open()
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 120, hard))
    try:
        sources = [FileSource.open(tmp_path / str(i % 7), "lfp") for i in range(2520)]
        assert count_open() == before  # nothing is open before it is read
        for i, source in enumerate(sources):
            assert first_sample(source) == i % 7
        assert count_open() == before + 64
        assert [first_sample(s) for s in sources[:70]] == [i % 7 for i in range(70)]
        assert count_open() == before + 64
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    del sources, source
    assert count_open() == before


def test_threads_read_while_files_are_closed_under_them(tmp_path, monkeypatch):
    monkeypatch.setattr(lfp_store, "_open_sources", lfp_store._OpenSources(2))
    for i in range(6):
        write_block(tmp_path / str(i), i)
    sources = [FileSource.open(tmp_path / str(i), "lfp") for i in range(6)]
    wrong: list[object] = []

    def read(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for i in rng.integers(0, 6, 400):
            try:
                if (found := first_sample(sources[i])) != i:
                    wrong.append(found)
            except Exception as error:  # noqa: BLE001 -- shown by the assertion below
                wrong.append(error)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_are_no_damage(tmp_path, monkeypatch, code):
    write_block(tmp_path / "0", 0)
    source = FileSource.open(tmp_path / "0", "lfp")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(lfp_store.os, "open", refuse)
        with pytest.raises(OSError, match="Too many"):
            first_sample(source)
    with monkeypatch.context() as patch:
        patch.setattr(lfp_store.Path, "read_text", refuse)
        with pytest.raises(OSError, match="Too many"):
            FileSource.open(tmp_path / "0", "lfp")
    assert first_sample(source) == 0
    (tmp_path / "0" / "lfp.npy").unlink()
    gone = FileSource(source.folder, "lfp", source._layout, source.channels, source.spans)
    with pytest.raises(BrokenArtefact, match="No such file"):
        first_sample(gone)
