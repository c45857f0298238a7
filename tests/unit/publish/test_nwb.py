"""A session as an NWB file: what other programs find in it."""

from __future__ import annotations

import warnings
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tests.whole_session import CHANNELS, SPANS, make_contents, make_samples

from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.errors import BadParameters, BadRecording
from wakeful.model.subject import Channel, Subject
from wakeful.model.time import Interval, Span
from wakeful.publish.contents import LabFacts, NwbOptions, SessionContents
from wakeful.publish.nwb import UNKNOWN_AGE, UNKNOWN_SPECIES, write_nwb

SECOND = slice(SPANS[1].first_sample, SPANS[1].stop_sample)
"""Columns of the planted samples that lie after the gap."""


@pytest.fixture(scope="module")
def file(contents, tmp_path_factory) -> Path:
    return write_nwb(contents, tmp_path_factory.mktemp("nwb") / "session.nwb")


@pytest.fixture(scope="module")
def opened(file):
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(str(file), "r") as io:
        yield io.read()


def complaints(path: Path) -> list[str]:
    """What nwbinspector calls critical or a violation of best practice."""
    import nwbinspector

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, about how it is called
        found = list(nwbinspector.inspect_nwbfile(nwbfile_path=path))
    grave = ("CRITICAL", "BEST_PRACTICE_VIOLATION", "ERROR", "PYNWB_VALIDATION")
    return [f"{m.check_function_name}: {m.message}" for m in found if m.importance.name in grave]


def test_nwbinspector_finds_nothing_grave(file):
    assert complaints(file) == []


def test_volts_and_times_come_back_on_both_sides_of_the_gap(opened):
    series = opened.processing["ecephys"]["LFP"]["ElectricalSeriesLFP"]
    planted = make_samples()
    stored = np.concatenate([planted[:2, :40_000], planted[:2, SECOND]], axis=1)
    assert series.data.dtype == np.int16
    np.testing.assert_array_equal(series.data[:].T, stored)
    volts = series.data[:] * series.conversion * series.channel_conversion[:] + series.offset
    np.testing.assert_allclose(volts.T * 1e6, stored * np.array([[0.5], [-0.25]]), rtol=1e-6)
    time_s = series.timestamps[:]
    np.testing.assert_allclose(time_s[:40_000], np.arange(40_000) / 1000, atol=1e-9)
    np.testing.assert_allclose(time_s[40_000:], 50 + np.arange(70_035) / 1000.5, atol=1e-9)
    emg = opened.processing["ecephys"]["EMG"]
    assert emg.timestamps.name == series.timestamps.name  # one dataset, not two
    assert emg.unit == "volts"
    np.testing.assert_allclose(emg.conversion, 2e-6)
    np.testing.assert_array_equal(emg.data[:, 0], np.r_[planted[2, :40_000], planted[2, SECOND]])


def test_gaps_and_quarantined_time_are_told(opened):
    recorded = opened.intervals["recorded"].to_dataframe()
    np.testing.assert_allclose(recorded.start_time, [0, 50])
    np.testing.assert_allclose(recorded.stop_time, [40, 120])
    np.testing.assert_allclose(recorded.rate_hz, [1000, 1000.5])
    invalid = opened.invalid_times.to_dataframe()
    assert invalid.reason.tolist() == [
        "gap: nothing was recorded",
        "quarantined: the clock stepped back",
    ]
    np.testing.assert_allclose(invalid[["start_time", "stop_time"]], [[40, 50], [60, 61]])


def test_electrodes_say_where_they_are(opened):
    table = opened.electrodes.to_dataframe()
    assert table.channel_name.tolist() == ["CSC1", "CSC2"]
    assert table.location.tolist() == ["CA1", "VISp"]
    assert table.reference.tolist() == ["cerebellum", "unknown"]
    assert table.x.iloc[0] == 1500.0  # micrometres
    assert np.isnan(table.x.iloc[1])
    assert "high-pass 0.1 Hz" in table.filtering.iloc[1]
    assert "inverted" in table.filtering.iloc[1]
    channels = opened.processing["ecephys"]["channels"].to_dataframe()
    assert channels.channel_name.tolist() == ["CSC1", "CSC2", "EMG1"]
    assert channels.series.iloc[2] == "EMG"
    assert (channels.region.iloc[2], channels.notes.iloc[2]) == ("neck", "left")


