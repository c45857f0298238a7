"""Taking in what is still being written: whole pieces, in passes that cost what is new."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import blake3
import numpy as np
import pytest
import xxhash

from wakeful.io.mirror import (
    ASIDE_NAME,
    HEAD_BYTES,
    Ending,
    carrying,
    grid,
    is_current,
    look_at,
    passes,
    piece_bounds,
    pieces_of,
    read_manifest,
    scrub,
    take_in,
)
from wakeful.io.mirror.grid import whole_pieces
from wakeful.io.mirror.manifest import MANIFEST_NAME
from wakeful.model.errors import BadRecording, StillGrowing

RANDOM = np.random.default_rng(5)
SOON = Ending(settle_s=60.0)
AN_HOUR_AGO = time.time() - 3600

GRANULE = 1 << 18
"""Smaller than the true one in these tests, so that they are quick."""


@pytest.fixture(autouse=True)
def _small_granules(monkeypatch):
    monkeypatch.setattr(grid, "GRANULE", GRANULE)


def header(closed: str = "") -> bytes:
    text = "######## Neuralynx Data File Header\r\n-TimeCreated 2026/03/02\r\n"
    text += f"-TimeClosed {closed}\r\n"
    return text.encode().ljust(HEAD_BYTES, b"\0")


def append(path: Path, n_bytes: int) -> None:
    with path.open("ab") as file:
        file.write(RANDOM.bytes(n_bytes))


def leave(*paths: Path) -> None:
    """As if nothing had touched them for an hour."""
    for path in paths:
        os.utime(path, (AN_HOUR_AGO, AN_HOUR_AGO))


def follow(source: Path, folder: Path, **options):
    return take_in(source, folder, in_place=False, following=True, ending=SOON, **options)


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "rec"
    folder.mkdir()
    for name in ("CSC1.ncs", "CSC2.ncs"):
        (folder / name).write_bytes(header())
        append(folder / name, GRANULE + 1000)
    return folder


def check(manifest, source: Path) -> None:
    """Everything the manifest lists is, byte for byte, the beginning of what is at the source."""
    for entry in manifest.files:
        data = (source / entry.file).read_bytes()[: entry.bytes]
        assert (manifest.base / entry.file).read_bytes()[: entry.bytes] == data
        digests = [
            xxhash.xxh3_128_hexdigest(data[slice(*piece_bounds(i, len(data)))])
            for i in pieces_of(0, len(data))
        ]
        assert list(entry.granules) == digests


def test_pieces_tile_a_file_whatever_its_size():
    for size in (0, 1, HEAD_BYTES, HEAD_BYTES + 1, HEAD_BYTES + GRANULE, 3 * GRANULE + 5):
        bounds = [piece_bounds(number, size) for number in pieces_of(0, size)]
        assert [b for _, b in bounds[:-1]] == [a for a, _ in bounds[1:]]
        assert (bounds[0][0], bounds[-1][1]) == (0, size) if size else bounds == []
        whole = whole_pieces(size)
        assert whole in {0, *(b for a, b in bounds if b - a == (GRANULE if a else HEAD_BYTES))}
        assert size - whole < GRANULE


def test_only_whole_pieces_are_taken_while_a_source_grows(source, tmp_path):
    folder = tmp_path / "in"
    manifest = follow(source, folder)
    assert not manifest.complete
    assert {f.file: f.bytes for f in manifest.files} == {
        "CSC1.ncs": HEAD_BYTES + GRANULE,
        "CSC2.ncs": HEAD_BYTES + GRANULE,
    }
    assert manifest.growth is not None
    assert manifest.growth.n_bytes["CSC1.ncs"] == HEAD_BYTES + GRANULE
    assert read_manifest(folder) == manifest
    assert not is_current(manifest, source, in_place=False)
    check(manifest, source)
    assert scrub(manifest) == ()


@pytest.mark.parametrize("in_place", [False, True])
def test_the_next_pass_reads_only_what_is_new(source, tmp_path, monkeypatch, in_place):
    folder = tmp_path / "in"
    options = {"in_place": in_place, "following": True, "ending": SOON}
    first = take_in(source, folder, **options)
    append(source / "CSC1.ncs", GRANULE)
    read: list[int] = []
    preadv = os.preadv

    def counting(descriptor, buffers, offset, *rest):
        n = preadv(descriptor, buffers, offset, *rest)
        read.append(n)
        return n

    monkeypatch.setattr(os, "preadv", counting)
    seen = []
    manifest = take_in(
        source, folder, on_verified=lambda *what: seen.append((what[0].name, *what[1:3])), **options
    )
    once = 1 if in_place else 2
    assert sum(read) <= once * GRANULE + 2 * HEAD_BYTES
    assert seen == [("CSC1.ncs", HEAD_BYTES + GRANULE, HEAD_BYTES + 2 * GRANULE)]
    assert manifest.files[0].granules[:2] == first.files[0].granules
    assert manifest.files[1].granules == first.files[1].granules
    check(manifest, source)
    read.clear()
    assert take_in(source, folder, **options) == manifest
    assert sum(read) == 0


def test_when_the_source_has_ended_the_tails_follow(source, tmp_path):
    folder = tmp_path / "in"
    follow(source, folder)
    append(source / "CSC2.ncs", 5)
    leave(*source.iterdir())
    manifest = follow(source, folder)
    assert manifest.complete
    assert manifest.growth is None
    assert is_current(manifest, source, in_place=False)
    check(manifest, source)
    for entry in manifest.files:
        assert entry.blake3 == blake3.blake3((source / entry.file).read_bytes()).hexdigest()
        assert (manifest.base / entry.file).stat().st_mtime_ns == entry.modified_ns
    assert manifest.replaced == manifest.new_heads == ()


@pytest.mark.parametrize("in_place", [False, True])
def test_a_header_that_is_rewritten_at_the_end_changes_no_other_piece(source, tmp_path, in_place):
    folder = tmp_path / "in"
    options = {"in_place": in_place, "following": True, "ending": SOON}
    before = take_in(source, folder, **options)
    for path in source.iterdir():
        with path.open("r+b") as file:
            file.write(header("2026/03/09 07:00:00"))
    leave(*source.iterdir())
    manifest = take_in(source, folder, **options)
    assert manifest.complete
    assert manifest.new_heads == ("CSC1.ncs", "CSC2.ncs")
    assert manifest.replaced == ()
    check(manifest, source)
    for a, b in zip(before.files, manifest.files, strict=True):
        assert a.granules[0] != b.granules[0]
        assert a.granules[1] == b.granules[1]
    kept = [] if in_place else [p.read_bytes() for p in (folder / ASIDE_NAME).rglob("*.header")]
    assert kept == [] if in_place else kept == [header(), header()]
    assert take_in(source, folder, **options) == manifest
    assert read_manifest(folder).new_heads == manifest.new_heads


def test_a_header_rewritten_after_all_was_taken_in_costs_no_second_copy(source, tmp_path):
    folder = tmp_path / "in"
    take_in(source, folder, in_place=False)
    with (source / "CSC1.ncs").open("r+b") as file:
        file.write(header("2026/03/09 07:00:00"))
    seen = []
    manifest = take_in(source, folder, in_place=False, on_verified=lambda *what: seen.append(what))
    assert seen == []
    assert manifest.new_heads == ("CSC1.ncs",)
    check(manifest, source)
    assert is_current(manifest, source, in_place=False)


def test_a_kill_while_a_header_is_taken_leaves_a_good_one(source, tmp_path, monkeypatch):
    folder = tmp_path / "in"
    follow(source, folder)
    for path in source.iterdir():
        with path.open("r+b") as file:
            file.write(header("2026/03/09 07:00:00"))
    leave(*source.iterdir())

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("wakeful.io.mirror.journal.Journal.set_head", killed)
        with pytest.raises(Killed):
            follow(source, folder)
    during = read_manifest(folder)
    head = (during.base / "CSC1.ncs").read_bytes()[:HEAD_BYTES]
    assert head == header("2026/03/09 07:00:00")
    assert during.files[0].accepts(0, xxhash.xxh3_128_hexdigest(head))
    assert during.files[0].accepts(0, xxhash.xxh3_128_hexdigest(header()))
    assert not during.files[0].accepts(0, "")
    assert scrub(during) == ()
    after = follow(source, folder)
    assert after.complete
    check(after, source)
    assert {p.read_bytes() for p in (folder / ASIDE_NAME).rglob("*.header")} == {header()}


@pytest.mark.parametrize("where", [HEAD_BYTES + 5, HEAD_BYTES + GRANULE - 5])
def test_a_file_replaced_by_another_is_noticed_and_the_earlier_copy_kept(source, tmp_path, where):
    """The end of what was taken in is looked at before anything is added to it."""
    folder = tmp_path / "in"
    first = follow(source, folder)
    path = source / "CSC1.ncs"
    earlier = path.read_bytes()
    if where == HEAD_BYTES + 5:
        path.write_bytes(header() + RANDOM.bytes(2 * GRANULE))
    else:
        with path.open("r+b") as file:
            file.seek(where)
            file.write(b"other")
        append(path, GRANULE)
    manifest = follow(source, folder)
    assert manifest.replaced == ("CSC1.ncs",)
    check(manifest, source)
    (kept,) = (folder / ASIDE_NAME).rglob("CSC1.ncs")
    assert kept.read_bytes()[: first.files[0].bytes] == earlier[: first.files[0].bytes]


def test_a_file_that_shrank_is_noticed(source, tmp_path):
    folder = tmp_path / "in"
    follow(source, folder)
    (source / "CSC2.ncs").write_bytes(header() + b"begun again")
    manifest = follow(source, folder)
    assert manifest.replaced == ("CSC2.ncs",)
    assert {f.file: f.bytes for f in manifest.files}["CSC2.ncs"] == HEAD_BYTES
    check(manifest, source)


def test_space_reserved_in_advance_is_no_data_yet(tmp_path):
    source = tmp_path / "rec"
    source.mkdir()
    path = source / "continuous.dat"
    path.write_bytes(RANDOM.bytes(HEAD_BYTES + GRANULE))
    os.truncate(path, HEAD_BYTES + 4 * GRANULE)
    manifest = follow(source, tmp_path / "in")
    assert [f.bytes for f in manifest.files] == [HEAD_BYTES + GRANULE]
    leave(path)
    manifest = follow(source, tmp_path / "in")
    assert manifest.complete
    check(manifest, source)


def test_what_was_written_behind_the_back_of_a_pass_is_found_at_the_end(source, tmp_path):
    """As on disks that can't tell reserved space from data."""
    folder = tmp_path / "in"
    append(source / "CSC1.ncs", GRANULE)
    follow(source, folder)
    with (source / "CSC1.ncs").open("r+b") as file:
        file.seek(HEAD_BYTES)
        file.write(RANDOM.bytes(GRANULE))
    leave(*source.iterdir())
    manifest = follow(source, folder)
    assert manifest.replaced == ("CSC1.ncs",)
    assert manifest.complete
    check(manifest, source)


