"""Reading samples out of files of records."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from wakeful.io import open_files
from wakeful.io import records as records_module
from wakeful.io.open_files import OpenFiles, is_in_memory
from wakeful.io.records import (
    ChannelRecords,
    Encoding,
    RecordLayout,
    RecordSource,
    Run,
    iterate_heads,
)
from wakeful.model.arrays import ReadsAhead
from wakeful.model.errors import BadRecording, TruncatedFile
from wakeful.model.subject import Channel
from wakeful.model.time import Span

WIDE = np.array([0, 1, -1, 127, 128, -128, -129, 32_767, -32_768, 12_345], np.int32)


@pytest.mark.parametrize(
    ("encoding", "stored", "expected"),
    [
        (Encoding.INT16, WIDE.astype("<i2"), WIDE.astype(np.int16)),
        (Encoding.INT16_BIG_ENDIAN, WIDE.astype(">i2"), WIDE.astype(np.int16)),
        (Encoding.OFFSET_BINARY, (WIDE + 32_768).astype("<u2"), WIDE.astype(np.int16)),
        (
            Encoding.INT24,
            (WIDE * 255 + 3).astype("<i4")[:, None].view("u1")[:, :3].copy(),
            WIDE * 255 + 3,
        ),
        (Encoding.FLOAT32, (WIDE / 3).astype("<f4"), (WIDE / 3).astype(np.float32)),
    ],
)
def test_every_encoding(encoding: Encoding, stored: np.ndarray, expected: np.ndarray) -> None:
    raw = np.frombuffer(stored.tobytes(), np.uint8).reshape(2, -1)
    assert raw.shape[1] == 5 * encoding.n_bytes
    out = np.empty((2, 5), encoding.dtype)
    encoding.decode(raw, out)
    np.testing.assert_array_equal(out.reshape(-1), expected)


def _source(path: Path, layout: RecordLayout, n_samples: int) -> RecordSource:
    return RecordSource(
        (Channel(name="a"),),
        (Span(0.0, n_samples, 1000.0, 0),),
        [ChannelRecords((path,), layout, (Run(0, n_samples, 0),))],
    )


@pytest.mark.parametrize("buffer_bytes", [64, 1000, 1 << 18])
@pytest.mark.parametrize(
    ("record_bytes", "samples_at", "per"),
    [(120, 20, 50), (2000, 7, 10), (100_000, 3, 49_000), (6, 2, 2)],
)
def test_layouts_dense_sparse_and_larger_than_the_buffer(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_bytes: int,
    samples_at: int,
    per: int,
    buffer_bytes: int,
) -> None:
    monkeypatch.setattr(records_module, "_BUFFER_BYTES", buffer_bytes)
    monkeypatch.setattr(records_module, "_local", type("Local", (), {})())
    rng = np.random.default_rng(1)
    n_records = 5
    raw = rng.integers(0, 256, (n_records, record_bytes), dtype=np.uint8)
    planted = raw[:, samples_at : samples_at + 2 * per].copy().view("<i2").reshape(-1)
    path = tmp_path / "f"
    path.write_bytes(b"head!" + raw.tobytes())
    source = _source(path, RecordLayout(5, record_bytes, samples_at, per), n_records * per)
    for _ in range(30):
        a, b = np.sort(rng.integers(0, n_records * per + 1, 2))
        out = np.empty((1, b - a), np.int16)
        source.read(int(a), out)
        np.testing.assert_array_equal(out[0], planted[a:b])


def _count_open() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_files_are_opened_once_and_closed_with_their_owner(tmp_path: Path) -> None:
    before = _count_open()
    files = OpenFiles()
    for i in range(6):
        path = tmp_path / str(i)
        path.write_bytes(b"abcdef")
        for _ in range(3):
            files.read_into(path, np.empty(3, np.uint8), 2)
    assert _count_open() == before + 6
    del files
    assert _count_open() == before


def test_with_very_many_files_not_all_stay_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_files, "_MAX_OPEN_FILES", 2)
    before = _count_open()
    files = OpenFiles()
    for i in range(6):
        path = tmp_path / str(i)
        path.write_bytes(bytes([i] * 4))
        got = np.empty(4, np.uint8)
        files.read_into(path, got, 0)
        assert got.tolist() == [i] * 4
    assert _count_open() == before + 2
    del files


def test_a_file_that_is_gone_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match="can't be opened"):
        OpenFiles().read_into(tmp_path / "gone", np.empty(3, np.uint8), 0)


def test_heads_come_in_pieces_of_a_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_module, "_SCAN_BYTES", 35)
    path = tmp_path / "f"
    path.write_bytes(b"hh" + np.arange(35, dtype=np.uint8).tobytes())
    head = np.dtype({"names": ["a"], "formats": ["u1"], "offsets": [2], "itemsize": 5})
    pieces = [
        piece["a"].tolist() for piece in iterate_heads(path, RecordLayout(2, 5, 0, 1), head, 7)
    ]
    assert pieces == [[2, 7, 12, 17, 22, 27, 32]]
    monkeypatch.setattr(records_module, "_SCAN_BYTES", 14)
    pieces = [
        piece["a"].tolist() for piece in iterate_heads(path, RecordLayout(2, 5, 0, 1), head, 7)
    ]
    assert pieces == [[2, 7], [12, 17], [22, 27], [32]]


class _Seen:
    """A check that keeps what it is shown."""

    def __init__(self) -> None:
        self.calls: list[tuple[np.ndarray, int, int | None]] = []

    def verify(
        self, stored: np.ndarray, path: Path, first_record: int, n_last: int | None = None
    ) -> None:
        assert path.exists()
        self.calls.append((stored.copy(), first_record, n_last))


@pytest.mark.parametrize("encoding", [Encoding.INT16, Encoding.INT16_BIG_ENDIAN])
@pytest.mark.parametrize("buffer_bytes", [300, 1 << 18])
def test_a_check_sees_the_head_of_every_record_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: Encoding, buffer_bytes: int
) -> None:
    monkeypatch.setattr(records_module, "_BUFFER_BYTES", buffer_bytes)
    monkeypatch.setattr(records_module, "_local", type("Local", (), {})())
    raw = np.random.default_rng(2).integers(0, 256, (20, 120), dtype=np.uint8)
    path = tmp_path / "f"
    path.write_bytes(raw.tobytes())
    layout, seen = RecordLayout(0, 120, 20, 50, encoding), _Seen()
    source = RecordSource(
        (Channel(name="a"),),
        (Span(0.0, 1000, 1000.0, 0),),
        [ChannelRecords((path,), layout, (Run(0, 1000, 0),), seen)],
    )
    out = np.empty((1, 333), np.int16)
    source.read(130, out)
    ((heads, first, n_last),) = seen.calls
    assert (first, n_last) == (2, 13)
    np.testing.assert_array_equal(heads, raw[2:10, :20])
    kind = "<i2" if encoding is Encoding.INT16 else ">i2"
    np.testing.assert_array_equal(out[0], raw[:, 20:].copy().view(kind).reshape(-1)[130:463])


def test_a_file_that_became_shorter_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(120 * 20))
    source = _source(path, RecordLayout(0, 120, 20, 50), 1000)
    out = np.empty((1, 1000), np.int16)
    source.read(0, out)
    with path.open("r+b") as file:
        file.truncate(120 * 15 + 7)
    with pytest.raises(TruncatedFile, match="ends at byte 1,807"):
        source.read(0, out)


def test_expecting_samples_is_never_an_error_and_changes_nothing(tmp_path: Path) -> None:
    raw = np.random.default_rng(3).integers(0, 256, (20, 120), dtype=np.uint8)
    path = tmp_path / "f"
    path.write_bytes(raw.tobytes())
    source = _source(path, RecordLayout(0, 120, 20, 50), 1000)
    assert isinstance(source, ReadsAhead)
    source.expect(130, 500, (0,))
    out = np.empty((1, 500), np.int16)
    source.read(130, out)
    planted = raw[:, 20:].copy().view("<i2").reshape(-1)
    np.testing.assert_array_equal(out[0], planted[130:630])
    path.unlink()
    _source(path, RecordLayout(0, 120, 20, 50), 1000).expect(0, 1000, (0,))


def test_what_the_system_has_in_memory_is_told_from_what_a_disk_has(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(120 * 20_000))
    source = _source(path, RecordLayout(0, 120, 20, 50), 1_000_000)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if source.is_at_hand(0, 1_000_000, (0,)):
        pytest.skip("this file system keeps its files in memory")
    out = np.empty((1, 1_000_000), np.int16)
    source.read(0, out)
    if not is_in_memory(path, 0, 20):
        pytest.skip("this file system does not tell")
    assert source.is_at_hand(0, 1_000_000, (0,))
    assert not is_in_memory(path, 120 * 20_000, 20), "beyond the end"
    assert not is_in_memory(tmp_path / "nothing", 0, 20)
