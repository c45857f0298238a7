"""Google Drive when it fails, and when people work in the same folder."""

from __future__ import annotations

import hashlib
import logging
import random
import shutil
import traceback
from dataclasses import replace

import pytest
from tests.google_stand_in import Fault
from tests.google_stand_in.server import SERVICE_EMAIL
from tests.unit.delivery.conftest import ADA

from wakeful.delivery import NotDelivered
from wakeful.delivery.drive_calls import retry_after_s
from wakeful.google.calls import GoogleAway, GoogleRefused
from wakeful.model.errors import WakefulError

MIB = 1024 * 1024
LARGE = random.Random(5).randbytes(16 * MIB + 4321)
"""More than two pieces of an upload."""
FILES = {"report.html": b"<html>", "figures/day.png": LARGE}


def expected(files: dict[str, bytes]) -> dict[str, list[str]]:
    return {f"M1/night/{name}": [hashlib.md5(data).hexdigest()] for name, data in files.items()}


def is_piece(asked) -> bool:
    return asked.method == "PUT" and int(asked.headers.get("content-length", 0)) > 0


def is_last_piece(asked) -> bool:
    told = asked.headers.get("content-range", "")
    stop, _, size = told.rpartition("-")[2].partition("/")
    return is_piece(asked) and stop.isdecimal() and int(stop) + 1 == int(size) > MIB


def is_question(asked) -> bool:
    return asked.method == "PUT" and asked.headers.get("content-range", "").startswith("bytes */")


def is_start(asked) -> bool:
    return asked.method in ("POST", "PATCH") and asked.query.get("uploadType") == ["resumable"]


def is_folder(asked) -> bool:
    return asked.method == "POST" and asked.path == "/drive/v3/files"


