"""Other places by rclone: real servers on this machine, real failures, no secret in any message."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from wakeful.io.mirror import ASIDE_NAME, is_current, read_manifest, scrub, take_in
from wakeful.io.mirror.copies import check_second_copy, make_second_copy
from wakeful.io.mirror.rclone import Rclone, Unreachable, find_rclone, is_remote, redact
from wakeful.io.mirror.remote import INCOMING_NAME, take_in_remote
from wakeful.model.errors import BadConfig, BadRecording, NoRecording, StillGrowing

RANDOM = np.random.default_rng(3)
PASSWORD = "hunter2-correct-horse"


def obscured() -> str:
    return subprocess.run(
        [find_rclone(), "obscure", PASSWORD], check=True, capture_output=True, text=True
    ).stdout.strip()


@contextmanager
def serving(kind: str, folder: Path, *options: str) -> Iterator[int]:
    """A server of rclone's own on a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [find_rclone(), "serve", kind, str(folder), "--addr", f"127.0.0.1:{port}", *options]
    with subprocess.Popen(
        [*map(str, command), "--config", os.devnull], stderr=subprocess.DEVNULL
    ) as server:
        try:
            for _ in range(400):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield port
        finally:
            server.kill()


@pytest.fixture
def place(tmp_path) -> Path:
    """A folder that servers offer, with a recording in it."""
    rec = tmp_path / "served" / "bucket" / "rec"
    (rec / "sub").mkdir(parents=True)
    (rec / "CSC1.ncs").write_bytes(RANDOM.bytes(200_000))
    (rec / "sub" / "Events 1.nev").write_bytes(RANDOM.bytes(17))
    (rec / ".hidden").write_bytes(b"no")
    old = int(time.time()) - 3600
    for path in rec.rglob("*"):
        os.utime(path, (old, old))
    return tmp_path / "served"


def configured(tmp_path: Path, text: str) -> Rclone:
    config = tmp_path / "rclone.conf"
    config.write_text(text)
    return Rclone(config=config, pauses_s=(0.1, 0.1))


@pytest.fixture
def alias(place, tmp_path) -> Rclone:
    return configured(tmp_path, f"[disk]\ntype = alias\nremote = {place}\n")


def same(manifest, rec: Path) -> None:
    wanted = {
        p.relative_to(rec).as_posix(): p.read_bytes()
        for p in rec.rglob("*")
        if p.is_file() and p.name != ".hidden"
    }
    assert {e.file: (manifest.base / e.file).read_bytes() for e in manifest.files} == wanted
    assert scrub(manifest, with_blake3=True) == ()


SERVERS = {
    "sftp": (
        ("--user", "lab", "--pass", PASSWORD),
        "[lab]\ntype = sftp\nhost = 127.0.0.1\nport = {port}\nuser = lab\npass = {secret}\n",
    ),
    "webdav": (
        ("--user", "lab", "--pass", PASSWORD),
        (
            "[lab]\ntype = webdav\nurl = http://127.0.0.1:{port}\nvendor = other\nuser = lab\n"
            "pass = {secret}\n"
        ),
    ),
    "s3": (
        ("--auth-key", f"lab,{PASSWORD}"),
        "[lab]\ntype = s3\nprovider = Rclone\nendpoint = http://127.0.0.1:{port}\n"
        "access_key_id = lab\nsecret_access_key = " + PASSWORD + "\nuse_multipart_etag = false\n",
    ),
}


