"""Events of sleep as CSV files."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

import numpy as np

from wakeful.model.epochs import State
from wakeful.model.sleep_events import SleepEvents

EVENT_STEPS = ("slow_waves", "spindles", "ripples")
"""Steps whose one output, of the same name, is a `SleepEvents`."""


def event_files(name: str, events: SleepEvents) -> dict[str, bytes]:
    """Name -> bytes of NAME.csv, one line an event, and NAME_rates.csv."""
    return {f"{name}.csv": events_csv(events), f"{name}_rates.csv": event_rates_csv(events)}


def events_csv(events: SleepEvents) -> bytes:
    """One line an event, in order of time."""
    labels = {int(state): state.label for state in State}
    columns = (
        "region",
        "channel",
        "state",
        "start_s",
        "duration_s",
        "peak_s",
        "amplitude_uv",
        "frequency_hz",
        events.measure_name,
    )
    return _csv(
        columns,
        (
            (
                _text(events.regions[events.region[i]]),
                _text(events.channels[events.channel[i]]),
                labels[int(events.state[i])],
                f"{events.start_s[i]:.10g}",
                f"{events.duration_s[i]:.6g}",
                f"{events.peak_s[i]:.10g}",
                _number(events.amplitude_uv[i]),
                _number(events.frequency_hz[i]),
                _number(events.measure[i]),
            )
            for i in range(events.n_rows)
        ),
    )


def event_rates_csv(events: SleepEvents) -> bytes:
    """One line for each region and state; empty where nothing was watched."""
    return _csv(
        ("region", "state", "minutes_watched", "events_per_min", "threshold_uv"),
        (
            (
                _text(region),
                state,
                _number(events.minutes[i, j]),
                _number(events.per_min[i, j]),
                _number(events.threshold_uv[j]),
            )
            for j, region in enumerate(events.regions)
            for i, state in enumerate(events.states)
        ),
    )


def _csv(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    return buffer.getvalue().encode()


def _number(value: float | np.generic) -> str:
    number = float(value)
    return format(number, ".6g") if math.isfinite(number) else ""


def _text(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
