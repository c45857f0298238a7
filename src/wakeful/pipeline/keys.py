"""A result's name: the hash of everything that made it, and of nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from wakeful.io.codec import to_plain
from wakeful.io.mirror import Manifest
from wakeful.model.recording import ByteRange, Stream
from wakeful.model.time import Interval, cut_spans
from wakeful.step import Step

_CHANNEL_FIELDS = (
    "name",
    "region",
    "kind",
    "reference",
    "gain_uv",
    "offset_uv",
    "polarity",
    "highpass_hz",
    "lowpass_hz",
)
"""What numbers are made from, or are named after; not where an electrode lies, nor notes."""


def digest(value: Any) -> str:
    """sha256 of a value's canonical JSON."""
    text = json.dumps(to_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return sha256(text.encode()).hexdigest()


def raw_key(
    format_name: str,
    stream: Stream,
    interval: Interval,
    ranges: Iterable[ByteRange],
    manifest: Manifest,
) -> str:
    """Name of the raw data that a block's computation reads.

    It holds the bytes (by their granules), how they are cut into channels, and where they lie in
    time: the same bytes under another clock are other data. It holds neither paths outside the
    recording nor anything that later hours could change.

    Of a channel only that joins which numbers depend on or are named after. Notes, coordinates and
    the animal's name may be corrected without a week being computed again; the table stored beside
    an LFP carries them as they were when it was converted, which may be older than the channels
    file.
    """
    spans = cut_spans(stream.spans, interval)
    return digest(
        {
            "format": format_name,
            "bytes": manifest.digests_of(ranges),
            "channels": [
                {name: getattr(channel, name) for name in _CHANNEL_FIELDS}
                for channel in stream.channels
            ],
            "rate_hz": stream.rate_hz,
            "spans": [(s.start_s, s.n_samples, s.rate_hz) for s in spans],
        }
    )


def result_key(
    step: Step,
    changed: Mapping[str, Any],
    scope: str,
    inputs: Mapping[str, tuple[str, ...]],
    given: Mapping[str, Any],
) -> str:
    """Key of a result.

    Parameters
    ----------
    step : its name and version join
    changed : the parameters that differ from their defaults
    scope : "block", "day" or "session"; which one follows from `given`
    inputs : field -> keys of the results it is joined from, in order of time
    given : field -> what the runner gives, or a digest of it
    """
    return digest(
        {
            "step": step.name,
            "version": step.version,
            "params": dict(changed),
            "scope": scope,
            "inputs": dict(inputs),
            "given": dict(given),
        }
    )


def figure_key(
    step: Step,
    style: int,
    changed: Mapping[str, Any],
    results: tuple[str, ...],
    inputs: Mapping[str, tuple[str, ...]],
    given: Mapping[str, Any],
) -> str:
    """Key of a step's figures of one day or session."""
    return digest(
        {
            "figures_of": step.name,
            "draw_version": step.draw_version,
            "style": style,
            "params": dict(changed),
            "results": list(results),
            "inputs": dict(inputs),
            "given": dict(given),
        }
    )