@pytest.mark.parametrize("kind", SERVERS)
def test_there_and_back_over_a_real_server(kind, place, tmp_path):
    options, config = SERVERS[kind]
    with serving(kind, place, *options) as port:
        rclone = configured(tmp_path, config.format(port=port, secret=obscured()))
        folder = tmp_path / "in"
        manifest = take_in_remote("lab:bucket/rec", tmp_path / "lab:bucket/rec", folder, rclone)
        assert manifest.complete
        same(manifest, place / "bucket" / "rec")
        assert not (folder / INCOMING_NAME).exists()
        second = make_second_copy(manifest, folder, "lab:bucket/copies", rclone)
        assert second.place == "lab:bucket/copies/in"
        copied = place / "bucket" / "copies" / "in"
        for entry in manifest.files:
            there = (copied / "data" / entry.file).read_bytes()
            assert there == (manifest.base / entry.file).read_bytes()
        assert read_manifest(copied) == manifest
        damaged = copied / "data" / "CSC1.ncs"
        stat, data = damaged.stat(), bytearray(damaged.read_bytes())
        data[1234] ^= 1
        damaged.write_bytes(data)
        os.utime(damaged, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        with pytest.raises(BadRecording, match=r"differs from the mirror: CSC1\.ncs"):
            check_second_copy(manifest, folder, "lab:bucket/copies", rclone)
        for path in (folder / "journal.jsonl", folder / "manifest.json"):
            assert PASSWORD not in path.read_text()


def test_without_checksums_at_the_place_the_bytes_are_compared(place, tmp_path):
    """What was uploaded in parts without a checksum has none that could be compared."""
    options, config = SERVERS["s3"]
    with serving("s3", place, *options, "--etag-hash", "") as port:
        rclone = configured(tmp_path, config.format(port=port, secret=obscured()))
        rec, folder = place / "bucket" / "rec", tmp_path / "in"
        wrong = folder / INCOMING_NAME / "CSC1.ncs"
        wrong.parent.mkdir(parents=True)
        data = bytearray((rec / "CSC1.ncs").read_bytes())
        data[99] ^= 4
        wrong.write_bytes(data)
        listed = {one.file: one for one in rclone.list_files("lab:bucket/rec")}
        os.utime(wrong, (listed["CSC1.ncs"].modified_s,) * 2)
        with pytest.raises(BadRecording, match=r"the first is CSC1\.ncs"):
            take_in_remote("lab:bucket/rec", tmp_path / "x", folder, rclone)


def test_the_row_finds_what_was_taken_in_from_a_remote(alias, tmp_path):
    source = tmp_path / "lab" / "disk:bucket/rec"
    manifest = take_in_remote("disk:bucket/rec", source, tmp_path / "in", alias)
    assert manifest.source == str(source)
    assert is_current(manifest, source, in_place=False)


def test_a_second_time_only_what_changed_is_copied(alias, place, tmp_path):
    rec, folder = place / "bucket" / "rec", tmp_path / "in"
    source = tmp_path / "disk:bucket/rec"
    first = take_in_remote("disk:bucket/rec", source, folder, alias)
    inode = (first.base / "CSC1.ncs").stat().st_ino
    assert take_in_remote("disk:bucket/rec", source, folder, alias) == first
    (rec / "sub" / "Events 1.nev").write_bytes(b"others")
    (rec / "new.nev").write_bytes(b"new")
    old = time.time() - 1800
    for path in (rec / "new.nev", rec / "sub" / "Events 1.nev"):
        os.utime(path, (old, old))
    earlier = (first.base / "sub" / "Events 1.nev").read_bytes()
    second = take_in_remote("disk:bucket/rec", source, folder, alias)
    same(second, rec)
    assert (second.base / "CSC1.ncs").stat().st_ino == inode
    assert second.replaced == ("sub/Events 1.nev",)
    (kept,) = (folder / ASIDE_NAME).rglob("Events 1.nev")
    assert kept.read_bytes() == earlier
    (rec / "new.nev").unlink()
    third = take_in_remote("disk:bucket/rec", source, folder, alias)
    same(third, rec)
    assert (folder / ASIDE_NAME).rglob("new.nev")


def test_what_a_kill_left_is_used_only_after_it_was_checked(alias, place, tmp_path):
    folder = tmp_path / "in"
    rec = place / "bucket" / "rec"
    for half in (folder / "data" / "CSC1.ncs", folder / INCOMING_NAME / "sub" / "Events 1.nev"):
        half.parent.mkdir(parents=True)
        half.write_bytes(b"half")
    same(take_in_remote("disk:bucket/rec", tmp_path / "x", folder, alias), rec)


def test_what_differs_from_the_remote_after_copying_is_refused(alias, place, tmp_path):
    """A copy of the right size and time, but of other bytes: only the checksums can tell."""
    rec, folder = place / "bucket" / "rec", tmp_path / "in"
    wrong = folder / INCOMING_NAME / "CSC1.ncs"
    wrong.parent.mkdir(parents=True)
    data = bytearray((rec / "CSC1.ncs").read_bytes())
    data[99] ^= 4
    wrong.write_bytes(data)
    stat = (rec / "CSC1.ncs").stat()
    os.utime(wrong, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(BadRecording, match=r"1 of 2 files differ .* the first is CSC1\.ncs"):
        take_in_remote("disk:bucket/rec", tmp_path / "x", folder, alias)
    assert read_manifest(folder) is None
    same(take_in_remote("disk:bucket/rec", tmp_path / "x", folder, alias), rec)


def test_a_place_may_be_a_single_file(alias, place, tmp_path):
    rec = place / "bucket" / "rec"
    for text in ("disk:bucket/rec/CSC1.ncs", "deep:CSC1.ncs"):
        with (tmp_path / "rclone.conf").open("a") as file:
            file.write(f"[deep]\ntype = alias\nremote = {rec}\n")
        folder = tmp_path / text.partition(":")[0]
        manifest = take_in_remote(text, tmp_path / text.replace(":", ":/"), folder, alias)
        assert Path(manifest.root).read_bytes() == (rec / "CSC1.ncs").read_bytes()
        assert [e.file for e in manifest.files] == ["CSC1.ncs"]
        assert scrub(manifest) == ()


def test_a_remote_that_was_written_to_just_now_is_waited_for(alias, place, tmp_path):
    (place / "bucket" / "rec" / "CSC1.ncs").touch()
    with pytest.raises(StillGrowing, match=r"CSC1\.ncs was written to"):
        take_in_remote("disk:bucket/rec", tmp_path / "x", tmp_path / "in", alias)


def test_an_unknown_remote_is_named(alias):
    with pytest.raises(BadConfig, match=r"no remote called 'nowhere'.*rclone config"):
        alias.list_files("nowhere:rec")


def test_nothing_there_is_said(alias):
    with pytest.raises(NoRecording, match="there is nothing here"):
        alias.list_files("disk:bucket/absent")


def test_a_wrong_password_is_no_permission_and_is_not_shown(place, tmp_path):
    with serving("webdav", place, "--user", "lab", "--pass", "another") as port:
        config = SERVERS["webdav"][1].format(port=port, secret=obscured())
        rclone = configured(tmp_path, config)
        with pytest.raises(BadRecording, match="no permission") as caught:
            rclone.list_files("lab:bucket/rec")
    assert PASSWORD not in str(caught.value)
    assert "another" not in str(caught.value)


def test_a_server_that_is_down_is_tried_again_but_not_for_ever(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = SERVERS["webdav"][1].format(port=port, secret=obscured())
    rclone = configured(tmp_path, config)
    with pytest.raises(Unreachable, match="can't be reached, tried 3 times"):
        rclone.list_files("lab:bucket/rec")


def test_passwords_in_paths_are_not_taken(alias):
    with pytest.raises(BadConfig, match="rclone config") as caught:
        alias.list_files(f":sftp,host=127.0.0.1,user=lab,pass={PASSWORD}:rec")
    assert PASSWORD not in str(caught.value)


def test_messages_hold_no_secrets():
    text = 'Get "http://lab:geheim@host/x?token=abc&signature=def": pass=geheim dial tcp: refused'
    assert redact(text) == (
        'Get "http://***@host/x?token=***&signature=*** pass=*** dial tcp: refused'
    )


@pytest.mark.parametrize(
    ("text", "remote"),
    [
        ("lab:folder/rec", True),
        ("my-s3.2:", True),
        ("/data/rec", False),
        ("rec", False),
        ("C:/data", False),
        ("a folder/b:c", False),
        (":sftp,host=x:rec", True),
    ],
)
def test_what_a_remote_looks_like(text, remote):
    assert is_remote(text) is remote


def test_a_mirror_goes_to_a_remote_with_its_manifest(alias, place, tmp_path):
    source = tmp_path / "rec"
    source.mkdir()
    (source / "a.dat").write_bytes(RANDOM.bytes(50_000))
    folder = tmp_path / "in"
    manifest = take_in(source, folder, in_place=False)
    make_second_copy(manifest, folder, "disk:copies", alias)
    make_second_copy(manifest, folder, "disk:copies", alias)
    assert sorted(p.name for p in (place / "copies" / "in").iterdir()) == [
        "BLAKE3SUMS",
        "data",
        "manifest.json",
    ]
    (place / "copies" / "in" / "data" / "a.dat").unlink()
    with pytest.raises(BadRecording, match=r"differs from the mirror: a\.dat"):
        check_second_copy(manifest, folder, "disk:copies", alias)
