"""Training on planted animals: what is learned, what is refused, what stays the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from wakeful.model.epochs import State
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.sleep.boosted_trees import TreeParams
from wakeful.sleep.feature_table import FeatureTable, Labels
from wakeful.sleep.trained import NO_DATA, UNCLASSIFIED
from wakeful.sleep.trained_kinds import Kind
from wakeful.sleep.training import Training, TrainParams, train_scorer

FAST = TreeParams(n_rounds=30, learning_rate=0.2)


def agreement(truth: np.ndarray, state: np.ndarray) -> float:
    return float(np.mean(truth == state))


@pytest.fixture(scope="module")
def trained(labelled) -> Training:
    animal = labelled(1800, 0)
    return train_scorer(animal.table, animal.labels, TrainParams(trees=FAST))


def test_another_hour_of_the_animal_is_scored_as_planted(trained, labelled):
    other = labelled(1500, 1)
    scored = trained.scorer.score(other.table)
    assert scored.refusal == ""
    assert agreement(other.labels.state, scored.state) > 0.97
    assert agreement(other.labels.state, scored.state) > agreement(
        other.labels.state, scored.raw_state
    )
    np.testing.assert_allclose(scored.posterior.sum(axis=1), 1, atol=1e-9)
    assert 0 <= scored.provisional_gap < 0.1
    assert trained.evaluation.overall.kappa > 0.95
    assert len(trained.evaluation.parts) == 5
    low, high = trained.evaluation.kappa_range
    assert low <= trained.evaluation.overall.kappa <= high


def test_cross_validation_does_not_promise_more_than_new_data_give(trained, labelled):
    other = labelled(4000, 2)
    scored = trained.scorer.score(other.table)
    fresh = agreement(other.labels.state, scored.state)
    assert abs(trained.evaluation.overall.accuracy - fresh) < 0.02


def test_labels_without_sense_are_not_learned(labelled):
    """Blocked cross-validation must see through what only neighbours in time give away."""
    animal = labelled(1200, 3)
    shuffled = np.random.default_rng(0).permutation(animal.labels.state)
    training = train_scorer(
        animal.table, Labels(states=animal.labels.states, state=shuffled), TrainParams(trees=FAST)
    )
    assert abs(training.evaluation.overall.kappa) < 0.06


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_learns(kind, labelled):
    animal, other = labelled(900, 4), labelled(800, 5)
    training = train_scorer(animal.table, animal.labels, TrainParams(kind=kind, trees=FAST))
    scored = training.scorer.score(other.table)
    assert agreement(other.labels.state, scored.state) > 0.9
    assert (scored.posterior >= 0).all()


def test_training_twice_gives_the_same(labelled):
    animal = labelled(600, 6)
    one, two = (
        train_scorer(animal.table, animal.labels, TrainParams(trees=FAST)).scorer.score(
            animal.table
        )
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.posterior, two.posterior)


def test_the_order_of_columns_changes_nothing_in_scoring(trained, labelled):
    table = labelled(700, 7).table
    order = [3, 1, 4, 0, 2]
    turned = replace(
        table, names=tuple(table.names[i] for i in order), values=table.values[:, order]
    )
    np.testing.assert_array_equal(
        trained.scorer.score(turned).posterior, trained.scorer.score(table).posterior
    )


def test_columns_that_training_did_not_know_are_left_aside(trained, labelled):
    table = labelled(700, 8).table
    more = replace(
        table,
        names=("extra", *table.names),
        values=np.c_[np.arange(table.n_epochs), table.values],
    )
    np.testing.assert_array_equal(
        trained.scorer.score(more).posterior, trained.scorer.score(table).posterior
    )


def test_nothing_is_handed_across_a_hole(trained, labelled):
    table = labelled(900, 9).table
    starts = table.starts.copy()
    starts[400] = True
    whole = trained.scorer.score(replace(table, starts=starts))
    for part in (slice(0, 400), slice(400, 900)):
        alone = trained.scorer.score(table.take(part))
        np.testing.assert_allclose(whole.posterior[part], alone.posterior, atol=1e-7)


def test_an_epoch_without_a_number_is_a_hole_and_has_no_data(trained, labelled):
    table = labelled(900, 10).table
    values = table.values.copy()
    values[300:310] = np.nan
    scored = trained.scorer.score(replace(table, values=values))
    assert (scored.state[300:310] == NO_DATA).all()
    assert (scored.raw_state[300:310] == NO_DATA).all()
    assert np.isnan(scored.posterior[300:310]).all()
    assert np.isfinite(np.delete(scored.posterior, np.s_[300:310], axis=0)).all()
    alone = trained.scorer.score(table.take(slice(310, 900)))
    np.testing.assert_allclose(scored.posterior[310:], alone.posterior, atol=1e-7)


def test_what_a_stream_says_does_not_depend_on_what_comes_later(trained, labelled):
    table = labelled(900, 11).table
    whole = trained.scorer.score(table)
    early = trained.scorer.score(table.take(slice(0, 500)))
    np.testing.assert_array_equal(whole.provisional[:500], early.provisional)


@pytest.mark.parametrize("only", [0, 1, 2])
def test_a_recording_of_one_state_is_scored_as_that_state(trained, labelled, only):
    animal = labelled(6000, 12)
    rows = np.flatnonzero(animal.labels.state == only)[:450]
    table = FeatureTable.make(
        animal.table.names, animal.table.values[rows], epoch_s=4.0, subject="M1"
    )
    scored = trained.scorer.score(table)
    wrong = (scored.state != only) & (scored.state != UNCLASSIFIED)
    assert scored.refusal == "" or (scored.state == UNCLASSIFIED).all()
    assert wrong.mean() <= 0.02


def test_an_animal_with_another_gain_is_refused_with_the_reason(trained, labelled):
    strange = labelled(900, 13, gain=20.0)
    scored = trained.scorer.score(strange.table)
    assert "unlike the training set" in scored.refusal
    assert "delta lies above" in scored.refusal
    assert (scored.state == UNCLASSIFIED).all()
    assert (scored.provisional == UNCLASSIFIED).all()
    anyway = trained.scorer.score(strange.table, anyway=True)
    assert anyway.refusal == ""
    assert set(scored.doubt) <= {"refused", "artefact"}
    assert anyway.notes[0].startswith("scored all the same")
    assert (anyway.raw_state >= 0).all()


def test_a_dead_feature_is_noted_or_refused(trained, labelled):
    table = labelled(900, 14).table
    values = table.values.copy()
    values[:, 3] = np.nan
    scored = trained.scorer.score(replace(table, values=values))
    assert scored.refusal == ""
    assert any("noise" in note for note in scored.notes)
    values[:, :3] = np.nan
    assert "hold no number" in trained.scorer.score(replace(table, values=values)).refusal


def test_unsure_epochs_stay_unclassified(trained, labelled):
    table = labelled(900, 15).table
    loose = trained.scorer.score(table, min_confidence=0.0)
    strict = trained.scorer.score(table, min_confidence=0.95)
    np.testing.assert_array_equal(loose.state == UNCLASSIFIED, loose.artefact)
    held_back = strict.state == UNCLASSIFIED
    assert held_back.any()
    np.testing.assert_array_equal(held_back, (loose.confidence < 0.95) | loose.artefact)
    np.testing.assert_array_equal(strict.state[~held_back], loose.state[~held_back])


def test_planted_artefacts_are_found_and_little_else(trained, labelled):
    table = labelled(3000, 31).table
    values = table.values.copy()
    rng = np.random.default_rng(0)
    rows = rng.choice(2990, 60, replace=False)
    # Saturation, a flat signal, and a loose contact.
    values[rows[:20], :3] *= 8
    values[rows[20:40], 0] = 0
    values[rows[40:], :2] /= 8
    scored = trained.scorer.score(replace(table, values=values))
    clean = np.ones(3000, bool)
    for near in (-1, 0, 1):
        clean[rows + near] = False
    assert scored.artefact[rows].mean() > 0.9
    assert scored.artefact[clean].mean() < 0.01
    assert (scored.state[scored.artefact] == UNCLASSIFIED).all()
    assert set(scored.doubt[scored.artefact]) == {"artefact"}


def test_states_become_those_of_a_hypnogram(trained, labelled):
    scored = trained.scorer.score(labelled(400, 16).table, min_confidence=0.9)
    names = {"awake": State.AWAKE, "NREM": State.NREM, "REM": State.REM}
    states = scored.as_states(names)
    for number, state in ((0, 0), (1, 2), (2, 3), (UNCLASSIFIED, 1)):
        np.testing.assert_array_equal(scored.state == number, states == state)
    with pytest.raises(BadParameters, match="REM"):
        scored.as_states({"awake": State.AWAKE, "NREM": State.NREM})


def test_missing_columns_and_other_epochs_are_refused(trained, labelled):
    table = labelled(400, 17).table
    fewer = replace(table, names=table.names[1:], values=table.values[:, 1:])
    with pytest.raises(BadParameters, match=r"1 of the 5 features .* missing: delta"):
        trained.scorer.score(fewer)
    assert trained.scorer.score(fewer, allow_missing=True).state.shape == (400,)
    with pytest.raises(BadParameters, match=r"10 s do not fit a model of 4 s"):
        trained.scorer.score(replace(table, epoch_s=10.0))


def test_animals_are_held_out_whole(labelled):
    animals = [labelled(500, 20 + i, subject=f"M{i}") for i in range(4)]
    table = FeatureTable.make(
        animals[0].table.names,
        np.concatenate([a.table.values for a in animals]),
        epoch_s=4.0,
        subject=np.repeat([f"M{i}" for i in range(4)], 500),
    )
    labels = Labels(
        states=animals[0].labels.states,
        state=np.concatenate([a.labels.state for a in animals]),
    )
    training = train_scorer(table, labels, TrainParams(trees=FAST))
    assert training.evaluation.held_out == "animals or groups"
    assert [part.n_epochs for part in training.evaluation.parts] == [500] * 4
    assert training.evaluation.overall.kappa > 0.9


def test_what_can_not_be_trained_on_is_refused(labelled):
    animal = labelled(400, 30)
    names = animal.labels.states
    with pytest.raises(Unavailable, match="only NREM"):
        train_scorer(animal.table, Labels(states=names, state=np.full(400, 1)))
    with pytest.raises(Unavailable, match="no label"):
        train_scorer(animal.table, Labels(states=names, state=np.full(400, -1)))
    rare = np.zeros(400, np.int64)
    rare[:50], rare[50:53] = 1, 2
    with pytest.raises(BadParameters, match=r"too few epochs of REM \(3\)"):
        train_scorer(animal.table, Labels(states=names, state=rare))
    with pytest.raises(BadParameters, match="labels for 400 epochs"):
        train_scorer(animal.table, Labels(states=names, state=np.zeros(3, np.int64)))
    values = animal.table.values.copy()
    values[:, 3] = np.nan
    with pytest.raises(BadParameters, match="no number in noise"):
        train_scorer(replace(animal.table, values=values), animal.labels)
    few = np.full(400, -1)
    few[:30] = np.repeat([0, 1, 2], 10)
    with pytest.raises(BadParameters, match="too few to hold out"):
        train_scorer(animal.table, Labels(states=names, state=few))


def test_of_many_features_only_the_best_have_their_neighbours_looked_at(labelled):
    animal = labelled(900, 0)
    table = animal.table
    noise = np.random.default_rng(8).normal(size=(table.n_epochs, 30))
    names = (*table.names, *(f"noise {i}" for i in range(30)))
    wide = replace(table, names=names, values=np.concatenate([table.values, noise], axis=1))
    params = TrainParams(trees=FAST, n_folds=3, context_features=4)
    training = train_scorer(wide, animal.labels, params)
    chosen = training.scorer.context.features
    assert chosen is not None
    assert len(chosen) == 4
    assert len([i for i in chosen if i < len(table.names)]) >= 3
    assert training.evaluation.overall.kappa > 0.8
    # Where there are no more features than that, all are looked at.
    few = train_scorer(table, animal.labels, replace(params, context_features=20))
    assert few.scorer.context.features is None
