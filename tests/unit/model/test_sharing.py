"""Results as objects of pynapple and xarray."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pynapple as nap
import pytest

import wakeful.model.sharing as sharing
from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.epochs import BandPower, Hypnogram, LfpEmg, MuscleTone, Spectrogram
from wakeful.model.errors import BadParameters, TooLarge, Unavailable
from wakeful.model.events import EventSeries, VideoTrack
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Interval, Span

START = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
CHANNELS = (
    Channel(name="CSC1", region="CA1", gain_uv=0.5, offset_uv=1.0),
    Channel(name="EMG1", region="neck", kind=ChannelKind.EMG, gain_uv=-2.0),
)
SPANS = (Span(0.25, 3000, 1000.0, 0), Span(10.0, 2000, 999.5, 5000))
"""Two gap-free stretches with another clock each, and a hole in the numbering."""


@pytest.fixture
def lfp() -> Lfp:
    samples = np.arange(14_000, dtype=np.int16).reshape(2, 7000)
    return Lfp(MemorySource(samples, CHANNELS, SPANS), 1000.0)


def test_lfp_in_pynapple_holds_microvolts_and_stops_at_the_gap(lfp):
    frame = lfp.to_pynapple()
    assert frame.shape == (5000, 2)
    assert list(frame.columns) == ["CSC1", "EMG1"]
    assert list(frame.region) == ["CA1", "neck"]
    np.testing.assert_allclose(frame.t[:3000], 0.25 + np.arange(3000) / 1000)
    np.testing.assert_allclose(frame.t[3000:], 10 + np.arange(2000) / 999.5)
    np.testing.assert_array_equal(frame.d[:3000, 0], np.arange(3000) * 0.5 + 1)
    np.testing.assert_array_equal(frame.d[3000:, 1], np.arange(12_000, 14_000) * -2.0)
    assert len(frame.time_support) == 2
    assert frame.time_support.tot_length() == pytest.approx(5000 / 1000 + 0.001, abs=2e-3)
    # What pynapple computes over bins never reaches from one span into the next.
    assert frame.restrict(nap.IntervalSet(3.3, 9.9)).shape[0] == 0


def test_lfp_in_pieces_equals_the_whole(lfp, monkeypatch):
    whole = lfp.to_pynapple()
    monkeypatch.setattr(sharing, "_PIECE_SAMPLES", 333)
    pieces = lfp.to_pynapple()
    np.testing.assert_array_equal(pieces.d, whole.d)
    np.testing.assert_array_equal(pieces.t, whole.t)


def test_lfp_of_an_interval_and_channels(lfp):
    part = Interval(3.0, 10.5)
    array = lfp.to_xarray(part, ["EMG1"], start_utc=START)
    assert array.dims == ("channel", "time_s")
    assert array.attrs["units"] == "uV"
    assert array.channel.values.tolist() == ["EMG1"]
    assert float(array.time_s[0]) == pytest.approx(3.0)
    assert float(array.time_s[-1]) < 10.5
    assert np.unique(array.span).tolist() == [0, 1]
    assert array.time_utc.values[0] == np.datetime64("2026-03-02T09:15:03")
    np.testing.assert_array_equal(array.sel(channel="EMG1")[:3], -2.0 * np.arange(9750, 9753))
    frame = lfp.to_pynapple(part, ["EMG1"])
    np.testing.assert_array_equal(frame.d[:, 0], array.values[0])


def test_what_does_not_fit_is_refused_with_what_does(lfp):
    with pytest.raises(TooLarge, match="interval of at most 3 s") as refused:
        lfp.to_pynapple(limit_gb=1e-4)
    assert "2 channels of 5,000 samples" in str(refused.value)
    assert lfp.to_xarray(Interval(0.25, 3.25), limit_gb=1e-4).shape == (2, 3000)


def test_what_is_not_there_is_said(lfp):
    with pytest.raises(BadParameters, match="CSC9"):
        lfp.to_xarray(channels=["CSC1", "CSC9"])
    with pytest.raises(Unavailable, match="nothing was recorded"):
        lfp.to_pynapple(Interval(4.0, 9.0))
    with pytest.raises(BadParameters, match="no time zone"):
        lfp.to_xarray(start_utc=START.replace(tzinfo=None))


def test_a_missing_library_is_named_with_the_command(lfp, monkeypatch):
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(sharing, "import_module", absent)
    with pytest.raises(Unavailable, match=r"pynapple is not installed.*wakeful\[analysis\]"):
        lfp.to_pynapple()
    with pytest.raises(Unavailable, match="xarray is not installed"):
        lfp.to_xarray()


START_S = np.array([0.0, 4.0, 8.0, 12.0, 16.0])
GONE = np.array([False, False, True, False, False])
"""The epoch at 8 s touches a gap."""


def test_spectrogram():
    power = np.arange(30, dtype=np.float32).reshape(5, 2, 3)
    power[GONE] = np.nan
    made = Spectrogram(
        start_s=START_S,
        power_uv2_per_hz=power,
        frequency_hz=np.array([0.0, 1.0, 2.0]),
        regions=("CA1", "PFC"),
        channels=(("a", "b"), ("c",)),
        epoch_s=4.0,
        method="multitaper",
    )
    tensor = made.to_pynapple()
    assert tensor.shape == (4, 2, 3)
    np.testing.assert_array_equal(tensor.t, [2, 6, 14, 18])
    assert [tuple(np.round(e, 3)) for e in tensor.time_support.values] == [(0, 8), (12, 20)]
    frame = made.to_pynapple("PFC")
    np.testing.assert_array_equal(frame.d, power[~GONE, 1])
    np.testing.assert_array_equal(frame.columns, [0, 1, 2])
    with pytest.raises(BadParameters, match="CA1, PFC"):
        made.to_pynapple("V1")
    array = made.to_xarray()
    assert array.dims == ("start_s", "region", "frequency_hz")
    assert float(array.sel(start_s=4.0, region="PFC", frequency_hz=2.0)) == 11
    assert np.isnan(array.sel(start_s=8.0)).all()
    assert array.channels.values.tolist() == ["a, b", "c"]


def test_band_power():
    power = np.arange(20, dtype=np.float32).reshape(5, 2, 2)
    power[GONE] = np.nan
    made = BandPower(
        start_s=START_S,
        power_uv2=power,
        regions=("CA1", "PFC"),
        bands=("delta", "theta"),
        edges_hz=((1.0, 4.0), (6.0, 9.0)),
        epoch_s=4.0,
    )
    frame = made.to_pynapple()
    assert list(frame.columns) == ["CA1 delta", "CA1 theta", "PFC delta", "PFC theta"]
    np.testing.assert_array_equal(frame["PFC delta"].d, power[~GONE, 1, 0])
    assert list(frame.low_hz) == [1, 6, 1, 6]
    array = made.to_xarray(start_utc=START)
    assert float(array.sel(start_s=16.0, region="PFC", band="theta")) == 19
    assert float(array.low_hz.sel(band="theta")) == 6
    assert array.time_utc.values[1] == np.datetime64("2026-03-02T09:15:04")


def test_muscle_tone_without_emg_keeps_what_there_is():
    correlation = np.array([0.1, 0.2, np.nan, 0.4, 0.5], np.float32)
    made = MuscleTone(
        start_s=START_S,
        emg_uv=np.full(5, np.nan, np.float32),
        lfp_emg=correlation,
        emg_channels=(),
        emg_band_hz=(30.0, 300.0),
        epoch_s=4.0,
    )
    frame = made.to_pynapple()
    np.testing.assert_array_equal(frame["lfp_emg"].d, correlation[~GONE])
    assert np.isnan(frame["emg_uv"].d).all()
    np.testing.assert_array_equal(made.to_xarray().lfp_emg, correlation)
    made = LfpEmg(start_s=START_S, correlation=correlation, bin_s=4.0, channels=("a", "b"))
    np.testing.assert_array_equal(made.to_pynapple().d, correlation[~GONE])
    assert made.to_xarray().attrs["channels"] == "a, b"
    none = LfpEmg(
        start_s=START_S,
        correlation=np.full(5, np.nan, np.float32),
        bin_s=4.0,
        channels=(),
        unavailable="the raw rate is too low",
    )
    with pytest.raises(Unavailable, match="too low"):
        none.to_pynapple()


def test_an_epoch_belongs_to_its_own_bout_and_no_other():
    state = np.array([0, 0, -1, 3, 2], np.int8)
    hypnogram = Hypnogram(
        start_s=START_S,
        raw_state=state,
        state=state,
        confidence=np.ones(5, np.float32),
        epoch_s=4.0,
        scorer="label-free 1",
        notes=("four minutes",),
    )
    bouts = hypnogram.to_pynapple()
    assert set(bouts) == {"awake", "NREM", "REM", "unclassified"}
    assert bouts["awake"].values.tolist() == [[0, 8]]
    assert len(bouts["unclassified"]) == 0
    power = np.arange(5, dtype=np.float32)[:, None, None]
    powers = BandPower(
        start_s=START_S,
        power_uv2=power,
        regions=("CA1",),
        bands=("theta",),
        edges_hz=((6.0, 9.0),),
        epoch_s=4.0,
    ).to_pynapple()
    assert powers.restrict(bouts["REM"]).d.tolist() == [[3]]
    dataset = hypnogram.to_xarray()
    assert dataset.state.attrs["flag_meanings"].split()[0] == "no_data"
    assert dataset.attrs["notes"] == ["four minutes"]
    assert "probability" not in bouts


def test_probabilities_and_doubt_are_shared():
    state = np.array([0, 1, -1, 3, 2], np.int8)
    probability = np.full((5, 3), np.nan, np.float32)
    probability[[0, 1, 3, 4], :2] = [[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.3, 0.7]]
    hypnogram = Hypnogram(
        start_s=START_S,
        raw_state=state,
        state=state,
        confidence=np.ones(5, np.float32),
        epoch_s=4.0,
        scorer="label-free 1",
        signals=("delta",),
        probability=probability,
        doubt=np.array([0, 1, 0, 0, 0], np.int8),
        provisional=state,
    )
    frame = hypnogram.to_pynapple()["probability"]
    # REM was not told apart: no column of it.
    assert list(frame.columns) == ["awake", "NREM"]
    assert frame.t.tolist() == (START_S[[0, 1, 3, 4]] + 2.0).tolist()
    dataset = hypnogram.to_xarray()
    assert dataset.probability.sel(scored="NREM").values[3] == np.float32(0.8)
    assert dataset.doubt.attrs["flag_meanings"].split()[int(dataset.doubt[1])] == "ambiguous"
    assert dataset.provisional.values.tolist() == state.tolist()
    assert dataset.attrs["signals"] == ["delta"]


def test_events_and_tracks_are_sorted_but_lose_nothing():
    events = EventSeries(
        name="Events",
        time_s=np.array([5.0, 1.0, 3.0]),
        code=np.array([1, 0, 1]),
        label=("up", "down", "up"),
    )
    group = events.to_pynapple()
    assert list(group.label) == ["up", "down"]
    assert group[0].t.tolist() == [3.0, 5.0]
    assert events.to_xarray().time_s.values.tolist() == [5.0, 1.0, 3.0]
    track = VideoTrack(
        name="VT1",
        time_s=np.array([0.0, 0.08, 0.04]),
        x_px=np.array([1.0, np.nan, 2.0]),
        y_px=np.array([3.0, np.nan, 4.0]),
        angle_deg=np.full(3, np.nan),
    )
    assert track.to_pynapple()["x_px"].d[:2].tolist() == [1.0, 2.0]
    assert track.to_xarray(start_utc=START).x_px.attrs["units"] == "px"
    empty = EventSeries(name="none", time_s=np.zeros(0), code=np.zeros(0, np.int64), label=())
    with pytest.raises(Unavailable, match="no event"):
        empty.to_pynapple()
