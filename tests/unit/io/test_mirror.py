"""Taking a recording in."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from wakeful.io.holding import hold
from wakeful.io.mirror import (
    ASIDE_NAME,
    HEAD_BYTES,
    Damage,
    TakenInElsewhere,
    check_settled,
    grid,
    intake,
    intake_folder,
    is_current,
    passes,
    read_manifest,
    scrub,
    source_files,
    take_in,
)
from wakeful.model.errors import BadRecording, NoRecording, StillGrowing
from wakeful.model.recording import ByteRange

GRANULE = 1 << 18
"""Smaller than the true one in these tests, so that they are quick."""


@pytest.fixture(autouse=True)
def _small_granules(monkeypatch):
    monkeypatch.setattr(grid, "GRANULE", GRANULE)


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "rec"
    (folder / "sub").mkdir(parents=True)
    data = np.random.default_rng(1).integers(0, 256, 5 * GRANULE // 2, dtype=np.uint8).tobytes()
    (folder / "a.ncs").write_bytes(data)
    (folder / "sub" / "b.ncs").write_bytes(b"hello")
    (folder / "empty.nev").write_bytes(b"")
    (folder / ".hidden").write_bytes(b"no")
    return folder


def test_a_copy_is_the_same_byte_for_byte(source, tmp_path):
    folder = tmp_path / "in"
    seen = []
    manifest = take_in(source, folder, in_place=False, progress=lambda d, t: seen.append((d, t)))
    root = Path(manifest.root)
    assert (root / "a.ncs").read_bytes() == (source / "a.ncs").read_bytes()
    assert (root / "sub" / "b.ncs").read_bytes() == b"hello"
    assert {f.file for f in manifest.files} == {"a.ncs", "sub/b.ncs", "empty.nev"}
    assert seen[-1] == (manifest.n_bytes, manifest.n_bytes)
    assert read_manifest(folder) == manifest
    assert is_current(manifest, source, in_place=False)
    assert scrub(manifest) == ()


def test_in_place_hashes_the_same_and_copies_nothing(source, tmp_path):
    copied = take_in(source, tmp_path / "in", in_place=False)
    hashed = take_in(source, tmp_path / "in2", in_place=True)
    assert [f.granules for f in copied.files] == [f.granules for f in hashed.files]
    assert hashed.root == str(source)
    assert {p.name for p in (tmp_path / "in2").iterdir()} == {
        ".lock",
        "BLAKE3SUMS",
        "manifest.json",
        "journal.jsonl",
    }


def test_a_single_file_can_be_taken_in(source, tmp_path):
    manifest = take_in(source / "a.ncs", tmp_path / "in", in_place=False)
    assert Path(manifest.root).name == "a.ncs"
    assert Path(manifest.root).is_file()


def test_a_range_is_named_by_the_granules_it_touches(source, tmp_path):
    manifest = take_in(source, tmp_path / "in", in_place=True)
    (entry,) = [f for f in manifest.files if f.file == "a.ncs"]
    assert len(entry.granules) == 4
    end = HEAD_BYTES + GRANULE
    for start, stop, first, last in [
        (100, HEAD_BYTES, 0, 1),
        (HEAD_BYTES, end, 1, 2),
        (HEAD_BYTES - 1, end + 1, 0, 3),
        (end, end, 0, 0),
    ]:
        touched = manifest.digests_of([ByteRange("a.ncs", start, stop)])
        assert touched == [["a.ncs", start, stop, list(entry.granules[first:last])]]
    with pytest.raises(BadRecording, match="never taken in"):
        manifest.digests_of([ByteRange("a.ncs", 0, 3 * GRANULE)])


def test_flipped_bits_in_the_mirror_are_named(source, tmp_path):
    manifest = take_in(source, tmp_path / "in", in_place=False)
    path = Path(manifest.root) / "a.ncs"
    with path.open("r+b") as file:
        file.seek(3 * GRANULE // 2)
        byte = file.read(1)
        file.seek(3 * GRANULE // 2)
        file.write(bytes([byte[0] ^ 4]))
    begin = HEAD_BYTES + GRANULE
    assert scrub(manifest) == (Damage("a.ncs", begin, begin + GRANULE, "differ"),)
    assert str(scrub(manifest)[0]) == "a.ncs: bytes 278,528 to 540,672 differ"


def test_a_changed_source_is_noticed_and_a_lost_source_leaves_the_mirror(source, tmp_path):
    manifest = take_in(source, tmp_path / "in", in_place=False)
    (source / "sub" / "b.ncs").write_bytes(b"hello, more")
    assert not is_current(manifest, source, in_place=False)
    again = take_in(source, tmp_path / "in", in_place=False)
    assert (Path(again.root) / "sub" / "b.ncs").read_bytes() == b"hello, more"
    for path in sorted(source.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert is_current(again, source, in_place=False)
    source.rmdir()
    assert is_current(again, source, in_place=False)


def test_what_the_source_no_longer_has_is_set_aside_never_removed(source, tmp_path):
    take_in(source, tmp_path / "in", in_place=False)
    (source / "sub" / "b.ncs").unlink()
    manifest = take_in(source, tmp_path / "in", in_place=False)
    assert not (Path(manifest.root) / "sub" / "b.ncs").exists()
    kept = list((tmp_path / "in").rglob("b.ncs"))
    assert [p.read_bytes() for p in kept] == [b"hello"]


def test_growing_recordings_wait(source):
    with pytest.raises(StillGrowing, match="still being written"):
        check_settled(source, 60.0)
    old = time.time() - 120
    for path in source_files(source):
        os.utime(path, (old, old))
    check_settled(source, 60.0)


@pytest.mark.parametrize("settle_s", [0.0, 10.0])
def test_a_file_dated_in_the_future_does_not_wait_for_its_date(source, settle_s):
    old = time.time() - 120
    for path in source_files(source):
        os.utime(path, (old, old))
    ahead = time.time() + 400 * 86400
    os.utime(source / "a.ncs", (ahead, ahead))
    check_settled(source, settle_s)


def test_a_clock_that_is_a_little_ahead_is_waited_for(source):
    for path in source_files(source):
        os.utime(path, (time.time() + 20,) * 2)
    check_settled(source, 10.0)
    check_settled(source, 0.0)
    with pytest.raises(StillGrowing, match="modified 0 s ago"):
        check_settled(source, 60.0)


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(NoRecording, match="nothing here"):
        source_files(tmp_path / "no")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoRecording, match="empty"):
        source_files(tmp_path / "empty")


def test_a_full_disk_is_refused_before_anything_is_copied(source, tmp_path, monkeypatch):
    class Usage:
        free = 1 << 20

    monkeypatch.setattr(passes.shutil, "disk_usage", lambda _: Usage)
    # In units that tell small numbers apart, with what is kept free counted in.
    with pytest.raises(BadRecording, match=r"needs 6\d\.\d MB, of which 67 MB.*1\.0 MB are free"):
        take_in(source, tmp_path / "in", in_place=False)
    assert read_manifest(tmp_path / "in") is None


def test_room_is_needed_only_for_what_is_not_there_yet(source, tmp_path, monkeypatch):
    folder = tmp_path / "in"
    take_in(source, folder, in_place=False)
    (source / "sub" / "b.ncs").write_bytes(b"hello, more")

    class Usage:
        free = (64 << 20) + 11

    monkeypatch.setattr(passes.shutil, "disk_usage", lambda _: Usage)
    manifest = take_in(source, folder, in_place=False)
    assert (Path(manifest.root) / "sub" / "b.ncs").read_bytes() == b"hello, more"
    # A copy that is gone has to be made again, whatever the journal says.
    (Path(manifest.root) / "a.ncs").unlink()
    with pytest.raises(BadRecording, match="are free"):
        take_in(source, folder, in_place=False)


def test_one_process_at_a_time_takes_a_recording_in(source, tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "_LOCK_WAIT_S", 0.1)
    folder = tmp_path / "in"
    seen: list[str] = []

    def meanwhile(*_: object) -> None:
        with pytest.raises(TakenInElsewhere, match="another process takes this recording in now"):
            take_in(source, folder, in_place=False)
        seen.append("refused")

    take_in(source, folder, in_place=False, progress=meanwhile)
    assert seen
    assert scrub(take_in(source, folder, in_place=False)) == ()
    with hold(folder / ".lock"), pytest.raises(BadRecording, match="now"):
        take_in(source, folder, in_place=True)


def test_names_of_files_need_not_be_utf_8(tmp_path):
    source = tmp_path / "rec"
    source.mkdir()
    name = os.fsdecode(b"M\xe4use.ncs")
    (source / name).write_bytes(b"x" * 100)
    manifest = take_in(source, tmp_path / "in", in_place=False)
    assert read_manifest(tmp_path / "in") == manifest
    assert is_current(manifest, source, in_place=False)
    assert scrub(manifest) == ()


def test_names_of_intake_folders_are_safe_and_differ_by_path(tmp_path):
    a = intake_folder(tmp_path, Path("/data/rat 1/äx"))
    b = intake_folder(tmp_path, Path("/data/rat 2/äx"))
    assert a != b
    assert a.parent == tmp_path


def test_a_changed_file_is_kept_apart_before_it_is_replaced(source, tmp_path):
    folder = tmp_path / "in"
    take_in(source, folder, in_place=False)
    (source / "sub" / "b.ncs").write_bytes(b"HELLO and other bytes")
    manifest = take_in(source, folder, in_place=False)
    assert manifest.replaced == ("sub/b.ncs",)
    kept = list((folder / ASIDE_NAME).rglob("b.ncs"))
    assert [p.read_bytes() for p in kept] == [b"hello"]
    assert (Path(manifest.root) / "sub" / "b.ncs").read_bytes() == b"HELLO and other bytes"
    assert read_manifest(folder) == manifest
    again = take_in(source, folder, in_place=False)
    assert again.replaced == ("sub/b.ncs",)


def test_a_file_that_has_only_grown_is_no_other_version(source, tmp_path):
    folder = tmp_path / "in"
    take_in(source, folder, in_place=False)
    with (source / "a.ncs").open("ab") as file:
        file.write(b"more")
    manifest = take_in(source, folder, in_place=False)
    assert manifest.replaced == ()
    assert not (folder / ASIDE_NAME).exists()


def test_a_copy_moved_away_is_made_again_from_the_source(source, tmp_path):
    manifest = take_in(source, tmp_path / "in", in_place=False)
    (Path(manifest.root) / "a.ncs").rename(tmp_path / "damaged.ncs")
    assert not is_current(manifest, source, in_place=False)
    again = take_in(source, tmp_path / "in", in_place=False)
    assert is_current(again, source, in_place=False)
    assert scrub(again) == ()
