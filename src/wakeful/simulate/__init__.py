"""Planted truth: a simulated mouse whose answers are known.

>>> from wakeful.simulate import RecordingPlan, SubjectPlan, simulate_subject
>>> mouse = simulate_subject(RecordingPlan(subject=SubjectPlan(seed=3), duration_s=120.0))
>>> mouse.samples_uv.shape, mouse.truth.state.shape
((9, 120000), (30,))
"""

from __future__ import annotations

from wakeful.simulate.camera import (
    CameraPlan,
    ClockStep,
    PulseSource,
    SimulatedCamera,
    simulate_camera,
)
from wakeful.simulate.events import EventType, PlantedEvent
from wakeful.simulate.faults import FaultType, PlantedFault
from wakeful.simulate.hypnogram import SimulatedHypnogram, simulate_hypnogram
from wakeful.simulate.lfp import Signal
from wakeful.simulate.neuralynx import write_neuralynx
from wakeful.simulate.plan import (
    SIMULATOR_VERSION,
    THREE_REGIONS,
    Pace,
    RecordingPlan,
    RegionPlan,
    RegionProfile,
    SubjectPlan,
    Substate,
)
from wakeful.simulate.scatter import Scatter, scatter_events
from wakeful.simulate.subject import SimulatedSubject, make_channels, simulate_subject
from wakeful.simulate.truth import DEFAULT_BANDS, Truth

__all__ = [
    "DEFAULT_BANDS",
    "SIMULATOR_VERSION",
    "THREE_REGIONS",
    "CameraPlan",
    "ClockStep",
    "EventType",
    "FaultType",
    "Pace",
    "PlantedEvent",
    "PlantedFault",
    "PulseSource",
    "RecordingPlan",
    "RegionPlan",
    "RegionProfile",
    "Scatter",
    "Signal",
    "SimulatedCamera",
    "SimulatedHypnogram",
    "SimulatedSubject",
    "SubjectPlan",
    "Substate",
    "Truth",
    "make_channels",
    "scatter_events",
    "simulate_camera",
    "simulate_hypnogram",
    "simulate_subject",
    "write_neuralynx",
]
