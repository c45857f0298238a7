"""Open Ephys binary: folders, gaps, rates, growth, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.openephys_binary import open_openephys_binary
from wakeful.io.recording import choose_stream, read_recording
from wakeful.io.registry import Found, Growth
from wakeful.model.errors import (
    AmbiguousStream,
    BadRecording,
    NoRecording,
    StillGrowing,
    TruncatedFile,
)
from wakeful.model.recording import Recording, Stream
from wakeful.model.subject import ChannelKind
from wakeful.model.time import Interval

RATE = 1000.0


def _session(tmp_path: Path, node: int = 101, experiment: int = 1, recording: int = 1) -> Path:
    return tmp_path / f"Record Node {node}" / f"experiment{experiment}" / f"recording{recording}"


def _samples(recording: Recording, stream: Stream) -> np.ndarray:
    source = recording.open(stream.name)
    out = np.empty((len(stream.channels), stream.spans[-1].stop_sample), np.int16)
    for span in stream.spans:
        source.read(span.first_sample, out[:, span.first_sample : span.stop_sample])
    return out


def _grown(root: Path, share: float = 1.0) -> Growth:
    """All files; of those that grow, a share."""
    names = ("continuous.dat", "sample_numbers.npy", "timestamps.npy", "states.npy", "text.npy")
    return Growth(
        {
            path.relative_to(root).as_posix(): round(
                path.stat().st_size * (share if path.name in names else 1)
            )
            for path in root.rglob("*")
            if path.is_file()
        }
    )


@pytest.mark.parametrize("level", range(4))
def test_any_folder_of_a_session_may_be_given(
    files: ModuleType, tmp_path: Path, level: int
) -> None:
    folder = _session(tmp_path)
    files.flat.write_open_ephys(folder, np.arange(500, 900), rate_hz=RATE)
    root = [folder, folder.parent, folder.parent.parent, tmp_path][level]
    recording = read_recording(root)
    (stream,) = recording.description.streams
    assert stream.name == "Acq-100.probe-1000Hz-3ch"
    assert stream.files == (
        (folder / "continuous/Acq-100.probe/continuous.dat").relative_to(root).as_posix(),
    )
    expected = np.stack([files.ramp(900, c)[500:] for c in range(3)])
    np.testing.assert_array_equal(_samples(recording, stream), expected)
    (piece,) = recording.byte_ranges(stream.name, Interval(0.1, 0.2))
    assert (piece.file, piece.start, piece.stop) == (stream.files[0], 600, 1200)
    assert recording.description.warnings == ()
    assert recording.description.start_utc == datetime(2025, 4, 3, 11, 38, 24, 611_000, tzinfo=UTC)
    assert not recording.description.start_is_local


def test_recordings_of_an_experiment_continue_each_other(files: ModuleType, tmp_path: Path) -> None:
    parts = [np.arange(0, 3000), np.arange(3000, 4000), np.arange(9000, 10_000)]
    for i, numbers in enumerate(parts):
        files.flat.write_open_ephys(_session(tmp_path, recording=9 + i), numbers, rate_hz=RATE)
    recording = read_recording(tmp_path)
    (stream,) = recording.description.streams
    assert [(s.start_s, s.n_samples) for s in stream.spans] == [(0.0, 4000), (9.0, 1000)]
    assert len(stream.files) == 3
    kept = np.concatenate(parts)
    expected = np.stack([files.ramp(10_000, c)[kept] for c in range(3)])
    np.testing.assert_array_equal(_samples(recording, stream), expected)
    # A piece over the border of two files.
    out = np.empty((3, 20), np.int16)
    recording.open(stream.name).read(2990, out)
    np.testing.assert_array_equal(out, expected[:, 2990:3010])
    ranges = recording.byte_ranges(stream.name, Interval(2.99, 3.01))
    assert [(r.start, r.stop) for r in ranges] == [(2990 * 6, 18_000), (0, 60)]


def test_lost_samples_are_gaps_though_the_file_is_whole(files: ModuleType, tmp_path: Path) -> None:
    numbers = np.delete(np.arange(10_000), np.arange(4000, 4003))
    files.flat.write_open_ephys(_session(tmp_path), numbers, rate_hz=RATE)
    (stream,) = read_recording(tmp_path).description.streams
    (gap,) = stream.gaps
    assert gap.start_s == pytest.approx(4.0)
    assert gap.duration_s == pytest.approx(0.003)


def test_the_rate_comes_from_synchronised_seconds(files: ModuleType, tmp_path: Path) -> None:
    true_hz = RATE * (1 - 30e-6)
    numbers = np.arange(100, 200_100)
    files.flat.write_open_ephys(
        _session(tmp_path), numbers, rate_hz=RATE, seconds=3.0 + numbers / true_hz
    )
    (stream,) = read_recording(tmp_path).description.streams
    assert stream.rate_hz == RATE
    assert stream.spans[0].rate_hz == pytest.approx(true_hz, rel=1e-8)
    assert stream.spans[0].start_s == 0.0


def test_the_old_format(files: ModuleType, tmp_path: Path) -> None:
    """GUI 0.5: no record node, integers called timestamps, the date in settings.xml only."""
    folder = tmp_path / "experiment1" / "recording1"
    files.flat.write_open_ephys(
        folder,
        np.concatenate([np.arange(1000, 2000), np.arange(2500, 3000)]),
        rate_hz=RATE,
        old=True,
        names=("CH1", "AUX1", "ADC1"),
        software_ms=None,
        ttl=[(1100, 3), (2600, -3)],
        messages=[(1000, "start")],
    )
    (tmp_path / "settings.xml").write_text(
        "<SETTINGS><INFO><DATE>15 Mar 2019 10:53:04</DATE></INFO></SETTINGS>"
    )
    recording = read_recording(tmp_path)
    description = recording.description
    (stream,) = description.streams
    assert [(s.start_s, s.n_samples) for s in stream.spans] == [(0.0, 1000), (1.5, 500)]
    assert [c.kind for c in stream.channels] == [ChannelKind.LFP] + [ChannelKind.OTHER] * 2
    assert [c.gain_uv for c in stream.channels] == pytest.approx([0.195, 195_000, 195_000])
    assert description.start_utc == datetime(2019, 3, 15, 10, 53, 4, tzinfo=UTC)
    assert description.start_is_local
    line, said = recording.read_events()
    assert line.name == "Acq-100.probe_TTL_1 ttl 3"
    np.testing.assert_allclose(line.time_s, [0.1, 1.6])
    np.testing.assert_array_equal(line.code, [1, 0])
    assert said.label == ("start",)


def test_record_nodes_are_streams_and_the_user_is_asked(files: ModuleType, tmp_path: Path) -> None:
    for node in (101, 105):
        files.flat.write_open_ephys(
            _session(tmp_path, node), np.arange(2000), rate_hz=RATE, ttl=[(5, 1)]
        )
    recording = read_recording(tmp_path)
    names = [stream.name for stream in recording.description.streams]
    assert names == [f"Record_Node_{n}-Acq-100.probe-1000Hz-3ch" for n in (101, 105)]
    with pytest.raises(AmbiguousStream, match="Record_Node_105"):
        choose_stream(recording.description)
    assert len({events.name for events in recording.read_events()}) == 4


def test_experiments_are_recordings_of_their_own(files: ModuleType, tmp_path: Path) -> None:
    for experiment in (1, 2):
        files.flat.write_open_ephys(
            _session(tmp_path, experiment=experiment), np.arange(100), rate_hz=RATE
        )
    with pytest.raises(AmbiguousStream) as caught:
        read_recording(tmp_path)
    assert "2 Open Ephys experiments, each with a clock of its own" in str(caught.value)
    assert str(tmp_path / "Record Node 101" / "experiment2") in str(caught.value)
    assert read_recording(tmp_path / "Record Node 101" / "experiment2").description.streams


def test_two_sessions_below_one_folder(files: ModuleType, tmp_path: Path) -> None:
    for day in ("monday", "tuesday"):
        files.flat.write_open_ephys(_session(tmp_path / day), np.arange(100), rate_hz=RATE)
    with pytest.raises(AmbiguousStream, match=r"2 Open Ephys experiments.*tuesday"):
        read_recording(tmp_path)


def test_a_clock_that_begins_again(files: ModuleType, tmp_path: Path) -> None:
    for recording in (1, 2):
        files.flat.write_open_ephys(
            _session(tmp_path, recording=recording), np.arange(5000), rate_hz=RATE
        )
    with pytest.raises(AmbiguousStream, match=r"recording2 does not continue.*recording1,"):
        read_recording(tmp_path)


def test_samples_whose_numbers_step_back_are_kept_apart(files: ModuleType, tmp_path: Path) -> None:
    numbers = np.concatenate([np.arange(5000), np.arange(4000, 9000)])
    files.flat.write_open_ephys(_session(tmp_path), numbers, rate_hz=RATE)
    recording = read_recording(tmp_path)
    (stream,) = recording.description.streams
    assert [(s.start_s, s.n_samples) for s in stream.spans] == [(0.0, 9000)]
    (apart,) = stream.quarantined
    assert (apart.interval.start_s, apart.interval.stop_s) == pytest.approx((4.0, 5.0))
    assert "step back" in recording.description.warnings[0]
    expected = np.stack([files.ramp(9000, c) for c in range(3)])
    np.testing.assert_array_equal(_samples(recording, stream), expected)


def test_what_was_found_is_remembered(
    files: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wakeful.io.number_notes.WORTH_ITEMS", 1)
    numbers = np.concatenate([np.arange(5000), np.arange(7000, 9000)])
    root = tmp_path / "data"
    files.flat.write_open_ephys(_session(root), numbers, rate_hz=RATE)
    first = read_recording(root, scans=tmp_path / "scans").description
    assert list((tmp_path / "scans").iterdir())
    assert read_recording(root, scans=tmp_path / "scans").description == first


# --- growing --------------------------------------------------------------------------------------


def test_a_growing_recording_is_as_it_will_be(files: ModuleType, tmp_path: Path) -> None:
    folder = _session(tmp_path)
    numbers = np.concatenate([np.arange(20_000), np.arange(25_000, 60_000)])
    files.flat.write_open_ephys(folder, numbers, rate_hz=RATE, ttl=[(100, 1), (30_000, -1)])
    whole = read_recording(tmp_path)
    expected = _samples(whole, whole.description.streams[0])
    for share in (0.3, 0.7, 0.95):
        part = read_recording(tmp_path, growth=_grown(tmp_path, share))
        (stream,) = part.description.streams
        assert stream.growing
        # The rate of a span is final after its first ten minutes: what came before is settled.
        assert stream.settled_s == (0.0 if share == 0.3 else pytest.approx(20.0))
        n_samples = stream.spans[-1].stop_sample
        assert 0 < n_samples < len(numbers)
        np.testing.assert_array_equal(_samples(part, stream), expected[:, :n_samples])
        assert stream.spans[0].start_s == 0.0
        part.read_events()


def test_without_seconds_all_but_the_last_moments_is_settled(
    files: ModuleType, tmp_path: Path
) -> None:
    folder = _session(tmp_path)
    files.flat.write_open_ephys(folder, np.arange(20_000), rate_hz=RATE, old=True)
    (stream,) = read_recording(tmp_path, growth=_grown(tmp_path)).description.streams
    assert stream.settled_s == pytest.approx(18.0)


def test_headers_that_were_not_brought_up_to_date(files: ModuleType, tmp_path: Path) -> None:
    folder = _session(tmp_path)
    files.flat.write_open_ephys(folder, np.arange(5000), rate_hz=RATE)
    home = folder / "continuous/Acq-100.probe"
    (home / "sample_numbers.npy").write_bytes(files.flat.npy(np.arange(5000), promised=0))
    (stream,) = read_recording(tmp_path).description.streams
    assert stream.spans[0].n_samples == 5000


def test_files_that_are_not_verified_yet_do_not_exist(files: ModuleType, tmp_path: Path) -> None:
    files.flat.write_open_ephys(_session(tmp_path), np.arange(5000), rate_hz=RATE)
    second = _session(tmp_path, recording=2)
    files.flat.write_open_ephys(second, np.arange(9000, 9500), rate_hz=RATE)
    growth = _grown(tmp_path)
    known = {name: n for name, n in growth.n_bytes.items() if "recording2" not in name}
    (stream,) = read_recording(tmp_path, growth=Growth(known)).description.streams
    assert [s.n_samples for s in stream.spans] == [5000]
    with pytest.raises(StillGrowing, match="no samples yet of Record Node 101"):
        read_recording(tmp_path, growth=Growth({}))


def test_a_stream_that_has_not_begun_is_waited_for(files: ModuleType, tmp_path: Path) -> None:
    """It could begin before the others, and all times would move."""
    for node in (101, 105):
        files.flat.write_open_ephys(_session(tmp_path, node), np.arange(700_000), rate_hz=RATE)
    whole = _grown(tmp_path)
    early = _grown(tmp_path, 0.5)
    for name in whole.n_bytes:
        if "105" in name:
            cut = {k: v for k, v in early.n_bytes.items() if k != name}
            if name.endswith(("continuous.dat", "sample_numbers.npy", "structure.oebin")):
                if "events" in name:
                    continue
                with pytest.raises(StillGrowing, match="no samples yet of"):
                    read_recording(tmp_path, growth=Growth(cut))
    # After ten minutes it is not recorded.
    late = {k: v for k, v in whole.n_bytes.items() if "105" not in k}
    assert len(read_recording(tmp_path, growth=Growth(late)).description.streams) == 1
    # But not while a step of its bytes that is not verified yet may hold as much.
    begun = {k: v for k, v in whole.n_bytes.items() if "105" not in k or k.endswith(".oebin")}
    assert len(read_recording(tmp_path, growth=Growth(begun)).description.streams) == 1
    with pytest.raises(StillGrowing, match="no samples yet of"):
        read_recording(tmp_path, growth=Growth(begun, 1 << 30))


# --- damage ---------------------------------------------------------------------------------------


@pytest.fixture
def folder(files: ModuleType, tmp_path: Path) -> Path:
    return files.flat.write_open_ephys(_session(tmp_path), np.arange(5000), rate_hz=RATE)


def test_a_file_that_ends_within_a_sample(folder: Path) -> None:
    path = folder / "continuous/Acq-100.probe/continuous.dat"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(TruncatedFile, match=r"3 bytes are left over after 4,999 samples"):
        read_recording(folder)


def test_samples_and_numbers_of_different_length(files: ModuleType, folder: Path) -> None:
    path = folder / "continuous/Acq-100.probe/continuous.dat"
    raw = path.read_bytes()
    path.write_bytes(raw[: 4700 * 6])
    description = read_recording(folder).description
    assert description.streams[0].spans[0].n_samples == 4700
    assert "300 samples at the end are not used: only their numbers" in description.warnings[0]
    path.write_bytes(raw[: 2000 * 6])
    with pytest.raises(TruncatedFile, match=r"2,000 samples.*5,000 sample numbers"):
        read_recording(folder)


def test_no_samples(folder: Path) -> None:
    (folder / "continuous/Acq-100.probe/continuous.dat").unlink()
    with pytest.raises(NoRecording, match="hold no samples"):
        read_recording(folder)


def test_no_numbers(folder: Path) -> None:
    for name in ("sample_numbers.npy", "timestamps.npy"):
        (folder / "continuous/Acq-100.probe" / name).unlink()
    description = read_recording(folder).description
    assert "gaps can't be told" in description.warnings[0]
    assert description.streams[0].spans[0].n_samples == 5000


def test_different_channels_in_one_experiment(files: ModuleType, folder: Path) -> None:
    second = folder.with_name("recording2")
    files.flat.write_open_ephys(second, np.arange(9000, 9500), rate_hz=RATE, bit_volts=0.5)
    with pytest.raises(
        BadRecording,
        match=r"recording1 / recording2.*different channels",
    ):
        read_recording(folder.parent)


def test_a_structure_that_leads_out_of_the_folder(folder: Path) -> None:
    path = folder / "structure.oebin"
    content = json.loads(path.read_text())
    content["continuous"][0]["folder_name"] = "../../elsewhere"
    path.write_text(json.dumps(content))
    with pytest.raises(BadRecording, match=r"folder_name is '\.\./\.\./elsewhere'"):
        read_recording(folder)


def test_a_file_of_the_recording_is_not_the_recording(folder: Path) -> None:
    with pytest.raises(BadRecording, match="give its folder"):
        read_recording(folder / "structure.oebin")
    with pytest.raises(NoRecording, match=r"give the recording's folder.*recording1"):
        read_recording(folder / "continuous/Acq-100.probe/continuous.dat")
    with pytest.raises(NoRecording, match=r"give the recording's folder.*recording1"):
        read_recording(folder / "continuous")


def test_spikes_are_left_aside(folder: Path) -> None:
    spikes = folder / "spikes" / "Detector-104.probe" / "Single 1"
    spikes.mkdir(parents=True)
    (spikes / "waveforms.npy").write_bytes(b"")
    assert read_recording(folder).description.ignored_files == ("spikes/",)


def test_a_folder_found_through_a_link(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)
    found = Found(root=link, files=(link / "structure.oebin",), others=())
    assert open_openephys_binary(found).description.streams


# --- real files -----------------------------------------------------------------------------------


@pytest.mark.real_data
@pytest.mark.parametrize("node", ["Record Node 101", "Record Node 105"])
def test_a_real_recording_equals_neo(real_data: Path, node: str) -> None:
    rawio = pytest.importorskip("neo.rawio")
    folder = real_data / "recordings" / "openephys" / "v0.6.7_Binary" / node
    reader = rawio.OpenEphysBinaryRawIO(str(folder))
    reader.parse_header()
    recording = read_recording(folder)
    (stream,) = recording.description.streams
    samples = _samples(recording, stream)
    raw = reader.get_analogsignal_chunk(0, 0, 0, samples.shape[1], 0)
    np.testing.assert_array_equal(samples, raw.T)
    assert samples.shape == (16, 131_362)
    headers = reader.header["signal_channels"]
    assert [c.name for c in stream.channels] == headers["name"].tolist()
    np.testing.assert_allclose([c.gain_uv for c in stream.channels], headers["gain"], rtol=1e-9)
    assert stream.spans[0].rate_hz == headers["sampling_rate"][0] == 40_000
    t0 = reader.get_signal_t_start(0, 0, 0)
    _compare_events(reader, recording, t0)
    assert recording.description.start_utc == datetime(
        2025, 4, 3, 11, 38, 24, 611_000 + 1000 * (node == "Record Node 105"), tzinfo=UTC
    )


def _compare_events(reader: object, recording: Recording, t0: float) -> None:
    series = {events.name: events for events in recording.read_events()}
    for index, channel in enumerate(reader.header["event_channels"]):  # type: ignore[attr-defined]
        times, durations, labels = reader.get_event_timestamps(0, 0, index)  # type: ignore[attr-defined]
        if channel["name"] == "Messages":
            said = series["MessageCenter"]
            np.testing.assert_allclose(said.time_s + t0, times, atol=1e-9)
            assert list(said.label) == labels.tolist()
        elif channel["name"] == "Network Events output":
            for time, duration, label in zip(times, durations, labels, strict=True):
                line = series[f"Network_Events-108.example_data ttl {label}"]
                np.testing.assert_allclose(line.time_s + t0, [time, time + duration], atol=1e-9)
                np.testing.assert_array_equal(line.code, [1, 0])
    assert len(series) == 65
