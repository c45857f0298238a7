"""Raw data opened again: the same bytes, the same channels, or an error."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wakeful.io.mirror import GRANULE, HEAD_BYTES, take_in
from wakeful.io.recording import read_recording
from wakeful.model.errors import BadRecording
from wakeful.model.recording import ByteRange
from wakeful.model.time import Interval
from wakeful.pipeline import raw as raw_module
from wakeful.pipeline.plan import RecordingReference
from wakeful.pipeline.raw import CheckInPassing, check_bytes, open_raw
from wakeful.simulate import RecordingPlan, SubjectPlan
from wakeful.simulate.neuralynx import write_neuralynx


def test_a_flipped_bit_is_found_where_it_matters(tmp_path):
    source = tmp_path / "a.bin"
    source.write_bytes(np.random.default_rng(0).bytes(2 * GRANULE + 500))
    manifest = take_in(source, tmp_path / "in", in_place=False)
    everything = [ByteRange("a.bin", 0, 2 * GRANULE + 500)]
    check_bytes(manifest, everything)
    with Path(manifest.root).open("r+b") as file:
        file.seek(GRANULE - 7)
        byte = file.read(1)
        file.seek(GRANULE - 7)
        file.write(bytes([byte[0] ^ 1]))
    check_bytes(manifest, [ByteRange("a.bin", 10, HEAD_BYTES)])
    check_bytes(manifest, [ByteRange("a.bin", HEAD_BYTES + GRANULE, 2 * GRANULE)])
    with pytest.raises(BadRecording, match="bytes 16,384 to 16,793,600 are not what was taken in"):
        check_bytes(manifest, everything)


@pytest.fixture
def taken(tmp_path):
    plan = RecordingPlan(subject=SubjectPlan(seed=1), duration_s=20.0, rate_hz=2000)
    write_neuralynx(plan, tmp_path / "rec")
    manifest = take_in(tmp_path / "rec", tmp_path / "in", in_place=True)
    stream = read_recording(tmp_path / "rec").description.streams[0]
    reference = RecordingReference(
        manifest_folder=str(tmp_path / "in"), stream=stream.name, channels=stream.channels[2:4]
    )
    return tmp_path / "rec", manifest, reference


def test_only_the_planned_channels_are_opened(taken):
    _, _, reference = taken
    raw = open_raw(reference)
    assert [c.name for c in raw.source.channels] == [c.name for c in reference.channels]
    assert raw.stream.channels == reference.channels


def test_a_stream_is_found_by_its_channels_where_its_name_has_changed(taken):
    _, _, reference = taken
    assert open_raw(replace(reference, stream="2000Hz-9ch-7gaps")).stream.rate_hz == 2000
    lost = replace(reference.channels[0], name="CSC99")
    with pytest.raises(BadRecording, match="CSC99"):
        open_raw(replace(reference, channels=(lost,)))


def test_data_used_in_place_must_be_as_it_was(taken):
    folder, _, reference = taken
    (folder / "CSC1.ncs").touch()
    with pytest.raises(BadRecording, match=r"CSC1\.ncs: has changed since it was taken in"):
        open_raw(reference)
    (folder / "CSC1.ncs").unlink()
    with pytest.raises(BadRecording, match=r"CSC1\.ncs: is gone"):
        open_raw(reference)


def test_bytes_are_checked_once_when_they_are_first_read(taken, monkeypatch):
    folder, manifest, reference = taken
    looked_at = []

    def count(manifest, ranges):
        looked_at.extend(piece.file for piece in ranges)
        check_bytes(manifest, ranges)

    monkeypatch.setattr(raw_module, "check_bytes", count)
    raw = open_raw(reference)
    whole = Interval(0.0, 20.0)
    raw.check(whole, 0.0)
    assert looked_at == []
    out = np.empty((2, 1000), np.int16)
    for first in (0, 1000, 2000):
        raw.source.read(first, out)
    assert len(looked_at) == len(set(looked_at)) == 2
    # Damage in a channel that nobody reads is not in the way; in one that is read it is.
    names = {entry.file for entry in manifest.files if entry.file.endswith(".ncs")}
    for name in sorted(names - set(looked_at)):
        _flip(folder / name, -100)
    raw = open_raw(reference)
    raw.source.read(0, out)
    _flip(folder / looked_at[1], -100)
    raw = open_raw(reference)
    raw.source.read(0, out[:1], [0])
    with pytest.raises(BadRecording, match="are not what was taken in"):
        raw.source.read(0, out[:1], [1])


def _flip(path, at):
    """Change one byte and leave the file's time as it was."""
    stat = path.stat()
    with path.open("r+b") as file:
        file.seek(at, 2)
        byte = file.read(1)
        file.seek(at, 2)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_many_threads_check_each_piece_once(taken, monkeypatch):
    _, manifest, _ = taken
    looked_at = []
    monkeypatch.setattr(raw_module, "check_bytes", lambda _, ranges: looked_at.extend(ranges))
    checks = CheckInPassing(manifest)
    root = Path(manifest.root)
    files = [root / entry.file for entry in manifest.files]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: checks.check(path, 17_000, 18_000), files * 50))
    assert sorted(piece.file for piece in looked_at) == sorted(e.file for e in manifest.files)
