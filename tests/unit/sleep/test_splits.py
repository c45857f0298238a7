from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wakeful.model.epochs import State
from wakeful.sleep.features import compute_features
from wakeful.sleep.params import LabelFreeParams
from wakeful.sleep.splits import NoSplit, Search, part_by_delta, part_by_tone, robust_spread


def search_of(table) -> Search:
    features = compute_features(table.band_power, table.muscle, artefact_sds=6.0)
    return Search(features, LabelFreeParams(), 36.0)


@pytest.mark.parametrize("part", [part_by_tone, part_by_delta])
def test_masks_are_those_of_the_planted_states(day, part) -> None:
    search = search_of(day)
    split = next(part(search, search.list_tones()[0]))
    for mask, state in (
        (split.awake, State.AWAKE),
        (split.nrem, State.NREM),
        (split.rem, State.REM),
    ):
        assert np.mean(day.state[mask] == state) > 0.93
        assert np.sum(mask) > 0.8 * np.sum(day.state == state)
    assert np.log(15) < split.tone_threshold < np.log(37)
    assert search.features.regions[split.delta_region] == "CA1"
    search.check_contrast(search.list_tones()[0], split)


def test_the_last_way_has_no_rem(day) -> None:
    search = search_of(day)
    splits = list(part_by_tone(search, search.list_tones()[0]))
    assert len(splits) >= 2
    assert not splits[-1].rem.any()
    assert all(split.rem.any() for split in splits[:-1])


def test_the_emg_comes_before_the_lfp_derived_one(day) -> None:
    assert [tone.name for tone in search_of(day).list_tones()] == ["EMG", "LFP-derived EMG"]


def test_one_level_of_tone_is_no_split(make) -> None:
    search = search_of(make(np.zeros(900, np.int8)))
    with pytest.raises(NoSplit, match="EMG in one level"):
        next(part_by_tone(search, search.list_tones()[0]))
    with pytest.raises(NoSplit, match="delta in one mode"):
        next(part_by_delta(search, search.list_tones()[0]))


def test_two_levels_of_tone_without_slow_waves_are_refused(make) -> None:
    table = make(np.zeros(900, np.int8))
    active = (np.arange(900) // 20) % 2 == 0
    emg = table.muscle.emg_uv * np.where(active, 4, 1).astype(np.float32)
    search = search_of(replace(table, muscle=replace(table.muscle, emg_uv=emg)))
    tone = search.list_tones()[0]
    split = next(part_by_tone(search, tone))
    with pytest.raises(NoSplit, match="delta power at low EMG is"):
        search.check_contrast(tone, split)


def test_robust_spread_of_a_gaussian_with_outliers() -> None:
    values = np.random.default_rng(0).normal(3, 2, 10_000)
    values[:100] = 1e6
    assert robust_spread(values) == pytest.approx(2, rel=0.05)
