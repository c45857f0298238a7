"""Deliveries of a library: one at a time, remembered, and taken up after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.google_stand_in import Fault
from tests.google_stand_in.server import endpoint_of
from tests.published_folders import publish

from wakeful.config import Config, Library, open_library, write_library
from wakeful.delivery import TargetAway, deliver_session, make_target, read_outcome, target_key
from wakeful.front_config import Delivery
from wakeful.io.holding import hold
from wakeful.io.published import published_digest
from wakeful.model.errors import BadConfig, BrokenArtefact

DELIVER = """
import sys
from pathlib import Path
from wakeful.config import open_library
from wakeful.delivery import TargetAway, deliver_session

library = open_library(Path(sys.argv[1]))
while True:
    try:
        deliver_session(library, Path(sys.argv[2]), "M1", Path(sys.argv[2]).name, lambda *_: None)
        break
    except TargetAway as error:
        assert "another delivery" in str(error), error
"""


def make_library(base: Path, delivery: str) -> Library:
    write_library(base / "library", Config())
    toml = base / "library" / "wakeful.toml"
    toml.write_text(f"{toml.read_text()}\n{delivery}\n")
    return open_library(toml.parent)


@pytest.fixture
def nas(tmp_path) -> Path:
    folder = tmp_path / "nas"
    folder.mkdir()
    return folder


@pytest.fixture
def library(tmp_path, nas) -> Library:
    return make_library(tmp_path, f'[delivery]\nto = "folder"\nfolder = "{nas}"\n')


def start(library: Library, folder: Path, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", DELIVER, str(library.root), str(folder)], **options
    )


def test_the_outcome_is_remembered_for_this_target(library, nas, tmp_path):
    folder = publish(library.published, {"report.html": b"x"})
    assert read_outcome(library, "M1", "night") is None
    done = deliver_session(library, folder, "M1", "night", lambda *_: None)
    outcome = read_outcome(library, "M1", "night")
    assert outcome.link == done.link == str(nas / "M1" / "night")
    assert outcome.published == published_digest(folder)
    other = Delivery(to="folder", folder=tmp_path / "elsewhere")
    moved = Library(library.root, library.config.model_copy(update={"delivery": other}))
    assert target_key(moved) != target_key(library)
    assert read_outcome(moved, "M1", "night") is None


def test_one_delivery_to_a_target_goes_on_at_a_time(library):
    folder = publish(library.published, {"report.html": b"x"})
    deliver_session(library, folder, "M1", "night", lambda *_: None)
    with (
        hold(library.deliveries / target_key(library) / "lock"),
        pytest.raises(TargetAway, match="another delivery"),
    ):
        deliver_session(library, folder, "M1", "night", lambda *_: None)


def test_a_library_that_delivers_nowhere_says_so(tmp_path):
    with pytest.raises(BadConfig, match="delivered nowhere"):
        make_target(make_library(tmp_path, ""))


def test_what_was_never_published_is_not_delivered(library, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BrokenArtefact, match="manifest"):
        deliver_session(library, tmp_path / "empty", "M1", "night", lambda *_: None)


def test_a_nas_that_is_not_mounted_is_waited_for(library, nas):
    folder = publish(library.published, {"report.html": b"x"})
    deliver_session(library, folder, "M1", "night", lambda *_: None)
    known = library.deliveries / target_key(library) / "mount.json"
    known.write_text('{"mount": "/mnt/nas"}')
    with pytest.raises(TargetAway, match="/mnt/nas is not mounted"):
        deliver_session(library, folder, "M1", "night", lambda *_: None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_only_be_read_says_so(library, nas):
    folder = publish(library.published, {"report.html": b"x"})
    nas.chmod(0o500)
    with pytest.raises(Exception, match="right to write there"):
        deliver_session(library, folder, "M1", "night", lambda *_: None)


def test_what_a_kill_left_half_copied_is_tidied_up(library, nas):
    folder = publish(library.published, {"report.html": b"x", "figures/day.png": b"y"})
    figures = nas / "M1" / "night" / "figures"
    figures.mkdir(parents=True)
    (figures / ".day.png.4711-0123abcd.tmp").write_bytes(b"half")
    (figures / ".mine.png.4711-0123abcd.tmp").write_bytes(b"somebody's")
    deliver_session(library, folder, "M1", "night", lambda *_: None)
    assert sorted(p.name for p in figures.iterdir()) == [".mine.png.4711-0123abcd.tmp", "day.png"]


def test_what_rclone_left_half_copied_is_tidied_up(tmp_path, nas):
    (tmp_path / "rclone.conf").write_text("[lab]\ntype = local\n")
    work = Config().work.model_copy(update={"rclone_config": tmp_path / "rclone.conf"})
    to = Delivery(to="rclone", remote=f"lab:{nas}", link="https://lab.org/f/")
    library = Library(tmp_path, Config().model_copy(update={"work": work, "delivery": to}))
    folder = publish(library.published, {"report.html": b"x", "figures/day.png": b"y"})
    figures = nas / "M1" / "night" / "figures"
    figures.mkdir(parents=True)
    (figures / "day.png.0123abcd.partial").write_bytes(b"half")
    (figures / "mine.png.0123abcd.partial").write_bytes(b"somebody's")
    done = deliver_session(library, folder, "M1", "night", lambda *_: None)
    assert done.link == "https://lab.org/f/M1/night/"
    assert sorted(p.name for p in figures.iterdir()) == ["day.png", "mine.png.0123abcd.partial"]


@pytest.fixture
def in_drive(lab, tmp_path) -> Library:
    lab.google.write_key(tmp_path / "key.json")
    return make_library(
        tmp_path,
        f'[google]\ncredentials = "{tmp_path}/key.json"\n\n'
        f'[delivery]\nto = "drive"\ndrive_folder = "{lab.root}"\n',
    )


def test_two_at_once_make_one_folder_of_a_new_subject(lab, in_drive):
    folders = [
        publish(in_drive.published, {"report.html": name.encode()}, name) for name in ("a", "b")
    ]
    running = [start(in_drive, folder, env=endpoint_of(lab.google)) for folder in folders]
    assert [run.wait(timeout=60) for run in running] == [0, 0]
    assert sorted(lab.google.drive.folders(lab.root)) == ["M1", "M1/a", "M1/b"]
    assert sorted(lab.tree()) == ["M1/a/report.html", "M1/b/report.html"]


CALLS = {
    "a folder is made": lambda a: a.method == "POST" and a.path == "/drive/v3/files",
    "an upload begins": lambda a: a.query.get("uploadType") == ["resumable"] and a.method == "POST",
    "a piece arrives": lambda a: a.method == "PUT",
    "identifiers are had": lambda a: a.path.endswith("generateIds"),
}


@pytest.mark.parametrize("when", CALLS)
@pytest.mark.parametrize("number", [1, 2])
def test_a_kill_at_any_call_leaves_one_copy_of_each(lab, in_drive, when, number):
    folder = publish(in_drive.published, {"report.html": b"x", "figures/day.png": b"y" * 1000})
    seen: list[int] = []

    def kill(asked) -> bool:
        if CALLS[when](asked):
            seen.append(1)
            if len(seen) == number:
                os.kill(runs[-1].pid, signal.SIGKILL)
        return False

    lab.google.faults.append(Fault("none", matches=kill))
    runs: list[subprocess.Popen] = []
    for wanted in (-signal.SIGKILL, 0):
        runs.append(start(in_drive, folder, env=endpoint_of(lab.google)))
        assert runs[-1].wait(timeout=60) == wanted
    assert sorted(lab.tree()) == ["M1/night/figures/day.png", "M1/night/report.html"]
    assert all(len(copies) == 1 for copies in lab.tree().values())
    files = [f for f in lab.google.drive.files.values() if not f.is_folder]
    assert len(files) == 2
    assert sorted(lab.google.drive.folders(lab.root)) == ["M1", "M1/night", "M1/night/figures"]