def test_names_with_slashes_and_what_was_corrected_since(tmp_path):
    from pynwb import NWBHDF5IO

    now = (
        replace(CHANNELS[0], region="M1/S1", gain_uv=99.0),
        replace(CHANNELS[1], region="M1-S1"),
    )
    path = write_nwb(one_span(channels=now), tmp_path / "slash.nwb")
    with NWBHDF5IO(str(path), "r") as io:
        nwb = io.read()
        assert set(nwb.electrode_groups) == {"M1-S1", "M1-S1 2"}
        assert nwb.electrodes["location"][:].tolist() == ["M1/S1", "M1-S1"]
        # The gain is that of the stored samples, whatever has been said since.
        assert nwb.processing["ecephys"]["channels"]["gain_uv"][:].tolist() == [0.5, 0.5]


def test_spectra_and_bands(opened, contents):
    ecephys = opened.processing["ecephys"]
    spectrogram = ecephys["spectrogram"]
    whole = np.concatenate([part.power_uv2_per_hz for part in contents.spectrogram])
    np.testing.assert_array_equal(spectrogram.data[:], whole)
    assert (spectrogram.starting_time, spectrogram.rate) == (0.0, 0.25)
    np.testing.assert_allclose(spectrogram.bands["band_limits"][4], [0.875, 1.125])
    assert ecephys["regions"]["region"][:].tolist() == ["CA1", "VISp"]
    power = ecephys["band_power"]
    np.testing.assert_array_equal(power.data[:], contents.band_power.power_uv2)
    assert power.bands["band_name"][:].tolist() == ["delta", "theta"]
    assert power.source_timeseries.name == "ElectricalSeriesLFP"
    np.testing.assert_array_equal(ecephys["emg_rms"].data[:], contents.muscle.emg_uv)
    np.testing.assert_array_equal(ecephys["lfp_emg"].data[:], contents.lfp_emg.correlation)


def test_a_spectrogram_wider_than_long_is_a_table(contents, tmp_path):
    short = tuple(part.cut(Interval(0, 20)) for part in contents.spectrogram)
    path = tmp_path / "short.nwb"
    write_nwb(replace(contents, spectrogram=short), path, NwbOptions(lfp=False))
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(str(path), "r") as io:
        ecephys = io.read().processing["ecephys"]
        np.testing.assert_array_equal(ecephys["spectrogram"]["power"][:], short[0].power_uv2_per_hz)
        assert ecephys["band_power"].source_channels.data[:].tolist() == [0, 1]


def test_sleep_as_bouts_and_as_epochs(opened):
    behaviour = opened.processing["behavior"]
    bouts = behaviour["sleep_states"].to_dataframe()
    assert bouts.state.tolist() == ["awake", "NREM", "NREM", "REM"]
    np.testing.assert_allclose(bouts.start_time, [0, 32, 52, 92])
    np.testing.assert_allclose(bouts.stop_time, [32, 40, 92, 120])
    epochs = behaviour["sleep_epochs"].to_dataframe()
    assert epochs.state.tolist().count("no data") == 3
    assert len(epochs) == 30


def test_pose_events_and_tracks(opened, contents):
    behaviour = opened.processing["behavior"]
    pose = behaviour["pose"]
    assert [*pose.pose_estimation_series] == ["snout", "tailbase"]
    tail = pose["tailbase"]
    x_px = np.concatenate([part.x_px[:, 1] for part in contents.poses["pose"]])
    np.testing.assert_array_equal(tail.data[:, 0], x_px)
    np.testing.assert_array_equal(tail.confidence[:], x_px)
    np.testing.assert_allclose(tail.rate, 30)
    assert pose.skeleton.edges[:].tolist() == [[0, 1]]
    events = opened.events["Events"]
    assert events["annotation"][:].tolist() == ["", "up", "up", "down"]
    assert events["timestamp"][:].tolist() == [1.0, 3.0, 5.0, 7.5]
    assert events["code"][:].tolist() == [0, 1, 1, 0]
    assert "clock steps back" in events.description
    assert opened.acquisition["Events codes"].data[:].tolist() == [0, 1, 1, 0]
    track = behaviour["Position VT1"]["VT1"]
    assert np.isnan(track.data[0]).all()
    assert track.data[5].tolist() == [4.0, 4.0]
    np.testing.assert_allclose(track.rate, 25)


def test_a_table_that_nobody_knows_is_there_all_the_same(opened, contents):
    table = opened.processing["ecephys"]["channel_quality"]
    planted = contents.tables["channel_quality"]
    np.testing.assert_array_equal(table["noise_uv"][:], planted.noise_uv)
    assert '"channels": ["a", "b", "c"]' in table.description


