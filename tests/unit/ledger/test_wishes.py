"""Wishes: made, taken back, logged."""

from __future__ import annotations

import pytest

from wakeful.ledger import Ledger, RowCells, UnknownRecord, Wish
from wakeful.ledger.migrations import MIGRATIONS
from wakeful.ledger.wishes import WHOLE_LIBRARY


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "x.sqlite") as ledger:
        ledger.add_row(RowCells(subject="M1"), actor="test")
        yield ledger


def test_a_wish_is_noted_once_and_taken_back(ledger):
    for _ in range(2):
        ledger.make_wish(1, Wish.PAUSE, actor="ada")
    (found,) = ledger.wishes()
    assert (found.row_id, found.wish, found.author) == (1, Wish.PAUSE, "ada")
    assert not ledger.take_back(1, [Wish.CANCEL], actor="ada")
    assert ledger.take_back(1, [Wish.CANCEL, Wish.PAUSE], actor="bob")
    assert ledger.wishes() == ()


def test_the_whole_library_can_be_meant(ledger):
    ledger.make_wish(WHOLE_LIBRARY, Wish.PAUSE, actor="ada")
    ledger.make_wish(1, Wish.PAUSE, actor="ada")
    assert ledger.take_back(WHOLE_LIBRARY, [Wish.PAUSE], actor="ada")
    assert [w.row_id for w in ledger.wishes()] == [1]


def test_a_row_must_be_there(ledger):
    for call in (
        lambda: ledger.make_wish(7, Wish.CANCEL, actor="ada"),
        lambda: ledger.take_back(7, [Wish.CANCEL], actor="ada"),
    ):
        with pytest.raises(UnknownRecord, match="no such row"):
            call()


def test_an_older_file_gets_the_table(tmp_path):
    path = tmp_path / "old.sqlite"
    with Ledger.open(path, migrations=MIGRATIONS[:2]) as old:
        old.add_row(RowCells(subject="M1"), actor="test")
    with Ledger.open(path) as ledger:
        ledger.make_wish(1, Wish.RETRY, actor="ada")
        assert [w.wish for w in ledger.wishes()] == [Wish.RETRY]