FAULTS = {
    "503 in the middle": Fault("status", 503, matches=is_piece, times=3),
    "500 at the start": Fault("status", 500, "internalError", matches=is_start, times=2),
    "429": Fault("status", 429, "rateLimitExceeded", times=3),
    "403 rate limit": Fault("status", 403, "userRateLimitExceeded", matches=is_piece, times=2),
    "401 once": Fault("status", 401, "authError", matches=is_piece),
    "a piece is cut": Fault("cut", matches=is_piece, times=3),
    "the last answer is lost": Fault("lost", matches=is_last_piece, times=2),
    "the start's answer is lost": Fault("lost", matches=is_start, times=3),
    "a folder's answer is lost": Fault("lost", matches=is_folder, times=6),
    "the upload has ended": Fault("status", 410, "gone", matches=is_piece, times=2),
    "the upload is not known": Fault("status", 404, "notFound", matches=is_piece, times=2),
    "no token for a while": Fault("cut", matches=lambda asked: asked.path == "/token"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_leaves_one_copy_of_each(lab, name):
    lab.google.faults.append(replace(FAULTS[name]))
    lab.deliver(FILES)
    assert lab.google.faults == [], "it was met"
    assert lab.tree() == expected(FILES)
    assert sorted(lab.google.drive.folders(lab.root)) == ["M1", "M1/night", "M1/night/figures"]
    assert lab.deliver(FILES).n_sent == 0


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_while_updating_leaves_one_copy_of_each(lab, name):
    lab.deliver(FILES)
    before = {f.identifier for files in lab.google.drive.tree(lab.root).values() for f in files}
    changed = {name: data[::-1] + b"!" for name, data in FILES.items()}
    lab.google.faults.append(replace(FAULTS[name]))
    lab.deliver(changed)
    assert lab.tree() == expected(changed)
    after = {f.identifier for files in lab.google.drive.tree(lab.root).values() for f in files}
    assert after == before


def test_a_lost_answer_and_a_forgotten_upload_make_no_second_copy(lab):
    """All that tells then is the identifier that the file got before it was made."""
    lab.google.faults += [
        Fault("lost", matches=is_last_piece, times=2),
        Fault("status", 404, "notFound", matches=is_question),
    ]
    lab.deliver(FILES)
    assert lab.google.faults == []
    assert lab.tree() == expected(FILES)


def test_a_piece_that_was_cut_goes_on_where_it_was(lab):
    lab.google.faults.append(Fault("cut", matches=is_piece))
    lab.deliver({"day.png": LARGE})
    pieces = [c for c in lab.google.calls if c.method == "PUT"]
    # Cut, asked how far it is, and the rest: nothing from the beginning.
    assert [c.status for c in pieces] == [0, 308, 308, 200]


def test_tokens_that_end_are_renewed(lab):
    seen: list[int] = []

    def told(done: int, total: int) -> None:
        lab.google.expire_tokens()
        seen.append(done)

    lab.deliver(FILES, told)
    assert lab.tree() == expected(FILES)
    assert len(seen) > 4


def test_google_may_ask_to_wait(lab, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr("wakeful.delivery.drive_calls.time.sleep", slept.append)
    lab.google.faults.append(
        Fault("status", 429, "rateLimitExceeded", matches=is_start, retry_after="7")
    )
    lab.patience_s = 60
    lab.deliver(FILES)
    assert slept == [7.0]


def test_a_wait_may_be_a_date():
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert retry_after_s("Fri, 21 Oct 2095 07:28:00 GMT") > 1e6
    assert retry_after_s("12") == 12.0
    assert retry_after_s("soon") == retry_after_s("") == 0.0


def test_patience_ends(lab):
    lab.patience_s = 0.1
    lab.google.faults.append(Fault("status", 503, matches=lambda a: a.path != "/token", times=1000))
    with pytest.raises(GoogleAway, match="503"):
        lab.deliver(FILES)
    lab.google.faults.clear()
    lab.deliver(FILES)
    assert lab.tree() == expected(FILES)


def test_what_arrives_damaged_is_sent_again(lab, monkeypatch):
    from tests.google_stand_in.drive import DriveStandIn

    real, damaged = DriveStandIn.put, []

    def put(self, file, content):
        real(self, file, content)
        if file.name == "day.png" and len(damaged) < n_damaged:
            damaged.append(file.identifier)
            real(self, file, b"damaged")

    monkeypatch.setattr(DriveStandIn, "put", put)
    n_damaged = 2
    lab.deliver(FILES)
    assert len(set(damaged)) == 1, "the same file is sent again"
    assert lab.tree() == expected(FILES)
    n_damaged = 99
    with pytest.raises(NotDelivered, match="other bytes"):
        lab.deliver({"figures/day.png": LARGE[::-1]})


def message_of(lab, files=FILES) -> str:
    with pytest.raises(GoogleRefused) as raised:
        lab.deliver(files)
    return str(raised.value)


def test_a_service_account_without_a_shared_drive_is_told_what_to_do(lab):
    lab.root = lab.google.drive.make_folder("Figures", by=ADA)
    lab.google.drive.share(lab.root, SERVICE_EMAIL, "writer")
    said = message_of(lab)
    assert "Shared Drive" in said
    assert "wakeful google login" in said
    lab.email = ADA
    shutil.rmtree(lab.base / "deliveries")
    lab.deliver(FILES)
    assert lab.tree() == expected(FILES)


def test_a_full_drive_says_so(lab):
    lab.root = lab.google.drive.make_folder("Figures", by=ADA)
    lab.email = ADA
    lab.google.drive.room[ADA] = MIB
    assert "quota has been exceeded" in message_of(lab)


def test_a_folder_that_is_not_shared_names_whom_to_share_it_with(lab):
    lab.root = lab.google.drive.make_folder("Secret", by=ADA)
    said = message_of(lab)
    assert "not shared" in said
    assert SERVICE_EMAIL in said


def test_a_folder_that_may_only_be_read_says_so(lab):
    lab.root = lab.google.drive.make_folder("Read this", by=ADA)
    lab.google.drive.share(lab.root, SERVICE_EMAIL, "reader")
    said = message_of(lab)
    assert "may only be read" in said
    assert SERVICE_EMAIL in said


def test_a_key_that_was_withdrawn_says_so(lab):
    lab.google.is_shut_out.add(SERVICE_EMAIL)
    assert "does not accept" in message_of(lab)


def test_no_secret_is_in_what_is_said(lab, caplog):
    """Neither a token nor the address of an upload, with which anybody may write the file."""
    caplog.set_level(logging.INFO)
    lab.patience_s = 0.05
    for kind, status in (("status", 503), ("status", 400), ("cut", 0), ("status", 403)):
        lab.google.faults[:] = [Fault(kind, status, "odd", matches=is_piece, times=50)]
        with pytest.raises(WakefulError) as raised:
            lab.deliver(FILES)
        said = str(raised.value) + "".join(traceback.format_exception(raised.value)) + caplog.text
        assert "upload_id" not in said
        for secret in (*lab.google.tokens, *lab.google.drive.uploads):
            assert secret not in said


# People in the same folder.


def test_a_renamed_file_keeps_its_identifier_and_gets_its_name_back(lab):
    lab.deliver(FILES)
    (report,) = lab.google.drive.tree(lab.root)["M1/night/report.html"]
    lab.google.drive.rename(report.identifier, "the report.html")
    lab.deliver(FILES)
    assert lab.tree() == expected(FILES)
    assert lab.google.drive.tree(lab.root)["M1/night/report.html"] == [report]


def test_a_file_in_the_trash_is_made_anew(lab):
    lab.deliver(FILES)
    (report,) = lab.google.drive.tree(lab.root)["M1/night/report.html"]
    lab.google.drive.trash(report.identifier)
    lab.deliver(FILES)
    assert lab.tree() == expected(FILES)
    assert report.trashed


def test_a_file_that_was_taken_elsewhere_is_theirs(lab):
    lab.deliver(FILES)
    theirs = lab.google.drive.make_folder("For the paper", lab.root, by=ADA)
    (report,) = lab.google.drive.tree(lab.root)["M1/night/report.html"]
    lab.google.drive.move(report.identifier, theirs)
    lab.deliver({**FILES, "report.html": b"new"})
    assert lab.tree() == {
        **expected({**FILES, "report.html": b"new"}),
        "For the paper/report.html": [hashlib.md5(b"<html>").hexdigest()],
    }


def test_somebodys_copy_of_ours_is_left_alone(lab):
    lab.deliver(FILES)
    (report,) = lab.google.drive.tree(lab.root)["M1/night/report.html"]
    copy = lab.google.drive.add_file("Copy of report.html", report.parent, b"<html>", by=ADA)
    lab.google.drive.files[copy].properties = dict(report.properties)
    lab.deliver({"figures/day.png": LARGE})
    shutil.rmtree(lab.base / "deliveries")
    lab.deliver({"figures/day.png": LARGE})
    assert set(lab.tree()) == {"M1/night/figures/day.png", "M1/night/Copy of report.html"}


def test_the_sessions_folder_may_be_moved_and_renamed(lab):
    link = lab.deliver(FILES).link
    drive = lab.google.drive
    (subject,) = drive.children(lab.root)
    (night,) = drive.children(subject.identifier)
    elsewhere = drive.make_folder("Finished", lab.root, by=ADA)
    drive.move(night.identifier, elsewhere)
    drive.rename(night.identifier, "the best night")
    changed = {**FILES, "report.html": b"new"}
    assert lab.deliver(changed).link == link
    found = {path.removeprefix("Finished/the best night/"): md5 for path, md5 in lab.tree().items()}
    assert found == {p.removeprefix("M1/night/"): md5 for p, md5 in expected(changed).items()}


def test_the_sessions_folder_in_the_trash_is_made_anew(lab):
    link = lab.deliver(FILES).link
    (subject,) = lab.google.drive.children(lab.root)
    lab.google.drive.trash(subject.identifier)
    assert lab.deliver(FILES).link != link
    assert lab.tree() == expected(FILES)


def test_what_may_not_be_removed_is_kept_and_named(lab):
    (drive,) = lab.google.drive.drives
    lab.google.drive.share(drive, SERVICE_EMAIL, "writer")
    lab.deliver(FILES)
    done = lab.deliver({"report.html": b"<html>"})
    assert (done.n_removed, done.kept) == (0, ("figures/day.png",))


def test_many_files_are_listed_in_pages(lab):
    lab.google.drive.page_size = 4
    files = {f"figures/{n:02d}.png": bytes([n]) for n in range(11)}
    lab.deliver(files)
    assert lab.deliver(files).n_unchanged == 11
    assert lab.tree() == expected(files)
