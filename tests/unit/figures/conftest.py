"""A made-up animal whose figures look like a real one's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time

import numpy as np
import pytest

from wakeful.model.epochs import BandPower, Hypnogram, MuscleTone, Spectrogram, State
from wakeful.model.subject import LightSchedule, Session, Subject
from wakeful.model.time import Accounting, Day, Span, account_for

EPOCH_S = 4.0
RATE_HZ = 1000.0
BANDS = ("delta", "theta", "sigma", "beta", "low_gamma", "high_gamma")
EDGES_HZ = ((0.5, 4.0), (5.0, 10.0), (10.0, 15.0), (15.0, 30.0), (30.0, 60.0), (60.0, 100.0))
REGIONS = ("CA1", "PFC", "V1", "BLA", "DG", "CA3", "S1", "M1", "OFC", "RSC", "LH", "MS")
LIGHT = LightSchedule(on=time(7), off=time(19))


@dataclass(frozen=True, kw_only=True)
class FakeDay:
    """Everything `draw_day` takes."""

    session: Session
    day: Day
    accounting: Accounting
    spectrogram: Spectrogram
    band_power: BandPower
    muscle: MuscleTone
    hypnogram: Hypnogram
    spans: tuple[Span, ...]


def _states(n_epochs: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed and raw states with rodent bout lengths."""
    state = np.empty(n_epochs, np.int8)
    at, now = 0, State.AWAKE
    lengths = {State.AWAKE: 60, State.NREM: 35, State.REM: 18, State.UNCLASSIFIED: 3}
    follow = {
        State.AWAKE: (State.NREM, State.NREM),
        State.NREM: (State.REM, State.AWAKE),
        State.REM: (State.AWAKE, State.UNCLASSIFIED),
        State.UNCLASSIFIED: (State.NREM, State.AWAKE),
    }
    while at < n_epochs:
        n = 1 + int(rng.exponential(lengths[now]))
        state[at : at + n] = now
        at += n
        now = follow[now][int(rng.integers(2))]
    raw = state.copy()
    short = rng.random(n_epochs) < 0.02
    raw[short & (state == State.NREM)] = State.AWAKE
    return state, raw


def make_day(
    *,
    n_regions: int = 3,
    hours: float = 24.0,
    start: datetime | None = datetime(2026, 5, 11, 22, 0, tzinfo=UTC),
    zone: str = "Europe/Zurich",
    light: LightSchedule | None = LIGHT,
    gaps_h: tuple[tuple[float, float], ...] = ((5.0, 7.25), (15.0, 15.01)),
    emg: bool = True,
    lfp_emg: bool = True,
    n_frequencies: int = 400,
    seed: int = 1,
    day_number: int = 0,
) -> FakeDay:
    """A made-up day; power follows the state."""
    rng = np.random.default_rng(seed)
    n_epochs = int(hours * 3600 / EPOCH_S)
    duration_s = n_epochs * EPOCH_S
    session = Session(
        name="2026-05-12_baseline",
        subject=Subject(identifier="M014", species="Mus musculus"),
        start_utc=start,
        duration_s=duration_s,
        time_zone=zone,
        light=light,
    )
    edges = [0.0]
    for a, b in gaps_h:
        if b * 3600 < duration_s:
            edges += [a * 3600, b * 3600]
    edges.append(duration_s)
    spans, first = [], 0
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        n = round((b - a) * RATE_HZ)
        spans.append(Span(a, n, RATE_HZ, first))
        first += n
    start_s = np.arange(n_epochs) * EPOCH_S
    whole = np.zeros(n_epochs, bool)
    for span in spans:
        whole |= (start_s >= span.start_s - 1e-6) & (start_s + EPOCH_S <= span.stop_s + 1e-6)
    state, raw = _states(n_epochs, rng)
    frequency_hz = np.arange(1, n_frequencies + 1) * 0.25
    shape = {
        State.AWAKE: 400 / frequency_hz**1.3 + 15 * np.exp(-(((frequency_hz - 7) / 1.5) ** 2)),
        State.NREM: 2500 / (1 + (frequency_hz / 2.5) ** 2.4)
        + 12 * np.exp(-(((frequency_hz - 12) / 2) ** 2)),
        State.REM: 250 / frequency_hz**1.3 + 60 * np.exp(-(((frequency_hz - 7.5) / 0.9) ** 2)),
        State.UNCLASSIFIED: 600 / frequency_hz**1.3,
    }
    base = np.stack([shape[State(i)] for i in range(4)]).astype(np.float32)
    power = np.empty((n_epochs, n_regions, n_frequencies), np.float32)
    for r in range(n_regions):
        noise = rng.gamma(3, 1 / 3, (n_epochs, n_frequencies)).astype(np.float32)
        power[:, r] = base[state] * noise * (1 + 0.4 * r)
    power[~whole] = np.nan
    band = np.stack(
        [
            power[:, :, (frequency_hz >= a) & (frequency_hz < b)].sum(axis=2) * 0.25
            for a, b in EDGES_HZ
        ],
        axis=2,
    )
    band[:, :, [high_hz > frequency_hz[-1] + 0.3 for _, high_hz in EDGES_HZ]] = np.nan
    tone = np.array([30.0, 14.0, 9.0, 5.0])[state] * rng.lognormal(0, 0.35, n_epochs)
    correlation = np.array([0.6, 0.4, 0.25, 0.12])[state] + rng.normal(0, 0.05, n_epochs)
    nan = np.full(n_epochs, np.nan)
    state[~whole] = raw[~whole] = State.NO_DATA
    day = session.days()[day_number]
    return FakeDay(
        session=session,
        day=day,
        accounting=account_for(day.interval, session.interval, tuple(spans)),
        spectrogram=Spectrogram(
            start_s=start_s,
            power_uv2_per_hz=power,
            frequency_hz=frequency_hz,
            regions=REGIONS[:n_regions],
            channels=tuple((f"CSC{4 * i + 1}", f"CSC{4 * i + 2}") for i in range(n_regions)),
            epoch_s=EPOCH_S,
            method="multitaper, 3 tapers, half bandwidth 1 Hz",
        ),
        band_power=BandPower(
            start_s=start_s,
            power_uv2=band.astype(np.float32),
            regions=REGIONS[:n_regions],
            bands=BANDS,
            edges_hz=EDGES_HZ,
            epoch_s=EPOCH_S,
        ),
        muscle=MuscleTone(
            start_s=start_s,
            emg_uv=np.where(whole, tone, np.nan).astype(np.float32) if emg else nan,
            lfp_emg=np.where(whole, correlation, np.nan).astype(np.float32) if lfp_emg else nan,
            emg_channels=("EMG1",) if emg else (),
            emg_band_hz=(30.0, 300.0),
            epoch_s=EPOCH_S,
            lfp_emg_unavailable="" if lfp_emg else "the raw rate of 1000 Hz is below 1500 Hz",
        ),
        hypnogram=Hypnogram(
            start_s=start_s,
            raw_state=raw,
            state=state,
            confidence=np.where(whole, 0.9, np.nan).astype(np.float32),
            epoch_s=EPOCH_S,
            scorer="label-free thresholds 1",
        ),
        spans=tuple(spans),
    )


@pytest.fixture(scope="session")
def make_fake_day() -> Callable[..., FakeDay]:
    """Makes a day to draw."""
    return make_day
