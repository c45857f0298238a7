"""The doctor names each thing that lacks, and what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.google_stand_in import Fault
from tests.google_stand_in.server import SERVICE_EMAIL
from tests.unit.delivery.conftest import ADA

from wakeful.config import Config, Library
from wakeful.delivery import check_drive as check_drive_module
from wakeful.delivery.check_drive import check_drive
from wakeful.front_config import Delivery, Google


@pytest.fixture
def check(lab, tmp_path):
    key = tmp_path / "key.json"

    def look(key: Path = key):
        if not key.exists():
            write = lab.google.write_key if lab.email == SERVICE_EMAIL else lab.google.write_login
            write(key, lab.email)
        config = Config(
            google=Google(credentials=key),
            delivery=Delivery(to="drive", drive_folder=lab.root),
        )
        found = check_drive(Library(tmp_path, config))
        return {finding.what: finding for finding in found}

    return look


def test_all_is_well_in_a_shared_drive(lab, check):
    found = check()
    assert {what: finding.verdict for what, finding in found.items()} == {
        "Google account's key": "good",
        "token": "good",
        "Drive API": "good",
        "folder to deliver into": "good",
        "kind of place": "good",
        "writing there": "good",
    }
    assert SERVICE_EMAIL in found["token"].found
    assert lab.google.drive.children(lab.root) == [], "nothing is left"


def bad(found) -> tuple[str, str]:
    """What is bad, and what is said of it; nothing else may be."""
    (finding,) = [f for f in found.values() if f.verdict == "bad"]
    return finding.what, f"{finding.found}; {finding.remedy}"


def test_a_key_that_is_not_there(check, tmp_path):
    (tmp_path / "other.json").write_text("{}")
    what, said = bad(check(tmp_path / "other.json"))
    assert what == "Google account's key"
    assert "chmod 600" in said


def test_an_account_that_gets_no_token(lab, check, monkeypatch):
    lab.google.is_shut_out.add(SERVICE_EMAIL)
    what, said = bad(check())
    assert what == "token"
    assert "new key" in said


def test_an_api_that_is_off(lab, check):
    lab.google.faults.append(
        Fault("status", 403, "accessNotConfigured", lambda a: a.path != "/token", times=9)
    )
    what, said = bad(check())
    assert what == "Drive API"
    assert "switch on" in said


def test_google_is_away(lab, check, monkeypatch):
    monkeypatch.setattr(check_drive_module, "_PATIENCE_S", 0.01)
    lab.google.faults.append(Fault("status", 503, matches=lambda a: a.path != "/token", times=9))
    assert bad(check())[0] == "Drive API"


def test_a_folder_that_is_not_shared(lab, check):
    lab.root = lab.google.drive.make_folder("Secret", by=ADA)
    what, said = bad(check())
    assert what == "folder to deliver into"
    assert f"share the folder with service account {SERVICE_EMAIL}" in said


def test_a_service_account_in_somebodys_my_drive(lab, check):
    lab.root = lab.google.drive.make_folder("Figures", by=ADA)
    lab.google.drive.share(lab.root, SERVICE_EMAIL, "writer")
    found = check()
    assert found["kind of place"].verdict == found["writing there"].verdict == "bad"
    assert "Shared Drive" in found["kind of place"].remedy
    assert "Shared Drive" in found["writing there"].remedy


def test_a_member_that_may_not_remove(lab, check):
    (drive,) = lab.google.drive.drives
    lab.google.drive.share(drive, SERVICE_EMAIL, "writer")
    what, said = bad(check())
    assert what == "writing there"
    assert "Content manager" in said


@pytest.mark.parametrize(("left", "verdict"), [(0, "bad"), (5e8, "note"), (5e9, "good")])
def test_a_person_has_only_so_much_room(lab, check, left, verdict):
    lab.email = ADA
    lab.root = lab.google.drive.make_folder("Figures", by=ADA)
    lab.google.drive.add_file("old", lab.root, bytes(1000), by=ADA)
    lab.google.drive.room[ADA] = 1000 + int(left)
    found = check()
    assert found["kind of place"].verdict == "note"
    assert found["room"].verdict == verdict


def test_figures_that_do_not_go_to_drive(tmp_path):
    (finding,) = check_drive(Library(tmp_path, Config()))
    assert finding.verdict == "note"
