"""The planted powers are the powers measured, and the signal behaves as a mouse's does."""

from __future__ import annotations

import csv
import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt, sosfreqz

from wakeful.model.epochs import State
from wakeful.model.errors import BadParameters
from wakeful.model.time import Interval
from wakeful.simulate import (
    DEFAULT_BANDS,
    SIMULATOR_VERSION,
    RecordingPlan,
    RegionPlan,
    RegionProfile,
    Signal,
    SimulatedSubject,
    SubjectPlan,
    Substate,
    simulate_hypnogram,
    simulate_subject,
)

BANDS = tuple(DEFAULT_BANDS.values())
STATES = (State.AWAKE, State.NREM, State.REM)


def band_powers(samples_uv: NDArray[np.float32], rate_hz: float) -> NDArray[np.float64]:
    """(n_epochs, n_channels, n_bands) of 4 s epochs, Hann taper, edges shared out."""
    n_channels, n_samples = samples_uv.shape
    n = round(4 * rate_hz)
    taper = np.sin(np.pi * np.arange(n) / n) ** 2
    taper /= np.sqrt(np.sum(taper**2))
    epochs = samples_uv[:, : n_samples // n * n].reshape(n_channels, -1, n)
    out = []
    for channel in epochs:
        lines = np.abs(np.fft.rfft(channel * taper, axis=1)) ** 2 * 2 / rate_hz
        below = np.concatenate([lines[:, :1] * 0, np.cumsum(lines, axis=1)], axis=1) * 0.25
        # Each line stands for a quarter of a hertz around it.
        edges = np.arange(below.shape[1]) * 0.25 - 0.125
        at = np.searchsorted(edges, np.array(BANDS), side="right") - 1
        part = (np.array(BANDS) - edges[at]) / 0.25
        value = below[:, at] + part * (below[:, at + 1] - below[:, at])
        out.append(value[:, :, 1] - value[:, :, 0])
    return np.stack(out, axis=1)


@pytest.fixture(scope="module")
def measured(mouse: SimulatedSubject) -> NDArray[np.float64]:
    return band_powers(mouse.samples_uv, mouse.rate_hz)


def test_planted_band_power_is_the_power_measured(
    mouse: SimulatedSubject, measured: NDArray[np.float64]
) -> None:
    """Within 5 % in every state, LFP channel and band (a few hundred epochs each)."""
    truth = mouse.truth
    planted = truth.state_band_power_uv2(BANDS)
    for i, state in enumerate(STATES):
        chosen = truth.is_clean & (truth.state == state)
        assert chosen.sum() > 200
        ratio = measured[chosen].mean(0)[:8] / planted[i, :8]
        assert np.abs(ratio - 1).max() < 0.05, (state, ratio)


def test_planted_power_follows_epoch_by_epoch(
    mouse: SimulatedSubject, measured: NDArray[np.float64]
) -> None:
    """Not only on average: the ratio has the spread that the estimate has, and no trend."""
    truth = mouse.truth
    planted = truth.band_power_uv2(BANDS)
    clean = truth.is_clean
    ratio = measured[clean][:, :8, 0] / planted[clean][:, :8, 0]
    # 3 Hz x 4 s under a Hann taper: some 12 degrees of freedom.
    assert np.std(np.log(ratio)) == pytest.approx(0.41, abs=0.1)
    strong = planted[clean][:, 0, 0] > np.median(planted[clean][:, 0, 0])
    assert ratio[strong].mean() == pytest.approx(ratio[~strong].mean(), rel=0.05)


def test_muscle_tone_is_as_planted(mouse: SimulatedSubject) -> None:
    truth = mouse.truth
    band = (60.0, 110.0)
    sos = butter(8, band, "bandpass", fs=250, output="sos")
    # What the filter's slopes, passed twice, leave of a flat spectrum between the edges.
    frequency_hz, response = sosfreqz(sos, 8192, fs=250)
    passed_hz = np.sum(np.abs(response) ** 4) * (frequency_hz[1] - frequency_hz[0])
    emg = sosfiltfilt(sos, mouse.samples_uv[8])
    power = (emg.reshape(-1, 1000) ** 2).mean(1) * (band[1] - band[0]) / passed_hz
    planted = truth.band_power_uv2((band,))[:, 8, 0]
    for state in STATES:
        chosen = truth.is_clean & (truth.state == state)
        assert power[chosen].mean() == pytest.approx(planted[chosen].mean(), rel=0.05)


def test_lfp_shows_muscle_between_300_and_600_hz() -> None:
    """The correlation between regions is the one planted (Schomburg et al. 2014)."""
    plan = RecordingPlan(subject=SubjectPlan(seed=5), duration_s=900.0, start_zeitgeber_h=3.0)
    mouse = simulate_subject(plan, 2000)
    sos = butter(6, (300, 600), "bandpass", fs=2000, output="sos")
    epochs = sosfiltfilt(sos, mouse.samples_uv[:8]).reshape(8, -1, 8000)
    regions = [channel.region for channel in mouse.channels[:8]]
    found = np.zeros(epochs.shape[1])
    for epoch in range(epochs.shape[1]):
        matrix = np.corrcoef(epochs[:, epoch])
        apart = [matrix[i, j] for i in range(8) for j in range(i) if regions[i] != regions[j]]
        found[epoch] = np.mean(apart)
    planted = mouse.truth.lfp_emg()
    assert np.corrcoef(found, planted)[0, 1] > 0.99
    assert np.abs(found - planted).mean() < 0.02
    state = mouse.truth.state
    assert found[state == State.AWAKE].mean() > found[state == State.NREM].mean() + 0.2


def test_contrasts_between_states_are_those_of_a_mouse(
    mouse: SimulatedSubject, measured: NDArray[np.float64]
) -> None:
    """Directions and sizes; see the real mouse in the test below."""
    truth = mouse.truth
    level = 10 * np.log10(measured[:, :8])
    substate = truth.substate

    def mean(what: Substate, channel: int, band: str) -> float:
        chosen = truth.is_clean & (substate == what)
        return float(level[chosen, channel, list(DEFAULT_BANDS).index(band)].mean())

    for channel in (0, 3, 6):
        assert mean(Substate.NREM, channel, "delta") > mean(Substate.QUIET, channel, "delta") + 1.5
        assert mean(Substate.NREM, channel, "delta") > mean(Substate.REM, channel, "delta") + 3
        assert mean(Substate.NREM, channel, "sigma") > mean(Substate.REM, channel, "sigma") + 1
    # Theta: hippocampus, REM and running; weaker in quiet wakefulness, but there.
    assert mean(Substate.REM, 0, "theta") > mean(Substate.NREM, 0, "theta") + 3
    assert mean(Substate.ACTIVE, 0, "theta") > mean(Substate.QUIET, 0, "theta") + 3
    assert mean(Substate.QUIET, 0, "theta") > mean(Substate.NREM, 0, "theta") - 3
    assert mean(Substate.REM, 0, "theta") > mean(Substate.REM, 3, "theta") + 3
    tone = np.sqrt(truth.muscle_uv2())
    typical = [float(np.median(tone[substate == what])) for what in Substate]
    assert typical[Substate.REM] < typical[Substate.NREM] < typical[Substate.QUIET]
    assert typical[Substate.QUIET] < typical[Substate.ACTIVE]


def overlap(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Chance that a value of x lies above one of y (area under the ROC curve)."""
    rank = np.argsort(np.argsort(np.concatenate([x, y]))) + 1
    return float((rank[: len(x)].sum() - len(x) * (len(x) + 1) / 2) / (len(x) * len(y)))


@pytest.mark.real_data
def test_states_overlap_as_in_a_real_mouse(
    real_data: Path, mouse: SimulatedSubject, measured: NDArray[np.float64]
) -> None:
    """Delta and EMG alone tell states apart about as well (or badly) as in a scored mouse."""
    with gzip.open(real_data / "sleep/zfhx3_mouse_features/baseline.csv.gz", "rt") as file:
        rows = [row for row in csv.DictReader(file) if "*" not in row["Stage"]]
    stage = np.array([row["Stage"] for row in rows])
    truth = mouse.truth
    clean = ~truth.has_artefact & ~truth.in_gap
    simulated = {
        "Delta": measured[:, 3, 0],
        "EMG": truth.muscle_uv2(),
    }
    for name, values in simulated.items():
        real = np.array([float(row[name]) for row in rows])
        by_stage = {
            "W": (real[stage == "W"], values[clean & (truth.state == State.AWAKE)]),
            "NR": (real[stage == "NR"], values[clean & (truth.state == State.NREM)]),
            "R": (real[stage == "R"], values[clean & (truth.state == State.REM)]),
        }
        for a, b in (("W", "NR"), ("R", "NR"), ("R", "W")):
            expected = overlap(by_stage[a][0], by_stage[b][0])
            found = overlap(by_stage[a][1], by_stage[b][1])
            assert found == pytest.approx(expected, abs=0.1), (name, a, b)


def test_amplitudes_are_those_of_lfp_and_emg(mouse: SimulatedSubject) -> None:
    rms = mouse.samples_uv.std(1)
    assert np.all((rms[:8] > 40) & (rms[:8] < 300))
    assert 5 < rms[8] < 150
    assert np.all(np.isfinite(mouse.samples_uv))


def test_any_pieces_give_the_same_bits() -> None:
    plan = RecordingPlan(subject=SubjectPlan(seed=2), duration_s=60.0)
    whole = Signal(plan, 32_000).read_uv(0, 32_000 * 12)
    signal = Signal(plan, 32_000)
    pieces = [signal.read_uv(a, b - a) for a, b in ((0, 7), (7, 64_001), (64_001, 384_000))]
    assert np.array_equal(whole, np.concatenate(pieces, axis=1))
    middle = Signal(plan, 32_000).read_uv(191_999, 1500)
    assert np.array_equal(middle, whole[:, 191_999:193_499])


def test_every_rate_shows_the_same_animal() -> None:
    """At 1 kHz and 32 kHz only the sensors' noise differs, and its density is the same."""
    plan = RecordingPlan(subject=SubjectPlan(seed=2, noise_uv2_per_hz=0.0), duration_s=60.0)
    muscle_free = simulate_subject(plan, 2000).samples_uv[:8, :20_000]
    fast = Signal(plan, 32_000).read_uv(0, 320_000)[:8, ::16]
    assert np.abs(fast - muscle_free).max() < 0.01


def test_a_longer_recording_starts_like_a_shorter_one() -> None:
    short = Signal(RecordingPlan(duration_s=300.0), 500).read_uv(0, 130_000)
    long = Signal(RecordingPlan(duration_s=900.0), 500).read_uv(0, 130_000)
    assert np.array_equal(short, long)


def test_seeds_differ_and_repeat() -> None:
    plans = [RecordingPlan(subject=SubjectPlan(seed=seed), duration_s=600.0) for seed in (7, 8, 7)]
    a, b, c = (simulate_subject(plan, 250) for plan in plans)
    assert np.array_equal(a.samples_uv, c.samples_uv)
    assert not np.array_equal(a.truth.state, b.truth.state)
    assert np.abs(np.corrcoef(a.samples_uv[0], b.samples_uv[0])[0, 1]) < 0.1


def test_animals_differ_in_their_traits() -> None:
    plans = [RecordingPlan(subject=SubjectPlan(seed=s), duration_s=60.0) for s in range(12)]
    traits = [simulate_subject(plan, 200).truth.course.traits for plan in plans]
    theta_hz = np.array([t.theta_rem_hz for t in traits])
    tone_uv = np.array([t.tone_uv[Substate.NREM] for t in traits])
    assert 0.15 < theta_hz.std() < 0.5
    assert np.all((theta_hz > 6.4) & (theta_hz < 8.0))
    assert 0.1 < np.log(tone_uv).std() < 0.5
    for t in traits:
        assert t.spectrum.sum(-1) == pytest.approx(np.ones((3, 7)))


def test_spindles_are_where_the_truth_says(mouse: SimulatedSubject) -> None:
    """10-15 Hz in the thalamus is far stronger inside spindles than in the NREM around them."""
    sos = butter(4, (10, 15), "bandpass", fs=250, output="sos")
    power = sosfiltfilt(sos, mouse.samples_uv[6]) ** 2
    inside = np.zeros(len(power), np.bool_)
    for interval, frequency_hz in mouse.truth.spindles:
        assert 10 < frequency_hz < 15
        assert 0.5 <= interval.duration_s <= 1.5
        inside[round(interval.start_s * 250) : round(interval.stop_s * 250)] = True
    nrem = np.repeat(mouse.truth.state == State.NREM, 1000)
    assert len(mouse.truth.spindles) > 200
    assert power[inside & nrem].mean() > 3 * power[~inside & nrem].mean()
    assert np.mean(nrem[inside]) > 0.97


def test_artefacts_are_where_the_truth_says(mouse: SimulatedSubject) -> None:
    truth = mouse.truth
    assert len(truth.artefacts) >= 20
    assert 0.001 < truth.has_artefact.mean() < 0.1
    peak = np.abs(mouse.samples_uv[:8]).max(0).reshape(-1, 1000).max(1)
    awake = truth.state == State.AWAKE
    assert np.median(peak[truth.has_artefact]) > np.median(peak[awake & ~truth.has_artefact])
    assert np.mean(awake[truth.has_artefact]) > 0.9


def test_gaps_leave_out_samples_and_epochs() -> None:
    gaps = (Interval(20.0, 30.5), Interval(41.0, 42.0))
    subject = SubjectPlan(seed=4)
    broken = simulate_subject(RecordingPlan(subject=subject, duration_s=60.0, gaps=gaps), 500)
    whole = simulate_subject(RecordingPlan(subject=subject, duration_s=60.0), 500)
    assert [s.n_samples for s in broken.spans] == [10_000, 5_250, 9_000]
    assert [s.start_s for s in broken.spans] == [0.0, 30.5, 42.0]
    kept = np.concatenate(
        [whole.samples_uv[:, a:b] for a, b in ((0, 10_000), (15_250, 20_500), (21_000, 30_000))],
        axis=1,
    )
    assert np.array_equal(broken.samples_uv, kept)
    missing = np.flatnonzero(broken.truth.state == State.NO_DATA)
    assert missing.tolist() == [5, 6, 7, 10]
    assert np.isnan(broken.truth.band_power_uv2(BANDS)[missing]).all()
    assert np.isnan(broken.truth.lfp_emg()[missing]).all()
    assert np.isnan(broken.truth.hypnogram.confidence[missing]).all()
    assert np.isfinite(broken.truth.band_power_uv2(BANDS)[~broken.truth.in_gap]).all()
    read = broken.lfp.read_uv(10_000, 5_250, rows=[8, 0])
    assert np.array_equal(read, broken.samples_uv[[8, 0], 10_000:15_250])


def test_one_region_without_emg() -> None:
    region = RegionPlan(name="S1", profile=RegionProfile.CORTEX, n_channels=1)
    plan = RecordingPlan(subject=SubjectPlan(regions=(region,), n_emg=0), duration_s=40.0)
    mouse = simulate_subject(plan, 1000)
    assert mouse.samples_uv.shape == (1, 40_000)
    assert np.isnan(mouse.truth.lfp_emg()).all()


def test_progress_is_told_and_ends_at_one() -> None:
    told: list[float] = []
    simulate_subject(RecordingPlan(duration_s=200.0), 200, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) == 4


def test_a_plan_that_does_not_fit_is_refused() -> None:
    with pytest.raises(BadParameters):
        simulate_subject(RecordingPlan(duration_s=60.0), 199)


GOLDEN_DIGEST = "71863e2765f733c5"
GOLDEN_UV = [
    [28.7123, 43.4953, 43.5067, 31.8833],
    [-129.1142, -93.458, 1.6738, -27.5899],
    [-227.9858, -20.628, -118.5204, -17.3625],
]
GOLDEN_POWER_UV2 = [1831.96131, 2557.99595, 0.032363695]


def test_numbers_change_only_with_the_version() -> None:
    """Where this fails, the simulator has changed: raise SIMULATOR_VERSION and these numbers.

    States are compared to the bit; samples to 0.002 uV, since processors differ in the last bits
    of a Fourier transform.
    """
    plan = RecordingPlan(subject=SubjectPlan(seed=1), duration_s=7200.0, start_zeitgeber_h=10.0)
    hypnogram = simulate_hypnogram(plan)
    digest = hashlib.sha256(hypnogram.substate.tobytes()).hexdigest()[:16]
    signal = Signal(plan, 32_000)
    samples = [signal.read_uv(first, 1)[[0, 3, 6, 8], 0] for first in (0, 7_777_777, 190_000_000)]
    truth = simulate_subject(
        RecordingPlan(subject=SubjectPlan(seed=1), duration_s=600.0), 200
    ).truth
    power = truth.band_power_uv2(((1.0, 4.0),))[[0, 70, 149], [0, 3, 8], 0]
    assert (SIMULATOR_VERSION, digest) == (2, GOLDEN_DIGEST)
    assert np.abs(np.array(samples) - GOLDEN_UV).max() < 0.002
    assert power == pytest.approx(GOLDEN_POWER_UV2, rel=1e-6)
