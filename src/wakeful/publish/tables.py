"""Tables of results for people: CSV files and the tables of the report."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np

from wakeful.model.epochs import SCORED, Doubt, Hypnogram, State
from wakeful.model.subject import Session
from wakeful.publish.report import ReportTable
from wakeful.steps.day import STATES, DaySummary


def hypnogram_csv(session: Session, hypnogram: Hypnogram) -> bytes:
    """One line an epoch: start, local time (ISO 8601 with offset), states, how sure they are.

    The local time is empty where the session's start is unknown; confidence and probabilities where
    there are none; the doubt (why it is unclassified) where there is none.
    """
    zone = ZoneInfo(session.time_zone)
    labels = {int(state): state.label for state in State}
    why = {int(doubt): doubt.label for doubt in Doubt}

    def lines() -> Iterable[Sequence[str]]:
        for start_s, state, raw, provisional, doubt, confidence, probability in zip(
            hypnogram.start_s.tolist(),
            hypnogram.state.tolist(),
            hypnogram.raw_state.tolist(),
            hypnogram.provisional.tolist(),
            hypnogram.doubt.tolist(),
            hypnogram.confidence.tolist(),
            hypnogram.probability.tolist(),
            strict=True,
        ):
            local = ""
            if session.start_utc is not None:
                moment = session.start_utc + timedelta(seconds=start_s)
                local = moment.astimezone(zone).isoformat(timespec="milliseconds")
            yield (
                f"{start_s:.10g}",
                local,
                labels[state],
                labels[raw],
                _number(confidence, ".3f"),
                *(_number(p, ".4f") for p in probability),
                why[doubt],
                labels[provisional],
            )

    columns = ("start_s", "local_time", "state", "raw_state", "confidence")
    chances = (f"probability_{state.label.lower()}" for state in SCORED)
    return _csv((*columns, *chances, "doubt", "provisional_state"), lines())


def day_summaries_csv(summaries: Sequence[DaySummary]) -> bytes:
    """One line a day and light phase: hours accounted for (whole days only), minutes per state."""
    hours = ("recorded_s", "gap_s", "quarantined_s", "outside_s")

    def lines() -> Iterable[Sequence[str]]:
        for summary in summaries:
            for i, phase in enumerate(summary.phases):
                parts = [getattr(summary, name) for name in hours] if phase == "day" else []
                yield (
                    summary.date,
                    f"{summary.day_number + 1}",
                    phase,
                    *(f"{part:.3f}" for part in parts),
                    *("" for _ in hours[len(parts) :]),
                    *(f"{minutes:.4f}" for minutes in summary.minutes[i]),
                )

    states = (f"{state.label.lower()}_min" for state in STATES)
    return _csv(("date", "day", "phase", *hours, *states), lines())


def state_power_csv(summaries: Sequence[DaySummary]) -> bytes:
    """One line a day, state, region and band: mean power."""

    def lines() -> Iterable[Sequence[str]]:
        for summary in summaries:
            for i, state in enumerate(summary.states):
                head = (summary.date, f"{summary.day_number + 1}", state, f"{summary.n_epochs[i]}")
                for j, region in enumerate(summary.regions):
                    for k, band in enumerate(summary.bands):
                        low_hz, high_hz = summary.edges_hz[k]
                        mean = _number(float(summary.band_power_uv2[i, j, k]), ".6g")
                        yield (*head, _text(region), band, f"{low_hz:g}", f"{high_hz:g}", mean)

    columns = ("date", "day", "state", "n_epochs", "region", "band", "low_hz", "high_hz")
    return _csv((*columns, "mean_power_uv2"), lines())


def minutes_table(summaries: Sequence[DaySummary]) -> ReportTable:
    """Minutes per state, a row for each day and light phase, for the report."""
    rows = [
        (
            summary.date or f"day {summary.day_number + 1}",
            {"day": "whole day"}.get(phase, phase),
            *(f"{minutes:.1f}" for minutes in summary.minutes[i]),
            f"{summary.minutes[i].sum():.1f}",
        )
        for summary in summaries
        for i, phase in enumerate(summary.phases)
    ]
    return ReportTable(
        title="Minutes in each state",
        columns=("day", "phase", *(state.label for state in STATES), "sum"),
        rows=tuple(rows),
        n_text_columns=2,
        note="After smoothing. Time without data is in no column.",
    )


def describe_certainty(hypnogram: Hypnogram) -> tuple[str, ...]:
    """Sentences on how sure a hypnogram is and what it was told by; of what its scorer said."""
    said: list[str] = []
    shares = {why: share for why, share in hypnogram.doubt_shares().items() if share > 0}
    meaning = {
        Doubt.AMBIGUOUS: "are too close to call (ambiguous)",
        Doubt.ARTEFACT: "look like no state (artefact)",
        Doubt.REFUSED: "were refused with the recording as a whole",
    }
    if shares:
        parts = (f"{_share(share)} {meaning[why]}" for why, share in shares.items())
        said.append(f"of the epochs with data, {', '.join(parts)}: unclassified")
    gap = hypnogram.provisional_gap
    if math.isfinite(gap):
        said.append(
            f"in {_share(gap)} of the epochs what could be said when they came in (provisional) "
            "is not what the whole recording says of them (final)"
        )
    if hypnogram.signals:
        said.append(
            f"states were told by {', '.join(hypnogram.signals)}: that they differ in these is "
            "how they were made, not a finding"
        )
    return tuple(said)


def _share(share: float) -> str:
    return "less than 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def bouts_table(hypnogram: Hypnogram) -> ReportTable:
    """How many bouts of each state there are and how long, for the report."""
    bouts = hypnogram.bouts()
    rows = []
    for state in STATES:
        lengths_s = np.array([part.duration_s for s, part in bouts if s == state])
        known = len(lengths_s) > 0
        rows.append(
            (
                state.label,
                f"{len(lengths_s)}",
                f"{np.median(lengths_s):.0f}" if known else "–",
                f"{lengths_s.mean():.0f}" if known else "–",
                f"{lengths_s.max():.0f}" if known else "–",
            )
        )
    return ReportTable(
        title="Bouts",
        columns=("state", "bouts", "median (s)", "mean (s)", "longest (s)"),
        rows=tuple(rows),
        n_text_columns=1,
        note="Runs of one state after smoothing; a gap ends a bout.",
    )


def _csv(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    return buffer.getvalue().encode()


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else ""


def _text(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
