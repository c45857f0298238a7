"""Trained scorers beside the results they made: a result can be made again after a lab has trained
its model anew under the same name.
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from wakeful.io.atomic import sync_folder
from wakeful.io.scorer_files import read_scorer
from wakeful.io.store import Store
from wakeful.model.errors import UnknownResult
from wakeful.sleep.trained import NamedScorer


def keep_model(store: Store, folder: Path) -> str:
    """Keep a copy of a model under the hash of its content, once; returns the hash.

    Raises
    ------
    BadModel
        It is none, or damaged.
    """
    model = read_scorer(folder)
    kept = _path(store, model.content_hash)
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = kept.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            shutil.copytree(folder, temporary)
            copied = read_scorer(temporary)
            if copied.content_hash == model.content_hash and not kept.is_dir():
                temporary.rename(kept)
                sync_folder(kept.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return model.content_hash


def recall_model(store: Store, content_hash: str) -> NamedScorer:
    """The model of a hash.

    Raises
    ------
    UnknownResult
        No copy was kept.
    BadModel
        The copy is damaged.
    """
    kept = _path(store, content_hash)
    if not kept.is_dir():
        raise UnknownResult(
            f"the scorer {content_hash[:12]} is not kept here",
            where=str(kept),
            remedy="run its row again",
        )
    model = read_scorer(kept)
    name = f"{model.card.title} ({model.card.kind}), model {content_hash[:12]}"
    return NamedScorer(scorer=model.scorer, name=name)


def _path(store: Store, content_hash: str) -> Path:
    return store.root / ".models" / content_hash
