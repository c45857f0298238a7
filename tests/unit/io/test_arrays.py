"""NumPy and MATLAB arrays, and the sidecars beside them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from wakeful.io import mat
from wakeful.io.companions import companions
from wakeful.io.recording import read_recording
from wakeful.model.errors import BadRecording, NoRecording, TruncatedFile
from wakeful.model.subject import ChannelKind
from wakeful.model.time import Interval


def _sidecar(path: Path, tree: object) -> None:
    path.with_name(path.name + ".wakeful.json").write_text(json.dumps(tree))


def _only(path: Path):
    (stream,) = read_recording(path).description.streams
    return stream


def test_a_sidecar_says_rate_unit_channels_and_start(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((2, 500), np.float32))
    start = "2024-03-01T10:00:00+01:00"
    _sidecar(path, {"rate_hz": 250.5, "unit": "mV", "channels": ["EEG", "EMG"], "start": start})
    description = read_recording(path).description
    (stream,) = description.streams
    assert stream.rate_hz == 250.5
    assert [(c.name, c.kind, c.gain_uv) for c in stream.channels] == [
        ("EEG", ChannelKind.EEG, 1000.0),
        ("EMG", ChannelKind.EMG, 1000.0),
    ]
    assert description.start_utc == datetime(2024, 3, 1, 9, tzinfo=UTC)
    assert not description.start_is_local
    assert description.warnings == ()
    assert companions(path) == (tmp_path / "a.npy.wakeful.json",)


def test_a_start_without_a_zone_is_the_labs_clock(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((500, 2)))
    _sidecar(path, {"rate_hz": 100, "unit": "uV", "start": "2024-03-01T10:00:00"})
    description = read_recording(path).description
    assert description.start_utc == datetime(2024, 3, 1, 10, tzinfo=UTC)
    assert description.start_is_local


def test_nothing_recorded_at_the_beginning_moves_the_start(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    values = np.ones((500, 2))
    values[:150] = np.nan
    values[300:310, 1] = np.nan
    np.save(path, values)
    _sidecar(path, {"rate_hz": 100, "unit": "uV", "start": "2024-03-01T10:00:00"})
    description = read_recording(path).description
    assert [(s.start_s, s.n_samples) for s in description.streams[0].spans] == [(0.0, 350)]
    assert description.start_utc == datetime(2024, 3, 1, 10, 0, 1, 500_000, tzinfo=UTC)


def test_without_a_sidecar_the_error_shows_the_one_to_write(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((500, 2)))
    with pytest.raises(BadRecording, match=r"how many samples a second") as caught:
        read_recording(path)
    name, text = caught.value.remedy.split(" with ", 1)
    shown = text[: text.index("}") + 1]
    place = tmp_path / name.split()[-1]
    place.write_text(shown)
    assert _only(path).rate_hz == 1000


def test_everything_odd_in_a_sidecar_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((500, 2)))
    _sidecar(
        path,
        {
            "rate_hz": -3,
            "unit": "furlong",
            "orientation": "up",
            "channels": ["a", "a"],
            "start": "noon",
            "rate": 5,
        },
    )
    with pytest.raises(BadRecording) as caught:
        read_recording(path)
    for word in ("rate is not known", "rate_hz is -3", "furlong", "'up'", "twice", "noon"):
        assert word in caught.value.what
    place = tmp_path / "a.npy.wakeful.json"
    place.write_text("{oops")
    with pytest.raises(BadRecording, match="can't be read as JSON"):
        read_recording(path)
    place.write_text("[1]")
    with pytest.raises(BadRecording, match="holds no"):
        read_recording(path)


@pytest.mark.parametrize(
    ("values", "tree", "why"),
    [
        (np.zeros((4, 4)), {}, "does not show which side is time"),
        (np.zeros((4, 4, 4)), {}, "is not samples of channels"),
        (np.zeros((0, 4)), {}, "is not samples of channels"),
        (np.zeros(500, complex), {}, "not plain numbers"),
        (np.full(500, np.nan), {}, "nothing but NaN"),
        (np.zeros((500, 2)), {"channels": ["a", "b", "c"]}, "3 channels are named"),
    ],
)
def test_arrays_that_are_no_recording(
    tmp_path: Path, values: np.ndarray, tree: dict[str, object], why: str
) -> None:
    path = tmp_path / "a.npy"
    np.save(path, values)
    _sidecar(path, {"rate_hz": 100} | tree)
    with pytest.raises(BadRecording, match=why):
        read_recording(path)


def test_a_square_array_is_turned_as_the_sidecar_says(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(16, dtype=np.int16).reshape(4, 4))
    _sidecar(path, {"rate_hz": 100, "orientation": "channels x samples"})
    recording = read_recording(path)
    (stream,) = recording.description.streams
    out = np.empty((1, 4), np.int16)
    recording.open(stream.name).read(0, out, [1])
    assert out.tolist() == [[4, 5, 6, 7]]


def test_arrays_of_other_formats_do_not_stand_in_the_way(tmp_path: Path) -> None:
    from tests import acquisition_files as files

    files.write_edf(tmp_path / "a.edf", ["EEG"], [100], 5)
    np.save(tmp_path / "scores.npy", np.zeros(50))
    savemat(tmp_path / "scores.mat", {"a": np.zeros(50)})
    description = read_recording(tmp_path).description
    assert description.format == "edf"
    assert description.ignored_files == ("scores.mat", "scores.npy")
    (tmp_path / "a.edf").unlink()
    (tmp_path / "scores.mat").unlink()
    np.save(tmp_path / "more.npy", np.zeros(50))
    with pytest.raises(NoRecording, match=r"2 x \.npy"):
        read_recording(tmp_path)


def test_a_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((500, 2)))
    _sidecar(path, {"rate_hz": 100})
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(TruncatedFile, match="promises 8,128 bytes, the file holds 8,120"):
        read_recording(path)


def test_two_arrays_with_starts_continue_each_other(tmp_path: Path) -> None:
    for i, start in enumerate(("10:00:00", "10:00:07.5")):
        path = tmp_path / f"M1_{i}.npy"
        np.save(path, np.full((500, 2), i, np.int16))
        _sidecar(path, {"rate_hz": 100, "unit": "uV", "start": f"2024-03-01T{start}"})
    recording = read_recording(tmp_path)
    (stream,) = recording.description.streams
    assert [(s.start_s, s.n_samples) for s in stream.spans] == [(0.0, 500), (7.5, 500)]
    out = np.empty((2, 3), np.int16)
    recording.open(stream.name).read(600, out)
    assert (out == 1).all()
    assert recording.description.ignored_files == ()


def test_a_sidecar_names_the_variable_of_a_mat_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    left, right = np.zeros((500, 2)), np.ones((500, 3))
    savemat(path, {"left": left, "right": right, "fs": 100.0})
    with pytest.raises(BadRecording, match="several of its variables may be the samples") as caught:
        read_recording(path)
    assert '"variable": "left"' in caught.value.remedy
    _sidecar(path, {"variable": "right"})
    assert len(_only(path).channels) == 3
    _sidecar(path, {"variable": "middle"})
    with pytest.raises(BadRecording, match="no variable middle"):
        read_recording(path)


def test_vectors_of_one_length_are_channels_and_clocks_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    values = {"EEG": np.arange(500.0), "EMG": -np.arange(500.0)[:, None], "t": np.arange(500.0)}
    savemat(path, values | {"SamplingRate": 250.0, "note": "a mouse"})
    recording = read_recording(path)
    (stream,) = recording.description.streams
    assert [c.name for c in stream.channels] == ["EEG", "EMG"]
    out = np.empty((2, 3))
    recording.open(stream.name).read(10, out)
    np.testing.assert_array_equal(out, [[10, 11, 12], [-10, -11, -12]])
    assert any("not used: t" in text for text in recording.description.warnings)


def test_a_mat_file_too_large_to_load_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"data": np.zeros((5000, 2)), "fs": 100.0})
    monkeypatch.setattr(mat, "LOADED_MAX_BYTES", 79_999)
    with pytest.raises(BadRecording, match=r"can only be loaded whole") as caught:
        read_recording(path)
    assert "-v7.3" in caught.value.remedy


def test_a_mat_file_without_samples_or_rate(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"fs": 100.0, "name": "M1"})
    with pytest.raises(NoRecording, match=r"no samples \(fs, name\)"):
        read_recording(path)
    savemat(path, {"data": np.zeros((500, 2)), "fs": np.array([100.0, 200.0])})
    with pytest.raises(BadRecording, match=r"holds data, fs, none of them the rate"):
        read_recording(path)


def test_of_a_mat_file_of_version_7_3_only_the_pieces_asked_for_count(tmp_path: Path) -> None:
    """Everything outside the ranges is overwritten; opened anew, the interval reads the same."""
    path = tmp_path / "a.mat"
    values = np.random.default_rng(0).normal(size=(3, 200_000)).astype(np.float32)
    with h5py.File(path, "w") as file:
        file.create_dataset("lfp", data=values, chunks=(3, 4096), compression="gzip")
        file["srate"] = [[1000.0]]
    recording = read_recording(path)
    (stream,) = recording.description.streams
    before = np.empty((3, 1000), np.float32)
    recording.open(stream.name).read(50_000, before)
    np.testing.assert_array_equal(before, values[:, 50_000:51_000])
    ranges = recording.byte_ranges(stream.name, Interval(50.0, 51.0))
    raw = path.read_bytes()
    assert sum(r.stop - r.start for r in ranges) < len(raw) / 10
    spoilt = bytearray(b"\x55" * len(raw))
    for r in ranges:
        spoilt[r.start : r.stop] = raw[r.start : r.stop]
    path.write_bytes(spoilt)
    from wakeful.io.hdf import HdfDataset, HdfFile

    after = np.empty_like(before)
    HdfDataset(HdfFile(path), "lfp", samples_first=False).read(50_000, after, (0, 1, 2))
    np.testing.assert_array_equal(after, before)


@pytest.mark.real_data
def test_real_files_open_or_say_why_not(real_data: Path) -> None:
    path = real_data / "sleep" / "misleep_10min_raw" / "10mins_example_mat.mat"
    recording = read_recording(path)
    (stream,) = recording.description.streams
    assert (stream.rate_hz, stream.recorded_s) == (305.0, 600.0)
    assert [(c.name, c.kind.value) for c in stream.channels] == [
        ("EEG_P", "eeg"),
        ("EMG_DIFF", "emg"),
    ]
    assert recording.description.start_utc == datetime(2024, 11, 4, 7, 12, 21, tzinfo=UTC)
    array = _only(real_data / "seizure" / "mea_seizure_waves")
    assert len(array.channels) == 96
    assert array.rate_hz == pytest.approx(500.0056)
    with pytest.raises(BadRecording, match="none of them the rate"):
        read_recording(real_data / "pose" / "PeyracheLab_Class-Decoding" / "dataHD.mat")
