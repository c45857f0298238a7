"""Blocks, days and what a task may see of the session."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from wakeful.model.subject import Session, Subject
from wakeful.pipeline.plan import Scope
from wakeful.pipeline.scopes import Scopes


def make() -> Scopes:
    return Scopes(
        Session(
            name="s",
            subject=Subject(identifier="M1"),
            start_utc=datetime(2026, 5, 1, 23, tzinfo=UTC),
            duration_s=3 * 3600.0,
        )
    )


def test_scopes_that_share_time():
    scopes = make()
    assert scopes.touching("block", Scope("day", 0)) == [Scope("block", 0)]
    assert scopes.touching("block", Scope("day", 1)) == [Scope("block", 1), Scope("block", 2)]
    assert scopes.touching("block", Scope("block", 1), 1.0) == scopes.all("block")
    assert scopes.touching("session", Scope("block", 1)) == [Scope("session")]


def test_a_block_sees_nothing_that_later_hours_change():
    session = make().session_for(Scope("block", 0), named=False)
    assert session.start_utc is None
    assert math.isnan(session.duration_s)
    assert session.subject.identifier == ""
    assert session.epoch_s == 4.0


def test_a_day_sees_the_session_as_it_was_when_the_day_ended():
    scopes = make()
    assert scopes.session_for(Scope("day", 0), named=True).duration_s == 3600
    assert scopes.session_for(Scope("day", 1), named=True).duration_s == 3 * 3600
    assert str(Scope("day", 1)) == "day 1"
    assert str(Scope("session")) == "session"
