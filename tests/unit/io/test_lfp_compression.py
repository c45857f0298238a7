"""A stored LFP, packed and unpacked."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wakeful.io import lfp_compression, lfp_store
from wakeful.io.lfp_compression import Packed, compress_lfp, expand_lfp
from wakeful.io.lfp_store import FILLER, FileSink, FileSource
from wakeful.io.store import Store, digest_file, digest_stored, load_stored
from wakeful.model.arrays import JoinedSource, Lfp
from wakeful.model.errors import BrokenArtefact, Unavailable
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span

CHANNELS = tuple(Channel(name=f"c{i}", gain_uv=0.1) for i in range(3))
SPANS = (Span(0.0, 20_000, 1000.0, 0), Span(30.5, 100_000, 1000.01, 20_000))


def write(folder: Path, dtype=np.int16, seed: int = 0) -> tuple[np.ndarray, FileSource, str]:
    """A block with a gap: samples as they are numbered on the grid, the source, the digest."""
    steps = np.random.default_rng(seed).normal(0, 30, (3, 120_000))
    samples = np.clip(np.cumsum(steps, axis=1), -32767, 32767).astype(dtype)
    sink = FileSink(folder, "lfp", Interval(0, 150))
    sink.open(CHANNELS, SPANS, np.dtype(dtype))
    for span in SPANS:
        part = slice(span.first_sample, span.stop_sample)
        sink.write(span.first_sample, samples[:, part])
    source = sink.finish()
    return samples, source, digest_file(folder / "lfp.npy")


def read_all(source: FileSource) -> np.ndarray:
    out = [np.empty((3, s.n_samples), source.dtype) for s in source.spans]
    for span, part in zip(source.spans, out, strict=True):
        source.read(span.first_sample, part)
    return np.concatenate(out, axis=1)


def forms(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()} - {"lfp.json"}


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_packed_is_smaller_reads_the_same_and_comes_back_to_the_bit(tmp_path, dtype):
    samples, _, digest = write(tmp_path, dtype)
    original = (tmp_path / "lfp.npy").read_bytes()
    before, after = compress_lfp(tmp_path, "lfp", digest)
    assert forms(tmp_path) == {"lfp.blosc", "lfp.blosc.json"}
    assert before == len(original)
    assert after == (tmp_path / "lfp.blosc").stat().st_size < before / 1.2
    source = FileSource.open(tmp_path, "lfp")
    np.testing.assert_array_equal(read_all(source), samples)
    rows = np.empty((2, 50), dtype)
    first = source.spans[1].first_sample
    source.read(first + 29_480, rows, [2, 0])  # over the border of two minutes
    np.testing.assert_array_equal(rows, samples[[2, 0], 49_480:49_530])
    assert digest_stored(tmp_path / "lfp.npy") == digest
    np.testing.assert_array_equal(
        load_stored(tmp_path / "lfp.npy")[0, 0, :20_000], samples[0, :20_000]
    )
    with pytest.raises(Unavailable, match="--undo"):
        _ = source.grid
    assert compress_lfp(tmp_path, "lfp", digest) == (before, after)  # a second time: nothing
    assert expand_lfp(tmp_path, "lfp", digest) == (after, before)
    assert forms(tmp_path) == {"lfp.npy"}
    assert (tmp_path / "lfp.npy").read_bytes() == original
    assert source.grid.shape == (3, 3, 60_000)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([np.int16, np.uint16, np.int32, np.float32]).flatmap(
        lambda dtype: arrays(dtype, st.tuples(st.integers(0, 3), st.integers(1, 3), st.just(50)))
    )
)
def test_any_array_comes_back_to_the_bit(tmp_path_factory, array):
    folder = tmp_path_factory.mktemp("any")
    np.save(folder / "lfp.npy", array)
    original = (folder / "lfp.npy").read_bytes()
    digest = digest_file(folder / "lfp.npy")
    compress_lfp(folder, "lfp", digest)
    packed = Packed.find(folder, "lfp")
    assert packed is not None
    assert packed.array().tobytes() == array.tobytes()
    expand_lfp(folder, "lfp", digest)
    assert (folder / "lfp.npy").read_bytes() == original


def test_an_outsider_reads_it_with_numpy_and_blosc_alone(tmp_path):
    """As docs/reference/folder-layout.md tells."""
    from numcodecs import blosc

    _, source, digest = write(tmp_path)
    whole = np.array(source.grid)
    compress_lfp(tmp_path, "lfp", digest)
    index = json.loads((tmp_path / "lfp.blosc.json").read_text())
    n_minutes, n_channels, _ = index["shape"]
    data = (tmp_path / "lfp.blosc").read_bytes()
    for minute in range(n_minutes):
        for channel in range(n_channels):
            place = minute * n_channels + channel
            buffer = data[index["offsets"][place] : index["offsets"][place + 1]]
            values = np.frombuffer(blosc.decompress(buffer), index["dtype"])
            values = np.cumsum(values, dtype=index["dtype"])
            np.testing.assert_array_equal(values, whole[minute, channel])
    assert FILLER in whole


def test_a_source_opened_before_reads_on_while_it_is_packed_and_unpacked(tmp_path):
    samples, source, digest = write(tmp_path)
    one = np.empty((3, 1000), np.int16)
    source.read(0, one)
    wrong: list[object] = []
    stop = threading.Event()

    def read() -> None:
        rng = np.random.default_rng(1)
        while not stop.is_set():
            start = int(rng.integers(0, 19_000))
            out = np.empty((3, 1000), np.int16)
            try:
                FileSource.open(tmp_path, "lfp").read(start, out)
                np.testing.assert_array_equal(out, samples[:, start : start + 1000])
                source.read(start, out)
                np.testing.assert_array_equal(out, samples[:, start : start + 1000])
            except BaseException as error:  # noqa: BLE001 -- shown by the assertion below
                wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(8):
        compress_lfp(tmp_path, "lfp", digest)
        expand_lfp(tmp_path, "lfp", digest)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_few_files_are_open_and_little_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(lfp_store, "_open_sources", lfp_store._OpenSources(2))
    monkeypatch.setattr(lfp_store, "_unpacked", lfp_store._Unpacked(300_000))
    planted = []
    for i in range(5):
        (tmp_path / str(i)).mkdir()
        samples, _, digest = write(tmp_path / str(i), seed=i)
        compress_lfp(tmp_path / str(i), "lfp", digest)
        planted.append(samples)
    sources = [FileSource.open(tmp_path / str(i), "lfp") for i in range(5)]
    for source, samples in zip(sources * 2, planted * 2, strict=True):
        np.testing.assert_array_equal(read_all(source), samples)
    assert lfp_store._unpacked._bytes <= 300_000
    assert sum(source.descriptor is not None for source in sources) == 2


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


def test_a_damaged_block_is_never_packed(tmp_path):
    _, _, digest = write(tmp_path)
    flip(tmp_path / "lfp.npy", 5000)
    with pytest.raises(BrokenArtefact, match="does not match its receipt"):
        compress_lfp(tmp_path, "lfp", digest)
    assert forms(tmp_path) == {"lfp.npy"}


def test_what_does_not_come_back_is_not_kept(tmp_path, monkeypatch):
    _, _, digest = write(tmp_path)
    monkeypatch.setattr(Packed, "digest_again", lambda _: "other")
    with pytest.raises(BrokenArtefact, match="did not come back"):
        compress_lfp(tmp_path, "lfp", digest)
    assert forms(tmp_path) == {"lfp.npy"}


def test_damage_of_the_packed_file_is_found(tmp_path):
    store = Store(tmp_path)
    draft = store.begin("convert", "ab" * 32)
    write(draft.folder)
    receipt = draft.commit({"outputs": {"lfp": {"lfp": "lfp", "rate_hz": 1000.0}}})
    digest = receipt.files["lfp.npy"]["xxh3_128"]
    compress_lfp(receipt.folder, "lfp", digest)
    assert store.damaged_files(receipt) == ()
    packed = receipt.folder / "lfp.blosc"
    whole = packed.read_bytes()
    for place in (3, len(whole) // 2, len(whole) - 1):
        flip(packed, place)
        assert store.damaged_files(receipt) == ("lfp.npy",)
        with pytest.raises(BrokenArtefact):
            expand_lfp(receipt.folder, "lfp", digest)
        packed.write_bytes(whole)
    packed.write_bytes(whole[:-1])
    with pytest.raises(BrokenArtefact, match="packed it has"):
        FileSource.open(receipt.folder, "lfp")
    packed.unlink()
    assert store.damaged_files(receipt) == ("lfp.npy",)
    with pytest.raises(BrokenArtefact):
        FileSource.open(receipt.folder, "lfp")


STEPS = ("sync_file", "sync_folder", "write_json")


def run_and_die(folder: Path, digest: str, undo: bool, at: int, after: bool) -> bool:
    """Pack or unpack in a child that is gone at its n-th touch of the disk; whether it was."""
    from numcodecs import blosc

    child = os.fork()
    if child == 0:
        blosc.use_threads = False  # its threads stayed with the parent
        count = 0

        def deadly(real):
            def call(*arguments, **named):
                nonlocal count
                if count == at and not after:
                    os._exit(9)
                result = real(*arguments, **named)
                if count == at and after:
                    os._exit(9)
                count += 1
                return result

            return call

        for name in STEPS:
            setattr(lfp_compression, name, deadly(getattr(lfp_compression, name)))
        Path.replace = deadly(Path.replace)  # type: ignore[method-assign]
        Path.unlink = deadly(Path.unlink)  # type: ignore[method-assign]
        try:
            (expand_lfp if undo else compress_lfp)(folder, "lfp", digest)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("undo", [False, True])
def test_a_kill_at_any_step_leaves_it_readable(tmp_path, undo, after):
    died = 0
    for at in range(9):
        folder = tmp_path / str(at)
        folder.mkdir()
        samples, _, digest = write(folder)
        if undo:
            compress_lfp(folder, "lfp", digest)
        gone = run_and_die(folder, digest, undo, at, after)
        np.testing.assert_array_equal(read_all(FileSource.open(folder, "lfp")), samples)
        assert digest_stored(folder / "lfp.npy") == digest
        (expand_lfp if undo else compress_lfp)(folder, "lfp", digest)  # the next one ends it
        assert forms(folder) == ({"lfp.npy"} if undo else {"lfp.blosc", "lfp.blosc.json"})
        np.testing.assert_array_equal(read_all(FileSource.open(folder, "lfp")), samples)
        died += gone
    assert died >= 4


LOOP = """
import sys
from pathlib import Path
from wakeful.io.lfp_compression import compress_lfp, expand_lfp
folder, digest = Path(sys.argv[1]), sys.argv[2]
print("go", flush=True)
while True:
    compress_lfp(folder, "lfp", digest)
    expand_lfp(folder, "lfp", digest)
