"""What every target of deliveries promises, whatever it is.

A new kind joins by one entry in `SITES`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from tests.google_stand_in import google_stand_in
from tests.google_stand_in.server import SERVICE_EMAIL
from tests.published_folders import figures, md5s, publish
from wakeful.delivery import Delivered, ForeignFiles, Target
from wakeful.delivery.by_rclone import RcloneTarget
from wakeful.delivery.drive import DriveTarget
from wakeful.delivery.drive_calls import Drive
from wakeful.delivery.other_folder import FolderTarget
from wakeful.delivery.state import SessionState
from wakeful.google.account import make_account
from wakeful.google.calls import ENDPOINT
from wakeful.io.mirror.rclone import Rclone, find_rclone

ADA = "ada@lab.org"


class Site(Protocol):
    """A target, and what a person sees and does there."""

    target: Target

    def tree(self, session: str = "night") -> dict[str, str]:
        """Path -> MD5; a path that is there twice fails."""
        ...

    def identity(self, name: str) -> str:
        """What stays the same while a file is updated in place."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """A person writes a file, new or over one that is there."""
        ...


class FolderSite:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.target: Target = FolderTarget(folder)

    def tree(self, session: str = "night") -> dict[str, str]:
        base = self.folder / "M1" / session
        files = {p.relative_to(base).as_posix(): p for p in base.rglob("*") if p.is_file()}
        assert not [p for p in base.rglob("*") if p.is_dir() and not any(p.iterdir())]
        return md5s({name: path.read_bytes() for name, path in files.items()})

    def identity(self, name: str) -> str:
        return name

    def write(self, name: str, content: bytes) -> None:
        path = self.folder / "M1" / "night" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


class RcloneSite(FolderSite):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        config = folder.parent / "rclone.conf"
        config.write_text("[lab]\ntype = local\n")
        self.target = RcloneTarget(Rclone(config=config, pauses_s=()), f"lab:{folder}")


class DriveSite:
    def __init__(self, google, key: Path) -> None:
        self.drive = google.drive
        google.write_key(key)
        lab = self.drive.make_shared_drive(
            "Lab", {SERVICE_EMAIL: "fileOrganizer", ADA: "organizer"}
        )
        self.root = self.drive.make_folder("Figures", lab, by=ADA)

        def open_drive() -> Drive:
            account = make_account(json.loads(key.read_text()), str(key))
            return Drive(account, patience_s=5, first_pause_s=0.01, timeout_s=10)

        self.target: Target = DriveTarget(open_drive, self.root)

    def _session(self, session: str = "night") -> str | None:
        at: str | None = self.root
        for name in ("M1", session):
            there = self.drive.children(at) if at is not None else []
            at = next((f.identifier for f in there if f.name == name), None)
        return at

    def tree(self, session: str = "night") -> dict[str, str]:
        base = self._session(session)
        if base is None:
            return {}
        folders = self.drive.folders(self.root)
        assert len(set(folders)) == len(folders), "a folder is there twice"
        tree = self.drive.tree(base)
        assert [name for name, files in tree.items() if len(files) > 1] == []
        return {name: files[0].md5 for name, files in tree.items()}

    def identity(self, name: str) -> str:
        return self.drive.tree(self._session())[name][0].identifier

    def write(self, name: str, content: bytes) -> None:
        base = self._session()
        if base is None:
            above = self.drive.make_folder("M1", self.root, by=ADA)
            base = self.drive.make_folder("night", above, by=ADA)
        tree = self.drive.tree(base)
        if name in tree:
            self.drive.edit(tree[name][0].identifier, content)
            return
        *folders, last = name.split("/")
        for part in folders:
            there = [f.identifier for f in self.drive.children(base) if f.name == part]
            base = there[0] if there else self.drive.make_folder(part, base, by=ADA)
        self.drive.add_file(last, base, content, by=ADA)


@contextmanager
def _folder(base: Path) -> Iterator[Site]:
    there = base / "nas"
    there.mkdir()
    yield FolderSite(there)


@contextmanager
def _rclone(base: Path) -> Iterator[Site]:
    there = base / "remote"
    there.mkdir()
    yield RcloneSite(there)


@contextmanager
def _webdav(base: Path) -> Iterator[Site]:
    """A server that tells no checksums."""
    there = base / "served"
    there.mkdir()
    words = ["serve", "webdav", str(there), "--addr", "127.0.0.1:0", "--dir-cache-time", "0s"]
    with subprocess.Popen(
        [str(find_rclone()), *words], stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            found = next(filter(None, (re.search(r"http://\S+?:\d+", x) for x in server.stderr)))
            site = RcloneSite(there)
            config = base / "webdav.conf"
            config.write_text(f"[lab]\ntype = webdav\nvendor = other\nurl = {found[0]}\n")
            site.target = RcloneTarget(Rclone(config=config, pauses_s=()), "lab:")
            yield site
        finally:
            server.terminate()
            server.communicate()


@contextmanager
def _drive(base: Path) -> Iterator[Site]:
    with google_stand_in() as google, pytest.MonkeyPatch.context() as patch:
        patch.setenv(ENDPOINT, google.address)
        yield DriveSite(google, base / "key.json")


SITES: dict[str, Callable[[Path], AbstractContextManager[Site]]] = {
    "drive": _drive,
    "folder": _folder,
    "rclone": _rclone,
    "webdav": _webdav,
}


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name == "webdav")) for name in SITES]
)
def site(request, tmp_path) -> Iterator[Site]:
    with SITES[request.param](tmp_path) as made:
        yield made


@pytest.fixture
def deliver(site, tmp_path) -> Callable[..., Delivered]:
    """Publishes files, or takes those that are published, and delivers them."""

    def do(files=None, session: str = "night") -> Delivered:
        base = tmp_path / "published"
        if files is not None:
            publish(base, files, session)
        told: list[tuple[int, int]] = []
        state = SessionState.read(state_path(tmp_path, session))
        done = site.target.deliver(
            base / "M1" / session, "M1", session, state, lambda n, total: told.append((n, total))
        )
        assert told
        assert all(0 <= n <= total for n, total in told)
        assert told[-1][0] == told[-1][1]
        return done

    return do


def state_path(base: Path, session: str = "night") -> Path:
    return base / "deliveries" / "there" / "sessions" / "M1" / f"state-{session}.json"


FILES = {"report.html": b"<html>", "figures/day.png": b"png" * 9000, "figures/a/b.svg": b""}


def test_what_was_published_is_there_and_nothing_else(site, deliver):
    files = figures(6)
    done = deliver(files)
    assert site.tree() == md5s(files)
    assert (done.n_sent, done.n_unchanged, done.n_removed, done.kept) == (len(files), 0, 0, ())
    assert done.link


def test_what_is_there_already_is_not_sent_again(site, deliver):
    deliver(FILES)
    done = deliver(FILES)
    assert (done.n_sent, done.n_unchanged) == (0, 3)
    assert site.tree() == md5s(FILES)


def test_a_changed_file_is_updated_in_place(site, deliver):
    link = deliver(FILES).link
    before = {name: site.identity(name) for name in FILES}
    changed = {**FILES, "figures/day.png": b"another"}
    done = deliver(changed)
    assert (done.n_sent, done.n_unchanged) == (1, 2)
    assert site.tree() == md5s(changed)
    assert {name: site.identity(name) for name in FILES} == before
    assert done.link == link


def test_what_is_no_longer_part_goes(site, deliver):
    deliver(FILES)
    less = {"report.html": FILES["report.html"]}
    done = deliver(less)
    assert (done.n_removed, done.kept) == (2, ())
    assert site.tree() == md5s(less)


def test_what_somebody_changed_stays(site, deliver):
    deliver(FILES)
    site.write("figures/day.png", b"with my arrows")
    done = deliver({"report.html": FILES["report.html"]})
    assert done.n_removed == 1
    assert done.kept == ("figures/day.png",)
    assert site.tree() == md5s(
        {"report.html": FILES["report.html"], "figures/day.png": b"with my arrows"}
    )
    assert deliver().kept == (), "it is theirs now"


def test_what_somebody_changed_and_is_still_part_is_written_anew(site, deliver):
    deliver(FILES)
    site.write("figures/day.png", b"scribbled over")
    assert deliver().n_sent == 1
    assert site.tree() == md5s(FILES)


def test_files_of_others_are_left_alone(site, deliver):
    deliver(FILES)
    site.write("notes.txt", b"mine")
    site.write("figures/mine.png", b"mine too")
    deliver({"report.html": b"new"})
    assert site.tree() == md5s(
        {"report.html": b"new", "notes.txt": b"mine", "figures/mine.png": b"mine too"}
    )


def test_a_file_of_others_in_the_way_is_named_and_nothing_is_sent(site, deliver):
    site.write("figures/day.png", b"mine")
    with pytest.raises(ForeignFiles, match=r"figures/day\.png.*nothing was overwritten"):
        deliver(FILES)
    assert site.tree() == md5s({"figures/day.png": b"mine"})


def test_the_same_file_of_others_is_not_sent_twice(site, deliver):
    site.write("figures/day.png", FILES["figures/day.png"])
    done = deliver(FILES)
    assert (done.n_sent, done.n_unchanged) == (2, 1)
    assert site.tree() == md5s(FILES)


def test_what_was_kept_on_our_side_may_be_lost(site, deliver, tmp_path):
    deliver(FILES)
    before = {name: site.identity(name) for name in FILES}
    shutil.rmtree(tmp_path / "deliveries")
    assert deliver().n_sent == 0
    changed = {**FILES, "figures/day.png": b"another"}
    deliver(changed)
    assert site.tree() == md5s(changed)
    assert {name: site.identity(name) for name in FILES} == before


def test_what_was_kept_on_our_side_is_private(deliver, tmp_path):
    deliver(FILES)
    assert state_path(tmp_path).stat().st_mode & 0o077 == 0


def test_sessions_of_one_subject_lie_side_by_side(site, deliver):
    deliver(FILES)
    deliver({"report.html": b"other"}, session="the next day")
    assert site.tree() == md5s(FILES)
    assert site.tree("the next day") == md5s({"report.html": b"other"})


def test_what_lies_here_and_is_not_published_is_not_sent(site, deliver, tmp_path):
    folder = publish(tmp_path / "published", FILES)
    (folder / "session.nwb").write_bytes(b"large")
    deliver()
    assert site.tree() == md5s(FILES)


def test_a_delivery_that_broke_off_is_taken_up(site, deliver, tmp_path):
    deliver(FILES)
    more = {**FILES, **figures(5), "figures/day.png": b"new"}
    folder = publish(tmp_path / "published", more)
    gone = folder / "figures" / "day.png"
    away = gone.rename(gone.with_name("day.away"))
    with pytest.raises(Exception, match="changed while it was delivered"):
        deliver()
    away.rename(gone)
    deliver()
    assert site.tree() == md5s(more)
