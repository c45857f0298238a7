"""A library whose rows stand in a Google Sheet of the stand-in, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.google_stand_in import GoogleStandIn, google_stand_in
from tests.google_stand_in.server import SERVICE_EMAIL
from tests.google_stand_in.sheets import Book, Person
from wakeful.catalog import load_catalog
from wakeful.config import CONFIG_NAME, Config, Library, open_library, write_library
from wakeful.google.account import read_account
from wakeful.google.pace import Pace
from wakeful.google.spreadsheet import Spreadsheet
from wakeful.ledger import Ledger
from wakeful.service.outside_rows import OutsideRows
from wakeful.sheet import COLUMNS
from wakeful.sheet.google_sheet import GoogleSheet


@dataclass
class GoogleLibrary:
    """A library, its sheet at the stand-in, and somebody at that sheet."""

    google: GoogleStandIn
    library: Library
    ledger: Ledger
    book: Book
    person: Person
    made: list[OutsideRows] = field(default_factory=list)

    def reopen(self) -> None:
        """After wakeful.toml was changed."""
        self.library = open_library(self.library.root)

    def make_sheet(self) -> GoogleSheet:
        account = read_account(self.library)
        return GoogleSheet(Spreadsheet(self.book.key, account, Pace(), Pace()))

    def make_rows(self) -> OutsideRows:
        self.made.append(OutsideRows(self.library, self.ledger, load_catalog(), self.make_sheet()))
        return self.made[-1]


@contextmanager
def google_library(folder: Path) -> Iterator[GoogleLibrary]:
    """A new library in `folder`, with an empty sheet that has all columns."""
    with google_stand_in() as google, pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAKEFUL_GOOGLE_ENDPOINT", google.address)
        book = google.sheets.make("Night shift", shared={SERVICE_EMAIL: "writer"})
        person = Person(google, book, "Sheet1")
        person.type_header([column.name for column in COLUMNS])
        book.tab("Sheet1").is_text = set(range(len(COLUMNS)))
        root = folder / "library"
        write_library(root, Config.model_validate({"work": {"settle_s": 0.2}}))
        google.write_key(root / "key.json")
        toml = root / CONFIG_NAME
        toml.write_text(
            toml.read_text(encoding="utf-8")
            + f'\n[google]\ncredentials = "key.json"\nsheets = ["{google.sheets.address(book)}"]\n',
            encoding="utf-8",
        )
        library = open_library(root)
        with Ledger.open(library.database) as ledger:
            lab = GoogleLibrary(google, library, ledger, book, person)
            yield lab
            for rows in lab.made:
                rows.close()
