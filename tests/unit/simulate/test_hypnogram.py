"""The planted sleep against the sleep of real mice."""

from __future__ import annotations

import csv
import gzip
import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from wakeful.model.epochs import State
from wakeful.model.errors import BadParameters
from wakeful.simulate import (
    Pace,
    RecordingPlan,
    SimulatedHypnogram,
    SubjectPlan,
    Substate,
    simulate_hypnogram,
)

AWAKE, NREM, REM = int(State.AWAKE), int(State.NREM), int(State.REM)
N_MICE = 12


def day_of(seed: int, epoch_s: float) -> NDArray[np.int8]:
    plan = RecordingPlan(subject=SubjectPlan(seed=seed), duration_s=86_400.0)
    return simulate_hypnogram(plan).epochs(round(86_400 / epoch_s), epoch_s)[0]


def runs(state: NDArray[np.int8]) -> list[tuple[int, int]]:
    edges = np.r_[0, np.flatnonzero(np.diff(state)) + 1, len(state)]
    return [(int(state[a]), b - a) for a, b in itertools.pairwise(edges.tolist())]


def statistics(state: NDArray[np.int8], epoch_s: float) -> dict[str, float]:
    """What is compared, for 12 h of one light phase."""
    found = runs(state)
    length_s = {
        s: np.array([n for what, n in found if what == s]) * epoch_s for s in (AWAKE, NREM, REM)
    }
    after_nrem = [b for (a, _), (b, _) in itertools.pairwise(found) if a == NREM]
    after_rem = [b for (a, _), (b, _) in itertools.pairwise(found) if a == REM]
    return {
        "awake": float(np.mean(state == AWAKE)),
        "NREM": float(np.mean(state == NREM)),
        "REM": float(np.mean(state == REM)),
        "NREM bouts an hour": len(length_s[NREM]) / 12,
        "mean NREM bout": float(length_s[NREM].mean()),
        "spread of NREM bouts": float(np.log(length_s[NREM]).std()),
        "mean REM bout": float(length_s[REM].mean()),
        "median awakening": float(np.median(length_s[AWAKE])),
        "mean wake bout": float(length_s[AWAKE].mean()),
        "REM after NREM": float(np.mean(np.array(after_nrem) == REM)),
        "awake after REM": float(np.mean(np.array(after_rem) == AWAKE)),
    }


def read_zfhx3(folder: Path) -> NDArray[np.int8]:
    with gzip.open(folder / "sleep/zfhx3_mouse_features/baseline.csv.gz", "rt") as file:
        code = {"W": AWAKE, "N": NREM, "R": REM}
        return np.array([code[row["Stage"][0]] for row in csv.DictReader(file)], np.int8)


def read_focolab(path: Path) -> NDArray[np.int8]:
    states = []
    for line in path.read_text("latin-1").splitlines()[1:]:
        name = line.split(",")[4].strip()
        states.append(AWAKE if "Wake" in name else NREM if "Non" in name else REM)
    return np.array(states, np.int8)


@pytest.mark.real_data
@pytest.mark.parametrize("half", [0, 1], ids=["light", "dark"])
def test_bouts_and_transitions_lie_among_those_of_real_mice(real_data: Path, half: int) -> None:
    """The middle mouse lies within the range of four scored mice, widened by a quarter."""
    zfhx3 = read_zfhx3(real_data)
    n = len(zfhx3) // 2
    real = {4.0: [statistics(zfhx3[half * n : (half + 1) * n], 4.0)]}
    scores = sorted((real_data / "sleep/focolab_3scorers").glob("*scores_*.txt"))
    assert len(scores) == 9
    real[10.0] = [
        statistics(read_focolab(p)[half * 4320 : (half + 1) * 4320], 10.0) for p in scores
    ]
    simulated = {
        epoch_s: [
            statistics(np.split(day_of(seed, epoch_s), 2)[half], epoch_s) for seed in range(N_MICE)
        ]
        for epoch_s in (4.0, 10.0)
    }
    for name in real[4.0][0]:
        # Lengths depend on the epoch (10 s hide short awakenings): compare like with like.
        measured = [table[name] for tables in real.values() for table in tables]
        low, high = min(measured), max(measured)
        middle = [float(np.median([t[name] for t in simulated[e]])) for e in (4.0, 10.0)]
        spread = f"{name}: real {low:.3g} to {high:.3g}, simulated {middle}"
        assert low / 1.25 <= np.mean(middle) <= high * 1.25, spread


