"""Feature tables of a made-up animal whose states are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from wakeful.model.epochs import BandPower, MuscleTone, State
from wakeful.sleep.feature_table import FeatureTable, Labels

EPOCH_S = 4.0

# Mean log of delta, theta and EMG in each state, near those of a labelled mouse.
_LEVELS = {
    State.AWAKE: (5.0, 4.6, 3.6),
    State.NREM: (6.1, 5.0, 2.7),
    State.REM: (4.6, 5.6, 2.3),
}
_SPREAD = (0.4, 0.4, 0.25)


@dataclass(frozen=True, kw_only=True)
class Table:
    """What the scorer gets, and the truth."""

    band_power: BandPower
    muscle: MuscleTone
    state: np.ndarray


def make_states(n_epochs: int, rng: np.random.Generator) -> np.ndarray:
    """Bouts of 5 to 40 epochs; REM only after NREM, always followed by awake."""
    states: list[int] = []
    last = State.AWAKE
    while len(states) < n_epochs:
        states += [int(last)] * int(rng.integers(5, 40))
        if last == State.AWAKE:
            last = State.NREM
        elif last == State.NREM:
            last = State.REM if rng.random() < 0.3 else State.AWAKE
        else:
            last = State.AWAKE
    return np.array(states[:n_epochs], np.int8)


def make_table(
    states: np.ndarray,
    seed: int = 0,
    regions: Sequence[str] = ("CA1", "PFC"),
    start_s: np.ndarray | None = None,
) -> Table:
    """Log-normal band powers and EMG; CA1 has twice the contrast of PFC."""
    rng = np.random.default_rng([seed, 1])
    n_epochs = len(states)
    start_s = np.arange(n_epochs) * EPOCH_S if start_s is None else start_s
    levels = np.array([_LEVELS[State(int(s))] for s in states]).reshape(n_epochs, 3)
    log = levels + rng.standard_normal((n_epochs, 3)) * _SPREAD
    power = np.zeros((n_epochs, len(regions), 3))
    for i, region in enumerate(sorted(regions)):
        place = list(regions).index(region)
        weak = 0.5 if i else 1.0
        mean = np.array([5.2, 5.0])
        own = rng.standard_normal((n_epochs, 2)) * 0.2
        power[:, place, :2] = np.exp(mean + (log[:, :2] - mean) * weak + own)
        power[:, place, 2] = np.exp(3 + rng.standard_normal(n_epochs) * 0.3)
    band_power = BandPower(
        start_s=start_s,
        power_uv2=power.astype(np.float32),
        regions=tuple(regions),
        bands=("delta", "theta", "beta"),
        edges_hz=((1.0, 4.0), (6.0, 9.0), (15.0, 30.0)),
        epoch_s=EPOCH_S,
    )
    muscle = MuscleTone(
        start_s=start_s,
        emg_uv=np.exp(log[:, 2]).astype(np.float32),
        lfp_emg=np.tanh(0.5 * log[:, 2] - 1.0).astype(np.float32),
        emg_channels=("EMG1",),
        emg_band_hz=(30.0, 300.0),
        epoch_s=EPOCH_S,
    )
    return Table(band_power=band_power, muscle=muscle, state=states)


@pytest.fixture(scope="session")
def day() -> Table:
    """Six hours of all three states."""
    return make_table(make_states(5400, np.random.default_rng(7)))


@pytest.fixture(scope="session")
def make():
    """`make_table`, for a test's own states."""
    return make_table


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A table of features with planted states, numbered as in `names`."""

    table: FeatureTable
    labels: Labels


STATE_NAMES = ("awake", "NREM", "REM")


def make_labelled(n_epochs: int, seed: int, subject: str = "M1", gain: float = 1.0) -> Labelled:
    """Delta, theta and EMG of a made-up animal, and two columns that say nothing."""
    rng = np.random.default_rng([seed, 2])
    states = make_states(n_epochs, rng)
    levels = np.array([_LEVELS[State(int(s))] for s in states]).reshape(n_epochs, 3)
    values = np.exp(levels + rng.standard_normal((n_epochs, 3)) * _SPREAD) * gain
    noise = rng.standard_normal((n_epochs, 2))
    number = {int(State.AWAKE): 0, int(State.NREM): 1, int(State.REM): 2}
    return Labelled(
        table=FeatureTable.make(
            ("delta", "theta", "emg", "noise", "more noise"),
            np.concatenate([values, noise], axis=1),
            epoch_s=EPOCH_S,
            subject=subject,
        ),
        labels=Labels(states=STATE_NAMES, state=np.array([number[int(s)] for s in states])),
    )


@pytest.fixture(scope="session")
def labelled():
    """`make_labelled`, for a test's own animals."""
    return make_labelled
