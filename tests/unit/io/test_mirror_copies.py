"""Second copies, and deleting a source only when everything is safe twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from wakeful.io.mirror import (
    ASIDE_NAME,
    HEAD_BYTES,
    Ending,
    copies,
    is_current,
    read_manifest,
    scrub,
    take_in,
)
from wakeful.io.mirror.copies import NotSafeYet, check_second_copy, delete_source, make_second_copy
from wakeful.io.mirror.rclone import Rclone
from wakeful.model.errors import BadRecording, NoRecording

RANDOM = np.random.default_rng(9)
ENDED = Ending(settle_s=1.0)


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "rec"
    (folder / "sub").mkdir(parents=True)
    for name in ("CSC1.ncs", "CSC2.ncs", "sub/c.nev"):
        (folder / name).write_bytes(RANDOM.bytes(HEAD_BYTES + 9000))
    (folder / ".hidden").write_bytes(b"stays")
    leave(folder)
    return folder


def leave(folder: Path) -> None:
    old = time.time() - 3600
    for path in folder.rglob("*"):
        os.utime(path, (old, old))


@pytest.fixture
def other_disk(tmp_path) -> Iterator[Path]:
    """A folder on another file system than that of the tests."""
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has no second file system to write to (/dev/shm)")
    with tempfile.TemporaryDirectory(dir=shm) as folder:
        yield Path(folder)


@pytest.fixture
def taken(source, tmp_path):
    return take_in(source, tmp_path / "in", in_place=False)


def content(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def flip(path: Path) -> None:
    stat, data = path.stat(), bytearray(path.read_bytes())
    data[7] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_second_copy_is_a_mirror_of_its_own(taken, source, tmp_path, other_disk):
    made = make_second_copy(taken, tmp_path / "in", str(other_disk), Rclone())
    assert Path(made.place) == other_disk / "in"
    second = read_manifest(other_disk / "in")
    assert [(f.file, f.granules, f.blake3) for f in second.files] == [
        (f.file, f.granules, f.blake3) for f in taken.files
    ]
    assert scrub(second, with_blake3=True) == ()
    assert content(other_disk / "in" / "data") == content(tmp_path / "in" / "data")
    flip(other_disk / "in" / "data" / "CSC2.ncs")
    with pytest.raises(BadRecording, match=r"second copy differs from the mirror: CSC2\.ncs"):
        check_second_copy(taken, tmp_path / "in", str(other_disk), Rclone())


def test_the_source_is_deleted_when_all_is_proven(taken, source, tmp_path, other_disk):
    folder = tmp_path / "in"
    before = content(source)
    make_second_copy(taken, folder, str(other_disk), Rclone())
    deletion = delete_source(source, folder, str(other_disk), Rclone(), ENDED)
    assert set(deletion.files) == {"CSC1.ncs", "CSC2.ncs", "sub/c.nev"}
    assert content(source) == {".hidden": b"stays"}
    lines = [json.loads(x) for x in (folder / "deletions.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == sorted(deletion.files)
    assert lines[0]["blake3"] == taken.files[0].blake3
    del before[".hidden"]
    assert content(folder / "data") == before
    assert is_current(read_manifest(folder), source, in_place=False), "a mirror outlives its source"
    assert delete_source(source, folder, str(other_disk), Rclone(), ENDED).files == ()
    with pytest.raises(NoRecording):
        take_in(source, folder, in_place=False)
    assert content(folder / "data") == before


def test_it_is_refused_with_the_reason(taken, source, tmp_path, other_disk):
    folder = tmp_path / "in"
    before = content(source)

    def refused(match: str, place: Path = other_disk, ending: Ending = ENDED) -> None:
        with pytest.raises(NotSafeYet, match=f"nothing was deleted: .*{match}"):
            delete_source(source, folder, str(place), Rclone(), ending)
        assert content(source) == before

    refused("there is no second copy")
    make_second_copy(taken, folder, str(tmp_path / "backup"), Rclone())
    refused("on the same disk as the mirror", tmp_path / "backup")
    refused("lies inside it", source)
    make_second_copy(taken, folder, str(other_disk), Rclone())
    refused("still growing", ending=Ending(settle_s=7200.0))
    flip(other_disk / "in" / "data" / "CSC1.ncs")
    refused("the second copy does not hold")
    flip(other_disk / "in" / "data" / "CSC1.ncs")
    flip(folder / "data" / "CSC1.ncs")
    refused(r"the mirror is damaged \(CSC1\.ncs: bytes 0 to 16,384 differ\)")
    flip(folder / "data" / "CSC1.ncs")
    flip(source / "CSC2.ncs")
    before = content(source)
    refused(r"CSC2\.ncs is no longer what was mirrored")
    flip(source / "CSC2.ncs")
    (source / "new.nev").write_bytes(b"new")
    leave(source)
    before = content(source)
    refused("it has changed since it was mirrored")


def test_the_mirror_is_no_place_for_its_own_copy(taken, source, tmp_path):
    folder = tmp_path / "in"
    for place in (tmp_path, folder, folder / "data"):
        with pytest.raises(BadRecording, match="this is the mirror itself"):
            make_second_copy(taken, folder, str(place), Rclone())
    assert read_manifest(folder) == taken


def test_a_table_beside_a_recording_of_one_file_stays(tmp_path, other_disk):
    source = tmp_path / "recs" / "a.edf"
    source.parent.mkdir()
    source.write_bytes(RANDOM.bytes(5000))
    (source.parent / "channels.csv").write_text("channel\n")
    leave(source.parent)
    manifest = take_in(source, tmp_path / "in", in_place=False)
    assert {f.file for f in manifest.files} == {"a.edf", "channels.csv"}
    make_second_copy(manifest, tmp_path / "in", str(other_disk), Rclone())
    deletion = delete_source(source, tmp_path / "in", str(other_disk), Rclone(), ENDED)
    assert deletion.files == ("a.edf",)
    assert (source.parent / "channels.csv").exists()
    assert is_current(read_manifest(tmp_path / "in"), source, in_place=False)


def test_data_used_in_place_has_no_mirror(source, tmp_path):
    manifest = take_in(source, tmp_path / "in", in_place=True)
    with pytest.raises(BadRecording, match="no mirror that could be copied"):
        make_second_copy(manifest, tmp_path / "in", str(tmp_path / "b"), Rclone())
    with pytest.raises(NotSafeYet, match="it has no mirror"):
        delete_source(source, tmp_path / "in", str(tmp_path / "b"), Rclone(), ENDED)


def test_what_changes_between_proof_and_deletion_stays(
    taken, source, tmp_path, other_disk, monkeypatch
):
    folder = tmp_path / "in"
    make_second_copy(taken, folder, str(other_disk), Rclone())
    delete = copies._delete

    def changing(where, proven):
        with (source / "CSC2.ncs").open("ab") as file:
            file.write(b"a late record")
        return delete(where, proven)

    monkeypatch.setattr(copies, "_delete", changing)
    deletion = delete_source(source, folder, str(other_disk), Rclone(), ENDED)
    assert deletion.files == ("CSC1.ncs", "sub/c.nev")
    assert (source / "CSC2.ncs").read_bytes().endswith(b"a late record")


_DELETE = """
import os, signal, sys
from pathlib import Path
from wakeful.io.mirror import Ending
from wakeful.io.mirror import copies
from wakeful.io.mirror.rclone import Rclone

