"""Spectrograms of single channels."""

from __future__ import annotations

import numpy as np
import pytest

import wakeful
from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.errors import BadParameters
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Span

RATE_HZ = 500.0


@pytest.fixture(scope="module")
def lfp() -> Lfp:
    """Three channels of one region that hum at 5, 20 and 60 Hz; a gap after 12 s; an EMG."""
    time_s = np.arange(int(24 * RATE_HZ)) / RATE_HZ
    rng = np.random.default_rng(0)
    waves = [100 * np.sin(2 * np.pi * f * time_s) for f in (5, 20, 60)]
    samples = np.stack([*waves, rng.normal(0, 5, len(time_s))]).astype(np.float32)
    channels = (
        *(Channel(name=f"c{i}", region="CA1") for i in range(3)),
        Channel(name="emg", region="neck", kind=ChannelKind.EMG),
    )
    spans = (Span(0.0, 6000, RATE_HZ, 0), Span(14.0, 6000, RATE_HZ, 6000))
    return Lfp(MemorySource(samples, channels, spans), RATE_HZ)


def test_each_channel_is_seen_by_itself(lfp: Lfp) -> None:
    found = wakeful.compute_channel_spectrogram(lfp, ["c2", "c0", "emg"])
    assert found.regions == ("c2", "c0", "emg")
    assert found.channels == (("c2",), ("c0",), ("emg",))
    peak_hz = found.frequency_hz[np.argmax(found.power_uv2_per_hz[0], axis=1)]
    assert peak_hz[0] == pytest.approx(60, abs=2.5)
    assert peak_hz[1] == pytest.approx(5, abs=0.3)
    assert np.isfinite(found.power_uv2_per_hz[0]).all()
    # The epoch from 12 s on touches the gap.
    assert np.isnan(found.power_uv2_per_hz[3]).all()


def test_the_region_is_the_median_of_its_channels(lfp: Lfp) -> None:
    each = wakeful.compute_channel_spectrogram(lfp, ["c0", "c1", "c2"])
    region = wakeful.compute_spectrogram(lfp)
    fine = region.frequency_hz < 40
    middle = np.median(each.power_uv2_per_hz, axis=1)
    np.testing.assert_allclose(region.power_uv2_per_hz[:, 0][:, fine], middle[:, fine], rtol=1e-5)


@pytest.mark.parametrize("names", [["c9"], [], ["c0", "c0"]])
def test_channels_that_can_not_be_had(lfp: Lfp, names: list[str]) -> None:
    with pytest.raises(BadParameters, match="c0, c1, c2, emg"):
        wakeful.compute_channel_spectrogram(lfp, names)
