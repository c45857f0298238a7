"""Features set against each animal's own levels, and pooled over regions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.model.epochs import State
from wakeful.model.errors import BadParameters
from wakeful.sleep.across_animals import pool_regions, prepare_animal, prepare_animals
from wakeful.sleep.anchors import Anchors, find_nearest, fit_anchors, follow_drift, set_against
from wakeful.sleep.feature_table import FeatureTable, Labels
from wakeful.sleep.trained import UNCLASSIFIED, ScoredEpochs
from wakeful.sleep.trained_kinds import Kind
from wakeful.sleep.training import TrainParams, train_scorer

EPOCH_S = 4.0
MEAN = {  # ln delta, ln theta/delta, ln EMG
    State.AWAKE: (0.0, 0.4, 1.2),
    State.NREM: (1.3, -0.8, 0.0),
    State.REM: (-0.2, 1.3, -0.5),
}
SD = (0.25, 0.25, 0.2)


def draw_states(rng: np.random.Generator, n_cycles: int, awake: float = 1.0) -> np.ndarray:
    """Bouts by turns: awake, NREM, REM."""
    bouts = []
    for _ in range(n_cycles):
        bouts += [
            np.full(round(awake * rng.integers(30, 60)), State.AWAKE),
            np.full(rng.integers(40, 70), State.NREM),
            np.full(rng.integers(12, 25), State.REM),
        ]
    return np.concatenate(bouts).astype(np.int8)


def make_animal(
    rng: np.random.Generator,
    state: np.ndarray,
    regions: tuple[str, ...] = ("CA1", "PFC"),
    gain: float = 0.0,
    subject: str = "M1",
    drift: float = 0.0,
) -> FeatureTable:
    """A table of an animal; `gain` and `drift` (over the table) in natural logs of power."""
    mean = np.array([MEAN[State(int(s))] for s in state])
    names, columns = [], []
    ramp = gain + drift * np.linspace(-0.5, 0.5, len(state))
    for region in regions:
        own = rng.normal(0, 0.3)
        delta = mean[:, 0] + rng.normal(0, SD[0], len(state)) + own + ramp
        names += [f"{region}.log_power_delta", f"{region}.log_ratio_theta_delta"]
        columns += [delta, mean[:, 1] + rng.normal(0, SD[1], len(state))]
    names.append("log_emg")
    columns.append(mean[:, 2] + rng.normal(0, SD[2], len(state)) + gain / 2)
    return FeatureTable.make(
        names, np.stack(columns, axis=1), epoch_s=EPOCH_S, subject=np.full(len(state), subject)
    )


def test_anchors_do_not_hang_on_how_much_of_each_state_there_is() -> None:
    rng = np.random.default_rng(0)
    values = {s: rng.normal(MEAN[s][0], SD[0], 4000) for s in MEAN}

    def anchors(n_awake: int, n_nrem: int) -> Anchors:
        column = np.r_[values[State.AWAKE][:n_awake], values[State.NREM][:n_nrem]]
        state = np.repeat([State.AWAKE, State.NREM], [n_awake, n_nrem]).astype(np.int8)
        return fit_anchors(("delta",), column[:, None], state)

    mostly_awake, mostly_asleep = anchors(4000, 400), anchors(400, 4000)
    assert mostly_awake.level[0] == pytest.approx(mostly_asleep.level[0], abs=0.04)
    assert mostly_awake.level[0] == pytest.approx(0.65, abs=0.04)
    assert mostly_awake.spread[0] == pytest.approx(SD[0], abs=0.03)


def test_too_few_epochs_are_no_anchor_and_a_constant_has_no_spread() -> None:
    state = np.repeat([State.AWAKE, State.NREM], [40, 200]).astype(np.int8)
    few = fit_anchors(("a",), np.random.default_rng(0).normal(size=(240, 1)), state)
    assert np.isnan(few.level).all()
    assert np.isnan(few.spread).all()
    constant = fit_anchors(("a",), np.ones((400, 1)), np.repeat([0, 2], 200).astype(np.int8))
    assert np.isnan(constant.spread[0])


@settings(max_examples=25, deadline=None)
@given(gain=st.floats(-3, 3), scale=st.floats(0.1, 10), seed=st.integers(0, 2**16))
def test_a_gain_or_another_unit_changes_nothing(gain: float, scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    state = draw_states(rng, 4)
    values = rng.normal(size=(len(state), 2)) + (state == State.NREM)[:, None]
    values[rng.random(values.shape) < 0.05] = np.nan
    start_s = np.arange(len(state)) * EPOCH_S

    def see(v: np.ndarray) -> np.ndarray:
        anchors = fit_anchors(("a", "b"), v, state)
        drift = follow_drift(v, state, start_s, anchors, window_s=7200.0)
        return set_against(v, anchors, drift)

    np.testing.assert_allclose(see(values * scale + gain), see(values), atol=1e-6)


def test_drift_is_told_from_changes_of_state() -> None:
    rng = np.random.default_rng(1)
    state = draw_states(rng, 40)
    table = make_animal(rng, state, drift=2.0)
    values, start_s = table.values, table.start_s
    anchors = fit_anchors(table.names, values, state)
    drift = follow_drift(values, state, start_s, anchors, window_s=3600.0)
    planted = 2.0 * np.linspace(-0.5, 0.5, len(state))
    middle = slice(len(state) // 10, -len(state) // 10)
    assert np.abs(drift[middle, 0] - planted[middle]).max() < 0.35
    assert np.abs(drift[:, 1]).max() < 0.2


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_pools_are_of_what_is_there(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = ("A.x", "A~B.c", "B.x", "log_emg", "C.x")
    values = rng.normal(size=(30, 5))
    values[rng.random(values.shape) < 0.3] = np.nan
    pooled_names, pooled = pool_regions(names, values)
    column = dict(zip(pooled_names, pooled.T, strict=True))
    assert set(column) == {
        *(f"region.x.{p}" for p in ("mean", "least", "greatest")),
        *(f"pair.c.{p}" for p in ("mean", "least", "greatest")),
        "log_emg",
    }
    for row in range(30):
        seen = values[row, [0, 2, 4]]
        seen = seen[np.isfinite(seen)]
        if seen.size:
            assert column["region.x.mean"][row] == pytest.approx(seen.mean())
            assert column["region.x.least"][row] == seen.min()
            assert column["region.x.greatest"][row] == seen.max()
        else:
            assert np.isnan(column["region.x.mean"][row])
            assert np.isnan(column["region.x.least"][row])


def test_order_and_names_of_regions_do_not_matter() -> None:
    rng = np.random.default_rng(2)
    state = draw_states(rng, 12)
    table = make_animal(rng, state, ("A", "B"))
    swapped = [table.names[i] for i in (2, 3, 0, 1, 4)]
    turned = FeatureTable.make(
        tuple(name.replace("A.", "Y.").replace("B.", "Z.") for name in swapped),
        table.values[:, [2, 3, 0, 1, 4]],
        epoch_s=EPOCH_S,
        subject=table.subject,
    )
    first, second = prepare_animal(table, frozenset()), prepare_animal(turned, frozenset())
    assert first.table.names == second.table.names
    np.testing.assert_allclose(first.table.values, second.table.values, atol=1e-9)


def test_an_animal_of_one_state_has_no_anchors_unless_others_know_them() -> None:
    rng = np.random.default_rng(3)
    both = make_animal(rng, draw_states(rng, 20))
    awake = make_animal(rng, np.full(1200, State.AWAKE, np.int8))
    alone = prepare_animal(awake, frozenset())
    assert alone.anchors is None
    assert "anchors from another recording" in alone.refusal
    assert np.isnan(alone.table.values).all()
    known = prepare_animal(both, frozenset()).anchors
    helped = prepare_animal(awake, frozenset(), known)
    assert not helped.refusal
    assert np.nanmedian(helped.table.values[:, 0]) < 0


def test_drift_of_twice_the_power_is_said() -> None:
    rng = np.random.default_rng(4)
    state = draw_states(rng, 60)
    steady = prepare_animal(make_animal(rng, state), frozenset())
    assert steady.notes == ()
    drifting = prepare_animal(make_animal(rng, state, drift=2.4), frozenset())
    assert any("CA1: delta power of the same states" in note for note in drifting.notes)


def train_on_others(rng: np.random.Generator) -> tuple[FeatureTable, Labels]:
    tables, states = [], []
    regions = (("CA1", "PFC"), ("S1",), ("CA1", "S1", "VPM"))
    for i, (places, gain) in enumerate(zip(regions, (-2.0, 0.0, 2.0), strict=True)):
        state = draw_states(rng, 12)
        tables.append(make_animal(rng, state, places, gain, subject=f"M{i}"))
        states.append(state)
    names = sorted({name for table in tables for name in table.names})
    values = [table.ordered(names, allow_missing=True).values for table in tables]
    number = np.array([0, -1, 1, 2])
    return (
        FeatureTable.make(
            names,
            np.concatenate(values),
            epoch_s=EPOCH_S,
            subject=np.concatenate([table.subject for table in tables]),
            start_s=np.concatenate([table.start_s for table in tables]),
        ),
        Labels(
            states=("awake", "NREM", "REM"), state=number[np.concatenate(states)].astype(np.int64)
        ),
    )


def test_an_animal_of_another_gain_and_region_is_scored_and_one_of_one_state_refused() -> None:
    rng = np.random.default_rng(5)
    table, labels = train_on_others(rng)
    training = train_scorer(table, labels, TrainParams(n_folds=3))
    assert training.scorer.animal_logarithms is not None
    assert any("own levels" in note for note in training.notes)
    state = draw_states(rng, 12)
    stranger = make_animal(rng, state, ("MD",), gain=5.0, subject="new")
    scored = training.scorer.score(stranger)
    assert scored.refusal == ""
    right = scored.state == np.array([0, -1, 1, 2])[state]
    assert right.mean() > 0.95
    # The same scorer without anchors refuses other gains; one state only is refused here too.
    plain = train_scorer(table, labels, TrainParams(n_folds=3, across_animals=False))
    assert plain.scorer.animal_logarithms is None
    refused = plain.scorer.score(
        make_animal(rng, state, ("CA1", "PFC", "S1", "VPM"), gain=9.0, subject="new")
    )
    assert "unlike the training set" in refused.refusal
    awake = make_animal(rng, np.full(1200, State.AWAKE, np.int8), ("MD",), gain=5.0)
    alone = training.scorer.score(awake)
    assert "one state only" in alone.refusal
    assert (alone.state == UNCLASSIFIED).all()
    known = prepare_animal(stranger, training.scorer.animal_logarithms).anchors
    helped = training.scorer.score(awake, anchors=known)
    assert helped.refusal == ""
    assert np.mean(helped.state == 0) > 0.98


def test_states_that_contradict_delta_and_tone_are_refused() -> None:
    rng = np.random.default_rng(8)
    table, labels = train_on_others(rng)
    # Somebody's labels say awake for NREM and the other way round.
    turned = Labels(states=labels.states, state=np.array([1, 0, 2])[labels.state])
    scorer = train_scorer(table, turned, TrainParams(kind=Kind.TREES, n_folds=3)).scorer
    stranger = make_animal(rng, draw_states(rng, 12), ("MD",), subject="new")
    scored = scorer.score(stranger)
    assert "little in common with what delta and muscle tone say" in scored.refusal
    assert (scored.state == UNCLASSIFIED).all()
    assert (scorer.score(stranger, anyway=True).state >= 0).any()


def test_so_much_rem_is_refused() -> None:
    rng = np.random.default_rng(9)
    table, labels = train_on_others(rng)
    scorer = train_scorer(table, labels, TrainParams(kind=Kind.TREES, n_folds=3)).scorer
    whole = make_animal(rng, draw_states(rng, 12), ("MD",), subject="new")
    levels = prepare_animal(whole, scorer.animal_logarithms or frozenset()).anchors
    only_rem = make_animal(rng, np.full(300, State.REM, np.int8), ("MD",), subject="new")
    scored = scorer.score(only_rem, anchors=levels)
    assert "of sleep came out as REM" in scored.refusal or "unlike" in scored.refusal


def test_rem_alone_that_is_taken_for_another_state_is_refused_by_the_levels_given() -> None:
    rng = np.random.default_rng(10)
    table, labels = train_on_others(rng)
    # Trees that never learned to tell REM from awake: REM alone comes out as awake throughout, so
    # that no share of REM in sleep speaks against it.
    blind = Labels(states=labels.states, state=labels.state.copy())
    rem = np.flatnonzero(labels.state == 2)
    blind.state[rem[20:]] = 0
    scorer = train_scorer(table, blind, TrainParams(kind=Kind.TREES, n_folds=3)).scorer
    truth = draw_states(rng, 12)
    whole = make_animal(rng, truth, ("MD",), subject="new")
    levels = prepare_animal(whole, scorer.animal_logarithms or frozenset()).anchors

    def score(state: State) -> ScoredEpochs:
        values = whole.values[np.flatnonzero(truth == state)]
        part = FeatureTable.make(
            whole.names, values, epoch_s=EPOCH_S, subject=np.full(len(values), "new")
        )
        return scorer.score(part, anchors=levels)

    scored = score(State.REM)
    assert "of epochs lie nearest to the levels of REM" in scored.refusal
    assert (scored.state == UNCLASSIFIED).all()
    # A scorer that takes NREM for awake is refused by the state, not by the share of REM.
    turned = Labels(states=labels.states, state=np.array([1, 0, 2])[labels.state])
    params = TrainParams(kind=Kind.TREES, n_folds=3)
    good, scorer = scorer, train_scorer(table, turned, params).scorer
    assert "came out as awake and lie nearest to the levels of NREM" in score(State.NREM).refusal
    scorer = good
    for number, state in ((0, State.AWAKE), (1, State.NREM)):
        other = score(state)
        assert other.refusal == ""
        assert np.mean(other.state == number) > 0.95


def test_rem_alone_in_which_false_rough_states_are_seen_is_refused_by_the_levels_given() -> None:
    rng = np.random.default_rng(21)
    table, labels = train_on_others(rng)
    params = TrainParams(kind=Kind.SEMI_MARKOV, n_folds=3)
    scorer = train_scorer(table, labels, params).scorer
    truth = draw_states(rng, 12)
    whole = make_animal(rng, truth, ("MD",), subject="new")
    levels = prepare_animal(whole, scorer.animal_logarithms or frozenset()).anchors
    # REM with twitches by turns: the rough scorer takes them for waking and the rest for NREM, and
    # features are drawn towards both as if they had drifted.
    values = whole.values[truth == State.REM]
    deep = (np.arange(len(values)) // 30) % 2 == 1
    values[deep, 0] += 0.9
    values[deep, 1] -= 0.72
    values[~deep, 2] += 0.8
    part = FeatureTable.make(
        whole.names, values, epoch_s=EPOCH_S, subject=np.full(len(values), "new")
    )
    prepared = prepare_animal(part, scorer.animal_logarithms or frozenset(), levels)
    assert not prepared.one_state
    assert set(np.unique(prepared.rough)) == {State.AWAKE, State.NREM}
    unasked = scorer.score(part, anchors=levels, anyway=True).posterior.argmax(axis=1)
    assert np.mean(unasked != 2) > 0.95
    scored = scorer.score(part, anchors=levels)
    assert "of epochs lie nearest to the levels of REM" in scored.refusal
    assert (scored.state == UNCLASSIFIED).all()


def test_a_few_wrong_epochs_do_not_have_a_recording_of_one_state_refused() -> None:
    rng = np.random.default_rng(22)
    table, labels = train_on_others(rng)
    # Trees taught that a tenth of NREM, that of deepest delta, was waking.
    spoilt = Labels(states=labels.states, state=labels.state.copy())
    delta = np.nanmean(table.values[:, ["power_delta" in n for n in table.names]], axis=1)
    for animal in np.unique(table.subject):
        nrem = np.flatnonzero((labels.state == 1) & (table.subject == animal))
        spoilt.state[nrem[delta[nrem] > np.quantile(delta[nrem], 0.9)]] = 0
    scorer = train_scorer(table, spoilt, TrainParams(kind=Kind.TREES, n_folds=3)).scorer
    truth = draw_states(rng, 24)
    whole = make_animal(rng, truth, ("MD",), subject="new")
    levels = prepare_animal(whole, scorer.animal_logarithms or frozenset()).anchors
    values = whole.values[truth == State.NREM]
    part = FeatureTable.make(
        whole.names, values, epoch_s=EPOCH_S, subject=np.full(len(values), "new")
    )
    assert prepare_animal(part, scorer.animal_logarithms or frozenset(), levels).one_state
    scored = scorer.score(part, anchors=levels)
    assert scored.refusal == ""
    n_wrong = int((scored.state == 0).sum())
    assert 45 <= n_wrong < len(values) / 4


def test_epochs_lie_nearest_to_their_own_state_and_one_feature_does_not_decide() -> None:
    rng = np.random.default_rng(12)
    state = draw_states(rng, 12)
    values = make_animal(rng, state).values
    names = tuple("abcde")
    anchors = fit_anchors(names, values, state)
    assert np.mean(find_nearest(values, anchors) == state) > 0.97
    # An electrode that came off is 50 spreads off all levels; missing numbers say nothing.
    off = values.copy()
    off[:, 0] += 50 * anchors.spread[0]
    off[:5] = np.nan
    nearest = find_nearest(off, anchors)
    assert (nearest[:5] == State.UNCLASSIFIED).all()
    assert np.mean(nearest[5:] == state[5:]) > 0.95
    without_rem = fit_anchors(names, values[state != State.REM], state[state != State.REM])
    assert (find_nearest(values, without_rem) == State.UNCLASSIFIED).all()


def test_a_table_without_the_columns_for_levels_says_which_it_needs() -> None:
    table = FeatureTable.make(("x",), np.random.default_rng(0).normal(size=(500, 1)), epoch_s=4.0)
    prepared = prepare_animal(table, frozenset())
    assert "REGION.log_power_delta" in prepared.refusal


def test_holes_hold_no_number_and_animals_keep_their_rows() -> None:
    rng = np.random.default_rng(6)
    table, _ = train_on_others(rng)
    table.values[100:110] = np.nan
    prepared, animals = prepare_animals(table, frozenset())
    assert set(animals) == {"M0", "M1", "M2"}
    assert prepared.n_epochs == table.n_epochs
    assert prepared.missing[100:110].all()
    assert not prepared.missing[110:].any()


def test_anchors_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(BadParameters, match="do not fit"):
        Anchors(names=("a",), medians=np.zeros((2, 1)), spread=np.zeros(1), n_epochs=(1, 1, 1))