def test_files_that_appear_join_but_not_before_the_last_ones_tail(source, tmp_path):
    folder = tmp_path / "in"
    now = time.time()
    follow(source, folder)
    for name in ("CSC1.ncs", "CSC2.ncs"):
        append(source / name, 300)
        os.utime(source / name, (now - 50, now - 50))  # stopped, but not at rest yet
    (source / "CSC1_0001.ncs").write_bytes(header() + RANDOM.bytes(GRANULE))
    manifest = follow(source, folder)
    assert "CSC1_0001.ncs" not in {f.file for f in manifest.files}, "there would seem to be a gap"
    leave(source / "CSC1.ncs", source / "CSC2.ncs")
    manifest = follow(source, folder)
    sizes = {f.file: f.bytes for f in manifest.files}
    assert sizes["CSC1.ncs"] == (source / "CSC1.ncs").stat().st_size
    assert sizes["CSC1_0001.ncs"] == HEAD_BYTES + GRANULE
    assert not manifest.complete
    check(manifest, source)


def test_the_tail_of_a_file_that_went_on_after_a_rest_is_no_other_version(source, tmp_path):
    folder = tmp_path / "in"
    leave(*source.iterdir())
    first = follow(source, folder)
    assert first.complete
    append(source / "CSC1.ncs", 10)
    second = follow(source, folder)
    assert not second.complete
    assert not (folder / "BLAKE3SUMS").exists()
    assert {f.file: f.bytes for f in second.files} == {f.file: f.bytes for f in first.files}
    append(source / "CSC1.ncs", GRANULE)
    third = follow(source, folder)
    assert third.files[0].bytes == HEAD_BYTES + 2 * GRANULE
    assert third.replaced == ()
    check(third, source)


