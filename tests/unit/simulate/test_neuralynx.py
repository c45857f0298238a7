"""Files that Neuralynx readers can read, with the gaps where the truth says."""

from __future__ import annotations

import csv
import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from wakeful.model.epochs import State
from wakeful.model.errors import BadParameters
from wakeful.model.time import Interval
from wakeful.simulate import (
    SIMULATOR_VERSION,
    RecordingPlan,
    Signal,
    SubjectPlan,
    Truth,
    write_neuralynx,
)

# Written down again, so that a slip in the writer's own layout is seen.
RECORD = np.dtype(
    [("t", "<u8"), ("channel", "<u4"), ("rate", "<u4"), ("n", "<u4"), ("x", "<i2", 512)]
)
PLAN = RecordingPlan(
    subject=SubjectPlan(identifier="M7", seed=6),
    duration_s=40.0,
    gaps=(Interval(10.0, 12.5), Interval(25.003, 25.01)),
)


def read(path: Path) -> tuple[dict[str, str], NDArray[np.void]]:
    content = path.read_bytes()
    assert (len(content) - 16_384) % 1044 == 0
    text = content[:16_384].decode("latin-1").rstrip("\x00")
    header = dict(re.findall(r"^-(\S+) (.*?)\r?$", text, re.MULTILINE))
    return header, np.frombuffer(content[16_384:], RECORD)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("neuralynx") / "M7"
    return folder, write_neuralynx(PLAN, folder)


def test_a_file_for_every_channel_and_the_tables(recording: tuple[Path, Truth]) -> None:
    folder, truth = recording
    names = [f"CSC{i}.ncs" for i in range(1, 9)] + ["EMG1.ncs"]
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        [*names, "channels.csv", "truth.json"]
    )
    assert truth.files == tuple(names)
    with (folder / "channels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == (
        ["channel", "subject", "region", "kind", "reference", "x_mm", "y_mm", "z_mm", "notes"]
    )
    assert [row["region"] for row in rows] == ["CA1"] * 3 + ["PFC"] * 3 + ["thalamus"] * 2 + [
        "neck"
    ]
    assert {row["subject"] for row in rows} == {"M7"}
    assert rows[-1]["kind"] == "emg"
    assert float(rows[1]["z_mm"]) == pytest.approx(float(rows[0]["z_mm"]) + 0.1)


def test_headers_say_what_a_reader_needs(recording: tuple[Path, Truth]) -> None:
    header, records = read(recording[0] / "CSC2.ncs")
    assert header["AcqEntName"] == "CSC2"
    assert header["SamplingFrequency"] == "32000"
    assert header["InputInverted"] == "True"
    assert header["TimeCreated"] == "2026/01/12 07:00:00"
    assert header["DspLowCutFrequency"] == "0.1"
    assert float(header["ADBitVolts"]) == pytest.approx(3000e-6 / 32768)
    assert set(records["channel"]) == {1}
    assert set(records["rate"]) == {32_000}


def test_gaps_are_short_records_followed_by_a_jump(recording: tuple[Path, Truth]) -> None:
    for name in recording[1].files:
        records = read(recording[0] / name)[1]
        n_stretches = [320_000, (25_003 - 12_500) * 32, (40_000 - 25_010) * 32]
        short = np.flatnonzero(records["n"] < 512)
        assert records["n"][short].tolist() == [n % 512 for n in n_stretches if n % 512]
        assert records["n"].sum() == sum(n_stretches)
        expected_us = np.diff(records["t"].astype(np.int64)) - records["n"][:-1] * 1e6 / 32_000
        jumps = np.flatnonzero(np.abs(expected_us) > 1)
        assert expected_us[jumps].tolist() == pytest.approx([2_500_000, 7_000], abs=1)
        starts_s = (records["t"][np.r_[0, jumps + 1]] - PLAN.first_timestamp_us) / 1e6
        assert starts_s.tolist() == pytest.approx([0.0, 12.5, 25.01], abs=1e-6)


def test_samples_are_the_signal_to_half_a_bit(recording: tuple[Path, Truth]) -> None:
    tape = Signal(PLAN, 32_000)
    for channel, name in enumerate(recording[1].files):
        records = read(recording[0] / name)[1]
        valid = np.arange(512) < records["n"][:, None]
        stored_uv = -records["x"][valid] * PLAN.ad_bit_uv
        for start, n, first in ((0, 5000, 0), (320_000, 5000, 400_000), (720_000, 999, 800_320)):
            wanted = tape.read_uv(first, n)[channel]
            if first == 800_320:
                start = 320_000 + (25_003 - 12_500) * 32
            assert np.abs(stored_uv[start : start + n] - wanted).max() < 0.51 * PLAN.ad_bit_uv


