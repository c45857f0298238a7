"""`wakeful align`, as a user types it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wakeful.cli import app
from wakeful.figures import read_key
from wakeful.model.errors import WakefulError
from wakeful.simulate import CameraPlan, ClockStep, PulseSource, simulate_camera

runner = CliRunner()


def write(folder: Path, plan: CameraPlan):
    camera = simulate_camera(plan)
    rows = [
        f"{n},{int((1.7e9 + t) * 1e6)}" for n, t in zip(camera.counter, camera.stamp_s, strict=True)
    ]
    (folder / "frames.csv").write_text("frame_id,timestamp\n" + "\n".join(rows) + "\n")
    (folder / "pulses.txt").write_text("".join(f"{t:.6f}\n" for t in camera.pulses_s))
    (folder / "seen.txt").write_text("".join(f"{i}\n" for i in camera.event_frame))
    return camera


def test_frames_are_aligned_written_and_drawn(tmp_path):
    camera = write(
        tmp_path,
        CameraPlan(seed=5, duration_s=200.0, dropped_runs=(50,), steps=(ClockStep(90.0, -0.5),)),
    )
    out, figure = tmp_path / "times.csv", tmp_path / "clock.png"
    arguments = ["align", str(tmp_path / "frames.csv"), str(tmp_path / "pulses.txt")]
    done = runner.invoke(app, [*arguments, "--out", str(out), "--figure", str(figure)])
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    assert "with the camera's own count" in text
    assert "matched by jitter" in text
    assert "stepped by -0.5 s before frame" in text
    with out.open() as file:
        rows = list(csv.DictReader(file))
    times = np.array([float(row["time_s"]) for row in rows])
    assert len(times) == len(camera.frame_s)
    assert np.abs(times - camera.frame_s).max() < 1e-3
    assert len(read_key(figure)) == 64
    facts = json.loads(runner.invoke(app, [*arguments, "--json"]).output)
    assert facts["n_matched"] == pytest.approx(len(times), abs=1)
    assert facts["extra"] == 50
    assert facts["unit"] == "us"
    assert facts["held_out"]["p99_s"] < 1e-3


def test_an_led_is_told_by_the_frames_that_showed_it(tmp_path):
    camera = write(tmp_path, CameraPlan(seed=5, duration_s=300.0, source=PulseSource.LED))
    out = tmp_path / "times.npy"
    done = runner.invoke(
        app,
        [
            "align", str(tmp_path / "frames.csv"), str(tmp_path / "pulses.txt"),
            "--seen", str(tmp_path / "seen.txt"), "--out", str(out),
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    error = np.abs(np.load(out) - camera.frame_s)
    assert np.nanpercentile(error, 99) < 1 / 60


def test_what_cannot_be_aligned_is_refused_and_nothing_written(tmp_path):
    write(tmp_path, CameraPlan(seed=5, duration_s=200.0))
    (tmp_path / "pulses.txt").write_text("".join(f"{i * 0.7}\n" for i in range(400)))
    out = tmp_path / "times.csv"
    done = runner.invoke(
        app,
        ["align", str(tmp_path / "frames.csv"), str(tmp_path / "pulses.txt"), "--out", str(out)],
    )
    assert isinstance(done.exception, WakefulError)
    assert not out.exists()


def test_a_recording_without_events_says_what_to_give_instead(tmp_path):
    write(tmp_path, CameraPlan(seed=5, duration_s=60.0))
    empty = tmp_path / "recording"
    empty.mkdir()
    done = runner.invoke(app, ["align", str(tmp_path / "frames.csv"), str(empty)])
    assert isinstance(done.exception, WakefulError)


@pytest.mark.parametrize("name", ["clock.gif", "clock"])
def test_a_figure_of_an_unknown_kind_is_refused(tmp_path, name):
    write(tmp_path, CameraPlan(seed=5, duration_s=60.0))
    done = runner.invoke(
        app,
        ["align", str(tmp_path / "frames.csv"), str(tmp_path / "pulses.txt"),
         "--figure", str(tmp_path / name)],
    )  # fmt: skip
    assert isinstance(done.exception, WakefulError)
    assert "png, pdf, svg" in str(done.exception)
