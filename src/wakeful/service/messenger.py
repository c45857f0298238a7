"""Delivers notices to the addresses that wakeful.toml names, by apprise.

The outbox is in the ledger: what could not be delivered is tried again after growing pauses, by the
next service too, and an address that has a notice does not get it twice.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from wakeful.config import CONFIG_NAME, Library
from wakeful.ledger import Ledger, NoticeRecord
from wakeful.ledger.database import now_utc
from wakeful.logs import get_log
from wakeful.model.errors import BadConfig
from wakeful.model.secrets import hide_in_address
from wakeful.service.notices import Notice

VARIABLE: Final = "WAKEFUL_NOTICES_URLS"
_FIRST_PAUSE: Final = timedelta(seconds=30)
_LONGEST_PAUSE: Final = timedelta(hours=1)
_GIVE_UP_AFTER: Final = timedelta(days=3)
_KEPT: Final = timedelta(days=90)
_MOST_AT_ONCE: Final = 20
"""Notices in one message; a storm of them comes as few."""
_LAST_WORDS_S: Final = 30.0


@dataclass(frozen=True)
class Address:
    """Where notices go."""

    url: str
    """Holds secrets: never shown."""

    @property
    def mark(self) -> str:
        """Tells addresses apart, and tells nothing of them."""
        return sha256(self.url.encode()).hexdigest()[:16]

    @property
    def shown(self) -> str:
        """What of it may be shown."""
        return hide_in_address(self.url)


def read_addresses(library: Library) -> tuple[Address, ...]:
    """The addresses of a library: from wakeful.toml, a file, and the environment.

    Raises
    ------
    BadConfig
        An address makes no sense; a file that holds addresses can be read by others, or not at all.
    """
    notices = library.config.notices
    found = [url.get_secret_value() for url in notices.urls]
    if found:
        _check_private(library.root / CONFIG_NAME, "notices.urls")
    if notices.urls_file is not None:
        path = library.root / notices.urls_file.expanduser()
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise BadConfig(
                f"the file with the addresses of notices can't be read: {error.strerror or error}",
                where=str(path),
                remedy="correct notices.urls_file in wakeful.toml",
            ) from None
        _check_private(path, "notices.urls_file")
        found += [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    found += os.environ.get(VARIABLE, "").split()
    addresses = tuple(map(Address, dict.fromkeys(found)))
    for number, address in enumerate(addresses, 1):
        if not _make_target(address):
            raise BadConfig(
                f"address {number} of notices ({address.shown}) is none that apprise knows",
                where="wakeful.toml: notices",
                remedy="see apprise's list of services for how such an address is written",
            )
    return addresses


def _check_private(path: Path, field: str) -> None:
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise BadConfig(
            "the file holds addresses of notices, which are secrets, and others can read it",
            where=f"{path} ({field})",
            remedy=f"chmod 600 {path}",
        )


def _make_target(address: Address) -> object | None:
    from apprise import Apprise

    # Alone, so that a message is known to have gone to this one.
    target = Apprise()
    return target if target.add(address.url) else None


def deliver(address: Address, title: str, text: str, kind: str) -> bool:
    """Send one message to one address; whether it was taken."""
    from apprise import Apprise, NotifyType

    target = Apprise()
    target.add(address.url)
    kinds = {"failure": NotifyType.FAILURE, "warning": NotifyType.WARNING}
    return bool(target.notify(title=title, body=text, notify_type=kinds.get(kind, NotifyType.INFO)))


@dataclass(frozen=True)
class _Delivery:
    address: Address
    notices: tuple[NoticeRecord, ...]
    taken: bool


class Messenger:
    """Keeps the outbox moving without ever holding up the service.

    Parameters
    ----------
    ledger : holds the outbox
    addresses : who is told; notices are kept and not sent where there is none
    repeat_after : the same reason is not told again before that
    """

    def __init__(
        self, ledger: Ledger, addresses: Sequence[Address], *, repeat_after: timedelta
    ) -> None:
        self._ledger = ledger
        self._addresses = tuple(addresses)
        self._repeat_after = repeat_after
        # One thread: it only talks to the network, the ledger stays with the service.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="notices")
        self._under_way: Future[list[_Delivery]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What an address does not take within seconds is tried again by the next service.
        self._pool.shutdown(wait=False, cancel_futures=True)

    def tell(self, notice: Notice, *, repeat_after: timedelta | None = None) -> bool:
        """Put a notice into the outbox, unless the same was told lately; whether it was new."""
        is_new = self._ledger.add_notice(
            notice.reason,
            kind=notice.kind,
            title=notice.title,
            text=notice.text,
            repeat_after=repeat_after or self._repeat_after,
            to_be_sent=bool(self._addresses),
        )
        if is_new:
            log = get_log()
            say = log.info if notice.kind == "info" else log.warning
            say("notice", reason=notice.reason, title=notice.title)
        return is_new

    def poll(self) -> None:
        """Note what was delivered, and send what is due."""
        if self._under_way is not None:
            if not self._under_way.done():
                return
            under_way, self._under_way = self._under_way, None
            self._note(under_way.result())
        if not self._addresses:
            return
        if due := self._ledger.due_notices()[:_MOST_AT_ONCE]:
            self._under_way = self._pool.submit(_deliver_all, self._addresses, due)

    def flush(self, patience_s: float = _LAST_WORDS_S) -> None:
        """Send what is due, and wait a while until it is taken."""
        for _ in range(2):  # what is under way, then what came meanwhile
            self.poll()
            if self._under_way is None:
                break
            try:
                self._under_way.result(timeout=patience_s)
            except TimeoutError:
                return
        self.poll()
        self._ledger.forget_notices(now_utc() - _KEPT)

    def _note(self, deliveries: list[_Delivery]) -> None:
        now = now_utc()
        wanted = {address.mark for address in self._addresses}
        notices = {notice.id: notice for d in deliveries for notice in d.notices}
        for d in deliveries:
            if not d.taken:
                get_log().warning(
                    "notices not delivered", to=d.address.shown, n_notices=len(d.notices)
                )
        for number, notice in notices.items():
            marks = {
                d.address.mark
                for d in deliveries
                if d.taken and any(notice.id == number for notice in d.notices)
            }
            missing = wanted - notice.delivered_to - marks
            given_up = bool(missing) and now - notice.made > _GIVE_UP_AFTER
            if given_up:
                get_log().error("notice given up", title=notice.title, n_addresses=len(missing))
            pause = min(_FIRST_PAUSE * 2 ** min(notice.n_attempts, 10), _LONGEST_PAUSE)
            self._ledger.note_delivery(
                number, marks, ended=given_up or not missing, next_try=now + pause
            )


def _deliver_all(addresses: Sequence[Address], notices: Sequence[NoticeRecord]) -> list[_Delivery]:
    """Send each address what it has not got, in one message."""
    deliveries = []
    for address in addresses:
        missing = tuple(n for n in notices if address.mark not in n.delivered_to)
        if missing:
            title, text, kind = _one_message(missing)
            deliveries.append(_Delivery(address, missing, deliver(address, title, text, kind)))
    return deliveries


def _one_message(notices: Sequence[NoticeRecord]) -> tuple[str, str, str]:
    if len(notices) == 1:
        (only,) = notices
        return only.title, only.text, only.kind
    kinds = {notice.kind for notice in notices}
    gravest = next((k for k in ("failure", "warning") if k in kinds), "info")
    text = "\n\n".join(f"{notice.title}\n{notice.text}" for notice in notices)
    return f"Wakeful: {len(notices)} notices", text, gravest
