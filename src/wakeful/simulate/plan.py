"""What to simulate: the animal, its channels, the recording. All frozen, all checked."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from zoneinfo import ZoneInfo

from wakeful.model.epochs import State
from wakeful.model.errors import BadParameters
from wakeful.model.time import Interval
from wakeful.simulate.events import PlantedEvent, check_events
from wakeful.simulate.faults import PlantedFault, check_faults

SIMULATOR_VERSION = 2
"""Raised whenever the same plan gives other numbers."""


class Substate(IntEnum):
    """What the simulated animal does; finer than `State`."""

    QUIET = 0
    """Awake and still."""
    ACTIVE = 1
    """Awake and running or exploring."""
    NREM = 2
    REM = 3
    BRIEF = 4
    """A brief awakening out of sleep, with a shift of posture."""

    @property
    def state(self) -> State:
        """The state a scorer should find."""
        return _STATE[self]


_STATE = {
    Substate.QUIET: State.AWAKE,
    Substate.ACTIVE: State.AWAKE,
    Substate.NREM: State.NREM,
    Substate.REM: State.REM,
    Substate.BRIEF: State.AWAKE,
}


class RegionProfile(StrEnum):
    """Which rhythms a region shows; see `physiology.PROFILES`."""

    HIPPOCAMPUS = "hippocampus"
    CORTEX = "cortex"
    THALAMUS = "thalamus"


class Pace(StrEnum):
    """How fast the animal goes through its states."""

    NATURAL = "natural"
    """Bout lengths and transitions of laboratory mice over 24 h of light and dark."""
    SHORT = "short"
    """For demonstrations of 15 to 60 min: not natural. Long wakefulness is cut to minutes, NREM
    bouts to two thirds, REM comes oftener, and hypnograms are redrawn until each state is there
    in at least three bouts."""
    AWAKE = "awake"
    """Never asleep: for scorers that must not find sleep where there is none."""
    ASLEEP = "asleep"
    """NREM and REM by turns, never awake."""


def _check(problems: list[str], where: str) -> None:
    if problems:
        raise BadParameters(
            " | ".join(problems), where=where, remedy="correct the plan of the simulation"
        )


@dataclass(frozen=True, kw_only=True)
class RegionPlan:
    """Channels in one brain area."""

    name: str
    """As it shall stand in channels.csv, e.g. "CA1"."""
    profile: RegionProfile
    n_channels: int = 3

    def __post_init__(self) -> None:
        problems = []
        if not self.name.strip():
            problems.append("name is empty")
        if self.n_channels < 1:
            problems.append(f"n_channels is {self.n_channels}; at least 1 is needed")
        _check(problems, f"region {self.name!r}")


THREE_REGIONS = (
    RegionPlan(name="CA1", profile=RegionProfile.HIPPOCAMPUS, n_channels=3),
    RegionPlan(name="PFC", profile=RegionProfile.CORTEX, n_channels=3),
    RegionPlan(name="thalamus", profile=RegionProfile.THALAMUS, n_channels=2),
)


@dataclass(frozen=True, kw_only=True)
class SubjectPlan:
    """A simulated mouse and where its electrodes sit."""

    identifier: str = "SIM001"
    seed: int = 0
    """Decides everything that is random: the animal's traits, its sleep and every sample."""
    regions: tuple[RegionPlan, ...] = THREE_REGIONS
    n_emg: int = 1
    variability: float = 1.0
    """How much animals differ (theta frequency, amplitudes, slope, EMG); 0: the mean animal."""
    gain_spread: float = 0.15
    """Standard deviation of the natural logarithm of a channel's gain."""
    noise_uv2_per_hz: float = 0.004
    """Sensor noise of LFP channels, one-sided density; about 8 uV rms at 32 kHz."""
    mains_hz: int = 50
    mains_uv: float = 1.5
    """Amplitude of the mains hum; channels lie between half and one and a half times of it."""
    artefacts_per_active_min: float = 0.5
    """Movement artefacts per minute of running."""

    def __post_init__(self) -> None:
        problems = []
        if not self.identifier.strip():
            problems.append("identifier is empty")
        if self.seed < 0:
            problems.append(f"seed is {self.seed}; it must not be negative")
        if not self.regions:
            problems.append("there is no region")
        names = [region.name for region in self.regions]
        if len(set(names)) < len(names):
            problems.append(f"regions repeat: {', '.join(names)}")
        if self.n_emg < 0:
            problems.append(f"n_emg is {self.n_emg}; it must not be negative")
        if self.mains_hz not in (50, 60):
            problems.append(f"mains_hz is {self.mains_hz}; it is 50 or 60")
        for name in (
            "variability",
            "gain_spread",
            "noise_uv2_per_hz",
            "mains_uv",
            "artefacts_per_active_min",
        ):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                problems.append(f"{name} is {value}; it must be finite and not negative")
        _check(problems, f"subject {self.identifier!r}")

    @property
    def n_lfp(self) -> int:
        """Channels in the brain."""
        return sum(region.n_channels for region in self.regions)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """CSC1, CSC2, ... in the brain, then EMG1, ..."""
        brain = (f"CSC{i + 1}" for i in range(self.n_lfp))
        return (*brain, *(f"EMG{i + 1}" for i in range(self.n_emg)))