"""


@pytest.mark.slow
def test_kills_at_random_moments_lose_nothing(tmp_path):
    samples, _, digest = write(tmp_path)
    rng = random.Random(0)
    seen: set[str] = set()
    for _ in range(25):
        worker = subprocess.Popen(
            [sys.executable, "-c", LOOP, str(tmp_path), digest], stdout=subprocess.PIPE
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"go\n"
        time.sleep(rng.uniform(0.1, 0.4))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stdout.close()
        seen |= forms(tmp_path)
        np.testing.assert_array_equal(read_all(FileSource.open(tmp_path, "lfp")), samples)
        assert digest_stored(tmp_path / "lfp.npy") == digest
    assert {"lfp.npy", "lfp.blosc"} <= seen
    expand_lfp(tmp_path, "lfp", digest)
    assert forms(tmp_path) == {"lfp.npy"}


WRITER = """
import sys
from pathlib import Path
import numpy as np
from wakeful.io.lfp_store import FileSink
from wakeful.io.store import Store
from wakeful.model.arrays import Lfp
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span
store, channels = Store(Path(sys.argv[1])), (Channel(name="a"),)
for hour in range(3, 6):
    draft = store.begin("convert", f"{hour:064x}")
    sink = FileSink(draft.folder, "lfp", Interval(60.0 * hour, 60.0 * hour + 60))
    sink.open(channels, (Span(60.0 * hour, 60_000, 1000.0, 0),), np.dtype(np.int16))
    for start in range(0, 60_000, 5000):
        sink.write(start, np.full((1, 5000), hour, np.int16))
        print("writing", flush=True)
        sys.stdin.readline()
    value = draft.write("lfp", Lfp(sink.finish(), 1000.0))
    draft.commit({"outputs": {"lfp": value}})