def test_the_last_incomplete_piece_must_be_the_beginning_of_what_follows(tmp_path):
    source, folder = tmp_path / "notes", tmp_path / "in"
    source.mkdir()
    (source / "notes.txt").write_bytes(b"first line\n")
    leave(source / "notes.txt")
    follow(source, folder)
    (source / "notes.txt").write_bytes(b"first LINE\nand a second\n")
    leave(source / "notes.txt")
    manifest = follow(source, folder)
    assert manifest.replaced == ("notes.txt",)
    check(manifest, source)


@pytest.mark.parametrize("name", ["CSC1.ncs", "CSC9.ncs"])
def test_readers_of_a_whole_recording_are_told_before_its_files_grow(source, tmp_path, name):
    """Or before the copy of a file that was added stands beside them, unfinished."""
    folder = tmp_path / "in"
    whole = take_in(source, folder, in_place=False)
    append(source / name, 3 * GRANULE)
    seen = []

    def look(path, start, stop, view):
        manifest = read_manifest(folder)
        seen.append(manifest.complete)
        assert manifest.files == whole.files

    take_in(source, folder, in_place=False, on_verified=look)
    assert seen
    assert not any(seen)


def test_a_source_that_changes_while_it_is_read_is_refused_where_it_is_not_followed(
    source, tmp_path
):
    def grow(*_):
        append(source / "CSC2.ncs", 1)

    with pytest.raises(StillGrowing, match="changed while it was read"):
        take_in(source, tmp_path / "in", in_place=False, on_verified=grow)
    assert read_manifest(tmp_path / "in") is None
    check(take_in(source, tmp_path / "in", in_place=False), source)


