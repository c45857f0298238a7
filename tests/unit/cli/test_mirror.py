"""wakeful mirror and wakeful verify --raw, as a person or a script calls them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wakeful.cli import app
from wakeful.io.mirror import GRANULE, HEAD_BYTES, read_manifest
from wakeful.model.errors import BadParameters, BadRow, NoRecording

runner = CliRunner()


def call(*arguments: str):
    result = runner.invoke(app, list(map(str, arguments)))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def call_json(*arguments: str):
    return json.loads(call(*arguments, "--json").output)


@pytest.fixture
def library(tmp_path):
    root = tmp_path / "lib"
    call("init", str(root))
    config = root / "wakeful.toml"
    config.write_text(config.read_text().replace("settle_s = 10 ", "settle_s = 0.5 "))
    return root


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "rec"
    folder.mkdir()
    for i in range(2):
        data = np.random.default_rng(i).bytes(HEAD_BYTES + 70_000)
        (folder / f"CSC{i}.ncs").write_bytes(data)
        os.utime(folder / f"CSC{i}.ncs", (time.time() - 3600,) * 2)
    return folder


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_finished_recording_is_mirrored_and_a_second_call_changes_nothing(library, source):
    said = call("mirror", source, "-l", library).output
    assert "whole" in said
    assert "2 files" in said
    tree = call_json("mirror", source, "-l", library)
    assert tree["complete"]
    assert tree["files"] == 2
    manifest = read_manifest(Path(tree["folder"]))
    assert (manifest.base / "CSC1.ncs").read_bytes() == (source / "CSC1.ncs").read_bytes()


@pytest.mark.slow
def test_a_growing_recording_is_followed_to_its_end(library, tmp_path):
    source = tmp_path / "growing"
    source.mkdir()
    code = (
        "import sys, time, os\n"
        "f = open(sys.argv[1], 'wb', buffering=0)\n"
        "for _ in range(10):\n"
        "    f.write(os.urandom(2_500_000)); print(flush=True); time.sleep(0.25)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(source / "a.dat")], stdout=subprocess.PIPE
    ) as writer:
        writer.stdout.readline()
        first = call_json("mirror", source, "-l", library)
        assert not first["complete"]
        assert "a.dat is held open for writing by python" in first["why"]
        assert first["bytes"] <= HEAD_BYTES + GRANULE
        last = call_json("mirror", source, "-l", library, "--follow")
    assert last["complete"]
    assert last["why"] == ""  # nothing is waited for any more
    assert last["bytes"] == 25_000_000
    manifest = read_manifest(Path(last["folder"]))
    assert (manifest.base / "a.dat").read_bytes() == (source / "a.dat").read_bytes()


def test_damage_is_named_and_mended(library, source):
    folder = Path(call_json("mirror", source, "-l", library)["folder"])
    for name, at in (("CSC0.ncs", 5), ("CSC1.ncs", HEAD_BYTES + 5)):
        flip(folder / "data" / name, at)
    result = runner.invoke(app, ["verify", "--raw", "-l", str(library), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.output) == {
        str(source): [
            {"file": "CSC0.ncs", "start": 0, "stop": HEAD_BYTES, "what": "differ"},
            {"file": "CSC1.ncs", "start": HEAD_BYTES, "stop": 86_384, "what": "differ"},
        ]
    }
    said = runner.invoke(app, ["verify", "--raw", "-l", str(library)])
    assert said.exit_code == 1
    assert "CSC1.ncs: bytes 16,384 to 86,384 differ" in said.output
    flip(source / "CSC1.ncs", HEAD_BYTES + 9)
    os.utime(source / "CSC1.ncs", ns=(0, read_manifest(folder).files[1].modified_ns))
    half = runner.invoke(app, ["mirror", str(source), "-l", str(library), "--repair"])
    assert half.exit_code == 1
    assert "CSC0.ncs: bytes 0 to 16,384 differ: mended" in half.output
    assert "CSC1.ncs: bytes 16,384 to 86,384 differ: still damaged" in half.output
    flip(source / "CSC1.ncs", HEAD_BYTES + 9)
    os.utime(source / "CSC1.ncs", ns=(0, read_manifest(folder).files[1].modified_ns))
    assert call_json("mirror", source, "-l", library, "--repair")["left_damaged"] == []
    assert call("verify", "--raw", "--blake3", "-l", library).exit_code == 0


def test_a_mirror_whose_source_is_gone_is_still_looked_after(library, source, tmp_path):
    call("mirror", source, "-l", library)
    for path in source.iterdir():
        path.unlink()
    source.rmdir()
    tree = call_json("mirror", source, "-l", library, "--second-copy", tmp_path / "backup")
    assert tree["why"] == "the source is gone; the mirror is whole"
    assert (Path(tree["second_copy"]) / "data" / "CSC0.ncs").is_file()
    with pytest.raises(NoRecording):
        call("mirror", tmp_path / "never", "-l", library)


def test_combinations_that_make_no_sense_are_refused(library, source):
    with pytest.raises(BadParameters, match="second copy"):
        call("mirror", source, "-l", library, "--delete-source")
    with pytest.raises(BadParameters, match="without --in-place"):
        call("mirror", source, "-l", library, "--in-place", "--second-copy", "/b")
    with pytest.raises(BadParameters, match="at a remote"):
        call("mirror", "lab:rec", "-l", library, "--delete-source", "--second-copy", "/b")


def test_data_can_be_hashed_where_it_is(library, source):
    tree = call_json("mirror", source, "-l", library, "--in-place")
    assert tree["complete"]
    assert not (Path(tree["folder"]) / "data").exists()
    assert "hashed where it is" in call("mirror", source, "-l", library, "--in-place").output


def test_a_remote_becomes_a_recording_that_a_row_can_name(library, source, tmp_path):
    (tmp_path / "rclone.conf").write_text(f"[far]\ntype = alias\nremote = {tmp_path}\n")
    config = library / "wakeful.toml"
    text = config.read_text()
    config.write_text(
        text.replace("[work]\n", f'[work]\nrclone_config = "{tmp_path / "rclone.conf"}"\n')
    )
    tree = call_json("mirror", "far:rec", "-l", library)
    assert tree["complete"]
    assert tree["source"] == "far:rec"
    manifest = read_manifest(Path(tree["folder"]))
    assert manifest.source == str(library / "far:rec")
    added = call("add", "far:rec", "--subject", "M1", "-l", library)
    assert added.exit_code == 0
    assert "row 1 added" in added.output
    with pytest.raises(BadRow, match="not there"):
        call("add", "far:other", "--subject", "M1", "-l", library)
