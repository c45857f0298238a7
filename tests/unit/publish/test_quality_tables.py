"""Faults as a CSV, a table, and warnings of a row."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import numpy as np

from wakeful.model.quality import Fault, FaultKind
from wakeful.model.subject import Session, Subject
from wakeful.model.time import Interval
from wakeful.publish import channel_quality_csv, faults_table, quality_warnings

SESSION = Session(
    name="s",
    subject=Subject(identifier="M1"),
    start_utc=datetime(2026, 3, 2, 12, 0, tzinfo=UTC),
    duration_s=7200.0,
    time_zone="Europe/Berlin",
)


def fault(channel, start_s, stop_s, kind=FaultKind.FLAT, **changes) -> Fault:
    values = {
        "region": "=CA1",
        "value": 60.0,
        "limit": 2.0,
        "heeded": True,
        "reason": "no change",
    }
    return Fault(
        channel=channel, kind=kind, interval=Interval(start_s, stop_s), **{**values, **changes}
    )


def test_a_line_a_fault_with_local_times_and_no_formula():
    by_hand = fault("b", 0, 9, FaultKind.BY_HAND, value=np.nan, limit=np.nan, heeded=False)
    data = channel_quality_csv(SESSION, [fault("a", 131, 191), by_hand])
    first, second = csv.DictReader(io.StringIO(data.decode()))
    assert first["local_start"] == "2026-03-02T13:02:11.000+01:00"
    assert (first["fault"], first["duration_s"], first["heeded"]) == ("flat", "60.000", "yes")
    assert first["region"] == "'=CA1"
    assert (second["value"], second["limit"], second["heeded"]) == ("", "", "no")


def test_the_report_shows_the_longest_in_the_order_of_channels():
    many = [fault("a", float(i), i + 1.0 + i) for i in range(50)]
    table = faults_table(SESSION, many)
    assert len(table.rows) == 40
    assert "10 shorter ones" in table.note
    assert table.rows[0][4] == "13:00:10"


def test_warnings_name_channels_and_what_a_region_lost():
    regions = {"CA1": ("a", "b"), "PFC": ("c",)}
    found = [fault("a", 0, 600), fault("b", 300, 900, FaultKind.MAINS)]
    bad, lost = quality_warnings(found, regions, SESSION)
    assert bad == "2 channels have faults for a part of the recording: a flat, b mains hum"
    assert lost == (
        "CA1: no good channel for 5 min from 13:05:00 on, and no power there "
        "(a: flat; b: mains hum)"
    )
    assert quality_warnings([fault("a", 0, 9, heeded=False)], regions, SESSION) == []
    assert len(quality_warnings([fault("a", 0, 600)], regions, SESSION)) == 1
