"""truth.json: the planted answers as plain numbers."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wakeful.model.epochs import State
from wakeful.simulate.plan import SIMULATOR_VERSION, Substate

if TYPE_CHECKING:
    from wakeful.simulate.truth import Truth


def describe_truth(truth: Truth) -> dict[str, Any]:
    """The contents of truth.json; NaN is written as null."""
    from wakeful.simulate.truth import DEFAULT_BANDS

    plan, traits = truth.plan, truth.course.traits
    recorded = dict(asdict(plan), start_utc=plan.start_utc.isoformat())
    # JSON has no word for a fault that never ends.
    recorded["faults"] = [
        {**asdict(f), "stop_s": f.stop_s if math.isfinite(f.stop_s) else None} for f in plan.faults
    ]
    power = truth.state_band_power_uv2(tuple(DEFAULT_BANDS.values()))
    state = truth.state
    names = [channel.name for channel in truth.channels]
    return {
        "simulator_version": SIMULATOR_VERSION,
        "plan": recorded,
        "epoch_s": plan.epoch_s,
        "state_codes": {s.label: int(s) for s in State},
        "substate_codes": {s.name.lower(): int(s) for s in Substate},
        "state": state.tolist(),
        "substate": truth.substate.tolist(),
        "mixed_epochs": np.flatnonzero(truth.purity < 1).tolist(),
        "artefact_epochs": np.flatnonzero(truth.has_artefact).tolist(),
        "minutes": {s.label: float(np.sum(state == s)) * plan.epoch_s / 60 for s in State},
        "gaps_s": [[gap.start_s, gap.stop_s] for gap in plan.gaps],
        "spindles": [
            {
                "start_s": round(interval.start_s, 4),
                "stop_s": round(interval.stop_s, 4),
                "frequency_hz": round(frequency_hz, 3),
            }
            for interval, frequency_hz in truth.spindles
        ],
        "artefacts": [
            {
                "start_s": round(interval.start_s, 4),
                "stop_s": round(interval.stop_s, 4),
                "amplitude_uv": round(amplitude_uv, 1),
            }
            for interval, amplitude_uv in truth.artefacts
        ],
        "events": [
            {
                "kind": str(event.kind),
                "start_s": round(interval.start_s, 4),
                "stop_s": round(interval.stop_s, 4),
                "regions": list(event.regions or [r.name for r in plan.subject.regions]),
                "amplitude_uv": round(event.amplitude_uv, 1),
                "frequency_hz": round(event.frequency_hz, 3),
            }
            for interval, event in truth.events
        ],
        "theta_hz": {"REM": traits.theta_rem_hz, "running": traits.theta_run_hz},
        "channels": [
            {
                "name": channel.name,
                "file": truth.files[i] if truth.files else None,
                "region": channel.region,
                "kind": str(channel.kind),
                "gain": float(traits.gain[i]),
                "sensor_noise_uv2_per_hz": float(traits.noise_uv2_per_hz[i]),
            }
            for i, channel in enumerate(truth.channels)
        ],
        "bands_hz": {name: list(edges) for name, edges in DEFAULT_BANDS.items()},
        "band_power_uv2": {
            "of": "mean expected power over epochs of one state alone, without artefact or gap",
            **{
                s.label: {
                    name: dict(zip(DEFAULT_BANDS, _plain(power[i, c]), strict=True))
                    for c, name in enumerate(names)
                }
                for i, s in enumerate((State.AWAKE, State.NREM, State.REM))
            },
        },
        "expected_lfp_emg": _plain(truth.lfp_emg()),
        "expected_muscle_uv2": _plain(truth.muscle_uv2()),
    }


def _plain(values: NDArray[np.float64]) -> list[float | None]:
    return [None if math.isnan(v) else float(f"{v:.6g}") for v in values]