def test_everything_says_what_made_it(opened, contents):
    made = opened.analysis["provenance"].to_dataframe().iloc[0]
    assert made["key"] == "ab" * 32
    assert made["parameters"] == "lfp_rate_hz = 1000.0; lfp_emg_bin_s = 0.5"
    assert made["inputs"] == "cd" * 32
    assert opened.identifier == contents.identifier
    assert opened.session_id == "2026-03-02_10-15-00_rec"
    assert opened.notes == "the clock stepped back once"
    series = opened.processing["ecephys"]["LFP"]["ElectricalSeriesLFP"]
    assert "convert version 1, lfp_rate_hz = 1000.0 (key abababababab)" in series.description


def test_start_and_subject(opened):
    start = opened.session_start_time
    assert start == datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
    assert start.utcoffset().total_seconds() == 3600  # the lab's clock
    subject = opened.subject
    assert (subject.species, subject.sex, subject.age) == ("Mus musculus", "F", "P90D")
    assert subject.strain == "C57BL/6J"
    assert tuple(opened.experimenter) == ("Doe, Jane",)


def test_the_identifier_follows_from_the_results(contents):
    made = contents.made_by[0]
    assert replace(contents, notes=()).identifier == contents.identifier
    other = replace(contents, made_by=(replace(made, key="ef" * 32),))
    assert other.identifier != contents.identifier


@pytest.mark.slow
def test_an_unknown_animal_is_not_made_up_and_passes(contents, tmp_path):
    bare = replace(
        contents,
        subject=Subject(identifier="M014"),
        strain="",
        lab=LabFacts(),
        spectrogram=tuple(part.cut(Interval(0, 20)) for part in contents.spectrogram),
        poses={},
        tables={},
    )
    path = write_nwb(bare, tmp_path / "bare.nwb", NwbOptions(lfp=False))
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(str(path), "r") as io:
        subject = io.read().subject
        assert (subject.species, subject.age, subject.sex) == (UNKNOWN_SPECIES, UNKNOWN_AGE, "U")
    assert complaints(path) == []


def one_span(**changes: object) -> SessionContents:
    spans = (Span(0.0, 5000, 999.9, 0),)
    channels = (CHANNELS[0], replace(CHANNELS[1], gain_uv=0.5))
    lfp = Lfp(MemorySource(make_samples()[:2, :5000], channels, spans), 1000.0)
    plain = {"lfp": lfp, "spectrogram": (), "band_power": None, "muscle": None, "lfp_emg": None}
    none = {"hypnogram": None, "tables": {}, "poses": {}, "events": (), "tracks": ()}
    return make_contents(**{**plain, **none, "quarantined": (), **changes})


def test_without_a_gap_there_is_a_rate_and_one_conversion(tmp_path):
    from pynwb import NWBHDF5IO

    contents = one_span()
    session = replace(contents.session, duration_s=5.0005)
    path = write_nwb(replace(contents, session=session), tmp_path / "one.nwb")
    with NWBHDF5IO(str(path), "r") as io:
        nwb = io.read()
        series = nwb.processing["ecephys"]["LFP"]["ElectricalSeriesLFP"]
        assert (series.starting_time, series.rate, series.timestamps) == (0.0, 999.9, None)
        assert series.channel_conversion is None
        np.testing.assert_allclose(series.conversion, 0.5e-6)
        assert nwb.invalid_times is None


def test_offsets_that_differ_are_worked_into_the_samples(tmp_path):
    from pynwb import NWBHDF5IO

    channels = (Channel(name="a", gain_uv=2.0, offset_uv=10.0), Channel(name="b", gain_uv=1.0))
    spans = (Span(0.0, 5000, 1000.0, 0),)
    lfp = Lfp(MemorySource(make_samples()[:2, :5000], channels, spans), 1000.0)
    path = write_nwb(one_span(lfp=lfp, channels=channels), tmp_path / "offset.nwb")
    with NWBHDF5IO(str(path), "r") as io:
        series = io.read().processing["ecephys"]["LFP"]["ElectricalSeriesLFP"]
        uv = series.data[:] * series.conversion * 1e6
    np.testing.assert_allclose(uv[:, 0], make_samples()[0, :5000] * 2.0 + 10, rtol=1e-6)
    np.testing.assert_allclose(uv[:, 1], make_samples()[1, :5000], rtol=1e-6)


