"""Decimation of sources: spans, intervals, channels, the second output."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from wakeful.io.channels_file import LabelledSource
from wakeful.model.arrays import MemorySink, MemorySource
from wakeful.model.errors import BadParameters, BadRecording
from wakeful.model.subject import Channel
from wakeful.model.time import Interval, Span
from wakeful.signal.decimation import decimate_array
from wakeful.signal.streaming import SideOutput, decimate_source

RATE_HZ = 8000.0
FACTOR = 8


def _channels(n):
    return tuple(Channel(name=f"CSC{i + 1}", gain_uv=0.1 * (i + 1)) for i in range(n))


@pytest.fixture
def raw():
    """Four channels, two spans with a gap between them."""
    rng = np.random.default_rng(5)
    samples = rng.integers(-20_000, 20_000, (4, 50_000), dtype=np.int16)
    spans = (Span(0.0, 30_003, RATE_HZ, 0), Span(10.0, 19_997, RATE_HZ, 30_003))
    return MemorySource(samples, _channels(4), spans)


def _all(source):
    return [
        np.stack([_read(source, span, row) for row in range(len(source.channels))])
        for span in source.spans
    ]


def _read(source, span, row):
    out = np.empty((1, span.n_samples), source.dtype)
    source.read(span.first_sample, out, [row])
    return out[0]


def test_each_span_is_decimated_on_its_own(raw):
    result = decimate_source(raw, Interval(0, 100), FACTOR, MemorySink())
    assert result.spans == (Span(0.0, 3751, 1000.0, 0), Span(10.0, 2500, 1000.0, 3751))
    assert result.channels == raw.channels
    assert result.dtype == np.int16
    first, second = _all(result)
    samples = np.stack([_read(raw, raw.spans[0], r) for r in range(4)])
    np.testing.assert_array_equal(first, decimate_array(samples, FACTOR))
    samples = np.stack([_read(raw, raw.spans[1], r) for r in range(4)])
    np.testing.assert_array_equal(second, decimate_array(samples, FACTOR))


def test_an_interval_takes_the_samples_whose_times_lie_in_it(raw):
    result = decimate_source(raw, Interval(1.0, 10.5), FACTOR, MemorySink())
    assert [(s.start_s, s.n_samples, s.first_sample) for s in result.spans] == [
        (1.0, 2751, 0),
        (10.0, 500, 2751),
    ]
    whole = _all(decimate_source(raw, Interval(0, 100), FACTOR, MemorySink()))
    first, second = _all(result)
    np.testing.assert_array_equal(first, whole[0][:, 1000:])
    np.testing.assert_array_equal(second, whole[1][:, :500])


def test_an_interval_in_a_gap_is_empty(raw):
    result = decimate_source(raw, Interval(5.0, 9.0), FACTOR, MemorySink())
    assert result.spans == ()
    assert len(result.channels) == 4


def test_rows_are_chosen_and_ordered(raw):
    result = decimate_source(raw, Interval(0, 100), FACTOR, MemorySink(), rows=[2, 0])
    assert [c.name for c in result.channels] == ["CSC3", "CSC1"]
    assert result.channels[0].gain_uv == pytest.approx(0.3)
    whole = _all(decimate_source(raw, Interval(0, 100), FACTOR, MemorySink()))
    np.testing.assert_array_equal(_all(result)[0], whole[0][[2, 0]])


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("piece_samples", [1, 777, 8000])
def test_pieces_and_threads_change_nothing(raw, n_threads, piece_samples):
    short = Interval(3.0, 10.25)
    expected = _all(decimate_source(raw, short, FACTOR, MemorySink()))
    result = decimate_source(
        raw, short, FACTOR, MemorySink(), n_threads=n_threads, piece_samples=piece_samples
    )
    for a, b in zip(_all(result), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_factor_one_passes_unfiltered(raw):
    result = decimate_source(raw, Interval(0, 100), 1, MemorySink())
    np.testing.assert_array_equal(_all(result)[1][2], _read(raw, raw.spans[1], 2))


@pytest.mark.parametrize("piece_samples", [500, 1_000_000])
def test_the_side_output_comes_in_order_and_is_its_own_decimation(raw, piece_samples):
    got: dict[int, list[tuple[int, np.ndarray]]] = {0: [], 1: []}
    side = SideOutput(
        4, (3, 1), Interval(1.5, 10.75), lambda n, offset, s: got[n].append((offset, s))
    )
    decimate_source(
        raw, Interval(2, 10.5), FACTOR, MemorySink(), rows=[0, 1], side=side,
        piece_samples=piece_samples,
    )  # fmt: skip
    for number, (start, stop) in enumerate([(3000, 7501), (0, 1500)]):
        position = start
        for offset, samples in got[number]:
            assert offset == position
            position += samples.shape[1]
        assert position == stop
        joined = np.concatenate([s for _, s in got[number]], axis=1)
        values = np.stack([_read(raw, raw.spans[number], r) for r in (3, 1)])
        expected = decimate_array(values.astype(np.float32), 4)
        np.testing.assert_array_equal(joined, expected[:, start:stop])


def test_int32_becomes_float32():
    samples = np.full((1, 4000), 5_000_000, np.int32)
    source = MemorySource(samples, _channels(1), (Span(0.0, 4000, RATE_HZ, 0),))
    result = decimate_source(source, Interval(0, 1), FACTOR, MemorySink())
    assert result.dtype == np.float32
    np.testing.assert_allclose(_all(result)[0], 5_000_000, rtol=1e-6)


def test_a_reader_error_comes_through():
    class Broken(MemorySource):
        def read(self, first_sample, out, rows=None):
            raise BadRecording("disk gone", where="CSC1.ncs", remedy="look at the cable")

    source = Broken(np.zeros((1, 100), np.int16), _channels(1), (Span(0.0, 100, RATE_HZ, 0),))
    with pytest.raises(BadRecording, match="disk gone"):
        decimate_source(source, Interval(0, 1), FACTOR, MemorySink())


def test_a_bad_factor_is_refused(raw):
    with pytest.raises(BadParameters):
        decimate_source(raw, Interval(0, 1), 0, MemorySink())


class _Endless:
    """A source that makes its samples when they are read."""

    def __init__(self, n_channels, n_samples):
        self.channels = _channels(n_channels)
        self.spans = (Span(0.0, n_samples, RATE_HZ, 0),)
        self.dtype = np.dtype(np.int16)

    def read(self, first_sample, out, rows=None):
        out[...] = first_sample % 1000


class _Nowhere:
    """A sink that keeps nothing."""

    def open(self, channels, spans, dtype):
        self.channels, self.spans, self.dtype = channels, spans, dtype

    def write(self, first_sample, samples):
        pass

    def finish(self):
        return self


def _peak_bytes(seconds):
    source = _Endless(16, int(seconds * RATE_HZ))
    tracemalloc.start()
    try:
        decimate_source(
            source, Interval(0, seconds), FACTOR, _Nowhere(), n_threads=2, piece_samples=40_000
        )
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_length():
    few, many = _peak_bytes(30), _peak_bytes(600)
    assert many < 1.2 * few + 200_000


@pytest.mark.parametrize("at_hand", [False, True])
@pytest.mark.parametrize("labelled", [False, True])
def test_a_disk_is_told_of_all_samples_before_they_are_read(raw, labelled, at_hand):
    told = {row: np.zeros(50_000, bool) for row in range(4)}

    class Expecting(MemorySource):
        def expect(self, first_sample, n_samples, rows):
            for row in rows:
                told[row][first_sample : first_sample + n_samples] = True

        def is_at_hand(self, first_sample, n_samples, rows):
            return at_hand

    samples = np.concatenate(_all(raw), axis=1)
    source = Expecting(samples, raw.channels, raw.spans)
    rows = [3, 1]
    if labelled:
        source, rows = LabelledSource(source, raw.channels[1:3], [3, 1]), None
    result = decimate_source(
        source, Interval(1.0, 11.0), FACTOR, MemorySink(), rows=rows, piece_samples=800
    )
    wanted = np.zeros(50_000, bool)
    wanted[8000:30_003] = wanted[30_003:38_003] = True
    for row in range(4):
        np.testing.assert_array_equal(told[row], wanted & (row in (1, 3) and not at_hand))
    expected = decimate_source(raw, Interval(1.0, 11.0), FACTOR, MemorySink(), rows=[3, 1])
    for got, want in zip(_all(result), _all(expected), strict=True):
        np.testing.assert_array_equal(got, want)
