"""Trained sleep scorers as folders of data: JSON and UBJSON, no code, nothing pickled.

`card.json` is for people and programs: what the model is, what it was trained on, how good it is,
and the sha256 of every other file. `model.json` holds numbers; `alone.ubj` and `around.ubj` hold
trees, which any XGBoost reads. The model's content hash is made from what decides its scores and
from nothing else: it can join the key of a result, and notes on the card may be edited.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from wakeful.io.atomic import sync_folder, write_bytes, write_json
from wakeful.io.codec import from_plain, to_plain
from wakeful.model.errors import BadModel, BrokenArtefact, WakefulError
from wakeful.sleep.artefacts import ArtefactDetector
from wakeful.sleep.boosted_trees import BoostedTrees, trees_from_bytes
from wakeful.sleep.calibration import LogPool
from wakeful.sleep.chain_field import ChainField
from wakeful.sleep.context import Context
from wakeful.sleep.discriminant import Discriminant
from wakeful.sleep.likeness import Likeness
from wakeful.sleep.markov import Gaussians
from wakeful.sleep.semi_markov import SemiMarkov
from wakeful.sleep.trained import Fields, TrainedScorer
from wakeful.sleep.trained_kinds import Kind

FORMAT = "wakeful sleep scorer"
FORMAT_VERSION = 1
_CARD, _NUMBERS = "card.json", "model.json"
_TREES = ("alone", "around")


@dataclass(frozen=True, kw_only=True)
class TrainingFile:
    """A table that a scorer was trained on."""

    name: str
    sha256: str
    n_epochs: int
    n_holes: int


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a model says of itself."""

    title: str
    kind: str
    states: tuple[str, ...]
    features: tuple[str, ...]
    """Names in order; states that movement defines are not to be compared by movement."""
    epoch_s: float
    label_map: dict[str, str]
    """What was typed -> the state it became."""
    files: tuple[TrainingFile, ...]
    """What it was trained on."""
    subjects: tuple[str, ...]
    epochs_per_state: dict[str, int]
    evaluation: dict[str, Any]
    """Cross-validated figures, as `wakeful train sleep --json` prints them."""
    notes: tuple[str, ...]
    licence: str
    """Of the model; "unstated" where nobody said."""
    versions: dict[str, str]
    """Of Wakeful and the libraries that trained it."""
    created_utc: str


@dataclass(frozen=True, eq=False, kw_only=True)
class ScorerModel:
    """A model as read from its folder."""

    scorer: TrainedScorer
    card: Card
    content_hash: str
    """sha256 of what decides its scores."""


def write_scorer(
    folder: Path, scorer: TrainedScorer, card: Card, *, overwrite: bool = False
) -> str:
    """Write a model; the folder appears when it is whole. Returns the content hash.

    Raises
    ------
    BadModel
        There is something under this name already, and `overwrite` is not given or it is no model.
    """
    if folder.exists():
        if not overwrite:
            raise BadModel(
                "is there already", where=str(folder), remedy="choose another name, or --overwrite"
            )
        if not (folder / _CARD).is_file():
            raise BadModel(
                "is there already, and is no model",
                where=str(folder),
                remedy="choose another name: only models are replaced",
            )
    contents = _to_files(scorer)
    hashes = {name: sha256(data).hexdigest() for name, data in contents.items()}
    content_hash = _hash_of(hashes)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
    temporary.mkdir()
    try:
        for name, data in contents.items():
            write_bytes(temporary / name, data)
        write_json(
            temporary / _CARD,
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "content_hash": content_hash,
                "hashes": hashes,
                **to_plain(card),
            },
        )
        if folder.exists():
            # Not rename over it: a folder that is not empty can't be replaced in one go.
            former = temporary.with_name(f"{temporary.name}.old")
            folder.rename(former)
            temporary.rename(folder)
            shutil.rmtree(former)
        else:
            temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_folder(folder.parent)
    return content_hash