def test_an_unknown_start_is_asked_for(tmp_path):
    contents = one_span()
    unknown = replace(contents, session=replace(contents.session, start_utc=None))
    with pytest.raises(BadRecording, match="--start 2026"):
        write_nwb(unknown, tmp_path / "x.nwb")
    given = datetime(2026, 7, 1, 8, 0)  # noqa: DTZ001 -- on the lab's clock
    path = write_nwb(unknown, tmp_path / "x.nwb", NwbOptions(start=given))
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(str(path), "r") as io:
        assert io.read().session_start_time == datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
    with pytest.raises(BadParameters, match="leave the option out"):
        write_nwb(contents, tmp_path / "y.nwb", NwbOptions(start=given))


@pytest.mark.parametrize("compression", ["blosc", "none"])
def test_other_compressions_hold_the_same(tmp_path, compression):
    import h5py
    import hdf5plugin  # noqa: F401 -- registers Blosc

    path = write_nwb(one_span(), tmp_path / "a.nwb", NwbOptions(compression=compression))
    name = "processing/ecephys/LFP/ElectricalSeriesLFP/data"
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file[name][:].T, make_samples()[:2, :5000])
        filters = file[name].id.get_create_plist().get_nfilters()
    assert filters == (1 if compression == "blosc" else 0)


def test_pynapple_opens_it_and_knows_states_and_gaps(file):
    import pynapple as nap

    with warnings.catch_warnings():
        # Bouts that touch are parted by a microsecond, and pynapple says so.
        warnings.filterwarnings("ignore", message="Some starts and ends are equal")
        data = nap.load_file(str(file))
        lfp, states, recorded = (
            data["ElectricalSeriesLFP"],
            data["sleep_states"],
            data["recorded"],
        )
        assert data["band_power"].shape == (30, 2, 2)
    assert lfp.shape == (110_035, 2)
    rem = states[states.state == "REM"]
    assert rem.tot_length() == pytest.approx(28)
    assert lfp.restrict(rem).shape[0] == pytest.approx(28 * 1000.5, abs=2)
    assert lfp.restrict(recorded).time_support.tot_length() == pytest.approx(110)


def test_nothing_is_overwritten_and_nothing_half_written_stays(contents, tmp_path, monkeypatch):
    path = tmp_path / "a.nwb"
    path.write_bytes(b"mine")
    with pytest.raises(BadParameters, match="--overwrite"):
        write_nwb(contents, path)
    with pytest.raises(BadParameters, match=r"end in \.nwb"):
        write_nwb(contents, tmp_path / "a.h5")

    class Torn(MemorySource):
        def read(self, first_sample, out, rows=None):
            if first_sample > 45_000:
                raise OSError(28, "No space left on device")
            super().read(first_sample, out, rows)

    torn = replace(contents, lfp=Lfp(Torn(make_samples(), CHANNELS, SPANS), 1000.0))
    with pytest.raises(OSError, match="No space"):
        write_nwb(torn, path, NwbOptions(overwrite=True))
    assert [p.name for p in tmp_path.iterdir()] == ["a.nwb"]
    assert path.read_bytes() == b"mine"


def test_progress_goes_to_its_end(contents, tmp_path):
    told: list[float] = []
    write_nwb(contents, tmp_path / "a.nwb", progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


class Long(MemorySource):
    """Ten minutes of 64 channels at 5 kHz, 384 MB, that nobody holds."""

    def __init__(self) -> None:
        channels = tuple(Channel(name=f"c{i}", gain_uv=1 + i / 100) for i in range(64))
        spans = (Span(0.0, 1_500_000, 5000.0, 0), Span(400.0, 1_500_000, 5000.0, 1_500_000))
        super().__init__(np.empty((64, 0), np.int16), channels, spans)

    def read(self, first_sample, out, rows=None):
        out[...] = (np.arange(first_sample, first_sample + out.shape[1]) % 997).astype(np.int16)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_recording(tmp_path):
    import psutil

    process, peak = psutil.Process(), 0
    write_nwb(one_span(), tmp_path / "warm.nwb", NwbOptions(compression="none"))
    before = process.memory_info().rss

    def watch(_: float) -> None:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)

    lfp = Lfp(Long(), 5000.0)
    path = tmp_path / "long.nwb"
    write_nwb(one_span(lfp=lfp, channels=()), path, NwbOptions(compression="none"), watch)
    assert path.stat().st_size > 380e6
    assert peak - before < 100e6
