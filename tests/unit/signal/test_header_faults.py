"""What headers forbid: mixed polarity, high-pass filters that took the slow waves."""

from __future__ import annotations

import pytest

from wakeful.model.subject import Channel, ChannelKind
from wakeful.signal.header_faults import (
    describe_filter_delay,
    describe_headers,
    trusted_from_hz,
    why_no_delta,
)


def channels(*corners: float | None, **fields) -> tuple[Channel, ...]:
    return tuple(
        Channel(name=f"c{i}", region="CA1", highpass_hz=c, **fields) for i, c in enumerate(corners)
    )


@pytest.mark.parametrize(
    ("corners", "reason"),
    [
        ((0.1, 0.1), ""),
        ((0.5,), ""),
        ((None, None), ""),
        ((1.0, None), ""),
        ((1.0, 0.1), ""),
        ((1.0, 1.0), "hardware high-pass of 1 Hz: delta can't be trusted"),
        ((0.6, 2.0), "hardware high-pass of 0.6 Hz or 2 Hz: delta can't be trusted"),
    ],
)
def test_delta_is_refused_above_half_a_hertz_and_only_where_no_channel_holds_it(corners, reason):
    assert why_no_delta(channels(*corners)) == reason


def test_an_emg_forbids_nothing():
    assert why_no_delta(channels(10.0, kind=ChannelKind.EMG)) == ""
    assert describe_headers(channels(10.0, kind=ChannelKind.EMG)) == ()


def test_delta_from_one_hertz_is_trusted_up_to_a_corner_of_a_half():
    assert trusted_from_hz(channels(0.5)[0]) == 1.0
    assert trusted_from_hz(channels(None)[0]) == 0.0


def test_mixed_polarity_and_unknown_corners_are_said():
    mixed = (
        Channel(name="a", region="PFC", polarity=-1, highpass_hz=0.1),
        Channel(name="b", region="PFC", highpass_hz=1.0),
        Channel(name="c", region="CA1", polarity=-1),
    )
    notes = describe_headers(mixed)
    assert notes[0].startswith("PFC: polarity differs between channels (inverted by the acqui")
    assert notes[0].count("a") > 0
    assert notes[1] == "hardware high-pass of 1 Hz: delta can't be trusted (b)"
    assert notes[2] == "hardware high-pass not known (c): delta is taken as it is"
    assert len(notes) == 3
    assert describe_headers(channels(0.1, 0.1, polarity=-1)) == ()


def test_a_filter_delay_is_told_where_it_is_known():
    assert describe_filter_delay("CSC1", None) == ""
    assert describe_filter_delay("CSC1", 984e-6).endswith("delay the signal by 984 µs")


def test_channels_of_one_filter_delay_are_told_in_one_line():
    delayed = channels(0.1, 0.1, filter_delay_s=984e-6)
    made_up_for = (Channel(name="d", highpass_hz=0.1, filter_delay_s=0.0),)
    assert describe_headers(delayed + made_up_for) == (
        "c0, c1: the acquisition's filters delay the signal by 984 µs",
    )
