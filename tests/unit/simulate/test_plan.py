"""Plans name every problem at once."""

from __future__ import annotations

from datetime import datetime

import pytest

from wakeful.model.errors import BadParameters
from wakeful.model.time import Interval
from wakeful.simulate import RecordingPlan, RegionPlan, RegionProfile, Signal, SubjectPlan


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(BadParameters) as error:
        RecordingPlan(
            duration_s=float("nan"),
            start_utc=datetime(2026, 1, 1),  # noqa: DTZ001 (that is what is wrong)
            rate_hz=32_001,
            time_zone="Mars/Olympus",
            gaps=(Interval(5.0, 4.0),),
        )
    for word in ("duration_s", "start_utc", "rate_hz", "Mars/Olympus", "gap 5.0 to 4.0"):
        assert word in str(error.value)


@pytest.mark.parametrize(
    "gaps",
    [
        (Interval(0.0, 4.0),),
        (Interval(50.0, 60.0),),
        (Interval(10.0, 12.0), Interval(11.0, 14.0)),
        (Interval(20.0, 22.0), Interval(10.0, 12.0)),
    ],
)
def test_gaps_outside_the_recording_or_out_of_order_are_refused(
    gaps: tuple[Interval, ...],
) -> None:
    with pytest.raises(BadParameters, match="gap"):
        RecordingPlan(duration_s=60.0, gaps=gaps)


def test_subject_problems_are_named() -> None:
    with pytest.raises(BadParameters) as error:
        SubjectPlan(identifier=" ", seed=-1, regions=(), n_emg=-2, mains_hz=55, gain_spread=-1.0)
    for word in ("identifier", "seed", "no region", "n_emg", "mains_hz", "gain_spread"):
        assert word in str(error.value)


def test_a_region_needs_a_channel_and_a_name() -> None:
    with pytest.raises(BadParameters, match=r"name is empty \| n_channels is 0"):
        RegionPlan(name="", profile=RegionProfile.CORTEX, n_channels=0)


def test_regions_must_differ() -> None:
    region = RegionPlan(name="CA1", profile=RegionProfile.HIPPOCAMPUS)
    with pytest.raises(BadParameters, match="regions repeat: CA1, CA1"):
        SubjectPlan(regions=(region, region))


def test_a_rate_that_cannot_be_made_is_refused() -> None:
    with pytest.raises(BadParameters, match="rate_hz is 1001"):
        Signal(RecordingPlan(duration_s=60.0), 1001)


def test_samples_outside_the_recording_are_refused() -> None:
    signal = Signal(RecordingPlan(duration_s=60.0), 500)
    with pytest.raises(BadParameters, match="samples -1"):
        signal.read_uv(-1, 10)
    with pytest.raises(BadParameters, match="inside the recording"):
        signal.read_uv(signal.n_samples - 5, 10)
