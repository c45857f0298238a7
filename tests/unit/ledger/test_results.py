"""The index of results: complete, replaceable, fast enough for a thousand sessions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from wakeful.ledger import Ledger, ResultEntry

NOON = datetime(2026, 5, 9, 12, tzinfo=UTC)


def _key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _entry(number: int, session: str = "M014/2026-05-09") -> ResultEntry:
    return ResultEntry(
        key=_key(number),
        step="spectrogram",
        kind="result",
        session=session,
        scope=f"block {number}",
        path=f"results/{session}/{_key(number)}",
        bytes=22_000_000,
        seconds=1.5,
        created=NOON,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "w.db") as ledger:
        yield ledger


def test_what_goes_in_comes_out(ledger: Ledger) -> None:
    entries = [_entry(0), _entry(1), _entry(2, "M015/2026-05-09")]
    assert ledger.index_results(iter(entries)) == 3
    assert ledger.results_of("M014/2026-05-09") == tuple(entries[:2])
    assert ledger.result(_key(2)) == entries[2]
    assert ledger.result("nothing") is None
    assert ledger.results_of("M016") == ()


def test_times_are_kept_as_the_same_instant(ledger: Ledger) -> None:
    local = datetime(2026, 5, 9, 14, 0, 0, 250, tzinfo=timezone(timedelta(hours=2)))
    entry = ResultEntry(
        **{**{f: getattr(_entry(0), f) for f in _entry(0).__slots__}, "created": local}
    )
    ledger.index_results([entry])
    found = ledger.result(_key(0))
    assert found is not None
    assert found.created == local
    assert found.created.utcoffset() == timedelta(0)


def test_indexing_again_replaces(ledger: Ledger) -> None:
    ledger.index_results([_entry(0)])
    ledger.index_results([_entry(0, "M099")])
    assert ledger.results_of("M014/2026-05-09") == ()
    assert [e.session for e in ledger.results_of("M099")] == ["M099"]
    ledger.clear_results()
    assert ledger.known_keys([_key(0)]) == set()


@pytest.mark.parametrize("n_asked", [1, 40, 12_000])
def test_known_keys_are_those_asked_for_that_exist(ledger: Ledger, n_asked: int) -> None:
    # Few keys are looked up one by one, many are met with all; both must agree.
    ledger.index_results(_entry(i) for i in range(0, 12_000, 2))
    asked = [_key(i) for i in range(n_asked)]
    assert ledger.known_keys(asked) == {_key(i) for i in range(0, n_asked, 2)}
    assert ledger.known_keys([]) == set()
    assert ledger.known_keys(['it\'s "odd"', "\n"]) == set()


def test_forgotten_results_are_unknown(ledger: Ledger) -> None:
    ledger.index_results(_entry(i) for i in range(10))
    ledger.forget_results(_key(i) for i in range(5, 20))
    assert ledger.known_keys([_key(i) for i in range(20)]) == {_key(i) for i in range(5)}


@pytest.mark.slow
def test_the_results_of_a_thousand_sessions_are_known(ledger: Ledger) -> None:
    n = 1_000 * 24 * 15
    ledger.index_results(_entry(i, f"session {i // 360}") for i in range(n))
    assert len(ledger.known_keys([_key(i) for i in range(400_000)])) == n
    assert len(ledger.results_of("session 3")) == 360
