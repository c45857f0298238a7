"""Events of sleep go out: CSV, stores, pynapple, xarray, NWB, and their figure."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from tests.whole_session import make_contents

from wakeful.figures import draw_sleep_events, render
from wakeful.io.codec import read_value, write_value
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import Unavailable
from wakeful.model.sleep_events import SleepEvents
from wakeful.model.subject import Session, Subject
from wakeful.model.time import Interval
from wakeful.publish.event_tables import event_files
from wakeful.publish.nwb import write_nwb
from wakeful.publish.zarr_store import write_zarr

N_EPOCHS = 900


@pytest.fixture
def hypnogram():
    state = np.full(N_EPOCHS, State.NREM, np.int8)
    state[:300] = State.AWAKE
    return Hypnogram(
        start_s=np.arange(N_EPOCHS) * 4.0,
        raw_state=state,
        state=state,
        confidence=np.ones(N_EPOCHS, np.float32),
        epoch_s=4.0,
        scorer="planted",
    )


@pytest.fixture
def events():
    start_s = np.array([1300.0, 1300.2, 1500.0, 2000.0])
    return SleepEvents(
        start_s=start_s,
        stop_s=start_s + 0.75,
        peak_s=start_s + 0.3,
        region=np.array([0, 1, 0, 0], np.int16),
        channel=np.array([0, 2, 0, 0], np.int16),
        state=np.full(4, State.NREM, np.int8),
        amplitude_uv=np.array([50, 60, 70, 80], np.float32),
        frequency_hz=np.array([11, 12, 13, 14], np.float32),
        measure=np.array([0.5, 0.6, np.nan, 0.7], np.float32),
        kind="spindle",
        measure_name="share",
        regions=("=PFC", "CA1"),
        channels=("c1", "c2", "c3"),
        band_hz=(10.0, 15.0),
        threshold_uv=np.array([40.0, np.nan]),
        states=("NREM",),
        minutes=np.array([[40.0, 0.0]]),
        per_min=np.array([[0.075, np.nan]]),
        waveform_s=np.linspace(-1, 1, 21),
        waveform_uv=np.tile(np.sin(np.arange(21.0)), (2, 1)).astype(np.float32),
        waveform_sd_uv=np.ones((2, 21), np.float32),
        n_waveforms=(3, 1),
        left_out=(("power in other bands too", 7),),
        notes=("=PFC: c1, its first good channel, for 60 min",),
    )


SESSION = Session(
    name="s", subject=Subject(identifier="M1"), start_utc=None, duration_s=N_EPOCHS * 4.0
)


def test_csv_has_a_line_an_event_and_a_line_a_rate(events):
    files = event_files("spindles", events)
    lines = list(csv.DictReader(io.StringIO(files["spindles.csv"].decode())))
    assert len(lines) == 4
    assert lines[0]["region"] == "'=PFC"  # no formula
    assert lines[1]["channel"] == "c3"
    assert lines[2] == lines[2] | {
        "start_s": "1500", "duration_s": "0.75", "frequency_hz": "13", "share": "", "state": "NREM",
    }  # fmt: skip
    rates = list(csv.DictReader(io.StringIO(files["spindles_rates.csv"].decode())))
    assert rates[0]["events_per_min"] == "0.075"
    assert rates[1]["events_per_min"] == ""
    assert rates[1]["threshold_uv"] == ""


def test_the_store_gives_back_what_it_was_given(events, tmp_path):
    tree = write_value(tmp_path, "spindles", events)
    back = read_value(tmp_path, tree, SleepEvents)
    np.testing.assert_array_equal(back.measure, events.measure)
    np.testing.assert_array_equal(back.per_min, events.per_min)
    assert back.left_out == events.left_out
    assert np.isnan(back.threshold_uv[1])


def test_pynapple_and_xarray(events):
    pytest.importorskip("pynapple")
    intervals = events.to_pynapple()
    assert set(intervals) == {"=PFC", "CA1"}
    assert len(intervals["=PFC"]) == 3
    assert intervals["=PFC"]["amplitude_uv"].tolist() == [50, 70, 80]
    dataset = events.to_xarray()
    assert dataset["region"].values.tolist() == ["=PFC", "CA1", "=PFC", "=PFC"]
    assert dataset.attrs["kind"] == "spindle"
    with pytest.raises(Unavailable, match="there is no spindle"):
        events.cut(Interval(0.0, 1.0)).to_pynapple()


def texts(figure):
    found = [t.get_text() for t in figure.texts]
    for axes in figure.axes:
        found += [t.get_text() for t in axes.texts]
        legend = axes.get_legend()
        found += [t.get_text() for t in legend.get_texts()] if legend else []
    return " | ".join(found)


def test_the_figure_says_how_many_and_what_was_left_out(events, hypnogram):
    figure = draw_sleep_events(SESSION, events, hypnogram)
    said = texts(figure)
    assert "NREM: 0.1 per min" in said
    assert "7 left out: power in other bands too" in said
    assert "=PFC (3)" in said
    assert render(figure, "png", "0123456789abcdef" * 4)


def test_rates_are_a_minute_of_the_state(events, hypnogram):
    from wakeful.figures.sleep_events import rates

    got = rates(events, hypnogram, np.array([0.0, 1200.0, 1800.0, 2400.0]), 0)
    assert np.isnan(got[0, 0])  # awake
    np.testing.assert_allclose(got[0, 1:], [2 / 10, 1 / 10])


def test_a_figure_without_events_says_why(events, hypnogram):
    none = replace(
        events.cut(Interval(0.0, 1.0)),
        per_min=np.full((1, 2), np.nan),
        notes=("CA1: c3 has less than 15 epochs of NREM: no threshold, no event",),
        left_out=(),
        n_waveforms=(0, 0),
    )
    assert none.n_rows == 0
    figure = draw_sleep_events(SESSION, none, hypnogram)
    assert "no threshold" in texts(figure)
    assert render(figure, "png", "0123456789abcdef" * 4)


def test_nwb_and_zarr_hold_them(events, tmp_path):
    import zarr
    from pynwb import NWBHDF5IO

    contents = make_contents(tables={"spindles": events})
    with NWBHDF5IO(str(write_nwb(contents, tmp_path / "session.nwb")), "r") as file:
        table = file.read().processing["ecephys"]["spindles"]
        np.testing.assert_array_equal(table["amplitude_uv"].data[:], events.amplitude_uv)
        np.testing.assert_array_equal(table["peak_s"].data[:], events.peak_s)
    group = zarr.open_group(str(write_zarr(contents, tmp_path / "session.zarr")), mode="r")
    np.testing.assert_array_equal(np.asarray(group["spindles_frequency_hz"]), events.frequency_hz)
