"""Raw data opened again: the same bytes, the same channels, or an error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wakeful.io.mirror import GRANULE, HEAD_BYTES, take_in
from wakeful.io.recording import read_recording
from wakeful.model.errors import BadRecording
from wakeful.model.recording import ByteRange
from wakeful.pipeline.plan import RecordingReference
from wakeful.pipeline.raw import check_bytes, open_raw
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
