"""SpikeGLX: files of a run, their place in time, and what is refused."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io import interleaved
from wakeful.io.companions import companions
from wakeful.io.mirror import source_files
from wakeful.io.recording import read_recording
from wakeful.io.registry import Growth
from wakeful.io.spikeglx import find_nominal
from wakeful.model.errors import (
    AmbiguousStream,
    BadRecording,
    NoRecording,
    StillGrowing,
    TruncatedFile,
)
from wakeful.model.recording import Recording, Stream
from wakeful.model.subject import ChannelKind

AP, LF = "m_g0_t0.imec0.ap.bin", "m_g0_t0.imec0.lf.bin"


def _samples(recording: Recording, stream: Stream) -> np.ndarray:
    source = recording.open(stream.name)
    out = np.empty((len(stream.channels), stream.spans[-1].stop_sample), np.int16)
    for span in stream.spans:
        source.read(span.first_sample, out[:, span.first_sample : span.stop_sample])
    return out


def test_a_probe_with_both_bands(files: ModuleType, tmp_path: Path) -> None:
    home = tmp_path / "m_g0" / "m_g0_imec0"
    files.flat.write_spikeglx(home / AP, 6000)
    files.flat.write_spikeglx(home / LF, 500)
    recording = read_recording(tmp_path)
    description = recording.description
    ap, lf = description.streams
    assert (ap.name, lf.name) == ("imec0.ap-30000Hz-4ch", "imec0.lf-2500Hz-4ch")
    assert ap.files == (f"m_g0/m_g0_imec0/{AP}",)
    assert (ap.spans[0].rate_hz, lf.spans[0].rate_hz) == (30_000.271, 2500.022583)
    assert [c.kind for c in ap.channels] == [ChannelKind.LFP] * 3 + [ChannelKind.TTL]
    np.testing.assert_array_equal(_samples(recording, ap)[:3], files.flat.frames(0, 6000, 3).T)
    np.testing.assert_array_equal(_samples(recording, ap)[3], files.flat.sync_word(0, 6000))
    assert description.start_utc == datetime(2020, 8, 29, 0, 27, 54, tzinfo=UTC)
    assert description.start_is_local
    assert description.ignored_files == ()
    assert "clocks of their own" in description.warnings[0]


def test_edges_of_the_sync_line(files: ModuleType, tmp_path: Path) -> None:
    """Told once a probe, from the faster band; not at the beginning of a span."""
    files.flat.write_spikeglx(tmp_path / AP, 1000)
    files.flat.write_spikeglx(tmp_path / LF, 100)
    (line,) = read_recording(tmp_path).read_events()
    assert line.name == "imec0.ap SY0 line 6"
    np.testing.assert_allclose(line.time_s, np.arange(50, 1000, 50) / 30_000.271)
    np.testing.assert_array_equal(line.code, np.arange(19) % 2 == 0)


def test_edges_are_the_same_however_the_file_is_read(
    files: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.flat.write_spikeglx(tmp_path / AP, 1000)
    (whole,) = read_recording(tmp_path).read_events()
    monkeypatch.setattr("wakeful.io.spikeglx._EDGE_FRAMES", 50)
    (pieces,) = read_recording(tmp_path).read_events()
    np.testing.assert_array_equal(whole.time_s, pieces.time_s)
    np.testing.assert_array_equal(whole.code, pieces.code)


def test_triggers_and_gates_lie_where_their_first_sample_says(
    files: ModuleType, tmp_path: Path
) -> None:
    for name, start in (("m_g0_t0", 3000), ("m_g0_t1", 5500), ("m_g1_t0", 60_000)):
        folder = tmp_path / name[:4]
        files.flat.write_spikeglx(folder / f"{name}.imec0.lf.bin", 2500, start=start)
    recording = read_recording(tmp_path)
    (stream,) = recording.description.streams
    rate_hz = 2500.022583
    assert [(s.start_s, s.n_samples) for s in stream.spans] == [
        (0.0, 5000),  # t1 goes on where t0 ended
        (pytest.approx((60_000 - 3000) / rate_hz), 2500),
    ]
    expected = np.concatenate(
        [files.flat.frames(3000, 8000, 3), files.flat.frames(60_000, 62_500, 3)]
    )
    np.testing.assert_array_equal(_samples(recording, stream)[:3], expected.T)


def test_streams_are_placed_by_their_own_clocks(files: ModuleType, tmp_path: Path) -> None:
    files.flat.write_spikeglx(tmp_path / AP, 3000, start=30_000)
    files.flat.write_spikeglx(tmp_path / LF, 300, start=2503)
    ap, lf = read_recording(tmp_path).description.streams
    assert ap.spans[0].start_s == 0.0
    expected = 2503 / 2500.022583 - 30_000 / 30_000.271
    assert lf.spans[0].start_s == pytest.approx(expected)


def test_one_file_with_its_meta(files: ModuleType, tmp_path: Path) -> None:
    path = files.flat.write_spikeglx(tmp_path / AP, 1000)
    files.flat.write_spikeglx(tmp_path / LF, 100)
    recording = read_recording(path)
    (stream,) = recording.description.streams
    assert stream.files == (AP,)
    assert companions(path) == (path.with_suffix(".meta"),)
    assert source_files(path) == (path, path.with_suffix(".meta"))


def test_a_card(files: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "m_g0_t0.nidq.bin"
    samples = files.flat.frames(0, 500, 4)
    samples[:, 3] = np.arange(500) // 10 % 2
    path.write_bytes(samples.tobytes())
    files.flat.write_meta(path, files.flat.nidq_meta(path, [1, 1, 1, 1], 500))
    recording = read_recording(tmp_path)
    (stream,) = recording.description.streams
    assert stream.name == "nidq-25000Hz-4ch"
    assert [c.name for c in stream.channels] == ["MN0C0", "MA0C0", "XA0", "XD0"]
    (line,) = recording.read_events()
    assert line.name == "nidq XD0 line 0"
    np.testing.assert_allclose(line.time_s, np.arange(10, 500, 10) / 25_000.127)


def test_values_and_gains_equal_neo(files: ModuleType, tmp_path: Path) -> None:
    rawio = pytest.importorskip("neo.rawio")
    home = tmp_path / "m_g0"
    files.flat.write_spikeglx(home / "m_g0_imec0" / AP, 3000)
    files.flat.write_spikeglx(home / "m_g0_imec0" / LF, 250)
    two = files.flat.write_spikeglx(
        home / "m_g0_imec1" / AP.replace("imec0", "imec1"), 3000, imDatPrb_pn="NP2013",
        imDatPrb_type=2013, imMaxInt=2048, imAiRangeMax=0.62, imChan0apGain=100,
        acqApLfSy="384,0,1", snsSaveChanSubset="0:2,384",
        **{"~imroTbl": "(2013,384)" + "".join(f"({c} 0 0 0 {c})" for c in range(384))},
    )  # fmt: skip
    card = home / "m_g0_t0.nidq.bin"
    card.write_bytes(files.flat.frames(0, 500, 4).tobytes())
    files.flat.write_meta(card, files.flat.nidq_meta(card, [1, 1, 1, 1], 500))
    box = home / "m_g0_t0.obx0.obx.bin"
    box.write_bytes(files.flat.frames(0, 500, 3).tobytes())
    files.flat.write_meta(box, {
        "fileName": str(box), "fileSizeBytes": 3000, "firstSample": 0, "nSavedChans": 3,
        "obAiRangeMax": 5, "obMaxInt": 32768, "obSampRate": "30303.01", "typeThis": "obx",
        "snsXaDwSy": "1,1,1", "snsSaveChanSubset": "all",
        "~snsChanMap": "(1,1,1)(XA0;0:0)(XD0;1:1)(SY0;2:2)",
    })  # fmt: skip
    reader = rawio.SpikeGLXRawIO(str(home))
    reader.parse_header()
    recording = read_recording(home)
    assert two.is_file()
    assert len(recording.description.streams) == 5
    headers = reader.header["signal_channels"]
    n_compared = 0
    for stream in recording.description.streams:
        samples = _samples(recording, stream)
        label = stream.name.split("-")[0]
        for index, of_neo in enumerate(reader.header["signal_streams"]["id"]):
            if of_neo not in (label, f"{label}-SYNC"):
                continue
            members = headers[headers["stream_id"] == of_neo]
            raw = reader.get_analogsignal_chunk(0, 0, 0, samples.shape[1], index)
            for column, header in enumerate(members):
                row = [c.name for c in stream.channels].index(header["name"])
                channel = stream.channels[row]
                assert stream.spans[0].rate_hz == header["sampling_rate"]
                if channel.kind is not ChannelKind.TTL:
                    scale = {"uV": 1.0, "V": 1e6}[header["units"]]
                    assert channel.gain_uv == pytest.approx(header["gain"] * scale, rel=1e-9)
                    np.testing.assert_array_equal(samples[row], raw[:, column])
                    n_compared += 1
    assert n_compared == 3 + 3 + 3 + 3 + 1


# --- growing, damage ------------------------------------------------------------------------------


def test_a_growing_file(files: ModuleType, tmp_path: Path) -> None:
    path = files.flat.write_spikeglx(tmp_path / LF, 5000, fileSizeBytes=None)
    sizes = {LF: 8 * 4000 + 3, "m_g0_t0.imec0.lf.meta": path.with_suffix(".meta").stat().st_size}
    (stream,) = read_recording(tmp_path, growth=Growth(sizes)).description.streams
    assert stream.growing
    assert stream.spans[0].n_samples == 4000
    assert stream.settled_s == stream.spans[0].stop_s
    whole = read_recording(tmp_path).description
    assert whole.streams[0].spans[0].n_samples == 5000
    assert whole.streams[0].name == stream.name
    assert "never finished" in whole.warnings[0]


def test_a_band_that_has_not_begun_is_waited_for(files: ModuleType, tmp_path: Path) -> None:
    for name in (AP, LF):
        files.flat.write_spikeglx(tmp_path / name, 500)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert len(read_recording(tmp_path, growth=Growth(sizes)).description.streams) == 2
    with pytest.raises(StillGrowing, match=r"no samples yet of imec0\.lf"):
        read_recording(tmp_path, growth=Growth(sizes | {LF: 3}))
    # A trigger of a stream that is there comes later.
    files.flat.write_spikeglx(tmp_path / LF.replace("_t0", "_t1"), 500, start=9000)
    assert len(read_recording(tmp_path, growth=Growth(sizes)).description.streams) == 2


def test_a_slow_stream_is_waited_for_as_long_as_a_verified_step_takes(
    files: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (AP, LF):
        files.flat.write_spikeglx(tmp_path / name, 500)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()} | {LF: 3}
    description = read_recording(tmp_path).description
    (slow,) = (s for s in description.streams if ".lf-" in s.name)
    bytes_per_s = 2 * len(slow.channels) * slow.spans[0].rate_hz
    growing = partial(read_recording, tmp_path)
    ahead_s = max(s.duration_s for s in description.streams if s is not slow)
    monkeypatch.setattr(interleaved, "SETTLE_S", ahead_s / 2)
    step_bytes = round(bytes_per_s * ahead_s)
    assert len(growing(growth=Growth(sizes, step_bytes // 4)).description.streams) == 1
    with pytest.raises(StillGrowing, match=r"no samples yet of imec0\.lf"):
        growing(growth=Growth(sizes, step_bytes))
    del sizes["m_g0_t0.imec0.lf.meta"]
    with pytest.raises(StillGrowing, match=r"no samples yet of imec0\.lf"):
        growing(growth=Growth(sizes))


def test_a_file_shorter_than_its_meta_says(files: ModuleType, tmp_path: Path) -> None:
    path = files.flat.write_spikeglx(tmp_path / LF, 5000)
    path.write_bytes(path.read_bytes()[:-80])
    with pytest.raises(TruncatedFile, match=r"says 40,000 bytes, the file has 39,920"):
        read_recording(tmp_path)


def test_a_file_that_ends_within_a_sample(files: ModuleType, tmp_path: Path) -> None:
    path = files.flat.write_spikeglx(tmp_path / LF, 5000, fileSizeBytes=None)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(TruncatedFile, match="5 bytes are left over after 4,999"):
        read_recording(tmp_path)


def test_copies_of_one_file(files: ModuleType, tmp_path: Path) -> None:
    files.flat.write_spikeglx(tmp_path / LF, 5000)
    for end in (".bin", ".meta"):
        shutil.copy(tmp_path / LF.replace(".bin", end), tmp_path / f"m_g0_tcat.imec0.lf{end}")
    with pytest.raises(BadRecording, match=r"begins before .* ends"):
        read_recording(tmp_path)


def test_two_runs_in_one_folder(files: ModuleType, tmp_path: Path) -> None:
    files.flat.write_spikeglx(tmp_path / LF, 500)
    files.flat.write_spikeglx(tmp_path / f"other_{LF}", 500)
    with pytest.raises(AmbiguousStream, match="2 SpikeGLX runs: m, other_m"):
        read_recording(tmp_path)


def test_files_that_do_not_say_where_they_begin(files: ModuleType, tmp_path: Path) -> None:
    for trigger in (0, 1):
        path = tmp_path / f"m_g0_t{trigger}.imec0.lf.bin"
        files.flat.write_spikeglx(path, 500, firstSample=None)
    with pytest.raises(AmbiguousStream, match="2 files that do not say when they begin"):
        read_recording(tmp_path)


def test_samples_or_meta_alone(files: ModuleType, tmp_path: Path) -> None:
    path = files.flat.write_spikeglx(tmp_path / LF, 500)
    with pytest.raises(NoRecording, match=r"only describes the samples.*lf\.bin"):
        read_recording(path.with_suffix(".meta"))
    path.unlink()
    with pytest.raises(NoRecording, match=r"lf\.bin is not beside it"):
        read_recording(tmp_path)


def test_no_samples(files: ModuleType, tmp_path: Path) -> None:
    path = files.flat.write_spikeglx(tmp_path / LF, 500, fileSizeBytes=None)
    path.write_bytes(b"")
    with pytest.raises(NoRecording, match="hold no samples"):
        read_recording(tmp_path)


@pytest.mark.parametrize(
    ("measured_hz", "nominal_hz"),
    [
        (30_000.271, 30_000),
        (2500.022583, 2500),
        (25_000.127, 25_000),
        (32_000.0, 32_000),
        (10_593.2, 10_593),
        (30_303.03, 30_303),
        (1234.56, 1234.56),
    ],
)
def test_the_nominal_rate(measured_hz: float, nominal_hz: float) -> None:
    assert find_nominal(measured_hz) == nominal_hz
