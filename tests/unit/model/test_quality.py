"""Faults and marks as nouns: cutting, joining, telling."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from wakeful.model.quality import (
    ChannelQuality,
    Fault,
    FaultKind,
    Mark,
    Verdict,
    cut_marks,
    describe_fault,
    join_faults,
)
from wakeful.model.subject import Session, Subject
from wakeful.model.time import Interval


def table(*rows: tuple[int, FaultKind, float, float], heeded: bool = True) -> ChannelQuality:
    n = len(rows)
    return ChannelQuality(
        start_s=np.array([r[2] for r in rows], float),
        stop_s=np.array([r[3] for r in rows], float),
        channel=np.array([r[0] for r in rows], np.int32),
        kind=np.array([r[1] for r in rows], np.int8),
        value=np.arange(n, dtype=float),
        limit=np.ones(n),
        heeded=np.full(n, heeded),
        reason=np.array(["why"] * n, np.str_),
        channels=("a", "b"),
        regions=("CA1", "CA1"),
    )


def test_an_epoch_is_bad_where_it_shares_time_with_a_fault():
    quality = table((0, FaultKind.FLAT, 8.0, 12.0), (1, FaultKind.MAINS, 13.0, 14.0))
    start_s = np.arange(6) * 4.0
    bad = quality.is_bad(("b", "a", "elsewhere"), start_s, 4.0)
    assert bad[:, 1].tolist() == [False, False, True, False, False, False]
    assert bad[:, 0].tolist() == [False, False, False, True, False, False]
    assert not bad[:, 2].any()
    without = quality.is_bad(("a", "b"), start_s, 4.0, frozenset({FaultKind.MAINS}))
    assert without[:, 1].tolist() == [False] * 6
    assert not table((0, FaultKind.FLAT, 0, 99), heeded=False).is_bad(("a",), start_s, 4.0).any()


def test_faults_are_kept_whole_in_a_cut_and_joined_over_the_borders_of_blocks():
    first = table((0, FaultKind.DEAD, 50.0, 60.0), (1, FaultKind.MAINS, 0.0, 30.0))
    second = table((0, FaultKind.FLAT, 60.0, 120.0), (1, FaultKind.MAINS, 90.0, 120.0))
    joined = ChannelQuality.join([first, second])
    assert joined.cut(Interval(55, 58)).start_s.tolist() == [50.0]
    dead, early, late = join_faults(joined)
    assert (dead.kind, dead.interval, dead.value) == (FaultKind.DEAD, Interval(50, 120), 70.0)
    assert (early.interval, late.interval) == (Interval(0, 30), Interval(90, 120))


def test_a_channel_that_recovers_and_dies_again_has_two_faults():
    quality = table((0, FaultKind.FLAT, 0.0, 60.0), (0, FaultKind.DEAD, 60.0, 90.0))
    assert [f.kind for f in join_faults(quality)] == [FaultKind.FLAT, FaultKind.DEAD]


def test_marks_are_cut_and_those_elsewhere_dropped():
    marks = [
        Mark(channels=(), start_s=a, stop_s=b, verdict=Verdict.BAD, reason="r", author="me")
        for a, b in ((0, 10), (5, 30), (20, 30))
    ]
    parts = cut_marks(marks, Interval(8, 20))
    assert [(m.start_s, m.stop_s) for m in parts] == [(8, 10), (8, 20)]


def test_a_fault_in_one_line():
    session = Session(
        name="s",
        subject=Subject(identifier="M"),
        start_utc=datetime(2026, 3, 2, 12, 0, tzinfo=UTC),
        duration_s=7200.0,
        time_zone="Europe/Berlin",
    )

    def line(kind, start_s, stop_s, heeded=True):
        return describe_fault(
            session,
            Fault(
                channel="CSC7",
                region="CA1",
                kind=kind,
                interval=Interval(start_s, stop_s),
                value=1.0,
                limit=1.0,
                heeded=heeded,
                reason="why",
            ),
        )

    assert line(FaultKind.DEAD, 131.0, 2951.0) == "CSC7: flat from 13:02:11 on, for 47 min (why)"
    assert line(FaultKind.MAINS, 0, 7200) == "CSC7: mains hum throughout (why)"
    assert line(FaultKind.COPY, 60, 66) == "CSC7: copy 13:01:00 to 13:01:06, 6 s (why)"
    assert "marked good by hand, not heeded" in line(FaultKind.COPY, 60, 66, heeded=False)
