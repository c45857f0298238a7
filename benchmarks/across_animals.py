"""One scorer for animals of different rigs: each simulated animal is scored by the others' scorer.

Twenty simulated animals of other regions, gains, noise, drift, and with a tenth of their channels
missing. For each animal: a scorer is trained on the others and scores it; the animal's epochs of
one state alone are scored as recordings of their own, with and without levels from its whole
recording; spike-wave bursts are planted in some, handed in, and states beside them compared with
those of the same animal without bursts. Unclassified epochs and refused animals count as errors.

    python benchmarks/across_animals.py [--animals 20] [--seed 0] [--hours 6] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import pickle
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from wakeful import analysis
from wakeful.model.arrays import MemorySink
from wakeful.model.epochs import SCORED, BandPower, MuscleTone, SleepFeatures, State
from wakeful.model.ictal import IctalIntervals, IctalKind
from wakeful.model.time import Interval
from wakeful.simulate import RecordingPlan
from wakeful.simulate.cohort import CohortAnimal, CohortPlan, make_cohort, simulate_animal
from wakeful.simulate.events import EventType, PlantedEvent
from wakeful.sleep.across_animals import prepare_animal
from wakeful.sleep.agreement import compute_agreement
from wakeful.sleep.boosted_trees import TreeParams
from wakeful.sleep.feature_table import FeatureTable
from wakeful.sleep.ictal import blank_ictal, mark_ictal
from wakeful.sleep.session_labels import LabelledSession, join_sessions
from wakeful.sleep.trained import TrainedScorer
from wakeful.sleep.trained_hypnogram import table_of
from wakeful.sleep.trained_kinds import Kind
from wakeful.sleep.training import TrainParams, train_scorer
from wakeful.steps import convert

RATE_HZ = 2000
KINDS = (Kind.SEMI_MARKOV, Kind.CHAIN_FIELD)
MEANING = {state.label: state for state in SCORED}
N_WITH_BURSTS = 3


@dataclass(frozen=True, eq=False)
class Animal:
    """What the steps make of one animal, and the truth."""

    name: str
    features: SleepFeatures
    band_power: BandPower
    muscle: MuscleTone
    truth: np.ndarray


def run_steps(mouse, plan: RecordingPlan) -> Animal:
    hours = Interval(0.0, plan.duration_s)
    mains_hz = plan.subject.mains_hz
    low = convert.compute(
        convert.Inputs(raw=mouse.lfp.samples, block=hours, lfp_sink=MemorySink()), convert.Params()
    )
    muscle = analysis.compute_muscle_tone(low.lfp, low.lfp_emg, mains_hz=mains_hz)
    spectra = analysis.compute_spectrogram(low.lfp, mains_hz=mains_hz)
    features = analysis.compute_sleep_features(low.lfp, muscle, mains_hz=mains_hz)
    return Animal(
        plan.subject.identifier,
        features,
        analysis.compute_band_power(spectra),
        muscle,
        mouse.truth.state[: features.n_rows],
    )


def make_animal(animal: CohortAnimal, kept: Path | None) -> Animal:
    path = None if kept is None else kept / f"{animal.plan.subject.identifier}.pickle"
    if path is not None and path.is_file():
        return pickle.loads(path.read_bytes())  # our own file of a moment ago
    made = run_steps(simulate_animal(animal, RATE_HZ), animal.plan)
    if path is not None:
        path.write_bytes(pickle.dumps(made))
    return made


def kappa_of(truth: np.ndarray, scored, states) -> float:
    if scored.refusal:
        return float("nan")
    return compute_agreement(truth, scored.as_states(states)).kappa


def train(animals: list[Animal], kind: Kind) -> TrainedScorer:
    table, labels, _ = join_sessions(
        [
            LabelledSession(name=a.name, subject=a.name, features=a.features, state=a.truth)
            for a in animals
        ]
    )
    params = TrainParams(kind=kind, n_folds=3, trees=TreeParams(max_epochs=20_000))
    return train_scorer(table, labels, params).scorer


def score_left_out(job: tuple[list[Animal], int, bool]) -> dict:
    animals, left_out, with_fields = job
    animal = animals[left_out]
    others = [a for i, a in enumerate(animals) if i != left_out]
    table = table_of(animal.features, animal.name)
    out: dict = {"name": animal.name}
    for kind in KINDS if with_fields else KINDS[:1]:
        scorer = train(others, kind)
        start = time.process_time()
        scored = scorer.score(table)
        out[kind] = kappa_of(animal.truth, scored, MEANING)
        out["refusal"] = scored.refusal
        out["score_s"] = time.process_time() - start
        if kind is Kind.SEMI_MARKOV:
            out["of_one_state"] = score_each_state(scorer, animal, table)
            if not scored.refusal:
                out["gap"] = scored.provisional_gap
                out["minutes"] = [
                    float(
                        (scored.state == i).sum() / max((animal.truth == MEANING[s]).sum(), 1) - 1
                    )
                    for i, s in enumerate(scored.states)
                ]
    return out


def score_each_state(scorer: TrainedScorer, animal: Animal, table: FeatureTable) -> dict:
    """For each state: epochs; refused or share wrong, alone and with the animal's levels."""
    levels = prepare_animal(table, scorer.animal_logarithms).anchors
    out = {}
    for number, name in enumerate(scorer.states):
        rows = np.flatnonzero(animal.truth == MEANING[name])
        part = FeatureTable.make(
            table.names,
            table.values[rows],
            epoch_s=table.epoch_s,
            starts=np.r_[True, np.diff(rows) > 1],
            subject=animal.name,
        )
        found = []
        for anchors in (None, levels):
            scored = scorer.score(part, anchors=anchors)
            wrong = (scored.state >= 0) & (scored.state != number)
            found.append(None if scored.refusal else int(wrong.sum()))
        out[name] = (len(rows), *found)
    return out


