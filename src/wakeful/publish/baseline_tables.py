"""A day against its baseline as CSV."""

from __future__ import annotations

import csv
import io

import numpy as np

from wakeful.sleep.baseline import AgainstBaseline


def baseline_csv(found: AgainstBaseline) -> bytes:
    """One line an hour, state, region and band; what has no number is empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        (
            "zeitgeber_h", "state", "region", "band", "low_hz", "high_hz", "minutes", "scored_min",
            "share_percent_of_baseline", "density_uv2_per_hz", "density_percent_of_baseline",
            "n_epochs",
        )
    )  # fmt: skip
    day = found.day
    for i, hour in enumerate(day.zeitgeber_h.tolist()):
        for j, state in enumerate(day.states):
            for k, region in enumerate(day.regions):
                for m, (band, (low, high)) in enumerate(zip(day.bands, day.edges_hz, strict=True)):
                    writer.writerow(
                        (
                            f"{hour:g}", state, region, band, f"{low:g}", f"{high:g}",
                            f"{day.minutes[i, j]:.4f}", f"{day.scored_min[i]:.4f}",
                            _number(found.share_percent[i, j]),
                            _number(day.density_uv2_per_hz[i, j, k, m]),
                            _number(found.density_percent[i, j, k, m]),
                            day.n_epochs[i, j, k, m],
                        )
                    )  # fmt: skip
    return text.getvalue().encode()


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"
