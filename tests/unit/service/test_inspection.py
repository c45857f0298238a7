"""What is found out about a recording, and how it is shown."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from tests import acquisition_files as files
from tests import plexon_files
from typer.testing import CliRunner

from wakeful.cli import app
from wakeful.config import Config, Lab, write_library
from wakeful.io.recording import read_recording
from wakeful.service.inspection import glance_at, inspect_recording


def _array(path: Path, values: np.ndarray, **tree: object) -> Path:
    np.save(path, values)
    sidecar = {"rate_hz": 100, "unit": "uV", "start": "2024-03-30T12:00:00"} | tree
    path.with_name(path.name + ".wakeful.json").write_text(json.dumps(sidecar))
    return path


def _noise(n_samples: int, n_channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(0, 500, (n_samples, n_channels)).astype(np.int16)


def _run(*arguments: str, width: int = 100) -> str:
    result = CliRunner(env={"COLUMNS": str(width)}).invoke(app, ["inspect", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_flat_and_clipped_channels_are_named(tmp_path: Path) -> None:
    values = _noise(60_000)
    values[:, 1] = 12
    values[:, 2] = np.clip(values[:, 2].astype(np.int32) * 40, -20_000, 20_000)
    path = _array(tmp_path / "a.npy", values, channels=["good", "dead", "hot"])
    (stream,) = inspect_recording(path).streams
    good, dead, hot = stream.glances
    assert (good.flat, good.clipped) == (0.0, 0.0)
    assert dead.flat == 1.0
    assert hot.clipped > 0.01
    assert (stream.n_stretches, stream.stretch_s) == (64, 1.0)
    text = _run(str(path))
    assert "looked at 64 stretches of 1 s" in text
    (row,) = [line for line in text.splitlines() if "dead" in line]
    assert "flat" in row
    (row,) = [line for line in text.splitlines() if "hot" in line]
    assert "clipped" in row


def test_no_more_is_read_than_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.lib.format.open_memmap(path, "w+", np.int16, (40_000_000, 64)).flush()
    _array(tmp_path / "b.npy", np.zeros(10))
    (tmp_path / "b.npy.wakeful.json").replace(tmp_path / "a.npy.wakeful.json")
    tree = json.loads((tmp_path / "a.npy.wakeful.json").read_text()) | {"rate_hz": 32_000}
    (tmp_path / "a.npy.wakeful.json").write_text(json.dumps(tree))
    recording = read_recording(path)
    (stream,) = recording.description.streams
    began = time.process_time()
    n_stretches, stretch_s, glances = glance_at(recording, stream)
    assert time.process_time() - began < 5
    path.unlink()
    assert 8 <= n_stretches < 64
    assert n_stretches * stretch_s * 32_000 * 64 <= 24_000_000
    assert all(glance.flat == 1.0 for glance in glances)


def test_stretches_never_reach_across_a_gap(tmp_path: Path) -> None:
    values = _noise(60_000).astype(np.float32)
    for start in range(0, 60_000, 900):
        values[start : start + 300] = np.nan
    path = _array(tmp_path / "a.npy", values)
    (stream,) = inspect_recording(path).streams
    assert stream.n_stretches > 8
    assert all(glance.missing == 0 for glance in stream.glances)


def test_hours_of_each_local_day_add_up_where_the_clocks_change(tmp_path: Path) -> None:
    """Two days at 0.1 Hz over the night in which Zurich's clocks go forward, with an hour lost."""
    values = np.ones((17_280, 2), np.float32)
    values[5000:5360] = np.nan
    path = _array(tmp_path / "a.npy", values, rate_hz=0.1)
    write_library(tmp_path / "lab", Config(lab=Lab(time_zone="Europe/Zurich")))
    found = inspect_recording(path, "Europe/Zurich")
    (stream,) = found.streams
    lengths = [round(day.account.length_s / 3600) for day in stream.days]
    assert lengths == [24, 23, 24]
    assert sum(d.account.recorded_s for d in stream.days) == pytest.approx(169_200)
    assert sum(d.account.gap_s for d in stream.days) == pytest.approx(3600)
    text = _run(str(path), "--library", str(tmp_path / "lab"))
    assert "2024-03-30 12:00:00 Europe/Zurich (2024-03-30 11:00:00 UTC)" in text
    (row,) = [line for line in text.splitlines() if "2024-03-31" in line]
    assert row.rstrip(" │").endswith("23:00:00")
    assert "47:00:00 recorded + 1:00:00 gaps + 0:00:00 quarantined = 48:00:00" in text


