"""Delivery to a real server: each address once, later where it must be, secrets nowhere."""

from __future__ import annotations

import json
import logging
import time
from datetime import timedelta

import pytest
from tests.post_office import post_office

from wakeful.config import Config, open_library, write_library
from wakeful.ledger import Ledger
from wakeful.ledger.schema import NOTICES
from wakeful.logs import LOG_NAME, write_logs
from wakeful.model.errors import BadConfig
from wakeful.service.messenger import VARIABLE, Address, Messenger, read_addresses
from wakeful.service.notices import Notice

DAY = timedelta(days=1)
FAILED = Notice("row 1 x", "failure", "Row 1 (M1) failed", "no room left")
STALLED = Notice("stalled", "warning", "No new data of M1", "since Tuesday")


@pytest.fixture
def office():
    with post_office() as office:
        yield office


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "x.sqlite") as ledger:
        yield ledger


def make_due(ledger: Ledger) -> None:
    """As if the pauses were over."""
    with ledger.writing() as connection:
        connection.execute(NOTICES.update().values(next_try=NOTICES.c.made))


def test_what_is_told_arrives_once(ledger, office):
    for _ in range(2):  # a service, and the one after it
        with Messenger(ledger, [Address(office.address())], repeat_after=DAY) as messenger:
            messenger.tell(FAILED)
            messenger.flush()
            messenger.tell(FAILED)
            messenger.flush()
    (taken,) = office.taken
    assert (taken["title"], taken["message"], taken["type"]) == (
        "Row 1 (M1) failed",
        "no room left",
        "failure",
    )


def test_a_closed_office_gets_it_later_and_the_others_not_twice(ledger, office):
    with post_office() as other:
        addresses = [Address(office.address()), Address(other.address())]
        other.is_open = False
        with Messenger(ledger, addresses, repeat_after=DAY) as messenger:
            messenger.tell(FAILED)
            messenger.flush()
        assert (len(office.taken), len(other.taken), other.n_refused) == (1, 0, 1)
        with Messenger(ledger, addresses, repeat_after=DAY) as messenger:
            messenger.flush()
            assert other.n_refused == 1, "tried again before its pause was over"
            make_due(ledger)
            messenger.flush()
            assert other.n_refused == 2
            other.is_open = True
            make_due(ledger)
            messenger.flush()
            make_due(ledger)
            messenger.flush()
        assert (len(office.taken), len(other.taken)) == (1, 1)
    (notice,) = ledger.notices(5)
    assert notice.ended is not None


def test_a_storm_comes_as_one_message(ledger, office):
    with Messenger(ledger, [Address(office.address())], repeat_after=DAY) as messenger:
        messenger.tell(STALLED)
        messenger.tell(FAILED)
        messenger.flush()
    (taken,) = office.taken
    assert taken["title"] == "Wakeful: 2 notices"
    assert taken["type"] == "failure"
    for part in (FAILED.title, FAILED.text, STALLED.title, STALLED.text):
        assert part in taken["message"]


def test_a_slow_office_does_not_hold_up_the_service(ledger, office):
    office.is_open = False
    with Messenger(ledger, [Address(office.address())], repeat_after=DAY) as messenger:
        messenger.tell(FAILED)
        messenger.poll()
        assert ledger.notices(1)[0].n_attempts == 0  # it is under way in another thread
        deadline = time.monotonic() + 60
        while ledger.notices(1)[0].n_attempts == 0:
            assert time.monotonic() < deadline
            messenger.poll()
            time.sleep(0.05)


def test_without_an_address_notices_are_kept_and_not_sent_later(ledger, office):
    with Messenger(ledger, [], repeat_after=DAY) as messenger:
        assert messenger.tell(FAILED)
        assert not messenger.tell(FAILED)
        messenger.flush()
    with Messenger(ledger, [Address(office.address())], repeat_after=DAY) as messenger:
        messenger.flush()
    assert office.taken == []
    assert [n.title for n in ledger.notices(5)] == [FAILED.title]


def test_what_nobody_takes_for_days_is_given_up(ledger, office):
    office.is_open = False
    with Messenger(ledger, [Address(office.address())], repeat_after=DAY) as messenger:
        messenger.tell(FAILED)
        with ledger.writing() as connection:
            (notice,) = ledger.notices(1)
            connection.execute(NOTICES.update().values(made=notice.made - 4 * DAY))
        messenger.flush()
    assert ledger.notices(1)[0].ended is not None


def test_the_log_tells_of_it_without_the_key(ledger, office, tmp_path):
    office.is_open = False
    address = Address(office.address("key-0123456789abcdef"))
    with (
        write_logs(tmp_path / "logs", most_mb=1, secrets=[address.url]),
        Messenger(ledger, [address], repeat_after=DAY) as messenger,
    ):
        logging.getLogger("apprise").warning("posting to %s", address.url)
        messenger.tell(FAILED)
        messenger.flush()
    text = (tmp_path / "logs" / LOG_NAME).read_text()
    events = [json.loads(line)["event"] for line in text.splitlines()]
    assert "notice" in events
    assert "notices not delivered" in events
    assert "0123456789abcdef" not in text


@pytest.fixture
def library(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    return write_library(tmp_path / "lib", Config())


def configure(library, text):
    path = library.root / "wakeful.toml"
    path.write_text(path.read_text() + text)
    path.chmod(0o600)
    return open_library(library.root)


def test_addresses_come_from_the_file_another_file_and_the_environment(library, monkeypatch):
    assert read_addresses(library) == ()
    (library.root / "addresses").write_text("# the lab's\njson://b.example/2\n\n")
    (library.root / "addresses").chmod(0o600)
    library = configure(
        library, '[notices]\nurls = ["json://a.example/1"]\nurls_file = "addresses"\n'
    )
    monkeypatch.setenv(VARIABLE, " json://c.example/3 json://a.example/1\n")
    assert [a.url for a in read_addresses(library)] == [
        "json://a.example/1",
        "json://b.example/2",
        "json://c.example/3",
    ]


def test_secrets_that_others_can_read_are_refused(library):
    library = configure(library, '[notices]\nurls = ["json://a.example/1"]\n')
    (library.root / "wakeful.toml").chmod(0o640)
    with pytest.raises(BadConfig, match=r"others can read it.*chmod 600"):
        read_addresses(library)
    (library.root / "wakeful.toml").chmod(0o600)
    library = configure(library, 'urls_file = "addresses"\n')
    with pytest.raises(BadConfig, match="can't be read: No such file"):
        read_addresses(library)
    (library.root / "addresses").write_text("json://b.example/2")
    (library.root / "addresses").chmod(0o644)
    with pytest.raises(BadConfig, match="others can read it"):
        read_addresses(library)


def test_an_address_that_makes_no_sense_is_named_without_its_secret(library, monkeypatch):
    monkeypatch.setenv(VARIABLE, "json://a.example/1 carrier-pigeon://loft/hunter22")
    with pytest.raises(BadConfig, match="address 2 of notices") as caught:
        read_addresses(library)
    assert "carrier-pigeon" in str(caught.value)
    assert "hunter22" not in str(caught.value)
