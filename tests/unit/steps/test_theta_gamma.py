"""The step that couples theta and gamma: which epochs and channels, what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wakeful.figures import render
from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.epochs import Hypnogram, MuscleTone, State
from wakeful.model.errors import BadParameters
from wakeful.model.ictal import IctalIntervals, IctalKind
from wakeful.model.quality import ChannelQuality, FaultKind
from wakeful.model.subject import Channel, Session, Subject
from wakeful.model.time import Interval, Quarantine, Span
from wakeful.steps.theta_gamma import Inputs, Params, compute, draw

N_EPOCHS = 120
"""Eight minutes: by turns awake, NREM, REM; CA1 is coupled in REM and active wake, PFC never."""
SESSION = Session(
    name="s", subject=Subject(identifier="M1"), start_utc=None, duration_s=4.0 * N_EPOCHS
)
CHANNELS = (
    Channel(name="a", region="CA1"),
    Channel(name="b", region="CA1"),
    Channel(name="c", region="PFC"),
)
FEW = Params(n_surrogates=20, least_s=30.0)


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(0)
    state = np.repeat([State.AWAKE, State.NREM, State.REM] * 2, N_EPOCHS // 6).astype(np.int8)
    tone = np.full(N_EPOCHS, 1.0, np.float32)
    active = state == State.AWAKE
    active[: N_EPOCHS // 6] = False  # the first bout awake is quiet
    tone[active] = 9.0
    n = N_EPOCHS * 4000
    phase = 2 * np.pi * np.cumsum(7 + 6 * rng.normal(0, 1, n)) / 1000
    carrier = 20 * np.cos(2 * np.pi * 85 * np.arange(n) / 1000)
    depth = np.repeat(np.where(active | (state == State.REM), 0.8, 0.0), 4000)
    theta = 100 * np.cos(phase)
    samples = np.stack(
        [
            theta + carrier * (1 + depth * np.cos(phase)) + rng.normal(0, 30, n),
            theta + carrier + rng.normal(0, 30, n),
            theta + carrier + rng.normal(0, 30, n),
        ]
    ).astype(np.float32)
    hypnogram = Hypnogram(
        start_s=np.arange(N_EPOCHS) * 4.0,
        raw_state=state,
        state=state,
        confidence=np.ones(N_EPOCHS, np.float32),
        epoch_s=4.0,
        scorer="planted",
    )
    muscle = MuscleTone(
        start_s=hypnogram.start_s,
        emg_uv=tone,
        lfp_emg=tone * np.nan,
        emg_channels=("emg",),
        emg_band_hz=(30.0, 300.0),
        epoch_s=4.0,
    )
    return samples, hypnogram, muscle


def run(made, params=FEW, *, rate_hz=1000.0, **more):
    samples, hypnogram, muscle = made
    step = round(1000 / rate_hz)
    spans = more.pop("spans", (Span(0.0, samples.shape[1] // step, rate_hz, 0),))
    lfp = Lfp(MemorySource(samples[:, ::step], CHANNELS, spans), rate_hz)
    given = {"muscle": muscle, "hypnogram": hypnogram} | more
    inputs = Inputs(day=SESSION.days()[0], session=SESSION, lfp=lfp, **given)
    return compute(inputs, params).theta_gamma, inputs


def at(found, values, state, region):
    return values[
        state, region, found.phase_hz.tolist().index(7.0), found.amplitude_hz.tolist().index(85.0)
    ]


def test_coupling_is_found_in_its_region_in_active_wake_and_rem(made):
    found, inputs = run(made)
    assert found.states == ("active wake", "REM")
    assert found.channels == (("a", "a"), ("c", "c"))
    for state in range(2):
        assert at(found, found.modulation_index, state, 0) > 5 * found.chance[state, 0]
        assert at(found, found.modulation_index, state, 1) < 2 * found.chance[state, 1]
    assert found.used_s[0, 0] == pytest.approx(80, abs=8)  # the active bout
    assert found.used_s[1, 0] == pytest.approx(160, abs=16)
    figure = draw(inputs, FEW, type("O", (), {"theta_gamma": found})())["theta_gamma"]
    assert render(figure, "png", "0123456789abcdef" * 4)


def test_without_tone_all_of_wakefulness_is_used_and_called_so(made):
    found, _ = run(made, muscle=None)
    assert found.states == ("awake", "REM")
    assert found.used_s[0, 0] == pytest.approx(160, abs=16)
    assert "active from quiet" in found.notes[0]


def test_a_bad_channel_gives_way(made):
    quality = ChannelQuality(
        start_s=np.array([0.0]),
        stop_s=np.array([480.0]),
        channel=np.array([0], np.int32),
        kind=np.array([FaultKind.DISCONNECTED], np.int8),
        value=np.array([1.0]),
        limit=np.array([0.5]),
        heeded=np.array([True]),
        reason=np.array(["planted"]),
        channels=("a", "b", "c"),
        regions=("CA1", "CA1", "PFC"),
    )
    found, _ = run(made, channel_quality=quality)
    assert found.channels[0] == ("b", "b")
    assert at(found, found.modulation_index, 1, 0) < 2 * found.chance[1, 0]
    kept, _ = run(made, replace(FEW, use_masks=False), channel_quality=quality)
    assert kept.channels[0] == ("a", "a")


def test_ictal_and_quarantined_epochs_and_gaps_are_left_out(made):
    rem = Interval(160.0, 240.0)
    ictal = IctalIntervals(
        start_s=np.array([rem.start_s]),
        stop_s=np.array([rem.stop_s]),
        kind=np.array([IctalKind.ICTAL], np.int8),
    )
    whole, _ = run(made)
    for change in (
        {"ictal": ictal},
        {"quarantined": (Quarantine(rem, "planted"),)},
        {"spans": (Span(0.0, 160_000, 1000.0, 0), Span(240.0, 240_000, 1000.0, 240_000))},
    ):
        found, _ = run(made, **change)
        assert found.used_s[1, 0] == pytest.approx(whole.used_s[1, 0] / 2, abs=5)


def test_too_little_time_and_too_low_a_rate_are_nan(made):
    found, inputs = run(made, replace(FEW, least_s=120.0))
    assert np.isnan(found.modulation_index[0]).all()
    assert np.isfinite(found.modulation_index[1]).all()
    figure = draw(inputs, FEW, type("O", (), {"theta_gamma": found})())["theta_gamma"]
    assert any("less than 120 s" in t.get_text() for axes in figure.axes for t in axes.texts)
    low, _ = run(made, rate_hz=250.0)
    assert np.isfinite(low.modulation_index[1, 0, :, :5]).all()
    assert np.isnan(low.modulation_index[..., 6:]).all()
    assert "can't be seen at this rate" in low.notes[-1]


def test_no_more_than_the_minutes_wanted_are_used(made):
    found, _ = run(made, replace(FEW, most_min=1.0))
    assert 30 < found.used_s[1, 0] <= 64


@pytest.mark.parametrize(
    ("name", "value"),
    [("phase_width_hz", 9.0), ("n_surrogates", 5), ("active_quantile", 1.0), ("least_s", 1.0)],
)
def test_wrong_parameters_are_named(name, value):
    with pytest.raises(BadParameters, match=name):
        Params(**{name: value})
