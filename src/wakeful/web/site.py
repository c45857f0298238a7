"""What a page is made for: a library's sheet, and who may look at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wakeful.ledger import Ledger
from wakeful.sheet.validate import ValidationContext


@dataclass(frozen=True, kw_only=True)
class Site:
    """One library's page. What lies above this package comes in as functions."""

    title: str
    """The library's name, as people see it."""
    ledger: Ledger
    published: Path
    """The folder of reports and figures."""
    make_context: Callable[[], ValidationContext]
    """What rows are judged by, as it is now."""
    service_process: Callable[[], int | None]
    """Process number of the service; None where none is at work."""
    start_command: str = "wakeful run"
    """What starts the service, for the person who finds it stopped."""
    outside: tuple[str, ...] = ()
    """Names of the outside sheets in use, whose rows are edited there."""
    person: str = ""
    """Who edits, where no proxy names people."""
    trusted_user_header: str = ""
    """Header in which a proxy names who is logged in; "" where there is none."""
    address: str = "127.0.0.1"
    """What is listened at."""
    poll_s: float = 1.0
    """How often the rows are looked at for people who watch them."""
