"""Flat files in which all channels of a moment stand together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.io import interleaved
from wakeful.io.interleaved import FramePiece, FrameRecording, Frames, FrameSource, usable_bytes
from wakeful.io.records import Encoding
from wakeful.io.registry import Growth
from wakeful.model.recording import Description, Stream
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span


def _channels(n: int) -> tuple[Channel, ...]:
    return tuple(Channel(name=f"CH{i}") for i in range(n))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(list(Encoding)),
    st.integers(1, 9),
    st.integers(1, 3000),
    st.integers(0, 7),
    st.data(),
)
def test_any_rows_of_any_encoding(
    tmp_path_factory: pytest.TempPathFactory,
    encoding: Encoding,
    n_columns: int,
    n_samples: int,
    header_bytes: int,
    data: st.DataObject,
) -> None:
    rng = np.random.default_rng(n_samples)
    stored = rng.integers(0, 256, (n_samples, n_columns * encoding.n_bytes), dtype=np.uint8)
    if encoding is Encoding.FLOAT32:
        stored = rng.normal(size=(n_samples, n_columns)).astype("<f4").view(np.uint8)
    expected = np.empty((n_samples, n_columns), encoding.dtype)
    encoding.decode(stored, expected)
    path = tmp_path_factory.mktemp("flat") / "x.dat"
    path.write_bytes(bytes(header_bytes) + stored.tobytes())
    columns = tuple(data.draw(st.permutations(range(n_columns))))
    frames = Frames(
        n_columns, columns, (FramePiece(path, 0, n_samples, 0),), encoding, header_bytes
    )
    source = FrameSource(_channels(n_columns), (Span(0.0, n_samples, 100.0, 0),), frames)
    rows = data.draw(st.lists(st.integers(0, n_columns - 1), min_size=1, max_size=5))
    a = data.draw(st.integers(0, n_samples - 1))
    b = data.draw(st.integers(a, n_samples))
    out = np.empty((len(rows), b - a), encoding.dtype)
    source.read(a, out, rows)
    np.testing.assert_array_equal(out, expected[a:b][:, [columns[r] for r in rows]].T)


def test_frames_wider_than_the_buffer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interleaved, "_BUFFER_BYTES", 64)
    monkeypatch.setattr(interleaved, "_local", interleaved.threading.local())
    samples = np.arange(50 * 100, dtype="<i2").reshape(50, 100)
    path = tmp_path / "x.dat"
    path.write_bytes(samples.tobytes())
    frames = Frames(100, tuple(range(100)), (FramePiece(path, 0, 50, 0),))
    out = np.empty((100, 50), np.int16)
    FrameSource(_channels(100), (Span(0.0, 50, 1.0, 0),), frames).read(0, out)
    np.testing.assert_array_equal(out, samples.T)


def test_byte_ranges_name_headers_and_frames_of_every_file(tmp_path: Path) -> None:
    pieces = tuple(FramePiece(tmp_path / f"{i}.dat", i * 10, 10, 5) for i in range(3))
    frames = Frames(2, (0, 1), pieces, Encoding.INT16, 7)
    stream = Stream(name="s", rate_hz=1.0, channels=_channels(2), spans=(Span(0.0, 30, 1.0, 0),))
    description = Description(format="x", root=str(tmp_path), streams=(stream,), start_utc=None)
    recording = FrameRecording(description, tmp_path, {"s": frames})
    found = recording.byte_ranges("s", Interval(8, 21))
    assert [(r.file, r.start, r.stop) for r in found] == [
        ("0.dat", 0, 7), ("0.dat", 7 + 13 * 4, 7 + 15 * 4),
        ("1.dat", 0, 7), ("1.dat", 7 + 5 * 4, 7 + 15 * 4),
        ("2.dat", 0, 7), ("2.dat", 7 + 5 * 4, 7 + 6 * 4),
    ]  # fmt: skip
    assert recording.read_events() == recording.read_tracks() == ()


def test_channels_and_columns_must_agree(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 channels but 1 columns"):
        FrameSource(_channels(2), (), Frames(1, (0,), ()))


def test_what_may_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a" / "x.dat"
    path.parent.mkdir()
    path.write_bytes(b"12345")
    assert usable_bytes(path, tmp_path, None) == 5
    assert usable_bytes(tmp_path / "gone", tmp_path, None) is None
    assert usable_bytes(path, tmp_path, Growth({"a/x.dat": 3})) == 3
    assert usable_bytes(path, tmp_path, Growth({})) is None
