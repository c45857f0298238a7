"""The spans of samples that lie in one file with time stamps of their own, each with its rate."""

from __future__ import annotations

from wakeful.io.common_time import Pattern, find_common
from wakeful.io.frozen_rates import LineFitter, Part
from wakeful.io.record_times import TimeTable
from wakeful.io.stretches import ReadTicks
from wakeful.model.time import Span


def fit_spans(
    table: TimeTable, samples_per_record: int, read_ticks: ReadTicks | None
) -> tuple[Span, ...]:
    """Lines fitted to the time stamps of a table that stands alone.

    Channels with a file each are grouped by `wakeful.io.record_streams`, which fits them together.

    Parameters
    ----------
    table : of all samples
    samples_per_record : samples that share a time stamp
    read_ticks : gives time stamps again; None where records follow each other exactly

    Returns
    -------
    Spans in seconds from the table's `base_tick`, samples as the table numbers them. Samples that
    lie in time already taken are in none.
    """
    fitter = LineFitter(samples_per_record, table.clock)
    spans: list[Span] = []
    for piece in find_common([Pattern.of(table, samples_per_record, read_ticks)]).pieces:
        part = Part(table, read_ticks, piece.segments[0], piece.first_samples[0], piece.n_samples)
        lines, _ = fitter.fit(part)
        spans += [
            Span(
                # Whole ticks first: nanoseconds of a century are more than a float tells apart.
                (line.anchor_tick - table.base_tick + line.start_ticks) / table.ticks_per_s,
                line.n_samples,
                table.ticks_per_s / line.period_ticks,
                line.first_sample,
            )
            for line in lines
        ]
    return tuple(spans)
