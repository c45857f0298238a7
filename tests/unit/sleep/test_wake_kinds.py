"""Active and quiet waking, by movement and by tone and theta."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wakeful.analysis import (
    compute_band_power,
    compute_lfp,
    compute_muscle_tone,
    compute_spectrogram,
    make_source,
    score_sleep,
)
from wakeful.model.epochs import BandPower, Hypnogram, MuscleTone, State
from wakeful.model.movement import Movement, WakeKind, WakeKinds
from wakeful.simulate import (
    RecordingPlan,
    SubjectPlan,
    Substate,
    Truth,
    make_channels,
    simulate_subject,
)
from wakeful.simulate.course import plan_course
from wakeful.sleep.wake_kinds import WakeRules, mean_movement, split_wake

RULES = WakeRules(sleep_quantile=0.99, min_ashman_d=1.5, bout_s=20.0, artefact_sds=6.0)
_LOOKS = 12
"""Independent looks at a band's power in an epoch of 4 s (3 Hz, a taper): its power scatters so."""


def make_tables(truth: Truth, seed: int) -> tuple[BandPower, MuscleTone]:
    """The planted powers and tone, scattered as estimates from one epoch are."""
    rng = np.random.default_rng([seed, 5])
    bands = ((1.0, 4.0), (6.0, 9.0), (15.0, 30.0))
    power = truth.band_power_uv2(bands)
    power = power * rng.gamma(_LOOKS, 1 / _LOOKS, power.shape)
    names = tuple(dict.fromkeys(c.region for c in truth.channels if c.kind.is_brain))
    of = [[i for i, c in enumerate(truth.channels) if c.region == name] for name in names]
    band_power = BandPower(
        start_s=truth.start_s,
        power_uv2=np.stack([power[:, rows].mean(axis=1) for rows in of], axis=1).astype(np.float32),
        regions=names,
        bands=("delta", "theta", "beta"),
        edges_hz=bands,
        epoch_s=4.0,
    )
    muscle = MuscleTone(
        start_s=truth.start_s,
        emg_uv=np.sqrt(truth.muscle_uv2()).astype(np.float32),
        lfp_emg=np.full(truth.n_epochs, np.nan, np.float32),
        emg_channels=("EMG1",),
        emg_band_hz=(30.0, 300.0),
        epoch_s=4.0,
    )
    return band_power, muscle


def kappa(truth: Truth, found: WakeKinds) -> float:
    """Cohen's, over pure epochs that are quiet or active in truth and were told."""
    told = np.isin(found.kind, (WakeKind.QUIET, WakeKind.ACTIVE)) & (truth.purity >= 1)
    told &= np.isin(truth.substate, (Substate.QUIET, Substate.ACTIVE))
    a, b = truth.substate[told] == Substate.ACTIVE, found.kind[told] == WakeKind.ACTIVE
    chance = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
    return float(((a == b).mean() - chance) / (1 - chance))


@pytest.fixture(scope="module")
def truths() -> dict[int, Truth]:
    """Two hours of four animals; no samples, only what was planted."""
    plans = {
        seed: RecordingPlan(subject=SubjectPlan(seed=seed), duration_s=2 * 3600.0)
        for seed in (1, 2, 3, 4)
    }
    return {
        seed: Truth(plan=plan, course=plan_course(plan), channels=make_channels(plan))
        for seed, plan in plans.items()
    }


def make_movement(truth: Truth, seed: int, bin_s: float = 1.0) -> Movement:
    """Speed of an animal that runs when active, and twitches in REM."""
    rng = np.random.default_rng([seed, 6])
    per_epoch = round(4.0 / bin_s)
    level = np.array([0.4, 6.0, 0.1, 0.3, 2.0])[np.repeat(truth.substate, per_epoch)]
    amount = level * rng.lognormal(0, 0.5, len(level))
    twitch = (np.repeat(truth.state, per_epoch) == State.REM) & (rng.random(len(level)) < 0.1)
    amount[twitch] = rng.uniform(1.0, 3.0, twitch.sum())
    return Movement(
        start_s=np.arange(len(level)) * bin_s,
        amount=amount.astype(np.float32),
        bin_s=bin_s,
        unit="cm/s",
        source="tracker.csv",
    )


def test_tone_and_theta_tell_active_from_quiet(truths) -> None:
    kappas = []
    for seed, truth in truths.items():
        found = split_wake(truth.hypnogram, RULES, None, *make_tables(truth, seed))
        kappas.append(kappa(truth, found))
        assert found.method == "EMG and theta"
        assert found.signals == ("emg", "theta ratio")
        awake = truth.state == State.AWAKE
        np.testing.assert_array_equal(found.kind != WakeKind.NONE, awake)
        assert np.isnan(found.evidence[~awake]).all()
    assert min(kappas) > 0.75, kappas
    assert np.mean(kappas) > 0.8, kappas


def test_movement_decides_where_it_is_there(truths) -> None:
    for seed in (1, 2, 3):
        truth = truths[seed]
        movement = make_movement(truth, seed)
        found = split_wake(truth.hypnogram, RULES, movement, *make_tables(truth, seed))
        assert found.method == "movement"
        assert found.signals == ("movement",)
        assert found.unit == "cm/s"
        assert kappa(truth, found) > 0.95
        # Of sleep itself no more than the quantile says moves above it.
        amount = mean_movement(truth.hypnogram, movement)
        rem = truth.state == State.REM
        assert np.mean(amount[rem] > found.threshold) < 0.05
        assert found.threshold > 0.5


