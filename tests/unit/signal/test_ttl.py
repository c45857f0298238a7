"""Lines out of a port's words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakeful.model.errors import BadParameters
from wakeful.signal.ttl import detect_line_edges


def test_planted_lines() -> None:
    times = np.array([0.0, 1.0, 2.0, 3.5, 4.0])
    port = np.array([0b0000, 0b0001, 0b0101, 0b0100, 0b0000])
    first, third = detect_line_edges(times, port)
    assert (first.line, third.line) == (0, 2)
    np.testing.assert_array_equal(first.on_s, [1.0])
    np.testing.assert_array_equal(first.off_s, [3.5])
    np.testing.assert_array_equal(third.on_s, [2.0])
    np.testing.assert_array_equal(third.off_s, [4.0])


def test_what_is_up_at_first_is_an_edge_only_where_it_is_known_to_have_been_down() -> None:
    times, port = np.array([0.0, 1.0]), np.array([3, 1])
    (second,) = detect_line_edges(times, port)
    assert (second.line, second.off_s.tolist(), second.on_s.tolist()) == (1, [1.0], [])
    both = detect_line_edges(times, port, before=0)
    assert [(e.line, e.on_s.tolist()) for e in both] == [(0, [0.0]), (1, [0.0])]


def test_a_word_of_sixteen_bits_read_as_signed() -> None:
    times = np.arange(4.0)
    port = np.array([0, 0x8000, 0x8001, 0], np.uint16).view(np.int16)
    low, high = detect_line_edges(times, port)
    assert (low.line, low.on_s.tolist(), low.off_s.tolist()) == (0, [2.0], [3.0])
    assert (high.line, high.on_s.tolist(), high.off_s.tolist()) == (15, [1.0], [3.0])


def test_nothing_changes_or_nothing_is_there() -> None:
    assert detect_line_edges(np.arange(3.0), np.array([5, 5, 5])) == ()
    assert detect_line_edges(np.empty(0), np.empty(0, np.int64)) == ()


def test_wrong_arrays_are_refused() -> None:
    with pytest.raises(BadParameters, match="one time for each"):
        detect_line_edges(np.arange(3.0), np.array([1, 2]))
    with pytest.raises(BadParameters, match="65 lines"):
        detect_line_edges(np.arange(2.0), np.array([1, 2]), n_lines=65)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=50), st.integers(0, 2**32 - 1))
def test_edges_rebuild_the_port(values: list[int], before: int) -> None:
    times = np.arange(len(values), dtype=float)
    port = np.array(values, np.uint32)
    rebuilt = np.full(len(values), before, np.uint64)
    for edges in detect_line_edges(times, port, n_lines=32, before=before):
        for at, level in zip(edges.time_s.astype(int), edges.level, strict=True):
            bit = np.uint64(1 << edges.line)
            rebuilt[at:] = rebuilt[at:] | bit if level else rebuilt[at:] & ~bit
    np.testing.assert_array_equal(rebuilt, port)