def test_neo_reads_the_same_microvolts(recording: tuple[Path, Truth]) -> None:
    rawio = pytest.importorskip("neo.rawio")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader = rawio.NeuralynxRawIO(dirname=str(recording[0]), strict_gap_mode=False)
        reader.parse_header()
    channels = reader.header["signal_channels"]
    assert sorted(channels["name"]) == sorted(n.removesuffix(".ncs") for n in recording[1].files)
    assert set(channels["units"]) == {"uV"}
    assert reader.segment_count(0) == 3
    assert reader.get_signal_size(0, 0, 0) == 320_000
    raw = reader.get_analogsignal_chunk(0, 1, 0, 4000, 0)
    found = reader.rescale_signal_raw_to_float(raw, "float64", stream_index=0)
    wanted = Signal(PLAN, 32_000).read_uv(400_000, 4000)
    for column, name in enumerate(channels["name"]):
        row = recording[1].files.index(f"{name}.ncs")
        assert np.abs(found[:, column] - wanted[row]).max() < 0.51 * PLAN.ad_bit_uv


def test_truth_json_holds_the_answers(recording: tuple[Path, Truth]) -> None:
    folder, truth = recording
    found = json.loads((folder / "truth.json").read_text("utf-8"))
    assert found["simulator_version"] == SIMULATOR_VERSION
    assert found["state"] == truth.state.tolist()
    assert [i for i, s in enumerate(found["state"]) if s == State.NO_DATA] == [2, 3, 6]
    assert found["gaps_s"] == [[10.0, 12.5], [25.003, 25.01]]
    assert found["plan"]["subject"]["identifier"] == "M7"
    assert [c["file"] for c in found["channels"]] == list(truth.files)
    gains = [c["gain"] for c in found["channels"]]
    assert gains == pytest.approx(truth.course.traits.gain.tolist())
    assert found["minutes"]["no data"] == pytest.approx(0.2)
    assert found["expected_lfp_emg"][2] is None


def test_writing_twice_gives_the_same_bytes_and_never_over_files(tmp_path: Path) -> None:
    plan = RecordingPlan(subject=SubjectPlan(seed=3), duration_s=8.0, timestamp_jitter_us=1)
    for name in ("a", "b"):
        write_neuralynx(plan, tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    with pytest.raises(BadParameters, match=r"holds \.ncs files already"):
        write_neuralynx(plan, tmp_path / "a")


def test_drift_jitter_and_late_channels(tmp_path: Path) -> None:
    plan = RecordingPlan(
        subject=SubjectPlan(seed=3),
        duration_s=60.0,
        clock_drift_ppm=100.0,
        timestamp_jitter_us=1,
        staggered_start_records=2,
        input_inverted=False,
    )
    truth = write_neuralynx(plan, tmp_path)
    first_us = [int(read(tmp_path / name)[1]["t"][0]) for name in truth.files]
    late = (np.array(first_us) - plan.first_timestamp_us) / 16_001.6
    assert np.rint(late).tolist() == [0, 1, 2] * 3
    header, records = read(tmp_path / "CSC1.ncs")
    assert header["InputInverted"] == "False"
    steps = np.diff(records["t"].astype(np.int64))
    assert steps.mean() == pytest.approx(16_001.6, abs=0.01)
    assert 1 <= np.abs(steps - 16_001.6).max() < 4
    stamps_s = (records["t"][-1] - records["t"][0]) / 1e6 + records["n"][-1] / 32_000
    assert stamps_s == pytest.approx(60.0, abs=1e-3)
    uv = records["x"].ravel()[:1000] * plan.ad_bit_uv
    assert np.abs(uv - Signal(plan, 32_000).read_uv(0, 1000)[0]).max() < 0.51 * plan.ad_bit_uv


def test_time_created_is_the_lab_s_local_time(tmp_path: Path) -> None:
    region = SubjectPlan().regions[0]
    plan = RecordingPlan(
        subject=SubjectPlan(regions=(region,), n_emg=0),
        duration_s=4.0,
        time_zone="America/New_York",
        rate_hz=2000,
    )
    told: list[float] = []
    write_neuralynx(plan, tmp_path, told.append)
    header, records = read(tmp_path / "CSC1.ncs")
    assert header["TimeCreated"] == "2026/01/12 02:00:00"
    assert header["SamplingFrequency"] == "2000"
    assert records["n"].sum() == 8000
    assert told[-1] == 1.0
