"""TTL events and messages of Open Ephys binary."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.openephys_events import EventFolder, read_event_folders
from wakeful.io.recording import read_recording
from wakeful.io.sample_seconds import NumberSpan
from wakeful.model.errors import BadRecording

RATE = 1000.0


def test_lines_and_messages_on_the_time_of_the_samples(files: ModuleType, tmp_path: Path) -> None:
    """In a gap, an event lies as long after the last sample as the numbers say."""
    numbers = np.concatenate([np.arange(500, 1500), np.arange(4000, 6000)])
    files.flat.write_open_ephys(
        tmp_path / "experiment1" / "recording1",
        numbers,
        rate_hz=RATE,
        ttl=[(600, 1), (700, -1), (650, 8), (2500, 1), (4100, -1)],
        messages=[(500, "begin"), (5999, "caf\xe9")],
    )
    first, eighth, said = read_recording(tmp_path).read_events()
    assert (first.name, eighth.name) == ("Acq-100.probe ttl 1", "Acq-100.probe ttl 8")
    np.testing.assert_allclose(first.time_s, [0.1, 0.2, 2.0, 3.6])
    np.testing.assert_array_equal(first.code, [1, 0, 1, 0])
    np.testing.assert_allclose(eighth.time_s, [0.15])
    np.testing.assert_allclose(said.time_s, [0.0, 5.499])
    assert said.label == ("begin", "caf\xe9")
    assert said.file == "experiment1/recording1/events/MessageCenter/text.npy"


def test_recordings_are_joined_line_by_line(files: ModuleType, tmp_path: Path) -> None:
    for i, start in enumerate((0, 5000)):
        files.flat.write_open_ephys(
            tmp_path / "experiment1" / f"recording{i + 1}",
            np.arange(start, start + 1000),
            rate_hz=RATE,
            ttl=[(start + 10, 2), (start + 20, -2)],
        )
    (line, _) = read_recording(tmp_path).read_events()
    np.testing.assert_allclose(line.time_s, [0.01, 0.02, 5.01, 5.02])
    np.testing.assert_array_equal(line.code, [1, 0, 1, 0])


def test_events_follow_the_measured_rate(files: ModuleType, tmp_path: Path) -> None:
    true_hz = RATE * (1 + 50e-6)
    numbers = np.arange(0, 200_000)
    files.flat.write_open_ephys(
        tmp_path / "experiment1" / "recording1",
        numbers,
        rate_hz=RATE,
        seconds=numbers / true_hz,
        ttl=[(150_000, 1)],
    )
    line, _ = read_recording(tmp_path).read_events()
    assert line.time_s[0] == pytest.approx(150_000 / true_hz, abs=1e-6)


def _folder(home: Path, **changes: object) -> EventFolder:
    values = {"label": "x", "rate_hz": RATE, "clock": (), "origin_s": 2.0} | changes
    return EventFolder(home=home, root=home, **values)


def test_events_whose_clock_is_unknown(files: ModuleType, tmp_path: Path) -> None:
    write = files.flat.npy
    (tmp_path / "states.npy").write_bytes(write(np.array([1, -1], "<i2")))
    (tmp_path / "sample_numbers.npy").write_bytes(write(np.array([3000, 4000])))
    (events,) = read_event_folders([_folder(tmp_path)])
    np.testing.assert_allclose(events.time_s, [1.0, 2.0])
    assert "no stream shares its clock" in events.warnings[0]
    (tmp_path / "timestamps.npy").write_bytes(write(np.array([5.0, 6.0])))
    (events,) = read_event_folders([_folder(tmp_path)])
    np.testing.assert_allclose(events.time_s, [3.0, 4.0])


def test_arrays_of_unequal_length(files: ModuleType, tmp_path: Path) -> None:
    write = files.flat.npy
    (tmp_path / "states.npy").write_bytes(write(np.array([1, -1, 1], "<i2")))
    (tmp_path / "sample_numbers.npy").write_bytes(write(np.array([3000, 4000])))
    clock = (NumberSpan(0, 10_000, 0.0, RATE, fitted=False),)
    (events,) = read_event_folders([_folder(tmp_path, clock=clock)])
    np.testing.assert_allclose(events.time_s, [1.0, 2.0])
    assert "2 times but 3 events" in events.warnings[0]
    (tmp_path / "states.npy").write_bytes(b"\x93NUMPY\1\0")
    with pytest.raises(BadRecording):
        read_event_folders([_folder(tmp_path, clock=clock)])