@pytest.mark.real_data
def test_most_awakenings_are_brief_as_in_the_real_mouse(real_data: Path) -> None:
    def brief(state: NDArray[np.int8]) -> float:
        lengths = np.array([n for what, n in runs(state) if what == AWAKE])
        return float(np.mean(lengths <= 4))

    real = brief(read_zfhx3(real_data))
    simulated = np.array([brief(day_of(seed, 4.0)) for seed in range(N_MICE)])
    assert real == pytest.approx(0.73, abs=0.02)
    assert abs(simulated.mean() - real) < 0.15


def test_rem_follows_nrem_and_never_wakefulness() -> None:
    for seed in range(5):
        plan = RecordingPlan(subject=SubjectPlan(seed=seed), duration_s=86_400.0)
        found = simulate_hypnogram(plan).bouts()
        for (before, _), (after, interval) in itertools.pairwise(found):
            if after is Substate.REM:
                assert before is Substate.NREM
                assert interval.duration_s >= 1
            if after is Substate.NREM:
                assert before in (Substate.REM, Substate.BRIEF, Substate.QUIET)


def test_the_dark_phase_is_the_active_one() -> None:
    for seed in range(5):
        light, dark = np.split(day_of(seed, 4.0), 2)
        assert np.mean(dark == AWAKE) > np.mean(light == AWAKE) + 0.1
        assert np.mean(dark == REM) < np.mean(light == REM)


def test_some_epochs_are_mixed_but_few() -> None:
    plan = RecordingPlan(subject=SubjectPlan(seed=1), duration_s=86_400.0)
    purity = simulate_hypnogram(plan).epochs(21_600, 4.0)[2]
    assert 0.01 < np.mean(purity < 1) < 0.05
    assert purity.min() >= 0.5


def test_an_epoch_takes_the_state_that_fills_most_of_it() -> None:
    ticks = [Substate.QUIET] * 5 + [Substate.NREM] * 5 + [Substate.ACTIVE, Substate.BRIEF] * 3
    hypnogram = SimulatedHypnogram(np.array(ticks, np.int8))
    state, substate, purity = hypnogram.epochs(4, 4.0)
    assert state.tolist() == [AWAKE, NREM, AWAKE, AWAKE]
    assert substate.tolist() == [
        Substate.QUIET,
        Substate.NREM,
        Substate.ACTIVE,
        Substate.ACTIVE,
    ]
    assert purity.tolist() == [1.0, 0.75, 0.5, 1.0]


def test_a_slow_clock_moves_the_epochs() -> None:
    """With 25 % more time stamps per second, 10 s of stamps hold 8 s of the animal's time."""
    ticks = np.array([Substate.QUIET] * 8 + [Substate.NREM] * 8, np.int8)
    state, _, purity = SimulatedHypnogram(ticks).epochs(2, 10.0, stretch=1.25)
    assert state.tolist() == [AWAKE, NREM]
    assert purity.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("seed", range(10))
def test_a_short_demonstration_shows_every_state_several_times(seed: int) -> None:
    plan = RecordingPlan(subject=SubjectPlan(seed=seed), duration_s=1440.0, pace=Pace.SHORT)
    state = simulate_hypnogram(plan).epochs(360, 4.0)[0]
    for wanted in (AWAKE, NREM, REM):
        assert sum(what == wanted for what, _ in runs(state)) >= 2
        assert np.mean(state == wanted) > 0.06


def test_a_demonstration_that_is_too_short_is_refused() -> None:
    with pytest.raises(BadParameters, match="15 min or more"):
        simulate_hypnogram(RecordingPlan(duration_s=60.0, pace=Pace.SHORT))


def test_an_animal_can_stay_awake_or_asleep() -> None:
    awake = simulate_hypnogram(RecordingPlan(duration_s=3600.0, pace=Pace.AWAKE))
    assert set(awake.state.tolist()) == {AWAKE}
    assert {Substate.QUIET, Substate.ACTIVE} <= set(awake.substate.tolist())
    asleep = simulate_hypnogram(RecordingPlan(duration_s=3600.0, pace=Pace.ASLEEP))
    assert set(asleep.state.tolist()) == {NREM, REM}
