"""What a sheet is: rows of text that people type, and status columns that Wakeful fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, Protocol

from wakeful.ledger import RowCells, RowStatus


@dataclass(frozen=True)
class Column:
    """One column of the sheet."""

    name: str
    title: str
    """What a person reads above it."""
    help: str
    """One line: what belongs into it."""
    filled_by: Literal["person", "wakeful"]


COLUMNS: Final[tuple[Column, ...]] = (
    Column(
        "subject",
        "subject",
        "The animal's identifier, e.g. M014: letters, digits, hyphen, underscore, dot.",
        "person",
    ),
    Column(
        "recording",
        "recording",
        "Its folder or file, in full or from the library's base folder; * stands for any name.",
        "person",
    ),
    Column(
        "analyses",
        "analyses",
        "Which analyses, with commas between them; empty means everything standard.",
        "person",
    ),
    Column(
        "params",
        "parameter set",
        "The name of a parameter set of the library; empty means default.",
        "person",
    ),
    Column(
        "stream",
        "stream",
        "Which stream to use, where the recording holds several; else empty.",
        "person",
    ),
    Column(
        "channels",
        "channels",
        "A CSV file that says what each channel is; empty: regions are unknown.",
        "person",
    ),
    Column(
        "priority",
        "priority",
        "A whole number, higher goes first; empty means 0.",
        "person",
    ),
    Column(
        "run",
        "run",
        "Tick it (or type yes) when the row is complete and may run.",
        "person",
    ),
    Column(
        "rerun",
        "rerun",
        "0 or empty; a number not used before asks for the same row once more.",
        "person",
    ),
    Column("notes", "notes", "Anything; Wakeful keeps it and does not read it.", "person"),
    Column("status", "status", "How far the row is.", "wakeful"),
    Column("progress", "progress", "How much of its work is done.", "wakeful"),
    Column("started", "started", "When the work began, on the lab's clock.", "wakeful"),
    Column("finished", "finished", "When the work ended, on the lab's clock.", "wakeful"),
    Column("link", "link", "Where the report and figures are.", "wakeful"),
    Column("message", "message", "What is wrong and what to do, or what to know.", "wakeful"),
)
"""All columns, in the sheet's order."""

TYPED_COLUMNS: Final[tuple[Column, ...]] = tuple(c for c in COLUMNS if c.filled_by == "person")
FILLED_COLUMNS: Final[tuple[Column, ...]] = tuple(c for c in COLUMNS if c.filled_by == "wakeful")


class Status(StrEnum):
    """What stands under `status`."""

    WAITING = "waiting"
    WATCHING = "watching"
    QUEUED = "queued"
    TRANSFERRING = "transferring"
    RUNNING = "running"
    FOLLOWING = "following"
    PUBLISHING = "publishing"
    DONE = "done"
    DONE_WITH_WARNINGS = "done with warnings"
    FAILED = "failed"
    NEEDS_ATTENTION = "needs attention"
    CANCELLED = "cancelled"
    PAUSED = "paused"

    @property
    def help(self) -> str:
        """What it means, in one line."""
        return _STATUS_HELP[self]


_STATUS_HELP: Final = {
    Status.WAITING: "The row is not complete, or its run tick is not set.",
    Status.WATCHING: (
        "Every recording that fits the row's pattern gets a row of its own, now and later."
    ),
    Status.QUEUED: "The row is understood and its work is planned.",
    Status.TRANSFERRING: "The recording is being copied into the library.",
    Status.RUNNING: "The analyses are being computed.",
    Status.FOLLOWING: (
        "The recording goes on; the hours that are complete are analysed, and the report is "
        "provisional."
    ),
    Status.PAUSED: "Somebody paused the row or the library: nothing new is started.",
    Status.PUBLISHING: (
        "Figures and report are being written, or on their way to where people look for them."
    ),
    Status.DONE: "Everything asked for is there; the link leads to it.",
    Status.DONE_WITH_WARNINGS: "Everything is there; the message says what to know about it.",
    Status.FAILED: "An analysis ended in an error; the message says which and what to do.",
    Status.NEEDS_ATTENTION: "The row can't be used as it is; the message names every bad cell.",
    Status.CANCELLED: "Somebody cancelled the work; `wakeful retry` starts it again.",
}


@dataclass(frozen=True, kw_only=True)
class SheetRow(RowCells, RowStatus):
    """One row as it stands in the sheet: all cells as text, nothing interpreted."""

    identifier: str
    """Names the row within its sheet, for as long as the row is there."""
    number: int
    """The row's number as the user sees it."""
    counted_as: Literal["row", "line"] = "row"
    """What the number counts: rows of a sheet, or lines of a file."""

    @property
    def where(self) -> str:
        """How messages call the row: "row 14"."""
        return f"{self.counted_as} {self.number}"


@dataclass(frozen=True, kw_only=True)
class StatusUpdate(RowStatus):
    """What a row's status columns shall show; all six, empty text clears a cell."""

    identifier: str
    """Of the row, as `read_rows` gave it."""


class Sheet(Protocol):
    """A place where people type rows and read what became of them."""

    def read_rows(self) -> tuple[SheetRow, ...]:
        """All rows, from the top down, as they are now."""
        ...

    def write_statuses(self, updates: Sequence[StatusUpdate]) -> None:
        """Make the status columns show what is given.

        Only differences are written, so the caller may give every row each time. Rows that are no
        longer in the sheet are left out. What a person typed is never touched.
        """
        ...
