"""Bouts, hours and rates as CSV files."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

import numpy as np

from wakeful.model.bouts import Bouts, BoutStatistics, StateHours
from wakeful.model.epochs import State
from wakeful.model.movement import WAKE_KINDS


def bout_files(bouts: Bouts, hours: StateHours, statistics: BoutStatistics) -> dict[str, bytes]:
    """Name -> bytes of bouts.csv, state_hours.csv, bout_statistics.csv and transitions.csv."""
    return {
        "bouts.csv": bouts_csv(bouts),
        "state_hours.csv": state_hours_csv(hours),
        "bout_statistics.csv": bout_statistics_csv(statistics),
        "transitions.csv": transitions_csv(statistics),
    }


ABOUT = {
    "bouts.csv": "every bout: state, start, length, and whether its beginning and end were seen",
    "state_hours.csv": "minutes and share of each state, hour by hour",
    "bout_statistics.csv": "bouts, rates, latencies and fragmentation, per light phase",
    "transitions.csv": "which state follows which: counts and probabilities",
}
"""Name of the file -> what it holds."""


def bouts_csv(bouts: Bouts) -> bytes:
    """One line a bout; `start_known` and `stop_known` are no where it may have lasted longer."""
    labels = {int(state): state.label for state in State}
    columns = ("state", "start_s", "duration_s", "start_known", "stop_known")
    return _csv(
        columns,
        (
            (
                labels[state],
                f"{start_s:.10g}",
                f"{stop_s - start_s:.10g}",
                "yes" if begun else "no",
                "yes" if ended else "no",
            )
            for state, start_s, stop_s, begun, ended in zip(
                bouts.state.tolist(),
                bouts.start_s.tolist(),
                bouts.stop_s.tolist(),
                bouts.start_known.tolist(),
                bouts.stop_known.tolist(),
                strict=True,
            )
        ),
    )


def state_hours_csv(hours: StateHours) -> bytes:
    """One line an hour; shares are empty where nothing has a state."""
    names = [label.lower() for label in hours.states]
    columns = (
        "start_s",
        "zeitgeber_h",
        *(f"{name}_min" for name in names),
        *(f"{name}_share" for name in names),
        "left_out_min",
        *(f"wake_{kind.label.replace(' ', '_')}_min" for kind in WAKE_KINDS),
    )
    return _csv(
        columns,
        (
            (
                f"{hours.start_s[i]:.10g}",
                _number(hours.zeitgeber_h[i], ".4g"),
                *(f"{minutes:.4f}" for minutes in hours.minutes[i]),
                *(_number(share, ".5f") for share in hours.share[i]),
                f"{hours.left_out_min[i]:.4f}",
                *(_number(minutes, ".4f") for minutes in hours.wake_minutes[i]),
            )
            for i in range(hours.n_rows)
        ),
    )


def bout_statistics_csv(statistics: BoutStatistics) -> bytes:
    """One line a quantity: name, light phase, state ("" for none), value (empty: there is none)."""

    def lines() -> Iterable[Sequence[str]]:
        per_state = ("minutes", "share", "n_bouts", "n_complete", "bouts_per_hour")
        for name in (*per_state, "mean_bout_s", "median_bout_s"):
            values = getattr(statistics, name)
            for i, phase in enumerate(statistics.phases):
                for j, state in enumerate(statistics.states):
                    yield name, phase, state, _number(values[i, j])
        for name in ("minutes", "n_bouts", "mean_bout_s", "median_bout_s"):
            values = getattr(statistics, f"wake_{name}")
            for i, phase in enumerate(statistics.phases):
                for j, kind in enumerate(statistics.wake_kinds):
                    if statistics.wake_method:
                        yield name, phase, f"awake, {kind}", _number(values[i, j])
        for name in ("stage_shift_index", "n_brief_awakenings", "brief_awakenings_per_hour"):
            for i, phase in enumerate(statistics.phases):
                yield name, phase, "", _number(getattr(statistics, name)[i])
        latencies = ("nrem_latency_s", "rem_latency_s", "rem_after_nrem_s")
        for name in (*latencies, "ictal_min", "post_ictal_min", "epoch_s"):
            yield name, statistics.phases[0], "", _number(getattr(statistics, name))

    return _csv(("quantity", "phase", "state", "value"), lines())


def transitions_csv(statistics: BoutStatistics) -> bytes:
    """One line for each two states: pairs of epochs, and probabilities."""
    return _csv(
        ("from", "to", "n_epochs", "epoch_probability", "next_probability"),
        (
            (
                before,
                after,
                f"{statistics.transitions[i, j]}",
                _number(statistics.epoch_probability[i, j]),
                _number(statistics.next_probability[i, j]),
            )
            for i, before in enumerate(statistics.states)
            for j, after in enumerate(statistics.states)
        ),
    )


def _csv(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    return buffer.getvalue().encode()


def _number(value: float | np.generic, form: str = ".6g") -> str:
    number = float(value)
    return format(number, form) if math.isfinite(number) else ""