def read_scorer(folder: Path) -> ScorerModel:
    """Read a model.

    Raises
    ------
    BadModel
        It is none, is of a later format, or its files are not those that were written.
    """
    tree = read_card_tree(folder)
    card = _card_of(tree, folder)
    hashes: Mapping[str, str] = tree.get("hashes", {})
    contents: dict[str, bytes] = {}
    for name, expected in hashes.items():
        path = folder / Path(name).name
        if not path.is_file():
            raise BadModel(f"{name} is missing", where=str(folder), remedy=_COPY_AGAIN)
        contents[name] = path.read_bytes()
        if sha256(contents[name]).hexdigest() != expected:
            raise BadModel(
                f"{name} is not what was written: its sha256 is not the card's",
                where=str(folder),
                remedy=_COPY_AGAIN,
            )
    content_hash = _hash_of(hashes)
    if _NUMBERS not in contents or tree.get("content_hash") != content_hash:
        raise BadModel(
            "the card's hashes do not fit each other", where=str(folder), remedy=_COPY_AGAIN
        )
    try:
        scorer = _from_files(contents)
    except (KeyError, TypeError, ValueError, WakefulError) as error:
        if isinstance(error, BrokenArtefact):
            raise BadModel(error.what, where=str(folder), remedy=error.remedy) from error
        raise BadModel(
            f"{_NUMBERS} can't be understood ({error})", where=str(folder), remedy=_COPY_AGAIN
        ) from error
    return ScorerModel(scorer=scorer, card=card, content_hash=content_hash)


_COPY_AGAIN = "copy the model's folder again, or train it again"


def read_card_tree(folder: Path) -> dict[str, Any]:
    """The card as plain data.

    Raises
    ------
    BadModel
        There is none, or it is of a later format.
    """
    path = folder / _CARD
    if not path.is_file():
        raise BadModel(
            f"is no model: it holds no {_CARD}" if folder.is_dir() else "there is no such folder",
            where=str(folder),
            remedy="give the folder that `wakeful train sleep` wrote",
        )
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadModel(f"is no JSON ({error})", where=str(path), remedy=_COPY_AGAIN) from error
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        raise BadModel(
            "is no card of a sleep scorer",
            where=str(path),
            remedy="give the folder that `wakeful train sleep` wrote",
        )
    version = tree.get("format_version")
    if version != FORMAT_VERSION:
        raise BadModel(
            f"is of format version {version}; this Wakeful reads {FORMAT_VERSION}",
            where=str(path),
            remedy="update Wakeful, or train the model again",
        )
    return tree


def _card_of(tree: dict[str, Any], folder: Path) -> Card:
    own = {k: v for k, v in tree.items() if k in Card.__dataclass_fields__}
    try:
        card: Card = from_plain(own, Card)
    except (KeyError, TypeError, ValueError) as error:
        raise BadModel(
            f"{_CARD} can't be understood ({error})", where=str(folder), remedy=_COPY_AGAIN
        ) from error
    return card


