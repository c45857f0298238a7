"""The outbox: told once, delivered to each, forgotten in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from wakeful.ledger import Ledger, UnknownRecord

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "x.sqlite") as ledger:
        yield ledger


def add(ledger: Ledger, reason: str, now: datetime = NOW, *, to_be_sent: bool = True) -> bool:
    return ledger.add_notice(
        reason,
        kind="failure",
        title=f"about {reason}",
        text="see there",
        repeat_after=DAY,
        to_be_sent=to_be_sent,
        now=now,
    )


def test_one_reason_is_told_once_a_while(ledger):
    assert add(ledger, "row 1")
    assert not add(ledger, "row 1", NOW + DAY / 2)
    assert add(ledger, "row 2", NOW + DAY / 2)
    assert add(ledger, "row 1", NOW + DAY)
    assert [n.reason for n in ledger.notices(10)] == ["row 1", "row 2", "row 1"]
    assert [n.reason for n in ledger.notices(1)] == ["row 1"]


def test_it_is_due_until_it_has_ended(ledger):
    add(ledger, "row 1")
    (due,) = ledger.due_notices(NOW)
    assert (due.kind, due.title, due.text, due.n_attempts) == (
        "failure",
        "about row 1",
        "see there",
        0,
    )
    ledger.note_delivery(due.id, ["a"], ended=False, next_try=NOW + timedelta(minutes=1))
    assert ledger.due_notices(NOW) == ()
    (due,) = ledger.due_notices(NOW + timedelta(minutes=1))
    assert (due.delivered_to, due.n_attempts) == (frozenset("a"), 1)
    ledger.note_delivery(due.id, ["b"], ended=True, next_try=NOW)
    assert ledger.due_notices(NOW + 10 * DAY) == ()
    assert ledger.notices(1)[0].delivered_to == frozenset("ab")


def test_without_anybody_to_tell_nothing_is_kept_back_for_later(ledger):
    assert add(ledger, "row 1", to_be_sent=False)
    assert ledger.due_notices(NOW + DAY) == ()
    assert len(ledger.notices(1)) == 1


def test_only_what_has_ended_is_forgotten(ledger):
    add(ledger, "row 1")
    add(ledger, "row 2", to_be_sent=False)
    assert ledger.forget_notices(NOW) == 0
    assert ledger.forget_notices(NOW + DAY) == 1
    assert [n.reason for n in ledger.notices(10)] == ["row 1"]


def test_a_notice_must_be_there(ledger):
    with pytest.raises(UnknownRecord, match="no such notice"):
        ledger.note_delivery(5, [], ended=True, next_try=NOW)
