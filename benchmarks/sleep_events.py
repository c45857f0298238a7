"""Slow waves, spindles and ripples: how many planted ones are found, and at what cost.

Recall and precision are of simulated mice with planted events, whose seeds no threshold was chosen
on. Cost is processor time of an hour of 64 channels in 8 regions at 1 kHz, candidates and three
decisions; the peer band-passes the same eight channels with SciPy (sosfiltfilt and hilbert for
spindles and ripples, sosfiltfilt for slow waves), as scripts do, and detects nothing.

    python benchmarks/sleep_events.py [--mice 5] [--minutes 60]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
from scipy import signal

from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.epochs import State
from wakeful.model.subject import Channel, Session, Subject
from wakeful.model.time import Interval, Span
from wakeful.simulate import (
    EventType,
    Pace,
    RecordingPlan,
    Scatter,
    SubjectPlan,
    scatter_events,
    simulate_subject,
)
from wakeful.steps import event_candidates, ripples, slow_waves, spindles

FIRST_SEED = 900
STEPS = {"slow_wave": (slow_waves, 1), "spindle": (spindles, 1), "ripple": (ripples, 0)}
PLANTED = (
    Scatter(kind=EventType.SPIKE_WAVE, per_min=0.3, states=(State.AWAKE, State.NREM)),
    Scatter(kind=EventType.SLOW_WAVE, per_min=3.0),
    Scatter(kind=EventType.SPINDLE, per_min=1.5),
    Scatter(kind=EventType.RIPPLE, per_min=8.0),
)


def session_of(duration_s):
    """A session without a clock."""
    return Session(name="b", subject=Subject(identifier="M"), start_utc=None, duration_s=duration_s)


def detect(lfp, hypnogram, duration_s):
    """Kind -> events."""
    session = session_of(duration_s)
    found = event_candidates.compute(
        event_candidates.Inputs(lfp=lfp, block=Interval(0.0, duration_s), session=session),
        event_candidates.Params(),
    )
    events = {}
    for kind, (module, _) in STEPS.items():
        inputs = module.Inputs(
            event_candidates=found.event_candidates,
            event_baseline=found.event_baseline,
            hypnogram=hypnogram,
            lfp=lfp,
            session=session,
        )
        events[kind] = getattr(module.compute(inputs, module.Params()), module.STEP.name)
    return events


def overlaps(events, region, wanted):
    """(n_wanted, n_events) whether they share time."""
    mine = events.region == region
    start_s, stop_s = events.start_s[mine], events.stop_s[mine]
    starts = np.array([i.start_s for i in wanted])[:, None]
    stops = np.array([i.stop_s for i in wanted])[:, None]
    return (start_s < stops) & (stop_s > starts)


def score(seed, duration_s):
    """Kind -> (recall, precision, events a minute of NREM, share of bursts that touch one)."""
    base = RecordingPlan(subject=SubjectPlan(seed=seed), duration_s=duration_s, pace=Pace.SHORT)
    plan = replace(base, events=scatter_events(base, PLANTED, seed=seed))
    mouse = simulate_subject(plan)
    events = detect(mouse.lfp, mouse.truth.hypnogram, duration_s)
    bursts = [i for i, e in mouse.truth.events if e.kind is EventType.SPIKE_WAVE]
    scores = {}
    for kind, (_, region) in STEPS.items():
        wanted = [i for i, e in mouse.truth.events if e.kind == kind]
        if kind == "spindle":
            wanted += [i for i, _ in mouse.truth.spindles]
        found = overlaps(events[kind], region, wanted)
        taken = int(overlaps(events[kind], region, bursts).any(axis=1).sum())
        scores[kind] = (
            found.any(axis=1).mean(),
            found.any(axis=0).mean(),
            events[kind].per_min[0, region],
            taken / len(bursts),
        )
    return scores


def cost():
    """Processor seconds: ours, the peer's."""
    duration_s, rate_hz = 3600.0, 1000.0
    mouse = simulate_subject(RecordingPlan(subject=SubjectPlan(seed=1), duration_s=duration_s))
    n = mouse.samples_uv.shape[1]
    samples = np.tile(np.rint(mouse.samples_uv[:8] / 0.1).astype(np.int16), (8, 1))
    regions = ("CA1", "CA3", "PFC", "V1", "S1", "M1", "thalamus", "RSC")
    channels = tuple(Channel(name=f"c{i}", region=regions[i // 8], gain_uv=0.1) for i in range(64))
    lfp = Lfp(MemorySource(samples, channels, (Span(0.0, n, rate_hz, 0),)), rate_hz)
    detect(lfp, mouse.truth.hypnogram, duration_s)
    start = time.process_time()
    detect(lfp, mouse.truth.hypnogram, duration_s)
    ours_s = time.process_time() - start
    start = time.process_time()
    bands = {
        band: signal.butter(4, band, "bandpass", fs=rate_hz, output="sos")
        for band in ((0.5, 4.0), (10.0, 15.0), (100.0, 250.0))
    }
    for i, region in enumerate(regions):
        x = samples[8 * i] * 0.1
        for band, sos in bands.items():
            if band[0] == 100.0 and region not in ("CA1", "CA3"):
                continue
            y = signal.sosfiltfilt(sos, x)
            if band[0] > 1:
                np.abs(signal.hilbert(y))
    return ours_s, time.process_time() - start


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mice", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=60.0)
    args = parser.parse_args()
    scores = [score(FIRST_SEED + i, 60 * args.minutes) for i in range(args.mice)]
    print(f"{args.mice} simulated mice of {args.minutes:g} min: mean (lowest to highest)")
    for kind in STEPS:
        values = np.array([s[kind] for s in scores])
        told = [
            f"{name} {v.mean():.3f} ({v.min():.3f} to {v.max():.3f})"
            for name, v in zip(
                (
                    "recall",
                    "precision",
                    "per min of NREM",
                    "bursts of spike-wave that share time with one",
                ),
                values.T,
                strict=True,
            )
        ]
        print(f"{kind}: {'; '.join(told)}")
    ours_s, peer_s = cost()
    print(
        f"an hour of 64 channels, 8 regions, 2 with ripples: {ours_s:.2f} s of processor; SciPy's "
        f"filters and envelopes alone {peer_s:.2f} s ({peer_s / ours_s:.1f} times)"
    )


if __name__ == "__main__":
    main()