@dataclass(frozen=True, kw_only=True)
class RecordingPlan:
    """A recording of a simulated mouse."""

    subject: SubjectPlan = field(default_factory=SubjectPlan)
    duration_s: float = 24 * 60.0
    """From the first sample to the last, gaps included."""
    pace: Pace = Pace.NATURAL
    start_zeitgeber_h: float = 0.0
    """Zeitgeber time of the first sample: 0 is lights on, 12 lights off."""
    start_utc: datetime = datetime(2026, 1, 12, 7, 0, 0, tzinfo=UTC)
    time_zone: str = "UTC"
    """IANA name; acquisition files carry local time."""
    epoch_s: float = 4.0
    gaps: tuple[Interval, ...] = ()
    """Where nothing was recorded, seconds from the session's start."""
    rate_hz: int = 32_000
    """Of the acquisition files."""
    clock_drift_ppm: float = 0.0
    """How much slower than nominal the samples come: seconds of time stamps per nominal second
    are 1 + ppm / 1e6."""
    timestamp_jitter_us: int = 0
    """Time stamps of records are off by up to this, both ways."""
    staggered_start_records: int = 0
    """Channel i starts i modulo (this + 1) records late."""
    ad_bit_uv: float = 3000.0 / 32768.0
    """Microvolts per bit: an input range of 3,000 uV."""
    input_inverted: bool = True
    first_timestamp_us: int = 1_204_000_000
    faults: tuple[PlantedFault, ...] = ()
    """Spoilt channels. The rest of the truth stays what it would be without them."""
    events: tuple[PlantedEvent, ...] = ()
    """On top of the signal, whose samples are otherwise the same to the bit; what the truth says of
    states and powers stays what it would be without them."""

    def __post_init__(self) -> None:
        problems = []
        if not (math.isfinite(self.duration_s) and self.duration_s >= self.epoch_s):
            problems.append(f"duration_s is {self.duration_s}; at least one epoch is needed")
        if not (math.isfinite(self.epoch_s) and self.epoch_s >= 1):
            problems.append(f"epoch_s is {self.epoch_s}; at least 1 s is needed")
        if self.start_utc.tzinfo is None:
            problems.append("start_utc has no time zone")
        if not 0 <= self.start_zeitgeber_h < 24:
            problems.append(f"start_zeitgeber_h is {self.start_zeitgeber_h}; it is 0 to 24")
        problems += check_rate(self.rate_hz)
        if abs(self.clock_drift_ppm) > 1000:
            problems.append(f"clock_drift_ppm is {self.clock_drift_ppm}; it is within 1000")
        if self.timestamp_jitter_us < 0 or self.staggered_start_records < 0:
            problems.append("timestamp_jitter_us and staggered_start_records are 0 or more")
        if self.ad_bit_uv <= 0:
            problems.append(f"ad_bit_uv is {self.ad_bit_uv}; it must be positive")
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError):
            problems.append(f"time_zone {self.time_zone!r} is not an IANA time zone")
        problems += check_faults(self.faults, self.subject.channel_names)
        names = [region.name for region in self.subject.regions]
        problems += check_events(self.events, names, self.duration_s / self.stretch)
        last_s = 0.0
        for gap in self.gaps:
            if not (last_s < gap.start_s < gap.stop_s < self.duration_s):
                problems.append(
                    f"gap {gap.start_s} to {gap.stop_s} s: gaps come in order, do not touch each "
                    "other and lie inside the recording"
                )
            last_s = gap.stop_s
        _check(problems, "recording")

    @property
    def stretch(self) -> float:
        """Seconds of time stamps per nominal second."""
        return 1.0 + self.clock_drift_ppm * 1e-6

    @property
    def n_ticks(self) -> int:
        """Seconds of hypnogram that are needed, a margin included."""
        return math.ceil(self.duration_s / self.stretch) + 6


def check_rate(rate_hz: int) -> list[str]:
    """What is wrong with a sampling rate; empty where nothing is."""
    if rate_hz != int(rate_hz) or rate_hz % 10 or not 200 <= rate_hz <= 50_000:
        return [f"rate_hz is {rate_hz}; it is a multiple of 10 between 200 and 50,000"]
    return []