def _hash_of(hashes: Mapping[str, str]) -> str:
    text = json.dumps([FORMAT_VERSION, sorted(hashes.items())], separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def _to_files(scorer: TrainedScorer) -> dict[str, bytes]:
    """Name -> bytes, the same for the same scorer."""
    numbers: dict[str, Any] = {
        "kind": scorer.kind.value,
        "states": scorer.states,
        "features": scorer.features,
        "epoch_s": scorer.epoch_s,
        "logarithmic": scorer.logarithmic.tolist(),
        "context": asdict(scorer.context),
        "shares": scorer.shares.tolist(),
        "evidence_weight": scorer.evidence_weight,
        "min_confidence": scorer.min_confidence,
        "pool": _pool_tree(scorer.pool),
        "causal_pool": _pool_tree(scorer.causal_pool),
        "likeness": {
            "low": _with_nulls(scorer.likeness.low),
            "high": _with_nulls(scorer.likeness.high),
            "gain": scorer.likeness.gain.tolist(),
        },
        "artefacts": {
            "features": scorer.artefacts.features,
            "never_flat": scorer.artefacts.never_flat.tolist(),
            "means": scorer.artefacts.gaussians.means.tolist(),
            "covariances": scorer.artefacts.gaussians.covariances.tolist(),
            "log_shares": scorer.artefacts.log_shares.tolist(),
            "threshold": scorer.artefacts.threshold,
        },
        "chain": None,
        "discriminant": None,
    }
    if scorer.animal_logarithms is not None:
        # Left out where there is none, so that scorers from before keep their hashes.
        numbers["animal_logarithms"] = sorted(scorer.animal_logarithms)
    if scorer.fields is not None:
        numbers["fields"] = {
            name: {
                "weights": field.weights.tolist(),
                "transition": field.transition.tolist(),
            }
            for name, field in (("final", scorer.fields.final), ("causal", scorer.fields.causal))
            if field is not None
        }
    if scorer.chain is not None:
        numbers["chain"] = {
            "hazard": scorer.chain.hazard.tolist(),
            "exits": scorer.chain.exits.tolist(),
        }
    contents: dict[str, bytes] = {}
    if isinstance(scorer.alone, Discriminant):
        numbers["discriminant"] = {
            name: getattr(scorer.alone, name).tolist() for name in ("centre", "weights", "offset")
        }
    for name in _TREES:
        part = getattr(scorer, name)
        if isinstance(part, BoostedTrees):
            contents[f"{name}.ubj"] = part.to_bytes()
    text = json.dumps(numbers, indent=1, ensure_ascii=False, allow_nan=False)
    contents[_NUMBERS] = (text + "\n").encode()
    return contents


def _from_files(contents: Mapping[str, bytes]) -> TrainedScorer:
    numbers = json.loads(contents[_NUMBERS])
    states = tuple(numbers["states"])
    trees = {
        name: trees_from_bytes(contents[f"{name}.ubj"], len(states))
        for name in _TREES
        if f"{name}.ubj" in contents
    }
    alone: BoostedTrees | Discriminant | None = trees.get("alone")
    if numbers["discriminant"] is not None:
        alone = Discriminant(
            **{name: np.array(value) for name, value in numbers["discriminant"].items()}
        )
    chain = numbers["chain"]
    features = tuple(numbers["features"])
    context = numbers["context"]
    likeness = numbers["likeness"]
    odd = numbers["artefacts"]
    return TrainedScorer(
        kind=Kind(numbers["kind"]),
        states=states,
        features=features,
        epoch_s=float(numbers["epoch_s"]),
        logarithmic=np.array(numbers["logarithmic"], np.bool_),
        context=Context(
            lags=tuple(context["lags"]),
            windows=tuple(context["windows"]),
            causal=bool(context["causal"]),
            features=None if context["features"] is None else tuple(context["features"]),
        ),
        shares=np.array(numbers["shares"]),
        alone=alone,
        around=trees.get("around"),
        chain=None
        if chain is None
        else SemiMarkov(hazard=np.array(chain["hazard"]), exits=np.array(chain["exits"])),
        evidence_weight=float(numbers["evidence_weight"]),
        pool=_pool_from(numbers["pool"]),
        causal_pool=_pool_from(numbers["causal_pool"]),
        likeness=Likeness(
            names=features,
            low=_without_nulls(likeness["low"]),
            high=_without_nulls(likeness["high"]),
            gain=np.array(likeness["gain"]),
        ),
        artefacts=ArtefactDetector(
            features=tuple(odd["features"]),
            never_flat=np.array(odd["never_flat"], np.bool_),
            gaussians=Gaussians(
                means=np.array(odd["means"]), covariances=np.array(odd["covariances"])
            ),
            log_shares=np.array(odd["log_shares"]),
            threshold=float(odd["threshold"]),
        ),
        min_confidence=float(numbers["min_confidence"]),
        fields=_fields_from(numbers["fields"]) if "fields" in numbers else None,
        animal_logarithms=frozenset(numbers["animal_logarithms"])
        if "animal_logarithms" in numbers
        else None,
    )


def _pool_tree(pool: LogPool) -> dict[str, list[float]]:
    return {"weights": pool.weights.tolist(), "offset": pool.offset.tolist()}


def _pool_from(tree: Mapping[str, list[float]]) -> LogPool:
    return LogPool(weights=np.array(tree["weights"]), offset=np.array(tree["offset"]))


def _fields_from(tree: Mapping[str, Any]) -> Fields:
    found = {
        name: ChainField(
            weights=np.array(field["weights"]), transition=np.array(field["transition"])
        )
        for name, field in tree.items()
    }
    return Fields(final=found["final"], causal=found.get("causal"))


def _with_nulls(values: Any) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]


def _without_nulls(values: list[float | None]) -> Any:
    return np.array([np.nan if v is None else v for v in values], np.float64)
