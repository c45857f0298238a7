"""One simulated mouse, shared by the tests."""

from __future__ import annotations

import pytest

from wakeful.simulate import RecordingPlan, SimulatedSubject, SubjectPlan, simulate_subject


@pytest.fixture(scope="session")
def mouse() -> SimulatedSubject:
    """Six hours around the end of the light phase at 250 Hz."""
    plan = RecordingPlan(subject=SubjectPlan(seed=11), duration_s=6 * 3600.0, start_zeitgeber_h=8.0)
    return simulate_subject(plan, 250)
