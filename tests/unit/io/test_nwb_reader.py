"""NWB files written by pynwb, read without it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pynwb import H5DataIO, TimeSeries
from pynwb.ecephys import LFP, ElectricalSeries
from pynwb.event import EventsTable
from pynwb.file import Subject
from pynwb.misc import AnnotationSeries
from tests.contract.examples.nwb import electrodes_of, new_nwb, save

from wakeful.io.recording import read_recording
from wakeful.model.errors import BadRecording, NoRecording
from wakeful.model.subject import ChannelKind


def _series(nwb, name: str, data: np.ndarray, **more: object) -> ElectricalSeries:
    region = electrodes_of(nwb, list(range(data.shape[1])))
    return ElectricalSeries(name=name, data=data, electrodes=region, **more)


@pytest.mark.filterwarnings("ignore:The linked table")
def test_raw_and_lfp_are_two_streams_on_one_time(tmp_path: Path) -> None:
    nwb = new_nwb()
    nwb.subject = Subject(subject_id="M014", species="Mus musculus", age="P90D", sex="M")
    nwb.add_acquisition(
        _series(nwb, "raw", np.zeros((4000, 3), np.int16), rate=2000.0, starting_time=5.0)
    )
    module = nwb.create_processing_module(name="ecephys", description="filtered")
    lfp = _series(nwb, "lfp", np.zeros((1000, 3)), rate=500.0, starting_time=5.5)
    module.add(LFP(electrical_series=lfp))
    nwb.add_acquisition(
        TimeSeries(name="EMG", data=np.zeros(500), unit="volts", rate=250.0, starting_time=6.0)
    )
    description = read_recording(save(nwb, tmp_path / "a.nwb")).description
    kinds = {s.rate_hz: (s.spans[0].start_s, len(s.channels)) for s in description.streams}
    assert kinds == {2000.0: (0.0, 3), 500.0: (0.5, 3), 250.0: (1.0, 1)}
    emg = next(s for s in description.streams if s.rate_hz == 250.0)
    assert emg.channels[0].kind is ChannelKind.EMG
    assert emg.channels[0].gain_uv == 1e6
    assert description.start_utc == datetime(2024, 3, 1, 9, 0, 5, tzinfo=UTC)
    assert not description.start_is_local
    assert description.subject == "M014"
    assert any("several series" in text for text in description.warnings)


def test_electrodes_say_where_and_what(tmp_path: Path) -> None:
    nwb = new_nwb()
    nwb.add_acquisition(_series(nwb, "raw", np.zeros((100, 3), np.int16), rate=100.0))
    (stream,) = read_recording(save(nwb, tmp_path / "a.nwb")).description.streams
    second = stream.channels[1]
    assert (second.name, second.region) == ("CH1", "CA1")
    assert (second.x_mm, second.y_mm, second.z_mm) == (0.1, 0.2, 0.0)


def test_the_rate_is_fitted_to_time_stamps_and_jitter_is_no_gap(tmp_path: Path) -> None:
    nwb = new_nwb()
    number = np.arange(50_000)
    times = 3.0 + number / 1000 * (1 + 3e-5)
    times += np.random.default_rng(0).normal(0, 2e-5, len(times))
    nwb.add_acquisition(_series(nwb, "raw", np.zeros((50_000, 3), np.int16), timestamps=times))
    (stream,) = read_recording(save(nwb, tmp_path / "a.nwb")).description.streams
    assert stream.rate_hz == 1000.0
    assert len(stream.spans) == 1
    assert stream.spans[0].rate_hz == pytest.approx(1000 / (1 + 3e-5), rel=1e-7)


def test_a_fitted_rate_is_kept_and_the_nominal_one_named(tmp_path: Path) -> None:
    nwb = new_nwb()
    nwb.add_acquisition(_series(nwb, "lfp", np.zeros((5000, 3), np.int16), rate=1000.013))
    (stream,) = read_recording(save(nwb, tmp_path / "a.nwb")).description.streams
    assert (stream.rate_hz, stream.name) == (1000.0, "1000Hz-3ch")
    assert stream.spans[0].rate_hz == 1000.013


def test_series_that_share_their_time_stamps_and_results_that_are_no_signal(
    tmp_path: Path,
) -> None:
    """As our own export writes a recording with gaps: times stored once, EMG in volts."""
    nwb = new_nwb()
    times = np.concatenate([np.arange(2000), np.arange(2500, 4000)]) / 1000
    lfp = _series(nwb, "lfp", np.zeros((3500, 3), np.int16), timestamps=times, conversion=1e-7)
    nwb.add_acquisition(lfp)
    emg = np.arange(3500, dtype=np.int16)
    nwb.add_acquisition(
        TimeSeries(name="EMG", data=emg, unit="volts", timestamps=lfp, conversion=2e-7)
    )
    module = nwb.create_processing_module(name="ecephys", description="results")
    module.add(TimeSeries(name="tone", data=np.ones(40), unit="volts", rate=0.25))
    recording = read_recording(save(nwb, tmp_path / "a.nwb"))
    streams = {len(s.channels): s for s in recording.description.streams}
    assert set(streams) == {1, 3}
    for stream in streams.values():
        assert [(s.start_s, s.n_samples) for s in stream.spans] == [(0.0, 2000), (2.5, 1500)]
    assert streams[1].channels[0].kind is ChannelKind.EMG
    assert streams[1].channels[0].gain_uv == pytest.approx(0.2)
    out = np.empty((1, 2), np.int16)
    recording.open(streams[1].name).read(2000, out)
    assert out.tolist() == [[2000, 2001]]


@pytest.mark.filterwarnings("ignore:32001 compression")
def test_files_packed_with_blosc(tmp_path: Path) -> None:
    import hdf5plugin

    nwb = new_nwb()
    data = np.random.default_rng(0).integers(-900, 900, (5000, 3)).astype(np.int16)
    packed = H5DataIO(data, chunks=(512, 3), allow_plugin_filters=True, **hdf5plugin.Blosc())
    region = electrodes_of(nwb, [0, 1, 2])
    nwb.add_acquisition(ElectricalSeries(name="raw", data=packed, electrodes=region, rate=1000.0))
    recording = read_recording(save(nwb, tmp_path / "a.nwb"))
    (stream,) = recording.description.streams
    out = np.empty((3, 5000), np.int16)
    recording.open(stream.name).read(0, out)
    np.testing.assert_array_equal(out, data.T)


def test_time_stamps_that_step_back_or_are_missing_are_set_apart(tmp_path: Path) -> None:
    nwb = new_nwb()
    times = np.arange(5000) / 1000
    times[1000:1010] = np.nan
    times[4000:4010] -= 2.0
    data = np.arange(15_000, dtype=np.int16).reshape(5000, 3)
    nwb.add_acquisition(_series(nwb, "raw", data, timestamps=times))
    recording = read_recording(save(nwb, tmp_path / "a.nwb"))
    (stream,) = recording.description.streams
    assert sum(s.n_samples for s in stream.spans) == 4980
    assert len(stream.spans) == 3
    last = stream.spans[-1]
    out = np.empty((3, 2), np.int16)
    recording.open(stream.name).read(last.first_sample, out)
    np.testing.assert_array_equal(out, data[4010:4012].T)
    assert stream.quarantined
    assert any("20 samples are not used" in text for text in recording.description.warnings)


@pytest.mark.filterwarnings("ignore:AnnotationSeries is deprecated")
def test_intervals_and_annotations_are_events(tmp_path: Path) -> None:
    nwb = new_nwb()
    nwb.add_acquisition(
        _series(nwb, "raw", np.zeros((1000, 3), np.int16), rate=100.0, starting_time=2.0)
    )
    nwb.add_epoch(start_time=3.0, stop_time=4.5, tags=["light", "on"])
    nwb.add_epoch(start_time=6.0, stop_time=7.0, tags=["dark"])
    nwb.add_acquisition(AnnotationSeries(name="notes", data=["sneeze"], timestamps=[5.0]))
    pulses = EventsTable(name="pulses", description="of the laser")
    pulses.add_row(timestamp=4.25, annotation="first")
    nwb.add_events_table(pulses)
    series = {s.name: s for s in read_recording(save(nwb, tmp_path / "a.nwb")).read_events()}
    assert series["epochs"].time_s.tolist() == [1.0, 2.5, 4.0, 5.0]
    assert series["epochs"].code.tolist() == [1, 0, 1, 0]
    assert series["epochs"].label == ("light on", "light on", "dark", "dark")
    assert series["notes"].time_s.tolist() == [3.0]
    assert series["notes"].label == ("sneeze",)
    assert series["pulses"].time_s.tolist() == [2.25]
    assert series["pulses"].label == ("first",)


def test_a_file_without_signals_says_what_it_holds(tmp_path: Path) -> None:
    nwb = new_nwb()
    nwb.add_epoch(start_time=3.0, stop_time=4.5)
    with pytest.raises(NoRecording, match=r"no electrical series \(it holds 1 in intervals\)"):
        read_recording(save(nwb, tmp_path / "a.nwb"))


def test_time_stamps_that_fit_no_rate(tmp_path: Path) -> None:
    nwb = new_nwb()
    nwb.add_acquisition(_series(nwb, "raw", np.zeros((100, 3), np.int16), timestamps=np.zeros(100)))
    with pytest.raises(BadRecording, match="give no rate"):
        read_recording(save(nwb, tmp_path / "a.nwb"))


@pytest.mark.real_data
def test_a_real_file_without_signals(real_data: Path) -> None:
    with pytest.raises(NoRecording, match="3 sorted units"):
        read_recording(real_data / "recordings" / "nwb_pynapple")
