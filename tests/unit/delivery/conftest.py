"""A folder in the stand-in's Shared Drive, and deliveries into it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.google_stand_in import GoogleStandIn, google_stand_in
from tests.google_stand_in.server import SERVICE_EMAIL
from tests.published_folders import publish

from wakeful.delivery import Delivered
from wakeful.delivery.drive import DriveTarget
from wakeful.delivery.drive_calls import Drive
from wakeful.delivery.state import SessionState
from wakeful.google.account import make_account
from wakeful.google.calls import ENDPOINT

ADA = "ada@lab.org"


@pytest.fixture
def google(monkeypatch):
    with google_stand_in() as standing:
        monkeypatch.setenv(ENDPOINT, standing.address)
        yield standing


@dataclass
class Lab:
    """Delivers as the night shift's account."""

    google: GoogleStandIn
    base: Path
    root: str
    email: str = SERVICE_EMAIL
    patience_s: float = 5.0

    def open(self) -> Drive:
        key = self.base / "key.json"
        write = self.google.write_key if self.email == SERVICE_EMAIL else self.google.write_login
        write(key, self.email)
        account = make_account(json.loads(key.read_text()), str(key))
        return Drive(account, patience_s=self.patience_s, first_pause_s=0.01, timeout_s=10)

    @property
    def state_path(self) -> Path:
        return self.base / "deliveries" / "there" / "sessions" / "M1" / "state-night.json"

    def deliver(
        self, files: dict[str, bytes], progress: Callable[[int, int], None] | None = None
    ) -> Delivered:
        folder = publish(self.base / "published", files)
        target = DriveTarget(self.open, self.root)
        state = SessionState.read(self.state_path)
        return target.deliver(folder, "M1", "night", state, progress or (lambda *_: None))

    def tree(self) -> dict[str, list[str]]:
        """Path below the target -> MD5 of each file of that path."""
        found = self.google.drive.tree(self.root)
        return {path: [file.md5 for file in files] for path, files in found.items()}


@pytest.fixture
def lab(google, tmp_path) -> Lab:
    drive = google.drive.make_shared_drive(
        "Lab", {SERVICE_EMAIL: "fileOrganizer", ADA: "organizer"}
    )
    return Lab(google, tmp_path, google.drive.make_folder("Figures", drive, by=ADA))
