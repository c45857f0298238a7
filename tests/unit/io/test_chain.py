"""Files that continue each other, and those that only look like it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tests import acquisition_files as files
from tests import plexon_files

from wakeful.io.chain import join_recordings
from wakeful.io.recording import read_recording
from wakeful.model.errors import BadRecording
from wakeful.model.time import Interval


def _edf(
    path: Path, clock: str, n_records: int = 5, day: str = "30.03.25", patient: str = "X X X X"
) -> Path:
    files.write_edf(path, ["EEG", "EMG"], [100, 100], n_records)
    raw = path.read_bytes()
    full = f"Startdate {day[:2]}-MAR-20{day[6:]} X X X".encode().ljust(80)
    head = raw[:8] + patient.encode().ljust(80) + full + f"{day}{clock}".encode()
    path.write_bytes(head + raw[184:])
    return path


def test_an_hour_a_file_is_one_recording_with_its_gaps(tmp_path: Path) -> None:
    _edf(tmp_path / "M1_2.edf", "20.00.09")
    _edf(tmp_path / "M1_10.edf", "20.00.20")
    _edf(tmp_path / "M1_1.edf", "20.00.04")
    recording = read_recording(tmp_path)
    description = recording.description
    (stream,) = description.streams
    assert [(s.start_s, s.n_samples) for s in stream.spans] == [(0, 500), (5, 500), (16, 500)]
    assert [(g.start_s, g.stop_s) for g in stream.gaps] == [(5, 5), (10, 16)]
    assert stream.files == ("M1_1.edf", "M1_2.edf", "M1_10.edf")
    assert description.start_utc == datetime(2025, 3, 30, 20, 0, 4, tzinfo=UTC)
    assert any("3 files are taken as one recording" in text for text in description.warnings)


def test_a_start_without_its_fraction_makes_no_overlap(tmp_path: Path) -> None:
    """5 s of samples, but the next header says 4 s later: it left out 0.9 s of its own start."""
    _edf(tmp_path / "M1_1.edf", "20.00.04")
    _edf(tmp_path / "M1_2.edf", "20.00.08")
    (stream,) = read_recording(tmp_path).description.streams
    assert [span.start_s for span in stream.spans] == [0.0, 5.0]


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ({"name": "F22_1.edf"}, "names differ in more than numbers"),
        ({"clock": "20.00.04"}, "before .* has ended"),
        ({"clock": "20.00.06"}, r"M1_2\.edf begins 3 s before M1_1\.edf has ended"),
        ({"clock": "19.00.00"}, "do not grow with their start times"),
        ({"patient": "M2 X X X"}, "different subjects"),
        ({"day": "30.03.24"}, "do not grow"),
        ({"day": "30.03.26"}, "365 days after"),
    ],
)
def test_what_contradicts_is_refused_and_named(
    tmp_path: Path, second: dict[str, str], why: str
) -> None:
    _edf(tmp_path / "M1_1.edf", "20.00.04", patient="M1 X X X")
    options = {"name": "M1_2.edf", "clock": "20.00.30", "patient": "M1 X X X"} | second
    _edf(tmp_path / options.pop("name"), options.pop("clock"), **options)
    with pytest.raises(BadRecording, match=why) as caught:
        read_recording(tmp_path)
    assert "give the path of one of them" in caught.value.remedy


def test_other_channels_are_refused(tmp_path: Path) -> None:
    _edf(tmp_path / "M1_1.edf", "20.00.04")
    files.write_edf(tmp_path / "M1_2.edf", ["EEG", "EKG"], [100, 100], 5)
    with pytest.raises(BadRecording, match=r"other channels, units or rates in M1_2\.edf"):
        read_recording(tmp_path)


def test_files_that_do_not_say_when_are_asked_about(tmp_path: Path) -> None:
    for name in ("M1", "M2"):
        files.write_binary_csv(tmp_path, 3000)
        for end in ("_ColMajor.bin", "_Meta.csv"):
            if name == "M2":
                (tmp_path / f"M2{end}").write_bytes((tmp_path / f"M1{end}").read_bytes())
    with pytest.raises(BadRecording, match="2 recordings of one file each"):
        read_recording(tmp_path)


def test_a_file_that_comes_later_changes_nothing_of_what_was_there(tmp_path: Path) -> None:
    _edf(tmp_path / "M1_1.edf", "20.00.04")
    _edf(tmp_path / "M1_2.edf", "20.00.20")
    before = read_recording(tmp_path)
    (stream,) = before.description.streams
    early = Interval(1.0, 4.0)
    ranges = before.byte_ranges(stream.name, early)
    _edf(tmp_path / "M1_3.edf", "20.00.30")
    after = read_recording(tmp_path)
    (grown,) = after.description.streams
    assert grown.name == stream.name
    assert grown.spans[:2] == stream.spans
    assert after.byte_ranges(grown.name, early) == ranges
    assert {r.file for r in ranges} == {"M1_1.edf"}


def test_events_are_moved_to_the_time_of_the_whole(tmp_path: Path) -> None:
    samples = np.stack([files.ramp(1000, c) for c in range(2)])
    for i in range(2):
        path = tmp_path / f"M1_{i}.plx"
        plexon_files.write_plx(path, samples, events=[(400 + 4000, 257, 7)])
        raw = bytearray(path.read_bytes())
        raw[180:184] = (i * 10).to_bytes(4, "little")
        path.write_bytes(raw)
    recording = read_recording(tmp_path)
    (series,) = recording.read_events()
    assert series.name == "Strobed"
    np.testing.assert_allclose(series.time_s, [0.1, 10.1])
    assert series.code.tolist() == [7, 7]


def test_names_of_files_in_folders_keep_the_folder(tmp_path: Path) -> None:
    for day, clock in (("day1", "20.00.04"), ("day2", "21.00.04")):
        (tmp_path / day).mkdir()
        _edf(tmp_path / day / "a.edf", clock)
    pieces = [read_recording(tmp_path / day) for day in ("day1", "day2")]
    whole = join_recordings(pieces, tmp_path, prefixes=("day1/", "day2/"))
    (stream,) = whole.description.streams
    assert stream.files == ("day1/a.edf", "day2/a.edf")
    ranges = whole.byte_ranges(stream.name, Interval(0.0, 3602.0))
    assert {r.file for r in ranges} == {"day1/a.edf", "day2/a.edf"}


@pytest.mark.real_data
def test_different_animals_are_never_joined(real_data: Path, tmp_path: Path) -> None:
    for name in ("A10_recording.edf", "F22_recording.edf"):
        source = real_data / "sleep" / "neurodent_sample" / name
        (tmp_path / name).write_bytes(source.read_bytes())
    with pytest.raises(BadRecording, match="names differ in more than numbers"):
        read_recording(tmp_path)
