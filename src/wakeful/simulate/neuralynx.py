"""A simulated recording as Neuralynx .ncs files: one a channel, streamed.

A file is a text header of 16 KiB and records of 1,044 bytes: time stamp (uint64, microseconds),
channel, rate and number of valid samples (uint32 each), 512 samples (int16); little endian.
"""

from __future__ import annotations

import contextlib
import csv
import uuid
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from wakeful.model.errors import BadParameters
from wakeful.model.subject import Channel, ChannelKind
from wakeful.simulate.course import plan_course
from wakeful.simulate.lfp import Signal
from wakeful.simulate.plan import SIMULATOR_VERSION, RecordingPlan, RegionProfile
from wakeful.simulate.subject import Progress, make_channels
from wakeful.simulate.timing import Stretch, recorded_stretches
from wakeful.simulate.truth import Truth

HEADER_BYTES = 16_384
RECORD_SAMPLES = 512
RECORD = np.dtype(
    [
        ("timestamp_us", "<u8"),
        ("channel", "<u4"),
        ("rate_hz", "<u4"),
        ("n_valid", "<u4"),
        ("samples", "<i2", (RECORD_SAMPLES,)),
    ]
)

_PIECE_SAMPLES = 6_000_000
"""Samples of all channels together that are made at a time: some 100 MB at most."""

_PLACE_MM: dict[RegionProfile, tuple[float, float, float]] = {
    RegionProfile.HIPPOCAMPUS: (1.5, -2.0, 1.3),
    RegionProfile.CORTEX: (0.4, 1.9, 1.8),
    RegionProfile.THALAMUS: (1.6, -1.7, 3.3),
}
"""Medio-lateral, antero-posterior and dorso-ventral distance from bregma of the first channel."""


