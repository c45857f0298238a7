"""What a job was told about session and recording, kept so that a result can be made again."""

from __future__ import annotations

import json
from pathlib import Path

from wakeful.io.atomic import write_json
from wakeful.io.codec import from_plain, to_plain
from wakeful.io.store import Store
from wakeful.model.errors import UnknownResult
from wakeful.model.subject import Session
from wakeful.pipeline.keys import digest
from wakeful.pipeline.plan import RecordingReference


def remember(store: Store, session: Session, recording: RecordingReference) -> str:
    """Keep them, once; returns the name that receipts carry."""
    tree = {"session": to_plain(session), "recording": to_plain(recording)}
    name = digest(tree)
    path = _path(store, name)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, tree)
    return name


def recall(store: Store, name: str) -> tuple[Session, RecordingReference]:
    """Session and recording that a receipt names.

    Raises
    ------
    UnknownResult
        They are gone.
    """
    path = _path(store, name)
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnknownResult(
            f"what the result was made from is not known any more ({error})",
            where=str(path),
            remedy="run its row again",
        ) from error
    return (
        from_plain(tree["session"], Session),
        from_plain(tree["recording"], RecordingReference),
    )


def _path(store: Store, name: str) -> Path:
    return store.root / ".contexts" / f"{name}.json"
