"""Only our own files are touched, each whole or not there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from wakeful.model.errors import BadRow, BrokenArtefact
from wakeful.publish import publish_files, session_folder
from wakeful.publish.folder import MANIFEST

FILES = {"figures/day.png": b"png", "report.html": b"<html>", "tables/days.csv": b"a,b\n"}


def publish(folder: Path, files: dict[str, bytes]):
    return publish_files(folder, "M014", "baseline", files)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }


def test_files_lie_under_subject_and_session(tmp_path: Path) -> None:
    published = publish(tmp_path / "out", FILES)
    assert published.folder == tmp_path / "out" / "M014" / "baseline"
    assert tree(tmp_path / "out") == {f"M014/baseline/{n}": d for n, d in FILES.items()}
    assert set(published.written) == set(FILES)
    assert not list(tmp_path.rglob("*.tmp"))


def test_what_is_the_same_is_not_rewritten(tmp_path: Path) -> None:
    folder = publish(tmp_path, FILES).folder
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    again = publish(tmp_path, {**FILES, "report.html": b"<html>2"})
    assert again.written == ("report.html",)
    assert set(again.unchanged) == {"figures/day.png", "tables/days.csv"}
    for path, time_ns in before.items():
        if path.name not in ("report.html", MANIFEST):
            assert path.stat().st_mtime_ns == time_ns
    quiet = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert publish(tmp_path, {**FILES, "report.html": b"<html>2"}).written == ()
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == quiet


def test_only_what_we_wrote_is_removed(tmp_path: Path) -> None:
    folder = publish(tmp_path, FILES).folder
    (folder / "notes.txt").write_text("mine")
    (folder / "figures" / "mine.png").write_bytes(b"mine")
    again = publish(tmp_path, {"report.html": b"<html>"})
    assert set(again.removed) == {"figures/day.png", "tables/days.csv"}
    assert tree(folder) == {
        "report.html": b"<html>",
        "notes.txt": b"mine",
        "figures/mine.png": b"mine",
    }
    assert not (folder / "tables").exists()


def test_an_old_file_that_somebody_changed_is_kept(tmp_path: Path) -> None:
    folder = publish(tmp_path, FILES).folder
    (folder / "tables" / "days.csv").write_bytes(b"with my notes")
    again = publish(tmp_path, {"report.html": b"<html>"})
    assert again.kept == ("tables/days.csv",)
    assert (folder / "tables" / "days.csv").read_bytes() == b"with my notes"
    assert publish(tmp_path, {"report.html": b"<html>"}).kept == ()


def test_a_foreign_file_is_never_overwritten(tmp_path: Path) -> None:
    folder = session_folder(tmp_path, "M014", "baseline")
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("mine")
    with pytest.raises(BrokenArtefact, match=r"report\.html.*not written by this"):
        publish(tmp_path, FILES)
    assert tree(folder) == {"report.html": b"mine"}
    (folder / "report.html").write_bytes(b"<html>")
    assert publish(tmp_path, FILES).unchanged == ("report.html",)


class Killed(BaseException):
    """Stands for kill -9."""


@pytest.mark.parametrize("moment", range(8))
def test_after_a_kill_the_next_time_finishes(
    tmp_path: Path, moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {"report.html": b"old", "figures/gone.png": b"old"}
    folder = publish(tmp_path, old).folder
    calls = iter(range(100))
    real = os.fsync

    def fsync(handle: int) -> None:
        if next(calls) == moment:
            raise Killed
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(Killed):
        publish(tmp_path, FILES)
    monkeypatch.undo()
    seen = tree(folder)
    for name, data in seen.items():
        assert data in (old.get(name), FILES.get(name)), name
    publish(tmp_path, FILES)
    assert tree(folder) == FILES


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        ".",
        "../M1",
        "a/b",
        "a\\b",
        "M1 ",
        "M1.",
        "C:",
        "a\nb",
        "CON",
        "aux.txt",
        "x" * 201,
    ],
)
def test_unsafe_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRow):
        publish_files(tmp_path, name, "s", FILES)
    with pytest.raises(BadRow):
        publish_files(tmp_path, "M1", name, FILES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "/x", "a//b", "a/../b", MANIFEST])
def test_unsafe_file_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRow):
        publish(tmp_path, {name: b""})


def test_names_may_hold_letters_of_any_alphabet(tmp_path: Path) -> None:
    assert session_folder(tmp_path, "Mäuschen-14", "día_1").name == "día_1"


@pytest.mark.parametrize("text", ["", "{}", '{"files": {"../../x": ["0"]}}', "[1]"])
def test_a_broken_manifest_stops_everything(tmp_path: Path, text: str) -> None:
    folder = publish(tmp_path, FILES).folder
    (folder / MANIFEST).write_text(text)
    with pytest.raises(BrokenArtefact, match="manifest"):
        publish(tmp_path, {})
    assert tree(folder) == FILES


def test_the_manifest_says_what_is_ours(tmp_path: Path) -> None:
    folder = publish(tmp_path, FILES).folder
    assert set(json.loads((folder / MANIFEST).read_text())["files"]) == set(FILES)