def compare_bursts(job: tuple[CohortAnimal, Animal, list[Animal]]) -> str:
    """States of an animal with bursts planted and handed in, beside those without bursts."""
    cohort, plain, others = job
    rng = np.random.default_rng(cohort.plan.subject.seed)
    n_bursts = round(cohort.plan.duration_s / 120)
    start_s = 60 + 120 * np.arange(n_bursts - 1) + rng.uniform(0, 60, n_bursts - 1)
    duration_s = rng.uniform(2, 10, n_bursts - 1)
    bursts = tuple(
        PlantedEvent(
            kind=EventType.SPIKE_WAVE,
            start_s=float(a),
            duration_s=float(d),
            amplitude_uv=600.0,
            frequency_hz=7.0,
        )
        for a, d in zip(start_s, duration_s, strict=True)
    )
    plan = replace(cohort.plan, events=bursts)
    with_bursts = run_steps(simulate_animal(replace(cohort, plan=plan), RATE_HZ), plan)
    ictal = IctalIntervals(
        start_s=start_s,
        stop_s=start_s + duration_s,
        kind=np.full(len(start_s), IctalKind.ICTAL, np.int8),
    )
    scorer = train(others, Kind.SEMI_MARKOV)
    lines = []
    for who in ("label-free", "trained"):
        states = []
        for animal in (plain, with_bursts):
            if who == "label-free":
                states.append(
                    analysis.score_sleep(animal.band_power, animal.muscle, ictal=ictal).state
                )
                continue
            marks = mark_ictal(animal.features.start_s, animal.features.epoch_s, ictal)
            scored = scorer.score(table_of(blank_ictal(animal.features, marks), animal.name))
            states.append(scored.as_states(MEANING))
        marks = mark_ictal(plain.features.start_s, plain.features.epoch_s, ictal)
        beside = marks == IctalKind.NONE
        differ = int((states[0] != states[1])[beside].sum())
        lines.append(f"{who}: {differ} of {int(beside.sum())} epochs differ")
    # What passes for REM where nobody hands the bursts in.
    blind = analysis.score_sleep(with_bursts.band_power, with_bursts.muscle).state
    marked = marks != IctalKind.NONE
    as_rem = float(np.mean(blind[marked] == State.REM))
    return f"{plain.name}: {'; '.join(lines)}; not handed in, {as_rem:.1%} of them pass for REM"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--animals", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hours", type=float, default=6.0)
    parser.add_argument("--keep", type=Path, help="folder for the animals' features")
    parser.add_argument("--no-fields", action="store_true", help="leave the chain field out")
    given = parser.parse_args()
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
    cohort = make_cohort(CohortPlan(n_animals=given.animals, seed=given.seed, hours=given.hours))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        animals = list(pool.map(make_animal, cohort, [given.keep] * len(cohort)))
        jobs = [(animals, i, not given.no_fields) for i in range(len(animals))]
        found = []
        for one in pool.map(score_left_out, jobs):
            found.append(one)
            print(_line(one), flush=True)
        _summarise(found)
        print("\nspike-wave bursts planted every two minutes and handed in")
        some = [
            (cohort[i], animals[i], [a for j, a in enumerate(animals) if j != i])
            for i in range(min(N_WITH_BURSTS, len(animals)))
        ]
        for line in pool.map(compare_bursts, some):
            print(line, flush=True)


def _line(one: dict) -> str:
    kappas = "  ".join(f"{kind} {one[kind]:.3f}" for kind in KINDS if kind in one)
    single = ", ".join(
        f"{name} alone {'refused' if alone is None else alone}/{n}, with levels "
        f"{'refused' if known is None else known}/{n}"
        for name, (n, alone, known) in one["of_one_state"].items()
    )
    return f"{one['name']}: kappa {kappas}  {one['refusal']}\n    wrong epochs: {single}"


def _summarise(found: list[dict]) -> None:
    n_refused = sum(bool(one["refusal"]) for one in found)
    print(f"\n{len(found)} animals, {n_refused} refused")
    for kind in KINDS:
        kappas = np.array([one[kind] for one in found if kind in one and np.isfinite(one[kind])])
        if kappas.size:
            low, middle, high = np.quantile(kappas, [0, 0.5, 1])
            print(f"{kind}: kappa {middle:.3f} ({low:.3f} to {high:.3f}), mean {kappas.mean():.4f}")
    both = [(one[KINDS[0]], one[KINDS[1]]) for one in found if KINDS[1] in one]
    if both:
        better = sum(b > a for a, b in both)
        print(f"{KINDS[1]} is above {KINDS[0]} in {better} of {len(both)} animals")
    minutes = np.array([one["minutes"] for one in found if "minutes" in one])
    print("minutes, scored over true, median (range):", end=" ")
    for column in minutes.T:
        print(f"{np.median(column):+.1%} ({column.min():+.1%} to {column.max():+.1%})", end="  ")
    gaps = [one["gap"] for one in found if "gap" in one]
    print(f"\nprovisional states that differ from final ones: {np.mean(gaps):.1%}")
    print(f"scoring {max(one['score_s'] for one in found):.1f} s of processor time at most")
    for place, how in ((1, "alone"), (2, "with levels")):
        for name in found[0]["of_one_state"]:
            parts = [one["of_one_state"][name] for one in found]
            scored = [part for part in parts if part[place] is not None]
            n, wrong = sum(p[0] for p in scored), sum(p[place] for p in scored)
            share = f"{wrong / n:.2%} of epochs wrong" if n else "none scored"
            print(f"{name} only, {how}: {len(parts) - len(scored)} refused, {share}")


if __name__ == "__main__":
    main()
