"""A day as per cent of a baseline day."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wakeful.model.bouts import STATES, StateHours
from wakeful.model.epochs import BandPower, Hypnogram, State
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.model.time import Interval
from wakeful.publish.baseline_tables import baseline_csv
from wakeful.sleep.baseline import DayOutcomes, compute_day_outcomes, set_against_baseline

PER_HOUR = 900


def make_day(
    *, n_nrem: int = 450, gain: float = 1.0, first_zt: int = 2, n_hours: int = 3, name: str = "day"
) -> DayOutcomes:
    """Hours of awake, then NREM, then 90 epochs of REM; power of 10, 20 and 30 times the gain."""
    hypnogram, band_power, hours = make_tables(n_nrem, gain, first_zt, n_hours)
    return compute_day_outcomes(hours, hypnogram, band_power, name=name)


def make_tables(
    n_nrem: int, gain: float, first_zt: int, n_hours: int
) -> tuple[Hypnogram, BandPower, StateHours]:
    n_awake = PER_HOUR - n_nrem - 90
    state = np.tile(np.repeat([State.AWAKE, State.NREM, State.REM], [n_awake, n_nrem, 90]), n_hours)
    start_s = np.arange(len(state)) * 4.0
    level = np.select([state == State.AWAKE, state == State.NREM], [10.0, 20.0], 30.0) * gain
    hypnogram = Hypnogram(
        start_s=start_s,
        raw_state=state.astype(np.int8),
        state=state.astype(np.int8),
        confidence=np.ones(len(state), np.float32),
        epoch_s=4.0,
        scorer="s",
    )
    band_power = BandPower(
        start_s=start_s,
        power_uv2=np.stack([level * 3, level * 4], axis=-1)[:, None].astype(np.float32),
        regions=("CA1",),
        bands=("delta", "theta"),
        edges_hz=((1.0, 4.0), (6.0, 10.0)),
        epoch_s=4.0,
    )
    minutes = np.zeros((n_hours, 4))
    for wanted, n in ((State.AWAKE, n_awake), (State.NREM, n_nrem), (State.REM, 90)):
        minutes[:, STATES.index(wanted)] = n / 15
    hours = StateHours(
        start_s=np.arange(n_hours) * 3600.0,
        minutes=minutes,
        share=minutes / 60,
        zeitgeber_h=(first_zt + np.arange(n_hours)) % 24.0,
        left_out_min=np.zeros(n_hours),
        wake_minutes=np.full((n_hours, 3), np.nan),
        states=tuple(s.label for s in STATES),
    )
    return hypnogram, band_power, hours


def test_density_is_power_by_width_and_per_cent_of_the_same_hour() -> None:
    baseline = make_day(name="base")
    np.testing.assert_allclose(baseline.density_uv2_per_hz[:, :, 0, 0], [[10, 20, 30]] * 3)
    np.testing.assert_allclose(baseline.density_uv2_per_hz[:, :, 0, 1], [[10, 20, 30]] * 3)
    found = set_against_baseline(make_day(n_nrem=540, gain=1.5, first_zt=3), baseline)
    # ZT 5 is not in the baseline.
    np.testing.assert_allclose(found.density_percent[:2], 150)
    assert np.isnan(found.density_percent[2]).all()
    np.testing.assert_allclose(found.share_percent[:2], [[75, 120, 100]] * 2)
    assert found.notes == ("the baseline has no ZT 5",)


def test_half_an_hour_is_held_against_an_hour_by_shares() -> None:
    baseline = make_day()
    half = replace(baseline, minutes=baseline.minutes / 2, scored_min=baseline.scored_min / 2)
    np.testing.assert_allclose(set_against_baseline(half, baseline).share_percent, 100)


def test_nothing_is_not_zero() -> None:
    """A state that the baseline lacks, and means of few epochs, are no number."""
    hypnogram, band_power, hours = make_tables(450, 1.0, 2, 2)
    nan = band_power.power_uv2.copy()
    rem = np.flatnonzero(hypnogram.state == State.REM)
    nan[rem[9:90]] = np.nan
    day = compute_day_outcomes(hours, hypnogram, replace(band_power, power_uv2=nan), name="d")
    assert day.n_epochs[0, 2, 0, 0] == 9
    assert np.isnan(day.density_uv2_per_hz[0, 2]).all()
    left_out = hypnogram.state == State.REM
    without = compute_day_outcomes(hours, hypnogram, band_power, name="d", left_out=left_out)
    assert np.isnan(without.density_uv2_per_hz[:, 2]).all()
    minutes = without.minutes.copy()
    minutes[:, 2] = 0
    found = set_against_baseline(day, replace(without, minutes=minutes))
    assert np.isnan(found.share_percent[:, 2]).all()
    assert np.isnan(found.density_percent[:, 2]).all()
    text = baseline_csv(found).decode().splitlines()
    assert "share_percent_of_baseline" in text[0]
    assert len(text) == 1 + 2 * 3 * 2
    assert text[1].startswith("2,awake,CA1,delta,1,4,")
    rem_line = next(line for line in text if line.startswith("2,REM"))
    assert rem_line.endswith(",,,9")  # no density, no per cent


def test_what_cannot_be_compared_is_refused() -> None:
    baseline = make_day(name="base")
    with pytest.raises(BadParameters, match="regions of day are CA1; of the baseline base PFC"):
        set_against_baseline(make_day(), replace(baseline, regions=("PFC",)))
    with pytest.raises(BadParameters, match="theta 6-10 Hz"):
        set_against_baseline(make_day(), replace(baseline, edges_hz=((1.0, 4.0), (5.0, 10.0))))
    with pytest.raises(Unavailable, match="share no zeitgeber hour"):
        set_against_baseline(make_day(first_zt=12), baseline)
    tables = make_tables(450, 1.0, 2, 25)
    hypnogram, band_power, hours = tables
    with pytest.raises(BadParameters, match="ZT 2 comes 2 times"):
        compute_day_outcomes(hours, hypnogram, band_power, name="d")
    day = Interval(0.0, 86_400.0)
    assert len(compute_day_outcomes(hours, hypnogram, band_power, name="d", day=day).start_s) == 24
    with pytest.raises(Unavailable, match="no scored hour"):
        compute_day_outcomes(
            hours, hypnogram, band_power, name="d", day=Interval(200_000.0, 286_400.0)
        )
    unknown = replace(hours, zeitgeber_h=np.full(25, np.nan))
    with pytest.raises(Unavailable, match="zeitgeber time is unknown"):
        compute_day_outcomes(unknown, hypnogram, band_power, name="d")