def test_a_disk_that_changes_what_is_written_is_caught_by_reading_back(
    source, tmp_path, monkeypatch
):
    pwrite = os.pwrite
    flips = {"left": 1}

    def flipping(descriptor, data, offset):
        n = pwrite(descriptor, data, offset)
        if offset <= GRANULE - 77 < offset + n and flips["left"]:
            flips["left"] -= 1
            with Path(f"/proc/self/fd/{descriptor}").open("r+b", buffering=0) as disk:
                pwrite(disk.fileno(), bytes([data[GRANULE - 77 - offset] ^ 1]), GRANULE - 77)
        return n

    monkeypatch.setattr(os, "pwrite", flipping)
    with pytest.raises(
        BadRecording, match=f"bytes 16,384 to {HEAD_BYTES + GRANULE:,} of the copy differ"
    ):
        take_in(source, tmp_path / "in", in_place=False)
    journal = (tmp_path / "in" / "journal.jsonl").read_text()
    assert json.loads(journal.splitlines()[0]) == {"layout": 2}
    assert f'"stop": {HEAD_BYTES + GRANULE}' not in journal
    manifest = take_in(source, tmp_path / "in", in_place=False)
    check(manifest, source)


def test_what_lies_behind_the_vouched_bytes_is_cut_off(source, tmp_path):
    folder = tmp_path / "in"
    manifest = follow(source, folder)
    append(manifest.base / "CSC1.ncs", 5000)  # as a kill leaves it
    append(source / "CSC1.ncs", GRANULE)
    leave(*source.iterdir())
    check(follow(source, folder), source)
    assert (folder / "data" / "CSC1.ncs").read_bytes() == (source / "CSC1.ncs").read_bytes()