"""


def test_earlier_hours_are_read_while_another_process_writes_the_next(tmp_path):
    store, key = Store(tmp_path), "{:064x}".format
    for hour in range(3):
        draft = store.begin("convert", key(hour))
        sink = FileSink(draft.folder, "lfp", Interval(60.0 * hour, 60.0 * hour + 60))
        span = Span(60.0 * hour, 60_000, 1000.0, 0)
        sink.open((Channel(name="a"),), (span,), np.dtype(np.int16))
        sink.write(0, np.full((1, 60_000), hour, np.int16))
        draft.commit({"outputs": {"lfp": draft.write("lfp", Lfp(sink.finish(), 1000.0))}})
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    lengths = []
    while writer.stdout.readline():
        there = [hour for hour in range(6) if store.has("convert", key(hour))]
        parts = [store.read("convert", key(hour), "lfp", Lfp) for hour in there]
        joined = JoinedSource([part.samples for part in parts])
        assert len(joined.spans) == 1  # the hours follow one another without a gap
        out = np.empty((1, joined.spans[0].n_samples), np.int16)
        joined.read(0, out)
        np.testing.assert_array_equal(out[0], np.repeat(there, 60_000))
        lengths.append(len(there))
        writer.stdin.write("\n")
        writer.stdin.flush()
    writer.stdin.close()
    writer.stdout.close()
    assert writer.wait() == 0
    assert set(lengths) == {3, 4, 5}
