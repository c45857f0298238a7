"""What a row says of a recording that goes on."""

from __future__ import annotations

import pytest

from wakeful.service.reconcile import say_how_far


@pytest.mark.parametrize(
    ("closed_s", "summed_s", "block_s", "text"),
    [
        (0, 0, 3600, "the first 1 h 00 min is not complete yet"),
        (0, 0, 120, "the first 2 min is not complete yet"),
        (7200, 4800, 1200, "2 h 00 min analysed, 1 h 20 min in the report"),
        (240, 0, 120, "4 min analysed, nothing in the report"),
        (93_600, 61_200, 3600, "26 h 00 min analysed, 17 h 00 min in the report"),
    ],
)
def test_how_far_it_has_come_is_said_in_hours_and_minutes(closed_s, summed_s, block_s, text):
    assert say_how_far(closed_s, summed_s, block_s) == text
