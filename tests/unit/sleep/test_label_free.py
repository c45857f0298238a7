from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from wakeful.model.epochs import SCORED, Doubt, Hypnogram, State
from wakeful.model.errors import BadParameters
from wakeful.sleep.agreement import compute_agreement
from wakeful.sleep.label_free import score_label_free
from wakeful.sleep.params import LabelFreeParams


def score(table, *, emg: bool = True, lfp_emg: bool = True) -> Hypnogram:
    muscle = table.muscle
    nothing = np.full(muscle.n_rows, np.nan, np.float32)
    if not emg:
        muscle = replace(muscle, emg_uv=nothing)
    if not lfp_emg:
        muscle = replace(muscle, lfp_emg=nothing)
    return score_label_free(table.band_power, muscle if emg or lfp_emg else None)


def with_power(table, power: np.ndarray):
    return replace(table, band_power=replace(table.band_power, power_uv2=power))


def part_wrong(table, found: Hypnogram) -> float:
    sure = found.state != State.UNCLASSIFIED
    return float(np.mean(sure & (found.state != table.state)))


def test_planted_states_are_found(day) -> None:
    found = score(day)
    agreement = compute_agreement(day.state, found.state)
    assert agreement.kappa > 0.93
    assert agreement.f1[State.REM] > 0.9
    assert agreement.coverage > 0.97
    assert compute_agreement(day.state, found.raw_state).kappa > 0.8
    assert np.nanmax(found.confidence) <= 1
    assert np.nanmin(found.confidence) >= 0
    assert any("EMG parts awake from asleep" in note for note in found.notes)
    # CA1 was made with twice the contrast between the states.
    assert any("delta from CA1, theta from CA1" in note for note in found.notes)


def test_probabilities_and_doubt_fit_the_states(day) -> None:
    found = score(day)
    sure = np.isin(found.state, SCORED)
    np.testing.assert_allclose(found.probability.sum(axis=1), 1, atol=1e-5)
    likeliest = np.array(SCORED, np.int8)[found.probability.argmax(axis=1)]
    np.testing.assert_array_equal(likeliest[sure], found.state[sure])
    np.testing.assert_allclose(found.probability.max(axis=1)[sure], found.confidence[sure])
    np.testing.assert_array_equal(found.doubt == Doubt.NONE, sure)
    assert found.signals == ("delta", "theta ratio", "emg")
    assert score(day, emg=False).signals == ("delta", "theta ratio", "lfp emg")
    # Hindsight helps, and costs little.
    assert 0 < found.provisional_gap < 0.05
    final, early = (compute_agreement(day.state, s) for s in (found.state, found.provisional))
    assert 0.85 < early.kappa < final.kappa


def test_later_epochs_do_not_change_what_was_provisional(day) -> None:
    # Thresholds are those of the session: the same epochs in another order at its end.
    n = day.band_power.n_rows
    order = np.r_[np.arange(n - 300), np.arange(n - 1, n - 301, -1)]
    power, muscle = day.band_power, day.muscle
    turned = replace(
        day,
        band_power=replace(power, power_uv2=power.power_uv2[order]),
        muscle=replace(muscle, emg_uv=muscle.emg_uv[order], lfp_emg=muscle.lfp_emg[order]),
    )
    params = LabelFreeParams(drift_window_s=1e6)
    one = score_label_free(day.band_power, day.muscle, params)
    other = score_label_free(turned.band_power, turned.muscle, params)
    same = one.provisional[: n - 300] == other.provisional[: n - 300]
    assert same.mean() > 0.999


def test_artefacts_are_told_from_what_is_too_close_to_call(day) -> None:
    power = day.band_power.power_uv2.copy()
    power[1000:1010] *= 1e6
    found = score(with_power(day, power))
    assert (found.doubt[1000:1010] == Doubt.ARTEFACT).all()
    assert np.isnan(found.probability[1000:1010]).all()
    assert found.doubt_shares()[Doubt.ARTEFACT] == pytest.approx(10 / len(found.state))
    assert (found.doubt == Doubt.AMBIGUOUS).any()


def test_a_recording_of_one_state_is_refused_epoch_by_epoch(make) -> None:
    found = score(make(np.zeros(900, np.int8)))
    assert set(found.doubt.tolist()) == {int(Doubt.REFUSED)}
    assert np.isnan(found.probability).all()
    assert found.signals == ()
    assert np.isnan(found.provisional_gap)


def test_a_region_without_rhythms_is_not_chosen(day) -> None:
    power = day.band_power.power_uv2.copy()
    power[:, 0] = np.exp(np.random.default_rng(0).normal(4, 0.4, power[:, 0].shape))
    found = score(with_power(day, power))
    assert any("delta from PFC, theta from PFC" in note for note in found.notes)
    assert compute_agreement(day.state, found.state).kappa > 0.85


