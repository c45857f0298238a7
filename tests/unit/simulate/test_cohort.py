"""Cohorts of simulated animals whose rigs differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wakeful.model.errors import BadParameters
from wakeful.simulate import simulate_subject
from wakeful.simulate.cohort import CohortPlan, make_cohort, simulate_animal

PLAN = CohortPlan(n_animals=12, seed=3, hours=0.02)


def test_animals_differ_and_more_animals_do_not_change_the_first() -> None:
    animals = make_cohort(PLAN)
    assert animals == make_cohort(replace(PLAN, n_animals=15))[:12]
    assert len({a.plan.subject.regions for a in animals}) == len(animals)
    assert len({a.plan.subject.seed for a in animals}) == len(animals)
    gains_db = 20 * np.log10([a.gain[0] for a in animals])
    assert np.ptp(gains_db) > 8
    assert np.abs(gains_db).max() <= PLAN.gain_db


def test_a_tenth_of_the_channels_is_missing_and_never_all_of_the_brain() -> None:
    animals = make_cohort(replace(PLAN, n_animals=200))
    n_channels = sum(len(a.plan.subject.channel_names) for a in animals)
    n_missing = sum(len(a.plan.faults) for a in animals)
    assert 0.07 < n_missing / n_channels < 0.13
    for animal in animals:
        gone = {fault.channel for fault in animal.plan.faults}
        assert set(animal.plan.subject.channel_names[: animal.plan.subject.n_lfp]) - gone


def test_the_rig_scales_each_channel_by_its_gain_and_drift() -> None:
    animal = make_cohort(replace(PLAN, drift_db_per_h=30.0, missing_share=0.0))[0]
    plain = simulate_subject(animal.plan, 500)
    seen = simulate_animal(animal, 500)
    hours = np.arange(plain.samples_uv.shape[1]) / 500 / 3600
    for row, (gain, drift_db) in enumerate(zip(animal.gain, animal.drift_db_per_h, strict=True)):
        expected = plain.samples_uv[row] * gain * 10 ** (drift_db * hours / 20)
        np.testing.assert_allclose(seen.samples_uv[row], expected, rtol=1e-5)
    assert seen.truth.state.tolist() == plain.truth.state.tolist()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n_animals": 0}, "at least one animal"),
        ({"hours": 0.0}, "hours"),
        ({"gain_db": -1.0}, "must not be negative"),
        ({"missing_share": 1.0}, "missing_share"),
    ],
)
def test_plans_that_make_no_sense(change: dict[str, float], said: str) -> None:
    with pytest.raises(BadParameters, match=said):
        replace(PLAN, **change)  # type: ignore[arg-type]