def test_the_output_for_programs_is_whole(tmp_path: Path) -> None:
    samples = np.stack([files.ramp(4000, c) for c in range(2)])
    path = plexon_files.write_plx(tmp_path / "a.plx", samples, events=[(400, 257, 9)])
    # A slow machine must not outlive what a recording needs to settle.
    os.utime(path, (time.time() + 600, time.time() + 600))
    tree = json.loads(_run(str(path), "--json"))
    assert set(tree) == {
        "root",
        "format",
        "title",
        "subject",
        "start_utc",
        "start_is_local",
        "start_local",
        "time_zone",
        "growing",
        "changed_s",
        "n_bytes",
        "files",
        "streams",
        "events",
        "tracks",
        "warnings",
        "ignored_files",
    }
    assert tree["growing"]
    assert tree["n_bytes"] == path.stat().st_size
    assert tree["events"] == [
        {"name": "Strobed", "file": "a.plx", "n": 1, "first_s": 0.0, "last_s": 0.0}
    ]
    (stream,) = tree["streams"]
    assert stream["settled_s"] is None
    assert stream["accounting"]["recorded_s"] == 4.0
    assert stream["looked_at"] == {"n_stretches": 4, "stretch_s": 1.0}
    assert {"flat", "clipped", "missing", "findings", "gain_uv"} <= set(stream["channels"][0])
    assert [day["date"] for day in stream["days"]] == ["2024-03-01"]


def test_a_recording_that_rests_is_not_growing(tmp_path: Path) -> None:
    path = files.write_edf(tmp_path / "a.edf", ["EEG"], [100], 5)
    os.utime(path, (1e9, 1e9))
    assert not inspect_recording(path).growing
    assert "not growing" in _run(str(path))


def test_channels_alike_share_a_line_and_all_shows_each(tmp_path: Path) -> None:
    path = _array(tmp_path / "a.npy", _noise(5000, 40))
    text = _run(str(path))
    assert "ch1 to ch40 (40)" in text
    assert "│ ch17 " in _run(str(path), "--all")


def test_many_gaps_are_summed_up(tmp_path: Path) -> None:
    values = _noise(60_000, 2).astype(np.float32)
    values[np.arange(60_000) % 1000 >= 950] = np.nan
    path = _array(tmp_path / "a.npy", values)
    text = _run(str(path))
    assert "and 49 more gaps; all 59 together 29.500 s, the longest 500.0 ms" in text
    assert _run(str(path), "--all").count("gap of 500.0 ms") == 59


@pytest.mark.parametrize("width", [80, 120])
def test_it_fits_a_terminal(tmp_path: Path, width: int) -> None:
    path = files.write_edf(tmp_path / "a.edf", ["EEG", "EMG"], [100, 100], 5)
    tables = [line for line in _run(str(path), width=width).splitlines() if line[:1] in "│┃"]
    assert tables
    assert all(len(line) <= width for line in tables)


def test_damaged_samples_are_said_and_the_rest_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wakeful.io import segments
    from wakeful.model.errors import TruncatedFile

    def fail(*_: object) -> None:
        raise TruncatedFile("is gone", where="a.npy", remedy="copy it again")

    path = _array(tmp_path / "a.npy", _noise(5000))
    monkeypatch.setattr(segments.SegmentSource, "read", fail)
    found = inspect_recording(path)
    assert found.streams[0].glances == ()
    assert any("is gone; copy it again" in text for text in found.warnings)


def test_files_that_follow_each_other_at_once_show_no_gap_of_nothing(tmp_path: Path) -> None:
    for name, clock in (("M1_1.edf", b"20.00.00"), ("M1_2.edf", b"20.00.04")):
        path = files.write_edf(tmp_path / name, ["EEG"], [100], 4)
        raw = path.read_bytes()
        path.write_bytes(raw[:176] + clock + raw[184:])
    text = _run(str(tmp_path))
    assert "a new span begins at 4.0000 s, with no time missing before it" in text
    assert "0.0 ms" not in text