def test_lfp_derived_emg_stands_in_for_the_emg(day) -> None:
    found = score(day, emg=False)
    assert compute_agreement(day.state, found.state).kappa > 0.9
    assert any("LFP-derived EMG parts awake" in note for note in found.notes)


def test_without_muscle_tone_rem_is_never_claimed(day) -> None:
    found = score(day, emg=False, lfp_emg=False)
    assert not (found.state == State.REM).any()
    assert not (found.raw_state == State.REM).any()
    assert found.confidence.max() <= 0.5
    # Awake or REM: no number is made up for either.
    assert np.isnan(found.probability[:, [0, 2]]).all()
    assert np.isfinite(found.probability[:, 1]).all()
    nrem = day.state == State.NREM
    assert np.mean(found.state[nrem] == State.NREM) > 0.9
    # What was REM is at best doubtful, not asleep in NREM.
    rem = day.state == State.REM
    assert np.mean(found.state[rem] == State.UNCLASSIFIED) > 0.6
    assert np.mean(found.state[rem] == State.NREM) < 0.1
    assert any("no muscle tone to go by" in note for note in found.notes)


def test_high_tone_is_never_rem(day) -> None:
    emg = day.muscle.emg_uv.copy()
    rem = np.flatnonzero(day.state == State.REM)
    emg[rem] = np.exp(3.6)
    table = replace(day, muscle=replace(day.muscle, emg_uv=emg))
    found = score(table, lfp_emg=False)
    assert not (found.state[rem] == State.REM).any()


@pytest.mark.parametrize("factor", [3.0, 1 / 3.0, 1000.0])
def test_gain_changes_no_state(day, factor: float) -> None:
    plain = score(day)
    power = day.band_power.power_uv2.copy()
    power[:, 0] *= factor**2
    emg = day.muscle.emg_uv * np.float32(factor)
    table = replace(with_power(day, power), muscle=replace(day.muscle, emg_uv=emg))
    found = score(table)
    np.testing.assert_array_equal(found.state, plain.state)
    np.testing.assert_array_equal(found.raw_state, plain.raw_state)


def test_order_of_regions_does_not_matter(make, day) -> None:
    other = make(day.state, regions=("PFC", "CA1"))
    assert other.band_power.regions == ("PFC", "CA1")
    np.testing.assert_array_equal(score(other).state, score(day).state)


@pytest.mark.parametrize("state", [State.AWAKE, State.NREM, State.REM])
@pytest.mark.parametrize("n_epochs", [150, 900, 5400])
@pytest.mark.parametrize("emg", [True, False])
def test_one_state_only_is_not_split(make, state: State, n_epochs: int, emg: bool) -> None:
    table = make(np.full(n_epochs, state, np.int8), seed=n_epochs)
    found = score(table, emg=emg)
    assert part_wrong(table, found) <= 0.02
    assert any("one state only" in note for note in found.notes)


