"""Rows whose figures are delivered: what the row shows, and what happens again or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.google_stand_in import Fault, google_stand_in
from tests.google_stand_in.server import SERVICE_EMAIL
from wakeful.google.calls import ENDPOINT
from wakeful.io.published import published_names
from wakeful.sheet.interface import Status

from .conftest import FINISHED, Bench
from .test_restarts import configure, standing, wait_for


@pytest.fixture
def google(monkeypatch):
    with google_stand_in() as standing_in:
        monkeypatch.setenv(ENDPOINT, standing_in.address)
        yield standing_in


@pytest.fixture
def nas(lab, tmp_path) -> Path:
    """A folder that the library delivers to."""
    folder = tmp_path / "nas"
    folder.mkdir()
    configure(lab, f'\n[delivery]\nto = "folder"\nfolder = "{folder}"\n')
    return folder


def to_drive(lab: Bench, google) -> str:
    drive = google.drive.make_shared_drive("Lab", {"ada": "organizer"})
    root = google.drive.make_folder("Figures", drive, by="ada")
    key = lab.library.root / "key.json"
    google.write_key(key)
    configure(
        lab,
        f'\n[google]\ncredentials = "{key}"\n\n[delivery]\nto = "drive"\ndrive_folder = "{root}"\n',
    )
    return root


def local(lab: Bench) -> dict[str, bytes]:
    (manifest,) = lab.library.published.glob("*/*/.wakeful-manifest.json")
    folder = manifest.parent
    return {name: (folder / name).read_bytes() for name in published_names(folder)}


def there(nas: Path) -> dict[str, bytes]:
    (session,) = nas.glob("*/*")
    files = (path for path in session.rglob("*") if path.is_file())
    return {path.relative_to(session).as_posix(): path.read_bytes() for path in files}


def n_jobs(lab: Bench) -> int:
    return len(list(lab.library.jobs.glob("deliver-*/*")))


@pytest.mark.slow
def test_a_row_links_to_what_was_delivered(lab, nas, small_recording):
    lab.add(small_recording, analyses="muscle")
    update = lab.run()[1].update
    assert update.status in FINISHED
    assert there(nas) == local(lab)
    assert Path(update.link).parent.parent == nas
    assert lab.run()[1].update.link == update.link
    for _ in range(2):
        with standing(lab) as service:
            (view,) = service.run_pass()
            assert service.plan_of(view.row.identifier) is None
            assert view.update.link == update.link
    assert n_jobs(lab) == 1, "what has not changed is not delivered again"
    lab.edit(1, "analyses", "muscle, spectrogram")
    before = there(nas)
    assert lab.run()[1].update.link == update.link
    assert there(nas) == local(lab) != before
    assert n_jobs(lab) == 2


@pytest.mark.slow
def test_the_row_says_how_far_it_is(lab, nas, small_recording):
    lab.add(small_recording, analyses="muscle")
    seen = set()
    with standing(lab) as service:

        def is_done() -> bool:
            (row,) = lab.rows().values()
            if row.status == Status.PUBLISHING:
                seen.add(row.progress.rpartition(", ")[2].rstrip("0123456789% "))
                assert row.link.endswith("report.html")
            return row.status in FINISHED

        wait_for(service, is_done)
    assert seen
    assert seen <= {"delivering", "waiting to be delivered"}


@pytest.mark.slow
def test_rows_done_before_are_delivered_once_it_is_said_where(lab, small_recording, tmp_path):
    lab.add(small_recording, analyses="muscle")
    report = lab.run()[1].update.link
    folder = tmp_path / "nas"
    folder.mkdir()
    configure(
        lab, f'\n[delivery]\nto = "folder"\nfolder = "{folder}"\nlink = "https://lab.org/f"\n'
    )
    with standing(lab) as service:
        wait_for(service, lambda: lab.rows()[1].link != report)
        (view,) = service.run_pass()
        assert service.plan_of(view.row.identifier) is None
    assert lab.rows()[1].link.startswith("https://lab.org/f/M1/")
    assert there(folder) == local(lab)


def test_what_can_not_be_delivered_is_said_and_tried_again(lab, nas, small_recording):
    nas.rmdir()
    lab.add(small_recording, analyses="muscle")
    update = lab.run()[1].update
    assert update.status == Status.DONE_WITH_WARNINGS
    assert "not delivered: " in update.message
    assert "is not there" in update.message
    assert Path(update.link).name == "report.html"
    assert Path(update.link).is_file()
    nas.mkdir()
    with standing(lab) as service:
        wait_for(service, lambda: str(nas) in lab.rows()[1].link)
        assert service.run_pass()
    assert "not delivered" not in lab.rows()[1].message
    assert there(nas) == local(lab)


def test_a_row_is_linked_to_its_folder_in_drive(lab, google, small_recording):
    root = to_drive(lab, google)
    (drive,) = google.drive.drives
    google.drive.share(drive, SERVICE_EMAIL, "fileOrganizer")
    google.faults.append(Fault("lost", matches=lambda asked: asked.method == "PUT"))
    lab.add(small_recording, analyses="muscle")
    update = lab.run()[1].update
    assert update.status in FINISHED
    assert "not delivered" not in update.message
    (subject,) = google.drive.children(root)
    (session,) = google.drive.children(subject.identifier)
    assert update.link == f"https://drive.google.com/drive/folders/{session.identifier}"
    found = google.drive.tree(session.identifier)
    assert {n: google.drive.content(f.identifier) for n, (f,) in found.items()} == local(lab)


@pytest.mark.slow
def test_a_permission_that_lacks_is_named_and_looked_for_again(lab, google, small_recording):
    to_drive(lab, google)
    lab.add(small_recording, analyses="muscle")
    update = lab.run()[1].update
    assert update.status == Status.DONE_WITH_WARNINGS
    assert SERVICE_EMAIL in update.message
    (drive,) = google.drive.drives
    google.drive.share(drive, SERVICE_EMAIL, "fileOrganizer")
    assert lab.run()[1].update.link.startswith("https://drive.google.com/")
    secrets = [*google.tokens, *google.drive.uploads, "upload_id"]
    for path in [*lab.library.jobs.rglob("*"), *lab.library.logs.rglob("*")]:
        if path.is_file():
            text = path.read_text(errors="replace")
            assert not [secret for secret in secrets if secret in text], path
