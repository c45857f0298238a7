"""Events and tracking of Neuralynx: alone, and on the time of the samples."""

from __future__ import annotations

import zipfile
from datetime import datetime
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import wakeful
from wakeful.io.neuralynx import open_neuralynx
from wakeful.io.neuralynx_events import parse_nev, parse_nvt, read_nev, read_nvt
from wakeful.io.recording import read_recording
from wakeful.io.registry import Found, Growth
from wakeful.model.errors import BadRecording, NoRecording, TruncatedFile


def _write_ncs(files: ModuleType, folder: Path) -> None:
    files.write_ncs(folder / "CSC1.ncs", files.ncs_header("CSC1"), files.ncs_records(8))


# --- alone ----------------------------------------------------------------------------------------


def test_events_as_they_were_planted(files: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "Events.nev"
    path.write_bytes(
        files.flat.nev_bytes(
            [5_000_000, 5_250_000, 2**53 + 1],
            ttl=[0, 0x8001, 3],
            texts=["Starting Recording", "TTL Input on port 0", "caf\xe9"],
        )
    )
    events = wakeful.read_nev(path)
    assert events.name == "Events"
    np.testing.assert_array_equal(events.tick_us, [5_000_000, 5_250_000, 2**53 + 1])
    np.testing.assert_array_equal(events.ttl, [0, 0x8001, 3])
    np.testing.assert_array_equal(events.event_id, [11, 11, 11])
    assert events.label[:2] == ("Starting Recording", "TTL Input on port 0")
    assert events.opened == datetime.fromisoformat("2024-03-01T10:00:00")
    assert events.warnings == ()


def test_a_file_without_events(files: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "Events.nev"
    path.write_bytes(files.flat.nev_bytes([]))
    assert read_nev(path).label == ()
    assert len(read_nev(path).tick_us) == 0


def test_what_is_left_out_is_counted_and_named(files: ModuleType) -> None:
    raw = bytearray(files.flat.nev_bytes([10, 20, 30, 40, 50]))
    at = 16_384
    raw[at + 184 : at + 186] = b"\x07\x00"  # the second begins wrongly
    raw[at + 2 * 184 : at + 3 * 184] = bytes(184)  # the third was never written
    raw[at + 3 * 184 + 6 : at + 3 * 184 + 14] = b"\xff" * 8  # the fourth has an impossible time
    events = parse_nev(bytes(raw) + b"abc", "Events.nev")
    np.testing.assert_array_equal(events.tick_us, [10, 50])
    assert events.warnings == (
        "Events.nev: damaged events are left out: 2",
        "Events.nev: events of nothing but zeros are left out: 1",
        "Events.nev: it ends within a record: the last 3 bytes are left out",
    )


def test_time_stamps_that_step_back_are_kept(files: ModuleType) -> None:
    events = parse_nev(files.flat.nev_bytes([100, 50, 70, 60]), "e")
    np.testing.assert_array_equal(events.tick_us, [100, 50, 70, 60])
    assert events.warnings == (
        "e: time stamps step back 2 times, by up to 5e-05 s; they are kept as they are",
    )


def test_positions_as_they_were_planted(files: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "VT1.nvt"
    path.write_bytes(
        files.flat.nvt_bytes(
            [1000, 34_367, 67_734, 101_101],
            [(100, 50), (0, 0), (0, 7), (720, 480)],
            angles=[10, 90, 360, 0],
        )
    )
    track = wakeful.read_nvt(path)
    assert track.frame_px == (720, 480)
    np.testing.assert_array_equal(track.tick_us, [1000, 34_367, 67_734, 101_101])
    np.testing.assert_array_equal(track.x_px, [100, np.nan, 0, 720])
    np.testing.assert_array_equal(track.y_px, [50, np.nan, 7, 480])
    np.testing.assert_array_equal(track.angle_deg, [10, np.nan, 360, 0])
    assert track.warnings == ()


def test_a_tracker_without_direction_gives_none(files: ModuleType) -> None:
    track = parse_nvt(files.flat.nvt_bytes([1, 2], [(3, 4), (5, 6)]), "v")
    assert np.isnan(track.angle_deg).all()
    assert np.isfinite(track.x_px).all()


def test_positions_outside_of_the_picture_are_no_positions(files: ModuleType) -> None:
    spots = [(721, 5), (-3, 5), (700, 5)]
    track = parse_nvt(files.flat.nvt_bytes([1, 2, 3], spots, [1, 1, 450]), "v")
    np.testing.assert_array_equal(track.x_px, [np.nan, np.nan, 700])
    assert np.isnan(track.angle_deg).all()
    assert track.warnings == (
        "v: positions outside of the picture of 720 x 480 pixels are left out: 2",
        "v: head directions that are not 0 to 360 degrees are left out: 1",
    )
    unknown = parse_nvt(files.flat.nvt_bytes([1], [(5000, 5)], resolution=None), "v")
    assert unknown.frame_px is None
    np.testing.assert_array_equal(unknown.x_px, [5000])


def test_files_that_are_something_else(files: ModuleType, tmp_path: Path) -> None:
    short = tmp_path / "Events.nev"
    short.write_bytes(files.flat.nev_bytes([1])[:9000])
    with pytest.raises(TruncatedFile, match="within its header, after 9,000 bytes"):
        read_nev(short)
    tracking = tmp_path / "a.nev"
    tracking.write_bytes(files.flat.nvt_bytes([1], [(1, 1)]))
    with pytest.raises(BadRecording, match=r"records of 1828 bytes, they have 184.*\.nvt"):
        read_nev(tracking)
    with pytest.raises(BadRecording, match="nothing but zeros"):
        parse_nev(bytes(20_000), "x")
    with pytest.raises(BadRecording, match="can't be opened"):
        read_nvt(tmp_path / "gone.nvt")


def test_whole_and_piecewise_reading_give_the_same(files: ModuleType, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    n = 6000  # more frames than are held at a time
    ticks = np.cumsum(rng.integers(1, 40_000, n))
    ticks[[2293, 2294]] = ticks[[2294, 2293]]  # a step back where pieces meet
    raw = files.flat.nvt_bytes(ticks, rng.integers(0, 400, (n, 2)), rng.integers(0, 360, n))
    path = tmp_path / "VT1.nvt"
    path.write_bytes(raw)
    a, b = read_nvt(path), parse_nvt(raw, "VT1.nvt")
    for name in ("tick_us", "x_px", "y_px", "angle_deg"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert a.warnings == b.warnings != ()


# --- beside samples -------------------------------------------------------------------------------


def test_events_lie_on_the_time_of_the_samples(files: ModuleType, tmp_path: Path) -> None:
    _write_ncs(files, tmp_path)  # the first sample was taken at 5,000,000 us
    (tmp_path / "Events.nev").write_bytes(
        files.flat.nev_bytes([4_999_990, 5_256_000], ttl=[0, 4], texts=["Starting", "TTL"])
    )
    (tmp_path / "VT1.nvt").write_bytes(files.flat.nvt_bytes([5_100_000], [(3, 4)], [5]))
    recording = read_recording(tmp_path)
    (events,) = recording.read_events()
    assert (events.name, events.file, events.label) == ("Events", "Events.nev", ("Starting", "TTL"))
    np.testing.assert_allclose(events.time_s, [-1e-5, 0.256], atol=1e-9)
    np.testing.assert_array_equal(events.code, [0, 4])
    (track,) = recording.read_tracks()
    np.testing.assert_allclose(track.time_s, [0.1], atol=1e-9)
    assert (track.x_px[0], track.y_px[0], track.angle_deg[0]) == (3, 4, 5)
    assert track.frame_px == (720, 480)
    assert recording.description.ignored_files == ()


def test_files_that_were_cut_continue_each_other(files: ModuleType, tmp_path: Path) -> None:
    _write_ncs(files, tmp_path)
    for name, tick in (
        ("Events_0002", 5_300_000),
        ("Events", 5_100_000),
        ("Events_0001", 5_200_000),
    ):
        (tmp_path / f"{name}.nev").write_bytes(files.flat.nev_bytes([tick], texts=[name]))
    (tmp_path / "Other.nev").write_bytes(files.flat.nev_bytes([5_000_000]))
    first, other = read_recording(tmp_path).read_events()
    assert (first.name, other.name) == ("Events", "Other")
    assert first.label == ("Events", "Events_0001", "Events_0002")
    np.testing.assert_allclose(first.time_s, [0.1, 0.2, 0.3], atol=1e-9)


def test_events_of_another_session_are_noticed(files: ModuleType, tmp_path: Path) -> None:
    _write_ncs(files, tmp_path)
    (tmp_path / "Events.nev").write_bytes(files.flat.nev_bytes([10**13]))
    (events,) = read_recording(tmp_path).read_events()
    assert "is it of another session?" in events.warnings[0]


def test_events_without_samples(files: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "Events.nev").write_bytes(files.flat.nev_bytes([1]))
    with pytest.raises(NoRecording, match=r"no samples \(\.ncs\).*wakeful\.read_nev"):
        read_recording(tmp_path)


def test_only_what_is_verified_of_a_growing_file_is_read(files: ModuleType, tmp_path: Path) -> None:
    _write_ncs(files, tmp_path)
    path = tmp_path / "Events.nev"
    path.write_bytes(files.flat.nev_bytes([5_000_000, 5_100_000, 5_200_000]))
    (tmp_path / "VT1.nvt").write_bytes(files.flat.nvt_bytes([5_100_000], [(3, 4)]))
    sample = tmp_path / "CSC1.ncs"
    found = Found(
        root=tmp_path,
        files=(sample,),
        others=(path, tmp_path / "VT1.nvt"),
        growth=Growth({"CSC1.ncs": sample.stat().st_size, "Events.nev": 16_384 + 2 * 184}),
    )
    recording = open_neuralynx(found)
    (events,) = recording.read_events()
    np.testing.assert_allclose(events.time_s, [0, 0.1], atol=1e-9)
    assert recording.read_tracks() == ()


# --- real files -----------------------------------------------------------------------------------


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    ["neuralynx_mne-testing-data/Events.nev", "neuralynx_vandermeerlab/R050-2014-04-02-Events.nev"],
)
def test_real_events_equal_an_independent_reading(real_data: Path, name: str) -> None:
    raw = (real_data / "recordings" / name).read_bytes()
    events = read_nev(real_data / "recordings" / name)
    assert len(events.tick_us) == (len(raw) - 16_384) // 184
    for i in range(len(events.tick_us)):
        record = raw[16_384 + i * 184 : 16_384 + (i + 1) * 184]
        assert events.tick_us[i] == int.from_bytes(record[6:14], "little")
        assert events.event_id[i] == int.from_bytes(record[14:16], "little")
        assert events.ttl[i] == int.from_bytes(record[16:18], "little")
        assert events.label[i] == record[56:].split(b"\0")[0].decode()


@pytest.mark.real_data
def test_real_events_equal_neo(real_data: Path, tmp_path: Path) -> None:
    rawio = pytest.importorskip("neo.rawio")
    source = real_data / "recordings" / "neuralynx_vandermeerlab"
    name = "R050-2014-04-02-Events.nev"
    (tmp_path / name).write_bytes((source / name).read_bytes())
    reader = rawio.NeuralynxRawIO(dirname=str(tmp_path))
    reader.parse_header()
    events = read_nev(tmp_path / name)
    n_seen = 0
    for index, channel in enumerate(reader.header["event_channels"]):
        ticks, _, labels = reader.get_event_timestamps(0, 0, index)
        wanted = channel["name"]
        mine = [
            (tick, text)
            for tick, text, number, ttl in zip(
                events.tick_us, events.label, events.event_id, events.ttl, strict=True
            )
            if wanted.endswith(f"event_id={number} ttl={ttl}")
        ]
        assert [tick for tick, _ in mine] == ticks.tolist()
        assert [text for _, text in mine] == labels.tolist()
        n_seen += len(mine)
    assert n_seen == len(events.tick_us) == 458


@pytest.mark.real_data
def test_real_events_lie_where_recording_began_and_ended(real_data: Path) -> None:
    recording = read_recording(real_data / "recordings" / "neuralynx_mne-testing-data")
    (events,) = recording.read_events()
    assert events.label == ("Starting Recording",) * 2 + ("Stopping Recording",) * 2
    stop_s = max(stream.duration_s for stream in recording.description.streams)
    np.testing.assert_allclose(events.time_s, [0, 0, stop_s, stop_s], atol=0.001)
    assert events.warnings == (
        "Events.nev: time stamps step back 1 times, by up to 0.000189 s; they are kept as they are",
    )


@pytest.mark.real_data
def test_real_tracking(real_data: Path, tmp_path: Path) -> None:
    """The first 5,000 of its frames; 30 a second, the picture 720 x 480."""
    folder = real_data / "recordings" / "neuralynx_vandermeerlab"
    packed = folder / "R050-2014-04-02-VT1.zip"
    with zipfile.ZipFile(packed) as archive, archive.open("VT1.nvt") as file:
        raw = file.read(16_384 + 5000 * 1828)
    path = tmp_path / "VT1.nvt"
    path.write_bytes(raw)
    track = read_nvt(path)
    assert len(track.tick_us) == 5000
    assert track.frame_px == (720, 480)
    assert track.opened == datetime.fromisoformat("2014-04-02T13:21:16.335")
    assert 1e6 / np.median(np.diff(track.tick_us)) == pytest.approx(29.97, abs=0.2)
    at = 16_384 + 1616
    for i in (0, 1, 4999):
        x, y, angle = np.frombuffer(raw, "<i4", 3, at + i * 1828)
        expected = (np.nan, np.nan) if x == y == 0 else (x, y)
        np.testing.assert_array_equal([track.x_px[i], track.y_px[i]], expected)
        assert np.isnan(track.angle_deg[i]) or track.angle_deg[i] == angle
    assert track.warnings == ()
