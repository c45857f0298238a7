"""What each step gives for one simulated mouse, boiled down to a few numbers.

Run it to renew `numbers.json` after a step's version was raised:

    .venv/bin/python tests/golden/golden_numbers.py
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from wakeful.catalog import load_catalog
from wakeful.model.arrays import Lfp, MemorySink
from wakeful.model.subject import LightSchedule, Session, Subject
from wakeful.model.time import Interval, account_for
from wakeful.simulate import Pace, RecordingPlan, SubjectPlan, simulate_subject

PLACE = Path(__file__).with_name("numbers.json")
GAP = Interval(401.0, 420.5)


def boil_down(value: Any) -> Any:
    """A few numbers that hardly any change of an array leaves as they are."""
    if isinstance(value, Lfp):
        spans = [(s.start_s, s.n_samples, s.rate_hz) for s in value.spans]
        pieces = [value.read_uv(s.first_sample, s.n_samples) for s in value.spans]
        return {"spans": spans, "samples_uv": boil_down(np.concatenate(pieces, axis=1))}
    if isinstance(value, np.ndarray):
        if value.dtype == np.int8:
            states, counts = np.unique(value, return_counts=True)
            changes = int(np.count_nonzero(np.diff(value)))
            return {
                "counts": dict(zip(map(str, states), counts.tolist(), strict=True)),
                "changes": changes,
            }
        if value.dtype.kind == "U":
            return value.tolist()
        values = value.astype(np.float64).ravel()
        known = values[np.isfinite(values)]
        if not len(known):
            return {"shape": list(value.shape), "n_known": 0}
        weights = np.cos(np.arange(len(known)) * 0.7)
        return {
            "shape": list(value.shape),
            "n_known": len(known),
            "mean": float(known.mean()),
            "std": float(known.std()),
            "quantiles": np.quantile(known, [0.01, 0.5, 0.99]).tolist(),
            "order": float((known * weights).mean() / (known.std() or 1.0)),
        }
    if dataclasses.is_dataclass(value):
        return {f.name: boil_down(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [boil_down(member) for member in value]
    return value


def compute_numbers() -> dict[str, Any]:
    """Step -> its version and what it gives."""
    plan = RecordingPlan(
        subject=SubjectPlan(seed=5), duration_s=1200.0, pace=Pace.SHORT, gaps=(GAP,)
    )
    mouse = simulate_subject(plan, rate_hz=2000)
    stored = np.clip(np.rint(mouse.samples_uv / 0.1), -32767, 32767).astype(np.int16)
    from wakeful.model.arrays import MemorySource

    channels = tuple(dataclasses.replace(c, gain_uv=0.1) for c in mouse.channels)
    session = Session(
        name="golden",
        subject=Subject(identifier="SIM001"),
        start_utc=plan.start_utc,
        duration_s=1200.0,
        time_zone="Europe/Berlin",
        light=LightSchedule(),
    )
    day = session.days()[0]
    values: dict[str, Any] = {
        "raw": MemorySource(stored, channels, mouse.spans),
        "block": Interval(0.0, 1200.0),
        "session": session,
        "day": day,
        "lfp_sink": MemorySink(),
        "accounting": account_for(day.interval, session.interval, mouse.spans),
        "quarantined": (),
        "marks": (),
        "spans": mouse.spans,
        "channels": channels,
    }
    numbers: dict[str, Any] = {}
    for name, step in load_catalog().steps.items():
        wanted = {f.name for f in dataclasses.fields(step.inputs)}
        inputs = step.inputs(**{k: v for k, v in values.items() if k in wanted})
        outputs = step.compute(inputs, step.params())
        given = {f.name: getattr(outputs, f.name) for f in dataclasses.fields(outputs)}
        values |= given
        boiled = {k: boil_down(v) for k, v in given.items()}
        numbers[name] = {"version": step.version, "outputs": boiled}
    return json.loads(json.dumps(numbers))


if __name__ == "__main__":
    PLACE.write_text(json.dumps(compute_numbers(), indent=1) + "\n", encoding="utf-8")
