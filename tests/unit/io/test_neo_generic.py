"""The way through neo: TDT as made here, and the adapter over neo's own example of a reader."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from neo.rawio import ExampleRawIO, TdtRawIO
from tests import acquisition_files as files
from tests import tdt_files

from wakeful.io import neo_generic
from wakeful.io.recording import read_recording, recognise
from wakeful.model.errors import BadRecording, TruncatedFile
from wakeful.model.time import Interval


def _block(tmp_path: Path, **options: object) -> tuple[Path, np.ndarray]:
    folder = tmp_path / "day1"
    folder.mkdir()
    samples = np.stack([files.ramp(20 * 64, c) for c in range(2)]).astype(np.float32)
    tdt_files.write_tdt(folder, samples, **options)
    return folder, samples


@pytest.mark.filterwarnings("ignore:Could not identify sev files")
def test_values_equal_those_of_neo_and_gaps_are_found_beyond_it(tmp_path: Path) -> None:
    folder, samples = _block(tmp_path, lost_after={4: 50, 9: 1000})
    peer = TdtRawIO(dirname=str(folder / "day1.tsq"))
    peer.parse_header()
    theirs = peer.get_analogsignal_chunk(0, 0, stream_index=0)
    np.testing.assert_array_equal(theirs.T, samples)
    recording = read_recording(folder)
    (stream,) = recording.description.streams
    assert [span.n_samples for span in stream.spans] == [320, 320, 640]
    gaps = [gap.duration_s * tdt_files.RATE_HZ for gap in stream.gaps]
    assert gaps == pytest.approx([50, 1000], abs=0.01)
    source = recording.open(stream.name)
    for span in stream.spans:
        out = np.empty((2, span.n_samples), np.float32)
        source.read(span.first_sample, out)
        np.testing.assert_array_equal(out.T, theirs[span.first_sample : span.stop_sample])


def test_tdt_counts_in_utc_and_says_that_it_is_unproved(tmp_path: Path) -> None:
    folder, _ = _block(tmp_path)
    description = read_recording(folder).description
    start = datetime.fromtimestamp(tdt_files.START_S + 0.5, UTC)
    assert description.start_utc is not None
    assert abs((description.start_utc - start).total_seconds()) < 1e-3
    assert not description.start_is_local
    assert any("no real recording was at hand" in text for text in description.warnings)


def test_all_bytes_count_since_neo_does_not_say_which(tmp_path: Path) -> None:
    folder, _ = _block(tmp_path)
    recording = read_recording(folder)
    (stream,) = recording.description.streams
    ranges = recording.byte_ranges(stream.name, Interval(0.1, 0.2))
    sizes = {p.name: p.stat().st_size for p in folder.iterdir() if p.stat().st_size}
    assert {r.file: r.stop for r in ranges} == sizes
    assert set(stream.files) == set(sizes)


def test_a_file_that_becomes_shorter_ends_in_an_error_not_in_the_process(tmp_path: Path) -> None:
    folder, _ = _block(tmp_path)
    recording = read_recording(folder)
    (stream,) = recording.description.streams
    (folder / "day1.tev").write_bytes(b"")
    with pytest.raises(TruncatedFile, match=r"day1\.tev"):
        recording.open(stream.name).read(0, np.empty((2, 10), np.float32))


def test_a_block_without_its_index(tmp_path: Path) -> None:
    folder, _ = _block(tmp_path)
    (folder / "day1.tsq").unlink()
    with pytest.raises(BadRecording, match=r"no \.tsq file"):
        read_recording(folder)


def test_one_file_of_a_block_is_not_the_block(tmp_path: Path) -> None:
    folder, _ = _block(tmp_path)
    with pytest.raises(BadRecording, match="give the path of the folder"):
        read_recording(folder / "day1.tsq")


def test_what_neo_can_not_parse_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.smr"
    path.write_bytes(b"\1" * 3000)
    reader, _ = recognise(path)
    assert reader.name == "spike2"
    with pytest.raises(BadRecording, match="neo can't parse it") as caught:
        read_recording(path)
    assert caught.value.where == "a.smr"


def test_segments_streams_and_events_of_any_of_neos_readers(tmp_path: Path) -> None:
    """neo's example holds two segments of noise in two streams, with events."""
    path = tmp_path / "a.fake"
    path.write_bytes(b"x")
    _, found = recognise(files.write_edf(tmp_path / "b.edf", ["EEG"], [100], 5))
    found = type(found)(root=path, files=(path,), others=())
    recording = neo_generic._open(
        found, "example", "Example", lambda: ExampleRawIO(str(path)), neo_generic._locate_whole
    )
    peer = ExampleRawIO(str(path))
    peer.parse_header()
    streams = recording.description.streams
    assert len(streams) == len(peer.header["signal_streams"]) > 1
    for index, stream in enumerate(streams):
        assert len(stream.spans) == peer.segment_count(0) > 1
        rows = peer.header["signal_channels"]
        rows = rows[rows["stream_id"] == peer.header["signal_streams"][index]["id"]]
        assert [c.gain_uv for c in stream.channels] == pytest.approx(rows["gain"].tolist())
        source = recording.open(stream.name)
        for part, span in enumerate(stream.spans):
            theirs = peer.get_analogsignal_chunk(0, part, 10, 500, index)
            out = np.empty((len(stream.channels), 490), source.dtype)
            source.read(span.first_sample + 10, out)
            np.testing.assert_array_equal(out, theirs.T)
    events = {series.name: series for series in recording.read_events()}
    stamps, _, labels = peer.get_event_timestamps(0, 1, 0)
    times = peer.rescale_event_timestamp(stamps, "float64", 0)
    zero_s = peer.get_signal_t_start(0, 0, 0)
    first = events[str(peer.header["event_channels"][0]["name"])]
    np.testing.assert_allclose(first.time_s[-len(times) :], times - zero_s)
    assert list(first.label[-len(times) :]) == [str(text) for text in labels]


def test_one_thread_at_a_time_asks_neo(tmp_path: Path) -> None:
    folder, _ = _block(tmp_path)
    recording = read_recording(folder)
    (stream,) = recording.description.streams
    chunks = recording._segments[stream.name][0].store
    rawio = chunks._parsed.rawio
    inside = threading.Semaphore(1)
    ask = rawio.get_analogsignal_chunk

    def guarded(*arguments: object) -> np.ndarray:
        assert inside.acquire(blocking=False), "neo was asked twice at a time"
        try:
            return ask(*arguments)
        finally:
            inside.release()

    rawio.get_analogsignal_chunk = guarded
    source = recording.open(stream.name)
    failures: list[AssertionError] = []

    def read() -> None:
        try:
            for _ in range(30):
                source.read(100, np.empty((2, 300), np.float32))
        except AssertionError as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