@pytest.mark.parametrize("n_epochs", [450, 5400])
def test_moving_and_resting_is_not_sleep(make, n_epochs: int) -> None:
    """Two clear levels of EMG, but delta does not follow: wakefulness only."""
    table = make(np.zeros(n_epochs, np.int8), seed=3)
    active = (np.arange(n_epochs) // 20) % 2 == 0
    emg = table.muscle.emg_uv * np.where(active, 4.0, 1.0).astype(np.float32)
    found = score(replace(table, muscle=replace(table.muscle, emg_uv=emg)), lfp_emg=False)
    assert part_wrong(table, found) <= 0.02


def test_missing_rows_are_no_data(day) -> None:
    power = day.band_power.power_uv2.copy()
    power[1000:1010] = np.nan
    found = score(with_power(day, power))
    gone = found.state == State.NO_DATA
    assert np.flatnonzero(gone).tolist() == list(range(1000, 1010))
    np.testing.assert_array_equal(gone, found.raw_state == State.NO_DATA)
    np.testing.assert_array_equal(gone, np.isnan(found.confidence))


def test_a_gap_resets(day) -> None:
    """What comes after a hole does not depend on what came just before it."""
    cut = 3000
    start_s = day.band_power.start_s.copy()
    start_s[cut:] += 600.0
    band_power = replace(day.band_power, start_s=start_s)
    muscle = replace(day.muscle, start_s=start_s)
    plain = score_label_free(band_power, muscle)
    # The ten epochs before the hole now look like deep NREM, those after it are as they were.
    power, emg = day.band_power.power_uv2.copy(), day.muscle.emg_uv.copy()
    power[cut - 10 : cut, :, 0], power[cut - 10 : cut, :, 1] = np.exp(6.1), np.exp(5.0)
    emg[cut - 10 : cut] = np.exp(2.7)
    changed = score_label_free(replace(band_power, power_uv2=power), replace(muscle, emg_uv=emg))
    np.testing.assert_array_equal(plain.state[cut:], changed.state[cut:])
    # Ten epochs move the fitted means by a hair; a state handed on would move this by far more.
    np.testing.assert_allclose(plain.confidence[cut], changed.confidence[cut], atol=0.02)
    assert all(
        not (interval.start_s < start_s[cut - 1] + 4 < interval.stop_s)
        for _, interval in plain.bouts()
    )


def test_a_single_epoch_of_waking_survives(day) -> None:
    """A clear awakening inside NREM is kept, as read and as smoothed."""
    inside = np.flatnonzero(np.convolve(day.state == State.NREM, np.ones(11), mode="same") == 11)[
        ::40
    ]
    assert len(inside) > 10
    power, emg = day.band_power.power_uv2.copy(), day.muscle.emg_uv.copy()
    power[inside, :, 0], power[inside, :, 1] = np.exp(5.0), np.exp(4.6)
    emg[inside] = np.exp(3.9)
    table = replace(with_power(day, power), muscle=replace(day.muscle, emg_uv=emg))
    found = score(table)
    assert (found.raw_state[inside] == State.AWAKE).all()
    assert (found.state[inside] == State.AWAKE).all()
    assert np.mean(found.state[inside + 1] == State.NREM) > 0.9


def test_flicker_is_smoothed(day) -> None:
    found = score(day)
    n_changes = [np.count_nonzero(np.diff(s)) for s in (day.state, found.raw_state, found.state)]
    assert n_changes[2] < 2 * n_changes[0]
    assert n_changes[1] > 2 * n_changes[2]


def test_artefacts_stay_unclassified(day) -> None:
    power = day.band_power.power_uv2.copy()
    power[500:503] *= 1e5
    found = score(with_power(day, power))
    assert (found.state[500:503] == State.UNCLASSIFIED).all()
    assert (found.confidence[500:503] == 0).all()
    assert any("3 epochs look like artefacts" in note for note in found.notes)
    same = np.r_[found.state[:490], found.state[515:]]
    plain = score(day).state
    assert np.mean(same == np.r_[plain[:490], plain[515:]]) > 0.998


def test_drift_of_gains_over_the_day_is_followed(day) -> None:
    n_epochs = len(day.state)
    slow = np.exp(np.linspace(-0.5, 0.5, n_epochs))
    power = day.band_power.power_uv2 * slow[:, None, None].astype(np.float32)
    emg = (day.muscle.emg_uv / slow**1.5).astype(np.float32)
    table = replace(with_power(day, power), muscle=replace(day.muscle, emg_uv=emg))
    assert compute_agreement(day.state, score(table, lfp_emg=False).state).kappa > 0.9


def test_ten_minutes_are_scored_with_a_warning(make) -> None:
    states = np.repeat([0, 2, 0, 2, 3, 0], [30, 35, 15, 40, 15, 15]).astype(np.int8)
    table = make(states, seed=5)
    found = score(table)
    assert any("only 10 min of data" in note for note in found.notes)
    assert compute_agreement(states, found.state).kappa > 0.7


def test_a_band_the_rate_can_not_show_is_left_out(day) -> None:
    power = day.band_power.power_uv2.copy()
    power[:, :, 2] = np.nan
    power[:, 0, 1] = np.nan
    found = score(with_power(day, power))
    assert any("theta from PFC" in note for note in found.notes)
    assert compute_agreement(day.state, found.state).kappa > 0.85
    power[:, :, 1] = np.nan
    found = score(with_power(day, power))
    two = day.state != State.REM
    assert compute_agreement(day.state[two], found.state[two]).kappa > 0.8


@pytest.mark.parametrize("n_epochs", [0, 1, 10])
def test_too_few_epochs(make, n_epochs: int) -> None:
    found = score(make(np.zeros(n_epochs, np.int8)))
    assert found.n_rows == n_epochs
    assert (found.state == State.UNCLASSIFIED).all()
    assert any("too few" in note for note in found.notes)


def test_nothing_but_gaps(day) -> None:
    found = score(with_power(day, np.full_like(day.band_power.power_uv2, np.nan)))
    assert (found.state == State.NO_DATA).all()


def test_a_day_takes_seconds(make, day) -> None:
    states = np.tile(day.state, 4)
    table = make(states)
    score(day)
    began = time.perf_counter()
    score(table)
    assert time.perf_counter() - began < 5


def test_same_input_same_result(day) -> None:
    one, other = score(day), score(day)
    np.testing.assert_array_equal(one.state, other.state)
    np.testing.assert_array_equal(one.confidence, other.confidence)


def test_bad_parameters_are_all_named() -> None:
    with pytest.raises(BadParameters, match=r"smoothing_s.*min_confidence"):
        LabelFreeParams(smoothing_s=-1.0, min_confidence=1.5)
