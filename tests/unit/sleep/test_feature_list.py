"""The list of features: complete, unique, told."""

from __future__ import annotations

import math

import pytest

from wakeful.sleep.feature_list import (
    GROUPS,
    KEY_FEATURES,
    NEIGHBOURS,
    describe_features,
    half_window,
    list_columns,
    reach_s,
)

REGIONS = tuple(f"R{i}" for i in range(8))


def test_every_feature_says_what_it_is():
    described = describe_features()
    assert len({feature.name for _, feature in described}) == len(described)
    for group, feature in described:
        assert group in GROUPS
        assert feature.formula, feature.name
        assert feature.source, feature.name
        assert feature.name == feature.name.lower()
        assert not set(feature.name) & set(" []<,~"), feature.name


@pytest.mark.parametrize("n_regions", [1, 2, 8])
def test_every_column_is_a_described_feature_with_its_unit(n_regions):
    described = {feature.name: (group, feature.unit) for group, feature in describe_features()}
    columns = list_columns(REGIONS[:n_regions])
    assert len({column.name for column in columns}) == len(columns)
    for column in columns:
        assert (column.group, column.unit) == described[column.feature]
    seen = {column.feature for column in columns}
    expected = {n for n, (g, _) in described.items() if g != "pairs" or n_regions > 1}
    assert seen == expected


def test_there_are_several_hundred_of_eight_regions():
    columns = list_columns(REGIONS)
    per_region = [c for c in columns if c.group in ("spectrum", "shape")]
    assert len(per_region) >= 300
    assert sum(c.group == "pairs" for c in columns) == 28 * 7
    assert sum(c.group == "neighbours" for c in columns) == len(NEIGHBOURS) * (2 * 8 + 2)


def test_names_say_region_feature_and_neighbour():
    names = [column.name for column in list_columns(("CA1", "PFC"))]
    assert "CA1.log_power_delta" in names
    assert "CA1~PFC.coherence_theta" in names
    assert "log_emg" in names
    assert "PFC.log_ratio_theta_delta.median_300s" in names
    assert "lfp_emg.before_1" in names


def test_neighbours_look_at_the_column_they_name():
    columns = list_columns(("CA1", "PFC"))
    for column in columns:
        if column.neighbour is not None:
            assert column.name == f"{columns[column.of].name}.{column.neighbour.name}"
            assert columns[column.of].feature in KEY_FEATURES
        else:
            assert column.of == -1


def test_windows_are_whole_epochs_around_the_middle_one():
    assert [half_window(w, 4.0) for w in (12.0, 60.0, 300.0)] == [1, 7, 37]
    assert [half_window(w, 10.0) for w in (12.0, 60.0, 300.0)] == [0, 2, 14]
    assert half_window(0.0, 4.0) == 0
    for epoch_s in (0.5, 1.0, 2.5, 4.0, 5.0, 10.0, 30.0, 60.0):
        for window_s in (12.0, 60.0, 300.0):
            n = 2 * half_window(window_s, epoch_s) + 1
            assert n * epoch_s <= max(window_s, epoch_s)
            assert (n + 2) * epoch_s > window_s
        assert reach_s(epoch_s) <= 150.0
    assert math.isclose(reach_s(4.0), 148.0)