def test_movement_is_not_used_without_the_twitches_of_rem(truths) -> None:
    # The fourth animal has hardly any REM, and its NREM lies stiller than it sits awake.
    truth = truths[4]
    assert (truth.state == State.REM).sum() < 30
    found = split_wake(truth.hypnogram, RULES, make_movement(truth, 4), *make_tables(truth, 4))
    assert found.method == "EMG and theta"
    alone = split_wake(truth.hypnogram, RULES, make_movement(truth, 4))
    assert alone.method == ""
    assert "fewer than 30 epochs of REM" in alone.notes[0]


def test_movement_of_waking_up_does_not_raise_the_threshold(truths) -> None:
    truth = truths[1]
    movement = make_movement(truth, 1)
    plain = split_wake(truth.hypnogram, RULES, movement)
    # The last second of every bout of sleep is the start of moving about.
    last = np.flatnonzero((truth.state[:-1] >= State.NREM) & (truth.state[1:] == State.AWAKE))
    amount = movement.amount.copy()
    amount[last * 4 + 3] = 50.0
    woken = split_wake(truth.hypnogram, RULES, replace(movement, amount=amount))
    assert woken.threshold == pytest.approx(plain.threshold)


def test_lost_tracking_is_not_told_and_not_zero(truths) -> None:
    truth = truths[2]
    movement = make_movement(truth, 2)
    awake = np.flatnonzero(truth.state == State.AWAKE)
    lost = awake[: len(awake) // 4]
    amount = movement.amount.copy()
    amount[(lost[:, None] * 4 + np.arange(4)).ravel()] = np.nan
    found = split_wake(truth.hypnogram, RULES, replace(movement, amount=amount))
    assert (found.kind[lost] == WakeKind.UNTOLD).all()
    assert np.isnan(found.evidence[lost]).all()
    assert set(found.kind[awake[len(lost) :]].tolist()) == {WakeKind.QUIET, WakeKind.ACTIVE}


def test_one_kind_of_waking_is_not_cut_in_two() -> None:
    rng = np.random.default_rng(0)
    n = 900
    state = np.zeros(n, np.int8)
    hypnogram = Hypnogram(
        start_s=np.arange(n) * 4.0,
        raw_state=state,
        state=state,
        confidence=np.ones(n, np.float32),
        epoch_s=4.0,
        scorer="hand",
    )
    band_power = BandPower(
        start_s=hypnogram.start_s,
        power_uv2=np.exp(rng.normal(5, 0.4, (n, 1, 2))).astype(np.float32),
        regions=("CA1",),
        bands=("delta", "theta"),
        edges_hz=((1.0, 4.0), (6.0, 9.0)),
        epoch_s=4.0,
    )
    found = split_wake(hypnogram, RULES, None, band_power)
    assert found.method == ""
    assert (found.kind == WakeKind.UNTOLD).all()
    assert "one kind of waking" in found.notes[0]
    # A cortex alone tells nothing, and says so.
    cortex = split_wake(hypnogram, RULES, None, replace(band_power, regions=("PFC",)))
    assert "neither EMG nor a hippocampal region" in cortex.notes[0]
    # No sleep, no threshold of twitches.
    movement = Movement(
        start_s=hypnogram.start_s, amount=np.ones(n, np.float32), bin_s=4.0, source="t.csv"
    )
    alone = split_wake(hypnogram, RULES, movement)
    assert alone.method == ""
    assert "fewer than 30 epochs of REM" in alone.notes[0]


def test_bins_are_laid_over_epochs_by_their_middle() -> None:
    state = np.zeros(3, np.int8)
    three = Hypnogram(
        start_s=np.array([0.0, 4.0, 12.0]),
        raw_state=state,
        state=state,
        confidence=np.ones(3, np.float32),
        epoch_s=4.0,
        scorer="hand",
    )
    movement = Movement(
        start_s=np.arange(-1.0, 17.0, 2.0),
        amount=np.array([9, 1, 3, np.nan, 100, 100, 8, 7, 100], np.float32),
        bin_s=2.0,
    )
    # Bins begin at -1, 1, 3, ...: their middles are 0, 2, 4, ...; 8 and 10 lie in a hole.
    assert mean_movement(three, movement).tolist() == [5.0, 3.0, 7.5]


@pytest.mark.slow
def test_through_the_whole_pipeline_on_a_simulated_mouse() -> None:
    plan = RecordingPlan(subject=SubjectPlan(seed=1), duration_s=7200.0, rate_hz=1000)
    mouse = simulate_subject(plan)
    lfp, lfp_emg = compute_lfp(make_source(mouse.samples_uv, 1000.0, mouse.truth.channels))
    band_power = compute_band_power(compute_spectrogram(lfp))
    muscle = compute_muscle_tone(lfp, lfp_emg)
    hypnogram = score_sleep(band_power, muscle)
    found = split_wake(hypnogram, RULES, None, band_power, muscle)
    assert kappa(mouse.truth, found) > 0.75
