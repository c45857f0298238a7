"""Sources, sinks, joining and epochs."""

from __future__ import annotations

import numpy as np
import pytest

from wakeful.model.arrays import JoinedSource, Lfp, MemorySink, MemorySource, iterate_epochs
from wakeful.model.errors import BadRecording
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span

CHANNELS = (Channel(name="a", gain_uv=0.5), Channel(name="b", gain_uv=-2.0, offset_uv=1.0))


def source(start_s: float, first: int, n_samples: int, rate_hz: float = 10.0) -> MemorySource:
    samples = np.arange(first, first + n_samples, dtype=np.int16)
    return MemorySource(
        np.stack([samples, -samples]), CHANNELS, (Span(start_s, n_samples, rate_hz, 0),)
    )


def test_joined_blocks_of_one_span_read_as_one():
    joined = JoinedSource([source(0, 0, 50), source(5, 50, 50), source(12, 100, 30)])
    assert joined.spans == (Span(0, 100, 10.0, 0), Span(12, 30, 10.0, 100))
    out = np.empty((2, 100), np.int16)
    joined.read(0, out)
    assert (out[0] == np.arange(100)).all()
    one = np.empty((1, 20), np.int16)
    joined.read(45, one, [1])
    assert (one[0] == -np.arange(45, 65)).all()


def test_nothing_is_read_across_a_gap():
    joined = JoinedSource([source(0, 0, 50), source(12, 50, 50)])
    with pytest.raises(BadRecording, match="not all in one span"):
        joined.read(45, np.empty((2, 10), np.int16))


def test_blocks_with_other_channels_are_not_joined():
    other = MemorySource(np.zeros((1, 5), np.int16), (Channel(name="c"),), (Span(5, 5, 10.0, 0),))
    with pytest.raises(BadRecording, match="different channels"):
        JoinedSource([source(0, 0, 50), other])


def test_microvolts_use_gain_offset_and_rows():
    lfp = Lfp(source(0, 0, 50), 10.0)
    assert lfp.read_uv(2, 3).tolist() == [[1.0, 1.5, 2.0], [5.0, 7.0, 9.0]]
    assert lfp.read_uv(2, 1, [1]).tolist() == [[5.0]]


def test_memory_sink_gives_back_what_was_written():
    sink = MemorySink()
    spans = (Span(3.0, 4, 1.0, 10), Span(20.0, 2, 1.0, 14))
    sink.open(CHANNELS, spans, np.dtype(np.int16))
    sink.write(14, np.array([[5, 6], [7, 8]], np.int16))
    sink.write(10, np.array([[1, 2, 3, 4], [1, 2, 3, 4]], np.int16))
    out = np.empty((2, 2), np.int16)
    sink.finish().read(14, out)
    assert out.tolist() == [[5, 6], [7, 8]]


def test_epochs_touching_a_gap_have_no_span():
    spans = (Span(0.0, 100, 10.0, 0), Span(13.0, 170, 10.0, 100))
    epochs = list(iterate_epochs(spans, Interval(0, 30), 4.0))
    assert [e[1] for e in epochs] == [0, 4, 8, 12, 16, 20, 24, 28]
    assert [e[2] is not None for e in epochs] == [True, True, False, False, True, True, True, False]
    assert epochs[4][3] == 130


def test_epochs_are_counted_from_the_start_of_the_session_not_of_the_block():
    spans = (Span(0.0, 1000, 10.0, 0),)
    assert [e[1] for e in iterate_epochs(spans, Interval(10, 20), 4.0)] == [12, 16]


def test_a_slightly_slow_clock_costs_no_epoch_at_the_end_of_a_block():
    # 3,600 s of a clock that is 20 ppm slow: the last sample of the block is a little early.
    whole = Span(0.0, 10_000_000, 999.98, 0)
    piece = whole.cut(Interval(0, 3600))
    assert piece is not None
    epochs = list(iterate_epochs((piece,), Interval(0, 3600), 4.0))
    assert len(epochs) == 900
    assert all(e[2] is not None for e in epochs)
    assert epochs[-1][3] + 4000 <= piece.stop_sample