def write_neuralynx(plan: RecordingPlan, folder: Path, progress: Progress | None = None) -> Truth:
    """Write CSC1.ncs, ..., EMG1.ncs, ..., channels.csv and, last of all, truth.json.

    A gap is a short last record followed by a jump of the time stamps. What follows the valid
    samples of a short record is stale, as in real files. Memory does not grow with the length of
    the recording but for the plan's own tables (0.6 MB an hour).

    Parameters
    ----------
    folder : made where it is not there
    progress : told the part done, 0 to 1

    Raises
    ------
    BadParameters
        The folder holds .ncs files already, or the plan can't be simulated.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob("*.ncs")):
        raise BadParameters(
            "the folder holds .ncs files already",
            where=str(folder),
            remedy="choose an empty folder",
        )
    channels = make_channels(plan)
    names = tuple(f"{channel.name}.ncs" for channel in channels)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context((folder / name).open("wb")) for name in names]
        for number, (file, channel) in enumerate(zip(files, channels, strict=True)):
            file.write(make_header(plan, channel, number))
        _write_records(plan, files, progress)
    _write_channels(plan, channels, folder / "channels.csv")
    truth = Truth(plan=plan, course=plan_course(plan), channels=channels, files=names)
    truth.write(folder / "truth.json")
    return truth


def _write_records(
    plan: RecordingPlan, files: Sequence[BinaryIO], progress: Progress | None
) -> None:
    signal = Signal(plan, plan.rate_hz)
    stretches = recorded_stretches(plan, plan.rate_hz)
    n_total = sum(stretch.span.n_samples for stretch in stretches)
    n_piece = max(1, _PIECE_SAMPLES // (RECORD_SAMPLES * signal.n_channels)) * RECORD_SAMPLES
    per_uv = (-1.0 if plan.input_inverted else 1.0) / plan.ad_bit_uv
    for number, stretch in enumerate(stretches):
        for offset in range(0, stretch.span.n_samples, n_piece):
            n = min(n_piece, stretch.span.n_samples - offset)
            values = signal.read_uv(stretch.first_tape_sample + offset, n)
            values *= np.float32(per_uv)
            np.rint(values, out=values)
            np.clip(values, -32767, 32767, out=values)
            stored = values.astype(np.int16)
            timestamps_us = _timestamps(plan, stretch, number, offset, n)
            for channel, file in enumerate(files):
                records = _pack(stored[channel], timestamps_us, channel, plan.rate_hz)
                if number == 0 and plan.staggered_start_records:
                    late = channel % (plan.staggered_start_records + 1)
                    records = records[max(0, late - offset // RECORD_SAMPLES) :]
                file.write(records.tobytes())
            if progress is not None:
                progress((stretch.span.first_sample + offset + n) / n_total)


def _timestamps(
    plan: RecordingPlan, stretch: Stretch, number: int, offset: int, n_samples: int
) -> NDArray[np.int64]:
    """(n_records,) microseconds; the same for all channels."""
    first = offset // RECORD_SAMPLES
    record = first + np.arange(-(-n_samples // RECORD_SAMPLES))
    time_s = stretch.span.start_s + record * (RECORD_SAMPLES / stretch.span.rate_hz)
    timestamps_us = plan.first_timestamp_us + np.rint(time_s * 1e6).astype(np.int64)
    if plan.timestamp_jitter_us:
        seed = [plan.subject.seed, 1010, number, first]
        most = plan.timestamp_jitter_us
        timestamps_us += np.random.default_rng(seed).integers(-most, most + 1, len(record))
    return np.asarray(timestamps_us)


def _pack(
    samples: NDArray[np.int16], timestamps_us: NDArray[np.int64], channel: int, rate_hz: int
) -> NDArray[np.void]:
    n_records = len(timestamps_us)
    records = np.zeros(n_records, RECORD)
    records["timestamp_us"] = timestamps_us
    records["channel"] = channel
    records["rate_hz"] = rate_hz
    records["n_valid"] = RECORD_SAMPLES
    n_full = len(samples) // RECORD_SAMPLES
    split = n_full * RECORD_SAMPLES
    records["samples"][:n_full] = samples[:split].reshape(n_full, RECORD_SAMPLES)
    if n_full < n_records:
        n_left = len(samples) - split
        records["n_valid"][-1] = n_left
        last = records["samples"][-1]
        last[:n_left] = samples[split:]
        # Real files repeat what the buffer held before.
        last[n_left:] = records["samples"][-2][n_left:] if n_records > 1 else 1234
    return records


def make_header(plan: RecordingPlan, channel: Channel, number: int) -> bytes:
    """The 16 KiB that a .ncs file starts with, as Cheetah writes them."""
    opened = plan.start_utc.astimezone(ZoneInfo(plan.time_zone))
    closed = (plan.start_utc + timedelta(seconds=plan.duration_s)).astimezone(
        ZoneInfo(plan.time_zone)
    )
    name = f"{plan.subject.identifier}/{plan.subject.seed}/{plan.start_utc.isoformat()}"
    session = uuid.uuid5(uuid.NAMESPACE_OID, name)
    lines = [
        "######## Neuralynx Data File Header",
        "-FileType NCS",
        "-FileVersion 3.4",
        f"-FileUUID {uuid.uuid5(session, channel.name)}",
        f"-SessionUUID {session}",
        "-ProbeName ",
        f'-OriginalFileName "C:\\CheetahData\\{opened:%Y-%m-%d_%H-%M-%S}\\{channel.name}.ncs"',
        f"-TimeCreated {opened:%Y/%m/%d %H:%M:%S}",
        f"-TimeClosed {closed:%Y/%m/%d %H:%M:%S}",
        "",
        f"-RecordSize {RECORD.itemsize}",
        '-ApplicationName Cheetah "6.4.0 "',
        "-AcquisitionSystem AcqSystem1 DigitalLynxSX",
        f'-ReferenceChannel "{channel.reference}"',
        f"-SamplingFrequency {plan.rate_hz}",
        "-ADMaxValue 32767",
        f"-ADBitVolts {plan.ad_bit_uv * 1e-6:.24f}",
        f"-AcqEntName {channel.name}",
        "-NumADChannels 1",
        f"-ADChannel {number}",
        f"-InputRange {round(plan.ad_bit_uv * 32768)}",
        f"-InputInverted {plan.input_inverted}",
        "",
        "-DSPLowCutFilterEnabled True",
        f"-DspLowCutFrequency {channel.highpass_hz}",
        "-DspLowCutNumTaps 0",
        "-DspLowCutFilterType DCO",
        "-DSPHighCutFilterEnabled True",
        f"-DspHighCutFrequency {channel.lowpass_hz:.0f}",
        "-DspHighCutNumTaps 64",
        "-DspHighCutFilterType FIR",
        "-DspDelayCompensation Enabled",
        "-DspFilterDelay_µs 984",
        f"-Comment simulated, simulator version {SIMULATOR_VERSION}",
        "",
    ]
    return "\r\n".join(lines).encode("latin-1").ljust(HEADER_BYTES, b"\x00")


def _write_channels(plan: RecordingPlan, channels: tuple[Channel, ...], path: Path) -> None:
    """channels.csv; electrodes of a region lie 0.1 mm below each other."""
    depth = [
        (_PLACE_MM[region.profile], i)
        for region in plan.subject.regions
        for i in range(region.n_channels)
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(
            ["channel", "subject", "region", "kind", "reference", "x_mm", "y_mm", "z_mm", "notes"]
        )
        for number, channel in enumerate(channels):
            place: list[str] = ["", "", ""]
            if channel.kind is ChannelKind.LFP:
                (x_mm, y_mm, z_mm), i = depth[number]
                place = [f"{x_mm:.2f}", f"{y_mm:.2f}", f"{z_mm + 0.1 * i:.2f}"]
            row = [channel.name, channel.subject, channel.region, str(channel.kind)]
            table.writerow([*row, channel.reference, *place, "simulated"])