unlink, left = Path.unlink, [int(sys.argv[4])]
def dying(self, *rest, **more):
    if self.is_relative_to(sys.argv[1]):
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
    unlink(self, *rest, **more)
Path.unlink = dying
source, folder, place = map(Path, sys.argv[1:4])
copies.delete_source(source, folder, str(place), Rclone(), Ending(settle_s=1.0))
"""


@pytest.mark.parametrize("after", [0, 1])
def test_a_kill_between_deletions_loses_nothing(taken, source, tmp_path, other_disk, after):
    folder = tmp_path / "in"
    make_second_copy(taken, folder, str(other_disk), Rclone())
    killed = subprocess.run(
        [sys.executable, "-c", _DELETE, str(source), str(folder), str(other_disk), str(after)],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    left = set(content(source)) - {".hidden"}
    assert len(left) == 3 - after
    manifest = read_manifest(folder)
    assert is_current(manifest, source, in_place=False)
    assert take_in(source, folder, in_place=False) == manifest, "what was deleted is still there"
    assert not (folder / ASIDE_NAME).exists()
    deletion = delete_source(source, folder, str(other_disk), Rclone(), ENDED)
    assert set(deletion.files) == left
    assert scrub(read_manifest(folder)) == ()


def test_another_recording_in_the_place_of_a_deleted_one_is_not_mixed_with_it(
    taken, source, tmp_path, other_disk
):
    folder = tmp_path / "in"
    make_second_copy(taken, folder, str(other_disk), Rclone())
    delete_source(source, folder, str(other_disk), Rclone(), ENDED)
    (source / "CSC9.ncs").write_bytes(b"begun anew")
    manifest = take_in(source, folder, in_place=False)
    assert [f.file for f in manifest.files] == ["CSC9.ncs"]
    kept = {p.name for p in (folder / ASIDE_NAME).rglob("*") if p.is_file()}
    assert kept == {"CSC1.ncs", "CSC2.ncs", "c.nev"}


def test_a_remote_second_copy_is_read_back_before_anything_is_deleted(
    taken, source, tmp_path, other_disk
):
    config = tmp_path / "rclone.conf"
    config.write_text(
        f"[far]\ntype = alias\nremote = {other_disk}\n"
        f"[near]\ntype = alias\nremote = {tmp_path / 'near'}\n"
    )
    rclone, folder = Rclone(config=config, pauses_s=()), tmp_path / "in"
    make_second_copy(taken, folder, "near:", rclone)
    with pytest.raises(NotSafeYet, match="on the same disk as the mirror"):
        delete_source(source, folder, "near:", rclone, ENDED)
    make_second_copy(taken, folder, "far:", rclone)
    flip(other_disk / "in" / "data" / "CSC1.ncs")
    with pytest.raises(NotSafeYet, match=r"does not hold: .*CSC1\.ncs"):
        delete_source(source, folder, "far:", rclone, ENDED)
    flip(other_disk / "in" / "data" / "CSC1.ncs")
    assert len(delete_source(source, folder, "far:", rclone, ENDED).files) == 3
    shutil.rmtree(source)
    assert is_current(read_manifest(folder), source, in_place=False)
