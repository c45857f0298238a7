"""What joins the name of raw data, and what does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wakeful.io.mirror import Manifest
from wakeful.model.recording import Stream
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Interval, Span
from wakeful.pipeline.keys import raw_key

CHANNEL = Channel(name="a", region="CA1", gain_uv=0.5)
SPANS = (Span(0.0, 1000, 10.0, 0), Span(200.0, 1000, 10.0, 1000))


def key(channel: Channel = CHANNEL, **changes: object) -> str:
    stream = Stream(name="x", rate_hz=10.0, channels=(channel,), spans=SPANS)
    nothing = Manifest("/r", "/r", in_place=True, files=())
    return raw_key("toy", replace(stream, **changes), Interval(0.0, 150.0), [], nothing)


@pytest.mark.parametrize(
    "change",
    [{"notes": "new cable"}, {"x_mm": 1.0, "y_mm": -2.0, "z_mm": 0.5}, {"subject": "M2"}],
)
def test_what_no_number_depends_on_changes_no_key(change):
    assert key(replace(CHANNEL, **change)) == key()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "b"},
        {"region": "CA3"},
        {"kind": ChannelKind.EMG},
        {"reference": "screw"},
        {"gain_uv": 0.25},
        {"offset_uv": 1.0},
        {"polarity": -1},
        {"highpass_hz": 1.0},
        {"lowpass_hz": 300.0},
    ],
)
def test_what_numbers_depend_on_changes_the_key(change):
    assert key(replace(CHANNEL, **change)) != key()


def test_time_and_rates_join_the_key_where_they_are_read():
    assert key(rate_hz=10.5) != key()
    assert key(spans=(replace(SPANS[0], rate_hz=10.001), SPANS[1])) != key()
    assert key(spans=(SPANS[0], replace(SPANS[1], start_s=201.0))) == key()
