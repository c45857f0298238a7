"""How often planted faults of channels are found, and how often healthy channels are accused.

    .venv/bin/python benchmarks/channel_quality.py [--mice 6] [--minutes 20] [--raw]

Simulated mice at 1 kHz, stored as int16; every fault is planted in every mouse for half of the
recording. A fault counts as found in a block where it holds for at least two minutes, and is named
rightly there; an accusation is false where a channel without a planted fault gets any, counted per
channel and block. Then faults of growing strength, to see where the limits lie in practice. `--raw`
clips at 32 kHz for moments of one length and converts, to see from what length on the LFP tells.
"""

from __future__ import annotations

import argparse
import dataclasses
import time

import numpy as np

from wakeful.analysis import compute_lfp, make_source
from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.quality import FaultKind
from wakeful.model.subject import Channel
from wakeful.model.time import Interval
from wakeful.signal.channel_faults import judge
from wakeful.signal.channel_quality import survey
from wakeful.signal.quality_limits import QualityLimits
from wakeful.simulate import FaultType, PlantedFault, RecordingPlan, SubjectPlan, simulate_subject

GAIN_UV = 3000 / 32768
BLOCK_S = 300.0
LIMITS = QualityLimits()
PLANTED = {
    FaultType.FLAT: ("CSC1", "", {FaultKind.FLAT, FaultKind.DEAD}),
    FaultType.CLIPPED: ("CSC2", "", {FaultKind.CLIPPED}),
    FaultType.HUM: ("CSC4", "", {FaultKind.MAINS}),
    FaultType.LOOSE: ("CSC5", "", {FaultKind.DISCONNECTED}),
    FaultType.COPY: ("CSC7", "CSC3", {FaultKind.COPY}),
    FaultType.INVERTED: ("CSC8", "CSC6", {FaultKind.COPY}),
}


def make_lfp(plan: RecordingPlan) -> Lfp:
    mouse = simulate_subject(plan)
    stored = np.clip(np.rint(mouse.samples_uv / GAIN_UV), -32767, 32767).astype(np.int16)
    channels = tuple(dataclasses.replace(c, gain_uv=GAIN_UV) for c in mouse.channels)
    return Lfp(MemorySource(stored, channels, mouse.spans), 1000.0)


def find(lfp: Lfp, block: Interval):
    rows = range(len(lfp.channels))
    measured = survey(lfp, rows, block, LIMITS)
    found = judge(measured, lfp.channels, lfp.samples.dtype, LIMITS).findings
    return {(lfp.channels[f.row].name, f.kind) for f in found}


def sensitivity(n_mice: int, duration_s: float) -> None:
    hits = {kind: [0, 0] for kind in PLANTED}
    n_false, n_clean, spent_s = 0, 0, 0.0
    for seed in range(100, 100 + n_mice):
        start_s, stop_s = duration_s / 4, 3 * duration_s / 4
        faults = tuple(
            PlantedFault(channel=name, kind=kind, start_s=start_s, stop_s=stop_s, of=of)
            for kind, (name, of, _) in PLANTED.items()
        )
        for planted in ((), faults):
            plan = RecordingPlan(
                subject=SubjectPlan(seed=seed), duration_s=duration_s, faults=planted
            )
            lfp = make_lfp(plan)
            spoilt = {f.channel for f in planted}
            for first_s in np.arange(0, duration_s, BLOCK_S):
                block = Interval(float(first_s), min(float(first_s) + BLOCK_S, duration_s))
                began = time.process_time()
                found = find(lfp, block)
                spent_s += time.process_time() - began
                held_s = Interval(start_s, stop_s).intersect(block).duration_s
                accused = {name for name, _ in found}
                for name in (c.name for c in lfp.channels):
                    if name not in spoilt or held_s == 0:
                        n_clean += 1
                        n_false += name in accused
                for fault in planted:
                    if held_s >= 120:
                        hits[fault.kind][1] += 1
                        names = PLANTED[fault.kind][2]
                        hits[fault.kind][0] += any((fault.channel, k) in found for k in names)
    print(f"{'planted':<14}{'found by name':>16}{'of blocks':>12}")
    for kind, (n_found, n) in hits.items():
        print(f"{kind.value:<14}{n_found / max(n, 1):>16.1%}{n:>12}")
    print(f"false: {n_false} of {n_clean} healthy channels x blocks of {BLOCK_S / 60:g} min")
    hours = 2 * n_mice * duration_s / 3600
    print(f"processor: {spent_s / hours:.1f} s an hour of 9 channels")


def strength() -> None:
    """The weakest fault that is still told: hum by its share, a copy by its noise."""
    lfp = make_lfp(RecordingPlan(subject=SubjectPlan(seed=7), duration_s=BLOCK_S))
    samples = np.empty((len(lfp.channels), lfp.spans[-1].n_samples), np.int16)
    lfp.samples.read(0, samples)
    time_s = np.arange(samples.shape[1]) / 1000
    block = Interval(0.0, BLOCK_S)
    rng = np.random.default_rng(0)
    rms = samples[3].std()

    def told(row: np.ndarray, kind: FaultKind) -> str:
        spoilt = samples.copy()
        spoilt[3] = np.clip(np.rint(row), -32767, 32767)
        found = find(Lfp(MemorySource(spoilt, lfp.channels, lfp.spans), 1000.0), block)
        return "found" if ("CSC4", kind) in found else "-"

    for part in (0.5, 1.0, 1.5, 2.0, 4.0):
        hum = part * rms * np.sqrt(2) * np.cos(2 * np.pi * 50 * time_s)
        print(f"hum of {part:g} x the channel's rms: {told(samples[3] + hum, FaultKind.MAINS)}")
    for steps in (0.5, 1, 2, 4, 10):
        noise = rng.normal(0, steps, samples.shape[1])
        row = samples[2] + noise
        print(f"copy + noise of {steps:g} steps rms: {told(row, FaultKind.COPY)}")
    white = rng.normal(0, 60, samples.shape[1])
    for part in (0.0, 0.02, 0.05, 0.1, 0.2, 1.0):
        row = part * samples[3] + white
        print(f"noise of 5.5 uV and {part:.0%} of the signal: {told(row, FaultKind.DISCONNECTED)}")


def raw_clipping() -> None:
    """Clipped moments of one length at 32 kHz: from what length on the LFP still tells."""
    rate_hz, n = 32_000, 32_000 * 60
    rng = np.random.default_rng(1)
    for length_ms in (0.5, 1, 2, 3, 5, 10, 20, 50):
        slow = np.convolve(rng.normal(0, 1, n), np.hanning(641) / 320, "same")
        signal = 2000 * slow / slow.std() + rng.normal(0, 50, n)
        n_rail = round(length_ms * rate_hz / 1000)
        for start in range(rate_hz, n - rate_hz, rate_hz // 2):
            signal[start : start + n_rail] = 32_767
        raw = make_source(
            np.clip(signal, -32_768, 32_767).astype(np.int16)[None],
            rate_hz,
            (Channel(name="a", gain_uv=0.1, region="CA1"),),
        )
        lfp, _ = compute_lfp(raw)
        found = find(lfp, Interval(0.0, 60.0))
        told = "found" if ("a", FaultKind.CLIPPED) in found else "-"
        print(f"{2 * length_ms / 1000:.2%} at the rails, {length_ms:g} ms at a time: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mice", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--raw", action="store_true")
    asked = parser.parse_args()
    if asked.raw:
        raw_clipping()
        return
    sensitivity(asked.mice, asked.minutes * 60)
    strength()


if __name__ == "__main__":
    main()