def test_a_copy_that_was_cut_short_is_made_whole_from_where_it_ends(source, tmp_path):
    folder = tmp_path / "in"
    manifest = take_in(source, folder, in_place=False)
    os.truncate(manifest.base / "CSC1.ncs", HEAD_BYTES + 7)
    seen = []
    again = take_in(source, folder, in_place=False, on_verified=lambda *w: seen.append(w[1]))
    assert seen == [HEAD_BYTES, HEAD_BYTES + GRANULE]
    check(again, source)


def test_a_torn_line_of_the_journal_spoils_no_other(source, tmp_path):
    folder = tmp_path / "in"
    take_in(source, folder, in_place=False)
    journal = folder / "journal.jsonl"
    text = journal.read_bytes()
    for cut in (len(text) - 20, len(text) // 2, 30, 5):
        journal.write_bytes(text[:cut])
        check(take_in(source, folder, in_place=False), source)
    assert journal.read_bytes().count(b'"layout"') == 1


def test_the_source_is_read_no_faster_than_allowed(tmp_path):
    source = tmp_path / "a.dat"
    source.write_bytes(RANDOM.bytes(4_000_000))
    began = time.monotonic()
    take_in(source, tmp_path / "in", in_place=True, bandwidth_mb_per_s=4.0)
    assert 0.7 <= time.monotonic() - began <= 3.0


def test_each_verified_byte_is_shown_once_and_in_order(source, tmp_path):
    shown: dict[str, bytes] = {}

    def scan(path, start, stop, view):
        assert path.parent == tmp_path / "in" / "data"
        assert start == len(shown.setdefault(path.name, b""))
        shown[path.name] += bytes(view)
        assert len(shown[path.name]) == stop

    take_in(source, tmp_path / "in", in_place=False, on_verified=scan)
    assert shown == {p.name: p.read_bytes() for p in source.iterdir()}


def test_why_a_source_is_taken_to_be_growing_is_said(source, tmp_path):
    look = look_at(source, SOON)
    assert not look.ended
    assert look.why.startswith("CSC1.ncs was written to ")
    leave(*source.iterdir())
    assert look_at(source, SOON).ended
    marked = Ending(settle_s=60.0, marker="*.done")
    assert "no file is called *.done yet" in look_at(source, marked).why
    (source / "CSC1.ncs").touch()
    (source / "all.done").touch()
    assert "CSC1.ncs was written to" in look_at(source, marked).why
    leave(*source.iterdir())
    assert look_at(source, marked).ended


def test_a_file_that_somebody_holds_open_for_writing_has_not_ended(source):
    leave(*source.iterdir())
    code = "import sys; f = open(sys.argv[1], 'ab'); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(source / "CSC2.ncs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        writer.stdout.readline()
        look = look_at(source, Ending(settle_s=0.0))
        assert look.why.startswith("CSC2.ncs is held open for writing by python")
        assert str(writer.pid) in look.why
        assert look.at_rest == {"CSC1.ncs"}
        writer.stdin.close()
    assert look_at(source, SOON).ended


@pytest.mark.parametrize(
    ("line", "closed"),
    [
        (b"-TimeClosed 2026/03/09 07:00:00\r\n", True),
        (b"-TimeClosed \r\n-RecordSize 1044\r\n", False),
        (b"-TimeClosed\r\n-RecordSize 1044\r\n", False),
        (b"## Time Closed (m/d/y): 3/9/2026  (h:m:s.ms) 7:0:0.0\r\n", True),
        (b"## Time Closed File was not closed properly\r\n", False),
    ],
)
def test_a_file_that_was_not_closed_is_given_more_time(tmp_path, line, closed):
    path = tmp_path / "CSC1.ncs"
    opened = b"######## Neuralynx\r\n-TimeCreated 2026/03/09 06:00:00\r\n"
    path.write_bytes((opened + line).ljust(HEAD_BYTES, b"\0"))
    # Closed or not: it may be a copy that is being made.
    assert not look_at(path, SOON).ended
    two_minutes_ago = time.time() - 120
    os.utime(path, (two_minutes_ago, two_minutes_ago))
    look = look_at(path, SOON)
    assert look.ended is closed
    assert closed or "has no closing time" in look.why
    leave(path)
    assert look_at(path, SOON).ended


def test_a_journal_of_a_week_is_read_in_a_moment(tmp_path):
    """64 channels: 150,000 pieces."""
    from wakeful.io.mirror.journal import Journal, Pieces

    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        for first in range(0, 2300, 46):
            stop = piece_bounds(first + 45, 1 << 60)[1]
            digests = tuple(f"{i:032x}" for i in range(46))
            journal.add_pieces(
                [Pieces(f"CSC{c}.ncs", first, digests, stop, "0" * 16) for c in range(64)]
            )
    began = time.process_time()
    with Journal(path) as journal:
        assert len(journal.files["CSC63.ncs"].digests) == 2300
    assert time.process_time() - began < 3.0


def test_no_room_is_said_before_anything_is_copied(source, tmp_path, monkeypatch):
    class Usage:
        free = 1 << 20

    monkeypatch.setattr(passes.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(BadRecording, match="are free"):
        follow(source, tmp_path / "in")


def test_a_full_disk_is_said_in_plain_words(source, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(carrying.os, "pwrite", full)
    with pytest.raises(BadRecording, match="the disk is full; make room"):
        take_in(source, tmp_path / "in", in_place=False)


def test_intakes_of_the_older_layout_are_read_once_and_copied_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "GRANULE", 16 << 20)
    source, folder = tmp_path / "rec", tmp_path / "in"
    (folder / "data").mkdir(parents=True)
    source.mkdir()
    data = {"a.dat": RANDOM.bytes((33 << 20) + 9), "b.dat": RANDOM.bytes(100), "c.dat": b""}
    files = []
    for name, content in data.items():
        for place in (source, folder / "data"):
            (place / name).write_bytes(content)
        granules = [
            xxhash.xxh3_128_hexdigest(content[i : i + (16 << 20)])
            for i in range(0, len(content), 16 << 20)
        ]
        stat = (source / name).stat()
        files.append(
            {"file": name, "bytes": len(content), "modified_ns": stat.st_mtime_ns,
             "granules": granules}
        )  # fmt: skip
    (folder / "journal.jsonl").write_text("".join(json.dumps(f) + "\n" for f in files))
    old = {
        "source": str(source), "root": str(folder / "data"), "in_place": False, "files": files,
        "replaced": ["b.dat"], "complete": True,
    }  # fmt: skip
    (folder / MANIFEST_NAME).write_text(json.dumps(old))
    damaged = bytearray(data["b.dat"])
    damaged[3] ^= 1
    (folder / "data" / "b.dat").write_bytes(damaged)
    assert read_manifest(folder) is None
    seen = []
    manifest = take_in(source, folder, in_place=False, on_verified=lambda *w: seen.append(w[0]))
    assert [p.name for p in seen] == ["b.dat"], "only the damaged copy is made again"
    assert manifest.complete
    assert manifest.replaced == ("b.dat",)
    check(manifest, source)
    assert scrub(manifest, with_blake3=True) == ()
    (folder / MANIFEST_NAME).write_text(json.dumps(old))
    for path in source.iterdir():
        path.unlink()
    source.rmdir()
    again = take_in(source, folder, in_place=False)
    assert again.complete
    assert again.files == manifest.files
