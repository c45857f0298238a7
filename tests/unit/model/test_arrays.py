"""Sources, sinks, joining and epochs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.model.arrays import JoinedSource, Lfp, MemorySink, MemorySource, iterate_epochs
from wakeful.model.errors import BadRecording
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span, cut_spans
from wakeful.signal.decimation import decimated_span
from wakeful.signal.streaming import decimate_source

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


def empty(spans: tuple[Span, ...]) -> MemorySource:
    """A source whose samples nobody reads."""
    return MemorySource(np.zeros((2, 0), np.int16), CHANNELS, spans)


@settings(deadline=None, max_examples=200)
@given(
    st.floats(0, 6e5),
    st.integers(1, 10**9),
    st.sampled_from([2000.0, 30_303.0, 32_000.0, 32_556.0]),
    st.floats(-3e-4, 3e-4),
    st.sampled_from([1, 2, 30, 32]),
    st.lists(st.floats(0, 1), max_size=12),
)
def test_a_span_that_was_cut_into_blocks_is_whole_again(
    start_s, n_samples, rate_hz, drift, factor, cuts
):
    span = decimated_span(Span(start_s, n_samples, rate_hz * (1 + drift), 0), factor)
    inner = sorted(start_s + c * (span.stop_s - start_s) for c in cuts)
    edges = [start_s - 1, *inner, span.stop_s + 1]
    blocks = [cut_spans((span,), Interval(a, b)) for a, b in itertools.pairwise(edges)]
    parts = [piece for block in blocks for piece in block]
    for a, b in itertools.pairwise(parts):
        assert abs(b.start_s - a.stop_s) * span.rate_hz < 2e-4  # far below what is let pass
    assert JoinedSource([empty(block) for block in blocks]).spans == (span,)


@pytest.mark.parametrize("lost", [1, 8, 20, 32, 46])
def test_the_smallest_gap_is_not_healed(lost):
    # Gaps of 1 to 46 raw samples at 32 kHz: 0.03 to 1.4 ms.
    a = Span(0.0, 128_001, 32_000.0, 0)
    b = Span(a.stop_s + lost / 32_000, 128_000, 32_000.0, a.n_samples)
    raw = np.zeros((2, a.n_samples + b.n_samples), np.int16)
    recording = MemorySource(raw, CHANNELS, (a, b))
    blocks = [(0, 2), (2, 4.01), (4.01, 6), (6, 9)]
    parts = [decimate_source(recording, Interval(*block), 32, MemorySink()) for block in blocks]
    joined = JoinedSource(parts)
    assert [s.n_samples for s in joined.spans] == [4001, 4000]
    assert joined.spans[1].start_s == pytest.approx(b.start_s, abs=1e-9)


def test_two_spans_of_one_block_stay_two():
    # They seem to continue each other, but the block says that something lies between.
    joined = JoinedSource([empty((Span(0, 50, 10.0, 0), Span(5, 50, 10.0, 50)))])
    assert len(joined.spans) == 2


def test_a_gap_at_the_edge_of_a_block_stays_one():
    late_s = 0.01 / 10.0  # a hundredth of a sample
    joined = JoinedSource([source(0, 0, 50), source(5 + late_s, 50, 50)])
    assert len(joined.spans) == 2
    other_clock = JoinedSource([source(0, 0, 50), source(5, 50, 50, 10.0 * (1 + 1e-9))])
    assert len(other_clock.spans) == 2


def test_the_nominal_rate_is_that_of_a_block_with_samples():
    nothing, something = Lfp(empty(()), 1000.0), Lfp(source(5, 0, 50), 10.0)
    assert Lfp.join([nothing, something]).rate_hz == 10.0
    assert Lfp.join([nothing]).rate_hz == 1000.0


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
