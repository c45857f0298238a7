"""Neuralynx folders that are still being written, and files that continue a channel."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.recording import read_recording
from wakeful.io.registry import READERS, Growth
from wakeful.model.errors import BadRecording, StillGrowing
from wakeful.model.recording import Recording, Stream
from wakeful.model.time import Interval, cut_spans

HEADER, RECORD, PER = 16_384, 1044, 512
SETTLED = 2400
"""More records of 0.256 s than a beginning needs to be settled."""


def _one(path: Path, growth: Growth | None = None) -> tuple[Recording, Stream]:
    recording = read_recording(path, growth=growth)
    (stream,) = recording.description.streams
    return recording, stream


def _samples(recording: Recording, stream: Stream, row: int = 0) -> np.ndarray:
    source = recording.open(stream.name)
    out = np.empty((1, sum(span.n_samples for span in stream.spans)), np.int16)
    for span in stream.spans:
        source.read(span.first_sample, out[:, span.first_sample : span.stop_sample], [row])
    return out[0]


def _write(
    files: ModuleType, folder: Path, records: np.ndarray, name: str, entity: str = "", **header: str
) -> Path:
    head = files.ncs_header(entity or name, int(records["rate"][0]), **header)
    return files.write_ncs(folder / f"{name}.ncs", head, records)


def _bytes(**n_records: float) -> Growth:
    return Growth({f"{k}.ncs": HEADER + round(n * RECORD) for k, n in n_records.items()})


# --- growing --------------------------------------------------------------------------------------


def test_only_what_is_verified_is_read(files: ModuleType, tmp_path: Path) -> None:
    for name in ("CSC1", "CSC2"):
        _write(files, tmp_path, files.ncs_records(40, channel=int(name[-1])), name)
    damaged = bytearray((tmp_path / "CSC2.ncs").read_bytes())
    damaged[HEADER + 20 * RECORD :] = b"\xff" * (20 * RECORD)
    (tmp_path / "CSC2.ncs").write_bytes(bytes(damaged))
    recording, stream = _one(tmp_path, _bytes(CSC1=30.5, CSC2=20))
    assert stream.growing
    assert stream.settled_s == 0.0, "ten seconds settle nothing"
    assert [span.n_samples for span in stream.spans] == [20 * PER]
    np.testing.assert_array_equal(_samples(recording, stream, 1), files.ramp(20 * PER, 2))
    assert READERS["neuralynx"].follows


def test_room_that_is_not_filled_yet_is_not_there(files: ModuleType, tmp_path: Path) -> None:
    for name, n in (("CSC1", 12), ("CSC2", 7)):
        path = _write(files, tmp_path, files.ncs_records(12), name)
        with path.open("r+b") as file:
            file.seek(HEADER + n * RECORD)
            file.write(bytes((12 - n) * RECORD))
    _, stream = _one(tmp_path, _bytes(CSC1=12, CSC2=12))
    assert [span.n_samples for span in stream.spans] == [7 * PER]


def test_files_that_are_not_listed_do_not_exist(files: ModuleType, tmp_path: Path) -> None:
    for name in ("CSC1", "CSC2"):
        _write(files, tmp_path, files.ncs_records(12), name)
    _, stream = _one(tmp_path, _bytes(CSC2=12))
    assert [channel.name for channel in stream.channels] == ["CSC2"]


@pytest.mark.parametrize("behind", [0.0, 0.5, -3.0])
def test_a_channel_that_is_behind_is_waited_for(
    files: ModuleType, tmp_path: Path, behind: float
) -> None:
    for name in ("CSC1", "CSC2"):
        _write(files, tmp_path, files.ncs_records(12), name)
    with pytest.raises(StillGrowing, match=r"no records yet of CSC2\.ncs"):
        read_recording(tmp_path, growth=_bytes(CSC1=12, CSC2=behind))


def test_a_header_alone_is_left_aside_once_the_others_are_far_ahead(
    files: ModuleType, tmp_path: Path
) -> None:
    _write(files, tmp_path, files.ncs_records(SETTLED), "CSC1")
    (tmp_path / "CSC2.ncs").write_bytes(files.ncs_header("CSC2"))
    with pytest.raises(StillGrowing):
        read_recording(tmp_path, growth=_bytes(CSC1=500, CSC2=0))
    recording, stream = _one(tmp_path, _bytes(CSC1=SETTLED, CSC2=0))
    assert [channel.name for channel in stream.channels] == ["CSC1"]
    assert any("left aside: CSC2.ncs" in text for text in recording.description.warnings)


def test_a_file_may_hold_a_step_of_records_of_which_only_the_header_is_verified(
    files: ModuleType, tmp_path: Path
) -> None:
    for name in ("CSC1", "CSC2"):
        _write(files, tmp_path, files.ncs_records(SETTLED), name)
    sizes = _bytes(CSC1=SETTLED, CSC2=0).n_bytes
    n_unseen = 20
    with pytest.raises(StillGrowing, match=r"no records yet of CSC2\.ncs"):
        read_recording(tmp_path, growth=Growth(sizes, (n_unseen + 60) * RECORD))
    # CSC1 is 14.4 s ahead of the ten minutes, which is 56 records.
    _, stream = _one(tmp_path, Growth(sizes, n_unseen * RECORD))
    assert [channel.name for channel in stream.channels] == ["CSC1"]


def test_the_real_constants_settle_after_ten_minutes(files: ModuleType, tmp_path: Path) -> None:
    records = files.ncs_records(3 * SETTLED, true_rate_hz=2000.1)
    for name in ("CSC1", "CSC2"):
        _write(files, tmp_path, records, name)
    whole_recording, whole = _one(tmp_path)
    for n in (SETTLED - 100, SETTLED + 100, 2 * SETTLED):
        recording, stream = _one(tmp_path, _bytes(CSC1=n, CSC2=n + 300))
        duration_s = n * PER / 2000.1
        expected = 0.0 if n < SETTLED else duration_s - 600
        assert stream.settled_s == pytest.approx(expected, abs=0.01)
        settled = Interval(0.0, stream.settled_s)
        assert cut_spans(stream.spans, settled) == cut_spans(whole.spans, settled)
        ranges = recording.byte_ranges(stream.name, settled)
        assert ranges == whole_recording.byte_ranges(whole.name, settled)
    assert not whole.growing
    assert whole.settled_s == np.inf


def test_a_channel_that_stalls_is_named(files: ModuleType, tmp_path: Path) -> None:
    for name in ("CSC1", "CSC2", "CSC3"):
        _write(files, tmp_path, files.ncs_records(2 * SETTLED), name)
    step = 300 * RECORD

    def warned(n_behind: int) -> list[str]:
        sizes = _bytes(CSC1=2 * SETTLED, CSC2=2 * SETTLED - n_behind, CSC3=2 * SETTLED).n_bytes
        recording, _ = _one(tmp_path, Growth(sizes, step))
        return [text for text in recording.description.warnings if "no new samples" in text]

    # Ten minutes and two steps are 2,344 + 600 records.
    assert not warned(2900)
    (text,) = warned(3000)
    assert text.startswith("no new samples of CSC2.ncs for the last 0.2 h of the others")
    whole, _ = _one(tmp_path)
    assert not whole.description.warnings


# --- files that continue a channel ----------------------------------------------------------------


def test_files_that_continue_a_channel_are_one(files: ModuleType, tmp_path: Path) -> None:
    records = files.ncs_records(60, lost_after={29: 3000})
    cuts = {"": (0, 20), "_0001": (20, 30), "_0002": (30, 60)}
    for channel in ("CSC1", "CSC2"):
        for turn, (a, b) in cuts.items():
            _write(files, tmp_path, records[a:b], channel + turn, channel)
    recording, stream = _one(tmp_path)
    assert [channel.name for channel in stream.channels] == ["CSC1", "CSC2"]
    assert stream.name == "2000Hz-2ch"
    assert [span.n_samples for span in stream.spans] == [30 * PER, 30 * PER]
    assert stream.files[:3] == ("CSC1.ncs", "CSC1_0001.ncs", "CSC1_0002.ncs")
    planted = np.concatenate(
        [files.ramp(30 * PER), files.ramp(60 * PER + 3000, 0, 30 * PER + 3000)]
    )
    np.testing.assert_array_equal(_samples(recording, stream, 1), planted)


def test_a_file_that_is_new_changes_nothing_before_it(files: ModuleType, tmp_path: Path) -> None:
    records = files.ncs_records(60)
    _write(files, tmp_path, records[:40], "CSC1")
    before_recording, before = _one(tmp_path)
    _write(files, tmp_path, records[40:], "CSC1_0001", "CSC1")
    recording, stream = _one(tmp_path)
    assert stream.spans[0].n_samples == 60 * PER
    block = Interval(0.0, 5.0)
    assert recording.byte_ranges(stream.name, block) == before_recording.byte_ranges(
        before.name, block
    )
    assert {r.file for r in recording.byte_ranges(stream.name, Interval(9.0, 12.0))} == {
        "CSC1.ncs",
        "CSC1_0001.ncs",
    }


def test_a_file_is_continued_only_once_it_is_whole(files: ModuleType, tmp_path: Path) -> None:
    records = files.ncs_records(60)
    _write(files, tmp_path, records[:40], "CSC1")
    _write(files, tmp_path, records[40:], "CSC1_0001", "CSC1")
    _, stream = _one(tmp_path, _bytes(CSC1=30, CSC1_0001=20))
    assert stream.spans[-1].stop_sample == 30 * PER
    _, stream = _one(tmp_path, _bytes(CSC1=40, CSC1_0001=10))
    assert stream.spans[-1].stop_sample == 50 * PER
    _, stream = _one(tmp_path, _bytes(CSC1=40, CSC1_0001=0))
    assert stream.spans[-1].stop_sample == 40 * PER


def test_names_with_digits_of_other_channels_are_not_joined(
    files: ModuleType, tmp_path: Path
) -> None:
    records = files.ncs_records(20)
    _write(files, tmp_path, records, "LFP_0001")
    _write(files, tmp_path, records, "LFP_0002")
    _, stream = _one(tmp_path)
    assert [channel.name for channel in stream.channels] == ["LFP_0001", "LFP_0002"]


def test_takes_of_the_same_time_are_not_joined(files: ModuleType, tmp_path: Path) -> None:
    _write(files, tmp_path, files.ncs_records(20), "CSC1")
    _write(files, tmp_path, files.ncs_records(20, lost_after={5: 40}), "CSC1_0001", "CSC1")
    streams = read_recording(tmp_path).description.streams
    assert [s.name for s in streams] == ["2000Hz-1ch", "2000Hz-1ch-2"]


def test_a_gain_that_changes_is_refused(files: ModuleType, tmp_path: Path) -> None:
    records = files.ncs_records(20)
    _write(files, tmp_path, records[:10], "CSC1")
    _write(files, tmp_path, records[10:], "CSC1_0001", "CSC1", ADBitVolts="0.0000001")
    with pytest.raises(
        BadRecording, match=r"CSC1_0001\.ncs: continues CSC1\.ncs with another gain"
    ):
        read_recording(tmp_path)
